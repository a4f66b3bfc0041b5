/* Opening, closing, resizing; and every allocation on the way failing once. */
#include <pthread.h>

#include "tests/emulated.h"
#include "tests/unit/threads.h"
#include "yoke/yoke.h"

YOKE_KERNEL(runtime_double, (in(float, x), out(float, y)), { y[i] = 2.0f * x[i]; })
YOKE_REDUCE(runtime_sum, (double, 0.0, a + b), (in(double, x)), x[i])

static yoke_runtime *runtime_of(unsigned workers)
{
    const yoke_runtime_options options = {.workers = workers};
    yoke_runtime *runtime = yoke_open(&options);
    if (runtime == NULL)
        fail_msg("%s", yoke_error_detail());
    return runtime;
}

/* --- open and close --- */

static void runtime_opened_and_closed_often_leaves_nothing(void **state)
{
    (void)state;
    for (int k = 0; k < 20; k++) /* what the C library keeps, it has by now */
        assert_int_equal(yoke_close(runtime_of(3)), YOKE_OK);
    sleep_ns(20000000); /* for threads of before to be gone, see threads_become */
    unsigned threads = thread_count(), files = file_count();
    long kib = resident_kib();
    for (unsigned long cycle = rounds_of(2000) / 10; cycle > 0; cycle--) {
        yoke_runtime *runtime = runtime_of(3);
        float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8];
        const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
        assert_int_equal(parallel_map_on(runtime, &options, runtime_double, 8, x, y), YOKE_OK);
        assert_true(y[7] == 16.0f);
        assert_int_equal(yoke_close(runtime), YOKE_OK);
    }
    if (emulated("/proc counts the emulator's own memory, threads and files"))
        skip();
    assert_true(threads_become(threads));
    assert_int_equal(file_count(), files);
    assert_true(resident_kib() - kib < 4096 * (SANITIZED ? 100 : 1));
}

static void runtime_options_and_answers_agree(void **state)
{
    (void)state;
    yoke_runtime *runtime = runtime_of(3);
    assert_int_equal(yoke_workers(runtime), 3);
    assert_int_equal(yoke_set_workers(runtime, 5), YOKE_OK);
    assert_int_equal(yoke_workers(runtime), 5);
    assert_int_equal(yoke_set_workers(runtime, 0), YOKE_OK); /* back to what it was opened with */
    assert_int_equal(yoke_workers(runtime), 3);
    yoke_worker_place place;
    assert_int_equal(yoke_worker_place_of(runtime, 2, &place), YOKE_OK);
    assert_int_equal(yoke_worker_place_of(runtime, 3, &place), YOKE_EINVAL);
    yoke_topology topology;
    assert_int_equal(yoke_topology_of(runtime, &topology), YOKE_OK);
    assert_true(topology.usable.threads >= 1 && topology.usable.threads <= topology.machine.threads);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
    assert_int_equal(yoke_close(NULL), YOKE_OK);
}

static void default_runtime_is_one_and_stays_open(void **state)
{
    (void)state;
    yoke_runtime *runtime = yoke_default_runtime();
    assert_non_null(runtime);
    assert_ptr_equal(runtime, yoke_default_runtime());
    assert_int_equal(yoke_close(runtime), YOKE_EINVAL);
    assert_true(yoke_workers(NULL) >= 1);
    assert_string_equal(yoke_isa(NULL), yoke_isa(runtime));
}

/* --- closing what is in use --- */

typedef struct long_map {
    yoke_runtime *runtime;
    yoke_options options;
    atomic_bool started, release;
    int status;
} long_map;

static void wait_for_release(size_t begin, size_t end, void *argument)
{
    long_map *map = argument;
    (void)begin, (void)end;
    atomic_store(&map->started, true);
    while (!atomic_load(&map->release))
        sleep_ns(100000);
}

static void *run_long_map(void *argument)
{
    long_map *map = argument;
    map->status = parallel_for_on(map->runtime, &map->options, 64, wait_for_release, map);
    return NULL;
}

static void close_during_a_map(unsigned workers, unsigned flags)
{
    long_map map = {.runtime = runtime_of(workers), .options = {.flags = flags}};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_long_map, &map), 0);
    while (!atomic_load(&map.started))
        sleep_ns(100000);
    int status = yoke_close(map.runtime);
    atomic_store(&map.release, true);
    if (status == YOKE_OK) /* gone under the thread's feet: it cannot be joined safely */
        fail_msg("closed while a map of %u workers ran", workers);
    pthread_join(thread, NULL);
    assert_int_equal(status, YOKE_EBUSY);
    assert_int_equal(map.status, YOKE_OK);
    assert_int_equal(yoke_close(map.runtime), YOKE_OK);
}

static void close_during_a_divided_map_is_busy(void **state)
{
    (void)state;
    close_during_a_map(3, YOKE_ALWAYS_DIVIDE);
}

static void close_during_a_map_on_the_caller_alone_is_busy(void **state)
{
    (void)state;
    close_during_a_map(1, YOKE_ALWAYS_DIVIDE);
}

