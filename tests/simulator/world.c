/* Costs of items and speeds over time. */
#include <math.h>

#include "tests/simulator/world.h"

static uint64_t hash(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t z = a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xbf58476d1ce4e5b9) + c + 1;
    for (unsigned k = 0; k < 3; k++) {
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
    }
    return z;
}

static double uniform(uint64_t h)
{
    return ((double)(h >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t a, uint64_t b, uint64_t c)
{
    const double pi = 3.14159265358979323846;
    return sqrt(-2 * log(uniform(hash(a, b, 2 * c)))) * cos(2 * pi * uniform(hash(a, b, 2 * c + 1)));
}

/* Its mean is 1. */
static double lognormal(double sigma, double z)
{
    return sigma > 0 ? exp(sigma * z - sigma * sigma / 2) : 1;
}

static double cost_at(costs kind, uint64_t seed, unsigned cell)
{
    const double x = (cell + 0.5) / CELLS, middle = (x - 0.45) / 0.15;
    switch (kind) {
    case MIDDLE: return 1 + 9 * exp(-middle * middle);
    case RISING: return 0.1 + 2 * x;
    case SPIKES: return lognormal(1.5, normal(seed, 99, cell / 16));
    case EVEN: break;
    }
    return 1;
}

void world_make(world *w, const scenario *of, uint64_t seed)
{
    *w = (world){.of = of, .seed = seed};
    for (unsigned k = 0; k < of->count; k++)
        w->run_factor[k] = lognormal(of->place[k].run_noise, normal(seed, k, 1u << 20));
    for (unsigned k = 0; k < CELLS; k++) /* the same costs in each run */
        w->sum[k + 1] = w->sum[k] + cost_at(of->costs, 1, k);
    for (unsigned k = 0; k <= CELLS; k++)
        w->sum[k] *= (double)of->items / w->sum[CELLS];
    w->sum[CELLS] = (double)of->items;
}

static double work_before(const world *w, size_t item)
{
    const double at = (double)item / (double)w->of->items * CELLS;
    const unsigned cell = at < CELLS ? (unsigned)at : CELLS - 1;
    return w->sum[cell] + (w->sum[cell + 1] - w->sum[cell]) * (at - cell);
}

double world_work(const world *w, size_t begin, size_t end)
{
    return work_before(w, end) - work_before(w, begin);
}

/* Speed from `t` on, and until when it stays so. */
static double speed_at(const world *w, unsigned k, double t, double *until)
{
    const place *p = &w->of->place[k];
    double speed = w->run_factor[k];
    *until = INFINITY;
    if (p->noise > 0) {
        const double slot = floor(t / p->noise_slot_ns + 1e-9);
        *until = (slot + 1) * p->noise_slot_ns;
        speed *= lognormal(p->noise, normal(w->seed, k, (uint64_t)slot));
    }
    const double edges[] = {p->change_at_ns, p->stall_at_ns, p->stall_at_ns + p->stall_ns};
    for (unsigned e = 0; e < sizeof edges / sizeof *edges; e++)
        if (edges[e] > t)
            *until = fmin(*until, edges[e]);
    if (p->change_at_ns > 0 && t >= p->change_at_ns)
        speed *= p->change;
    return t >= p->stall_at_ns && t < p->stall_at_ns + p->stall_ns ? 0 : speed;
}

double world_end(const world *w, unsigned k, double start, double work_ns)
{
    for (double t = start;;) {
        double until;
        const double speed = speed_at(w, k, t, &until);
        if (speed > 0 && t + work_ns / speed <= until)
            return t + work_ns / speed;
        work_ns -= (until - t) * speed;
        t = until;
    }
}

double world_capacity(const world *w, unsigned k, double from, double to)
{
    double sum = 0;
    for (double t = from; t < to;) {
        double until;
        const double speed = speed_at(w, k, t, &until);
        until = fmin(until, to);
        sum += (until - t) * speed;
        t = until;
    }
    return sum;
}

double world_jitter(const world *w, unsigned k, uint64_t launch)
{
    return 1 + 0.3 * fabs(normal(w->seed, 100 + k, launch));
}

/* --- the ideal --- */

/* Two queues: every other item waits for the way there and back of the one before. */
static double both_turns(const place *p)
{
    return (p->up_ns + p->item_ns + p->down_ns + p->commit_ns) / 2;
}

static double items_by(const world *w, unsigned k, double end)
{
    const place *p = &w->of->place[k];
    const double from = p->start_ns + p->launch_ns;
    const double to = p->dies_at_ns > 0 ? fmin(end, p->dies_at_ns) : end;
    if (p->item_ns <= 0 || to <= from)
        return 0;
    const double turn_ns = p->up_ns + p->down_ns + p->commit_ns > 0 ? both_turns(p) : 0;
    const double moved_ns = fmax(fmax(p->up_ns, p->down_ns), turn_ns);
    double items = world_capacity(w, k, from, to) / p->item_ns;
    if (p->threads > 1 && w->of->costs == EVEN)
        items = fmax(items - (p->threads - 1) / 2.0, 0);
    if (moved_ns > 0 && w->of->costs == EVEN)
        items = fmin(items, (to - from) / moved_ns);
    const double step = w->of->step > 1 && w->of->costs == EVEN ? (double)w->of->step : 0;
    return step > 0 && items < (double)w->of->items ? floor(items / step + 1e-9) * step : items;
}

static bool is_done_by(const world *w, double items, double end)
{
    double done = 0;
    for (unsigned k = 0; k < w->of->count; k++)
        done += items_by(w, k, end);
    return done >= items;
}

double ideal_ns(const world *w)
{
    const size_t step = w->of->step > 1 && w->of->costs == EVEN ? w->of->step : 1;
    const size_t whole = w->of->items / step * step; /* a short last step may be the cheapest */
    const double items = whole > 0 ? (double)whole : 1;
    double low = 0, high = 1e4;
    while (!is_done_by(w, items, high))
        low = high, high *= 2;
    for (unsigned k = 0; k < 30; k++) {
        const double middle = (low + high) / 2;
        if (is_done_by(w, items, middle))
            high = middle;
        else
            low = middle;
    }
    return low;
}
