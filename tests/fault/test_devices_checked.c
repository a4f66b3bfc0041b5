/* A device that computes something else than the CPU is found out by a runtime that checks, and the arrays stay as they
 * were. */
#include "tests/fault/devices_support.h"

enum { WIDTH = 61, HEIGHT = 40, PITCH = 70 };

YOKE_EXACT_KERNEL(checked_add, (inout(int, y), in(int, x)), { y[i] += x[i]; })
YOKE_EXACT_KERNEL_2D(checked_2d, (out(float, y), in(float, x), value(float, a)),
                     { y[j * width + i] = a * x[j * width + i]; })
YOKE_KERNEL(checked_near, (out(double, y), in(double, x)), { y[i] = 0.1 * x[i] + x[i]; })
YOKE_EXACT_KERNEL(checked_scatter, (in(int, x), scatter(int, y, 2 * n)), { y[2 * i] = x[i]; })

static const char wrong_results[] = "fault clEnqueueNDRangeKernel:1:flip:sticky";

static yoke_runtime *open_checking(void)
{
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.devices = "gpu:0", .workers = 2, .check = 1});
    if (r == NULL)
        fail_msg("%s", yoke_error_detail());
    return r;
}

static void ran_on_device(void)
{
    assert_int_equal(last_decision().device, 0);
    assert_true(last_decision().device_items > 0);
}

static void assert_device_found(int status, const char *kernel, const char *what)
{
    if (status != YOKE_ECHECK || strstr(yoke_error_detail(), kernel) == NULL ||
        strstr(yoke_error_detail(), what) == NULL || strstr(yoke_error_detail(), __FILE__) == NULL)
        fail_msg("%d: \"%s\"", status, yoke_error_detail());
}

static void good_devices_pass(void **state)
{
    (void)state;
    yoke_runtime *r = open_checking();
    double from[N], to[N];
    float sum = 0;
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    ran_on_device();
    assert_int_equal(scale(r, NULL, 1), YOKE_OK);
    ran_on_device();
    for (int k = 0; k < N; k++)
        from[k] = 0.001 * k;
    assert_int_equal(parallel_map_on(r, NULL, checked_near, N, to, from), YOKE_OK);
    ran_on_device();
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, N, &sum, x), YOKE_OK);
    ran_on_device();
    assert_int_equal(parallel_map_2d_on(r, &(yoke_options){.pitch = PITCH}, checked_2d, WIDTH, HEIGHT, y, x, 2.0f),
                     YOKE_OK);
    ran_on_device();
    close_runtime(r);
}

static void wrong_results_are_found_and_undone(void **state)
{
    (void)state;
    static int a[N], b[2 * N], was[2 * N];
    for (int k = 0; k < N; k++)
        a[k] = k;
    for (int k = 0; k < 2 * N; k++)
        b[k] = was[k] = 3 * k;
    yoke_runtime *r = open_checking();
    assert_int_equal(scale(r, NULL, N), YOKE_OK); /* what looks at a new device saw nothing */
    assert_int_equal(parallel_map_on(r, NULL, checked_add, N, b, a), YOKE_OK);
    memcpy(b, was, sizeof b);
    fill();
    assert_int_equal(control(wrong_results), 0);
    assert_device_found(parallel_map_on(r, NULL, checked_add, N, b, a), "kernel checked_add (", "device 0 computed");
    assert_memory_equal(b, was, sizeof b);
    close_runtime(r);
}

static void wrong_results_of_rows_and_scatters_are_found(void **state)
{
    (void)state;
    static int a[N], b[2 * N], was[2 * N];
    yoke_runtime *r = open_checking();
    const yoke_options pitched = {.pitch = PITCH};
    assert_int_equal(parallel_map_2d_on(r, &pitched, checked_2d, WIDTH, HEIGHT, y, x, 2.0f), YOKE_OK);
    assert_int_equal(parallel_map_on(r, NULL, checked_scatter, N, a, b), YOKE_OK);
    fill();
    memset(b, 7, sizeof b);
    memcpy(was, b, sizeof b);
    assert_int_equal(control(wrong_results), 0);
    assert_device_found(parallel_map_2d_on(r, &pitched, checked_2d, WIDTH, HEIGHT, y, x, 2.0f), "kernel checked_2d (",
                        "device 0 computed");
    assert_true(is_untouched(LARGE));
    assert_device_found(parallel_map_on(r, NULL, checked_scatter, N, a, b), "kernel checked_scatter (",
                        "device 0 computed another y[");
    assert_memory_equal(b, was, sizeof b);
    close_runtime(r);
}

static void wrong_sums_are_found(void **state)
{
    (void)state;
    yoke_runtime *r = open_checking();
    float sum = -5;
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, N, &sum, x), YOKE_OK);
    sum = -5;
    assert_int_equal(control(wrong_results), 0);
    int status = parallel_reduce_on(r, NULL, dev_sum, N, &sum, x);
    assert_int_equal(status, YOKE_ECHECK);
    assert_non_null(strstr(yoke_error_detail(), "kernel dev_sum ("));
    assert_true(sum == -5);
    close_runtime(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good_devices_pass, fresh),
        cmocka_unit_test_setup(wrong_results_are_found_and_undone, fresh),
        cmocka_unit_test_setup(wrong_results_of_rows_and_scatters_are_found, fresh),
        cmocka_unit_test_setup(wrong_sums_are_found, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
