/* YOKE_CHECK: before a call runs, its kernel runs on copies, on the calling thread, in several orders and item by item;
 * what breaks a promise of its parameters is told, and the call fails. Results of devices are compared with the CPU's. */
#include <string.h>

#include "lib/parallel/checking.h"
#include "lib/trace/trace.h"

enum { FIRST_UNITS = 64, MOST_CHUNKS = 64 };
static const int64_t most_ns = 2000000000, chunk_ns = 100000000;

/* --- one check at a time: signal handlers belong to the process --- */

static _Atomic uint32_t owner; /* 1 + the fork count of the holder's process; 0: free */

void yoke__handlers_lock(void)
{
    const uint32_t mine = yoke__fork_count() + 1;
    for (uint32_t held = 0; !atomic_compare_exchange_weak(&owner, &held, mine); held = 0) {
        if (held == 0)
            continue;
        if (held != mine && atomic_compare_exchange_strong(&owner, &held, mine)) /* left behind by a fork */
            return;
        yoke__futex_wait(&owner, mine, -1);
    }
}

void yoke__handlers_unlock(void)
{
    atomic_store(&owner, 0);
    yoke__futex_wake(&owner, 1);
}

/* --- chunks --- */

/* Item by item where the shape has them: what an item writes to the next one's elements then stays. */
static bool run_backwards(yoke__check *c, size_t begin, size_t end)
{
    const bool lanes = c->kernel->shape == YOKE_SHAPE_LANES, columns = c->kernel->shape == YOKE_SHAPE_MAP_2D;
    const size_t step = lanes ? yoke_lanes_max : 1;
    bool whole = true;
    for (size_t blocks = (end - begin + step - 1) / step; whole && blocks > 0; blocks--) {
        const size_t from = begin + (blocks - 1) * step, to = end - from < step ? end : from + step;
        if (!columns)
            whole = yoke__stage_run(&c->stage, from, to);
        for (size_t column = c->stage.row; columns && whole && column > 0; column--)
            whole = yoke__stage_run_column(&c->stage, from, column - 1);
    }
    return whole;
}

static void keep(yoke__check *c, size_t begin, size_t end)
{
    c->chunk = begin;
    for (uint32_t arrays = c->kernel->written; arrays != 0; arrays &= arrays - 1) {
        yoke__staged *a = &c->stage.array[__builtin_ctz(arrays)];
        const size_t bytes = a->unit_bytes != 0 ? (end - begin) * a->unit_bytes : a->bytes;
        if (bytes != 0)
            memcpy(a->kept, a->unit_bytes != 0 ? yoke__stage_at(a, begin) : a->base, bytes);
    }
}

/* What was checked takes the array's place in no later one: chunks are looked at by themselves. */
static int check_chunk(yoke__check *c, size_t begin, size_t end)
{
    const yoke__where where = {begin, end, false, 0};
    yoke__stage_put(&c->stage, begin, end, false, FILL_A);
    if (!yoke__stage_run(&c->stage, begin, end))
        return yoke__check_locate(c, begin, end);
    keep(c, begin, end);
    int status = yoke__check_alone(c, begin, end); /* it tells most exactly */
    if (status != YOKE_OK)
        return status;
    yoke__stage_put(&c->stage, begin, end, true, FILL_B);
    if (!run_backwards(c, begin, end))
        return yoke__check_locate(c, begin, end);
    status = yoke__check_inputs(c, where);
    if (status == YOKE_OK && c->stage.scatters)
        status = yoke__check_scatters(c);
    if (status == YOKE_OK && !c->stage.scatters)
        status = yoke__check_results(c, begin, end, run_backwards);
    return status;
}

/* The chunk's length, from how long the first units took. */
static size_t chunk_for(const yoke__check *c, size_t first, int64_t took_ns)
{
    const double wanted = (double)chunk_ns / ((double)(took_ns + 1) / (double)first);
    size_t chunk = wanted < (double)c->stage.chunk ? (size_t)wanted : c->stage.chunk;
    if (c->kernel->shape == YOKE_SHAPE_LANES)
        chunk = chunk / yoke_lanes_max * yoke_lanes_max;
    return chunk > first ? chunk : first;
}

static uint64_t draw_below(yoke__check *c, uint64_t limit)
{
    c->random = c->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (c->random >> 20) % limit;
}

