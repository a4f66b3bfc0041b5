/* Devices opened, used and closed again and again, by several runtimes at once, with arrays of Yoke's own: nothing is
 * left behind. */
#include <pthread.h>

#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(dev_shift, (in(float, x), out(float, y)), { y[i] = x[i] + 5.0f; })

enum { MIB = 1 << 20 };

static void cycle(const char *devices)
{
    yoke_runtime *r = runtime_on(devices);
    float sum;
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, N, &sum, x), YOKE_OK);
    assert_int_equal(last_decision().device_items, N);
    close_runtime(r);
}

static void runtimes_opened_and_closed_often_leave_nothing(void **state)
{
    (void)state;
    static const char *const devices[] = {"gpu", "gpu:1", "gpu:0,gpu:2"};
    for (int k = 0; k < 10; k++)
        cycle(devices[k % 3]);
    sleep_ns(20000000);
    assert_int_equal(control("leaks?"), 0);
    const unsigned threads = thread_count(), files = file_count();
    const long kib = resident_kib();
    for (unsigned long k = 0; k < rounds_of(200); k++)
        cycle(devices[k % 3]);
    assert_int_equal(control("leaks?"), 0);
    assert_int_equal(control("violations?"), 0);
    if (emulated("/proc counts the emulator's own memory, threads and files"))
        skip();
    assert_true(threads_become(threads));
    assert_int_equal(file_count(), files);
    /* the fake keeps released objects for a while, some 14 KiB of them each time */
    assert_true(resident_kib() - kib < 24 * (long)rounds_of(200) * (SANITIZED ? 100 : 1));
}

static void runtime_opened_and_closed_at_once_leaves_nothing(void **state)
{
    (void)state;
    const int held = control("leaks?");
    for (int k = 0; k < 50; k++) {
        yoke_runtime *r = runtime_on(k % 2 == 0 ? "gpu" : NULL);
        if (k % 4 == 1)
            assert_int_equal(yoke_devices(r), 3);
        close_runtime(r);
    }
    assert_int_equal(control("leaks?"), held);
}

/* --- arrays of yoke_alloc --- */

static float *array_of(size_t count, float value)
{
    float *a = yoke_alloc(count * sizeof *a, YOKE_PLACE_DEFAULT);
    assert_non_null(a);
    for (size_t k = 0; k < count; k++)
        a[k] = value;
    return a;
}

static void array_freed_while_a_device_has_it_is_given_back(void **state)
{
    (void)state;
    shape("UNIFIED=1");
    yoke_runtime *r = runtime_on("gpu:0");
    long before = 0, after;
    for (int k = 0; k < 20; k++) {
        float *from = array_of(2 * MIB, (float)k), *to = array_of(2 * MIB, -1.0f); /* 8 MiB each */
        assert_int_equal(parallel_map_on(r, NULL, dev_shift, 2 * MIB, from, to), YOKE_OK);
        assert_int_equal(last_decision().device_items, 2 * MIB);
        for (size_t j = 0; j < 2 * MIB; j += 1001)
            assert_true(to[j] == (float)k + 5.0f);
        assert_int_equal(yoke_free(to), YOKE_OK);
        assert_int_equal(yoke_free(from), YOKE_OK);
        before = k == 4 ? resident_kib() : before;
    }
    after = resident_kib();
    for (int k = 0; k < 500 && after - before >= 8 * 1024; k++) { /* the device's thread gives the last ones back */
        sleep_ns(10000000);
        after = resident_kib();
    }
    if (!emulated("/proc counts the emulator's own memory") && !SANITIZED)
        assert_true(after - before < 8 * 1024); /* and not twenty times sixteen MiB */
    float *late = array_of(MIB, 1.0f), *result = array_of(MIB, 0.0f);
    assert_int_equal(parallel_map_on(r, NULL, dev_shift, MIB, late, result), YOKE_OK);
    close_runtime(r);
    assert_true(result[MIB - 1] == 6.0f); /* the runtime is gone, the array is not */
    late[0] = 7.0f;
    assert_int_equal(yoke_free(late), YOKE_OK);
    assert_int_equal(yoke_free(result), YOKE_OK);
    assert_int_equal(control("leaks?"), 0);
}

