/* One run on the virtual clock: the caller with the team, and a driver thread per device with two queues. */
#include <math.h>

#include "tests/simulator/world.h"

enum { QUEUES = 2 };
static const double NOTICE_NS = 2e6;                     /* until the driver says that a device is gone */
static const double ISSUE_SHARE = 0.4, NEWS_SHARE = 0.4; /* of a device's launch; the rest lies between two kernels */

typedef struct flight {
    size_t begin, end;
    double end_ns;
    bool active;
} flight;

typedef enum phase { ASKS, WAITS, COMMITS, OUT } phase;

typedef struct agent {
    unsigned place;
    phase phase;
    double at;
    flight flight[QUEUES];
    unsigned queue;
    double up_free, compute_free, down_free;
    size_t unreported, lost;
    uint64_t launches;
    bool refused, slow_start;
} agent;

typedef struct run {
    const world *w;
    yoke__division d;
    agent agent[PLACES];
    unsigned count;
} run;

static int64_t clock_of(double ns)
{
    return (int64_t)(ns + 12345.5);
}

static bool ask(run *r, unsigned who, flight *f)
{
    const agent *a = &r->agent[who];
    const size_t most = r->w->of->place[a->place].most;
    f->active = yoke__division_take(&r->d, who, clock_of(a->at), most > 0 ? most : SIZE_MAX, &f->begin, &f->end);
    return f->active;
}

static void report(run *r, unsigned who, size_t items)
{
    yoke__division_done(&r->d, who, clock_of(r->agent[who].at), items);
}

static double compute_ns(const world *w, unsigned k, size_t begin, size_t end)
{
    const place *p = &w->of->place[k];
    const double work = world_work(w, begin, end), items = (double)(end - begin);
    if (p->threads > 1) /* the last items end one by one */
        return p->item_ns * work / items * fmax(items + (p->threads - 1) / 2.0, p->threads);
    return p->item_ns * (items < p->full ? work / items * p->full : work);
}

/* --- workers --- */

static void step_workers(run *r)
{
    agent *a = &r->agent[0];
    const place *p = &r->w->of->place[0];
    if (a->flight[0].active)
        report(r, 0, a->flight[0].end - a->flight[0].begin);
    if (!ask(r, 0, &a->flight[0])) {
        a->phase = OUT;
        return;
    }
    const double begin = a->at + p->launch_ns * world_jitter(r->w, 0, a->launches++);
    a->at = world_end(r->w, 0, begin, compute_ns(r->w, 0, a->flight[0].begin, a->flight[0].end));
}

/* --- devices --- */

static void issue(run *r, agent *a, flight *f)
{
    const place *p = &r->w->of->place[a->place];
    const double launch = p->launch_ns * world_jitter(r->w, a->place, a->launches++);
    const double items = (double)(f->end - f->begin), gap = (1 - ISSUE_SHARE - NEWS_SHARE) * launch;
    a->at += ISSUE_SHARE * launch;
    a->up_free = fmax(a->up_free, a->at) + items * p->up_ns;
    const double begin = fmax(a->up_free, a->compute_free) + gap;
    a->compute_free = world_end(r->w, a->place, begin, compute_ns(r->w, a->place, f->begin, f->end));
    a->down_free = fmax(a->compute_free, a->down_free) + items * p->down_ns;
    f->end_ns = a->down_free + NEWS_SHARE * launch;
}

static void fail(run *r, unsigned who)
{
    agent *a = &r->agent[who];
    for (unsigned q = 0; q < QUEUES; q++)
        if (a->flight[q].active)
            a->lost += a->flight[q].end - a->flight[q].begin;
    a->lost += a->unreported;
    yoke__division_drop(&r->d, who);
    a->phase = OUT;
}

static void wait_for(run *r, unsigned who)
{
    agent *a = &r->agent[who];
    const double dies = r->w->of->place[a->place].dies_at_ns, end = a->flight[a->queue].end_ns;
    a->phase = WAITS;
    a->at = dies > 0 && end > dies ? fmax(a->at, dies) + NOTICE_NS : fmax(a->at, end);
}

