/* Elementary functions of double for vectorised loops: exponentials, logarithms, sine and its kin. See math.h. */
#ifndef YOKE_MATH_DOUBLE_H
#define YOKE_MATH_DOUBLE_H

#include "yoke/math_bits.h"

/* As in math_float.h. */
#define YOKE__ROUND 0x1.8p52
#define YOKE__ROUND_EXPONENT (0x1.8p52 + 2046.0)

YOKE__INLINE double yoke__scale(double p, double shifted)
{
    uint64_t both = yoke__bits_of_double(shifted), half = both >> 1;
    return p * yoke__double_of_bits(half << 52) * yoke__double_of_bits((both - half) << 52);
}

/* (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2. */
YOKE__INLINE double yoke__exp_tail(double r)
{
    double p = 0x1.ad92d1dc730f7p-26;
    p = p * r + 0x1.28adf8e7ba71dp-22;
    p = p * r + 0x1.71df18f7a68d6p-19;
    p = p * r + 0x1.a019996299384p-16;
    p = p * r + 0x1.a01a012fed2e2p-13;
    p = p * r + 0x1.6c16c18475faap-10;
    p = p * r + 0x1.1111111126b36p-7;
    p = p * r + 0x1.55555555506bfp-5;
    p = p * r + 0x1.55555555554fep-3;
    return p * r + 0x1.000000000000ap-1;
}

YOKE__INLINE double yoke_m_exp(double x)
{
    double in = x < -746.0 ? -746.0 : x;
    in = in > 710.0 ? 710.0 : in;
    double shifted = in * 0x1.71547652b82fep0 + YOKE__ROUND_EXPONENT;
    double n = shifted - YOKE__ROUND_EXPONENT;
    double r = in - n * 0x1.62e42fefa38p-1;
    r = r - n * 0x1.ef35793c7673p-45;
    double p = (yoke__exp_tail(r) * r + 1.0) * r + 1.0;
    return yoke__scale(p, shifted);
}

YOKE__INLINE double yoke_m_exp2(double x)
{
    double in = x < -1076.0 ? -1076.0 : x;
    in = in > 1025.0 ? 1025.0 : in;
    double shifted = in + YOKE__ROUND_EXPONENT;
    double r = in - (shifted - YOKE__ROUND_EXPONENT);
    double p = 0x1.de490accd5261p-36;
    p = p * r + 0x1.eafdbc354deafp-32;
    p = p * r + 0x1.e4bbc078582eap-28;
    p = p * r + 0x1.b5242325eb105p-24;
    p = p * r + 0x1.62c027b671b72p-20;
    p = p * r + 0x1.ffcbfcdb1b2d5p-17;
    p = p * r + 0x1.430912f7013c1p-13;
    p = p * r + 0x1.5d87fe7888e01p-10;
    p = p * r + 0x1.3b2ab6fba53b8p-7;
    p = p * r + 0x1.c6b08d704a182p-5;
    p = p * r + 0x1.ebfbdff82c58dp-3;
    p = p * r + 0x1.62e42fefa39efp-1;
    return yoke__scale(p * r + 1.0, shifted);
}

/* A quarter of expm1: whole, it would overflow where sinh does not. */
YOKE__INLINE double yoke__quarter_expm1(double x)
{
    double in = x < -40.0 ? -40.0 : x;
    in = in > 710.6 ? 710.6 : in;
    double shifted = in * 0x1.71547652b82fep0 + (YOKE__ROUND + 1021.0);
    double n = shifted - (YOKE__ROUND + 1021.0);
    double r = in - n * 0x1.62e42fefa38p-1;
    r = r - n * 0x1.ef35793c7673p-45;
    double p = 0x1.1f040f9f98dccp-29;
    p = p * r + 0x1.af5f1b5d5538ep-26;
    p = p * r + 0x1.27e521d148af8p-22;
    p = p * r + 0x1.71ddf816b414fp-19;
    p = p * r + 0x1.a01a01872b124p-16;
    p = p * r + 0x1.a01a01b0019dep-13;
    p = p * r + 0x1.6c16c16c1c0d3p-10;
    p = p * r + 0x1.111111110f657p-7;
    p = p * r + 0x1.555555555554ap-5;
    p = p * r + 0x1.5555555555559p-3;
    p = p * r + 0.5;
    p = r + r * r * p;
    double power = yoke__double_of_bits(yoke__bits_of_double(shifted) << 52);
    return (power - 0.25) + power * p;
}

