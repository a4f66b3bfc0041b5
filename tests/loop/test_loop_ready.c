/* Readiness of file descriptors, with pipes and sockets. */
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/unit/tasks.h"
#include "yoke/loop.h"

static yoke_loop *loop;
static int in, out; /* a pipe's ends */

static int open_scene(void **state)
{
    int both[2];
    (void)state;
    loop = yoke_loop_open();
    if (loop == NULL || pipe(both) != 0)
        return -1;
    in = both[0];
    out = both[1];
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    (void)close(in);
    (void)close(out);
    return yoke_loop_close(loop);
}

static int events_of(yoke_future *f)
{
    int events = 0;
    assert_int_equal(yoke_result(f, &events, sizeof events, 1), YOKE_OK);
    return events;
}

static void put_byte(void)
{
    assert_int_equal(write(out, "x", 1), 1);
}

static void take_byte(void)
{
    char byte;
    assert_int_equal(read(in, &byte, 1), 1);
}

static void test_bad_calls(void **state)
{
    (void)state;
    yoke_future f = {0};
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(yoke_ready_async(loop, &f, -1, YOKE_READABLE, 0), YOKE_EINVAL);
    assert_int_equal(yoke_ready_async(loop, &f, 1000000, YOKE_READABLE, 0), YOKE_EINVAL);
    assert_int_equal(yoke_ready_async(loop, &f, file, YOKE_READABLE, 0), YOKE_EINVAL);
    assert_int_equal(yoke_ready_async(loop, &f, in, 0, 0), YOKE_EINVAL);
    assert_int_equal(yoke_ready_async(loop, &f, in, 4, 0), YOKE_EINVAL);
    assert_int_equal(yoke_ready_async(loop, &f, in, YOKE_READABLE, -1), YOKE_EINVAL);
    assert_int_equal(yoke_ready_async(loop, NULL, in, YOKE_READABLE, 0), YOKE_EINVAL);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_IDLE);
    (void)close(file);
}

