/* The driver thread's part of a run: pieces on two queues in turn, so that transfers of one run beside kernels of the
 * other; and what is tried when a call fails. */
#include <math.h>
#include <sched.h>

#include "lib/opencl/run.h"

#define DEFAULT_PIECE_BYTES ((size_t)32 << 20)
#define LEAST_PIECE_BYTES ((size_t)64 << 10)  /* the device has hardly any memory left below it */
#define FIRST_PIECE_BYTES ((size_t)256 << 10) /* of a kernel whose speed is not known */
#define LIMIT_32_BIT ((size_t)1 << 31)
#define PIECE_NS 20e6
#define LONGEST_NS 1e9
#define UNDIVIDED_NS 50e6
#define LEARN_NS 1000000
#define SHORT_NS 200e3
#define POLL_NS 200000
#define LEARN_ITEMS 65536
enum { FIRST_SHARE = 16, LEAST_SHARE = 64, GROWTH = 4, REDUCE_ITEMS = 64, RELAXES_PER_POLL = 32 };

bool run_touch(run *r)
{
    if (!errand_touch(&r->errand))
        return false;
    atomic_store_explicit(&r->beat, yoke__now_ns(), memory_order_relaxed);
    return true;
}

/* --- errors --- */

static bool is_memory_error(cl_int error)
{
    return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY ||
           error == CL_INVALID_BUFFER_SIZE;
}

verdict run_judge(run *r, const char *call, cl_int error)
{
    r->failed_call = call;
    r->failed_error = error;
    if (is_memory_error(error))
        return OUT_OF_MEMORY;
    return error <= CL_INVALID_VALUE && error > -1000 ? REJECTED : BROKEN;
}

static verdict worse(verdict a, verdict b)
{
    return a > b ? a : b;
}

/* An event is complete, or it tells why not. Some drivers say that a wait went well when a command failed. */
static verdict look_at(run *r, cl_event event)
{
    cl_int state = CL_COMPLETE;
    cl_int error = r->cl->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (error != CL_SUCCESS)
        return run_judge(r, "clGetEventInfo", error);
    if (state == CL_COMPLETE)
        return FINE;
    (void)run_judge(r, state < 0 ? "a command" : "clWaitForEvents", state < 0 ? state : CL_OUT_OF_RESOURCES);
    return is_memory_error(state) ? OUT_OF_MEMORY : BROKEN;
}

verdict run_settle(run *r, unsigned q, events *e)
{
    if (e->count == 0)
        return FINE;
    verdict v = FINE;
    cl_int error = r->cl->clWaitForEvents(e->count, e->list);
    for (cl_uint k = 0; k < e->count; k++) {
        v = worse(v, look_at(r, e->list[k]));
        if (yoke__tracing() && v == FINE)
            traced_command(r, q, e->list[k], e->bytes[k]);
        (void)r->cl->clReleaseEvent(e->list[k]);
    }
    e->count = 0;
    if (error == CL_SUCCESS || (v != FINE && error == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST))
        return v;
    return worse(v, run_judge(r, "clWaitForEvents", error));
}

/* --- sizes --- */

/* Narrows r->most, the items of a piece, by one array; adds to the bytes of an item. */
static bool limit_by(run *r, const run_array *a, size_t hard, size_t *item_sum)
{
    size_t all, rim = 0, one;
    size_t per = a->per < a->items ? a->per : a->items;
    if (yoke__mul_overflows(a->items, a->item_bytes, &all) || yoke__mul_overflows(per, a->item_bytes, &one))
        return false;
    if (a->is_sliced && yoke__add_overflows(*item_sum, one, item_sum))
        return false;
    if (all <= hard)
        return true;
    if (!a->is_sliced || r->task.indivisible || yoke__add_overflows(a->before, a->after, &rim) ||
        yoke__mul_overflows(rim, a->item_bytes, &rim) || rim > hard || one > hard - rim)
        return false;
    size_t most = (hard - rim) / one;
    r->most = most < r->most ? most : r->most;
    return true;
}

/* What has to be brought comes in pieces, so that transfers run beside kernels; what is there needs no limit. */
static bool limit_by_place(run *r, const run_array *a, size_t hard, size_t *item_sum)
{
    yoke__span part;
    uint32_t holders;
    if (!a->used || a->shared != NOT_SHARED)
        return true;
    if (a->mirror == NULL || a->writes_back)
        return limit_by(r, a, hard, item_sum);
    const yoke__span all = piece_span(a, (piece_range){0, a->items});
    if (!a->up || !a->is_sliced ||
        !yoke__residency_missing(a->block, atomic_load(&r->session->mirrors.home), all, &part, &holders))
        return true;
    return !yoke__add_overflows(*item_sum, a->item_bytes * (a->per < a->items ? a->per : a->items), item_sum);
}

