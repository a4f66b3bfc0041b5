/* One call on several places at once: devices take pieces from the back of the range, the workers from the front. */
#include "lib/parallel/offload.h"

enum { WORKERS_LAUNCH_NS = 5000, DEVICE_LAUNCH_NS = 50000, FRONT_STEP = 64, STEP_NS = 1000, ITEMS_PER_UNIT = 256 };
#define WORTHWHILE 0.97 /* of the best time alone */

typedef struct member {
    yoke__taker taker;
    void *run; /* of the backend; NULL: it has none */
} member;

typedef struct coexec {
    yoke__offload *o;
    yoke__pieces pieces;
    int64_t start;
    yoke__task task;
    member member[YOKE__MOST_PARTICIPANTS];
} coexec;

/* --- whether --- */

/* Times by element as times by item, or back. */
static yoke__rate scaled(yoke__rate rate, double by)
{
    rate.item_ns *= by;
    rate.doubt_ns *= by;
    return rate;
}

/* Items that keep all of it busy: fewer take as long. */
static double fill_of(const yoke__offload *o, unsigned place)
{
    if (place == 0)
        return yoke__team_workers(o->runtime->team);
    yoke_device facts;
    o->devices->backend->describe(o->devices->state, place - 1, &facts);
    const double by_item = o->elements / (double)o->work->items;
    const double busy = facts.compute_units * (facts.type == YOKE_DEVICE_CPU ? 1.0 : ITEMS_PER_UNIT) / by_item;
    return busy > 1 ? busy : 1;
}

static double launch_of(const yoke__offload *o, unsigned place)
{
    const unsigned workers = yoke__team_workers(o->runtime->team);
    return place > 0 ? DEVICE_LAUNCH_NS : WORKERS_LAUNCH_NS * (32 - __builtin_clz(workers));
}

/* As learned; else as far as whole calls tell. */
static yoke__rate rate_of(const yoke__offload *o, unsigned place)
{
    const double items = (double)o->work->items, whole_ns = o->candidate[place].known_ns;
    pthread_mutex_lock(&o->devices->lock);
    yoke__rate rate = scaled(o->row->cell[place][o->class].rate, o->elements / items);
    pthread_mutex_unlock(&o->devices->lock);
    rate.fill = fill_of(o, place);
    if (rate.item_ns > 0)
        return rate;
    rate.launch_ns = launch_of(o, place);
    if (whole_ns > 0)
        rate.item_ns = (whole_ns > 2 * rate.launch_ns ? whole_ns - rate.launch_ns : whole_ns / 2) / items;
    return rate;
}

static void keep_rate(const yoke__offload *o, unsigned place, yoke__rate rate)
{
    pthread_mutex_lock(&o->devices->lock);
    o->row->cell[place][o->class].rate = scaled(rate, (double)o->work->items / o->elements);
    pthread_mutex_unlock(&o->devices->lock);
}

void yoke__coexec_learn_alone(const yoke__offload *o, unsigned place, double ns)
{
    yoke__rate rate = rate_of(o, place);
    yoke__rate_learn(&rate, o->work->items, ns);
    keep_rate(o, place, rate);
}

static void gather(yoke__offload *o)
{
    yoke__group *g = &o->group;
    *g = (yoke__group){.count = 1, .members = o->selection.cpu ? 1 : 0};
    if (o->selection.cpu)
        g->rate[0] = rate_of(o, 0);
    for (unsigned k = 1; k < o->places - 1 && g->count < YOKE__MOST_PARTICIPANTS; k++) {
        if (!o->candidate[k].possible)
            continue;
        g->place[g->count] = k;
        g->rate[g->count] = rate_of(o, k);
        g->members |= UINT32_C(1) << g->count++;
    }
}

static double best_alone_ns(const yoke__offload *o)
{
    double best = 0;
    for (unsigned k = 0; k < o->places - 1; k++) {
        const yoke__candidate *c = &o->candidate[k];
        if (c->possible && c->known_ns > 0 && (best <= 0 || c->known_ns < best))
            best = c->known_ns;
    }
    return best;
}

void yoke__coexec_survey(yoke__offload *o)
{
    yoke__candidate *c = &o->candidate[o->places - 1];
    c->possible = false;
    if (o->row == NULL || o->work->indivisible || yoke__has_flag(o->options, YOKE_NEVER_COEXECUTE))
        return;
    gather(o);
    uint32_t worth = 0;
    c->floor_ns = yoke__division_predict(o->group.rate, o->group.count, o->work->items, &worth);
    if (yoke__has_flag(o->options, YOKE_ALWAYS_COEXECUTE)) {
        c->possible = __builtin_popcount(o->group.members) > 1;
        return;
    }
    const double alone = best_alone_ns(o);
    o->group.members &= worth;
    c->possible = __builtin_popcount(o->group.members) > 1 && alone > 0 &&
                  (c->floor_ns < WORTHWHILE * alone || (c->known_ns > 0 && c->known_ns < alone));
}

/* --- doing it --- */

static bool has(const yoke__group *g, unsigned who)
{
    return (g->members >> who & 1) != 0;
}

static bool prepare_all(yoke__offload *o)
{
    yoke__group *g = &o->group;
    for (unsigned k = 1; k < g->count; k++)
        if (has(g, k) && !yoke__offload_prepare(o, g->place[k]))
            g->members &= ~(UINT32_C(1) << k);
    return __builtin_popcount(g->members) > 1;
}

