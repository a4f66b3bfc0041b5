/* Door of lib/backend: what the verbs know of a place that runs kernels besides their own workers. One table of
 * functions, and the task that is given to it. Types only: a backend is chosen in lib/parallel/backends.c.
 *
 * Any function may be called by any thread, any number at once, unless it says otherwise; none returns while it holds
 * a lock, and none is called from a destructor, an exit handler or a forked child. */
#ifndef YOKE_BACKEND_H
#define YOKE_BACKEND_H

#include "lib/base/base.h"
#include "lib/topology/topology.h"
#include "yoke/kernel.h"
#include "yoke/topology.h"

/* An array of a task. Sliced ones have item_bytes (2-D: bytes of a row's elements, without the gap); the others, whole
 * and scatter, have bytes alone. */
typedef struct yoke__task_array {
    unsigned char *host;
    size_t item_bytes;
    size_t stride;        /* from item to item in host memory: item_bytes, or a row with its gap */
    size_t before, after; /* rim of a halo, in items */
    size_t bytes;         /* of all of it */
} yoke__task_array;

/* One call, to be run in pieces of [first, first + items): items of a map, rows in 2-D, blocks of a reduction. start() copies the
 * task; what it points to is borrowed until finish() returns, and a backend that is left behind by it must touch none of
 * it afterwards. */
typedef struct yoke__task {
    const yoke_kernel *kernel;
    yoke_call call; /* sizes and values; of arrays, `array` tells more */
    yoke__task_array array[YOKE_MAX_PARAMETERS];
    size_t first; /* 0, but for a part of a call that others run the rest of */
    size_t items;
    size_t block;            /* reductions: grid items per block, for a piece counts blocks there */
    unsigned char *partials; /* reductions: result_size bytes per block, beginning with `first` */
    bool indivisible;        /* all items are one piece */
    bool divided;            /* others run pieces of the same call */
    bool write_back;         /* what a piece wrote to managed arrays is on the host, too, when it is done */
    /* What a backend asks for and reports while it runs, on any of its threads, for one task never two at once. take: the next piece
     * of at most `most` items; false when there is none left. done: a piece whose results stand in the arrays. */
    bool (*take)(void *context, size_t most, size_t *begin, size_t *end);
    void (*done)(void *context, size_t begin, size_t end);
    /* On the caller's thread, before finish() returns: a piece that was taken and whose results do not stand anywhere. */
    void (*lost)(void *context, size_t begin, size_t end);
    /* On the caller's thread, now and then while it waits: a status that ends the run after the pieces in flight. */
    int (*poll)(void *context);
    void *context;
    int64_t piece_limit_ns; /* a piece that takes longer is lost, and the device with it */
} yoke__task;

typedef enum yoke__readiness {
    YOKE__READY,     /* start() may be called */
    YOKE__PREPARING, /* being compiled in the background */
    YOKE__REFUSED    /* this kernel cannot run there; why() tells */
} yoke__readiness;

/* How a device is reached: the least that anything takes there, and bytes of arrays to it and from it. INFINITY: it has the
 * host's memory. */
typedef struct yoke__speed {
    double launch_ns, in_bytes_per_ns, out_bytes_per_ns;
} yoke__speed;

typedef struct yoke__backend {
    const char *name;
    /* Required. Cheap: nothing of the backend's system is touched before discover(). The topology must outlive it. A step
     * of discovering, opening or compiling that takes longer than `limit_ns` hangs, and is left behind. */
    int (*open)(void **state, const yoke__topology *topology, int64_t limit_ns);
    /* Optional. Whether to look for devices that nobody named: 1, 0, or -1 while that is found out, in the background and
     * without loading anything into this process. Cheap. */
    int (*probe)(void *state);
    /* Required. Starts looking for devices in the background if nobody has, and waits for the end of it until
     * `until_ns` (0: not at all). 0, ETIMEDOUT while it goes on, EFORKED in a child whose parent had begun. */
    int (*discover)(void *state, int64_t until_ns);
    /* Required. Number of devices that were found; 0 before the end of discovery. Never changes afterwards. */
    unsigned (*count)(void *state);
    /* Required. Fills *device, strings borrowed until close. */
    void (*describe)(void *state, unsigned k, yoke_device *device);
    /* Required, cheap. Whether the device may be given work now. */
    bool (*usable)(void *state, unsigned k);
    /* Required. Begins to compile the kernel for the device if nobody has, and waits for the end of it until `until_ns`
     * (0: not at all). */
    yoke__readiness (*prepare)(void *state, unsigned k, const yoke_kernel *kernel, int64_t until_ns);
    /* Optional, cheap. READY with *speed; PREPARING while it is measured, which this begins if nobody has, in the
     * background; REFUSED where that failed. */
    yoke__readiness (*speed)(void *state, unsigned k, yoke__speed *speed);
    /* Required. Text of a refusal by prepare(), with the compiler's log cut to fit; borrowed until close. For k = count() = 0:
     * why there are no devices; then kernel is NULL. */
    const char *(*why)(void *state, unsigned k, const yoke_kernel *kernel);
    /* Required; for a kernel that is READY. Begins to run pieces, until take() gives none. 0 with *run, which finish()
     * must get on this thread; EBUSY when another call has the device and `wait` is false; the status of poll(), which
     * ends the wait for it; ENODEV, ENOMEM: nothing was taken. */
    int (*start)(void *state, unsigned k, const yoke__task *task, bool wait, void **run);
    /* Required. Waits for the end of it. 0; the status of poll(); ENODEV or ENOMEM (detail: why) when the device failed
     * or is too small: then pieces were lost, or none taken; ELOST when arrays are not to be trusted any more. */
    int (*finish)(void *state, void *run);
    /* Optional, cheap. The number under which lib/memory knows the device's own memory; 0: it has none, or nothing is there. */
    unsigned (*home)(void *state, unsigned k);
    /* Optional. Begins to bring the managed array that holds this address to the device. 0: begun, or there is nothing to
     * bring; ENODEV when it cannot be used now, ENOMEM, EFORKED. */
    int (*prefetch)(void *state, unsigned k, const void *memory);
    /* Optional. A lost device gets another chance. 0, ENODEV, EINVAL when it is not lost. */
    int (*reopen)(void *state, unsigned k);
    /* Required. No call may be under way. False: something hangs and was left behind, and the topology must stay. */
    bool (*close)(void *state);
} yoke__backend;

#endif
