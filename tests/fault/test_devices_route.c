/* Several devices of different speed beside the workers: where maps go, and what remains when one is lost. */
#include <pthread.h>

#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(dev_heavy, (in(float, x), out(float, y)), {
    float v = x[i];
    for (int k = 0; k < 40; k++)
        v = v * 0.5f + 1.0f;
    y[i] = v;
})
YOKE_EXACT_KERNEL(dev_add, (in(int, x), out(int, y), value(int, a)), { y[i] = x[i] + a; })

static float wanted[LARGE];
static const yoke_options one_place = {.flags = YOKE_NEVER_COEXECUTE};

/* Device of the last of so many calls, those that only wait for a device to be measured not counted. */
static int settle(yoke_runtime *r, size_t n, unsigned calls)
{
    const int64_t end = yoke__now_ns() + 20000000000;
    memset(y, 0, sizeof y);
    while (calls > 0) {
        y[n - 1] = -1;
        assert_int_equal(parallel_map_on(r, &one_place, dev_heavy, n, x, y), YOKE_OK);
        assert_memory_equal(y, wanted, n * sizeof *y);
        if (strstr(last_decision().reason, "being") == NULL || yoke__now_ns() > end)
            calls--;
    }
    return last_decision().device;
}

/* Devices that the workers of this machine cannot beat, or always do, cannot be had from a fake that computes on the
 * CPU: a call's options keep the workers out where that matters. */
static unsigned runs_on(yoke_runtime *r, const char *devices, unsigned calls, unsigned count[4])
{
    memset(count, 0, 4 * sizeof *count);
    for (unsigned k = 0; k < calls; k++) {
        const yoke_options options = {.devices = devices, .flags = YOKE_NEVER_COEXECUTE};
        assert_int_equal(scale(r, &options, 50000), YOKE_OK);
        count[last_decision().device + 1]++;
    }
    return count[0];
}

static void large_maps_go_to_the_fastest_device(void **state)
{
    (void)state;
    unsigned count[4];
    shape("NS_PER_ITEM=600;0;400");
    yoke_runtime *r = runtime_on("gpu");
    assert_int_equal(runs_on(r, NULL, 40, count), 0);
    assert_true(count[1] >= 1 && count[3] >= 1); /* each was tried */
    assert_true(count[1] <= 4 && count[3] <= 4);
    assert_true(count[2] >= 32);
    assert_int_equal(last_decision().device, 1);
    close_runtime(r);
}

static void slow_devices_leave_the_work_to_the_workers(void **state)
{
    (void)state;
    shape("NS_PER_ITEM=500");
    yoke_runtime *r = runtime_on("cpu,gpu");
    int device = settle(r, LARGE / 4, 60);
    uint64_t pieces = 0;
    for (unsigned k = 0; k < 3; k++)
        pieces += device_of(r, k).pieces;
    assert_int_equal(device, -1);
    yoke_decision d = last_decision();
    assert_true(d.cpu_ns > 0);
    if (SANITIZED && pieces == 0) { /* transfers alone are too slow there */
        assert_string_equal(d.reason, "the workers are faster than a launch and its transfers can be");
    } else {
        assert_true(pieces > 0); /* not by prejudice */
        assert_true(d.device_ns > d.cpu_ns);
        assert_string_equal(d.reason, "the workers are faster");
    }
    close_runtime(r);
}

static void small_maps_never_go_to_an_allowed_device(void **state)
{
    (void)state;
    if (emulated("a small map may take long there"))
        skip();
    yoke_runtime *r = runtime_on("cpu,gpu");
    const int calls = control("calls?");
    for (int k = 0; k < 500; k++)
        assert_int_equal(scale(r, NULL, 1 + (size_t)k), YOKE_OK);
    assert_int_equal(control("calls?"), calls);
    close_runtime(r);
}

static void forced_device_is_used_for_one_item(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:2");
    float sum = 0;
    for (size_t n = 1; n < 70; n++) {
        assert_int_equal(scale(r, NULL, n), YOKE_OK);
        assert_int_equal(last_decision().device, 2);
        assert_int_equal(last_decision().device_items, n);
    }
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, 1, &sum, x + 3), YOKE_OK);
    assert_true(sum == x[3]);
    assert_int_equal(last_decision().device_items, 1);
    assert_true(device_of(r, 2).pieces >= 70);
    assert_int_equal(device_of(r, 0).pieces + device_of(r, 1).pieces, 0);
    close_runtime(r);
}

