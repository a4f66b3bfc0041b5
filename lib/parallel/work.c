/* Plans and runs one call's work: on the caller alone, or divided among the team. */
#include <stdio.h>

#include "lib/parallel/devices.h"
#include "lib/trace/trace.h"

enum { SHORT_BURST = 64 };

/* A job's units, seen as items: for progress. */
typedef struct division {
    const yoke__work *work;
    size_t first; /* items before it were run already */
    size_t unit;
    const yoke_options *options;
} division;

static void report_units(size_t done, size_t units, void *argument)
{
    const division *d = argument;
    size_t left = d->work->items - d->first;
    size_t items = d->first + (done >= units || done > left / d->unit ? left : done * d->unit);
    const yoke__work *work = d->work;
    d->options->progress(items == work->items ? work->total : items * work->scale, work->total,
                         d->options->progress_argument);
}

int yoke__end_early(int status)
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

/* Whether a short map would stay with the caller whatever the plan: that is spared it, for after a pause each line of the
 * plan's code comes from memory. */
static bool is_lonely(const yoke_runtime *runtime, int64_t now)
{
    return yoke__team_asleep(runtime->team) + 1 >= yoke__team_workers(runtime->team) && !in_streak(runtime, now);
}

YOKE_HOT static bool is_plain(const yoke_options *options)
{
    return options == NULL ||
           (options->deadline_ns == 0 && options->cancel == NULL && options->progress == NULL &&
            (options->flags & YOKE_ALWAYS_DIVIDE) == 0 && options->devices == NULL && options->pieces == NULL);
}

/* What became of a call, to learn from. */
typedef struct settled {
    yoke__cost *cost;
    unsigned workers;
    bool open; /* it was a choice between the caller alone and a division: */
    yoke__choice choice;
    yoke__headcount_choice count;
} settled;

/* For a map of some microseconds the price of sharing it (lines that change caches, a claim) is not known beforehand:
 * measured, not predicted. */
static bool may_stay_alone(const yoke_options *options, const yoke__work *work, const yoke__load *load,
                           const yoke__plan *plan, double item_ns)
{
    return plan->workers > 1 && item_ns > 0 && !work->large && is_plain(options) &&
           item_ns * (double)load->items < YOKE__WAKE_NS;
}

/* Of a map that memory may be the bound of. */
static bool may_take_fewer(const yoke_runtime *runtime, const yoke_options *options, const yoke__work *work,
                           const yoke__load *load)
{
    return load->workers >= YOKE__HEADCOUNT_WORKERS && work->checked != NULL &&
           work->checked->bytes > runtime->cache_bytes && load->item_ns * (double)load->items >= YOKE__HEADCOUNT_NS &&
           !load->always_divide && (options == NULL || options->workers == 0);
}

static yoke__headcount_choice choose_workers(yoke__cost *cost, const yoke__work *work, const yoke__load *load)
{
    const bool whole = load->items * work->scale >= work->total;
    const bool other_trial = work->large && work->choice.trial;
    return yoke__cost_choose_workers(cost, work->total, load->workers, !whole || other_trial);
}

static const char *name_of(const yoke__work *work)
{
    return work->checked != NULL ? work->checked->kernel->name : "parallel_for";
}

/* Runs items [first, all) as a job of the team, or alone where that is better. */
static int run_divided(yoke_runtime *runtime, const yoke_options *options, const yoke__work *work, size_t first,
                       double item_ns, int64_t now, settled *how)
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
    if (may_take_fewer(runtime, options, work, &load)) {
        how->count = choose_workers(how->cost, work, &load);
        load.workers = how->count.workers;
    }
    yoke__plan plan = yoke__plan_division(&load);
    how->open = may_stay_alone(options, work, &load, &plan, item_ns);
    if (how->open) {
        how->choice = yoke__cost_choose(how->cost, work->total, SHORT_BURST);
        if (!how->choice.way)
            plan.workers = 1;
    }
    if (plan.workers > 1 && plan.wake && load.asleep > 0)
        atomic_store_explicit(&runtime->last_wake_ns, now, memory_order_relaxed);
    division d = {.work = work, .first = first, .unit = plan.unit, .options = options};
    yoke__job job = {.run = work->run,
                     .context = work->context,
                     .first = first,
                     .unit = plan.unit,
                     .items = work->items,
                     .units = plan.units,
                     .grain = plan.grain,
                     .workers = plan.workers,
                     .wake = plan.wake};
    if (yoke__tracing())
        job.name = name_of(work);
    if (options != NULL) {
        job.controlled = options->deadline_ns != 0 || options->cancel != NULL || options->progress != NULL;
        job.deadline_ns = options->deadline_ns;
        job.cancel = options->cancel;
        if (options->progress != NULL) {
            job.progress = report_units;
            job.progress_argument = &d;
        }
    }
    how->workers = plan.workers;
    return yoke__end_early(yoke__team_run(runtime->team, &job));
}

