/* The verbs over the ranks of an MPI communicator: each rank uses its own cores and devices, MPI carries the data. A
 * component of its own: link yoke::mpi, or pkg-config yoke-mpi.
 *
 *     yoke_mpi_init(&argc, &argv);
 *     yoke_mpi *mpi = yoke_mpi_open(MPI_COMM_WORLD, NULL);
 *     int status = yoke_mpi_parallel_map(mpi, saxpy, n, y, x, 2.0f);       // x and y on rank 0, NULL elsewhere
 *     yoke_mpi_close(mpi);
 *     MPI_Finalize();
 *
 * All calls here are collective: every rank of the communicator makes the same ones, in the same order, with the same
 * kernel and sizes. Where that does not hold nothing comes of the call, and every rank gets EINVAL with who does what.
 * Values are those of the root (rank 0, unless the options say otherwise), whatever other ranks give.
 *
 * Arrays are either on the root, where the program has them, and NULL elsewhere; or block-distributed: of
 * yoke_mpi_array_open(), given by yoke_mpi_local(). A call's sliced arrays (in, out, inout, halo) are all of the one or all
 * of the other kind; its `whole` arrays are the root's, and go to every rank; `scatter` runs on the root alone. Results
 * have the same bits for any number of ranks and any division: those of the call on one machine.
 *
 * All return 0 or a negative status with yoke_error_detail(), which every rank gets: EINVAL, EOVERFLOW, ENOMEM as the call
 * on one machine, with the rank it happened on; ESTATE from another thread than MPI allows, or after a failure of MPI;
 * EIO when MPI fails; ETIMEDOUT when ranks do not come (yoke_mpi_options.patience_ns): the message names them. After these
 * last two the communicator is not used any more: every later call gives ESTATE, and the program may end the job.
 *
 * Refused calls leave arrays as they were, but for distributed `out` arrays; after another failure, arrays that the call
 * writes are unspecified. A map over distributed arrays waits for no other rank but the neighbours in a halo: what fails on
 * one rank after all have agreed, the others are told by their next call.
 *
 * One thread of a rank makes the calls: the main one where MPI was given MPI_THREAD_FUNNELED, any where more. Yoke's
 * workers never call MPI. */
#ifndef YOKE_MPI_H
#define YOKE_MPI_H

#include <mpi.h>

#include "yoke/parallel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yoke_mpi yoke_mpi;
typedef struct yoke_mpi_array yoke_mpi_array;

/** How ranks open; zeroed members mean the defaults. The same on every rank, but for runtime and weight. */
typedef struct yoke_mpi_options {
    size_t size; /**< 0, or sizeof(yoke_mpi_options) */
    int root;    /**< whose plain arrays are meant */
    /** Of this rank's runtime; borrowed for the call. Where it leaves cpus, workers and devices open, the ranks of a node
     *  divide the cores that more than one of them may use, and the devices. NULL: all of it is left open. */
    const yoke_runtime_options *runtime;
    double weight;       /**< this rank's speed until a kernel's is measured; 0: its workers */
    int64_t patience_ns; /**< how long one rank may keep another waiting; 0: for ever */
} yoke_mpi_options;

/** Bits of yoke_mpi_call.flags. */
enum {
    /** Ranks take pieces one after the other from a shared counter instead of a share each: for ranks or items whose
     *  speed is not known beforehand. Maps over arrays of the root. */
    YOKE_MPI_DYNAMIC = 1
};

/** Options of one call; the same on every rank. Zeroed members mean the defaults. */
typedef struct yoke_mpi_call {
    size_t size; /**< 0, or sizeof(yoke_mpi_call) */
    unsigned flags;
    size_t grain; /**< DYNAMIC: items (2-D: rows) per piece; 0: a 32nd of a rank's share, less at the end */
} yoke_mpi_call;

/** MPI_Init_thread with the level that is needed, MPI_THREAD_FUNNELED. argc and argv may be NULL.
 *  @return 0; ESTATE when MPI gives less, or was initialised with less; EIO. */
YOKE_API int yoke_mpi_init(int *argc, char ***argv);

/** Opens the verbs on a communicator, which is duplicated. Collective. Each rank opens a runtime of its own:
 *  - cores that several ranks of a node may use (no launcher bound them) are divided among these, neighbours together;
 *    ranks whose masks are disjoint keep what they were given; a rank for which no core is left works alone, unpinned;
 *  - a quota of the control group is shared in the same way;
 *  - devices that all ranks of a node see are dealt out, one rank each; where an environment variable of the launcher
 *    (CUDA_VISIBLE_DEVICES and its like) differs between ranks, each keeps what it sees;
 *  - all ranks use the instruction set that all of them have.
 *  @return NULL with a detail on every rank: ESTATE (MPI is not initialised, or below MPI_THREAD_FUNNELED), EVERSION,
 *          EINVAL, or why a rank could not open its runtime. */