static void lost_device_is_left_alone_and_the_others_go_on(void **state)
{
    (void)state;
    unsigned count[4];
    yoke_runtime *r = runtime_on("gpu");
    shape("NS_PER_ITEM=600;0;600");
    (void)runs_on(r, NULL, 12, count);
    assert_int_equal(last_decision().device, 1);
    assert_int_equal(control("fault clEnqueueNDRangeKernel:1:lost"), 0);
    assert_int_equal(scale(r, &(yoke_options){.devices = "gpu:1"}, 50000), YOKE_OK);
    assert_true(last_decision().reason[0] != '\0');
    assert_int_equal(device_of(r, 1).state, YOKE_DEVICE_LOST);
    assert_true(device_of(r, 1).reason[0] != '\0');
    assert_true(device_of(r, 1).pieces_lost > 0);
    const uint64_t pieces = device_of(r, 1).pieces;
    assert_int_equal(runs_on(r, NULL, 12, count), 0);
    assert_int_equal(count[2], 0);
    assert_int_equal(count[1] + count[3], 12);
    assert_int_equal(device_of(r, 1).pieces, pieces);
    /* forced to it, the workers do it, and say why */
    assert_int_equal(scale(r, &(yoke_options){.devices = "gpu:1"}, 50000), YOKE_OK);
    assert_int_equal(last_decision().device, -1);
    assert_true(last_decision().reason[0] != '\0');
    close_runtime(r);
}

typedef struct thread_of {
    pthread_t thread;
    yoke_runtime *runtime;
    const char *devices;
    int add, wrong;
} thread_of;

static void *run_many(void *argument)
{
    thread_of *t = argument;
    enum { ITEMS = 20000 };
    int *from = malloc(ITEMS * sizeof *from), *to = malloc(ITEMS * sizeof *to);
    for (int k = 0; from != NULL && k < ITEMS; k++)
        from[k] = k * t->add;
    for (int call = 0; from != NULL && to != NULL && call < 40; call++) {
        const yoke_options options = {.devices = t->devices};
        t->wrong += parallel_map_on(t->runtime, &options, dev_add, ITEMS, from, to, call) != YOKE_OK;
        for (int k = 0; k < ITEMS; k++)
            t->wrong += to[k] != from[k] + call;
    }
    free(from);
    free(to);
    return NULL;
}

static void threads_at_once_share_a_device(void **state)
{
    (void)state;
    static const char *const devices[] = {"gpu:0", "gpu:0", "cpu,gpu", "cpu,gpu:0"};
    yoke_runtime *r = runtime_on("cpu,gpu");
    thread_of threads[4];
    for (int k = 0; k < 4; k++) {
        threads[k] = (thread_of){.runtime = r, .devices = devices[k], .add = k + 1};
        assert_int_equal(pthread_create(&threads[k].thread, NULL, run_many, &threads[k]), 0);
    }
    for (int k = 0; k < 4; k++) {
        assert_int_equal(pthread_join(threads[k].thread, NULL), 0);
        assert_int_equal(threads[k].wrong, 0);
    }
    assert_true(device_of(r, 0).pieces >= 80);
    close_runtime(r);
}

/* Has gpu:0 until "release". */
static void *hold_first(void *argument)
{
    static float to[64];
    const yoke_options options = {.devices = "gpu:0"};
    return parallel_map_on(argument, &options, dev_heavy, 64, x, to) == YOKE_OK ? argument : NULL;
}

static void calls_pass_a_busy_device_by(void **state)
{
    (void)state;
    unsigned count[4];
    pthread_t thread;
    void *held;
    yoke_runtime *r = runtime_on("cpu,gpu");
    for (int k = 0; k < 3; k++) { /* compiled and known */
        const char *const devices[] = {"gpu:0", "gpu:1", "gpu:2"};
        assert_int_equal(runs_on(r, devices[k], 3, count), 0);
    }
    shape("NS_PER_ITEM=0;100;400"); /* the first is the fastest */
    assert_int_equal(runs_on(r, "gpu", 10, count), 0);
    assert_non_null(hold_first(r)); /* compiled: a build launches kernels, too */
    assert_int_equal(control("reset"), 0);
    assert_int_equal(control("fault clEnqueueNDRangeKernel:1:hang"), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_first, r), 0);
    while (control("fired?") == 0)
        sleep_ns(1000000);
    assert_int_equal(runs_on(r, "gpu", 6, count), 0);
    assert_int_equal(count[1], 0);
    assert_int_equal(last_decision().reason[0], '\0');
    assert_int_equal(runs_on(r, "cpu,gpu:0", 1, count), 1);
    assert_true(last_decision().reason[0] != '\0');
    assert_int_equal(control("release"), 0);
    assert_int_equal(pthread_join(thread, &held), 0);
    assert_non_null(held);
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    close_runtime(r);
}

