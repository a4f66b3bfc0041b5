/* Inside of lib/loop, a library of its own: loop.c (opening, running, closing, the turn), futures.c (sleep, readiness,
 * gather), heap.c (by time), then.c (continuations), async.c (tasks that are called again). Uses future and base.
 *
 * One lock guards a loop; a future's lock is taken before it. libuv is told little: a handle that wakes the loop, a
 * timer for the next deadline, and an epoll descriptor of ours in which anyone may put descriptors. So any thread may
 * begin and cancel futures, and only the loop's thread calls libuv (but for uv_async_send).
 *
 * What a loop uses of a future: lane_ is the kind, place_ where it is; next_, previous_, argument_ are its links in the
 * heap, copy_.integer its deadline; every sleep, readiness and gather is there. dependency_ is what it waits for in
 * another future, or its link in the list of its descriptor, or in the queue of the loop: one after the other. */
#ifndef YOKE_LIB_LOOP_H
#define YOKE_LIB_LOOP_H

#include <uv.h>

#include "lib/future/future.h"
#include "yoke/loop.h"

/* yoke_future.lane_ */
enum { YOKE__SLEEP, YOKE__READY, YOKE__GATHER, YOKE__TASK };

/* yoke_future.place_: bits */
enum { YOKE__IN_HEAP = 1, YOKE__QUEUED = 2, YOKE__ON_FD = 4 };

struct yoke_loop {
    yoke__owner owner; /* the first member: futures know it */
    unsigned forks;
    bool owns_uv;
    uv_loop_t *uv;
    uv_async_t wake;
    uv_timer_t timer;
    uv_poll_t poll;
    unsigned handles; /* that libuv has not closed */
    int epoll;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for who closes it, or leaves a run */
    const void *thread;     /* the loop's, as yoke__loop_here() of it */
    bool turning, running, awaited, closing;
    int64_t run_until; /* INT64_MAX: no deadline */
    size_t pending;    /* what has not ended or run */
    size_t sequence;
    yoke_future *heap;
    struct yoke__watcher *first, *last; /* the queue: notify() is called on the loop's thread, with the lock held */
    size_t queued;
    yoke_continuation *continuations;
    struct yoke__watcher **waiting; /* by descriptor: the first future that waits for it */
    size_t descriptors;
};

static inline yoke_future *yoke__future_of(struct yoke__watcher *dependency)
{
    return (yoke_future *)(void *)((char *)dependency - offsetof(yoke_future, dependency_));
}

static inline yoke_loop *yoke__loop_of(yoke_future *f)
{
    return atomic_load(&f->owner_);
}

/* --- loop.c; those below the line with the lock held --- */

int yoke__loop_check(const yoke_loop *loop);
/* Room for one that is pending; ESTATE. And back, when it did not come to it, or has ended. Without the lock. */
int yoke__loop_reserve(yoke_loop *loop);
void yoke__loop_release(yoke_loop *loop);

/* One less is pending. */
void yoke__loop_done(yoke_loop *loop);
/* Something was added, or the next deadline is another one: the loop's thread has to look. */
void yoke__loop_stir(yoke_loop *loop);
void yoke__loop_queue(yoke_loop *loop, struct yoke__watcher *node);

/* --- futures.c --- */

extern const yoke__owner yoke__loop_owner;
/* A reserved future begins, of this kind. Leaves it locked. */
int yoke__loop_begin(yoke_loop *loop, yoke_future *f, unsigned kind, uint32_t *before);
/* With the lock held, which is given up meanwhile: */
void yoke__loop_end(yoke_loop *loop, yoke_future *f, unsigned kind, int status);
/* Ends what is late at this time; all of it when `closing`. */
void yoke__loop_expire(yoke_loop *loop, int64_t now, bool closing);
/* Ends those whose descriptors are ready. */
void yoke__loop_poll(yoke_loop *loop);

/* --- heap.c --- */

yoke_future *yoke__heap_add(yoke_future *heap, yoke_future *f);
yoke_future *yoke__heap_remove(yoke_future *heap, yoke_future *f);

/* --- then.c --- */

/* With the lock held, which is given up meanwhile: forgets those whose future has not ended. */
void yoke__loop_drop_continuations(yoke_loop *loop);

/* --- async.c --- */

/* A turn of a task, from the queue. */
void yoke__async_turn(struct yoke__watcher *node);

#endif
