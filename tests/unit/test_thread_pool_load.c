/* Many of everything: submitting threads, futures pending at once, tasks that depend on tasks. Nothing is lost. */
#include "tests/unit/tasks.h"

enum { SUBMITTERS = 64 };

typedef struct crowd {
    yoke_executor *pool;
    yoke_future *futures;
    size_t share;
    atomic_uint runs, calls;
} crowd;

typedef struct submitter {
    crowd *c;
    size_t begin;
} submitter;

static void *submit_share(void *argument)
{
    const submitter *s = argument;
    crowd *c = s->c;
    for (size_t k = s->begin; k < s->begin + c->share; k++) {
        const yoke_task_options options = {.priority = (int)(k % 3) - 1};
        assert_int_equal(yoke_submit_on(c->pool, &options, &c->futures[k], add_one, &c->runs), YOKE_OK);
        if (k % 7 == 0)
            assert_int_equal(yoke_then(&c->futures[k], count_call, &c->calls), YOKE_OK);
    }
    return NULL;
}

/* YOKE_TEST_SCALE=10: a million. */
static void test_many_pending(void **state)
{
    (void)state;
    crowd c = {.pool = yoke_thread_pool(4), .share = rounds_of(100000) / SUBMITTERS};
    const size_t all = c.share * SUBMITTERS;
    gate g = {0};
    yoke_future held[4] = {0};
    submitter s[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    yoke_executor_counts counts;
    c.futures = calloc(all, sizeof *c.futures);
    assert_non_null(c.futures);
    for (int k = 0; k < 4; k++)
        assert_int_equal(yoke_submit(c.pool, &held[k], wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 4);
    for (unsigned k = 0; k < SUBMITTERS; k++) {
        s[k] = (submitter){&c, k * c.share};
        assert_int_equal(pthread_create(&threads[k], NULL, submit_share, &s[k]), 0);
    }
    for (unsigned k = 0; k < SUBMITTERS; k++)
        pthread_join(threads[k], NULL);
    assert_int_equal(yoke_executor_count(c.pool, &counts), YOKE_OK);
    assert_int_equal(counts.waiting, all);
    unsigned cancelled = 0, called = 0;
    for (size_t k = 0; k < all; k += 10)
        cancelled += yoke_cancel(&c.futures[k]) == YOKE_OK;
    assert_int_equal(cancelled, (all + 9) / 10);
    gate_open(&g);
    for (size_t k = 0; k < all; k++) {
        assert_int_equal(yoke_wait(&c.futures[k], 0), YOKE_OK);
        called += k % 7 == 0;
    }
    assert_int_equal(atomic_load(&c.calls), called);
    assert_int_equal(atomic_load(&c.runs), all - cancelled);
    assert_int_equal(yoke_join(c.pool, 0), YOKE_OK);
    free(c.futures);
}

/* Submitting to a narrow queue from all sides while it is worked off. */
static void test_many_through_a_narrow_queue(void **state)
{
    (void)state;
    crowd c = {.pool = yoke_thread_pool_on(&(yoke_thread_pool_options){.threads = 3, .queue = 5}),
               .share = rounds_of(300)};
    submitter s[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    c.futures = calloc(c.share * SUBMITTERS, sizeof *c.futures);
    assert_non_null(c.futures);
    for (unsigned k = 0; k < SUBMITTERS; k++) {
        s[k] = (submitter){&c, k * c.share};
        assert_int_equal(pthread_create(&threads[k], NULL, submit_share, &s[k]), 0);
    }
    for (unsigned k = 0; k < SUBMITTERS; k++)
        pthread_join(threads[k], NULL);
    assert_int_equal(yoke_join(c.pool, 0), YOKE_OK);
    assert_int_equal(atomic_load(&c.runs), c.share * SUBMITTERS);
    free(c.futures);
}

/* One after the other, across two pools; failing at the first, they end without running and without nesting. */
static void test_a_long_line(void **state)
{
    (void)state;
    const size_t length = rounds_of(50000);
    yoke_executor *pools[2] = {yoke_thread_pool(1), yoke_thread_pool(2)};
    yoke_future *f = calloc(length, sizeof *f), **before = calloc(length, sizeof *before);
    assert_non_null(f);
    assert_non_null(before);
    for (int fails = 0; fails < 2; fails++) {
        gate g = {0};
        yoke_future held = {0}, *first = &held;
        int status = fails ? -6 : 0;
        atomic_uint runs = 0;
        assert_int_equal(yoke_submit(pools[0], &held, wait_at_gate, &g), YOKE_OK);
        assert_int_equal(yoke_submit_after(pools[0], &f[0], fail_with, &status, &first, 1), YOKE_OK);
        for (size_t k = 1; k < length; k++) {
            before[k] = &f[k - 1];
            assert_int_equal(yoke_submit_after(pools[k % 2], &f[k], add_one, &runs, &before[k], 1), YOKE_OK);
        }
        gate_open(&g);
        assert_int_equal(yoke_result(&f[length - 1], NULL, 0, 0), status);
        assert_int_equal(atomic_load(&runs), fails ? 0 : length - 1);
    }
    for (int k = 0; k < 2; k++)
        assert_int_equal(yoke_join(pools[k], 0), YOKE_OK);
    free(f);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_pending),
        cmocka_unit_test(test_many_through_a_narrow_queue),
        cmocka_unit_test(test_a_long_line),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
