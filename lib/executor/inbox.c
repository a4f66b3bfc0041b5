/* Where tasks wait that nobody has taken: inboxes, queues, and the way from the one to the other.
 *
 * An inbox is a list through next_. Putting in is an exchange of its last element and then a link from the one before: in
 * between, the list is cut there, for as long as that thread does not run. Nobody waits for it but who sleeps otherwise:
 * an inbox is empty when it has no last element, which the exchange alone decides. */
#include <sched.h>

#include "lib/executor/pool.h"

/* --- queues --- */

void yoke__queue_append(queue *q, yoke_future *f)
{
    f->next_ = NULL;
    f->previous_ = q->last;
    *(q->last != NULL ? &q->last->next_ : &q->first) = f;
    q->last = f;
}

void yoke__queue_remove(queue *q, yoke_future *f)
{
    *(f->previous_ != NULL ? &f->previous_->next_ : &q->first) = f->next_;
    *(f->next_ != NULL ? &f->next_->previous_ : &q->last) = f->previous_;
}

static void prepend(queue *q, yoke_future *f)
{
    f->next_ = q->first;
    f->previous_ = NULL;
    *(q->first != NULL ? &q->first->previous_ : &q->last) = f;
    q->first = f;
}

/* --- inboxes --- */

void yoke__inbox_put(inbox *b, yoke_future *f)
{
    f->next_ = NULL;
    yoke_future *before = atomic_exchange(&b->last, f); /* releases f, and is ahead of the look at `unattended` */
    if (before == NULL)
        atomic_store_explicit(&b->first, f, memory_order_release);
    else /* it cannot go before this: only its successor lets it be taken */
        __atomic_store_n(&before->next_, f, __ATOMIC_RELEASE);
}

bool yoke__inbox_empty(const inbox *b)
{
    return atomic_load(&b->last) == NULL;
}

bool yoke__inboxes_empty(const lane *l)
{
    for (unsigned k = 0; k < PRIORITIES; k++)
        if (!yoke__inbox_empty(&l->inboxes[k]))
            return false;
    return true;
}

static yoke_future *take_out(inbox *b)
{
    yoke_future *f = atomic_load_explicit(&b->first, memory_order_acquire), *last = f;
    if (f == NULL)
        return NULL;
    yoke_future *next = __atomic_load_n(&f->next_, __ATOMIC_ACQUIRE);
    if (next == NULL) { /* the last one, unless another is on its way */
        atomic_store_explicit(&b->first, NULL, memory_order_relaxed);
        if (atomic_compare_exchange_strong(&b->last, &last, NULL))
            return f;
        next = __atomic_load_n(&f->next_, __ATOMIC_ACQUIRE);
        if (next == NULL) {
            atomic_store_explicit(&b->first, f, memory_order_relaxed);
            return NULL;
        }
    }
    __builtin_prefetch(next, 1);
    __builtin_prefetch(&next->next_, 1);
    atomic_store_explicit(&b->first, next, memory_order_relaxed);
    return f;
}

/* --- both --- */

void yoke__lane_append(lane *l, yoke_future *f)
{
    yoke__queue_append(&l->queues[f->priority_], f);
    f->place_ = QUEUED;
    l->queued++;
}

yoke_future *yoke__lane_take(pool *p, lane *l, unsigned priority)
{
    queue *q = &l->queues[priority];
    yoke_future *f = q->first;
    if (f != NULL) {
        yoke__queue_remove(q, f);
        l->queued--;
    } else if ((f = take_out(&l->inboxes[priority])) != NULL) {
        p->submitted++;
    }
    if (f != NULL)
        f->place_ = NOWHERE;
    return f;
}

void yoke__lane_give_back(lane *l, yoke_future *f)
{
    prepend(&l->queues[f->priority_], f);
    f->place_ = QUEUED;
    l->queued++;
}

/* One of them. False: there is none, or it is just being put in. */
static bool drain_one(pool *p, lane *l, unsigned priority)
{
    yoke_future *f = take_out(&l->inboxes[priority]);
    if (f == NULL)
        return false;
    p->submitted++;
    yoke__lane_append(l, f);
    return true;
}

void yoke__lane_push(pool *p, yoke_future *f)
{
    lane *l = &p->lanes[f->lane_];
    while (drain_one(p, l, f->priority_)) /* they came before it */
        ;
    if (f->place_ == DELAYED)
        yoke__queue_remove(&p->delayed, f);
    yoke__lane_append(l, f);
}

void yoke__lane_drain(pool *p, lane *l)
{
    for (unsigned k = 0; k < PRIORITIES; k++) {
        const yoke_future *end = atomic_load(&l->inboxes[k].last); /* more may follow all the time */
        while (end != NULL && !yoke__inbox_empty(&l->inboxes[k])) {
            if (drain_one(p, l, k)) {
                if (l->queues[k].last == end)
                    break;
                continue;
            }
            pthread_mutex_unlock(&p->lock);
            (void)sched_yield();
            pthread_mutex_lock(&p->lock);
        }
    }
    yoke__lane_tell(l);
}

bool yoke__lane_may_run(const yoke_future *f)
{
    return (f->place_ == INBOX || f->place_ == QUEUED || f->place_ == BATCHED || f->place_ == NESTED) && f->skip_ == 0;
}

bool yoke__lane_remove(pool *p, yoke_future *f)
{
    lane *l = &p->lanes[f->lane_];
    if (f->place_ == INBOX) {
        while (drain_one(p, l, f->priority_) && f->place_ == INBOX)
            ;
        yoke__lane_tell(l);
    }
    if (f->place_ == BATCHED) {
        yoke_future *there = f;
        if (!atomic_compare_exchange_strong(&((slot *)(void *)f->previous_)->task, &there, NULL))
            return false;
    } else if (f->place_ == NESTED) {
        if (!yoke__nest_remove(p, f))
            return false;
    } else if (f->place_ == QUEUED) {
        yoke__queue_remove(&l->queues[f->priority_], f);
        l->queued--;
    } else if (f->place_ == DELAYED) {
        yoke__queue_remove(&p->delayed, f);
    } else {
        return false;
    }
    f->place_ = NOWHERE;
    return true;
}
