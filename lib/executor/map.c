/* One function over many items, on any executor: as many tasks as run at once, which take chunks in turn. */
#include <pthread.h>
#include <string.h>

#include "lib/executor/executor.h"

enum { CHUNKS_PER_TASK = 8 };

typedef struct map {
    yoke_executor *executor;
    const char *name;
    yoke_function *function;
    unsigned char *items, *results;
    size_t item_bytes, result_bytes, count, chunk;
    int *statuses;
    int64_t deadline_ns, limit_ns;
    unsigned retries;
    _Atomic size_t next;
    pthread_mutex_t lock;
    size_t first_bad; /* of the items so far; count: none */
    int status;       /* its */
    char detail[256]; /* "": the number says it all */
} map;

static void note(map *m, size_t k, int status)
{
    if (m->statuses != NULL)
        m->statuses[k] = status;
    if (status == 0)
        return;
    pthread_mutex_lock(&m->lock);
    if (k < m->first_bad) {
        m->first_bad = k;
        m->status = status;
    }
    pthread_mutex_unlock(&m->lock);
}

/* Items of so many bytes; 0: the pointer itself. */
static unsigned char *place_of(unsigned char *array, size_t k, size_t bytes)
{
    return bytes > 0 ? array + k * bytes : array;
}

static int run_item(const map *m, size_t k)
{
    if (m->deadline_ns > 0 && yoke__now_ns() >= m->deadline_ns)
        return YOKE_ETIMEDOUT;
    void *item = place_of(m->items, k, m->item_bytes), *result = place_of(m->results, k, m->result_bytes);
    if (m->result_bytes > 0)
        memset(result, 0, m->result_bytes);
    return m->function(item, result);
}

/* The next chunk; false: there is none. Never counts beyond the end, so it cannot wrap. */
static bool take_chunk(map *m, size_t *begin, size_t *end)
{
    *begin = atomic_load_explicit(&m->next, memory_order_relaxed);
    do {
        if (*begin == m->count)
            return false;
        *end = m->count - *begin > m->chunk ? *begin + m->chunk : m->count;
    } while (!atomic_compare_exchange_weak(&m->next, begin, *end));
    return true;
}

static yoke__items items_of(const map *m, size_t begin, size_t end)
{
    return (yoke__items){.function = m->function,
                         .name = m->name,
                         .items = place_of(m->items, begin, m->item_bytes),
                         .results = place_of(m->results, begin, m->result_bytes),
                         .item_bytes = m->item_bytes,
                         .result_bytes = m->result_bytes,
                         .count = end - begin,
                         .deadline_ns = m->deadline_ns,
                         .limit_ns = m->limit_ns,
                         .retries = m->retries};
}

static void run_elsewhere(map *m, size_t begin, size_t end)
{
    char detail[256] = "";
    yoke__items some = items_of(m, begin, end);
    some.detail = &detail;
    some.statuses = yoke__alloc_zeroed(end - begin, sizeof *some.statuses);
    if (some.statuses != NULL)
        m->executor->calls->run_items(m->executor, &some);
    for (size_t k = begin; k < end; k++)
        note(m, k, some.statuses != NULL ? some.statuses[k - begin] : YOKE_ENOMEM);
    yoke__free(some.statuses);
    pthread_mutex_lock(&m->lock);
    if (detail[0] != '\0' && m->first_bad >= begin && m->first_bad < end)
        memcpy(m->detail, detail, sizeof m->detail);
    pthread_mutex_unlock(&m->lock);
}

int yoke__map_chunks(void *argument, void *result)
{
    map *m = argument;
    size_t begin, end;
    (void)result;
    while (take_chunk(m, &begin, &end))
        if (m->executor->calls->run_items != NULL)
            run_elsewhere(m, begin, end);
        else
            for (size_t k = begin; k < end; k++)
                note(m, k, run_item(m, k));
    return 0;
}

/* How many were submitted; one is enough for all items. */
static size_t submit_tasks(map *m, yoke_executor *executor, const yoke_map_options *options, yoke_future *futures,
                           size_t tasks, int *status)
{
    yoke_task_options task = {.name = options->name,
                              .priority = options->priority,
                              .flags = options->flags,
                              .deadline_ns = options->deadline_ns};
    for (size_t k = 0; k < tasks; k++) {
        const int refused = yoke_submit_on(executor, &task, &futures[k], yoke__map_chunks, m);
        if (refused != YOKE_OK) {
            *status = k == 0 ? refused : YOKE_OK;
            return k;
        }
        task.deadline_ns = 1; /* the others do not wait for room */
    }
    *status = YOKE_OK;
    return tasks;
}

