/* Running tasks: one, or a batch. */
#include <sched.h>
#include <string.h>

#include "lib/cpu/cpu.h"
#include "lib/executor/pool.h"

enum {
    BATCH_NS = 10000, /* what is behind in a batch waits so long: about what waking a thread takes */
    FAIR = 64         /* batches, and one of them is of what tasks submitted, though others never end */
};

/* Before a look at them: this bit is where the cache has it. */
static bool has_extras(const yoke_future *f)
{
    return (f->extras_ & YOKE__EXTRAS) != 0;
}

static int call(yoke_future *f)
{
    if (!has_extras(f) || f->result_bytes_ == 0)
        return f->function_(f->argument_, &f->result_);
    memset(f->result_to_, 0, f->result_bytes_);
    return f->function_(f->argument_, f->result_to_);
}

static unsigned run(pool *p, yoke_future *f, yoke__frame **top)
{
    if (f->skip_ != YOKE__CLAIMED) /* that left its room when it was cancelled */
        yoke__pool_leave_room(p);
    (void)yoke__future_claim(f, YOKE__PENDING, f->skip_ != 0 ? YOKE__CLAIMED : YOKE__RUNNING);
    if (f->skip_ != 0) {
        const bool failed = f->skip_ == YOKE__FAILED;
        yoke__task_left_out(failed);
        yoke__future_finish(f, failed ? YOKE__FAILED : YOKE__CANCELLED, failed ? f->status_ : YOKE_ECANCELED);
        return failed ? YOKE__FAILED : YOKE__CANCELLED;
    }
    yoke__frame frame = {f, *top};
    yoke__event traced;
    yoke__trace_begin(&traced, YOKE__EVENT_TASK, has_extras(f) ? f->name_ : NULL);
    *top = &frame;
    const yoke__float_environment before = yoke__float_enter();
    const int status = p->processes != NULL ? yoke__processes_run(p->processes, f) : call(f);
    yoke__float_leave(before);
    *top = frame.outer;
    yoke__trace_end(&traced, status == 0, frame.outer != NULL);
    const unsigned kind = status == 0 ? YOKE__DONE : YOKE__FAILED;
    yoke__future_finish(f, kind, status);
    return kind;
}

void yoke__pool_run_one(pool *p, yoke_future *f)
{
    p->running++;
    pthread_mutex_unlock(&p->lock);
    const unsigned kind = run(p, f, yoke__frame_top());
    pthread_mutex_lock(&p->lock);
    p->running--;
    p->ended[kind - YOKE__DONE]++;
    yoke__pool_tell_joiner(p);
}

/* --- a batch --- */

/* Whether tasks of a higher priority wait, or too many run, or the last one left tasks that come before later ones. */
static bool must_give_way(const thread *t)
{
    const lane *l = t->lane;
    const batch *b = &t->batch;
    if (t->nest.top > 0)
        return true;
    if (atomic_load_explicit(&l->urgent, memory_order_relaxed) > b->priority + 1)
        return true;
    for (unsigned k = b->priority + 1; k < PRIORITIES; k++)
        if (atomic_load_explicit(&l->inboxes[k].last, memory_order_relaxed) != NULL)
            return true;
    return false;
}

/* What the next task needs of its future; if that is gone by now, it does no harm. */
static void fetch(const yoke_future *f)
{
    if (f == NULL)
        return;
    __builtin_prefetch(f, 1);
    __builtin_prefetch(&f->place_, 1);
}

static void run_counted(thread *t, yoke_future *f, yoke__frame **top)
{
    yoke__count_up(&t->tally.begun);
    yoke__count_up(&t->tally.ended[run(t->pool, f, top) - YOKE__DONE]);
}

/* Without the lock. */
static void run_batch(thread *t, unsigned count)
{
    batch *b = &t->batch;
    yoke__frame **top = yoke__frame_top();
    for (unsigned k = 0; k < count && (k == 0 || !must_give_way(t)); k++) {
        yoke_future *f = yoke__batch_begin(b, k);
        if (f == NULL)
            continue;
        if (k + 1 < count)
            fetch(atomic_load_explicit(&b->slots[k + 1].task, memory_order_relaxed));
        run_counted(t, f, top);
    }
}

void yoke__thread_run_nested(thread *t, yoke_future *f)
{
    run_counted(t, f, yoke__frame_top());
}

static void hand_in(pool *p, thread *t)
{
    tally *numbers = &t->tally;
    p->submitted += atomic_load_explicit(&numbers->nested, memory_order_relaxed) - t->nest.left;
    atomic_store_explicit(&numbers->nested, 0, memory_order_relaxed);
    t->nest.left = 0;
    for (unsigned k = 0; k < 3; k++) {
        p->ended[k] += atomic_load_explicit(&numbers->ended[k], memory_order_relaxed);
        atomic_store_explicit(&numbers->ended[k], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&numbers->begun, 0, memory_order_relaxed);
}

/* As many tasks as take BATCH_NS, as the last ones did. */
static void learn(thread *t, unsigned count, int64_t took_ns)
{
    const int64_t next = took_ns > 0 ? count * (int64_t)BATCH_NS / took_ns : BATCH;
    const unsigned bound = 4 * t->most < BATCH ? 4 * t->most : BATCH;
    t->most = next < 1 ? 1 : next < bound ? (unsigned)next : bound;
}

/* Lets those run that are about to put something in. False: there is none. */
static bool await_link(pool *p, const lane *l)
{
    if (yoke__inboxes_empty(l))
        return false;
    pthread_mutex_unlock(&p->lock);
    (void)sched_yield();
    pthread_mutex_lock(&p->lock);
    return true;
}

void yoke__thread_run_batch(thread *t, unsigned count, bool learns)
{
    pool *p = t->pool;
    pthread_mutex_unlock(&p->lock);
    const int64_t begin = learns ? yoke__now_ns() : 0;
    run_batch(t, count);
    if (learns)
        learn(t, count, yoke__now_ns() - begin);
    pthread_mutex_lock(&p->lock);
    yoke__batch_give_back(t->lane, &t->batch);
    yoke__nest_clear(t->lane, &t->nest);
    hand_in(p, t);
    yoke__pool_tell_joiner(p);
}

bool yoke__thread_run_some(thread *t)
{
    pool *p = t->pool;
    lane *l = t->lane;
    const bool alone = l->running < l->limit || l == &p->lanes[BLOCKING] || p->processes != NULL;
    const unsigned count = yoke__batch_fill(p, l, &t->batch, alone ? 1 : t->most, ++t->turns % FAIR == 0);
    if (count == 0)
        return await_link(p, l);
    yoke__lane_spread(p, l);
    yoke__thread_run_batch(t, count, !alone);
    return true;
}
