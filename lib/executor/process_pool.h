/* Inside of the process pool: its state, shared by process_pool.c (opening, checks, end) and process_task.c (running). */
#ifndef YOKE_EXECUTOR_PROCESS_POOL_H
#define YOKE_EXECUTOR_PROCESS_POOL_H

#include <unistd.h>

#include "lib/executor/pool.h"
#include "lib/executor/process.h"

struct processes {
    yoke__executor_calls calls; /* the thread pool's, but for a few */
    pthread_mutex_t lock;       /* of the idle ones and the restarts */
    pthread_cond_t freed;
    process *list, *idle;
    unsigned count;
    atomic_uint alive;
    atomic_bool broken;
    setup setup;
    const yoke__topology *topology; /* the pool's */
    yoke__place *places;            /* where each is bound; NULL: nowhere */
    int64_t *starts;                /* when each of the last `restarts` was, in a ring */
    unsigned restarts, next_start;
};

/* --- process_task.c --- */

/* Binds the calling thread meanwhile; it is unbound after that. */
int yoke__processes_start(processes *all, process *w);
/* How many of these items go into one request; 0: not even one. */
size_t yoke__processes_batch(const processes *all, const yoke__items *items);
void yoke__processes_run_items(processes *all, const yoke__items *items);

#endif
