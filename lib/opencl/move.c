/* The mover: a second thread and queue of a session, so that one who waits for an array need not wait for kernels that do
 * not use it. It reads into staging and copies that, for a device that hangs may write at any later time. */
#include <stdio.h>
#include <string.h>

#include "lib/opencl/move.h"

enum { SLOTS = 2, LOOK_NS = 10000000, SPIN_NS = 60000 };
#define LEAST_SLOT_BYTES ((size_t)64 << 10)
#define SLOT_BYTES ((size_t)4 << 20)

typedef struct move {
    errand errand; /* first: it is cast back */
    session *session;
    const yoke__block *block; /* the caller's as long as it waits, and only compared */
    mirror *from;
    bool is_gone; /* it was let go of meanwhile */
    yoke__span span;
    size_t read, copied; /* bytes of the span so far */
    _Atomic int64_t beat;
    const char *failed_call; /* NULL: it went well; the mover's until the errand ended */
    cl_int error;
} move;

/* --- on the mover --- */

/* Memory that a device may still write to, kept for good where leak checkers see it. */
typedef struct kept {
    struct kept *next;
    void *memory;
} kept;

static void keep(void *memory)
{
    static kept *_Atomic all;
    kept *one = yoke__alloc_zeroed(1, sizeof *one);
    if (one == NULL)
        return;
    one->memory = memory;
    one->next = atomic_load(&all);
    while (!atomic_compare_exchange_weak(&all, &one->next, one))
        ;
}

/* A wait that failed may have left a transfer under way, which writes there; where even the queue does not tell that it is
 * empty, the memory stays. */
static void release_staging(session *s)
{
    mirrors *own = &s->mirrors;
    const cl_api *cl = &s->device->owner->cl;
    const bool quiet = own->staging == NULL || cl->clFinish(own->queue) == CL_SUCCESS;
    if (own->pinned != NULL && quiet) {
        (void)cl->clEnqueueUnmapMemObject(own->queue, own->pinned, own->staging, 0, NULL, NULL);
        (void)cl->clReleaseMemObject(own->pinned);
    } else if (quiet) {
        yoke__free(own->staging);
    } else if (own->pinned == NULL) {
        keep(own->staging);
    }
    own->pinned = NULL;
    own->staging = NULL;
}

static void release_own(session *s)
{
    release_staging(s);
    if (s->mirrors.queue != NULL)
        (void)s->device->owner->cl.clReleaseCommandQueue(s->mirrors.queue);
    s->mirrors.queue = NULL;
}

