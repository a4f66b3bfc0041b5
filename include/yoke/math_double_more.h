/* Elementary functions of double for vectorised loops: powers, roots, inverse functions, erf. See math.h. */
#ifndef YOKE_MATH_DOUBLE_MORE_H
#define YOKE_MATH_DOUBLE_MORE_H

#include "yoke/math_double.h"

/* The arc tangent of least / most, for 0 <= least <= most; past tan(pi/8) that of (least - most) / (least + most),
 * pi/4 further on. */
YOKE__INLINE double yoke__atan_ratio(double least, double most)
{
    double scale = most > 0x1p1000 ? 0x1p-60 : 1.0;
    scale = most < 0x1p-960 ? 0x1p60 : scale;
    double a = least * scale, b = most * scale;
    int steep = a > 0x1.a8279ap-2 * b || (a == b && a > 0.0);
    double top = steep ? a - b : a, bottom = steep ? a + b : b;
    double q = bottom > 0.0 ? top / bottom : 0.0;
    q = least == most ? 0.0 : q;
    double q2 = q * q;
    double p = -0x1.256ae1c83057ep-6;
    p = p * q2 + 0x1.37d5d6ce5217cp-5;
    p = p * q2 + -0x1.9cd2cc3bccb07p-5;
    p = p * q2 + 0x1.df0f4dc533cd9p-5;
    p = p * q2 + -0x1.10ebb86a77a1p-4;
    p = p * q2 + 0x1.3b11191f75b4dp-4;
    p = p * q2 + -0x1.745cf8dcacc2cp-4;
    p = p * q2 + 0x1.c71c70e613401p-4;
    p = p * q2 + -0x1.24924922ad6edp-3;
    p = p * q2 + 0x1.999999999586dp-3;
    p = p * q2 + -0x1.555555555553dp-2;
    double r = q * q2 * p;
    return steep ? 0x1.921fb54442d18p-1 + (q + (r + 0x1.1a62633145c07p-55)) : q + r;
}

YOKE__INLINE double yoke_m_atan(double x)
{
    double size = __builtin_fabs(x);
    double r = yoke__atan_ratio(size > 1.0 ? 1.0 : size, size > 1.0 ? size : 1.0);
    r = size > 1.0 ? 0x1.921fb54442d18p0 - (r - 0x1.1a62633145c07p-54) : r;
    return __builtin_copysign(x == x ? r : x, x);
}

YOKE__INLINE double yoke_m_atan2(double y, double x)
{
    double height = __builtin_fabs(y), width = __builtin_fabs(x);
    int steep = height > width, left = __builtin_copysign(1.0, x) < 0.0;
    double r = yoke__atan_ratio(steep ? width : height, steep ? height : width);
    double base = left ? 0x1.921fb54442d18p1 : 0.0, rest = left ? 0x1.1a62633145c07p-53 : 0.0;
    base = steep ? 0x1.921fb54442d18p0 : base;
    rest = steep ? 0x1.1a62633145c07p-54 : rest;
    r = base + ((steep != left ? -r : r) + rest);
    r = x != x ? x : r;
    return __builtin_copysign(y != y ? y : r, y);
}

/* asin(s) for 0 <= s <= 0.5. */
YOKE__INLINE double yoke__asin_core(double s)
{
    double s2 = s * s;
    double p = 0x1.05714c02d709fp-5;
    p = p * s2 + -0x1.09de102121e0ep-6;
    p = p * s2 + 0x1.3ffb56c5bc60bp-6;
    p = p * s2 + 0x1.abc60b051f7cbp-8;
    p = p * s2 + 0x1.8ec401fcc0652p-7;
    p = p * s2 + 0x1.c6fd9c5da095ap-7;
    p = p * s2 + 0x1.1c6be3644c056p-6;
    p = p * s2 + 0x1.6e89f42584168p-6;
    p = p * s2 + 0x1.f1c72c39efa29p-6;
    p = p * s2 + 0x1.6db6db4277f8cp-5;
    p = p * s2 + 0x1.333333336e833p-4;
    p = p * s2 + 0x1.555555555539p-3;
    return s + s * s2 * p;
}

YOKE__INLINE double yoke_m_asin(double x)
{
    double size = __builtin_fabs(x);
    double r = yoke__asin_core(size > 0.5 ? yoke__sqrt(0.5 * (1.0 - size)) : size);
    r = size > 0.5 ? 0x1.921fb54442d18p0 - (2.0 * r - 0x1.1a62633145c07p-54) : r;
    return __builtin_copysign(r, x);
}

