/* The verbs: map, reduce and for over a range, on every core that the process may use.
 *
 * All but the _async forms block until the work is done. They may be called from any number of threads at once, and from
 * inside a body. A map gives the same bits for any number of workers, any division and any alignment; a reduction combines
 * fixed blocks in a fixed tree, so it does too.
 *
 * All return 0 or a negative status (yoke_error_detail() says more): EINVAL for a NULL, misaligned or partly
 * overlapping array, a negative count or an absurd option; EOVERFLOW for sizes beyond the address space; ENOMEM;
 * ECHECK in a runtime that checks kernels; ETIMEDOUT and ECANCELED (arrays written so far are then unspecified). Refused
 * calls leave arrays as they were. Zero items succeed and touch nothing. `in` and `out` may be exactly the same array
 * (equal element size and count).
 *
 * The _async forms take a future (yoke/future.h) and return before the work is done:
 *
 *     yoke_future f = {0};
 *     int status = parallel_map_async(&f, saxpy, n, y, x, 2.0f);
 *     ...
 *     status = yoke_result(&f, NULL, 0, 0);
 *
 * The asynchronous calls of a runtime run one after the other, in the order in which they were made, each when the one
 * before it has ended, in whatever way; so it may use what those before it write. They run on one thread of the runtime,
 * "yoke-async", that takes the caller's part and sleeps when there is nothing to do; blocking calls go beside them.
 *   Ownership: values and options are copied at the call. Arrays, the result of a reduction, the argument of a body, and
 * what the options point to are borrowed until the future has ended.
 *   Errors: what the blocking form refuses because of its arguments, this refuses at once, with the same status; then, and
 * with EBUSY (the future has not ended), EAGAIN (no thread), EINVAL (future is NULL) and ENOMEM, the future is as it
 * was. Whatever comes later is what yoke_result() returns, with its detail.
 *   yoke_cancel() takes a call that has not begun; one that runs is ended by `cancel` of its options.
 *   In a body or callback that runs on that thread, a wait without a deadline for a later call runs the calls up to it
 * there; otherwise a body must not wait for its own call or later ones of the runtime: that never ends. */
#ifndef YOKE_PARALLEL_H
#define YOKE_PARALLEL_H

#include "yoke/future.h"
#include "yoke/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of yoke_options.flags. */
enum {
    YOKE_ALWAYS_DIVIDE = 1,     /**< use the workers even where the caller alone is predicted to be faster */
    YOKE_NEVER_STREAM = 2,      /**< never write `out` arrays past the caches */
    YOKE_ALWAYS_STREAM = 4,     /**< always do */
    YOKE_NEVER_COEXECUTE = 8,   /**< the workers, or one device, whichever is faster alone */
    YOKE_ALWAYS_COEXECUTE = 16, /**< divided among the workers and all devices that are ready, even where one
                                   place is predicted to be faster */
    YOKE_WRITE_BACK = 32 /**< managed arrays that the call wrote are valid on the host when it ends (yoke/memory.h):
                                   nothing of its results is lost with a device */
};

/** A part of a call, and who did it. */
typedef struct yoke_piece {
    int device;        /**< as in yoke_device_of(); -1: the workers */
    size_t begin, end; /**< items (2-D: rows) */
} yoke_piece;

/** Room for the pieces of a call, in the order in which they ended. */
typedef struct yoke_pieces {
    yoke_piece *list;
    size_t capacity;
    size_t count; /**< pieces there were; those beyond the capacity are not in the list */
} yoke_pieces;

/** Who runs a call that is not the runtime's own affair, as yoke/mpi.h; `result` is NULL for a map. */
typedef struct yoke_launcher yoke_launcher;
struct yoke_launcher {
    int (*launch)(const yoke_launcher *self, const yoke_kernel *kernel, size_t size0, size_t size1, void *result,
                  void *const *arguments);
};

/** Options of one call; zeroed members mean the defaults. */
struct yoke_options {
    size_t size;         /**< 0, or sizeof(yoke_options) */
    unsigned flags;      /**< YOKE_ALWAYS_DIVIDE and so on */
    unsigned workers;    /**< at most so many threads, the caller included; 0: as many of the runtime as prove best */
    size_t grain;        /**< items (2-D: rows) per claimed piece at least; 0: chosen */
    size_t pitch;        /**< 2-D: elements from one row of every sliced array to the next; 0: width */
    int64_t deadline_ns; /**< on CLOCK_MONOTONIC, see yoke_deadline_in(); 0: none; negative: EINVAL */
    /** Called on the calling thread (_async: the runtime's), now and then and once at the end, with items done and all
     *  items (2-D: rows). */
    void (*progress)(size_t done, size_t total, void *argument);
    void *progress_argument;
    const volatile int *cancel; /**< the call gives up with ECANCELED soon after this turns non-zero; NULL: never */
    /** Which of the runtime's devices may run this call, as in yoke_runtime_options.devices; without "cpu" it goes to a
     *  device if any of them can. NULL: all that the runtime may use, and the fastest is chosen. */
    const char *devices;
    yoke_pieces *pieces;           /**< filled with who did which part; NULL: nobody wants to know */
    const yoke_launcher *launcher; /**< runs the call of a kernel in the runtime's place; NULL: none */
};

/** Runs body(begin, end, argument) over pieces that together make [0, n), each item once. */
YOKE_API int yoke_parallel_for(size_t n, void (*body)(size_t begin, size_t end, void *argument), void *argument);
YOKE_API int yoke_parallel_for_on(yoke_runtime *runtime, const yoke_options *options, size_t n,
                                  void (*body)(size_t begin, size_t end, void *argument), void *argument);
