/* One call on the place that is predicted to be fastest; what a device does not do, the workers do. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/parallel/devices.h"
#include "lib/trace/trace.h"

enum { MOST_LOST = 40, LAUNCH_NS = 20000, BYTES_PER_NS = 64, LOOK_NS = 10000000, PLACES = 1 + YOKE__MOST_DEVICES };

/* Pieces of a call, handed to a device from the front. */
typedef struct pieces {
    const yoke_options *options;
    const yoke__work *work;
    size_t next; /* items before it were taken */
    _Atomic size_t done;
    size_t reported;
    unsigned lost_count;
    struct {
        size_t begin, end;
    } lost[MOST_LOST];
    bool lost_track; /* more were lost than fit: nothing is known of the rest */
} pieces;

static bool take(void *context, size_t most, size_t *begin, size_t *end)
{
    pieces *p = context;
    const size_t left = p->work->items - p->next;
    if (left == 0)
        return false;
    *begin = p->next;
    *end = p->next += most < left ? most : left;
    return true;
}

static void done(void *context, size_t begin, size_t end)
{
    atomic_fetch_add(&((pieces *)context)->done, end - begin);
}

static void lost(void *context, size_t begin, size_t end)
{
    pieces *p = context;
    if (p->lost_count == MOST_LOST) {
        p->lost_track = true;
        return;
    }
    p->lost[p->lost_count].begin = begin;
    p->lost[p->lost_count++].end = end;
}

/* Items of the work, as the program counts them: a reduction's work is in blocks. */
static size_t in_total(const yoke__work *work, size_t items)
{
    return items == work->items ? work->total : items * work->scale;
}

static void report(pieces *p)
{
    const yoke__work *work = p->work;
    size_t items = atomic_load(&p->done);
    if (p->options == NULL || p->options->progress == NULL || items == p->reported)
        return;
    p->reported = items;
    p->options->progress(in_total(work, items), work->total, p->options->progress_argument);
}

static int stopped(const yoke_options *options)
{
    if (options != NULL && options->cancel != NULL && __atomic_load_n(options->cancel, __ATOMIC_RELAXED) != 0)
        return YOKE_ECANCELED;
    if (options != NULL && options->deadline_ns != 0 && yoke__now_ns() >= options->deadline_ns)
        return YOKE_ETIMEDOUT;
    return YOKE_OK;
}

static int poll(void *context)
{
    pieces *p = context;
    report(p);
    return stopped(p->options);
}

/* --- the task --- */

static void describe_array(yoke__task *task, unsigned k, const yoke__checked *checked, const yoke_extent *extent)
{
    const yoke_parameter *parameter = &checked->kernel->parameters[k];
    yoke__task_array *array = &task->array[k];
    array->host = checked->call.argument[k];
    if ((checked->kernel->sliced >> k & 1) == 0) {
        array->bytes = (size_t)extent->count * parameter->size;
        return;
    }
    const bool rows = checked->kernel->shape == YOKE_SHAPE_MAP_2D || checked->kernel->shape == YOKE_SHAPE_LANES_2D;
    const size_t width = rows ? checked->call.size[0] : 1, pitch = rows ? checked->pitch : 1;
    array->item_bytes = checked->item_bytes[k] * width;
    array->stride = checked->item_bytes[k] * pitch;
    array->before = (size_t)extent->before;
    array->after = (size_t)extent->after;
}

static void describe_task(yoke__task *task, const yoke__work *work, pieces *p)
{
    const yoke__checked *checked = work->checked;
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    *task = (yoke__task){.kernel = checked->kernel,
                         .call = checked->call,
                         .items = work->items,
                         .block = work->block,
                         .partials = work->partials,
                         .indivisible = work->indivisible,
                         .take = take,
                         .done = done,
                         .lost = lost,
                         .poll = poll,
                         .context = p};
    checked->kernel->extents(&checked->call, extents); /* found good by the check */
    for (uint32_t arrays = checked->kernel->arrays; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        describe_array(task, k, checked, &extents[k]);
    }
}

/* --- where to --- */

