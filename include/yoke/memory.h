/* Arrays that Yoke allocates: page-aligned, placed on NUMA nodes where the program asks for it, shared with devices
 * without a copy where the hardware allows it, and kept on devices where it does not.
 *
 * Arrays of yoke_alloc are managed: what a kernel wrote on a device with memory of its own stays there, and a later call
 * moves only what is missing where it runs. Kernels see that by themselves; the program's own code says when it looks at
 * an array or changes it:
 *
 *     float *x = yoke_alloc(n * sizeof *x, YOKE_PLACE_DEFAULT);
 *     fill(yoke_write(x), n);                // before the host writes all of it
 *     for (int k = 0; k < 10; k++)
 *         parallel_map(step, n, x);          // on a GPU, x goes there once
 *     print(yoke_read(x), n);                // before the host reads it
 *
 * Without devices, or with those that share the host's memory, these calls do nothing, and a forgotten one is not noticed:
 * YOKE_CHECK=1 finds them where a device is used, by name and line (docs/kernels.md, "Finding mistakes"). Functions given to
 * parallel_for are the program's own code. Memory that is not of yoke_alloc is the host's always. */
#ifndef YOKE_MEMORY_H
#define YOKE_MEMORY_H

#include "yoke/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where the pages of an array go. Nothing is touched for it: a page takes its place when it is first written to, by
 *  whatever thread. A node that is full passes pages on to others. On a machine of one node all are alike. */
typedef enum yoke_placement {
    YOKE_PLACE_DEFAULT = 0, /**< on the node of the thread that touches them first, or as numactl says */
    /** The k-th part on the node of worker k, where maps over the whole array begin: with w workers, bytes
     *  [k * size / w, (k + 1) * size / w), but for the pages at the borders (huge ones where parts are of 32 MiB and
     *  more). Worker 0 is the calling thread: its part goes to the core that is kept free for it. Workers are counted and
     *  placed as at this call. A map on m < w workers (options.workers, or one with less than a thousand items for each)
     *  divides the array by m: worker k then begins with parts of others. So does a map over a piece of the array. Items
     *  that are stolen are read from afar. */
    YOKE_PLACE_PARTITION = 1,
    YOKE_PLACE_INTERLEAVE = 2,      /**< pages in turn over all usable nodes: for what every worker reads */
    YOKE_PLACE_LOCAL = 3,           /**< on the node where the calling thread is now */
    YOKE_PLACE_NODE_0 = 0x10000,    /**< on one node: YOKE_PLACE_NODE(k) */
    YOKE_PLACE_NODE_LAST = 0x1ffff, /**< no node has a larger number */
} yoke_placement;

/** On node k, counted over the usable ones as in yoke_worker_place: 0 <= k < yoke_topology.usable.nodes. */
#define YOKE_PLACE_NODE(k) ((yoke_placement)(YOKE_PLACE_NODE_0 + (k)))

/** Allocates `bytes` of zeroed memory, aligned to a page, and to 2 MiB from 4 MiB on: such arrays ask for huge pages. Any
 *  thread; freed with yoke_free only. 0 bytes give a pointer that can be freed. Placements other than the default one open
 *  the default runtime, for its workers and nodes. One that cannot be had costs speed, not memory: the array is returned,
 *  and yoke_placement_of() says why.
 *  @return NULL with a detail: EINVAL for an unknown placement or node, EOVERFLOW, ENOMEM, or why no runtime opened. */
YOKE_API void *yoke_alloc(size_t bytes, yoke_placement placement);

/** The same with the workers and nodes of a runtime, which may be closed before the array is freed. NULL: the default one. */
YOKE_API void *yoke_alloc_on(yoke_runtime *runtime, size_t bytes, yoke_placement placement);

/** The same as yoke_alloc(), but shared: worker processes of this program's pools (yoke/executor.h) have such arrays at the
 *  same address. So pointers into them may be in arguments of tasks, nothing is copied, and what a worker writes is in
 *  the array when its task has ended. Allocated and freed at any time, but not freed while a task uses it. A worker sees the
 *  host's memory only: before such a task is submitted, yoke_read() what it reads and yoke_update() what it writes,
 *  where devices may have written. A child of fork() shares it too, in both directions; each frees it by itself. Devices
 *  with the host's memory get copies. Takes a descriptor until it is freed.
 *  @return as yoke_alloc(); also NULL with EIO: the system refuses the file of memory (descriptors, RLIMIT_FSIZE, a
 *          sandbox). */
YOKE_API void *yoke_alloc_shared(size_t bytes, yoke_placement placement);

