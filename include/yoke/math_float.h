/* Elementary functions of float for vectorised loops: exponentials, logarithms, sine and its kin. See math.h. */
#ifndef YOKE_MATH_FLOAT_H
#define YOKE_MATH_FLOAT_H

#include "yoke/math_bits.h"

/* Added to n and taken away, it rounds n to an integer, whose low bits then stand in the sum's; the 254 makes
 * the exponent that yoke__scale_f wants. */
#define YOKE__ROUND_F 0x1.8p23f
#define YOKE__ROUND_EXPONENT_F (0x1.8p23f + 254.0f)

/* p times 2^n for shifted = n + YOKE__ROUND_EXPONENT_F, in two steps, so that a denormal result is rounded once
 * and 2^128 is no obstacle. */
YOKE__INLINE float yoke__scale_f(float p, float shifted)
{
    uint32_t both = yoke__bits_of_float(shifted), half = both >> 1;
    return p * yoke__float_of_bits(half << 23) * yoke__float_of_bits((both - half) << 23);
}

YOKE__INLINE float yoke_m_expf(float x)
{
    float in = x < -104.0f ? -104.0f : x;
    in = in > 89.0f ? 89.0f : in;
    float shifted = in * 0x1.715476p0f + YOKE__ROUND_EXPONENT_F;
    float n = shifted - YOKE__ROUND_EXPONENT_F;
    float r = in - n * 0x1.62ep-1f;
    r = r - n * 0x1.0bfbe8p-15f;
    float p = 0x1.685148p-10f;
    p = p * r + 0x1.123bd8p-7f;
    p = p * r + 0x1.555b98p-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0x1.fffff8p-2f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return yoke__scale_f(p, shifted);
}

/* 2^r for |r| <= 0.5. */
YOKE__INLINE float yoke__exp2_core_f(float r)
{
    float p = 0x1.3f9bcp-13f;
    p = p * r + 0x1.5f0b8cp-10f;
    p = p * r + 0x1.3b30a6p-7f;
    p = p * r + 0x1.c6af76p-5f;
    p = p * r + 0x1.ebfbd8p-3f;
    p = p * r + 0x1.62e43p-1f;
    return p * r + 1.0f;
}

YOKE__INLINE float yoke_m_exp2f(float x)
{
    float in = x < -151.0f ? -151.0f : x;
    in = in > 129.0f ? 129.0f : in;
    float shifted = in + YOKE__ROUND_EXPONENT_F;
    float r = in - (shifted - YOKE__ROUND_EXPONENT_F);
    return yoke__scale_f(yoke__exp2_core_f(r), shifted);
}

/* A quarter of expm1: whole, it would overflow where sinh does not. */
YOKE__INLINE float yoke__quarter_expm1_f(float x)
{
    float in = x < -20.0f ? -20.0f : x;
    in = in > 89.5f ? 89.5f : in;
    float shifted = in * 0x1.715476p0f + (YOKE__ROUND_F + 125.0f);
    float n = shifted - (YOKE__ROUND_F + 125.0f);
    float r = in - n * 0x1.62ep-1f;
    r = r - n * 0x1.0bfbe8p-15f;
    float p = 0x1.a22dc2p-13f;
    p = p * r + 0x1.6d4122p-10f;
    p = p * r + 0x1.11100cp-7f;
    p = p * r + 0x1.5554f2p-5f;
    p = p * r + 0x1.555556p-3f;
    p = p * r + 0.5f;
    p = r + r * r * p;
    float power = yoke__float_of_bits(yoke__bits_of_float(shifted) << 23);
    return (power - 0.25f) + power * p;
}

YOKE__INLINE float yoke_m_expm1f(float x)
{
    float r = 4.0f * yoke__quarter_expm1_f(x);
    return __builtin_fabsf(x) < 0x1p-26f ? x : r;
}

