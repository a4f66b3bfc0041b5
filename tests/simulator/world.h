/* A machine that exists on paper: workers and devices with their speeds and delays, and a virtual clock that drives the
 * functions of lib/schedule as the library does. Everything is drawn from a seed: a run can be repeated. */
#ifndef YOKE_TESTS_SIMULATOR_WORLD_H
#define YOKE_TESTS_SIMULATOR_WORLD_H

#include "lib/schedule/schedule.h"

enum { PLACES = YOKE__MOST_PARTICIPANTS, CELLS = 4096 };

typedef enum costs { EVEN, MIDDLE, RISING, SPIKES } costs;

/* Workers or a device. Times in ns; the speed of computing changes with time as said below, other times do not. */
typedef struct place {
    double item_ns;   /* to compute an item of middle cost; of the whole team; 0: there is no such place */
    double launch_ns; /* workers: a run of the team; device: issue, start and news of the end */
    double start_ns;  /* when its thread is there first */
    double up_ns, down_ns, commit_ns; /* per item: transfers, copy from staging by the driver thread */
    size_t most;                      /* items of a piece; 0: any */
    unsigned threads; /* workers: of the team; at its end they wait for each other, half an item on average */
    double full;      /* device: a piece of fewer items takes as long as one of so many */
    bool reports_at_end;
    /* speed */
    double noise, noise_slot_ns; /* lognormal, anew in each slot of time */
    double run_noise;            /* lognormal, anew in each run */
    double change_at_ns, change; /* from then on the speed is multiplied by it; 0: never */
    double stall_at_ns, stall_ns;
    double dies_at_ns; /* 0: never */
    bool tried;        /* it ran alone before the first run */
    yoke__rate guess;  /* before the first run */
} place;

typedef struct scenario {
    const char *name;
    size_t items, step; /* step 0: 1 */
    costs costs;
    unsigned count;
    place place[PLACES]; /* 0: the workers */
} scenario;

extern const scenario scenarios[];
extern const unsigned scenario_count;

/* One run of a scenario: what is drawn for it. */
typedef struct world {
    const scenario *of;
    uint64_t seed;
    double run_factor[PLACES];
    double sum[CELLS + 1]; /* of costs, up to a cell; the mean cost of an item is 1 */
} world;

void world_make(world *w, const scenario *of, uint64_t seed);
double world_work(const world *w, size_t begin, size_t end);                /* cost of items, in items of middle cost */
double world_end(const world *w, unsigned k, double start, double work_ns); /* when so much is computed */
double world_capacity(const world *w, unsigned k, double from, double to);  /* ns of full speed in between */
double world_jitter(const world *w, unsigned k, uint64_t launch);           /* >= 1: a launch's delay */

/* No division can take less: each place is used from its first launch to the end, at the speed that it will have
 * had. */
double ideal_ns(const world *w);

/* Simulated time of the division among the places of a mask; learns into `rates` (of all places) unless NULL. */
double divided_ns(const world *w, uint32_t mask, yoke__rate *rates);
/* The same of one place alone, with all of it at once if that is better. */
double alone_ns(const world *w, unsigned k, yoke__rate *rates);

/* What is reported of a scenario: means over several programs' lives. */
typedef struct trial {
    double cold, learned, later; /* efficiency, ideal time / time: of the first run, after LEARNING_RUNS, LATER_RUNS */
    double worst;                /* of the learned runs */
    double against_single;       /* learned time / best single place's */
    double later_against_single;
    double divided; /* share of the learned runs that were divided */
} trial;

enum { LEARNING_RUNS = 2, LATER_RUNS = 20 };

trial try_scenario(const scenario *s, unsigned lives);

#endif
