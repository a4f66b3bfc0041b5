/* The kernel dialect: what each mode, macro, helper and type means on the CPU. */
#include <float.h>
#include <math.h>

#include "tests/unit/dialect_kernels.h"
#include "tests/unit/support.h"

enum { N = 1003 };

/* --- every mode, with and without a count --- */

YOKE_KERNEL(all_modes,
            (in(float, a), in(short, b, 3), out(double, c), out(float, d, 2), inout(int, e), inout(long, f, 2),
             halo(float, g, 1, 2), whole(int, h, 4), whole(float, w, n + 1), value(float, v), value(int, k)),
            {
                c[i] = a[i] + b[3 * i] + b[3 * i + 1] + b[3 * i + 2];
                d[2 * i] = v;
                d[2 * i + 1] = w[n - i];
                e[i] += h[i % 4] * k;
                f[2 * i] += (long)i;
                f[2 * i + 1] -= (long)i;
                c[i] += (i >= 1 ? g[i - 1] : 0.0f) + (i + 2 < n ? g[i + 2] : 0.0f);
            })

static void every_mode_with_and_without_a_count_reads_and_writes_its_elements(void **state)
{
    (void)state;
    static float a[N], d[2 * N], g[N], w[N + 1];
    static short b[3 * N];
    static double c[N];
    static int e[N];
    static long f[2 * N];
    const int h[4] = {1, 10, 100, 1000};
    for (int k = 0; k < N; k++) {
        a[k] = (float)k, g[k] = (float)(k * 2), w[k + 1] = (float)(3 * k), e[k] = k;
        f[2 * k] = 5, f[2 * k + 1] = 7;
        for (int m = 0; m < 3; m++)
            b[3 * k + m] = (short)(k + m);
    }
    assert_int_equal(parallel_map(all_modes, N, a, b, c, d, e, f, g, h, w, 2.5f, 3), YOKE_OK);
    for (int k = 0; k < N; k++) {
        double sum = k + 3.0 * k + 3 + (k >= 1 ? 2.0 * (k - 1) : 0) + (k + 2 < N ? 2.0 * (k + 2) : 0);
        assert_true(c[k] == sum);
        assert_true(d[2 * k] == 2.5f && d[2 * k + 1] == w[N - k]);
        assert_int_equal(e[k], k + 3 * h[k % 4]);
        assert_int_equal(f[2 * k], 5 + k);
        assert_int_equal(f[2 * k + 1], 7 - k);
    }
}

YOKE_KERNEL(permute, (in(int, x), whole(int, order, n), scatter(int, y, n)), { y[order[i]] = x[i]; })

static void scatter_writes_any_element_once(void **state)
{
    (void)state;
    static int x[N], order[N], y[N];
    for (int k = 0; k < N; k++)
        x[k] = k, order[k] = (k * 7 + 3) % N, y[k] = -1; /* 7 and N have no common divisor */
    const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
    assert_int_equal(parallel_map_on(NULL, &options, permute, N, x, order, y), YOKE_OK);
    for (int k = 0; k < N; k++)
        assert_int_equal(y[(k * 7 + 3) % N], k);
}

/* Counts are worked out in 128 bits, and a negative one shall stay negative.
 * NOLINTNEXTLINE(bugprone-signed-char-misuse) */
YOKE_KERNEL(sixteen,
            (out(int, y), value(char, p1), value(signed char, p2), value(unsigned char, p3), value(short, p4),
             value(unsigned short, p5), value(int, p6), value(unsigned, p7), value(long, p8), value(unsigned long, p9),
             value(int64_t, p10), value(uint8_t, p11), value(float, p12), value(double, p13), value(int, p14),
             inout(int, z)),
            {
                y[i] = (int)((int)p1 + p2 + p3 + p4 + p5 + p6 + (int)p7 + (int)p8 + (int)p9 + (int)p10 + p11 +
                             (int)p12 + (int)p13) +
                       p14 + z[i];
                z[i] = 0;
            })

static void sixteen_parameters_arrive_in_their_places(void **state)
{
    (void)state;
    int y[5], z[5] = {10, 20, 30, 40, 50};
    assert_int_equal(parallel_map(sixteen, 5, y, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12.0f, 13.0, 14, z), YOKE_OK);
    for (int k = 0; k < 5; k++)
        assert_int_equal(y[k], 105 + 10 * (k + 1));
    assert_int_equal(YOKE_KERNEL_OF(sixteen)->parameter_count, 16);
}

/* --- types --- */

YOKE_TYPE(particle, {
    double mass;
    float place[3];
    uint8_t kind;
})
YOKE_KERNEL(push, (inout(particle, p), in(particle, q), value(particle, by)), {
    p[i].place[0] += by.place[0];
    p[i].mass *= by.mass;
    p[i].kind = (uint8_t)(q[i].kind + by.kind);
})

