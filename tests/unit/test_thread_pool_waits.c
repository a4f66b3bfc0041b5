/* Tasks that wait for tasks: nothing deadlocks, whatever the number of threads; and tasks that depend on tasks. */
#include "tests/unit/tasks.h"
#include "yoke/yoke.h"

enum { CHILDREN = 100 };

typedef struct parent {
    yoke_executor *pool;
    yoke_future child[CHILDREN];
    atomic_uint count;
    int way;
} parent;

static int wait_in_this_way(parent *m)
{
    yoke_future *all[CHILDREN], *next;
    yoke_completions c;
    int status = YOKE_OK;
    for (int k = 0; k < CHILDREN; k++)
        all[k] = &m->child[k];
    switch (m->way) {
    case 0:
        for (int k = CHILDREN; k-- > 0 && status == YOKE_OK;)
            status = yoke_wait(all[k], 0);
        return status;
    case 1: return yoke_gather(all, CHILDREN, 0);
    case 2: return yoke_gather(all, CHILDREN, in_ms(60000)); /* not run here: the deadline would be missed */
    case 3:
        for (size_t left = CHILDREN; left > 0 && status == YOKE_OK; left--) {
            const int k = yoke_wait_any(all, left, 0);
            status = k < 0 ? k : YOKE_OK;
            if (k >= 0)
                all[k] = all[left - 1];
        }
        return status;
    default:
        status = yoke_as_completed(&c, all, CHILDREN);
        for (int k = 0; k < CHILDREN && status == YOKE_OK; k++)
            status = yoke_next_completed(&c, &next, 0);
        return status;
    }
}

static int have_children(void *argument, void *result)
{
    parent *m = argument;
    for (int k = 0; k < CHILDREN; k++) {
        const int status = yoke_submit(m->pool, &m->child[k], add_one, &m->count);
        if (status != YOKE_OK)
            return status;
    }
    const int status = wait_in_this_way(m);
    *(unsigned *)result = atomic_load(&m->count);
    return status;
}

/* Pools of 1 and 2, with and without threads to stand in. */
static void test_a_task_waits_for_a_hundred(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++)
        for (int way = 0; way < 5; way++) {
            static parent m[3];
            yoke_future f[3] = {0};
            const yoke_thread_pool_options options = {.threads = threads, .spare_threads = way % 2 ? 1 : 0};
            yoke_executor *pool = yoke_thread_pool_on(&options);
            memset(m, 0, sizeof m);
            for (int k = 0; k < 3; k++) {
                m[k].pool = pool;
                m[k].way = way;
                assert_int_equal(yoke_submit(pool, &f[k], have_children, &m[k]), YOKE_OK);
            }
            for (int k = 0; k < 3; k++) {
                unsigned count;
                assert_int_equal(yoke_result(&f[k], &count, sizeof count, 0), YOKE_OK);
                assert_int_equal(count, CHILDREN);
            }
            assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        }
}

/* --- deep --- */

typedef struct chain_link {
    yoke_executor *pool;
    yoke_future future;
    struct chain_link *next;
} chain_link;

static unsigned threads_at_the_end;

static int wait_for_next(void *argument, void *result)
{
    chain_link *l = argument;
    int depth = 0;
    int status = YOKE_OK;
    if (l->next == NULL) {
        yoke_executor_counts counts = {0};
        status = yoke_executor_count(l->pool, &counts);
        threads_at_the_end = counts.threads;
    } else {
        status = yoke_submit(l->pool, &l->next->future, wait_for_next, l->next);
        if (status == YOKE_OK)
            status = yoke_result(&l->next->future, &depth, sizeof depth, 0);
    }
    *(int *)result = depth + 1;
    return status;
}

static void test_a_long_chain(void **state)
{
    (void)state;
    enum { LENGTH = 3000 };
    static chain_link chain[LENGTH];
    yoke_executor *pool = yoke_thread_pool(1);
    int depth;
    memset(chain, 0, sizeof chain);
    for (int k = 0; k < LENGTH; k++) {
        chain[k].pool = pool;
        chain[k].next = k + 1 < LENGTH ? &chain[k + 1] : NULL;
    }
    assert_int_equal(yoke_submit(pool, &chain[0].future, wait_for_next, &chain[0]), YOKE_OK);
    assert_int_equal(yoke_result(&chain[0].future, &depth, sizeof depth, 0), YOKE_OK);
    assert_int_equal(depth, LENGTH);
    assert_true(threads_at_the_end > 10); /* not all of it on one stack */
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

static void test_recursion(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        fib_task t = {yoke_thread_pool(threads), 16};
        yoke_future f = {0};
        int result;
        assert_int_equal(yoke_submit(t.pool, &f, fib, &t), YOKE_OK);
        assert_int_equal(yoke_result(&f, &result, sizeof result, 0), YOKE_OK);
        assert_int_equal(result, 987);
        assert_int_equal(yoke_join(t.pool, 0), YOKE_OK);
    }
}

