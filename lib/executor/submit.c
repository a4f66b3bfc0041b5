/* Tasks on their way into the pool of threads, and out of it before they ran. */
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "lib/executor/pool.h"

/* --- room --- */

static bool is_bounded(const pool *p)
{
    return p->bound != SIZE_MAX;
}

static bool take_room(pool *p, bool must_fit)
{
    size_t used = atomic_load(&p->used);
    do
        if (must_fit && used >= p->bound)
            return false;
    while (!atomic_compare_exchange_weak(&p->used, &used, used + 1));
    return true;
}

void yoke__pool_leave_room(pool *p)
{
    if (!is_bounded(p))
        return;
    (void)atomic_fetch_sub(&p->used, 1); /* ahead of the look at who waits, who looks the other way round */
    if (atomic_load(&p->crowded) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    room *r = p->rooms;
    if (r != NULL) {
        p->rooms = r->next;
        if (p->rooms == NULL)
            p->last_room = NULL;
        r->listed = false;
        yoke__unpark(&r->word);
    } else {
        atomic_store(&p->crowded, 0);
    }
    pthread_mutex_unlock(&p->lock);
}

static void unlist_room(pool *p, room *r)
{
    if (!r->listed)
        return;
    room **at = &p->rooms, *before = NULL;
    for (; *at != r; at = &(*at)->next)
        before = *at;
    *at = r->next;
    if (p->last_room == r)
        p->last_room = before;
}

static int check_open(pool *p)
{
    if (p->processes != NULL && yoke__processes_broken(p->processes))
        return yoke__tell_end(YOKE_EBROKEN, YOKE__NO_PROCESS, 0, NULL, NULL);
    if (atomic_load_explicit(&p->closed, memory_order_acquire))
        return yoke__fail(YOKE_ESTATE, "the executor was closed; submit before that, or open another one");
    return YOKE_OK;
}

/* Until there is room, or none can be waited for. With the lock held, which is given up meanwhile. */
static int await_room(pool *p, int64_t deadline_ns)
{
    while (!p->closed) {
        room r = {.listed = true};
        yoke__announce(&p->crowded);
        if (take_room(p, true))
            return YOKE_OK;
        if (deadline_ns > 0 && yoke__now_ns() >= deadline_ns)
            return yoke__fail(YOKE_ETIMEDOUT, "%zu tasks wait, and the deadline passed before there was room",
                              p->bound);
        *(p->last_room != NULL ? &p->last_room->next : &p->rooms) = &r;
        p->last_room = &r; /* cppcheck-suppress autoVariables ; it leaves the list before it goes */
        pthread_mutex_unlock(&p->lock);
        (void)yoke__park_here(&r.word, 0, deadline_ns);
        pthread_mutex_lock(&p->lock);
        unlist_room(p, &r);
    }
    return check_open(p);
}

/* Room for a task. */
static int reserve(pool *p, int64_t deadline_ns)
{
    int status = check_open(p);
    if (status != YOKE_OK || !is_bounded(p) || take_room(p, p->refuses || yoke__pool_thread_here(p) == NULL))
        return status;
    if (p->refuses)
        return yoke__fail(YOKE_EFULL, "%zu tasks wait already; submit it later", p->bound);
    pthread_mutex_lock(&p->lock);
    status = await_room(p, deadline_ns);
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* --- submitting --- */

int yoke__pool_check(yoke_executor *self, const yoke_task_options *options, yoke_function *function,
                     const void *argument)
{
    (void)self, (void)function, (void)argument;
    if (options->argument_bytes > YOKE_ARGUMENT_BYTES)
        return yoke__fail(YOKE_EINVAL,
                          "an argument of %zu bytes; a future copies up to %d: give a pointer that stays, and 0",
                          options->argument_bytes, YOKE_ARGUMENT_BYTES);
    if (options->time_limit_ns != 0 || options->retries != 0)
        return yoke__fail(YOKE_EINVAL, "a thread cannot be killed; time limits and retries need yoke_process_pool()");
    return YOKE_OK;
}

static bool has_extras(const yoke_task_options *o)
{
    return o->name != NULL || o->argument_bytes > 0 || o->after_count > 0 || o->result_bytes > 0 ||
           o->time_limit_ns != 0 || o->retries != 0;
}

static void fill_extras(yoke_future *f, const yoke_task_options *o)
{
    if (o->argument_bytes > 0 && o->argument_bytes <= YOKE_ARGUMENT_BYTES)
        f->argument_ = memcpy(&f->copy_, f->argument_, o->argument_bytes);
    f->argument_bytes_ = o->argument_bytes;
    f->result_to_ = o->result;
    f->result_bytes_ = o->result_bytes;
    f->limit_ns_ = o->time_limit_ns;
    f->retries_ = (unsigned char)o->retries;
    f->name_ = o->name;
    f->after_ = o->after;
    f->after_count_ = o->after_count;
    f->extras_ = YOKE__EXTRAS;
}

static void fill(const pool *p, yoke_future *f, const yoke_task_options *options, yoke_function *function,
                 void *argument)
{
    f->function_ = function;
    f->argument_ = argument;
    f->place_ = NOWHERE;
    f->lane_ = (options->flags & YOKE_TASK_BLOCKS) != 0 && p->processes == NULL ? BLOCKING : COMPUTING;
    f->priority_ = (unsigned char)(options->priority - YOKE_PRIORITY_LOW);
    if (has_extras(options))
        fill_extras(f, options);
    if (p->callers_help)
        f->extras_ |= YOKE__CALLER_HELPS;
}

/* It can be cancelled before it is in, not withdrawn: who cancels waits for that. */
static void enter(pool *p, lane *l, yoke_future *f)
{
    f->place_ = INBOX;
    inbox *b = &l->inboxes[f->priority_];
    yoke__future_publish(f);
    yoke__inbox_put(b, f);
    if (atomic_load(&l->unattended) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    yoke__lane_pass_on(p, l);
    pthread_mutex_unlock(&p->lock);
}

/* What computes and is neither more nor less urgent than most. */
static bool may_nest(const thread *t, const yoke_future *f)
{
    return t != NULL && t->lane == &t->pool->lanes[COMPUTING] && f->lane_ == COMPUTING && f->priority_ == NORMAL;
}

static void delay(pool *p, yoke_future *f)
{
    pthread_mutex_lock(&p->lock);
    p->submitted++;
    yoke__queue_append(&p->delayed, f);
    f->place_ = DELAYED;
    pthread_mutex_unlock(&p->lock);
    yoke__future_advance(f);
    yoke__future_unlock(f);
}

int yoke__pool_submit(yoke_executor *self, const yoke_task_options *options, yoke_future *future,
                      yoke_function *function, void *argument)
{
    pool *p = (pool *)self;
    uint32_t before;
    int status = reserve(p, options->deadline_ns);
    if (status != YOKE_OK)
        return status;
    status = yoke__future_begin(future, &self->owner, &before);
    if (status != YOKE_OK) {
        yoke__pool_leave_room(p);
        return status;
    }
    fill(p, future, options, function, argument);
    yoke__task_submitted();
    if (options->after_count > 0) {
        delay(p, future);
        return YOKE_OK;
    }
    thread *here = yoke__pool_thread_here(p);
    if (may_nest(here, future))
        yoke__nest_put(here, future);
    else
        enter(p, &p->lanes[future->lane_], future);
    return YOKE_OK;
}

/* --- what futures ask of it --- */

static void ready(yoke__owner *owner, yoke_future *f)
{
    pool *p = (pool *)owner;
    pthread_mutex_lock(&p->lock);
    yoke__lane_push(p, f);
    yoke__lane_pass_on(p, &p->lanes[f->lane_]);
    pthread_mutex_unlock(&p->lock);
}

static bool withdraw(yoke__owner *owner, yoke_future *f)
{
    pool *p = (pool *)owner;
    bool ours;
    pthread_mutex_lock(&p->lock);
    while (!(ours = yoke__lane_remove(p, f)) && f->place_ == INBOX) {
        pthread_mutex_unlock(&p->lock);
        (void)sched_yield();
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (ours) {
        (void)yoke__future_claim(f, YOKE__PENDING, YOKE__CLAIMED);
        yoke__pool_leave_room(p);
    }
    return ours;
}

static void cancelled(yoke__owner *owner)
{
    pool *p = (pool *)owner;
    yoke__task_left_out(false);
    pthread_mutex_lock(&p->lock);
    p->ended[2]++;
    yoke__pool_tell_joiner(p);
    pthread_mutex_unlock(&p->lock);
}

const yoke__owner yoke__pool_owner = {ready, withdraw, cancelled, yoke__pool_help};

/* --- cancelling all --- */

static yoke_future *first_pending(const queue *q)
{
    yoke_future *f = q->first;
    while (f != NULL && yoke__kind(f) != YOKE__PENDING)
        f = f->next_;
    return f;
}

/* In no inbox, and in no batch. */
static void bring_back(pool *p)
{
    for (unsigned k = 0; k < LANES; k++) {
        lane *l = &p->lanes[k];
        yoke__nests_bring_back(p, l);
        yoke__lane_drain(p, l);
        while (l->batches != NULL)
            yoke__batch_give_back(l, l->batches);
    }
}

static yoke_future *any_pending(pool *p)
{
    bring_back(p);
    yoke_future *f = first_pending(&p->delayed);
    for (unsigned k = 0; k < LANES * PRIORITIES && f == NULL; k++)
        f = first_pending(&p->lanes[k / PRIORITIES].queues[k % PRIORITIES]);
    return f;
}

int yoke__pool_cancel_all(yoke_executor *self)
{
    pool *p = (pool *)self;
    int count = 0;
    pthread_mutex_lock(&p->lock);
    bring_back(p);
    uint64_t most = yoke__pool_unended(p); /* callbacks may submit more */
    for (yoke_future *f = any_pending(p); f != NULL && most > 0; f = any_pending(p)) {
        /* The lock of a future comes before the pool's. What is in a list is there as long as the pool is locked. */
        const bool locked = yoke__future_try_lock(f);
        pthread_mutex_unlock(&p->lock);
        if (locked) {
            count += yoke__future_cancel_locked(f) == YOKE_OK && count < INT_MAX;
            most--;
        } else {
            (void)sched_yield();
        }
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return count;
}
