/* How asynchronous calls end: cancelled, late, failed, waited for in every way and from inside, closed and forked. */
#include "tests/unit/check_kernels.h"
#include "tests/unit/tasks.h"

enum { N = 5000 };

YOKE_KERNEL(ends_add, (inout(int, y), value(int, k)), { y[i] += k; })

static int y[N];

static yoke_runtime *runtime_of(unsigned workers)
{
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.workers = workers, .pin = YOKE_PIN_NONE, .devices = "cpu"});
    assert_non_null(r);
    return r;
}

static void set_all(int value)
{
    for (int k = 0; k < N; k++)
        y[k] = value;
}

static bool all_are(int value)
{
    for (int k = 0; k < N; k++)
        if (y[k] != value)
            return false;
    return true;
}

static int done(yoke_future *f)
{
    return yoke_result(f, NULL, 0, 0);
}

static void wait_inside(size_t begin, size_t end, void *argument)
{
    (void)begin, (void)end;
    (void)wait_at_gate(argument, NULL);
}

/* A call that is in the way of all later ones until its gate opens. */
static void block(yoke_runtime *r, yoke_future *f, gate *g)
{
    assert_int_equal(parallel_for_async_on(r, NULL, f, 1, wait_inside, g), YOKE_OK);
    gate_await_inside(g, 1);
}

/* --- cancelling --- */

static void a_call_that_has_not_begun_is_cancelled(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_of(2);
    for (unsigned which = 0; which < 3; which++) { /* the first, the middle, the last of the queue */
        yoke_future blocker = {0}, f[3] = {{0}, {0}, {0}};
        atomic_uint told = 0;
        gate g = {0};
        set_all(0);
        block(r, &blocker, &g);
        for (int k = 0; k < 3; k++)
            assert_int_equal(parallel_map_async_on(r, NULL, &f[k], ends_add, N, y, 1 << (4 * k)), YOKE_OK);
        assert_int_equal(yoke_state_of(&blocker), YOKE_FUTURE_RUNNING);
        assert_int_equal(yoke_cancel(&blocker), YOKE_EBUSY);
        assert_int_equal(yoke_then(&f[which], count_call, &told), YOKE_OK);
        assert_int_equal(yoke_cancel(&f[which]), YOKE_OK);
        assert_int_equal(atomic_load(&told), 1);
        assert_int_equal(yoke_cancel(&f[which]), YOKE_OK);
        assert_int_equal(done(&f[which]), YOKE_ECANCELED);
        assert_non_null(strstr(yoke_error_detail(), "ends_add"));
        gate_open(&g);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(done(&f[k]), k == which ? YOKE_ECANCELED : YOKE_OK);
        assert_true(all_are(0x111 & ~(1 << (4 * which))));
        assert_int_equal(yoke_cancel(&blocker), YOKE_ESTATE);
        assert_int_equal(done(&blocker), YOKE_OK);
    }
    assert_int_equal(yoke_close(r), YOKE_OK);
}

