/* OpenCL devices as a backend: the table of functions that the verbs see. */
#include <pthread.h>

#include "lib/opencl/device.h"

enum { CLOSE_NS = 2000000000, LOOK_NS = 10000000 };

/* The fork count at which this process first touched OpenCL; -1: it has not. Drivers do not survive a fork, whichever
 * runtime used them. */
static _Atomic int64_t touched = -1;

static bool is_forked(void)
{
    int64_t at = atomic_load(&touched);
    return at >= 0 && at != (int64_t)yoke__fork_count();
}

static int refuse_forked(void)
{
    return yoke__fail(YOKE_EFORKED,
                      "OpenCL was used before this process was forked off, and its drivers do not survive "
                      "that; use the CPU here, or exec");
}

/* --- freed arrays --- */

typedef struct dropping {
    errand errand; /* first: it is cast back */
    session *session;
} dropping;

static void run_dropping(errand *e)
{
    session *s = ((dropping *)e)->session;
    shared_drop_freed(s);
    mirrors_drop_freed(s);
}

/* The program freed an array that some device may have a buffer over. A session is not freed before this is unwatched. */
static void drop_freed(void *context, const yoke__block *block)
{
    opencl *o = context;
    (void)block;
    if (is_forked() || atomic_load_explicit(&o->discovered, memory_order_acquire) != 2)
        return;
    for (unsigned k = 0; k < o->count; k++) {
        session *s = atomic_load_explicit(&o->devices[k].session, memory_order_acquire);
        dropping *d = s != NULL && atomic_load(&o->devices[k].state) == YOKE_DEVICE_READY
                          ? yoke__alloc_zeroed(1, sizeof *d)
                          : NULL;
        if (d == NULL) /* the next run drops it */
            continue;
        d->errand.run = run_dropping;
        d->errand.dispose = errand_free;
        d->session = s;
        servant_post(s->driver, &d->errand);
    }
}

/* --- open and discover --- */

