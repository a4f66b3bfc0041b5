/* One call on the place that is predicted to be fastest; what a device does not do, the workers do. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/parallel/offload.h"

enum { LOOK_NS = 10000000 };

/* --- where to --- */

void yoke__offload_note(yoke__offload *o, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(o->decision.reason, sizeof o->decision.reason, format, arguments);
    va_end(arguments);
}

static double known_ns(const yoke__offload *o, unsigned place, uint32_t *tries)
{
    const yoke__route_cell *cell = &o->row->cell[place][o->class];
    *tries = atomic_load_explicit(&cell->tries, memory_order_relaxed);
    return (double)atomic_load_explicit(&cell->item_ns, memory_order_relaxed) * o->elements;
}

void yoke__offload_learn(const yoke__offload *o, unsigned place, double ns)
{
    if (o->row == NULL)
        return;
    yoke__route_cell *cell = &o->row->cell[place][o->class];
    double known = (double)atomic_load_explicit(&cell->item_ns, memory_order_relaxed);
    double now = yoke__route_learn(known, ns / o->elements);
    atomic_store_explicit(&cell->item_ns, (float)(now > 1e-9 ? now : 1e-9), memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->tries, 1, memory_order_relaxed);
    atomic_store_explicit(&o->row->learned, 1, memory_order_relaxed);
}

/* Rows alone would tell nothing: they may be short or long. */
static size_t elements_of(const yoke__work *work)
{
    const yoke__checked *checked = work->checked;
    const bool rows = yoke__has_rows(checked->kernel);
    size_t elements;
    if (!rows)
        return work->total;
    return yoke__mul_overflows(checked->call.size[0], checked->call.size[1], &elements) ? SIZE_MAX : elements;
}

/* Compiled in the background while the workers take the work; where they may not, this waits for it, unless there is a
 * device that only has to end another call. */
static yoke__readiness prepare(const yoke__offload *o, unsigned device)
{
    const yoke__devices *d = o->devices;
    const int64_t until = o->selection.cpu || o->any_busy ? 0 : yoke__now_ns() + d->step_limit_ns;
    for (;;) {
        const int64_t now = yoke__now_ns(), look = now + LOOK_NS < until ? now + LOOK_NS : until;
        yoke__readiness is = d->backend->prepare(d->state, device, o->work->checked->kernel, look);
        if (is != YOKE__PREPARING || now >= until || yoke__stopped(o->options) != YOKE_OK)
            return is;
    }
}

/* No device may even be asked: why not, of the first. */
static void note_unusable(yoke__offload *o)
{
    const yoke__devices *d = o->devices;
    unsigned k = 0;
    while (k < d->count && !yoke__selection_has(&o->selection, k))
        k++;
    if (k < d->count)
        yoke__offload_note(o, "device %u cannot be used: %s", k,
                           d->backend->why(d->state, k, o->work->checked->kernel));
    else
        yoke__offload_note(o, "no device that may be used can run it");
}

/* A device that would be tried beside workers whose time is known is looked at first: its transfers alone may take
 * longer. Until that is known, the workers run it. */
static void look_before_a_first_try(yoke__offload *o, unsigned place)
{
    yoke__candidate *c = &o->candidate[place];
    const yoke__candidate *workers = &o->candidate[0];
    if (!c->possible || c->known_ns > 0 || !workers->possible || workers->known_ns <= c->floor_ns || o->row == NULL ||
        yoke__has_flag(o->options, YOKE_ALWAYS_COEXECUTE))
        return;
    c->possible = yoke__offload_floor(o, place - 1, &c->floor_ns) != YOKE__PREPARING;
    if (!c->possible)
        yoke__offload_note(o, "the device's transfers are being measured");
}

/* What is known of each place. */
static void survey(yoke__offload *o)
{
    const yoke__devices *d = o->devices;
    o->places = 2 + d->count;
    for (unsigned k = 0; k < o->places; k++) {
        yoke__candidate *c = &o->candidate[k];
        c->known_ns = o->row != NULL ? known_ns(o, k, &c->tries) : k == 0 ? o->predicted_ns : 0;
        c->possible = o->selection.cpu;
        if (k < o->places - 1)
            o->moves_ns[k] = yoke__offload_moves(o, k);
        if (c->known_ns > 0)
            c->known_ns += o->moves_ns[k];
        if (k == 0 || k == o->places - 1)
            continue;
        c->possible = yoke__selection_has(&o->selection, k - 1) && d->backend->usable(d->state, k - 1);
        c->floor_ns = yoke__offload_guess(o);
        look_before_a_first_try(o, k);
        if (c->possible && c->known_ns > 0 && (o->decision.device_ns <= 0 || c->known_ns < o->decision.device_ns))
            o->decision.device_ns = c->known_ns;
    }
    o->decision.cpu_ns = o->candidate[0].known_ns;
    o->call = o->row != NULL ? atomic_fetch_add(&o->row->calls[o->class], 1) : 0;
    yoke__coexec_survey(o);
}

