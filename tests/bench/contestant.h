/* What a contestant is: a process that reads commands on standard input and answers each with one line.
 *
 *   prepare WORKLOAD N       allocate and fill             -> ok
 *   check MODE               one call                      -> ok COUNT SUM...
 *   run MODE MILLISECONDS    calls for about that long     -> ok SECONDS_PER_CALL
 *   gaps MODE MICROSECONDS CALLS   single calls, each after that much idleness
 *                            -> ok P50 P99 SHARE IDLE      seconds, NaN when no call counts; share of those that do; CPU seconds that
 *                                                          the process used per gap
 *   free                     give the arrays back          -> ok
 *
 * "none" means that the contestant does not do this; "fail TEXT" that something broke. */
#ifndef BENCH_CONTESTANT_H
#define BENCH_CONTESTANT_H

#include "job.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*bench_call)(bench_job *job);

struct bench_contestant {
    /* The function that does job->workload once in job->mode, or NULL. */
    bench_call (*find)(bench_job *job);
    /* A parallel loop over [0, n): for the first touch of arrays. */
    bench_parallel parallel;
    /* Whether the call of this number, one of the last million, did what is to be measured; NULL: all did. */
    bool (*counted)(const bench_job *job, size_t sequence);
    /* Where its arrays come from, see bench_job_open(). */
    const struct bench_memory *memory;
    /* Whether it can do anything on this machine, asked before arrays are allocated; NULL: yes. */
    bool (*ready)(void);
};

/* Each contestant defines its own. */
extern const struct bench_contestant bench_contestant;

#ifdef __cplusplus
}
#endif
#endif
