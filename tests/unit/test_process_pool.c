/* The pool of processes does what the pool of threads does: tasks, results, maps, order, names, cancelling, ends. */
#include <sched.h>
#include <sys/resource.h>

#include "tests/unit/processes.h"

enum { PROCESSES = 2, MOST_ITEMS = 100000 };

static yoke_executor *pool;

static int open_one(void **state)
{
    (void)state;
    pool = yoke_process_pool(PROCESSES);
    return pool != NULL ? 0 : -1;
}

static int close_one(void **state)
{
    (void)state;
    assert_balanced(pool);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_no_children();
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    yoke_future f[100];
    memset(f, 0, sizeof f);
    const yoke_task_options copied = {.argument_bytes = sizeof(int)};
    for (int k = 0; k < 100; k++)
        assert_int_equal(yoke_submit_on(pool, &copied, &f[k], square, &k), YOKE_OK);
    for (int k = 0; k < 100; k++) {
        int result;
        assert_int_equal(yoke_result(&f[k], &result, sizeof result, 0), YOKE_OK);
        assert_int_equal(result, k * k);
    }
    int number;
    assert_int_equal(run_int(pool, (yoke_task_options){0}, own_number, 0, &number), YOKE_OK);
    assert_int_not_equal(number, getpid());
    assert_int_equal(run_int(pool, (yoke_task_options){0}, fail_with, -77, NULL), -77);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, fail_with, INT32_MIN, NULL), INT32_MIN);
}

/* --- sizes --- */

typedef struct block {
    size_t count;
    unsigned char bytes[];
} block;

static int reverse(void *argument, void *result)
{
    const block *b = argument;
    unsigned char *out = result;
    for (size_t k = 0; k < b->count; k++)
        if (out[k] != 0)
            return -1; /* it is zeroed before */
    for (size_t k = 0; k < b->count; k++)
        out[k] = b->bytes[b->count - 1 - k];
    return 0;
}