/* Why the workers, when no device refused. */
static void note_workers(yoke__offload *o, unsigned place)
{
    const double cpu_ns = o->decision.cpu_ns, device_ns = o->decision.device_ns;
    bool any = false;
    for (unsigned k = 1; k < o->places - 1; k++)
        any |= o->candidate[k].possible;
    if (o->decision.reason[0] != '\0')
        return;
    if (place != 0 || !any)
        note_unusable(o);
    else if (cpu_ns <= 0)
        yoke__offload_note(o, "the time of the workers is not known yet");
    else if (device_ns > 0 && device_ns < cpu_ns)
        yoke__offload_note(o, "the workers were slower; they are looked at again");
    else
        yoke__offload_note(o, "the workers are faster%s",
                           device_ns > 0 ? "" : " than a launch and its transfers can be");
}

bool yoke__offload_prepare(yoke__offload *o, unsigned place)
{
    yoke__readiness is = prepare(o, place - 1);
    if (is == YOKE__READY)
        return true;
    yoke__offload_note(o, "%s",
                       is == YOKE__PREPARING
                           ? "being compiled for the device"
                           : o->devices->backend->why(o->devices->state, place - 1, o->work->checked->kernel));
    o->candidate[place].possible = false;
    return false;
}

/* The place to use: 0 the workers, the last one all together. */
static unsigned choose(yoke__offload *o)
{
    const unsigned together = o->places - 1;
    if (yoke__has_flag(o->options, YOKE_ALWAYS_COEXECUTE) && o->candidate[together].possible)
        return together;
    for (;;) { /* what is refused is no choice */
        const unsigned place = yoke__route(o->candidate, o->places, o->call);
        if (place == 0 || place >= o->places) {
            note_workers(o, place);
            return 0;
        }
        if (place == together || yoke__offload_prepare(o, place))
            return place;
    }
}

/* The fastest of the devices that other calls have; one must. */
static unsigned best_busy(const yoke__offload *o)
{
    unsigned best = 0;
    for (unsigned k = 1; k < o->places - 1; k++) {
        const double known = o->candidate[k].known_ns, least = o->candidate[best].known_ns;
        if (o->busy[k] && (best == 0 || (known > 0 && (least <= 0 || known < least))))
            best = k;
    }
    return best - 1;
}

/* --- doing it --- */

int64_t yoke__offload_limit(const yoke__offload *o)
{
    if (o->predicted_ns >= (double)(INT64_MAX / 8))
        return o->devices->limit_ns;
    return o->devices->limit_ns + 4 * (int64_t)o->predicted_ns; /* a device may be slower than a core */
}

void yoke__offload_share(yoke__offload *o, int device, size_t items, unsigned pieces, double ns)
{
    yoke_decision *decision = &o->decision;
    const char *name = "workers";
    if (decision->share_count == YOKE_SHARES)
        return;
    if (device >= 0) {
        yoke_device facts;
        o->devices->backend->describe(o->devices->state, (unsigned)device, &facts);
        name = facts.name;
    }
    decision->shares[decision->share_count++] = (yoke_share){device, name, items, pieces, ns};
}

static void describe_shares(yoke__offload *o, const yoke__taker *taker, int64_t start)
{
    const size_t items = atomic_load(&taker->items);
    o->decision.device_items = items;
    yoke__offload_share(o, taker->device, items, atomic_load(&taker->count), yoke__taker_ns(taker, start));
    if (items < o->work->total)
        yoke__offload_share(o, -1, o->work->total - items, 1, 0);
}

static void learn_alone(const yoke__offload *o, unsigned place, double ns)
{
    ns = ns - o->moves_ns[place] > ns / 8 ? ns - o->moves_ns[place] : ns / 8;
    yoke__offload_learn(o, place, ns);
    if (o->row != NULL)
        yoke__coexec_learn_alone(o, place, ns);
}

