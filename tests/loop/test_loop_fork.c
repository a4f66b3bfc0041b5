/* Loops in a child of fork(): a clear status for the parent's, and fresh ones work. */
#include "tests/unit/tasks.h"
#include "yoke/loop.h"

typedef struct scene {
    yoke_loop *loop;
    yoke_future pending;
} scene;

static int do_no_step(yoke_async *self)
{
    (void)self;
    return 0;
}

static bool parents_are_refused(void *argument)
{
    scene *s = argument;
    yoke_future f = {0}, *list[] = {&s->pending};
    yoke_continuation c = {0};
    yoke_async a = {0};
    yoke_loop *own = yoke_loop_open();
    return yoke_sleep_async(s->loop, &f, 1) == YOKE_EFORKED &&
           yoke_ready_async(s->loop, &f, 0, YOKE_READABLE, 0) == YOKE_EFORKED &&
           yoke_gather_async(s->loop, &f, NULL, 0, 0) == YOKE_EFORKED &&
           yoke_loop_post(s->loop, &c, count_call, NULL) == YOKE_EFORKED &&
           yoke_loop_start(s->loop, &a, do_no_step) == YOKE_EFORKED &&
           yoke_loop_run(s->loop, NULL, 0) == YOKE_EFORKED && yoke_loop_close(s->loop) == YOKE_EFORKED &&
           yoke_cancel(&s->pending) == YOKE_EFORKED && own != NULL &&
           yoke_loop_run(own, &s->pending, 0) == YOKE_EFORKED &&
           yoke_gather_async(own, &f, list, 1, 0) == YOKE_EFORKED &&
           yoke_loop_then(own, &c, &s->pending, count_call, NULL) == YOKE_EFORKED;
}

static bool fresh_ones_work(void *argument)
{
    scene *s = argument;
    yoke_loop *loop = yoke_loop_open();
    memset(&s->pending, 0, sizeof s->pending);
    return loop != NULL && yoke_sleep_async(loop, &s->pending, MS) == YOKE_OK &&
           yoke_loop_run(loop, &s->pending, 0) == YOKE_OK && yoke_loop_close(loop) == YOKE_OK;
}

static void test_fork(void **state)
{
    (void)state;
    scene s = {.loop = yoke_loop_open()};
    assert_non_null(s.loop);
    assert_int_equal(yoke_sleep_async(s.loop, &s.pending, 30 * MS), YOKE_OK);
    assert_int_equal(yoke_loop_run(s.loop, NULL, 1), YOKE_ETIMEDOUT);
    assert_int_equal(child_says(parents_are_refused, &s), 0);
    assert_int_equal(child_says(fresh_ones_work, &s), 0);
    assert_int_equal(yoke_loop_run(s.loop, &s.pending, 0), YOKE_OK); /* the parent goes on */
    assert_int_equal(yoke_loop_close(s.loop), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fork)};
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
