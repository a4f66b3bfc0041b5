/* What a thread of a pool does: it runs tasks, sleeps, and waits inside of tasks without keeping its place. */
#include <stdio.h>
#include <string.h>

#include "lib/cpu/cpu.h"
#include "lib/executor/pool.h"

enum {
    STACK_BYTES = 2 << 20,
    DEPTH_LIMIT = 64,     /* tasks inside of tasks on one stack */
    IDLE_NS = 1000000000, /* how long a thread that is not of the core stays without work */
    WAIT_SPIN_NS = 5000,  /* before a place is given on: that wakes somebody */
    PAUSES = 16           /* between looks into the inboxes: each takes their cache line from who submits */
};

/* --- waiting inside of a task --- */

static bool take(yoke__helper *helper, yoke_future *f)
{
    thread *t = (thread *)(void *)helper;
    pool *p = t->pool;
    if (t->depth >= DEPTH_LIMIT || atomic_load(&f->owner_) != (void *)p)
        return false;
    if (yoke__nest_take(&t->nest, f)) {
        t->depth++;
        yoke__thread_run_nested(t, f);
        t->depth--;
        return true;
    }
    pthread_mutex_lock(&p->lock);
    const bool ours = yoke__lane_may_run(f) && yoke__lane_remove(p, f);
    if (ours) {
        t->depth++;
        yoke__pool_run_one(p, f);
        t->depth--;
    }
    pthread_mutex_unlock(&p->lock);
    return ours;
}

static void list_nap(lane *l, nap *n)
{
    n->next = l->naps;
    l->naps = n;
    n->listed = true;
}

static void unlist_nap(lane *l, nap *n)
{
    nap **at = &l->naps;
    while (n->listed && *at != n)
        at = &(*at)->next;
    if (n->listed)
        *at = n->next;
    n->listed = false;
}

static void help(thread *t)
{
    pool *p = t->pool;
    lane *l = t->lane;
    yoke_future *f = NULL;
    for (unsigned k = PRIORITIES; k-- > 0 && f == NULL && l->running < l->limit;)
        f = yoke__lane_take(p, l, k);
    if (f == NULL)
        return;
    l->running++;
    yoke__pool_run_one(p, f);
    yoke__nest_clear(l, &t->nest);
    l->running--;
}

/* Sleeps until the word has another step than those of the pool, or it is late. Listed, with the lock held. */
static void nap_until(thread *t, nap *n, uint32_t seen, int64_t until_ns)
{
    pool *p = t->pool;
    lane *l = t->lane;
    for (;;) {
        const uint32_t asleep = seen + n->calls;
        const bool called = n->called; /* by this very thread, or before it slept */
        pthread_mutex_unlock(&p->lock);
        if (!called)
            (void)yoke__park(n->word, asleep, until_ns, 0);
        pthread_mutex_lock(&p->lock);
        unlist_nap(l, n);
        const uint32_t steps = (atomic_load(n->word) - seen) & INT32_MAX;
        if (steps != n->calls || (until_ns > 0 && yoke__now_ns() >= until_ns))
            return;
        if (n->called) {
            n->called = false;
            help(t);
        }
        list_nap(l, n);
        yoke__lane_pass_on(p, l);
    }
}

static uint32_t sleep_in_task(yoke__helper *helper, _Atomic uint32_t *word, uint32_t seen, int64_t until_ns)
{
    thread *t = (thread *)(void *)helper;
    pool *p = t->pool;
    lane *l = t->lane;
    const int64_t now = yoke__now_ns();
    const int64_t soon = until_ns > 0 && until_ns < now + WAIT_SPIN_NS ? until_ns : now + WAIT_SPIN_NS;
    const uint32_t quick = yoke__park(word, seen, soon, p->spin_ns > 0 ? WAIT_SPIN_NS : 0);
    if (quick != seen || (until_ns > 0 && yoke__now_ns() >= until_ns))
        return quick;
    nap n = {.word = word};
    pthread_mutex_lock(&p->lock);
    yoke__batch_give_back(l, &t->batch);
    yoke__nest_clear(l, &t->nest);
    l->running--;
    list_nap(l, &n);
    yoke__lane_pass_on(p, l);
    nap_until(t, &n, seen, until_ns);
    if (n.called)
        yoke__lane_pass_on(p, l);
    l->running++;
    yoke__lane_tell(l);
    pthread_mutex_unlock(&p->lock);
    return (atomic_fetch_sub(word, n.calls) - n.calls) & INT32_MAX;
}

/* --- the thread --- */

void yoke__idle_add(thread *t)
{
    lane *l = t->lane;
    t->granted = false;
    t->idle = true;
    t->previous = t->core ? NULL : l->last_idle; /* those of the core are taken first, the last one before others */
    t->next = t->core ? l->idle : NULL;
    *(t->previous != NULL ? &t->previous->next : &l->idle) = t;
    *(t->next != NULL ? &t->next->previous : &l->last_idle) = t;
}