static void structs_are_elements_and_values(void **state)
{
    (void)state;
    static particle p[N], q[N];
    const particle by = {2.0, {0.5f, 0, 0}, 3};
    for (int k = 0; k < N; k++)
        p[k] = (particle){k, {1, 2, 3}, 9}, q[k].kind = (uint8_t)k;
    assert_int_equal(parallel_map(push, N, p, q, by), YOKE_OK);
    for (int k = 0; k < N; k++) {
        assert_true(p[k].mass == 2.0 * k && p[k].place[0] == 1.5f && p[k].place[2] == 3.0f);
        assert_int_equal(p[k].kind, (uint8_t)(k + 3));
    }
}

#define INTEGER_KERNEL(T) YOKE_KERNEL(mix_##T, (in(T, x), inout(T, y)), { y[i] = (T)(y[i] * 3 + (x[i] >> 1) - 1); })
#define INTEGER_CASE(T)                                                        \
    do {                                                                       \
        static T x[N], y[N];                                                   \
        for (int k = 0; k < N; k++)                                            \
            x[k] = (T)(k * 31), y[k] = (T)(k + 7);                             \
        assert_int_equal(parallel_map(mix_##T, N, x, y), YOKE_OK);             \
        for (int k = 0; k < N; k++)                                            \
            assert_true(y[k] == (T)((T)(k + 7) * 3 + ((T)(k * 31) >> 1) - 1)); \
    } while (0)
INTEGER_KERNEL(int8_t)
INTEGER_KERNEL(uint8_t)
INTEGER_KERNEL(int16_t)
INTEGER_KERNEL(uint16_t)
INTEGER_KERNEL(int32_t)
INTEGER_KERNEL(uint32_t)
INTEGER_KERNEL(int64_t)
INTEGER_KERNEL(uint64_t)

static void integers_of_8_to_64_bits_compute_as_in_c(void **state)
{
    (void)state;
    INTEGER_CASE(int8_t);
    INTEGER_CASE(uint8_t);
    INTEGER_CASE(int16_t);
    INTEGER_CASE(uint16_t);
    INTEGER_CASE(int32_t);
    INTEGER_CASE(uint32_t);
    INTEGER_CASE(int64_t);
    INTEGER_CASE(uint64_t);
}

/* --- macros, helpers, names --- */

#define G 9.81f
#define HALF_OF(x) ((x)*0.5f)
YOKE_KERNEL(fall, (in(float, t), out(float, y)), { y[i] = HALF_OF(G * t[i] * t[i]); })

static void user_macros_work_in_bodies_and_are_gone_from_the_text(void **state)
{
    (void)state;
    float t[3] = {0, 1, 2}, y[3];
    assert_int_equal(parallel_map(fall, 3, t, y), YOKE_OK);
    assert_true(y[0] == 0 && fabsf(y[1] - 4.905f) < 1e-6f && fabsf(y[2] - 19.62f) < 1e-5f);
    assert_non_null(strstr(YOKE_KERNEL_OF(fall)->body, "9.81f"));
    assert_null(strstr(YOKE_KERNEL_OF(fall)->body, "HALF_OF"));
}

YOKE_FUNCTION(float, clamp, (float x, float low, float high), { return x < low ? low : x > high ? high : x; })
YOKE_FUNCTION(float, halved, (float x), { return clamp(x, -8.0f, 8.0f) / 4.0f; }) /* another file has its own */
YOKE_KERNEL(squeeze, (in(float, x), out(float, y)), { y[i] = halved(x[i]); })

static void helpers_call_helpers_and_may_be_named_like_an_opencl_function(void **state)
{
    (void)state;
    float x[4] = {-100, -4, 4, 100}, y[4];
    assert_int_equal(parallel_map(squeeze, 4, x, y), YOKE_OK);
    assert_true(y[0] == -2 && y[1] == -1 && y[2] == 1 && y[3] == 2);
}

YOKE_KERNEL(odd_names, (in(float, exp), in(float, sin), out(float, cosf), value(float, pow)),
            { cosf[i] = exp[i] + sin[i] * pow + fabsf(exp[i]); })

static void parameters_may_be_named_like_functions(void **state)
{
    (void)state;
    float a[2] = {-1, 2}, b[2] = {3, 4}, y[2];
    assert_int_equal(parallel_map(odd_names, 2, a, b, y, 10.0f), YOKE_OK);
    assert_true(y[0] == 30 && y[1] == 44);
}

YOKE_KERNEL(only_positive, (in(int, x), inout(int, y)), {
    if (x[i] <= 0)
        return;
    y[i] = x[i];
})

static void return_ends_one_item_only(void **state)
{
    (void)state;
    static int x[N], y[N];
    for (int k = 0; k < N; k++)
        x[k] = k % 3 - 1, y[k] = -7;
    assert_int_equal(parallel_map(only_positive, N, x, y), YOKE_OK);
    for (int k = 0; k < N; k++)
        assert_int_equal(y[k], k % 3 == 2 ? 1 : -7);
}

static void kernels_of_another_file_are_called_by_their_declarations(void **state)
{
    (void)state;
    static float x[N], y[N];
    static int steps[N], a[12], t[12], c[12];
    for (int k = 0; k < N; k++)
        x[k] = (float)k;
    assert_int_equal(parallel_map(far_scale, N, x, y, 3.0f), YOKE_OK);
    assert_true(y[5] == 15.0f && y[N - 1] == 3.0f * (N - 1)); /* its own `halved` */
    for (int k = 0; k < 12; k++)
        a[k] = k, t[k] = 100 * k, c[k] = 1;
    assert_int_equal(parallel_map_2d(far_transposed_add, 4, 3, a, t, c), YOKE_OK);
    for (int k = 0; k < 12; k++)
        assert_int_equal(c[k], 1 + 101 * k);
    assert_int_equal(parallel_map(far_lanes, N, x, steps), YOKE_OK);
    for (int k = 0; k < N; k++)
        assert_int_equal(steps[k], k <= 1 ? 0 : 32 - __builtin_clz((unsigned)k - 1));
    extremes found;
    x[17] = -5.0f;
    assert_int_equal(parallel_reduce(far_extremes, N, &found, x), YOKE_OK);
    assert_true(found.low == -5.0f && found.high == (float)(N - 1));
}

/* --- counts --- */

YOKE_KERNEL(tiled, (in(float, x, k), out(float, y, k + 1), whole(float, t, k * 2 + n / 2), value(int, k)), {
    for (int m = 0; m < k; m++)
        y[(k + 1) * (int)i + m] = x[k * (int)i + m];
    y[(k + 1) * (int)i + k] = t[k];
})

static void counts_are_expressions_over_values_and_sizes(void **state)
{
    (void)state;
    float x[12], y[16], t[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int k = 0; k < 12; k++)
        x[k] = (float)k;
    assert_int_equal(parallel_map(tiled, 4, x, y, t, 3), YOKE_OK);
    for (int k = 0; k < 4; k++)
        assert_true(y[4 * k] == 3.0f * (float)k && y[4 * k + 3] == 3.0f);
}

YOKE_KERNEL(counted, (whole(char, t, k *k *n), inout(int, y), value(int64_t, k)), { y[i] += t != NULL; })
YOKE_KERNEL(negated, (whole(char, t, -k), inout(int, y), value(int64_t, k)), { y[i] += t != NULL; })
YOKE_KERNEL(rimmed, (halo(int, x, r, r), out(int, y), value(int, r)), { y[i] = x[i] + r; })

static void counts_that_are_negative_or_overflow_are_refused(void **state)
{
    (void)state;
    char t[1] = {0};
    int y[2] = {1, 2}, x[2] = {0, 0};
    assert_int_equal(parallel_map(counted, 2, t, y, INT64_MAX), YOKE_EINVAL);
    assert_int_equal(parallel_map(negated, 2, t, y, 5), YOKE_EINVAL);
    assert_int_equal(parallel_map(negated, 2, t, y, INT64_MAX), YOKE_EINVAL);
    assert_int_equal(parallel_map(counted, 2, t, y, INT64_C(1) << 32), YOKE_EINVAL); /* 2^65 */
    assert_non_null(strstr(yoke_error_detail(), "counted"));
    assert_int_equal(y[0], 1);
    assert_int_equal(parallel_map(rimmed, 2, x, y, -1), YOKE_EINVAL);
    assert_int_equal(parallel_map(tiled, 1, (float *)x, (float *)y, (float *)x, -2), YOKE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_with_and_without_a_count_reads_and_writes_its_elements),
        cmocka_unit_test(scatter_writes_any_element_once),
        cmocka_unit_test(sixteen_parameters_arrive_in_their_places),
        cmocka_unit_test(structs_are_elements_and_values),
        cmocka_unit_test(integers_of_8_to_64_bits_compute_as_in_c),
        cmocka_unit_test(user_macros_work_in_bodies_and_are_gone_from_the_text),
        cmocka_unit_test(helpers_call_helpers_and_may_be_named_like_an_opencl_function),
        cmocka_unit_test(parameters_may_be_named_like_functions),
        cmocka_unit_test(return_ends_one_item_only),
        cmocka_unit_test(kernels_of_another_file_are_called_by_their_declarations),
        cmocka_unit_test(counts_are_expressions_over_values_and_sizes),
        cmocka_unit_test(counts_that_are_negative_or_overflow_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
