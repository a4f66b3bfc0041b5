/* A future's state: who may change it, and its end. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/future/future.h"

enum { SPINS = 100 };

/* --- the lock --- */

static bool is_nobodys(uint32_t state)
{
    const uint32_t kind = state & YOKE__KIND;
    return kind == YOKE__IDLE || (kind >= YOKE__DONE && (state & YOKE__ENDING) == 0);
}

static bool lock_and_set(yoke_future *f, uint32_t bits)
{
    uint32_t state = atomic_load_explicit(&f->state_, memory_order_acquire);
    for (unsigned spins = 0;; spins++) {
        if (is_nobodys(state) && (state & YOKE__LOCKED) == 0)
            return false;
        if ((state & YOKE__LOCKED) == 0) {
            if (atomic_compare_exchange_weak(&f->state_, &state, state | bits))
                return true;
            continue;
        }
        if (spins < SPINS)
            yoke__relax();
        else if ((state & YOKE__FRESH) != 0)
            (void)sched_yield();
        else if ((state & YOKE__CONTENDED) != 0 ||
                 atomic_compare_exchange_strong(&f->state_, &state, state | YOKE__CONTENDED))
            yoke__futex_wait(&f->state_, state | YOKE__CONTENDED, -1);
        state = atomic_load_explicit(&f->state_, memory_order_acquire);
    }
}

bool yoke__future_lock(yoke_future *f)
{
    return lock_and_set(f, YOKE__LOCKED);
}

bool yoke__future_try_lock(yoke_future *f)
{
    uint32_t state = atomic_load_explicit(&f->state_, memory_order_acquire);
    return !is_nobodys(state) && (state & YOKE__LOCKED) == 0 &&
           atomic_compare_exchange_strong(&f->state_, &state, state | YOKE__LOCKED);
}

void yoke__future_unlock(yoke_future *f)
{
    const uint32_t lock = YOKE__LOCKED | YOKE__CONTENDED | YOKE__FRESH;
    if ((atomic_fetch_and(&f->state_, ~lock) & YOKE__CONTENDED) != 0)
        yoke__futex_wake(&f->state_, INT_MAX);
}

/* --- beginning --- */

static void clear_extras(yoke_future *f)
{
    f->name_ = NULL;
    f->after_ = NULL;
    f->after_count_ = f->after_index_ = f->argument_bytes_ = f->result_bytes_ = 0;
    f->result_to_ = NULL;
    f->limit_ns_ = 0;
}

int yoke__future_begin(yoke_future *f, yoke__owner *owner, uint32_t *before)
{
    uint32_t state = atomic_load_explicit(&f->state_, memory_order_acquire);
    if (!is_nobodys(state) || (state & YOKE__LOCKED) != 0 ||
        !atomic_compare_exchange_strong(&f->state_, &state, YOKE__PENDING | YOKE__LOCKED | YOKE__FRESH))
        return yoke__fail(YOKE_EBUSY, "the future has a task that has not ended; wait for it, or use another one");
    *before = state;
    if (atomic_load_explicit(&f->iterator_, memory_order_relaxed) != NULL) {
        yoke__future_revert(f, state);
        return yoke__fail(YOKE_EBUSY, "the future is in an iteration that has not delivered it; use another one");
    }
    f->status_ = 0;
    f->forks_ = yoke__fork_count();
    f->fd_ = 0;
    f->watchers_ = NULL;
    atomic_store_explicit(&f->owner_, owner, memory_order_relaxed); /* seen by who sees it pending */
    atomic_store_explicit(&f->callback_, NULL, memory_order_relaxed);
    if ((f->extras_ & YOKE__EXTRAS) != 0)
        clear_extras(f);
    f->extras_ = 0;
    f->watching_ = f->skip_ = f->why_ = f->retries_ = 0;
    memset(&f->result_, 0, sizeof f->result_);
    return YOKE_OK;
}

void yoke__future_revert(yoke_future *f, uint32_t before)
{
    if ((atomic_exchange(&f->state_, before) & YOKE__CONTENDED) != 0)
        yoke__futex_wake(&f->state_, INT_MAX);
}

/* --- dependencies --- */

