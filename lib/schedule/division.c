/* Who takes which piece of one call: pieces are a fraction of what remains of a participant's share (guided
 * self-scheduling weighted by rates); the shares are such that all would end together. docs/design.md tells more. */
#include <math.h>
#include <string.h>

#include "lib/schedule/rate.h"

enum { ABSENT, AWAITED, RUNNING, REFUSED, DROPPED };
enum { FIRST_SHARE = 64, GROWTH = 2, PROBE_SHARE = 256, UNKNOWN_SHARE = 32 };

static const double SHORTEST_NS = 2000;      /* no piece shorter, whatever a launch costs */
static const double WORKERS_QUANTUM = 50e6;  /* the caller sees progress, a cancel or a deadline between pieces */
static const double DEVICE_QUANTUM = 3e6;    /* ns of a piece, at most, */
static const double LEAST_SHARE_OF_ALL = 64; /* but a 64th of all: time by item may be a launch in disguise; */
static const double DEVICE_LONGEST = 1e9;    /* never more than that */
static const double WORKERS_LAUNCHES = 6;    /* a piece lasts so many launches at least: theirs are not hidden */
static const double DEVICE_LAUNCHES = 3;     /* behind another piece a launch is hidden, if that is long enough */
static const double DEVICE_AGAINS = 12;      /* the same of what is left of a hidden launch */
static const double DEVICE_FRACTION = 0.33;  /* of its share; two are in flight */
static const double NEWS = 0.5;              /* how much of a rate a piece replaces */
static const double SPREAD = 0.2;            /* of who is not known */

static void tick(yoke__division *d, int64_t now_ns)
{
    const double passed = now_ns > d->start_ns ? (double)((uint64_t)now_ns - (uint64_t)d->start_ns) : 0;
    d->now_ns = fmax(d->now_ns, passed);
}

/* --- what is known of a participant --- */

static bool is_active(const yoke__participant *p)
{
    return p->state == AWAITED || p->state == RUNNING;
}

static double in_flight(const yoke__participant *p)
{
    double items = 0;
    for (unsigned k = 0; k < p->in_hand; k++)
        items += (double)p->flight[k].items;
    return items;
}

static double since(const yoke__participant *p)
{
    return fmax(p->end_ns, p->flight[0].start_ns);
}

/* Time per item, by what its oldest piece tells by not having ended yet. */
static double item_ns_now(const yoke__division *d, const yoke__participant *p)
{
    if (p->in_hand == 0)
        return p->rate.item_ns;
    const double shown = (d->now_ns - since(p) - p->rate.launch_ns) / (double)p->flight[0].items;
    return fmax(p->rate.item_ns, shown);
}

/* When it could begin with the items of another piece. */
static double ready_ns(const yoke__division *d, const yoke__participant *p)
{
    const double launch = p->rate.launch_ns;
    if (p->state == AWAITED) /* who was awaited too long will be awaited as long again */
        return (d->now_ns < p->rate.start_ns ? p->rate.start_ns : 2 * d->now_ns) + launch;
    if (p->in_hand == 0)
        return d->now_ns + launch;
    const double begun = since(p) + (p->pieces == 0 ? launch : yoke__rate_again_ns(&p->rate));
    return fmax(begun + in_flight(p) * item_ns_now(d, p), d->now_ns) + yoke__rate_again_ns(&p->rate);
}

/* --- shares --- */

static double end_of_rest(const yoke__division *d, unsigned without)
{
    runner runners[YOKE__MOST_PARTICIPANTS];
    unsigned count = 0;
    for (unsigned k = 0; k < d->count; k++) {
        const yoke__participant *p = &d->participant[k];
        if (k != without && is_active(p) && is_known(&p->rate))
            runners[count++] = (runner){ready_ns(d, p), item_ns_now(d, p)};
    }
    return yoke__end_together(runners, count, (double)d->rest);
}

/* Of those who are known; the others take theirs from them. */
static void begin_zones(yoke__division *d)
{
    double share[YOKE__MOST_PARTICIPANTS] = {0};
    const double end = end_of_rest(d, d->count);
    for (unsigned k = 0; k < d->count; k++) {
        const yoke__participant *p = &d->participant[k];
        if (is_active(p) && is_known(&p->rate))
            share[k] = fmax(end - ready_ns(d, p), 0) / item_ns_now(d, p);
    }
    yoke__zones_begin(d, share);
}

