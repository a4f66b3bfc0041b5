/* One call on a worker and on PoCL at once, each with one core: the same results as the worker's alone, and how near to
 * the best division it came (printed, not judged). */
#include <unistd.h>

#include "tests/unit/support.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

enum { N = 1 << 20, WIDTH = 512, HEIGHT = 384, LIMIT = 2000, PATIENCE = 2000, CALLS = 7, LEARNING = 10 };

YOKE_EXACT_KERNEL(exact_series, (in(float, x), out(float, y)), {
    float sum = 0.0f, term = x[i];
    for (int k = 0; k < 50; k++) {
        sum += term;
        term = term * 0.5f + 0.25f;
    }
    y[i] = sum;
})

static float x[N], y[N], wanted[N];
static int counts[WIDTH * HEIGHT], wanted_counts[WIDTH * HEIGHT];
static yoke_runtime *runtime;
static const yoke_options together = {.flags = YOKE_ALWAYS_COEXECUTE}, cpu = {.devices = "cpu"},
                          device = {.devices = "opencl:0"};

/* Of both, and so that they do not fight for cores: the caller has one, PoCL's only thread another. */
static int open_both(void **state)
{
    (void)state;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || setenv("POCL_MAX_PTHREAD_COUNT", "1", 1) != 0)
        return 0;
    runtime = yoke_open(&(yoke_runtime_options){.devices = "cpu,opencl:0", .workers = 1});
    if (runtime == NULL)
        print_message("%s\n", yoke_error_detail());
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    return runtime != NULL ? yoke_close(runtime) : 0;
}

static int series(const yoke_options *options)
{
    return parallel_map_on(runtime, options, exact_series, N, x, y);
}

static int mandelbrot(const yoke_options *options)
{
    return parallel_map_2d_on(runtime, options, yoke_mandelbrot, WIDTH, HEIGHT, counts, -2.0f, -1.2f, 3.0f / WIDTH,
                              2.4f / HEIGHT, LIMIT);
}

static int compare(const void *a, const void *b)
{
    const double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

static double median_ms(int (*call)(const yoke_options *options), const yoke_options *options)
{
    double took[CALLS];
    for (unsigned k = 0; k < CALLS; k++) {
        const int64_t start = yoke__now_ns();
        assert_int_equal(call(options), YOKE_OK);
        took[k] = (double)(yoke__now_ns() - start) * 1e-6;
    }
    qsort(took, CALLS, sizeof *took, compare);
    return took[CALLS / 2];
}

/* Until both take part, and have learned a little. */
static void warm_up(int (*call)(const yoke_options *options))
{
    yoke_decision d;
    unsigned good = 0;
    for (unsigned k = 0; k < PATIENCE && good < LEARNING; k++) {
        assert_int_equal(call(&together), YOKE_OK);
        assert_int_equal(yoke_last_decision(&d), YOKE_OK);
        good += d.share_count == 2;
    }
    assert_int_equal(good, LEARNING);
    assert_int_equal(call(&device), YOKE_OK);
}

static void tell(const char *name, int (*call)(const yoke_options *options))
{
    const double alone = median_ms(call, &cpu), there = median_ms(call, &device), both = median_ms(call, &together);
    yoke_decision d;
    assert_int_equal(yoke_last_decision(&d), YOKE_OK);
    print_message("%s: one worker %.2f ms, PoCL on one core %.2f, together %.2f (%.0f %% on PoCL): efficiency %.2f\n",
                  name, alone, there, both, 100.0 * (double)d.device_items / (double)d.items,
                  1 / (1 / alone + 1 / there) / both);
}

static void exact_map_is_the_same(void **state)
{
    (void)state;
    if (runtime == NULL)
        skip();
    uint64_t seed = seed_of("coexec on PoCL");
    for (size_t k = 0; k < N; k++)
        x[k] = (float)draw_double(&seed, -2, 2);
    assert_int_equal(parallel_map_on(runtime, &cpu, exact_series, N, x, wanted), YOKE_OK);
    warm_up(series);
    for (unsigned k = 0; k < 20; k++) {
        memset(y, 0, sizeof y);
        assert_int_equal(series(&together), YOKE_OK);
        assert_memory_equal(y, wanted, sizeof y);
    }
    tell("series", series);
}

static void picture_is_the_same(void **state)
{
    (void)state;
    if (runtime == NULL)
        skip();
    assert_int_equal(mandelbrot(&cpu), YOKE_OK);
    memcpy(wanted_counts, counts, sizeof counts);
    warm_up(mandelbrot);
    for (unsigned k = 0; k < 5; k++) {
        size_t differ = 0;
        memset(counts, 0, sizeof counts);
        assert_int_equal(mandelbrot(&together), YOKE_OK);
        for (size_t i = 0; i < WIDTH * HEIGHT; i++)
            differ += counts[i] != wanted_counts[i];
        assert_in_range(differ, 0, WIDTH * HEIGHT / 50); /* not exact: the set's rim depends on contraction */
    }
    tell("mandelbrot", mandelbrot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_map_is_the_same), cmocka_unit_test(picture_is_the_same)};
    return cmocka_run_group_tests(tests, open_both, close_both);
}
