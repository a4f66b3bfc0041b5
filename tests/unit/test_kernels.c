/* The ready kernels against plain serial loops: random input, awkward sizes, every instruction set of this CPU, one to
 * eight workers, streamed and not. */
#include <math.h>

#include "support.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

static uint64_t random_state;
static yoke_runtime *runtime; /* of the way being tried */
static yoke_options options;

/* --- arrays of just the size, so that a sanitizer sees every step beyond --- */

static void *array_of(size_t n, size_t size)
{
    void *array = malloc(n * size > 0 ? n * size : 1);
    assert_non_null(array);
    return array;
}

static float *random_floats(size_t n, double low, double high)
{
    float *array = array_of(n, sizeof *array);
    for (size_t i = 0; i < n; i++)
        array[i] = (float)draw_double(&random_state, low, high);
    return array;
}

static double *random_doubles(size_t n)
{
    double *array = array_of(n, sizeof *array);
    for (size_t i = 0; i < n; i++)
        array[i] = draw_double(&random_state, -10, 10);
    return array;
}

static uint8_t *random_bytes(size_t n)
{
    uint8_t *array = array_of(n, 1);
    for (size_t i = 0; i < n; i++)
        array[i] = (uint8_t)draw(&random_state);
    return array;
}

static void assert_near(double expected, double found, double tolerance)
{
    if (!(fabs(expected - found) <= tolerance))
        fail_msg("expected %.9g, found %.9g, tolerance %.3g (%s, %u workers, flags %u)", expected, found, tolerance,
                 yoke_isa(runtime), options.workers, options.flags);
}

/* --- every way to run --- */

static const char *const isas[] = {"baseline", "avx2", "avx512", "neon"};
static const unsigned flags[] = {YOKE_ALWAYS_DIVIDE | YOKE_NEVER_STREAM, YOKE_ALWAYS_DIVIDE | YOKE_ALWAYS_STREAM};

/* Around the lanes of a block, primes, and just over a page. */
static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 127, 251, 1009, 1025, 4099};

static const struct {
    size_t width, height;
} grids[] = {{0, 3}, {3, 0}, {1, 1}, {1, 7}, {7, 1}, {2, 2}, {3, 2}, {64, 3}, {65, 5}, {127, 4}, {1033, 3}};

typedef struct check {
    void (*of_size)(size_t n); /* one of the two */
    void (*of_grid)(size_t width, size_t height);
} check;

static void run_check(check c)
{
    for (size_t k = 0; c.of_size != NULL && k < sizeof sizes / sizeof *sizes; k++)
        c.of_size(sizes[k]);
    for (size_t k = 0; c.of_grid != NULL && k < sizeof grids / sizeof *grids; k++)
        c.of_grid(grids[k].width, grids[k].height);
}

static void in_every_way(check c)
{
    unsigned tried = 0;
    for (size_t k = 0; k < sizeof isas / sizeof *isas; k++) {
        runtime = yoke_open(&(yoke_runtime_options){.isa = isas[k], .workers = 8, .pin = YOKE_PIN_NONE});
        if (runtime == NULL)
            continue; /* this CPU lacks it */
        for (unsigned workers = 1; workers <= 8; workers += SANITIZED ? 3 : 1)
            for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
                options = (yoke_options){.workers = workers, .flags = flags[f]};
                run_check(c);
                tried++;
            }
        assert_int_equal(yoke_close(runtime), 0);
    }
    runtime = NULL;
    assert_true(tried > 0);
}

#define MAP(kernel, ...) assert_int_equal(parallel_map_on(runtime, &options, kernel, __VA_ARGS__), 0)
#define MAP_2D(kernel, ...) assert_int_equal(parallel_map_2d_on(runtime, &options, kernel, __VA_ARGS__), 0)
#define REDUCE(kernel, ...) assert_int_equal(parallel_reduce_on(runtime, &options, kernel, __VA_ARGS__), 0)

/* --- vectors --- */

