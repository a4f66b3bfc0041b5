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

/* Rows with the gaps between them. */
yoke__span piece_span(const run_array *a, piece_range window)
{
    const size_t first = (size_t)(a->host - (unsigned char *)yoke__block_start(a->block));
    if (window.begin >= window.end)
        return (yoke__span){first, first};
    return (yoke__span){first + window.begin * a->stride, first + (window.end - 1) * a->stride + a->item_bytes};
}

/* --- notes on managed arrays --- */

enum { NOTES = 2 }; /* of a piece on one array: what came, what was written */

static verdict reserve_notes(run *r, flight *f)
{
    for (unsigned k = 0; k < r->parameters; k++) {
        if (r->array[k].mirror == NULL)
            continue;
        if (yoke__residency_reserve(r->array[k].block, NOTES) != YOKE_OK)
            return run_judge(r, "notes on arrays", CL_OUT_OF_HOST_MEMORY);
        f->noted |= UINT32_C(1) << k;
    }
    return FINE;
}

static void unreserve_notes(run *r, flight *f)
{
    for (; f->noted != 0; f->noted &= f->noted - 1)
        yoke__residency_unreserve(r->array[__builtin_ctz(f->noted)].block, NOTES);
}

static unsigned home_of(const run *r)
{
    return atomic_load(&r->session->mirrors.home);
}

/* What the piece brought and what it wrote. */
static void note_piece(run *r, const flight *f)
{
    for (unsigned k = 0; k < r->parameters; k++) {
        const run_array *a = &r->array[k];
        if ((f->noted >> k & 1) == 0) /* what is not mirrored was claimed before */
            continue;
        const yoke__span span = piece_span(a, piece_window(a, f->range.begin, f->range.end));
        if (a->down)
            yoke__residency_written(a->block, home_of(r), span);
        else
            yoke__residency_copied(a->block, home_of(r), span);
        if (a->writes_back)
            yoke__residency_copied(a->block, YOKE__HOST, span);
    }
}

/* Results that only overwrite are the host's then: whoever runs the piece again writes them there. */
void piece_spoil(run *r, unsigned q)
{
    flight *f = &r->flight[q];
    for (unsigned k = 0; k < r->parameters && f->launched; k++) {
        const run_array *a = &r->array[k];
        if ((f->noted >> k & 1) == 0 || !a->down)
            continue;
        const yoke__span span = piece_span(a, piece_window(a, f->range.begin, f->range.end));
        if (a->up)
            yoke__residency_spoiled(a->block, home_of(r), span);
        else
            yoke__residency_written(a->block, YOKE__HOST, span);
    }
    f->launched = false;
    unreserve_notes(r, f);
}

/* --- between arrays and staging --- */

static size_t window_bytes(const run_array *a, piece_range range)
{
    const piece_range w = piece_window(a, range.begin, range.end);
    return (w.end - w.begin) * a->item_bytes;
}

static bool is_staged_per_piece(const run_array *a)
{
    return a->used && !a->is_whole && a->shared == NOT_SHARED && a->mirror == NULL;
}

/* Whose results the host gets from this queue's staging. */
static bool is_committed(const run_array *a)
{
    return a->down && (is_staged_per_piece(a) || a->writes_back);
}

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
    const piece_range w = piece_window(a, range.begin, range.end);
    const size_t bytes = window_bytes(a, range);
    verdict v = buffer_ensure(r, q, k, bytes);
    const bool has_gaps = a->stride != a->item_bytes; /* between rows, which are noted with them */
    if (v == FINE && a->block != NULL && (a->up || has_gaps) && yoke__memory_is_away())
        v = run_bring_to_host(r, a->block, piece_span(a, w));
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
        if (r->array[k].is_whole && r->array[k].mirror != NULL)
            v = mirror_bring(r, 0, k, (piece_range){0, 1}, &r->prelude);
        else if (r->array[k].is_whole && r->array[k].shared == NOT_SHARED)
            v = bring(r, 0, k, (piece_range){0, 1}, &r->prelude);
    if (v == FINE)
        v = shared_to_device(r, &r->prelude);
    r->is_ready = v == FINE;
    return v;
}

