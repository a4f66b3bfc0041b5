/* The pool of threads: opened, submitted to, closed, joined. */
#include <sched.h>
#include <string.h>

#include "lib/executor/pool.h"

enum {
    BLOCKING_THREADS = 64,
    SPARE_THREADS = 256,
    IDLE_SPIN_NS = 10000 /* waking a sleeper costs five times as much */
};

/* --- opening --- */

static bool is_on_core(const pool *p, const yoke__place *place, int cpu)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(p->topology, &count);
    for (size_t k = 0; k < count; k++)
        if (cpu >= 0 && pus[k].os_index == (unsigned)cpu)
            return place->pinned && !place->whole_node && pus[place->pu].core == pus[k].core;
    return false;
}

/* `threads` of all the places: not the opener's, nor, as long as there are others, those of the pool before this. */
static void choose_places(pool *p, const yoke__place *all, unsigned cores, unsigned threads)
{
    static atomic_uint pools_have; /* places, all pools of this process */
    const unsigned first = atomic_fetch_add(&pools_have, threads) % cores;
    const int cpu = sched_getcpu();
    unsigned chosen = 0;
    bool kept_free = false;
    for (unsigned k = 0; k < cores && chosen < threads; k++) {
        const yoke__place *place = &all[(first + k) % cores];
        if (!kept_free && is_on_core(p, place, cpu))
            kept_free = true;
        else
            p->places[chosen++] = *place;
    }
}