/* --- two pools, each waiting for the other --- */

typedef struct ping {
    yoke_executor *pool[2];
    int left;
} ping;

static int play(void *argument, void *result)
{
    ping p = *(ping *)argument;
    yoke_future f = {0};
    *(int *)result = p.left;
    if (p.left == 0)
        return 0;
    ping other = {{p.pool[1], p.pool[0]}, p.left - 1};
    int status = yoke_submit(p.pool[1], &f, play, &other);
    return status == YOKE_OK ? yoke_result(&f, NULL, 0, 0) : status;
}

static void test_pools_wait_for_each_other(void **state)
{
    (void)state;
    ping p = {{yoke_thread_pool(1), yoke_thread_pool(1)}, 40};
    yoke_future f = {0};
    assert_int_equal(yoke_submit(p.pool[0], &f, play, &p), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_join(p.pool[0], 0), YOKE_OK);
    assert_int_equal(yoke_join(p.pool[1], 0), YOKE_OK);
}

/* --- who goes on takes its place again --- */

enum { SHORT_ONES = 60 };

static int take_a_millisecond(void *argument, void *result)
{
    (void)result;
    sleep_ns(MS);
    atomic_fetch_add((atomic_uint *)argument, 1);
    return 0;
}

typedef struct crowd {
    yoke_executor *pool;
    yoke_future first, others[SHORT_ONES];
    atomic_uint count;
} crowd;

static int go_on(void *argument, void *result)
{
    crowd *c = argument;
    int status = yoke_submit(c->pool, &c->first, take_a_millisecond, &c->count);
    for (int k = 0; k < SHORT_ONES && status == YOKE_OK; k++)
        status = yoke_submit(c->pool, &c->others[k], take_a_millisecond, &c->count);
    if (status == YOKE_OK)
        status = yoke_wait(&c->first, in_ms(60000)); /* on a thread that stands in, which then has others to run */
    const unsigned before = atomic_load(&c->count);
    sleep_ns(20 * MS);
    *(unsigned *)result = atomic_load(&c->count) - before;
    return status;
}

static void test_places_are_taken_again(void **state)
{
    (void)state;
    static crowd c;
    yoke_future f = {0};
    unsigned meanwhile;
    c.pool = yoke_thread_pool(1);
    assert_int_equal(yoke_submit(c.pool, &f, go_on, &c), YOKE_OK);
    assert_int_equal(yoke_result(&f, &meanwhile, sizeof meanwhile, 0), YOKE_OK);
    assert_true(meanwhile <= 1); /* the one that had begun */
    assert_int_equal(yoke_join(c.pool, 0), YOKE_OK);
    assert_int_equal(atomic_load(&c.count), SHORT_ONES + 1);
}

/* --- oneself, deadlines, kernels --- */

static int wait_for_me(void *argument, void *result)
{
    (void)result;
    return yoke_wait(argument, 0);
}

typedef struct patience {
    yoke_executor *pool;
    gate *g;
} patience;

static int wait_a_little(void *argument, void *result)
{
    const patience *p = argument;
    yoke_future f = {0};
    (void)result;
    if (yoke_submit(p->pool, &f, wait_at_gate, p->g) != YOKE_OK)
        return -1;
    const int status = yoke_wait(&f, in_ms(5)); /* the task runs on a thread that stands in, and does not end */
    gate_open(p->g);
    return yoke_wait(&f, 0) == YOKE_OK ? status : -1;
}

YOKE_KERNEL(pool_square, (in(int, x), out(int, y)), { y[i] = x[i] * x[i]; })

static int map_here(void *argument, void *result)
{
    enum { ITEMS = 30000 };
    static _Thread_local int x[ITEMS], y[ITEMS];
    const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
    (void)argument;
    for (int k = 0; k < ITEMS; k++)
        x[k] = k % 1000;
    const int status = parallel_map_on(NULL, &options, pool_square, ITEMS, x, y);
    for (int k = 0; k < ITEMS; k++)
        *(int *)result += y[k] != x[k] * x[k];
    return status;
}

