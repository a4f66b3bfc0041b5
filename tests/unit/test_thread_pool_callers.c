/* YOKE_POOL_CALLER_HELPS: threads that wait for tasks run them, as the pool's own threads would. */
#include "tests/unit/tasks.h"

enum { TASKS = 300 };

static yoke_executor *pool_of(unsigned threads, unsigned flags)
{
    yoke_executor *pool = yoke_thread_pool_on(&(yoke_thread_pool_options){.threads = threads, .flags = flags});
    assert_non_null(pool);
    return pool;
}

static int tell_thread(void *argument, void *result)
{
    (void)argument;
    *(pthread_t *)result = pthread_self();
    return 0;
}

/* How many of them the waiting thread ran itself. */
static unsigned runs_here(unsigned threads, unsigned flags, bool gathers, unsigned long rounds)
{
    yoke_executor *pool = pool_of(threads, flags);
    unsigned here = 0;
    for (; rounds > 0; rounds--) {
        yoke_future f[3] = {0}, *all[] = {&f[0], &f[1], &f[2]};
        pthread_t who;
        for (int k = 0; k < 3; k++)
            assert_int_equal(yoke_submit(pool, &f[k], tell_thread, NULL), YOKE_OK);
        if (gathers)
            assert_int_equal(yoke_gather(all, 3, 0), YOKE_OK);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(yoke_result(&f[k], &who, sizeof who, 0), YOKE_OK);
            here += pthread_equal(who, pthread_self()) != 0;
        }
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    return here;
}

static void test_who_runs_them(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++)
        for (int gathers = 0; gathers < 2; gathers++) {
            assert_int_equal(runs_here(threads, 0, gathers, rounds_of(100)), 0);
            unsigned here = 0; /* it depends on how soon a thread wakes */
            for (int looks = 0; here == 0 && looks < 100; looks++)
                here = runs_here(threads, YOKE_POOL_CALLER_HELPS, gathers, rounds_of(100));
            assert_true(here > 0);
        }
}

/* --- never more than the pool has places --- */

typedef struct meter {
    atomic_uint inside, most, runs;
} meter;

static int measure(void *argument, void *result)
{
    meter *m = argument;
    (void)result;
    const unsigned now = atomic_fetch_add(&m->inside, 1) + 1;
    unsigned most = atomic_load(&m->most);
    while (now > most && !atomic_compare_exchange_weak(&m->most, &most, now))
        ;
    if (atomic_fetch_add(&m->runs, 1) % 16 == 0)
        sleep_ns(20000);
    atomic_fetch_sub(&m->inside, 1);
    return 0;
}

typedef struct caller {
    yoke_executor *pool;
    meter *m;
    uint64_t seed;
} caller;

static bool gather_once(caller *c, yoke_future *f)
{
    yoke_future *all[TASKS] = {0};
    const size_t count = draw_below(&c->seed, TASKS);
    for (size_t k = 0; k < count; k++) {
        const yoke_task_options options = {.priority = (int)draw_below(&c->seed, 3) - 1};
        all[k] = &f[k];
        if (yoke_submit_on(c->pool, &options, &f[k], measure, c->m) != YOKE_OK)
            return false;
    }
    if (yoke_gather(all, count, 0) != YOKE_OK)
        return false;
    for (size_t k = 0; k < count; k++)
        if (yoke_state_of(&f[k]) != YOKE_FUTURE_DONE)
            return false;
    return true;
}

static void *gather_some(void *argument)
{
    caller *c = argument;
    yoke_future *f = calloc(TASKS, sizeof *f);
    bool good = f != NULL;
    for (unsigned long round = rounds_of(10); round > 0 && good; round--)
        good = gather_once(c, f);
    free(f);
    return good ? c : NULL;
}

