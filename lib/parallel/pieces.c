/* A call in pieces: taken from the front by one device, or as a division says; and what failed, done again. */
#include "lib/parallel/pieces.h"

static bool take_from_front(yoke__pieces *p, size_t most, size_t *begin, size_t *end)
{
    const size_t left = p->work->items - p->next;
    if (left == 0)
        return false;
    *begin = p->next;
    *end = p->next += most < left ? most : left;
    return true;
}

bool yoke__pieces_take(yoke__taker *taker, size_t most, size_t *begin, size_t *end)
{
    yoke__pieces *p = taker->pieces;
    if (!p->divided)
        return take_from_front(p, most, begin, end);
    pthread_mutex_lock(&p->lock);
    const bool any = yoke__division_take(&p->division, taker->who, yoke__now_ns(), most, begin, end);
    pthread_mutex_unlock(&p->lock);
    return any;
}

void yoke__pieces_done(yoke__taker *taker, size_t begin, size_t end)
{
    yoke__pieces *p = taker->pieces;
    const int64_t now = yoke__now_ns();
    atomic_fetch_add(&p->done, end - begin);
    atomic_fetch_add(&taker->items, yoke__pieces_total(p->work, end) - begin * p->work->scale);
    atomic_fetch_add(&taker->count, 1);
    atomic_store(&taker->last_ns, now);
    pthread_mutex_lock(&p->lock);
    if (p->divided)
        yoke__division_done(&p->division, taker->who, now, end - begin);
    yoke__note_piece(p->options, taker->device, p->work, begin, end);
    pthread_mutex_unlock(&p->lock);
}

/* A backend counts the items of the whole call. */
static bool take(void *context, size_t most, size_t *begin, size_t *end)
{
    const size_t base = ((yoke__taker *)context)->pieces->work->base;
    const bool any = yoke__pieces_take(context, most, begin, end);
    *begin += base;
    *end += base;
    return any;
}

static void done(void *context, size_t begin, size_t end)
{
    const size_t base = ((yoke__taker *)context)->pieces->work->base;
    yoke__pieces_done(context, begin - base, end - base);
}

static void lost(void *context, size_t begin, size_t end)
{
    yoke__pieces *p = ((yoke__taker *)context)->pieces;
    if (p->lost_count == YOKE__MOST_LOST) {
        p->lost_track = true;
        return;
    }
    p->lost[p->lost_count].begin = begin - p->work->base;
    p->lost[p->lost_count++].end = end - p->work->base;
}

size_t yoke__pieces_total(const yoke__work *work, size_t items)
{
    return items == work->items ? work->total : items * work->scale;
}

void yoke__note_piece(const yoke_options *options, int device, const yoke__work *work, size_t begin, size_t end)
{
    yoke_pieces *to = options != NULL ? options->pieces : NULL;
    if (to == NULL)
        return;
    if (to->count < to->capacity)
        to->list[to->count] = (yoke_piece){device, begin * work->scale, yoke__pieces_total(work, end)};
    to->count++;
}

void yoke__pieces_report(yoke__pieces *p)
{
    const yoke__work *work = p->work;
    size_t items = atomic_load(&p->done);
    if (p->options == NULL || p->options->progress == NULL || items == p->reported)
        return;
    p->reported = items;
    p->options->progress(yoke__pieces_total(work, items), work->total, p->options->progress_argument);
}

int yoke__stopped(const yoke_options *options)
{
    if (options != NULL && options->cancel != NULL && __atomic_load_n(options->cancel, __ATOMIC_RELAXED) != 0)
        return YOKE_ECANCELED;
    if (options != NULL && options->deadline_ns != 0 && yoke__now_ns() >= options->deadline_ns)
        return YOKE_ETIMEDOUT;
    return YOKE_OK;
}

static int poll(void *context)
{
    yoke__pieces *p = ((yoke__taker *)context)->pieces;
    yoke__pieces_report(p);
    return yoke__stopped(p->options);
}

/* --- the task --- */

static void describe_array(yoke__task_array *array, unsigned k, const yoke__checked *checked, const yoke_extent *extent)
{
    const yoke_parameter *parameter = &checked->kernel->parameters[k];
    *array = (yoke__task_array){.host = checked->call.argument[k]};
    if ((checked->kernel->sliced >> k & 1) == 0) {
        array->bytes = (size_t)extent->count * parameter->size;
        return;
    }
    const bool rows = yoke__has_rows(checked->kernel);
    const size_t width = rows ? checked->call.size[0] : 1, pitch = rows ? checked->pitch : 1;
    array->item_bytes = checked->item_bytes[k] * width;
    array->stride = checked->item_bytes[k] * pitch;
    array->before = (size_t)extent->before;
    array->after = (size_t)extent->after;
}

void yoke__describe_arrays(yoke__task_array array[YOKE_MAX_PARAMETERS], const yoke__checked *checked)
{
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    checked->kernel->extents(&checked->call, extents); /* found good by the check */
    for (uint32_t arrays = checked->kernel->arrays; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        describe_array(&array[k], k, checked, &extents[k]);
    }
}

void yoke__pieces_task(yoke__task *task, yoke__taker *taker)
{
    const yoke__work *work = taker->pieces->work;
    const yoke__checked *checked = work->checked;
    *task = (yoke__task){.kernel = checked->kernel,
                         .call = checked->call,
                         .first = work->base,
                         .items = work->items,
                         .block = work->block,
                         .partials = work->partials,
                         .indivisible = work->indivisible,
                         .divided = taker->pieces->divided,
                         .write_back = yoke__has_flag(taker->pieces->options, YOKE_WRITE_BACK),
                         .take = take,
                         .done = done,
                         .lost = lost,
                         .poll = poll,
                         .context = taker};
    yoke__describe_arrays(task->array, checked);
}

/* --- by the workers --- */

int yoke__run_part(yoke__pieces *p, yoke_runtime *runtime, const void *key, size_t begin, size_t end)
{
    yoke__work part = *p->work;
    yoke_options quiet;
    unsigned workers = 0;
    part.begin = begin;
    part.items = end;
    if (p->options != NULL) {
        quiet = *p->options;
        quiet.progress = NULL;
    }
    int status = yoke__bring_home(&part, p->options);
    if (status == YOKE_OK)
        status = yoke__run_on_workers(runtime, p->options != NULL ? &quiet : NULL, key, &part, &workers);
    p->workers = workers > p->workers ? workers : p->workers;
    return status;
}

static int run_again(yoke__pieces *p, yoke_runtime *runtime, const void *key, size_t begin, size_t end)
{
    int status = yoke__run_part(p, runtime, key, begin, end);
    if (status == YOKE_OK)
        yoke__note_piece(p->options, -1, p->work, begin, end);
    return status;
}

int yoke__pieces_finish(yoke__pieces *p, yoke_runtime *runtime, const void *key)
{
    int status = YOKE_OK;
    if (p->lost_track)
        return yoke__fail(YOKE_EINTERNAL, "kernel %s: a device failed at more pieces than it may take",
                          p->work->checked->kernel->name);
    for (unsigned k = 0; k < p->lost_count && status == YOKE_OK; k++)
        status = run_again(p, runtime, key, p->lost[k].begin, p->lost[k].end);
    if (!p->divided && status == YOKE_OK && p->next < p->work->items)
        return run_again(p, runtime, key, p->next, p->work->items);
    for (unsigned k = 0; k < p->division.count && status == YOKE_OK; k++) {
        const yoke__zone *untaken = &p->division.zone[k];
        if (untaken->begin < untaken->end)
            status = run_again(p, runtime, key, untaken->begin, untaken->end);
    }
    return status;
}
