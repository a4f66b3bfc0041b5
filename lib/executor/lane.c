/* Who runs the tasks that wait. Everything here is called with the pool's lock held. */
#include "lib/executor/pool.h"

void yoke__idle_remove(thread *t)
{
    lane *l = t->lane;
    *(t->previous != NULL ? &t->previous->next : &l->idle) = t->next;
    *(t->next != NULL ? &t->next->previous : &l->last_idle) = t->previous;
    t->idle = false;
}

static nap *take_nap(lane *l)
{
    nap *n = l->naps;
    if (n != NULL) {
        l->naps = n->next;
        n->listed = false;
    }
    return n;
}

/* The system refuses threads for tasks that block: those that compute take them. */
static void give_up(pool *p, lane *l)
{
    for (unsigned k = 0; k < PRIORITIES; k++)
        for (yoke_future *f; (f = yoke__lane_take(p, l, k)) != NULL;) {
            f->lane_ = COMPUTING;
            yoke__lane_push(p, f);
            yoke__lane_pass_on(p, &p->lanes[COMPUTING]);
        }
}

void yoke__lane_tell(lane *l)
{
    uint32_t urgent = PRIORITIES;
    while (urgent > 0 && l->queues[urgent - 1].first == NULL)
        urgent--;
    if (l->running > l->limit)
        urgent = PRIORITIES + 1;
    if (atomic_load_explicit(&l->urgent, memory_order_relaxed) != urgent)
        atomic_store_explicit(&l->urgent, urgent, memory_order_relaxed);
    const uint32_t unattended = l->running < l->limit && l->scout == NULL;
    if (atomic_load_explicit(&l->unattended, memory_order_relaxed) != unattended) {
        if (unattended != 0)
            yoke__announce(&l->unattended);
        else /* who turned it off looks, and turns it on again before sleeping */
            atomic_store_explicit(&l->unattended, 0, memory_order_relaxed);
    }
}

static bool has_work(const lane *l)
{
    return l->queued > 0 || l->batches != NULL || atomic_load(&l->nests) != NULL || !yoke__inboxes_empty(l);
}

void yoke__lane_pass_on(pool *p, lane *l)
{
    yoke__lane_tell(l);
    if (l->running >= l->limit || !has_work(l))
        return;
    thread *t = l->idle;
    nap *n;
    if (t != NULL) {
        yoke__idle_remove(t);
        t->granted = true;
        l->called = t;
        l->running++;
        yoke__lane_tell(l);
        yoke__unpark(&t->word);
    } else if (l->threads < l->most && yoke__pool_start_thread(p, l, false)) {
        yoke__lane_tell(l);
    } else if ((n = take_nap(l)) != NULL) {
        n->called = true;
        n->calls++;
        yoke__unpark(n->word);
    } else if (l->threads == 0) {
        give_up(p, l);
    }
}

static bool has_two(const lane *l)
{
    size_t count = l->queued;
    for (unsigned k = 0; k < PRIORITIES; k++) {
        const yoke_future *first = atomic_load_explicit(&l->inboxes[k].first, memory_order_relaxed);
        count += first != NULL;
        count += first != atomic_load_explicit(&l->inboxes[k].last, memory_order_relaxed);
    }
    return count > 1;
}

void yoke__lane_spread(pool *p, lane *l)
{
    yoke__lane_pass_on(p, l);
    if (has_two(l))
        yoke__lane_pass_on(p, l);
}