YOKE__INLINE double yoke_m_acos(double x)
{
    double size = __builtin_fabs(x);
    double r = yoke__asin_core(size > 0.5 ? yoke__sqrt(0.5 * (1.0 - size)) : size);
    double inner = 0x1.921fb54442d18p0 - (__builtin_copysign(r, x) - 0x1.1a62633145c07p-54);
    double outer = x < 0.0 ? 0x1.921fb54442d18p1 - (2.0 * r - 0x1.1a62633145c07p-53) : 2.0 * r;
    return size > 0.5 ? outer : inner;
}

/* Scaled away from overflow and underflow of the squares. */
YOKE__INLINE double yoke_m_hypot(double x, double y)
{
    double a = __builtin_fabs(x), b = __builtin_fabs(y), most = a > b ? a : b;
    double scale = most > 0x1p500 ? 0x1p-600 : 1.0, back = most > 0x1p500 ? 0x1p600 : 1.0;
    scale = most < 0x1p-400 ? 0x1p600 : scale;
    back = most < 0x1p-400 ? 0x1p-600 : back;
    double p = a * scale, q = b * scale;
    double r = yoke__sqrt(p * p + q * q) * back;
    r = a == __builtin_inf() ? a : r;
    return b == __builtin_inf() ? b : r;
}

/* A guess by the exponent (after W. Kahan), Newton's method for x^(-1/3), and a last step for the root whose square
 * is exact (after fdlibm's s_cbrt.c). */
YOKE__INLINE double yoke_m_cbrt(double x)
{
    double size = __builtin_fabs(x);
    double scaled = size < 0x1p-1022 ? size * 0x1p54 : size;
    uint32_t top = (uint32_t)(yoke__bits_of_double(scaled) >> 32);
    uint32_t guess = 0x553ef0ffu - (uint32_t)(int32_t)((float)(int32_t)top * 0x1.555556p-2f);
    double t = yoke__double_of_bits((uint64_t)guess << 32), third = scaled * (1.0 / 3.0);
    t = t * (4.0 / 3.0 - third * t * (t * t));
    t = t * (4.0 / 3.0 - third * t * (t * t));
    t = t * (4.0 / 3.0 - third * t * (t * t));
    t = t * (4.0 / 3.0 - third * t * (t * t));
    double root = yoke__high_half(scaled * t * t);
    double quotient = scaled / (root * root);
    root = root + root * ((quotient - root) / (root + root + quotient));
    root = size < 0x1p-1022 ? root * 0x1p-18 : root;
    root = size > 0.0 && size < __builtin_inf() ? root : x;
    return __builtin_copysign(root, x);
}

/* Up to 1 a polynomial; above, 1 - exp(q(x)) with q near log(erfc(x)), of which few bits matter. */
YOKE__INLINE double yoke__erfc_logarithm(double x)
{
    double q = 0x1.322c1bd62f92cp-36;
    q = q * x + -0x1.60719bda9b7f5p-31;
    q = q * x + 0x1.709043bec3c87p-27;
    q = q * x + -0x1.c923d1091a49p-24;
    q = q * x + 0x1.6a994ccf9affp-21;
    q = q * x + -0x1.5e694971c332cp-19;
    q = q * x + 0x1.c50cc63e74824p-19;
    q = q * x + 0x1.e130fc17cccc7p-16;
    q = q * x + -0x1.e6ed174eb3266p-13;
    q = q * x + 0x1.e3b9c32773e2fp-11;
    q = q * x + -0x1.1391e1f50ced5p-9;
    q = q * x + 0x1.3438123c1f6dfp-11;
    q = q * x + 0x1.350a91841132p-6;
    q = q * x + -0x1.a4659326dffbep-4;
    q = q * x + -0x1.45f961a25cfbdp-1;
    q = q * x + -0x1.20dcc2e183bd5p0;
    return q * x + -0x1.22608391e9976p-20;
}

