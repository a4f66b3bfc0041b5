/* A pool while the system refuses threads: those that there are do all of it. A program of its own, for the stacks of threads
 * that ended would be used again. */
#include <sys/resource.h>

#include "tests/emulated.h"
#include "tests/unit/tasks.h"

enum { CHILDREN = 100 };

typedef struct parent {
    yoke_executor *pool;
    yoke_future child[CHILDREN];
    atomic_uint count;
} parent;

/* With a deadline they do not run on the waiter's stack as those it waits for, but as the next ones of the pool. */
static int have_children(void *argument, void *result)
{
    parent *m = argument;
    yoke_future *all[CHILDREN];
    for (int k = 0; k < CHILDREN; k++) {
        all[k] = &m->child[k];
        if (yoke_submit(m->pool, all[k], add_one, &m->count) != YOKE_OK)
            return -1;
    }
    (void)result;
    int status = YOKE_OK;
    for (int k = CHILDREN; k-- > 0 && status == YOKE_OK;) /* the last one first: the others come before it */
        status = yoke_wait(all[k], in_ms(60000));
    return status;
}

static void test_refused_threads(void **state)
{
    (void)state;
    if (SANITIZED || is_emulated())
        skip(); /* they need address space of their own */
    static parent m;
    yoke_executor *pool = yoke_thread_pool(1);
    struct rlimit before;
    yoke_future f = {0}, blocks = {0};
    yoke_executor_counts counts;
    m.pool = pool;
    assert_non_null(pool);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_AS, &(struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max}), 0);
    const int submitted =
        yoke_submit_on(pool, &(yoke_task_options){.flags = YOKE_TASK_BLOCKS}, &blocks, add_one, &m.count);
    const int waited = yoke_wait(&blocks, 0);
    const int parent_submitted = yoke_submit(pool, &f, have_children, &m);
    const int result = yoke_result(&f, NULL, 0, 0);
    const int counted = yoke_executor_count(pool, &counts);
    yoke_executor *other = yoke_thread_pool(1);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(submitted, YOKE_OK);
    assert_int_equal(waited, YOKE_OK);
    assert_int_equal(parent_submitted, YOKE_OK);
    assert_int_equal(result, YOKE_OK);
    assert_int_equal(counted, YOKE_OK);
    assert_int_equal(counts.threads, 1);
    assert_null(other);
    assert_int_equal(atomic_load(&m.count), CHILDREN + 1);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* Threads from the environment, in the absence of a number. */
static void test_environment(void **state)
{
    (void)state;
    yoke_executor_counts counts;
    assert_int_equal(setenv("YOKE_WORKERS", "3", 1), 0);
    yoke_executor *pool = yoke_thread_pool_on(NULL);
    assert_non_null(pool);
    assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
    assert_int_equal(counts.threads, 3);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(setenv("YOKE_WORKERS", "none", 1), 0);
    assert_null(yoke_thread_pool(0));
    assert_non_null(strstr(yoke_error_detail(), "YOKE_WORKERS"));
    assert_int_equal(unsetenv("YOKE_WORKERS"), 0);
    assert_int_equal(setenv("YOKE_PIN", "glue", 1), 0);
    assert_null(yoke_thread_pool(1));
    assert_int_equal(unsetenv("YOKE_PIN"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_threads),
        cmocka_unit_test(test_environment),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
