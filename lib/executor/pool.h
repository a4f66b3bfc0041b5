/* Inside of the thread pool: its state, shared by thread_pool.c (opening, joining), submit.c, inbox.c, batch.c and
 * nest.c (where tasks wait), lane.c (who runs) and thread.c (what a thread does). One lock guards all of it but for what
 * is atomic; a future's lock is taken before it.
 *
 * A task goes through an inbox, which submitting enters by one exchange, into a thread's batch, of which it begins without
 * the lock; and through a queue only where somebody had to look through the inbox, or gave a batch back. Those in the queue
 * came before those in the inbox. What a task submits goes into its thread's nest, from which the thread takes what it waits
 * for without the lock; others take what is left there. Whoever empties a task's slot in a batch or nest has the task.
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
#include "lib/trace/trace.h"

enum { PRIORITIES = 3, NORMAL = 1, LANES = 2, COMPUTING = 0, BLOCKING = 1, BATCH = 32, NEST = 32, LINE = 64 };

/* yoke_future.place_: where it is, or was when somebody with the lock looked. BATCHED, NESTED: if its slot
 * (previous_; the nest is next_) has it. */
enum { NOWHERE, DELAYED, INBOX, QUEUED, BATCHED, NESTED };

typedef struct queue {
    yoke_future *first, *last;
} queue;

/* Many put in, who holds the lock takes out. */
typedef struct inbox {
    _Alignas(LINE) _Atomic(yoke_future *) last; /* NULL: it is empty */
    _Alignas(LINE) _Atomic(yoke_future *) first;
} inbox;

typedef struct slot {
    _Atomic(yoke_future *) task;
} slot;

/* Tasks that a thread took at once. Slots are filled with the lock held, by its owner. */
typedef struct batch {
    _Alignas(LINE) slot slots[BATCH];
    struct batch *next, *previous; /* of those that others may take from */
    unsigned count, priority;
    bool listed;
} batch;

/* Tasks that a thread's tasks submitted. The thread puts in and takes out; with the lock held, others take out. Those of a
 * lane that may hold some are listed, and while one is, no thread with a place sleeps: who sees one empty takes it off the
 * list, and its thread puts it back with the next task. */
typedef struct nest {
    _Alignas(LINE) slot slots[NEST];
    unsigned top; /* from here on they are empty; the thread's */
    /* Taken back ahead of a look into the slots, so that who fills one sees that, or is seen. */
    _Atomic uint32_t listed;
    struct nest *next, *previous;
    uint64_t left; /* that others took out, or that went to the inbox; with the lock held */
} nest;

/* Tasks of a thread's batch and nest, not yet in the pool's numbers. Written by the thread. */
typedef struct tally {
    _Atomic uint64_t nested, begun, ended[3]; /* nested: submitted, `left` of the nest included */
} tally;

/* Of numbers that one thread writes. */
static inline void yoke__count_up(_Atomic uint64_t *number)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + 1, memory_order_release);
}

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
    bool placeless; /* its place was taken while it watched */
    unsigned depth; /* of tasks that it runs inside of others */
    unsigned most;  /* tasks that its next batch may have */
    unsigned turns; /* batches that it had */
    uint32_t seen;
    struct thread *before; /* the record made before this one */
    tally tally;
    batch batch;
    nest nest;
    _Alignas(LINE) _Atomic uint32_t word;
} thread;

/* A thread whose task waits; it can be called to run tasks when there is no other. */
typedef struct nap {
    struct nap *next;
    _Atomic uint32_t *word;
    uint32_t calls; /* steps of the word that are ours */
    bool called, listed;
} nap;

struct lane {
    inbox inboxes[PRIORITIES];
    /* 1: who puts a task in sees to a thread. Set ahead of a look into the inboxes, so one of the two sees the other. */
    _Alignas(LINE) _Atomic uint32_t unattended;
    /* Batches of a lower priority, counted from 1, are to be given back before their next task. */
    _Atomic uint32_t urgent;
    _Alignas(LINE) queue queues[PRIORITIES];
    size_t queued;
    batch *batches;
    _Atomic(nest *) nests;
    thread *scout;           /* the one with a place that watches the inboxes */
    unsigned limit, running; /* places, and those taken */
    unsigned threads, most;
    thread *idle, *last_idle;
    thread *called; /* the last one that was given a place in its sleep, until it comes */
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
    size_t bound;           /* SIZE_MAX: none */
    bool refuses, callers_help, quits;
    atomic_bool closed;
    lane lanes[LANES];
    _Alignas(LINE) _Atomic size_t used; /* of `bound` */
    _Atomic uint32_t crowded;           /* 1: somebody waits for room. Set ahead of a look at `used` */
    _Alignas(LINE) pthread_mutex_t lock;
    queue delayed; /* tasks that wait for others */
    room *rooms, *last_room;
    uint64_t submitted;       /* but for those in inboxes, and in tallies */
    uint64_t ended[3];        /* done, failed, cancelled; but for those in tallies */
    size_t running;           /* tasks, outside of batches */
    _Atomic uint32_t *joiner; /* waits for all tasks, and later, for all threads */
    unsigned indexes;         /* given to threads */
    thread *corpse, *spare;   /* that ended and is to be joined; records to use again */
    thread *records;          /* all that were ever made, for their tallies */
    yoke__topology *topology;
    yoke__place *places; /* of the core threads */
    int64_t spin_ns;
    struct processes *processes; /* that run the tasks; NULL: the threads do */
};

