/* Pinned threads that spin for ever: the least that a parallel loop can cost, for the limits and the references. */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include <stddef.h>

#define BENCH_TEAM_MAX 1024

typedef void (*bench_member)(unsigned member, unsigned members, void *argument);

/* Threads in the team, the caller included: one per CPU that the process may use. Starts them at first use; 1 when
 * none can be started. */
unsigned bench_team_size(void);

/* Calls body once on each of the first `members` threads and returns when all have returned. */
void bench_team_run(unsigned members, bench_member body, void *argument);

#endif
