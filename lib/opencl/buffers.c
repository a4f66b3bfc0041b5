/* Device memory of a session. Where host and device share memory, one buffer is both: the host writes it while it is
 * mapped, the device uses it while it is not. Elsewhere each has a twin in pinned host memory, mapped for ever. */
#include "lib/opencl/run.h"

enum { PAGE = 4096 };

static bool shares(const session *s)
{
    return s->device->facts.shares_memory != 0;
}

static cl_event *event_of(events *e, size_t bytes)
{
    e->bytes[e->count] = bytes;
    return &e->list[e->count];
}

/* An enqueue that went well left an event. */
static verdict enqueued(run *r, const char *call, cl_int error, events *e)
{
    if (error != CL_SUCCESS)
        return run_judge(r, call, error);
    e->count++;
    return FINE;
}

static void release_buffer(session *s, unsigned q, buffer *b)
{
    const cl_api *cl = &s->device->owner->cl;
    cl_mem mapped = b->pinned != NULL ? b->pinned : shares(s) ? b->device : NULL;
    if (mapped != NULL && b->staging != NULL)
        (void)cl->clEnqueueUnmapMemObject(s->queue[q], mapped, b->staging, 0, NULL, NULL);
    else if (mapped == NULL)
        yoke__free(b->staging);
    if (b->pinned != NULL)
        (void)cl->clReleaseMemObject(b->pinned);
    if (b->device != NULL)
        (void)cl->clReleaseMemObject(b->device);
    *b = (buffer){NULL, NULL, NULL, 0};
}

static void *map(run *r, unsigned q, cl_mem memory, size_t bytes, cl_bool blocking, cl_event *event, cl_int *error)
{
    return r->cl->clEnqueueMapBuffer(r->session->queue[q], memory, blocking, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0,
                                     NULL, event, error);
}

/* Pinned memory makes transfers fast and lets them run beside kernels; without it plain memory does. */
static bool make_staging(run *r, unsigned q, buffer *b, size_t bytes)
{
    cl_int error;
    b->pinned =
        r->cl->clCreateBuffer(r->session->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &error);
    if (error == CL_SUCCESS && b->pinned != NULL) {
        b->staging = map(r, q, b->pinned, bytes, CL_TRUE, NULL, &error);
        if (error == CL_SUCCESS && b->staging != NULL)
            return true;
        (void)r->cl->clReleaseMemObject(b->pinned);
    }
    b->pinned = NULL;
    b->staging = yoke__alloc_aligned(PAGE, bytes);
    return b->staging != NULL;
}

static verdict make_buffer(run *r, unsigned q, buffer *b, size_t bytes)
{
    cl_int error;
    bool both = shares(r->session);
    cl_mem_flags flags = CL_MEM_READ_WRITE | (both ? CL_MEM_ALLOC_HOST_PTR : 0);
    b->device = r->cl->clCreateBuffer(r->session->context, flags, bytes, NULL, &error);
    if (error != CL_SUCCESS || b->device == NULL) {
        b->device = NULL;
        return run_judge(r, "clCreateBuffer", error);
    }
    b->bytes = bytes;
    if (both)
        return FINE; /* mapped by the caller */
    if (make_staging(r, q, b, bytes))
        return FINE;
    release_buffer(r->session, q, b);
    return run_judge(r, "allocation of staging memory", CL_OUT_OF_HOST_MEMORY);
}

verdict buffer_ensure(run *r, unsigned q, unsigned k, size_t bytes)
{
    session *s = r->session;
    buffer *b = &s->buffers[q][k];
    size_t limit = (size_t)r->device->facts.array_bytes;
    if (bytes == 0)
        bytes = 1;
    if (b->bytes < bytes) {
        release_buffer(s, q, b);
        size_t rounded = bytes <= SIZE_MAX - PAGE ? (bytes + PAGE - 1) / PAGE * PAGE : bytes;
        verdict v = make_buffer(r, q, b, rounded <= limit ? rounded : bytes);
        if (v != FINE)
            return v;
    }
    if (!shares(s) || b->staging != NULL)
        return FINE;
    cl_int error;
    b->staging = map(r, q, b->device, b->bytes, CL_TRUE, NULL, &error);
    if (error == CL_SUCCESS && b->staging != NULL)
        return FINE;
    b->staging = NULL;
    return run_judge(r, "clEnqueueMapBuffer", error);
}

