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

/** A hardware thread that the process may use. Cores and what holds them are counted from 0 over these. */
typedef struct yoke_usable_cpu {
    unsigned os_cpu; /**< the system's number */
    unsigned package, node, cache, core;
} yoke_usable_cpu;

/** Fills cpus[0 .. min(capacity, *count)), neighbours side by side: the process's affinity mask when the library was
 *  loaded, inside of its cpuset. *quota, if not NULL: as in yoke_topology. Opens no runtime; takes milliseconds. Any
 *  thread. @return 0, EINVAL, ENOMEM, ETOPOLOGY. */
YOKE_API int yoke_usable_cpus(yoke_usable_cpu *cpus, size_t capacity, size_t *count, double *quota);

/** Fills *place for worker k of [0, yoke_workers()). Worker 0 is the calling thread, which Yoke never pins: its place
 *  is the core that is kept free for it. @return 0, EINVAL; EBUSY from inside a body. */
YOKE_API int yoke_worker_place_of(yoke_runtime *runtime, unsigned k, yoke_worker_place *place);

/** One hardware thread of a machine. */
typedef struct yoke_cpu {
    unsigned os_cpu, os_node;            /**< the system's numbers of it and of its NUMA node */
    unsigned package, node, cache, core; /**< counted from 0 over the machine */
    unsigned kind;                       /**< 0: the strongest cores; larger: weaker ones */
    int usable;                          /**< affinity mask and cpuset allow it */
    int worker; /**< the first worker that would be put here; -1: none, or they are not pinned */
} yoke_cpu;

/** A machine, and how a runtime that is opened now with the default options would use it. */
typedef struct yoke_machine {
    yoke_topology topology;
    unsigned workers;     /**< one per usable core, fewer under a quota; or as YOKE_WORKERS says */
    yoke_pin pin;         /**< where they would be put: compact, or as YOKE_PIN says */
    size_t cpu_count;     /**< hardware threads, neighbours side by side: */
    const yoke_cpu *cpus; /**< owned by the machine */
} yoke_machine;

/** Reads this machine (NULL), or another one's description: a synthetic string of hwloc ("pack:2 numa:4 core:16 pu:2"), or
 *  the path of an XML file that lstopo wrote. No thread is started and no device is looked for. Any thread.
 *  @return to be given to yoke_machine_free(); NULL with a detail: EINVAL for an unknown environment value, ETOPOLOGY,
 *          ENOMEM. */
YOKE_API yoke_machine *yoke_machine_read(const char *description);
/** NULL is fine. */
YOKE_API void yoke_machine_free(yoke_machine *machine);

typedef enum yoke_device_type { YOKE_DEVICE_CPU = 1, YOKE_DEVICE_GPU, YOKE_DEVICE_ACCELERATOR } yoke_device_type;

typedef enum yoke_device_state {
    YOKE_DEVICE_READY = 1,
    YOKE_DEVICE_REFUSED, /**< what its driver says of it makes no sense, or it lacks what every kernel needs */
    YOKE_DEVICE_LOST     /**< it failed or hung; left alone until yoke_reopen_device() */
} yoke_device_state;

/** A device besides the workers: OpenCL's. Strings are borrowed until the runtime is closed. */
typedef struct yoke_device {
    const char *name, *vendor, *platform, *driver;
    const char *version; /**< of the interface: "OpenCL 3.0 ..." */
    const char *reason;  /**< why it is refused or lost; "" otherwise */
    yoke_device_type type;
    yoke_device_state state;
    int in_use; /**< selected by the runtime's options or YOKE_DEVICES */
    unsigned compute_units;
    int node;              /**< the system's number of the NUMA node it is attached to; -1: unknown */
    uint64_t memory_bytes; /**< of its global memory */
    uint64_t array_bytes;  /**< largest array it can hold */
    int shares_memory;     /**< host and device use the same memory */
    int has_double;
    int is_exact;                         /**< rounds division and square root correctly and keeps denormals */
    uint64_t pieces, bytes_in, bytes_out; /**< run and moved so far */
    uint64_t pieces_lost;                 /**< taken, failed, and run elsewhere */
} yoke_device;

/** Number of devices found; looks for them and waits for that first. 0 when YOKE_DEVICES or the options say "cpu". NULL
 *  runtime: the default one. @return negative on failure; EFORKED in a child of a process that used devices. */
YOKE_API int yoke_devices(yoke_runtime *runtime);

/** Fills *device for device k of [0, yoke_devices()); k is the number in "opencl:k". @return 0, EINVAL. */
YOKE_API int yoke_device_of(yoke_runtime *runtime, unsigned k, yoke_device *device);

/** Gives a lost device another chance, with fresh queues; what it held is given up. Any thread.
 *  @return 0; EINVAL when it is not lost; ENODEV when it is gone. */
YOKE_API int yoke_reopen_device(yoke_runtime *runtime, unsigned k);

#ifdef __cplusplus
}
#endif
#endif