void yoke__division_begin(yoke__division *d, size_t items, size_t step, bool workers, unsigned count,
                          const yoke__rate *rates, int64_t now_ns)
{
    memset(d, 0, sizeof *d);
    d->items = d->rest = items;
    d->step = step > 0 ? step : 1;
    d->count = count < YOKE__MOST_PARTICIPANTS ? count : YOKE__MOST_PARTICIPANTS;
    d->start_ns = now_ns;
    for (unsigned k = 0; k < d->count; k++) {
        d->participant[k].rate = yoke__rate_sane(rates[k]);
        if (k == WORKERS)
            d->participant[k].rate.launch_ns = yoke__rate_team_launch_ns(&rates[k]);
        d->participant[k].state = k == WORKERS && !workers ? ABSENT : AWAITED;
    }
    begin_zones(d);
}

/* --- the size of a piece --- */

typedef struct company {
    unsigned running, unknown;
} company;

static company others_of(const yoke__division *d, unsigned who)
{
    company others = {0};
    for (unsigned k = 0; k < d->count; k++) {
        const yoke__participant *p = &d->participant[k];
        if (k == who || !is_active(p))
            continue;
        others.running += p->state == RUNNING && is_known(&p->rate);
        others.unknown += !is_known(&p->rate);
    }
    return others;
}

static double shortest_ns(const yoke__division *d, unsigned who)
{
    const yoke__rate *rate = &d->participant[who].rate;
    const double device = fmax(fmax(DEVICE_LAUNCHES * rate->launch_ns, DEVICE_AGAINS * yoke__rate_again_ns(rate)),
                               rate->fill * rate->item_ns);
    const double workers = WORKERS_LAUNCHES * (1 - 0.6 * rate->spread) * rate->launch_ns;
    return fmax(who == WORKERS ? workers : device, SHORTEST_NS);
}

static double fraction_of(const yoke__division *d, unsigned who)
{
    if (who != WORKERS)
        return DEVICE_FRACTION;
    const double spread = d->participant[who].rate.spread;
    return fmin(fmax(0.9 - 2 * (spread > 0 ? spread : SPREAD), 0.4), 0.8);
}

/* A device begins small and grows: until the first piece is back, the second can only wait for its transfers. */
static double device_limit(const yoke__division *d, const yoke__participant *p, double share, double shortest)
{
    const double least = fmin((double)d->items / LEAST_SHARE_OF_ALL, DEVICE_LONGEST / p->rate.item_ns);
    const double quantum = fmax(DEVICE_QUANTUM / p->rate.item_ns, least);
    const double first = fmax(share / FIRST_SHARE, shortest);
    const double limit = p->last == 0 ? first : fmax((double)p->last * GROWTH, shortest);
    return fmin(limit, fmax(quantum, 2 * shortest));
}

/* The others, who run, will be done with the rest before it could be done with the least piece. */
static bool comes_late(const yoke__division *d, unsigned who, double least)
{
    const yoke__participant *p = &d->participant[who];
    return others_of(d, who).running > 0 && ready_ns(d, p) + least * item_ns_now(d, p) > end_of_rest(d, who);
}

/* Items; 0: none, the others are faster. */
static double wanted(const yoke__division *d, unsigned who)
{
    const yoke__participant *p = &d->participant[who];
    const double rest = (double)d->rest, step = (double)d->step;
    const double item_ns = item_ns_now(d, p), shortest = shortest_ns(d, who) / item_ns;
    const unsigned unknown = others_of(d, who).unknown;
    if (!is_known(&p->rate))
        return comes_late(d, who, 0) ? 0 : fmax((double)d->items / PROBE_SHARE, 1);
    if (comes_late(d, who, fmin(fmax(step, shortest / 4), rest)))
        return 0;
    const double share = fmax(fmin((end_of_rest(d, d->count) - ready_ns(d, p)) / item_ns, rest), shortest);
    double size = share * fraction_of(d, who);
    if (unknown > 0)
        size = fmin(size, rest / (UNKNOWN_SHARE * unknown));
    size = fmax(size, shortest);
    if (share - size < shortest)
        size = share;
    if (rest - size < shortest / 4) /* nobody's rest */
        size = rest;
    const double limit = who == WORKERS ? WORKERS_QUANTUM / item_ns : device_limit(d, p, share, shortest);
    return fmax(fmin(size, limit), 1);
}

