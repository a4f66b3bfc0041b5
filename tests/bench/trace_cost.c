/* What watching costs: calls of some 20 us, 100 us and 1 ms with a trace written or counters kept, against the same calls
 * without, in processes of their own, in turns; the ratio of times within a round. "off" is there twice: what its second
 * process differs by is the noise of the others.
 * usage: bench_trace FOLDER-OF-THIS-PROGRAM [GENERATIONS] */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yoke/kernels.h>
#include <yoke/yoke.h>

#include "clock.h"
#include "numbers.h"
#include "process.h"

enum { GENERATIONS = 5, MOST_GENERATIONS = 100, ROUNDS = 15, WARM_CALLS = 20, LEAST_OF = 8, MOST_ITEMS = 1 << 22 };
#define TURN_SECONDS 0.01
#define LEARN_SECONDS 0.3
#define PATIENCE 60.0
#define GOAL 1.01
#define GOAL_SECONDS 100e-6 /* from there on */

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "bench_trace: %s: %s\n", what, detail);
    exit(1);
}

/* --- the process that is measured --- */

static float *a, *b, *c, *d, *e;
static yoke_runtime *runtime;

typedef int call_of(size_t n);

static int triad(size_t n)
{
    return parallel_map_on(runtime, NULL, yoke_triad, n, a, b, c, 2.0f);
}
static int black_scholes(size_t n)
{
    return parallel_map_on(runtime, NULL, yoke_black_scholes, n, a, b, c, 0.02f, 0.3f, d, e);
}

static const struct workload {
    const char *name;
    call_of *call;
} workloads[] = {{"triad", triad}, {"black_scholes", black_scholes}};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static double seconds_of(call_of *call, size_t n, unsigned calls)
{
    const double start = bench_seconds(CLOCK_MONOTONIC);
    for (unsigned k = 0; k < calls; k++)
        if (call(n) != 0)
            fail("a call", yoke_error_detail());
    return (bench_seconds(CLOCK_MONOTONIC) - start) / calls;
}

static void learn(call_of *call, size_t n)
{
    const double end = bench_seconds(CLOCK_MONOTONIC) + LEARN_SECONDS;
    while (bench_seconds(CLOCK_MONOTONIC) < end)
        (void)seconds_of(call, n, WARM_CALLS);
}

/* Of several turns the least, which others disturbed least. */
static double least_of(call_of *call, size_t n)
{
    double least = seconds_of(call, n, WARM_CALLS);
    for (int k = 0; k < LEAST_OF; k++) {
        const double seconds = seconds_of(call, n, WARM_CALLS);
        least = seconds < least ? seconds : least;
    }
    return least;
}

/* Items that take so long. */
static size_t items_for(call_of *call, double seconds)
{
    size_t n = 1024;
    learn(call, n);
    for (int k = 0; k < 8; k++) {
        const double items = (double)n * seconds / least_of(call, n);
        n = items < 64 ? 64 : items > MOST_ITEMS ? MOST_ITEMS : (size_t)items;
    }
    learn(call, n);
    return n;
}

static float *array(void)
{
    float *x = yoke_alloc(MOST_ITEMS * sizeof *x, YOKE_PLACE_DEFAULT);
    if (x == NULL)
        fail("an array", yoke_error_detail());
    for (size_t k = 0; k < MOST_ITEMS; k++)
        x[k] = 1.0f + (float)(k % 100) * 0.01f;
    return x;
}

static int serve(void)
{
    char line[128];
    unsigned which, calls;
    size_t n;
    double seconds;
    runtime = yoke_open(&(yoke_runtime_options){.devices = "cpu"});
    if (runtime == NULL)
        fail("a runtime", yoke_error_detail());
    a = array(), b = array(), c = array(), d = array(), e = array();
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "size %u %lf", &which, &seconds) == 2 && which < WORKLOADS) {
            printf("ok %zu\n", items_for(workloads[which].call, seconds));
        } else if (sscanf(line, "learn %u %zu", &which, &n) == 2 && which < WORKLOADS && n <= MOST_ITEMS) {
            learn(workloads[which].call, n);
            puts("ok");
        } else if (sscanf(line, "run %u %zu %u", &which, &n, &calls) == 3 && which < WORKLOADS && n <= MOST_ITEMS) {
            (void)seconds_of(workloads[which].call, n, WARM_CALLS);
            printf("ok %.9g\n", seconds_of(workloads[which].call, n, calls));
        } else {
            puts("none");
        }
        fflush(stdout);
    }
    return 0;
}

/* --- who asks them --- */

