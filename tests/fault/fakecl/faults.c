/* Counts the calls and makes them fail; fakecl_ctl. */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/fault/fakecl/fake.h"

enum { FAULTS_LIMIT = 64, CALLS_LIMIT = 1 << 16 };

typedef enum action {
    ACT_ERROR,
    ACT_LOST,
    ACT_HANG,
    ACT_STALL,
    ACT_DELAY,
    ACT_LOAD,
    ACT_STATUS,
    ACT_FLIP,
    ACT_OVERRUN,
    ACT_ABORT
} action;

typedef struct fault {
    char function[64];
    unsigned long nth, seen;
    action action;
    long value;
    bool sticky;
} fault;

fake_state fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static fault faults[FAULTS_LIMIT];
static unsigned fault_count;
static int calls, fired, named;
static const char *call_names[CALLS_LIMIT];

void lock(void)
{
    (void)pthread_mutex_lock(&fake.lock);
}

void unlock(void)
{
    (void)pthread_mutex_unlock(&fake.lock);
}

void sleep_for_ns(uint64_t ns)
{
    struct timespec pause = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    while (ns > 0 && nanosleep(&pause, &pause) != 0 && errno == EINTR)
        ;
}

/* --- the language --- */

static bool parse_action(const char *text, fault *f)
{
    static const struct {
        const char *name;
        action action;
    } names[] = {{"lost", ACT_LOST},    {"hang", ACT_HANG},       {"stall", ACT_STALL},
                 {"delay=", ACT_DELAY}, {"load=", ACT_LOAD},      {"evstatus=", ACT_STATUS},
                 {"flip", ACT_FLIP},    {"overrun", ACT_OVERRUN}, {"abort", ACT_ABORT}};
    char *end;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        size_t length = strlen(names[k].name);
        if (strncmp(text, names[k].name, length) != 0)
            continue;
        f->action = names[k].action;
        if (names[k].name[length - 1] != '=')
            return text[length] == '\0';
        f->value = strtol(text + length, &end, 10);
        return end != text + length && *end == '\0';
    }
    f->action = ACT_ERROR;
    f->value = strtol(text, &end, 10);
    return end != text && *end == '\0' && f->value != 0;
}

static bool parse_fault(char *text, fault *f)
{
    char *rest = NULL, *end;
    const char *part[4] = {0};
    for (unsigned k = 0; k < 4; k++)
        part[k] = strtok_r(k == 0 ? text : NULL, ":", &rest);
    if (part[2] == NULL || strlen(part[0]) >= sizeof f->function || (part[3] != NULL && strcmp(part[3], "sticky") != 0))
        return false;
    *f = (fault){.sticky = part[3] != NULL};
    memcpy(f->function, part[0], strlen(part[0]) + 1);
    f->nth = strtoul(part[1], &end, 10);
    return f->nth > 0 && *end == '\0' && parse_action(part[2], f);
}

int faults_add(const char *specification)
{
    char *copy = strdup(specification), *rest = NULL;
    int status = copy != NULL ? 0 : -1;
    lock();
    char *one = copy != NULL ? strtok_r(copy, ",", &rest) : NULL;
    for (; one != NULL && status == 0; one = strtok_r(NULL, ",", &rest)) {
        if (fault_count < FAULTS_LIMIT && parse_fault(one, &faults[fault_count]))
            fault_count++;
        else
            status = -1;
    }
    unlock();
    free(copy);
    return status;
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("FAKECL_FAULT");
    (void)pthread_atfork(lock, unlock, unlock); /* tests fork while queues work */
    if (text != NULL && faults_add(text) != 0) {
        (void)fprintf(stderr, "fakecl: FAKECL_FAULT=\"%s\" is not understood; see fakecl.h\n", text);
        abort();
    }
}

/* --- their effect --- */

static void lose(cl_device_id device)
{
    for (unsigned k = 0; k < fake.device_count; k++)
        if (device == NULL || device == &fake.devices[k])
            fake.devices[k].lost = true;
    (void)pthread_cond_broadcast(&fake.changed);
}

static void hang(void)
{
    unsigned since = fake.releases;
    while (fake.releases == since)
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
}

static atomic_bool loading;

static void tear_down(void)
{
    if (atomic_load(&loading))
        abort();
}

/* Libraries, whose exit handlers must not run meanwhile. */
static void load_for(long ms)
{
    atomic_store(&loading, true);
    (void)atexit(tear_down);
    sleep_for_ns((uint64_t)(ms > 0 ? ms : 0) * 1000000);
    atomic_store(&loading, false);
}

