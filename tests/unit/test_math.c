/* The functions of yoke/math.h: errors, special values, and the same bits wherever in a loop an element falls. The
 * dense measurement is tools/ulp.c; that loops vectorise is checked by test_math_vectorises.sh. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "yoke/math.h"

enum { SETS = 3, COUNT = 1000 };
static const double allowed_ulp = 4.0;

#define APPLY_1(f) f(a[i])
#define APPLY_2(f) f(a[i], b[i])
#define APPLY_3(f) f(a[i], b[i], a[i])
#define LOOP(attributes, set, name, T, n)                                                      \
    attributes static void set##_##name(const void *pa, const void *pb, void *pout, int count) \
    {                                                                                          \
        YOKE__BIND_MATH                                                                        \
        const T *a = (const T *)pa, *b = (const T *)pb;                                        \
        T *out = (T *)pout;                                                                    \
        (void)b;                                                                               \
        YOKE__INDEPENDENT                                                                      \
        for (int i = 0; i < count; i++)                                                        \
            out[i] = APPLY_##n(name);                                                          \
    }
#if defined(__x86_64__)
#define LOOPS(name, T, n)                                        \
    LOOP(YOKE__TARGET_BASELINE YOKE__OPTIMIZE, sse2, name, T, n) \
    LOOP(YOKE__TARGET_AVX2 YOKE__OPTIMIZE, avx2, name, T, n)     \
    LOOP(YOKE__TARGET_AVX512 YOKE__OPTIMIZE, avx512, name, T, n)
#define LOOPS_OF(name)                          \
    {                                           \
        sse2_##name, avx2_##name, avx512_##name \
    }
static int set_runs(int set)
{
    return set == 0 || (set == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) ||
           (set == 2 && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"));
}
#else
#define LOOPS(name, T, n)                         \
    LOOP(YOKE__OPTIMIZE_EXACT, plain, name, T, n) \
    LOOP(YOKE__OPTIMIZE, fused, name, T, n)
#define LOOPS_OF(name)                   \
    {                                    \
        plain_##name, fused_##name, NULL \
    }
static int set_runs(int set)
{
    return set < 2;
}
#endif

/* name, arguments, the samples' interval: X for those with a long double namesake, Y for the cheap rest. */
/* clang-format off */
#define MEASURED(X)                                                                                     \
    X(exp, 1, -80, 80) X(exp2, 1, -120, 120) X(expm1, 1, -30, 80) X(log, 1, 0, 5) X(log2, 1, 0, 5)      \
    X(log10, 1, 0, 5) X(log1p, 1, -1, 5) X(sin, 1, -1000, 1000) X(cos, 1, -1000, 1000)                  \
    X(tan, 1, -1000, 1000) X(asin, 1, -1, 1) X(acos, 1, -1, 1) X(atan, 1, -5, 5) X(atan2, 2, -5, 5)     \
    X(sinh, 1, -80, 80) X(cosh, 1, -80, 80) X(tanh, 1, -5, 5) X(pow, 2, 0, 20) X(cbrt, 1, -50, 50)      \
    X(hypot, 2, -50, 50) X(erf, 1, -5, 5) X(sqrt, 1, 0, 50)
#define CHEAP(X)                                                                                        \
    X(fabs, 1, -9, 9) X(copysign, 2, -9, 9) X(fmin, 2, -9, 9) X(fmax, 2, -9, 9) X(floor, 1, -9, 9)      \
    X(ceil, 1, -9, 9) X(trunc, 1, -9, 9) X(round, 1, -9, 9) X(rint, 1, -9, 9)
/* clang-format on */
#define OTHERS(X) X(rsqrt, 1, 0, 50) X(fma, 3, -9, 9)

#define BOTH_LOOPS(name, n, low, high) LOOPS(name, double, n) LOOPS(name##f, float, n)
MEASURED(BOTH_LOOPS)
CHEAP(BOTH_LOOPS)
OTHERS(BOTH_LOOPS)

#define WIDE_1(name) name##l((long double)x)
#define WIDE_2(name) name##l((long double)x, (long double)y)
#define REFERENCE(name, n, low, high)                  \
    static long double wide_##name(double x, double y) \
    {                                                  \
        (void)y;                                       \
        return WIDE_##n(name);                         \
    }
MEASURED(REFERENCE)
CHEAP(REFERENCE)

typedef void loop_function(const void *a, const void *b, void *out, int count);
typedef struct function {
    const char *name;
    int is_float;
    loop_function *loops[SETS];
    long double (*reference)(double x, double y);
    double low, high;
} function;

