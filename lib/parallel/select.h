/* Inside of lib/parallel: which devices a text such as "cpu,gpu:1" means. Pure functions. */
#ifndef YOKE_PARALLEL_SELECT_H
#define YOKE_PARALLEL_SELECT_H

#include "lib/base/base.h"
#include "yoke/topology.h"

enum { YOKE__MOST_DEVICES = 256 };

typedef struct yoke__selection {
    bool cpu;   /* the workers may run kernels */
    bool named; /* devices were asked for, not only allowed */
    uint64_t mask[YOKE__MOST_DEVICES / 64];
} yoke__selection;

static inline bool yoke__selection_has(const yoke__selection *selection, unsigned k)
{
    return k < YOKE__MOST_DEVICES && ((selection->mask[k / 64] >> (k % 64)) & 1) != 0;
}

/* See yoke_runtime_options.devices; NULL means "all". Groups ("all", "gpu", a name) leave refused devices out; a lost one
 * stays in, for it may come back. Returns 0; EINVAL for a malformed text; ENODEV, with a list of what there is, for an
 * item that means no usable device. On failure *selection is as it was. */
int yoke__select_devices(const char *text, const yoke_device *devices, unsigned count, yoke__selection *selection);

/* What can be said before any device is known: 0 or EINVAL with a detail. */
int yoke__selection_check(const char *text);

/* False when the text names nothing but "cpu": no device need be looked for. */
bool yoke__selection_needs_devices(const char *text);

/* True when devices are used if there are any: NULL, "all", "all,cpu". */
bool yoke__selection_is_default(const char *text);

#endif