static void check_float_vectors(size_t n)
{
    float *x = random_floats(n, -10, 10), *y = random_floats(n, -10, 10), *z = array_of(n, sizeof *z);
    const float a = (float)draw_double(&random_state, -3, 3);
    MAP(yoke_copy, n, z, x);
    assert_memory_equal(z, x, n * sizeof *x);
    MAP(yoke_scale, n, z, x, a);
    for (size_t i = 0; i < n; i++)
        assert_true(z[i] == a * x[i]);
    MAP(yoke_add, n, z, x, y);
    for (size_t i = 0; i < n; i++)
        assert_true(z[i] == x[i] + y[i]);
    MAP(yoke_triad, n, z, x, y, a);
    for (size_t i = 0; i < n; i++)
        assert_near((double)x[i] + (double)a * (double)y[i], (double)z[i], 40 * 0x1p-23);
    memcpy(z, y, n * sizeof *y);
    MAP(yoke_axpy, n, z, x, a);
    for (size_t i = 0; i < n; i++)
        assert_near((double)y[i] + (double)a * (double)x[i], (double)z[i], 40 * 0x1p-23);
    free(x), free(y), free(z);
}

static void check_double_vectors(size_t n)
{
    double *x = random_doubles(n), *y = random_doubles(n), *z = array_of(n, sizeof *z);
    const double a = draw_double(&random_state, -3, 3);
    MAP(yoke_dcopy, n, z, x);
    assert_memory_equal(z, x, n * sizeof *x);
    MAP(yoke_dscale, n, z, x, a);
    for (size_t i = 0; i < n; i++)
        assert_true(z[i] == a * x[i]);
    MAP(yoke_dadd, n, z, x, y);
    for (size_t i = 0; i < n; i++)
        assert_true(z[i] == x[i] + y[i]);
    MAP(yoke_dtriad, n, z, x, y, a);
    for (size_t i = 0; i < n; i++)
        assert_near(x[i] + a * y[i], z[i], 40 * 0x1p-52);
    memcpy(z, y, n * sizeof *y);
    MAP(yoke_daxpy, n, z, x, a);
    for (size_t i = 0; i < n; i++)
        assert_near(y[i] + a * x[i], z[i], 40 * 0x1p-52);
    free(x), free(y), free(z);
}

static void check_float_sums(size_t n)
{
    float *x = random_floats(n, -10, 10), *y = random_floats(n, -10, 10), sum, absolute, product;
    double squares, expected[4] = {0};
    REDUCE(yoke_sum, n, &sum, x);
    REDUCE(yoke_asum, n, &absolute, x);
    REDUCE(yoke_dot, n, &product, x, y);
    REDUCE(yoke_nrm2, n, &squares, x);
    for (size_t i = 0; i < n; i++) {
        expected[0] += (double)x[i];
        expected[1] += fabs((double)x[i]);
        expected[2] += (double)x[i] * (double)y[i];
        expected[3] += (double)x[i] * (double)x[i];
    }
    const double tolerance = (double)n * 0x1p-23;
    assert_near(expected[0], (double)sum, 10 * tolerance);
    assert_near(expected[1], (double)absolute, 10 * tolerance);
    assert_near(expected[2], (double)product, 100 * tolerance);
    assert_near(expected[3], squares, 100 * (double)n * (double)n * 0x1p-52);
    free(x), free(y);
}

static void check_double_sums(size_t n)
{
    double *x = random_doubles(n), *y = random_doubles(n), sum, absolute, product, expected[3] = {0};
    REDUCE(yoke_dsum, n, &sum, x);
    REDUCE(yoke_dasum, n, &absolute, x);
    REDUCE(yoke_ddot, n, &product, x, y);
    for (size_t i = 0; i < n; i++) {
        expected[0] += x[i];
        expected[1] += fabs(x[i]);
        expected[2] += x[i] * y[i];
    }
    const double tolerance = (double)n * (double)n * 0x1p-52;
    assert_near(expected[0], sum, 10 * tolerance);
    assert_near(expected[1], absolute, 10 * tolerance);
    assert_near(expected[2], product, 100 * tolerance);
    free(x), free(y);
}

static void blas1_matches_plain_loops(void **state)
{
    (void)state;
    in_every_way((check){.of_size = check_float_vectors});
    in_every_way((check){.of_size = check_double_vectors});
    in_every_way((check){.of_size = check_float_sums});
    in_every_way((check){.of_size = check_double_sums});
}

