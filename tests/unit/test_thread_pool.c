/* The pool of threads: submitting, priorities, the bounded queue, tasks that block, closing and joining. */
#include "tests/unit/tasks.h"

static yoke_executor *pool_of(unsigned threads)
{
    yoke_executor *pool = yoke_thread_pool(threads);
    assert_non_null(pool);
    return pool;
}

static yoke_executor_counts counts_of(yoke_executor *pool)
{
    yoke_executor_counts counts;
    assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
    assert_int_equal(counts.submitted,
                     counts.waiting + counts.running + counts.done + counts.failed + counts.cancelled);
    return counts;
}

static int square(void *argument, void *result)
{
    const int *x = argument;
    *(int *)result = *x * *x;
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    yoke_executor *pool = pool_of(3);
    yoke_future f[5] = {0};
    int result;
    for (int k = 0; k < 5; k++) /* k is copied: it changes before the task runs */
        assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.argument_bytes = sizeof k}, &f[k], square, &k), 0);
    for (int k = 0; k < 5; k++) {
        assert_int_equal(yoke_result(&f[k], &result, sizeof result, 0), YOKE_OK);
        assert_int_equal(result, k * k);
    }
    int seven = 7, error = -4;
    assert_int_equal(yoke_submit(pool, &f[0], square, &seven), YOKE_OK); /* used again */
    assert_int_equal(yoke_result(&f[0], &result, sizeof result, 0), YOKE_OK);
    assert_int_equal(result, 49);
    assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.name = "doomed"}, &f[1], fail_with, &error), YOKE_OK);
    assert_int_equal(yoke_result(&f[1], NULL, 0, 0), -4);
    assert_non_null(strstr(yoke_error_detail(), "doomed"));
    assert_int_equal(yoke_state_of(&f[1]), YOKE_FUTURE_FAILED);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_join(NULL, 0), YOKE_OK);
}