static void suffer(const fault *f, cl_device_id device, verdict *v)
{
    fired++;
    switch (f->action) {
    case ACT_ERROR: v->error = (cl_int)f->value; break;
    case ACT_LOST: lose(device); break;
    case ACT_HANG: hang(); break;
    case ACT_STALL: v->stall = true; break;
    case ACT_STATUS: v->event_status = (cl_int)f->value; break;
    case ACT_FLIP: v->flip = true; break;
    case ACT_OVERRUN: v->overrun = true; break;
    case ACT_ABORT: abort();
    case ACT_DELAY:
        unlock();
        sleep_for_ns((uint64_t)(f->value > 0 ? f->value : 0) * 1000000);
        lock();
        break;
    case ACT_LOAD:
        unlock();
        load_for(f->value);
        lock();
    }
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The loader itself asks these of every platform, at times of its own. */
static bool is_counted(const char *function)
{
    bool discovery = starts_with(function, "clGetPlatform") || starts_with(function, "clGetDevice");
    return !fake.by_loader || fake.had_context || !discovery;
}

static void count(const char *function)
{
    if (calls < CALLS_LIMIT)
        call_names[calls] = function;
    calls++;
    named = calls > named ? calls : named;
}

static void apply_faults(const char *function, cl_device_id device, verdict *v)
{
    const bool counted = is_counted(function);
    fault due[FAULTS_LIMIT];
    unsigned due_count = 0;
    if (counted)
        count(function);
    for (unsigned k = 0; k < fault_count; k++) {
        fault *f = &faults[k];
        if (strcmp(f->function, "*") == 0 ? !counted : strcmp(f->function, function) != 0)
            continue;
        f->seen++;
        if (f->seen == f->nth || (f->sticky && f->seen > f->nth))
            due[due_count++] = *f;
    }
    for (unsigned k = 0; k < due_count; k++) /* may let go of the lock */
        suffer(&due[k], device, v);
}

verdict enter(const char *function, const void *what, object_kind kind)
{
    verdict v = {0};
    shape_devices();
    lock();
    if (strcmp(function, "clCreateContext") == 0)
        fake.had_context = true;
    if (kind != 0 && !object_usable(function, what, kind)) {
        unlock();
        v.error = invalid(kind);
        return v;
    }
    cl_device_id device = kind != 0 ? ((const object *)what)->device : NULL;
    apply_faults(function, device, &v);
    if (v.error == 0 && device != NULL && device->lost && strcmp(function, "clGetDeviceInfo") != 0)
        v.error = CL_OUT_OF_RESOURCES;
    unlock();
    return v;
}

/* --- control --- */

void faults_reset(void)
{
    lock();
    fault_count = 0;
    calls = fired = 0;
    fake.bytes_in = fake.bytes_out = 0;
    for (unsigned k = 0; k < fake.device_count; k++)
        fake.devices[k].lost = false;
    unlock();
    violations_clear();
}

/* paused: 0, 1 or, for as it is, -1 */
static int wake(unsigned releases, int paused)
{
    lock();
    fake.paused = paused < 0 ? fake.paused : paused > 0;
    fake.releases += releases;
    (void)pthread_cond_broadcast(&fake.changed);
    unlock();
    return 0;
}

static int at_most_int(uint64_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

static int ask(const char *question)
{
    int result = -1;
    lock();
    if (strcmp(question, "calls?") == 0)
        result = calls;
    else if (strcmp(question, "fired?") == 0)
        result = fired;
    else if (strcmp(question, "leaks?") == 0)
        result = fake.live_count;
    else if (strcmp(question, "bytes_in?") == 0)
        result = at_most_int(fake.bytes_in);
    else if (strcmp(question, "bytes_out?") == 0)
        result = at_most_int(fake.bytes_out);
    unlock();
    return strcmp(question, "violations?") == 0 ? violations_count() : result;
}

int fakecl_ctl(const char *request)
{
    if (starts_with(request, "fault "))
        return faults_add(request + 6);
    if (starts_with(request, "shape "))
        return shape_set(request + 6);
    if (strcmp(request, "reset") == 0)
        return faults_reset(), 0;
    if (strcmp(request, "release") == 0)
        return wake(1, -1);
    if (strcmp(request, "pause") == 0 || strcmp(request, "resume") == 0)
        return wake(0, request[0] == 'p');
    if (strcmp(request, "lenient") == 0 || strcmp(request, "strict") == 0)
        return violations_reset(request[0] == 'l'), 0;
    return strcmp(request, "print") == 0 ? objects_print() : ask(request);
}

const char *fakecl_call_name(int k)
{
    lock();
    const char *name = k >= 1 && k <= named && k <= CALLS_LIMIT ? call_names[k - 1] : "?";
    unlock();
    return name;
}