#define ROWS(name, n, low, high) \
    {#name, 0, LOOPS_OF(name), wide_##name, low, high}, {#name "f", 1, LOOPS_OF(name##f), wide_##name, low, high},
#define ROWS_WITHOUT(name, n, low, high) \
    {#name, 0, LOOPS_OF(name), NULL, low, high}, {#name "f", 1, LOOPS_OF(name##f), NULL, low, high},
static const function functions[] = {MEASURED(ROWS) CHEAP(ROWS) OTHERS(ROWS_WITHOUT)};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static uint64_t random_state;

static double uniform(double low, double high)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) * 0x1p-53;
}

static int seed_random(void **state)
{
    (void)state;
    const char *seed = getenv("YOKE_SEED");
    random_state = seed ? strtoull(seed, NULL, 0) | 1 : 20240229;
    printf("YOKE_SEED=%llu\n", (unsigned long long)random_state);
    return 0;
}

/* Runs a loop over x and y as float or double; the results come back as double. */
static void apply(const function *f, int set, const double *x, const double *y, double *out, int count)
{
    static float fx[COUNT], fy[COUNT], fout[COUNT];
    if (!f->is_float) {
        f->loops[set](x, y, out, count);
        return;
    }
    for (int i = 0; i < count; i++) {
        fx[i] = (float)x[i];
        fy[i] = (float)y[i];
    }
    f->loops[set](fx, fy, fout, count);
    for (int i = 0; i < count; i++) {
        out[i] = (double)fout[i];
    }
}

static void fill(const function *f, double *x, double *y)
{
    for (int i = 0; i < COUNT; i++) {
        x[i] = uniform(f->low, f->high);
        y[i] = uniform(f->low, f->high);
        if (f->is_float) {
            x[i] = (double)(float)x[i];
            y[i] = (double)(float)y[i];
        }
    }
}

static double ulp_error(double got, long double expected, int is_float)
{
    if (fabsl(expected) > (is_float ? (long double)FLT_MAX : (long double)DBL_MAX)) {
        return isinf(got) ? 0 : HUGE_VAL;
    }
    int exponent, least = is_float ? -149 : -1074;
    frexpl(expected, &exponent);
    exponent -= is_float ? 24 : 53;
    return (double)(fabsl((long double)got - expected) / ldexpl(1, exponent < least ? least : exponent));
}

static void functions_of_samples_err_at_most_four_ulp(void **state)
{
    (void)state;
    static double x[COUNT], y[COUNT], out[COUNT];
    for (int k = 0; k < FUNCTIONS; k++) {
        const function *f = &functions[k];
        fill(f, x, y);
        for (int set = 0; set < SETS && f->reference; set++) {
            if (!set_runs(set)) {
                continue;
            }
            apply(f, set, x, y, out, COUNT);
            for (int i = 0; i < COUNT; i++) {
                double error = ulp_error(out[i], f->reference(x[i], y[i]), f->is_float);
                if (!(error <= allowed_ulp)) {
                    fail_msg("%s, set %d: %a, %a gives %a, off by %g ULP", f->name, set, x[i], y[i], out[i], error);
                }
            }
        }
    }
}

/* One element alone goes through the remainder's scalar code, a thousand mostly through the vector code. */
static void functions_of_one_element_and_of_many_give_the_same_bits(void **state)
{
    (void)state;
    static double x[COUNT], y[COUNT], many[COUNT], one, odd[COUNT];
    for (int k = 0; k < FUNCTIONS; k++) {
        const function *f = &functions[k];
        fill(f, x, y);
        for (int set = 0; set < SETS; set++) {
            if (!set_runs(set)) {
                continue;
            }
            apply(f, set, x, y, many, COUNT);
            apply(f, set, x + 3, y + 3, odd, COUNT - 6);
            for (int i = 0; i < COUNT; i++) {
                apply(f, set, &x[i], &y[i], &one, 1);
                /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): bits, not values */
                if (memcmp(&one, &many[i], sizeof one) != 0 ||
                    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): as above */
                    (i >= 3 && i < COUNT - 3 && memcmp(&odd[i - 3], &many[i], sizeof one) != 0)) {
                    fail_msg("%s, set %d: %a, %a gives %a alone, %a in a loop", f->name, set, x[i], y[i], one, many[i]);
                }
            }
        }
    }
}

/* Name of the double function, arguments, result; the float one must agree where the numbers exist in float. */
typedef struct special {
    const char *name;
    double x, y, expected;
} special;

