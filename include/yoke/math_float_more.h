/* Elementary functions of float for vectorised loops: powers, roots, inverse functions, erf. See math.h. */
#ifndef YOKE_MATH_FLOAT_MORE_H
#define YOKE_MATH_FLOAT_MORE_H

#include "yoke/math_float.h"

/* atan(q) for 0 <= q <= 1. */
YOKE__INLINE float yoke__atan_core_f(float q)
{
    float q2 = q * q;
    float p = 0x1.7ec1c4p-9f;
    p = p * q2 + -0x1.0c23fep-6f;
    p = p * q2 + 0x1.61f756p-5f;
    p = p * q2 + -0x1.3553f4p-4f;
    p = p * q2 + 0x1.b4dfdcp-4f;
    p = p * q2 + -0x1.230abp-3f;
    p = p * q2 + 0x1.9978eep-3f;
    p = p * q2 + -0x1.5554dcp-2f;
    return q + q * q2 * p;
}

YOKE__INLINE float yoke_m_atanf(float x)
{
    float size = __builtin_fabsf(x);
    float r = yoke__atan_core_f(size > 1.0f ? 1.0f / size : size);
    r = size > 1.0f ? 0x1.921fb6p0f - (r + 0x1.777a5cp-25f) : r;
    return __builtin_copysignf(x == x ? r : x, x);
}

YOKE__INLINE float yoke_m_atan2f(float y, float x)
{
    float height = __builtin_fabsf(y), width = __builtin_fabsf(x);
    int steep = height > width, left = __builtin_copysignf(1.0f, x) < 0.0f;
    float least = steep ? width : height, most = steep ? height : width;
    float r = least == most ? 1.0f : least / most;
    r = yoke__atan_core_f(most == 0.0f ? 0.0f : r);
    float base = left ? 0x1.921fb6p1f : 0.0f, rest = left ? -0x1.777a5cp-24f : 0.0f;
    base = steep ? 0x1.921fb6p0f : base;
    rest = steep ? -0x1.777a5cp-25f : rest;
    r = base + ((steep != left ? -r : r) + rest);
    r = x != x ? x : r;
    return __builtin_copysignf(y != y ? y : r, y);
}

/* asin(s) for 0 <= s <= 0.5. */
YOKE__INLINE float yoke__asin_core_f(float s)
{
    float s2 = s * s;
    float p = 0x1.33f1bep-5f;
    p = p * s2 + 0x1.d74498p-7f;
    p = p * s2 + 0x1.04b3c8p-5f;
    p = p * s2 + 0x1.6caa42p-5f;
    p = p * s2 + 0x1.3338ap-4f;
    p = p * s2 + 0x1.55554cp-3f;
    return s + s * s2 * p;
}

YOKE__INLINE float yoke_m_asinf(float x)
{
    float size = __builtin_fabsf(x);
    float r = yoke__asin_core_f(size > 0.5f ? yoke__sqrtf(0.5f * (1.0f - size)) : size);
    r = size > 0.5f ? 0x1.921fb6p0f - (2.0f * r + 0x1.777a5cp-25f) : r;
    return __builtin_copysignf(r, x);
}

YOKE__INLINE float yoke_m_acosf(float x)
{
    float size = __builtin_fabsf(x);
    float r = yoke__asin_core_f(size > 0.5f ? yoke__sqrtf(0.5f * (1.0f - size)) : size);
    float inner = 0x1.921fb6p0f - (__builtin_copysignf(r, x) + 0x1.777a5cp-25f);
    float outer = x < 0.0f ? 0x1.921fb6p1f - (2.0f * r + 0x1.777a5cp-24f) : 2.0f * r;
    return size > 0.5f ? outer : inner;
}

YOKE__INLINE float yoke_m_hypotf(float x, float y)
{
    float r = (float)yoke__sqrt((double)x * (double)x + (double)y * (double)y);
    r = __builtin_fabsf(x) == __builtin_inff() ? __builtin_inff() : r;
    return __builtin_fabsf(y) == __builtin_inff() ? __builtin_inff() : r;
}

/* Newton's method for x^(-1/3) from a guess by the exponent (after W. Kahan), then one for the root, its residual in
 * double. */
