/* A scenario as a program meets it: a cold call, calls that learn, and calls that know. */
#include <math.h>

#include "tests/simulator/world.h"

static const double GAIN = 0.97; /* a division that promises no more than this is not begun */

static unsigned best_single(const scenario *s, const yoke__rate *rates, double *best_ns)
{
    unsigned best = s->count;
    *best_ns = INFINITY;
    for (unsigned k = 0; k < s->count; k++) {
        const double ns = rates[k].launch_ns + rates[k].item_ns * (double)s->items;
        if (rates[k].item_ns > 0 && ns < *best_ns)
            best = k, *best_ns = ns;
    }
    return best;
}

/* As the library does: the prediction decides. */
static double run_known(const world *w, yoke__rate *rates, bool *divides)
{
    double single_ns;
    uint32_t worth;
    const unsigned single = best_single(w->of, rates, &single_ns);
    const double together_ns = yoke__division_predict(rates, w->of->count, w->of->items, &worth);
    *divides = single == w->of->count || together_ns < GAIN * single_ns;
    return *divides ? divided_ns(w, worth, rates) : alone_ns(w, single, rates);
}

static uint32_t all_places(const scenario *s)
{
    uint32_t all = 0;
    for (unsigned k = 0; k < s->count; k++)
        if (s->place[k].item_ns > 0)
            all |= UINT32_C(1) << k;
    return all;
}

trial try_scenario(const scenario *s)
{
    trial t = {.worst = INFINITY};
    double single_sum = 0, learned_sum = 0;
    for (unsigned n = 0; n < TRIALS; n++) {
        yoke__rate rates[PLACES] = {{0}}, unused[PLACES];
        for (unsigned k = 0; k < s->count; k++) {
            rates[k] = s->place[k].guess;
            rates[k].fill = k == 0 ? s->place[k].threads : s->place[k].full;
        }
        world w;
        bool divides = true;
        world_make(&w, s, 1000 * n + 1);
        t.cold += ideal_ns(&w) / divided_ns(&w, all_places(s), rates) / TRIALS;
        for (unsigned run = 1; run < LEARNING_RUNS; run++) {
            world_make(&w, s, 1000 * n + 1 + run);
            (void)run_known(&w, rates, &divides);
        }
        world_make(&w, s, 1000 * n + 1 + LEARNING_RUNS);
        double single_ns = INFINITY;
        for (unsigned k = 0; k < s->count; k++) {
            for (unsigned l = 0; l < s->count; l++)
                unused[l] = rates[l];
            if (s->place[k].item_ns > 0)
                single_ns = fmin(single_ns, alone_ns(&w, k, unused));
        }
        const double ns = run_known(&w, rates, &divides), efficiency = ideal_ns(&w) / ns;
        t.learned += efficiency / TRIALS;
        t.worst = fmin(t.worst, efficiency);
        t.divided += (divides ? 1.0 : 0.0) / TRIALS;
        learned_sum += ns, single_sum += single_ns;
    }
    t.against_single = learned_sum / single_sum;
    return t;
}
