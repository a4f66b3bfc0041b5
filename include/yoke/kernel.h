/* The kernel dialect: a loop body written once in plain C becomes a vectorised range function per instruction set,
 * the text of an OpenCL C kernel, a typed launcher and a descriptor.
 *
 *     YOKE_KERNEL(saxpy, (inout(float, y), in(float, x), value(float, a)), {
 *         y[i] += a * x[i];
 *     })
 *     int status = parallel_map(saxpy, n, y, x, 2.0f);
 *
 * Parameters, at most 16 (k is an optional count of elements per item, 1 by default):
 *   in(T, x[, k])               item i reads x[k*i ... k*i + k-1]
 *   out(T, x[, k])              writes the same, every element of it
 *   inout(T, x[, k])            reads and writes the same
 *   halo(T, x, before, after)   reads x[i-before ... i+after], inside [0, n)
 *   whole(T, x, count)          reads any of `count` elements
 *   scatter(T, x, count)        writes any of `count` elements, no two items the same one; not divided
 *   value(T, a)                 a scalar or struct, constant in the body
 * Counts are expressions over the values, n, width and height. In 2-D an item (i, j) is x[j * width + i], and slices
 * and halos count rows.
 *
 * In a body: i and n (2-D: i, j, width, height), the parameters, C arithmetic, loops, the functions of <math.h> by
 * their C names, YOKE_FUNCTIONs. A `return` ends the item. Names that OpenCL C reserves (half, local, global, kernel,
 * constant, private, ...) cannot be used; an unsuffixed 0.1 is a double, as in C. `yoke_on_device` is 0 on the CPU and 1
 * on OpenCL devices, a constant: for a branch that devices take well and that keeps a CPU's loop from being vectorised.
 *
 * A kernel is a global name like a function: define it in one .c file at file scope, YOKE_DECLARE it in a header. */
#ifndef YOKE_KERNEL_H
#define YOKE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "yoke/compiler.h"
#include "yoke/math.h"
#include "yoke/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum yoke_mode {
    YOKE_MODE_BAD = 0,
    YOKE_MODE_IN,
    YOKE_MODE_OUT,
    YOKE_MODE_INOUT,
    YOKE_MODE_HALO,
    YOKE_MODE_WHOLE,
    YOKE_MODE_SCATTER,
    YOKE_MODE_VALUE
} yoke_mode;

/** One parameter as the program wrote it; `size` and `alignment` are of one T, in bytes. */
typedef struct yoke_parameter {
    const char *name;
    const char *type;
    size_t size;
    size_t alignment;
    yoke_mode mode;
} yoke_parameter;

/** Shape of a kernel: dimensions, and whether the body handles one item, a block of lanes, or folds. */
typedef enum yoke_shape {
    YOKE_SHAPE_MAP = 0,
    YOKE_SHAPE_MAP_2D,
    YOKE_SHAPE_LANES,
    YOKE_SHAPE_LANES_2D,
    YOKE_SHAPE_REDUCE,    /**< an expression per item, combined */
    YOKE_SHAPE_ACCUMULATE /**< a body per item that updates an accumulator */
} yoke_shape;

enum { YOKE_MAX_PARAMETERS = 16, YOKE_MAX_ISAS = 4 };
enum { yoke_on_device = 0 }; /* in bodies */

/** What a range function is given: argument[k] is the k-th array, or points to the k-th value. */
typedef struct yoke_call {
    void *argument[YOKE_MAX_PARAMETERS];
    size_t size[2];    /**< n; or width, height */
    size_t columns[2]; /**< 2-D: [first, last) column of every row to run */
    void *result;      /**< reductions: one T */
} yoke_call;

/** Elements per item (in, out, inout) or in all (whole, scatter), and rim (halo); -1: negative or overflowing. */
typedef struct yoke_extent {
    int64_t count, before, after;
} yoke_extent;

typedef void yoke_range(const yoke_call *call, size_t begin, size_t end);

