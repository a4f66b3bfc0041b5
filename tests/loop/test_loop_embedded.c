/* A loop inside of the program's own libuv loop: its handles go on, and libuv ends when nothing is left of either. */
#include <sys/resource.h>
#include <uv.h>

#include "tests/unit/tasks.h"
#include "yoke/loop.h"

static unsigned ticks;

static void tick(uv_timer_t *timer)
{
    (void)timer;
    ticks++;
}

static void stop_ticking(yoke_future *future, void *argument)
{
    (void)future;
    uv_close(argument, NULL);
}

typedef struct sleeper {
    yoke_async async;
    int k;
} sleeper;

static int sleep_thrice(yoke_async *self)
{
    sleeper *s = (sleeper *)self;
    YOKE_ASYNC_BEGIN(self);
    for (s->k = 0; s->k < 3; s->k++)
        YOKE_AWAIT_SLEEP(self, 10 * MS);
    YOKE_ASYNC_END(self);
}

/* The program's timer keeps running beside sleeping tasks, under uv_run() as under yoke_loop_run(). */
static void test_beside(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_timer_t timer;
    sleeper s = {0};
    yoke_future f = {0};
    assert_int_equal(yoke_loop_close(yoke_loop_open()),
                     YOKE_OK); /* libuv keeps two descriptors from its first loop on */
    const unsigned files = file_count();
    assert_int_equal(uv_loop_init(&uv), 0);
    yoke_loop *loop = yoke_loop_on(&uv);
    assert_non_null(loop);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0); /* nothing keeps it */
    assert_int_equal(uv_timer_init(&uv, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, tick, 1, 1), 0);
    ticks = 0;
    assert_int_equal(yoke_loop_start(loop, &s.async, sleep_thrice), YOKE_OK);
    assert_int_equal(yoke_then(&s.async.future, stop_ticking, &timer), YOKE_OK);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0); /* as long as the task */
    assert_int_equal(yoke_state_of(&s.async.future), YOKE_FUTURE_DONE);
    assert_in_range(ticks, 1, 1000);
    assert_int_equal(uv_timer_init(&uv, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, tick, 1, 1), 0);
    ticks = 0;
    assert_int_equal(yoke_sleep_async(loop, &f, 30 * MS), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_in_range(ticks, 1, 1000);
    assert_int_equal(yoke_loop_run(loop, NULL, in_ms(5)), YOKE_ETIMEDOUT); /* the program's timer is left */
    uv_close((uv_handle_t *)&timer, NULL);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
    assert_int_equal(uv_loop_close(&uv), UV_EBUSY);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
    assert_int_equal(file_count(), files);
}

typedef struct inside {
    yoke_loop *loop;
    int run, close;
} inside;

static void call_inside(yoke_future *future, void *argument)
{
    inside *i = argument;
    (void)future;
    i->run = yoke_loop_run(i->loop, NULL, 0);
    i->close = yoke_loop_close(i->loop);
}

/* A sleep alone keeps libuv's loop alive, again after nothing did; and its callback cannot run or close the loop. */
static void test_alone(void **state)
{
    (void)state;
    uv_loop_t uv;
    yoke_future f = {0};
    assert_int_equal(uv_loop_init(&uv), 0);
    inside i = {.loop = yoke_loop_on(&uv)};
    assert_non_null(i.loop);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(yoke_sleep_async(i.loop, &f, 2 * MS), YOKE_OK);
        assert_int_equal(yoke_then(&f, call_inside, &i), YOKE_OK);
        assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
        assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE);
        assert_int_equal(i.run, YOKE_EBUSY);
        assert_int_equal(i.close, YOKE_EBUSY);
    }
    assert_int_equal(yoke_loop_close(i.loop), YOKE_OK);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* Two loops in one libuv loop; one closed in a callback of libuv while the other goes on. */
typedef struct two {
    yoke_loop *first;
    yoke_future pending;
    int closed;
} two;

static void close_first(uv_timer_t *timer)
{
    two *t = timer->data;
    t->closed = yoke_loop_close(t->first);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_two_in_one(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_timer_t timer;
    two t = {.closed = 1};
    yoke_future f = {0};
    assert_int_equal(uv_loop_init(&uv), 0);
    t.first = yoke_loop_on(&uv);
    yoke_loop *second = yoke_loop_on(&uv);
    assert_true(t.first != NULL && second != NULL);
    assert_int_equal(uv_timer_init(&uv, &timer), 0);
    timer.data = &t;
    assert_int_equal(uv_timer_start(&timer, close_first, 5, 0), 0);
    assert_int_equal(yoke_sleep_async(t.first, &t.pending, 60000 * (int64_t)MS), YOKE_OK);
    assert_int_equal(yoke_sleep_async(second, &f, 20 * MS), YOKE_OK);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(t.closed, YOKE_OK);
    assert_int_equal(yoke_state_of(&t.pending), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE);
    assert_int_equal(yoke_loop_close(second), YOKE_OK);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* Memory or a descriptor refused: libuv's loop can be closed as ever, and nothing is left behind. */
static void test_refused(void **state)
{
    (void)state;
    uv_loop_t uv;
    struct rlimit before;
    assert_int_equal(yoke_loop_close(yoke_loop_open()), YOKE_OK);
    const unsigned files = file_count();
    assert_int_equal(uv_loop_init(&uv), 0);
    yoke__alloc_fail_at(1, false);
    assert_null(yoke_loop_on(&uv));
    yoke__alloc_fail_at(0, false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, before.rlim_max}), 0);
    assert_null(yoke_loop_on(&uv));
    assert_non_null(strstr(yoke_error_detail(), "descriptor"));
    yoke_loop *loop = yoke_loop_open(); /* libuv itself is refused its first one; of others, 1.44 would lose some */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(loop);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
    assert_int_equal(file_count(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_two_in_one),
        cmocka_unit_test(test_refused),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
