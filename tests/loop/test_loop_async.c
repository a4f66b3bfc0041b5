/* Asynchronous tasks: steps in turn, what they await, failures, results, cancels, closing. */
#include "tests/unit/tasks.h"
#include "yoke/loop.h"

static char trail[256];

static void mark(char letter)
{
    const size_t length = strlen(trail);
    assert_true(length + 1 < sizeof trail);
    trail[length] = letter;
    trail[length + 1] = '\0';
}

static yoke_loop *fresh_loop(void)
{
    yoke_loop *loop = yoke_loop_open();
    assert_non_null(loop);
    memset(trail, 0, sizeof trail);
    return loop;
}

typedef struct task {
    yoke_async async;
    char letter;
    int k, fd, statuses[4];
    int64_t pause;
    yoke_future inner, *list[2];
    yoke_executor *pool;
    yoke_loop *loop;
    gate *g;
    struct task *other;
} task;

static int count(yoke_async *self)
{
    task *t = (task *)self;
    YOKE_ASYNC_BEGIN(self);
    for (t->k = 0; t->k < 3; t->k++) {
        mark(t->letter);
        YOKE_AWAIT_SLEEP(self, t->pause);
        assert_int_equal(self->status, YOKE_OK);
    }
    *(int *)yoke_async_result(self) = t->k;
    YOKE_ASYNC_END(self);
}