YOKE__INLINE double yoke_m_erf(double x)
{
    double size = __builtin_fabs(x), x2 = x * x;
    double p = -0x1.ab15c51d2ebebp-31;
    p = p * x2 + 0x1.d6e3ddfeb1f49p-27;
    p = p * x2 + -0x1.5bfe76384472p-23;
    p = p * x2 + 0x1.b97e44280cfb9p-20;
    p = p * x2 + -0x1.f4ca204c771c5p-17;
    p = p * x2 + 0x1.f9a2b75531772p-14;
    p = p * x2 + -0x1.c02db0149d904p-11;
    p = p * x2 + 0x1.565bccf7e2856p-8;
    p = p * x2 + -0x1.b82ce311ee09bp-6;
    p = p * x2 + 0x1.ce2f21a0408d1p-4;
    p = p * x2 + -0x1.812746b0379b2p-2;
    p = p * x2 + 0x1.20dd750429b6dp0;
    double q = yoke__erfc_logarithm(size > 6.0 ? 6.0 : size);
    return size > 1.0 ? __builtin_copysign(1.0 - yoke_m_exp(q), x) : p * x;
}

/* log2 of a positive finite number as high + low, high of 26 bits, to some 65 bits (after fdlibm's e_pow.c). Every
 * product in a difference that must cancel is one of two halves. */
YOKE__INLINE double yoke__log2_halves(double x, double *low)
{
    double e, f = yoke__log_fraction(x, &e), sum = 2.0 + f;
    double s = f / sum, s_high = yoke__high_half(s), sum_high = yoke__high_half(sum);
    double s_low = ((f - s_high * sum_high) - s_high * (f - (sum_high - 2.0))) / sum;
    double z = s * s;
    double p = 0x1.70735e0faecdp-3;
    p = p * z + 0x1.66a1b06151be9p-3;
    p = p * z + 0x1.99b152464eff5p-3;
    p = p * z + 0x1.d89d1238283a3p-3;
    p = p * z + 0x1.1745d2298a847p-2;
    p = p * z + 0x1.5555555417714p-2;
    p = p * z + 0x1.b6db6db6dc8fbp-2;
    p = p * z + 0x1.333333333333p-1;
    p = z * z * p + s_low * (s_high + s);
    double square = s_high * s_high, t_high = yoke__high_half((3.0 + square) + p);
    double t_low = p - ((t_high - 3.0) - square);
    double u = s_high * t_high, v = s_low * t_high + t_low * s;
    double log_high = yoke__high_half(u + v), log_low = v - (log_high - u);
    double w = log_high * 0x1.ec709ep-1;
    double w_low = log_high * -0x1.e2fe0145b01f5p-28 + log_low * 0x1.ec709dc3a03fdp-1;
    double high = yoke__high_half((w + w_low) + e);
    *low = w_low - ((high - e) - w);
    return high;
}

/* |x|^y */
YOKE__INLINE double yoke__pow_size(double size, double y)
{
    double low, high = yoke__log2_halves(size, &low);
    double in = y > 0x1p66 ? 0x1p66 : y;
    in = in < -0x1p66 ? -0x1p66 : in;
    double in_high = yoke__high_half(in);
    double tail = (in - in_high) * high + in * low, power = in_high * high, whole = power + tail;
    int outside = __builtin_fabs(whole) > 1100.0;
    double edge = whole < 0.0 ? -1100.0 : 1100.0;
    whole = outside ? edge : whole;
    power = outside ? edge : power;
    tail = outside ? 0.0 : tail;
    double shifted = whole + YOKE__ROUND_EXPONENT;
    power = power - (shifted - YOKE__ROUND_EXPONENT);
    double t = yoke__high_half(power + tail), u = t * 0x1.62e43p-1;
    double v = (tail - (t - power)) * 0x1.62e42fefa39efp-1 + t * -0x1.05c610ca86c39p-29;
    double r = u + v, rest = v - (r - u);
    double p = 1.0 + (r + (r * r * yoke__exp_tail(r) + rest));
    return yoke__scale(p, shifted);
}

YOKE__INLINE double yoke_m_pow(double x, double y)
{
    double size = __builtin_fabs(x), halves = 0.5 * y;
    double r = yoke__pow_size(size, y);
    r = size == 0.0 ? (y < 0.0 ? __builtin_inf() : 0.0) : r;
    r = size == __builtin_inf() ? (y < 0.0 ? 0.0 : __builtin_inf()) : r;
    r = size == 1.0 ? 1.0 : r;
    double negative = yoke_m_rint(halves) == halves ? r : -r;
    double fractional = size < __builtin_inf() && size > 0.0 ? __builtin_nan("") : r;
    negative = yoke_m_rint(y) == y ? negative : fractional;
    r = __builtin_copysign(1.0, x) < 0.0 ? negative : r;
    r = x != x || y != y ? x + y : r;
    return x == 1.0 || y == 0.0 ? 1.0 : r;
}

#endif
