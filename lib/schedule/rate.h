/* What division.c, zones.c and rate.c share. */
#ifndef YOKE_SCHEDULE_RATE_H
#define YOKE_SCHEDULE_RATE_H

#include "lib/schedule/schedule.h"

enum { WORKERS = 0 }; /* the participant */

#define HIDDEN 0.2  /* what a launch behind another piece costs, of a launch */
#define UNSURE 0.25 /* a spread that makes the next observation as good as what is known */
#define LEAST_ITEM_NS 1e-9
#define MOST_NS 1e18

static inline bool is_known(const yoke__rate *rate)
{
    return rate->item_ns > 0;
}

/* Whoever can take part in what is left. */
typedef struct runner {
    double ready_ns, item_ns;
} runner;

/* When all of them end together, if each begins when it is ready and whoever is ready too late stays out; sorts
 * them. */
double yoke__end_together(runner *runners, unsigned count, double items);

/* zones.c: by the expected shares; the next piece of about so many items, from *begin. Some must be left. */
void yoke__zones_begin(yoke__division *d, const double *share);
size_t yoke__zones_take(yoke__division *d, unsigned who, double items, size_t most, size_t *begin);

yoke__rate yoke__rate_sane(yoke__rate rate);
double yoke__rate_team_launch_ns(const yoke__rate *rate);
double yoke__rate_again_ns(const yoke__rate *rate);
/* Of one run: yoke__rate_learn does the rest. */
void yoke__rate_observe(yoke__rate *rate, size_t items, double ns);
void yoke__rate_count(yoke__rate *rate, unsigned runs);

#endif
