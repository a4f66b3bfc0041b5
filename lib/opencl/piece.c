/* One piece on one queue: slices into staging, to the device, arguments, kernel, results back, and into the arrays. */
#include <string.h>

#include "lib/opencl/prelude.h"
#include "lib/opencl/run.h"

/* Of the program's memory touched at a time: one who wants to leave waits no longer than for this. */
#define CHUNK ((size_t)4 << 20)
enum { REDUCE_LOCAL = 64 };

piece_range piece_window(const run_array *a, size_t begin, size_t end)
{
    if (!a->is_sliced)
        return (piece_range){0, a->items};
    size_t first = begin * a->per; /* below items, so no overflow */
    size_t last = end > (a->items - 1) / a->per ? a->items : end * a->per;
    return (piece_range){first > a->before ? first - a->before : 0,
                         a->items - last > a->after ? last + a->after : a->items};
}

/* --- between arrays and staging --- */

typedef struct copying {
    unsigned char *host, *staging;
    size_t row, stride; /* bytes that lie together, and to the next in host memory */
    size_t rows, at_row, at_byte;
    bool up;
} copying;

static copying copy_of(const run_array *a, unsigned char *staging, piece_range w, bool up)
{
    size_t items = w.end - w.begin;
    bool packed = a->stride == a->item_bytes;
    return (copying){.host = a->host + w.begin * a->stride,
                     .staging = staging,
                     .row = packed ? a->item_bytes * items : a->item_bytes,
                     .stride = a->stride,
                     .rows = a->item_bytes == 0 ? 0
                             : packed           ? 1
                                                : items,
                     .up = up};
}

/* Copies at most `most` bytes; true: there is more. */
static bool copy_some(copying *c, size_t most)
{
    while (c->at_row < c->rows && most > 0) {
        size_t part = c->row - c->at_byte < most ? c->row - c->at_byte : most;
        unsigned char *host = c->host + c->at_row * c->stride + c->at_byte;
        unsigned char *staging = c->staging + c->at_row * c->row + c->at_byte;
        if (c->up)
            memcpy(staging, host, part);
        else
            memcpy(host, staging, part);
        most -= part;
        c->at_byte += part;
        if (c->at_byte == c->row) {
            c->at_byte = 0;
            c->at_row++;
        }
    }
    return c->at_row < c->rows;
}

static verdict copy_chunks(run *r, copying c)
{
    bool more = c.rows > 0;
    while (more) {
        if (!run_touch(r))
            return LEFT;
        more = copy_some(&c, CHUNK);
        errand_touch_end(&r->errand);
    }
    return FINE;
}

/* --- to the device --- */

static verdict bring(run *r, unsigned q, unsigned k, piece_range range, events *e)
{
    const run_array *a = &r->array[k];
    piece_range w = piece_window(a, range.begin, range.end);
    size_t bytes = (w.end - w.begin) * a->item_bytes;
    verdict v = buffer_ensure(r, q, k, bytes);
    if (v == FINE && a->up) {
        v = copy_chunks(r, copy_of(a, r->session->buffers[q][k].staging, w, true));
        atomic_fetch_add_explicit(&r->device->bytes_in, bytes, memory_order_relaxed);
    }
    return v == FINE ? buffer_to_device(r, q, k, a->up ? bytes : 0, e) : v;
}

/* What all pieces share, on queue 0. The other queue's first kernel waits for the last event of it. */
static verdict bring_shared(run *r)
{
    verdict v = FINE;
    for (unsigned k = 0; k < r->parameters && v == FINE; k++)
        if (r->array[k].is_whole && r->array[k].shared == NOT_SHARED)
            v = bring(r, 0, k, (piece_range){0, 1}, &r->prelude);
    if (v == FINE)
        v = shared_to_device(r, &r->prelude);
    r->is_ready = v == FINE;
    return v;
}

static bool is_staged_per_piece(const run_array *a)
{
    return a->used && !a->is_whole && a->shared == NOT_SHARED;
}

/* --- arguments --- */

typedef struct arguments {
    run *r;
    cl_uint next;
    cl_int error;
} arguments;

static void put(arguments *to, size_t size, const void *value)
{
    if (to->error == CL_SUCCESS)
        to->error = to->r->cl->clSetKernelArg(to->r->program->entry, to->next++, size, value);
}

static void put_ulong(arguments *to, size_t value)
{
    cl_ulong wide = value;
    put(to, sizeof wide, &wide);
}

/* The kernel counts from the array's start: `at` takes it from there to what the buffer holds. */
static void put_array(arguments *to, unsigned q, unsigned k, piece_range range)
{
    const run *r = to->r;
    const run_array *a = &r->array[k];
    cl_mem memory = r->session->buffers[a->is_whole ? 0 : q][k].device;
    cl_ulong at = 0;
    if (a->shared != NOT_SHARED) {
        memory = r->session->shared[a->shared].mem;
        at = a->block_offset;
    } else if (a->is_sliced) {
        at = 0 - (cl_ulong)piece_window(a, range.begin, range.end).begin * (a->item_bytes / a->element);
    }
    put(to, sizeof memory, &memory);
    if (k != RESULT)
        put(to, sizeof at, &at);
}