/* Of those that the pool's numbers know. */
static inline uint64_t yoke__pool_unended(const pool *p)
{
    return p->submitted - p->ended[0] - p->ended[1] - p->ended[2];
}

/* --- inbox.c: lists; with the lock held but for put --- */

void yoke__queue_append(queue *q, yoke_future *f);
void yoke__queue_remove(queue *q, yoke_future *f);
/* Without the lock. From here on the task may be over, and its memory gone. */
void yoke__inbox_put(inbox *b, yoke_future *f);
bool yoke__inbox_empty(const inbox *b);
bool yoke__inboxes_empty(const lane *l);
/* The next task of that priority, off its list; NULL: there is none, or it is just being put in. */
yoke_future *yoke__lane_take(pool *p, lane *l, unsigned priority);
/* Off no list, to the end of its queue. */
void yoke__lane_append(lane *l, yoke_future *f);
/* Back as the first of its queue. */
void yoke__lane_give_back(lane *l, yoke_future *f);
/* To the end of its queue. */
void yoke__lane_push(pool *p, yoke_future *f);
/* From the inboxes to the queues, all that were in before; the lock may be given up meanwhile. */
void yoke__lane_drain(pool *p, lane *l);
/* Whether a task that has not begun waits for nothing but a thread. */
bool yoke__lane_may_run(const yoke_future *f);
/* Takes a task that has not begun off whatever list it is in. False: there is none, or it is just being put in: place_ is
 * INBOX then. */
bool yoke__lane_remove(pool *p, yoke_future *f);

/* --- batch.c; with the lock held --- */

/* A task that is in no list is the batch's next one. */
void yoke__batch_put(batch *b, yoke_future *f);
/* The batch is full: from here on others may take from it. */
void yoke__batch_offer(lane *l, batch *b);

/* Of the highest priority that there is; of other batches and nests when there is none, or first of all if `others_first`.
 * How many, at most `most`. */
unsigned yoke__batch_fill(pool *p, lane *l, batch *b, unsigned most, bool others_first);
/* What has not begun goes back to the queue. */
void yoke__batch_give_back(lane *l, batch *b);
/* Without the lock. The k-th task, which is the caller's now; NULL: somebody else has it. */
static inline yoke_future *yoke__batch_begin(batch *b, unsigned k)
{
    return atomic_exchange_explicit(&b->slots[k].task, NULL, memory_order_acq_rel);
}

/* --- nest.c --- */

/* Without the lock, by the thread. The future is locked since begin(), and is unlocked. */
void yoke__nest_put(thread *t, yoke_future *f);
/* Without the lock, by the thread. Whether it was there; it is the caller's now. */
bool yoke__nest_take(nest *n, const yoke_future *f);
/* With the lock held. The older half of what another thread's nest has, and not less than one. */
void yoke__nest_steal(pool *p, lane *l, batch *to, unsigned most);
/* With the lock held. False: it is not in its slot any more. */
bool yoke__nest_remove(pool *p, yoke_future *f);
/* With the lock held. What is left in the thread's own nest goes to the inbox. */
void yoke__nest_clear(lane *l, nest *n);
/* With the lock held. What is in all nests, into the queue. */
void yoke__nests_bring_back(pool *p, lane *l);

/* --- lane.c; with the lock held --- */

/* Sees to a thread if tasks wait and there is a place, and to it that others do so later. To be called whenever there are
 * more tasks in queues, or less places taken. */
void yoke__lane_pass_on(pool *p, lane *l);
/* The same for up to two threads, so that many are woken soon. */
void yoke__lane_spread(pool *p, lane *l);
/* When the numbers of a lane have changed otherwise. */
void yoke__lane_tell(lane *l);
void yoke__idle_remove(thread *t);
void yoke__idle_add(thread *t);

/* --- run.c; with the lock held, which is given up meanwhile --- */

/* A task that is in no list. */
void yoke__pool_run_one(pool *p, yoke_future *f);
/* The thread's batch, of which others may have taken some; `learns`: how many the next may have. */
void yoke__thread_run_batch(thread *t, unsigned count, bool learns);
/* A task of the thread's nest, inside of another one; without the lock. */
void yoke__thread_run_nested(thread *t, yoke_future *f);
/* What there is to run; false: nothing. */
bool yoke__thread_run_some(thread *t);

/* --- caller.c --- */

/* Runs some of these futures on the calling thread, which is no executor's and waits for them; the first one is locked, and
 * is unlocked. How many it looked at; 0: there is no place. */
size_t yoke__pool_help(yoke__owner *owner, yoke_future *const *futures, size_t count);

/* --- submit.c --- */

/* A task less waits. Without the lock. */
void yoke__pool_leave_room(pool *p);

/* --- thread.c --- */

/* With the lock held. A record that is nobody's; NULL: there is no memory. It goes to `spare` in the end. */
thread *yoke__pool_take_record(pool *p);
void yoke__thread_init(thread *t, pool *p, lane *l);
/* With the lock held. The thread comes with a place. False: the system refuses. */
bool yoke__pool_start_thread(pool *p, lane *l, bool core);
/* The calling thread, if it is one of this pool's; or NULL. */
thread *yoke__pool_thread_here(const pool *p);

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
/* With the lock held, when tasks have ended. */
void yoke__pool_tell_joiner(pool *p);

/* --- process_pool.c --- */

typedef struct processes processes;

/* Runs a task that has no other way to fail than this tells, on one of the processes. */
int yoke__processes_run(processes *all, yoke_future *f);
bool yoke__processes_broken(processes *all);
unsigned yoke__processes_count(processes *all);
void yoke__processes_end(processes *all); /* NULL is fine */

#endif
