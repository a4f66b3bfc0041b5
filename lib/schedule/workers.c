/* How many workers a loop bound by memory gets: all of them, half, a quarter, ... One look at a count is the median of
 * three calls in a row, without the first after a change, for which workers had to wake. Looks at others are compared
 * with those around them at the kept count: machines change, but not so fast. */
#include <math.h>

#include "lib/schedule/schedule.h"

enum {
    ROW = 3,         /* calls of a look */
    TRIAL_CALLS = 8, /* that one takes at most, when others come between */
    FIRST_TRIAL = 64,
    SPACING = 128,        /* calls from trial to trial: 3 % of them */
    WAIT_PER_LOSS = 2400, /* calls until a count is tried again that takes twice the time */
    TRIALS_NEEDED = 2,
    MOST_SEEN = 64,
    DOUBTED_SEEN = 3,
    FRESH_LOOKS = 16
};

static const double as_good = 1.02;   /* then fewer are preferred: neighbours and power */
static const double promising = 1.10; /* then the half of it is tried, too */
static const double far_off = 1.25;   /* twice in a row: other data, another machine */
static const double first_spread = 0.05;

static double median(const double *row)
{
    const double low = fmin(row[0], row[1]), high = fmax(row[0], row[1]);
    return fmax(low, fmin(high, row[2]));
}

/* Time of a count as far as it can be relied on: trials are few. */
static double bound(const yoke__headcount *h, unsigned k)
{
    return k == h->kept ? h->time[k] : h->time[k] * (1 + 2 * h->spread / sqrt(h->seen[k]));
}

static bool is_known(const yoke__headcount *h, unsigned k)
{
    return k == h->kept || h->seen[k] >= TRIALS_NEEDED;
}

static double best_time(const yoke__headcount *h)
{
    double best = h->time[h->kept];
    for (unsigned k = 0; k < YOKE__HEADCOUNTS; k++)
        if (is_known(h, k))
            best = fmin(best, bound(h, k));
    return best;
}

/* The fewest that are as good as the best of all; as good as the next larger ones would let losses add up. */
static void keep_best(yoke__headcount *h)
{
    const double enough = as_good * best_time(h);
    unsigned chosen = h->kept;
    for (unsigned k = 0; k < YOKE__HEADCOUNTS; k++)
        if (is_known(h, k) && bound(h, k) <= enough)
            chosen = k;
    if (chosen == h->kept)
        return;
    h->usual_ns *= h->time[chosen] / h->time[h->kept];
    h->seen[h->kept] = MOST_SEEN;
    h->kept = h->tried = chosen;
    h->fresh = FRESH_LOOKS;
    h->off = 0;
}

/* --- trials --- */

static bool is_candidate(const yoke__headcount *h, unsigned k, double best)
{
    if (k == h->kept || h->workers >> k < 2)
        return false;
    return k < h->kept || (h->time[k - 1] > 0 && h->time[k - 1] <= promising * best);
}

static void begin_trial(yoke__headcount *h)
{
    const double best = best_time(h);
    unsigned chosen = h->kept;
    for (unsigned k = 0; k < YOKE__HEADCOUNTS; k++)
        if (is_candidate(h, k, best) && h->due[k] <= h->calls && (chosen == h->kept || h->due[k] < h->due[chosen]))
            chosen = k;
    h->next = h->calls + SPACING;
    h->tried = chosen;
    h->left = TRIAL_CALLS;
}

static void end_trial(yoke__headcount *h)
{
    const unsigned k = h->tried;
    const double loss = h->time[k] > 0 ? h->time[k] / best_time(h) - 1 : 0;
    h->due[k] = h->calls + (uint64_t)fmin(fmax(SPACING, WAIT_PER_LOSS * loss), 1e6);
    h->tried = h->kept;
}

static void learn_trial(yoke__headcount *h, double look_ns)
{
    const unsigned k = h->tried;
    double time = h->time[h->kept] * look_ns / h->usual_ns;
    bool doubtful = false;
    if (h->seen[k] >= TRIALS_NEEDED) { /* one that is far off counts a little, and is looked into */
        const double ratio = time / h->time[k];
        doubtful = fabs(ratio - 1) > 5 * h->spread + 0.05;
        time = h->time[k] * fmin(fmax(ratio, 0.5), 2);
    }
    if (doubtful && h->seen[k] > DOUBTED_SEEN)
        h->seen[k] = DOUBTED_SEEN;
    h->time[k] += (time - h->time[k]) / (h->seen[k] + 1);
    h->seen[k] += h->seen[k] < MOST_SEEN;
    end_trial(h);
    if (doubtful)
        h->due[k] = h->calls;
    keep_best(h);
}

/* --- the kept count --- */

static void start_again(yoke__headcount *h, double look_ns)
{
    *h = (yoke__headcount){.workers = h->workers,
                           .last = h->last,
                           .calls = h->calls,
                           .next = h->calls + FIRST_TRIAL,
                           .usual_ns = look_ns,
                           .spread = first_spread,
                           .time[0] = 1};
}

static void learn_usual(yoke__headcount *h, double look_ns)
{
    const double ratio = h->usual_ns > 0 ? look_ns / h->usual_ns : 0;
    const int off = ratio > far_off ? 1 : ratio < 1 / far_off ? -1 : 0;
    if (ratio <= 0 || (off != 0 && off == h->off)) {
        start_again(h, look_ns);
        return;
    }
    h->off = off;
    if (off != 0)
        return;
    const double change = 1 + (ratio - 1) / 8;
    h->usual_ns *= change;
    h->spread += (fabs(ratio - 1) - h->spread) / 16;
    if (h->fresh == 0)
        return;
    h->time[h->kept] *= change; /* what was promised of it was chosen for being low */
    if (--h->fresh == 0)
        keep_best(h);
}

/* --- calls --- */

yoke__headcount_choice yoke__headcount_choose(yoke__headcount *h, unsigned workers, double items, bool quiet)
{
    if (h->workers != workers)
        *h = (yoke__headcount){.workers = workers};
    yoke__headcount_choice choice = {.workers = workers >> h->kept, .index = h->kept};
    if (!quiet) {
        h->calls++;
        if (h->tried != h->kept && h->left == 0)
            end_trial(h);
        if (h->tried == h->kept && h->usual_ns * items >= YOKE__HEADCOUNT_NS && h->fresh == 0 && h->calls >= h->next)
            begin_trial(h);
        if (h->tried != h->kept)
            h->left--;
        choice.index = h->tried;
        choice.workers = workers >> h->tried;
        choice.trial = h->tried != h->kept;
        choice.learn = h->last == h->tried;
    }
    if (h->last != choice.index)
        h->in_row = 0;
    h->last = choice.index;
    return choice;
}

void yoke__headcount_learn(yoke__headcount *h, yoke__headcount_choice choice, double item_ns)
{
    if (!choice.learn || choice.index != h->tried || choice.workers != h->workers >> h->tried || !(item_ns > 0))
        return;
    h->row[h->in_row++] = item_ns;
    const bool clear = choice.trial && h->in_row == 2 && fmin(h->row[0], h->row[1]) > far_off * h->usual_ns;
    if (h->in_row < ROW && !clear)
        return;
    h->in_row = 0;
    if (choice.trial)
        learn_trial(h, clear ? fmin(h->row[0], h->row[1]) : median(h->row));
    else
        learn_usual(h, median(h->row));
}
