/* Serial loops of our own kernels: element types, the exact class, the tolerant class, reductions. */
#include <math.h>
#include <string.h>

#include "tests/conformance/own_types.h"
#include "tests/conformance/reference.h"

/* --- integers: modulo 2^64, then cut --- */

#define MIX(name, T)                                                                   \
    void reference_##name(const problem *p, void *const *given, void *const *wanted)   \
    {                                                                                  \
        const T *x = given[0], *before = given[1];                                     \
        T *y = wanted[1];                                                              \
        for (size_t i = 0; i < p->n; i++)                                              \
            y[i] = (T)((uint64_t)before[i] * 3 + (uint64_t)(x[i] >> 1) - UINT64_C(5)); \
    }
MIX(mix_i8, int8_t)
MIX(mix_u8, uint8_t)
MIX(mix_i16, int16_t)
MIX(mix_u16, uint16_t)
MIX(mix_u32, uint32_t)
MIX(mix_u64, uint64_t)

#define MIX_SIGNED(name, T)                                                          \
    void reference_##name(const problem *p, void *const *given, void *const *wanted) \
    {                                                                                \
        const T *x = given[0], *before = given[1];                                   \
        T *y = wanted[1];                                                            \
        for (size_t i = 0; i < p->n; i++)                                            \
            y[i] = (T)(before[i] / 7 * 3 + (x[i] >> 3) - 5);                         \
    }
MIX_SIGNED(mix_i32, int32_t)
MIX_SIGNED(mix_i64, int64_t)

/* --- conversions, structs, helpers --- */

void reference_convert(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0];
    const float *f = given[1];
    float *y = wanted[2];
    int32_t *z = wanted[3];
    uint8_t *b = wanted[4];
    for (size_t i = 0; i < p->n; i++) {
        y[i] = (float)x[i];
        z[i] = (int32_t)(f[i] * 100.0f);
        b[i] = (uint8_t)(int32_t)fabsf(f[i] * 20.0f);
    }
}

void reference_push(const problem *p, void *const *given, void *const *wanted)
{
    const particle *before = given[0], *q = given[1];
    particle *after = wanted[0];
    for (size_t i = 0; i < p->n; i++) {
        after[i].mass = before[i].mass * 0.25;
        after[i].place[0] = before[i].place[0] + 0.5f;
        after[i].place[2] = q[i].place[1];
        after[i].kind = q[i].kind / 2 + 3;
    }
}

void reference_weigh(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0];
    float *y = wanted[1];
    const float weight[4] = {0.1f, 0.7f, -1.3f, p->a};
    for (size_t i = 0; i < p->n; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            const float product = weight[k] * x[4 * i + (size_t)((k + p->k) % 4)];
            sum = sum + product;
        }
        y[i] = sum;
    }
}

#define EXACT(name, T, absolute, root, half)                                         \
    void reference_##name(const problem *p, void *const *given, void *const *wanted) \
    {                                                                                \
        const T *x = given[0], *y = given[1], *before = given[3];                    \
        T *z = wanted[2], *w = wanted[3];                                            \
        for (size_t i = 0; i < p->n; i++) {                                          \
            const T product = x[i] * y[i], divisor = absolute(y[i]) + (half);        \
            const T sum = product + x[i] / divisor;                                  \
            z[i] = sum - root(absolute(x[i]));                                       \
            const T left = before[i] * x[i], right = y[i] * y[i];                    \
            w[i] = left - right;                                                     \
        }                                                                            \
    }
EXACT(exact_float, float, fabsf, sqrtf, 0.5f)
EXACT(exact_double, double, fabs, sqrt, 0.5)

void reference_exact_helper(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0], *y = given[1];
    float *z = wanted[2];
    for (size_t i = 0; i < p->n; i++) {
        const float xx = x[i] * x[i], yy = y[i] * y[i];
        const float distance = sqrtf(xx + yy);
        z[i] = floorf(distance * 16.0f) + fmaf(x[i], y[i], 0.1f);
    }
}

