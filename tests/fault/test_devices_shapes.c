/* Devices that lack something, are too small or talk nonsense: the result is that of the CPU, and the reason readable. */
#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(dev_double, (in(float, x), out(double, y)), { y[i] = (double)x[i] * 3.0; })
YOKE_EXACT_KERNEL(dev_divide, (in(float, x), out(float, y)), { y[i] = 1.0f / (x[i] + 3.0f); })
YOKE_EXACT_KERNEL(dev_heavy, (in(float, x), out(float, y)), {
    float v = x[i];
    for (int k = 0; k < 100; k++)
        v = v * 0.5f + 1.0f;
    y[i] = v;
})
YOKE_KERNEL(dev_near, (in(float, x), out(float, y)), { y[i] = x[i] + 3.0f; })
YOKE_EXACT_KERNEL(dev_look_up, (whole(float, table, m), out(float, y), value(int, m)), { y[i] = table[i % (size_t)m]; })
YOKE_EXACT_KERNEL(dev_turn, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i]; })
YOKE_EXACT_KERNEL_2D(dev_rows, (halo(float, x, 1, 1), out(float, y)), {
    float below = j + 1 < height ? x[(j + 1) * width + i] : 0.0f;
    float above = j > 0 ? x[(j - 1) * width + i] : 0.0f;
    y[j * width + i] = x[j * width + i] - above - below;
})

/* The first device has this shape; the runtime may use only that one. */
static yoke_runtime *runtime_of_shape(const char *setting)
{
    if (setting != NULL)
        shape(setting);
    return runtime_on("opencl:0");
}

static void ran_on_device(void)
{
    yoke_decision d = last_decision();
    if (d.device != 0 || d.device_items != d.items)
        fail_msg("%zu of %zu items on device %d: %s", d.device_items, d.items, d.device, d.reason);
}

/* By the workers, for a reason that holds this text. */
static void ran_on_workers(const char *says)
{
    yoke_decision d = last_decision();
    if (d.device_items != 0 || strstr(d.reason, says) == NULL)
        fail_msg("%zu items on device %d, \"%s\" and not \"%s\"", d.device_items, d.device, d.reason, says);
}

static void double_needs_a_device_that_has_it(void **state)
{
    (void)state;
    static double to[N];
    static const char *const fp[] = {"FP=", "FP=nofp64"};
    for (int k = 0; k < 2; k++) {
        yoke_runtime *r = runtime_of_shape(fp[k]);
        assert_int_equal(device_of(r, 0).has_double, k == 0);
        memset(to, 0, sizeof to);
        assert_int_equal(parallel_map_on(r, NULL, dev_double, N, x, to), YOKE_OK);
        for (int j = 0; j < N; j++)
            assert_true(to[j] == (double)x[j] * 3.0);
        if (k == 0)
            ran_on_device();
        else
            ran_on_workers("double");
        assert_int_equal(scale(r, NULL, N), YOKE_OK);
        ran_on_device();
        close_runtime(r);
    }
}

static void exact_needs_a_device_that_is(void **state)
{
    (void)state;
    static const char *const fp[] = {"FP=inexact", "FP=nodenorm"};
    for (int k = 0; k < 2; k++) {
        yoke_runtime *r = runtime_of_shape(fp[k]);
        assert_false(device_of(r, 0).is_exact);
        assert_int_equal(parallel_map_on(r, NULL, dev_divide, N, x, y), YOKE_OK);
        for (int j = 0; j < N; j++)
            assert_true(y[j] == 1.0f / (x[j] + 3.0f));
        ran_on_workers("is exact");
        assert_int_equal(parallel_map_on(r, NULL, dev_near, N, x, y), YOKE_OK);
        ran_on_device();
        close_runtime(r);
    }
}