/* One call and what is known of it. */
typedef struct offload {
    yoke_runtime *runtime;
    yoke__devices *devices;
    const yoke_options *options;
    const void *key;
    const yoke__work *work;
    double predicted_ns;
    yoke__selection selection;
    yoke__route_row *row;
    double elements; /* of the grid: what the size class and the learned times count */
    int class;
    uint32_t call; /* of this kernel and class */
    unsigned places;
    yoke__candidate candidate[PLACES]; /* 0: the workers, 1 + k: device k */
    bool busy[PLACES];                 /* another call had it */
    bool any_busy;
    yoke_decision decision;
} offload;

__attribute__((format(printf, 2, 3))) static void note(offload *o, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(o->decision.reason, sizeof o->decision.reason, format, arguments);
    va_end(arguments);
}

static double known_ns(const offload *o, unsigned place, uint32_t *tries)
{
    const yoke__route_cell *cell = &o->row->cell[place][o->class];
    *tries = atomic_load_explicit(&cell->tries, memory_order_relaxed);
    return (double)atomic_load_explicit(&cell->item_ns, memory_order_relaxed) * o->elements;
}

static void learn(const offload *o, unsigned place, double ns)
{
    if (o->row == NULL)
        return;
    yoke__route_cell *cell = &o->row->cell[place][o->class];
    double known = (double)atomic_load_explicit(&cell->item_ns, memory_order_relaxed);
    double now = yoke__route_learn(known, ns / o->elements);
    atomic_store_explicit(&cell->item_ns, (float)(now > 1e-9 ? now : 1e-9), memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->tries, 1, memory_order_relaxed);
}

/* Rows alone would tell nothing: they may be short or long. */
static size_t elements_of(const yoke__work *work)
{
    const yoke__checked *checked = work->checked;
    const bool rows = checked->kernel->shape == YOKE_SHAPE_MAP_2D || checked->kernel->shape == YOKE_SHAPE_LANES_2D;
    size_t elements;
    if (!rows)
        return work->total;
    return yoke__mul_overflows(checked->call.size[0], checked->call.size[1], &elements) ? SIZE_MAX : elements;
}

/* Compiled in the background while the workers take the work; where they may not, this waits for it, unless there is a
 * device that only has to end another call. */
static yoke__readiness prepare(const offload *o, unsigned device)
{
    const yoke__devices *d = o->devices;
    const int64_t until = o->selection.cpu || o->any_busy ? 0 : yoke__now_ns() + d->step_limit_ns;
    for (;;) {
        const int64_t now = yoke__now_ns(), look = now + LOOK_NS < until ? now + LOOK_NS : until;
        yoke__readiness is = d->backend->prepare(d->state, device, o->work->checked->kernel, look);
        if (is != YOKE__PREPARING || now >= until || stopped(o->options) != YOKE_OK)
            return is;
    }
}

/* No device may even be asked: why not, of the first. */
static void note_unusable(offload *o)
{
    const yoke__devices *d = o->devices;
    unsigned k = 0;
    while (k < d->count && !yoke__selection_has(&o->selection, k))
        k++;
    if (k < d->count)
        note(o, "device %u cannot be used: %s", k, d->backend->why(d->state, k, o->work->checked->kernel));
    else
        note(o, "no device that may be used can run it");
}

/* What is known of each place. */
static void survey(offload *o)
{
    o->places = 1 + o->devices->count;
    for (unsigned k = 0; k < o->places; k++) {
        yoke__candidate *c = &o->candidate[k];
        c->known_ns = o->row != NULL ? known_ns(o, k, &c->tries) : k == 0 ? o->predicted_ns : 0;
        c->possible = o->selection.cpu;
        if (k == 0)
            continue;
        c->possible =
            yoke__selection_has(&o->selection, k - 1) && o->devices->backend->usable(o->devices->state, k - 1);
        c->floor_ns = LAUNCH_NS + (double)o->work->checked->bytes / BYTES_PER_NS;
        if (c->possible && c->known_ns > 0 && (o->decision.device_ns <= 0 || c->known_ns < o->decision.device_ns))
            o->decision.device_ns = c->known_ns;
    }
    o->decision.cpu_ns = o->candidate[0].known_ns;
    o->call = o->row != NULL ? atomic_fetch_add(&o->row->calls[o->class], 1) : 0;
}