static void check_size(size_t count)
{
    block *b = malloc(sizeof *b + count);
    unsigned char *out = malloc(count + 1);
    assert_true(b != NULL && out != NULL);
    if (b == NULL || out == NULL)
        return;
    b->count = count;
    for (size_t k = 0; k < count; k++)
        b->bytes[k] = (unsigned char)(k * 7 + k / 256);
    memset(out, 0xee, count + 1);
    yoke_future f = {0};
    const yoke_task_options o = {.argument_bytes = sizeof *b + count, .result = out, .result_bytes = count};
    assert_int_equal(yoke_submit_on(pool, &o, &f, reverse, b), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
    for (size_t k = 0; k < count; k++)
        assert_int_equal(out[k], b->bytes[count - 1 - k]);
    assert_int_equal(out[count], 0xee);
    free(out);
    free(b);
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 8, 24, 25, 64, 183, 184, 185, 191, 192, 193, 200, 4095, 4096, 4097, 1 << 20};
    for (unsigned round = 0; round < 2; round++) /* and over what the round before left */
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            check_size(counts[k]);
    yoke_future f = {0};
    char byte = 0;
    const yoke_task_options most = {.argument_bytes = (16 << 20) - 4096};
    const yoke_task_options more = {.argument_bytes = (16 << 20) - 4095};
    const yoke_task_options huge = {.argument_bytes = SIZE_MAX, .result = &byte, .result_bytes = SIZE_MAX};
    char *large = calloc(1, most.argument_bytes);
    assert_non_null(large);
    assert_int_equal(yoke_submit_on(pool, &most, &f, do_nothing, large), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
    free(large);
    assert_int_equal(yoke_submit_on(pool, &more, &f, do_nothing, &byte), YOKE_EINVAL);
    assert_int_equal(yoke_submit_on(pool, &huge, &f, do_nothing, &byte), YOKE_EINVAL);
}

/* --- maps --- */

static int cube_or_fail(void *argument, void *result)
{
    const int *x = argument;
    *(long *)result = (long)*x * *x * *x;
    return *x % 100 == 99 ? *x : 0;
}

static void check_map(int count, size_t chunk)
{
    static int items[MOST_ITEMS], statuses[MOST_ITEMS];
    static long results[MOST_ITEMS];
    for (int k = 0; k < count; k++)
        items[k] = k;
    const yoke_map_options o = {.chunk = chunk, .statuses = statuses};
    const int status =
        yoke_map_on(pool, &o, cube_or_fail, (size_t)count, items, sizeof *items, results, sizeof *results);
    assert_int_equal(status, count > 99 ? 99 : 0);
    for (int k = 0; k < count; k++) {
        assert_int_equal(statuses[k], k % 100 == 99 ? k : 0);
        assert_int_equal(results[k], (long)k * k * k);
    }
}

static void test_map(void **state)
{
    (void)state;
    check_map(1, 0);
    check_map(5, 1);
    check_map(99, 7);
    check_map(1000, 0);
    check_map(MOST_ITEMS, 40000);
    int one = 1;
    assert_int_equal(yoke_map(pool, do_nothing, 7, NULL, 0, NULL, 0), YOKE_OK);
    assert_int_equal(yoke_map(pool, do_nothing, 7, &one, 0, NULL, 0), YOKE_EINVAL);
    assert_int_equal(yoke_map(pool, do_nothing, 7, NULL, 0, &one, 0), YOKE_EINVAL);
    assert_int_equal(yoke_map(pool, do_nothing, 1, &one, 17 << 20, NULL, 0), YOKE_EINVAL);
    const yoke_map_options late = {.deadline_ns = 1};
    const int status = yoke_map_on(pool, &late, square, 1, &one, sizeof one, &one, sizeof one);
    assert_int_equal(status, YOKE_ETIMEDOUT);
}

/* More than the processes share goes there in parts. */
static int sum_block(void *argument, void *result)
{
    const unsigned char *bytes = argument;
    for (size_t k = 0; k < 1000; k++)
        *(unsigned *)result += bytes[k];
    return 0;
}

static void test_map_in_parts(void **state)
{
    (void)state;
    enum { COUNT = 300, BYTES = 1000 };
    yoke_executor *small = open_pool((yoke_process_pool_options){.processes = 2, .shared_bytes = 3 * DATA_AT});
    unsigned char *items = malloc(COUNT * BYTES);
    unsigned sums[COUNT];
    assert_non_null(items);
    for (size_t k = 0; k < COUNT * BYTES; k++)
        items[k] = (unsigned char)(k / BYTES + k);
    const yoke_map_options o = {.chunk = 150};
    assert_int_equal(yoke_map_on(small, &o, sum_block, COUNT, items, BYTES, sums, sizeof *sums), YOKE_OK);
    for (size_t k = 0; k < COUNT; k++) {
        unsigned expected = 0;
        for (size_t j = 0; j < BYTES; j++)
            expected += items[k * BYTES + j];
        assert_int_equal(sums[k], expected);
    }
    free(items);
    assert_int_equal(yoke_join(small, 0), YOKE_OK);
}

/* --- the rest of the interface --- */

static int tell_name(void *argument, void *result)
{
    (void)argument;
    (void)snprintf(result, YOKE_RESULT_BYTES, "%s", yoke_task_name());
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    yoke_future f = {0};
    char name[YOKE_RESULT_BYTES];
    assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.name = "Ada"}, &f, tell_name, NULL), YOKE_OK);
    assert_int_equal(yoke_result(&f, name, sizeof name, 0), YOKE_OK);
    assert_string_equal(name, "Ada");
    assert_int_equal(yoke_submit(pool, &f, tell_name, NULL), YOKE_OK);
    assert_int_equal(yoke_result(&f, name, sizeof name, 0), YOKE_OK);
    assert_string_equal(name, "");
}