/* --- pieces --- */

/* Times are fitted by launch + items * item_ns, with least squares of relative errors: short pieces tell of the
 * launch. */
static void fit_add(yoke__participant *p, double items, double ns)
{
    const double weight = 1 / (ns * ns);
    p->least_ns = p->least_ns > 0 ? fmin(p->least_ns, ns) : ns;
    p->sums[0] += weight;
    p->sums[1] += weight * items;
    p->sums[2] += weight * items * items;
    p->sums[3] += weight * ns;
    p->sums[4] += weight * items * ns;
}

static double fit_launch_ns(const yoke__participant *p, double expected)
{
    const double *s = p->sums, determinant = s[0] * s[2] - s[1] * s[1];
    if (p->pieces < 2 || !(determinant > 0.01 * s[0] * s[2])) /* of about one size */
        return expected;
    const double launch = (s[3] * s[2] - s[1] * s[4]) / determinant;
    return isfinite(launch) ? fmin(fmax(launch, 0), p->least_ns / 2) : expected;
}

static void learn_item(yoke__rate *rate, double shown, double weight)
{
    if (!is_known(rate))
        rate->item_ns = shown;
    const double error = fmin(fabs(shown / rate->item_ns - 1), 1);
    weight *= NEWS + (1 - NEWS) * rate->spread;
    rate->spread = rate->spread > 0 ? rate->spread + (error - rate->spread) * weight : fmax(error, SPREAD);
    rate->item_ns += (shown - rate->item_ns) * weight;
}

static void learn_pieces(yoke__division *d, unsigned who, size_t items, unsigned pieces, double begun_ns)
{
    yoke__participant *p = &d->participant[who];
    yoke__rate *rate = &p->rate;
    const double took = fmax(d->now_ns - begun_ns, 1);
    const bool hidden = who != WORKERS && p->pieces > 0;
    const double launch = (hidden ? yoke__rate_again_ns(rate) : rate->launch_ns) * pieces;
    double work = fmax(took - launch, took / 8);
    if (hidden) /* a short piece does not hide the launch of the next but one */
        work = fmax(fmin(work, 2 * took - rate->launch_ns * pieces), took / 8);
    /* on two queues in turn, one's pieces look slower than the other's */
    const double full_items = fmax((double)items, who == WORKERS ? 0 : rate->fill * pieces);
    const double shown = fmin(fmax((work + p->before_ns) / (full_items + p->before_items), LEAST_ITEM_NS), MOST_NS);
    learn_item(rate, shown, took / (took + launch));
    if (hidden)
        p->before_ns = work, p->before_items = full_items;
    if (hidden || who == WORKERS)
        fit_add(p, (double)items / pieces, took / pieces);
    if (p->pieces == 0 && pieces == 1)
        p->first = items, p->first_ns = took;
    p->busy_ns += work;
    p->seen = items > SIZE_MAX - p->seen ? SIZE_MAX : p->seen + items;
    p->pieces += pieces;
    p->end_ns = d->now_ns;
}

/* So many items of those in hand have ended, the oldest first. */
static void end_oldest(yoke__division *d, unsigned who, size_t items)
{
    yoke__participant *p = &d->participant[who];
    const double begun_ns = since(p);
    size_t ended = 0;
    unsigned pieces = 0;
    while (p->in_hand > 0 && items > 0) {
        const size_t part = items < p->flight[0].items ? items : p->flight[0].items;
        items -= part, ended += part, pieces++;
        p->flight[0].items -= part;
        if (p->flight[0].items > 0)
            break;
        p->in_hand--;
        p->flight[0] = p->flight[1];
    }
    if (ended > 0)
        learn_pieces(d, who, ended, pieces, begun_ns);
}

