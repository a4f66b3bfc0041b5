/* Threads that are no executor's and wait for tasks of a pool whose callers help: they run those tasks meanwhile. */
#include "lib/executor/pool.h"

enum { LOOKS = 2 * BATCH }; /* at futures while the lock is held */

/* A free place, or that of a thread that has nothing yet: it watches, or was called and has not come. */
static bool take_place(lane *l)
{
    if (l->running < l->limit) {
        l->running++;
        return true;
    }
    if (l->scout != NULL) {
        l->scout->placeless = true;
        l->scout = NULL;
        return true;
    }
    if (l->called == NULL)
        return false;
    yoke__idle_add(l->called);
    l->called = NULL;
    return true;
}

/* And not just on its way there: then its members are being written. */
static bool is_pending_in(const pool *p, const yoke_future *f)
{
    const uint32_t state = atomic_load_explicit(&f->state_, memory_order_acquire);
    return (state & (YOKE__KIND | YOKE__FRESH)) == YOKE__PENDING &&
           atomic_load_explicit(&f->owner_, memory_order_relaxed) == (const void *)p;
}

/* Those among them that have not begun, into the batch. How many were looked at. */
static size_t collect(pool *p, lane *l, batch *b, unsigned most, yoke_future *const *futures, size_t count)
{
    size_t k = 0;
    b->count = 0;
    b->priority = PRIORITIES - 1; /* nothing is more urgent than what somebody waits for */
    for (; k < count && k < LOOKS && b->count < most; k++) {
        yoke_future *f = futures[k];
        if (is_pending_in(p, f) && yoke__lane_may_run(f) && f->lane_ == COMPUTING && yoke__lane_remove(p, f))
            yoke__batch_put(b, f);
    }
    yoke__batch_offer(l, b);
    return k;
}

/* With a place, which is given back. */
static size_t run_some_of(pool *p, lane *l, thread *t, yoke_future *first, yoke_future *const *futures, size_t count)
{
    const unsigned most = t->most > 0 ? t->most : 1;
    yoke__thread_init(t, p, l);
    t->most = most;
    const bool alone = l->running < l->limit;
    const size_t looked = collect(p, l, &t->batch, alone ? 1 : most, futures, count);
    const unsigned taken = t->batch.count;
    yoke__future_unlock(first);
    yoke__lane_pass_on(p, l);
    if (taken > 0) { /* until they have ended and are counted, the pool cannot go */
        yoke__helper_set(&t->helper);
        yoke__thread_run_batch(t, taken, !alone && count > 1);
        yoke__helper_set(NULL);
    }
    return looked;
}

size_t yoke__pool_help(yoke__owner *owner, yoke_future *const *futures, size_t count)
{
    pool *p = (pool *)owner;
    lane *l = &p->lanes[COMPUTING];
    size_t looked = 0;
    pthread_mutex_lock(&p->lock);
    thread *t = NULL;
    if (take_place(l)) {
        t = yoke__pool_take_record(p);
        if (t != NULL)
            looked = run_some_of(p, l, t, futures[0], futures, count);
        l->running--;
        yoke__lane_pass_on(p, l);
    }
    if (t != NULL) {
        t->next = p->spare;
        p->spare = t;
    } else {
        yoke__future_unlock(futures[0]);
    }
    pthread_mutex_unlock(&p->lock);
    return looked;
}