static void test_bad_input(void **state)
{
    (void)state;
    yoke_future f = {0};
    int x = 0;
    assert_int_equal(yoke_submit(pool, &f, square, &x), YOKE_EINVAL);
    assert_non_null(strstr(yoke_error_detail(), "argument_bytes"));
    assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.retries = 256}, &f, square, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.time_limit_ns = -1}, &f, square, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.result_bytes = 1}, &f, square, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_IDLE);
    assert_null(yoke_process_pool_on(&(yoke_process_pool_options){.size = 3}));
    assert_null(yoke_process_pool_on(&(yoke_process_pool_options){.flags = 1u << 20}));
    assert_null(yoke_process_pool_on(&(yoke_process_pool_options){.shared_bytes = 100}));
    assert_null(yoke_process_pool(YOKE_MAX_WORKERS));
    yoke_executor *threads = yoke_thread_pool(1);
    assert_non_null(threads);
    assert_int_equal(yoke_submit_on(threads, &(yoke_task_options){.retries = 1}, &f, square, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_submit_on(threads, &(yoke_task_options){.time_limit_ns = 1}, &f, square, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_join(threads, 0), YOKE_OK);
}

/* A function that the worker has not: no code of any object there. */
static void test_not_found(void **state)
{
    (void)state;
    yoke_future f = {0};
    int here = 0;
    yoke_function *nowhere = (yoke_function *)(uintptr_t)&here;
    assert_int_equal(yoke_submit(pool, &f, nowhere, NULL), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_EINVAL);
    assert_non_null(strstr(yoke_error_detail(), "in no object"));
    assert_int_equal(yoke_map(pool, nowhere, 3, NULL, 0, NULL, 0), YOKE_EINVAL);
}

/* Threads take a larger result too. */
static void test_result_room_of_threads(void **state)
{
    (void)state;
    yoke_executor *threads = yoke_thread_pool(1);
    const char text[] = "0123456789012345678901234567890123456789";
    unsigned char argument[sizeof(block) + sizeof text], out[sizeof text];
    block *b = (block *)(void *)argument;
    assert_non_null(threads);
    b->count = sizeof text;
    memcpy(b->bytes, text, sizeof text);
    memset(out, 0xee, sizeof out);
    yoke_future f = {0};
    const yoke_task_options o = {.result = out, .result_bytes = sizeof out};
    assert_int_equal(yoke_submit_on(threads, &o, &f, reverse, b), YOKE_OK);
    assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
    assert_int_equal(out[1], '9');
    assert_int_equal(yoke_join(threads, 0), YOKE_OK);
}

static int sleep_ms(void *argument, void *result)
{
    (void)result;
    sleep_ns(*(const int *)argument * (int64_t)MS);
    return 0;
}

static void test_cancel_and_close(void **state)
{
    (void)state;
    yoke_executor *one = open_pool((yoke_process_pool_options){.processes = 1});
    yoke_future f[10];
    int ms = 300;
    memset(f, 0, sizeof f);
    const yoke_task_options o = {.argument_bytes = sizeof ms};
    for (unsigned k = 0; k < 10; k++)
        assert_int_equal(yoke_submit_on(one, &o, &f[k], sleep_ms, &ms), YOKE_OK);
    while (yoke_state_of(&f[0]) == YOKE_FUTURE_PENDING)
        sleep_ns(MS);
    assert_int_equal(yoke_cancel(&f[0]), YOKE_EBUSY);
    assert_int_equal(yoke_cancel(&f[5]), YOKE_OK);
    assert_int_equal(yoke_cancel_all(one), 8);
    assert_int_equal(yoke_executor_close(one), YOKE_OK);
    assert_int_equal(yoke_submit_on(one, &o, &f[9], sleep_ms, &ms), YOKE_ESTATE);
    assert_int_equal(yoke_join(one, yoke_deadline_in(1)), YOKE_ETIMEDOUT);
    assert_balanced(one);
    yoke_executor_counts c;
    assert_int_equal(yoke_executor_count(one, &c), YOKE_OK);
    assert_true(c.submitted == 10 && c.done == 1 && c.cancelled == 9 && c.threads == 1);
    assert_int_equal(yoke_join(one, 0), YOKE_OK);
}

/* Each on a process of its own, at once; a task in one can open a pool itself. */
static int stay_a_while(void *argument, void *result)
{
    sleep_ns(300 * MS);
    return own_number(argument, result);
}

static int use_own_pool(void *argument, void *result)
{
    const yoke_task_options o = {.argument_bytes = sizeof(int)};
    yoke_executor *inner = yoke_process_pool(1);
    yoke_future f = {0};
    if (inner == NULL || yoke_submit_on(inner, &o, &f, square, argument) != YOKE_OK)
        return -1;
    const int status = yoke_result(&f, result, sizeof(int), 0);
    return status == YOKE_OK ? yoke_join(inner, 0) : status;
}

static void test_at_once(void **state)
{
    (void)state;
    yoke_future f[PROCESSES];
    int numbers[PROCESSES], nested = 0;
    memset(f, 0, sizeof f);
    for (unsigned k = 0; k < PROCESSES; k++)
        assert_int_equal(yoke_submit(pool, &f[k], stay_a_while, NULL), YOKE_OK);
    for (unsigned k = 0; k < PROCESSES; k++)
        assert_int_equal(yoke_result(&f[k], &numbers[k], sizeof numbers[k], 0), YOKE_OK);
    assert_int_not_equal(numbers[0], numbers[1]);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, use_own_pool, 12, &nested), YOKE_OK);
    assert_int_equal(nested, 144);
}

