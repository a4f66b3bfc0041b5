/* A scenario as a program meets it: a cold call, calls that learn, and calls that know. */
#include <math.h>

#include "tests/simulator/world.h"

enum { TRIES = 2 };              /* the cold one included */
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

/* As the library does: the prediction decides, and what was measured. */
static double run_known(const world *w, yoke__rate *rates, double divided_known_ns, bool *divides)
{
    double single_ns;
    uint32_t worth;
    const unsigned single = best_single(w->of, rates, &single_ns);
    const double together_ns = yoke__division_predict(rates, w->of->count, w->of->items, &worth);
    *divides = single == w->of->count || (together_ns < GAIN * single_ns && divided_known_ns * GAIN < single_ns);
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

static double best_single_ns(const world *w, const yoke__rate *rates)
{
    double best = INFINITY;
    for (unsigned k = 0; k < w->of->count; k++) {
        yoke__rate unused[PLACES];
        for (unsigned l = 0; l < w->of->count; l++)
            unused[l] = rates[l];
        if (w->of->place[k].item_ns > 0)
            best = fmin(best, alone_ns(w, k, unused));
    }
    return best;
}

typedef struct sums {
    double single, learned, later_single, later;
} sums;

/* The runs of one program; adds the efficiencies of three of them. */
static void live(const scenario *s, uint64_t seed, trial *t, sums *sum)
{
    yoke__rate rates[PLACES] = {{0}};
    for (unsigned k = 0; k < s->count; k++) {
        rates[k] = s->place[k].guess;
        rates[k].fill = k == 0 ? s->place[k].threads : s->place[k].full; /* the library knows its team and devices */
    }
    world w;
    world_make(&w, s, seed + LATER_RUNS + 1);
    for (unsigned k = 0; k < s->count; k++)
        if (s->place[k].tried)
            (void)alone_ns(&w, k, rates);
    double divided_known_ns = 0;
    unsigned divided = 0;
    for (unsigned run = 0; run <= LATER_RUNS; run++) {
        bool divides = true;
        world_make(&w, s, seed + run);
        const double single_ns = run == LEARNING_RUNS || run == LATER_RUNS ? best_single_ns(&w, rates) : 0;
        const double ns =
            run == 0 ? divided_ns(&w, all_places(s), rates) : run_known(&w, rates, divided_known_ns, &divides);
        if (divides && ++divided > TRIES) /* it has found out what there is */
            divided_known_ns = yoke__route_learn(divided_known_ns, ns);
        const double efficiency = ideal_ns(&w) / ns;
        if (run == 0)
            t->cold += efficiency;
        if (run == LATER_RUNS)
            t->later += efficiency, sum->later += ns, sum->later_single += single_ns;
        if (run != LEARNING_RUNS)
            continue;
        t->learned += efficiency;
        t->worst = fmin(t->worst, efficiency);
        t->divided += divides ? 1 : 0;
        sum->learned += ns, sum->single += single_ns;
    }
}

trial try_scenario(const scenario *s, unsigned lives)
{
    trial t = {.worst = INFINITY};
    sums sum = {0};
    for (unsigned n = 0; n < lives; n++)
        live(s, 1000 * n + 1, &t, &sum);
    t.cold /= lives, t.learned /= lives, t.later /= lives, t.divided /= lives;
    t.against_single = sum.learned / sum.single, t.later_against_single = sum.later / sum.later_single;
    return t;
}