static void dependency_ended(struct yoke__watcher *watcher)
{
    yoke_future *f = (yoke_future *)(void *)((char *)watcher - offsetof(yoke_future, dependency_));
    (void)yoke__future_lock(f); /* it has not ended: that needs us */
    f->watching_ = 0;
    yoke__future_advance(f);
    yoke__future_unlock(f);
}

void yoke__future_advance(yoke_future *f)
{
    yoke__owner *owner = atomic_load(&f->owner_);
    for (; f->after_index_ < f->after_count_ && yoke__kind(f) == YOKE__PENDING; f->after_index_++) {
        yoke_future *before = f->after_[f->after_index_];
        f->dependency_.notify = dependency_ended;
        f->watching_ = 1;
        if (yoke__future_watch(before, &f->dependency_))
            return;
        f->watching_ = 0;
        const unsigned kind = yoke__kind(before);
        if (kind == YOKE__DONE)
            continue;
        f->status_ = kind == YOKE__CANCELLED ? YOKE_ECANCELED : before->status_;
        f->skip_ = (unsigned char)kind;
        break;
    }
    if (yoke__kind(f) == YOKE__CLAIMED)
        f->skip_ = YOKE__CLAIMED;
    owner->ready(owner, f);
}

/* --- watchers --- */

bool yoke__future_watch(yoke_future *f, struct yoke__watcher *watcher)
{
    if (!lock_and_set(f, YOKE__LOCKED | YOKE__WATCHED))
        return false;
    watcher->next = f->watchers_;
    f->watchers_ = watcher;
    yoke__future_unlock(f);
    return true;
}

bool yoke__future_unwatch(yoke_future *f, struct yoke__watcher *watcher)
{
    if (!yoke__future_lock(f))
        return false;
    struct yoke__watcher **at = &f->watchers_;
    while (*at != NULL && *at != watcher)
        at = &(*at)->next;
    const bool found = *at != NULL;
    if (found)
        *at = watcher->next;
    yoke__future_unlock(f);
    return found;
}

/* --- the end --- */

bool yoke__future_claim(yoke_future *f, unsigned from, unsigned to)
{
    uint32_t state = atomic_load_explicit(&f->state_, memory_order_acquire);
    while ((state & YOKE__KIND) == from)
        if (atomic_compare_exchange_weak(&f->state_, &state, (state & ~(uint32_t)YOKE__KIND) | to))
            return true;
    return false;
}

static void run_callback(yoke_future *f, yoke_callback *callback)
{
    yoke__frame frame;
    yoke__frame_enter(&frame, f);
    callback(f, f->callback_argument_);
    yoke__frame_leave(&frame);
}

/* With the future locked; it is locked again at the end. */
static void call_back(yoke_future *f, unsigned kind)
{
    yoke_callback *callback = atomic_load(&f->callback_);
    if (callback == NULL)
        return;
    (void)yoke__future_claim(f, yoke__kind(f), kind | YOKE__ENDING);
    yoke__future_unlock(f);
    run_callback(f, callback);
    (void)yoke__future_lock(f);
}

/* Nobody is told: nobody has it locked, or did watch it. */
static bool finish_unwatched(yoke_future *f, unsigned kind)
{
    uint32_t state = atomic_load_explicit(&f->state_, memory_order_relaxed);
    const uint32_t others = YOKE__LOCKED | YOKE__CONTENDED | YOKE__WATCHED;
    while ((state & others) == 0)
        if (atomic_compare_exchange_weak_explicit(&f->state_, &state, kind, memory_order_release, memory_order_relaxed))
            return true;
    return false;
}

void yoke__future_finish(yoke_future *f, unsigned kind, int status)
{
    f->status_ = status; /* the caller's until it has ended */
    if (finish_unwatched(f, kind))
        return;
    (void)yoke__future_lock(f);
    call_back(f, kind);
    struct yoke__watcher *watcher = f->watchers_;
    const int fd = f->fd_ - 1;
    f->fd_ = 0;
    if ((atomic_exchange(&f->state_, kind) & YOKE__CONTENDED) != 0)
        yoke__futex_wake(&f->state_, INT_MAX);
    /* From here on it may be gone. */
    if (fd >= 0) {
        (void)eventfd_write(fd, 1);
        (void)close(fd);
    }
    while (watcher != NULL) {
        struct yoke__watcher *next = watcher->next;
        watcher->notify(watcher);
        watcher = next;
    }
}

