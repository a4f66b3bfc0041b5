/* The pool of processes: a pool of threads whose threads do nothing but ask processes. Queues, priorities, futures and
 * their end are the same. */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "lib/executor/pool.h"
#include "lib/executor/process_pool.h"
#include "lib/executor/serve.h"

static const uint64_t SHARED_BYTES = 16 << 20;
static const int64_t DISMISS_NS = 1000000000;
enum { RESTARTS = 10, MOST_PROCESSES = 4096, MOST_RETRIES = 255, STACK_BYTES = 256 << 10 };

/* --- opening --- */

static int check(const yoke_process_pool_options *o)
{
    if (getauxval(AT_SECURE) != 0) /* its workers would not know what they are, and be the program once more */
        return yoke__fail(YOKE_ENOSYS, "a program that runs set-user-ID or with file capabilities cannot have worker "
                                       "processes; use yoke_thread_pool()");
    if (o->size != 0 && o->size != sizeof *o)
        return yoke__fail(YOKE_EVERSION, "options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                          o->size, sizeof *o);
    if ((o->flags & ~(unsigned)(YOKE_POOL_REFUSE | YOKE_POOL_SERVED_BY_MAIN)) != 0)
        return yoke__fail(YOKE_EINVAL, "unknown flags 0x%x; see YOKE_POOL_REFUSE", o->flags);
    if (o->processes > MOST_PROCESSES || o->restarts > YOKE_MAX_WORKERS)
        return yoke__fail(YOKE_EINVAL, "%u processes and %u restarts; the most are %d and %d", o->processes,
                          o->restarts, MOST_PROCESSES, YOKE_MAX_WORKERS);
    if (o->shared_bytes > INT64_MAX || (o->shared_bytes != 0 && o->shared_bytes < 2 * DATA_AT))
        return yoke__fail(YOKE_EINVAL, "shared_bytes is %zu; give %d at least, or 0", o->shared_bytes, 2 * DATA_AT);
    return YOKE_OK;
}

static void describe(setup *s, const yoke_process_pool_options *o)
{
    *s = (setup){.magic = SETUP_MAGIC,
                 .bytes = sizeof *s,
                 .version = YOKE_VERSION,
                 .parent = getpid(),
                 .parent_start = yoke__start_of(getpid()),
                 .shared_bytes = o->shared_bytes != 0 ? o->shared_bytes : SHARED_BYTES,
                 .memory_bytes = o->memory_bytes,
                 .cpu_seconds = o->cpu_seconds,
                 .by_main = (o->flags & YOKE_POOL_SERVED_BY_MAIN) != 0};
}

static int find_places(processes *all, yoke_pin pin)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(all->topology, &count);
    if (pin == YOKE_PIN_DEFAULT || pin == YOKE_PIN_NONE)
        return YOKE_OK;
    all->places = yoke__alloc_zeroed(all->count, sizeof *all->places);
    if (all->places == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for the places of %u processes", all->count);
    yoke_pin chosen;
    const int status = yoke__choose_pin(pin, &chosen);
    return status == YOKE_OK ? yoke__topology_place(pus, count, chosen, all->count, all->places) : status;
}

typedef struct starter {
    processes *all;
    int status;
    char detail[512];
} starter;

/* On a thread of its own, for what is started inherits its mask of signals and its CPUs. */
static void *start_all(void *argument)
{
    starter *s = argument;
    processes *all = s->all;
    (void)yoke__topology_unbind_thread(all->topology);
    for (unsigned k = 0; k < all->count && s->status == YOKE_OK; k++)
        s->status = yoke__processes_start(all, &all->list[k]);
    for (unsigned k = 0; k < all->count && s->status == YOKE_OK; k++)
        s->status = yoke__process_await(&all->list[k]);
    (void)snprintf(s->detail, sizeof s->detail, "%s", yoke_error_detail());
    return NULL;
}

static int start(processes *all)
{
    pthread_t id;
    starter s = {.all = all};
    int status = yoke__thread_start(&id, STACK_BYTES, start_all, &s);
    if (status != YOKE_OK)
        return yoke__fail(status, "the system refuses a thread; end some threads, or raise its limits");
    (void)pthread_join(id, NULL);
    return s.status == YOKE_OK ? YOKE_OK : yoke__fail(s.status, "%s", s.detail);
}

static int prepare(processes *all, const yoke_process_pool_options *o)
{
    all->list = yoke__alloc_zeroed(all->count, sizeof *all->list);
    all->restarts = o->restarts != 0 ? o->restarts : RESTARTS;
    all->starts = yoke__alloc_zeroed(all->restarts, sizeof *all->starts);
    if (all->list == NULL || all->starts == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for %u processes", all->count);
    for (unsigned k = 0; k < all->count; k++) {
        all->list[k] = (process){.index = k, .socket = -1, .memory = -1, .pidfd = -1, .next = all->idle};
        all->idle = &all->list[k];
    }
    describe(&all->setup, o);
    return find_places(all, o->pin);
}

/* --- what it can do --- */

static int check_limits(int64_t limit_ns, unsigned retries)
{
    if (limit_ns >= 0 && retries <= MOST_RETRIES)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "a time limit of %lld ns and %u retries; give 0 or more, and %d at most",
                      (long long)limit_ns, retries, MOST_RETRIES);
}

static int check_task(yoke_executor *self, const yoke_task_options *o, yoke_function *function, const void *argument)
{
    const processes *all = ((const pool *)self)->processes;
    const request r = {.kind = REQUEST_TASK, .argument_bytes = o->argument_bytes, .result_bytes = o->result_bytes};
    layout l;
    if (function == yoke__map_chunks) /* it runs here, and asks for its items */
        return YOKE_OK;
    if (argument != NULL && o->argument_bytes == 0 && !yoke__shared_has(argument, 0))
        return yoke__fail(YOKE_EINVAL, "an address means nothing in another process; set argument_bytes, to copy the "
                                       "argument there, or have it in memory of yoke_alloc_shared()");
    if (check_limits(o->time_limit_ns, o->retries) != YOKE_OK)
        return YOKE_EINVAL;
    if (!yoke__layout_of(&r, &l) || l.end > all->setup.shared_bytes)
        return yoke__fail(YOKE_EINVAL,
                          "an argument of %zu and a result of %zu bytes, but processes share %llu; open the pool with "
                          "larger shared_bytes",
                          o->argument_bytes, o->result_bytes, (unsigned long long)all->setup.shared_bytes);
    return YOKE_OK;
}

static int check_items(yoke_executor *self, const yoke__items *items)
{
    const processes *all = ((const pool *)self)->processes;
    const bool bad_items = items->item_bytes == 0 && items->items != NULL && !yoke__shared_has(items->items, 0);
    if (bad_items || (items->result_bytes == 0 && items->results != NULL && !yoke__shared_has(items->results, 0)))
        return yoke__fail(YOKE_EINVAL,
                          "an address means nothing in another process; give the size of %s, or NULL, or memory of "
                          "yoke_alloc_shared()",
                          bad_items ? "items" : "results");
    if (check_limits(items->limit_ns, items->retries) != YOKE_OK)
        return YOKE_EINVAL;
    if (yoke__processes_batch(all, items) == 0)
        return yoke__fail(YOKE_EINVAL,
                          "an item of %zu and a result of %zu bytes, but processes share %llu; open the pool with "
                          "larger shared_bytes",
                          items->item_bytes, items->result_bytes, (unsigned long long)all->setup.shared_bytes);
    return YOKE_OK;
}

static void run_items(yoke_executor *self, const yoke__items *items)
{
    yoke__processes_run_items(((pool *)self)->processes, items);
}

/* --- opening and ending it --- */

bool yoke__processes_broken(processes *all)
{
    return atomic_load(&all->broken);
}

unsigned yoke__processes_count(processes *all)
{
    return atomic_load(&all->alive);
}

void yoke__processes_end(processes *all)
{
    if (all == NULL)
        return;
    const int64_t until = yoke__now_ns() + DISMISS_NS;
    for (unsigned k = 0; k < all->count && all->list != NULL; k++)
        yoke__process_dismiss(&all->list[k]);
    for (unsigned k = 0; k < all->count && all->list != NULL; k++)
        yoke__process_bury(&all->list[k], until);
    (void)pthread_cond_destroy(&all->freed);
    (void)pthread_mutex_destroy(&all->lock);
    yoke__free(all->places);
    yoke__free(all->starts);
    yoke__free(all->list);
    yoke__free(all);
}

static int open_processes(pool *p, const yoke_process_pool_options *o)
{
    processes *all = yoke__alloc_zeroed(1, sizeof *all);
    if (all == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a pool of processes");
    (void)pthread_mutex_init(&all->lock, NULL);
    (void)pthread_cond_init(&all->freed, NULL);
    all->topology = p->topology;
    all->count = p->lanes[COMPUTING].limit;
    all->calls = yoke__pool_calls;
    all->calls.check = check_task;
    all->calls.check_items = check_items;
    all->calls.run_items = run_items;
    p->executor.calls = &all->calls;
    pthread_mutex_lock(&p->lock); /* its threads look already */
    p->processes = all;
    pthread_mutex_unlock(&p->lock);
    const int status = prepare(all, o);
    return status == YOKE_OK ? start(all) : status;
}

yoke_executor *yoke_process_pool_on(const yoke_process_pool_options *options)
{
    static const yoke_process_pool_options defaults;
    const yoke_process_pool_options *o = options != NULL ? options : &defaults;
    yoke__serve_must_have_begun();
    if (check(o) != YOKE_OK)
        return NULL;
    pool *p = yoke__pool_open(&(yoke_thread_pool_options){.threads = o->processes,
                                                          .pin = YOKE_PIN_NONE,
                                                          .flags = o->flags & (unsigned)YOKE_POOL_REFUSE,
                                                          .queue = o->queue});
    if (p == NULL)
        return NULL;
    const int status = open_processes(p, o);
    if (status == YOKE_OK)
        return &p->executor;
    char detail[512];
    (void)snprintf(detail, sizeof detail, "%s", yoke_error_detail());
    (void)yoke_join(&p->executor, 0);
    (void)yoke__fail(status, "%s", detail);
    return NULL;
}

yoke_executor *yoke_process_pool(unsigned count)
{
    return yoke_process_pool_on(&(yoke_process_pool_options){.processes = count});
}
