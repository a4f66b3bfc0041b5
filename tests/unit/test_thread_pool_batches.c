/* Threads take many short tasks at once: nobody may notice but by the time that it takes. */
#include "tests/unit/tasks.h"

enum { SHORT_ONES = 400, MOST = 64 };

typedef struct held {
    gate g;
    yoke_future future[2];
    unsigned count;
} held;

/* All threads are in tasks. */
static void hold(yoke_executor *pool, held *h, unsigned threads)
{
    *h = (held){.count = threads};
    for (unsigned k = 0; k < threads; k++)
        assert_int_equal(yoke_submit(pool, &h->future[k], wait_at_gate, &h->g), YOKE_OK);
    gate_await_inside(&h->g, threads);
}

static void let_go_on(held *h)
{
    gate_open(&h->g);
    for (unsigned k = 0; k < h->count; k++)
        assert_int_equal(yoke_wait(&h->future[k], 0), YOKE_OK);
}

/* Its threads have seen tasks that are short, so their next batches are large. */
static yoke_executor *pool_in_practice(const yoke_thread_pool_options *options)
{
    static yoke_future f[SHORT_ONES];
    yoke_future *all[SHORT_ONES];
    yoke_executor *pool = yoke_thread_pool_on(options);
    assert_non_null(pool);
    for (int round = 0; round < 3; round++) {
        const unsigned count = options->queue > 0 ? (unsigned)options->queue : SHORT_ONES;
        held h;
        memset(f, 0, sizeof f);
        hold(pool, &h, options->threads);
        for (unsigned k = 0; k < count; k++) {
            all[k] = &f[k];
            assert_int_equal(yoke_submit(pool, &f[k], do_nothing, NULL), YOKE_OK);
        }
        let_go_on(&h);
        assert_int_equal(yoke_gather(all, count, 0), YOKE_OK);
    }
    return pool;
}

static void await_count(const atomic_uint *count, unsigned wanted)
{
    while (atomic_load(count) < wanted)
        sleep_ns(100000);
}

