/* Door of lib/schedule: decisions as pure functions, without threads, clocks or allocation. */
#ifndef YOKE_SCHEDULE_H
#define YOKE_SCHEDULE_H

#include "lib/base/base.h"

/* Prices of using workers, in nanoseconds, measured on virtual machines: a cache line changes hands in 100 to 250, a
 * parked virtual CPU needs 50,000 to 80,000 to run again, the call that wakes it takes about 3,000. */
enum {
    YOKE__DIVIDE_NS = 2000,      /* a map shorter than this gains nothing from workers that spin */
    YOKE__WAKE_NS = 100000,      /* a map shorter than this gains nothing from workers that sleep */
    YOKE__STREAK_NS = 100000,    /* maps that follow each other so closely will find a woken worker still awake */
    YOKE__REWAKE_NS = 200000,    /* but if it sleeps again and again, waking it may take 1.5 % of the time */
    YOKE__UNIT_NS = 500,         /* a unit should last so long: its claim costs 20 */
    YOKE__PIECE_NS = 20000,      /* what a claim should last: far above its price, far below a stall */
    YOKE__PIECES_PER_WORKER = 8, /* at least so many claims each, so that the end is shared */
    YOKE__SHORT_PIECE_NS = 1000, /* but none shorter than this */
    YOKE__OFFLOAD_NS = 50000     /* a call shorter than this gains nothing from a device */
};

/* What is asked: `items` equal pieces of work. */
typedef struct yoke__load {
    size_t items;
    size_t step;      /* units are multiples of so many items (a block of lanes) */
    double item_ns;   /* predicted time of one on one core; 0: unknown */
    size_t grain;     /* items per claim at least; 0: chosen */
    unsigned workers; /* that may take part, the caller included */
    unsigned asleep;  /* of these, how many sleep */
    bool always_divide;
    bool streak; /* the last map ended a moment ago, and nobody was woken in vain lately */
} yoke__load;

/* What is chosen. */
typedef struct yoke__plan {
    size_t unit; /* items per unit; the last one may be short */
    uint32_t units;
    uint32_t grain;   /* units per claim */
    unsigned workers; /* 1: the caller alone */
    bool wake;        /* sleeping workers are worth waking */
} yoke__plan;

yoke__plan yoke__plan_division(const yoke__load *load);

/* Blocks of a reduction: their size depends on the number of items and the size of a result only, so that the tree of
 * combinations is the same whoever computes them. `step`: a block is a multiple of so many items. */
size_t yoke__plan_reduction_block(size_t items, size_t result_bytes, size_t step);

/* Whether `out` arrays should be written past the caches: the data of one call must exceed them. */
static inline bool yoke__plan_streaming(size_t bytes_touched, size_t cache_bytes)
{
    return bytes_touched > cache_bytes;
}

/* An exponentially smoothed estimate that follows a jump (another parameter value, say) at once. */
double yoke__learn(double estimate, double observed);

/* The same from a run that `workers` shared: the serial time lies between the run's and `workers` times that, so an
 * estimate within stays, and one outside is moved to the bound. */
double yoke__learn_shared(double estimate, double observed, unsigned workers);

/* A place that a whole call may go to: the workers, or a device. */
typedef struct yoke__candidate {
    bool possible;
    double known_ns; /* best time of such a call there, forgotten slowly; 0: never tried */
    double floor_ns; /* it cannot take less, for its launch and its transfers */
    uint32_t tries;
} yoke__candidate;

/* Index of the place for this call, the call-th of its kind: a place that could be faster is tried twice, then the
 * fastest is kept, and slower ones are looked at again, the more rarely the slower they are. `count` when none is
 * possible. */
unsigned yoke__route(const yoke__candidate *candidates, unsigned count, uint32_t call);
double yoke__route_learn(double known_ns, double observed_ns);

#endif