/* The first units, the last ones, and all between them or a sample. */
static int check_chunks(yoke__check *c)
{
    const size_t units = c->stage.units;
    size_t first = c->stage.row > 1 ? 1 : FIRST_UNITS;
    if (c->stage.scatters || first > c->stage.chunk)
        first = c->stage.chunk;
    const int64_t start = yoke__check_clock();
    int status = check_chunk(c, 0, first);
    if (status != YOKE_OK || first == units)
        return status;
    size_t chunk = chunk_for(c, first, yoke__check_clock() - start);
    if (chunk == 0)
        chunk = 1;
    const size_t chunks = (units - first + chunk - 1) / chunk;
    const size_t wanted = chunks < MOST_CHUNKS ? chunks : MOST_CHUNKS;
    size_t checked = first, done = 0;
    for (; done < wanted && status == YOKE_OK && (done == 0 || !yoke__check_is_late(c)); done++) {
        size_t k = done == 0 ? chunks - 1 : chunks == wanted ? done - 1 : (size_t)draw_below(c, chunks - 1);
        const size_t begin = first + k * chunk, end = units - begin < chunk ? units : begin + chunk;
        status = check_chunk(c, begin, end);
        checked += end - begin;
    }
    if (status == YOKE_OK && done < chunks)
        return yoke__not_looked_at(c->checks, c->kernel,
                                   "not all was checked, but the first, the last and some of the "
                                   "%zu %s (about %zu); another YOKE_CHECK draws others",
                                   units, c->stage.row > 1 ? "rows" : "items", checked);
    return status;
}

static int check_kernel(yoke_runtime *runtime, const yoke__checked *checked)
{
    yoke__check c = {.checks = runtime->checks,
                     .kernel = checked->kernel,
                     .random = runtime->checks->seed,
                     .deadline = yoke__check_clock() + most_ns};
    if (yoke__stage_open(&c.stage, runtime, checked) != YOKE_OK)
        return yoke__not_looked_at(c.checks, c.kernel,
                                   "not checked: there is no memory for copies of its arrays (1 GiB "
                                   "at most)");
    int status = yoke__guards_watch(c.stage.area, AREAS);
    if (status == YOKE_OK) {
        status = check_chunks(&c);
        yoke__guards_unwatch();
    } else {
        status = yoke__not_looked_at(c.checks, c.kernel, "not checked: the system lets nobody catch SIGSEGV");
    }
    yoke__stage_close(&c.stage);
    return status;
}

/* --- the call --- */

/* Whether this call's decision, made since, was for a device. */
static bool device_took_part(unsigned decisions)
{
    yoke_decision decision;
    return yoke__decision_count() != decisions && yoke_last_decision(&decision) == YOKE_OK && decision.device_items > 0;
}

static int run_and_compare(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work)
{
    const unsigned decisions = yoke__decision_count();
    yoke__open_arrays(work);
    yoke__before *before = yoke__before_keep(work);
    yoke__close_arrays(work);
    int status = yoke__run_work(runtime, options, key, work);
    if (status == YOKE_OK)
        status = yoke__write_back(work);
    if (status == YOKE_OK && device_took_part(decisions)) {
        yoke__handlers_lock();
        status = before != NULL ? yoke__before_compare(before, runtime, work)
                                : yoke__not_looked_at(runtime->checks, work->checked->kernel,
                                                      "the device's results are not compared: no memory for copies (1 "
                                                      "GiB at most)");
        yoke__handlers_unlock();
    }
    yoke__before_free(before);
    return status;
}

static int check_and_run(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work)
{
    yoke__open_arrays(work);
    yoke__handlers_lock();
    int status = check_kernel(runtime, work->checked);
    yoke__handlers_unlock();
    yoke__close_arrays(work);
    if (status != YOKE_OK)
        return status;
    return runtime->devices != NULL ? run_and_compare(runtime, options, key, work)
                                    : yoke__run_work(runtime, options, key, work);
}

int yoke__run_checked(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work)
{
    yoke__borrowed borrowed;
    int status = yoke__borrow_copies(work, &borrowed);
    if (status == YOKE_OK)
        status = check_and_run(runtime, options, key, work);
    yoke__give_back(work, &borrowed, !yoke__has_flag(options, YOKE_WRITE_BACK));
    return status;
}
