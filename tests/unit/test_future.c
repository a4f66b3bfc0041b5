/* lib/future: every state, wait, deadline, callback, descriptor and iteration of futures that the test itself ends. */
#include "tests/unit/tasks.h"

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

/* --- states --- */

static void test_states(void **state)
{
    (void)state;
    yoke_future f = {0};
    assert_true(sizeof f <= 256);
    assert_int_equal(yoke_state_of(NULL), YOKE_FUTURE_IDLE);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_IDLE);
    begin(&f);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_PENDING);
    assert_true(yoke__future_claim(&f, YOKE__PENDING, YOKE__RUNNING));
    assert_false(yoke__future_claim(&f, YOKE__PENDING, YOKE__RUNNING));
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_RUNNING);
    assert_int_equal(yoke_cancel(&f), YOKE_EBUSY);
    yoke__future_finish(&f, YOKE__DONE, 0);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE);
    assert_int_equal(yoke_cancel(&f), YOKE_ESTATE);
    assert_int_equal(yoke_wait(&f, 0), YOKE_OK);
    begin(&f); /* again */
    finish(&f, -77);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_FAILED);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), -77);
    assert_int_equal(yoke_result(&f, NULL, 0, 1), -77); /* as often as one likes */
    begin(&f);
    assert_int_equal(yoke_cancel(&f), YOKE_OK);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_cancel(&f), YOKE_OK);
    assert_int_equal(yoke_wait(&f, 0), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_ECANCELED);
}

