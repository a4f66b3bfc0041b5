/* Element types, conversions, structs, helpers; and the exact class, where floats are compared by their bits. */
#include "tests/conformance/calls.h"
#include "tests/conformance/own_types.h"

#define MIX(name, T) \
    YOKE_KERNEL(name, (in(T, x), inout(T, y), value(T, v)), { y[i] = (T)(y[i] * 3 + (x[i] >> 1) - v); })
MIX(mix_i8, int8_t)
MIX(mix_u8, uint8_t)
MIX(mix_i16, int16_t)
MIX(mix_u16, uint16_t)
MIX(mix_u32, uint32_t)
MIX(mix_u64, uint64_t)
MAP(mix_i8, a[0], a[1], 5)
MAP(mix_u8, a[0], a[1], 5)
MAP(mix_i16, a[0], a[1], 5)
MAP(mix_u16, a[0], a[1], 5)
MAP(mix_u32, a[0], a[1], 5)
MAP(mix_u64, a[0], a[1], 5)
/* Signed overflow is undefined in C: these are kept small. */
YOKE_KERNEL(mix_i32, (in(int32_t, x), inout(int32_t, y), value(int32_t, v)), { y[i] = y[i] / 7 * 3 + (x[i] >> 3) - v; })
YOKE_KERNEL(mix_i64, (in(int64_t, x), inout(int64_t, y), value(int64_t, v)), { y[i] = y[i] / 7 * 3 + (x[i] >> 3) - v; })
MAP(mix_i32, a[0], a[1], 5)
MAP(mix_i64, a[0], a[1], 5)

YOKE_EXACT_KERNEL(convert, (in(int32_t, x), in(float, f), out(float, y), out(int32_t, z), out(uint8_t, b)), {
    y[i] = (float)x[i];
    z[i] = (int32_t)(f[i] * 100.0f);
    b[i] = (uint8_t)(int32_t)fabsf(f[i] * 20.0f);
})
MAP(convert, a[0], a[1], a[2], a[3], a[4])

YOKE_KERNEL(push, (inout(particle, p), in(particle, q), value(particle, by)), {
    p[i].mass *= by.mass;
    p[i].place[0] += by.place[0];
    p[i].place[2] = q[i].place[1];
    p[i].kind = q[i].kind / 2 + by.kind;
})
static int run_push(const launch *l)
{
    const particle by = {0.25, {0.5f, 0, 0}, 3};
    return yoke_parallel_map_on(l->runtime, l->options, push, l->p->n, l->a[0], l->a[1], by);
}

YOKE_EXACT_KERNEL(weigh, (in(float, x, 4), out(float, y), value(mixture, m)), {
    float sum = 0.0f;
    for (int k = 0; k < 4; k++)
        sum += m.weight[k] * x[4 * i + (size_t)((k + m.shift) & 3)];
    y[i] = sum;
})
static int run_weigh(const launch *l)
{
    const mixture m = {{0.1f, 0.7f, -1.3f, l->p->a}, l->p->k};
    return yoke_parallel_map_on(l->runtime, l->options, weigh, l->p->n, l->a[0], l->a[1], m);
}

/* Products that would be fused into sums, were that allowed; quotients and roots that must be rounded correctly. */
YOKE_EXACT_KERNEL(exact_float, (in(float, x), in(float, y), out(float, z), inout(float, w)), {
    const float u = x[i], v = y[i];
    z[i] = u * v + u / (fabsf(v) + 0.5f) - sqrtf(fabsf(u));
    w[i] = w[i] * u - v * v;
})
MAP(exact_float, a[0], a[1], a[2], a[3])
YOKE_EXACT_KERNEL(exact_double, (in(double, x), in(double, y), out(double, z), inout(double, w)), {
    const double u = x[i], v = y[i];
    z[i] = u * v + u / (fabs(v) + 0.5) - sqrt(fabs(u));
    w[i] = w[i] * u - v * v;
})
MAP(exact_double, a[0], a[1], a[2], a[3])

YOKE_EXACT_FUNCTION(float, square_sum, (float x, float y), { return x * x + y * y; })
YOKE_EXACT_FUNCTION(float, distance, (float x, float y), { return sqrtf(square_sum(x, y)); }) /* as one of OpenCL's */
YOKE_EXACT_KERNEL(exact_helper, (in(float, x), in(float, y), out(float, z)),
                  { z[i] = floorf(distance(x[i], y[i]) * 16.0f) + fmaf(x[i], y[i], 0.1f); })
MAP(exact_helper, a[0], a[1], a[2])

YOKE_FUNCTION(int32_t, clamp, (int32_t x, int32_t low, int32_t high), { return x < low ? low : x > high ? high : x; })
YOKE_FUNCTION(lowest_highest, ordered, (int32_t x, int32_t y), {
    const lowest_highest both = {x < y ? x : y, x < y ? y : x};
    return both;
})
YOKE_KERNEL(helped, (in(int32_t, x), in(int32_t, y), out(lowest_highest, z)),
            { z[i] = ordered(clamp(x[i], -1000000, 1000000), clamp(y[i], -5, 5)); })
MAP(helped, a[0], a[1], a[2])

#define INTEGERS(name, T)                                                                               \
    {                                                                                                   \
        VECTOR(name), .reference = reference_##name, .same = {0, 1}, .arrays = { IN(T, "x"), INOUT(T) } \
    }

const subject type_subjects[] = {
    INTEGERS(mix_i8, I8),
    INTEGERS(mix_u8, U8),
    INTEGERS(mix_i16, I16),
    INTEGERS(mix_u16, U16),
    INTEGERS(mix_i32, I32),
    INTEGERS(mix_u32, U32),
    INTEGERS(mix_i64, I64),
    INTEGERS(mix_u64, U64),
    {VECTOR(convert), .reference = reference_convert,
     .arrays = {IN(I32, "x"), IN(F32, "f"), OUT(F32), {"z", I32, MADE, .per_item = 1}, {"b", U8, MADE, .per_item = 1}}},
    {VECTOR(push), .needs_double = true, .reference = reference_push, .prepare = prepare_particles,
     .arrays = {{"p", RAW, CHANGED, .element = sizeof(particle), .per_item = 1},
                {"q", RAW, GIVEN, .element = sizeof(particle), .per_item = 1}}},
    {VECTOR(weigh), .reference = reference_weigh, .arrays = {{"x", F32, GIVEN, .per_item = 4}, OUT(F32)}},
    {VECTOR(exact_float), .reference = reference_exact_float, .same = {0, 2},
     .arrays = {IN(F32, "x"), IN(F32, "y"), {"z", F32, MADE, .per_item = 1}, {"w", F32, CHANGED, .per_item = 1}}},
    {VECTOR(exact_double), .needs_double = true, .reference = reference_exact_double, .same = {1, 2},
     .arrays = {IN(F64, "x"), IN(F64, "y"), {"z", F64, MADE, .per_item = 1}, {"w", F64, CHANGED, .per_item = 1}}},
    {VECTOR(exact_helper), .reference = reference_exact_helper, .arrays = {IN(F32, "x"), IN(F32, "y"), OUT(F32)}},
    {VECTOR(helped), .reference = reference_helped,
     .arrays = {IN(I32, "x"), IN(I32, "y"), {"z", RAW, MADE, .element = sizeof(lowest_highest), .per_item = 1}}},
    {0},
};
