/* Tasks that tasks submit: whoever they wait with, each runs once, all count, and an idle thread finds them. */
#include "tests/unit/tasks.h"

enum { CHILDREN = 100, AWHILE = 200 };

/* How a parent waits for its children. */
enum { IN_ORDER, BACKWARD, GATHERED, WITH_DEADLINE, ANY_FIRST, NOT_AT_ALL, WAYS };

typedef struct family {
    yoke_executor *pool;
    unsigned children, depth;
    int way;
    atomic_uint *runs;
} family;

static int be_parent(void *argument, void *result);

static int wait_in_some_way(int way, yoke_future *f, unsigned count)
{
    yoke_future *all[CHILDREN];
    int status = YOKE_OK;
    for (unsigned k = 0; k < count; k++)
        all[k] = &f[k];
    if (way == ANY_FIRST && count > 0)
        status = yoke_wait_any(all, count, 0) < 0;
    if (way == GATHERED || way == ANY_FIRST)
        return status | yoke_gather(all, count, 0);
    for (unsigned k = 0; k < count && way != NOT_AT_ALL; k++)
        status |= yoke_wait(&f[way == BACKWARD ? count - 1 - k : k], way == WITH_DEADLINE ? in_ms(100000) : 0);
    return status;
}

/* With NOT_AT_ALL, the futures of the children outlive it. */
static int raise_children(const family *mine, yoke_future *f)
{
    family theirs = *mine;
    int status = YOKE_OK;
    theirs.depth--;
    const yoke_task_options copied = {.argument_bytes = sizeof theirs};
    for (unsigned k = 0; k < mine->children && status == YOKE_OK; k++)
        status = yoke_submit_on(mine->pool, &copied, &f[k], be_parent, &theirs);
    return status | wait_in_some_way(mine->way, f, mine->children);
}

static int be_parent(void *argument, void *result)
{
    const family mine = *(const family *)argument;
    yoke_future f[CHILDREN];
    (void)result;
    atomic_fetch_add(mine.runs, 1);
    if (mine.depth == 0)
        return 0;
    memset(f, 0, sizeof f);
    return raise_children(&mine, f);
}

static void check_counts(yoke_executor *pool, uint64_t tasks)
{
    yoke_executor_counts counts;
    do
        assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
    while (counts.waiting + counts.running > 0);
    assert_int_equal(counts.submitted, tasks);
    assert_int_equal(counts.done, tasks);
}

static void test_families(void **state)
{
    (void)state;
    static const unsigned sizes[] = {0, 1, 2, 31, 32, 33, 64, CHILDREN};
    for (unsigned threads = 1; threads <= 4; threads++) {
        yoke_executor *pool = yoke_thread_pool(threads);
        uint64_t all = 0;
        assert_non_null(pool);
        for (int way = 0; way < NOT_AT_ALL; way++)
            for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                atomic_uint runs = 0;
                family first = {pool, sizes[k], sizes[k] > 33 ? 1 : 2, way, &runs};
                yoke_future f = {0};
                const unsigned n = sizes[k], tasks = 1 + n + (n > 33 ? 0 : n * n);
                assert_int_equal(yoke_submit(pool, &f, be_parent, &first), YOKE_OK);
                assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
                assert_int_equal(atomic_load(&runs), tasks);
                all += tasks;
            }
        check_counts(pool, all);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

/* --- children that nobody waits for --- */

typedef struct orphanage {
    family f;
    yoke_future futures[CHILDREN];
} orphanage;

static int leave_children(void *argument, void *result)
{
    orphanage *o = argument;
    (void)result;
    return raise_children(&o->f, o->futures);
}

static void test_join_waits_for_orphans(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++)
        for (unsigned long round = rounds_of(50); round > 0; round--) {
            static orphanage o;
            atomic_uint runs = 0;
            yoke_future f = {0};
            yoke_executor *pool = yoke_thread_pool(threads);
            o = (orphanage){.f = {pool, CHILDREN, 1, NOT_AT_ALL, &runs}};
            assert_int_equal(yoke_submit(pool, &f, leave_children, &o), YOKE_OK);
            assert_int_equal(yoke_wait(&f, 0), YOKE_OK);
            assert_int_equal(yoke_join(pool, 0), YOKE_OK);
            assert_int_equal(atomic_load(&runs), CHILDREN);
            for (unsigned k = 0; k < CHILDREN; k++)
                assert_int_equal(yoke_state_of(&o.futures[k]), YOKE_FUTURE_DONE);
        }
}