/* Why the workers, when no device refused. */
static void note_workers(offload *o, unsigned place)
{
    const double cpu_ns = o->decision.cpu_ns, device_ns = o->decision.device_ns;
    bool any = false;
    for (unsigned k = 1; k < o->places; k++)
        any |= o->candidate[k].possible;
    if (o->decision.reason[0] != '\0')
        return;
    if (place != 0 || !any)
        note_unusable(o);
    else if (cpu_ns <= 0)
        note(o, "the time of the workers is not known yet");
    else if (device_ns > 0 && device_ns < cpu_ns)
        note(o, "the workers were slower; they are looked at again");
    else
        note(o, "the workers are faster%s", device_ns > 0 ? "" : " than a launch and its transfers can be");
}

/* The index of the device to use, -1: the workers. */
static int choose(offload *o)
{
    for (;;) { /* what is refused is no choice */
        const unsigned place = yoke__route(o->candidate, o->places, o->call);
        if (place == 0 || place >= o->places) {
            note_workers(o, place);
            return -1;
        }
        yoke__readiness is = prepare(o, place - 1);
        if (is == YOKE__READY)
            return (int)place - 1;
        note(o, "%s",
             is == YOKE__PREPARING ? "being compiled for the device"
                                   : o->devices->backend->why(o->devices->state, place - 1, o->work->checked->kernel));
        o->candidate[place].possible = false;
    }
}

/* The fastest of the devices that other calls have; one must. */
static unsigned best_busy(const offload *o)
{
    unsigned best = 0;
    for (unsigned k = 1; k < o->places; k++) {
        const double known = o->candidate[k].known_ns, least = o->candidate[best].known_ns;
        if (o->busy[k] && (best == 0 || (known > 0 && (least <= 0 || known < least))))
            best = k;
    }
    return best - 1;
}

/* --- doing it --- */

/* A part of the call. Its progress is not the call's: that hears of the end only. */
static int run_part(offload *o, size_t begin, size_t end)
{
    yoke__work part = *o->work;
    yoke_options options = {0};
    if (o->options != NULL)
        options = *o->options;
    options.progress = NULL;
    part.begin = begin;
    part.items = end;
    return yoke__run_on_workers(o->runtime, &options, o->key, &part);
}

/* What the device took and failed at, and what it never took. */
static int finish_on_workers(offload *o, const pieces *p)
{
    int status = YOKE_OK;
    if (p->lost_track)
        return yoke__fail(YOKE_EINTERNAL, "kernel %s: a device failed at more pieces than it may take",
                          o->work->checked->kernel->name);
    for (unsigned k = 0; k < p->lost_count && status == YOKE_OK; k++)
        status = run_part(o, p->lost[k].begin, p->lost[k].end);
    if (status == YOKE_OK && p->next < o->work->items)
        status = run_part(o, p->next, o->work->items);
    if (status == YOKE_OK && o->options != NULL && o->options->progress != NULL)
        o->options->progress(o->work->total, o->work->total, o->options->progress_argument);
    return status;
}

/* EBUSY: another call has the device, and this one did not wait for it. */
static int run_on_device(offload *o, unsigned device, bool wait)
{
    pieces p = {.options = o->options, .work = o->work};
    yoke__task task;
    describe_task(&task, o->work, &p);
    task.piece_limit_ns = o->devices->limit_ns;
    if (o->predicted_ns < (double)(INT64_MAX / 8)) /* a device may be slower than a core */
        task.piece_limit_ns += 4 * (int64_t)o->predicted_ns;
    const int64_t start = yoke__now_ns();
    void *run = NULL;
    int status = o->devices->backend->start(o->devices->state, device, &task, wait, &run);
    if (status == YOKE_OK)
        status = o->devices->backend->finish(o->devices->state, run);
    if (status == YOKE_EBUSY && !wait && p.next == 0)
        return status;
    o->decision.device = (int)device;
    o->decision.device_ns = o->candidate[1 + device].known_ns;
    o->decision.device_items = in_total(o->work, atomic_load(&p.done));
    if (status == YOKE_OK) {
        report(&p);
        if (!wait) /* for how long it waited tells nothing of the device */
            learn(o, 1 + device, (double)(yoke__now_ns() - start));
        o->decision.reason[0] = '\0'; /* the workers did none of it */
        return YOKE_OK;
    }
    if (status == YOKE_ETIMEDOUT || status == YOKE_ECANCELED)
        return yoke__end_early(status);
    if (status == YOKE_ELOST)
        return status;
    note(o, "%s", yoke_error_detail());
    if (status != YOKE_EBUSY) /* what failed is not tried again soon */
        learn(o, 1 + device, (double)(yoke__now_ns() - start) + (double)task.piece_limit_ns);
    return finish_on_workers(o, &p);
}

