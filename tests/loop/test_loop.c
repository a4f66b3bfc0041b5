/* yoke/loop.h: every call of loops, sleeps, gathers and continuations; order, deadlines, cancels, closing. */
#include "tests/unit/tasks.h"
#include "yoke/loop.h"

/* What ended, in its order. */
static struct {
    size_t count;
    void *who[256];
} ends;

static void note_end(yoke_future *future, void *argument)
{
    assert_true(future == NULL || yoke_state_of(future) >= YOKE_FUTURE_DONE);
    ends.who[ends.count++ % 256] = argument;
}

static yoke_loop *fresh_loop(void)
{
    yoke_loop *loop = yoke_loop_open();
    assert_non_null(loop);
    ends.count = 0;
    return loop;
}

/* --- calls --- */

static void test_bad_calls(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_future idle = {0}, f = {0}, *list[] = {&f, NULL}, *own[] = {&f};
    yoke_continuation c = {0};
    yoke_async a = {0};
    assert_null(yoke_loop_on(NULL));
    assert_int_equal(yoke_loop_close(NULL), YOKE_OK);
    assert_int_equal(yoke_loop_run(NULL, NULL, 0), YOKE_EINVAL);
    assert_int_equal(yoke_loop_run(loop, NULL, -1), YOKE_EINVAL);
    assert_int_equal(yoke_loop_run(loop, &idle, 0), YOKE_ESTATE);
    assert_int_equal(yoke_sleep_async(NULL, &f, 1), YOKE_EINVAL);
    assert_int_equal(yoke_sleep_async(loop, NULL, 1), YOKE_EINVAL);
    assert_int_equal(yoke_gather_async(loop, NULL, NULL, 0, 0), YOKE_EINVAL);
    assert_int_equal(yoke_gather_async(loop, &f, NULL, 1, 0), YOKE_EINVAL);
    assert_int_equal(yoke_gather_async(loop, &f, own, 1, 0), YOKE_EINVAL);
    assert_int_equal(yoke_gather_async(loop, &idle, own, 1, 0), YOKE_ESTATE);
    assert_int_equal(yoke_gather_async(loop, &idle, own, 1, -1), YOKE_EINVAL);
    assert_int_equal(yoke_loop_then(loop, &c, &idle, note_end, NULL), YOKE_ESTATE);
    assert_int_equal(yoke_loop_then(loop, &c, NULL, note_end, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_loop_post(loop, NULL, note_end, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_loop_post(loop, &c, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_loop_start(loop, &a, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_loop_start(loop, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_IDLE);
    assert_int_equal(yoke_sleep_async(loop, &f, 60000 * (int64_t)MS), YOKE_OK);
    assert_int_equal(yoke_sleep_async(loop, &f, 1), YOKE_EBUSY);
    assert_int_equal(yoke_gather_async(loop, &idle, list, 2, 0), YOKE_EINVAL);
    assert_int_equal(yoke_cancel(&f), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK); /* nothing is left */
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

static void test_sleep(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_future f = {0};
    const int64_t start = yoke__now_ns();
    assert_int_equal(yoke_sleep_async(loop, &f, 20 * MS), YOKE_OK);
    assert_int_equal(yoke_then(&f, note_end, &f), YOKE_OK);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_PENDING);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_true(yoke__now_ns() - start >= 20 * MS);
    assert_int_equal(yoke_result(&f, NULL, 0, 1), YOKE_OK);
    assert_int_equal(ends.count, 1);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK); /* at once */
    assert_int_equal(yoke_sleep_async(loop, &f, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE);
    assert_int_equal(yoke_sleep_async(loop, &f, INT64_MIN), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_int_equal(yoke_sleep_async(loop, &f, INT64_MAX), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, in_ms(3)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_cancel(&f), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* Against a serial reference: sorted by time, those of one time in the order of the calls. */
static void test_order(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    yoke_loop *loop = fresh_loop();
    static yoke_future f[COUNT];
    uint64_t seed = seed_of("order");
    memset(f, 0, sizeof f);
    for (int k = 0; k < COUNT; k++) {
        assert_int_equal(yoke_sleep_async(loop, &f[k], (int64_t)draw_below(&seed, 30 * MS)), YOKE_OK);
        assert_int_equal(yoke_then(&f[k], note_end, &f[k]), YOKE_OK);
    }
    size_t kept = COUNT;
    for (int k = 0; k < COUNT; k++)
        if (draw_below(&seed, 3) == 0) { /* taken out of any place of the heap */
            const size_t before = ends.count;
            assert_int_equal(yoke_cancel(&f[k]), YOKE_OK);
            assert_int_equal(ends.count, before + 1); /* here, before it returns */
            kept--;
        }
    const size_t cancels = ends.count;
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(ends.count, COUNT);
    int64_t last = 0;
    for (size_t k = cancels; k < COUNT; k++) {
        const yoke_future *one = ends.who[k];
        assert_int_equal(yoke_state_of(one), YOKE_FUTURE_DONE);
        assert_true(one->copy_.integer >= last);
        last = one->copy_.integer;
    }
    assert_int_equal(COUNT - cancels, kept);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

static void test_deadlines(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_future f = {0}, foreign = {0}, all = {0}, *both[] = {&f, &foreign};
    begin(&foreign);
    assert_int_equal(yoke_sleep_async(loop, &f, 5 * MS), YOKE_OK);
    const int64_t start = yoke__now_ns();
    assert_int_equal(yoke_loop_run(loop, &foreign, in_ms(20)), YOKE_ETIMEDOUT);
    assert_true(yoke__now_ns() - start >= 20 * MS);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE);
    assert_int_equal(yoke_loop_run(loop, &foreign, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_gather_async(loop, &all, both, 2, in_ms(10)), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_state_of(&all), YOKE_FUTURE_FAILED);
    assert_int_equal(yoke_sleep_async(loop, &f, 60000 * (int64_t)MS), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, in_ms(5)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_PENDING);
    finish(&foreign, 0);
    assert_int_equal(yoke_loop_run(loop, &foreign, 0), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_CANCELLED);
}

/* --- gather --- */

static void test_gather(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_future f[4] = {0}, all = {0}, *list[] = {&f[0], &f[1], &f[2], &f[3]};
    assert_int_equal(yoke_gather_async(loop, &all, NULL, 0, 0), YOKE_OK); /* none */
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), YOKE_OK);
    for (int k = 0; k < 4; k++)
        assert_int_equal(yoke_sleep_async(loop, &f[k], (4 - k) * MS), YOKE_OK);
    assert_int_equal(yoke_gather_async(loop, &all, list, 4, 0), YOKE_OK);
    assert_int_equal(yoke_then(&all, note_end, &all), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_gather(list, 4, 1), YOKE_OK);
    assert_int_equal(ends.count, 1);
    for (int k = 0; k < 4; k++)
        begin(&f[k]);
    assert_int_equal(yoke_gather_async(loop, &all, list, 4, 0), YOKE_OK);
    finish(&f[3], -5);
    finish(&f[1], -7);
    assert_int_equal(yoke_cancel(&f[2]), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &all, in_ms(5)), YOKE_ETIMEDOUT); /* all of them, whatever they come to */
    finish(&f[0], 0);
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), -7); /* the first in the array */
    begin(&f[0]);
    assert_int_equal(yoke_gather_async(loop, &all, list, 1, in_ms(60000)), YOKE_OK);
    assert_int_equal(yoke_cancel(&all), YOKE_OK);
    assert_int_equal(yoke_state_of(&all), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_cancel(&f[0]), YOKE_OK);
    assert_int_equal(yoke_gather_async(loop, &all, list, 1, 0), YOKE_OK);
    assert_int_equal(yoke_cancel(&all), YOKE_OK); /* it is queued by now: the loop ends it */
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), YOKE_ECANCELED);
    assert_int_equal(yoke_gather_async(loop, &all, list, 1, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(yoke_state_of(&all), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* --- continuations --- */

static pthread_t loop_thread;

static void on_loop_thread(yoke_future *future, void *argument)
{
    assert_true(pthread_equal(pthread_self(), loop_thread));
    note_end(future, argument);
}

static void test_continuations(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_executor *pool = yoke_thread_pool(2);
    yoke_future f = {0}, ended = {0};
    yoke_continuation c[3] = {0}, late = {0}, post = {0};
    gate g = {0};
    assert_non_null(pool);
    loop_thread = pthread_self();
    begin(&ended);
    finish(&ended, 0);
    assert_int_equal(yoke_submit(pool, &f, wait_at_gate, &g), YOKE_OK);
    for (int k = 0; k < 3; k++)
        assert_int_equal(yoke_loop_then(loop, &c[k], &f, on_loop_thread, &c[k]), YOKE_OK);
    assert_int_equal(yoke_loop_then(loop, &c[0], &f, on_loop_thread, &c[0]), YOKE_EBUSY);
    assert_int_equal(yoke_loop_then(loop, &late, &ended, on_loop_thread, &late), YOKE_OK);
    assert_int_equal(yoke_loop_post(loop, &post, on_loop_thread, &post), YOKE_OK);
    assert_int_equal(ends.count, 0);
    assert_int_equal(yoke_loop_run(loop, NULL, in_ms(5)), YOKE_ETIMEDOUT);
    assert_int_equal(ends.count, 2);
    assert_ptr_equal(ends.who[0], &late);
    assert_ptr_equal(ends.who[1], &post);
    gate_open(&g);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(ends.count, 5);
    assert_int_equal(yoke_loop_then(loop, &c[0], &f, on_loop_thread, &c[0]), YOKE_OK); /* again */
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(ends.count, 6);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* Futures of a loop serve wherever futures do. */
static void test_as_any_future(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_future sleep[2] = {0}, task = {0}, *list[] = {&sleep[0], &sleep[1]}, *next;
    yoke_completions completions;
    atomic_uint runs = 0;
    assert_non_null(pool);
    assert_int_equal(yoke_sleep_async(loop, &sleep[0], 6 * MS), YOKE_OK);
    assert_int_equal(yoke_sleep_async(loop, &sleep[1], 2 * MS), YOKE_OK);
    const int fd = yoke_future_fd(&sleep[1]);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 0), 0);
    assert_int_equal(yoke_submit_after(pool, &task, add_one, &runs, list, 2), YOKE_OK);
    assert_int_equal(yoke_as_completed(&completions, list, 2), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &task, 0), YOKE_OK); /* the pool's, after the loop's */
    assert_int_equal(runs, 1);
    assert_int_equal(poll(&readable, 1, 0), 1);
    assert_int_equal(yoke_next_completed(&completions, &next, 0), YOKE_OK);
    assert_ptr_equal(next, &sleep[1]);
    assert_int_equal(yoke_next_completed(&completions, &next, 0), YOKE_OK);
    assert_int_equal(yoke_wait_any(list, 2, 1), 0);
    (void)close(fd);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
}

/* --- inside of callbacks --- */

typedef struct inside {
    yoke_loop *loop;
    yoke_future next;
    int run, close;
} inside;

static void call_inside(yoke_future *future, void *argument)
{
    inside *i = argument;
    (void)future;
    i->run = yoke_loop_run(i->loop, NULL, 0);
    i->close = yoke_loop_close(i->loop);
    assert_int_equal(yoke_sleep_async(i->loop, &i->next, MS), YOKE_OK);
    assert_int_equal(yoke_then(&i->next, note_end, i), YOKE_OK);
}

static void test_inside(void **state)
{
    (void)state;
    inside i = {.loop = fresh_loop()};
    yoke_future f = {0};
    assert_int_equal(yoke_sleep_async(i.loop, &f, 0), YOKE_OK);
    assert_int_equal(yoke_then(&f, call_inside, &i), YOKE_OK);
    assert_int_equal(yoke_loop_run(i.loop, NULL, 0), YOKE_OK);
    assert_int_equal(i.run, YOKE_EBUSY);
    assert_int_equal(i.close, YOKE_EBUSY);
    assert_int_equal(ends.count, 1);
    assert_int_equal(yoke_loop_close(i.loop), YOKE_OK);
}

/* --- closing --- */

static void begin_more(yoke_future *future, void *argument)
{
    inside *i = argument;
    assert_int_equal(yoke_state_of(future), YOKE_FUTURE_CANCELLED);
    i->run = yoke_sleep_async(i->loop, &i->next, 0);
}

static void test_close_with_pending(void **state)
{
    (void)state;
    const unsigned files = file_count();
    inside i = {.loop = fresh_loop()};
    yoke_future sleep = {0}, foreign = {0}, ended = {0}, all = {0}, ready = {0}, *list[] = {&sleep, &foreign};
    yoke_continuation dropped = {0}, due = {0};
    int ends_of_pipe[2];
    assert_int_equal(pipe(ends_of_pipe), 0);
    begin(&foreign);
    begin(&ended);
    assert_int_equal(yoke_sleep_async(i.loop, &sleep, 60000 * (int64_t)MS), YOKE_OK);
    assert_int_equal(yoke_then(&sleep, begin_more, &i), YOKE_OK);
    assert_int_equal(yoke_gather_async(i.loop, &all, list, 2, 0), YOKE_OK);
    assert_int_equal(yoke_ready_async(i.loop, &ready, ends_of_pipe[0], YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_loop_then(i.loop, &dropped, &foreign, note_end, &dropped), YOKE_OK);
    assert_int_equal(yoke_loop_then(i.loop, &due, &ended, note_end, &due), YOKE_OK);
    finish(&ended, 0);
    assert_int_equal(yoke_loop_close(i.loop), YOKE_OK);
    assert_int_equal(yoke_state_of(&sleep), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_state_of(&all), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_state_of(&ready), YOKE_FUTURE_CANCELLED);
    assert_int_equal(i.run, YOKE_ESTATE);
    assert_int_equal(ends.count, 1);
    assert_ptr_equal(ends.who[0], &due);
    finish(&foreign, 0); /* the loop has left it */
    assert_int_equal(ends.count, 1);
    (void)close(ends_of_pipe[0]);
    (void)close(ends_of_pipe[1]);
    assert_int_equal(file_count(), files);
}

static void delay_end(struct yoke__watcher *watcher)
{
    (void)watcher;
    sleep_ns(20 * MS);
}

static void *end_slowly(void *argument)
{
    finish(argument, 0);
    return NULL;
}

/* What it waits for has ended, but who ends it is still on the way to tell: closing waits for that. */
static void test_close_while_told(void **state)
{
    (void)state;
    yoke_loop *loop = fresh_loop();
    yoke_future f = {0}, g = {0}, all = {0}, *list[] = {&g};
    yoke_continuation c = {0};
    struct yoke__watcher delays[2] = {{.notify = delay_end}, {.notify = delay_end}};
    pthread_t enders[2];
    begin(&f);
    begin(&g);
    assert_int_equal(yoke_loop_then(loop, &c, &f, note_end, &c), YOKE_OK);
    assert_int_equal(yoke_gather_async(loop, &all, list, 1, 0), YOKE_OK);
    assert_true(yoke__future_watch(&f, &delays[0])); /* the last is told first */
    assert_true(yoke__future_watch(&g, &delays[1]));
    assert_int_equal(pthread_create(&enders[0], NULL, end_slowly, &f), 0);
    assert_int_equal(pthread_create(&enders[1], NULL, end_slowly, &g), 0);
    while (yoke_state_of(&f) != YOKE_FUTURE_DONE || yoke_state_of(&g) != YOKE_FUTURE_DONE)
        sleep_ns(100000);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
    assert_int_equal(ends.count, 1);
    assert_true(yoke_state_of(&all) >= YOKE_FUTURE_DONE);
    assert_int_equal(yoke_wait(&all, 1), YOKE_OK);
    (void)pthread_join(enders[0], NULL);
    (void)pthread_join(enders[1], NULL);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    const unsigned files = file_count();
    unsigned failures = 0;
    yoke_loop *loop = NULL;
    for (unsigned long nth = 1; loop == NULL; nth++) {
        yoke__alloc_fail_at(nth, false);
        loop = yoke_loop_open();
        failures += loop == NULL;
        yoke__alloc_fail_at(0, false);
        assert_true(loop != NULL || strstr(yoke_error_detail(), "memory") != NULL);
    }
    assert_int_equal(failures, 2);
    yoke_future f = {0};
    int ends_of_pipe[2];
    assert_int_equal(pipe(ends_of_pipe), 0);
    yoke__alloc_fail_at(1, true); /* what allocates nothing cannot fail */
    assert_int_equal(yoke_sleep_async(loop, &f, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_int_equal(yoke_ready_async(loop, &f, ends_of_pipe[1], YOKE_WRITABLE, 0), YOKE_ENOMEM);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE); /* as it was */
    yoke__alloc_fail_at(0, false);
    assert_int_equal(yoke_ready_async(loop, &f, ends_of_pipe[1], YOKE_WRITABLE, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_int_equal(yoke_loop_close(loop), YOKE_OK);
    (void)close(ends_of_pipe[0]);
    (void)close(ends_of_pipe[1]);
    assert_int_equal(file_count(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_as_any_future),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_close_with_pending),
        cmocka_unit_test(test_allocation_failure),
        cmocka_unit_test(test_close_while_told),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
