/* What a device's transfers take is measured before it is tried: one that the workers beat to that is left alone. */
#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(speed_heavy, (in(float, x), out(float, y), value(int, rounds)), {
    float v = x[i];
    for (int k = 0; k < rounds; k++)
        v = v * 0.5f + 1.0f;
    y[i] = v;
})

enum { ITEMS = 250000, PATIENCE_S = 20, LIGHT = 40, HEAVY = 200 };

static const yoke_options one_place = {.flags = YOKE_NEVER_COEXECUTE};
static const char left_alone[] = "the workers are faster than a launch and its transfers can be";
static float wanted[ITEMS];
static int rounds; /* of a test: whether the workers shall be fast or slow */

static void call(yoke_runtime *r)
{
    memset(y, 0, sizeof wanted);
    assert_int_equal(parallel_map_on(r, &one_place, speed_heavy, ITEMS, x, y, rounds), YOKE_OK);
    assert_memory_equal(y, wanted, sizeof wanted);
}

/* Whether the first device is given a map that both may run, or is found to be too far away for it. */
static bool is_tried(yoke_runtime *r, const char *fault)
{
    const int64_t start = yoke__now_ns();
    call(r); /* the first ones have no choice: nothing is known of the kernel */
    call(r);
    while (device_of(r, 0).pieces == 0 && device_of(r, 0).state == YOKE_DEVICE_READY) {
        call(r);
        if (strcmp(last_decision().reason, left_alone) == 0)
            return false;
        if (yoke__now_ns() - start > (int64_t)PATIENCE_S * 1000000000)
            fail_msg("%s: nothing is known after %d s: %s", fault, PATIENCE_S, last_decision().reason);
    }
    return device_of(r, 0).pieces > 0;
}

static void a_device_behind_a_slow_bus_is_not_tried(void **state)
{
    (void)state;
    if (emulated("the workers may take as long there"))
        skip();
    shape("GBPS=0.004"); /* a quarter of a second for an array */
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    assert_false(is_tried(r, "no fault"));
    for (int k = 0; k < 100; k++) {
        call(r);
        assert_int_equal(scale(r, NULL, ITEMS), YOKE_OK); /* one that may be divided */
    }
    const yoke_device device = device_of(r, 0);
    assert_int_equal(device.state, YOKE_DEVICE_READY);
    assert_int_equal(device.pieces, 0);
    assert_int_equal(device.bytes_in + device.bytes_out, 0); /* what was measured with is no call's */
    assert_int_equal(last_decision().device, -1);
    close_runtime(r);
}

static void a_device_behind_slow_launches_is_not_tried(void **state)
{
    (void)state;
    if (emulated("the workers may take as long there"))
        skip();
    shape("LAUNCH_US=100000");
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    assert_false(is_tried(r, "no fault"));
    close_runtime(r);
}

static void a_device_that_is_near_is_tried(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    assert_true(is_tried(r, "no fault"));
    close_runtime(r);
}

static void a_device_with_the_memory_of_the_host_has_no_bus(void **state)
{
    (void)state;
    shape("GBPS=0.02");
    shape("UNIFIED=1");
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    assert_true(is_tried(r, "no fault"));
    close_runtime(r);
}

/* Alone, or told to, a device runs it whatever the way there costs, and nothing is measured. */
static void a_device_that_must_is_not_measured(void **state)
{
    (void)state;
    shape("GBPS=0.5");
    yoke_runtime *r = runtime_on("gpu:0");
    call(r);
    assert_int_equal(last_decision().device, 0);
    assert_true(control("bytes_in?") < 2 << 20);
    close_runtime(r);
    r = runtime_on("cpu,gpu:0");
    const yoke_options together = {.flags = YOKE_ALWAYS_COEXECUTE};
    for (int k = 0; k < 3; k++)
        assert_int_equal(parallel_map_on(r, &together, speed_heavy, ITEMS, x, y, rounds), YOKE_OK);
    close_runtime(r);
}

