/* Sessions of a device: opened on the bootstrap thread, given up as a whole when the device fails. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/opencl/device.h"
#include "lib/trace/trace.h"

enum { LOOK_NS = 100000000 };

enum { WAITING, BEGUN, GIVEN_UP };

struct opening {
    errand errand; /* first: it is cast back */
    device *device;
    servant *sent_to;
    int64_t since_ns;
    _Atomic int stage;
};

static void set_state(device *d, int state, const char *format, va_list arguments)
{
    pthread_mutex_lock(&d->lock);
    unsigned next = atomic_load(&d->reason) + 1;
    next = next < REASONS ? next : 1;
    (void)vsnprintf(d->reasons[next], sizeof d->reasons[next], format, arguments);
    atomic_store(&d->reason, next);
    atomic_store(&d->state, state);
    pthread_mutex_unlock(&d->lock);
}

void device_set_state(device *d, int state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_state(d, state, format, arguments);
    va_end(arguments);
}

const char *device_reason(device *d)
{
    return d->reasons[atomic_load(&d->reason)];
}

/* --- opening --- */

static bool make_queues(device *d, session *s, cl_int *error)
{
    const cl_api *cl = &d->owner->cl;
    cl_bool available = CL_FALSE;
    *error = cl->clGetDeviceInfo(d->id, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
    if (*error == CL_SUCCESS && available == CL_FALSE)
        *error = CL_DEVICE_NOT_AVAILABLE;
    if (*error != CL_SUCCESS)
        return false;
    s->context = cl->clCreateContext(NULL, 1, &d->id, NULL, NULL, error);
    if (s->context == NULL || *error != CL_SUCCESS)
        return false;
    for (int k = 0; k < QUEUES; k++) {
        s->queue[k] =
            cl->clCreateCommandQueue(s->context, d->id, yoke__tracing() ? CL_QUEUE_PROFILING_ENABLE : 0, error);
        if (s->queue[k] == NULL || *error != CL_SUCCESS)
            return false;
    }
    return true;
}

static void release_queues(device *d, session *s)
{
    const cl_api *cl = &d->owner->cl;
    for (int k = 0; k < QUEUES; k++)
        if (s->queue[k] != NULL)
            (void)cl->clReleaseCommandQueue(s->queue[k]);
    if (s->context != NULL)
        (void)cl->clReleaseContext(s->context);
}

/* Whether memory that the device uses in place is one with the host's without being mapped and unmapped, which costs a
 * driver for the CPU as much as a small kernel. OpenCL promises it of none, so it is tried, both ways. */
static bool is_one_with_host(device *d, session *s)
{
    enum { PAGE = 4096, TRIED = 64 };
    const cl_api *cl = &d->owner->cl;
    unsigned char written[TRIED], read[TRIED] = {0}, *page = NULL;
    bool one = false;
    cl_int error = CL_SUCCESS;
    if (d->facts.type != YOKE_DEVICE_CPU || !d->facts.shares_memory || (page = yoke__map_pages(PAGE)) == NULL)
        return false;
    cl_mem memory = cl->clCreateBuffer(s->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, PAGE, page, &error);
    if (memory != NULL && error == CL_SUCCESS) {
        memset(written, 0x5a, sizeof written);
        error = cl->clEnqueueWriteBuffer(s->queue[0], memory, CL_TRUE, 0, TRIED, written, 0, NULL, NULL);
        one = error == CL_SUCCESS && memcmp(page, written, TRIED) == 0;
        memset(page, 0x3c, TRIED);
        error = cl->clEnqueueReadBuffer(s->queue[0], memory, CL_TRUE, 0, TRIED, read, 0, NULL, NULL);
        one &= error == CL_SUCCESS && memcmp(page, read, TRIED) == 0;
        (void)cl->clReleaseMemObject(memory);
    }
    yoke__unmap_pages(page, PAGE);
    return one;
}

/* NULL, with the device's reason set. */
static session *make_session(device *d)
{
    char name[16];
    session *s = yoke__alloc_zeroed(1, sizeof *s);
    if (s == NULL || !mirrors_init(s) || pthread_mutex_init(&s->programs_lock, NULL) != 0) {
        yoke__free(s);
        device_set_state(d, YOKE_DEVICE_LOST, "no memory to open it");
        return NULL;
    }
    s->device = d;
    cl_int error = CL_SUCCESS;
    if (!make_queues(d, s, &error)) {
        device_set_state(d, YOKE_DEVICE_LOST, "it could not be opened: %s", yoke__cl_error_name(error));
        release_queues(d, s);
    } else {
        (void)snprintf(name, sizeof name, "yoke/opencl:%u", (unsigned)(d - d->owner->devices) % 1000);
        s->driver = servant_start(d->owner->topology, name, d->facts.node, false);
        if (s->driver != NULL) {
            s->one_with_host = is_one_with_host(d, s);
            return s;
        }
        device_set_state(d, YOKE_DEVICE_LOST, "no thread for it: %s", yoke_error_detail());
        release_queues(d, s);
    }
    pthread_mutex_destroy(&s->programs_lock);
    pthread_mutex_destroy(&s->mirrors.lock);
    yoke__free(s);
    return NULL;
}

/* With the lock held. */
static void end_opening(device *d)
{
    opening *o = d->current;
    d->current = NULL;
    atomic_store(&d->opening, 0);
    yoke__futex_wake(&d->opening, INT32_MAX);
    errand_release(&o->errand);
}

/* Never freed, for something may still use it: kept where debuggers and leak checkers see it. */
static void leave_behind(session *s)
{
    static session *_Atomic left;
    atomic_store(&s->device->owner->left_behind, true);
    s->next_left = atomic_load(&left);
    while (!atomic_compare_exchange_weak(&left, &s->next_left, s))
        ;
}

static void run_opening(errand *e)
{
    opening *o = (opening *)e;
    device *d = o->device;
    int stage = WAITING;
    if (!atomic_compare_exchange_strong(&o->stage, &stage, BEGUN))
        return;
    session *s = make_session(d);
    pthread_mutex_lock(&d->lock);
    const bool wanted = atomic_load(&o->stage) == BEGUN;
    if (wanted && atomic_load(&d->state) == YOKE_DEVICE_READY)
        atomic_store_explicit(&d->session, s, memory_order_release);
    else if (s != NULL)
        leave_behind(s);
    if (wanted)
        end_opening(d);
    pthread_mutex_unlock(&d->lock);
}

static void start_opening(device *d)
{
    opencl *owner = d->owner;
    pthread_mutex_lock(&d->lock);
    opening *o = d->current == NULL && atomic_load(&d->session) == NULL ? yoke__alloc_zeroed(1, sizeof *o) : NULL;
    if (o != NULL) {
        o->errand.run = run_opening;
        o->errand.dispose = errand_free;
        o->device = d;
        o->sent_to = atomic_load(&owner->bootstrap);
        o->since_ns = yoke__now_ns();
        d->current = o;
        atomic_store(&d->opening, 1);
        servant_send(o->sent_to, &o->errand);
    }
    pthread_mutex_unlock(&d->lock);
}

/* A driver that never comes back from opening one device must not keep the others closed: another thread opens them, and
 * what waits behind the hung one is sent again. */
static void watch_opening(device *d)
{
    opencl *owner = d->owner;
    bool lost = false;
    pthread_mutex_lock(&d->lock);
    opening *o = d->current;
    servant *bootstrap = atomic_load(&owner->bootstrap);
    const bool late = o != NULL && yoke__now_ns() - o->since_ns >= owner->build_limit_ns;
    if (late && o->sent_to == bootstrap) {
        servant *fresh = servant_start(owner->topology, "yoke/opencl", -1, false);
        atomic_store(&owner->left_behind, true);
        if (fresh != NULL)
            atomic_store(&owner->bootstrap, fresh); /* the other is left behind */
    }
    if (o != NULL && (late || o->sent_to != bootstrap)) {
        int stage = WAITING;
        bool taken = atomic_compare_exchange_strong(&o->stage, &stage, GIVEN_UP);
        if (!taken && late) {
            atomic_store(&o->stage, GIVEN_UP);
            taken = lost = true;
        }
        if (taken)
            end_opening(d);
    }
    pthread_mutex_unlock(&d->lock);
    if (lost)
        device_set_state(d, YOKE_DEVICE_LOST, "opening it took longer than %lld ms",
                         (long long)(owner->build_limit_ns / 1000000));
}

session *device_session(device *d, int64_t until_ns)
{
    for (;;) {
        if (atomic_load(&d->state) != YOKE_DEVICE_READY)
            return NULL;
        session *s = atomic_load_explicit(&d->session, memory_order_acquire);
        if (s != NULL)
            return s;
        start_opening(d);
        watch_opening(d);
        int64_t now = yoke__now_ns();
        if (now >= until_ns)
            return NULL;
        yoke__futex_wait(&d->opening, 1, until_ns - now < LOOK_NS ? until_ns - now : LOOK_NS);
    }
}

/* --- losing --- */

/* Nothing is released: a driver that failed may not return from that, nor may its threads. */
void device_lose(device *d, session *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (atomic_load(&d->session) == s && atomic_load(&d->state) == YOKE_DEVICE_READY)
        set_state(d, YOKE_DEVICE_LOST, format, arguments);
    va_end(arguments);
    const unsigned home = atomic_load(&s->mirrors.home);
    if (home != 0)
        yoke__home_lost(home);
}

typedef struct emptying {
    errand errand; /* first: it is cast back */
    session *session;
} emptying;

/* What a slow device is still asked for comes to its end; then others may have its memory. */
static void run_emptying(errand *e)
{
    session *s = ((emptying *)e)->session;
    for (unsigned q = 0; q < QUEUES; q++)
        if (s->device->owner->cl.clFinish(s->queue[q]) != CL_SUCCESS)
            return;
    mirrors_release_all(s);
    buffers_release_all(s);
}

void device_drop_session(device *d, session *s)
{
    emptying *work = yoke__alloc_zeroed(1, sizeof *work); /* NULL: its memory stays */
    pthread_mutex_lock(&d->lock);
    const bool drops = atomic_load(&d->session) == s;
    if (drops) {
        atomic_store(&d->session, NULL);
        leave_behind(s);
    }
    pthread_mutex_unlock(&d->lock);
    if (!drops || work == NULL) {
        yoke__free(work);
        return;
    }
    work->errand.run = run_emptying;
    work->errand.dispose = errand_free;
    work->session = s;
    servant_post(s->driver, &work->errand);
}

int device_reopen(device *d)
{
    if (atomic_load(&d->state) != YOKE_DEVICE_LOST)
        return yoke__fail(YOKE_EINVAL, "device %s is not lost", d->name);
    pthread_mutex_lock(&d->lock);
    session *lost = atomic_exchange(&d->session, NULL);
    if (lost != NULL)
        leave_behind(lost);
    atomic_store(&d->reason, 0);
    atomic_store(&d->state, YOKE_DEVICE_READY);
    pthread_mutex_unlock(&d->lock);
    if (device_session(d, yoke__now_ns() + d->owner->build_limit_ns) != NULL)
        return YOKE_OK;
    return yoke__fail(YOKE_ENODEV, "device %s cannot be opened again: %s", d->name, device_reason(d));
}

/* --- closing --- */

typedef struct closing {
    errand errand;
    session *session;
} closing;

static void run_closing(errand *e)
{
    session *s = ((closing *)e)->session;
    mirrors_release_all(s);
    program_release_all(s);
    buffers_release_all(s);
    release_queues(s->device, s);
}

/* As long as arrays come home there is more time. */
static bool await_closing(session *s, closing *c, int64_t *until_ns)
{
    const int64_t limit = *until_ns - yoke__now_ns();
    while (!errand_wait(&c->errand, *until_ns, 0)) {
        const int64_t last = atomic_load_explicit(&s->mirrors.moved_ns, memory_order_relaxed);
        if (last + limit <= *until_ns)
            return false;
        *until_ns = last + limit;
    }
    return true;
}

static bool close_session(session *s, int64_t until_ns)
{
    closing *c = yoke__alloc_zeroed(1, sizeof *c);
    if (c == NULL)
        return false;
    c->errand.run = run_closing;
    c->errand.dispose = errand_free;
    c->session = s;
    servant_send(s->driver, &c->errand);
    bool ended = await_closing(s, c, &until_ns);
    errand_release(&c->errand);
    if (!servant_stop(s->driver, until_ns) || !ended || !mirrors_stop(s, until_ns))
        return false;
    pthread_mutex_destroy(&s->programs_lock);
    yoke__free(s);
    return true;
}

static void await_opening(device *d, int64_t until_ns)
{
    int64_t now;
    while (atomic_load(&d->opening) != 0 && (now = yoke__now_ns()) < until_ns)
        yoke__futex_wait(&d->opening, 1, until_ns - now);
}

bool device_close_all(opencl *o, int64_t until_ns)
{
    bool all = true;
    for (unsigned k = 0; k < o->count; k++) {
        device *d = &o->devices[k];
        await_opening(d, until_ns);
        session *s = atomic_load(&d->opening) == 0 ? atomic_exchange(&d->session, NULL) : NULL;
        /* what a lost device was given is abandoned, and what that points to stays */
        bool closed = s == NULL || (atomic_load(&d->state) != YOKE_DEVICE_LOST && close_session(s, until_ns));
        if (!closed)
            leave_behind(s);
        all &= closed && atomic_load(&d->opening) == 0;
    }
    return all && !atomic_load(&o->left_behind);
}
