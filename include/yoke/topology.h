/* The machine as a runtime sees it: what there is, what the process may use of it, and where the workers are. */
#ifndef YOKE_PUBLIC_TOPOLOGY_H
#define YOKE_PUBLIC_TOPOLOGY_H

#include "yoke/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Counts of one machine, or of the part of it that may be used. */
typedef struct yoke_topology_counts {
    unsigned packages; /**< sockets */
    unsigned nodes;    /**< NUMA nodes */
    unsigned caches;   /**< last-level caches */
    unsigned cores;
    unsigned threads; /**< hardware threads */
} yoke_topology_counts;

typedef struct yoke_topology {
    yoke_topology_counts machine; /**< all there is */
    yoke_topology_counts usable;  /**< what affinity mask and cpuset allow */
    double quota;                 /**< CPUs' worth of time that control groups allow; 0: no limit */
} yoke_topology;

/** Where a worker was put. */
typedef struct yoke_worker_place {
    int pinned;                          /**< 0: it may run anywhere, and the rest means nothing */
    int whole_node;                      /**< it may run on any core of its node */
    unsigned package, node, cache, core; /**< counted from 0 over what is usable */
    unsigned os_cpu;                     /**< the system's number of the hardware thread */
} yoke_worker_place;

/** Fills *topology. NULL runtime: the default one. Any thread. @return 0, EINVAL, or why no runtime could be opened. */
YOKE_API int yoke_topology_of(yoke_runtime *runtime, yoke_topology *topology);

/** Fills *place for worker k of [0, yoke_workers()). Worker 0 is the calling thread, which Yoke never pins: its place
 *  is the core that is kept free for it. @return 0, EINVAL; EBUSY from inside a body. */
YOKE_API int yoke_worker_place_of(yoke_runtime *runtime, unsigned k, yoke_worker_place *place);

#ifdef __cplusplus
}
#endif
#endif
