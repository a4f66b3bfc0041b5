/* The functions of <math.h> as kernels get them: yoke_m_exp for exp, yoke_m_expf for expf.
 *
 * Each is straight-line code without branches, tables or calls, compiled into the loop that uses it; the compiler's
 * vectoriser then makes vector code of it on every instruction set, with gcc and clang, from this header alone. The
 * vector part of a loop and its remainder do the same operations, so an element's result does not depend on where
 * in the loop it falls. Written to be right whether or not products are fused with sums (AVX2 and AVX-512 fuse, SSE2
 * cannot): differences that must cancel are of exact products. Errors, in ULP, and ranges: docs/math.md; tools/ulp.c
 * measures them. Special values are those of C's Annex F; no floating-point exceptions, no errno. */
#ifndef YOKE_MATH_H
#define YOKE_MATH_H

#include "yoke/math_bits.h"
#include "yoke/math_double.h"
#include "yoke/math_double_more.h"
#include "yoke/math_float.h"
#include "yoke/math_float_more.h"

/* In a kernel's body `expf` is a constant pointer, which compilers fold to yoke_m_expf; outside it stays the library's,
 * errno and all. */
/* clang-format off */
#define YOKE__BIND_MATH                                                                               \
    YOKE__BIND_1(exp) YOKE__BIND_1(exp2) YOKE__BIND_1(expm1)                                          \
    YOKE__BIND_1(log) YOKE__BIND_1(log2) YOKE__BIND_1(log10) YOKE__BIND_1(log1p)                      \
    YOKE__BIND_1(sin) YOKE__BIND_1(cos) YOKE__BIND_1(tan)                                             \
    YOKE__BIND_1(asin) YOKE__BIND_1(acos) YOKE__BIND_1(atan) YOKE__BIND_2(atan2)                      \
    YOKE__BIND_1(sinh) YOKE__BIND_1(cosh) YOKE__BIND_1(tanh)                                          \
    YOKE__BIND_2(pow) YOKE__BIND_1(cbrt) YOKE__BIND_2(hypot) YOKE__BIND_1(erf)                        \
    YOKE__BIND_1(sqrt) YOKE__BIND_1(rsqrt) YOKE__BIND_3(fma) YOKE__BIND_1(fabs) YOKE__BIND_2(copysign) \
    YOKE__BIND_2(fmin) YOKE__BIND_2(fmax) YOKE__BIND_1(floor) YOKE__BIND_1(ceil)                      \
    YOKE__BIND_1(trunc) YOKE__BIND_1(round) YOKE__BIND_1(rint)
/* clang-format on */
#define YOKE__BIND_1(name)                                                \
    double (*const name)(double) __attribute__((unused)) = yoke_m_##name; \
    float (*const name##f)(float) __attribute__((unused)) = yoke_m_##name##f;
#define YOKE__BIND_2(name)                                                        \
    double (*const name)(double, double) __attribute__((unused)) = yoke_m_##name; \
    float (*const name##f)(float, float) __attribute__((unused)) = yoke_m_##name##f;
#define YOKE__BIND_3(name)                                                                \
    double (*const name)(double, double, double) __attribute__((unused)) = yoke_m_##name; \
    float (*const name##f)(float, float, float) __attribute__((unused)) = yoke_m_##name##f;

#endif
