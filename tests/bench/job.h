/* One workload at one size inside a contestant: its arrays, and what a call works on. */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include <stddef.h>

#include "workloads.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_CHECKSUMS 64

/* Where arrays come from; close() may be given NULL, and gets the address that the job holds in the end. */
struct bench_memory {
    void *(*open)(size_t bytes);
    void (*close)(void *array, size_t bytes);
    /* Before the host reads an array, and before it writes all of it; NULL: it is always the host's. */
    void (*read)(const void *array);
    void (*write)(void *array);
};

typedef struct bench_job {
    const struct bench_workload *workload;
    size_t n;
    size_t width, height;
    void *in[BENCH_MAX_INPUTS];
    void *out[BENCH_MAX_OUTPUTS];
    void *scratch; /* of blur, between its passes */
    float weight[2 * BENCH_BLUR_RADIUS + 1];
    float result;    /* of a reduction */
    size_t sequence; /* number of the call in this process */
    const char *mode;
    const struct bench_memory *memory;
} bench_job;

typedef void (*bench_range)(size_t begin, size_t end, void *argument);
typedef void (*bench_parallel)(size_t n, bench_range body, void *argument);

/* Allocates and fills the arrays, each page touched first by the thread that `parallel` gives its part of the range.
 * 0, or -1 when memory is short. The inputs depend on nothing but the workload and n. memory NULL: pages of the
 * system's, huge ones where that is possible. */
int bench_job_open(bench_job *job, const struct bench_workload *workload, size_t n, bench_parallel parallel,
                   const struct bench_memory *memory);
void bench_job_close(bench_job *job);

/* Sums of the absolute results of 64 equal parts of each output, or the one result of a reduction. Returns their
 * number. */
int bench_job_checksums(const bench_job *job, double sums[BENCH_CHECKSUMS]);

/* Fills the outputs with what no workload computes, so that a contestant that writes nothing is found out. */
void bench_job_spoil(bench_job *job);

#ifdef __cplusplus
}
#endif
#endif