#define INF HUGE_VAL
#define NONE __builtin_nan("")
#define PI 0x1.921fb54442d18p1
static const special specials[] = {
    {"exp", INF, 0, INF},
    {"exp", -INF, 0, 0},
    {"exp", 0, 0, 1},
    {"exp", NONE, 0, NONE},
    {"exp", 1000, 0, INF},
    {"exp", -1000, 0, 0},
    {"exp2", -1, 0, 0.5},
    {"exp2", -140, 0, 0x1p-140},
    {"exp2", 3000, 0, INF},
    {"exp2", -3000, 0, 0},
    {"exp2", 10, 0, 1024},
    {"exp2", NONE, 0, NONE},
    {"expm1", -0.0, 0, -0.0},
    {"expm1", -INF, 0, -1},
    {"expm1", INF, 0, INF},
    {"expm1", NONE, 0, NONE},
    {"log", 0, 0, -INF},
    {"log", -0.0, 0, -INF},
    {"log", -1, 0, NONE},
    {"log", 1, 0, 0},
    {"log", INF, 0, INF},
    {"log", NONE, 0, NONE},
    {"log", -INF, 0, NONE},
    {"log2", 0x1p-140, 0, -140},
    {"log2", 8, 0, 3},
    {"log2", 0, 0, -INF},
    {"log2", -2, 0, NONE},
    {"log10", 1000, 0, 3},
    {"log10", 1, 0, 0},
    {"log10", INF, 0, INF},
    {"log1p", -1, 0, -INF},
    {"log1p", -0.0, 0, -0.0},
    {"log1p", -2, 0, NONE},
    {"log1p", INF, 0, INF},
    {"log1p", NONE, 0, NONE},
    {"sin", 0, 0, 0},
    {"sin", -0.0, 0, -0.0},
    {"sin", INF, 0, NONE},
    {"sin", NONE, 0, NONE},
    {"sin", 0x1p-140, 0, 0x1p-140},
    {"cos", -0.0, 0, 1},
    {"cos", -INF, 0, NONE},
    {"cos", NONE, 0, NONE},
    {"tan", -0.0, 0, -0.0},
    {"tan", INF, 0, NONE},
    {"asin", -0.0, 0, -0.0},
    {"asin", 2, 0, NONE},
    {"asin", NONE, 0, NONE},
    {"acos", 1, 0, 0},
    {"acos", 1.5, 0, NONE},
    {"acos", -1, 0, PI},
    {"atan", -0.0, 0, -0.0},
    {"atan", INF, 0, PI / 2},
    {"atan", -INF, 0, -PI / 2},
    {"atan", NONE, 0, NONE},
    {"atan2", 0, 0, 0},
    {"atan2", -0.0, 0, -0.0},
    {"atan2", 0, -0.0, PI},
    {"atan2", -0.0, -0.0, -PI},
    {"atan2", 0, -1, PI},
    {"atan2", -0.0, 1, -0.0},
    {"atan2", 1, 0, PI / 2},
    {"atan2", -1, -0.0, -PI / 2},
    {"atan2", INF, INF, PI / 4},
    {"atan2", 1, -INF, PI},
    {"atan2", -1, INF, -0.0},
    {"atan2", INF, 1, PI / 2},
    {"atan2", NONE, 1, NONE},
    {"atan2", 1, NONE, NONE},
    {"sinh", -0.0, 0, -0.0},
    {"sinh", -INF, 0, -INF},
    {"sinh", NONE, 0, NONE},
    {"cosh", -INF, 0, INF},
    {"cosh", 0, 0, 1},
    {"tanh", -0.0, 0, -0.0},
    {"tanh", INF, 0, 1},
    {"tanh", -INF, 0, -1},
    {"tanh", NONE, 0, NONE},
    {"cbrt", -0.0, 0, -0.0},
    {"cbrt", -8, 0, -2},
    {"cbrt", 0x1p-141, 0, 0x1p-47},
    {"cbrt", -INF, 0, -INF},
    {"cbrt", NONE, 0, NONE},
    {"erf", -0.0, 0, -0.0},
    {"erf", INF, 0, 1},
    {"erf", -INF, 0, -1},
    {"erf", NONE, 0, NONE},
    {"hypot", 3, -4, 5},
    {"hypot", INF, NONE, INF},
    {"hypot", NONE, -INF, INF},
    {"hypot", NONE, 1, NONE},
    {"hypot", 0, -0.0, 0},
    {"pow", NONE, 0, 1},
    {"pow", 1, NONE, 1},
    {"pow", -1, INF, 1},
    {"pow", -1, -INF, 1},
    {"pow", 0, -1, INF},
    {"pow", -0.0, -1, -INF},
    {"pow", -0.0, -2, INF},
    {"pow", -0.0, 3, -0.0},
    {"pow", -0.0, 0.5, 0},
    {"pow", -0.0, -INF, INF},
    {"pow", -2, 3, -8},
    {"pow", -2, 2, 4},
    {"pow", -2, 0.5, NONE},
    {"pow", 2, -140, 0x1p-140},
    {"pow", 0.5, INF, 0},
    {"pow", 0.5, -INF, INF},
    {"pow", 2, INF, INF},
    {"pow", -INF, 3, -INF},
    {"pow", -INF, -3, -0.0},
    {"pow", -INF, 0.5, INF},
    {"pow", INF, -1, 0},
    {"pow", NONE, 1, NONE},
    {"pow", 2, NONE, NONE},
    {"pow", -3, 0x1p60, INF},
    {"sqrt", -1, 0, NONE},
    {"sqrt", -0.0, 0, -0.0},
    {"sqrt", INF, 0, INF},
    {"rsqrt", 4, 0, 0.5},
    {"rsqrt", 0, 0, INF},
    {"fmin", NONE, 1, 1},
    {"fmin", 1, NONE, 1},
    {"fmin", NONE, NONE, NONE},
    {"fmin", -1, 2, -1},
    {"fmax", NONE, 1, 1},
    {"fmax", 1, NONE, 1},
    {"fmax", -1, -INF, -1},
    {"floor", -0.5, 0, -1},
    {"floor", -0.0, 0, -0.0},
    {"floor", 0x1p62, 0, 0x1p62},
    {"floor", INF, 0, INF},
    {"ceil", -0.5, 0, -0.0},
    {"ceil", 0.5, 0, 1},
    {"ceil", NONE, 0, NONE},
    {"trunc", -1.75, 0, -1},
    {"trunc", -0.5, 0, -0.0},
    {"round", 2.5, 0, 3},
    {"round", -0.5, 0, -1},
    {"round", 0.25, 0, 0},
    {"rint", 2.5, 0, 2},
    {"rint", -3.5, 0, -4},
    {"rint", -0.25, 0, -0.0},
    {"rint", -INF, 0, -INF},
    {"fabs", -0.0, 0, 0},
    {"copysign", 3, -0.0, -3},
    {"fma", 3, 4, 15},
};