static void nrm2_of_huge_and_tiny_floats_neither_overflows_nor_vanishes(void **state)
{
    (void)state;
    float huge[100], tiny[100];
    for (size_t i = 0; i < 100; i++) {
        huge[i] = 3e38f;
        tiny[i] = 1e-44f;
    }
    double squares;
    assert_int_equal(parallel_reduce(yoke_nrm2, 100, &squares, huge), 0);
    assert_near(1.0, sqrt(squares) / 3e39, 1e-6);
    assert_int_equal(parallel_reduce(yoke_nrm2, 100, &squares, tiny), 0);
    assert_near(1.0, sqrt(squares) / (10 * (double)1e-44f), 1e-6);
}

/* --- options --- */

static double below(double d)
{
    return 0.5 * erfc(-d / sqrt(2.0));
}

static void assert_prices(double s, double k, double t, double r, double v, float call, float put)
{
    const double d1 = (log(s / k) + (r + 0.5 * v * v) * t) / (v * sqrt(t)), d2 = d1 - v * sqrt(t);
    const double tolerance = 2e-6 * (s + k); /* of the polynomial, and of prices in float */
    assert_near(s * below(d1) - k * exp(-r * t) * below(d2), (double)call, tolerance);
    assert_near(k * exp(-r * t) * below(-d2) - s * below(-d1), (double)put, tolerance);
}

static void check_options(size_t n)
{
    float *spot = random_floats(n, 5, 200), *strike = random_floats(n, 5, 200), *years = random_floats(n, 0.1, 5);
    float *rate = random_floats(n, 0, 0.1), *volatility = random_floats(n, 0.1, 0.8);
    float *call = array_of(n, sizeof *call), *put = array_of(n, sizeof *put);
    MAP(yoke_black_scholes, n, spot, strike, years, 0.02f, 0.3f, call, put);
    for (size_t i = 0; i < n; i++)
        assert_prices((double)spot[i], (double)strike[i], (double)years[i], 0.02, 0.3, call[i], put[i]);
    MAP(yoke_black_scholes_each, n, spot, strike, years, rate, volatility, call, put);
    for (size_t i = 0; i < n; i++)
        assert_prices((double)spot[i], (double)strike[i], (double)years[i], (double)rate[i], (double)volatility[i],
                      call[i], put[i]);
    free(spot), free(strike), free(years), free(rate), free(volatility), free(call), free(put);
}

static void black_scholes_matches_the_formula_in_double(void **state)
{
    (void)state;
    in_every_way((check){.of_size = check_options});
}

/* --- mandelbrot --- */

/* volatile: no compiler fuses a product into a sum here. */
static int escape_time(float cx, float cy, int limit)
{
    float x = 0, y = 0;
    int k = 0;
    for (; k < limit; k++) {
        const volatile float xx = x * x, yy = y * y, xy = 2.0f * x * y;
        if (!(xx + yy < 4.0f))
            break;
        x = xx - yy + cx;
        y = xy + cy;
    }
    return k;
}

static void compare_mandelbrot(size_t width, size_t height, float x0, float y0, float dx, float dy, int limit)
{
    int *count = array_of(width * height, sizeof *count);
    MAP_2D(yoke_mandelbrot, width, height, count, x0, y0, dx, dy, limit);
    for (size_t j = 0; j < height; j++)
        for (size_t i = 0; i < width; i++) {
            const volatile float far = dx * (float)i, down = dy * (float)j;
            assert_int_equal(count[j * width + i], escape_time(x0 + far, y0 + down, limit));
        }
    free(count);
}

static void check_mandelbrot(size_t width, size_t height)
{
    static const int limits[] = {-1, 0, 1, 7, 8, 9, 100};
    const int limit = limits[draw_below(&random_state, sizeof limits / sizeof *limits)];
    const float x0 = (float)draw_double(&random_state, -2.2, 0.3), y0 = (float)draw_double(&random_state, -1.2, 0.9);
    const float size = (float)draw_double(&random_state, 0.001, 2);
    compare_mandelbrot(width, height, x0, y0, size / (float)(width + 1), size / (float)(height + 1), limit);
    if (width != 64)
        return;
    /* Near the border, where a fused operation would show. */
    compare_mandelbrot(128, 16, -0.748f, 0.1f, 2e-5f, 2e-5f, 400);
    /* Near -2, where |c| and |z| are both about 2, rounding has its best chance to bring a point back. */
    compare_mandelbrot(129, 9, -2.00002f, -0.000004f, 0x1p-22f, 0x1p-20f, 60);
    compare_mandelbrot(65, 9, -2.0f, -4e-20f, 0x1p-23f, 1e-20f, 60);
    compare_mandelbrot(65, 9, -1e30f, -1e30f, 3e28f, 2e29f, 20);
}