int yoke__future_cancel_locked(yoke_future *f)
{
    yoke__owner *owner = atomic_load(&f->owner_);
    if (!owner->withdraw(owner, f)) {
        yoke__future_unlock(f);
        return yoke__fail(YOKE_EBUSY, "the task runs by now, and goes on");
    }
    if (f->watching_ != 0 && !yoke__future_unwatch(f->after_[f->after_index_], &f->dependency_)) {
        yoke__future_unlock(f); /* what it waits for has ended, and whoever ends it is on the way here */
        return YOKE_OK;
    }
    f->watching_ = 0;
    yoke__future_unlock(f);
    yoke__future_finish(f, YOKE__CANCELLED, YOKE_ECANCELED);
    owner->cancelled(owner);
    return YOKE_OK;
}

/* --- calls --- */

yoke_future_state yoke_state_of(const yoke_future *future)
{
    static const yoke_future_state states[] = {
        [YOKE__IDLE] = YOKE_FUTURE_IDLE,           [YOKE__PENDING] = YOKE_FUTURE_PENDING,
        [YOKE__CLAIMED] = YOKE_FUTURE_CANCELLED,   [YOKE__RUNNING] = YOKE_FUTURE_RUNNING,
        [YOKE__DONE] = YOKE_FUTURE_DONE,           [YOKE__FAILED] = YOKE_FUTURE_FAILED,
        [YOKE__CANCELLED] = YOKE_FUTURE_CANCELLED,
    };
    const unsigned kind = future != NULL ? yoke__kind(future) : YOKE__IDLE;
    return kind < sizeof states / sizeof *states ? states[kind] : YOKE_FUTURE_IDLE;
}

int yoke_cancel(yoke_future *future)
{
    const int status = yoke__check_awaited(future);
    if (status != YOKE_OK)
        return status;
    const bool locked = yoke__future_lock(future);
    const unsigned kind = yoke__kind(future);
    if (locked && kind == YOKE__PENDING)
        return yoke__future_cancel_locked(future);
    if (locked)
        yoke__future_unlock(future);
    if (kind == YOKE__CLAIMED || kind == YOKE__CANCELLED)
        return YOKE_OK;
    if (kind == YOKE__RUNNING)
        return yoke__fail(YOKE_EBUSY, "the task runs by now, and goes on");
    return yoke__fail(YOKE_ESTATE, "the task has ended; there is nothing to cancel");
}

int yoke_then(yoke_future *future, yoke_callback *callback, void *argument)
{
    const int status = yoke__check_awaited(future);
    if (status != YOKE_OK)
        return status;
    if (callback == NULL)
        return yoke__fail(YOKE_EINVAL, "callback is NULL; give a function to call");
    yoke_callback *none = NULL;
    const bool locked = lock_and_set(future, YOKE__LOCKED | YOKE__WATCHED);
    const bool first = atomic_compare_exchange_strong(&future->callback_, &none, callback);
    if (first)
        future->callback_argument_ = argument;
    if (locked)
        yoke__future_unlock(future);
    if (!first)
        return yoke__fail(YOKE_EBUSY, "the future has a callback already; a future takes one");
    if (!locked)
        run_callback(future, callback);
    return YOKE_OK;
}

/* The descriptor in the future is not the caller's, who may close his at any time. */
static int share_descriptor(yoke_future *f)
{
    if (f->fd_ == 0)
        f->fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) + 1;
    return f->fd_ != 0 ? fcntl(f->fd_ - 1, F_DUPFD_CLOEXEC, 0) : -1;
}

int yoke_future_fd(yoke_future *future)
{
    const int status = yoke__check_awaited(future);
    if (status != YOKE_OK)
        return status;
    int fd;
    if (lock_and_set(future, YOKE__LOCKED | YOKE__WATCHED)) {
        fd = share_descriptor(future);
        yoke__future_unlock(future);
    } else {
        fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return fd >= 0 ? fd : yoke__fail(YOKE_EIO, "the system refuses a descriptor; close some, or raise its limit");
}