verdict buffer_to_device(run *r, unsigned q, unsigned k, size_t bytes, events *e)
{
    cl_command_queue queue = r->session->queue[q];
    buffer *b = &r->session->buffers[q][k];
    if (shares(r->session)) {
        if (b->staging == NULL)
            return FINE;
        cl_int error = r->cl->clEnqueueUnmapMemObject(queue, b->device, b->staging, 0, NULL, event_of(e, 0));
        if (error == CL_SUCCESS)
            b->staging = NULL;
        return enqueued(r, "clEnqueueUnmapMemObject", error, e);
    }
    if (bytes == 0)
        return FINE;
    return enqueued(
        r, "clEnqueueWriteBuffer",
        r->cl->clEnqueueWriteBuffer(queue, b->device, CL_FALSE, 0, bytes, b->staging, 0, NULL, event_of(e, bytes)), e);
}

verdict mirror_to_staging(run *r, unsigned q, unsigned k, yoke__span span, events *e)
{
    const run_array *a = &r->array[k];
    if (span.begin == span.end)
        return FINE;
    return enqueued(r, "clEnqueueReadBuffer",
                    r->cl->clEnqueueReadBuffer(r->session->queue[q], a->mirror->mem, CL_FALSE, span.begin,
                                               span.end - span.begin, r->session->buffers[q][k].staging, 0, NULL,
                                               event_of(e, span.end - span.begin)),
                    e);
}

verdict buffer_to_host(run *r, unsigned q, unsigned k, size_t bytes, events *e)
{
    buffer *b = &r->session->buffers[q][k];
    cl_int error = CL_SUCCESS;
    if (shares(r->session)) { /* also what is only read: the next piece is written there */
        if (b->staging != NULL)
            return FINE;
        void *at = map(r, q, b->device, b->bytes, CL_FALSE, event_of(e, 0), &error);
        if (error == CL_SUCCESS)
            b->staging = at;
        return enqueued(r, "clEnqueueMapBuffer", error, e);
    }
    if (bytes == 0)
        return FINE;
    return enqueued(r, "clEnqueueReadBuffer",
                    r->cl->clEnqueueReadBuffer(r->session->queue[q], b->device, CL_FALSE, 0, bytes, b->staging, 0, NULL,
                                               event_of(e, bytes)),
                    e);
}

void buffers_release(session *s)
{
    for (unsigned q = 0; q < QUEUES; q++)
        for (unsigned k = 0; k < ARRAYS; k++)
            release_buffer(s, q, &s->buffers[q][k]);
}

/* --- blocks of yoke_alloc --- */

static void drop_shared(session *s, size_t at)
{
    const cl_api *cl = &s->device->owner->cl;
    shared_block *b = &s->shared[at];
    if (b->mapped != NULL)
        (void)cl->clEnqueueUnmapMemObject(s->queue[0], b->mem, b->mapped, 0, NULL, NULL);
    bool idle = true;
    for (unsigned q = 0; q < QUEUES; q++)
        idle &= cl->clFinish(s->queue[q]) == CL_SUCCESS;
    if (idle) {
        (void)cl->clReleaseMemObject(b->mem);
        yoke__memory_release(b->block);
    } else { /* some command may still write there: the buffer is not released either */
        yoke__memory_keep(b->block);
    }
    s->shared[at] = s->shared[--s->shared_count];
}

void shared_drop_freed(session *s)
{
    for (size_t k = s->shared_count; k-- > 0;)
        if (yoke__block_is_freed(s->shared[k].block) || yoke__block_moves(s->shared[k].block) != s->shared[k].moves)
            drop_shared(s, k);
}

void buffers_release_all(session *s)
{
    buffers_release(s);
    while (s->shared_count > 0)
        drop_shared(s, s->shared_count - 1);
    yoke__free(s->shared);
    s->shared = NULL;
    s->shared_capacity = 0;
}