static void mandelbrot_counts_are_those_of_the_scalar_loop(void **state)
{
    (void)state;
    in_every_way((check){.of_grid = check_mandelbrot});
}

/* --- bodies --- */

static void check_bodies(size_t n)
{
    if (n > 300)
        return; /* pairs cost time */
    float *p[3], *a[3], *m = random_floats(n, 0.1, 2);
    for (int k = 0; k < 3; k++) {
        p[k] = random_floats(n, -1, 1);
        a[k] = array_of(n, sizeof **a);
    }
    MAP(yoke_nbody, n, a[0], a[1], a[2], p[0], p[1], p[2], m, 1e-2f);
    for (size_t i = 0; i < n; i++) {
        double sum[3] = {0}, size[3] = {0};
        for (size_t j = 0; j < n; j++) {
            double d[3], square = (double)1e-2f;
            for (int k = 0; k < 3; k++) {
                d[k] = (double)p[k][j] - (double)p[k][i];
                square += d[k] * d[k];
            }
            for (int k = 0; k < 3; k++) {
                const double pull = (double)m[j] * d[k] / (square * sqrt(square));
                sum[k] += pull;
                size[k] += fabs(pull);
            }
        }
        for (int k = 0; k < 3; k++)
            assert_near(sum[k], (double)a[k][i], 1e-9 + size[k] * (2e-6 + 6e-8 * (double)n));
    }
    for (int k = 0; k < 3; k++)
        free(p[k]), free(a[k]);
    free(m);
}

static void nbody_matches_the_sum_in_double(void **state)
{
    (void)state;
    in_every_way((check){.of_size = check_bodies});
}

/* --- grids and pictures --- */

static void check_heat(size_t width, size_t height)
{
    const size_t n = width * height;
    float *x = random_floats(n, -1, 1), *y = array_of(n, sizeof *y);
    MAP_2D(yoke_heat, width, height, y, x, 0.2f);
    for (size_t j = 0; j < height; j++)
        for (size_t i = 0; i < width; i++) {
            const size_t at = j * width + i;
            if (i == 0 || j == 0 || i == width - 1 || j == height - 1) {
                assert_true(y[at] == x[at]);
                continue;
            }
            const double c = (double)x[at];
            const double around = (double)x[at - 1] + (double)x[at + 1] + (double)x[at - width] + (double)x[at + width];
            assert_near(c + (double)0.2f * (around - 4 * c), (double)y[at], 1e-6);
        }
    free(x), free(y);
}

static void heat_matches_the_stencil_and_keeps_the_rim(void **state)
{
    (void)state;
    in_every_way((check){.of_grid = check_heat});
}

static size_t clamped(int64_t at, size_t count)
{
    return at < 0 ? 0 : at >= (int64_t)count ? count - 1 : (size_t)at;
}

/* One sample at distance `step` from its neighbours, `place` of `count`; x is that of the first. */
static double filtered(const uint8_t *x, size_t step, size_t place, size_t count, const float *weights, int radius)
{
    double sum = 0;
    for (int k = -radius; k <= radius; k++)
        sum += (double)weights[k < 0 ? -k : k] * x[clamped((int64_t)place + k, count) * step];
    return sum;
}

static void compare_blur(size_t width, size_t height, int channels, int radius)
{
    const size_t samples = width * (size_t)channels, n = samples * height;
    uint8_t *x = random_bytes(n), *y = array_of(n, 1), *z = array_of(n, 1);
    float *weights = array_of((size_t)radius + 1, sizeof *weights);
    yoke_gaussian(weights, radius, draw_double(&random_state, 0.5, 4));
    MAP_2D(yoke_blur_rows, samples, height, y, x, weights, radius, channels);
    MAP_2D(yoke_blur_columns, samples, height, z, x, weights, radius);
    for (size_t j = 0; j < height; j++)
        for (size_t i = 0; i < samples; i++) {
            const size_t channel = i % (size_t)channels;
            const double across =
                filtered(x + j * samples + channel, (size_t)channels, i / (size_t)channels, width, weights, radius);
            assert_near(across, y[j * samples + i], 0.501);
            assert_near(filtered(x + i, samples, j, height, weights, radius), z[j * samples + i], 0.501);
        }
    free(x), free(y), free(z), free(weights);
}

