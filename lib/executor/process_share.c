/* Shared arrays on their way to a worker process: it is told before a request what changed since the one before. */
#include "lib/executor/process.h"

/* With the right answer: YOKE__RETURNED. */
static ending tell(process *w, arrays *a, const int *files, int64_t limit_ns)
{
    reply answer;
    a->magic = MESSAGE_MAGIC;
    const size_t count = a->kind == REQUEST_MAP ? (size_t)a->count : 0;
    const int got = yoke__process_exchange(w, a, sizeof *a, files, count, yoke__process_until(limit_ns), &answer);
    if (got != 1)
        return yoke__process_lose(w, got, limit_ns);
    if (answer.kind == REPLY_MAPPED)
        return (ending){.why = YOKE__RETURNED};
    if (answer.kind == REPLY_OCCUPIED)
        return (ending){.why = YOKE__OCCUPIED};
    if (answer.kind == REPLY_REFUSED)
        return (ending){.why = YOKE__UNMAPPED, .number = (int)answer.status};
    return yoke__process_lose(w, -2, limit_ns);
}

static void add(arrays *a, const yoke__shared *s)
{
    a->array[a->count].start = (uintptr_t)s->start;
    a->array[a->count].bytes = s->bytes;
    a->array[a->count].advice = s->advice;
    a->count++;
}

/* Of what it has, that which is not in the list any more. Both are in the order of their numbers. */
static ending unmap_freed(process *w, const yoke__shared *list, size_t count, int64_t limit_ns)
{
    ending e = {.why = YOKE__RETURNED};
    arrays a = {.kind = REQUEST_UNMAP};
    for (size_t k = 0, l = 0; k < w->array_count && e.why == YOKE__RETURNED; k++) {
        while (l < count && list[l].number < w->arrays[k].number)
            l++;
        if (l == count || list[l].number != w->arrays[k].number)
            add(&a, &w->arrays[k]);
        if (a.count == ARRAYS_AT_ONCE || (a.count > 0 && k + 1 == w->array_count)) {
            e = tell(w, &a, NULL, limit_ns);
            a.count = 0;
        }
    }
    return e;
}

/* From the k-th of the list on; how many it has then: *k. */
static ending map_new(process *w, const yoke__shared *list, size_t count, size_t *k, int64_t limit_ns)
{
    ending e = {.why = YOKE__RETURNED};
    while (*k < count && e.why == YOKE__RETURNED) {
        int files[ARRAYS_AT_ONCE];
        arrays a = {.kind = REQUEST_MAP};
        for (size_t l = *k; l < count && a.count < ARRAYS_AT_ONCE; l++) {
            files[a.count] = list[l].file;
            add(&a, &list[l]);
        }
        e = tell(w, &a, files, limit_ns);
        *k += e.why == YOKE__RETURNED ? (size_t)a.count : 0;
    }
    return e;
}

/* It has the first of those that are not freed: they are mapped in the order of their numbers. */
static size_t count_known(const process *w, const yoke__shared *list, size_t count)
{
    size_t k = 0;
    while (w->array_count > 0 && k < count && list[k].number <= w->arrays[w->array_count - 1].number)
        k++;
    return k;
}

ending yoke__process_share(process *w, int64_t limit_ns)
{
    yoke__shared *list;
    size_t count;
    uint64_t steps;
    if (atomic_load_explicit(&yoke__shared_steps, memory_order_acquire) == w->steps)
        return (ending){.why = YOKE__RETURNED};
    if (yoke__shared_hold_all(&list, &count, &steps) != YOKE_OK)
        return (ending){.why = YOKE__NO_ROOM};
    size_t known = count_known(w, list, count);
    ending e = unmap_freed(w, list, count, limit_ns);
    if (e.why == YOKE__RETURNED)
        e = map_new(w, list, count, &known, limit_ns);
    for (size_t k = 0; k < count; k++)
        yoke__shared_release(list[k].held);
    yoke__free(w->arrays);
    w->arrays = list;
    w->array_count = known;
    w->steps = e.why == YOKE__RETURNED ? steps : 0;
    return e;
}