static int run_on_workers(offload *o)
{
    const int64_t start = yoke__now_ns();
    int status = yoke__run_on_workers(o->runtime, o->options, o->key, o->work);
    if (status == YOKE_OK)
        learn(o, 0, (double)(yoke__now_ns() - start));
    return status;
}

/* An idle place before one to wait for: several threads use several devices. */
static int run_somewhere(offload *o)
{
    survey(o);
    for (;;) {
        const int device = choose(o);
        if (device < 0 && (o->selection.cpu || !o->any_busy))
            return run_on_workers(o);
        if (device < 0)
            return run_on_device(o, best_busy(o), true);
        int status = run_on_device(o, (unsigned)device, false);
        if (status != YOKE_EBUSY)
            return status;
        note(o, "%s", yoke_error_detail());
        o->candidate[1 + device].possible = false;
        o->busy[1 + device] = o->any_busy = true;
    }
}

/* EFORKED when only devices may run it and this is a child of a process that used them. */
static int check_fork(const offload *o)
{
    const yoke__devices *d = o->devices;
    if (o->selection.cpu || d->forks == yoke__fork_count() || d->backend->discover(d->state, 0) != YOKE_EFORKED)
        return YOKE_OK;
    return yoke__fail(YOKE_EFORKED,
                      "kernel %s: only devices may run it, and they do not survive a fork; open a runtime "
                      "for the CPU in the child, or exec",
                      o->work->checked->kernel->name);
}

/* Only the devices that the options of the call name, of those that the runtime may use. */
static int narrow(offload *o)
{
    const yoke__devices *d = o->devices;
    if (o->options == NULL || o->options->devices == NULL)
        return YOKE_OK;
    int status = yoke__devices_select(d, o->options->devices, &o->selection);
    bool any = false;
    for (size_t k = 0; k < sizeof d->selection.mask / sizeof *d->selection.mask && status == YOKE_OK; k++) {
        o->selection.mask[k] &= d->selection.mask[k];
        any |= o->selection.mask[k] != 0;
    }
    if (status == YOKE_OK && o->selection.named && !any)
        return yoke__fail(YOKE_ENODEV, "\"%.40s\": this runtime was opened for \"%.40s\"", o->options->devices,
                          d->text);
    return status;
}

int yoke__run_with_devices(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work,
                           double predicted_ns)
{
    offload o = {.runtime = runtime,
                 .devices = runtime->devices,
                 .options = options,
                 .key = key,
                 .work = work,
                 .predicted_ns = predicted_ns,
                 .selection = runtime->devices->selection,
                 .decision = {.kernel = work->checked->kernel->name, .items = work->total, .device = -1}};
    const size_t elements = elements_of(work);
    o.elements = (double)elements;
    o.class = 63 - __builtin_clzll(elements);
    o.row = yoke__devices_row(o.devices, key);
    int status = narrow(&o);
    if (status == YOKE_OK)
        status = yoke__end_early(stopped(options));
    if (status == YOKE_OK)
        status = check_fork(&o);
    if (status != YOKE_OK)
        return status;
    atomic_fetch_add(&o.devices->calls, 1);
    const int64_t start = yoke__now_ns();
    status = run_somewhere(&o);
    atomic_fetch_sub(&o.devices->calls, 1);
    o.decision.took_ns = (double)(yoke__now_ns() - start);
    yoke__decision_set(&o.decision);
    return status;
}
