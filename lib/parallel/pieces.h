/* Inside of lib/parallel: a call in pieces that devices take, what became of each, and what the workers must do again. */
#ifndef YOKE_PARALLEL_PIECES_H
#define YOKE_PARALLEL_PIECES_H

#include <pthread.h>

#include "lib/backend/backend.h"
#include "lib/parallel/parallel.h"

enum { YOKE__MOST_LOST = 40 };

typedef struct yoke__pieces yoke__pieces;

/* One that takes pieces of a call: the context of a task's functions. */
typedef struct yoke__taker {
    yoke__pieces *pieces;
    unsigned who;            /* in the division */
    int device;              /* -1: the workers */
    _Atomic size_t items;    /* done, as the program counts them */
    _Atomic unsigned count;  /* of pieces done */
    _Atomic int64_t last_ns; /* when the last one was */
} yoke__taker;

struct yoke__pieces {
    const yoke_options *options;
    const yoke__work *work;
    bool divided; /* as `division` says; otherwise one taker has all, in pieces of the size it likes */
    size_t next;  /* not divided: items before it were taken */
    pthread_mutex_t lock;
    yoke__division division; /* under the lock */
    unsigned workers;        /* for how many a part was planned, at most */
    _Atomic size_t done;
    size_t reported;
    bool lost_track; /* more were lost than fit: nothing is known of the rest */
    unsigned lost_count;
    struct {
        size_t begin, end;
    } lost[YOKE__MOST_LOST];
};

/* From `start` to its last result; 0: there is none. */
static inline double yoke__taker_ns(const yoke__taker *taker, int64_t start)
{
    return atomic_load(&taker->count) > 0 ? (double)(atomic_load(&taker->last_ns) - start) : 0;
}

/* The arrays of a call, as a task has them. */
void yoke__describe_arrays(yoke__task_array array[YOKE_MAX_PARAMETERS], const yoke__checked *checked);
/* A task over all of the call's items for the taker. What it points to must stay until the task's end. */
void yoke__pieces_task(yoke__task *task, yoke__taker *taker);
/* The next piece of a division. */
bool yoke__pieces_take(yoke__taker *taker, size_t most, size_t *begin, size_t *end);
void yoke__pieces_done(yoke__taker *taker, size_t begin, size_t end);
/* Tells the program of the progress, on its own thread. */
void yoke__pieces_report(yoke__pieces *pieces);
/* Items as the program counts them: a reduction's work is in blocks. */
size_t yoke__pieces_total(const yoke__work *work, size_t items);
/* What ends the call early: 0, ECANCELED, ETIMEDOUT. */
int yoke__stopped(const yoke_options *options);

/* The workers run a part of the call. Its progress is not the call's. */
int yoke__run_part(yoke__pieces *pieces, yoke_runtime *runtime, const void *key, size_t begin, size_t end);
/* The workers run what was lost and what nobody took. */
int yoke__pieces_finish(yoke__pieces *pieces, yoke_runtime *runtime, const void *key);

#endif