/* Watches the inboxes for a while instead of going to sleep, unless another one does; true: there may be something. */
static bool scout(thread *t)
{
    pool *p = t->pool;
    lane *l = t->lane;
    if (l->scout != NULL || p->spin_ns == 0)
        return false;
    l->scout = t;
    yoke__lane_tell(l);
    pthread_mutex_unlock(&p->lock);
    const int64_t until = yoke__now_ns() + p->spin_ns;
    bool empty;
    while ((empty = yoke__inboxes_empty(l) && atomic_load(&l->nests) == NULL) && yoke__now_ns() < until)
        for (unsigned k = 0; k < PAUSES; k++)
            yoke__relax();
    pthread_mutex_lock(&p->lock);
    if (t->placeless)
        return false;
    l->scout = NULL;
    yoke__lane_tell(l);
    return !empty;
}

/* Until it is given a place; false: it is to end. */
static bool await_place(thread *t)
{
    pool *p = t->pool;
    const int64_t until = t->core ? 0 : yoke__now_ns() + IDLE_NS;
    if (p->quits)
        return false;
    yoke__idle_add(t);
    yoke__lane_pass_on(p, t->lane);
    while (!t->granted) {
        pthread_mutex_unlock(&p->lock);
        t->seen = yoke__park(&t->word, t->seen, until, p->spin_ns);
        pthread_mutex_lock(&p->lock);
        if (!t->granted && (p->quits || (until > 0 && yoke__now_ns() >= until))) {
            yoke__idle_remove(t);
            return false;
        }
    }
    return true;
}

/* Joins the one that ended before it, so that one at most is left to be joined. */
static void end(thread *t)
{
    pool *p = t->pool;
    while (p->corpse != NULL) {
        thread *before = p->corpse;
        p->corpse = NULL;
        pthread_mutex_unlock(&p->lock);
        (void)pthread_join(before->id, NULL);
        pthread_mutex_lock(&p->lock);
        before->next = p->spare;
        p->spare = before;
    }
    p->corpse = t;
    t->lane->threads--;
    if (p->quits && p->joiner != NULL && p->lanes[COMPUTING].threads + p->lanes[BLOCKING].threads == 0)
        yoke__unpark(p->joiner);
    pthread_mutex_unlock(&p->lock);
}

static void settle(thread *t)
{
    char name[16];
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    (void)snprintf(name, sizeof name, "yoke-pool/%u", t->index % 100000);
    (void)pthread_setname_np(pthread_self(), name);
    yoke__float_init_thread();
    const yoke__place *place = t->core ? &t->pool->places[t->index] : NULL;
    if (place == NULL || !place->pinned || yoke__topology_bind_thread(t->pool->topology, place) != YOKE_OK)
        (void)yoke__topology_unbind_thread(t->pool->topology); /* also when the thread that made it was bound */
    yoke__helper_set(&t->helper);
}

static void *thread_main(void *argument)
{
    thread *t = argument;
    pool *p = t->pool;
    lane *l = t->lane;
    settle(t);
    pthread_mutex_lock(&p->lock);
    while (t->granted || await_place(t)) {
        t->granted = false;
        if (l->called == t)
            l->called = NULL;
        while (l->running <= l->limit && (yoke__thread_run_some(t) || scout(t)))
            ;
        l->running -= !t->placeless;
        t->placeless = false;
    }
    end(t);
    return NULL;
}

void yoke__thread_init(thread *t, pool *p, lane *l)
{
    t->helper = (yoke__helper){p->executor.forks, take, sleep_in_task};
    t->pool = p;
    t->lane = l;
    t->next = t->previous = NULL;
    t->core = t->granted = t->idle = t->placeless = false;
    t->most = 1;
    t->seen = atomic_load_explicit(&t->word, memory_order_relaxed); /* the rest is as it was left, empty */
}

thread *yoke__pool_take_record(pool *p)
{
    thread *t = p->spare;
    if (t != NULL) {
        p->spare = t->next;
        return t;
    }
    t = yoke__alloc_aligned(LINE, sizeof *t);
    if (t == NULL)
        return NULL;
    memset(t, 0, sizeof *t);
    t->before = p->records;
    p->records = t;
    return t;
}

bool yoke__pool_start_thread(pool *p, lane *l, bool core)
{
    thread *t = yoke__pool_take_record(p);
    if (t == NULL)
        return false;
    yoke__thread_init(t, p, l);
    t->core = core;
    t->index = p->indexes;
    if (yoke__thread_start(&t->id, STACK_BYTES, thread_main, t) != YOKE_OK) {
        t->next = p->spare;
        p->spare = t;
        return false;
    }
    t->granted = true;
    l->running++;
    l->threads++;
    p->indexes++;
    return true;
}

thread *yoke__pool_thread_here(const pool *p)
{
    yoke__helper *helper = yoke__helper_here();
    thread *t = helper != NULL && helper->take == take ? (thread *)(void *)helper : NULL;
    return t != NULL && t->pool == p ? t : NULL;
}
