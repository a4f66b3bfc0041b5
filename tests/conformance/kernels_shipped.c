/* The kernels of yoke/kernels.h as subjects. */
#include "tests/conformance/calls.h"

MAP(yoke_copy, a[0], a[1])
MAP(yoke_dcopy, a[0], a[1])
MAP(yoke_scale, a[0], a[1], p->a)
MAP(yoke_dscale, a[0], a[1], p->d)
MAP(yoke_add, a[0], a[1], a[2])
MAP(yoke_dadd, a[0], a[1], a[2])
MAP(yoke_triad, a[0], a[1], a[2], p->a)
MAP(yoke_dtriad, a[0], a[1], a[2], p->d)
MAP(yoke_axpy, a[0], a[1], p->a)
MAP(yoke_daxpy, a[0], a[1], p->d)
FOLD(yoke_dot, a[1], a[2])
FOLD(yoke_ddot, a[1], a[2])
FOLD(yoke_sum, a[1])
FOLD(yoke_dsum, a[1])
FOLD(yoke_asum, a[1])
FOLD(yoke_dasum, a[1])
FOLD(yoke_nrm2, a[1])
MAP(yoke_black_scholes, a[0], a[1], a[2], 0.02f, 0.3f, a[3], a[4])
MAP(yoke_black_scholes_each, a[0], a[1], a[2], a[3], a[4], a[5], a[6])
GRID(yoke_mandelbrot, a[0], -2.0f, -1.25f, 2.75f / (float)p->width, 2.5f / (float)p->height, 60 + p->k)
GRID(yoke_heat, a[0], a[1], 0.2f)
GRID(yoke_blur_rows, a[0], a[1], a[2], p->k, 1)
GRID(yoke_blur_columns, a[0], a[1], a[2], p->k)
MAP(yoke_nbody, a[0], a[1], a[2], a[3], a[4], a[5], a[6], 0.01f)
FOLD(yoke_histogram, a[1])

/* One rounding, or two where nothing is fused: tolerant but for plain copies, sums and products. */
const subject shipped_vector_subjects[] = {
    {SUBJECT(yoke_copy), .dimensions = 1, .arrays = {OUT(F32), IN(F32, "x")}, .reference = reference_copy},
    {SUBJECT(yoke_dcopy), .dimensions = 1, .needs_double = true, .arrays = {OUT(F64), IN(F64, "x")},
     .reference = reference_dcopy},
    {SUBJECT(yoke_scale), .dimensions = 1, .same = {1, 0}, .arrays = {OUT(F32), IN(F32, "x")},
     .reference = reference_scale},
    {SUBJECT(yoke_dscale), .dimensions = 1, .needs_double = true, .same = {1, 0}, .arrays = {OUT(F64), IN(F64, "x")},
     .reference = reference_dscale},
    {SUBJECT(yoke_add), .dimensions = 1, .same = {2, 0}, .arrays = {OUT(F32), IN(F32, "x"), IN(F32, "y")},
     .reference = reference_add},
    {SUBJECT(yoke_dadd), .dimensions = 1, .needs_double = true, .same = {1, 0},
     .arrays = {OUT(F64), IN(F64, "x"), IN(F64, "y")}, .reference = reference_dadd},
    {SUBJECT(yoke_triad), .dimensions = 1, .tolerant = true, .arrays = {OUT(F32), IN(F32, "b"), IN(F32, "c")},
     .reference = reference_triad},
    {SUBJECT(yoke_dtriad), .dimensions = 1, .tolerant = true, .needs_double = true,
     .arrays = {OUT(F64), IN(F64, "b"), IN(F64, "c")}, .reference = reference_dtriad},
    {SUBJECT(yoke_axpy), .dimensions = 1, .tolerant = true, .same = {1, 0}, .arrays = {INOUT(F32), IN(F32, "x")},
     .reference = reference_axpy},
    {SUBJECT(yoke_daxpy), .dimensions = 1, .tolerant = true, .needs_double = true, .arrays = {INOUT(F64), IN(F64, "x")},
     .reference = reference_daxpy},
    {0},
};