/** A helper function or struct type whose text kernels may need on a device. */
typedef struct yoke_text {
    const char *name;
    const char *head; /**< "float cnd(float d)" or "typedef struct pair" */
    const char *body;
    const char *file;
    int line;
    int is_type;
} yoke_text;

/** All that is known of a kernel at compile time. Constant, one per YOKE_KERNEL. */
typedef struct yoke_kernel {
    size_t size; /**< of this structure, for later versions */
    const char *name;
    const char *file;
    int line;
    yoke_shape shape;
    int exact; /**< no contraction, correctly rounded: the same bits on every device */
    size_t parameter_count;
    uint32_t arrays, sliced, written; /**< masks: bit k tells it of parameter k */
    const yoke_parameter *parameters;
    void (*extents)(const yoke_call *call, yoke_extent *extents);
    yoke_range *variants[YOKE_MAX_ISAS]; /**< baseline, AVX2 + FMA, AVX-512; on AArch64 the first is NEON */
    const char *body;                    /**< the text, user macros expanded */
    const yoke_text *const *texts_begin; /**< YOKE_FUNCTIONs and YOKE_TYPEs of the program or library it is in */
    const yoke_text *const *texts_end;
    /* reductions only */
    const char *result_type;
    size_t result_size;
    size_t result_alignment;
    const char *identity_text;
    const char *combine_text;
    void (*identity)(void *result);
    void (*combine)(void *left, const void *right);
} yoke_kernel;

typedef struct yoke_options yoke_options; /* parallel.h */
typedef struct yoke_future yoke_future;   /* future.h */

/** Writes the OpenCL C source made from the kernel, helpers and types included, as a string.
 *  @param buffer may be NULL when capacity is 0; what does not fit is cut, with a final 0.
 *  @param length receives the full length without the final 0; may be NULL. Thread-safe. */
YOKE_API int yoke_kernel_source(const yoke_kernel *kernel, char *buffer, size_t capacity, size_t *length);

/** Writes that source to a file. @return 0, YOKE_EIO, YOKE_ENOMEM, YOKE_EINVAL. */
YOKE_API int yoke_kernel_write_source(const yoke_kernel *kernel, const char *path);

/* Entered by the launchers only; the verbs of parallel.h are the way in. */
YOKE_API int yoke_launch_map(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel,
                             size_t size0, size_t size1, void *const *arguments);
YOKE_API int yoke_launch_reduce(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel, size_t n,
                                void *result, void *const *arguments);
YOKE_API int yoke_launch_map_async(yoke_runtime *runtime, const yoke_options *options, yoke_future *future,
                                   const yoke_kernel *kernel, size_t size0, size_t size1, void *const *arguments);
YOKE_API int yoke_launch_reduce_async(yoke_runtime *runtime, const yoke_options *options, yoke_future *future,
                                      const yoke_kernel *kernel, size_t n, void *result, void *const *arguments);

#ifdef __cplusplus
}
#endif

#include "yoke/detail/emit.h"
#include "yoke/detail/emit_reduce.h"
#include "yoke/detail/parameter.h"

/** YOKE_KERNEL(name, (parameters), { body }): one item i of [0, n) per call of the body. */
#define YOKE_KERNEL(name, params, ...) YOKE__EMIT(MAP, 1D, 0, name, params, __VA_ARGS__)
/** YOKE_KERNEL_2D(name, (parameters), { body }): one item (i, j) of width x height. */
#define YOKE_KERNEL_2D(name, params, ...) YOKE__EMIT(MAP_2D, 2D, 0, name, params, __VA_ARGS__)
/** YOKE_LANE_KERNEL(name, (parameters), { body }): the body handles a block of items, lane by lane:
 *     YOKE_LANES(float, x);            a float per lane, used as x[l]
 *     YOKE_EACH { x[l] = in[i]; }      once per lane l; i is its item
 *     YOKE_ANY(alive, x[l] < 2.0f);    sets the int `alive`: whether the condition holds in any lane
 *     yoke_first, yoke_lanes           the item of lane 0, and how many lanes there are: 1 on a device
 *     YOKE_RSQRT_ESTIMATE(r, x);       float r[l] = 1 / sqrt(x[l]) with a relative error below 2^-13, by the hardware's
 *                                      estimate where it has one; refine it in what you compute from it
 *  for loops that end at different times per item: let finished lanes run on, and count only while inside. */
