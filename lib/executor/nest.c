/* Nests: what tasks submit waits with their thread, for who submits within a task mostly waits for it there, and then the
 * newest is at hand: it runs right there, without the lock, as with the deques of work stealing (Blumofe and Leiserson,
 * "Scheduling multithreaded computations by work stealing", 1999). Threads that find nothing in queues take the oldest, which
 * has the most work below it where work is divided in halves. When the thread's own task ends or sleeps, the rest goes the
 * way of all tasks. */
#include "lib/executor/pool.h"

/* --- by the thread, without the lock --- */

static yoke_future *look(const slot *s)
{
    return atomic_load_explicit(&s->task, memory_order_relaxed);
}

static void trim(nest *n)
{
    while (n->top > 0 && look(&n->slots[n->top - 1]) == NULL)
        n->top--;
}

static void list_nest(lane *l, nest *n)
{
    nest *first = atomic_load_explicit(&l->nests, memory_order_relaxed);
    n->next = first;
    n->previous = NULL;
    if (first != NULL)
        first->previous = n;
    atomic_store(&l->nests, n);
    atomic_store(&n->listed, 1);
}

/* The oldest go to the inbox, so that all keep their order. */
static void make_room(thread *t)
{
    pthread_mutex_lock(&t->pool->lock);
    yoke__nest_clear(t->lane, &t->nest);
    yoke__lane_pass_on(t->pool, t->lane);
    pthread_mutex_unlock(&t->pool->lock);
}

void yoke__nest_put(thread *t, yoke_future *f)
{
    nest *n = &t->nest;
    trim(n);
    if (n->top == NEST)
        make_room(t);
    slot *s = &n->slots[n->top++];
    f->previous_ = (yoke_future *)(void *)s;
    f->next_ = (yoke_future *)(void *)n;
    f->place_ = NESTED;
    yoke__count_up(&t->tally.nested);
    yoke__future_publish(f);
    atomic_store(&s->task, f); /* ahead of the look at `listed` */
    if (atomic_load(&n->listed) != 0)
        return;
    pthread_mutex_lock(&t->pool->lock);
    if (atomic_load(&n->listed) == 0) /* nor did whoever just took it off see the task */
        list_nest(t->lane, n);
    yoke__lane_pass_on(t->pool, t->lane);
    pthread_mutex_unlock(&t->pool->lock);
}

bool yoke__nest_take(nest *n, const yoke_future *f)
{
    unsigned k = n->top;
    while (k > 0 && look(&n->slots[k - 1]) != f)
        k--;
    if (k == 0)
        return false;
    const bool ours = atomic_exchange_explicit(&n->slots[k - 1].task, NULL, memory_order_acq_rel) == f;
    trim(n);
    return ours;
}

/* --- with the lock held --- */

static void unlist_nest(lane *l, nest *n)
{
    if (n->previous != NULL)
        n->previous->next = n->next;
    else
        atomic_store(&l->nests, n->next);
    if (n->next != NULL)
        n->next->previous = n->previous;
    atomic_store(&n->listed, 0);
}

static bool is_empty(const nest *n)
{
    for (unsigned k = 0; k < NEST; k++)
        if (atomic_load(&n->slots[k].task) != NULL)
            return false;
    return true;
}

/* If it is empty; who just fills it puts it back, or is seen. */
static void unlist_empty(lane *l, nest *n)
{
    unlist_nest(l, n);
    if (!is_empty(n))
        list_nest(l, n);
}

/* Taken out by another thread: its own would count it at the end of its batch. */
static void count_out(pool *p, nest *n)
{
    p->submitted++;
    n->left++;
}

static yoke_future *take_out(pool *p, nest *n, unsigned k)
{
    yoke_future *f = look(&n->slots[k]) != NULL ? atomic_exchange(&n->slots[k].task, NULL) : NULL;
    if (f != NULL)
        count_out(p, n);
    return f;
}

static void take_half(pool *p, nest *n, batch *to, unsigned most)
{
    unsigned count = 0;
    for (unsigned k = 0; k < NEST; k++)
        count += look(&n->slots[k]) != NULL;
    const unsigned share = (count + 1) / 2 < most ? (count + 1) / 2 : most;
    to->priority = NORMAL;
    for (unsigned k = 0; k < NEST && to->count < share; k++) {
        yoke_future *f = take_out(p, n, k);
        if (f != NULL)
            yoke__batch_put(to, f);
    }
}

void yoke__nest_steal(pool *p, lane *l, batch *to, unsigned most)
{
    for (nest *n = atomic_load(&l->nests), *next; n != NULL && to->count == 0; n = next) {
        next = n->next;
        take_half(p, n, to, most);
        if (to->count == 0)
            unlist_empty(l, n);
    }
}

bool yoke__nest_remove(pool *p, yoke_future *f)
{
    yoke_future *there = f;
    if (!atomic_compare_exchange_strong(&((slot *)(void *)f->previous_)->task, &there, NULL))
        return false;
    count_out(p, (nest *)(void *)f->next_);
    return true;
}

void yoke__nest_clear(lane *l, nest *n)
{
    if (atomic_load_explicit(&n->listed, memory_order_relaxed) != 0)
        unlist_nest(l, n);
    for (unsigned k = 0; k < n->top; k++) {
        yoke_future *f = atomic_exchange(&n->slots[k].task, NULL);
        if (f == NULL)
            continue;
        n->left++;
        f->place_ = INBOX;
        yoke__inbox_put(&l->inboxes[f->priority_], f);
    }
    n->top = 0;
}

void yoke__nests_bring_back(pool *p, lane *l)
{
    for (nest *n = atomic_load(&l->nests); n != NULL; n = n->next)
        for (unsigned k = 0; k < NEST; k++) {
            yoke_future *f = take_out(p, n, k);
            if (f != NULL)
                yoke__lane_append(l, f);
        }
}