static void options_end_a_call_and_its_detail_reaches_who_asks(void **state)
{
    (void)state;
    const volatile int cancel = 1;
    yoke_future f = {0}, late = {0}, again = {0};
    const yoke_options cancelled = {.cancel = &cancel}, passed = {.deadline_ns = 1};
    assert_int_equal(parallel_map_async_on(NULL, &cancelled, &f, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(parallel_map_async_on(NULL, &passed, &late, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(parallel_map_async(&again, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(done(&again), YOKE_OK);
    (void)yoke_cancel(&again); /* sets another detail */
    assert_int_equal(done(&f), YOKE_ECANCELED);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_FAILED);
    assert_non_null(strstr(yoke_error_detail(), "arrays written by this call are unspecified"));
    assert_int_equal(done(&late), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_error_detail(), "arrays written by this call are unspecified"));
    assert_int_equal(done(&f), YOKE_ECANCELED); /* again */
    assert_non_null(strstr(yoke_error_detail(), "cancelled; arrays"));
}

/* More failures than are remembered: the status stays, and there is some detail. */
static void details_of_many_failures(void **state)
{
    (void)state;
    enum { MANY = 100 };
    const yoke_options passed = {.deadline_ns = 1};
    static yoke_future f[MANY];
    for (unsigned k = 0; k < MANY; k++)
        assert_int_equal(parallel_map_async_on(NULL, &passed, &f[k], ends_add, N, y, 1), YOKE_OK);
    for (unsigned k = MANY; k-- > 0;) {
        assert_int_equal(done(&f[k]), YOKE_ETIMEDOUT);
        const bool kept = strstr(yoke_error_detail(), "unspecified") != NULL;
        assert_true(kept || (k < MANY - 32 && strstr(yoke_error_detail(), "ends_add failed with -11") != NULL));
    }
}

static void a_kernel_that_breaks_its_promise_is_found(void **state)
{
    char text[4096];
    static float x[N], results[N];
    yoke_future f = {0}, good = {0};
    isa = NULL;
    assert_int_equal(open_checking(state), 0);
    listen();
    const int begun = parallel_map_async_on(checking, NULL, &f, bad_unwritten, N, results, x, (size_t)70);
    const int begun_too = parallel_map_async_on(checking, NULL, &good, ends_add, N, y, 1);
    const int status = done(&f), status_too = done(&good);
    (void)heard(text, sizeof text);
    assert_int_equal(begun, YOKE_OK);
    assert_int_equal(begun_too, YOKE_OK);
    assert_int_equal(status_too, YOKE_OK);
    assert_int_equal(done(&f), status);
    assert_found(status, "kernel bad_unwritten (", "item 70 does not write y[70]");
    assert_int_equal(close_checking(state), 0);
}

static void a_future_serves_one_call_at_a_time(void **state)
{
    (void)state;
    yoke_future f = {0};
    gate g = {0};
    set_all(0);
    block(NULL, &f, &g);
    assert_int_equal(parallel_map_async(&f, ends_add, N, y, 1), YOKE_EBUSY);
    gate_open(&g);
    assert_int_equal(done(&f), YOKE_OK);
    assert_int_equal(parallel_map_async(&f, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
    assert_true(all_are(1));
}

/* --- all that waits --- */

static void everything_that_waits_for_futures(void **state)
{
    (void)state;
    yoke_future blocker = {0}, f = {0}, g = {0}, task = {0}, *list[] = {&f, &g, &blocker}, *next;
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_completions ends;
    gate way = {0};
    atomic_uint count = 0;
    assert_non_null(pool);
    set_all(0);
    block(NULL, &blocker, &way);
    assert_int_equal(parallel_map_async(&f, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(parallel_map_async(&g, ends_add, N, y, 1), YOKE_OK);
    struct pollfd readable = {.fd = yoke_future_fd(&g), .events = POLLIN};
    assert_true(readable.fd >= 0);
    assert_int_equal(poll(&readable, 1, 0), 0);
    assert_int_equal(yoke_wait(&f, in_ms(1)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_wait_any(list, 3, in_ms(1)), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_submit_after(pool, &task, add_one, &count, list, 2), YOKE_OK);
    assert_int_equal(yoke_as_completed(&ends, list, 3), YOKE_OK);
    gate_open(&way);
    for (unsigned k = 0; k < 3; k++) {
        assert_int_equal(yoke_next_completed(&ends, &next, 0), YOKE_OK);
        assert_ptr_equal(next, list[(k + 2) % 3]);
    }
    assert_int_equal(yoke_gather(list, 3, 0), YOKE_OK);
    assert_int_equal(yoke_wait_any(list, 3, 0), 0);
    assert_int_equal(poll(&readable, 1, 10000), 1);
    (void)close(readable.fd);
    assert_int_equal(done(&task), YOKE_OK);
    assert_int_equal(atomic_load(&count), 1);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_true(all_are(2));
}

/* --- from inside --- */

typedef struct chain {
    yoke_runtime *runtime;
    yoke_future *self, *before, *later;
    int own, waited, gathered;
    gate g;
} chain;

static void wait_for_later(size_t begin, size_t end, void *argument)
{
    chain *c = argument;
    (void)begin, (void)end;
    atomic_fetch_add(&c->g.inside, 1);
    while (atomic_load(&c->g.open) == 0)
        sleep_ns(100000);
    c->own = yoke_wait(c->self, 0);
    c->waited = done(c->later);
    c->gathered = yoke_gather((yoke_future *[]){c->before, c->later}, 2, 0);
}

/* The calls between them run, too, in their order. */
static void a_body_waits_for_a_later_call(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_of(1);
    yoke_future self = {0}, between[2] = {{0}, {0}}, later = {0}, last = {0};
    chain c = {.runtime = r, .self = &self, .before = &between[0], .later = &later, .waited = 1, .gathered = 1};
    set_all(0);
    assert_int_equal(parallel_for_async_on(r, NULL, &self, 1, wait_for_later, &c), YOKE_OK);
    gate_await_inside(&c.g, 1);
    for (int k = 0; k < 2; k++)
        assert_int_equal(parallel_map_async_on(r, NULL, &between[k], ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(parallel_map_async_on(r, NULL, &later, ends_add, N, y, 10), YOKE_OK);
    assert_int_equal(parallel_map_async_on(r, NULL, &last, ends_add, N, y, 100), YOKE_OK);
    assert_int_equal(yoke_cancel(&between[1]), YOKE_OK);
    gate_open(&c.g);
    assert_int_equal(done(&last), YOKE_OK);
    assert_int_equal(done(&self), YOKE_OK);
    assert_int_equal(c.own, YOKE_ESTATE);
    assert_int_equal(c.waited, YOKE_OK);
    assert_int_equal(c.gathered, YOKE_OK);
    assert_true(all_are(111));
    assert_int_equal(yoke_close(r), YOKE_OK);
}

static void begin_another(yoke_future *future, void *argument)
{
    chain *c = argument;
    (void)future;
    c->own = yoke_close(c->runtime);
    if (parallel_map_async_on(c->runtime, NULL, c->later, ends_add, N, y, 1) == YOKE_OK)
        c->waited = done(c->later);
    c->gathered = parallel_map_on(c->runtime, NULL, ends_add, N, y, 1);
}

static void a_callback_makes_calls_and_waits_for_them(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_of(2);
    yoke_future blocker = {0}, f = {0}, later = {0};
    chain c = {.runtime = r, .later = &later, .waited = 1, .gathered = 1};
    gate g = {0};
    set_all(0);
    block(r, &blocker, &g);
    assert_int_equal(parallel_map_async_on(r, NULL, &f, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(yoke_then(&f, begin_another, &c), YOKE_OK);
    gate_open(&g);
    assert_int_equal(done(&f), YOKE_OK);
    assert_int_equal(c.own, YOKE_EBUSY);
    assert_int_equal(c.waited, YOKE_OK);
    assert_int_equal(c.gathered, YOKE_OK);
    assert_true(all_are(3));
    assert_int_equal(yoke_close(r), YOKE_OK);
}

/* A pool of one thread goes on while its task waits for a call. */
static int compute_and_wait(void *argument, void *result)
{
    yoke_future f = {0};
    (void)result;
    const int status = parallel_map_async(&f, ends_add, N, y, *(int *)argument);
    return status == YOKE_OK ? done(&f) : status;
}

static void tasks_wait_for_calls(void **state)
{
    (void)state;
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_future tasks[8], *list[8];
    int one = 1;
    assert_non_null(pool);
    memset(tasks, 0, sizeof tasks);
    set_all(0);
    for (unsigned k = 0; k < 8; k++) {
        list[k] = &tasks[k];
        assert_int_equal(yoke_submit(pool, list[k], compute_and_wait, &one), YOKE_OK);
    }
    assert_int_equal(yoke_gather(list, 8, 0), YOKE_OK);
    assert_true(all_are(8));
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* --- many threads --- */

enum { THREADS = 6, CALLS = 40 };

typedef struct caller {
    pthread_t thread;
    yoke_runtime *runtime;
    uint64_t seed;
    int bad, wanted;
    int data[512];
} caller;

/* Some are cancelled; what ran is added up. */
static void *call_often(void *argument)
{
    caller *c = argument;
    yoke_future f[CALLS];
    memset(f, 0, sizeof f);
    for (int k = 0; k < CALLS; k++) {
        c->bad |= parallel_map_async_on(c->runtime, NULL, &f[k], ends_add, 512, c->data, k) != YOKE_OK;
        if (draw_below(&c->seed, 4) == 0)
            (void)yoke_cancel(&f[draw_below(&c->seed, (uint64_t)k + 1)]);
        if (draw_below(&c->seed, 8) == 0)
            (void)yoke_wait(&f[draw_below(&c->seed, (uint64_t)k + 1)], 0);
        if (draw_below(&c->seed, 8) == 0)
            c->bad |= parallel_for_on(c->runtime, NULL, 1, wait_inside, &(gate){.open = 1}) != YOKE_OK;
    }
    for (int k = 0; k < CALLS; k++) {
        const int status = done(&f[k]);
        c->bad |= status != YOKE_OK && status != YOKE_ECANCELED;
        c->wanted += status == YOKE_OK ? k : 0;
    }
    return NULL;
}

static void any_number_of_threads_call(void **state)
{
    (void)state;
    static caller callers[THREADS];
    uint64_t seed = seed_of("test_async_ends");
    for (unsigned long round = 0; round < rounds_of(20); round++) {
        yoke_runtime *r = runtime_of(3);
        for (unsigned k = 0; k < THREADS; k++) {
            callers[k] = (caller){.runtime = r, .seed = draw(&seed)};
            assert_int_equal(pthread_create(&callers[k].thread, NULL, call_often, &callers[k]), 0);
        }
        for (unsigned k = 0; k < THREADS; k++)
            assert_int_equal(pthread_join(callers[k].thread, NULL), 0);
        assert_int_equal(yoke_close(r), YOKE_OK);
        for (unsigned k = 0; k < THREADS; k++) {
            assert_int_equal(callers[k].bad, 0);
            for (unsigned i = 0; i < 512; i++)
                assert_int_equal(callers[k].data[i], callers[k].wanted);
        }
    }
}

/* --- closing --- */

static void close_waits_for_what_was_begun(void **state)
{
    (void)state;
    const unsigned threads = thread_count();
    for (unsigned long round = 0; round < rounds_of(30); round++) {
        yoke_runtime *r = runtime_of(2);
        yoke_future f[10];
        memset(f, 0, sizeof f);
        set_all(0);
        for (unsigned k = 0; k < 10; k++)
            assert_int_equal(parallel_map_async_on(r, NULL, &f[k], ends_add, N, y, 1), YOKE_OK);
        assert_int_equal(yoke_close(r), YOKE_OK);
        for (unsigned k = 0; k < 10; k++)
            assert_int_equal(yoke_state_of(&f[k]), YOKE_FUTURE_DONE);
        assert_true(all_are(10));
    }
    assert_true(threads_become(threads));
}

typedef struct closer {
    yoke_runtime *runtime;
    gate g;
    int closed;
} closer;

static void close_inside(size_t begin, size_t end, void *argument)
{
    closer *c = argument;
    (void)begin, (void)end;
    c->closed = yoke_close(c->runtime);
}

static void close_in_progress(size_t done_items, size_t total, void *argument)
{
    (void)done_items, (void)total;
    close_inside(0, 0, argument);
}

static void a_call_cannot_close_its_runtime(void **state)
{
    (void)state;
    closer c = {.runtime = runtime_of(2)};
    yoke_future f = {0};
    const yoke_options options = {.progress = close_in_progress, .progress_argument = &c};
    assert_int_equal(parallel_for_async_on(c.runtime, NULL, &f, 1, close_inside, &c), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
    assert_int_equal(c.closed, YOKE_EBUSY);
    c.closed = 0;
    assert_int_equal(parallel_map_async_on(c.runtime, &options, &f, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
    assert_int_equal(c.closed, YOKE_EBUSY);
    assert_int_equal(yoke_close(c.runtime), YOKE_OK);
}

/* --- a forked child --- */

typedef struct scene {
    yoke_runtime *runtime;
    yoke_future ended, running, pending;
    gate g;
} scene;

static bool calls_anew(yoke_runtime *r)
{
    yoke_future f = {0};
    set_all(0);
    return parallel_map_async_on(r, NULL, &f, ends_add, N, y, 4) == YOKE_OK && done(&f) == YOKE_OK && all_are(4);
}

static bool child_is_right(void *argument)
{
    scene *s = argument;
    const bool good = done(&s->ended) == YOKE_OK && yoke_wait(&s->running, 0) == YOKE_EFORKED &&
                      yoke_wait(&s->pending, 0) == YOKE_EFORKED && yoke_cancel(&s->pending) == YOKE_EFORKED;
    return good && calls_anew(s->runtime) && calls_anew(NULL) && yoke_close(s->runtime) == YOKE_OK;
}

static bool child_closes(void *argument)
{
    scene *s = argument;
    return yoke_close(s->runtime) == YOKE_OK;
}

static void children_call_anew(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* TSan ends a forked child that starts threads */
    static scene s;
    s = (scene){.runtime = runtime_of(2)};
    assert_true(calls_anew(NULL));
    assert_int_equal(parallel_map_async_on(s.runtime, NULL, &s.ended, ends_add, N, y, 1), YOKE_OK);
    assert_int_equal(done(&s.ended), YOKE_OK);
    block(s.runtime, &s.running, &s.g);
    assert_int_equal(parallel_map_async_on(s.runtime, NULL, &s.pending, ends_add, N, y, 1), YOKE_OK);
    fflush(stdout);
    sleep_ns(SANITIZED ? 50 * MS : MS); /* a starting thread may hold a sanitizer's lock */
    assert_int_equal(child_says(child_is_right, &s), 0);
    assert_int_equal(child_says(child_closes, &s), 0);
    gate_open(&s.g);
    assert_int_equal(done(&s.pending), YOKE_OK);
    assert_int_equal(yoke_close(s.runtime), YOKE_OK);
}

static int watch(void **state)
{
    (void)state;
    alarm_in(60);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_has_not_begun_is_cancelled),
        cmocka_unit_test(options_end_a_call_and_its_detail_reaches_who_asks),
        cmocka_unit_test(details_of_many_failures),
        cmocka_unit_test(a_kernel_that_breaks_its_promise_is_found),
        cmocka_unit_test(a_future_serves_one_call_at_a_time),
        cmocka_unit_test(everything_that_waits_for_futures),
        cmocka_unit_test(a_body_waits_for_a_later_call),
        cmocka_unit_test(a_callback_makes_calls_and_waits_for_them),
        cmocka_unit_test(tasks_wait_for_calls),
        cmocka_unit_test(any_number_of_threads_call),
        cmocka_unit_test(close_waits_for_what_was_begun),
        cmocka_unit_test(a_call_cannot_close_its_runtime),
        cmocka_unit_test(children_call_anew),
    };
    return cmocka_run_group_tests(tests, watch, NULL);
}
