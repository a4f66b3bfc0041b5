/* Inside of lib/opencl: from mirrors to the host's memory, beside the kernels of the driver thread. */
#ifndef YOKE_OPENCL_MOVE_H
#define YOKE_OPENCL_MOVE_H

#include "lib/opencl/device.h"

/* See yoke__home.fetch; the context is the session. */
int move_to_host(void *context, yoke__block *block, yoke__span span, const yoke__alive *alive);
/* Lets go of a mirror that was found; any thread. */
void mirror_release(session *s, mirror *m);

#endif
