/* Futures and pools in a child of fork(): a clear status for the parent's, and fresh ones work. */
#include "tests/unit/tasks.h"

typedef struct scene {
    yoke_executor *pool;
    yoke_future ended, pending;
    gate g;
} scene;

static bool parents_are_refused(void *argument)
{
    scene *s = argument;
    yoke_future f = {0}, *both[] = {&s->ended, &s->pending};
    yoke_executor_counts counts;
    yoke_completions c;
    return yoke_submit(s->pool, &f, do_nothing, NULL) == YOKE_EFORKED &&
           yoke_map(s->pool, do_nothing, 3, NULL, 0, NULL, 0) == YOKE_EFORKED &&
           yoke_executor_count(s->pool, &counts) == YOKE_EFORKED && yoke_cancel_all(s->pool) == YOKE_EFORKED &&
           yoke_executor_close(s->pool) == YOKE_EFORKED && yoke_join(s->pool, 0) == YOKE_EFORKED &&
           yoke_result(&s->ended, NULL, 0, 0) == YOKE_OK && yoke_wait(&s->pending, 0) == YOKE_EFORKED &&
           yoke_cancel(&s->pending) == YOKE_EFORKED && yoke_future_fd(&s->pending) == YOKE_EFORKED &&
           yoke_then(&s->pending, count_call, NULL) == YOKE_EFORKED && yoke_gather(both, 2, 0) == YOKE_EFORKED &&
           yoke_wait_any(both, 2, 0) == YOKE_EFORKED && yoke_as_completed(&c, both, 2) == YOKE_EFORKED;
}

static bool fresh_ones_work(void *argument)
{
    scene *s = argument;
    yoke_executor *pool = yoke_thread_pool(2);
    atomic_uint count = 0;
    memset(&s->pending, 0, sizeof s->pending);
    return pool != NULL && yoke_submit(pool, &s->ended, add_one, &count) == YOKE_OK &&
           yoke_submit(pool, &s->pending, add_one, &count) == YOKE_OK && yoke_wait(&s->pending, 0) == YOKE_OK &&
           yoke_join(pool, 0) == YOKE_OK && atomic_load(&count) == 2;
}

static scene *scene_of(void)
{
    static scene s;
    s = (scene){.pool = yoke_thread_pool(2)};
    assert_non_null(s.pool);
    assert_int_equal(yoke_submit(s.pool, &s.ended, do_nothing, NULL), YOKE_OK);
    assert_int_equal(yoke_wait(&s.ended, 0), YOKE_OK);
    assert_int_equal(yoke_submit(s.pool, &s.pending, wait_at_gate, &s.g), YOKE_OK);
    gate_await_inside(&s.g, 1);
    sleep_ns(SANITIZED ? 50 * MS : MS); /* a starting thread may hold a sanitizer's lock */
    return &s;
}

static void end_scene(scene *s)
{
    gate_open(&s->g);
    assert_int_equal(yoke_result(&s->pending, NULL, 0, 0), YOKE_OK); /* the parent goes on */
    assert_int_equal(yoke_join(s->pool, 0), YOKE_OK);
}

static void test_parents(void **state)
{
    (void)state;
    scene *s = scene_of();
    assert_int_equal(child_says(parents_are_refused, s), 0);
    end_scene(s);
}

static void test_fresh(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* it lets a forked child start no threads */
    scene *s = scene_of();
    assert_int_equal(child_says(fresh_ones_work, s), 0);
    end_scene(s);
}

/* A task forks: the child's only thread was the pool's. */
static int fork_here(void *argument, void *result)
{
    *(int *)result = child_says(parents_are_refused, argument);
    return 0;
}

static void test_task_forks(void **state)
{
    (void)state;
    scene *s = scene_of();
    yoke_future f = {0};
    int status;
    assert_int_equal(yoke_submit(s->pool, &f, fork_here, s), YOKE_OK);
    assert_int_equal(yoke_result(&f, &status, sizeof status, 0), YOKE_OK);
    assert_int_equal(status, 0);
    end_scene(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parents),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_task_forks),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
