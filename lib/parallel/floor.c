/* What transfers cost a call: the least time on a device where it never ran, and what managed arrays that are elsewhere add
 * to the usual time. */
#include <math.h>

#include "lib/parallel/offload.h"

/* Of transfers the longer direction counts, for pieces overlap, and only half of all, for workers may have had cores and
 * memory while it was measured. Beside the workers even a device with four times their time adds a fifth. */
enum { LAUNCH_NS = 20000, BYTES_PER_NS = 64, SLACK = 2, DIVIDED_SLACK = 4 };
#define USUAL_BYTES_PER_NS 8.0 /* of a bus that was not measured */

/* Where a place looks for managed arrays: 0 the workers, then devices. */
static unsigned home_of(const yoke__offload *o, unsigned place)
{
    const yoke__backend *backend = o->devices->backend;
    yoke_device facts;
    if (place == 0)
        return YOKE__HOST;
    backend->describe(o->devices->state, place - 1, &facts);
    if (facts.shares_memory || backend->home == NULL)
        return YOKE__HOST;
    const unsigned home = backend->home(o->devices->state, place - 1);
    return home != 0 ? home : YOKE__NOWHERE;
}

/* Zero where it is not known. */
static yoke__readiness speed_of(const yoke__offload *o, unsigned device, yoke__speed *speed)
{
    const yoke__devices *d = o->devices;
    *speed = (yoke__speed){0, 0, 0};
    return d->backend->speed != NULL ? d->backend->speed(d->state, device, speed) : YOKE__REFUSED;
}

/* Of a device to the host or back; the usual one where it was not measured (yet). */
static double bus_of(const yoke__offload *o, unsigned device, bool in)
{
    yoke__speed speed;
    (void)speed_of(o, device, &speed);
    const double is = in ? speed.in_bytes_per_ns : speed.out_bytes_per_ns;
    return is > 0 ? is : USUAL_BYTES_PER_NS;
}

/* Who has what the host lacks is not asked: it counts as if the slowest had. */
static double slowest_bus_home(const yoke__offload *o)
{
    double slowest = INFINITY;
    for (unsigned k = 0; k < o->devices->count; k++) {
        const unsigned home = home_of(o, 1 + k);
        if (home != YOKE__HOST && home != YOKE__NOWHERE)
            slowest = fmin(slowest, bus_of(o, k, false));
    }
    return slowest < INFINITY ? slowest : USUAL_BYTES_PER_NS;
}

double yoke__offload_moves(const yoke__offload *o, unsigned place)
{
    const double missing = yoke__transfers_to(o->work, home_of(o, place)).missing;
    if (!(missing > 0))
        return 0;
    if (!o->selection.cpu) /* nothing to choose for: the bus is left alone */
        return LAUNCH_NS + missing / USUAL_BYTES_PER_NS;
    return LAUNCH_NS + missing / (place == 0 ? slowest_bus_home(o) : bus_of(o, place - 1, true));
}

double yoke__offload_guess(const yoke__offload *o)
{
    return LAUNCH_NS + (double)o->work->checked->bytes / BYTES_PER_NS;
}

yoke__readiness yoke__offload_floor(const yoke__offload *o, unsigned device, double *floor_ns)
{
    yoke__speed speed;
    const yoke__readiness is = speed_of(o, device, &speed);
    if (is != YOKE__READY || !(speed.in_bytes_per_ns > 0) || !(speed.out_bytes_per_ns > 0))
        return is == YOKE__PREPARING ? is : YOKE__REFUSED;
    const yoke__transfers t = yoke__transfers_to(o->work, home_of(o, 1 + device));
    const double in = (t.plain_in + t.missing) / speed.in_bytes_per_ns, out = t.plain_out / speed.out_bytes_per_ns;
    const bool divided = !o->work->indivisible && !yoke__has_flag(o->options, YOKE_NEVER_COEXECUTE);
    *floor_ns = (speed.launch_ns + (in > out ? in : out)) / (divided ? DIVIDED_SLACK : SLACK);
    return YOKE__READY;
}