/* A kernel that was never seen at this size is tried on a few items first: nothing else tells a nanosecond from a
 * second per item. Returns the first item that is not done. */
static size_t probe(yoke_runtime *runtime, const yoke__work *work, double *item_ns)
{
    const size_t all = work->items - work->begin;
    size_t items = all / 64;
    items = items > 1024 ? 1024 : items;
    items = items / work->step * work->step;
    if (items == 0)
        items = work->step;
    if (items >= all)
        items = all;
    int64_t start = yoke__now_ns();
    yoke__team_run_here(runtime->team, work->run, work->context, work->begin, work->begin + items);
    *item_ns = (double)(yoke__now_ns() - start) / (double)items;
    return work->begin + items;
}

static void learn(yoke_runtime *runtime, const yoke__work *work, const settled *how, size_t first, int64_t start,
                  double probed_ns)
{
    const int64_t end = yoke__now_ns();
    double ns = first < work->items ? (double)(end - start) / (double)(work->items - first) : probed_ns;
    yoke__cost_learn(how->cost, work->total, ns / (double)work->scale, how->workers);
    if (work->large)
        yoke__cost_learn_choice(how->cost, work->total, ns, work->choice);
    else if (how->open)
        yoke__cost_learn_choice(how->cost, work->total, ns, how->choice);
    if (how->count.learn)
        yoke__cost_learn_workers(how->cost, work->total, ns / (double)work->scale, how->count);
    atomic_store_explicit(&runtime->last_end_ns, end, memory_order_relaxed);
}

/* item_ns: as known; 0: not at all. *workers: for how many it was planned. */
YOKE_HOT static int run_known(yoke_runtime *runtime, const yoke_options *options, yoke__cost *cost, double item_ns,
                              const yoke__work *work, unsigned *workers)
{
    const bool plain = is_plain(options);
    const size_t items = work->items - work->begin;
    double total_ns = item_ns * (double)items;
    const bool timed = yoke__cost_wants_time(cost, total_ns);
    *workers = 1;
    if (plain && (items <= work->step || (item_ns > 0 && total_ns < YOKE__DIVIDE_NS && !timed))) {
        yoke__team_run_here(runtime->team, work->run, work->context, work->begin, work->items);
        return YOKE_OK;
    }
    size_t first = work->begin;
    settled how = {.cost = cost, .workers = 1};
    if (plain && item_ns <= 0)
        first = probe(runtime, work, &item_ns);
    int status = YOKE_OK;
    const int64_t start = timed ? yoke__now_ns() : 0;
    if (plain && first == work->begin && total_ns < YOKE__WAKE_NS && is_lonely(runtime, start))
        yoke__team_run_here(runtime->team, work->run, work->context, work->begin, work->items);
    else if (first < work->items)
        status = run_divided(runtime, options, work, first, item_ns, start, &how);
    if (timed && status == YOKE_OK)
        learn(runtime, work, &how, first, start, item_ns);
    *workers = how.workers;
    return status;
}

int yoke__run_on_workers(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work,
                         unsigned *workers)
{
    yoke__cost *cost = yoke__costs_find(runtime->costs, key);
    const double item_ns = yoke__cost_item_ns(cost, work->total) * (double)work->scale;
    return run_known(runtime, options, cost, item_ns, work, workers);
}

int yoke__check_asked(const yoke_runtime *runtime, const yoke_options *options)
{
    const char *asked = options != NULL ? options->devices : NULL;
    const int status = asked != NULL ? yoke__selection_check(asked) : YOKE_OK;
    if (status == YOKE_OK && asked != NULL && runtime->devices == NULL && yoke__selection_needs_devices(asked))
        return yoke__fail(YOKE_ENODEV, "\"%.40s\": this runtime was opened for the CPU only", asked);
    return status;
}

