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

/* Reassociation would undo the rounding; gcc is told by YOKE__OPTIMIZE. */
#if defined(__clang__) && defined(__x86_64__)
#pragma float_control(precise, on, push)
#endif

#include "yoke/math_bits.h"
#include "yoke/math_double.h"
#include "yoke/math_double_more.h"
#include "yoke/math_float.h"
#include "yoke/math_float_more.h"

#if defined(__clang__) && defined(__x86_64__)
#pragma float_control(pop)
#endif

/* sin, cos and tan are made for angles up to 3e6 (double) and 1e5 (float). A program with larger ones defines
 * YOKE_ANY_ANGLE before its first #include: these three are then the library's, and loops with them not vectorised
 * (a reduction of huge angles in every lane was no faster). */
#if defined(YOKE_ANY_ANGLE)
#define YOKE__LIBRARY_ANGLE(T, name)          \
    YOKE__INLINE T yoke_m_any_##name(T angle) \
    {                                         \
        return __builtin_##name(angle);       \
    }
YOKE__LIBRARY_ANGLE(double, sin)
YOKE__LIBRARY_ANGLE(double, cos)
YOKE__LIBRARY_ANGLE(double, tan)
YOKE__LIBRARY_ANGLE(float, sinf)
YOKE__LIBRARY_ANGLE(float, cosf)
YOKE__LIBRARY_ANGLE(float, tanf)
#undef YOKE__LIBRARY_ANGLE
#define YOKE__BIND_ANGLE(name)                                                \
    double (*const name)(double) __attribute__((unused)) = yoke_m_any_##name; \
    float (*const name##f)(float) __attribute__((unused)) = yoke_m_any_##name##f;
#else
#define YOKE__BIND_ANGLE(name) YOKE__BIND_1(name)
#endif

/* In a kernel's body `expf` is a constant pointer, which compilers fold to yoke_m_expf; outside it stays the library's,
 * errno and all. */
/* clang-format off */
#define YOKE__BIND_MATH                                                                               \
    YOKE__BIND_1(exp) YOKE__BIND_1(exp2) YOKE__BIND_1(expm1)                                          \
    YOKE__BIND_1(log) YOKE__BIND_1(log2) YOKE__BIND_1(log10) YOKE__BIND_1(log1p)                      \
    YOKE__BIND_ANGLE(sin) YOKE__BIND_ANGLE(cos) YOKE__BIND_ANGLE(tan)                                             \
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
