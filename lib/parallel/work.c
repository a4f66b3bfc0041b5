/* Plans and runs one call's work: on the caller alone, or divided among the team. */
#include "lib/parallel/parallel.h"

/* A job's units, seen as items. */
typedef struct division {
    const yoke__work *work;
    size_t first; /* items before it were run already */
    size_t unit;
    const yoke_options *options;
} division;

static void run_units(void *context, size_t begin, size_t end)
{
    const division *d = context;
    size_t from = d->first + begin * d->unit;
    size_t left = d->work->items - d->first;
    size_t to = end > left / d->unit ? d->work->items : d->first + end * d->unit;
    d->work->run(d->work->context, from, to);
}

static void report_units(size_t done, size_t units, void *argument)
{
    const division *d = argument;
    size_t left = d->work->items - d->first;
    size_t items = d->first + (done >= units || done > left / d->unit ? left : done * d->unit);
    const yoke__work *work = d->work;
    d->options->progress(items == work->items ? work->total : items * work->scale, work->total,
                         d->options->progress_argument);
}

static int end_early(int status)
{
    if (status == YOKE_ETIMEDOUT)
        return yoke__fail(status, "the deadline passed; arrays written by this call are unspecified");
    if (status == YOKE_ECANCELED)
        return yoke__fail(status, "cancelled; arrays written by this call are unspecified");
    return status;
}

/* Waking a worker for a short map pays when more maps follow at once, for then it will spin between them. */
static bool in_streak(const yoke_runtime *runtime, int64_t now)
{
    return now != 0 && now - atomic_load_explicit(&runtime->last_end_ns, memory_order_relaxed) < YOKE__STREAK_NS &&
           now - atomic_load_explicit(&runtime->last_wake_ns, memory_order_relaxed) > YOKE__REWAKE_NS;
}

/* Runs items [first, all) as a job of the team, or alone where that is better. */
static int run_divided(yoke_runtime *runtime, const yoke_options *options, const yoke__work *work, size_t first,
                       double item_ns, int64_t now, unsigned *workers)
{
    yoke__load load = {.items = work->items - first,
                       .step = work->step,
                       .item_ns = item_ns,
                       .workers = work->indivisible ? 1 : yoke__team_workers(runtime->team),
                       .asleep = yoke__team_asleep(runtime->team),
                       .streak = in_streak(runtime, now)};
    if (options != NULL) {
        load.grain = options->grain / work->scale;
        load.always_divide = (options->flags & YOKE_ALWAYS_DIVIDE) != 0;
        if (options->workers != 0 && options->workers < load.workers)
            load.workers = options->workers;
    }
    yoke__plan plan = yoke__plan_division(&load);
    if (plan.wake && load.asleep > 0)
        atomic_store_explicit(&runtime->last_wake_ns, now, memory_order_relaxed);
    division d = {.work = work, .first = first, .unit = plan.unit, .options = options};
    yoke__job job = {.run = run_units,
                     .context = &d,
                     .units = plan.units,
                     .grain = plan.grain,
                     .workers = plan.workers,
                     .wake = plan.wake};
    if (options != NULL) {
        job.controlled = options->deadline_ns != 0 || options->cancel != NULL || options->progress != NULL;
        job.deadline_ns = options->deadline_ns;
        job.cancel = options->cancel;
        if (options->progress != NULL) {
            job.progress = report_units;
            job.progress_argument = &d;
        }
    }
    *workers = plan.workers;
    return end_early(yoke__team_run(runtime->team, &job));
}

static bool is_plain(const yoke_options *options)
{
    return options == NULL || (options->deadline_ns == 0 && options->cancel == NULL && options->progress == NULL &&
                               (options->flags & YOKE_ALWAYS_DIVIDE) == 0);
}

/* A kernel that was never seen at this size is tried on a few items first: nothing else tells a nanosecond from a
 * second per item. Returns the number of items done. */
static size_t probe(yoke_runtime *runtime, const yoke__work *work, double *item_ns)
{
    size_t items = work->items / 64;
    items = items > 1024 ? 1024 : items;
    items = items / work->step * work->step;
    if (items == 0)
        items = work->step;
    if (items >= work->items)
        items = work->items;
    int64_t start = yoke__now_ns();
    yoke__team_run_here(runtime->team, work->run, work->context, 0, items);
    *item_ns = (double)(yoke__now_ns() - start) / (double)items;
    return items;
}

int yoke__run_work(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work)
{
    yoke__cost *cost = yoke__costs_find(runtime->costs, key);
    double item_ns = yoke__cost_item_ns(cost, work->total) * (double)work->scale;
    double total_ns = item_ns * (double)work->items;
    const bool plain = is_plain(options);
    const bool timed = yoke__cost_wants_time(cost, total_ns);
    if (plain && item_ns > 0 && total_ns < YOKE__DIVIDE_NS && !timed) {
        yoke__team_run_here(runtime->team, work->run, work->context, 0, work->items);
        return YOKE_OK;
    }
    size_t first = 0;
    unsigned workers = 1;
    if (plain && item_ns <= 0)
        first = probe(runtime, work, &item_ns);
    int status = YOKE_OK;
    const int64_t start = timed ? yoke__now_ns() : 0;
    if (first < work->items)
        status = run_divided(runtime, options, work, first, item_ns, start, &workers);
    if (timed && status == YOKE_OK) {
        const int64_t end = yoke__now_ns();
        double ns = first < work->items ? (double)(end - start) / (double)(work->items - first) : item_ns;
        yoke__cost_learn(cost, work->total, ns / (double)work->scale, workers);
        atomic_store_explicit(&runtime->last_end_ns, end, memory_order_relaxed);
    }
    return status;
}
