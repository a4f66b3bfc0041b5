/* Inside of lib/opencl: from mirrors to the host's memory, beside the kernels of the driver thread. */
#ifndef YOKE_OPENCL_MOVE_H
#define YOKE_OPENCL_MOVE_H

#include "lib/opencl/device.h"
#include "lib/trace/trace.h"

/* See yoke__home.fetch; the context is the session. */
int move_to_host(void *context, yoke__block *block, yoke__span span, const yoke__alive *alive);
/* Lets go of a mirror that was found; any thread. */
void mirror_release(session *s, mirror *m);

/* A transfer of a block that ended well, for a trace: on lane 0 or 1, a queue's, or on the mover's. */
enum { LANE_OF_MOVER = 2 * QUEUES };
void traced_move(session *s, unsigned lane, cl_event event, size_t bytes, const yoke__block *block);

#endif