/* Pinned memory; plain memory does, only slower. */
static cl_int make_staging(session *s, size_t slot_bytes)
{
    mirrors *own = &s->mirrors;
    const cl_api *cl = &s->device->owner->cl;
    const size_t bytes = SLOTS * slot_bytes;
    cl_int error = CL_SUCCESS;
    own->slot_bytes = slot_bytes;
    own->pinned = cl->clCreateBuffer(s->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &error);
    if (error == CL_SUCCESS && own->pinned != NULL) {
        own->staging = cl->clEnqueueMapBuffer(own->queue, own->pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0,
                                              NULL, NULL, &error);
        if (error == CL_SUCCESS && own->staging != NULL)
            return CL_SUCCESS;
        (void)cl->clReleaseMemObject(own->pinned);
    }
    own->pinned = NULL;
    own->staging = yoke__alloc_aligned(YOKE_CACHE_LINE, bytes);
    return own->staging != NULL ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

/* A queue, and staging for parts of so many bytes: no more of it than they need. */
static cl_int prepare(session *s, size_t bytes)
{
    mirrors *own = &s->mirrors;
    size_t wanted = LEAST_SLOT_BYTES;
    cl_int error = CL_SUCCESS;
    while (wanted < bytes && wanted < SLOT_BYTES)
        wanted *= 2;
    if (own->queue == NULL)
        own->queue = s->device->owner->cl.clCreateCommandQueue(s->context, s->device->id,
                                                               yoke__tracing() ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
    if (error != CL_SUCCESS || own->queue == NULL)
        return error != CL_SUCCESS ? error : CL_OUT_OF_HOST_MEMORY;
    if (own->staging != NULL && own->slot_bytes >= wanted)
        return CL_SUCCESS;
    release_staging(s);
    return make_staging(s, wanted);
}

static unsigned char *slot(const session *s, size_t at)
{
    const size_t bytes = s->mirrors.slot_bytes;
    return s->mirrors.staging + at / bytes % SLOTS * bytes;
}

static size_t part_at(const move *m, size_t at)
{
    const size_t left = m->span.end - m->span.begin - at;
    const size_t bytes = m->session->mirrors.slot_bytes;
    return left < bytes ? left : bytes;
}

static bool failed(move *m, const char *call, cl_int error)
{
    m->failed_call = call;
    m->error = error;
    return false;
}

static bool read_next(move *m, cl_event *event)
{
    session *s = m->session;
    const cl_api *cl = &s->device->owner->cl;
    const size_t bytes = part_at(m, m->read);
    cl_int error = cl->clEnqueueReadBuffer(s->mirrors.queue, m->from->mem, CL_FALSE, m->span.begin + m->read, bytes,
                                           slot(s, m->read), 0, NULL, event);
    if (error != CL_SUCCESS)
        return failed(m, "clEnqueueReadBuffer", error);
    m->read += bytes;
    error = cl->clFlush(s->mirrors.queue);
    return error == CL_SUCCESS || failed(m, "clFlush", error);
}

static bool await(move *m, cl_event event, size_t bytes)
{
    const cl_api *cl = &m->session->device->owner->cl;
    cl_int state = CL_COMPLETE;
    cl_int error = cl->clWaitForEvents(1, &event);
    if (error == CL_SUCCESS)
        error = cl->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (error == CL_SUCCESS && state != CL_COMPLETE)
        error = state < 0 ? state : CL_OUT_OF_RESOURCES;
    if (yoke__tracing() && error == CL_SUCCESS)
        traced_move(m->session, LANE_OF_MOVER, event, bytes, m->from->block);
    (void)cl->clReleaseEvent(event);
    atomic_store_explicit(&m->beat, yoke__now_ns(), memory_order_relaxed);
    atomic_store_explicit(&m->session->mirrors.moved_ns, yoke__now_ns(), memory_order_relaxed);
    return error == CL_SUCCESS || failed(m, "reading it back", error);
}

/* False: nobody waits any more. */
static bool copy_out(move *m)
{
    unsigned char *to = (unsigned char *)yoke__block_start(m->from->block) + m->span.begin + m->copied;
    const size_t bytes = part_at(m, m->copied);
    if (!errand_touch(&m->errand))
        return false;
    memcpy(to, slot(m->session, m->copied), bytes);
    errand_touch_end(&m->errand);
    m->copied += bytes;
    return true;
}

static mirror *hold_mirror(session *s, const yoke__block *block)
{
    pthread_mutex_lock(&s->mirrors.lock);
    mirror *m = s->mirrors.list;
    while (m != NULL && m->block != block)
        m = m->next;
    if (m != NULL)
        atomic_fetch_add(&m->refs, 1);
    pthread_mutex_unlock(&s->mirrors.lock);
    return m;
}

/* While one part is copied, the next is read. */
static void read_all(move *m)
{
    const size_t all = m->span.end - m->span.begin;
    cl_event event = NULL, next = NULL;
    bool fine = read_next(m, &event);
    while (fine && m->copied < all) {
        next = NULL;
        const bool more = m->read < all;
        if (more)
            fine = read_next(m, &next);
        fine = await(m, event, part_at(m, m->copied)) && fine;
        event = next;
        if (fine && !copy_out(m))
            break;
    }
    if (event != NULL && m->copied < all)
        (void)await(m, event, part_at(m, m->copied));
}

static void read_guarded(move *m)
{
    yoke__memory_guard_open(m->from->block, m->span);
    read_all(m);
    yoke__memory_guard_close(m->from->block);
}

static void move_rest(move *m)
{
    const cl_int error = prepare(m->session, m->span.end - m->span.begin);
    m->failed_call = NULL;
    m->read = m->copied;
    if (error != CL_SUCCESS)
        (void)failed(m, "preparing to read an array back", error);
    else
        read_guarded(m);
}

/* A fresh queue may do. */
static void run_move(errand *e)
{
    move *m = (move *)e;
    m->from = hold_mirror(m->session, m->block);
    m->is_gone = m->from == NULL;
    if (m->is_gone)
        return;
    move_rest(m);
    if (m->failed_call != NULL) {
        release_own(m->session);
        move_rest(m);
    }
    mirror_release(m->session, m->from);
}

/* --- for those who wait --- */

static servant *mover_of(session *s)
{
    char name[16];
    (void)snprintf(name, sizeof name, "yoke/move:%u", (unsigned)(s->device - s->device->owner->devices) % 1000);
    pthread_mutex_lock(&s->mirrors.lock);
    if (s->mirrors.mover == NULL)
        s->mirrors.mover = servant_start(s->device->owner->topology, name, s->device->facts.node, false);
    servant *mover = s->mirrors.mover;
    pthread_mutex_unlock(&s->mirrors.lock);
    return mover;
}

static int give_up(session *s, const char *what, const char *why)
{
    device_lose(s->device, s, "%s: %s", what, why);
    return yoke__fail(YOKE_ENODEV, "device %s failed: %s: %s; it is left alone until yoke_reopen_device()",
                      s->device->name, what, why);
}

static int wait_for(move *m, yoke__block *block, const yoke__alive *alive)
{
    session *s = m->session;
    const int64_t limit = s->device->owner->build_limit_ns;
    int64_t spin = SPIN_NS;
    while (!errand_wait(&m->errand, yoke__now_ns() + LOOK_NS, spin)) {
        spin = 0;
        if (alive != NULL && !alive->still(alive->context)) {
            errand_abandon(&m->errand);
            return YOKE_ECANCELED;
        }
        if (yoke__now_ns() - atomic_load_explicit(&m->beat, memory_order_relaxed) >= limit)
            break;
    }
    if (!errand_wait(&m->errand, 1, 0)) {
        errand_abandon(&m->errand);
        return give_up(s, "bringing an array back", "it did not end in time");
    }
    if (m->failed_call != NULL)
        return give_up(s, m->failed_call, yoke__cl_error_name(m->error));
    if (m->is_gone) { /* another has it, or nobody needs it */
        const unsigned home = atomic_load(&s->mirrors.home);
        if (home != 0)
            yoke__residency_dropped(block, home);
        return yoke__fail(YOKE_ENODEV, "device %s has let go of an array", s->device->name);
    }
    return YOKE_OK;
}

int move_to_host(void *context, yoke__block *block, yoke__span span, const yoke__alive *alive)
{
    session *s = context;
    servant *mover = mover_of(s);
    move *m = mover != NULL ? yoke__alloc_zeroed(1, sizeof *m) : NULL;
    if (m == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory, or no thread, to bring an array back from device %s",
                          s->device->name);
    m->errand.run = run_move;
    m->errand.dispose = errand_free;
    m->session = s;
    m->block = block;
    m->span = span;
    atomic_init(&m->beat, yoke__now_ns());
    servant_send(mover, &m->errand);
    const int status = wait_for(m, block, alive);
    if (status == YOKE_OK)
        atomic_fetch_add_explicit(&s->device->bytes_out, span.end - span.begin, memory_order_relaxed);
    errand_release(&m->errand);
    return status;
}

/* --- the end --- */

typedef struct ending {
    errand errand; /* first: it is cast back */
    session *session;
} ending;

static void run_ending(errand *e)
{
    release_own(((ending *)e)->session);
}

bool mirrors_stop(session *s, int64_t until_ns)
{
    ending *last = s->mirrors.mover != NULL ? yoke__alloc_zeroed(1, sizeof *last) : NULL;
    if (last != NULL) {
        last->errand.run = run_ending;
        last->errand.dispose = errand_free;
        last->session = s;
        servant_post(s->mirrors.mover, &last->errand);
    }
    if (!servant_stop(s->mirrors.mover, until_ns))
        return false;
    pthread_mutex_destroy(&s->mirrors.lock);
    return true;
}
