/* Measures the error of the functions of yoke/math.h and prints a Markdown table for docs/math.md.
 *
 *     cc -std=gnu11 -O2 -Iinclude tools/ulp.c -lm -o ulp && ./ulp [samples per binade and sign [name]]
 *
 * Reference: libm's long double (significand of 64 bits or more) for double, libm's double for float. The functions
 * run in loops like a kernel's, one for each instruction set this machine has. Samples: random significands in every
 * binade of the domain and both signs, neighbours of hard points, more in the busy interval. YOKE_SEED sets the seed.
 * Fails if an error exceeds 4 ULP. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yoke/math.h"

enum { BATCH = 4096, SETS = 3 };
static const double allowed = 4.0;

#define APPLY_1(f, x, y) f(x)
#define APPLY_2(f, x, y) f(x, y)
#define LOOP(attributes, set, name, T, n)                                                          \
    attributes static void set##_##name(const T *restrict a, const T *restrict b, T *restrict out) \
    {                                                                                              \
        YOKE__BIND_MATH(void) b;                                                                   \
        YOKE__INDEPENDENT                                                                          \
        for (int i = 0; i < BATCH; i++)                                                            \
            out[i] = APPLY_##n(name, a[i], b[i]);                                                  \
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
static const char *const set_names[SETS] = {"SSE2", "AVX2", "AVX-512"};
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
static const char *const set_names[SETS] = {"not fused", "fused", "-"};
static int set_runs(int set)
{
    return set < 2;
}
#endif

/* name, number of arguments, the domain's end (0: none), the busy interval, spacing of hard points (0: none).
 * The angles' ends for float and double are in docs/math.md. */
#define ANGLE -1
#define TURN 1.57079632679489661923132169163975144L
/* clang-format off */
#define FUNCTIONS(X)                                                                                    \
    X(exp, 1, 0, -110, 90, 0) X(exp2, 1, 0, -155, 130, 0) X(expm1, 1, 0, -45, 90, 0)                    \
    X(log, 1, 0, 0.4, 2.1, 0) X(log2, 1, 0, 0.4, 2.1, 0) X(log10, 1, 0, 0.4, 2.1, 0)                    \
    X(log1p, 1, 0, -1, 2, 0) X(sin, 1, ANGLE, -20, 20, TURN) X(cos, 1, ANGLE, -20, 20, TURN)            \
    X(tan, 1, ANGLE, -20, 20, TURN) X(asin, 1, 1, -1, 1, 0) X(acos, 1, 1, -1, 1, 0)                     \
    X(atan, 1, 0, -3, 3, 0) X(atan2, 2, 0, -2, 2, 0) X(sinh, 1, 0, -2, 2, 0) X(cosh, 1, 0, -2, 2, 0)    \
    X(tanh, 1, 0, -2, 2, 0) X(pow, 2, 0, 0, 3, 0) X(cbrt, 1, 0, -2, 2, 0) X(hypot, 2, 0, -2, 2, 0)      \
    X(erf, 1, 0, -6, 6, 0) X(sqrt, 1, 0, 0, 4, 0) X(rsqrt, 1, 0, 0, 4, 0)
/* clang-format on */
#if defined(YOKE_ANY_ANGLE)
static const double angle_end[2] = {DBL_MAX, FLT_MAX};
#else
static const double angle_end[2] = {3.0e6, 1.0e5};
#endif

static double rsqrt_near(double x)
{
    return 1 / sqrt(x);
}
static long double rsqrtl(long double x)
{
    return 1 / sqrtl(x);
}
#define rsqrt rsqrt_near
#define REFERENCE(name, n, ...)                        \
    static long double wide_##name(double x, double y) \
    {                                                  \
        (void)y;                                       \
        return APPLY_##n(name##l, x, y);               \
    }                                                  \
    static long double near_##name(double x, double y) \
    {                                                  \
        (void)y;                                       \
        return (long double)APPLY_##n(name, x, y);     \
    }
FUNCTIONS(REFERENCE)
#undef rsqrt
#define BOTH_LOOPS(name, n, ...) LOOPS(name, double, n) LOOPS(name##f, float, n)
FUNCTIONS(BOTH_LOOPS)

typedef struct function {
    const char *name;
    int arguments, is_float;
    long double (*reference)(double x, double y);
    void (*doubles[SETS])(const double *restrict, const double *restrict, double *restrict);
    void (*floats[SETS])(const float *restrict, const float *restrict, float *restrict);
    double end, low, high;
    long double hard;
} function;

