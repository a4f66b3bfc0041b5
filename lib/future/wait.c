/* Waiting for futures: one, all, any. */
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "lib/future/future.h"

enum { ON_STACK = 32, SPIN_NS = 5000, AHEAD = 8 };

/* --- where the calling thread is --- */

static _Thread_local yoke__frame *innermost __attribute__((tls_model("initial-exec")));
static _Thread_local yoke__helper *helper_here __attribute__((tls_model("initial-exec")));

yoke__frame **yoke__frame_top(void)
{
    return &innermost;
}

void yoke__frame_enter(yoke__frame *frame, yoke_future *f)
{
    *frame = (yoke__frame){f, innermost};
    innermost = frame;
}

void yoke__frame_leave(const yoke__frame *frame)
{
    innermost = frame->outer;
}

bool yoke__frames_hold(const yoke_future *f)
{
    for (const yoke__frame *frame = innermost; frame != NULL; frame = frame->outer)
        if (frame->future == f)
            return true;
    return false;
}

const yoke__frame *yoke__frame_here(void)
{
    return innermost;
}

void yoke__helper_set(yoke__helper *helper)
{
    helper_here = helper;
}

yoke__helper *yoke__helper_here(void)
{
    yoke__helper *helper = helper_here;
    return helper != NULL && helper->forks == yoke__fork_count() ? helper : NULL;
}

uint32_t yoke__park_here(_Atomic uint32_t *word, uint32_t seen, int64_t until_ns)
{
    yoke__helper *helper = yoke__helper_here();
    if (helper != NULL)
        return helper->sleep(helper, word, seen, until_ns);
    return yoke__park(word, seen, until_ns, SPIN_NS);
}

/* --- checks --- */

int yoke__check_deadline(int64_t deadline_ns)
{
    return deadline_ns >= 0 ? YOKE_OK
                            : yoke__fail(YOKE_EINVAL, "a negative deadline; make one with yoke_deadline_in()");
}

int yoke__check_awaited(const yoke_future *f)
{
    if (f == NULL)
        return yoke__fail(YOKE_EINVAL, "a future is NULL; give the one that was submitted");
    if (yoke__kind(f) == YOKE__IDLE)
        return yoke__fail(YOKE_ESTATE, "a future was never submitted; submit a task with it first");
    if (!yoke__has_ended(f) && f->forks_ != yoke__fork_count())
        return yoke__fail(YOKE_EFORKED, "a task of the parent never ends in a forked child; submit it here again");
    return YOKE_OK;
}

static int check_all(yoke_future *const *futures, size_t count, int64_t deadline_ns)
{
    if (futures == NULL && count > 0)
        return yoke__fail(YOKE_EINVAL, "futures is NULL; give an array of pointers to futures");
    int status = yoke__check_deadline(deadline_ns);
    for (size_t k = 0; k < count && status == YOKE_OK; k++)
        status = yoke__check_awaited(futures[k]);
    return status;
}

/* A task may look at itself without waiting, and what a callback is for has ended for it. */
static int check_own(const yoke_future *f)
{
    return yoke__kind(f) == YOKE__RUNNING && yoke__frames_hold(f)
               ? yoke__fail(YOKE_ESTATE, "a task waits for itself, or for one that waits for it: that would never end")
               : YOKE_OK;
}

static bool has_ended_here(const yoke_future *f)
{
    return yoke__has_ended(f) || (yoke__kind(f) >= YOKE__DONE && yoke__frames_hold(f));
}

/* --- one --- */

typedef struct waiter {
    struct yoke__watcher watcher;
    _Atomic uint32_t *word;
} waiter;

static void wake(struct yoke__watcher *watcher)
{
    yoke__unpark(((waiter *)(void *)watcher)->word);
}

static int late(void)
{
    return yoke__fail(YOKE_ETIMEDOUT, "the deadline passed before the task ended; it goes on");
}

