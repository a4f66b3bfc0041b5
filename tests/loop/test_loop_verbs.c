/* Asynchronous calls of the verbs in an event loop: awaited by tasks, and with continuations on the loop's thread. */
#include "tests/unit/tasks.h"
#include "yoke/loop.h"
#include "yoke/yoke.h"

enum { N = 4000 };

YOKE_KERNEL(loop_add, (inout(int, y), value(int, k)), { y[i] += k; })
YOKE_REDUCE(loop_sum, (long, 0, a + b), (in(int, x)), x[i])

static int y[N];

typedef struct task {
    yoke_async async;
    yoke_future map, reduction, refused;
    yoke_options options;
    long sum;
    int k, statuses[3];
    volatile int cancel;
} task;

static int compute(yoke_async *self)
{
    task *t = (task *)self;
    YOKE_ASYNC_BEGIN(self);
    for (t->k = 1; t->k <= 3; t->k++) {
        t->statuses[0] |= parallel_map_async(&t->map, loop_add, N, y, t->k);
        YOKE_AWAIT(self, &t->map, 0);
        t->statuses[0] |= self->status;
    }
    t->statuses[1] |= parallel_reduce_async(&t->reduction, loop_sum, N, &t->sum, y);
    YOKE_AWAIT(self, &t->reduction, 0);
    t->statuses[1] |= self->status;
    t->cancel = 1;
    t->options = (yoke_options){.cancel = &t->cancel};
    if (parallel_map_async_on(NULL, &t->options, &t->refused, loop_add, N, y, 1) == YOKE_OK)
        YOKE_AWAIT(self, &t->refused, 0);
    t->statuses[2] = self->status;
    YOKE_ASYNC_END(self);
}

static void test_awaited(void **state)
{
    (void)state;
    yoke_loop *loop = yoke_loop_open();
    task t = {.sum = -1};
    assert_non_null(loop);
    memset(y, 0, sizeof y);
    assert_int_equal(yoke_loop_start(loop, &t.async, compute), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &t.async.future, in_ms(20000)), YOKE_OK);
    assert_int_equal(t.statuses[0], YOKE_OK);
    assert_int_equal(t.statuses[1], YOKE_OK);
    assert_int_equal(t.statuses[2], YOKE_ECANCELED);
    assert_true(t.sum == 6L * N);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

static void note_thread(yoke_future *future, void *argument)
{
    assert_int_equal(yoke_state_of(future), YOKE_FUTURE_DONE);
    *(pthread_t *)argument = pthread_self();
}

static void test_continued(void **state)
{
    (void)state;
    yoke_loop *loop = yoke_loop_open();
    yoke_future f = {0}, g = {0}, both = {0}, *list[] = {&f, &g};
    yoke_continuation then = {0};
    pthread_t ran = 0;
    assert_non_null(loop);
    memset(y, 0, sizeof y);
    assert_int_equal(parallel_map_async(&f, loop_add, N, y, 1), YOKE_OK);
    assert_int_equal(parallel_map_async(&g, loop_add, N, y, 2), YOKE_OK);
    assert_int_equal(yoke_loop_then(loop, &then, &g, note_thread, &ran), YOKE_OK);
    assert_int_equal(yoke_gather_async(loop, &both, list, 2, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, in_ms(20000)), YOKE_OK);
    assert_int_equal(yoke_result(&both, NULL, 0, 0), YOKE_OK);
    assert_true(pthread_equal(ran, pthread_self()));
    for (int k = 0; k < N; k++)
        assert_int_equal(y[k], 3);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_awaited),
        cmocka_unit_test(test_continued),
    };
    alarm_in(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