static void arrays_beyond_the_largest_buffer_go_in_pieces(void **state)
{
    (void)state;
    static const char *const sizes[] = {"MAXALLOC=4096", "MAXALLOC=65536", "GLOBALMEM=200000"};
    for (int k = 0; k < 3; k++) {
        shape("MAXALLOC=65536");
        yoke_runtime *r = runtime_of_shape(sizes[k]);
        assert_int_equal(scale(r, NULL, 100000), YOKE_OK);
        ran_on_device();
        assert_true(device_of(r, 0).pieces > 5);
        memset(y, 0, sizeof y);
        assert_int_equal(parallel_map_2d_on(r, NULL, dev_rows, 301, 200, x, y), YOKE_OK);
        ran_on_device();
        for (size_t j = 0; j < 200; j++)
            for (size_t i = 0; i < 301; i++)
                assert_true(y[j * 301 + i] ==
                            x[j * 301 + i] - (j > 0 ? x[(j - 1) * 301 + i] : 0) - (j < 199 ? x[(j + 1) * 301 + i] : 0));
        float sum = 0, wanted = 1;
        yoke_runtime *cpu = runtime_on("cpu");
        assert_int_equal(parallel_reduce_on(cpu, NULL, dev_sum, 100000, &wanted, x), YOKE_OK);
        assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, 100000, &sum, x), YOKE_OK);
        if (k == 0)
            ran_on_workers("memory"); /* a block of a reduction is indivisible */
        else
            ran_on_device();
        assert_memory_equal(&sum, &wanted, sizeof sum);
        close_runtime(cpu);
        close_runtime(r);
    }
}

static void row_beyond_the_largest_buffer_runs_on_workers(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_of_shape("MAXALLOC=4096");
    assert_int_equal(parallel_map_2d_on(r, NULL, dev_rows, 2000, 20, x, y), YOKE_OK);
    ran_on_workers("memory");
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    ran_on_device();
    close_runtime(r);
}

static void whole_array_beyond_the_device_runs_on_workers(void **state)
{
    (void)state;
    static const char *const sizes[] = {"MAXALLOC=65536", "GLOBALMEM=300000"};
    for (int k = 0; k < 2; k++) {
        shape("MAXALLOC=300000");
        yoke_runtime *r = runtime_of_shape(sizes[k]);
        assert_int_equal(parallel_map_on(r, NULL, dev_look_up, LARGE, x, y, 100000), YOKE_OK);
        for (size_t j = 0; j < LARGE; j++)
            assert_true(y[j] == x[j % 100000]);
        ran_on_workers("memory");
        assert_int_equal(parallel_map_on(r, NULL, dev_look_up, LARGE, x, y, 1000), YOKE_OK);
        for (size_t j = 0; j < LARGE; j++)
            assert_true(y[j] == x[j % 1000]);
        ran_on_device();
        assert_int_equal(parallel_map_on(r, NULL, dev_turn, LARGE, x, y), YOKE_OK);
        for (size_t j = 0; j < LARGE; j++)
            assert_true(y[LARGE - 1 - j] == x[j]);
        ran_on_workers("memory");
        assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
        close_runtime(r);
    }
}

static void odd_but_lawful_limits_are_lived_with(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "WGS=1",     "WGS=7",        "WGS=63", "ADDRBITS=32", "UNITS=1", "UNITS=1000", "VERSION=OpenCL 3.0 x",
        "UNIFIED=1", "LAUNCH_US=500"};
    yoke_runtime *cpu = runtime_on("cpu");
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        assert_int_equal(fresh(state), 0);
        yoke_runtime *r = runtime_of_shape(settings[k]);
        assert_int_equal(scale(r, NULL, N), YOKE_OK);
        ran_on_device();
        float sum = 0, wanted = 1;
        assert_int_equal(parallel_reduce_on(cpu, NULL, dev_sum, N, &wanted, x), YOKE_OK);
        assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, N, &sum, x), YOKE_OK); /* its groups have 64 */
        assert_memory_equal(&sum, &wanted, sizeof sum);
        if (strncmp(settings[k], "WGS", 3) == 0)
            ran_on_workers("work-items");
        else
            ran_on_device();
        close_runtime(r);
    }
    close_runtime(cpu);
}