static void what_fails_while_it_is_measured_costs_nothing(void **state)
{
    (void)state;
    static const char *const calls[] = {"clCreateCommandQueue:3",    "clCreateBuffer:1",
                                        "clCreateBuffer:2",          "clEnqueueMapBuffer:1",
                                        "clEnqueueWriteBuffer:1",    "clEnqueueWriteBuffer:3",
                                        "clEnqueueWriteBuffer:5",    "clEnqueueWriteBuffer:6",
                                        "clEnqueueReadBuffer:1",     "clEnqueueReadBuffer:4",
                                        "clEnqueueReadBuffer:5",     "clEnqueueReadBuffer:6",
                                        "clEnqueueUnmapMemObject:1", "clFinish:1",
                                        "clReleaseMemObject:1",      "clReleaseMemObject:2",
                                        "clReleaseCommandQueue:1"};
    static const char *const actions[] = {"-5", "evstatus=-5", "flip", "delay=20", "lost"};
    enum { EVENT = 1, FLIP = 2, LOST = 4 };
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++)
        for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
            char fault[80];
            const bool transfers = strncmp(calls[k], "clEnqueue", 9) == 0;
            const bool first = strcmp(calls[k] + strlen(calls[k]) - 2, ":1") == 0; /* later ones may be a call's */
            if ((!transfers && (a == EVENT || a == FLIP)) || (!first && a > 0))
                continue;
            assert_int_equal(fresh(state), 0);
            const int held = control("leaks?");
            (void)snprintf(fault, sizeof fault, "fault %s:%s", calls[k], actions[a]);
            assert_int_equal(control(fault), 0);
            yoke_runtime *r = runtime_on("cpu,gpu:0");
            for (int n = 0; a == LOST && (n < 5 || (control("fired?") == 0 && n < 500)); n++)
                call(r);
            const bool tried = a == LOST || is_tried(r, fault), lost = device_of(r, 0).state == YOKE_DEVICE_LOST;
            if (control("fired?") != 1 || (a < LOST && (!tried || lost)))
                fail_msg("%s: fired %d, tried %d, lost %d (%s)", fault, control("fired?"), tried, lost,
                         device_of(r, 0).reason);
            close_runtime(r);
            if (control("violations?") != 0 || (a < LOST && control("leaks?") != held))
                fail_msg("%s: %d objects held, %d before: %s", fault, control("leaks?"), held, violation());
        }
}

static void a_device_that_hangs_while_it_is_measured_is_lost(void **state)
{
    (void)state;
    static const char *const calls[] = {"clEnqueueMapBuffer:1", "clEnqueueWriteBuffer:1", "clEnqueueReadBuffer:1",
                                        "clFinish:1"};
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        char fault[80];
        assert_int_equal(fresh(state), 0);
        (void)snprintf(fault, sizeof fault, "fault %s:hang", calls[k]);
        assert_int_equal(control(fault), 0);
        (void)setenv("YOKE_DEVICE_TIMEOUT_MS", "300", 1);
        yoke_runtime *r = runtime_on("cpu,gpu:0");
        (void)setenv("YOKE_DEVICE_TIMEOUT_MS", "2000", 1);
        assert_false(is_tried(r, "no fault"));
        assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_LOST);
        if (strstr(device_of(r, 0).reason, "measuring its transfers") == NULL)
            fail_msg("%s: %s", fault, device_of(r, 0).reason);
        call(r);
        assert_int_equal(control("release"), 0);
        assert_int_equal(yoke_reopen_device(r, 0), YOKE_OK);
        assert_true(is_tried(r, "no fault"));
        close_runtime(r);
    }
}

static int fresh_bus(void **state, int heavy)
{
    const int failed = fresh(state);
    shape("GBPS=0");
    rounds = heavy;
    for (size_t k = 0; k < ITEMS; k++) {
        wanted[k] = x[k];
        for (int j = 0; j < rounds; j++)
            wanted[k] = wanted[k] * 0.5f + 1.0f;
    }
    return failed;
}

static int far(void **state)
{
    return fresh_bus(state, LIGHT);
}

static int near(void **state)
{
    return fresh_bus(state, HEAVY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_device_behind_a_slow_bus_is_not_tried, far),
        cmocka_unit_test_setup(a_device_behind_slow_launches_is_not_tried, far),
        cmocka_unit_test_setup(a_device_that_is_near_is_tried, near),
        cmocka_unit_test_setup(a_device_with_the_memory_of_the_host_has_no_bus, near),
        cmocka_unit_test_setup(a_device_that_must_is_not_measured, near),
        cmocka_unit_test_setup(what_fails_while_it_is_measured_costs_nothing, near),
        cmocka_unit_test_setup(a_device_that_hangs_while_it_is_measured_is_lost, near),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
