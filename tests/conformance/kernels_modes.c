/* Kernels of one dimension for every parameter mode, exact unless said otherwise. */
#include "tests/conformance/calls.h"

YOKE_KERNEL(counts, (in(int32_t, x, 3), out(int32_t, y, 2), inout(int64_t, z, k), in(int16_t, w, k + 1), value(int, k)),
            {
                y[2 * i] = x[3 * i] + x[3 * i + 2];
                y[2 * i + 1] = x[3 * i + 1] ^ (int32_t)i;
                for (int m = 0; m < k; m++)
                    z[(size_t)k * i + (size_t)m] += w[((size_t)k + 1) * i + (size_t)m + 1] + (int64_t)n;
            })
MAP(counts, a[0], a[1], a[2], a[3], p->k)

/* The rim: what lies outside counts as 7. */
YOKE_KERNEL(rim, (halo(int32_t, x, 2, 1), out(int32_t, y)), {
    const int32_t far = i >= 2 ? x[i - 2] : 7;
    const int32_t before = i >= 1 ? x[i - 1] : 7;
    const int32_t after = i + 1 < n ? x[i + 1] : 7;
    y[i] = far ^ (before * 2) ^ (x[i] >> 1) ^ (after >> 2);
})
MAP(rim, a[0], a[1])

/* A halo as wide as a value says, on both sides, wider than short arrays. */
YOKE_KERNEL(reach, (halo(uint8_t, x, r * 20, r * 30), out(uint32_t, y), value(int, r)), {
    uint32_t sum = x[i];
    for (size_t m = 1; m <= (size_t)r * 20 && m <= i; m++)
        sum += x[i - m];
    for (size_t m = 1; m <= (size_t)r * 30 && i + m < n; m++)
        sum += x[i + m];
    y[i] = sum;
})
MAP(reach, a[0], a[1], p->k)

YOKE_KERNEL(lookup, (in(uint8_t, x), whole(double, table, 256), whole(double, all, n), out(double, y)),
            { y[i] = table[x[i]] + all[n - 1 - i]; })
MAP(lookup, a[0], a[1], a[2], a[3])

YOKE_KERNEL(permute, (in(int32_t, x), whole(int32_t, order, n), scatter(int32_t, y, n)), { y[order[i]] = x[i] * 3; })
MAP(permute, a[0], a[1], a[2])

/* Every third element is written: the others keep what they hold. */
YOKE_KERNEL(spread, (in(int16_t, x), scatter(int16_t, y, 3 * n + 2)), { y[3 * (n - 1 - i) + 1] = (int16_t)(x[i] + 1); })
MAP(spread, a[0], a[1])

YOKE_KERNEL(early, (in(int32_t, x), inout(int32_t, y)), {
    if (x[i] % 3 == 0)
        return;
    y[i] -= x[i];
})
MAP(early, a[0], a[1])

/* clang-format off */
/* Steps of 3n + 1 until 1, 60 at most: lanes end at different times. */
YOKE_LANE_KERNEL(collatz, (in(uint16_t, x), out(int32_t, steps)), {
    YOKE_LANES(uint32_t, v);
    YOKE_LANES(int32_t, count);
    YOKE_EACH {
        v[l] = (uint32_t)x[i] + 1;
        count[l] = 0;
    }
    int alive = 1;
    for (int round = 0; alive && round < 60; round++) {
        YOKE_EACH {
            const uint32_t odd = v[l] & 1;
            const int inside = v[l] > 1;
            count[l] += inside;
            v[l] = !inside ? v[l] : odd ? 3 * v[l] + 1 : v[l] / 2;
        }
        YOKE_ANY(alive, v[l] > 1);
    }
    YOKE_EACH {
        steps[i] = count[l];
    }
})
/* clang-format on */
MAP(collatz, a[0], a[1])

/* NOLINTNEXTLINE(bugprone-signed-char-misuse): counts are worked out in 128 bits, and a negative one shall stay so */
YOKE_KERNEL(sixteen,
            (out(int64_t, y), value(char, p1), value(uint8_t, p3), value(short, p4), value(uint16_t, p5),
             value(int, p6), value(uint32_t, p7), value(int64_t, p8), value(uint64_t, p9), value(float, p10),
             in(int8_t, a), in(int16_t, b), in(int32_t, c), in(int64_t, d), inout(uint8_t, e), value(int, p15)),
            {
                y[i] = p1 + 3 * p3 + 4 * p4 + 5 * p5 + 6 * p6 + 7 * (int64_t)p7 + 8 * p8 + 9 * (int64_t)p9 +
                       (int64_t)p10 + a[i] + b[i] + (int64_t)c[i] + (d[i] >> 8) + e[i] + p15;
                e[i] = (uint8_t)(e[i] + 1);
            })
MAP(sixteen, a[0], -1, 250, -30000, 65000, -100000, 4000000000u, -(INT64_C(1) << 40), UINT64_C(3), 10.0f, a[1], a[2],
    a[3], a[4], a[5], p->k)

const subject mode_subjects[] = {
    {VECTOR(counts), .reference = reference_counts,
     .arrays = {{"x", I32, GIVEN, .per_item = 3},
                {"y", I32, MADE, .per_item = 2},
                {"z", I64, CHANGED, .per_item_k = 1},
                {"w", I16, GIVEN, .per_item = 1, .per_item_k = 1}}},
    {VECTOR(rim), .reference = reference_rim, .arrays = {IN(I32, "x"), OUT(I32)}},
    {VECTOR(reach), .reference = reference_reach, .arrays = {IN(U8, "x"), OUT(U32)}},
    {VECTOR(lookup), .needs_double = true, .reference = reference_lookup,
     .arrays = {IN(U8, "x"),
                {"table", F64, GIVEN, .fixed = 256, .loose = true},
                {"all", F64, GIVEN, .per_item = 1, .loose = true},
                OUT(F64)}},
    {VECTOR(permute), .reference = reference_permute, .prepare = prepare_order,
     .arrays = {IN(I32, "x"),
                {"order", I32, GIVEN, .per_item = 1, .loose = true},
                {"y", I32, CHANGED, .per_item = 1, .loose = true}}},
    {VECTOR(spread), .reference = reference_spread,
     .arrays = {IN(I16, "x"), {"y", I16, CHANGED, .per_item = 3, .fixed = 2, .loose = true}}},
    {VECTOR(early), .reference = reference_early, .same = {0, 1}, .arrays = {IN(I32, "x"), INOUT(I32)}},
    {VECTOR(collatz), .reference = reference_collatz, .arrays = {IN(U16, "x"), {"steps", I32, MADE, .per_item = 1}}},
    {VECTOR(sixteen), .reference = reference_sixteen,
     .arrays = {{"y", I64, MADE, .per_item = 1},
                IN(I8, "a"),
                IN(I16, "b"),
                IN(I32, "c"),
                IN(I64, "d"),
                {"e", U8, CHANGED, .per_item = 1}}},
    {0},
};
