/* What the contestants in tasks share, compiled once, so that a task is the same machine code in each. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include "job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Threads, or processes, that every contestant uses, the caller's included where that runs tasks too: BENCH_THREADS of
 * the environment, otherwise the CPUs that the process may use. */
unsigned bench_threads(void);

/* The k-th task of job->workload: nothing, or a chain of BENCH_SPIN dependent steps per microsecond. */
void bench_task(const bench_job *job, size_t k);

/* The serial recursion. */
long bench_fib(unsigned n);

/* Finds how many steps take a microsecond here and now, and leaves both numbers in the environment for contestants. */
void bench_tasks_calibrate(void);

#ifdef __cplusplus
}
#endif
#endif