static void test_queue(void **state)
{
    (void)state;
    yoke_executor *one = open_pool((yoke_process_pool_options){.processes = 1, .queue = 2, .flags = YOKE_POOL_REFUSE});
    yoke_future f[4];
    atomic_uint calls = 0;
    memset(f, 0, sizeof f);
    assert_int_equal(yoke_submit(one, &f[0], stay_a_while, NULL), YOKE_OK);
    while (yoke_state_of(&f[0]) == YOKE_FUTURE_PENDING)
        sleep_ns(MS);
    const yoke_task_options low = {.priority = YOKE_PRIORITY_LOW, .flags = YOKE_TASK_BLOCKS};
    assert_int_equal(yoke_submit_on(one, &low, &f[1], stay_a_while, NULL), YOKE_OK);
    assert_int_equal(yoke_submit(one, &f[2], own_number, NULL), YOKE_OK);
    assert_int_equal(yoke_submit(one, &f[3], own_number, NULL), YOKE_EFULL);
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(yoke_then(&f[k], count_call, &calls), YOKE_OK);
    assert_int_equal(yoke_wait_any((yoke_future *[]){&f[1], &f[2]}, 2, 0), 1); /* the higher priority first */
    assert_int_equal(yoke_gather((yoke_future *[]){&f[0], &f[1], &f[2]}, 3, 0), YOKE_OK);
    assert_int_equal(atomic_load(&calls), 3);
    assert_int_equal(yoke_join(one, 0), YOKE_OK);
}

static void test_dependencies(void **state)
{
    (void)state;
    yoke_future first = {0}, second = {0}, third = {0};
    yoke_future *one[] = {&first}, *two[] = {&second};
    int crash = SIGKILL;
    const yoke_task_options o = {.argument_bytes = sizeof crash};
    assert_int_equal(yoke_submit_on(pool, &o, &first, die_by, &crash), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &second, own_number, NULL, one, 1), YOKE_OK);
    assert_int_equal(yoke_submit_after(pool, &third, own_number, NULL, two, 1), YOKE_OK);
    assert_int_equal(yoke_result(&third, NULL, 0, 0), YOKE_ECRASH);
    assert_int_equal(yoke_result(&first, NULL, 0, 0), YOKE_ECRASH);
    assert_int_equal(yoke_result(&second, NULL, 0, 0), YOKE_ECRASH);
}

static int count_cpus(void *argument, void *result)
{
    cpu_set_t set;
    (void)argument;
    *(int *)result = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
    return 0;
}

static void test_pins(void **state)
{
    (void)state;
    cpu_set_t all;
    int cpus;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, count_cpus, 0, &cpus), YOKE_OK);
    assert_int_equal(cpus, CPU_COUNT(&all)); /* not those of the pool's threads, nor of who opens it */
    yoke_executor *pinned = open_pool((yoke_process_pool_options){.processes = 1, .pin = YOKE_PIN_COMPACT});
    assert_int_equal(run_int(pinned, (yoke_task_options){0}, count_cpus, 0, &cpus), YOKE_OK);
    assert_true(cpus >= 1 && cpus <= CPU_COUNT(&all));
    assert_int_equal(yoke_join(pinned, 0), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results, open_one, close_one),
        cmocka_unit_test_setup_teardown(test_sizes, open_one, close_one),
        cmocka_unit_test_setup_teardown(test_map, open_one, close_one),
        cmocka_unit_test(test_map_in_parts),
        cmocka_unit_test_setup_teardown(test_names, open_one, close_one),
        cmocka_unit_test_setup_teardown(test_bad_input, open_one, close_one),
        cmocka_unit_test_setup_teardown(test_not_found, open_one, close_one),
        cmocka_unit_test(test_result_room_of_threads),
        cmocka_unit_test(test_cancel_and_close),
        cmocka_unit_test_setup_teardown(test_at_once, open_one, close_one),
        cmocka_unit_test(test_queue),
        cmocka_unit_test_setup_teardown(test_dependencies, open_one, close_one),
        cmocka_unit_test_setup_teardown(test_pins, open_one, close_one),
    };
    if (no_processes())
        return 77;
    alarm_in(120);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