YOKE_API int yoke_parallel_for_async(yoke_future *future, size_t n,
                                     void (*body)(size_t begin, size_t end, void *argument), void *argument);
YOKE_API int yoke_parallel_for_async_on(yoke_runtime *runtime, const yoke_options *options, yoke_future *future,
                                        size_t n, void (*body)(size_t begin, size_t end, void *argument),
                                        void *argument);

#ifdef __cplusplus
}
#endif

/* A wrong argument is an error that names the kernel, also where C only warns. `extra` counts what stands before the
 * kernel's own arguments: n, or width and height, or n and the result; and the future. */
#ifdef __cplusplus
#define YOKE__TYPED_CALL(kernel, verb, extra, runtime, options, ...) \
    yoke__##verb##_##kernel(runtime, options, __VA_ARGS__)
#else
#if defined(__clang__)
#define YOKE__LOST_CONST _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types-discards-qualifiers\"")
#else
#define YOKE__LOST_CONST _Pragma("GCC diagnostic error \"-Wdiscarded-qualifiers\"")
#endif
#define YOKE__TYPED_CALL(kernel, verb, extra, runtime, options, ...)                                         \
    __extension__({                                                                                          \
        _Static_assert(YOKE__COUNT(__VA_ARGS__) == extra + sizeof yoke__##kernel##_arguments,                \
                       "kernel " #kernel ": too few or too many arguments");                                 \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")      \
            YOKE__LOST_CONST _Pragma("GCC diagnostic error \"-Wint-conversion\"")                            \
                _Pragma("GCC diagnostic error \"-Wimplicit-function-declaration\"") const int yoke__status = \
                    yoke__##verb##_##kernel(runtime, options, __VA_ARGS__);                                  \
        _Pragma("GCC diagnostic pop") yoke__status;                                                          \
    })
#endif

/** int yoke_parallel_map(KERNEL, size_t n, arrays and values in the order of the kernel's parameters) */
#define yoke_parallel_map(kernel, ...) YOKE__TYPED_CALL(kernel, map, 1, NULL, NULL, __VA_ARGS__)
/** int yoke_parallel_map_on(yoke_runtime *, const yoke_options *, KERNEL, size_t n, ...); NULLs mean the defaults */
#define yoke_parallel_map_on(runtime, options, kernel, ...) \
    YOKE__TYPED_CALL(kernel, map, 1, runtime, options, __VA_ARGS__)
/** int yoke_parallel_map_2d(KERNEL, size_t width, size_t height, ...) */
#define yoke_parallel_map_2d(kernel, ...) YOKE__TYPED_CALL(kernel, map_2d, 2, NULL, NULL, __VA_ARGS__)
#define yoke_parallel_map_2d_on(runtime, options, kernel, ...) \
    YOKE__TYPED_CALL(kernel, map_2d, 2, runtime, options, __VA_ARGS__)
/** int yoke_parallel_reduce(REDUCTION, size_t n, T *result, ...); the result of no items is the identity */
#define yoke_parallel_reduce(kernel, ...) YOKE__TYPED_CALL(kernel, reduce, 2, NULL, NULL, __VA_ARGS__)
#define yoke_parallel_reduce_on(runtime, options, kernel, ...) \
    YOKE__TYPED_CALL(kernel, reduce, 2, runtime, options, __VA_ARGS__)

/** int yoke_parallel_map_async(yoke_future *, KERNEL, size_t n, ...), and so on: the same, but for the future */
#define yoke_parallel_map_async(future, kernel, ...) \
    YOKE__TYPED_CALL(kernel, async_map, 2, NULL, NULL, future, __VA_ARGS__)
/** int yoke_parallel_map_async_on(yoke_runtime *, const yoke_options *, yoke_future *, KERNEL, size_t n, ...) */
#define yoke_parallel_map_async_on(runtime, options, future, kernel, ...) \
    YOKE__TYPED_CALL(kernel, async_map, 2, runtime, options, future, __VA_ARGS__)
#define yoke_parallel_map_2d_async(future, kernel, ...) \
    YOKE__TYPED_CALL(kernel, async_map_2d, 3, NULL, NULL, future, __VA_ARGS__)
#define yoke_parallel_map_2d_async_on(runtime, options, future, kernel, ...) \
    YOKE__TYPED_CALL(kernel, async_map_2d, 3, runtime, options, future, __VA_ARGS__)
#define yoke_parallel_reduce_async(future, kernel, ...) \
    YOKE__TYPED_CALL(kernel, async_reduce, 3, NULL, NULL, future, __VA_ARGS__)
#define yoke_parallel_reduce_async_on(runtime, options, future, kernel, ...) \
    YOKE__TYPED_CALL(kernel, async_reduce, 3, runtime, options, future, __VA_ARGS__)

#ifndef YOKE_NO_SHORT_NAMES
#define parallel_map yoke_parallel_map
#define parallel_map_on yoke_parallel_map_on
#define parallel_map_2d yoke_parallel_map_2d
#define parallel_map_2d_on yoke_parallel_map_2d_on
#define parallel_reduce yoke_parallel_reduce
#define parallel_reduce_on yoke_parallel_reduce_on
#define parallel_for yoke_parallel_for
#define parallel_for_on yoke_parallel_for_on
#define parallel_map_async yoke_parallel_map_async
#define parallel_map_async_on yoke_parallel_map_async_on
#define parallel_map_2d_async yoke_parallel_map_2d_async
#define parallel_map_2d_async_on yoke_parallel_map_2d_async_on
#define parallel_reduce_async yoke_parallel_reduce_async
#define parallel_reduce_async_on yoke_parallel_reduce_async_on
#define parallel_for_async yoke_parallel_for_async
#define parallel_for_async_on yoke_parallel_for_async_on
#endif

#endif