static bool room_for_shared(session *s)
{
    if (s->shared_count < s->shared_capacity)
        return true;
    size_t capacity = s->shared_capacity > 0 ? 2 * s->shared_capacity : 16;
    shared_block *grown = yoke__alloc_zeroed(capacity, sizeof *grown);
    if (grown == NULL)
        return false;
    for (size_t k = 0; k < s->shared_count; k++)
        grown[k] = s->shared[k];
    yoke__free(s->shared);
    s->shared = grown;
    s->shared_capacity = capacity;
    return true;
}

static cl_mem memory_over(run *r, const yoke__block *block)
{
    cl_int error;
    cl_mem memory = r->cl->clCreateBuffer(r->session->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                          yoke__block_bytes(block), yoke__block_start(block), &error);
    return error == CL_SUCCESS ? memory : NULL;
}

/* The array's block in the session, made if need be; where that fails the array is staged. */
static verdict find_one(run *r, run_array *a)
{
    session *s = r->session;
    for (size_t k = 0; k < s->shared_count && a->shared == NOT_SHARED; k++)
        if (s->shared[k].block == a->block)
            a->shared = (int)k;
    if (a->shared != NOT_SHARED || !room_for_shared(s))
        return FINE;
    if (!run_touch(r)) /* the caller's hold is good as long as it waits */
        return LEFT;
    yoke__block *held = yoke__memory_hold(a->host, 1);
    errand_touch_end(&r->errand);
    const unsigned moves = held != NULL ? yoke__block_moves(held) : 0;
    cl_mem memory = held != NULL ? memory_over(r, held) : NULL;
    if (memory == NULL) {
        if (held != NULL)
            yoke__memory_release(held);
        return FINE;
    }
    a->shared = (int)s->shared_count;
    s->shared[s->shared_count++] = (shared_block){.block = held, .mem = memory, .moves = moves, .on_device = true};
    return FINE;
}

/* All arrays of a block or none: the host must not write to what the device has. */
verdict shared_find(run *r)
{
    shared_drop_freed(r->session);
    for (unsigned k = 0; k < r->parameters && r->shares; k++)
        if (r->array[k].in_place && find_one(r, &r->array[k]) == LEFT)
            return LEFT;
    for (unsigned k = 0; k < r->parameters; k++)
        for (unsigned l = 0; l < r->parameters; l++)
            if (r->array[k].in_place && r->array[k].shared == NOT_SHARED && r->array[l].block == r->array[k].block)
                r->array[l].shared = NOT_SHARED;
    return FINE;
}

verdict shared_to_device(run *r, events *e)
{
    for (unsigned k = 0; k < ARRAYS; k++) {
        if (r->array[k].shared == NOT_SHARED)
            continue;
        shared_block *b = &r->session->shared[r->array[k].shared];
        if (b->on_device)
            continue;
        cl_int error = r->cl->clEnqueueUnmapMemObject(r->session->queue[0], b->mem, b->mapped, 0, NULL, event_of(e, 0));
        verdict v = enqueued(r, "clEnqueueUnmapMemObject", error, e);
        if (v != FINE)
            return v;
        b->on_device = true;
        b->mapped = NULL;
    }
    return FINE;
}

static verdict whole_to_host(run *r, unsigned q, buffer *b, events *e)
{
    if (!shares(r->session) || b->device == NULL || b->staging != NULL)
        return FINE;
    cl_int error;
    b->staging = map(r, q, b->device, b->bytes, CL_FALSE, event_of(e, 0), &error);
    return enqueued(r, "clEnqueueMapBuffer", error, e);
}

verdict kept_to_host(run *r, unsigned q, events *e)
{
    const session *s = r->session;
    verdict v = FINE;
    for (unsigned k = 0; k < ARRAYS && v == FINE; k++) {
        const run_array *a = &r->array[k];
        if (a->shared == NOT_SHARED) {
            if (a->is_whole)
                v = whole_to_host(r, q, &r->session->buffers[0][k], e);
            continue;
        }
        shared_block *b = &r->session->shared[a->shared];
        if (!b->on_device || s->one_with_host)
            continue;
        cl_int error;
        void *mapped = map(r, q, b->mem, yoke__block_bytes(b->block), CL_FALSE, event_of(e, 0), &error);
        v = enqueued(r, "clEnqueueMapBuffer", error, e);
        if (v == FINE) {
            b->on_device = false;
            b->mapped = mapped;
        }
    }
    return v;
}