YOKE__INLINE double yoke_m_expm1(double x)
{
    double r = 4.0 * yoke__quarter_expm1(x);
    return __builtin_fabs(x) < 0x1p-55 ? x : r;
}

YOKE__INLINE double yoke_m_sinh(double x)
{
    double q = yoke__quarter_expm1(__builtin_fabs(x));
    double r = 2.0 * (q + q / (4.0 * q + 1.0));
    return __builtin_copysign(__builtin_fabs(x) < 0x1p-30 ? __builtin_fabs(x) : r, x);
}

YOKE__INLINE double yoke_m_cosh(double x)
{
    double q = yoke__quarter_expm1(__builtin_fabs(x));
    return 2.0 * q + (0.5 + 0.5 / (4.0 * q + 1.0));
}

YOKE__INLINE double yoke_m_tanh(double x)
{
    double size = __builtin_fabs(x);
    double q = yoke__quarter_expm1(2.0 * (size > 40.0 ? 40.0 : size));
    double r = q / (q + 0.5);
    return __builtin_copysign(size < 0x1p-30 ? size : r, x);
}

/* x = 2^exponent (1 + fraction), 0.707 <= 1 + fraction < 1.414, for positive finite x. There is no vector conversion
 * of 64-bit integers before AVX-512: the exponent is read through the low bits of 2^52. */