static void test_inside_of_a_task(void **state)
{
    (void)state;
    gate g = {0};
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_future f = {0}, maps[8] = {0};
    patience p = {pool, &g};
    assert_int_equal(yoke_submit(pool, &f, wait_for_me, &f), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_ESTATE);
    assert_int_equal(yoke_submit(pool, &f, wait_a_little, &p), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    pool = yoke_thread_pool(3);
    for (int k = 0; k < 8; k++)
        assert_int_equal(yoke_submit(pool, &maps[k], map_here, NULL), YOKE_OK);
    for (int k = 0; k < 8; k++) {
        int wrong;
        assert_int_equal(yoke_result(&maps[k], &wrong, sizeof wrong, 0), YOKE_OK);
        assert_int_equal(wrong, 0);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* --- dependencies --- */

typedef struct node {
    _Atomic int *clock;
    int begin, end, status;
} node;

static int tick(void *argument, void *result)
{
    node *n = argument;
    (void)result;
    n->begin = atomic_fetch_add(n->clock, 1);
    sleep_ns(200000);
    n->end = atomic_fetch_add(n->clock, 1);
    return n->status;
}

static void test_diamonds(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        enum { COUNT = 40 }; /* ten diamonds, one after the other: top, left, right, bottom */
        yoke_executor *pool = yoke_thread_pool(threads);
        _Atomic int clock = 0;
        node n[COUNT];
        yoke_future f[COUNT] = {0}, *after[COUNT][2];
        for (int k = 0; k < COUNT; k++) {
            const int corner = k % 4;
            n[k] = (node){.clock = &clock};
            const size_t count = k == 0 ? 0 : corner == 3 ? 2 : 1;
            after[k][0] = k == 0 ? NULL : &f[corner == 0 ? k - 1 : corner == 3 ? k - 2 : k - corner];
            after[k][1] = k == 0 ? NULL : &f[k - 1];
            assert_int_equal(yoke_submit_after(pool, &f[k], tick, &n[k], after[k], count), YOKE_OK);
        }
        assert_int_equal(yoke_result(&f[COUNT - 1], NULL, 0, 0), YOKE_OK);
        for (int k = 3; k < COUNT; k += 4) {
            assert_true(n[k - 3].end < n[k - 2].begin && n[k - 3].end < n[k - 1].begin);
            assert_true(n[k - 2].end < n[k].begin && n[k - 1].end < n[k].begin);
        }
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

/* The first in the array decides, whichever fails first in time. */
static void test_failing_dependencies(void **state)
{
    (void)state;
    yoke_executor *pool = yoke_thread_pool(2);
    gate g = {0};
    atomic_uint count = 0, calls = 0;
    int minus_9 = -9, minus_8 = -8;
    yoke_future held = {0}, slow = {0}, quick = {0}, f = {0}, next = {0}, last = {0}, fine = {0};
    yoke_future *of_slow[] = {&held}, *both[] = {&slow, &quick}, *of_f[] = {&f}, *of_next[] = {&next};
    assert_int_equal(yoke_submit(pool, &held, wait_at_gate, &g), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &slow, fail_with, &minus_9, of_slow, 1), YOKE_OK);
    assert_int_equal(yoke_submit(pool, &quick, fail_with, &minus_8), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &f, add_one, &count, both, 2), YOKE_OK);
    assert_int_equal(yoke_then(&f, count_call, &calls), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &next, add_one, &count, of_f, 1), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &last, add_one, &count, of_next, 1), YOKE_OK);
    assert_int_equal(yoke_wait(&quick, 0), YOKE_OK);
    assert_int_equal(yoke_wait(&f, in_ms(3)), YOKE_ETIMEDOUT);
    gate_open(&g);
    assert_int_equal(yoke_result(&last, NULL, 0, 0), -9);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_FAILED);
    assert_int_equal(atomic_load(&calls), 1);
    yoke_future *ended[] = {&held, &quick};
    assert_int_equal(yoke_submit_after(pool, &fine, add_one, &count, ended, 1), YOKE_OK); /* of one that has ended */
    assert_int_equal(yoke_result(&fine, NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &fine, add_one, &count, ended, 2), YOKE_OK);
    assert_int_equal(yoke_result(&fine, NULL, 0, 0), -8);
    assert_int_equal(atomic_load(&count), 1);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

static void test_cancelled_dependencies(void **state)
{
    (void)state;
    yoke_executor *pool = yoke_thread_pool(1);
    gate g = {0};
    atomic_uint count = 0;
    yoke_future held = {0}, f[4] = {0}, *first[] = {&held}, *second[] = {&f[0]}, *third[] = {&f[1]};
    assert_int_equal(yoke_submit(pool, &held, wait_at_gate, &g), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &f[0], add_one, &count, first, 1), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &f[1], add_one, &count, second, 1), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &f[2], add_one, &count, third, 1), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &f[3], add_one, &count, first, 1), YOKE_OK);
    gate_await_inside(&g, 1);
    assert_int_equal(yoke_cancel(&f[0]), YOKE_OK); /* at once, while what it waits for runs */
    assert_int_equal(yoke_wait(&f[0], 1), YOKE_OK);
    gate_open(&g);
    assert_int_equal(yoke_result(&f[2], NULL, 0, 0), YOKE_ECANCELED);
    assert_int_equal(yoke_state_of(&f[2]), YOKE_FUTURE_CANCELLED);
    assert_int_equal(yoke_result(&f[3], NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(atomic_load(&count), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_waits_for_a_hundred),
        cmocka_unit_test(test_a_long_chain),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_pools_wait_for_each_other),
        cmocka_unit_test(test_places_are_taken_again),
        cmocka_unit_test(test_inside_of_a_task),
        cmocka_unit_test(test_diamonds),
        cmocka_unit_test(test_failing_dependencies),
        cmocka_unit_test(test_cancelled_dependencies),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