/* Where results go to the host, after all were brought: two may be one. */
static verdict claim_slices(run *r, const flight *f)
{
    verdict v = FINE;
    for (unsigned k = 0; k < r->parameters && v == FINE; k++) {
        const run_array *a = &r->array[k];
        if (a->block == NULL || !a->down || (a->mirror != NULL && !a->writes_back))
            continue;
        const yoke__span span = piece_span(a, piece_window(a, f->range.begin, f->range.end));
        if (a->writes_back && a->up) /* should the piece fail */
            v = run_bring_to_host(r, a->block, span);
        if (v == FINE)
            v = run_claim_for_host(r, a->block, span);
    }
    return v;
}

static verdict bring_slices(run *r, unsigned q, flight *f)
{
    verdict v = reserve_notes(r, f);
    for (unsigned k = 0; k < ARRAYS && v == FINE; k++) {
        const run_array *a = &r->array[k];
        if (is_staged_per_piece(a))
            v = bring(r, q, k, f->range, &f->events);
        else if (a->mirror != NULL && !a->is_whole && a->up)
            v = mirror_bring(r, q, k, piece_window(a, f->range.begin, f->range.end), &f->events);
        if (v == FINE && a->writes_back)
            v = buffer_ensure(r, q, k, window_bytes(a, f->range));
    }
    if (v == FINE && yoke__memory_is_away())
        v = claim_slices(r, f);
    return v;
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
    } else if (a->mirror != NULL) {
        memory = a->mirror->mem;
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
    f->launched = true;
    f->events.bytes[f->events.count++] = 0;
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
    if (v == FINE)
        v = bring_slices(r, q, f);
    if (v == FINE)
        v = put_arguments(r, q, f->range);
    if (v == FINE)
        v = launch(r, q, f);
    for (unsigned k = 0; k < ARRAYS && v == FINE; k++) {
        const run_array *a = &r->array[k];
        if (a->writes_back)
            v = mirror_to_staging(r, q, k, piece_span(a, piece_window(a, f->range.begin, f->range.end)), &f->events);
        else if (is_staged_per_piece(a))
            v = buffer_to_host(r, q, k, a->down ? window_bytes(a, f->range) : 0, &f->events);
    }
    return v;
}

/* --- into the arrays --- */

/* Managed arrays whose results go to the host's memory. */
static void guard_committed(run *r, const flight *f, bool open)
{
    for (unsigned k = 0; k < r->parameters; k++) {
        const run_array *a = &r->array[k];
        if (a->block == NULL || !is_committed(a))
            continue;
        if (open)
            yoke__memory_guard_open(a->block, piece_span(a, piece_window(a, f->range.begin, f->range.end)));
        else
            yoke__memory_guard_close(a->block);
    }
}

/* Arrays whose old content another run of the piece would need change at one stroke, together with the report: one who
 * leaves in between would run the piece again on half of its results. FINE: inside of run_touch. */
static verdict commit_arrays(run *r, unsigned q, uint64_t *bytes)
{
    const flight *f = &r->flight[q];
    copying last[ARRAYS];
    unsigned lasts = 0;
    for (unsigned k = 0; k < ARRAYS; k++) {
        const run_array *a = &r->array[k];
        if (!is_committed(a))
            continue;
        piece_range w = piece_window(a, f->range.begin, f->range.end);
        copying c = copy_of(a, r->session->buffers[q][k].staging, w, false);
        *bytes += window_bytes(a, f->range);
        if (a->keeps_old)
            last[lasts++] = c;
        else if (copy_chunks(r, c) == LEFT)
            return LEFT;
    }
    if (!run_touch(r))
        return LEFT;
    for (unsigned k = 0; k < lasts; k++)
        (void)copy_some(&last[k], SIZE_MAX);
    note_piece(r, f);
    return FINE;
}

verdict piece_commit(run *r, unsigned q)
{
    flight *f = &r->flight[q];
    uint64_t bytes = 0;
    if (atomic_load(&r->device->state) != YOKE_DEVICE_READY) /* a fetch from it failed: what is there counts no more */
        return DEAD;
    guard_committed(r, f, true);
    const verdict v = commit_arrays(r, q, &bytes);
    guard_committed(r, f, false);
    if (v != FINE)
        return v;
    unreserve_notes(r, f);
    f->launched = false;
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
