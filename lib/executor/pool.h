/* Inside of the thread pool: its state, shared by thread_pool.c (opening, joining), submit.c, lane.c (queues, and who
 * runs) and thread.c (what a thread does). One lock guards all of it; a future's lock is taken before it.
 *
 * A lane is a queue with its threads: one for tasks that compute, one for those that block. At most `limit` of a lane's
 * threads have a *place*; only they take tasks. A thread whose task waits gives its place on, and takes one more when it
 * goes on; with too many places taken, the next thread to end a task sleeps. While tasks are queued, places are free only
 * if no thread can be had: whoever queues a task or gives a place on sees to that. */
#ifndef YOKE_EXECUTOR_POOL_H
#define YOKE_EXECUTOR_POOL_H

#include <pthread.h>

#include "lib/executor/executor.h"
#include "lib/topology/topology.h"

enum { PRIORITIES = 3, LANES = 2, COMPUTING = 0, BLOCKING = 1 };

/* yoke_future.place_: which list it is in. */
enum { NOWHERE, DELAYED, QUEUED };

typedef struct queue {
    yoke_future *first, *last;
} queue;

typedef struct pool pool;
typedef struct lane lane;

typedef struct thread {
    yoke__helper helper; /* the first member */
    pool *pool;
    lane *lane;
    struct thread *next, *previous; /* of those that are idle; or, next, of those that are no more */
    pthread_t id;
    unsigned index;
    bool core;      /* pinned by its index, and stays */
    bool granted;   /* it was given a place */
    bool idle;      /* is in the list */
    unsigned depth; /* of tasks that it runs inside of others */
    _Atomic uint32_t word;
    uint32_t seen;
} thread;

/* A thread whose task waits; it can be called to run tasks when there is no other. */
typedef struct nap {
    struct nap *next;
    _Atomic uint32_t *word;
    uint32_t calls; /* steps of the word that are ours */
    bool called, listed;
} nap;

struct lane {
    queue queues[PRIORITIES];
    size_t queued;
    unsigned limit, running; /* places, and those taken */
    unsigned threads, most;
    thread *idle, *last_idle;
    nap *naps;
};

/* Who waits for room in the queue. */
typedef struct room {
    struct room *next;
    _Atomic uint32_t word;
    bool listed;
} room;

struct pool {
    yoke_executor executor; /* the first member */
    pthread_mutex_t lock;
    lane lanes[LANES];
    queue delayed; /* tasks that wait for others */
    size_t used, bound;
    bool refuses, closed, quits;
    room *rooms, *last_room;
    uint64_t submitted, ended[3]; /* done, failed, cancelled */
    size_t running;               /* tasks */
    _Atomic uint32_t *joiner;     /* waits for all tasks, and later, for all threads */
    unsigned indexes;             /* given to threads */
    thread *corpse, *spare;       /* that ended and is to be joined; records to use again */
    yoke__topology *topology;
    yoke__place *places; /* of the core threads */
    int64_t spin_ns;
    struct processes *processes; /* that run the tasks; NULL: the threads do */
};

static inline uint64_t yoke__pool_unended(const pool *p)
{
    return p->submitted - p->ended[0] - p->ended[1] - p->ended[2];
}

/* --- lane.c; all with the lock held --- */

void yoke__queue_append(queue *q, yoke_future *f);
void yoke__queue_remove(queue *q, yoke_future *f);
/* To the end of its queue. */
void yoke__lane_push(pool *p, yoke_future *f);
/* Takes a queued or delayed task off its list; it will not come back but for being ended. */
void yoke__lane_withdraw(pool *p, yoke_future *f);
/* The next task, claimed; NULL: there is none. With skip_ it is to be ended, not run. */
yoke_future *yoke__lane_next(pool *p, lane *l);
/* The same for this one, if it is queued. */
bool yoke__lane_claim(pool *p, yoke_future *f);
/* Finds a thread for a queued task, if there is a place. */
void yoke__lane_pass_on(pool *p, lane *l);
void yoke__idle_remove(thread *t);
/* A task less waits. */
void yoke__lane_leave_room(pool *p);

/* --- thread.c --- */

/* With the lock held. The thread comes with a place. False: the system refuses. */
bool yoke__pool_start_thread(pool *p, lane *l, bool core);
/* Whether the calling thread is one of this pool's. */
bool yoke__pool_is_here(const pool *p);

/* --- submit.c --- */

extern const yoke__owner yoke__pool_owner;
int yoke__pool_check(yoke_executor *self, const yoke_task_options *options, yoke_function *function,
                     const void *argument);
int yoke__pool_submit(yoke_executor *self, const yoke_task_options *options, yoke_future *future,
                      yoke_function *function, void *argument);
int yoke__pool_cancel_all(yoke_executor *self);

/* --- thread_pool.c --- */

/* NULL with a detail. */
pool *yoke__pool_open(const yoke_thread_pool_options *options);
extern const yoke__executor_calls yoke__pool_calls;

/* --- process_pool.c --- */

typedef struct processes processes;

/* Runs a task that has no other way to fail than this tells, on one of the processes. */
int yoke__processes_run(processes *all, yoke_future *f);
bool yoke__processes_broken(processes *all);
unsigned yoke__processes_count(processes *all);
void yoke__processes_end(processes *all); /* NULL is fine */

#endif