const subject shipped_subjects[] = {
    {SUBJECT(yoke_dot), .dimensions = 1, .tolerant = true, .arrays = {RESULT(F32), IN(F32, "x"), IN(F32, "y")},
     .reference = reference_dot},
    {SUBJECT(yoke_ddot), .dimensions = 1, .tolerant = true, .needs_double = true,
     .arrays = {RESULT(F64), IN(F64, "x"), IN(F64, "y")}, .reference = reference_ddot},
    {SUBJECT(yoke_sum), .dimensions = 1, .tolerant = true, .arrays = {RESULT(F32), IN(F32, "x")},
     .reference = reference_sum},
    {SUBJECT(yoke_dsum), .dimensions = 1, .tolerant = true, .needs_double = true, .arrays = {RESULT(F64), IN(F64, "x")},
     .reference = reference_dsum},
    {SUBJECT(yoke_asum), .dimensions = 1, .tolerant = true, .arrays = {RESULT(F32), IN(F32, "x")},
     .reference = reference_asum},
    {SUBJECT(yoke_dasum), .dimensions = 1, .tolerant = true, .needs_double = true,
     .arrays = {RESULT(F64), IN(F64, "x")}, .reference = reference_dasum},
    {SUBJECT(yoke_nrm2), .dimensions = 1, .tolerant = true, .needs_double = true,
     .arrays = {RESULT(F64), IN_OF(F32, "x", -1e30, 1e30)}, .reference = reference_nrm2},
    {SUBJECT(yoke_black_scholes), .dimensions = 1, .tolerant = true,
     .arrays = {IN_OF(F32, "spot", 20, 180),
                IN_OF(F32, "strike", 20, 180),
                IN_OF(F32, "years", 0.1, 5),
                {"call", F32, MADE, .per_item = 1},
                {"put", F32, MADE, .per_item = 1}},
     .reference = reference_black_scholes},
    {SUBJECT(yoke_black_scholes_each), .dimensions = 1, .tolerant = true,
     .arrays = {IN_OF(F32, "spot", 20, 180),
                IN_OF(F32, "strike", 20, 180),
                IN_OF(F32, "years", 0.1, 5),
                IN_OF(F32, "rate", 0, 0.1),
                IN_OF(F32, "volatility", 0.1, 0.6),
                {"call", F32, MADE, .per_item = 1},
                {"put", F32, MADE, .per_item = 1}},
     .reference = reference_black_scholes_each},
    {SUBJECT(yoke_mandelbrot), .dimensions = 2, .two_d_pitch = true, .arrays = {OUT(I32)},
     .reference = reference_mandelbrot},
    {SUBJECT(yoke_heat), .dimensions = 2, .tolerant = true, .arrays = {OUT(F32), IN(F32, "x")},
     .reference = reference_heat},
    {SUBJECT(yoke_blur_rows), .dimensions = 2, .tolerant = true, .two_d_pitch = true,
     .arrays = {OUT(U8), IN(U8, "x"), {"weights", F32, GIVEN, .fixed = 1, .fixed_k = 1, .loose = true, .high = 0.15}},
     .reference = reference_blur_rows},
    {SUBJECT(yoke_blur_columns), .dimensions = 2, .tolerant = true,
     .arrays = {OUT(U8), IN(U8, "x"), {"weights", F32, GIVEN, .fixed = 1, .fixed_k = 1, .loose = true, .high = 0.15}},
     .reference = reference_blur_columns},
    {SUBJECT(yoke_nbody), .dimensions = 1, .tolerant = true, .squares = true,
     .arrays = {{"ax", F32, MADE, .per_item = 1},
                {"ay", F32, MADE, .per_item = 1},
                {"az", F32, MADE, .per_item = 1},
                IN(F32, "x"),
                IN(F32, "y"),
                IN(F32, "z"),
                IN_OF(F32, "m", 0.1, 2)},
     .reference = reference_nbody},
    {SUBJECT(yoke_histogram), .dimensions = 1,
     .arrays = {{"counts", RAW, FOLDED, .element = sizeof(yoke_histogram_counts), .fixed = 1}, IN(U8, "x")},
     .reference = reference_histogram},
    {0},
};