static void check_blur(size_t width, size_t height)
{
    compare_blur(width < 200 ? width : 200, height, 3, (int)draw_below(&random_state, 7));
    if (width != 64)
        return;
    compare_blur(21, 40, 1, 30);
    compare_blur(130, 2, 4, 4);
}

static void blur_matches_the_filter_in_double(void **state)
{
    (void)state;
    in_every_way((check){.of_grid = check_blur});
}

static void blur_with_weights_beyond_one_saturates(void **state)
{
    (void)state;
    uint8_t x[130], y[130];
    memset(x, 200, sizeof x);
    const float much[2] = {1.0f, 1e30f}, negative[2] = {-1.0f, -1.0f}, nothing[2] = {NAN, 0.0f};
    assert_int_equal(parallel_map_2d(yoke_blur_rows, 130, 1, y, x, much, 1, 1), 0);
    assert_int_equal(y[64], 255);
    assert_int_equal(parallel_map_2d(yoke_blur_columns, 130, 1, y, x, negative, 1), 0);
    assert_int_equal(y[129], 0);
    assert_int_equal(parallel_map_2d(yoke_blur_columns, 130, 1, y, x, nothing, 1), 0);
}

static void blur_of_negative_radius_is_refused(void **state)
{
    (void)state;
    uint8_t x[12] = {0}, y[12] = {0};
    const float weights[1] = {1.0f};
    assert_int_equal(parallel_map_2d(yoke_blur_rows, 12, 1, y, x, weights, -2, 3), YOKE_EINVAL);
    assert_int_equal(parallel_map_2d(yoke_blur_columns, 12, 1, y, x, weights, -2), YOKE_EINVAL);
}

static void gaussian_keeps_brightness(void **state)
{
    (void)state;
    float weights[21];
    const double sigmas[] = {-1.0, 0.0, 1e-3, 0.5, 2.0, 1e9, NAN};
    for (size_t s = 0; s < sizeof sigmas / sizeof *sigmas; s++)
        for (int radius = 0; radius <= 20; radius++) {
            yoke_gaussian(weights, radius, sigmas[s]);
            double sum = (double)weights[0];
            for (int k = 1; k <= radius; k++) {
                assert_true(weights[k] >= 0 && weights[k] <= weights[k - 1]);
                sum += 2 * (double)weights[k];
            }
            assert_near(1.0, sum, 1e-6);
        }
}

/* --- histogram --- */

static void check_histogram(size_t n)
{
    uint8_t *x = random_bytes(n);
    for (size_t i = n / 2; i < n; i++)
        x[i] &= 3; /* runs of equal values too */
    yoke_histogram_counts counts;
    uint64_t expected[256] = {0};
    REDUCE(yoke_histogram, n, &counts, x);
    for (size_t i = 0; i < n; i++)
        expected[x[i]]++;
    for (unsigned value = 0; value < 256; value++)
        assert_int_equal(yoke_histogram_count(&counts, (uint8_t)value), expected[value]);
    free(x);
}

static void histogram_counts_every_sample(void **state)
{
    (void)state;
    in_every_way((check){.of_size = check_histogram});
}

int main(void)
{
    random_state = seed_of("test_kernels");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blas1_matches_plain_loops),
        cmocka_unit_test(nrm2_of_huge_and_tiny_floats_neither_overflows_nor_vanishes),
        cmocka_unit_test(black_scholes_matches_the_formula_in_double),
        cmocka_unit_test(mandelbrot_counts_are_those_of_the_scalar_loop),
        cmocka_unit_test(nbody_matches_the_sum_in_double),
        cmocka_unit_test(heat_matches_the_stencil_and_keeps_the_rim),
        cmocka_unit_test(blur_matches_the_filter_in_double),
        cmocka_unit_test(blur_with_weights_beyond_one_saturates),
        cmocka_unit_test(blur_of_negative_radius_is_refused),
        cmocka_unit_test(gaussian_keeps_brightness),
        cmocka_unit_test(histogram_counts_every_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
