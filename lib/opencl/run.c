/* The caller's part of a run: it sends the driver thread on an errand, waits, and leaves when a piece takes too long. */
#include <string.h>

#include "lib/opencl/run.h"

enum { VALUE_ALIGNMENT = 16, FAILURES_BEFORE_LOSS = 3 };
#define SPIN_NS INT64_C(60000) /* what waking a sleeper costs */
#define SLICE_NS INT64_C(10000000)
#define LEAVE_NS INT64_C(90000000) /* after a deadline or a cancel, for what is in flight */

/* --- what the driver needs to know, copied: it may outlive the call --- */

static size_t value_bytes(const yoke_kernel *kernel)
{
    size_t sum = 0;
    for (size_t k = 0; k < kernel->parameter_count; k++)
        if (kernel->parameters[k].mode == YOKE_MODE_VALUE)
            sum += (kernel->parameters[k].size + VALUE_ALIGNMENT - 1) / VALUE_ALIGNMENT * VALUE_ALIGNMENT;
    return sum;
}

static void set_array(run *r, unsigned k, const yoke_parameter *p)
{
    const yoke__task_array *from = &r->task.array[k];
    yoke_mode mode = p->mode;
    bool folds = r->shape == YOKE_SHAPE_REDUCE || r->shape == YOKE_SHAPE_ACCUMULATE;
    bool has_rows = r->shape == YOKE_SHAPE_MAP_2D || r->shape == YOKE_SHAPE_LANES_2D;
    bool sliced = mode != YOKE_MODE_WHOLE && mode != YOKE_MODE_SCATTER;
    r->array[k] = (run_array){.used = true,
                              .is_sliced = sliced,
                              .is_whole = mode == YOKE_MODE_WHOLE,
                              .up = mode != YOKE_MODE_OUT,
                              .down = mode == YOKE_MODE_OUT || mode == YOKE_MODE_INOUT || mode == YOKE_MODE_SCATTER,
                              .keeps_old = mode == YOKE_MODE_INOUT,
                              .host = from->host,
                              .element = p->size,
                              .item_bytes = sliced ? from->item_bytes : from->bytes,
                              .stride = sliced ? from->stride : from->bytes,
                              .before = from->before,
                              .after = from->after,
                              .per = sliced && folds ? r->task.block : 1,
                              .items = !sliced ? 1 : r->task.call.size[has_rows ? 1 : 0],
                              .shared = NOT_SHARED};
}

static void set_parameters(run *r, unsigned char *values)
{
    const yoke_kernel *kernel = r->task.kernel;
    for (unsigned k = 0; k < ARRAYS; k++)
        r->array[k].shared = NOT_SHARED;
    for (unsigned k = 0; k < r->parameters; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        if (p->mode != YOKE_MODE_VALUE) {
            set_array(r, k, p);
            continue;
        }
        memcpy(values, r->task.call.argument[k], p->size);
        r->array[k].value = values;
        r->array[k].value_bytes = p->size;
        values += (p->size + VALUE_ALIGNMENT - 1) / VALUE_ALIGNMENT * VALUE_ALIGNMENT;
    }
    if (r->shape == YOKE_SHAPE_REDUCE || r->shape == YOKE_SHAPE_ACCUMULATE)
        r->array[RESULT] =
            (run_array){.used = true,
                        .is_sliced = true,
                        .down = true,
                        .host = (unsigned char *)((uintptr_t)r->task.partials - r->task.first * kernel->result_size),
                        .element = kernel->result_size,
                        .item_bytes = kernel->result_size,
                        .stride = kernel->result_size,
                        .per = 1,
                        .items = r->task.first + r->task.items,
                        .shared = NOT_SHARED};
}

/* --- arrays in place --- */

static size_t span_of(const run_array *a)
{
    return (a->items - 1) * a->stride + a->item_bytes; /* it lies in memory, so it fits */
}

static bool overlap(const run_array *a, const run_array *b)
{
    uintptr_t x = (uintptr_t)a->host, y = (uintptr_t)b->host;
    return x < y + span_of(b) && y < x + span_of(a);
}

/* Another array that lies on this one while either is written: then neither is in place, and the one that is written
 * must keep its old content. */
static bool is_aliased(const run *r, unsigned k)
{
    const run_array *a = &r->array[k];
    for (unsigned l = 0; l < r->parameters; l++) {
        const run_array *b = &r->array[l];
        if (l != k && b->used && (a->down || b->down) && overlap(a, b))
            return true;
    }
    return false;
}

static bool may_be_in_place(const run *r, const run_array *a)
{
    const device *d = r->device;
    bool packed = a->stride == a->item_bytes;
    if (a->block == NULL || !packed || a->element == 0 || (r->shares && a->up && a->down))
        return false;
    if (r->shares && yoke__block_is_shared(a->block)) /* a lost device could not be kept off it */
        return false;
    size_t offset = (size_t)(a->host - (unsigned char *)yoke__block_start(a->block));
    size_t bytes = yoke__block_bytes(a->block);
    return offset % a->element == 0 && bytes <= d->facts.array_bytes && !(d->has_32_bit_addresses && bytes >> 31 != 0);
}

