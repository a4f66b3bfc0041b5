/* Where a call goes: to the place that was fastest at this size, once every place worth it was tried. */
#include "lib/schedule/schedule.h"

enum { TRIES = 2, LOOK_AGAIN = 64, LOOK_SHARE = 20 };

/* Looks at all `others` slower places together may cost one part in LOOK_SHARE of the time, and machines change
 * slowly. */
static uint32_t period(double known_ns, double best_ns, unsigned others)
{
    double calls = LOOK_SHARE * known_ns / (best_ns > 1 ? best_ns : 1);
    calls = (calls < LOOK_AGAIN ? LOOK_AGAIN : calls) * others;
    return calls < (double)(1u << 30) ? (uint32_t)calls : 1u << 30;
}

static bool is_worth_a_look(const yoke__candidate *c, double best_ns)
{
    return c->possible && c->floor_ns < best_ns;
}

unsigned yoke__route(const yoke__candidate *candidates, unsigned count, uint32_t call)
{
    unsigned best = count;
    for (unsigned k = 0; k < count; k++)
        if (candidates[k].possible && candidates[k].known_ns > 0 &&
            (best == count || candidates[k].known_ns < candidates[best].known_ns))
            best = k;
    const double best_ns = best < count ? candidates[best].known_ns : 0;
    for (unsigned k = 0; k < count; k++) {
        const yoke__candidate *c = &candidates[k];
        const bool worth = best == count || c->floor_ns < best_ns;
        if (c->possible && worth && c->tries < TRIES)
            return k;
    }
    unsigned others = 0;
    for (unsigned k = 0; k < count; k++)
        others += k != best && is_worth_a_look(&candidates[k], best_ns);
    for (unsigned k = 0; k < count; k++)
        if (k != best && is_worth_a_look(&candidates[k], best_ns) &&
            call % period(candidates[k].known_ns, best_ns, others) == (k + 1) % LOOK_AGAIN)
            return k;
    return best;
}

double yoke__route_learn(double known_ns, double observed_ns)
{
    if (known_ns <= 0 || observed_ns < known_ns)
        return observed_ns;
    return known_ns + (observed_ns - known_ns) / 8;
}
