/* What the tests of the process pool share: where it cannot be tested, counts of what it may leak, functions of tasks. */
#ifndef YOKE_TESTS_UNIT_PROCESSES_H
#define YOKE_TESTS_UNIT_PROCESSES_H

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/executor/process.h"
#include "tests/emulated.h"
#include "tests/unit/tasks.h"

/* True, with the reason printed, where worker processes cannot be had. */
static inline bool no_processes(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (emulated("/proc/self/exe is the emulator's, and a worker cannot be started from it"))
        return true;
    if (SANITIZED_THREADS) {
        printf("SKIP: the thread sanitizer does not support threads and processes started in a constructor\n");
        return true;
    }
    if (preload != NULL && strstr(preload, "valgrind") != NULL) {
        printf("SKIP: under valgrind /proc/self/exe is valgrind's\n");
        return true;
    }
    return false;
}

/* None of ours, alive or not reaped. */
static inline void assert_no_children(void)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

static inline void assert_balanced(yoke_executor *pool)
{
    yoke_executor_counts c;
    for (unsigned k = 0; k < 1000; k++) { /* a task counts as ended soon after its future has */
        assert_int_equal(yoke_executor_count(pool, &c), YOKE_OK);
        if (c.running == 0 && c.waiting == 0)
            break;
        sleep_ns(MS);
    }
    assert_int_equal(c.submitted, c.done + c.failed + c.cancelled);
}

static inline yoke_executor *open_pool(yoke_process_pool_options options)
{
    yoke_executor *pool = yoke_process_pool_on(&options);
    if (pool == NULL)
        fail_msg("no pool: %s", yoke_error_detail());
    return pool;
}

static inline int run_int(yoke_executor *pool, yoke_task_options options, yoke_function *function, int argument,
                          int *result)
{
    yoke_future f = {0};
    options.argument_bytes = sizeof argument;
    assert_int_equal(yoke_submit_on(pool, &options, &f, function, &argument), YOKE_OK);
    return yoke_result(&f, result, result != NULL ? sizeof *result : 0, 0);
}

/* --- run by workers --- */

__attribute__((unused)) static int square(void *argument, void *result)
{
    const int *x = argument;
    *(int *)result = *x * *x;
    return 0;
}

__attribute__((unused)) static int own_number(void *argument, void *result)
{
    (void)argument;
    *(int *)result = (int)getpid();
    return 0;
}

__attribute__((unused)) static int die_by(void *argument, void *result)
{
    const int *number = argument;
    (void)result;
    (void)signal(*number, SIG_DFL); /* a sanitizer would tell, and exit */
    (void)raise(*number);
    return 0;
}

__attribute__((unused)) static int leave_with(void *argument, void *result)
{
    (void)result;
    _exit(*(const int *)argument);
}

__attribute__((unused)) static int sleep_for_ever(void *argument, void *result)
{
    (void)argument, (void)result;
    while (pause() != 0)
        ;
    return 0;
}

#endif