void reference_helped(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0], *y = given[1];
    lowest_highest *z = wanted[2];
    for (size_t i = 0; i < p->n; i++) {
        const int32_t a = x[i] > 1000000 ? 1000000 : x[i] < -1000000 ? -1000000 : x[i];
        const int32_t b = y[i] > 5 ? 5 : y[i] < -5 ? -5 : y[i];
        z[i].low = a < b ? a : b;
        z[i].high = a < b ? b : a;
    }
}

/* --- the tolerant class: OpenCL's bounds --- */

static truth within(double value, double ulps)
{
    return near(value, ulps * FLOAT_ULP * fabs(value));
}

void reference_exp_log(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0], *y = given[1];
    truth *e = wanted[2], *g = wanted[3];
    for (size_t i = 0; i < p->n; i++) {
        e[i] = within(exp((double)x[i]), EXP_ULPS);
        g[i] = within(log((double)y[i]), LOG_ULPS);
    }
}

void reference_circle(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0];
    truth *s = wanted[1], *c = wanted[2];
    for (size_t i = 0; i < p->n; i++) {
        s[i] = within(sin((double)x[i]), SIN_ULPS);
        c[i] = within(cos((double)x[i]), SIN_ULPS);
    }
}

void reference_powers(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0], *y = given[1];
    truth *z = wanted[2];
    for (size_t i = 0; i < p->n; i++)
        z[i] = within(pow((double)x[i], (double)y[i]), POW_ULPS);
}

void reference_quotient(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0], *before = given[1];
    truth *y = wanted[1], *root = wanted[2];
    for (size_t i = 0; i < p->n; i++) {
        root[i] = within(sqrt((double)x[i]), SQRT_ULPS);
        y[i] = within((double)before[i] / (double)x[i], DIVIDE_ULPS);
    }
}

/* Against long double, where the reference has no error of its own to speak of. */
void reference_dmath(const problem *p, void *const *given, void *const *wanted)
{
    const double *x = given[0];
    truth *results[3] = {wanted[1], wanted[2], wanted[3]};
    for (size_t i = 0; i < p->n; i++) {
        const long double correct[3] = {expl(-(long double)x[i]), logl(x[i]), sinl(x[i])};
        const double ulps[3] = {EXP_ULPS, LOG_ULPS, SIN_ULPS};
        for (int m = 0; m < 3; m++)
            results[m][i] = near((double)correct[m], (ulps[m] + 0.5) * DOUBLE_ULP * (double)fabsl(correct[m]));
    }
}

/* --- reductions --- */

void reference_count_sum(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[1];
    int64_t sum = 0;
    for (size_t i = 0; i < p->n; i++)
        sum += (int64_t)x[i] * p->k + (int64_t)i;
    *(int64_t *)wanted[0] = sum;
}

void reference_least(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[1], *t = given[2];
    float least = INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        const float term = x[2 * i + 1] * t[i % 8];
        least = term < least ? term : least;
    }
    *(float *)wanted[0] = least;
}

/* Every order is right to so much; which bits it gives is asked of the first place. */
void reference_exact_sum(const problem *p, void *const *given, void *const *wanted)
{
    reference_dot(p, given, wanted);
}

void reference_extremes(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[1];
    lowest_highest found = {INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < p->n; i++) {
        found.low = x[i] < found.low ? x[i] : found.low;
        found.high = x[i] > found.high ? x[i] : found.high;
    }
    *(lowest_highest *)wanted[0] = found;
}

void reference_buckets(const problem *p, void *const *given, void *const *wanted)
{
    const uint16_t *x = given[1];
    bucket_counts counts;
    memset(&counts, 0, sizeof counts);
    for (size_t i = 0; i < p->n; i++)
        counts.count[(x[i] >> p->k) & 15]++;
    *(bucket_counts *)wanted[0] = counts;
}

void reference_last_above(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[1];
    int64_t last = -1;
    for (size_t i = 0; i < p->n; i++)
        last = x[i] > 1 << 27 ? (int64_t)i : last;
    *(int64_t *)wanted[0] = last;
}
