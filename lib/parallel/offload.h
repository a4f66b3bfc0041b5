/* Inside of lib/parallel: one call that a device may run, and what is known of it. */
#ifndef YOKE_PARALLEL_OFFLOAD_H
#define YOKE_PARALLEL_OFFLOAD_H

#include "lib/parallel/devices.h"
#include "lib/parallel/pieces.h"
#include "lib/trace/trace.h"

/* Of candidates: the workers, 1 + k for device k, and after the last of these all together. */
enum { YOKE__PLACES = 2 + YOKE__MOST_DEVICES };

/* Who would divide the call, as the division counts them: 0 the workers, then devices. */
typedef struct yoke__group {
    unsigned count;
    unsigned place[YOKE__MOST_PARTICIPANTS];
    yoke__rate rate[YOKE__MOST_PARTICIPANTS];
    uint32_t members; /* mask of those that take part */
} yoke__group;

typedef struct yoke__offload {
    yoke_runtime *runtime;
    yoke__devices *devices;
    const yoke_options *options;
    const void *key;
    const yoke__work *work;
    double predicted_ns; /* on one core; 0: unknown */
    yoke__selection selection;
    yoke__route_row *row; /* NULL: nothing is learned */
    double elements;      /* of the grid: what the size class and the learned times count */
    int class;
    uint32_t call; /* of this kernel and class */
    unsigned places;
    yoke__candidate candidate[YOKE__PLACES];
    double moves_ns[YOKE__PLACES]; /* part of the candidate's time that is not the place's: see yoke__offload_moves */
    bool busy[YOKE__PLACES];       /* another call had it */
    bool any_busy;
    yoke__group group;
    yoke_decision decision;
} yoke__offload;

/* offload.c */

/* Why the workers do it, for the decision. */
void yoke__offload_note(yoke__offload *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* READY, or else why not is noted and the place is no candidate any more. */
bool yoke__offload_prepare(yoke__offload *o, unsigned place);
void yoke__offload_learn(const yoke__offload *o, unsigned place, double ns);
/* Adds what one participant did to the decision. */
void yoke__offload_share(yoke__offload *o, int device, size_t items, unsigned pieces, double ns);
/* How long a piece may take a device. */
int64_t yoke__offload_limit(const yoke__offload *o);

/* floor.c */

/* Least time of the call on any device. */
double yoke__offload_guess(const yoke__offload *o);
/* What managed arrays that have to come first add to the usual time of a place. */
double yoke__offload_moves(const yoke__offload *o, unsigned place);
/* The same on this one, as transfers to it were measured: READY with *floor_ns; PREPARING while they are; REFUSED: they
 * cannot be. */
yoke__readiness yoke__offload_floor(const yoke__offload *o, unsigned device, double *floor_ns);

/* coexec.c */

/* The last candidate: whether dividing the call among all promises to be faster than the best place alone. */
void yoke__coexec_survey(yoke__offload *o);
/* What the time of a whole call at one place tells of its rate. */
void yoke__coexec_learn_alone(const yoke__offload *o, unsigned place, double ns);
/* EBUSY: fewer than two can take part, and nothing was done. */
int yoke__coexec_run(yoke__offload *o);

#endif
