/* What is expected of a participant: learned from run to run, and what all together can reach with it. */
#include <math.h>

#include "lib/schedule/rate.h"

static const double LEAST_SHARE = 0.01, SPREAD_SHARE = 8; /* who adds less than that may only delay the others */
static const double FAR = 1.5;                            /* beyond that a single observation is doubted */

yoke__rate yoke__rate_sane(yoke__rate rate)
{
    if (!(rate.item_ns > 0) || !isfinite(rate.item_ns))
        rate.item_ns = 0;
    else
        rate.item_ns = fmin(fmax(rate.item_ns, LEAST_ITEM_NS), MOST_NS);
    rate.launch_ns = rate.launch_ns > 0 ? fmin(rate.launch_ns, MOST_NS) : 0;
    rate.again_ns = rate.again_ns > 0 ? fmin(rate.again_ns, rate.launch_ns) : 0;
    rate.prior_ns = rate.prior_ns > 0 ? fmin(rate.prior_ns, MOST_NS) : 0;
    rate.start_ns = rate.start_ns > 0 ? fmin(rate.start_ns, MOST_NS) : 0;
    if (!(rate.doubt_ns > 0) || !isfinite(rate.doubt_ns))
        rate.doubt_ns = 0;
    rate.spread = rate.spread > 0 ? fmin(rate.spread, 1) : 0;
    rate.fill = rate.fill > 0 ? fmin(rate.fill, MOST_NS) : 0;
    return rate;
}

/* A team waits for its last items, half of one on average. */
double yoke__rate_team_launch_ns(const yoke__rate *rate)
{
    const yoke__rate team = yoke__rate_sane(*rate);
    return fmin(fmax(team.launch_ns, team.fill * team.item_ns / 2), MOST_NS);
}

/* What another piece costs behind one in flight. */
double yoke__rate_again_ns(const yoke__rate *rate)
{
    return rate->again_ns > 0 ? rate->again_ns : HIDDEN * rate->launch_ns;
}

void yoke__rate_observe(yoke__rate *rate, size_t items, double ns)
{
    *rate = yoke__rate_sane(*rate);
    if (items == 0 || !(ns > 0) || !isfinite(ns))
        return;
    const double shown = fmax(ns - rate->launch_ns, ns / 8) / (double)items;
    if (!is_known(rate)) {
        rate->item_ns = shown;
        return;
    }
    const double off = shown / rate->item_ns, error = fmin(fabs(off - 1), 1);
    const bool was_sure = rate->spread < UNSURE;
    rate->spread = rate->spread > 0 ? rate->spread + (error - rate->spread) / 4 : fmax(error, 0.01);
    const bool far = off > FAR || off < 1 / FAR;
    const double again = rate->doubt_ns > 0 ? shown / rate->doubt_ns : 0;
    if (far && (!was_sure || (again < FAR && again > 1 / FAR)))
        rate->item_ns = shown;
    else
        rate->item_ns *= 1 + (fmin(fmax(off, 1 / FAR), FAR) - 1) / 2;
    rate->doubt_ns = far ? shown : 0;
}

void yoke__rate_count(yoke__rate *rate, unsigned runs)
{
    rate->runs = rate->runs < 2 ? rate->runs + runs : rate->runs;
}

void yoke__rate_learn(yoke__rate *rate, size_t items, double ns)
{
    yoke__rate_observe(rate, items, ns);
    yoke__rate_count(rate, 2);
}

/* --- all together --- */

double yoke__end_together(runner *runners, unsigned count, double items)
{
    for (unsigned k = 1; k < count; k++)
        for (unsigned l = k; l > 0 && runners[l].ready_ns < runners[l - 1].ready_ns; l--) {
            const runner swap = runners[l];
            runners[l] = runners[l - 1], runners[l - 1] = swap;
        }
    double end = INFINITY, speed = 0, first = count > 0 ? runners[0].ready_ns : 0;
    for (unsigned k = 0; k < count && runners[k].ready_ns < end; k++) {
        speed += 1 / runners[k].item_ns;
        items += (runners[k].ready_ns - first) / runners[k].item_ns;
        end = first + items / speed;
    }
    return end;
}

static double first_ns(const yoke__rate *rate, unsigned who)
{
    return rate->start_ns + (who == WORKERS ? yoke__rate_team_launch_ns(rate) : rate->launch_ns);
}

static double end_of(const yoke__rate *rates, unsigned count, double items, uint32_t who)
{
    runner runners[YOKE__MOST_PARTICIPANTS];
    unsigned known = 0;
    for (unsigned k = 0; k < count; k++)
        if ((who >> k & 1) != 0)
            runners[known++] = (runner){first_ns(&rates[k], k), rates[k].item_ns};
    return yoke__end_together(runners, known, items);
}

double yoke__division_predict(const yoke__rate *rates, unsigned count, size_t items, uint32_t *worth)
{
    yoke__rate known[YOKE__MOST_PARTICIPANTS];
    uint32_t all = 0;
    *worth = 0;
    count = count < YOKE__MOST_PARTICIPANTS ? count : YOKE__MOST_PARTICIPANTS;
    for (unsigned k = 0; k < count; k++) {
        known[k] = yoke__rate_sane(rates[k]);
        all |= is_known(&known[k]) ? UINT32_C(1) << k : 0;
    }
    if (all == 0 || items == 0)
        return 0;
    const double end = end_of(known, count, (double)items, all);
    double most = 0;
    for (unsigned k = 0; k < count; k++)
        if ((all >> k & 1) != 0)
            most = fmax(most, (end - first_ns(&known[k], k)) / known[k].item_ns);
    for (unsigned k = 0; k < count; k++) {
        const double share = (end - first_ns(&known[k], k)) / known[k].item_ns;
        if ((all >> k & 1) != 0 && share >= fmin(LEAST_SHARE * (1 + SPREAD_SHARE * known[k].spread), 1) * most)
            *worth |= UINT32_C(1) << k;
    }
    return end_of(known, count, (double)items, *worth);
}
