/* Shared arrays while worker processes die, stop, lie, or have something else at the address; short of memory and
 * descriptors; beside limits and forks. */
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/unit/shared_arrays.h"

enum { COUNT = 5000 };
static const int64_t SHORT_NS = 150 * MS;

static yoke_executor *open_with_fault(int step, int action, unsigned times)
{
    yoke__process_fault_next = (yoke__process_fault){step, action, times};
    return open_pool((yoke_process_pool_options){.processes = 1});
}

static void end_pool(yoke_executor *pool)
{
    yoke__process_fault_next.times = 0;
    assert_balanced(pool);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

static void assert_told(const char *what)
{
    if (strstr(yoke_error_detail(), what) == NULL)
        fail_msg("the detail \"%s\" does not tell: %s", yoke_error_detail(), what);
}

/* --- workers that die --- */

static int scale_and_die(void *argument, void *result)
{
    (void)scale(argument, result);
    return raise(SIGKILL);
}

static void test_killed_while_writing(void **state)
{
    (void)state;
    unsigned *x = shared_numbers(COUNT);
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 2});
    for (unsigned k = 0; k < COUNT; k++)
        x[k] = k;
    assert_int_equal(run_part(pool, scale_and_die, (part){x, x, 1000, 2000, 3}), YOKE_ECRASH);
    for (unsigned k = 0; k < COUNT; k++)
        assert_true(x[k] == k || (k >= 1000 && k < 2000));
    check_scaled(pool, x, x + COUNT / 2, COUNT / 2, 7);
    end_pool(pool);
    assert_int_equal(yoke_free(x), YOKE_OK);
}

/* Nothing of the task had run: it does not notice. */
static void test_killed_while_mapping(void **state)
{
    (void)state;
    static const int actions[] = {ACT_KILL, ACT_GARBAGE, ACT_SHORT};
    for (unsigned k = 0; k < 3; k++) {
        unsigned *x = shared_numbers(COUNT);
        yoke_executor *pool = open_with_fault(STEP_ARRAYS, actions[k], 2);
        check_scaled(pool, x, x + COUNT / 2, COUNT / 2, 7);
        unsigned item = 5, result = 0;
        yoke__process_fault_next.times = 0;
        assert_int_equal(yoke_free(x), YOKE_OK);
        assert_int_equal(yoke_map(pool, square, 1, &item, sizeof item, &result, sizeof result), YOKE_OK);
        assert_int_equal(result, 25);
        end_pool(pool);
    }
}

static void test_stopped_while_mapping(void **state)
{
    (void)state;
    unsigned *x = shared_numbers(COUNT);
    yoke_executor *pool = open_with_fault(STEP_ARRAYS, ACT_STOP, 1);
    assert_int_equal(run_int(pool, (yoke_task_options){.time_limit_ns = SHORT_NS}, square, 5, NULL), YOKE_ETIMEDOUT);
    check_scaled(pool, x, x + COUNT / 2, COUNT / 2, 7);
    end_pool(pool);
    assert_int_equal(yoke_free(x), YOKE_OK);
}

/* --- something else is there --- */

static void test_occupied(void **state)
{
    (void)state;
    unsigned *x = shared_numbers(COUNT);
    for (unsigned times = 1; times <= 4; times += 3) { /* another process takes the place */
        yoke_executor *pool = open_with_fault(STEP_ARRAYS, ACT_OCCUPY, times);
        check_scaled(pool, x, x + COUNT / 2, COUNT / 2, times);
        end_pool(pool);
    }
    yoke_executor *pool = open_with_fault(STEP_ARRAYS, ACT_OCCUPY, 1000);
    for (unsigned k = 0; k < 4; k++) { /* many more processes than `restarts`, but none died */
        assert_int_equal(run_int(pool, (yoke_task_options){.retries = 3, .name = "Eve"}, square, 5, NULL), YOKE_EIO);
        assert_told("Eve");
        assert_told("address of a shared array");
    }
    int items[3] = {1, 2, 3}, results[3] = {7, 7, 7};
    assert_int_equal(yoke_map(pool, square, 3, items, sizeof *items, results, sizeof *results), YOKE_EIO);
    assert_int_equal(results[2], 0);
    yoke__process_fault_next.times = 0;
    check_scaled(pool, x, x + COUNT / 2, COUNT / 2, 9);
    end_pool(pool);
    assert_int_equal(yoke_free(x), YOKE_OK);
}

/* --- limits --- */

static int fill_memory(void *argument, void *result)
{
    (void)result;
    void *volatile memory = malloc((size_t)1024 * 1024 * (size_t) * (const int *)argument);
    const int status = memory != NULL ? 0 : -5;
    free(memory);
    return status;
}

/* What is shared does not count as the process's memory. */
static void test_memory_limit(void **state)
{
    (void)state;
    if (SANITIZED)
        skip(); /* it takes terabytes of addresses */
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1, .memory_bytes = (size_t)512 << 20});
    for (unsigned round = 0; round < 3; round++) {
        unsigned *x = shared_numbers((size_t)1 << 28);
        check_scaled(pool, x, x + COUNT, COUNT, 3);
        assert_int_equal(run_int(pool, (yoke_task_options){0}, fill_memory, 16, NULL), YOKE_OK);
        assert_int_equal(run_int(pool, (yoke_task_options){0}, fill_memory, 600, NULL), -5);
        assert_int_equal(yoke_free(x), YOKE_OK);
        assert_int_equal(run_int(pool, (yoke_task_options){0}, fill_memory, 600, NULL), -5);
    }
    end_pool(pool);
}

