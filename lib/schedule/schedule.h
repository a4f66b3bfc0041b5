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

/* --- how many workers a loop bound by memory wants: measured, for a fraction may reach all of its bandwidth --- */

enum {
    YOKE__HEADCOUNTS = 16,       /* all workers, half of them, a quarter, ... down to two */
    YOKE__HEADCOUNT_WORKERS = 4, /* fewer are not worth a trial, */
    YOKE__HEADCOUNT_NS = 200000  /* nor is a shorter map */
};

/* What is known of the counts of one kernel at one size. Zeroed: nothing, and all are taken. */
typedef struct yoke__headcount {
    unsigned workers;                /* all; known of this number only */
    unsigned kept, tried;            /* workers >> kept take part; tried differs during a trial */
    unsigned last;                   /* of the last call */
    unsigned left;                   /* calls at most until the trial ends */
    uint64_t calls, next;            /* so far; when the next trial may begin */
    uint64_t due[YOKE__HEADCOUNTS];  /* when this one may be tried next */
    double time[YOKE__HEADCOUNTS];   /* of a call with this one, in a unit that all have in common; 0: unknown */
    unsigned seen[YOKE__HEADCOUNTS]; /* trials that `time` comes from */
    double usual_ns;                 /* by item, with the one kept; 0: unknown */
    double spread;                   /* relative, of what `usual_ns` is learned from */
    unsigned fresh;                  /* looks until a count kept since lately is believed */
    int off;                         /* the last look was far above (1) or below (-1) the usual one */
    double row[3];                   /* calls in a row with one count */
    unsigned in_row;
} yoke__headcount;

typedef struct yoke__headcount_choice {
    unsigned workers;
    unsigned index;
    bool trial; /* of another count than the one kept */
    bool learn; /* the call's time is to be told */
} yoke__headcount_choice;

/* For a call with so many items when `workers` could take part. `quiet`: something else is tried in this call, or it is a
 * part of one: then the kept count, and nothing is learned. */
yoke__headcount_choice yoke__headcount_choose(yoke__headcount *h, unsigned workers, double items, bool quiet);
/* The time by item of a call that was chosen so. */
void yoke__headcount_learn(yoke__headcount *h, yoke__headcount_choice choice, double item_ns);

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

/* --- one call divided among the workers and the devices, so that all of them end together --- */

enum { YOKE__MOST_PARTICIPANTS = 16 };

/* What is expected of a participant. Zeroed: nothing is known. To be given: launch_ns, roughly, and fill; the rest is
 * learned. Kept per kernel, participant and size class. */
typedef struct yoke__rate {
    double launch_ns; /* of each piece, whatever its size */
    double item_ns;   /* per item of the division; 0: unknown */
    double again_ns;  /* devices: what is left of launch_ns behind another piece; 0: unknown */
    double prior_ns;  /* launch_ns as it was given first */
    double start_ns;  /* until it asks for its first piece */
    double doubt_ns;  /* an item_ns seen last that was far off and was not believed; 0: none */
    double spread;    /* how far, relatively, what was seen lay from what was expected, lately; 0: unknown */
    unsigned runs;    /* that it was learned from; one of the whole range counts twice */
    double fill; /* given, not learned: items that keep all of it busy (of a team one per worker); fewer take as long */
} yoke__rate;

/* One participant of a division; nobody else's business. */
typedef struct yoke__participant {
    yoke__rate rate;                /* as it looks now */
    double end_ns;                  /* when the last piece ended */
    double busy_ns;                 /* of all pieces that ended, but for their launches */
    double asked_ns;                /* when it asked first */
    size_t seen;                    /* items of the pieces that ended */
    size_t silent;                  /* of these, items whose end was inferred and may still be reported */
    size_t last;                    /* items of the piece taken last */
    size_t first;                   /* items of the first piece that ended */
    double first_ns;                /* and how long it took */
    double least_ns;                /* time of the shortest piece that ended */
    double before_ns, before_items; /* the piece before the last that ended */
    unsigned pieces;                /* that ended */
    unsigned in_hand;               /* pieces taken and not ended */
    unsigned state;
    double sums[5]; /* of a fit of pieces' times: launch_ns + items * item_ns */
    struct {
        size_t items;
        double start_ns;
    } flight[2]; /* in_hand of them, the oldest first */
} yoke__participant;

/* Items that were not taken yet, of those where a participant begins. */
typedef struct yoke__zone {
    size_t begin, end;
} yoke__zone;

/* Pure: no clock, no lock, no memory; calls on one division must not overlap. Any numbers are safe, also clocks that go
 * backwards. Participant 0 are the workers, a team that takes pieces one at a time, from the front of its zone; the others
 * are devices, two at a time, from the back of theirs (a third take() tells that the first has ended, whether or not
 * done() did). Zones are as large as the shares that are expected and lie in the order of the participants, so that who
 * keeps its speed gets the same items in call after call; who is through with its own goes on in another's. */
typedef struct yoke__division {
    size_t rest; /* items that were not taken yet: those of all zones */
    yoke__zone zone[YOKE__MOST_PARTICIPANTS];
    size_t items, step;
    unsigned count;
    int64_t start_ns;
    double now_ns; /* since the start; never goes back */
    yoke__participant participant[YOKE__MOST_PARTICIPANTS];
} yoke__division;

/* `step`: pieces begin at multiples of it, except those of a device that can take less. `workers`: whether
 * participant 0 takes part. `count`: all participants, 0 included. `rates`: count of them. */
void yoke__division_begin(yoke__division *d, size_t items, size_t step, bool workers, unsigned count,
                          const yoke__rate *rates, int64_t now_ns);

/* The next piece for a participant, of at most `most` items (for the workers: at least a step). False: there is
 * none for it, now or later: all is taken, or others, who run, will be done with the rest before it could. The last
 * who runs is never refused, so unless it is dropped, every item is taken. */
bool yoke__division_take(yoke__division *d, unsigned who, int64_t now_ns, size_t most, size_t *begin, size_t *end);

/* So many items that it took, the oldest first, are done: rates are learned from that. May come late, or for several
 * pieces at once. */
void yoke__division_done(yoke__division *d, unsigned who, int64_t now_ns, size_t items);

/* It takes no more, and what it has in hand will not come: the caller runs that elsewhere, and what is left in the zones
 * when all participants are through. */
void yoke__division_drop(yoke__division *d, unsigned who);

/* At the end, updates what is known of a participant by what the run has shown; no change if it did nothing. */
void yoke__division_learn(const yoke__division *d, unsigned who, yoke__rate *rate);

/* The same from a call that one participant ran alone. A single observation that is far off is believed in part
 * only. */
void yoke__rate_learn(yoke__rate *rate, size_t items, double ns);

/* Shortest time of all together with the best division, each launching once, and which of them are worth taking part (a
 * bit each); who is unknown is not. 0 items or nobody known: 0, and worth nobody. */
double yoke__division_predict(const yoke__rate *rates, unsigned count, size_t items, uint32_t *worth);

#endif