/* --- order: first come, first run, where one thread runs all and nobody waits --- */

typedef struct order {
    yoke_executor *pool;
    yoke_future f[CHILDREN], held, late;
    unsigned count, said[CHILDREN + 1];
    gate g;
    bool sleeps;
} order;

static order ordered;

static int say(void *argument, void *result)
{
    (void)result;
    ordered.said[ordered.count++] = (unsigned)(uintptr_t)argument;
    return 0;
}

/* If it is to sleep, until the one that is held has ended. */
static int order_many(void *argument, void *result)
{
    int status = YOKE_OK;
    (void)argument, (void)result;
    for (unsigned k = 0; k < CHILDREN; k++)
        status |= yoke_submit(ordered.pool, &ordered.f[k], say, (void *)(uintptr_t)k);
    return status | (ordered.sleeps ? yoke_wait(&ordered.held, in_ms(100000)) : 0);
}

static void test_order(void **state)
{
    (void)state;
    for (int sleeps = 0; sleeps < 2; sleeps++) {
        gate before = {0};
        yoke_future parent = {0}, first = {0};
        ordered = (order){.pool = yoke_thread_pool(1), .sleeps = sleeps};
        assert_int_equal(yoke_submit(ordered.pool, &first, wait_at_gate, &before), YOKE_OK);
        assert_int_equal(yoke_submit(ordered.pool, &parent, order_many, NULL), YOKE_OK);
        assert_int_equal(yoke_submit(ordered.pool, &ordered.held, wait_at_gate, &ordered.g), YOKE_OK);
        gate_open(&before);
        gate_await_inside(&ordered.g, 1);
        assert_int_equal(yoke_submit(ordered.pool, &ordered.late, say, (void *)(uintptr_t)CHILDREN), YOKE_OK);
        gate_open(&ordered.g);
        assert_int_equal(yoke_result(&parent, NULL, 0, 0), YOKE_OK);
        assert_int_equal(yoke_join(ordered.pool, 0), YOKE_OK);
        for (unsigned k = 0; k <= CHILDREN; k++)
            assert_int_equal(ordered.said[k], k);
    }
}

/* --- a parent that goes on --- */

typedef struct busy {
    yoke_executor *pool;
    yoke_future child;
    atomic_uint runs;
    gate g;
} busy;

/* Submits one and goes on until that has run, elsewhere: it waits for no future. */
static int go_on(void *argument, void *result)
{
    busy *b = argument;
    (void)result;
    const int status = yoke_submit(b->pool, &b->child, add_one, &b->runs);
    for (int k = 0; k < 100000 && atomic_load(&b->runs) == 0; k++)
        sleep_ns(100000);
    return status | (atomic_load(&b->runs) == 1 ? 0 : -1);
}

static void test_idle_thread_takes_it(void **state)
{
    (void)state;
    for (unsigned long round = rounds_of(AWHILE); round > 0; round--) {
        static busy b;
        yoke_future f = {0};
        b = (busy){.pool = yoke_thread_pool(2)};
        sleep_ns(round % 3 == 0 ? MS : 1); /* so that the other one sleeps, watches, or starts */
        assert_int_equal(yoke_submit(b.pool, &f, go_on, &b), YOKE_OK);
        assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
        assert_int_equal(yoke_wait(&b.child, 0), YOKE_OK);
        assert_int_equal(yoke_join(b.pool, 0), YOKE_OK);
    }
}

static int sleep_a_little(void *argument, void *result)
{
    (void)argument, (void)result;
    sleep_ns(20000);
    return 0;
}