#define ROW_DOUBLE(name, n, end, low, high, hard) \
    {#name, n, 0, wide_##name, LOOPS_OF(name), {NULL}, end, low, high, hard},
#define ROW_FLOAT(name, n, end, low, high, hard) \
    {#name "f", n, 1, near_##name, {NULL}, LOOPS_OF(name##f), end, low, high, hard},
static const function functions[] = {FUNCTIONS(ROW_FLOAT) FUNCTIONS(ROW_DOUBLE)};

typedef struct worst {
    double error, x, y;
    long double expected;
    double got;
} worst;

static double xs[BATCH], ys[BATCH];
static int filled;
static worst worsts[SETS];
static long samples;

static uint64_t random_bits(void)
{
    static uint64_t state;
    if (state == 0) {
        const char *seed = getenv("YOKE_SEED");
        state = seed ? strtoull(seed, NULL, 0) | 1 : 0x9e3779b97f4a7c15u;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1du;
}

static double uniform(double low, double high)
{
    return low + (high - low) * (double)(random_bits() >> 11) * 0x1p-53;
}

/* In units of the last place that the expected value would have; a wrong NaN, infinity or sign of zero is infinite. */
static double error_of(double got, long double expected, int is_float)
{
    if (isnan(expected) || isnan(got)) {
        return isnan(expected) && isnan(got) ? 0 : INFINITY;
    }
    long double most = is_float ? 0x1p128L : 0x1p1024L;
    if (fabsl(expected) >= most || expected == 0) {
        int same = !signbit(got) == !signbit(expected);
        return same && (expected == 0 ? got == 0 : isinf(got)) ? 0
               : same && isfinite(got) && expected != 0        ? 99
                                                               : INFINITY;
    }
    long double value = isinf(got) ? copysignl(most, got) : got;
    int exponent, least = is_float ? -149 : -1074, digits = is_float ? 24 : 53;
    frexpl(expected, &exponent);
    exponent = exponent - digits < least ? least : exponent - digits;
    return (double)(fabsl(value - expected) / ldexpl(1, exponent));
}

static void run_set(const function *f, int set, double *out)
{
    static float fx[BATCH], fy[BATCH], fout[BATCH];
    if (!f->is_float) {
        f->doubles[set](xs, ys, out);
        return;
    }
    for (int i = 0; i < BATCH; i++) {
        fx[i] = (float)xs[i];
        fy[i] = (float)ys[i];
    }
    f->floats[set](fx, fy, fout);
    for (int i = 0; i < BATCH; i++) {
        out[i] = fout[i];
    }
}

static void flush(const function *f)
{
    static double out[BATCH];
    for (int set = 0; set < SETS && filled > 0; set++) {
        if (!set_runs(set)) {
            continue;
        }
        run_set(f, set, out);
        for (int i = 0; i < filled; i++) {
            long double expected = f->reference(xs[i], ys[i]);
            double error = error_of(out[i], expected, f->is_float);
            if (error > worsts[set].error) {
                worsts[set] = (worst){error, xs[i], ys[i], expected, out[i]};
            }
        }
    }
    samples += filled;
    filled = 0;
}

static void sample(const function *f, double x, double y)
{
    double end = f->end == ANGLE ? angle_end[f->is_float] : f->end;
    xs[filled] = f->is_float ? (float)x : x;
    ys[filled] = f->is_float ? (float)y : y;
    if (end > 0 && fabs(xs[filled]) > end) {
        return;
    }
    if (++filled == BATCH) {
        flush(f);
    }
}

/* A random number of the given binade. */
static double in_binade(int exponent, int negative, int is_float)
{
    int least = is_float ? -149 : -1074;
    double x = ldexp(1 + (double)(random_bits() >> 12) * 0x1p-52, exponent < least ? least : exponent);
    return negative ? -x : x;
}

static void sample_binades(const function *f, int each)
{
    int top = f->is_float ? 127 : 1023, bottom = f->is_float ? -149 : -1074;
    for (int e = bottom; e <= top; e++) {
        for (int i = 0; i < 2 * each; i++) {
            double x = in_binade(e, i & 1, f->is_float);
            if (f->arguments == 1) {
                sample(f, x, 0);
                continue;
            }
            int other = bottom + (int)(random_bits() % (uint64_t)(top - bottom + 1));
            int near = e + (int)(random_bits() % 61) - 30;
            near = near > top ? top : near;
            sample(f, x, in_binade(i & 4 ? other : near, (i & 2) != 0, f->is_float));
        }
    }
}

/* The arguments around k times the hard spacing, small k and random large ones. */
static void sample_hard(const function *f, int count)
{
    double end = angle_end[f->is_float];
    for (int i = 0; i < count && f->hard != 0; i++) {
        double k = i < count / 2 ? i : floor(uniform(0, end / (double)f->hard));
        double x = (double)(k * f->hard);
        for (int step = -2; step <= 2; step++) {
            double near = f->is_float ? (double)(float)x + step * (double)(nextafterf((float)x, INFINITY) - (float)x)
                                      : x + step * (nextafter(x, INFINITY) - x);
            sample(f, near, 0);
            sample(f, -near, 0);
        }
    }
}

/* x^y inside the range of results, with bases far from and next to 1, negative ones with whole powers. */
static void sample_powers(const function *f, int count)
{
    double limit = f->is_float ? 152 : 1078;
    for (int i = 0; i < count; i++) {
        double x = i % 3 == 0 ? exp2(uniform(-limit, limit)) : 1 + ldexp(uniform(-1, 1), -(int)(random_bits() % 40));
        x = f->is_float ? (float)x : x;
        double y = uniform(-limit, limit) / log2(x);
        sample(f, x, y);
        sample(f, -x, rint(y));
        sample(f, rint(uniform(-20, 20)), rint(uniform(-40, 40)) / 2);
    }
}

static void sample_special(const function *f)
{
    static const double special[] = {0,
                                     0.5,
                                     1,
                                     1.5,
                                     2,
                                     3,
                                     4,
                                     5e-324,
                                     0x1p-1022,
                                     0x1p-149,
                                     0x1p-126,
                                     FLT_MAX,
                                     DBL_MAX,
                                     0x1p52,
                                     0x1p53,
                                     0x1p23,
                                     0x1p24,
                                     INFINITY,
                                     NAN,
                                     709.7827128933841,
                                     88.72283935546875};
    enum { COUNT = sizeof special / sizeof special[0] };
    for (int i = 0; i < 2 * COUNT; i++) {
        for (int j = 0; j < (f->arguments == 2 ? 2 * COUNT : 1); j++) {
            sample(f, i & 1 ? -special[i / 2] : special[i / 2], j & 1 ? -special[j / 2] : special[j / 2]);
        }
    }
}

static int measure(const function *f, int each)
{
    int failed = 0;
    memset(worsts, 0, sizeof worsts);
    samples = 0;
    sample_special(f);
    sample_binades(f, each);
    sample_hard(f, 500 * each);
    if (strncmp(f->name, "pow", 3) == 0) {
        sample_powers(f, 1000 * each);
    }
    double scale = f->is_float ? 1 : fabs(f->low) > 30 ? 8 : 1;
    for (int i = 0; i < 2000 * each; i++) {
        sample(f, uniform(scale * f->low, scale * f->high), uniform(f->low, f->high));
    }
    flush(f);
    printf("| `%s` |", f->name);
    for (int set = 0; set < SETS; set++) {
        printf(set_runs(set) ? " %.2f |" : " - |", worsts[set].error);
        failed |= worsts[set].error > allowed;
    }
    double end = f->end == ANGLE ? angle_end[f->is_float] : f->end;
    printf(" %.1f M |", (double)samples * 1e-6);
    end > 0 ? printf(" up to %g |\n", end) : printf(" all |\n");
    for (int set = 0; set < SETS; set++) {
        if (worsts[set].error > allowed) {
            fprintf(stderr, "%s %s: %a %a gives %a, expected %La: %g ULP\n", f->name, set_names[set], worsts[set].x,
                    worsts[set].y, worsts[set].got, worsts[set].expected, worsts[set].error);
        }
    }
    return failed;
}

int main(int count, char **arguments)
{
    int each = count > 1 ? atoi(arguments[1]) : 100, failed = 0;
    printf("| function | %s | %s | %s | samples | domain |\n|---|---|---|---|---|---|\n", set_names[0], set_names[1],
           set_names[2]);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (count < 3 || strcmp(arguments[2], functions[i].name) == 0) {
            failed |= measure(&functions[i], each > 0 ? each : 1);
            fflush(stdout);
        }
    }
    return failed;
}
