/* The promise: a call's result has the same bits for any number of workers, division, grain, streaming and alignment
 * of its arrays, on each instruction set; and lies near what plain serial C gives. */
#include <math.h>

#include "tests/unit/support.h"
#include "yoke/yoke.h"

enum { LARGEST = 1000003, GUARD = 16 };

YOKE_KERNEL(bits_saxpy, (in(float, x), in(float, z), out(float, y), value(float, a)), { y[i] = a * x[i] + z[i]; })
YOKE_KERNEL(bits_products, (in(float, x), in(float, z), out(float, y), value(float, a)), {
    y[i] = x[i] * z[i] + a * x[i] - z[i] * z[i] * (x[i] - a * z[i]); /* which products fuse must not depend on place */
})
YOKE_KERNEL(bits_mix, (in(float, x), in(float, z), out(float, y), value(float, a)),
            { y[i] = expf(x[i]) + logf(z[i]) * sinf(a * x[i]) + powf(z[i], x[i]); })
YOKE_KERNEL(bits_divide, (in(float, x), in(float, z), out(float, y), value(float, a)), {
    float r = sqrtf(z[i]) / (fabsf(x[i]) + a);
    y[i] = x[i] > 0.25f ? r : -r;
})
YOKE_KERNEL(bits_neighbours, (halo(float, x, 1, 1), in(float, z), out(float, y), value(float, a)), {
    float left = i > 0 ? x[i - 1] : 0.0f;
    float right = i + 1 < n ? x[i + 1] : 0.0f;
    y[i] = a * (left + right) - z[i] * x[i];
})
YOKE_LANE_KERNEL(bits_escape, (in(float, x), in(float, z), out(float, y), value(float, a)), {
    YOKE_LANES(float, u);
    YOKE_LANES(float, v);
    YOKE_LANES(float, steps);
    int alive = 1;
    YOKE_EACH
    {
        u[l] = x[i];
        v[l] = z[i] - a;
        steps[l] = 0;
    }
    for (int k = 0; k < 20 && alive; k++) {
        YOKE_EACH
        {
            float t = u[l] * u[l] - v[l] * v[l] + x[i];
            v[l] = 2.0f * u[l] * v[l] + z[i] - a;
            u[l] = t;
            steps[l] += t * t + v[l] * v[l] < 4.0f ? 1.0f : 0.0f;
        }
        YOKE_ANY(alive, u[l] * u[l] + v[l] * v[l] < 4.0f);
    }
    YOKE_EACH
    {
        y[i] = steps[l];
    }
})
YOKE_KERNEL(bits_exp, (in(double, x), out(double, y)), { y[i] = exp(x[i]) * log(x[i] + 9.0); })
YOKE_KERNEL(bits_uneven, (in(float, x), out(uint8_t, b), out(double, d), out(float, y, 3)), {
    b[i] = (uint8_t)(int)(x[i] * 100.0f); /* by way of int: C leaves a float out of uint8_t's range open */
    d[i] = x[i];
    y[3 * i] = x[i];
    y[3 * i + 1] = -x[i];
    y[3 * i + 2] = 0.5f * x[i];
})
YOKE_REDUCE(bits_sum, (float, 0.0f, a + b), (in(float, x), in(float, z)), x[i])
YOKE_REDUCE(bits_dot, (float, 0.0f, a + b), (in(float, x), in(float, z)), x[i] * z[i])
YOKE_REDUCE(bits_max, (float, -INFINITY, fmaxf(a, b)), (in(float, x), in(float, z)), x[i] - z[i])

static const size_t sizes[] = {1, 63, 64, 65, 1023, 1025, 4097, 65537, LARGEST};
enum { SIZES = sizeof sizes / sizeof *sizes };
static const char *const isas[] = {"baseline", "avx2", "avx512"};

/* Arrays with room to be moved by 0 to 15 elements and guarded on both sides. */
static float *inputs[2], *output, *expected;

static yoke_runtime *runtime_of(const char *isa, unsigned workers)
{
    const yoke_runtime_options options = {.workers = workers, .isa = isa, .pin = YOKE_PIN_NONE};
    return yoke_open(&options);
}

typedef struct variation {
    yoke_runtime *runtime;
    yoke_options options;
    size_t offset[3]; /* of the inputs and the output, in elements */
} variation;

static variation draw_variation(yoke_runtime *runtime, uint64_t *seed)
{
    static const unsigned streams[] = {0, YOKE_NEVER_STREAM, YOKE_ALWAYS_STREAM, YOKE_ALWAYS_STREAM};
    variation v = {.runtime = runtime};
    v.options.flags = streams[draw_below(seed, 4)] | (draw_below(seed, 4) != 0 ? YOKE_ALWAYS_DIVIDE : 0);
    v.options.grain = draw_below(seed, 2) == 0 ? 0 : (size_t)draw_below(seed, 5000);
    for (int k = 0; k < 3; k++)
        v.offset[k] = (size_t)draw_below(seed, GUARD);
    return v;
}