/* There is always something in the queue, and yet the child runs: within so many batches. */
static void test_endless_stream_does_not_starve_it(void **state)
{
    (void)state;
    enum { STREAM = 64 };
    static yoke_future f[STREAM];
    yoke_future parent = {0};
    memset(f, 0, sizeof f);
    static busy starved;
    starved = (busy){.pool = yoke_thread_pool(2)};
    assert_int_equal(yoke_submit(starved.pool, &parent, go_on, &starved), YOKE_OK);
    for (unsigned k = 0; yoke_state_of(&parent) < YOKE_FUTURE_DONE; k = (k + 1) % STREAM) {
        if (yoke_state_of(&f[k]) != YOKE_FUTURE_IDLE)
            assert_int_equal(yoke_wait(&f[k], 0), YOKE_OK);
        assert_int_equal(yoke_submit(starved.pool, &f[k], sleep_a_little, NULL), YOKE_OK);
    }
    assert_int_equal(yoke_result(&parent, NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_join(starved.pool, 0), YOKE_OK);
}

/* --- cancelling --- */

typedef struct brood {
    yoke_executor *pool;
    yoke_future f[CHILDREN];
    atomic_uint runs;
    gate g;
} brood;

static int submit_and_stay(void *argument, void *result)
{
    brood *b = argument;
    int status = YOKE_OK;
    (void)result;
    for (unsigned k = 0; k < CHILDREN; k++)
        status |= yoke_submit(b->pool, &b->f[k], add_one, &b->runs);
    return status | wait_at_gate(&b->g, NULL);
}

/* The only thread is in the parent, so that its children wait in its nest, and, when that is full, in the inbox. */
static void test_cancel(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        static brood b;
        yoke_future f = {0};
        yoke_executor_counts counts;
        b = (brood){.pool = yoke_thread_pool(1)};
        assert_int_equal(yoke_submit(b.pool, &f, submit_and_stay, &b), YOKE_OK);
        gate_await_inside(&b.g, 1);
        if (way % 2 == 0) {
            assert_int_equal(yoke_executor_count(b.pool, &counts), YOKE_OK);
            assert_int_equal(counts.submitted, CHILDREN + 1);
            assert_int_equal(counts.waiting, CHILDREN);
            assert_int_equal(counts.running, 1);
        }
        if (way < 2)
            assert_int_equal(yoke_cancel_all(b.pool), CHILDREN);
        for (unsigned k = 0; k < CHILDREN && way >= 2; k += 3)
            assert_int_equal(yoke_cancel(&b.f[k]), YOKE_OK);
        gate_open(&b.g);
        assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
        for (unsigned k = 0; k < CHILDREN; k++)
            assert_int_equal(yoke_result(&b.f[k], NULL, 0, 0), way < 2 || k % 3 == 0 ? YOKE_ECANCELED : YOKE_OK);
        assert_int_equal(yoke_join(b.pool, 0), YOKE_OK);
        assert_int_equal(atomic_load(&b.runs), way < 2 ? 0 : CHILDREN - (CHILDREN + 2) / 3);
    }
}

/* --- many at a time, counted from outside --- */

static void test_counts_hold_at_any_time(void **state)
{
    (void)state;
    uint64_t seed = seed_of("nests");
    for (unsigned long round = rounds_of(30); round > 0; round--) {
        static yoke_future f[8];
        static family first[8];
        atomic_uint runs = 0;
        yoke_executor *pool = yoke_thread_pool(1 + (unsigned)draw_below(&seed, 4));
        yoke_executor_counts counts;
        memset(f, 0, sizeof f);
        for (unsigned k = 0; k < 8; k++) {
            first[k] = (family){pool, 1 + (unsigned)draw_below(&seed, 4), (unsigned)draw_below(&seed, 5),
                                (int)draw_below(&seed, NOT_AT_ALL), &runs};
            assert_int_equal(yoke_submit(pool, &f[k], be_parent, &first[k]), YOKE_OK);
        }
        do {
            const unsigned ran = atomic_load(&runs);
            assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
            assert_int_equal(counts.submitted, counts.done + counts.running + counts.waiting);
            assert_true(counts.submitted >= ran && counts.done + counts.running >= ran);
        } while (counts.running + counts.waiting > 0);
        assert_int_equal(counts.done, atomic_load(&runs));
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_join_waits_for_orphans),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_idle_thread_takes_it),
        cmocka_unit_test(test_endless_stream_does_not_starve_it),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_counts_hold_at_any_time),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