static void nonsense_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *says;
    } cases[] = {
        {"MAXALLOC=0", "CL_DEVICE_MAX_MEM_ALLOC_SIZE is 0"},
        {"MAXALLOC=2^63", "9223372036854775808"},
        {"GLOBALMEM=0", "CL_DEVICE_GLOBAL_MEM_SIZE is 0"},
        {"GLOBALMEM=2^63", "9223372036854775808"},
        {"WGS=0", "CL_DEVICE_MAX_WORK_GROUP_SIZE is 0"},
        {"WGS=2^63", "CL_DEVICE_MAX_WORK_GROUP_SIZE"},
        {"UNITS=0", "CL_DEVICE_MAX_COMPUTE_UNITS is 0"},
        {"ADDRBITS=16", "neither 32 nor 64"},
        {"VERSION=nonsense", "nonsense"},
        {"VERSION=", "1.2 is needed"},
        {"VERSION=OpenCL -1.2", "1.2 is needed"},
        {"VERSION=OpenCL 1.0 x", "OpenCL 1.0"},
        {"VERSION=OpenCL 1.1 x", "OpenCL 1.1"},
        {"TYPE=custom", "type"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        assert_int_equal(fresh(state), 0);
        shape(cases[k].setting);
        yoke_runtime *r = runtime_on("all");
        yoke_device d = device_of(r, 0);
        if (d.state != YOKE_DEVICE_REFUSED || strstr(d.reason, cases[k].says) == NULL)
            fail_msg("%s: state %d, \"%s\"", cases[k].setting, d.state, d.reason);
        assert_false(d.in_use);
        assert_non_null(d.name);
        assert_int_equal(yoke_reopen_device(r, 0), YOKE_EINVAL);
        assert_int_equal(scale(r, NULL, LARGE), YOKE_OK);
        close_runtime(r);
        assert_null(open_runtime("opencl:0"));
        if (strstr(yoke_error_detail(), cases[k].says) == NULL && strstr(yoke_error_detail(), "refused") == NULL)
            fail_msg("%s: \"%s\"", cases[k].setting, yoke_error_detail());
    }
}

static void one_bad_device_leaves_the_others(void **state)
{
    (void)state;
    shape("MAXALLOC=0;2^30");
    yoke_runtime *r = runtime_on("gpu");
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_REFUSED);
    assert_int_equal(device_of(r, 1).state, YOKE_DEVICE_READY);
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    assert_true(last_decision().device > 0);
    close_runtime(r);
}

static void failed_build_is_told_and_the_workers_run_it(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_of_shape("BUILD_FAIL=1");
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    ran_on_workers("dev_scale");
    ran_on_workers("devices_support.h");
    ran_on_workers("error");
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    shape("BUILD_FAIL=0");
    assert_int_equal(parallel_map_on(r, NULL, dev_near, N, x, y), YOKE_OK); /* another kernel is not to blame */
    ran_on_device();
    close_runtime(r);
}

static void workers_take_the_work_while_it_is_compiled(void **state)
{
    (void)state;
    shape("BUILD_MS=1000"); /* less than a build may take here, and more than a busy machine makes of a call */
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    yoke_runtime *forced = runtime_of_shape(NULL);
    bool said = false;
    const int64_t begin = yoke__now_ns();
    int64_t longest = 0;
    while (device_of(r, 0).pieces == 0 && yoke__now_ns() - begin < (is_emulated() ? 12 : 1) * INT64_C(5000000000)) {
        const int64_t start = yoke__now_ns();
        assert_int_equal(parallel_map_on(r, NULL, dev_heavy, LARGE, x, y), YOKE_OK);
        const int64_t took = yoke__now_ns() - start;
        yoke_decision d;
        said |= yoke_last_decision(&d) == YOKE_OK && strstr(d.reason, "compiled") != NULL;
        longest = took > longest && device_of(r, 0).pieces == 0 ? took : longest;
    }
    assert_true(device_of(r, 0).pieces > 0);
    assert_true(said);
    assert_true(SANITIZED || is_emulated() || longest < INT64_C(700000000));
    assert_int_equal(scale(forced, NULL, N), YOKE_OK); /* without the CPU the call waits for it */
    ran_on_device();
    assert_true(last_decision().took_ns >= 1000e6);
    close_runtime(r);
    close_runtime(forced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(double_needs_a_device_that_has_it, fresh),
        cmocka_unit_test_setup(exact_needs_a_device_that_is, fresh),
        cmocka_unit_test_setup(arrays_beyond_the_largest_buffer_go_in_pieces, fresh),
        cmocka_unit_test_setup(row_beyond_the_largest_buffer_runs_on_workers, fresh),
        cmocka_unit_test_setup(whole_array_beyond_the_device_runs_on_workers, fresh),
        cmocka_unit_test_setup(odd_but_lawful_limits_are_lived_with, fresh),
        cmocka_unit_test_setup(nonsense_is_refused_with_a_reason, fresh),
        cmocka_unit_test_setup(one_bad_device_leaves_the_others, fresh),
        cmocka_unit_test_setup(failed_build_is_told_and_the_workers_run_it, fresh),
        cmocka_unit_test_setup(workers_take_the_work_while_it_is_compiled, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
