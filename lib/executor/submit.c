/* Tasks on their way into the pool of threads, and out of it before they ran. */
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "lib/executor/pool.h"

/* --- room --- */

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

/* Until there is room, or none can be waited for. With the lock held, which is given up meanwhile. */
static int await_room(pool *p, int64_t deadline_ns)
{
    while (p->used >= p->bound && !p->closed) {
        room r = {.listed = true};
        if (p->refuses)
            return yoke__fail(YOKE_EFULL, "%zu tasks wait already; submit it later", p->used);
        if (deadline_ns > 0 && yoke__now_ns() >= deadline_ns)
            return yoke__fail(YOKE_ETIMEDOUT, "%zu tasks wait, and the deadline passed before there was room", p->used);
        *(p->last_room != NULL ? &p->last_room->next : &p->rooms) = &r;
        p->last_room = &r; /* cppcheck-suppress autoVariables ; it leaves the list before it goes */
        pthread_mutex_unlock(&p->lock);
        (void)yoke__park_here(&r.word, 0, deadline_ns);
        pthread_mutex_lock(&p->lock);
        unlist_room(p, &r);
    }
    return YOKE_OK;
}

/* Room for a task, which from here on is one that has not ended. */
static int reserve(pool *p, int64_t deadline_ns)
{
    int status = YOKE_OK;
    pthread_mutex_lock(&p->lock);
    if (p->refuses || !yoke__pool_is_here(p))
        status = await_room(p, deadline_ns);
    if (p->processes != NULL && yoke__processes_broken(p->processes))
        status = yoke__tell_end(YOKE_EBROKEN, YOKE__NO_PROCESS, 0, NULL, NULL);
    else if (p->closed)
        status = yoke__fail(YOKE_ESTATE, "the executor was closed; submit before that, or open another one");
    if (status == YOKE_OK) {
        p->used++;
        p->submitted++;
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

static void release(pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->submitted--;
    yoke__lane_leave_room(p);
    if (p->joiner != NULL && yoke__pool_unended(p) == 0)
        yoke__unpark(p->joiner);
    pthread_mutex_unlock(&p->lock);
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

static void fill(const pool *p, yoke_future *f, const yoke_task_options *options, yoke_function *function,
                 void *argument)
{
    f->function_ = function;
    f->argument_ = argument;
    if (options->argument_bytes > 0 && options->argument_bytes <= YOKE_ARGUMENT_BYTES)
        f->argument_ = memcpy(&f->copy_, argument, options->argument_bytes);
    f->argument_bytes_ = options->argument_bytes;
    f->result_to_ = options->result;
    f->result_bytes_ = options->result_bytes;
    f->limit_ns_ = options->time_limit_ns;
    f->retries_ = (unsigned char)options->retries;
    f->name_ = options->name;
    f->place_ = NOWHERE;
    f->lane_ = (options->flags & YOKE_TASK_BLOCKS) != 0 && p->processes == NULL ? BLOCKING : COMPUTING;
    f->priority_ = (unsigned char)(options->priority - YOKE_PRIORITY_LOW);
    f->after_ = options->after;
    f->after_count_ = options->after_count;
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
        release(p);
        return status;
    }
    fill(p, future, options, function, argument);
    const bool delayed = options->after_count > 0;
    pthread_mutex_lock(&p->lock);
    if (delayed) {
        yoke__queue_append(&p->delayed, future);
        future->place_ = DELAYED;
    } else {
        lane *l = &p->lanes[future->lane_];
        yoke__lane_push(p, future);
        yoke__future_unlock(future);
        yoke__lane_pass_on(p, l);
    }
    pthread_mutex_unlock(&p->lock);
    if (delayed) {
        yoke__future_advance(future);
        yoke__future_unlock(future);
    }
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

static void withdraw(yoke__owner *owner, yoke_future *f)
{
    pool *p = (pool *)owner;
    pthread_mutex_lock(&p->lock);
    yoke__lane_withdraw(p, f);
    pthread_mutex_unlock(&p->lock);
}

static void cancelled(yoke__owner *owner)
{
    pool *p = (pool *)owner;
    pthread_mutex_lock(&p->lock);
    p->ended[2]++;
    if (p->joiner != NULL && yoke__pool_unended(p) == 0)
        yoke__unpark(p->joiner);
    pthread_mutex_unlock(&p->lock);
}

const yoke__owner yoke__pool_owner = {ready, withdraw, cancelled};

/* --- cancelling all --- */

static yoke_future *first_pending(const queue *q)
{
    yoke_future *f = q->first;
    while (f != NULL && yoke__kind(f) != YOKE__PENDING)
        f = f->next_;
    return f;
}

static yoke_future *any_pending(const pool *p)
{
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