static void check_special(const function *f, const special *s)
{
    double out, expected = f->is_float ? (double)(float)s->expected : s->expected;
    for (int set = 0; set < SETS; set++) {
        if (!set_runs(set)) {
            continue;
        }
        /* In a full loop: the vector code, not the remainder. */
        double x[64], y[64], results[64];
        for (int i = 0; i < 64; i++) {
            x[i] = s->x;
            y[i] = s->y;
        }
        apply(f, set, x, y, results, 64);
        out = results[20];
        int same = isnan(expected) ? isnan(out) : out == expected && !signbit(out) == !signbit(expected);
        if (!same) {
            fail_msg("%s, set %d: %a, %a gives %a, not %a", f->name, set, s->x, s->y, out, expected);
        }
    }
}

static void functions_of_special_values_follow_annex_f(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof specials / sizeof specials[0]; k++) {
        int found = 0;
        for (int i = 0; i < FUNCTIONS; i++) {
            size_t length = strlen(specials[k].name);
            int alike = strncmp(functions[i].name, specials[k].name, length) == 0;
            if (alike && strlen(functions[i].name) == length + (functions[i].is_float ? 1 : 0)) {
                check_special(&functions[i], &specials[k]);
                found++;
            }
        }
        assert_int_equal(found, 2);
    }
}

static void cheap_functions_of_samples_equal_the_library(void **state)
{
    (void)state;
    static double x[COUNT], y[COUNT], out[COUNT];
    for (int k = 0; k < FUNCTIONS; k++) {
        const function *f = &functions[k];
        for (int round = 0; round < 20 && f->reference && f->low == -9 && f->high == 9; round++) {
            fill(f, x, y);
            apply(f, 0, x, y, out, COUNT);
            for (int i = 0; i < COUNT; i++) {
                assert_true(out[i] == (double)f->reference(x[i], y[i]));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_samples_err_at_most_four_ulp),
        cmocka_unit_test(functions_of_one_element_and_of_many_give_the_same_bits),
        cmocka_unit_test(functions_of_special_values_follow_annex_f),
        cmocka_unit_test(cheap_functions_of_samples_equal_the_library),
    };
    return cmocka_run_group_tests_name("math", tests, seed_random, NULL);
}
