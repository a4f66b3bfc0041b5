/* The file of a trace, in the format of Chrome and Perfetto: created when the first runtime opens, written when the process
 * ends, by the one process that has it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/trace/trace.h"

enum { BUFFER_BYTES = 1 << 16, LINE_BYTES = 1024, DEVICE_THREADS = 1000000000, QUEUES_OF_DEVICE = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the rest */
static int file = -1;
static bool opened;
static int64_t start_ns;

/* --- open --- */

/* What happens in a child is not in its parent's trace. */
static void in_child(void)
{
    atomic_store(&yoke__trace_is_on, false);
    atomic_store(&yoke__trace_is_written, false);
    (void)pthread_mutex_init(&lock, NULL);
    if (file >= 0)
        (void)close(file);
    file = -1;
}

__attribute__((constructor(YOKE__FIRST))) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

void yoke__trace_never(void)
{
    atomic_store(&yoke__trace_is_forbidden, true);
}

static void write_at_exit(void)
{
    if (pthread_mutex_trylock(&lock) != 0)
        return;
    pthread_mutex_unlock(&lock);
    (void)yoke_trace_write();
}

/* The file stays open: the program may change its folder, and whoever has it locked is the one that writes. EBUSY: another
 * process, such as the one that started this, traces to it. */
static int open_file(const char *path)
{
    struct stat what;
    const int fresh = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
    if (fresh < 0)
        return yoke__fail(YOKE_EIO, "YOKE_TRACE=%.200s cannot be written: %s; name a file in a folder of yours", path,
                          strerror(errno));
    if (fstat(fresh, &what) != 0 || !S_ISREG(what.st_mode)) {
        (void)close(fresh);
        return yoke__fail(YOKE_EINVAL, "YOKE_TRACE=%.200s is no plain file", path);
    }
    if (flock(fresh, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        (void)close(fresh);
        return YOKE_EBUSY;
    }
    file = fresh;
    return YOKE_OK;
}

int yoke__trace_open(void)
{
    const char *path = yoke__env("YOKE_TRACE");
    if (path == NULL)
        return YOKE_OK;
    pthread_mutex_lock(&lock);
    int status = YOKE_OK;
    if (!opened && !atomic_load(&yoke__trace_is_forbidden)) {
        status = open_file(path);
        opened = status == YOKE_OK || status == YOKE_EBUSY;
        if (status == YOKE_OK) {
            start_ns = yoke__now_ns();
            (void)atexit(write_at_exit);
            atomic_store(&yoke__trace_is_written, true);
            atomic_store(&yoke__trace_is_on, true);
        }
    }
    pthread_mutex_unlock(&lock);
    return status == YOKE_EBUSY ? YOKE_OK : status;
}

/* --- JSON --- */

typedef struct writer {
    char bytes[BUFFER_BYTES];
    size_t used;
    bool failed, first;
    pid_t process;
} writer;

static void flush(writer *w)
{
    for (size_t done = 0; done < w->used && !w->failed;) {
        const ssize_t some = write(file, w->bytes + done, w->used - done);
        if (some > 0)
            done += (size_t)some;
        else if (some == 0 || errno != EINTR)
            w->failed = true;
    }
    w->used = 0;
}

__attribute__((format(printf, 2, 3))) static void put(writer *w, const char *format, ...)
{
    va_list values;
    if (sizeof w->bytes - w->used < LINE_BYTES)
        flush(w);
    va_start(values, format);
    const int length = vsnprintf(w->bytes + w->used, LINE_BYTES, format, values);
    va_end(values);
    if (length > 0)
        w->used += (size_t)length < LINE_BYTES ? (size_t)length : LINE_BYTES - 1;
}

static void put_byte(writer *w, char byte)
{
    if (w->used == sizeof w->bytes)
        flush(w);
    w->bytes[w->used++] = byte;
}

/* What is no plain ASCII may be cut, or torn. */
static void put_text(writer *w, const char *text)
{
    put_byte(w, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            put_byte(w, '\\');
        put_byte(w, *text < ' ' || *text > '~' ? '?' : *text);
    }
    put_byte(w, '"');
}

/* Microseconds. */
static void put_time(writer *w, const char *name, int64_t ns)
{
    put(w, "\"%s\":%s%" PRId64 ".%03d,", name, ns < 0 ? "-" : "", (ns < 0 ? -ns : ns) / 1000,
        (int)((ns < 0 ? -ns : ns) % 1000));
}

static void begin_event(writer *w)
{
    put(w, "%s\n{\"pid\":%ld,", w->first ? "" : ",", (long)w->process);
    w->first = false;
}

static void put_thread(writer *w, long thread, const char *name, unsigned order)
{
    begin_event(w);
    put(w, "\"tid\":%ld,\"ph\":\"M\",\"name\":\"thread_name\",\"args\":{\"name\":", thread);
    put_text(w, name);
    put(w, "}}");
    begin_event(w);
    put(w, "\"tid\":%ld,\"ph\":\"M\",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}", thread, order);
}

/* --- events --- */

typedef struct kind_words {
    const char *category, *name, *count, *other; /* name NULL: the kernel's */
} kind_words;

static const kind_words kinds[YOKE__EVENT_KINDS] = {
    [YOKE__EVENT_CALL] = {"call", NULL, "items", "workers"},
    [YOKE__EVENT_WORK] = {"work", NULL, "units", NULL},
    [YOKE__EVENT_STEAL] = {"steal", "steal", "units", "from"},
    [YOKE__EVENT_WAIT] = {"wait", "wait", NULL, NULL},
    [YOKE__EVENT_SLEEP] = {"sleep", "sleep", NULL, NULL},
    [YOKE__EVENT_PIECE] = {"piece", NULL, "items", NULL},
    [YOKE__EVENT_KERNEL] = {"kernel", NULL, NULL, NULL},
    [YOKE__EVENT_TO_DEVICE] = {"transfer", "to device", "bytes", NULL},
    [YOKE__EVENT_FROM_DEVICE] = {"transfer", "from device", "bytes", NULL},
    [YOKE__EVENT_COMPILE] = {"compile", NULL, NULL, NULL},
    [YOKE__EVENT_TASK] = {"task", NULL, "succeeded", "inside"},
};

static long thread_of(const yoke__event *e, long recording)
{
    if (e->device == 0)
        return recording;
    return DEVICE_THREADS + (long)e->device * QUEUES_OF_DEVICE + e->queue % QUEUES_OF_DEVICE;
}

static void put_event(writer *w, const yoke__event *e, const char *text, long recording)
{
    const kind_words *words = &kinds[e->kind];
    const bool instant = e->kind == YOKE__EVENT_STEAL;
    begin_event(w);
    put(w, "\"tid\":%ld,\"ph\":\"%s\",\"cat\":\"%s\",", thread_of(e, recording), instant ? "i" : "X", words->category);
    put_time(w, "ts", e->begin_ns - start_ns);
    if (instant)
        put(w, "\"s\":\"t\",");
    else
        put_time(w, "dur", e->end_ns - e->begin_ns);
    put(w, "\"name\":");
    put_text(w, words->name != NULL ? words->name : e->name[0] != '\0' ? e->name : words->category);
    put(w, ",\"args\":{");
    if (words->count != NULL)
        put(w, "\"%s\":%" PRIu64, words->count, e->count);
    if (words->other != NULL)
        put(w, ",\"%s\":%" PRIu64, words->other, e->other);
    if (words->name != NULL && e->name[0] != '\0') {
        put(w, ",\"of\":");
        put_text(w, e->name);
    }
    if (text[0] != '\0') {
        put(w, ",\"decision\":");
        put_text(w, text);
    }
    put(w, "}}");
}

/* The devices that are in the trace, by mask of their queues. */
typedef struct lanes {
    uint8_t queues[256];
} lanes;

static uint64_t put_ring(writer *w, const yoke__ring *ring, lanes *seen)
{
    const char *name;
    const long thread = yoke__ring_thread(ring, &name);
    const uint64_t recorded = yoke__ring_recorded(ring), capacity = yoke__ring_capacity(ring);
    uint64_t put_count = 0;
    for (uint64_t k = recorded > capacity ? recorded - capacity : 0; k < recorded; k++) {
        yoke__event e;
        char text[YOKE__TRACE_TEXT];
        if (!yoke__ring_event(ring, k, &e, text) || e.begin_ns < start_ns)
            continue;
        if (e.device > 0 && e.device < sizeof seen->queues)
            seen->queues[e.device] |= (uint8_t)(1u << e.queue % QUEUES_OF_DEVICE);
        put_event(w, &e, text, thread);
        put_count++;
    }
    return recorded - put_count;
}

static void put_devices(writer *w, const lanes *seen)
{
    static const char *const names[] = {"queue 0", "queue 1", "pieces 0", "pieces 1", "moves"};
    for (unsigned device = 1; device < sizeof seen->queues; device++)
        for (unsigned q = 0; q < QUEUES_OF_DEVICE; q++) {
            char name[64];
            if ((seen->queues[device] >> q & 1) == 0)
                continue;
            (void)snprintf(name, sizeof name, "device %u %s", device - 1,
                           q < sizeof names / sizeof *names ? names[q] : "");
            put_thread(w, DEVICE_THREADS + (long)device * QUEUES_OF_DEVICE + (long)q, name,
                       100000 + device * QUEUES_OF_DEVICE + q);
        }
}

static void put_all(writer *w)
{
    lanes seen = {{0}};
    uint64_t lost = yoke__trace_dropped();
    put(w, "{\"traceEvents\":[");
    for (unsigned k = 0; k < yoke__ring_count(); k++) {
        const yoke__ring *ring = yoke__ring_at(k);
        const char *name;
        if (ring == NULL)
            continue;
        const long thread = yoke__ring_thread(ring, &name);
        put_thread(w, thread, name, k);
        lost += put_ring(w, ring, &seen);
    }
    put_devices(w, &seen);
    put(w,
        "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"yoke\":\"" YOKE_VERSION "\",\"dropped\":\"%" PRIu64 "\"}}\n",
        lost);
    flush(w);
}

int yoke_trace_write(void)
{
    pthread_mutex_lock(&lock);
    int status = YOKE_OK;
    writer *w = file >= 0 ? yoke__alloc(sizeof *w) : NULL;
    if (file < 0) {
        status = yoke__fail(YOKE_ESTATE, "nothing is traced: set YOKE_TRACE=file.json before the program starts");
    } else if (w == NULL) {
        status = yoke__fail(YOKE_ENOMEM, "no memory to write the trace");
    } else {
        w->used = 0;
        w->failed = ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0;
        w->first = true;
        w->process = getpid();
        put_all(w);
        if (w->failed)
            status = yoke__fail(YOKE_EIO, "the trace was not written: %s", strerror(errno));
    }
    yoke__free(w);
    pthread_mutex_unlock(&lock);
    return status;
}
