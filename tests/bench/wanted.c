#include "wanted.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

#define MEDIAN_MARGIN 0.97 /* of a wanted 1.0 */
#define ANY_GAP (-2)
#define MAX_NAMES 3

enum kind {
    RATIO,    /* against / mine, at least */
    EXTRA_NS, /* mine - against in nanoseconds, at most */
    EXTRA_US, /* the same in microseconds */
    IDLE_MS,  /* CPU time in a gap beyond against's, in milliseconds, at most */
    SPREAD    /* dearest / cheapest item from one size to another, at most */
};

struct wanted {
    const char *text;
    enum kind kind;
    const char *workloads[MAX_NAMES];
    double low, high; /* sizes */
    long gap;
    const char *mine;
    const char *against; /* an entry, "peer" or "limit" (the best of them) */
    enum bench_part part;
    double value;
};

#define RUN BENCH_THROUGHPUT

/* clang-format off */
static const struct wanted wanted[] = {
    {"empty map, divided, hot, p50",         RATIO, {"empty"}, 1e2, 1e6, 0, "yoke_divided", "omp_gcc", BENCH_P50, 1.3},
    {"empty map, divided, hot, p99",         RATIO, {"empty"}, 1e2, 1e6, 0, "yoke_divided", "omp_gcc", BENCH_P99, 1.3},
    {"1,000 after 1 ms idle",                RATIO, {"triad", "exp"}, 1e3, 1e3, 1000, "yoke", "peer", BENCH_P50, 1.5},
    {"1,000 after 20 ms idle",               RATIO, {"triad", "exp"}, 1e3, 1e3, 20000, "yoke", "peer", BENCH_P50, 1.5},
    {"  the same against serial",            RATIO, {"triad", "exp"}, 1e3, 1e3, ANY_GAP, "yoke", "serial", BENCH_P50, 1 / 1.2},
    {"  workers asleep within, ms",          IDLE_MS, {"triad", "exp"}, 1e3, 1e3, 20000, "yoke", "serial", BENCH_IDLE, 1},
    {"map of 1 beyond a plain call, ns",     EXTRA_NS, {"triad"}, 1, 1, RUN, "yoke", "serial", BENCH_P50, 30},
    {"triad, copy at 1e3",                   RATIO, {"triad", "copy"}, 1e3, 1e3, RUN, "yoke", "peer", BENCH_P50, 5},
    {"exp at 1e3",                           RATIO, {"exp"}, 1e3, 1e3, RUN, "yoke", "peer", BENCH_P50, 3},
    {"triad, copy, exp at 1e4",              RATIO, {"triad", "copy", "exp"}, 1e4, 1e4, RUN, "yoke", "peer", BENCH_P50, 1},
    {"triad, copy at 1e5 and 1e6",           RATIO, {"triad", "copy"}, 1e5, 1e6, RUN, "yoke", "peer", BENCH_P50, 1},
    {"triad, copy at 1e8",                   RATIO, {"triad", "copy"}, 1e8, 1e8, RUN, "yoke", "peer", BENCH_P50, 1.4},
    {"stencil 8192 x 8192",                  RATIO, {"heat"}, 6e7, 7e7, RUN, "yoke", "peer", BENCH_P50, 1.2},
    {"triad at 1e8",                         RATIO, {"triad"}, 1e8, 1e8, RUN, "yoke", "limit_nt", BENCH_P50, 0.95},
    {"copy at 1e8",                          RATIO, {"copy"}, 1e8, 1e8, RUN, "yoke", "limit_nt", BENCH_P50, 0.90},
    {"stencil 8192 x 8192",                  RATIO, {"heat"}, 6e7, 7e7, RUN, "yoke", "limit_nt", BENCH_P50, 0.95},
    {"sum, dot, 1e4 to 1e7",                 RATIO, {"sum", "dot"}, 1e4, 1e7, RUN, "yoke", "peer", BENCH_P50, 1},
    {"sum, dot at 1e8",                      RATIO, {"sum", "dot"}, 1e8, 1e8, RUN, "yoke", "peer", BENCH_P50, 1.15},
    {"sum, dot at 1e5",                      RATIO, {"sum", "dot"}, 1e5, 1e5, RUN, "yoke", "tbb_static", BENCH_P50, 5},
    {"exp, sin, Black-Scholes, 1e4 to 1e6",  RATIO, {"exp", "sin", "black_scholes"}, 1e4, 1e6, RUN, "yoke", "peer", BENCH_P50, 1},
    {"exp, sin at 1e8",                      RATIO, {"exp", "sin"}, 1e8, 1e8, RUN, "yoke", "peer", BENCH_P50, 1.3},
    {"Black-Scholes at 1e8",                 RATIO, {"black_scholes"}, 1e8, 1e8, RUN, "yoke", "peer", BENCH_P50, 1},
    {"n-body, 16,384 bodies",                RATIO, {"nbody"}, 1e4, 1e5, RUN, "yoke", "peer", BENCH_P50, 1.05},
    {"Mandelbrot 2048 x 2048, 256",          RATIO, {"mandelbrot_256"}, 4e6, 5e6, RUN, "yoke", "peer", BENCH_P50, 18},
    {"Mandelbrot 2048 x 2048, 1,000",        RATIO, {"mandelbrot_1000"}, 4e6, 5e6, RUN, "yoke", "peer", BENCH_P50, 18},
    {"cost per item, 1e5 to 1e8: spread",    SPREAD, {"black_scholes"}, 1e5, 1e8, RUN, "yoke", "yoke", BENCH_P50, 1.3},
    {"lane kernel, one core, AVX-512",       RATIO, {"mandelbrot_256"}, 1e6, 2e6, RUN, "yoke_avx512_1", "hand_avx512_1", BENCH_P50, 0.75},
    {"lane kernel, one core, AVX2",          RATIO, {"mandelbrot_256"}, 1e6, 2e6, RUN, "yoke_avx2_1", "serial", BENCH_P50, 11},
    {"lane kernel, one core, SSE2",          RATIO, {"mandelbrot_256"}, 1e6, 2e6, RUN, "yoke_baseline_1", "serial", BENCH_P50, 6},
    {"OpenCL: triad, 1e5 to 1e7",            RATIO, {"opencl_triad"}, 1e5, 1e7, RUN, "yoke_opencl", "opencl_by_hand", BENCH_P50, 1},
    {"OpenCL: dot, Black-Scholes",           RATIO, {"opencl_dot", "opencl_options"}, 1e6, 1e7, RUN, "yoke_opencl", "opencl_by_hand", BENCH_P50, 1},
    {"OpenCL: stencil, n-body",              RATIO, {"opencl_heat", "opencl_nbody"}, 1e3, 1e7, RUN, "yoke_opencl", "opencl_by_hand", BENCH_P50, 1},
    {"OpenCL: launch beyond that by hand, us", EXTRA_US, {"opencl_triad"}, 1e3, 1e3, 0, "yoke_opencl", "opencl_by_hand", BENCH_P50, 5},
};
/* clang-format on */