/** The same with the workers and nodes of a runtime, as yoke_alloc_on(). */
YOKE_API void *yoke_alloc_shared_on(yoke_runtime *runtime, size_t bytes, yoke_placement placement);

/** Frees memory of yoke_alloc and yoke_alloc_shared, from any thread; NULL is fine. No call may be using it.
 *  @return 0; EINVAL when it is not the start of such memory. */
YOKE_API int yoke_free(void *memory);

enum { YOKE_REPORT_NODES = 64 };

/** What became of a placement. Counts are in pages of `page_bytes`; a huge page counts as what it is made of. */
typedef struct yoke_placement_report {
    yoke_placement requested;
    int status; /**< 0: the system took it; else ESTATE (it refuses), ENOSYS (it knows no nodes), EBUSY (asked for from
                           inside a body), ENOMEM: what it refused goes where it is first touched */
    char detail[160]; /**< the sentence for that status; "" for 0 */
    size_t page_bytes;
    size_t pages;   /**< of the array, or of the range */
    size_t present; /**< of these, those that have a place: on_node[] and elsewhere together; */
    size_t absent;  /**< and those that have none: not written to so far, or swapped out */
    unsigned nodes; /**< usable nodes, at most YOKE_REPORT_NODES: so many entries of the next two count */
    size_t on_node[YOKE_REPORT_NODES];   /**< pages on node k, counted as in YOKE_PLACE_NODE(k) */
    unsigned os_node[YOKE_REPORT_NODES]; /**< the system's number of node k, as numactl has it */
    size_t elsewhere;                    /**< pages on nodes that are not listed, such as those without CPUs */
} yoke_placement_report;

/** Where the pages of an array of yoke_alloc are now; `memory` is any address in it. Asks the system for every page: about
 *  0.1 us each. Opens the default runtime, for the numbers of nodes. Any thread; nobody may free the array meanwhile.
 *  @return 0; EINVAL when it is not such memory, or report is NULL; ESTATE or ENOSYS when the system does not tell (a
 *          sandbox): then only requested, status, detail, page_bytes and pages are filled, and the rest is 0. */
YOKE_API int yoke_placement_of(const void *memory, yoke_placement_report *report);

/** The same for the pages that hold [memory, memory + bytes), which lies in one array. */
YOKE_API int yoke_placement_of_range(const void *memory, size_t bytes, yoke_placement_report *report);

/** Before the program's own code reads an array: brings what is valid only on devices to the host. The devices' copies
 *  stay valid. Any address in it means all of it. Waits for the transfers; no call may be writing to the array.
 *  @return `memory`; NULL with a detail: EINVAL when it is NULL, ELOST when the only valid copy of a part was on a device
 *          that failed (the rest was brought), EFORKED in a child whose parent had it on a device, ENODEV, ENOMEM. */
YOKE_API const void *yoke_read(const void *memory);

/** Before the program's own code writes all of an array: the devices' copies are not valid any more, and nothing is moved.
 *  What the program then does not write is unspecified. @return as yoke_read(). */
YOKE_API void *yoke_write(void *memory);

/** Before the program's own code changes parts of an array, or reads and writes it: both of the above. */
YOKE_API void *yoke_update(void *memory);

/** The same for [memory, memory + bytes), which lies in one array (else EINVAL, where a device has a part of it). */
YOKE_API const void *yoke_read_range(const void *memory, size_t bytes);
YOKE_API void *yoke_write_range(void *memory, size_t bytes);
YOKE_API void *yoke_update_range(void *memory, size_t bytes);

/** Begins to bring what the host has of an array to device k of yoke_device_of(), so that a later call finds it there;
 *  returns at once. Only a hint: what does not fit is left where it is, as is what only another device has; a device that
 *  shares the host's memory has it already; and what is written before it arrives goes there again. `memory` is any
 *  address in it; NULL runtime: the default one. The program writes to it after yoke_write() or yoke_update() only, and
 *  no call may be writing to it.
 *  @return 0; EINVAL when it is not memory of yoke_alloc or there is no device k; ENODEV when the device cannot be used
 *          now, or may not be by this runtime; ENOMEM; EFORKED. */
YOKE_API int yoke_prefetch(yoke_runtime *runtime, const void *memory, unsigned device);

/** What messages call an array (at most 95 bytes, copied), such as that of ELOST; NULL: as the last kernel does that used
 *  it on a device. @return 0; EINVAL when it is not memory of yoke_alloc. */
YOKE_API int yoke_name_array(void *memory, const char *name);

#ifdef __cplusplus
}
#endif
#endif
