/* Bit patterns of floating-point numbers, and the cheap functions: rounding, minimum, square root. See math.h. */
#ifndef YOKE_MATH_BITS_H
#define YOKE_MATH_BITS_H

#include <stdint.h>

#include "yoke/compiler.h"

YOKE__INLINE uint32_t yoke__bits_of_float(float x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

YOKE__INLINE float yoke__float_of_bits(uint32_t bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

YOKE__INLINE uint64_t yoke__bits_of_double(double x)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

YOKE__INLINE double yoke__double_of_bits(uint64_t bits)
{
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* The leading 26 bits of x. A product of two such numbers is exact, so a compiler may fuse it with an addition or
 * not: the sums built on it are the same (T. J. Dekker's splitting needs a rounded product, which fusing breaks). */
YOKE__INLINE double yoke__high_half(double x)
{
    return yoke__double_of_bits(yoke__bits_of_double(x) & 0xfffffffff8000000u);
}

/* A square root that may set errno is not vectorised, and clang takes no word about errno from a header: it gets
 * const aliases of the library's names. gcc would not know an alias for a square root, but lets the built-in (not
 * the user's sqrt) be declared const. */
#ifdef __cplusplus
extern "C" {
#endif
#if defined(__clang__)
float yoke__sqrtf(float x) __asm__("sqrtf") __attribute__((const));
double yoke__sqrt(double x) __asm__("sqrt") __attribute__((const));
#else
extern float __builtin_sqrtf(float x) __attribute__((const));
extern double __builtin_sqrt(double x) __attribute__((const));
#define yoke__sqrtf __builtin_sqrtf
#define yoke__sqrt __builtin_sqrt
#endif
#ifdef __cplusplus
}
#endif

/* One text for float (suffix f) and double. Rounding adds and takes away a number whose last place is 1: SSE2 has
 * no instruction for it. */
#define YOKE__CHEAP_MATH(T, F, INTEGERS)                                                \
    YOKE__INLINE T yoke_m_sqrt##F(T x)                                                  \
    {                                                                                   \
        return yoke__sqrt##F(x);                                                        \
    }                                                                                   \
    YOKE__INLINE T yoke_m_rsqrt##F(T x)                                                 \
    {                                                                                   \
        return (T)1 / yoke__sqrt##F(x);                                                 \
    }                                                                                   \
    YOKE__INLINE T yoke_m_fma##F(T x, T y, T z)                                         \
    {                                                                                   \
        return __builtin_fma##F(x, y, z);                                               \
    }                                                                                   \
    YOKE__INLINE T yoke_m_fabs##F(T x)                                                  \
    {                                                                                   \
        return __builtin_fabs##F(x);                                                    \
    }                                                                                   \
    YOKE__INLINE T yoke_m_copysign##F(T x, T y)                                         \
    {                                                                                   \
        return __builtin_copysign##F(x, y);                                             \
    }                                                                                   \
    YOKE__INLINE T yoke_m_fmin##F(T x, T y)                                             \
    {                                                                                   \
        T least = x < y ? x : y;                                                        \
        return y != y ? x : least;                                                      \
    }                                                                                   \
    YOKE__INLINE T yoke_m_fmax##F(T x, T y)                                             \
    {                                                                                   \
        T greatest = x > y ? x : y;                                                     \
        return y != y ? x : greatest;                                                   \
    }                                                                                   \
    YOKE__INLINE T yoke_m_rint##F(T x)                                                  \
    {                                                                                   \
        T size = __builtin_fabs##F(x);                                                  \
        T near = (size + (INTEGERS)) - (INTEGERS);                                      \
        return __builtin_copysign##F(size < (INTEGERS) ? near : size, x);               \
    }                                                                                   \
    YOKE__INLINE T yoke_m_floor##F(T x)                                                 \
    {                                                                                   \
        T near = yoke_m_rint##F(x);                                                     \
        return near > x ? near - (T)1 : near;                                           \
    }                                                                                   \
    YOKE__INLINE T yoke_m_ceil##F(T x)                                                  \
    {                                                                                   \
        T near = yoke_m_rint##F(x);                                                     \
        return __builtin_copysign##F(near < x ? near + (T)1 : near, x);                 \
    }                                                                                   \
    YOKE__INLINE T yoke_m_trunc##F(T x)                                                 \
    {                                                                                   \
        T size = __builtin_fabs##F(x);                                                  \
        return __builtin_copysign##F(yoke_m_floor##F(size), x);                         \
    }                                                                                   \
    YOKE__INLINE T yoke_m_round##F(T x)                                                 \
    {                                                                                   \
        T size = __builtin_fabs##F(x), whole = yoke_m_floor##F(size);                   \
        return __builtin_copysign##F(size - whole >= (T)0.5 ? whole + (T)1 : whole, x); \
    }

YOKE__CHEAP_MATH(float, f, 0x1p23f)
YOKE__CHEAP_MATH(double, , 0x1p52)

#undef YOKE__CHEAP_MATH

#endif