/* Pieces that write arrays in place are done only when all of the run is, unless the memory is one with the host's: so they
 * must be repeatable until then, and no other array of theirs may change for good. */
static void keep_repeatable(run *r)
{
    bool keeps_old = false;
    for (unsigned k = 0; k < r->parameters; k++)
        keeps_old |= r->array[k].keeps_old;
    for (unsigned k = 0; k < r->parameters; k++) {
        run_array *a = &r->array[k];
        if (r->task.divided && r->shares && !r->session->one_with_host)
            a->in_place = false; /* the host gets back all of the block, what others write now, too */
        if (!a->in_place || !a->down || !r->shares || r->session->one_with_host)
            continue;
        a->in_place = !keeps_old;
        r->defers |= a->in_place;
    }
}

/* Holds every array's block for the time of the run. A block is in place with all arrays of the call, or with none. */
static void find_blocks(run *r)
{
    for (unsigned k = 0; k < r->parameters; k++) {
        run_array *a = &r->array[k];
        if (!a->used)
            continue;
        bool aliased = is_aliased(r, k);
        a->keeps_old |= aliased && a->down && a->is_sliced;
        if (span_of(a) == 0)
            continue;
        a->block = yoke__memory_hold(a->host, span_of(a));
        a->in_place = !aliased && may_be_in_place(r, a);
        if (a->in_place)
            a->block_offset = (size_t)(a->host - (unsigned char *)yoke__block_start(a->block)) / a->element;
    }
    keep_repeatable(r);
    for (unsigned k = 0; k < r->parameters; k++)
        for (unsigned l = 0; l < r->parameters; l++)
            if (r->array[k].block != NULL && !r->array[k].in_place && r->array[l].block == r->array[k].block)
                r->array[l].in_place = false;
}

/* Blocks are held until nobody notes anything about them any more. */
static void dispose(errand *e)
{
    run *r = (run *)e;
    for (unsigned k = 0; k < r->parameters; k++) {
        if (r->array[k].opened)
            yoke__memory_guard_close(r->array[k].block);
        yoke__memory_release(r->array[k].block);
    }
    yoke__free(r);
}

/* What a device uses in place is on the host when it begins. */
static int bring_in_place(run *r)
{
    int status = YOKE_OK;
    for (unsigned k = 0; k < r->parameters && status == YOKE_OK && r->shares; k++) {
        run_array *a = &r->array[k];
        if (!a->in_place)
            continue;
        if (a->up && yoke__memory_is_away())
            status = yoke__memory_to_host(a->block, piece_span(a, (piece_range){0, a->items}), NULL);
        yoke__memory_guard_open(a->block, (yoke__span){0, yoke__block_bytes(a->block)});
        a->opened = true;
    }
    return status;
}

static run *make_run(device *d, session *s, program *p, const yoke__task *task)
{
    run *r = yoke__alloc_zeroed(1, sizeof *r + value_bytes(task->kernel));
    if (r == NULL)
        return NULL;
    r->errand.run = run_on_driver;
    r->errand.dispose = dispose;
    r->device = d;
    r->session = s;
    r->program = p;
    r->cl = &d->owner->cl;
    r->task = *task;
    r->shape = task->kernel->shape;
    r->shares = d->facts.shares_memory != 0;
    r->parameters = (unsigned)task->kernel->parameter_count;
    bool folds = r->shape == YOKE_SHAPE_REDUCE || r->shape == YOKE_SHAPE_ACCUMULATE;
    bool flat = r->shape != YOKE_SHAPE_MAP_2D && r->shape != YOKE_SHAPE_LANES_2D;
    r->grain = folds ? task->block : flat ? 1 : task->call.size[0];
    set_parameters(r, (unsigned char *)(r + 1));
    find_blocks(r);
    atomic_init(&r->beat, yoke__now_ns());
    return r;
}

/* --- waiting and what follows --- */

/* Of the run, or of a prefetch that it waits behind. */
static int64_t last_beat(run *r)
{
    const int64_t own = atomic_load_explicit(&r->beat, memory_order_relaxed);
    const int64_t before = atomic_load_explicit(&r->session->mirrors.beat, memory_order_relaxed);
    return own > before ? own : before;
}

/* False: a piece takes longer than it may, or than the caller wants to wait. */
static bool wait_for(run *r, const yoke__task *task, int *status)
{
    int64_t stopped = 0, spin = r->program->on_cpu ? 0 : SPIN_NS, now = yoke__now_ns();
    for (;;) {
        int64_t left = task->piece_limit_ns - (now - last_beat(r));
        int64_t slice = left < SLICE_NS ? left : SLICE_NS;
        if (errand_wait(&r->errand, now + (slice > 0 ? slice : 1), spin))
            return true;
        spin = 0;
        now = yoke__now_ns();
        if (now - last_beat(r) >= task->piece_limit_ns)
            return false;
        if (*status == YOKE_OK && task->poll != NULL)
            *status = task->poll(task->context);
        if (*status == YOKE_OK)
            continue;
        atomic_store_explicit(&r->stops, 1, memory_order_relaxed);
        stopped = stopped == 0 ? now : stopped;
        if (now - stopped >= LEAVE_NS)
            return false;
    }
}

