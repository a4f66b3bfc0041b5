/* Other threads begin, cancel and end futures while a loop runs: each future ends once, each callback runs once, and
 * memory may go as soon as a wait has told. */
#include "tests/unit/tasks.h"
#include "yoke/loop.h"

enum { THREADS = 4, BATCH = 8 };

typedef struct scene {
    yoke_loop *loop;
    yoke_executor *pool;
    yoke_future stop; /* the loop runs until it ends */
    int in, out;
    unsigned long rounds;
    uint64_t seed;
    atomic_uint calls, continued;
    atomic_uint done, cancelled, timed_out;
} scene;

static void *run_loop(void *argument)
{
    scene *s = argument;
    assert_int_equal(yoke_loop_run(s->loop, &s->stop, 0), YOKE_OK);
    return NULL;
}

static void with_loop(scene *s, void *(*caller)(void *))
{
    pthread_t loop_thread, callers[THREADS];
    int both[2];
    assert_int_equal(pipe(both), 0);
    s->in = both[0];
    s->out = both[1];
    s->loop = yoke_loop_open();
    assert_non_null(s->loop);
    begin(&s->stop);
    assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, s), 0);
    for (int k = 0; k < THREADS; k++)
        assert_int_equal(pthread_create(&callers[k], NULL, caller, s), 0);
    for (int k = 0; k < THREADS; k++)
        (void)pthread_join(callers[k], NULL);
    finish(&s->stop, 0);
    (void)pthread_join(loop_thread, NULL);
    assert_int_equal(yoke_loop_close(s->loop), YOKE_OK);
    (void)close(s->in);
    (void)close(s->out);
}

static uint64_t own_seed(scene *s)
{
    static atomic_uint threads;
    return s->seed + atomic_fetch_add(&threads, 1);
}

static void count_outcome(scene *s, yoke_future *f)
{
    assert_int_equal(yoke_wait(f, 0), YOKE_OK);
    const int status = yoke_result(f, NULL, 0, 1);
    if (status == YOKE_OK)
        atomic_fetch_add(&s->done, 1);
    else if (status == YOKE_ECANCELED)
        atomic_fetch_add(&s->cancelled, 1);
    else if (status == YOKE_ETIMEDOUT)
        atomic_fetch_add(&s->timed_out, 1);
    else
        fail();
}

/* Sleeps, readiness and gathers of both, each cancelled or not about when it ends; their memory is a stack's. */
static void one_round(scene *s, uint64_t *seed)
{
    yoke_future sleep[BATCH] = {0}, ready = {0}, all = {0}, *list[BATCH];
    for (int k = 0; k < BATCH; k++) {
        list[k] = &sleep[k];
        assert_int_equal(yoke_sleep_async(s->loop, &sleep[k], (int64_t)draw_below(seed, 2 * MS)), YOKE_OK);
        assert_int_equal(yoke_then(&sleep[k], count_call, &s->calls), YOKE_OK);
    }
    const bool late = draw_below(seed, 2) == 0;
    const bool writable = draw_below(seed, 2) == 0;
    assert_int_equal(yoke_gather_async(s->loop, &all, list, BATCH, late ? in_ms(1) : 0), YOKE_OK);
    assert_int_equal(yoke_then(&all, count_call, &s->calls), YOKE_OK);
    assert_int_equal(yoke_ready_async(s->loop, &ready, writable ? s->out : s->in,
                                      writable ? YOKE_WRITABLE : YOKE_READABLE,
                                      in_ms(1 + (int64_t)draw_below(seed, 2))),
                     YOKE_OK);
    sleep_ns((int64_t)draw_below(seed, 2 * MS));
    for (int k = 0; k < BATCH; k++)
        if (draw_below(seed, 2) == 0)
            (void)yoke_cancel(&sleep[k]);
    if (draw_below(seed, 2) == 0)
        (void)yoke_cancel(&all);
    if (draw_below(seed, 2) == 0)
        (void)yoke_cancel(&ready);
    count_outcome(s, &all); /* before those that it waits for go */
    count_outcome(s, &ready);
    for (int k = 0; k < BATCH; k++)
        count_outcome(s, &sleep[k]);
}

static void *begin_and_cancel(void *argument)
{
    scene *s = argument;
    uint64_t seed = own_seed(s);
    for (unsigned long k = 0; k < s->rounds; k++)
        one_round(s, &seed);
    return NULL;
}

static void test_cancels(void **state)
{
    (void)state;
    scene s = {.rounds = rounds_of(100), .seed = seed_of("cancels")};
    with_loop(&s, begin_and_cancel);
    const unsigned total = THREADS * (unsigned)s.rounds;
    assert_int_equal(s.done + s.cancelled + s.timed_out, total * (BATCH + 2));
    assert_int_equal(s.calls, total * (BATCH + 1));
    printf("%u done, %u cancelled, %u timed out\n", s.done, s.cancelled, s.timed_out);
}

/* --- tasks --- */

typedef struct napper {
    yoke_async async;
    scene *s;
    yoke_future inner;
    int64_t pause;
    int k;
} napper;

static int nap(yoke_async *self)
{
    napper *n = (napper *)self;
    YOKE_ASYNC_BEGIN(self);
    for (n->k = 0; n->k < 3; n->k++) {
        YOKE_AWAIT_SLEEP(self, n->pause);
        assert_int_equal(yoke_submit(n->s->pool, &n->inner, do_nothing, NULL), YOKE_OK);
        YOKE_AWAIT(self, &n->inner, 0);
        assert_int_equal(self->status, YOKE_OK);
    }
    YOKE_ASYNC_END(self);
}