/* Runs some of them on this thread, which is no executor's, where their executor wants that. How many were looked at. */
static size_t help(yoke_future *const *futures, size_t count)
{
    yoke_future *f = futures[0];
    if ((f->extras_ & YOKE__CALLER_HELPS) == 0)
        return 0;
    if (!yoke__future_lock(f)) /* while it is locked it does not end, and its executor is there */
        return 1;
    yoke__owner *owner = atomic_load(&f->owner_);
    return owner->help(owner, futures, count);
}

/* Before this thread waits for those that run elsewhere. */
static void take_all(yoke_future *const *futures, size_t count)
{
    yoke__helper *helper = yoke__helper_here();
    for (size_t k = 0; k < count && helper != NULL; k++)
        (void)helper->take(helper, futures[k]);
    for (size_t k = 0, looked = 1; k < count && helper == NULL && looked > 0; k += looked)
        looked = has_ended_here(futures[k]) ? 1 : help(futures + k, count - k);
}

static int wait_for(yoke_future *f, int64_t deadline_ns)
{
    if (has_ended_here(f))
        return YOKE_OK;
    int status = check_own(f);
    if (status != YOKE_OK)
        return status;
    if (deadline_ns == 0)
        take_all(&f, 1);
    if (has_ended_here(f))
        return YOKE_OK;
    _Atomic uint32_t word = 0;
    waiter w = {.watcher.notify = wake, .word = &word};
    if (!yoke__future_watch(f, &w.watcher))
        return YOKE_OK;
    if (yoke__park_here(&word, 0, deadline_ns) != 0)
        return YOKE_OK;
    if (yoke__future_unwatch(f, &w.watcher))
        return late();
    (void)yoke__park(&word, 0, 0, SPIN_NS); /* it has just ended, and its end still has to reach us */
    return YOKE_OK;
}

int yoke_wait(yoke_future *future, int64_t deadline_ns)
{
    const int status = check_all(&future, 1, deadline_ns);
    return status == YOKE_OK ? wait_for(future, deadline_ns) : status;
}

int yoke__outcome(const yoke_future *f)
{
    const char *name = f->name_ != NULL ? f->name_ : "task";
    const unsigned kind = yoke__kind(f);
    if (kind == YOKE__DONE)
        return YOKE_OK;
    if (kind == YOKE__CANCELLED)
        return yoke__fail(YOKE_ECANCELED, "%.80s was cancelled before it ran", name);
    if (f->why_ == YOKE__TOLD && yoke__tell_kept(f))
        return f->status_;
    if (f->why_ != YOKE__RETURNED && f->why_ != YOKE__TOLD)
        return yoke__tell_end(f->status_, f->why_, f->copy_.integer, f->function_, f->name_);
    return yoke__fail(f->status_, "%.80s failed with %d (%s); its function, or one that it depends on, returned that",
                      name, f->status_, yoke_strerror(f->status_));
}

int yoke_result(yoke_future *future, void *value, size_t bytes, int64_t deadline_ns)
{
    if (bytes > YOKE_RESULT_BYTES || (value == NULL && bytes > 0))
        return yoke__fail(YOKE_EINVAL, "a result of %zu bytes at %s; a future holds up to %d", bytes,
                          value == NULL ? "NULL" : "value", YOKE_RESULT_BYTES);
    int status = yoke_wait(future, deadline_ns);
    if (status != YOKE_OK)
        return status;
    if (bytes > 0)
        memcpy(value, &future->result_, bytes);
    return yoke__outcome(future);
}

/* --- all --- */

typedef struct progress {
    size_t unended; /* the first one that has not ended */
    size_t bad;     /* the first one that is not done, of those that have ended */
} progress;

/* The k-th has ended. */
static void note_bad(yoke_future *const *futures, size_t k, progress *p)
{
    if (k < p->bad && yoke__kind(futures[k]) != YOKE__DONE)
        p->bad = k;
}