static void close_during_a_map_of_unknown_cost_is_busy(void **state)
{
    (void)state;
    close_during_a_map(3, 0);
}

static void *close_when_started(void *argument)
{
    long_map *map = argument;
    while (!atomic_load(&map->started))
        sleep_ns(100000);
    map->status = yoke_close(map->runtime);
    atomic_store(&map->release, true);
    return NULL;
}

/* The thread that opened a runtime counts its calls apart from all others'. */
static void close_by_another_while_the_opener_runs_a_map_is_busy(void **state)
{
    (void)state;
    long_map map = {.runtime = runtime_of(1)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, close_when_started, &map), 0);
    assert_int_equal(parallel_for_on(map.runtime, NULL, 64, wait_for_release, &map), YOKE_OK);
    pthread_join(thread, NULL);
    assert_int_equal(map.status, YOKE_EBUSY);
    assert_int_equal(yoke_close(map.runtime), YOKE_OK);
}

/* --- from inside a body --- */

typedef struct meddler {
    yoke_runtime *runtime;
    atomic_uint calls, wrong;
} meddler;

static void close_and_resize(size_t begin, size_t end, void *argument)
{
    meddler *m = argument;
    (void)begin, (void)end;
    atomic_fetch_add(&m->calls, 1);
    if (yoke_set_workers(m->runtime, 2) != YOKE_EBUSY || yoke_close(m->runtime) != YOKE_EBUSY)
        atomic_fetch_add(&m->wrong, 1);
}

static void body_that_closes_or_resizes_its_runtime_is_told_busy(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags <= YOKE_ALWAYS_DIVIDE; flags++) {
        meddler m = {.runtime = runtime_of(2)};
        const yoke_options options = {.flags = flags};
        for (int k = 0; k < 3; k++) { /* first tried, then known */
            assert_int_equal(parallel_for_on(m.runtime, &options, 1000, close_and_resize, &m), YOKE_OK);
            assert_int_equal(atomic_load(&m.wrong), 0);
        }
        assert_true(atomic_load(&m.calls) > 0);
        assert_int_equal(yoke_close(m.runtime), YOKE_OK);
    }
}

/* --- every allocation fails once --- */

enum { MANY = 3000000 };

static double numbers[MANY];

/* A whole life; 0 or the first failure. */
static int live(void)
{
    yoke_runtime_options options = {.workers = 3};
    yoke_options divide = {.flags = YOKE_ALWAYS_DIVIDE};
    float x[100] = {0}, y[100];
    double sum;
    yoke_runtime *runtime = yoke_open(&options);
    if (runtime == NULL)
        return strlen(yoke_error_detail()) > 0 ? YOKE_ENOMEM : YOKE_EINTERNAL;
    int status = parallel_map_on(runtime, &divide, runtime_double, 100, x, y);
    if (status == YOKE_OK)
        status = parallel_reduce_on(runtime, &divide, runtime_sum, MANY, &sum, numbers);
    if (status == YOKE_OK && sum != 1.0 * MANY)
        status = YOKE_EINTERNAL;
    if (status == YOKE_OK)
        status = yoke_set_workers(runtime, 4);
    if (status == YOKE_OK)
        status = yoke_kernel_write_source(YOKE_KERNEL_OF(runtime_double), "/dev/null");
    int closed = yoke_close(runtime);
    return status != YOKE_OK ? status : closed;
}

static void any_allocation_that_fails_is_reported_and_leaves_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < MANY; k++)
        numbers[k] = 1.0;
    assert_int_equal(live(), YOKE_OK);
    sleep_ns(20000000); /* for threads of before to be gone, see threads_become */
    unsigned threads = thread_count(), files = file_count();
    for (int for_ever = 0; for_ever <= 1; for_ever++) {
        unsigned failures = 0;
        int status = YOKE_ENOMEM;
        for (unsigned long nth = 1; status != YOKE_OK && nth < 1000; nth++) {
            yoke__alloc_fail_at(nth, for_ever != 0);
            status = live();
            yoke__alloc_fail_at(0, false);
            assert_true(status == YOKE_OK || status == YOKE_ENOMEM);
            failures += status == YOKE_ENOMEM;
            assert_true(threads_become(threads));
            assert_int_equal(file_count(), files);
        }
        assert_int_equal(status, YOKE_OK);
        assert_true(failures >= 5);
    }
    assert_int_equal(live(), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runtime_options_and_answers_agree),
        cmocka_unit_test(default_runtime_is_one_and_stays_open),
        cmocka_unit_test(any_allocation_that_fails_is_reported_and_leaves_nothing),
        cmocka_unit_test(runtime_opened_and_closed_often_leaves_nothing),
        cmocka_unit_test(close_during_a_divided_map_is_busy),
        cmocka_unit_test(close_during_a_map_on_the_caller_alone_is_busy),
        cmocka_unit_test(close_during_a_map_of_unknown_cost_is_busy),
        cmocka_unit_test(close_by_another_while_the_opener_runs_a_map_is_busy),
        cmocka_unit_test(body_that_closes_or_resizes_its_runtime_is_told_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
