/* The tolerant class: functions of <math.h>, quotients; and reductions of every kind. */
#include <math.h>

#include "tests/conformance/calls.h"
#include "tests/conformance/own_types.h"

YOKE_KERNEL(exp_log, (in(float, x), in(float, y), out(float, e), out(float, g)), {
    e[i] = expf(x[i]);
    g[i] = logf(y[i]);
})
MAP(exp_log, a[0], a[1], a[2], a[3])
YOKE_KERNEL(circle, (in(float, x), out(float, s), out(float, c)), {
    s[i] = sinf(x[i]);
    c[i] = cosf(x[i]);
})
MAP(circle, a[0], a[1], a[2])
YOKE_KERNEL(powers, (in(float, x), in(float, y), out(float, z)), { z[i] = powf(x[i], y[i]); })
MAP(powers, a[0], a[1], a[2])
YOKE_KERNEL(quotient, (in(float, x), inout(float, y), out(float, root)), {
    root[i] = sqrtf(x[i]);
    y[i] = y[i] / x[i];
})
MAP(quotient, a[0], a[1], a[2])
YOKE_KERNEL(dmath, (in(double, x), out(double, e), out(double, g), out(double, s)), {
    e[i] = exp(-x[i]);
    g[i] = log(x[i]);
    s[i] = sin(x[i]);
})
MAP(dmath, a[0], a[1], a[2], a[3])

/* --- reductions --- */

YOKE_REDUCE(count_sum, (int64_t, 0, a + b), (in(int32_t, x), value(int, k)), (int64_t)x[i] * k + (int64_t)i)
FOLD(count_sum, a[1], l->p->k)
YOKE_REDUCE(least, (float, INFINITY, fminf(a, b)), (in(float, x, 2), whole(float, t, 8)), x[2 * i + 1] * t[i % 8])
FOLD(least, a[1], a[2])
YOKE_EXACT_REDUCE(exact_sum, (float, 0.0f, a + b), (in(float, x), in(float, y)), x[i] * y[i])
FOLD(exact_sum, a[1], a[2])
YOKE_FUNCTION(lowest_highest, widened, (const lowest_highest a, const lowest_highest b), {
    const lowest_highest both = {a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
    return both;
})
YOKE_FUNCTION(lowest_highest, pair_of, (int32_t low, int32_t high), {
    const lowest_highest both = {low, high};
    return both;
})
YOKE_REDUCE(extremes, (lowest_highest, pair_of(INT32_MAX, INT32_MIN), widened(a, b)), (in(int32_t, x)),
            pair_of(x[i], x[i]))
FOLD(extremes, a[1])

YOKE_FUNCTION(bucket_counts, added, (bucket_counts a, const bucket_counts b), {
    for (int k = 0; k < 16; k++)
        a.count[k] += b.count[k];
    return a;
})
YOKE_ACCUMULATE(buckets, (bucket_counts, {{0}}, added(a, b)), (in(uint16_t, x), value(int, shift)),
                { acc->count[(x[i] >> shift) & 15]++; })
FOLD(buckets, a[1], l->p->k)
/* Not commutative: the last item above the limit, by the order of the items. */
YOKE_ACCUMULATE(last_above, (int64_t, -1, b >= 0 ? b : a), (in(int32_t, x), value(int32_t, limit)), {
    if (x[i] > limit)
        *acc = (int64_t)i;
})
FOLD(last_above, a[1], 1 << 27)

const subject math_subjects[] = {
    {VECTOR(exp_log), .tolerant = true, .reference = reference_exp_log,
     .arrays = {IN_OF(F32, "x", -80, 80),
                IN_OF(F32, "y", 1e-6, 1e4),
                {"e", F32, MADE, .per_item = 1},
                {"g", F32, MADE, .per_item = 1}}},
    {VECTOR(circle), .tolerant = true, .reference = reference_circle,
     .arrays = {IN_OF(F32, "x", -1000, 1000), {"s", F32, MADE, .per_item = 1}, {"c", F32, MADE, .per_item = 1}}},
    {VECTOR(powers), .tolerant = true, .reference = reference_powers,
     .arrays = {IN_OF(F32, "x", 0.01, 50), IN_OF(F32, "y", -15, 15), {"z", F32, MADE, .per_item = 1}}},
    {VECTOR(quotient), .tolerant = true, .reference = reference_quotient,
     .arrays = {IN_OF(F32, "x", 0.001, 1000), INOUT(F32), {"root", F32, MADE, .per_item = 1}}},
    {VECTOR(dmath), .tolerant = true, .needs_double = true, .reference = reference_dmath,
     .arrays = {IN_OF(F64, "x", 0.001, 600),
                {"e", F64, MADE, .per_item = 1},
                {"g", F64, MADE, .per_item = 1},
                {"s", F64, MADE, .per_item = 1}}},
    {0},
};

const subject fold_subjects[] = {
    {VECTOR(count_sum), .reference = reference_count_sum, .arrays = {RESULT(I64), IN(I32, "x")}},
    {VECTOR(least), .reference = reference_least,
     .arrays = {RESULT(F32), {"x", F32, GIVEN, .per_item = 2}, {"t", F32, GIVEN, .fixed = 8, .loose = true}}},
    {VECTOR(exact_sum), .tolerant = true, .agree = true, .reference = reference_exact_sum,
     .arrays = {RESULT(F32), IN(F32, "x"), IN(F32, "y")}},
    {VECTOR(extremes), .reference = reference_extremes,
     .arrays = {{"result", RAW, FOLDED, .element = sizeof(lowest_highest), .fixed = 1}, IN(I32, "x")}},
    {VECTOR(buckets), .reference = reference_buckets,
     .arrays = {{"counts", RAW, FOLDED, .element = sizeof(bucket_counts), .fixed = 1}, IN(U16, "x")}},
    {VECTOR(last_above), .reference = reference_last_above, .arrays = {RESULT(I64), IN(I32, "x")}},
    {0},
};