/* What each has come to, in one pass: with many, they come from memory. */
static int look_at_all(yoke_future *const *futures, size_t count, progress *p)
{
    if (futures == NULL)
        return check_all(futures, count, 0);
    int status = YOKE_OK;
    for (size_t k = 0; k < count && status == YOKE_OK; k++) {
        if (k + AHEAD < count)
            __builtin_prefetch(futures[k + AHEAD]);
        const uint32_t state =
            futures[k] != NULL ? atomic_load_explicit(&futures[k]->state_, memory_order_acquire) : YOKE__IDLE;
        if (state == YOKE__DONE)
            continue;
        status = yoke__check_awaited(futures[k]);
        if (status == YOKE_OK && has_ended_here(futures[k])) {
            note_bad(futures, k, p);
        } else if (status == YOKE_OK) {
            p->unended = p->unended < k ? p->unended : k;
            status = check_own(futures[k]);
        }
    }
    return status;
}

/* The last one first: tasks end about in their order, so it is the only one that this thread sleeps for. */
static int wait_for_all(yoke_future *const *futures, size_t count, int64_t deadline_ns, progress *p)
{
    int status = YOKE_OK;
    if (deadline_ns == 0)
        take_all(futures + p->unended, count - p->unended);
    for (size_t k = count; k-- > p->unended && status == YOKE_OK;) {
        if (k >= p->unended + AHEAD)
            __builtin_prefetch(futures[k - AHEAD]);
        status = wait_for(futures[k], deadline_ns);
        if (status == YOKE_OK)
            note_bad(futures, k, p);
    }
    return status;
}

int yoke_gather(yoke_future *const *futures, size_t count, int64_t deadline_ns)
{
    progress p = {count, count};
    int status = yoke__check_deadline(deadline_ns);
    if (status == YOKE_OK)
        status = look_at_all(futures, count, &p);
    if (status == YOKE_OK && p.unended < count)
        status = wait_for_all(futures, count, deadline_ns, &p);
    return status == YOKE_OK && p.bad < count ? yoke__outcome(futures[p.bad]) : status;
}

/* --- any --- */

static int first_ended(yoke_future *const *futures, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (has_ended_here(futures[k]))
            return (int)k;
    return -1;
}

/* Watches them from the first on, and stops at one that has ended. How many it watches. */
static size_t watch_all(yoke_future *const *futures, size_t count, waiter *waiters, _Atomic uint32_t *word)
{
    size_t k = 0;
    for (; k < count; k++) {
        waiters[k] = (waiter){.watcher.notify = wake, .word = word};
        if (!yoke__future_watch(futures[k], &waiters[k].watcher))
            break;
    }
    return k;
}

/* Those that ended meanwhile still have to reach us. */
static void unwatch_all(yoke_future *const *futures, size_t watched, waiter *waiters, _Atomic uint32_t *word)
{
    uint32_t taken = 0, seen = 0;
    for (size_t k = 0; k < watched; k++)
        taken += !yoke__future_unwatch(futures[k], &waiters[k].watcher);
    while (seen < taken)
        seen = yoke__park(word, seen, 0, SPIN_NS);
}

static int wait_for_any(yoke_future *const *futures, size_t count, int64_t deadline_ns, waiter *waiters)
{
    _Atomic uint32_t word = 0;
    const size_t watched = watch_all(futures, count, waiters, &word);
    if (watched == count)
        (void)yoke__park_here(&word, 0, deadline_ns);
    const int found = first_ended(futures, count);
    unwatch_all(futures, watched, waiters, &word);
    return found >= 0 ? found : late();
}

