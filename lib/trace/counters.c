/* YOKE_COUNTERS=1: sums by thread and device, in a small file in memory that who watches the program reads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/trace/counters.h"

_Atomic bool yoke__counters_are_kept;

static counters_file *_Atomic shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of opening */
static bool opened;
static _Atomic unsigned thread_count;
static _Thread_local counters *mine;
static _Thread_local bool has_none;
static _Thread_local unsigned depth; /* of tasks: what happens inside of one is its */

void yoke__counters_path(char *path, size_t size, long process)
{
    (void)snprintf(path, size, "/dev/shm/yoke-%ld-%ld", (long)geteuid(), process);
}

/* --- open --- */

/* The pages stay, for other threads may be adding; the child's sums are nobody's. */
static void in_child(void)
{
    atomic_store(&yoke__counters_are_kept, false);
    (void)pthread_mutex_init(&lock, NULL);
}

__attribute__((constructor(YOKE__FIRST))) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

static void remove_file(void)
{
    char path[64];
    const counters_file *file = atomic_load(&shared);
    if (file == NULL || file->process != (int64_t)getpid())
        return;
    yoke__counters_path(path, sizeof path, (long)getpid());
    (void)unlink(path);
}

static int make_file(void)
{
    char path[64];
    yoke__counters_path(path, sizeof path, (long)getpid());
    (void)unlink(path); /* of a dead process with our number */
    const int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return yoke__fail(YOKE_EIO, "YOKE_COUNTERS: %s cannot be made: %s; unset YOKE_COUNTERS", path, strerror(errno));
    void *pages = MAP_FAILED;
    if (posix_fallocate(file, 0, sizeof(counters_file)) == 0) /* so that no write faults */
        pages = mmap(NULL, sizeof(counters_file), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    if (pages == MAP_FAILED) {
        (void)unlink(path);
        return yoke__fail(YOKE_EIO, "YOKE_COUNTERS: no room for %zu bytes in /dev/shm; unset YOKE_COUNTERS",
                          sizeof(counters_file));
    }
    counters_file *made = pages;
    made->version = COUNTERS_VERSION;
    made->bytes = sizeof *made;
    made->process = (int64_t)getpid();
    made->start_ns = yoke__now_ns();
    memcpy(made->magic, COUNTERS_MAGIC, sizeof made->magic);
    atomic_store(&shared, made);
    return YOKE_OK;
}

int yoke__counters_open(void)
{
    const char *asked = yoke__env("YOKE_COUNTERS");
    if (asked == NULL || strcmp(asked, "0") == 0 || atomic_load(&yoke__trace_is_forbidden))
        return YOKE_OK;
    pthread_mutex_lock(&lock);
    int status = YOKE_OK;
    if (!opened) {
        status = make_file();
        opened = status == YOKE_OK;
        if (opened) {
            (void)atexit(remove_file);
            atomic_store(&yoke__counters_are_kept, true);
            atomic_store(&yoke__trace_is_on, true);
        }
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* --- counting --- */

static counters *counters_of_thread(void)
{
    counters_file *file = atomic_load_explicit(&shared, memory_order_relaxed);
    if (mine != NULL || has_none || file == NULL)
        return mine;
    const unsigned at = atomic_fetch_add(&thread_count, 1);
    has_none = at >= COUNTER_THREADS;
    if (has_none)
        return NULL;
    mine = &file->threads[at];
    if (pthread_getname_np(pthread_self(), mine->name, sizeof mine->name) != 0)
        mine->name[0] = '\0';
    atomic_store_explicit(&mine->is_used, 1, memory_order_release);
    return mine;
}

static yoke_activity activity_of(uint32_t kind)
{
    switch (kind) {
    case YOKE__EVENT_WORK:
    case YOKE__EVENT_KERNEL:
    case YOKE__EVENT_TASK:
    case YOKE__EVENT_COMPILE: return YOKE_BUSY;
    case YOKE__EVENT_WAIT: return YOKE_WAITING;
    case YOKE__EVENT_SLEEP: return YOKE_ASLEEP;
    default: return YOKE_ELSEWHERE;
    }
}

static void add(_Atomic uint64_t *to, uint64_t more)
{
    atomic_fetch_add_explicit(to, more, memory_order_relaxed);
}

/* Nobody else writes it. */
static void add_own(_Atomic uint64_t *to, uint64_t more)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + more, memory_order_relaxed);
}

void yoke__counters_task(yoke__task_step step)
{
    counters_file *file = atomic_load_explicit(&shared, memory_order_relaxed);
    counters *c = counters_of_thread();
    if (c != NULL)
        add_own(&c->tasks[step], 1);
    else if (file != NULL)
        add(&file->others.tasks[step], 1);
}

void yoke__counters_begin(const yoke__event *event)
{
    const yoke_activity activity = activity_of(event->kind);
    if (event->kind == YOKE__EVENT_TASK) {
        yoke__counters_task(YOKE__TASK_BEGUN);
        depth++;
    }
    if (activity == YOKE_ELSEWHERE || event->kind == YOKE__EVENT_KERNEL ||
        depth > (event->kind == YOKE__EVENT_TASK ? 1 : 0))
        return;
    counters *c = counters_of_thread();
    if (c == NULL)
        return;
    atomic_store_explicit(&c->since_ns, event->begin_ns, memory_order_relaxed);
    atomic_store_explicit(&c->now, (uint64_t)activity, memory_order_relaxed);
}

static void add_device(const yoke__event *event)
{
    counters_file *file = atomic_load_explicit(&shared, memory_order_relaxed);
    if (file == NULL || event->device > COUNTER_DEVICES)
        return;
    counters *c = &file->devices[event->device - 1];
    atomic_store_explicit(&c->is_used, 1, memory_order_relaxed);
    if (event->kind == YOKE__EVENT_PIECE)
        add(&c->parts, 1);
    if (event->kind == YOKE__EVENT_TO_DEVICE)
        add(&c->bytes_in, event->count);
    if (event->kind == YOKE__EVENT_FROM_DEVICE)
        add(&c->bytes_out, event->count);
    if (event->kind == YOKE__EVENT_KERNEL)
        add(&c->ns[YOKE_BUSY], (uint64_t)(event->end_ns - event->begin_ns));
}

void yoke__counters_add(const yoke__event *event)
{
    if (event->device > 0) {
        add_device(event);
        return;
    }
    if (event->kind == YOKE__EVENT_TASK) {
        yoke__counters_task(event->count != 0 ? YOKE__TASK_DONE : YOKE__TASK_FAILED);
        depth -= depth > 0;
    }
    counters *c = counters_of_thread();
    const yoke_activity activity = activity_of(event->kind);
    if (c == NULL)
        return;
    if (activity != YOKE_ELSEWHERE && depth == 0) {
        atomic_store_explicit(&c->now, YOKE_ELSEWHERE, memory_order_relaxed);
        add_own(&c->ns[activity], (uint64_t)(event->end_ns - event->begin_ns));
    }
    if (event->kind == YOKE__EVENT_CALL) {
        add_own(&c->calls, 1);
        add_own(&c->items, event->count);
    }
    if (event->kind == YOKE__EVENT_WORK)
        add_own(&c->parts, 1);
    if (event->kind == YOKE__EVENT_STEAL)
        add_own(&c->steals, 1);
}