static void array_of_two_runtimes_and_three_devices_stays_right(void **state)
{
    (void)state;
    shape("UNIFIED=1");
    static const char *const devices[] = {"gpu:0", "gpu:1", "cpu", "gpu:2"};
    yoke_runtime *first = runtime_on("all"), *second = runtime_on("all");
    float *a = array_of(MIB, 0.0f), *b = array_of(MIB, -1.0f);
    for (int k = 0; k < 24; k++) {
        const yoke_options options = {.devices = devices[k % 4]};
        yoke_runtime *r = k % 3 == 0 ? first : second;
        assert_int_equal(parallel_map_on(r, &options, dev_shift, MIB, k % 2 ? b : a, k % 2 ? a : b), YOKE_OK);
        float *last = k % 2 ? a : b;
        assert_true(last[0] == (float)(k + 1) * 5 && last[MIB - 1] == (float)(k + 1) * 5);
        if (k % 5 == 0) /* the program writes, too */
            for (size_t j = 0; j < MIB; j++)
                last[j] = (float)(k + 1) * 5;
    }
    close_runtime(first);
    assert_int_equal(parallel_map_on(second, NULL, dev_shift, MIB, a, b), YOKE_OK);
    assert_true(b[MIB / 2] == 125.0f);
    assert_int_equal(yoke_free(a), YOKE_OK);
    close_runtime(second);
    assert_int_equal(yoke_free(b), YOKE_OK);
    assert_int_equal(control("leaks?"), 0);
}

/* --- at once --- */

typedef struct thread_of {
    pthread_t thread;
    int number, wrong;
} thread_of;

static void *open_run_close(void *argument)
{
    thread_of *t = argument;
    enum { ITEMS = 10000 };
    float *from = yoke_alloc(ITEMS * sizeof *from, YOKE_PLACE_DEFAULT);
    float *to = yoke_alloc(ITEMS * sizeof *to, YOKE_PLACE_DEFAULT);
    for (int k = 0; k < ITEMS; k++)
        from[k] = (float)(k * t->number);
    for (int call = 0; call < 20; call++) {
        yoke_runtime *r = open_runtime("gpu:0");
        t->wrong += r == NULL;
        for (int k = 0; r != NULL && k < 3; k++) {
            memset(to, 0, ITEMS * sizeof *to);
            t->wrong += parallel_map_on(r, NULL, dev_shift, ITEMS, from, to) != YOKE_OK;
            for (int j = 0; j < ITEMS; j++)
                t->wrong += to[j] != from[j] + 5.0f;
        }
        t->wrong += yoke_close(r) != YOKE_OK;
    }
    t->wrong += yoke_free(from) != YOKE_OK || yoke_free(to) != YOKE_OK;
    return NULL;
}

static void several_runtimes_use_one_device_at_once(void **state)
{
    (void)state;
    shape("UNIFIED=1");
    thread_of threads[3];
    for (int k = 0; k < 3; k++) {
        threads[k] = (thread_of){.number = k + 1};
        assert_int_equal(pthread_create(&threads[k].thread, NULL, open_run_close, &threads[k]), 0);
    }
    for (int k = 0; k < 3; k++) {
        assert_int_equal(pthread_join(threads[k].thread, NULL), 0);
        assert_int_equal(threads[k].wrong, 0);
    }
    assert_int_equal(control("leaks?"), 0);
}

static void close_inside(size_t done, size_t total, void *argument)
{
    (void)done;
    (void)total;
    if (yoke_close(argument) != YOKE_EBUSY)
        abort();
}

static void runtime_is_not_closed_while_a_device_runs_its_map(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0");
    shape("NS_PER_ITEM=20000");
    assert_int_equal(scale(r, &(yoke_options){.progress = close_inside, .progress_argument = r}, N), YOKE_OK);
    assert_int_equal(last_decision().device_items, N);
    assert_int_equal(scale(r, NULL, 10), YOKE_OK);
    close_runtime(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runtimes_opened_and_closed_often_leave_nothing, fresh),
        cmocka_unit_test_setup(runtime_opened_and_closed_at_once_leaves_nothing, fresh),
        cmocka_unit_test_setup(array_freed_while_a_device_has_it_is_given_back, fresh),
        cmocka_unit_test_setup(array_of_two_runtimes_and_three_devices_stays_right, fresh),
        cmocka_unit_test_setup(several_runtimes_use_one_device_at_once, fresh),
        cmocka_unit_test_setup(runtime_is_not_closed_while_a_device_runs_its_map, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
