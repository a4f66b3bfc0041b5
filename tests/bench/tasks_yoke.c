/* Tasks of Yoke, by its public headers alone, built as any program is. Modes: "threads", a future for each task, submitted
 * by one thread and gathered; "helps", on a pool whose tasks that thread runs too while it waits; "map", the same by
 * yoke_map(); "processes", on a pool of processes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yoke/yoke.h>

#include "contestant.h"
#include "tasks.h"

/* How the pool of threads is opened in each mode; `threads` is added. */
static const struct {
    const char *mode;
    yoke_thread_pool_options options;
} thread_pools[] = {
    {"threads", {.flags = 0}},
    {"helps", {.flags = YOKE_POOL_CALLER_HELPS}},
    {"map", {.flags = 0}},
};
enum { THREAD_POOLS = sizeof thread_pools / sizeof thread_pools[0] };

static yoke_executor *pool;
static bench_job *current;
static unsigned cut;

static void must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "bench: yoke: %s: %s\n", yoke_strerror(status), yoke_error_detail());
    _Exit(1);
}

static int task(void *argument, void *result)
{
    (void)result;
    bench_task(current, (size_t)(uintptr_t)argument);
    return 0;
}

static void one(bench_job *job)
{
    yoke_future future = {0};
    current = job;
    must(yoke_submit(pool, &future, task, NULL));
    must(yoke_result(&future, NULL, 0, 0));
}

/* They stay for the next call, as other runtimes keep their memory. */
static struct {
    yoke_future *futures, **pointers;
    size_t count;
} many;

static void have(size_t count)
{
    if (many.count == count)
        return;
    free(many.futures);
    free(many.pointers);
    many.futures = calloc(count, sizeof *many.futures);
    many.pointers = calloc(count, sizeof *many.pointers);
    many.count = count;
    if (many.futures == NULL || many.pointers == NULL)
        must(YOKE_ENOMEM);
    for (size_t k = 0; k < count; k++)
        many.pointers[k] = &many.futures[k];
}

static void submit_each(bench_job *job)
{
    current = job;
    have(job->n);
    for (size_t k = 0; k < job->n; k++)
        must(yoke_submit(pool, &many.futures[k], task, (void *)(uintptr_t)k));
    must(yoke_gather(many.pointers, job->n, 0));
}

static int item(void *argument, void *result)
{
    const float *place = argument, *first = current->out[0];
    (void)result;
    bench_task(current, place != NULL ? (size_t)(place - first) : 0);
    return 0;
}

static void map_tasks(bench_job *job)
{
    current = job;
    must(yoke_map(pool, item, job->n, job->out[0], job->out[0] != NULL ? sizeof(float) : 0, NULL, 0));
}

static int square(void *argument, void *result)
{
    const float *x = argument;
    *(float *)result = *x * *x;
    return 0;
}

static void squares(bench_job *job)
{
    must(yoke_map(pool, square, job->n, job->in[0], sizeof(float), job->out[0], sizeof(float)));
}

/* With an argument and a result, for carrying them is what a process costs. */
static void one_square(bench_job *job)
{
    static const yoke_task_options copied = {.argument_bytes = sizeof(float)};
    yoke_future future = {0};
    float x = 3.0f, squared;
    (void)job;
    must(yoke_submit_on(pool, &copied, &future, square, &x));
    must(yoke_result(&future, &squared, sizeof squared, 0));
}

static long fib(unsigned n);

static int fib_task(void *argument, void *result)
{
    *(long *)result = fib((unsigned)(uintptr_t)argument);
    return 0;
}

static long fib(unsigned n)
{
    yoke_future future = {0};
    long a;
    if (n <= cut)
        return bench_fib(n);
    must(yoke_submit(pool, &future, fib_task, (void *)(uintptr_t)(n - 1)));
    const long b = fib(n - 2);
    must(yoke_result(&future, &a, sizeof a, 0));
    return a + b;
}

static void fibonacci(bench_job *job)
{
    yoke_future future = {0};
    long value;
    cut = (unsigned)job->workload->iterations;
    must(yoke_submit(pool, &future, fib_task, (void *)(uintptr_t)job->n));
    must(yoke_result(&future, &value, sizeof value, 0));
    job->result = (float)value;
}

static void open_pool(const char *mode)
{
    if (pool != NULL)
        return;
    if (strcmp(mode, "processes") == 0)
        pool = yoke_process_pool(bench_threads());
    for (size_t k = 0; k < THREAD_POOLS && pool == NULL; k++) {
        yoke_thread_pool_options options = thread_pools[k].options;
        options.threads = bench_threads();
        if (strcmp(mode, thread_pools[k].mode) == 0)
            pool = yoke_thread_pool_on(&options);
    }
    if (pool == NULL)
        must(YOKE_ESTATE);
}

static bench_call find(bench_job *job)
{
    const bool processes = strcmp(job->mode, "processes") == 0, map = strcmp(job->mode, "map") == 0;
    open_pool(job->mode);
    switch (job->workload->kind) {
    case BENCH_TASKS:
        if (job->n == 1)
            return processes ? one_square : map ? NULL : one;
        return processes ? NULL : map ? map_tasks : submit_each;
    case BENCH_FIB: return processes || map ? NULL : fibonacci;
    case BENCH_SQUARES: return squares;
    default: return NULL;
    }
}

static void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

const struct bench_contestant bench_contestant = {find, parallel, NULL, NULL, NULL};
