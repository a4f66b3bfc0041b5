/* Least time of a call on a device where it never ran: a launch, and the transfers of its arrays. */
#include "lib/parallel/offload.h"

/* Of transfers the longer direction counts, for pieces overlap, and only half of all, for workers may have had cores and
 * memory while it was measured. Beside the workers even a device with four times their time adds a fifth. */
enum { LAUNCH_NS = 20000, BYTES_PER_NS = 64, SLACK = 2, DIVIDED_SLACK = 4 };

/* Bytes of the arrays that are read, and of those that are written. */
static void count_bytes(const yoke__offload *o, double *in, double *out)
{
    const yoke__checked *checked = o->work->checked;
    const yoke_kernel *kernel = checked->kernel;
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    kernel->extents(&checked->call, extents); /* found good by the check */
    for (uint32_t arrays = kernel->arrays; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        const bool sliced = (kernel->sliced >> k & 1) != 0;
        const double bytes = sliced ? (double)checked->item_bytes[k] * o->elements
                                    : (double)extents[k].count * (double)kernel->parameters[k].size;
        if (kernel->parameters[k].mode != YOKE_MODE_OUT)
            *in += bytes;
        if ((kernel->written >> k & 1) != 0)
            *out += bytes;
    }
}

double yoke__offload_guess(const yoke__offload *o)
{
    return LAUNCH_NS + (double)o->work->checked->bytes / BYTES_PER_NS;
}

yoke__readiness yoke__offload_floor(const yoke__offload *o, unsigned device, double *floor_ns)
{
    const yoke__devices *d = o->devices;
    double in = 0, out = 0;
    yoke__speed speed = {0, 0, 0};
    const yoke__readiness is = d->backend->speed != NULL ? d->backend->speed(d->state, device, &speed) : YOKE__REFUSED;
    if (is != YOKE__READY || !(speed.in_bytes_per_ns > 0) || !(speed.out_bytes_per_ns > 0))
        return is == YOKE__PREPARING ? is : YOKE__REFUSED;
    count_bytes(o, &in, &out);
    in /= speed.in_bytes_per_ns;
    out /= speed.out_bytes_per_ns;
    const bool divided = !o->work->indivisible && !yoke__has_flag(o->options, YOKE_NEVER_COEXECUTE);
    *floor_ns = (speed.launch_ns + (in > out ? in : out)) / (divided ? DIVIDED_SLACK : SLACK);
    return YOKE__READY;
}
