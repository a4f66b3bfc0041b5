/* Which task is next, and who runs it. Everything here is called with the pool's lock held. */
#include "lib/executor/pool.h"

/* --- lists --- */

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

/* --- room --- */

void yoke__lane_leave_room(pool *p)
{
    p->used--;
    room *r = p->rooms;
    if (r == NULL)
        return;
    p->rooms = r->next;
    if (p->rooms == NULL)
        p->last_room = NULL;
    r->listed = false;
    yoke__unpark(&r->word);
}

/* --- tasks --- */

static void link_task(pool *p, yoke_future *f)
{
    lane *l = &p->lanes[f->lane_];
    yoke__queue_append(&l->queues[f->priority_], f);
    f->place_ = QUEUED;
    l->queued++;
}

static void unlink_task(pool *p, yoke_future *f)
{
    lane *l = &p->lanes[f->lane_];
    if (f->place_ == QUEUED) {
        yoke__queue_remove(&l->queues[f->priority_], f);
        l->queued--;
    } else if (f->place_ == DELAYED) {
        yoke__queue_remove(&p->delayed, f);
    }
    f->place_ = NOWHERE;
}

void yoke__lane_push(pool *p, yoke_future *f)
{
    unlink_task(p, f);
    link_task(p, f);
}

void yoke__lane_withdraw(pool *p, yoke_future *f)
{
    if (f->place_ == NOWHERE)
        return;
    unlink_task(p, f);
    yoke__lane_leave_room(p);
}

/* Off its queue and the caller's, unless a cancel was faster: then that ends it. */
static bool claim(pool *p, yoke_future *f)
{
    unlink_task(p, f);
    if (f->skip_ == YOKE__CLAIMED) { /* it left its room when it was cancelled */
        p->running++;
        return true;
    }
    const bool ours = yoke__future_claim(f, YOKE__PENDING, f->skip_ != 0 ? YOKE__CLAIMED : YOKE__RUNNING);
    p->running += ours;
    yoke__lane_leave_room(p);
    return ours;
}

yoke_future *yoke__lane_next(pool *p, lane *l)
{
    for (unsigned k = PRIORITIES; k-- > 0;)
        while (l->queues[k].first != NULL) {
            yoke_future *f = l->queues[k].first;
            if (claim(p, f))
                return f;
        }
    return NULL;
}

bool yoke__lane_claim(pool *p, yoke_future *f)
{
    return f->place_ == QUEUED && f->skip_ == 0 && claim(p, f);
}

/* --- threads --- */

/* The system refuses threads for tasks that block: those that compute take them. */
static void give_up(pool *p, lane *l)
{
    for (unsigned k = 0; k < PRIORITIES; k++)
        while (l->queues[k].first != NULL) {
            yoke_future *f = l->queues[k].first;
            unlink_task(p, f);
            f->lane_ = COMPUTING;
            link_task(p, f);
            yoke__lane_pass_on(p, &p->lanes[COMPUTING]);
        }
}

void yoke__lane_pass_on(pool *p, lane *l)
{
    if (l->queued == 0 || l->running >= l->limit)
        return;
    thread *t = l->idle;
    nap *n;
    if (t != NULL) {
        yoke__idle_remove(t);
        t->granted = true;
        l->running++;
        yoke__unpark(&t->word);
    } else if (l->threads < l->most && yoke__pool_start_thread(p, l, false)) {
        return;
    } else if ((n = take_nap(l)) != NULL) {
        n->called = true;
        n->calls++;
        yoke__unpark(n->word);
    } else if (l->threads == 0) {
        give_up(p, l);
    }
}