static void test_gathered(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    task a = {.letter = 'a', .pause = 20 * MS}, b = {.letter = 'b', .pause = 20 * MS};
    yoke_future both = {0}, *each[] = {&a.async.future, &b.async.future};
    int value = 0;
    assert_int_equal(yoke_loop_start(loop, &a.async, count), YOKE_OK);
    assert_int_equal(yoke_loop_start(loop, &a.async, count), YOKE_EBUSY);
    assert_int_equal(yoke_loop_start(loop, &b.async, count), YOKE_OK);
    assert_string_equal(trail, ""); /* nothing runs before the loop does */
    assert_int_equal(yoke_gather_async(loop, &both, each, 2, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &both, 0), YOKE_OK);
    assert_string_equal(trail, "ababab");
    assert_int_equal(yoke_result(&a.async.future, &value, sizeof value, 1), YOKE_OK);
    assert_int_equal(value, 3);
    assert_int_equal(yoke_loop_start(loop, &a.async, count), YOKE_OK); /* again */
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_string_equal(trail, "abababaaa");
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

static int take_turns(yoke_async *self)
{
    task *t = (task *)self;
    YOKE_ASYNC_BEGIN(self);
    for (t->k = 0; t->k < 3; t->k++) {
        mark(t->letter);
        YOKE_AWAIT_TURN(self);
    }
    return -42;
    YOKE_ASYNC_END(self);
}

static void test_turns_and_failure(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    task a = {.letter = 'a'}, b = {.letter = 'b'};
    assert_int_equal(yoke_loop_start(loop, &a.async, take_turns), YOKE_OK);
    assert_int_equal(yoke_loop_start(loop, &b.async, take_turns), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_string_equal(trail, "ababab");
    assert_int_equal(yoke_result(&a.async.future, NULL, 0, 1), -42);
    assert_int_equal(yoke_state_of(&b.async.future), YOKE_FUTURE_FAILED);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* Awaits a task of a pool, late and then to its end; another one that fails; and a descriptor. */
static int await_others(yoke_async *self)
{
    task *t = (task *)self;
    static int five = -5;
    char byte;
    YOKE_ASYNC_BEGIN(self);
    assert_int_equal(yoke_submit(t->pool, &t->inner, wait_at_gate, t->g), YOKE_OK);
    YOKE_AWAIT(self, &t->inner, in_ms(5));
    t->statuses[0] = self->status;
    gate_open(t->g);
    YOKE_AWAIT(self, &t->inner, 0);
    t->statuses[1] = self->status;
    assert_int_equal(yoke_submit(t->pool, &t->inner, fail_with, &five), YOKE_OK);
    YOKE_AWAIT(self, &t->inner, 0);
    t->statuses[2] = self->status;
    YOKE_AWAIT_READY(self, t->fd, YOKE_READABLE, 0);
    t->statuses[3] = self->status;
    assert_int_equal(self->events, YOKE_READABLE);
    assert_int_equal(read(t->fd, &byte, 1), 1);
    YOKE_ASYNC_END(self);
}

static void test_awaits(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    int both[2];
    gate g = {0};
    assert_int_equal(pipe(both), 0);
    assert_int_equal(write(both[1], "x", 1), 1);
    task t = {.pool = yoke_thread_pool(1), .g = &g, .fd = both[0]};
    assert_int_equal(yoke_loop_start(loop, &t.async, await_others), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &t.async.future, 0), YOKE_OK);
    assert_int_equal(yoke_result(&t.async.future, NULL, 0, 1), YOKE_OK);
    assert_int_equal(t.statuses[0], YOKE_ETIMEDOUT);
    assert_int_equal(t.statuses[1], YOKE_OK);
    assert_int_equal(t.statuses[2], -5);
    assert_int_equal(t.statuses[3], YOKE_OK);
    (void)close(both[0]);
    (void)close(both[1]);
    assert_int_equal(yoke_join(t.pool, 0), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* Bad awaits are told at the next step, which comes. */
static int await_badly(yoke_async *self)
{
    task *t = (task *)self;
    YOKE_ASYNC_BEGIN(self);
    YOKE_AWAIT(self, NULL, 0);
    t->statuses[0] = self->status;
    YOKE_AWAIT(self, &self->future, 0);
    t->statuses[1] = self->status;
    YOKE_AWAIT_READY(self, -1, YOKE_READABLE, 0);
    t->statuses[2] = self->status;
    YOKE_AWAIT(self, &t->inner, 0);
    t->statuses[3] = self->status;
    assert_int_equal(yoke_cancel(&self->future), YOKE_EBUSY);
    assert_int_equal(yoke_wait(&self->future, 0), YOKE_ESTATE);
    YOKE_ASYNC_END(self);
}

static void test_bad_awaits(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    task t = {0};
    assert_int_equal(yoke_loop_start(loop, &t.async, await_badly), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &t.async.future, 0), YOKE_OK);
    assert_int_equal(t.statuses[0], YOKE_EINVAL);
    assert_int_equal(t.statuses[1], YOKE_ESTATE);
    assert_int_equal(t.statuses[2], YOKE_EINVAL);
    assert_int_equal(t.statuses[3], YOKE_ESTATE);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* Tasks that await tasks, and cancel one. */
static int cancel_other(yoke_async *self)
{
    task *t = (task *)self;
    YOKE_ASYNC_BEGIN(self);
    YOKE_AWAIT_SLEEP(self, 2 * MS);
    assert_int_equal(yoke_cancel(&t->other->async.future), YOKE_OK);
    assert_int_equal(yoke_cancel(&t->other->async.future), YOKE_OK); /* under way */
    YOKE_AWAIT(self, &t->other->async.future, 0);
    t->statuses[0] = self->status;
    YOKE_ASYNC_END(self);
}

static void test_cancel(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    task sleeper = {.letter = 's', .pause = 60000 * (int64_t)MS}, a = {.other = &sleeper};
    assert_int_equal(yoke_loop_start(loop, &sleeper.async, count), YOKE_OK);
    assert_int_equal(yoke_loop_start(loop, &a.async, cancel_other), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_string_equal(trail, "s");
    assert_int_equal(a.statuses[0], YOKE_ECANCELED);
    assert_int_equal(yoke_state_of(&sleeper.async.future), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_loop_start(loop, &sleeper.async, count), YOKE_OK);
    assert_int_equal(yoke_cancel(&sleeper.async.future), YOKE_OK); /* before its first step */
    assert_int_equal(yoke_loop_run(loop, &sleeper.async.future, 0), YOKE_OK);
    assert_string_equal(trail, "s");
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

static int await_inner(yoke_async *self)
{
    task *t = (task *)self;
    YOKE_ASYNC_BEGIN(self);
    t->list[0] = t->list[1] = &t->inner;
    YOKE_AWAIT_ALL(self, t->list, 2, 0);
    mark('!');
    YOKE_ASYNC_END(self);
}

static void test_close(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    task sleeper = {.letter = 's', .pause = 60000 * (int64_t)MS}, waits = {0}, fresh = {.letter = 'f'};
    begin(&waits.inner);
    assert_int_equal(yoke_loop_start(loop, &sleeper.async, count), YOKE_OK);
    assert_int_equal(yoke_loop_start(loop, &waits.async, await_inner), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, in_ms(5)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_loop_start(loop, &fresh.async, count), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
    assert_int_equal(yoke_state_of(&sleeper.async.future), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_state_of(&waits.async.future), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_state_of(&fresh.async.future), YOKE_FUTURE_CANCELLED);
    assert_string_equal(trail, "s");
    finish(&waits.inner, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gathered), cmocka_unit_test(test_turns_and_failure),
        cmocka_unit_test(test_awaits),   cmocka_unit_test(test_bad_awaits),
        cmocka_unit_test(test_cancel),   cmocka_unit_test(test_close),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
