/* Door of lib/future: one-shot completion for those who run tasks. Uses base only; the public half is yoke/future.h.
 *
 * The state word holds what the future has come to (`kind`), a lock bit that guards its lists and its callback, and whether
 * somebody sleeps for the lock. It is written last when the future ends, by one exchange that gives the lock up as well: who
 * sees an ended future may free it. Locks are taken from a task to the tasks it depends on, an executor's own lock last. */
#ifndef YOKE_LIB_FUTURE_H
#define YOKE_LIB_FUTURE_H

#include "lib/base/base.h"
#include "yoke/future.h"

enum {
    YOKE__IDLE,
    YOKE__PENDING,
    YOKE__CLAIMED, /* a cancel won: it will not run */
    YOKE__RUNNING,
    YOKE__DONE, /* and from here on it has ended */
    YOKE__FAILED,
    YOKE__CANCELLED,
    YOKE__KIND = 7,
    YOKE__ENDING = 8, /* the kind is final, the callback runs, and it has not ended */
    YOKE__LOCKED = 16,
    YOKE__CONTENDED = 32,
    YOKE__FRESH = 64,   /* locked by who begins it: nobody sleeps for that lock, so a store gives it up */
    YOKE__WATCHED = 128 /* somebody may have to be told of its end, or did look whether that was so */
};

/* Who runs a task: embedded at the start of an executor. Both calls come with the future's lock held. */
typedef struct yoke__owner yoke__owner;
struct yoke__owner {
    /* All that it depends on has ended: it may run; where skip_ is FAILED or CANCELLED, it is to end so with status_, and
     * where it is CLAIMED, as cancelled. By finish(), on a thread of the executor. */
    void (*ready)(yoke__owner *self, yoke_future *future);
    /* Claims it (CLAIMED), and takes it off the executor's lists. False: it runs, or is about to. */
    bool (*withdraw)(yoke__owner *self, yoke_future *future);
    /* It was cancelled and has ended; its memory may be gone. No lock is held. */
    void (*cancelled)(yoke__owner *self);
    /* For futures with YOKE__CALLER_HELPS: runs some of them on this thread, which is no executor's. The first is locked, and
     * is unlocked. How many it looked at; 0: it may not. NULL where there are none such. */
    size_t (*help)(yoke__owner *self, yoke_future *const *futures, size_t count);
};

/* yoke_future.extras_ */
enum {
    YOKE__EXTRAS = 1,      /* some of the members are not zero that are otherwise */
    YOKE__CALLER_HELPS = 2 /* threads that wait for it may run it */
};

static inline unsigned yoke__kind(const yoke_future *f)
{
    return atomic_load_explicit(&f->state_, memory_order_acquire) & YOKE__KIND;
}

static inline bool yoke__has_ended(const yoke_future *f)
{
    const uint32_t state = atomic_load_explicit(&f->state_, memory_order_acquire);
    return (state & YOKE__KIND) >= YOKE__DONE && (state & YOKE__ENDING) == 0;
}

/* False when it is idle or has ended: then nobody holds it. */
YOKE_COMPONENT bool yoke__future_lock(yoke_future *f);
bool yoke__future_try_lock(yoke_future *f); /* false also when somebody has it */
YOKE_COMPONENT void yoke__future_unlock(yoke_future *f);

/* From idle or ended to pending, locked and without any of what it was. EBUSY when a task or an iteration has it. Who
 * sets a member of the extras sets that bit too. */