static int find_places(pool *p, yoke_pin pin, unsigned threads)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(p->topology, &count);
    const unsigned cores = yoke__topology_usable(p->topology).cores;
    p->places = yoke__alloc_zeroed(threads, sizeof *p->places);
    if (p->places == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for the places of %u threads", threads);
    if (threads >= cores)
        return yoke__topology_place(pus, count, pin, threads, p->places);
    yoke__place *all = yoke__alloc_zeroed(cores, sizeof *all);
    if (all == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for the places of %u threads", cores);
    const int status = yoke__topology_place(pus, count, pin, cores, all);
    if (status == YOKE_OK)
        choose_places(p, all, cores, threads);
    yoke__free(all);
    return status;
}

static int check(const yoke_thread_pool_options *o)
{
    if (o->size != 0 && o->size != sizeof *o)
        return yoke__fail(YOKE_EVERSION, "options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                          o->size, sizeof *o);
    if ((o->flags & ~(unsigned)(YOKE_POOL_REFUSE | YOKE_POOL_CALLER_HELPS)) != 0)
        return yoke__fail(YOKE_EINVAL, "unknown flags 0x%x; see YOKE_POOL_REFUSE", o->flags);
    if (o->threads > YOKE_MAX_WORKERS || o->blocking_threads > YOKE_MAX_WORKERS || o->spare_threads > YOKE_MAX_WORKERS)
        return yoke__fail(YOKE_EINVAL, "%u, %u or %u threads are too many; the most is %d", o->threads,
                          o->blocking_threads, o->spare_threads, YOKE_MAX_WORKERS);
    return YOKE_OK;
}

static void prepare_lanes(pool *p, const yoke_thread_pool_options *o, unsigned threads)
{
    const unsigned spare = o->spare_threads != 0 ? o->spare_threads : SPARE_THREADS;
    p->lanes[COMPUTING].limit = threads;
    p->lanes[BLOCKING].limit = o->blocking_threads != 0 ? o->blocking_threads : BLOCKING_THREADS;
    for (unsigned k = 0; k < LANES; k++)
        p->lanes[k].most = p->lanes[k].limit + spare;
    for (unsigned k = 0; k < LANES; k++)
        yoke__lane_tell(&p->lanes[k]);
}

/* Threads that the system refuses are done without, but for the first. */
static int start_core(pool *p)
{
    lane *l = &p->lanes[COMPUTING];
    pthread_mutex_lock(&p->lock);
    while (l->threads < l->limit && yoke__pool_start_thread(p, l, true))
        ;
    const unsigned started = l->threads;
    l->limit = started > 0 ? started : 1;
    yoke__lane_tell(l);
    pthread_mutex_unlock(&p->lock);
    return started > 0 ? YOKE_OK
                       : yoke__fail(YOKE_EAGAIN, "the system refuses a thread; end some threads, or raise its limits");
}

static int open_parts(pool *p, const yoke_thread_pool_options *o)
{
    yoke_pin pin;
    unsigned threads = o->threads;
    int status = yoke__choose_pin(o->pin, &pin);
    if (status == YOKE_OK)
        status = yoke__trace_open();
    if (status == YOKE_OK)
        status = yoke__counters_open();
    if (status == YOKE_OK)
        status = yoke__topology_load(&p->topology);
    if (status == YOKE_OK && threads == 0) {
        threads = yoke__topology_default_workers(p->topology);
        status = yoke__env_workers(&threads);
    }
    if (status == YOKE_OK)
        status = find_places(p, pin, threads);
    if (status != YOKE_OK)
        return status;
    size_t cpus;
    (void)yoke__topology_pus(p->topology, &cpus);
    p->spin_ns = cpus > 1 && !(yoke__topology_quota(p->topology) > 0) ? IDLE_SPIN_NS : 0;
    p->bound = o->queue != 0 ? o->queue : SIZE_MAX;
    p->refuses = (o->flags & YOKE_POOL_REFUSE) != 0;
    p->callers_help = (o->flags & YOKE_POOL_CALLER_HELPS) != 0;
    prepare_lanes(p, o, threads);
    return start_core(p);
}

static void free_pool(pool *p)
{
    for (thread *t = p->records, *next; t != NULL; t = next) {
        next = t->before;
        yoke__free(t);
    }
    yoke__processes_end(p->processes);
    yoke__topology_free(p->topology);
    yoke__free(p->places);
    (void)pthread_mutex_destroy(&p->lock);
    yoke__free(p);
}

/* --- closing and joining --- */

static void close_pool(yoke_executor *self)
{
    pool *p = (pool *)self;
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    for (room *r = p->rooms; r != NULL; r = p->rooms) {
        p->rooms = r->next;
        r->listed = false;
        yoke__unpark(&r->word);
    }
    p->last_room = NULL;
    pthread_mutex_unlock(&p->lock);
}

static bool all_ended(const pool *p)
{
    return yoke__pool_unended(p) == 0 && yoke__inboxes_empty(&p->lanes[COMPUTING]) &&
           yoke__inboxes_empty(&p->lanes[BLOCKING]);
}

void yoke__pool_tell_joiner(pool *p)
{
    if (p->joiner != NULL && !p->quits && all_ended(p)) /* with quits, it waits for the threads */
        yoke__unpark(p->joiner);
}

/* False: it is late. */
static bool await_tasks(pool *p, int64_t deadline_ns)
{
    _Atomic uint32_t word = 0;
    pthread_mutex_lock(&p->lock);
    const bool waits = !all_ended(p);
    p->joiner = waits ? &word : NULL;
    pthread_mutex_unlock(&p->lock);
    if (!waits)
        return true;
    (void)yoke__park_here(&word, 0, deadline_ns);
    pthread_mutex_lock(&p->lock);
    p->joiner = NULL;
    const bool done = all_ended(p);
    pthread_mutex_unlock(&p->lock);
    return done;
}

static void end_threads(pool *p)
{
    _Atomic uint32_t word = 0;
    pthread_mutex_lock(&p->lock);
    p->quits = true;
    p->joiner = &word;
    bool waits = false;
    for (unsigned k = 0; k < LANES; k++) {
        waits |= p->lanes[k].threads > 0;
        for (thread *t = p->lanes[k].idle; t != NULL; t = t->next)
            yoke__unpark(&t->word);
    }
    pthread_mutex_unlock(&p->lock);
    if (waits)
        (void)yoke__park_here(&word, 0, 0);
    pthread_mutex_lock(&p->lock); /* the last one has left it */
    p->joiner = NULL;
    thread *last = p->corpse;
    pthread_mutex_unlock(&p->lock);
    if (last == NULL)
        return;
    (void)pthread_join(last->id, NULL);
    last->next = p->spare;
    p->spare = last;
}

static int join(yoke_executor *self, int64_t deadline_ns)
{
    pool *p = (pool *)self;
    if (yoke__pool_thread_here(p) != NULL)
        return yoke__fail(YOKE_EBUSY,
                          "a task cannot wait for the end of all tasks, its own too; join outside of the pool");
    close_pool(self);
    if (!await_tasks(p, deadline_ns))
        return yoke__fail(YOKE_ETIMEDOUT, "the deadline passed before all tasks had ended; join again, or cancel them");
    end_threads(p);
    free_pool(p);
    return YOKE_OK;
}

/* --- what it is --- */

static void add_tallies(const pool *p, uint64_t ended[3], uint64_t *running)
{
    for (const thread *t = p->records; t != NULL; t = t->before) {
        uint64_t sum = 0;
        for (unsigned k = 0; k < 3; k++) {
            const uint64_t number = atomic_load_explicit(&t->tally.ended[k], memory_order_acquire);
            ended[k] += number;
            sum += number;
        }
        *running += atomic_load_explicit(&t->tally.begun, memory_order_acquire) - sum;
    }
}

/* Submitted by tasks, and not in the pool's numbers. */
static uint64_t nested(const pool *p)
{
    uint64_t sum = 0;
    for (const thread *t = p->records; t != NULL; t = t->before)
        sum += atomic_load_explicit(&t->tally.nested, memory_order_acquire) - t->nest.left;
    return sum;
}

static void count_tasks(yoke_executor *self, yoke_executor_counts *counts)
{
    pool *p = (pool *)self;
    pthread_mutex_lock(&p->lock);
    uint64_t ended[3], running = p->running;
    memcpy(ended, p->ended, sizeof ended);
    add_tallies(p, ended, &running); /* before what is submitted, so that these are among them */
    for (unsigned k = 0; k < LANES; k++) {
        yoke__nests_bring_back(p, &p->lanes[k]);
        yoke__lane_drain(p, &p->lanes[k]);
    }
    const uint64_t submitted = p->submitted + nested(p);
    *counts = (yoke_executor_counts){.submitted = submitted,
                                     .done = ended[0],
                                     .failed = ended[1],
                                     .cancelled = ended[2],
                                     .running = (size_t)running};
    counts->waiting = (size_t)(submitted - ended[0] - ended[1] - ended[2] - running);
    counts->threads = p->processes != NULL ? yoke__processes_count(p->processes)
                                           : p->lanes[COMPUTING].threads + p->lanes[BLOCKING].threads;
    pthread_mutex_unlock(&p->lock);
}

static unsigned width(yoke_executor *self, unsigned flags)
{
    const pool *p = (const pool *)self;
    return p->lanes[(flags & YOKE_TASK_BLOCKS) != 0 ? BLOCKING : COMPUTING].limit; /* it no longer changes */
}

const yoke__executor_calls yoke__pool_calls = {
    .check = yoke__pool_check,
    .submit = yoke__pool_submit,
    .cancel_all = yoke__pool_cancel_all,
    .count = count_tasks,
    .close = close_pool,
    .join = join,
    .width = width,
};

/* --- opening it --- */

pool *yoke__pool_open(const yoke_thread_pool_options *options)
{
    if (check(options) != YOKE_OK)
        return NULL;
    pool *p = yoke__alloc_aligned(LINE, sizeof *p);
    if (p == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for a pool of threads");
        return NULL;
    }
    memset(p, 0, sizeof *p);
    (void)pthread_mutex_init(&p->lock, NULL);
    p->executor = (yoke_executor){yoke__pool_owner, &yoke__pool_calls, yoke__fork_count()};
    if (open_parts(p, options) == YOKE_OK)
        return p;
    free_pool(p);
    return NULL;
}

yoke_executor *yoke_thread_pool_on(const yoke_thread_pool_options *options)
{
    static const yoke_thread_pool_options defaults;
    pool *p = yoke__pool_open(options != NULL ? options : &defaults);
    return p != NULL ? &p->executor : NULL;
}

yoke_executor *yoke_thread_pool(unsigned threads)
{
    return yoke_thread_pool_on(&(yoke_thread_pool_options){.threads = threads});
}