static void drop(coexec *c, unsigned who)
{
    pthread_mutex_lock(&c->pieces.lock);
    yoke__division_drop(&c->pieces.division, who);
    pthread_mutex_unlock(&c->pieces.lock);
}

/* Short items in whole cache lines; of long ones every single one counts. */
static size_t step_of(const yoke__work *work, const yoke__group *g)
{
    const bool any_long = !has(g, 0) || g->rate[0].item_ns * FRONT_STEP > STEP_NS;
    return any_long || work->step > FRONT_STEP || work->scale > 1 ? work->step : FRONT_STEP / work->step * work->step;
}

static void begin_division(coexec *c)
{
    const yoke__offload *o = c->o;
    const yoke__group *g = &o->group;
    c->pieces.options = o->options;
    c->pieces.work = o->work;
    c->pieces.divided = true;
    pthread_mutex_init(&c->pieces.lock, NULL);
    c->start = yoke__now_ns();
    yoke__division_begin(&c->pieces.division, o->work->items, step_of(o->work, g), has(g, 0), g->count, g->rate,
                         c->start);
    for (unsigned k = 0; k < g->count; k++) {
        c->member[k].taker.pieces = &c->pieces;
        c->member[k].taker.who = k;
        c->member[k].taker.device = (int)g->place[k] - 1;
        if (k > 0 && !has(g, k))
            yoke__division_drop(&c->pieces.division, k);
    }
}

static void start_devices(coexec *c)
{
    yoke__offload *o = c->o;
    const yoke__devices *d = o->devices;
    for (unsigned k = 1; k < o->group.count; k++) {
        if (!has(&o->group, k))
            continue;
        yoke__pieces_task(&c->task, &c->member[k].taker);
        c->task.piece_limit_ns = yoke__offload_limit(o);
        if (d->backend->start(d->state, o->group.place[k] - 1, &c->task, false, &c->member[k].run) == YOKE_OK)
            continue;
        yoke__offload_note(o, "%s", yoke_error_detail());
        drop(c, k);
    }
}

/* The team runs a piece, and comes back for the next. */
static int work_along(coexec *c)
{
    const yoke__offload *o = c->o;
    yoke__taker *taker = &c->member[0].taker;
    size_t begin, end;
    int status = YOKE_OK;
    while (status == YOKE_OK && yoke__pieces_take(taker, SIZE_MAX, &begin, &end)) {
        status = yoke__run_part(&c->pieces, o->runtime, o->key, begin, end);
        if (status == YOKE_OK)
            yoke__pieces_done(taker, begin, end);
        yoke__pieces_report(&c->pieces);
    }
    return status;
}

/* The gravest of all: a device that failed is a matter for the workers only. */
static int finish_devices(coexec *c, int status)
{
    yoke__offload *o = c->o;
    const yoke__devices *d = o->devices;
    for (unsigned k = 1; k < o->group.count; k++) {
        if (c->member[k].run == NULL)
            continue;
        int ended = d->backend->finish(d->state, c->member[k].run);
        if (ended == YOKE_OK)
            continue;
        drop(c, k);
        const bool early = ended == YOKE_ETIMEDOUT || ended == YOKE_ECANCELED;
        if (ended == YOKE_ELOST || (early && status == YOKE_OK)) {
            status = ended;
        } else if (!early) {
            yoke__offload_note(o, "%s", yoke_error_detail());
            yoke__offload_learn(o, o->group.place[k], (double)(yoke__now_ns() - c->start + c->task.piece_limit_ns));
        }
    }
    return status;
}

static void describe(const coexec *c)
{
    yoke__offload *o = c->o;
    yoke_decision *decision = &o->decision;
    for (unsigned k = 0; k < o->group.count; k++) {
        const yoke__taker *taker = &c->member[k].taker;
        const size_t items = atomic_load(&taker->items);
        if (!has(&o->group, k))
            continue;
        decision->device_items += k > 0 ? items : 0;
        yoke__offload_share(o, taker->device, items, atomic_load(&taker->count), yoke__taker_ns(taker, c->start));
    }
}

static int settle(coexec *c, int status)
{
    yoke__offload *o = c->o;
    const unsigned together = o->places - 1;
    describe(c);
    o->decision.workers = c->pieces.workers;
    if (status == YOKE_ETIMEDOUT || status == YOKE_ECANCELED)
        return yoke__end_early(status);
    if (status != YOKE_OK)
        return status;
    status = yoke__pieces_finish(&c->pieces, o->runtime, o->key);
    if (status != YOKE_OK)
        return status;
    for (unsigned k = 0; k < o->group.count; k++) {
        if (atomic_load(&c->member[k].taker.count) == 0)
            continue;
        yoke__division_learn(&c->pieces.division, k, &o->group.rate[k]);
        keep_rate(o, o->group.place[k], o->group.rate[k]);
    }
    yoke__offload_learn(o, together, (double)(yoke__now_ns() - c->start));
    atomic_store(&c->pieces.done, o->work->items);
    yoke__pieces_report(&c->pieces);
    return status;
}

int yoke__coexec_run(yoke__offload *o)
{
    if (!prepare_all(o))
        return YOKE_EBUSY;
    o->decision.predicted_ns = o->candidate[o->places - 1].floor_ns;
    coexec c = {.o = o};
    begin_division(&c);
    start_devices(&c);
    int status = has(&o->group, 0) ? work_along(&c) : YOKE_OK;
    status = finish_devices(&c, status);
    status = settle(&c, status);
    pthread_mutex_destroy(&c.pieces.lock);
    return status;
}