YOKE_API yoke_mpi *yoke_mpi_open(MPI_Comm comm, const yoke_mpi_options *options);

/** Closes it on every rank; its arrays are closed before. NULL is fine. @return 0, EBUSY when arrays are open. */
YOKE_API int yoke_mpi_close(yoke_mpi *mpi);

/** This rank's runtime, for calls of its own. */
YOKE_API yoke_runtime *yoke_mpi_runtime(yoke_mpi *mpi);
/** This rank in the communicator, and how many there are. Not collective. */
YOKE_API int yoke_mpi_rank(const yoke_mpi *mpi);
YOKE_API int yoke_mpi_size(const yoke_mpi *mpi);

/** How the last call was divided. Not collective; all of it is known on the root, elsewhere only its own part. */
typedef struct yoke_mpi_share {
    size_t items;   /**< of the rank, as the call was divided: n, rows, or blocks of a reduction */
    double compute; /**< seconds that it computed */
} yoke_mpi_share;
/** @return 0; EINVAL for no such rank. */
YOKE_API int yoke_mpi_share_of(const yoke_mpi *mpi, int rank, yoke_mpi_share *share);

/* --- block-distributed arrays --- */

/** An array of `items` items of `item_bytes` each (in 2-D an item is a row), divided into one block per rank in
 *  proportion to the ranks' weights; arrays of equal `items` and item_bytes <= 64 or > 64 are divided alike. `before` and
 *  `after`: the largest rim of a halo that it will be read with. Zeroed. Collective.
 *  @return NULL with a detail on every rank: EINVAL, EOVERFLOW, ENOMEM. */
YOKE_API yoke_mpi_array *yoke_mpi_array_open(yoke_mpi *mpi, size_t items, size_t item_bytes, size_t before,
                                             size_t after);
/** Collective. NULL is fine. */
YOKE_API int yoke_mpi_array_close(yoke_mpi_array *array);

/** This rank's part: its first item. It is what is given to the verbs, and may be read and written between calls. Never
 *  NULL. */
YOKE_API void *yoke_mpi_local(const yoke_mpi_array *array);
/** Items [*begin, *end) are a rank's. @return 0 or EINVAL. */
YOKE_API int yoke_mpi_range(const yoke_mpi_array *array, int rank, size_t *begin, size_t *end);
/** The rank that has an item; -1: none. */
YOKE_API int yoke_mpi_owner(const yoke_mpi_array *array, size_t item);

/** All items from or to an array of the root (NULL elsewhere), in order. Collective. */
YOKE_API int yoke_mpi_scatter(yoke_mpi_array *array, const void *from);
YOKE_API int yoke_mpi_gather(const yoke_mpi_array *array, void *to);

/* --- the verbs --- */

/* Entered by the macros only: what makes the launcher of a kernel go to the ranks. Never NULL. */
YOKE_API const yoke_options *yoke_mpi_entry(yoke_mpi *mpi, const yoke_mpi_call *call);

#ifdef __cplusplus
}
#endif

/** int yoke_mpi_parallel_map(yoke_mpi *, KERNEL, size_t n, arrays and values in the order of the kernel's parameters) */
#define yoke_mpi_parallel_map(mpi, kernel, ...) \
    YOKE__TYPED_CALL(kernel, map, 1, NULL, yoke_mpi_entry(mpi, NULL), __VA_ARGS__)
/** The same with options: yoke_mpi_parallel_map_on(yoke_mpi *, const yoke_mpi_call *, KERNEL, size_t n, ...) */
#define yoke_mpi_parallel_map_on(mpi, call, kernel, ...) \
    YOKE__TYPED_CALL(kernel, map, 1, NULL, yoke_mpi_entry(mpi, call), __VA_ARGS__)
/** int yoke_mpi_parallel_map_2d(yoke_mpi *, KERNEL, size_t width, size_t height, ...): rows are divided */
#define yoke_mpi_parallel_map_2d(mpi, kernel, ...) \
    YOKE__TYPED_CALL(kernel, map_2d, 2, NULL, yoke_mpi_entry(mpi, NULL), __VA_ARGS__)
#define yoke_mpi_parallel_map_2d_on(mpi, call, kernel, ...) \
    YOKE__TYPED_CALL(kernel, map_2d, 2, NULL, yoke_mpi_entry(mpi, call), __VA_ARGS__)
/** int yoke_mpi_parallel_reduce(yoke_mpi *, REDUCTION, size_t n, T *result, ...): every rank gets the result */
#define yoke_mpi_parallel_reduce(mpi, kernel, ...) \
    YOKE__TYPED_CALL(kernel, reduce, 2, NULL, yoke_mpi_entry(mpi, NULL), __VA_ARGS__)
#define yoke_mpi_parallel_reduce_on(mpi, call, kernel, ...) \
    YOKE__TYPED_CALL(kernel, reduce, 2, NULL, yoke_mpi_entry(mpi, call), __VA_ARGS__)

#endif
