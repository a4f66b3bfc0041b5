/* Parts of a call: for those who divide one call among several processes, as yoke/mpi.h does. Programs that run on one
 * machine need none of it.
 *
 * A part has the sizes of the whole call, and so its kernel sees the same i, n, width and height; its arrays need to be
 * there only where the part's items touch them. What is written, and what a reduction gives, has the bits of the whole
 * call, whoever runs which part. */
#ifndef YOKE_PART_H
#define YOKE_PART_H

#include "yoke/parallel.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What an item needs of an array; all 0 for a value. An item is i, or in 2-D a row. */
typedef struct yoke_part_array {
    size_t item_bytes;    /**< in, out, inout, halo: item i has [i * item_bytes, (i + 1) * item_bytes) */
    size_t before, after; /**< halo: so many items around it, inside of the call's */
    size_t bytes;         /**< whole, scatter: of all of it */
} yoke_part_array;

/** How a call can be divided. */
typedef struct yoke_call_shape {
    size_t items;     /**< to divide: n, rows, or a reduction's blocks */
    size_t all;       /**< n, or rows */
    size_t block;     /**< of a reduction: items of n in a block, the last of which may be short; else 1 */
    size_t step;      /**< parts begin at multiples of so many items */
    int is_divisible; /**< 0: it scatters, and runs in one place */
    yoke_part_array array[YOKE_MAX_PARAMETERS];
} yoke_call_shape;

/** Items [begin, end) of the call; of a reduction, blocks. */
typedef struct yoke_part {
    size_t begin, end;
} yoke_part;

/** Fills *shape. Values are read through `arguments`; with has_arrays all arrays of the call are there, and are checked as
 *  the call itself would; without, their addresses are not looked at. Rows lie without gaps. Any thread.
 *  @return 0; EINVAL, EOVERFLOW as the call. */
YOKE_API int yoke_call_shape_of(const yoke_kernel *kernel, size_t size0, size_t size1, void *const *arguments,
                                int has_arrays, yoke_call_shape *shape);

/** Runs a part of a map on a runtime. A sliced array's argument is the address that item 0 would have, were all of it
 *  there; nothing is touched but what items of the part touch. In a runtime that checks kernels, parts are not checked.
 *  @return as the call; EINVAL for a part outside of the call, or one that does not begin at a step. */
YOKE_API int yoke_launch_map_part(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel,
                                  size_t size0, size_t size1, yoke_part part, void *const *arguments);

/** The same of a reduction: partials gets end - begin results, one per block, aligned for the type. */
YOKE_API int yoke_launch_reduce_part(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel,
                                     size_t n, yoke_part part, void *partials, void *const *arguments);

/** Combines the results of all blocks of a reduction in its tree; the first of them becomes the whole call's result. No
 *  blocks: nothing happens, and the result is the identity. @return 0 or EINVAL. */
YOKE_API int yoke_combine_partials(const yoke_kernel *kernel, void *partials, size_t blocks);

#ifdef __cplusplus
}
#endif
#endif