YOKE_EXACT_KERNEL_2D(dev_grid, (in(float, x), out(float, y)), { y[j * width + i] = x[j * width + i] + 1.0f; })

static void times_of_a_grid_count_its_elements(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0");
    for (int k = 0; k < 3; k++)
        assert_int_equal(parallel_map_2d_on(r, NULL, dev_grid, 64, 64, x, y), YOKE_OK);
    assert_true(last_decision().device_ns > 0);
    assert_int_equal(parallel_map_2d_on(r, NULL, dev_grid, 4096, 64, x, y), YOKE_OK); /* as many rows */
    assert_true(last_decision().device_ns <= 0);
    assert_int_equal(parallel_map_2d_on(r, NULL, dev_grid, 64, 4096, x, y), YOKE_OK);
    assert_true(last_decision().device_ns > 0);
    close_runtime(r);
}

typedef struct nest {
    yoke_runtime *runtime;
    _Atomic int wrong;
} nest;

static void map_inside(size_t begin, size_t end, void *argument)
{
    nest *n = argument;
    for (size_t k = begin; k < end; k++) {
        int from[300], to[300];
        for (int j = 0; j < 300; j++)
            from[j] = j;
        n->wrong += parallel_map_on(n->runtime, NULL, dev_add, 300, from, to, (int)k) != YOKE_OK;
        for (int j = 0; j < 300; j++)
            n->wrong += to[j] != j + (int)k;
    }
}

static void maps_inside_a_body_work(void **state)
{
    (void)state;
    static const char *const devices[] = {"gpu", "gpu:1", "cpu,gpu"};
    for (int k = 0; k < 3; k++) {
        nest n = {.runtime = runtime_on(devices[k])};
        const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = 1};
        assert_int_equal(yoke_parallel_for_on(n.runtime, &options, 60, map_inside, &n), YOKE_OK);
        assert_int_equal(n.wrong, 0);
        close_runtime(n.runtime);
    }
}

static void reductions_have_the_same_bits_everywhere(void **state)
{
    (void)state;
    uint64_t seed = seed_of("reductions");
    static const size_t sizes[] = {1, 2, 63, 64, 65, 1000, 4096, 65537, LARGE};
    static const char *const devices[] = {"gpu:0", "gpu:2", "cpu,gpu"};
    for (size_t k = 0; k < LARGE; k++)
        x[k] = (float)draw_double(&seed, -1e3, 1e3);
    yoke_runtime *cpu = runtime_on("cpu");
    for (int d = 0; d < 3; d++) {
        yoke_runtime *r = runtime_on(devices[d]);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            float here = 1, there = 2;
            assert_int_equal(parallel_reduce_on(cpu, NULL, dev_sum, sizes[k], &here, x), YOKE_OK);
            for (int call = 0; call < 3; call++) {
                assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, sizes[k], &there, x), YOKE_OK);
                assert_memory_equal(&here, &there, sizeof here);
            }
            if (d < 2)
                assert_int_equal(last_decision().device, 2 * d);
        }
        close_runtime(r);
    }
    close_runtime(cpu);
}

static int set_up(void **state)
{
    fill();
    for (size_t k = 0; k < LARGE; k++) {
        wanted[k] = x[k];
        for (int j = 0; j < 40; j++)
            wanted[k] = wanted[k] * 0.5f + 1.0f;
    }
    return open_three(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(large_maps_go_to_the_fastest_device, fresh),
        cmocka_unit_test_setup(slow_devices_leave_the_work_to_the_workers, fresh),
        cmocka_unit_test_setup(small_maps_never_go_to_an_allowed_device, fresh),
        cmocka_unit_test_setup(forced_device_is_used_for_one_item, fresh),
        cmocka_unit_test_setup(lost_device_is_left_alone_and_the_others_go_on, fresh),
        cmocka_unit_test_setup(threads_at_once_share_a_device, fresh),
        cmocka_unit_test_setup(calls_pass_a_busy_device_by, fresh),
        cmocka_unit_test_setup(times_of_a_grid_count_its_elements, fresh),
        cmocka_unit_test_setup(maps_inside_a_body_work, fresh),
        cmocka_unit_test_setup(reductions_have_the_same_bits_everywhere, fresh),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