static void test_bad_calls(void **state)
{
    (void)state;
    yoke_future idle = {0}, f = {0}, *list[] = {&f, NULL}, *found;
    char large[YOKE_RESULT_BYTES + 1];
    yoke_completions c;
    uint32_t before;
    assert_int_equal(yoke_wait(NULL, 0), YOKE_EINVAL);
    assert_int_equal(yoke_wait(&idle, 0), YOKE_ESTATE);
    assert_int_equal(yoke_cancel(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_cancel(&idle), YOKE_ESTATE);
    assert_int_equal(yoke_then(&idle, count_call, NULL), YOKE_ESTATE);
    assert_int_equal(yoke_future_fd(&idle), YOKE_ESTATE);
    assert_int_equal(yoke_future_fd(NULL), YOKE_EINVAL);
    begin(&f);
    assert_int_equal(yoke_then(&f, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke__future_begin(&f, NULL, &before), YOKE_EBUSY);
    assert_int_equal(yoke_wait(&f, -1), YOKE_EINVAL);
    assert_int_equal(yoke_wait(&f, INT64_MIN), YOKE_EINVAL);
    assert_int_equal(yoke_result(&f, large, sizeof large, 0), YOKE_EINVAL);
    assert_int_equal(yoke_result(&f, NULL, 4, 0), YOKE_EINVAL);
    assert_int_equal(yoke_gather(list, 2, 0), YOKE_EINVAL);
    assert_int_equal(yoke_gather(NULL, 2, 0), YOKE_EINVAL);
    assert_int_equal(yoke_gather(NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_wait_any(list, 2, 0), YOKE_EINVAL);
    assert_int_equal(yoke_wait_any(list, 0, 0), YOKE_EINVAL);
    assert_int_equal(yoke_as_completed(NULL, list, 1), YOKE_EINVAL);
    assert_int_equal(yoke_as_completed(&c, list, 2), YOKE_EINVAL);
    list[1] = &f;
    assert_int_equal(yoke_as_completed(&c, list, 2), YOKE_EBUSY);
    assert_int_equal(yoke_as_completed(&c, list, 0), YOKE_OK);
    assert_int_equal(yoke_next_completed(&c, &found, 0), YOKE_ESTATE);
    finish(&f, 0);
}

/* --- deadlines --- */

static void test_deadlines(void **state)
{
    (void)state;
    yoke_future f = {0}, g = {0}, *both[] = {&f, &g}, *next;
    yoke_completions c;
    begin(&f);
    begin(&g);
    assert_int_equal(yoke_wait(&f, 1), YOKE_ETIMEDOUT);
    const int64_t start = yoke__now_ns();
    assert_int_equal(yoke_wait(&f, in_ms(20)), YOKE_ETIMEDOUT);
    assert_true(yoke__now_ns() - start >= 20 * MS);
    assert_int_equal(yoke_result(&f, NULL, 0, in_ms(2)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_wait_any(both, 2, in_ms(2)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_gather(both, 2, in_ms(2)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_as_completed(&c, both, 2), YOKE_OK);
    assert_int_equal(yoke_next_completed(&c, &next, in_ms(2)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_next_completed(&c, &next, -1), YOKE_EINVAL);
    finish(&f, 0);
    assert_int_equal(yoke_gather(both, 2, in_ms(2)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_wait(&f, 1), YOKE_OK); /* a deadline that has passed looks */
    assert_int_equal(yoke_wait_any(both, 2, 1), 0);
    assert_int_equal(yoke_next_completed(&c, &next, 1), YOKE_OK);
    assert_ptr_equal(next, &f);
    assert_int_equal(yoke_next_completed(&c, &next, 1), YOKE_ETIMEDOUT);
    finish(&g, 0);
    assert_int_equal(yoke_next_completed(&c, &next, 1), YOKE_OK);
    assert_int_equal(yoke_gather(both, 2, INT64_MAX), YOKE_OK);
}

/* --- several --- */

static void test_gather_tells_the_first(void **state)
{
    (void)state;
    yoke_future f[3] = {0}, *all[] = {&f[0], &f[1], &f[2]};
    for (int k = 0; k < 3; k++)
        begin(&f[k]);
    finish(&f[2], -5);
    assert_int_equal(yoke_cancel(&f[1]), YOKE_OK);
    finish(&f[0], 0);
    assert_int_equal(yoke_gather(all, 3, 0), YOKE_ECANCELED);
    assert_int_equal(yoke_gather(all, 1, 0), YOKE_OK);
}

static void *finish_soon(void *future)
{
    sleep_ns(5 * MS);
    finish(future, 0);
    return NULL;
}

static void test_any(void **state)
{
    (void)state;
    enum { MANY = 100 }; /* more than lie on the stack */
    static yoke_future f[MANY];
    yoke_future *all[MANY];
    for (int k = 0; k < MANY; k++)
        all[k] = &f[k];
    for (size_t count = 3; count <= MANY; count += MANY - 3) {
        for (size_t k = 0; k < count; k++)
            begin(&f[k]);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, finish_soon, &f[2]), 0);
        assert_int_equal(yoke_wait_any(all, count, 0), 2);
        pthread_join(thread, NULL);
        finish(&f[1], 0);
        assert_int_equal(yoke_wait_any(all, count, 0), 1); /* the lowest */
        for (size_t k = 0; k < count; k++)
            assert_true(yoke_cancel(all[k]) == YOKE_OK || k == 1 || k == 2);
    }
    begin(&f[0]);
    for (size_t k = 1; k < MANY; k++)
        begin(&f[k]);
    yoke__alloc_fail_at(1, false);
    assert_int_equal(yoke_wait_any(all, MANY, 0), YOKE_ENOMEM);
    yoke__alloc_fail_at(0, false);
    for (size_t k = 0; k < MANY; k++)
        finish(&f[k], 0);
}

static void test_in_the_order_of_their_ends(void **state)
{
    (void)state;
    enum { COUNT = 6 };
    static const int order[COUNT] = {4, 1, 5, 0, 3, 2};
    yoke_future f[COUNT] = {0}, *all[COUNT], *next;
    yoke_completions c, other;
    uint32_t before;
    for (int k = 0; k < COUNT; k++) {
        begin(&f[k]);
        all[k] = &f[k];
    }
    finish(&f[4], 0); /* before, */
    assert_int_equal(yoke_as_completed(&c, all, COUNT), YOKE_OK);
    assert_int_equal(yoke_as_completed(&other, all + 3, 2), YOKE_EBUSY);
    assert_int_equal(yoke__future_begin(&f[4], NULL, &before), YOKE_EBUSY); /* not delivered so far */
    for (int k = 1; k < 4; k++)
        finish(&f[order[k]], k % 2); /* and while it goes on */
    for (int k = 0; k < COUNT; k++) {
        if (k == 4) {
            finish(&f[order[4]], 0);
            assert_int_equal(yoke_cancel(&f[order[5]]), YOKE_OK);
        }
        assert_int_equal(yoke_next_completed(&c, &next, 0), YOKE_OK);
        assert_ptr_equal(next, &f[order[k]]);
        memset(next, 0, sizeof *next); /* it is the test's again */
    }
    assert_int_equal(yoke_next_completed(&c, &next, 0), YOKE_ESTATE);
}

/* --- callbacks --- */

typedef struct witness {
    pthread_t thread;
    unsigned calls;
    int result, again, seen;
    uint32_t pause_ms;
    bool at_once; /* it has ended before it got the callback */
} witness;

static void look(yoke_future *future, void *argument)
{
    witness *w = argument;
    uint32_t before;
    w->thread = pthread_self();
    w->calls++;
    w->result = yoke_result(future, NULL, 0, 0); /* has ended for the callback: does not wait */
    w->again = yoke_then(future, count_call, NULL);
    if (!w->at_once)
        w->seen = yoke__future_begin(future, NULL, &before);
    sleep_ns((int64_t)w->pause_ms * MS);
}

static void *wait_it(void *future)
{
    return yoke_wait(future, 0) == YOKE_OK ? future : NULL;
}

static void test_callback(void **state)
{
    (void)state;
    yoke_future f = {0};
    witness w = {.pause_ms = 10};
    void *waited;
    pthread_t waiter;
    begin(&f);
    assert_int_equal(yoke_then(&f, look, &w), YOKE_OK);
    assert_int_equal(yoke_then(&f, look, &w), YOKE_EBUSY);
    assert_int_equal(pthread_create(&waiter, NULL, wait_it, &f), 0);
    assert_int_equal(w.calls, 0);
    finish(&f, -3);
    assert_int_equal(w.calls, 1);
    assert_true(pthread_equal(w.thread, pthread_self()));
    assert_int_equal(w.result, -3);
    assert_int_equal(w.again, YOKE_EBUSY);
    assert_int_equal(w.seen, YOKE_EBUSY);
    pthread_join(waiter, &waited);
    assert_ptr_equal(waited, &f);
    assert_int_equal(yoke_then(&f, look, &w), YOKE_EBUSY); /* it has had one */
    begin(&f);
    assert_int_equal(yoke_then(&f, look, &w), YOKE_OK);
    assert_int_equal(yoke_cancel(&f), YOKE_OK); /* on the thread that cancels */
    assert_int_equal(w.calls, 2);
    assert_int_equal(w.result, YOKE_ECANCELED);
    begin(&f);
    finish(&f, 0);
    w.at_once = true;
    assert_int_equal(yoke_then(&f, look, &w), YOKE_OK);
    assert_int_equal(w.calls, 3);
    assert_int_equal(yoke_then(&f, look, &w), YOKE_EBUSY);
}

/* Those who wait go on after the callback: the future may be on their stack. */
static void test_waits_end_after_the_callback(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        yoke_future f = {0}, *all[] = {&f, &f};
        witness w = {.pause_ms = 2};
        pthread_t thread;
        begin(&f);
        assert_int_equal(yoke_then(&f, look, &w), YOKE_OK);
        assert_int_equal(pthread_create(&thread, NULL, finish_soon, &f), 0);
        assert_int_equal(round % 2 ? yoke_wait(&f, 0) : yoke_wait_any(all, 2, 0), YOKE_OK);
        assert_int_equal(w.calls, 1);
        memset(&f, 0xff, sizeof f); /* nobody looks at it any more; ASan and TSan would tell */
        pthread_join(thread, NULL);
    }
}

/* --- descriptors --- */

static void test_descriptor(void **state)
{
    (void)state;
    yoke_future f = {0};
    const unsigned files = file_count();
    begin(&f);
    const int first = yoke_future_fd(&f), second = yoke_future_fd(&f), third = yoke_future_fd(&f);
    assert_true(first >= 0 && second >= 0 && third >= 0);
    assert_false(is_readable(first) || is_readable(second));
    close(third); /* the caller's: at any time */
    finish(&f, 0);
    assert_true(is_readable(first) && is_readable(second) && is_readable(first));
    const int late = yoke_future_fd(&f);
    assert_true(is_readable(late));
    close(first);
    close(second);
    close(late);
    assert_int_equal(file_count(), files); /* the future's own is closed */
    begin(&f);
    const int cancelled = yoke_future_fd(&f);
    assert_int_equal(yoke_cancel(&f), YOKE_OK);
    assert_true(is_readable(cancelled));
    close(cancelled);
    assert_int_equal(file_count(), files);
}

/* --- waiting for oneself --- */

static void test_own_task(void **state)
{
    (void)state;
    yoke_future f = {0}, g = {0}, *both[] = {&g, &f};
    yoke__frame frame;
    begin(&f);
    begin(&g);
    assert_true(yoke__future_claim(&f, YOKE__PENDING, YOKE__RUNNING));
    yoke__frame_enter(&frame, &f);
    assert_int_equal(yoke_wait(&f, 0), YOKE_ESTATE);
    assert_int_equal(yoke_gather(both, 2, 0), YOKE_ESTATE);
    assert_int_equal(yoke_wait_any(both, 2, 0), YOKE_ESTATE);
    assert_int_equal(yoke_wait(&g, 1), YOKE_ETIMEDOUT);
    yoke__frame_leave(&frame);
    yoke__future_finish(&f, YOKE__DONE, 0);
    finish(&g, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),     cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_deadlines),  cmocka_unit_test(test_gather_tells_the_first),
        cmocka_unit_test(test_any),        cmocka_unit_test(test_in_the_order_of_their_ends),
        cmocka_unit_test(test_callback),   cmocka_unit_test(test_waits_end_after_the_callback),
        cmocka_unit_test(test_descriptor), cmocka_unit_test(test_own_task),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