static int run_map(map *m, yoke_executor *executor, const yoke_map_options *options, size_t tasks)
{
    yoke_future *futures = yoke__alloc_zeroed(tasks, sizeof *futures + sizeof(yoke_future *));
    if (futures == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu tasks of a map", tasks);
    yoke_future **list = (yoke_future **)(void *)(futures + tasks);
    int status;
    tasks = submit_tasks(m, executor, options, futures, tasks, &status);
    for (size_t k = 0; k < tasks; k++)
        list[k] = &futures[k];
    (void)yoke_gather(list, tasks, 0);
    yoke__free(futures);
    if (tasks == 0)
        return status;
    const bool late = m->deadline_ns > 0 && yoke__now_ns() >= m->deadline_ns;
    for (size_t k = atomic_load(&m->next); k < m->count; k++) /* all tasks were cancelled */
        note(m, k, late ? YOKE_ETIMEDOUT : YOKE_ECANCELED);
    if (m->first_bad == m->count)
        return YOKE_OK;
    if (m->detail[0] != '\0')
        return yoke__fail(m->status, "item %zu: %s", m->first_bad, m->detail);
    return yoke__fail(m->status, "item %zu: %d (%s); statuses in the options tell of each", m->first_bad, m->status,
                      yoke_strerror(m->status));
}

static int check_array(const char *name, const void *array, size_t count, size_t bytes)
{
    size_t all;
    if (yoke__mul_overflows(count, bytes, &all))
        return yoke__fail(YOKE_EOVERFLOW, "%zu %s of %zu bytes; that is more than there can be", count, name, bytes);
    if (all > 0 && array == NULL)
        return yoke__fail(YOKE_EINVAL, "%s is NULL; give %zu of %zu bytes, or a size of 0", name, count, bytes);
    return YOKE_OK;
}

static int check_map(const yoke_executor *executor, const yoke_map_options *options, yoke_function *function)
{
    if (options->size != 0 && options->size != sizeof *options)
        return yoke__fail(YOKE_EVERSION, "options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                          options->size, sizeof *options);
    if (function == NULL)
        return yoke__fail(YOKE_EINVAL, "function is NULL; a map needs one");
    if (executor->calls->check_items == NULL && (options->time_limit_ns != 0 || options->retries != 0))
        return yoke__fail(YOKE_EINVAL, "a thread cannot be killed; time limits and retries need yoke_process_pool()");
    return yoke__check_deadline(options->deadline_ns);
}

int yoke_map_on(yoke_executor *executor, const yoke_map_options *options, yoke_function *function, size_t count,
                void *items, size_t item_bytes, void *results, size_t result_bytes)
{
    static const yoke_map_options defaults;
    if (options == NULL)
        options = &defaults;
    int status = yoke__check_executor(executor);
    if (status == YOKE_OK)
        status = check_map(executor, options, function);
    if (status == YOKE_OK)
        status = check_array("items", items, count, item_bytes);
    if (status == YOKE_OK)
        status = check_array("results", results, count, result_bytes);
    if (status != YOKE_OK || count == 0)
        return status;
    const size_t width = executor->calls->width(executor, options->flags);
    const size_t share = count / (width * CHUNKS_PER_TASK), chunk = options->chunk != 0 ? options->chunk : share;
    map m = {.executor = executor,
             .name = options->name,
             .function = function,
             .items = items,
             .results = results,
             .item_bytes = item_bytes,
             .result_bytes = result_bytes,
             .count = count,
             .chunk = chunk > 0 ? chunk : 1,
             .statuses = options->statuses,
             .deadline_ns = options->deadline_ns,
             .limit_ns = options->time_limit_ns,
             .retries = options->retries,
             .first_bad = count};
    const size_t chunks = count / m.chunk + (count % m.chunk != 0);
    const yoke__items first = items_of(&m, 0, m.chunk < count ? m.chunk : count);
    if (executor->calls->check_items != NULL && (status = executor->calls->check_items(executor, &first)) != YOKE_OK)
        return status;
    (void)pthread_mutex_init(&m.lock, NULL);
    status = run_map(&m, executor, options, chunks < width ? chunks : width);
    (void)pthread_mutex_destroy(&m.lock);
    return status;
}

int yoke_map(yoke_executor *executor, yoke_function *function, size_t count, void *items, size_t item_bytes,
             void *results, size_t result_bytes)
{
    return yoke_map_on(executor, NULL, function, count, items, item_bytes, results, result_bytes);
}
