/* yoke_map: order, chunks, errors of items, deadlines, cancels, and lack of memory. */
#include "tests/unit/tasks.h"

static int square(void *item, void *result)
{
    const int *x = item;
    *(long *)result += (long)*x * *x; /* the result was zeroed */
    return 0;
}

static void test_order(void **state)
{
    (void)state;
    enum { MOST = 5000 };
    static int items[MOST];
    static long results[MOST + 1];
    uint64_t seed = seed_of("order");
    yoke_executor *pool = yoke_thread_pool(3);
    for (unsigned long round = rounds_of(100); round > 0; round--) {
        const size_t count = draw_below(&seed, MOST + 1);
        const yoke_map_options options = {.chunk = draw_below(&seed, 3) ? draw_below(&seed, 2 * MOST) : 0,
                                          .priority = (int)draw_below(&seed, 3) - 1,
                                          .flags = draw_below(&seed, 4) ? 0 : YOKE_TASK_BLOCKS};
        for (size_t k = 0; k < count; k++)
            items[k] = (int)draw_below(&seed, 10000);
        memset(results, 0x55, sizeof results);
        const long guard = results[count];
        assert_int_equal(yoke_map_on(pool, &options, square, count, items, sizeof *items, results, sizeof *results),
                         YOKE_OK);
        for (size_t k = 0; k < count; k++)
            assert_int_equal(results[k], (long)items[k] * items[k]);
        assert_int_equal(results[count], guard);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

static int letter(void *item, void *result)
{
    *(char *)result = (char)(*(char *)item + 32);
    return 0;
}

static void test_letters(void **state)
{
    (void)state;
    yoke_executor *pool = yoke_thread_pool(2);
    char letters[] = "ABCDE", small[6] = "";
    atomic_uint count = 0;
    assert_int_equal(yoke_map(pool, letter, 5, letters, 1, small, 1), YOKE_OK);
    assert_string_equal(small, "abcde");
    assert_int_equal(yoke_map(pool, add_one, 1000, &count, 0, NULL, 0), YOKE_OK); /* one argument for all */
    assert_int_equal(atomic_load(&count), 1000);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

static void test_failing_items(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    int items[COUNT], statuses[COUNT];
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        yoke_executor *pool = yoke_thread_pool(threads);
        for (int k = 0; k < COUNT; k++)
            items[k] = k % 17 == 13 ? -k : 0;
        const yoke_map_options options = {.statuses = statuses, .chunk = 3};
        assert_int_equal(yoke_map_on(pool, &options, fail_with, COUNT, items, sizeof *items, NULL, 0), -13);
        assert_memory_equal(statuses, items, sizeof items); /* all ran */
        assert_int_equal(yoke_map(pool, fail_with, COUNT, items, sizeof *items, NULL, 0), -13);
        assert_non_null(strstr(yoke_error_detail(), "item 13"));
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

static int nap(void *item, void *result)
{
    (void)item, (void)result;
    sleep_ns(2 * MS);
    return 0;
}

static void test_deadline(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    int statuses[COUNT], ran = 0;
    yoke_executor *pool = yoke_thread_pool(1);
    const yoke_map_options options = {.statuses = statuses, .deadline_ns = in_ms(20), .chunk = 7};
    assert_int_equal(yoke_map_on(pool, &options, nap, COUNT, NULL, 0, NULL, 0), YOKE_ETIMEDOUT);
    for (int k = 0; k < COUNT; k++) {
        assert_true(statuses[k] == 0 || statuses[k] == YOKE_ETIMEDOUT);
        ran += statuses[k] == 0;
    }
    assert_true(ran <= 11);
    assert_int_equal(statuses[COUNT - 1], YOKE_ETIMEDOUT);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

typedef struct late_map {
    yoke_executor *pool;
    int status, statuses[4];
} late_map;

static void *map_late(void *argument)
{
    late_map *m = argument;
    const yoke_map_options options = {.statuses = m->statuses};
    m->status = yoke_map_on(m->pool, &options, do_nothing, 4, NULL, 0, NULL, 0);
    return NULL;
}

static void test_cancelled(void **state)
{
    (void)state;
    late_map m = {.pool = yoke_thread_pool(1)};
    gate g = {0};
    yoke_future held = {0};
    pthread_t thread;
    yoke_executor_counts counts = {0};
    assert_int_equal(yoke_submit(m.pool, &held, wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 1);
    assert_int_equal(pthread_create(&thread, NULL, map_late, &m), 0);
    while (counts.waiting == 0)
        assert_int_equal(yoke_executor_count(m.pool, &counts), YOKE_OK);
    int cancelled; /* 0 while the map is just being submitted */
    while ((cancelled = yoke_cancel_all(m.pool)) == 0)
        sleep_ns(1000000);
    assert_true(cancelled > 0);
    pthread_join(thread, NULL);
    assert_int_equal(m.status, YOKE_ECANCELED);
    for (int k = 0; k < 4; k++)
        assert_int_equal(m.statuses[k], YOKE_ECANCELED);
    gate_open(&g);
    assert_int_equal(yoke_join(m.pool, 0), YOKE_OK);
}

/* A queue of one, and a map inside of a task of its own pool. */
static int map_inside(void *argument, void *result)
{
    atomic_uint count = 0;
    const int status = yoke_map(argument, add_one, 100, &count, 0, NULL, 0);
    *(unsigned *)result = atomic_load(&count);
    return status;
}

static void test_narrow(void **state)
{
    (void)state;
    for (unsigned refuses = 0; refuses < 2; refuses++) {
        const yoke_thread_pool_options options = {.threads = 4, .queue = 1, .flags = refuses ? YOKE_POOL_REFUSE : 0};
        yoke_executor *pool = yoke_thread_pool_on(&options);
        yoke_future f = {0};
        unsigned inside;
        atomic_uint count = 0;
        assert_int_equal(yoke_map(pool, add_one, 100, &count, 0, NULL, 0), YOKE_OK);
        assert_int_equal(atomic_load(&count), 100);
        assert_int_equal(yoke_submit(pool, &f, map_inside, pool), YOKE_OK);
        assert_int_equal(yoke_result(&f, &inside, sizeof inside, 0), YOKE_OK);
        assert_int_equal(inside, 100);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

static void test_bad_calls(void **state)
{
    (void)state;
    yoke_executor *pool = yoke_thread_pool(1);
    int x[2] = {0};
    long y[2];
    assert_int_equal(yoke_map(NULL, square, 2, x, 4, y, 8), YOKE_EINVAL);
    assert_int_equal(yoke_map(pool, NULL, 2, x, 4, y, 8), YOKE_EINVAL);
    assert_int_equal(yoke_map(pool, square, 2, NULL, 4, y, 8), YOKE_EINVAL);
    assert_int_equal(yoke_map(pool, square, 2, x, 4, NULL, 8), YOKE_EINVAL);
    assert_int_equal(yoke_map(pool, square, SIZE_MAX / 2, x, 4, y, 8), YOKE_EOVERFLOW);
    assert_int_equal(yoke_map(pool, square, 0, NULL, 4, NULL, 8), YOKE_OK);
    assert_int_equal(yoke_map_on(pool, &(yoke_map_options){.size = 1}, square, 2, x, 4, y, 8), YOKE_EVERSION);
    assert_int_equal(yoke_map_on(pool, &(yoke_map_options){.deadline_ns = -1}, square, 2, x, 4, y, 8), YOKE_EINVAL);
    assert_int_equal(yoke_map_on(pool, &(yoke_map_options){.priority = 9}, square, 2, x, 4, y, 8), YOKE_EINVAL);
    assert_int_equal(yoke_map_on(pool, &(yoke_map_options){.flags = 6}, square, 2, x, 4, y, 8), YOKE_EINVAL);
    yoke__alloc_fail_at(1, false);
    assert_int_equal(yoke_map(pool, square, 2, x, 4, y, 8), YOKE_ENOMEM);
    yoke__alloc_fail_at(0, false);
    assert_int_equal(yoke_executor_close(pool), YOKE_OK);
    assert_int_equal(yoke_map(pool, square, 2, x, 4, y, 8), YOKE_ESTATE);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),     cmocka_unit_test(test_letters),   cmocka_unit_test(test_failing_items),
        cmocka_unit_test(test_deadline),  cmocka_unit_test(test_cancelled), cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_bad_calls),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