static void report_lost(run *r, const yoke__task *task)
{
    uint64_t count = 0;
    for (unsigned q = 0; q < QUEUES; q++) {
        if (!r->flight[q].active)
            continue;
        task->lost(task->context, r->flight[q].range.begin, r->flight[q].range.end);
        count++;
    }
    for (unsigned k = 0; k < r->pending_count; k++, count++)
        task->lost(task->context, r->pending[k].begin, r->pending[k].end);
    for (unsigned k = 0; k < r->finished_count; k++, count++)
        task->lost(task->context, r->finished[k].begin, r->finished[k].end);
    atomic_fetch_add_explicit(&r->device->pieces_lost, count, memory_order_relaxed);
}

/* A lost device may still write to blocks that it used in place: their addresses get fresh pages. */
static int keep_device_off(run *r)
{
    int status = YOKE_OK;
    for (unsigned k = 0; k < r->parameters; k++) {
        const run_array *a = &r->array[k];
        bool seen = false;
        for (unsigned l = 0; l < k; l++)
            seen |= r->array[l].in_place && r->array[l].down && r->array[l].block == a->block;
        if (r->shares && a->in_place && a->down && !seen && yoke__block_replace_pages(a->block) != YOKE_OK)
            status = YOKE_ELOST;
    }
    if (status != YOKE_OK)
        return yoke__fail(
            status,
            "an array could not be moved away from device %s, which may still write to it; the array's content is not "
            "to be trusted: free it",
            r->device->name);
    return YOKE_OK;
}

static int leave(run *r, const yoke__task *task)
{
    device *d = r->device;
    double limit = (double)task->piece_limit_ns * 1e-9;
    errand_abandon(&r->errand);
    device_lose(d, r->session, "a piece of kernel %s did not end within %.3g s", task->kernel->name, limit);
    int status = keep_device_off(r);
    report_lost(r, task);
    if (status != YOKE_OK)
        return status;
    return yoke__fail(YOKE_ENODEV,
                      "device %s hangs: a piece of kernel %s did not end within %.3g s; it is left alone until "
                      "yoke_reopen_device()",
                      d->name, task->kernel->name, limit);
}

/* The device may be well, only slower than the caller's deadline: it gets a fresh session. */
static int leave_early(run *r, int status)
{
    errand_abandon(&r->errand);
    device_drop_session(r->device, r->session);
    const int kept = keep_device_off(r);
    return kept != YOKE_OK ? kept : status;
}

static int give_up(run *r, const yoke__task *task)
{
    device *d = r->device;
    session *s = r->session;
    const char *call = r->failed_call != NULL ? r->failed_call : "a call";
    const char *error = yoke__cl_error_name(r->failed_error);
    report_lost(r, task);
    if (r->verdict == TOO_LARGE || r->verdict == OUT_OF_MEMORY)
        return yoke__fail(YOKE_ENOMEM, "device %s has no memory for kernel %s; it runs elsewhere", d->name,
                          task->kernel->name);
    if (r->verdict == MISSING)
        return yoke__fail(YOKE_ENODEV,
                          "device %s lacks content of an array of kernel %s, which is lost or cannot be fetched",
                          d->name, task->kernel->name);
    bool dead = r->verdict == DEAD || ++s->failures >= FAILURES_BEFORE_LOSS;
    int status = YOKE_OK;
    if (dead) {
        device_lose(d, s, "%s of kernel %s said %s", call, task->kernel->name, error);
        status = keep_device_off(r);
    }
    if (status != YOKE_OK)
        return status;
    return yoke__fail(YOKE_ENODEV, "device %s failed: %s of kernel %s said %s%s", d->name, call, task->kernel->name,
                      error, dead ? "; it is left alone until yoke_reopen_device()" : "");
}

run *device_start(device *d, session *s, program *p, const yoke__task *task)
{
    run *r = make_run(d, s, p, task);
    if (r == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for a run on device %s", d->name);
        return NULL;
    }
    if (bring_in_place(r) != YOKE_OK) {
        dispose(&r->errand);
        return NULL;
    }
    servant_send(s->driver, &r->errand);
    return r;
}

device *device_of_run(const run *r)
{
    return r->device;
}

int device_finish(run *r)
{
    const yoke__task *task = &r->task;
    int status = YOKE_OK;
    if (!wait_for(r, task, &status)) {
        status = status != YOKE_OK ? leave_early(r, status) : leave(r, task);
    } else if (r->verdict != FINE) {
        status = give_up(r, task);
    } else {
        r->session->failures = 0;
        report_lost(r, task); /* taken again after a failure, and then poll() ended the run */
    }
    errand_release(&r->errand);
    return status;
}
