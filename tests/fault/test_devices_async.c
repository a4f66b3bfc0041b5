/* Asynchronous calls on devices: values and order, how they end, managed arrays that stay, and closing with calls pending. */
#include "tests/fault/devices_support.h"

#define MS INT64_C(1000000)

YOKE_EXACT_KERNEL(dev_step, (inout(float, y), value(float, k)), { y[i] = 0.5f * y[i] + k; })

static int done(yoke_future *f)
{
    return yoke_result(f, NULL, 0, 0);
}

static void calls_go_to_the_device_in_their_order(void **state)
{
    (void)state;
    enum { STEPS = 12 };
    yoke_runtime *r = runtime_on("gpu:0");
    yoke_future steps[STEPS], scaled = {0}, summed = {0};
    yoke_piece list[4];
    yoke_pieces pieces = {.list = list, .capacity = 4};
    const yoke_options options = {.pieces = &pieces};
    float sum = -1, wanted = 0;
    memset(steps, 0, sizeof steps);
    assert_int_equal(parallel_map_async_on(r, NULL, &scaled, dev_scale, N, x, y, 3.0f), YOKE_OK);
    for (int k = 0; k < STEPS; k++)
        assert_int_equal(parallel_map_async_on(r, &options, &steps[k], dev_step, N, y, (float)(8 * k)), YOKE_OK);
    assert_int_equal(parallel_reduce_async_on(r, NULL, &summed, dev_sum, N, &sum, y), YOKE_OK);
    assert_int_equal(done(&summed), YOKE_OK);
    for (int k = 0; k < STEPS; k++)
        assert_int_equal(done(&steps[k]), YOKE_OK);
    for (int k = 0; k < N; k++) {
        float one = 3.0f * x[k] + 1.0f;
        for (int step = 0; step < STEPS; step++)
            one = 0.5f * one + (float)(8 * step);
        assert_true(y[k] == one);
    }
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, N, &wanted, y), YOKE_OK);
    assert_true(sum == wanted);
    assert_true(pieces.count >= 1 && list[0].device == 0); /* of the last */
    close_runtime(r);
}

static void options_end_a_call_that_runs_there(void **state)
{
    (void)state;
    shape("NS_PER_ITEM=10000");
    shape("MAXALLOC=4096");
    yoke_runtime *r = runtime_on("gpu:0");
    volatile int cancel = 0;
    yoke_future f = {0}, late = {0}, after = {0};
    const yoke_options options = {.cancel = &cancel}, passes = {.deadline_ns = yoke_deadline_in(150 * MS)};
    assert_int_equal(parallel_map_async_on(r, &options, &f, dev_scale, LARGE, x, y, 2.0f), YOKE_OK);
    assert_int_equal(parallel_map_async_on(r, &passes, &late, dev_scale, LARGE, x, y, 2.0f), YOKE_OK);
    assert_int_equal(parallel_map_async_on(r, NULL, &after, dev_scale, 10, x, y, 5.0f), YOKE_OK);
    while (yoke_state_of(&f) != YOKE_FUTURE_RUNNING)
        sleep_ns(MS);
    sleep_ns(20 * MS);
    assert_int_equal(yoke_cancel(&f), YOKE_EBUSY);
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    assert_int_equal(done(&f), YOKE_ECANCELED);
    assert_non_null(strstr(yoke_error_detail(), "unspecified"));
    assert_int_equal(done(&late), YOKE_ETIMEDOUT);
    assert_int_equal(done(&after), YOKE_OK);
    assert_true(is_scaled(x, y, 10, 5.0f));
    close_runtime(r);
}

static void a_device_that_fails_costs_no_results(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0,cpu");
    const yoke_options gpu = {.devices = "gpu:0"};
    yoke_future f[4], *all[4];
    memset(f, 0, sizeof f);
    assert_int_equal(control("fault clEnqueueNDRangeKernel:2:lost"), 0);
    for (int k = 0; k < 4; k++) {
        all[k] = &f[k];
        assert_int_equal(
            parallel_map_async_on(r, &gpu, &f[k], dev_scale, N, x + (size_t)k * N, y + (size_t)k * N, 4.0f), YOKE_OK);
    }
    assert_int_equal(yoke_gather(all, 4, 0), YOKE_OK);
    assert_true(is_scaled(x, y, (size_t)4 * N, 4.0f));
    close_runtime(r);
}

/* What only the run can tell. */
static void a_device_that_is_not_there_is_told_at_the_end(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu,cpu");
    yoke_future f = {0};
    const yoke_options ninth = {.devices = "gpu:9"};
    const int blocking = parallel_map_on(r, &ninth, dev_scale, N, x, y, 2.0f);
    char detail[512];
    (void)snprintf(detail, sizeof detail, "%s", yoke_error_detail());
    assert_int_equal(blocking, YOKE_ENODEV);
    assert_int_equal(parallel_map_async_on(r, &ninth, &f, dev_scale, N, x, y, 2.0f), YOKE_OK);
    (void)yoke_wait(NULL, 0); /* another detail */
    assert_int_equal(done(&f), YOKE_ENODEV);
    assert_string_equal(yoke_error_detail(), detail);
    assert_true(is_untouched(N));
    close_runtime(r);
}

static void managed_arrays_stay_there_between_calls(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0");
    yoke_future f[3] = {{0}, {0}, {0}};
    float *m = yoke_alloc(N * sizeof *m, YOKE_PLACE_LOCAL);
    assert_non_null(m);
    assert_ptr_equal(yoke_write(m), m);
    for (int k = 0; k < N; k++)
        m[k] = 2.0f;
    for (int k = 0; k < 3; k++)
        assert_int_equal(parallel_map_async_on(r, NULL, &f[k], dev_step, N, m, 4.0f), YOKE_OK);
    assert_int_equal(done(&f[2]), YOKE_OK);
    assert_ptr_equal(yoke_read(m), m);
    for (int k = 0; k < N; k++)
        assert_true(m[k] == 0.5f * (0.5f * (0.5f * 2.0f + 4.0f) + 4.0f) + 4.0f);
    assert_int_equal(yoke_free(m), YOKE_OK);
    close_runtime(r);
}

static void close_waits_for_calls_on_a_device(void **state)
{
    (void)state;
    shape("NS_PER_ITEM=5000");
    yoke_runtime *r = runtime_on("gpu:0");
    yoke_future f[3] = {{0}, {0}, {0}};
    for (int k = 0; k < 3; k++)
        assert_int_equal(
            parallel_map_async_on(r, NULL, &f[k], dev_scale, N, x + (size_t)k * N, y + (size_t)k * N, 6.0f), YOKE_OK);
    close_runtime(r);
    for (int k = 0; k < 3; k++)
        assert_int_equal(yoke_state_of(&f[k]), YOKE_FUTURE_DONE);
    assert_true(is_scaled(x, y, (size_t)3 * N, 6.0f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(calls_go_to_the_device_in_their_order, fresh),
        cmocka_unit_test_setup(options_end_a_call_that_runs_there, fresh),
        cmocka_unit_test_setup(a_device_that_fails_costs_no_results, fresh),
        cmocka_unit_test_setup(a_device_that_is_not_there_is_told_at_the_end, fresh),
        cmocka_unit_test_setup(managed_arrays_stay_there_between_calls, fresh),
        cmocka_unit_test_setup(close_waits_for_calls_on_a_device, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