/* One among many waits, and the other thread is free: it runs those behind. */
static void test_none_waits_behind_a_long_one(void **state)
{
    (void)state;
    yoke_executor *pool = pool_in_practice(&(yoke_thread_pool_options){.threads = 2});
    static const unsigned places[] = {0, 1, 2, 15, 31, 32, 33, 62, 63};
    for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
        static yoke_future f[MOST];
        gate g = {0};
        held h;
        atomic_uint count = 0;
        memset(f, 0, sizeof f);
        hold(pool, &h, 2);
        for (unsigned k = 0; k < MOST; k++)
            assert_int_equal(k == places[place] ? yoke_submit(pool, &f[k], wait_at_gate, &g)
                                                : yoke_submit(pool, &f[k], add_one, &count),
                             YOKE_OK);
        let_go_on(&h);
        await_count(&count, MOST - 1);
        gate_await_inside(&g, 1);
        assert_int_equal(yoke_state_of(&f[places[place]]), YOKE_FUTURE_RUNNING);
        gate_open(&g);
        for (unsigned k = 0; k < MOST; k++)
            assert_int_equal(yoke_wait(&f[k], 0), YOKE_OK);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* They lie behind one that runs, in the batch of the only thread. */
static void test_cancel_behind_a_long_one(void **state)
{
    (void)state;
    yoke_executor *pool = pool_in_practice(&(yoke_thread_pool_options){.threads = 1});
    for (int way = 0; way < 3; way++) {
        static yoke_future f[MOST];
        gate g = {0};
        held h;
        atomic_uint count = 0;
        yoke_executor_counts before, after;
        memset(f, 0, sizeof f);
        assert_int_equal(yoke_executor_count(pool, &before), YOKE_OK);
        hold(pool, &h, 1);
        assert_int_equal(yoke_submit(pool, &f[0], wait_at_gate, &g), YOKE_OK);
        for (unsigned k = 1; k < MOST; k++)
            assert_int_equal(yoke_submit(pool, &f[k], add_one, &count), YOKE_OK);
        let_go_on(&h);
        gate_await_inside(&g, 1);
        if (way == 0)
            assert_int_equal(yoke_cancel_all(pool), MOST - 1);
        for (unsigned k = MOST; way > 0 && k-- > 1;)
            if (k % (unsigned)way == 0)
                assert_int_equal(yoke_cancel(&f[k]), YOKE_OK);
        assert_int_equal(yoke_cancel(&f[0]), YOKE_EBUSY);
        gate_open(&g);
        for (unsigned k = 0; k < MOST; k++)
            assert_int_equal(yoke_wait(&f[k], 0), YOKE_OK);
        assert_int_equal(atomic_load(&count), way < 2 ? 0 : MOST / 2);
        do
            assert_int_equal(yoke_executor_count(pool, &after), YOKE_OK);
        while (after.running > 0);
        assert_int_equal(after.cancelled - before.cancelled, MOST - 1 - atomic_load(&count));
        assert_int_equal(after.waiting, 0);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* --- waiting for what lies behind --- */

typedef struct parent {
    yoke_future *after_me[MOST];
    int64_t deadline_ns;
} parent;

static int gather_those_behind(void *argument, void *result)
{
    parent *m = argument;
    (void)result;
    return yoke_gather(m->after_me, MOST, m->deadline_ns);
}

static void test_wait_for_those_behind(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        static yoke_future f[MOST];
        yoke_executor *pool = pool_in_practice(&(yoke_thread_pool_options){.threads = 1});
        yoke_future own = {0};
        held h;
        atomic_uint count = 0;
        parent m = {.deadline_ns = way ? in_ms(60000) : 0};
        memset(f, 0, sizeof f);
        hold(pool, &h, 1);
        for (unsigned k = 0; k < MOST; k++)
            m.after_me[k] = &f[k];
        yoke_future *after[] = {&f[MOST - 2]};
        for (unsigned k = 0; k < MOST - 1; k++)
            assert_int_equal(yoke_submit(pool, &f[k], add_one, &count), YOKE_OK);
        assert_int_equal(yoke_submit_after(pool, &f[MOST - 1], add_one, &count, after, 1), YOKE_OK);
        assert_int_equal(
            yoke_submit_on(pool, &(yoke_task_options){.priority = YOKE_PRIORITY_HIGH}, &own, gather_those_behind, &m),
            YOKE_OK);
        let_go_on(&h);
        assert_int_equal(yoke_result(&own, NULL, 0, 0), YOKE_OK);
        assert_int_equal(atomic_load(&count), MOST);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

/* --- order --- */

typedef struct line {
    yoke_executor *pool;
    yoke_future urgent;
    unsigned next, order[MOST + 1];
} line;

typedef struct step {
    line *l;
    unsigned me;
} step;

enum { SUBMITS_ONE = 5 };

static int note_order(void *argument, void *result)
{
    const step *s = argument;
    line *l = s->l;
    (void)result;
    l->order[l->next++] = s->me;
    step more = {l, MOST};
    const yoke_task_options high = {.priority = YOKE_PRIORITY_HIGH, .argument_bytes = sizeof more};
    return s->me == SUBMITS_ONE ? yoke_submit_on(l->pool, &high, &l->urgent, note_order, &more) : 0;
}

/* Of one thread, the order is seen: first come, first run, but for one that is urgent, which is the very next. */
static void test_order(void **state)
{
    (void)state;
    for (int priority = YOKE_PRIORITY_LOW; priority <= YOKE_PRIORITY_NORMAL; priority++) {
        static yoke_future f[MOST];
        line l = {.pool = pool_in_practice(&(yoke_thread_pool_options){.threads = 1})};
        held h;
        memset(f, 0, sizeof f);
        hold(l.pool, &h, 1);
        for (unsigned k = 0; k < MOST; k++) {
            step s = {&l, k};
            const yoke_task_options options = {.priority = priority, .argument_bytes = sizeof s};
            assert_int_equal(yoke_submit_on(l.pool, &options, &f[k], note_order, &s), YOKE_OK);
        }
        let_go_on(&h);
        for (unsigned k = 0; k < MOST; k++)
            assert_int_equal(yoke_result(&f[k], NULL, 0, 0), YOKE_OK);
        assert_int_equal(yoke_wait(&l.urgent, 0), YOKE_OK);
        assert_int_equal(yoke_join(l.pool, 0), YOKE_OK);
        for (unsigned k = 0; k <= MOST; k++)
            assert_int_equal(l.order[k], k <= SUBMITS_ONE ? k : k == SUBMITS_ONE + 1 ? MOST : k - 1);
    }
}

/* --- a bounded queue: what lies in a batch waits --- */

static void test_room(void **state)
{
    (void)state;
    enum { ROOM = 7 };
    const yoke_thread_pool_options options = {.threads = 1, .queue = ROOM, .flags = YOKE_POOL_REFUSE};
    yoke_executor *pool = pool_in_practice(&options);
    yoke_future f[ROOM + 2] = {0};
    yoke_executor_counts counts;
    gate g = {0};
    held h;
    hold(pool, &h, 1);
    for (unsigned k = 0; k < ROOM; k++)
        assert_int_equal(yoke_submit(pool, &f[k], k == 0 ? wait_at_gate : do_nothing, &g), YOKE_OK);
    assert_int_equal(yoke_submit(pool, &f[ROOM], do_nothing, NULL), YOKE_EFULL);
    let_go_on(&h);
    gate_await_inside(&g, 1);
    assert_int_equal(yoke_submit(pool, &f[ROOM], do_nothing, NULL), YOKE_OK);
    assert_int_equal(yoke_submit(pool, &f[ROOM + 1], do_nothing, NULL), YOKE_EFULL);
    assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
    assert_int_equal(counts.waiting, ROOM);
    assert_int_equal(counts.running, 1);
    gate_open(&g);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_state_of(&f[ROOM]), YOKE_FUTURE_DONE);
    assert_int_equal(yoke_state_of(&f[ROOM + 1]), YOKE_FUTURE_IDLE);
}

/* --- any number, from anywhere --- */

typedef struct burst {
    yoke_executor *pool;
    yoke_future *futures, **all;
    size_t count;
    uint64_t seed;
    atomic_uint runs;
} burst;

static int submit_burst(void *argument, void *result)
{
    burst *b = argument;
    (void)result;
    for (size_t k = 0; k < b->count; k++) {
        const yoke_task_options options = {.priority = (int)draw_below(&b->seed, 3) - 1,
                                           .flags = draw_below(&b->seed, 50) == 0 ? YOKE_TASK_BLOCKS : 0};
        b->all[k] = &b->futures[k];
        if (yoke_submit_on(b->pool, &options, b->all[k], add_one, &b->runs) != YOKE_OK)
            return -1;
        if (draw_below(&b->seed, 20) == 0)
            (void)yoke_cancel(b->all[draw_below(&b->seed, k + 1)]);
    }
    const int status = yoke_gather(b->all, b->count, draw_below(&b->seed, 2) ? 0 : in_ms(100000));
    return status == YOKE_OK || status == YOKE_ECANCELED ? 0 : status;
}

static void test_bursts(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 1000};
    enum { BURSTS = 3, SIZE = 1000 };
    static yoke_future futures[BURSTS][SIZE], *places[BURSTS][SIZE];
    uint64_t seed = seed_of("bursts");
    for (unsigned long round = rounds_of(100); round > 0; round--) {
        const yoke_thread_pool_options options = {.threads = 1 + (unsigned)draw_below(&seed, 4),
                                                  .queue = draw_below(&seed, 3) ? 0 : 1 + draw_below(&seed, 40)};
        burst b[BURSTS] = {0};
        yoke_future f[BURSTS - 1] = {0};
        uint64_t runs = 0, all = 0;
        yoke_executor_counts counts;
        yoke_executor *pool = yoke_thread_pool_on(&options);
        for (int k = 0; k < BURSTS; k++) { /* the last one from outside */
            const size_t count = sizes[draw_below(&seed, sizeof sizes / sizeof *sizes)];
            b[k] = (burst){pool, futures[k], places[k], count, draw(&seed), 0};
            if (k < BURSTS - 1)
                assert_int_equal(yoke_submit(pool, &f[k], submit_burst, &b[k]), YOKE_OK);
            else
                assert_int_equal(submit_burst(&b[k], NULL), 0);
        }
        for (int k = 0; k < BURSTS - 1; k++)
            assert_int_equal(yoke_result(&f[k], NULL, 0, 0), YOKE_OK);
        do
            assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
        while (counts.waiting + counts.running > 0);
        for (int k = 0; k < BURSTS; k++) {
            runs += atomic_load(&b[k].runs);
            all += b[k].count;
        }
        assert_int_equal(counts.submitted, all + BURSTS - 1);
        assert_int_equal(counts.done, runs + BURSTS - 1);
        assert_int_equal(counts.cancelled, all - runs);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_waits_behind_a_long_one),
        cmocka_unit_test(test_cancel_behind_a_long_one),
        cmocka_unit_test(test_wait_for_those_behind),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_bursts),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
