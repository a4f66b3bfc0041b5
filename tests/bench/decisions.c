/* Whether the choice of place pays: for sizes from 1 to 1e8, the time of a call that decides by itself against that of the
 * best forced choice (the caller alone, the workers, a device, all together), in turns, after learning. The row is good
 * when it is at most 1.05 times the best, or 50 ns more.
 * usage: bench_decisions [DEVICES [LARGEST]]   DEVICES as in YOKE_DEVICES; "cpu,opencl:0" */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yoke/kernels.h>
#include <yoke/yoke.h>

#include "clock.h"
#include "numbers.h"

enum { ROUNDS = 15, LEARN_CALLS = 60, MOST_CALLS = 20000 };
#define TURN_SECONDS 0.002
#define LEARN_SECONDS 3.0
#define GOOD_RATIO 1.05
#define GOOD_SECONDS 50e-9

static float *a, *b, *c, *d, *e, sum;
static yoke_runtime *runtime;

typedef int call_of(const yoke_options *options, size_t n);

static int triad(const yoke_options *options, size_t n)
{
    return parallel_map_on(runtime, options, yoke_triad, n, a, b, c, 2.0f);
}
static int black_scholes(const yoke_options *options, size_t n)
{
    return parallel_map_on(runtime, options, yoke_black_scholes, n, a, b, c, 0.02f, 0.3f, d, e);
}
static int dot(const yoke_options *options, size_t n)
{
    return parallel_reduce_on(runtime, options, yoke_dot, n, &sum, a, b);
}

static const struct workload {
    const char *name;
    call_of *call;
} workloads[] = {{"triad", triad}, {"dot", dot}, {"black_scholes", black_scholes}};

/* The first is what Yoke does by itself. */
static const struct way {
    const char *name;
    const yoke_options *options;
} ways[] = {
    {"itself", NULL},
    {"caller", &(yoke_options){.devices = "cpu", .workers = 1}},
    {"workers", &(yoke_options){.devices = "cpu"}},
    {"device", &(yoke_options){.devices = "opencl"}},
    {"together", &(yoke_options){.flags = YOKE_ALWAYS_COEXECUTE}},
};
enum { WAYS = sizeof ways / sizeof *ways, WORKLOADS = sizeof workloads / sizeof *workloads };

static void must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "bench_decisions: %s: %s\n", yoke_strerror(status), yoke_error_detail());
    exit(1);
}

static double seconds_of(call_of *call, const yoke_options *options, size_t n, unsigned calls)
{
    const double start = bench_seconds(CLOCK_MONOTONIC);
    for (unsigned k = 0; k < calls; k++)
        must(call(options, n));
    return (bench_seconds(CLOCK_MONOTONIC) - start) / calls;
}

/* Calls that fill a turn. */
static unsigned calls_for(double seconds)
{
    const double calls = seconds > 0 ? TURN_SECONDS / seconds : MOST_CALLS;
    return calls < 1 ? 1 : calls > MOST_CALLS ? MOST_CALLS : (unsigned)calls;
}

static void learn(call_of *call, size_t n, unsigned *calls)
{
    for (unsigned way = 0; way < WAYS; way++) {
        const double end = bench_seconds(CLOCK_MONOTONIC) + LEARN_SECONDS;
        double last = 0;
        for (unsigned k = 0; k < LEARN_CALLS && bench_seconds(CLOCK_MONOTONIC) < end; k++)
            last = seconds_of(call, ways[way].options, n, 1 + calls_for(last > 0 ? last : 1));
        calls[way] = calls_for(last);
    }
}

static bool row(const struct workload *w, size_t n)
{
    static double seconds[WAYS][ROUNDS];
    unsigned calls[WAYS], best = 1;
    double median[WAYS];
    learn(w->call, n, calls);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned way = 0; way < WAYS; way++)
            seconds[way][round] = seconds_of(w->call, ways[way].options, n, calls[way]);
    for (unsigned way = 0; way < WAYS; way++)
        median[way] = bench_quantile(seconds[way], ROUNDS, 0.5);
    for (unsigned way = 2; way < WAYS; way++)
        best = median[way] < median[best] ? way : best;
    const bool good = median[0] <= GOOD_RATIO * median[best] || median[0] <= median[best] + GOOD_SECONDS;
    printf("%-14s %10zu", w->name, n);
    for (unsigned way = 0; way < WAYS; way++)
        printf(" %12.3f", 1e6 * median[way]);
    printf("  %-8s %6.2f %s\n", ways[best].name, median[0] / median[best], good ? "" : "slower");
    fflush(stdout);
    return good;
}

static float *array(size_t n)
{
    float *x = yoke_alloc(n * sizeof *x, YOKE_PLACE_DEFAULT);
    if (x == NULL)
        must(YOKE_ENOMEM);
    (void)yoke_write(x); /* new: this moves nothing */
    for (size_t k = 0; k < n; k++)
        x[k] = 1.0f + (float)(k % 100) * 0.01f;
    return x;
}

int main(int argc, char **argv)
{
    const char *devices = argc > 1 ? argv[1] : "cpu,opencl:0";
    const size_t largest = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000000;
    unsigned good = 0, rows = 0;
    runtime = yoke_open(&(yoke_runtime_options){.devices = devices});
    if (runtime == NULL)
        must(YOKE_ENODEV);
    a = array(largest), b = array(largest), c = array(largest), d = array(largest), e = array(largest);
    printf("%-14s %10s %12s %12s %12s %12s %12s  %-8s %6s   (us; devices: %s)\n", "workload", "n", ways[0].name,
           ways[1].name, ways[2].name, ways[3].name, ways[4].name, "best", "ratio", devices);
    for (unsigned w = 0; w < WORKLOADS; w++)
        for (size_t n = 1; n <= largest; n *= 10, rows++)
            good += row(&workloads[w], n);
    printf("%u of %u rows: at most %.2f times the best forced choice, or 50 ns more\n", good, rows, GOOD_RATIO);
    return yoke_close(runtime) == 0 ? 0 : 1;
}