static size_t default_limit(const device *d)
{
    uint64_t share = d->facts.memory_bytes / 8;
    return share > 0 && share < DEFAULT_PIECE_BYTES ? (size_t)share : DEFAULT_PIECE_BYTES;
}

static verdict find_limits(run *r)
{
    session *s = r->session;
    const device *d = r->device;
    size_t hard = d->facts.array_bytes < SIZE_MAX ? (size_t)d->facts.array_bytes : SIZE_MAX, sum = 0;
    size_t widest = SIZE_MAX / 8;
    if (d->has_32_bit_addresses) {
        hard = hard < LIMIT_32_BIT ? hard : LIMIT_32_BIT;
        widest = LIMIT_32_BIT;
    }
    if (s->piece_bytes_limit == 0)
        s->piece_bytes_limit = default_limit(d);
    r->most = r->task.items;
    for (unsigned k = 0; k < ARRAYS; k++)
        if (!limit_by_place(r, &r->array[k], hard, &sum))
            return TOO_LARGE;
    size_t most = sum > 0 ? s->piece_bytes_limit / sum : r->most;
    if (!r->task.indivisible && most < r->most)
        r->most = most > 0 ? most : 1;
    size_t threads = r->shape == YOKE_SHAPE_REDUCE ? widest / REDUCE_ITEMS : widest;
    if (r->task.call.size[0] > widest || (r->task.indivisible && r->most > threads))
        return TOO_LARGE;
    r->most = r->most < threads ? r->most : threads;
    return FINE;
}

/* Bytes of all arrays per item, wherever they are. */
static size_t bytes_per_item(const run *r)
{
    size_t sum = 0;
    for (unsigned k = 0; k < ARRAYS; k++)
        if (r->array[k].used && r->array[k].is_sliced)
            sum += r->array[k].item_bytes * r->array[k].per;
    return sum > 0 ? sum : 1;
}

static size_t clamp(double items, size_t most)
{
    return items >= (double)most ? most : items < 1 ? 1 : (size_t)items;
}

/* Of a device with long launches short pieces take as long as larger ones: what looks like expensive items must not make
 * pieces ever smaller. */
static double good_size(const run *r)
{
    const double share = fmin((double)r->task.items / LEAST_SHARE, LONGEST_NS / r->item_ns);
    return fmax(PIECE_NS / r->item_ns, share);
}

static size_t next_size(const run *r)
{
    if (r->task.indivisible)
        return r->task.items;
    if (r->item_ns > 0 && r->size > 0)
        return clamp(fmin(good_size(r), (double)r->size * GROWTH), r->most);
    if (r->item_ns > 0) {
        bool undivided = (double)r->task.items * r->item_ns < UNDIVIDED_NS;
        return undivided ? r->most : clamp(good_size(r), r->most);
    }
    size_t share = r->task.items / FIRST_SHARE, least = FIRST_PIECE_BYTES / bytes_per_item(r);
    return clamp((double)(share > least ? share : least), r->most);
}

double run_work_items(const run *r, piece_range range)
{
    return (double)(range.end - range.begin) * (double)r->grain;
}

/* --- pieces --- */

bool range_add(piece_range *list, unsigned *count, piece_range range)
{
    for (unsigned k = 0; k < *count; k++) {
        piece_range *other = &list[k];
        if (range.end == other->begin || range.begin == other->end) {
            other->begin = range.begin < other->begin ? range.begin : other->begin;
            other->end = range.end > other->end ? range.end : other->end;
            return true;
        }
    }
    if (*count == PENDING)
        return false;
    list[(*count)++] = range;
    return true;
}

/* LEFT, or FINE with f->active telling whether there is a piece. */
static verdict take_piece(run *r, flight *f)
{
    size_t size = next_size(r);
    if (atomic_load_explicit(&r->stops, memory_order_relaxed) != 0)
        return FINE;
    if (!run_touch(r))
        return LEFT;
    if (r->pending_count > 0) {
        f->range = r->pending[--r->pending_count];
        if (f->range.end - f->range.begin > size) { /* the place it came from is free */
            r->pending[r->pending_count++] = (piece_range){f->range.begin + size, f->range.end};
            f->range.end = f->range.begin + size;
        }
        f->active = true;
    } else {
        f->active = r->task.take(r->task.context, size, &f->range.begin, &f->range.end);
    }
    errand_touch_end(&r->errand);
    if (f->active)
        r->size = f->range.end - f->range.begin;
    return FINE;
}