YOKE__INLINE float yoke_m_cbrtf(float x)
{
    float size = __builtin_fabsf(x);
    float scaled = size < 0x1p-126f ? size * 0x1p24f : size;
    uint32_t guess = 0x54a2fa8cu - (uint32_t)(int32_t)((float)(int32_t)yoke__bits_of_float(scaled) * 0x1.555556p-2f);
    float t = yoke__float_of_bits(guess), third = scaled * 0x1.555556p-2f;
    t = t * (0x1.555556p0f - third * t * (t * t));
    t = t * (0x1.555556p0f - third * t * (t * t));
    t = t * (0x1.555556p0f - third * t * (t * t));
    float root = scaled * t * t;
    double cube = (double)root * (double)root * (double)root;
    root = root - (float)(cube - (double)scaled) * (t * t * 0x1.555556p-2f);
    root = size < 0x1p-126f ? root * 0x1p-8f : root;
    root = size > 0.0f && size < __builtin_inff() ? root : x;
    return __builtin_copysignf(root, x);
}

/* Up to 1 a polynomial; above, 1 - 2^q with q near log2(erfc(x)), of which few bits matter. */
YOKE__INLINE float yoke_m_erff(float x)
{
    float size = __builtin_fabsf(x), x2 = x * x;
    float p = 0x1.03a052p-14f;
    p = p * x2 + -0x1.874dbp-11f;
    p = p * x2 + 0x1.4f7c3cp-8f;
    p = p * x2 + -0x1.b7480ep-6f;
    p = p * x2 + 0x1.ce1fcep-4f;
    p = p * x2 + -0x1.8126d2p-2f;
    p = p * x2 + 0x1.20dd74p0f;
    float far = size > 4.0f ? 4.0f : size;
    float q = 0x1.18bb54p-12f;
    q = q * far + -0x1.15ef72p-8f;
    q = q * far + 0x1.01b518p-5f;
    q = q * far + -0x1.307032p-3f;
    q = q * far + -0x1.d76e84p-1f;
    q = q * far + -0x1.a03fe6p0f;
    q = q * far + -0x1.0b8c9ap-11f;
    float shifted = q + (YOKE__ROUND_F + 127.0f);
    float power = yoke__float_of_bits(yoke__bits_of_float(shifted) << 23);
    float tail = power * yoke__exp2_core_f(q - (shifted - (YOKE__ROUND_F + 127.0f)));
    return size > 1.0f ? __builtin_copysignf(1.0f - tail, x) : p * x;
}

/* |x|^y by way of log2 in double, whose spare bits make the product's error harmless. */
YOKE__INLINE float yoke__pow_size_f(float size, float y)
{
    float e, f32 = yoke__log_fraction_f(size, &e);
    double f = (double)f32;
    double p = -0x1.61ac602a70cfcp-4;
    p = p * f + 0x1.3d25f4f658481p-3;
    p = p * f + -0x1.417fe9ab5439ap-3;
    p = p * f + 0x1.45a2930616762p-3;
    p = p * f + -0x1.6eb02b2f84673p-3;
    p = p * f + 0x1.a615cb4fe34a9p-3;
    p = p * f + -0x1.ec8d73d33a4ccp-3;
    p = p * f + 0x1.277732ce7aa74p-2;
    p = p * f + -0x1.715435eb9df21p-2;
    p = p * f + 0x1.ec709c00eff98p-2;
    p = p * f + -0x1.7154767baebe6p-1;
    p = p * f + 0x1.71547652ef954p0;
    double logarithm = (double)e + f * p;
    logarithm = size < __builtin_inff() ? logarithm : (double)size;
    logarithm = size > 0.0f ? logarithm : -__builtin_inf();
    double power = (double)y * logarithm;
    power = power < -160.0 ? -160.0 : power;
    power = power > 160.0 ? 160.0 : power;
    double n = (power + 0x1.8p52) - 0x1.8p52;
    return yoke__scale_f(yoke__exp2_core_f((float)(power - n)), (float)n + YOKE__ROUND_EXPONENT_F);
}

YOKE__INLINE float yoke_m_powf(float x, float y)
{
    float size = __builtin_fabsf(x), halves = 0.5f * y;
    float r = yoke__pow_size_f(size, y);
    r = size == 1.0f ? 1.0f : r;
    float negative = yoke_m_rintf(halves) == halves ? r : -r;
    float fractional = size < __builtin_inff() && size > 0.0f ? __builtin_nanf("") : r;
    negative = yoke_m_rintf(y) == y ? negative : fractional;
    r = __builtin_copysignf(1.0f, x) < 0.0f ? negative : r;
    r = x != x || y != y ? x + y : r;
    return x == 1.0f || y == 0.0f ? 1.0f : r;
}

#endif
