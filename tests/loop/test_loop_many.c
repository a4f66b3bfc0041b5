/* 100,000 sleeping tasks, and as many sleeps, cost memory, not threads, and end in the order of time. */
#include "tests/unit/tasks.h"
#include "yoke/loop.h"

enum { SLEEPS = 100000, LONGEST_MS = 200 };

static struct {
    size_t count;
    bool disordered;
    int64_t last;
    unsigned most_threads;
} seen;

static void look(yoke_future *future, void *argument)
{
    (void)argument;
    const int64_t due = future->copy_.integer;
    seen.disordered |= due < seen.last || yoke__now_ns() < due;
    seen.last = due;
    if (seen.count++ % 10000 == 0 && thread_count() > seen.most_threads)
        seen.most_threads = thread_count();
}

static void test_sleeps(void **state)
{
    (void)state;
    const unsigned threads = thread_count();
    yoke_loop *loop = yoke_loop_open();
    static yoke_future f[SLEEPS];
    uint64_t seed = seed_of("sleeps");
    assert_non_null(loop);
    const long before = resident_kib();
    for (size_t k = 0; k < SLEEPS; k++) {
        assert_int_equal(yoke_sleep_async(loop, &f[k], (int64_t)draw_below(&seed, LONGEST_MS * (uint64_t)MS)), YOKE_OK);
        assert_int_equal(yoke_then(&f[k], look, NULL), YOKE_OK);
    }
    printf("%d sleeps: %.0f bytes each\n", SLEEPS, (double)(resident_kib() - before) * 1024 / SLEEPS);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(seen.count, SLEEPS);
    assert_false(seen.disordered);
    assert_int_equal(seen.most_threads, threads);
    for (size_t k = 0; k < SLEEPS; k++)
        assert_int_equal(yoke_state_of(&f[k]), YOKE_FUTURE_DONE);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

typedef struct napper {
    yoke_async async;
    int64_t pause;
    unsigned naps;
} napper;

static int nap_twice(yoke_async *self)
{
    napper *n = (napper *)self;
    YOKE_ASYNC_BEGIN(self);
    for (n->naps = 0; n->naps < 2; n->naps++)
        YOKE_AWAIT_SLEEP(self, n->pause);
    YOKE_ASYNC_END(self);
}

static void test_tasks(void **state)
{
    (void)state;
    const unsigned threads = thread_count();
    yoke_loop *loop = yoke_loop_open();
    static napper n[SLEEPS];
    static yoke_future *list[SLEEPS];
    yoke_future all = {0};
    uint64_t seed = seed_of("tasks");
    assert_non_null(loop);
    const long before = resident_kib();
    for (size_t k = 0; k < SLEEPS; k++) {
        n[k].pause = (int64_t)draw_below(&seed, LONGEST_MS / 2 * (uint64_t)MS);
        list[k] = &n[k].async.future;
        assert_int_equal(yoke_loop_start(loop, &n[k].async, nap_twice), YOKE_OK);
    }
    assert_int_equal(yoke_gather_async(loop, &all, list, SLEEPS, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &all, in_ms(1)), YOKE_ETIMEDOUT);
    printf("%d tasks: %.0f bytes each\n", SLEEPS, (double)(resident_kib() - before) * 1024 / SLEEPS);
    assert_int_equal(thread_count(), threads);
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), YOKE_OK);
    for (size_t k = 0; k < SLEEPS; k++)
        assert_int_equal(n[k].naps, 2);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_tasks),
    };
    alarm_in(120);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