static bool matches(const struct wanted *wish, const struct bench_result *result)
{
    double n = (double)result->n;
    if (n < wish->low || n > wish->high)
        return false;
    if (wish->gap == ANY_GAP ? result->plan->gap <= 0 : result->plan->gap != wish->gap)
        return false;
    for (int k = 0; k < MAX_NAMES; k++)
        if (wish->workloads[k] != NULL && strcmp(wish->workloads[k], result->workload->name) == 0)
            return true;
    return false;
}

static int opponent(const struct wanted *wish, const struct bench_result *result, int mine)
{
    if (strcmp(wish->against, "peer") == 0)
        return bench_best(result, BENCH_PEER, mine, wish->part);
    return bench_entry_find(wish->against);
}

/* The worst over all cases that the wish is about; at_most: the greatest is the worst. */
struct worst {
    double value;
    const struct bench_result *where;
    int against;
};

static void note(struct worst *worst, double value, bool at_most, const struct bench_result *where, int against)
{
    if (!isnan(value) && (isnan(worst->value) || (at_most ? value > worst->value : value < worst->value)))
        *worst = (struct worst){value, where, against};
}

static double value_in(const struct wanted *wish, const struct bench_result *result, int mine, int against)
{
    double own = bench_median(result, mine, wish->part), other = bench_median(result, against, wish->part);
    switch (wish->kind) {
    case RATIO: return bench_paired(result, mine, against, wish->part).median;
    case EXTRA_NS: return (own - other) * 1e9;
    case EXTRA_US: return (own - other) * 1e6;
    case IDLE_MS: return (own - other) * 1e3;
    default: return NAN;
    }
}

static struct worst spread(const struct wanted *wish, const struct bench_result *results, size_t count)
{
    double least = INFINITY, most = 0.0;
    struct worst worst = {NAN, NULL, -1};
    for (size_t k = 0; k < count; k++) {
        if (!matches(wish, &results[k]))
            continue;
        double cost = bench_median(&results[k], bench_entry_find(wish->mine), wish->part) / (double)results[k].n;
        if (isnan(cost))
            return (struct worst){NAN, NULL, -1};
        least = fmin(least, cost);
        if (cost > most)
            worst.where = &results[k];
        most = fmax(most, cost);
    }
    if (most > 0.0)
        worst.value = most / least;
    return worst;
}

static struct worst judge(const struct wanted *wish, const struct bench_result *results, size_t count)
{
    struct worst worst = {NAN, NULL, -1};
    if (wish->kind == SPREAD)
        return spread(wish, results, count);
    int mine = bench_entry_find(wish->mine);
    for (size_t k = 0; k < count; k++) {
        if (!matches(wish, &results[k]))
            continue;
        int against = opponent(wish, &results[k], mine);
        note(&worst, value_in(wish, &results[k], mine, against), wish->kind != RATIO, &results[k], against);
    }
    return worst;
}

static const char *verdict(const struct wanted *wish, double value)
{
    double least = wish->value == 1.0 ? MEDIAN_MARGIN : wish->value;
    if (isnan(value))
        return "not measured";
    return (wish->kind == RATIO ? value >= least : value <= wish->value) ? "met" : "not met";
}

void bench_report_wanted(const struct bench_result *results, size_t count)
{
    char size[BENCH_TIME_SIZE];
    printf("\nWanted of Yoke (the worst of the cases that a line is about; ratios at least, the others at most):\n\n");
    printf("%-38s %-15s %8s %9s  %-12s %s\n", "work", "against", "wanted", "measured", "", "worst at");
    for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++) {
        const struct wanted *wish = &wanted[k];
        struct worst worst = judge(wish, results, count);
        printf("%-38s %-15s %8.2f ", wish->text, strcmp(wish->against, "peer") == 0 ? "best peer" : wish->against,
               wish->value);
        if (isnan(worst.value) || worst.where == NULL)
            printf("%9s  %-12s\n", "-", verdict(wish, worst.value));
        else
            printf("%9.2f  %-12s %s %s%s%s\n", worst.value, verdict(wish, worst.value), worst.where->workload->name,
                   bench_size(worst.where->n, size), worst.against >= 0 ? " vs " : "",
                   worst.against >= 0 ? bench_entries[worst.against].name : "");
    }
}