/* Whether a device may be worth a thought: an untried kernel is learned by the workers first, unless the program asks. */
static int consider_devices(yoke_runtime *runtime, const yoke_options *options, double predicted_ns, bool *yes)
{
    const char *asked = options != NULL ? options->devices : NULL;
    *yes = false;
    const int status = yoke__check_asked(runtime, options);
    if (status != YOKE_OK || (asked != NULL && !yoke__selection_needs_devices(asked)))
        return status;
    if (runtime->devices == NULL)
        return YOKE_OK;
    if (asked != NULL || yoke__has_flag(options, YOKE_ALWAYS_COEXECUTE) || runtime->devices_only) {
        *yes = true;
        return yoke__devices_know(runtime->devices);
    }
    if (predicted_ns < YOKE__OFFLOAD_NS)
        return YOKE_OK;
    yoke__devices_worked(runtime->devices, predicted_ns);
    *yes = yoke__devices_are_known(runtime->devices);
    return YOKE_OK;
}

/* What the caller did alone is no job of the team's, which would have traced it. */
static void trace_alone(const yoke__event *call, unsigned workers)
{
    if (call->begin_ns == 0 || workers != 1)
        return;
    yoke__event work = *call;
    work.kind = YOKE__EVENT_WORK;
    yoke__trace_end(&work, 1, 0);
}

/* A call that no device was considered for, told. */
static int run_told(yoke_runtime *runtime, const yoke_options *options, yoke__cost *cost, double item_ns,
                    const yoke__work *work)
{
    yoke_decision d = {.kernel = name_of(work),
                       .items = work->total,
                       .device = -1,
                       .share_count = 1,
                       .shares = {{.device = -1, .name = "workers", .items = work->total, .pieces = 1}}};
    const double predicted_ns = item_ns * (double)work->total;
    yoke__event traced;
    yoke__trace_begin(&traced, YOKE__EVENT_CALL, d.kernel);
    const int64_t start = yoke__now_ns();
    int status = run_known(runtime, options, cost, item_ns * (double)work->scale, work, &d.workers);
    d.took_ns = (double)(yoke__now_ns() - start);
    trace_alone(&traced, d.workers);
    const char *why = runtime->devices == NULL          ? "no device may be used"
                      : work->checked == NULL           ? "it is no kernel"
                      : predicted_ns < YOKE__OFFLOAD_NS ? "too short, or too new, for a device"
                                                        : "no device is known (yet)";
    yoke__trace_call(&traced, work->total, d.workers, status != YOKE_OK ? "it failed" : why);
    if (!runtime->explains)
        return status;
    (void)snprintf(d.reason, sizeof d.reason, "%s%s", status != YOKE_OK ? "it failed; " : "", why);
    yoke__explain(&d);
    return status;
}

YOKE_HOT int yoke__run_work(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work)
{
    if (work->items <= work->step && is_plain(options) && !runtime->devices_only) { /* nothing to divide or learn */
        const int status = yoke__bring_home(work, options);
        if (status != YOKE_OK)
            return status;
        yoke__team_run_here(runtime->team, work->run, work->context, work->begin, work->items);
        return YOKE_OK;
    }
    yoke__cost *cost = yoke__costs_find(runtime->costs, key);
    const double item_ns = yoke__cost_item_ns(cost, work->total);
    const double predicted_ns = item_ns * (double)work->total;
    if (work->checked != NULL && (options != NULL || runtime->devices_only || predicted_ns >= YOKE__OFFLOAD_NS)) {
        bool yes;
        int status = consider_devices(runtime, options, predicted_ns, &yes);
        if (status != YOKE_OK)
            return status;
        if (yes)
            return yoke__run_with_devices(runtime, options, key, work, predicted_ns);
    }
    unsigned workers;
    int status = yoke__bring_home(work, options);
    if (status == YOKE_OK)
        status = runtime->tells ? run_told(runtime, options, cost, item_ns, work)
                                : run_known(runtime, options, cost, item_ns * (double)work->scale, work, &workers);
    if (options != NULL && status == YOKE_OK)
        yoke__note_piece(options, -1, work, 0, work->items);
    return status;
}