#define YOKE_LANE_KERNEL(name, params, ...) YOKE__EMIT(LANES, LANES, 0, name, params, __VA_ARGS__)
#define YOKE_LANE_KERNEL_2D(name, params, ...) YOKE__EMIT(LANES_2D, LANES_2D, 0, name, params, __VA_ARGS__)

/** The same without contraction: + - * / and sqrt then give the same bits on every instruction set and device. */
#define YOKE_EXACT_KERNEL(name, params, ...) YOKE__EMIT(MAP, 1D, 1, name, params, __VA_ARGS__)
#define YOKE_EXACT_KERNEL_2D(name, params, ...) YOKE__EMIT(MAP_2D, 2D, 1, name, params, __VA_ARGS__)
#define YOKE_EXACT_LANE_KERNEL(name, params, ...) YOKE__EMIT(LANES, LANES, 1, name, params, __VA_ARGS__)
#define YOKE_EXACT_LANE_KERNEL_2D(name, params, ...) YOKE__EMIT(LANES_2D, LANES_2D, 1, name, params, __VA_ARGS__)

#define YOKE_LANES(T, x) T x[yoke_lanes_max]
#define YOKE_EACH for (size_t l = 0, i = yoke_first; l < yoke_lanes; l++, i++)
#define YOKE_RSQRT_ESTIMATE(r, x) yoke_lanes_rsqrt_estimate(r, x, yoke_lanes)
#define YOKE_ANY(alive, ...)                \
    alive = 0;                              \
    for (size_t l = 0; l < yoke_lanes; l++) \
    alive |= (__VA_ARGS__)

/** YOKE_REDUCE(name, (T, identity, combine), (parameters), expression): folds the expression over all items.
 *  combine is an expression over `a` and `b`, both T: a + b, or fmaxf(a, b). */
#define YOKE_REDUCE(name, fold, params, ...) YOKE__EMIT_REDUCE(REDUCE, 0, name, fold, params, __VA_ARGS__)
#define YOKE_EXACT_REDUCE(name, fold, params, ...) YOKE__EMIT_REDUCE(REDUCE, 1, name, fold, params, __VA_ARGS__)
/** YOKE_ACCUMULATE(name, (T, identity, combine), (parameters), { body }): the body updates `acc`, a pointer to T. */
#define YOKE_ACCUMULATE(name, fold, params, ...) YOKE__EMIT_REDUCE(ACCUMULATE, 0, name, fold, params, __VA_ARGS__)

/** YOKE_FUNCTION(float, cnd, (float d), { ... return x; }): a helper that bodies may call. */
#define YOKE_FUNCTION(result, name, arguments, ...) YOKE__EMIT_FUNCTION(, result, name, arguments, __VA_ARGS__)
/** A helper for exact kernels: not contracted. */
#define YOKE_EXACT_FUNCTION(result, name, arguments, ...) \
    YOKE__EMIT_FUNCTION(YOKE__CONTRACT_OFF, result, name, arguments, __VA_ARGS__)
/** YOKE_TYPE(pair, { float x; float y; }): a plain struct for parameters, results and bodies. */
#define YOKE_TYPE(name, ...)              \
    typedef struct name __VA_ARGS__ name; \
    YOKE__TEXT(name, "typedef struct " #name, YOKE__STR(__VA_ARGS__), 1)

/** For a header: lets other files call a kernel that one file defines. */
#define YOKE_DECLARE(name, params) YOKE__DECLARE_MAP(name, params)
#define YOKE_DECLARE_2D(name, params) YOKE__DECLARE_MAP_2D(name, params)
#define YOKE_DECLARE_REDUCE(name, T, params) YOKE__DECLARE_REDUCE(name, T, params)

/** The descriptor of a kernel, as a pointer. */
#define YOKE_KERNEL_OF(name) (&yoke__kernel_##name)

#endif