bool yoke__division_take(yoke__division *d, unsigned who, int64_t now_ns, size_t most, size_t *begin, size_t *end)
{
    tick(d, now_ns);
    if (who >= d->count || d->participant[who].state == ABSENT || d->participant[who].state == DROPPED)
        return false;
    yoke__participant *p = &d->participant[who];
    const unsigned depth = who == WORKERS ? 1 : 2;
    if (p->in_hand == depth) { /* it would not ask otherwise */
        const size_t oldest = p->flight[0].items;
        p->silent = oldest > SIZE_MAX - p->silent ? SIZE_MAX : p->silent + oldest;
        end_oldest(d, who, oldest);
    }
    if (p->state == AWAITED)
        p->asked_ns = d->now_ns;
    p->state = RUNNING;
    const double items = d->rest > 0 && (most > 0 || who == WORKERS) ? wanted(d, who) : 0;
    if (items <= 0) {
        p->state = REFUSED;
        return false;
    }
    const size_t size = yoke__zones_take(d, who, items, most, begin);
    *end = *begin + size;
    d->rest -= size;
    p->last = size;
    p->flight[p->in_hand].items = size;
    p->flight[p->in_hand++].start_ns = d->now_ns;
    return true;
}

void yoke__division_done(yoke__division *d, unsigned who, int64_t now_ns, size_t items)
{
    tick(d, now_ns);
    if (who >= d->count)
        return;
    yoke__participant *p = &d->participant[who];
    const size_t inferred = items < p->silent ? items : p->silent;
    p->silent -= inferred;
    end_oldest(d, who, items - inferred);
}

void yoke__division_drop(yoke__division *d, unsigned who)
{
    if (who >= d->count)
        return;
    d->participant[who].state = DROPPED;
    d->participant[who].in_hand = 0;
}

/* --- from run to run --- */

static const double EVEN = 0.15; /* a spread of items of one cost */

/* Of workers from pieces of different sizes. Of a device, whose launches hide behind one another, from the first: two
 * queues give one piece at least half, and at most all of their speed. */
static double launch_shown_ns(const yoke__participant *p, bool is_team, double item_ns, double expected)
{
    const double work_ns = item_ns * (double)p->first;
    if (is_team)
        return fit_launch_ns(p, expected);
    if (p->first == 0)
        return expected;
    return fmin(fmax(expected, p->first_ns - 2 * work_ns), p->first_ns - work_ns);
}

/* Half way, and not too far at once. */
static double nearer(double old, double shown)
{
    return old > 0 ? old + (fmin(fmax(shown, old / 4), old * 4) - old) / 2 : fmax(shown, 0);
}

void yoke__division_learn(const yoke__division *d, unsigned who, yoke__rate *rate)
{
    if (who >= d->count || d->participant[who].seen == 0)
        return;
    const yoke__participant *p = &d->participant[who];
    *rate = yoke__rate_sane(*rate);
    const double shown = launch_shown_ns(p, who == WORKERS, p->busy_ns / (double)p->seen, rate->launch_ns);
    const double before_ns = rate->item_ns;
    yoke__rate_observe(rate, p->seen, p->busy_ns + rate->launch_ns);
    rate->spread = fmax(rate->spread, p->rate.spread);
    if (rate->runs >= 2 && p->rate.spread > UNSURE) /* of uneven costs it has seen its own end of the range only */
        rate->item_ns = before_ns + (rate->item_ns - before_ns) / 4;
    if (rate->prior_ns <= 0)
        rate->prior_ns = rate->launch_ns;
    const bool even = p->rate.spread < EVEN; /* else a short piece of expensive items looks like a long launch */
    rate->launch_ns = nearer(rate->launch_ns, even || who != WORKERS ? shown : rate->prior_ns);
    if (who != WORKERS)
        rate->again_ns = nearer(yoke__rate_again_ns(rate),
                                even ? fit_launch_ns(p, yoke__rate_again_ns(rate)) : HIDDEN * rate->launch_ns);
    yoke__rate_count(rate, 1);
    rate->start_ns += (p->asked_ns - rate->start_ns) / 2;
}