/* EBUSY: another call has the device, and this one did not wait for it. */
static int run_on_device(yoke__offload *o, unsigned device, bool wait)
{
    yoke__pieces p = {.options = o->options, .work = o->work, .lock = PTHREAD_MUTEX_INITIALIZER};
    yoke__taker taker = {.pieces = &p, .device = (int)device};
    yoke__task task;
    yoke__pieces_task(&task, &taker);
    task.piece_limit_ns = yoke__offload_limit(o);
    const int64_t start = yoke__now_ns();
    void *run = NULL;
    int status = o->devices->backend->start(o->devices->state, device, &task, wait, &run);
    if (status == YOKE_OK)
        status = o->devices->backend->finish(o->devices->state, run);
    if (status == YOKE_EBUSY && !wait && p.next == 0)
        return status;
    o->decision.device = (int)device;
    o->decision.device_ns = o->decision.predicted_ns = o->candidate[1 + device].known_ns;
    describe_shares(o, &taker, start);
    if (status == YOKE_OK) {
        yoke__pieces_report(&p);
        if (!wait) /* for how long it waited tells nothing of the device */
            learn_alone(o, 1 + device, (double)(yoke__now_ns() - start));
        o->decision.reason[0] = '\0'; /* the workers did none of it */
        return YOKE_OK;
    }
    if (status == YOKE_ETIMEDOUT || status == YOKE_ECANCELED)
        return yoke__end_early(status);
    if (status == YOKE_ELOST)
        return status;
    yoke__offload_note(o, "%s", yoke_error_detail());
    if (status != YOKE_EBUSY) /* what failed is not tried again soon */
        yoke__offload_learn(o, 1 + device, (double)(yoke__now_ns() - start) + (double)task.piece_limit_ns);
    status = yoke__pieces_finish(&p, o->runtime, o->key);
    o->decision.workers = p.workers;
    if (status == YOKE_OK && o->options != NULL && o->options->progress != NULL)
        o->options->progress(o->work->total, o->work->total, o->options->progress_argument);
    return status;
}

static int run_on_workers(yoke__offload *o)
{
    const int64_t start = yoke__now_ns();
    int status = yoke__bring_home(o->work, o->options);
    o->moves_ns[0] = (double)(yoke__now_ns() - start);
    if (status == YOKE_OK)
        status = yoke__run_on_workers(o->runtime, o->options, o->key, o->work, &o->decision.workers);
    const double ns = (double)(yoke__now_ns() - start);
    if (status == YOKE_OK)
        learn_alone(o, 0, ns);
    o->decision.predicted_ns = o->decision.cpu_ns;
    yoke__offload_share(o, -1, o->work->total, 1, ns);
    if (status == YOKE_OK)
        yoke__note_piece(o->options, -1, o->work, 0, o->work->items);
    return status;
}

/* An idle place before one to wait for: several threads use several devices. */
static int run_somewhere(yoke__offload *o)
{
    survey(o);
    for (;;) {
        const unsigned place = choose(o);
        int status;
        if (place == 0)
            return o->selection.cpu || !o->any_busy ? run_on_workers(o) : run_on_device(o, best_busy(o), true);
        if (place == o->places - 1)
            status = yoke__coexec_run(o);
        else
            status = run_on_device(o, place - 1, false);
        if (status != YOKE_EBUSY)
            return status;
        o->candidate[place].possible = false;
        if (place == o->places - 1) /* fewer are ready than it takes */
            continue;
        yoke__offload_note(o, "%s", yoke_error_detail());
        o->busy[place] = o->any_busy = true;
    }
}

/* EFORKED when only devices may run it and this is a child of a process that used them. */
static int check_fork(const yoke__offload *o)
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
static int narrow(yoke__offload *o)
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
    yoke__offload o = {.runtime = runtime,
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
    o.row = yoke__devices_row(o.devices, work->checked->kernel);
    int status = narrow(&o);
    if (status == YOKE_OK)
        status = yoke__end_early(yoke__stopped(options));
    if (status == YOKE_OK)
        status = check_fork(&o);
    if (status != YOKE_OK)
        return status;
    atomic_fetch_add(&o.devices->calls, 1);
    yoke__event traced;
    yoke__trace_begin(&traced, YOKE__EVENT_CALL, o.decision.kernel);
    const int64_t start = yoke__now_ns();
    status = run_somewhere(&o);
    atomic_fetch_sub(&o.devices->calls, 1);
    o.decision.took_ns = (double)(yoke__now_ns() - start);
    yoke__decision_set(&o.decision);
    yoke__trace_decision(&traced, &o.decision);
    if (runtime->explains)
        yoke__explain(&o.decision);
    return status;
}
