/* How fast a device is to be reached: a few transfers, once per session, on its driver thread, in a queue of their own,
 * so that nothing that fails here is found by a call that follows. */
#include <math.h>
#include <string.h>

#include "lib/opencl/device.h"

enum { LARGE_BYTES = 2 << 20, SMALL_BYTES = 64, REPEATS = 4, ENOUGH_NS = 4000000 };

enum { UNASKED, MEASURING, MEASURED, FAILED };

typedef struct measuring {
    errand errand; /* first: it is cast back */
    session *session;
} measuring;

/* What transfers are made with; NULL what is not there. */
typedef struct bench {
    const cl_api *cl;
    cl_command_queue queue;
    cl_mem device, pinned;
    void *staging; /* of `pinned`, mapped */
    int64_t until_ns;
} bench;

static bool make_bench(bench *b, const session *s)
{
    cl_int error;
    b->queue = b->cl->clCreateCommandQueue(s->context, s->device->id, 0, &error);
    if (error != CL_SUCCESS || b->queue == NULL)
        return false;
    b->device = b->cl->clCreateBuffer(s->context, CL_MEM_READ_WRITE, LARGE_BYTES, NULL, &error);
    if (error != CL_SUCCESS || b->device == NULL)
        return false;
    b->pinned = b->cl->clCreateBuffer(s->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, LARGE_BYTES, NULL, &error);
    if (error != CL_SUCCESS || b->pinned == NULL)
        return false;
    b->staging = b->cl->clEnqueueMapBuffer(b->queue, b->pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, LARGE_BYTES, 0,
                                           NULL, NULL, &error);
    if (error != CL_SUCCESS || b->staging == NULL)
        return false;
    memset(b->staging, 0, LARGE_BYTES);
    b->until_ns = yoke__now_ns() + ENOUGH_NS;
    return true;
}

static void release_bench(const bench *b)
{
    if (b->staging != NULL)
        (void)b->cl->clEnqueueUnmapMemObject(b->queue, b->pinned, b->staging, 0, NULL, NULL);
    if (b->queue != NULL)
        (void)b->cl->clFinish(b->queue);
    if (b->pinned != NULL)
        (void)b->cl->clReleaseMemObject(b->pinned);
    if (b->device != NULL)
        (void)b->cl->clReleaseMemObject(b->device);
    if (b->queue != NULL)
        (void)b->cl->clReleaseCommandQueue(b->queue);
}

/* Its time; negative: it failed. */
static double transfer(const bench *b, bool in, size_t bytes)
{
    const int64_t start = yoke__now_ns();
    const cl_int error =
        in ? b->cl->clEnqueueWriteBuffer(b->queue, b->device, CL_TRUE, 0, bytes, b->staging, 0, NULL, NULL)
           : b->cl->clEnqueueReadBuffer(b->queue, b->device, CL_TRUE, 0, bytes, b->staging, 0, NULL, NULL);
    return error == CL_SUCCESS ? (double)(yoke__now_ns() - start) : -1;
}

/* The least of a few, or of two where that takes long: the first may be slow. Negative: one failed. */
static double least_ns(const bench *b, bool in, size_t bytes)
{
    double least = INFINITY;
    for (unsigned k = 0; least >= 0 && (k < 2 || (k < REPEATS && yoke__now_ns() < b->until_ns)); k++)
        least = fmin(least, transfer(b, in, bytes));
    return least;
}

static bool measure(const bench *b, bool shares_memory, yoke__speed *speed)
{
    const double first_in = least_ns(b, true, SMALL_BYTES);
    const double first_out = first_in < 0 ? -1 : least_ns(b, false, SMALL_BYTES);
    if (first_out < 0)
        return false;
    *speed = (yoke__speed){fmax(fmin(first_in, first_out), 1), INFINITY, INFINITY};
    if (shares_memory)
        return true;
    const double in = least_ns(b, true, LARGE_BYTES), out = in < 0 ? -1 : least_ns(b, false, LARGE_BYTES);
    speed->in_bytes_per_ns = LARGE_BYTES / fmax(in - first_in, 1);
    speed->out_bytes_per_ns = LARGE_BYTES / fmax(out - first_out, 1);
    return out >= 0;
}

static void run_measuring(errand *e)
{
    session *s = ((measuring *)e)->session;
    const device *d = s->device;
    bench b = {.cl = &d->owner->cl};
    atomic_store(&s->speed_since_ns, yoke__now_ns());
    const bool known =
        d->facts.array_bytes >= LARGE_BYTES && make_bench(&b, s) && measure(&b, d->facts.shares_memory != 0, &s->speed);
    release_bench(&b);
    atomic_store_explicit(&s->speed_state, known ? MEASURED : FAILED, memory_order_release);
}

static yoke__readiness begin(session *s)
{
    measuring *m = yoke__alloc_zeroed(1, sizeof *m);
    if (m == NULL) {
        atomic_store(&s->speed_state, FAILED);
        return YOKE__REFUSED;
    }
    m->errand.run = run_measuring;
    m->errand.dispose = errand_free;
    m->session = s;
    servant_post(s->driver, &m->errand);
    return YOKE__PREPARING;
}

/* A device that hangs in a transfer would hang in a call's. */
static yoke__readiness watch(device *d, session *s)
{
    const int64_t since = atomic_load(&s->speed_since_ns), limit = d->owner->build_limit_ns;
    if (since == 0 || yoke__now_ns() - since < limit)
        return YOKE__PREPARING;
    device_lose(d, s, "measuring its transfers took longer than %lld ms", (long long)(limit / 1000000));
    return YOKE__REFUSED;
}

yoke__readiness device_speed(device *d, yoke__speed *speed)
{
    session *s = device_session(d, 0);
    if (s == NULL)
        return atomic_load(&d->state) == YOKE_DEVICE_READY ? YOKE__PREPARING : YOKE__REFUSED;
    int at = UNASKED;
    if (atomic_compare_exchange_strong_explicit(&s->speed_state, &at, MEASURING, memory_order_acquire,
                                                memory_order_acquire))
        return begin(s);
    if (at == MEASURING)
        return watch(d, s);
    if (at == FAILED)
        return YOKE__REFUSED;
    *speed = s->speed;
    return YOKE__READY;
}