static void test_pipe(void **state)
{
    (void)state;
    yoke_future r = {0}, w = {0};
    assert_int_equal(yoke_ready_async(loop, &r, in, YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_ready_async(loop, &r, in, YOKE_READABLE, 0), YOKE_EBUSY);
    assert_int_equal(yoke_ready_async(loop, &w, out, YOKE_WRITABLE, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &w, 0), YOKE_OK);
    assert_int_equal(events_of(&w), YOKE_WRITABLE);
    assert_int_equal(yoke_loop_run(loop, &r, in_ms(5)), YOKE_ETIMEDOUT);
    for (int k = 0; k < 3; k++) { /* again and again on one descriptor */
        put_byte();
        assert_int_equal(yoke_loop_run(loop, &r, 0), YOKE_OK);
        assert_int_equal(events_of(&r), YOKE_READABLE);
        take_byte();
        assert_int_equal(yoke_ready_async(loop, &r, in, YOKE_READABLE, in_ms(5)), YOKE_OK);
    }
    assert_int_equal(yoke_loop_run(loop, &r, 0), YOKE_OK);
    assert_int_equal(yoke_result(&r, NULL, 0, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_ready_async(loop, &r, in, YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_cancel(&r), YOKE_OK);
    assert_int_equal(yoke_state_of(&r), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
}

static void read_and_wait_again(yoke_future *future, void *argument)
{
    (void)future;
    take_byte(); /* nothing is left: the second must not be ready */
    assert_int_equal(yoke_ready_async(loop, argument, in, YOKE_READABLE, in_ms(10)), YOKE_OK);
}

static void test_again_from_callback(void **state)
{
    (void)state;
    yoke_future first = {0}, second = {0};
    put_byte();
    assert_int_equal(yoke_ready_async(loop, &first, in, YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_then(&first, read_and_wait_again, &second), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, NULL, 0), YOKE_OK);
    assert_int_equal(yoke_result(&second, NULL, 0, 1), YOKE_ETIMEDOUT);
}

/* A descriptor that is ready, and that nobody waits for any more, costs nothing. */
static void test_left_unread(void **state)
{
    (void)state;
    yoke_future f = {0};
    struct timespec before, after;
    put_byte();
    assert_int_equal(yoke_ready_async(loop, &f, in, YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before), 0);
    assert_int_equal(yoke_sleep_async(loop, &f, 200 * MS), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after), 0);
    const int64_t used = (after.tv_sec - before.tv_sec) * INT64_C(1000000000) + after.tv_nsec - before.tv_nsec;
    assert_in_range(used, 0, 50 * MS);
}

static void test_several_on_one(void **state)
{
    (void)state;
    int pair[2];
    yoke_future r[2] = {0}, w = {0}, either = {0}, *readers[] = {&r[0], &r[1]}, all = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(yoke_ready_async(loop, &r[k], pair[0], YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_ready_async(loop, &w, pair[0], YOKE_WRITABLE, 0), YOKE_OK);
    assert_int_equal(yoke_ready_async(loop, &either, pair[0], YOKE_READABLE | YOKE_WRITABLE, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &w, 0), YOKE_OK);
    assert_int_equal(events_of(&either), YOKE_WRITABLE);
    assert_int_equal(yoke_gather_async(loop, &all, readers, 2, 0), YOKE_OK);
    assert_int_equal(yoke_loop_run(loop, &all, in_ms(5)), YOKE_ETIMEDOUT); /* the others stay */
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), YOKE_OK);
    char byte;
    assert_int_equal(read(pair[0], &byte, 1), 1);
    assert_int_equal(yoke_ready_async(loop, &r[0], pair[0], YOKE_READABLE, 0), YOKE_OK);
    (void)close(pair[1]); /* the end counts as ready */
    assert_int_equal(yoke_loop_run(loop, &r[0], 0), YOKE_OK);
    assert_int_equal(events_of(&r[0]), YOKE_READABLE);
    (void)close(pair[0]);
}

/* A number comes back for another file, also while the first one lives on under another number. */
static void test_reused_number(void **state)
{
    (void)state;
    yoke_future f = {0};
    int other[2];
    assert_int_equal(yoke_ready_async(loop, &f, in, YOKE_READABLE, 0), YOKE_OK);
    assert_int_equal(yoke_cancel(&f), YOKE_OK);
    const int keeper = dup(in);
    assert_int_equal(pipe(other), 0);
    assert_int_equal(dup2(other[0], in), in);
    assert_int_equal(yoke_ready_async(loop, &f, in, YOKE_READABLE, 0), YOKE_OK);
    put_byte(); /* to the first pipe */
    assert_int_equal(yoke_loop_run(loop, &f, in_ms(5)), YOKE_ETIMEDOUT);
    assert_int_equal(write(other[1], "x", 1), 1);
    assert_int_equal(yoke_loop_run(loop, &f, 0), YOKE_OK);
    (void)close(keeper);
    (void)close(other[0]);
    (void)close(other[1]);
}

static void test_many(void **state)
{
    (void)state;
    enum { PIPES = 100 };
    int ends[PIPES][2];
    static yoke_future f[PIPES];
    yoke_future *list[PIPES], all = {0};
    uint64_t seed = seed_of("many");
    memset(f, 0, sizeof f);
    for (int k = 0; k < PIPES; k++) {
        assert_int_equal(pipe(ends[k]), 0);
        list[k] = &f[k];
        assert_int_equal(yoke_ready_async(loop, &f[k], ends[k][0], YOKE_READABLE, 0), YOKE_OK);
    }
    assert_int_equal(yoke_gather_async(loop, &all, list, PIPES, 0), YOKE_OK);
    for (int k = 0; k < PIPES; k++)
        if (draw_below(&seed, 2) == 0 || k == 0) /* the others by their hang-up */
            assert_int_equal(write(ends[k][1], "x", 1), 1);
        else
            (void)close(ends[k][1]), ends[k][1] = -1;
    assert_int_equal(yoke_loop_run(loop, &all, 0), YOKE_OK);
    assert_int_equal(yoke_result(&all, NULL, 0, 1), YOKE_OK);
    for (int k = 0; k < PIPES; k++) {
        assert_int_equal(events_of(&f[k]), YOKE_READABLE);
        (void)close(ends[k][0]);
        if (ends[k][1] >= 0)
            (void)close(ends[k][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_calls, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_pipe, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_again_from_callback, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_left_unread, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_several_on_one, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_reused_number, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_many, open_scene, close_scene),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