/* The list of arrays has no memory: the task is refused, the next one is not. */
static void test_no_memory(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    unsigned refused = 0;
    for (unsigned long nth = 1; nth <= 4; nth++) {
        unsigned *x = shared_numbers(COUNT);
        yoke__alloc_fail_at(nth, false);
        const int status = run_part(pool, scale, (part){x, x, 0, 10, 3});
        yoke__alloc_fail_at(0, false);
        assert_true(status == YOKE_OK || status == YOKE_ENOMEM);
        refused += status == YOKE_ENOMEM;
        check_scaled(pool, x, x + COUNT / 2, COUNT / 2, 7);
        assert_int_equal(yoke_free(x), YOKE_OK);
    }
    assert_true(refused >= 1);
    end_pool(pool);
}

/* --- forks --- */

/* In a child: the parent's array, in pools of its own, until it frees it for itself. */
static bool child_shares(void *argument)
{
    unsigned *x = argument;
    yoke_executor *pool = yoke_process_pool(1);
    part p = {x, x + 100, 0, 100, 3};
    yoke_future f = {0};
    if (pool == NULL || yoke_submit_on(pool, &of_part, &f, scale, &p) != YOKE_OK ||
        yoke_result(&f, NULL, 0, 0) != YOKE_OK)
        return false;
    x[500] = 42;
    return yoke_free(x) == YOKE_OK && yoke_join(pool, 0) == YOKE_OK && count_maps((long)getpid()) == 0;
}

static void test_fork(void **state)
{
    (void)state;
    unsigned *x = shared_numbers(COUNT);
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    for (unsigned k = 0; k < COUNT; k++)
        x[k] = k;
    check_scaled(pool, x, x + 1000, 1000, 5);
    assert_int_equal(child_says(child_shares, x), 0);
    assert_int_equal(x[500], 42);
    for (unsigned k = 0; k < 100; k++)
        assert_int_equal(x[100 + k], k * 3 + 1);
    check_scaled(pool, x, x + 1000, 1000, 6);
    end_pool(pool);
    assert_int_equal(yoke_free(x), YOKE_OK);
}

/* --- a campaign --- */

enum { ARRAYS = 12, LENGTH = 300, FUSE = 2 * LENGTH };

/* At FUSE of the array: how many more processes are to die. */
static int scale_or_die(void *argument, void *result)
{
    const part *p = argument;
    unsigned *fuse = &p->out[FUSE - LENGTH];
    (void)result;
    for (size_t k = p->begin; k < p->end; k++) {
        if (k == p->factor && *fuse > 0) {
            --*fuse;
            (void)raise(SIGKILL);
        }
        p->out[k] = p->in[k] + 1;
    }
    return 0;
}

static unsigned *submit_one(yoke_executor *pool, yoke_future *f, part *p, unsigned *x, uint64_t *random)
{
    const yoke_task_options o = {.argument_bytes = sizeof *p, .retries = 2};
    if (draw_below(random, 4) == 0) {
        assert_int_equal(yoke_free(x), YOKE_OK);
        x = shared_numbers(FUSE + 1);
    }
    for (unsigned k = 0; k < 10; k++)
        x[draw_below(random, LENGTH)] = (unsigned)draw(random);
    x[FUSE] = draw_below(random, 10) == 0 ? 1 + (unsigned)draw_below(random, 2) : 0;
    *p = (part){x, x + LENGTH, 0, LENGTH, (unsigned)draw_below(random, LENGTH)};
    assert_int_equal(yoke_submit_on(pool, &o, f, scale_or_die, p), YOKE_OK);
    return x;
}

/* Arrays come and go, and processes die, while tasks write to all that are there. */
static void test_random(void **state)
{
    (void)state;
    uint64_t random = seed_of("shared arrays at random");
    unsigned *x[ARRAYS];
    yoke_future f[ARRAYS];
    part p[ARRAYS];
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 3, .restarts = YOKE_MAX_WORKERS});
    for (size_t k = 0; k < ARRAYS; k++)
        x[k] = shared_numbers(FUSE + 1);
    for (unsigned long round = rounds_of(60); round > 0; round--) {
        memset(f, 0, sizeof f);
        for (size_t k = 0; k < ARRAYS; k++)
            x[k] = submit_one(pool, &f[k], &p[k], x[k], &random);
        for (size_t k = 0; k < ARRAYS; k++) {
            if (yoke_result(&f[k], NULL, 0, 0) != YOKE_OK)
                fail_msg("%s", yoke_error_detail());
            for (size_t j = 0; j < LENGTH; j++)
                assert_int_equal(x[k][LENGTH + j], x[k][j] + 1);
        }
    }
    for (size_t k = 0; k < ARRAYS; k++)
        assert_int_equal(yoke_free(x[k]), YOKE_OK);
    end_pool(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fork, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_killed_while_writing, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_killed_while_mapping, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_stopped_while_mapping, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_occupied, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_memory_limit, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_no_memory, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_random, note_files, nothing_is_left),
    };
    if (no_processes())
        return 77;
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    alarm_in(120);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