#define TRACE_FILE "/dev/shm/bench-trace-"
#define CHILD "BENCH_TRACE_CHILD=1"
static const struct way {
    const char *name;
    const char *environment[5];
} ways[] = {
    {"off", {CHILD, NULL}},
    {"off again", {CHILD, NULL}},
    {"trace", {CHILD, "YOKE_TRACE=" TRACE_FILE "1", NULL}},
    {"counters", {CHILD, "YOKE_COUNTERS=1", NULL}},
    {"both", {CHILD, "YOKE_TRACE=" TRACE_FILE "2", "YOKE_COUNTERS=1", NULL}},
};
enum { WAYS = sizeof ways / sizeof *ways };
static const double lengths[] = {20e-6, 100e-6, 1e-3};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static struct bench_process process[WAYS];
static double ratio[WAYS][MOST_GENERATIONS * ROUNDS], off_seconds[MOST_GENERATIONS * ROUNDS];

static double ask(unsigned way, const char *question)
{
    char text[256];
    if (bench_process_ask(&process[way], question, text, sizeof text, PATIENCE) != BENCH_OK)
        fail(ways[way].name, text);
    return strtod(text, NULL);
}

static void start(const char *folder)
{
    for (unsigned way = 0; way < WAYS; way++)
        if (!bench_process_start(&process[way], folder, "bench_trace", ways[way].environment))
            fail(folder, "there is no bench_trace");
}

static void end(void)
{
    for (unsigned way = 0; way < WAYS; way++)
        bench_process_end(&process[way]);
    (void)yoke_watchable(NULL, 0); /* removes what they left */
    (void)unlink(TRACE_FILE "1");
    (void)unlink(TRACE_FILE "2");
}

/* One generation of processes, for what a process has by chance (where its pages are, what it learned) is the same in all
 * its rounds. Who begins changes, so that nobody always follows the same one. */
static size_t one_generation(unsigned which, double seconds, size_t n, double *times)
{
    char question[128];
    (void)snprintf(question, sizeof question, n == 0 ? "size %u %.9g\n" : "learn %u %.0f\n", which,
                   n == 0 ? seconds : (double)n);
    const double items = ask(0, question);
    n = n == 0 ? (size_t)items : n;
    (void)snprintf(question, sizeof question, "learn %u %zu\n", which, n);
    for (unsigned way = 1; way < WAYS; way++)
        (void)ask(way, question);
    const unsigned calls = (unsigned)(TURN_SECONDS / seconds);
    (void)snprintf(question, sizeof question, "run %u %zu %u\n", which, n, calls);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned k = 0; k < WAYS; k++) {
            const unsigned way = (round + k) % WAYS;
            times[way * ROUNDS + round] = ask(way, question);
        }
    return n;
}

static bool row(const char *folder, unsigned which, double seconds, unsigned generations)
{
    static double times[WAYS * ROUNDS];
    size_t n = 0, count = 0;
    bool good = true;
    for (unsigned k = 0; k < generations; k++) {
        start(folder);
        n = one_generation(which, seconds, n, times);
        end();
        for (unsigned round = 0; round < ROUNDS; round++, count++) {
            off_seconds[count] = times[round];
            for (unsigned way = 1; way < WAYS; way++)
                ratio[way][count] = times[way * ROUNDS + round] / times[round];
        }
    }
    const double off = bench_quantile(off_seconds, count, 0.5);
    printf("%-14s %5.0f %8zu %9.2f", workloads[which].name, 1e6 * seconds, n, 1e6 * off);
    for (unsigned way = 1; way < WAYS; way++) {
        const double low = bench_quantile(ratio[way], count, 0.25), high = bench_quantile(ratio[way], count, 0.75);
        const double middle = bench_quantile(ratio[way], count, 0.5);
        printf("  %6.4f (%6.4f-%6.4f)", middle, low, high);
        good &= way == 1 || seconds < GOAL_SECONDS || middle < GOAL;
    }
    printf(" %s\n", good ? "" : "more");
    fflush(stdout);
    return good;
}

int main(int argc, char **argv)
{
    if (getenv("BENCH_TRACE_CHILD") != NULL)
        return serve();
    const char *folder = argc > 1 ? argv[1] : ".";
    const long asked = argc > 2 ? strtol(argv[2], NULL, 10) : GENERATIONS;
    const unsigned generations = asked < 1 ? 1 : asked > MOST_GENERATIONS ? MOST_GENERATIONS : (unsigned)asked;
    unsigned good = 0;
    printf("%-14s %5s %8s %9s", "workload", "aim", "n", "off, us");
    for (unsigned way = 1; way < WAYS; way++)
        printf("  %-22s", ways[way].name);
    puts("");
    for (unsigned which = 0; which < WORKLOADS; which++)
        for (unsigned k = 0; k < LENGTHS; k++)
            good += row(folder, which, lengths[k], generations);
    printf(
        "times against off, medians (quartiles) of %u rounds in %u processes each; %u of %d rows: less than 1 %% more "
        "for calls of 100 us and longer\n",
        generations * ROUNDS, generations, good, WORKLOADS * LENGTHS);
    return 0;
}