int yoke_wait_any(yoke_future *const *futures, size_t count, int64_t deadline_ns)
{
    int status = check_all(futures, count, deadline_ns);
    if (status != YOKE_OK)
        return status;
    if (count == 0 || count > INT_MAX)
        return yoke__fail(YOKE_EINVAL, "any of %zu futures; give 1 to %d", count, INT_MAX);
    const int found = first_ended(futures, count);
    if (found >= 0)
        return found;
    for (size_t k = 0; k < count && status == YOKE_OK; k++)
        status = check_own(futures[k]);
    if (status != YOKE_OK)
        return status;
    waiter here[ON_STACK], *waiters = count <= ON_STACK ? here : yoke__alloc_zeroed(count, sizeof *waiters);
    if (waiters == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory to wait for any of %zu futures", count);
    status = wait_for_any(futures, count, deadline_ns, waiters);
    if (waiters != here)
        yoke__free(waiters);
    return status;
}

/* --- in the order of their ends --- */

static void deliver(yoke_completions *c, struct yoke__watcher *watcher)
{
    void *top = atomic_load_explicit(&c->ended_, memory_order_relaxed);
    do
        watcher->next = top;
    while (!atomic_compare_exchange_weak(&c->ended_, &top, watcher));
    yoke__unpark(&c->word_);
}

static yoke_future *future_of(struct yoke__watcher *watcher)
{
    return (yoke_future *)(void *)((char *)watcher - offsetof(yoke_future, iteration_));
}

static void ended(struct yoke__watcher *watcher)
{
    deliver(atomic_load(&future_of(watcher)->iterator_), watcher);
}

/* All are the iteration's, or none. */
static bool enlist(yoke_completions *c, yoke_future *const *futures, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        void *nobody = NULL;
        if (atomic_compare_exchange_strong(&futures[k]->iterator_, &nobody, c))
            continue;
        while (k-- > 0)
            atomic_store(&futures[k]->iterator_, NULL);
        return false;
    }
    return true;
}

int yoke_as_completed(yoke_completions *completions, yoke_future *const *futures, size_t count)
{
    if (completions == NULL)
        return yoke__fail(YOKE_EINVAL, "completions is NULL; give a structure to fill");
    const int status = check_all(futures, count, 0);
    if (status != YOKE_OK)
        return status;
    if (count > INT_MAX)
        return yoke__fail(YOKE_EINVAL, "%zu futures; %d are the most", count, INT_MAX);
    memset(completions, 0, sizeof *completions);
    completions->count_ = count;
    if (!enlist(completions, futures, count))
        return yoke__fail(YOKE_EBUSY, "a future is in another iteration, or here twice; each is delivered once");
    for (size_t k = 0; k < count; k++) {
        futures[k]->iteration_.notify = ended;
        if (!yoke__future_watch(futures[k], &futures[k]->iteration_))
            deliver(completions, &futures[k]->iteration_);
    }
    return YOKE_OK;
}

/* The first one first. */
static struct yoke__watcher *take_ended(yoke_completions *c)
{
    struct yoke__watcher *first = NULL, *watcher = atomic_exchange(&c->ended_, NULL);
    while (watcher != NULL) {
        struct yoke__watcher *next = watcher->next;
        watcher->next = first;
        first = watcher;
        watcher = next;
    }
    return first;
}

int yoke_next_completed(yoke_completions *completions, yoke_future **future, int64_t deadline_ns)
{
    yoke_completions *c = completions;
    if (c == NULL || future == NULL)
        return yoke__fail(YOKE_EINVAL,
                          "completions or future is NULL; give an iteration that began, and where to put the next");
    const int status = yoke__check_deadline(deadline_ns);
    if (status != YOKE_OK)
        return status;
    if (c->delivered_ == c->count_)
        return yoke__fail(YOKE_ESTATE, "all %zu futures were delivered", c->count_);
    while (c->taken_ == NULL && (c->taken_ = take_ended(c)) == NULL) {
        const uint32_t seen = yoke__park_here(&c->word_, c->seen_, deadline_ns);
        if (seen == c->seen_ && atomic_load(&c->ended_) == NULL)
            return late();
        c->seen_ = seen;
    }
    *future = future_of(c->taken_);
    c->taken_ = c->taken_->next;
    atomic_store(&(*future)->iterator_, NULL);
    c->delivered_++;
    while (c->delivered_ == c->count_ && c->seen_ < c->count_) /* whoever ended the last one still touches this */
        c->seen_ = yoke__park(&c->word_, c->seen_, 0, SPIN_NS);
    return YOKE_OK;
}