YOKE_COMPONENT int yoke__future_begin(yoke_future *f, yoke__owner *owner, uint32_t *before);
/* Gives up the lock that begin() took, at least until somebody else has had it. */
static inline void yoke__future_publish(yoke_future *f)
{
    atomic_store_explicit(&f->state_, YOKE__PENDING, memory_order_release);
}
/* Back to what begin() found. Unlocks. */
YOKE_COMPONENT void yoke__future_revert(yoke_future *f, uint32_t before);
/* Locked, pending: looks at what it depends on (after_), and calls ready() if all have ended, or arranges for that. */
void yoke__future_advance(yoke_future *f);
/* From one kind to another; false when it is of none of these. The lock is not needed. */
YOKE_COMPONENT bool yoke__future_claim(yoke_future *f, unsigned from, unsigned to);
/* Ends it: callback, state, descriptor, watchers. It was claimed or runs, by the caller, who does not hold its lock. */
YOKE_COMPONENT void yoke__future_finish(yoke_future *f, unsigned kind, int status);
/* Locked, seen pending: cancels it. Unlocks. 0, or EBUSY when it runs by now. */
int yoke__future_cancel_locked(yoke_future *f);

/* notify() is called when it ends, once, after it may have gone. False: it has ended, or is idle. */
YOKE_COMPONENT bool yoke__future_watch(yoke_future *f, struct yoke__watcher *watcher);
/* False: notify() was or will be called. */
YOKE_COMPONENT bool yoke__future_unwatch(yoke_future *f, struct yoke__watcher *watcher);

/* yoke_future.why_: what a task came to that did not return by itself; the number is in copy_.integer. */
enum {
    YOKE__RETURNED,
    YOKE__SIGNALLED, /* by which signal */
    YOKE__EXITED,    /* with which status */
    YOKE__VANISHED,  /* the program took the status */
    YOKE__LATE,      /* after so many nanoseconds */
    YOKE__GARBLED,
    YOKE__NOT_FOUND,
    YOKE__NO_ROOM,
    YOKE__NO_PROCESS,
    YOKE__TOLD,     /* as its thread said; the number is that of kept.c */
    YOKE__OCCUPIED, /* where a shared array would be */
    YOKE__UNMAPPED  /* to map a shared array, with this errno */
};
/* Sets the detail to that; returns `status`. */
int yoke__tell_end(int status, unsigned why, long long number, yoke_function *function, const char *name);
/* Before it fails: who asks for its result gets the calling thread's detail, unless many failed since. */
void yoke__keep_detail(yoke_future *f);
/* Sets the detail to what was kept; false: it is gone. */
bool yoke__tell_kept(const yoke_future *f);

/* Tasks and callbacks that the calling thread is in, the innermost first; a stack through its frames. */
typedef struct yoke__frame {
    yoke_future *future;
    struct yoke__frame *outer;
} yoke__frame;

yoke__frame **yoke__frame_top(void); /* where the thread has its innermost one */
YOKE_COMPONENT void yoke__frame_enter(yoke__frame *frame, yoke_future *f);
YOKE_COMPONENT void yoke__frame_leave(const yoke__frame *frame);
bool yoke__frames_hold(const yoke_future *f);
const yoke__frame *yoke__frame_here(void); /* NULL: none */

/* How threads of an executor wait. */
typedef struct yoke__helper {
    unsigned forks; /* of the process that the thread was made in */
    /* Runs it on this thread, if it is the executor's own and has not started; true: it has ended. */
    bool (*take)(struct yoke__helper *self, yoke_future *f);
    /* As yoke__park(), while another thread has the place of this one. */
    uint32_t (*sleep)(struct yoke__helper *self, _Atomic uint32_t *word, uint32_t seen, int64_t until_ns);
} yoke__helper;

void yoke__helper_set(yoke__helper *helper); /* of the calling thread */
yoke__helper *yoke__helper_here(void);       /* NULL: it is no executor's, or forked */

/* yoke__park() in the way of this thread. */
uint32_t yoke__park_here(_Atomic uint32_t *word, uint32_t seen, int64_t until_ns);

/* 0 when one can wait for it, or a status with a detail. */
YOKE_COMPONENT int yoke__check_awaited(const yoke_future *f);
YOKE_COMPONENT int yoke__check_deadline(int64_t deadline_ns);
/* What its result comes to, with a detail; it has ended. */
YOKE_COMPONENT int yoke__outcome(const yoke_future *f);

#endif