static void learn(run *r, const flight *f)
{
    int64_t now = yoke__now_ns(), since = f->started > r->last_end ? f->started : r->last_end;
    double items = (double)(f->range.end - f->range.begin);
    r->last_end = now;
    r->item_ns = (double)(now - since + 1) / items;
    r->program->item_ns = r->item_ns / (double)r->grain;
    const int64_t took = now - f->started; /* short ones tell of the launch, not of the kernel */
    const double work_items = run_work_items(r, f->range), item_ns = (double)(took + 1) / work_items;
    const bool tells = f->alone && (took >= LEARN_NS || work_items >= LEARN_ITEMS);
    /* Any is an upper bound; otherwise one short launch that took long would have all later calls cut small for good. */
    if (tells || item_ns < program_item_ns(r->program, work_items))
        program_learn(r->program, f->choice, work_items, item_ns);
}

/* A device that is this CPU needs our cores: the caller sleeps then, and for a short piece the driver thread stays awake
 * and gives way. */
static void poll_if_short(const run *r, const flight *f)
{
    const double items = run_work_items(r, f->range);
    const cl_event last = f->events.count > 0 ? f->events.list[f->events.count - 1] : NULL;
    if (!r->program->on_cpu || last == NULL || items * program_item_ns(r->program, items) > SHORT_NS)
        return;
    cl_int state = CL_QUEUED;
    const int64_t until = yoke__now_ns() + POLL_NS;
    while (state > CL_COMPLETE && yoke__now_ns() < until) {
        for (unsigned k = 0; k < RELAXES_PER_POLL; k++)
            yoke__relax();
        (void)sched_yield();
        if (r->cl->clGetEventInfo(last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) != CL_SUCCESS)
            return; /* the wait that follows tells */
    }
}

static verdict finish(run *r, unsigned q)
{
    flight *f = &r->flight[q];
    f->flying = false;
    poll_if_short(r, f);
    verdict v = run_settle(r, q, &f->events); /* the kernel came after the prelude: one sleep for both */
    v = worse(v, run_settle(r, 0, &r->prelude));
    atomic_store_explicit(&r->beat, yoke__now_ns(), memory_order_relaxed);
    if (v != FINE)
        return v;
    learn(r, f);
    v = piece_commit(r, q);
    traced_piece_end(r, q);
    return v;
}

static verdict start(run *r, unsigned q, bool *is_all)
{
    flight *f = &r->flight[q], *other = &r->flight[(q + 1) % QUEUES];
    if (other->active)
        other->alone = false;
    traced_piece_begin(r, q);
    verdict v = piece_start(r, q, !other->active);
    if (v != FINE)
        return v;
    f->flying = true;
    *is_all = f->range.begin == 0 && f->range.end == r->task.items;
    if (*is_all && !r->program->on_cpu) /* the wait that follows sends it off */
        return FINE;
    cl_int error = r->cl->clFlush(r->session->queue[q]);
    return error == CL_SUCCESS ? FINE : run_judge(r, "clFlush", error);
}

/* The last piece takes along what has to come back at the end. */
static verdict drain(run *r, unsigned q)
{
    verdict v = FINE;
    for (unsigned k = 0; k < QUEUES && v == FINE; k++, q = (q + 1) % QUEUES) {
        if (!r->flight[q].active)
            continue;
        if (!r->flight[(q + 1) % QUEUES].active)
            v = kept_to_host(r, q, &r->flight[q].events);
        if (v == FINE)
            v = finish(r, q);
    }
    return v;
}

static verdict pump(run *r)
{
    verdict v = FINE;
    for (unsigned q = 0; v == FINE; q = (q + 1) % QUEUES) {
        bool is_all = false;
        flight *f = &r->flight[q];
        if (f->active)
            v = finish(r, q);
        if (v == FINE)
            v = take_piece(r, f);
        if (v == FINE && !f->active)
            return drain(r, q);
        if (v == FINE)
            v = start(r, q, &is_all);
        /* Of a kernel that was never seen, or with another work-group size, the first piece tells the speed. */
        bool is_new = r->item_ns <= 0 || !program_was_tried(r->program, f->choice, run_work_items(r, f->range));
        if (v == FINE && is_new && f->alone && !is_all)
            v = finish(r, q);
    }
    return v;
}