YOKE__INLINE double yoke__log_fraction(double x, double *exponent)
{
    double scaled = x < 0x1p-1022 ? x * 0x1p54 : x;
    uint64_t bits = yoke__bits_of_double(scaled) + 0x3f195f619980c433u;
    double offset = x < 0x1p-1022 ? 0x1p52 + 2086.0 : 0x1p52 + 2032.0;
    *exponent = yoke__double_of_bits((bits >> 52) | 0x4330000000000000u) - offset;
    return yoke__double_of_bits((bits & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
}

YOKE__INLINE double yoke__log_special(double x, double r)
{
    r = x < __builtin_inf() ? r : x;
    r = x < 0.0 ? __builtin_nan("") : r;
    return x == 0.0 ? -__builtin_inf() : r;
}

/* (log(1 + f) - 2 s) / s for s = f / (2 + f), |s| < 0.172 (after fdlibm's e_log.c). */
YOKE__INLINE double yoke__log_tail(double s)
{
    double z = s * s;
    double p = 0x1.2f103ae860058p-3;
    p = p * z + 0x1.39a0b4d934973p-3;
    p = p * z + 0x1.74664887e78a8p-3;
    p = p * z + 0x1.c71c51dcf77bdp-3;
    p = p * z + 0x1.2492494224e8ap-2;
    p = p * z + 0x1.999999997fa39p-2;
    p = p * z + 0x1.5555555555593p-1;
    return z * p;
}

YOKE__INLINE double yoke_m_log(double x)
{
    double e, f = yoke__log_fraction(x, &e);
    double s = f / (2.0 + f), half = 0.5 * f * f;
    double low = s * (half + yoke__log_tail(s)) + e * 0x1.ef35793c7673p-45;
    return yoke__log_special(x, e * 0x1.62e42fefa38p-1 + (f - (half - low)));
}

/* log(1 + f) as high + low, high of 26 bits. */
YOKE__INLINE double yoke__log_halves(double f, double *low)
{
    double s = f / (2.0 + f), half = 0.5 * f * f;
    double high = yoke__high_half(f - half);
    *low = ((f - high) - half) + s * (half + yoke__log_tail(s));
    return high;
}

YOKE__INLINE double yoke_m_log2(double x)
{
    double e, f = yoke__log_fraction(x, &e), low;
    double high = yoke__log_halves(f, &low);
    double big = high * 0x1.7154768p0, sum = e + big;
    low = low * 0x1.71547652b82fep0 - high * 0x1.6a3e80f444178p-27;
    return yoke__log_special(x, sum + (((e - sum) + big) + low));
}

YOKE__INLINE double yoke_m_log10(double x)
{
    double e, f = yoke__log_fraction(x, &e), low;
    double high = yoke__log_halves(f, &low);
    double whole = e * 0x1.34413509f78p-2, big = high * 0x1.bcb7b18p-2, sum = whole + big;
    low = low * 0x1.bcb7b1526e50ep-2 - high * 0x1.6c8d78e6acaa4p-29 + e * 0x1.fef311f12b358p-46;
    return yoke__log_special(x, sum + (((whole - sum) + big) + low));
}

YOKE__INLINE double yoke_m_log1p(double x)
{
    double u = 1.0 + x;
    double rest = u > 2.0 ? 1.0 - (u - x) : x - (u - 1.0);
    double r = yoke_m_log(u) + rest / u;
    r = x < __builtin_inf() ? r : x;
    r = u == 0.0 ? -__builtin_inf() : r;
    return __builtin_fabs(x) < 0x1p-55 ? x : r;
}

/* x - n pi, the first three products exact for |n| <= 2^21 in steps of a half (after W. J. Cody and W. Waite). */
YOKE__INLINE double yoke__minus_pi(double x, double n)
{
    double r = x - n * 0x1.921fb544p1;
    r = r - n * 0x1.0b4611a4p-33;
    r = r - n * 0x1.13198a2cp-64;
    return r - n * 0x1.01b839a25204ap-95;
}

/* The sine of r, |r| <= pi / 2. Angles too large for their reduction leave a larger r: 0 keeps those in bounds. */
YOKE__INLINE double yoke__sin_core(double r)
{
    double r2 = r * r;
    double p = 0x1.883c30bac11ffp-49;
    p = p * r2 + -0x1.ae43dd5090616p-41;
    p = p * r2 + 0x1.6123ce53aa479p-33;
    p = p * r2 + -0x1.ae6454d968ce3p-26;
    p = p * r2 + 0x1.71de3a52aac67p-19;
    p = p * r2 + -0x1.a01a01a014eb7p-13;
    p = p * r2 + 0x1.11111111110c9p-7;
    p = p * r2 + -0x1.5555555555555p-3;
    p = r + r * r2 * p;
    return r2 > 4.0 ? 0.0 : p;
}

/* sin(n pi + r) = (-1)^n sin(r); the sum in the core loses the sign of r = -0. */
YOKE__INLINE double yoke_m_sin(double x)
{
    double turns = x * 0x1.45f306dc9c883p-2 + YOKE__ROUND;
    double r = yoke__minus_pi(x, turns - YOKE__ROUND);
    uint64_t sine = yoke__bits_of_double(yoke__sin_core(r)) | (yoke__bits_of_double(r) & 0x8000000000000000u);
    return yoke__double_of_bits(sine ^ (yoke__bits_of_double(turns) << 63));
}

/* cos(x) = sin(x + pi/2): the multiple of pi is the nearest odd half. */
YOKE__INLINE double yoke_m_cos(double x)
{
    double turns = (x * 0x1.45f306dc9c883p-2 + 0.5) + YOKE__ROUND;
    double r = yoke__minus_pi(x, (turns - YOKE__ROUND) - 0.5);
    return yoke__double_of_bits(yoke__bits_of_double(yoke__sin_core(r)) ^ (yoke__bits_of_double(turns) << 63));
}

/* The tangent of r, |r| <= pi / 4, or minus its inverse. */
YOKE__INLINE double yoke__tan_core(double r, uint64_t inverse)
{
    double r2 = r * r;
    double s = -0x1.a55ce7025362ap-41;
    s = s * r2 + 0x1.6114a653308c5p-33;
    s = s * r2 + -0x1.ae643d4462f0dp-26;
    s = s * r2 + 0x1.71de3a4019c09p-19;
    s = s * r2 + -0x1.a01a01a006d8cp-13;
    s = s * r2 + 0x1.111111111108bp-7;
    s = s * r2 + -0x1.5555555555555p-3;
    double c = -0x1.8fa6a86831e75p-37;
    c = c * r2 + 0x1.1ee9dc126f59fp-29;
    c = c * r2 + -0x1.27e4f7f1ee40dp-22;
    c = c * r2 + 0x1.a01a019c8f942p-16;
    c = c * r2 + -0x1.6c16c16c15018p-10;
    c = c * r2 + 0x1.555555555554bp-5;
    double sine = r + r * r2 * s, cosine = 1.0 - r2 * (0.5 - r2 * c);
    double quotient = (inverse ? -cosine : sine) / (inverse ? sine : cosine);
    return r == 0.0 ? r : quotient;
}

YOKE__INLINE double yoke_m_tan(double x)
{
    double turns = x * 0x1.45f306dc9c883p-1 + YOKE__ROUND;
    double r = yoke__minus_pi(x, 0.5 * (turns - YOKE__ROUND));
    return yoke__tan_core(r, yoke__bits_of_double(turns) & 1u);
}

#endif