static void test_bad_calls(void **state)
{
    (void)state;
    yoke_executor *pool = pool_of(1);
    yoke_future f = {0}, idle = {0}, *after[] = {&idle}, *self[] = {&f};
    assert_int_equal(yoke_submit(NULL, &f, do_nothing, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_submit(pool, NULL, do_nothing, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_submit(pool, &f, NULL, NULL), YOKE_EINVAL);
    static const yoke_task_options bad[] = {
        {.size = 3},        {.flags = 2},        {.priority = 2},
        {.priority = -2},   {.deadline_ns = -1}, {.argument_bytes = YOKE_ARGUMENT_BYTES + 1},
        {.after_count = 1},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(yoke_submit_on(pool, &bad[k], &f, do_nothing, &f), k == 0 ? YOKE_EVERSION : YOKE_EINVAL);
    assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.argument_bytes = 4}, &f, do_nothing, NULL),
                     YOKE_EINVAL);
    assert_int_equal(yoke_submit_after(pool, &f, do_nothing, NULL, after, 1), YOKE_ESTATE);
    assert_int_equal(yoke_submit_after(pool, &f, do_nothing, NULL, self, 1), YOKE_EINVAL);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_IDLE);
    assert_int_equal(counts_of(pool).submitted, 0);
    begin(&f);
    assert_int_equal(yoke_submit(pool, &f, do_nothing, NULL), YOKE_EBUSY);
    assert_int_equal(counts_of(pool).submitted, 0);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_PENDING);
    finish(&f, 0);
    assert_int_equal(yoke_executor_count(pool, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_join(pool, -1), YOKE_EINVAL);
    assert_int_equal(yoke_executor_close(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_cancel_all(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_null(yoke_thread_pool(1000000));
    assert_null(yoke_thread_pool_on(&(yoke_thread_pool_options){.flags = 8}));
    assert_null(yoke_thread_pool_on(&(yoke_thread_pool_options){.size = 1}));
    assert_null(yoke_thread_pool_on(&(yoke_thread_pool_options){.pin = (yoke_pin)9}));
}

/* --- order --- */

typedef struct order {
    _Atomic int next;
    int place[9];
} order;

typedef struct step {
    order *o;
    int me;
} step;

static int note_place(void *argument, void *result)
{
    const step *s = argument;
    (void)result;
    s->o->place[s->me] = atomic_fetch_add(&s->o->next, 1);
    return 0;
}

static void test_priorities(void **state)
{
    (void)state;
    yoke_executor *pool = pool_of(1);
    gate g = {0};
    order o = {0};
    yoke_future first = {0}, f[9] = {0};
    assert_int_equal(yoke_submit(pool, &first, wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 1);
    for (int k = 0; k < 9; k++) { /* low, normal, high, low, ... */
        step s = {&o, k};
        const yoke_task_options options = {.priority = k % 3 - 1, .argument_bytes = sizeof s};
        assert_int_equal(yoke_submit_on(pool, &options, &f[k], note_place, &s), YOKE_OK);
    }
    assert_int_equal(counts_of(pool).waiting, 9);
    assert_int_equal(counts_of(pool).running, 1);
    gate_open(&g);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    for (int k = 0; k < 9; k++)
        assert_int_equal(o.place[k], (2 - k % 3) * 3 + k / 3);
}

/* --- a bounded queue --- */

typedef struct submitter {
    yoke_executor *pool;
    yoke_future future;
    int status;
    atomic_uint returned;
} submitter;

static void *submit_one(void *argument)
{
    submitter *s = argument;
    s->status = yoke_submit(s->pool, &s->future, do_nothing, NULL);
    atomic_store(&s->returned, 1);
    return NULL;
}

static void test_full_queue(void **state)
{
    (void)state;
    for (unsigned refuses = 0; refuses < 2; refuses++) {
        const yoke_thread_pool_options options = {.threads = 1, .queue = 2, .flags = refuses ? YOKE_POOL_REFUSE : 0};
        yoke_executor *pool = yoke_thread_pool_on(&options);
        gate g = {0};
        yoke_future first = {0}, f[3] = {0};
        submitter s = {.pool = pool}, t = {.pool = pool};
        pthread_t thread, other;
        assert_non_null(pool);
        assert_int_equal(yoke_submit(pool, &first, wait_at_gate, &g), YOKE_OK);
        gate_await_inside(&g, 1);
        assert_int_equal(yoke_submit(pool, &f[0], do_nothing, NULL), YOKE_OK);
        assert_int_equal(yoke_submit(pool, &f[1], do_nothing, NULL), YOKE_OK);
        const yoke_task_options soon = {.deadline_ns = in_ms(5)};
        assert_int_equal(yoke_submit_on(pool, &soon, &f[2], do_nothing, NULL), refuses ? YOKE_EFULL : YOKE_ETIMEDOUT);
        assert_int_equal(yoke_state_of(&f[2]), YOKE_FUTURE_IDLE);
        if (!refuses) {
            assert_int_equal(pthread_create(&thread, NULL, submit_one, &s), 0);
            sleep_ns(10 * MS);
            assert_int_equal(atomic_load(&s.returned), 0);
        }
        assert_int_equal(yoke_cancel(&f[0]), YOKE_OK); /* makes room */
        if (!refuses)
            pthread_join(thread, NULL);
        else
            (void)submit_one(&s);
        assert_int_equal(s.status, YOKE_OK);
        if (!refuses) { /* closing ends their wait; one behind that gives up changes nothing */
            assert_int_equal(pthread_create(&other, NULL, submit_one, &t), 0);
            sleep_ns(5 * MS);
            const yoke_task_options later = {.deadline_ns = in_ms(5)};
            assert_int_equal(yoke_submit_on(pool, &later, &f[2], do_nothing, NULL), YOKE_ETIMEDOUT);
            assert_int_equal(yoke_executor_close(pool), YOKE_OK);
            pthread_join(other, NULL);
            assert_int_equal(t.status, YOKE_ESTATE);
        }
        gate_open(&g);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        assert_int_equal(yoke_state_of(&s.future), YOKE_FUTURE_DONE);
    }
}

typedef struct family {
    yoke_executor *pool;
    yoke_future child[10];
    atomic_uint count;
} family;

static int submit_ten(void *argument, void *result)
{
    family *m = argument;
    (void)result;
    sleep_ns(20 * MS); /* until somebody has filled the queue */
    for (int k = 0; k < 10; k++)
        if (yoke_submit(m->pool, &m->child[k], add_one, &m->count) != YOKE_OK)
            return -1;
    return 0;
}

static void test_own_tasks_do_not_wait_for_room(void **state)
{
    (void)state;
    family m = {.pool = yoke_thread_pool_on(&(yoke_thread_pool_options){.threads = 1, .queue = 1})};
    gate g = {0};
    yoke_future held = {0}, f = {0}, last = {0}, *after[] = {&f};
    assert_int_equal(yoke_submit(m.pool, &held, wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 1);
    assert_int_equal(yoke_submit(m.pool, &f, submit_ten, &m), YOKE_OK);
    gate_open(&g);
    assert_int_equal(yoke_submit_after(m.pool, &last, do_nothing, NULL, after, 1), YOKE_OK); /* it fills the queue */
    assert_int_equal(yoke_result(&last, NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_join(m.pool, 0), YOKE_OK);
    assert_int_equal(atomic_load(&m.count), 10);
}

/* --- tasks that block --- */

static void test_blocking_lane(void **state)
{
    (void)state;
    const yoke_thread_pool_options options = {.threads = 1, .blocking_threads = 4};
    yoke_executor *pool = yoke_thread_pool_on(&options);
    const yoke_task_options blocks = {.flags = YOKE_TASK_BLOCKS};
    gate g = {0};
    yoke_future f[6] = {0}, quick = {0};
    assert_non_null(pool);
    assert_int_equal(counts_of(pool).threads, 1);
    for (int k = 0; k < 6; k++)
        assert_int_equal(yoke_submit_on(pool, &blocks, &f[k], wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 4);
    assert_int_equal(yoke_submit(pool, &quick, do_nothing, NULL), YOKE_OK); /* the core is free */
    assert_int_equal(yoke_wait(&quick, 0), YOKE_OK);
    assert_int_equal(atomic_load(&g.inside), 4); /* bounded */
    assert_int_equal(counts_of(pool).threads, 5);
    gate_open(&g);
    for (int k = 0; k < 6; k++)
        assert_int_equal(yoke_wait(&f[k], 0), YOKE_OK);
    for (int looks = 0; counts_of(pool).threads > 1 && looks < 1000; looks++)
        sleep_ns(10 * MS);
    assert_int_equal(counts_of(pool).threads, 1); /* they end when idle */
    assert_int_equal(yoke_submit_on(pool, &blocks, &f[0], wait_at_gate, &g), YOKE_OK);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_state_of(&f[0]), YOKE_FUTURE_DONE);
}

/* --- the end --- */

static void *join_it(void *pool)
{
    return yoke_join(pool, 0) == YOKE_OK ? pool : NULL;
}

/* The last task of a pool that is being joined is cancelled from outside. */
static void test_cancel_under_join(void **state)
{
    (void)state;
    yoke_executor *pool = pool_of(1), *other = pool_of(1);
    gate g = {0};
    yoke_future held = {0}, late = {0}, *after[] = {&held};
    pthread_t joiner;
    void *joined;
    assert_int_equal(yoke_submit(other, &held, wait_at_gate, &g), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &late, do_nothing, NULL, after, 1), YOKE_OK);
    assert_int_equal(pthread_create(&joiner, NULL, join_it, pool), 0);
    sleep_ns(5 * MS);
    assert_int_equal(yoke_cancel(&late), YOKE_OK);
    pthread_join(joiner, &joined);
    assert_ptr_equal(joined, pool);
    gate_open(&g);
    assert_int_equal(yoke_join(other, 0), YOKE_OK);
}

static int join_own(void *argument, void *result)
{
    (void)result;
    return yoke_join(argument, 0);
}

static void test_close_and_join(void **state)
{
    (void)state;
    const unsigned threads = thread_count(), files = file_count();
    yoke_executor *pool = pool_of(2);
    gate g = {0};
    atomic_uint count = 0, calls = 0;
    yoke_future held[2] = {0}, f[20] = {0}, own = {0};
    assert_int_equal(yoke_submit(pool, &own, join_own, pool), YOKE_OK);
    assert_int_equal(yoke_result(&own, NULL, 0, 0), YOKE_EBUSY);
    for (int k = 0; k < 2; k++)
        assert_int_equal(yoke_submit(pool, &held[k], wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 2);
    for (int k = 0; k < 20; k++) {
        assert_int_equal(yoke_submit(pool, &f[k], add_one, &count), YOKE_OK);
        assert_int_equal(yoke_then(&f[k], count_call, &calls), YOKE_OK);
    }
    assert_int_equal(yoke_executor_close(pool), YOKE_OK);
    assert_int_equal(yoke_executor_close(pool), YOKE_OK);
    assert_int_equal(yoke_submit(pool, &own, do_nothing, NULL), YOKE_ESTATE);
    assert_int_equal(yoke_join(pool, in_ms(5)), YOKE_ETIMEDOUT);
    gate_open(&g);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(atomic_load(&count), 20); /* what was queued has run */
    assert_int_equal(atomic_load(&calls), 20);
    assert_true(threads_become(threads));
    assert_int_equal(file_count(), files);
}

static void test_cancel_all(void **state)
{
    (void)state;
    yoke_executor *pool = pool_of(1);
    gate g = {0};
    atomic_uint count = 0, calls = 0;
    yoke_future held = {0}, f[20] = {0}, late[3] = {0}, *after[] = {&held};
    assert_int_equal(yoke_submit(pool, &held, wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, 1);
    for (int k = 0; k < 20; k++) {
        const yoke_task_options options = {.priority = k % 3 - 1};
        assert_int_equal(yoke_submit_on(pool, &options, &f[k], add_one, &count), YOKE_OK);
        assert_int_equal(yoke_then(&f[k], count_call, &calls), YOKE_OK);
    }
    for (int k = 0; k < 3; k++)
        assert_int_equal(yoke_submit_after(pool, &late[k], add_one, &count, after, 1), YOKE_OK);
    assert_int_equal(yoke_cancel(&f[7]), YOKE_OK);
    assert_int_equal(yoke_cancel(&held), YOKE_EBUSY);
    assert_int_equal(yoke_cancel_all(pool), 22);
    assert_int_equal(yoke_cancel_all(pool), 0);
    for (int k = 0; k < 20; k++)
        assert_int_equal(yoke_result(&f[k], NULL, 0, 1), YOKE_ECANCELED);
    for (int k = 0; k < 3; k++)
        assert_int_equal(yoke_result(&late[k], NULL, 0, 1), YOKE_ECANCELED);
    assert_int_equal(atomic_load(&calls), 20);
    gate_open(&g);
    assert_int_equal(yoke_wait(&held, 0), YOKE_OK);
    while (counts_of(pool).done < 1)
        sleep_ns(MS);
    assert_int_equal(counts_of(pool).cancelled, 23);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(atomic_load(&count), 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    unsigned long k = 1;
    for (;; k++) { /* the k-th allocation fails, until there are no more */
        yoke__alloc_fail_at(k, true);
        yoke_executor *pool = yoke_thread_pool(2);
        yoke__alloc_fail_at(0, false);
        if (pool == NULL) {
            assert_true(yoke_error_detail()[0] != '\0');
            continue;
        }
        yoke_future f = {0};
        atomic_uint count = 0;
        yoke__alloc_fail_at(1, true); /* submitting allocates nothing */
        assert_int_equal(yoke_submit(pool, &f, add_one, &count), YOKE_OK);
        assert_int_equal(yoke_wait(&f, 0), YOKE_OK);
        /* without memory for an extra thread, the core takes those that block */
        const yoke_task_options blocks = {.flags = YOKE_TASK_BLOCKS};
        assert_int_equal(yoke_submit_on(pool, &blocks, &f, add_one, &count), YOKE_OK);
        assert_int_equal(yoke_wait(&f, 0), YOKE_OK);
        yoke__alloc_fail_at(0, false);
        const bool complete = counts_of(pool).threads == 2;
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        if (complete)
            break;
    }
    assert_true(k > 3);
}

static void test_often(void **state)
{
    (void)state;
    const unsigned threads = thread_count(), files = file_count();
    for (unsigned long round = rounds_of(200); round > 0; round--) {
        yoke_executor *pool = pool_of(2);
        yoke_future f[4] = {0};
        atomic_uint count = 0;
        for (unsigned k = 0; k < round % 5; k++)
            assert_int_equal(yoke_submit(pool, &f[k], add_one, &count), YOKE_OK);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        assert_int_equal(atomic_load(&count), round % 5);
    }
    assert_true(threads_become(threads));
    assert_int_equal(file_count(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_own_tasks_do_not_wait_for_room),
        cmocka_unit_test(test_blocking_lane),
        cmocka_unit_test(test_cancel_under_join),
        cmocka_unit_test(test_close_and_join),
        cmocka_unit_test(test_cancel_all),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_often),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