YOKE__INLINE float yoke_m_sinhf(float x)
{
    float q = yoke__quarter_expm1_f(__builtin_fabsf(x));
    float r = 2.0f * (q + q / (4.0f * q + 1.0f));
    return __builtin_copysignf(__builtin_fabsf(x) < 0x1p-20f ? __builtin_fabsf(x) : r, x);
}

YOKE__INLINE float yoke_m_coshf(float x)
{
    float q = yoke__quarter_expm1_f(__builtin_fabsf(x));
    return 2.0f * q + (0.5f + 0.5f / (4.0f * q + 1.0f));
}

YOKE__INLINE float yoke_m_tanhf(float x)
{
    float size = __builtin_fabsf(x);
    float q = yoke__quarter_expm1_f(2.0f * (size > 20.0f ? 20.0f : size));
    float r = q / (q + 0.5f);
    return __builtin_copysignf(size < 0x1p-20f ? size : r, x);
}

/* x = 2^exponent (1 + fraction), 0.707 <= 1 + fraction < 1.414, for positive finite x. */
YOKE__INLINE float yoke__log_fraction_f(float x, float *exponent)
{
    float scaled = x < 0x1p-126f ? x * 0x1p23f : x;
    uint32_t bits = yoke__bits_of_float(scaled) - (x < 0x1p-126f ? 0x4ab504f3u : 0x3f3504f3u);
    *exponent = (float)((int32_t)bits >> 23);
    return yoke__float_of_bits((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
}

/* What every logarithm answers outside the positive finite numbers. */
YOKE__INLINE float yoke__log_special_f(float x, float r)
{
    r = x < __builtin_inff() ? r : x;
    r = x < 0.0f ? __builtin_nanf("") : r;
    return x == 0.0f ? -__builtin_inff() : r;
}

YOKE__INLINE float yoke_m_logf(float x)
{
    float e, f = yoke__log_fraction_f(x, &e);
    float p = -0x1.2a6f78p-4f;
    p = p * f + 0x1.015974p-3f;
    p = p * f + -0x1.0e96ccp-3f;
    p = p * f + 0x1.239ce2p-3f;
    p = p * f + -0x1.5466fep-3f;
    p = p * f + 0x1.99944ep-3f;
    p = p * f + -0x1.000234p-2f;
    p = p * f + 0x1.55557p-2f;
    p = p * f + -0.5f;
    float low = e * 0x1.0bfbe8p-15f + f * f * p;
    return yoke__log_special_f(x, e * 0x1.62ep-1f + (f + low));
}

YOKE__INLINE float yoke_m_log2f(float x)
{
    float e, f = yoke__log_fraction_f(x, &e);
    float p = -0x1.c36726p-4f;
    p = p * f + 0x1.7e0e22p-3f;
    p = p * f + -0x1.877ae4p-3f;
    p = p * f + 0x1.a2e684p-3f;
    p = p * f + -0x1.eab182p-3f;
    p = p * f + 0x1.277ef4p-2f;
    p = p * f + -0x1.715ac8p-2f;
    p = p * f + 0x1.ec7094p-2f;
    p = p * f + -0x1.71547p-1f;
    float low = f * 0x1.4ae0cp-26f + f * f * p;
    return yoke__log_special_f(x, e + (f * 0x1.715476p0f + low));
}

YOKE__INLINE float yoke_m_log10f(float x)
{
    float e, f = yoke__log_fraction_f(x, &e);
    float p = -0x1.0efa9cp-5f;
    p = p * f + 0x1.cb62ep-5f;
    p = p * f + -0x1.d76478p-5f;
    p = p * f + 0x1.f88526p-5f;
    p = p * f + -0x1.276f44p-4f;
    p = p * f + 0x1.63cf38p-4f;
    p = p * f + -0x1.bcbf2ap-4f;
    p = p * f + 0x1.287a72p-3f;
    p = p * f + -0x1.bcb7aap-3f;
    float low = f * -0x1.5b235ep-27f + f * f * p;
    low = e * 0x1.3509f8p-18f + low;
    return yoke__log_special_f(x, e * 0x1.344p-2f + (f * 0x1.bcb7b2p-2f + low));
}

YOKE__INLINE float yoke_m_log1pf(float x)
{
    float u = 1.0f + x;
    float rest = u > 2.0f ? 1.0f - (u - x) : x - (u - 1.0f);
    float r = yoke_m_logf(u) + rest / u;
    r = x < __builtin_inff() ? r : x;
    r = u == 0.0f ? -__builtin_inff() : r;
    return __builtin_fabsf(x) < 0x1p-26f ? x : r;
}

/* x - n pi but for n 0x1.68c234p-38: products exact for |n| <= 2^15 in steps of a half (after W. J. Cody and W. Waite). */
YOKE__INLINE float yoke__minus_most_pi_f(float x, float n)
{
    float r = x - n * 0x1.92p1f;
    r = r - n * 0x1.fap-11f;
    r = r - n * 0x1.54p-19f;
    return r - n * 0x1.1p-29f;
}

YOKE__INLINE float yoke__minus_pi_f(float x, float n)
{
    return yoke__minus_most_pi_f(x, n) - n * 0x1.68c234p-38f;
}

/* The sine of r, |r| <= pi / 2. Angles too large for their reduction leave a larger r: 0 keeps those in bounds. */
YOKE__INLINE float yoke__sin_core_f(float r)
{
    float r2 = r * r;
    float p = 0x1.5dc904p-19f;
    p = p * r2 + -0x1.9f70fp-13f;
    p = p * r2 + 0x1.110edap-7f;
    p = p * r2 + -0x1.55554cp-3f;
    p = r + r * r2 * p;
    return r2 > 4.0f ? 0.0f : p;
}

/* sin(n pi + r) = (-1)^n sin(r); the sum in the core loses the sign of r = -0. */
YOKE__INLINE float yoke_m_sinf(float x)
{
    float turns = x * 0x1.45f306p-2f + YOKE__ROUND_F;
    float r = yoke__minus_pi_f(x, turns - YOKE__ROUND_F);
    uint32_t sine = yoke__bits_of_float(yoke__sin_core_f(r)) | (yoke__bits_of_float(r) & 0x80000000u);
    return yoke__float_of_bits(sine ^ (yoke__bits_of_float(turns) << 31));
}

/* cos(x) = sin(x + pi/2): the multiple of pi is the nearest odd half. */
YOKE__INLINE float yoke_m_cosf(float x)
{
    float turns = (x * 0x1.45f306p-2f + 0.5f) + YOKE__ROUND_F;
    float r = yoke__minus_pi_f(x, (turns - YOKE__ROUND_F) - 0.5f);
    return yoke__float_of_bits(yoke__bits_of_float(yoke__sin_core_f(r)) ^ (yoke__bits_of_float(turns) << 31));
}

YOKE__INLINE float yoke_m_tanf(float x)
{
    float turns = x * 0x1.45f306p-1f + YOKE__ROUND_F;
    float n = 0.5f * (turns - YOKE__ROUND_F);
    float r = (yoke__minus_most_pi_f(x, n) - n * 0x1.68p-38f) - n * 0x1.84698ap-47f;
    float r2 = r * r;
    float p = 0x1.1e6b6p-8f;
    p = p * r2 + 0x1.af6e06p-14f;
    p = p * r2 + 0x1.62ad1cp-7f;
    p = p * r2 + 0x1.5cc664p-6f;
    p = p * r2 + 0x1.bad946p-5f;
    p = p * r2 + 0x1.110dap-3f;
    p = p * r2 + 0x1.55556p-2f;
    float tangent = r + r * r2 * p;
    int odd = (yoke__bits_of_float(turns) & 1u) != 0u;
    return (odd ? -1.0f : tangent) / (odd ? tangent : 1.0f);
}

#endif
