/* Measures one case: all its contestants, in turn, round after round, so that whatever disturbs the machine disturbs
 * them alike, and ratios are taken within a round. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stddef.h>

#include "contestants.h"
#include "workloads.h"

#define BENCH_MAX_ROUNDS 31

struct bench_settings {
    const char *directory; /* of the contestants' programs */
    bool quick;
    int rounds;         /* 0: as many as the case needs */
    double size;        /* only throughput at this size; 0: all */
    const char *filter; /* name of a workload, or its beginning; NULL: all */
};

enum bench_state { BENCH_ABSENT, BENCH_MEASURED, BENCH_MISSING, BENCH_WRONG, BENCH_FAILED };

struct bench_measurement {
    enum bench_state state;
    double seconds[BENCH_MAX_ROUNDS]; /* per call; of single calls the median */
    double p99[BENCH_MAX_ROUNDS];     /* of single calls */
    double counted;                   /* part of the single calls that count, of the last round */
    double idle[BENCH_MAX_ROUNDS];    /* CPU seconds used during each gap */
};

struct bench_result {
    const struct bench_plan *plan;
    const struct bench_workload *workload;
    size_t n;
    int rounds;
    struct bench_measurement of[BENCH_ENTRIES];
};

/* 0, or -1 when the case was left out for lack of memory (and says so on standard error). Failures of contestants are
 * in the result. */
int bench_measure(const struct bench_settings *settings, const struct bench_plan *plan, size_t n,
                  struct bench_result *result);

/* Ends all contestants. */
void bench_measure_end(void);

enum bench_part { BENCH_P50, BENCH_P99, BENCH_IDLE };

/* Median over the rounds; NaN when not measured. */
double bench_median(const struct bench_result *result, int entry, enum bench_part part);

/* Quartiles over the rounds of other / mine, paired; NaN when one of them was not measured. */
struct bench_ratio {
    double low, median, high;
};
struct bench_ratio bench_paired(const struct bench_result *result, int mine, int other, enum bench_part part);

/* The entry of this role against which `mine` looks worst (or the fastest, when mine was not measured); -1: none. */
int bench_best(const struct bench_result *result, enum bench_role role, int mine, enum bench_part part);

#endif