static void go_on(run *r, unsigned who)
{
    agent *a = &r->agent[who];
    a->queue = (a->queue + 1) % QUEUES;
    if (a->flight[a->queue].active)
        wait_for(r, who);
    else
        a->phase = a->refused ? OUT : ASKS;
    if (a->phase == OUT && a->unreported > 0)
        report(r, who, a->unreported);
}

static void step_device(run *r, unsigned who)
{
    agent *a = &r->agent[who];
    const place *p = &r->w->of->place[a->place];
    flight *f = &a->flight[a->queue];
    if (a->phase == WAITS) {
        if (p->dies_at_ns > 0 && f->end_ns > p->dies_at_ns) {
            fail(r, who);
            return;
        }
        a->phase = COMMITS;
        a->at += (double)(f->end - f->begin) * p->commit_ns;
        return;
    }
    if (a->phase == COMMITS) {
        if (p->reports_at_end)
            a->unreported += f->end - f->begin;
        else
            report(r, who, f->end - f->begin);
        f->active = false;
        a->phase = ASKS;
    }
    if (a->refused || !ask(r, who, f)) {
        a->refused = true;
        go_on(r, who);
        return;
    }
    issue(r, a, f);
    if (a->slow_start) { /* the first piece of an unknown kernel flies alone */
        a->slow_start = false;
        wait_for(r, who);
        return;
    }
    go_on(r, who);
}

/* --- all --- */

static double drive(run *r, bool workers)
{
    double last = 0;
    for (;;) {
        unsigned next = r->count;
        for (unsigned k = workers ? 0 : 1; k < r->count; k++)
            if (r->agent[k].phase != OUT && (next == r->count || r->agent[k].at < r->agent[next].at))
                next = k;
        if (next == r->count)
            return last;
        if (next == 0)
            step_workers(r);
        else
            step_device(r, next);
        last = fmax(last, r->agent[next].at);
    }
}

/* What nobody took or a device lost, by the workers, or by whoever is there. */
static double mend(const run *r, double at)
{
    const scenario *s = r->w->of;
    size_t items = r->d.rest;
    for (unsigned k = 0; k < r->count; k++)
        items += r->agent[k].lost;
    unsigned by = 0;
    while (s->place[by].item_ns <= 0 || s->place[by].dies_at_ns > 0)
        by++;
    return items == 0 ? at : world_end(r->w, by, at + s->place[by].launch_ns, s->place[by].item_ns * (double)items);
}

double divided_ns(const world *w, uint32_t mask, yoke__rate *rates)
{
    run r = {.w = w, .count = 1};
    yoke__rate given[PLACES] = {rates[0]};
    const bool workers = (mask & 1) != 0;
    r.agent[0] = (agent){.at = w->of->place[0].start_ns};
    for (unsigned k = 1; k < w->of->count; k++)
        if ((mask >> k & 1) != 0) {
            given[r.count] = rates[k];
            r.agent[r.count++] =
                (agent){.place = k, .at = w->of->place[k].start_ns, .slow_start = rates[k].item_ns <= 0};
        }
    yoke__division_begin(&r.d, w->of->items, w->of->step, workers, r.count, given, clock_of(0));
    const double end = mend(&r, drive(&r, workers));
    for (unsigned k = workers ? 0 : 1; k < r.count; k++)
        yoke__division_learn(&r.d, k, &rates[r.agent[k].place]);
    return end;
}

double alone_ns(const world *w, unsigned k, yoke__rate *rates)
{
    const place *p = &w->of->place[k];
    yoke__rate unused[PLACES];
    for (unsigned l = 0; l < w->of->count; l++)
        unused[l] = rates[l];
    const double begin = p->start_ns + p->launch_ns * world_jitter(w, k, 0);
    const double work_ns = compute_ns(w, k, 0, w->of->items), items = (double)w->of->items;
    const bool dies = p->dies_at_ns > 0, in_parts = k != 0 && p->most > 0 && p->most < w->of->items;
    double at_once = world_end(w, k, begin + items * p->up_ns, work_ns) + items * (p->down_ns + p->commit_ns);
    if (k != 0 || dies)
        at_once = fmin(in_parts || dies ? INFINITY : at_once, divided_ns(w, UINT32_C(1) << k, unused));
    yoke__rate_learn(&rates[k], w->of->items, at_once);
    return at_once;
}