static int open_state(void **state, const yoke__topology *topology, int64_t limit_ns)
{
    opencl *o = yoke__alloc_zeroed(1, sizeof *o);
    if (o == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for OpenCL devices");
    (void)yoke__memory_watch(drop_freed, o); /* too many watch already: then the next run drops what was freed */
    o->topology = topology;
    o->forks = yoke__fork_count();
    o->build_limit_ns = limit_ns;
    yoke__cache_open(&o->cache);
    *state = o;
    return YOKE_OK;
}

typedef struct discovery {
    errand errand; /* first: it is cast back */
    opencl *owner;
} discovery;

static void finish_discovery(opencl *o)
{
    atomic_store_explicit(&o->discovered, 2, memory_order_release);
    yoke__futex_wake(&o->discovered, INT32_MAX);
}

static void run_discovery(errand *e)
{
    opencl *o = ((discovery *)e)->owner;
    yoke__cl_discover(o);
    servant_quiet_at_exit();
    if (o->count > 0) {
        servant *builder = servant_start(o->topology, "yoke/compile", -1, true);
        if (builder == NULL)
            o->count = 0;
        atomic_store(&o->builder, builder);
    }
    finish_discovery(o);
}

static int begin_discovery(opencl *o)
{
    uint32_t not_begun = 0;
    if (!atomic_compare_exchange_strong(&o->discovered, &not_begun, 1))
        return YOKE_OK;
    int64_t untouched = -1;
    (void)atomic_compare_exchange_strong(&touched, &untouched, (int64_t)yoke__fork_count());
    discovery *d = yoke__alloc_zeroed(1, sizeof *d);
    servant *bootstrap = d != NULL ? servant_start(o->topology, "yoke/opencl", -1, false) : NULL;
    if (bootstrap == NULL) {
        int status = d != NULL ? yoke__last_failure() : yoke__fail(YOKE_ENOMEM, "no memory to look for devices");
        yoke__free(d);
        finish_discovery(o);
        return status;
    }
    atomic_store(&o->bootstrap, bootstrap);
    d->errand.run = run_discovery;
    d->errand.dispose = errand_free;
    d->owner = o;
    servant_post(bootstrap, &d->errand);
    return YOKE_OK;
}

static int discover(void *state, int64_t until_ns)
{
    opencl *o = state;
    if (is_forked())
        return refuse_forked();
    int status = begin_discovery(o);
    while (status == YOKE_OK && atomic_load_explicit(&o->discovered, memory_order_acquire) != 2) {
        int64_t left = until_ns - yoke__now_ns();
        if (until_ns == 0 || left <= 0)
            return yoke__fail(YOKE_ETIMEDOUT, "OpenCL has not listed its devices yet");
        yoke__futex_wait(&o->discovered, 1, left);
    }
    return status;
}

static unsigned count(void *state)
{
    opencl *o = state;
    return atomic_load_explicit(&o->discovered, memory_order_acquire) == 2 ? o->count : 0;
}

static void describe(void *state, unsigned k, yoke_device *facts)
{
    device *d = &((opencl *)state)->devices[k];
    *facts = d->facts;
    facts->state = (yoke_device_state)atomic_load(&d->state);
    facts->reason = device_reason(d);
    facts->pieces = atomic_load(&d->pieces);
    facts->bytes_in = atomic_load(&d->bytes_in);
    facts->bytes_out = atomic_load(&d->bytes_out);
    facts->pieces_lost = atomic_load(&d->pieces_lost);
}

/* --- kernels --- */

static bool usable(void *state, unsigned k)
{
    const opencl *o = state;
    return !is_forked() && atomic_load(&o->devices[k].state) == YOKE_DEVICE_READY;
}

static yoke__readiness prepare(void *state, unsigned k, const yoke_kernel *kernel, int64_t until_ns)
{
    device *d = &((opencl *)state)->devices[k];
    if (is_forked())
        return YOKE__REFUSED;
    session *s = device_session(d, until_ns);
    if (s == NULL)
        return atomic_load(&d->state) == YOKE_DEVICE_READY ? YOKE__PREPARING : YOKE__REFUSED;
    return program_prepare(d, s, kernel, until_ns);
}

static yoke__readiness speed(void *state, unsigned k, yoke__speed *of)
{
    return is_forked() ? YOKE__REFUSED : device_speed(&((opencl *)state)->devices[k], of);
}

static const char *why(void *state, unsigned k, const yoke_kernel *kernel)
{
    opencl *o = state;
    if (k >= count(state))
        return o->reason;
    device *d = &o->devices[k];
    session *s = atomic_load_explicit(&d->session, memory_order_acquire);
    if (is_forked())
        return "OpenCL does not survive a fork";
    if (atomic_load(&d->state) != YOKE_DEVICE_READY || s == NULL)
        return device_reason(d);
    const program *p = program_of(s, kernel);
    if (p == NULL)
        return "no memory to compile it";
    return atomic_load(&p->state) == PROGRAM_REFUSED && p->reason != NULL ? p->reason : "";
}

/* Waits while another call has the device. 0, or the status of poll(). */
static int acquire(device *d, const yoke__task *task)
{
    int status = YOKE_OK;
    while (status == YOKE_OK && atomic_exchange(&d->busy, 2) != 0) { /* 2: somebody may wait, so its end wakes all */
        yoke__futex_wait(&d->busy, 2, LOOK_NS);
        if (task->poll != NULL)
            status = task->poll(task->context);
    }
    return status;
}

static void release(device *d)
{
    if (atomic_exchange(&d->busy, 0) == 2)
        yoke__futex_wake(&d->busy, INT32_MAX);
}

static int start(void *state, unsigned k, const yoke__task *task, bool wait, void **started)
{
    device *d = &((opencl *)state)->devices[k];
    if (is_forked())
        return refuse_forked();
    uint32_t idle = 0;
    if (!atomic_compare_exchange_strong(&d->busy, &idle, 1)) {
        if (!wait)
            return yoke__fail(YOKE_EBUSY, "device %s runs another kernel", d->name);
        int status = acquire(d, task);
        if (status != YOKE_OK)
            return status;
    }
    session *s = device_session(d, 0);
    program *p = s != NULL ? program_of(s, task->kernel) : NULL;
    if (p == NULL || atomic_load_explicit(&p->state, memory_order_acquire) != PROGRAM_READY)
        yoke__fail(YOKE_ENODEV, "device %s was lost: %s", d->name, device_reason(d));
    else
        *started = device_start(d, s, p, task);
    if (*started != NULL)
        return YOKE_OK;
    release(d);
    return yoke__last_failure();
}

static int finish(void *state, void *started)
{
    device *d = device_of_run(started);
    (void)state;
    int status = device_finish(started);
    release(d);
    return status;
}

static unsigned home(void *state, unsigned k)
{
    session *s = atomic_load_explicit(&((opencl *)state)->devices[k].session, memory_order_acquire);
    return s != NULL && !is_forked() ? atomic_load(&s->mirrors.home) : 0;
}

static int prefetch(void *state, unsigned k, const void *memory)
{
    opencl *o = state;
    device *d = &o->devices[k];
    if (is_forked())
        return refuse_forked();
    if (d->facts.shares_memory)
        return YOKE_OK;
    session *s = device_session(d, yoke__now_ns() + o->build_limit_ns);
    if (s == NULL)
        return yoke__fail(YOKE_ENODEV, "device %s cannot be used: %s", d->name, device_reason(d));
    return mirrors_prefetch(s, memory);
}

static int reopen(void *state, unsigned k)
{
    return is_forked() ? refuse_forked() : device_reopen(&((opencl *)state)->devices[k]);
}

/* --- close --- */

static bool close_all(opencl *o)
{
    if (is_forked() || o->forks != yoke__fork_count()) /* a child has none of the threads: what they hold stays */
        return false;
    yoke__memory_unwatch(drop_freed, o);
    const int64_t until = yoke__now_ns() + (o->build_limit_ns < CLOSE_NS ? o->build_limit_ns : CLOSE_NS);
    if (atomic_load(&o->discovered) == 1 && discover(o, until) != YOKE_OK)
        return false;
    bool all = device_close_all(o, until);
    all &= servant_stop(atomic_load(&o->prober), until);
    all &= servant_stop(atomic_load(&o->builder), until);
    all &= servant_stop(atomic_load(&o->bootstrap), until);
    if (!all)
        return false;
    for (unsigned k = 0; k < o->count; k++)
        pthread_mutex_destroy(&o->devices[k].lock);
    yoke__free(o->devices);
    yoke__free(o);
    return true;
}

static bool close_state(void *state)
{
    static opencl *_Atomic left; /* where debuggers and leak checkers see what is still in use */
    opencl *o = state;
    if (close_all(o))
        return true;
    o->next_left = atomic_load(&left);
    while (!atomic_compare_exchange_weak(&left, &o->next_left, o))
        ;
    return false;
}

const yoke__backend yoke__opencl = {
    .name = "opencl",
    .open = open_state,
    .probe = opencl_probe,
    .discover = discover,
    .count = count,
    .describe = describe,
    .usable = usable,
    .prepare = prepare,
    .speed = speed,
    .why = why,
    .start = start,
    .finish = finish,
    .home = home,
    .prefetch = prefetch,
    .reopen = reopen,
    .close = close_state,
};
