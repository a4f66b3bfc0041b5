/* Batches: tasks that a thread takes at once, because the lock would cost more than they do. What a batch holds has not
 * begun, and others may still take it: who cancels it or waits for it, and threads that find nothing else to do, so that no
 * task waits for the end of one before it while a thread is idle. With a place free, nobody takes more than one. */
#include "lib/executor/pool.h"

void yoke__batch_offer(lane *l, batch *b)
{
    if (b->count < 2)
        return;
    b->next = l->batches;
    b->previous = NULL;
    if (b->next != NULL)
        b->next->previous = b;
    l->batches = b;
    b->listed = true;
}

static void unlist_batch(lane *l, batch *b)
{
    if (!b->listed)
        return;
    *(b->previous != NULL ? &b->previous->next : &l->batches) = b->next;
    if (b->next != NULL)
        b->next->previous = b->previous;
    b->listed = false;
}

void yoke__batch_put(batch *b, yoke_future *f)
{
    slot *s = &b->slots[b->count++];
    f->previous_ = (yoke_future *)(void *)s;
    f->place_ = BATCHED;
    atomic_store_explicit(&s->task, f, memory_order_release);
}

/* The later half of what another one has, and not less than one. */
static void steal(lane *l, batch *to, unsigned most)
{
    yoke_future *taken[BATCH];
    for (batch *from = l->batches; from != NULL && to->count == 0; from = l->batches) {
        unsigned left = 0, count = 0;
        for (unsigned k = 0; k < from->count; k++)
            left += atomic_load_explicit(&from->slots[k].task, memory_order_relaxed) != NULL;
        const unsigned share = (left + 1) / 2 < most ? (left + 1) / 2 : most;
        for (unsigned k = from->count; k-- > 0 && count < share;) {
            taken[count] = yoke__batch_begin(from, k);
            count += taken[count] != NULL;
        }
        while (count > 0)
            yoke__batch_put(to, taken[--count]);
        to->priority = from->priority;
        if (left <= share)
            unlist_batch(l, from);
    }
}

static void take_of_others(pool *p, lane *l, batch *b, unsigned most)
{
    yoke__nest_steal(p, l, b, most);
    if (b->count == 0)
        steal(l, b, most);
}

unsigned yoke__batch_fill(pool *p, lane *l, batch *b, unsigned most, bool others_first)
{
    b->count = 0;
    if (others_first)
        take_of_others(p, l, b, most);
    for (unsigned k = PRIORITIES; k-- > 0 && b->count == 0;) {
        yoke_future *f;
        b->priority = k;
        while (b->count < most && (f = yoke__lane_take(p, l, k)) != NULL)
            yoke__batch_put(b, f);
    }
    if (b->count == 0)
        take_of_others(p, l, b, most);
    yoke__batch_offer(l, b);
    return b->count;
}

void yoke__batch_give_back(lane *l, batch *b)
{
    for (unsigned k = b->count; k-- > 0;) {
        if (atomic_load_explicit(&b->slots[k].task, memory_order_relaxed) == NULL) /* as most are, and stay */
            continue;
        yoke_future *f = yoke__batch_begin(b, k);
        if (f != NULL)
            yoke__lane_give_back(l, f);
    }
    b->count = 0;
    unlist_batch(l, b);
}