static verdict put_arguments(run *r, unsigned q, piece_range range)
{
    arguments to = {r, 0, CL_SUCCESS};
    bool folds = r->array[RESULT].used;
    bool flat = r->shape != YOKE_SHAPE_MAP_2D && r->shape != YOKE_SHAPE_LANES_2D;
    put_ulong(&to, range.begin);
    put_ulong(&to, range.end);
    put_ulong(&to, r->task.call.size[0]);
    put_ulong(&to, folds ? r->task.block : flat ? 1 : r->task.call.size[1]);
    if (folds)
        put_array(&to, q, RESULT, range);
    for (unsigned k = 0; k < r->parameters; k++) {
        if (r->array[k].used)
            put_array(&to, q, k, range);
        else
            put(&to, r->array[k].value_bytes, r->array[k].value);
    }
    return to.error == CL_SUCCESS ? FINE : run_judge(r, "clSetKernelArg", to.error);
}

/* --- kernel --- */

static size_t round_up(size_t count, size_t to)
{
    return to > 1 ? (count + to - 1) / to * to : count; /* pieces are far below SIZE_MAX */
}

static verdict launch(run *r, unsigned q, flight *f)
{
    size_t items = f->range.end - f->range.begin, local[2] = {0, 0};
    cl_uint dimensions = 1;
    size_t global[2] = {items, 1};
    if (r->shape == YOKE_SHAPE_REDUCE && !r->program->on_cpu) {
        local[0] = REDUCE_LOCAL;
        global[0] = items * REDUCE_LOCAL;
    } else if (f->choice < r->program->choices) {
        memcpy(local, r->program->choice[f->choice].size, sizeof local);
    }
    if (r->shape == YOKE_SHAPE_MAP_2D || r->shape == YOKE_SHAPE_LANES_2D) {
        dimensions = 2;
        global[0] = r->task.call.size[0];
        global[1] = items;
    }
    if (r->program->on_cpu && (r->shape == YOKE_SHAPE_LANES || r->shape == YOKE_SHAPE_LANES_2D))
        global[0] = round_up(global[0], LANES_ON_CPU) / LANES_ON_CPU;
    for (unsigned k = 0; k < dimensions; k++) {
        local[k] = local[0] > 0 && local[k] == 0 ? 1 : local[k];
        global[k] = round_up(global[k], local[k]);
    }
    bool gated = q != 0 && r->prelude.count > 0;
    f->started = yoke__now_ns();
    cl_int error = r->cl->clEnqueueNDRangeKernel(
        r->session->queue[q], r->program->entry, dimensions, NULL, global, local[0] > 0 ? local : NULL, gated ? 1 : 0,
        gated ? &r->prelude.list[r->prelude.count - 1] : NULL, &f->events.list[f->events.count]);
    if (error != CL_SUCCESS)
        return run_judge(r, "clEnqueueNDRangeKernel", error);
    f->events.count++;
    return FINE;
}

verdict piece_start(run *r, unsigned q, bool alone)
{
    flight *f = &r->flight[q];
    verdict v = FINE;
    f->alone = alone;
    f->choice = program_choose(r->program, run_work_items(r, f->range));
    if (!r->is_ready)
        v = bring_shared(r);
    for (unsigned k = 0; k < ARRAYS && v == FINE; k++)
        if (is_staged_per_piece(&r->array[k]))
            v = bring(r, q, k, f->range, &f->events);
    if (v == FINE)
        v = put_arguments(r, q, f->range);
    if (v == FINE)
        v = launch(r, q, f);
    for (unsigned k = 0; k < ARRAYS && v == FINE; k++) {
        const run_array *a = &r->array[k];
        if (!is_staged_per_piece(a))
            continue;
        piece_range w = piece_window(a, f->range.begin, f->range.end);
        v = buffer_to_host(r, q, k, a->down ? (w.end - w.begin) * a->item_bytes : 0, &f->events);
    }
    return v;
}

/* --- into the arrays --- */

/* Arrays whose old content another run of the piece would need change at one stroke, together with the report: one who
 * leaves in between would run the piece again on half of its results. */
verdict piece_commit(run *r, unsigned q)
{
    flight *f = &r->flight[q];
    uint64_t bytes = 0;
    copying last[ARRAYS];
    unsigned lasts = 0;
    for (unsigned k = 0; k < ARRAYS; k++) {
        const run_array *a = &r->array[k];
        if (!is_staged_per_piece(a) || !a->down)
            continue;
        piece_range w = piece_window(a, f->range.begin, f->range.end);
        copying c = copy_of(a, r->session->buffers[q][k].staging, w, false);
        bytes += (w.end - w.begin) * a->item_bytes;
        if (a->keeps_old)
            last[lasts++] = c;
        else if (copy_chunks(r, c) == LEFT)
            return LEFT;
    }
    if (!run_touch(r))
        return LEFT;
    for (unsigned k = 0; k < lasts; k++)
        (void)copy_some(&last[k], SIZE_MAX);
    if (!r->defers)
        r->task.done(r->task.context, f->range.begin, f->range.end);
    f->active = r->defers && !range_add(r->finished, &r->finished_count, f->range);
    errand_touch_end(&r->errand);
    if (f->active)
        return TOO_LARGE;
    atomic_fetch_add_explicit(&r->device->pieces, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->device->bytes_out, bytes, memory_order_relaxed);
    return FINE;
}