static char *describe(const variation *v, size_t n)
{
    static char text[200];
    (void)snprintf(text, sizeof text, "%s, %d workers, n = %zu, flags %u, grain %zu, offsets %zu %zu %zu",
                   yoke_isa(v->runtime), yoke_workers(v->runtime), n, v->options.flags, v->options.grain, v->offset[0],
                   v->offset[1], v->offset[2]);
    return text;
}

/* --- maps of floats --- */

typedef int map_call(const variation *v, size_t n, const float *x, const float *z, float *y);
#define MAP_CALL(name)                                                                             \
    static int call_##name(const variation *v, size_t n, const float *x, const float *z, float *y) \
    {                                                                                              \
        return parallel_map_on(v->runtime, &v->options, bits_##name, n, x, z, y, 0.37f);           \
    }
#define SERIAL(name, expression)                                                    \
    static double serial_##name(const float *X, const float *Z, size_t i, size_t n) \
    {                                                                               \
        const double x = (double)X[i], z = (double)Z[i], a = (double)0.37f;         \
        (void)x, (void)z, (void)a, (void)n;                                         \
        return expression;                                                          \
    }
MAP_CALL(saxpy)
MAP_CALL(products)
MAP_CALL(mix)
MAP_CALL(divide)
MAP_CALL(neighbours)
MAP_CALL(escape)
SERIAL(saxpy, a *x + z)
SERIAL(products, x *z + a * x - z * z * (x - a * z))
SERIAL(mix, exp(x) + log(z) * sin(a * x) + pow(z, x))
SERIAL(divide, (x > 0.25 ? 1.0 : -1.0) * sqrt(z) / (fabs(x) + a))
SERIAL(neighbours, a *((i > 0 ? (double)X[i - 1] : 0.0) + (i + 1 < n ? (double)X[i + 1] : 0.0)) - z * x)

static const struct {
    const char *name;
    map_call *call;
    double (*serial)(const float *x, const float *z, size_t i, size_t n);
} maps[] = {
    {"saxpy", call_saxpy, serial_saxpy},
    {"products", call_products, serial_products},
    {"mix", call_mix, serial_mix},
    {"divide", call_divide, serial_divide},
    {"neighbours", call_neighbours, serial_neighbours},
    {"escape", call_escape, NULL},
};

/* Copies of the inputs that begin `offset` elements later. */
static void place_inputs(const variation *v, float *moved[2], size_t n)
{
    static float *room[2];
    for (int k = 0; k < 2; k++) {
        if (room[k] == NULL)
            room[k] = malloc((LARGEST + 2 * GUARD) * sizeof(float));
        assert_non_null(room[k]);
        moved[k] = room[k] + v->offset[k];
        memcpy(moved[k], inputs[k], n * sizeof(float));
    }
}

static void run_map(size_t m, const variation *v, size_t n, float *result)
{
    float *moved[2];
    place_inputs(v, moved, n);
    float *y = output + v->offset[2];
    memset(output, 0x5a, (n + 2 * GUARD) * sizeof *output);
    if (maps[m].call(v, n, moved[0], moved[1], y) != YOKE_OK)
        fail_msg("%s: %s: %s", maps[m].name, describe(v, n), yoke_error_detail());
    for (size_t k = 0; k < v->offset[2]; k++)
        assert_memory_equal(&output[k], "\x5a\x5a\x5a\x5a", 4);
    assert_memory_equal(y + n, "\x5a\x5a\x5a\x5a", 4);
    memcpy(result, y, n * sizeof *result);
}

static void check_near_serial(size_t m, size_t n)
{
    for (size_t k = 0; k < n && maps[m].serial != NULL; k += n > 10000 ? 37 : 1) {
        double wanted = maps[m].serial(inputs[0], inputs[1], k, n);
        if (!(fabs((double)expected[k] - wanted) <= 2e-6 * (fabs(wanted) + 10.0)))
            fail_msg("%s: item %zu of %zu is %.9g, not %.9g", maps[m].name, k, n, (double)expected[k], wanted);
    }
}

static void maps_have_the_same_bits_however_they_are_divided(void **state)
{
    (void)state;
    static float *result;
    uint64_t seed = seed_of(__func__);
    result = malloc(LARGEST * sizeof *result);
    for (size_t isa = 0; isa < 3; isa++) {
        yoke_runtime *alone = runtime_of(isas[isa], 1);
        if (alone == NULL)
            continue; /* this CPU lacks it */
        for (unsigned long round = 0; round < rounds_of(180); round++) {
            yoke_runtime *runtime = runtime_of(isas[isa], 1 + (unsigned)(round % 8));
            size_t m = (round / SIZES) % (sizeof maps / sizeof *maps), n = sizes[round % SIZES];
            const variation plain = {.runtime = alone};
            run_map(m, &plain, n, expected);
            check_near_serial(m, n);
            for (int k = 0; k < 4; k++) {
                const variation v = draw_variation(runtime, &seed);
                run_map(m, &v, n, result);
                if (memcmp(result, expected, n * sizeof *result) != 0)
                    fail_msg("%s differs: %s", maps[m].name, describe(&v, n));
            }
            assert_int_equal(yoke_close(runtime), YOKE_OK);
        }
        assert_int_equal(yoke_close(alone), YOKE_OK);
    }
    free(result);
}

/* --- reductions --- */

typedef int reduce_call(const variation *v, size_t n, float *result, const float *x, const float *z);
#define REDUCE_CALL(name)                                                                               \
    static int call_##name(const variation *v, size_t n, float *result, const float *x, const float *z) \
    {                                                                                                   \
        return parallel_reduce_on(v->runtime, &v->options, bits_##name, n, result, x, z);               \
    }
REDUCE_CALL(sum)
REDUCE_CALL(dot)
REDUCE_CALL(max)

static void reductions_have_the_same_bits_however_they_are_divided(void **state)
{
    (void)state;
    static reduce_call *const calls[] = {call_sum, call_dot, call_max};
    uint64_t seed = seed_of(__func__);
    for (size_t s = 0; s < SIZES; s++) {
        for (size_t m = 0; m < 3; m++) {
            double wanted[3] = {0, 0, -INFINITY};
            for (size_t k = 0; k < sizes[s]; k++) {
                wanted[0] += (double)inputs[0][k];
                wanted[1] += (double)inputs[0][k] * (double)inputs[1][k];
                wanted[2] = fmax(wanted[2], (double)(inputs[0][k] - inputs[1][k]));
            }
            for (size_t isa = 0; isa < 3; isa++) {
                float first = 0, next;
                for (unsigned workers = 1; workers <= 8; workers++) {
                    yoke_runtime *runtime = runtime_of(isas[isa], workers);
                    if (runtime == NULL)
                        break;
                    const variation v = draw_variation(runtime, &seed);
                    float *moved[2];
                    place_inputs(&v, moved, sizes[s]);
                    assert_int_equal(calls[m](&v, sizes[s], &next, moved[0], moved[1]), YOKE_OK);
                    if (workers == 1)
                        first = next;
                    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): bits, not values */
                    if (memcmp(&first, &next, sizeof first) != 0)
                        fail_msg("reduction %zu differs: %s", m, describe(&v, sizes[s]));
                    assert_true(fabs((double)next - wanted[m]) <= 1e-6 * (double)sizes[s] + 1e-6);
                    assert_int_equal(yoke_close(runtime), YOKE_OK);
                }
            }
        }
    }
}

/* --- doubles; and outputs of several sizes, one of them one byte large --- */

static void doubles_and_uneven_outputs_have_the_same_bits(void **state)
{
    (void)state;
    enum { MOST = 70000 };
    static double x[MOST + GUARD], y[2][MOST + GUARD], d[2][MOST + GUARD];
    static uint8_t b[2][MOST + GUARD];
    static float triple[2][3 * MOST];
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(60); round++) {
        size_t n = 1 + (size_t)draw_below(&seed, MOST);
        for (size_t k = 0; k < n; k++)
            x[k] = (double)inputs[0][k];
        for (int k = 0; k < 2; k++) {
            yoke_runtime *runtime = runtime_of(NULL, k == 0 ? 1 : 2 + (unsigned)(round % 7));
            variation v = draw_variation(runtime, &seed);
            v.options.flags = k == 0 ? 0 : YOKE_ALWAYS_STREAM | YOKE_ALWAYS_DIVIDE;
            double *to = y[k] + v.offset[0];
            assert_int_equal(parallel_map_on(runtime, &v.options, bits_exp, n, x, to), YOKE_OK);
            memmove(y[k], to, n * sizeof *to);
            uint8_t *bytes = b[k] + v.offset[1];
            assert_int_equal(parallel_map_on(runtime, &v.options, bits_uneven, n, inputs[0], bytes, d[k], triple[k]),
                             YOKE_OK);
            memmove(b[k], bytes, n);
            assert_int_equal(yoke_close(runtime), YOKE_OK);
        }
        assert_memory_equal(y[0], y[1], n * sizeof **y);
        assert_memory_equal(b[0], b[1], n);
        assert_memory_equal(d[0], d[1], n * sizeof **d);
        assert_memory_equal(triple[0], triple[1], 3 * n * sizeof **triple);
        assert_true(fabs(y[0][n - 1] - exp(x[n - 1]) * log(x[n - 1] + 9.0)) <= 1e-14 * exp(x[n - 1]) * 10);
    }
}

static int make_arrays(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int k = 0; k < 2; k++)
        inputs[k] = malloc(LARGEST * sizeof(float));
    output = malloc((LARGEST + 2 * GUARD) * sizeof *output);
    expected = malloc(LARGEST * sizeof *expected);
    for (size_t k = 0; k < LARGEST; k++) {
        inputs[0][k] = (float)draw_double(&seed, -2, 2);
        inputs[1][k] = (float)draw_double(&seed, 0.1, 3);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_have_the_same_bits_however_they_are_divided),
        cmocka_unit_test(reductions_have_the_same_bits_however_they_are_divided),
        cmocka_unit_test(doubles_and_uneven_outputs_have_the_same_bits),
    };
    return cmocka_run_group_tests(tests, make_arrays, NULL);
}