/* --- when a call failed --- */

static verdict renew_queues(run *r)
{
    session *s = r->session;
    for (unsigned q = 0; q < QUEUES; q++) {
        cl_int error;
        cl_command_queue fresh = r->cl->clCreateCommandQueue(s->context, r->device->id,
                                                             yoke__tracing() ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
        if (error != CL_SUCCESS || fresh == NULL) {
            (void)run_judge(r, "clCreateCommandQueue", error);
            return DEAD;
        }
        (void)r->cl->clReleaseCommandQueue(s->queue[q]);
        s->queue[q] = fresh;
    }
    return FINE;
}

/* Waits for all that is in flight: what went well is committed, the rest will be tried again. */
static verdict collect(run *r, verdict v)
{
    for (unsigned q = 0; q < QUEUES; q++) {
        flight *f = &r->flight[q];
        if (f->active && f->flying)
            v = worse(v, finish(r, q));
        else
            (void)run_settle(r, q, &f->events);
        if (v == LEFT || !f->active)
            continue;
        if (!run_touch(r))
            return LEFT;
        piece_spoil(r, q);
        f->active = !range_add(r->pending, &r->pending_count, f->range);
        errand_touch_end(&r->errand);
        if (f->active)
            return TOO_LARGE;
    }
    (void)run_settle(r, 0, &r->prelude);
    return v;
}

static verdict halve(run *r)
{
    size_t half = r->session->piece_bytes_limit / 2;
    if (half < LEAST_PIECE_BYTES || (r->task.indivisible && r->has_halved))
        return TOO_LARGE;
    r->session->piece_bytes_limit = half;
    r->has_halved = true;
    return find_limits(r);
}

static verdict recover(run *r, verdict v)
{
    const cl_int first_error = r->failed_error;
    v = collect(r, v);
    if (v == LEFT)
        return v;
    r->is_ready = false;
    for (unsigned q = 0; q < QUEUES; q++) { /* what may still use our memory */
        cl_int error = r->cl->clFinish(r->session->queue[q]);
        if (error != CL_SUCCESS) {
            (void)run_judge(r, "clFinish", error);
            return DEAD;
        }
    }
    buffers_release(r->session);
    if (v == OUT_OF_MEMORY && mirrors_shed(r))
        return find_limits(r);
    if (v == OUT_OF_MEMORY)
        return halve(r);
    if (v != BROKEN)
        return v;
    if (r->has_retried) { /* memory that is found missing at the launch is told so, too */
        r->failed_error = first_error;
        return first_error == CL_OUT_OF_RESOURCES && halve(r) == FINE ? renew_queues(r) : DEAD;
    }
    r->has_retried = true;
    return renew_queues(r);
}

/* However it went, the host gets back what is its. */
static verdict give_back(run *r, verdict v)
{
    if (v == LEFT || v == DEAD)
        return v;
    verdict kept = kept_to_host(r, 0, &r->prelude);
    kept = worse(kept, run_settle(r, 0, &r->prelude));
    if (kept != FINE)
        return DEAD;
    if (r->finished_count > 0) {
        if (!run_touch(r))
            return LEFT;
        for (unsigned k = 0; k < r->finished_count; k++)
            r->task.done(r->task.context, r->finished[k].begin, r->finished[k].end);
        r->finished_count = 0;
        errand_touch_end(&r->errand);
    }
    shared_drop_freed(r->session);
    return v;
}

/* A device that ran out of memory once may have it again. */
static void raise_limit(session *s)
{
    if (s->piece_bytes_limit != 0 && s->failures == 0)
        s->piece_bytes_limit = s->piece_bytes_limit < default_limit(s->device) / 2 ? 2 * s->piece_bytes_limit : 0;
}

void run_on_driver(errand *e)
{
    run *r = (run *)e;
    raise_limit(r->session);
    verdict v = shared_find(r);
    if (v == FINE)
        v = mirrors_find(r);
    r->item_ns = (double)r->grain * program_item_ns(r->program, (double)r->task.items * (double)r->grain);
    if (v == FINE)
        v = find_limits(r);
    while (v == FINE) {
        v = pump(r);
        if (v == FINE || v == LEFT)
            break;
        v = recover(r, v);
    }
    r->session->has_orphans |= v == LEFT || v == DEAD;
    r->verdict = give_back(r, v);
}
