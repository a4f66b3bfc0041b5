/* YOKE_TRACE: the tasks of pools. */
#include "tests/emulated.h"
#include "tests/tool/traced.h"
#include "yoke/executor.h"

enum { TASKS = 20, FAILS = 3 };

static int count(void *argument, void *result)
{
    (void)result;
    return *(int *)argument < FAILS ? 7 : 0;
}

/* One thread: what it waits for runs inside of it. */
static int wait_for_another(void *argument, void *result)
{
    static int fine = FAILS;
    yoke_future inner = {0};
    yoke_executor *pool = argument;
    (void)result;
    const yoke_task_options options = {.name = "the inner one"};
    if (yoke_submit_on(pool, &options, &inner, count, &fine) != YOKE_OK)
        return 1;
    return yoke_result(&inner, NULL, 0, 0);
}

static int traced_tasks(void)
{
    static int numbers[TASKS];
    static yoke_future futures[TASKS], outer, elsewhere;
    (void)setenv("YOKE_TRACE", path, 1);
    yoke_executor *pool = yoke_thread_pool(1), *processes = is_emulated() ? NULL : yoke_process_pool(1);
    int status = pool == NULL || (processes == NULL && !is_emulated());
    for (int k = 0; k < TASKS && status == 0; k++) {
        const yoke_task_options options = {.name = k % 2 == 0 ? "even \"tasks\"" : NULL};
        numbers[k] = k;
        status = yoke_submit_on(pool, &options, &futures[k], count, &numbers[k]);
    }
    if (status == 0)
        status = yoke_submit_on(pool, &(yoke_task_options){.name = "the outer one"}, &outer, wait_for_another, pool);
    if (status == 0 && processes != NULL)
        status = yoke_submit_on(processes, &(yoke_task_options){.name = "elsewhere", .argument_bytes = sizeof(int)},
                                &elsewhere, count, &numbers[FAILS]);
    if (status != 0 || yoke_result(&outer, NULL, 0, 0) != 0)
        return 9;
    if (processes != NULL && yoke_result(&elsewhere, NULL, 0, 0) != 0)
        return 10;
    return yoke_join(processes, 0) != YOKE_OK || yoke_join(pool, 0) != YOKE_OK;
}

static void expect_lines(const char *with, long lines)
{
    (void)shell("grep -cF '%s' %s", with, path);
    if (strtol(said, NULL, 10) != lines)
        fail_msg("%ld lines with %s, not %ld", strtol(said, NULL, 10), with, lines);
}

static void tasks_have_their_names(void **state)
{
    (void)state;
    assert_int_equal(in_child(traced_tasks), 0);
    (void)check_json(path);
    const int elsewhere = is_emulated() ? 0 : 1; /* the emulator runs no worker processes */
    expect_lines("\"cat\":\"task\"", TASKS + 2 + elsewhere);
    expect_lines("even \\\"tasks\\\"", TASKS / 2);
    expect_lines("\"name\":\"task\"", TASKS / 2);
    expect_lines("\"succeeded\":0", FAILS);
    expect_lines("\"name\":\"elsewhere\"", elsewhere);
    expect_lines("\"name\":\"the inner one\",\"args\":{\"succeeded\":1,\"inside\":1}", 1);
    expect_lines("\"inside\":1", 1);
    assert_int_equal(shell(YOKE_TOOL " trace %s 2>&1", path), 0);
    assert_says("yoke-pool/0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tasks_have_their_names, make_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