static void *start_and_cancel(void *argument)
{
    scene *s = argument;
    uint64_t seed = own_seed(s);
    for (unsigned long k = 0; k < s->rounds; k++) {
        napper n = {.s = s, .pause = (int64_t)draw_below(&seed, MS)};
        assert_int_equal(yoke_loop_start(s->loop, &n.async, nap), YOKE_OK);
        assert_int_equal(yoke_then(&n.async.future, count_call, &s->calls), YOKE_OK);
        sleep_ns((int64_t)draw_below(&seed, 4 * MS));
        if (draw_below(&seed, 2) == 0)
            (void)yoke_cancel(&n.async.future);
        count_outcome(s, &n.async.future);
        if (yoke_state_of(&n.inner) != YOKE_FUTURE_IDLE)
            assert_int_equal(yoke_wait(&n.inner, 0), YOKE_OK);
    }
    return NULL;
}

static void test_tasks(void **state)
{
    (void)state;
    scene s = {.rounds = rounds_of(100), .seed = seed_of("tasks"), .pool = yoke_thread_pool(2)};
    assert_non_null(s.pool);
    with_loop(&s, start_and_cancel);
    assert_int_equal(yoke_join(s.pool, 0), YOKE_OK);
    assert_int_equal(s.done + s.cancelled, THREADS * (unsigned)s.rounds);
    assert_int_equal(s.calls, THREADS * (unsigned)s.rounds);
    printf("%u done, %u cancelled\n", s.done, s.cancelled);
}

/* --- continuations of tasks of a pool, begun by any thread --- */

static void *continue_tasks(void *argument)
{
    scene *s = argument;
    for (unsigned long k = 0; k < s->rounds; k++) {
        yoke_future f[BATCH] = {0};
        yoke_continuation c[2 * BATCH] = {0}, post = {0};
        atomic_uint here = 0;
        for (int j = 0; j < BATCH; j++) {
            assert_int_equal(yoke_submit(s->pool, &f[j], add_one, &s->calls), YOKE_OK);
            assert_int_equal(yoke_loop_then(s->loop, &c[2 * j], &f[j], count_call, &here), YOKE_OK);
            assert_int_equal(yoke_loop_then(s->loop, &c[2 * j + 1], &f[j], count_call, &here), YOKE_OK);
        }
        yoke_future turn = {0};
        assert_int_equal(yoke_sleep_async(s->loop, &turn, 0), YOKE_OK);
        assert_int_equal(yoke_loop_then(s->loop, &post, &turn, count_call, &here), YOKE_OK);
        while (atomic_load(&here) < 2 * BATCH + 1)
            sleep_ns(100000);
        atomic_fetch_add(&s->continued, atomic_load(&here));
        for (int j = 0; j < BATCH; j++)
            assert_int_equal(yoke_wait(&f[j], 0), YOKE_OK);
        assert_int_equal(yoke_wait(&turn, 0), YOKE_OK);
    }
    return NULL;
}

static void test_continuations(void **state)
{
    (void)state;
    scene s = {.rounds = rounds_of(100), .pool = yoke_thread_pool(2)};
    assert_non_null(s.pool);
    with_loop(&s, continue_tasks);
    assert_int_equal(yoke_join(s.pool, 0), YOKE_OK);
    assert_int_equal(s.calls, THREADS * BATCH * (unsigned)s.rounds);
    assert_int_equal(s.continued, THREADS * (2 * BATCH + 1) * (unsigned)s.rounds);
}

/* A loop is closed while tasks of a pool, which it watches, end. */
static void test_close_while_they_end(void **state)
{
    (void)state;
    const unsigned long rounds = rounds_of(300);
    yoke_executor *pool = yoke_thread_pool(2);
    uint64_t seed = seed_of("close");
    assert_non_null(pool);
    for (unsigned long k = 0; k < rounds; k++) {
        yoke_loop *loop = yoke_loop_open();
        yoke_future f[BATCH] = {0}, all = {0}, *list[BATCH];
        yoke_continuation c[BATCH] = {0};
        atomic_uint runs = 0, calls = 0;
        assert_non_null(loop);
        for (int j = 0; j < BATCH; j++) {
            list[j] = &f[j];
            assert_int_equal(yoke_submit(pool, &f[j], add_one, &runs), YOKE_OK);
            assert_int_equal(yoke_loop_then(loop, &c[j], &f[j], count_call, &calls), YOKE_OK);
        }
        assert_int_equal(yoke_gather_async(loop, &all, list, BATCH, 0), YOKE_OK);
        if (draw_below(&seed, 2) == 0)
            sleep_ns((int64_t)draw_below(&seed, 50000));
        assert_int_equal(yoke_loop_close(loop), YOKE_OK);
        assert_true(yoke_state_of(&all) == YOKE_FUTURE_DONE || yoke_state_of(&all) == YOKE_FUTURE_CANCELLED);
        const unsigned called = atomic_load(&calls);
        assert_int_equal(yoke_gather(list, BATCH, 0), YOKE_OK);
        assert_int_equal(atomic_load(&calls), called);
        assert_int_equal(atomic_load(&runs), BATCH);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancels),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_close_while_they_end),
    };
    alarm_in(120);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