static void test_places(void **state)
{
    (void)state;
    enum { CALLERS = 4 };
    uint64_t seed = seed_of("places");
    for (unsigned threads = 1; threads <= 3; threads++) {
        meter m = {0};
        caller c[CALLERS];
        pthread_t id[CALLERS];
        yoke_executor *pool = pool_of(threads, YOKE_POOL_CALLER_HELPS);
        yoke_executor_counts counts;
        for (int k = 0; k < CALLERS; k++) {
            c[k] = (caller){pool, &m, draw(&seed)};
            assert_int_equal(pthread_create(&id[k], NULL, gather_some, &c[k]), 0);
        }
        for (int k = 0; k < CALLERS; k++) {
            void *good;
            pthread_join(id[k], &good);
            assert_ptr_equal(good, &c[k]);
        }
        do
            assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
        while (counts.running > 0);
        assert_in_range(atomic_load(&m.most), 1, threads);
        assert_int_equal(counts.submitted, atomic_load(&m.runs));
        assert_int_equal(counts.done, counts.submitted);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

/* --- tasks that wait, on the waiting thread --- */

static int join_own(void *argument, void *result)
{
    (void)result;
    return yoke_join(argument, 0);
}

static void test_tasks_that_wait(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++)
        for (unsigned long round = rounds_of(20); round > 0; round--) {
            fib_task t = {pool_of(threads, YOKE_POOL_CALLER_HELPS), 9};
            yoke_future f = {0}, own = {0}, before = {0}, after = {0}, *first[] = {&before};
            atomic_uint count = 0;
            int result;
            assert_int_equal(yoke_submit(t.pool, &f, fib, &t), YOKE_OK);
            assert_int_equal(yoke_result(&f, &result, sizeof result, 0), YOKE_OK);
            assert_int_equal(result, 34);
            assert_int_equal(yoke_submit(t.pool, &own, join_own, t.pool), YOKE_OK);
            assert_int_equal(yoke_result(&own, NULL, 0, 0), YOKE_EBUSY);
            assert_int_equal(yoke_submit(t.pool, &before, add_one, &count), YOKE_OK);
            assert_int_equal(yoke_submit_after(t.pool, &after, add_one, &count, first, 1), YOKE_OK);
            assert_int_equal(yoke_wait(&after, 0), YOKE_OK); /* not before what it depends on */
            assert_int_equal(atomic_load(&count), 2);
            assert_int_equal(yoke_state_of(&before), YOKE_FUTURE_DONE);
            assert_int_equal(yoke_join(t.pool, 0), YOKE_OK);
        }
}

/* --- the caller is in a long task: the others go on --- */

typedef struct opener {
    gate g;
    atomic_uint count;
} opener;

static void *open_at_the_end(void *argument)
{
    opener *o = argument;
    while (atomic_load(&o->count) < TASKS - 1)
        sleep_ns(100000);
    gate_open(&o->g);
    return NULL;
}

static void test_others_go_on(void **state)
{
    (void)state;
    for (unsigned place = 0; place < TASKS; place += 43) {
        yoke_executor *pool = pool_of(2, YOKE_POOL_CALLER_HELPS);
        static yoke_future f[TASKS];
        yoke_future *all[TASKS];
        opener o = {0};
        pthread_t id;
        memset(f, 0, sizeof f);
        assert_int_equal(pthread_create(&id, NULL, open_at_the_end, &o), 0);
        for (unsigned k = 0; k < TASKS; k++) {
            all[k] = &f[k];
            assert_int_equal(k == place ? yoke_submit(pool, &f[k], wait_at_gate, &o.g)
                                        : yoke_submit(pool, &f[k], add_one, &o.count),
                             YOKE_OK);
        }
        assert_int_equal(yoke_gather(all, TASKS, 0), YOKE_OK);
        pthread_join(id, NULL);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

/* The pool may go as soon as all have ended, while others still wait for one of them. */
typedef struct last_wait {
    yoke_future *f;
    int status;
} last_wait;

static void *wait_for_last(void *argument)
{
    last_wait *w = argument;
    w->status = yoke_wait(w->f, 0);
    return NULL;
}

static void test_joined_meanwhile(void **state)
{
    (void)state;
    for (unsigned long round = rounds_of(100); round > 0; round--) {
        yoke_executor *pool = pool_of(1 + round % 2, YOKE_POOL_CALLER_HELPS);
        yoke_future f[4] = {0};
        last_wait w[4];
        pthread_t id[4];
        for (int k = 0; k < 4; k++)
            assert_int_equal(yoke_submit(pool, &f[k], do_nothing, NULL), YOKE_OK);
        for (int k = 0; k < 4; k++) {
            w[k] = (last_wait){&f[k], -1};
            assert_int_equal(pthread_create(&id[k], NULL, wait_for_last, &w[k]), 0);
        }
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        for (int k = 0; k < 4; k++) {
            pthread_join(id[k], NULL);
            assert_int_equal(w[k].status, YOKE_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_runs_them),    cmocka_unit_test(test_places),
        cmocka_unit_test(test_tasks_that_wait),  cmocka_unit_test(test_others_go_on),
        cmocka_unit_test(test_joined_meanwhile),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
