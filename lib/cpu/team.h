/* Inside of a team; shared by team.c (its threads) and job.c (what they do). */
#ifndef YOKE_TEAM_H
#define YOKE_TEAM_H

#include <pthread.h>
#include <stddef.h>

#include "lib/cpu/cpu.h"
#include "lib/cpu/range.h"

enum { SLOTS = 16, ORDER_TABLE_LIMIT = 1024 };

/* A worker's range in one slot, on a cache line of its own. */
typedef struct lane {
    _Alignas(YOKE_CACHE_LINE) _Atomic uint64_t range;
} lane;

/* One running job. The job itself is written before its ranges are filled, and read only after a claim. What a
 * participant always needs fits the first cache line: each line more costs a worker another transfer. */
typedef struct slot {
    _Alignas(YOKE_CACHE_LINE) _Atomic uint32_t grain; /* copies that a thief may read before it has a claim */
    _Atomic uint32_t workers;
    yoke__job job;
    _Alignas(YOKE_CACHE_LINE) _Atomic uint32_t done; /* units; the caller's futex */
    _Atomic uint32_t waiting;                        /* the caller sleeps on done */
    _Atomic int32_t stop;                            /* status that ends the job early */
    uint32_t reported;                               /* units that progress last heard of; the caller's own */
} slot;

typedef struct worker {
    _Alignas(YOKE_CACHE_LINE) _Atomic uint32_t sleeping; /* futex: 1 while the worker sleeps or is about to */
    struct crew *crew;
    pthread_t thread;
    unsigned index;
    unsigned home;     /* the PU of its first place: parts of arrays lie there; */
    unsigned bound;    /* and where its thread is bound now, which is its place but for one that changed in its sleep */
    int64_t gap_ns;    /* smoothed idle time between jobs */
    long preemptions;  /* involuntary context switches when last looked */
    unsigned cautious; /* sleeps left for which the CPU counts as wanted by others */
    bool woken;        /* from sleep, and has not found work since */
} worker;

/* The threads and all that is sized by their number; replaced as a whole by a resize. */
typedef struct crew {
    struct yoke__team *team;
    unsigned workers; /* the caller included: worker[0] has no thread */
    worker *worker;
    lane *lanes;            /* [SLOTS][workers] */
    unsigned *order;        /* [workers][workers - 1], nearest first; NULL when too many: then round and round */
    yoke__place *places;    /* [0] is kept free for callers */
    pthread_mutex_t moving; /* guards places: a worker that finds a caller on its core takes the free place instead */
} crew;

struct yoke__team {
    /* For each call, see yoke__team_fetch(). */
    _Alignas(YOKE_CACHE_LINE) _Atomic uint32_t busy; /* mask of the slots that are taken */
    _Atomic uint32_t alone;                          /* callers that run without a slot, but for the owner, */
    _Atomic uint32_t owner_alone;                    /* the thread that made the team, which counts itself apart */
    _Atomic unsigned workers;                        /* crew->workers, for planning */
    const void *owner;                               /* see yoke__team_thread() */
    crew *_Atomic crew;
    _Alignas(YOKE_CACHE_LINE) _Atomic uint32_t asleep;
    _Atomic int caller_cpu; /* the system's number of the CPU from which sleepers were last woken; -1: unknown */
    /* The line that idle workers watch: an epoch in the high half, and in the low one a mask of the slots to look into.
     * Those that were ever used stay in it: to take one out would cost each job another handover of this line. */
    _Alignas(YOKE_CACHE_LINE) _Atomic uint64_t state;
    _Alignas(YOKE_CACHE_LINE) pthread_mutex_t replace; /* held by who takes all slots: two could not */
    _Atomic bool quit;
    const yoke__topology *topology;
    yoke_pin pin;
    int64_t spin_limit_ns;
    _Atomic unsigned forks;   /* value of the process's fork count that the threads belong to */
    _Atomic unsigned revival; /* and that somebody builds new ones for, or has built */
    slot slots[SLOTS];
};

_Static_assert(offsetof(struct yoke__team, asleep) == YOKE_CACHE_LINE, "yoke__team_fetch() fetches two lines");

static inline lane *yoke__lane(const crew *c, unsigned s, unsigned k)
{
    return &c->lanes[(size_t)s * c->workers + k];
}

/* A mark of the calling thread: one that ended may have had the same. */
const void *yoke__team_thread(void);

/* Body of a worker's thread. */
void yoke__team_serve(worker *self);

/* Takes the free place when a caller runs where the worker is pinned, for the scheduler would leave them there for
 * milliseconds, each in the other's way, beside an idle core. Goes home when the caller has left. */
void yoke__team_make_way(worker *self);

/* False when none is free. Whoever has one, its bit of `busy`, keeps the crew from being replaced. */
bool yoke__team_take_slot(yoke__team *team, unsigned *s);

/* When the team's threads were lost to a fork, builds new ones. False while another thread is at it. */
bool yoke__team_after_fork(yoke__team *team);

#endif
