/* Worker processes that die, stop, lie and run too long, at every step of the protocol: what it costs, and what is told. */
#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "tests/unit/processes.h"
#include "yoke/memory.h"

static const int64_t SHORT_NS = 150 * MS;

static yoke_executor *open_with_fault(int step, int action)
{
    yoke__process_fault_next = (yoke__process_fault){step, action, 1};
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    yoke__process_fault_next.times = 0;
    return pool;
}

static void end_pool(yoke_executor *pool)
{
    int nine;
    assert_int_equal(run_int(pool, (yoke_task_options){0}, square, 3, &nine), YOKE_OK); /* it goes on */
    assert_int_equal(nine, 9);
    assert_balanced(pool);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_no_children();
}

static void assert_told(const char *what)
{
    if (strstr(yoke_error_detail(), what) == NULL)
        fail_msg("the detail \"%s\" does not tell: %s", yoke_error_detail(), what);
}

/* --- killed at each step --- */

static void check_kill(int step, unsigned retries, int expected)
{
    int result = 0;
    yoke_executor *pool = open_with_fault(step, ACT_KILL);
    const int status = run_int(pool, (yoke_task_options){.retries = retries}, square, 5, &result);
    assert_int_equal(status, expected);
    if (expected == YOKE_OK)
        assert_int_equal(result, 25);
    else
        assert_told("signal 9");
    end_pool(pool);
}

static void test_killed_at_each_step(void **state)
{
    (void)state;
    check_kill(STEP_HELLO, 0, YOKE_OK); /* nothing of the task had run */
    check_kill(STEP_REQUEST, 0, YOKE_OK);
    check_kill(STEP_BEGUN, 0, YOKE_ECRASH);
    check_kill(STEP_BEGUN, 1, YOKE_OK);
    check_kill(STEP_RAN, 0, YOKE_ECRASH);
    check_kill(STEP_RAN, 2, YOKE_OK);
    check_kill(STEP_REPLIED, 0, YOKE_OK);
}

static void test_killed_at_start(void **state)
{
    (void)state;
    yoke__process_fault_next = (yoke__process_fault){STEP_START, ACT_KILL, 1};
    assert_null(yoke_process_pool(1));
    assert_told("signal 9");
    assert_no_children();
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    yoke__process_fault_next = (yoke__process_fault){STEP_START, ACT_KILL, 3};
    assert_int_equal(run_int(pool, (yoke_task_options){0}, die_by, SIGKILL, NULL), YOKE_ECRASH);
    end_pool(pool);
}

/* --- between two looks --- */

/* The system looks at one descriptor after the other. With this, much can happen between its looks. */
static atomic_bool looks_slowly;

static int poll_now(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * MS};
    return (int)syscall(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &limit, NULL, 8);
}

int poll_slowly(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll"); /* instead of the system's */
int poll_slowly(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (!atomic_load(&looks_slowly) || count != 2 || fds[1].fd < 0)
        return poll_now(fds, count, timeout_ms);
    const int first = poll_now(fds, 1, 0);
    fds[1].revents = 0;
    return first != 0 ? first : poll_now(fds + 1, 1, timeout_ms);
}

static int square_slowly(void *argument, void *result)
{
    sleep_ns(50 * MS);
    return square(argument, result);
}

/* It replies and dies just after the look at the connection, and before the look at the process. */
static void test_last_words(void **state)
{
    (void)state;
    int result = 0;
    yoke_executor *pool = open_with_fault(STEP_REPLIED, ACT_KILL);
    atomic_store(&looks_slowly, true);
    const int status = run_int(pool, (yoke_task_options){0}, square_slowly, 5, &result);
    atomic_store(&looks_slowly, false);
    assert_int_equal(status, YOKE_OK);
    assert_int_equal(result, 25);
    end_pool(pool);
}

/* A task whose function is not found has not begun, and neither has the next one, whose process was killed before. */
static void test_killed_after_a_refusal(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    void *library = dlopen("libBrokenLocale.so.1", RTLD_NOW); /* small, and nobody uses it */
    void *function = library != NULL ? dlsym(library, "__ctype_get_mb_cur_max") : NULL;
    yoke_function *foreign;
    siginfo_t info;
    int number, result;
    if (function == NULL) {
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        skip();
    }
    memcpy(&foreign, &function, sizeof foreign);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, own_number, 0, &number), YOKE_OK);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, foreign, 0, NULL), YOKE_EINVAL);
    assert_int_equal(kill((pid_t)number, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)number, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, square, 5, &result), YOKE_OK);
    assert_int_equal(result, 25);
    end_pool(pool);
    (void)dlclose(library);
}

/* --- items --- */

/* The item that runs is lost, those before it stand, and those after it run. */
static int die_at_50(void *argument, void *result)
{
    const int *x = argument;
    if (*x == 50)
        (void)raise(SIGKILL);
    *(int *)result = *x + 1;
    return 0;
}

static void check_items(yoke_executor *pool, int lost)
{
    int items[100], results[100], statuses[100];
    for (int k = 0; k < 100; k++)
        items[k] = k + 50 - lost;
    const yoke_map_options o = {.chunk = 100, .statuses = statuses};
    const int status = yoke_map_on(pool, &o, die_at_50, 100, items, sizeof(int), results, sizeof(int));
    assert_int_equal(status, YOKE_ECRASH);
    for (int k = 0; k < 100; k++) {
        assert_int_equal(statuses[k], k == lost ? YOKE_ECRASH : 0);
        assert_int_equal(results[k], k == lost ? 0 : items[k] + 1);
    }
}

/* All have run, and only the process's last word is missing: none is lost, and none runs again. */
static void test_items_without_reply(void **state)
{
    (void)state;
    int items[10], results[10], statuses[10];
    for (int k = 0; k < 10; k++)
        items[k] = k;
    yoke_executor *pool = open_with_fault(STEP_RAN, ACT_KILL);
    const yoke_map_options o = {.chunk = 10, .statuses = statuses};
    assert_int_equal(yoke_map_on(pool, &o, own_number, 10, items, sizeof(int), results, sizeof(int)), YOKE_OK);
    for (int k = 0; k < 10; k++) {
        assert_int_equal(statuses[k], 0);
        assert_int_equal(results[k], results[0]); /* in one process */
    }
    end_pool(pool);
}

static void test_items(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    check_items(pool, 50);
    assert_told("item 50: ");
    assert_told("signal 9");
    check_items(pool, 0);
    check_items(pool, 99);
    end_pool(pool);
    /* It claims that all the items of the world have ended: then the first is the one that is lost. */
    pool = open_with_fault(STEP_BEGUN, ACT_PROGRESS);
    int items[10] = {0}, results[10], statuses[10];
    const yoke_map_options o = {.chunk = 10, .statuses = statuses};
    assert_int_equal(yoke_map_on(pool, &o, square, 10, items, sizeof(int), results, sizeof(int)), YOKE_ECRASH);
    for (int k = 0; k < 10; k++)
        assert_int_equal(statuses[k], k == 0 ? YOKE_ECRASH : 0);
    end_pool(pool);
}

/* --- limits and retries of each item --- */

typedef struct trial {
    unsigned *tries; /* in a shared array: how often it was tried */
    unsigned deaths; /* so often its process dies */
    int ms;          /* and then it takes so long; below 0: for ever */
} trial;

static int try_item(void *item, void *result)
{
    const trial *t = item;
    const unsigned before = __atomic_fetch_add(t->tries, 1, __ATOMIC_RELAXED);
    if (before < t->deaths)
        (void)raise(SIGKILL);
    if (t->ms < 0)
        return sleep_for_ever(item, result);
    sleep_ns(t->ms * (int64_t)MS);
    *(unsigned *)result = before + 1;
    return 0;
}

enum { TRIALS = 30 };

static int map_trials(yoke_executor *pool, trial *t, yoke_map_options o, unsigned *results, int *statuses)
{
    memset(t->tries, 0, TRIALS * sizeof *t->tries);
    o.chunk = TRIALS;
    o.statuses = statuses;
    return yoke_map_on(pool, &o, try_item, TRIALS, t, sizeof *t, results, sizeof *results);
}

static void test_item_retries(void **state)
{
    (void)state;
    trial t[TRIALS];
    unsigned results[TRIALS], *tries = yoke_alloc_shared(TRIALS * sizeof *tries, YOKE_PLACE_DEFAULT);
    int statuses[TRIALS];
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1, .restarts = 1000});
    assert_non_null(tries);
    for (unsigned k = 0; k < TRIALS; k++)
        t[k] = (trial){.tries = &tries[k], .deaths = k % 4};
    assert_int_equal(map_trials(pool, t, (yoke_map_options){.retries = 3}, results, statuses), YOKE_OK);
    for (unsigned k = 0; k < TRIALS; k++)
        assert_true(results[k] == k % 4 + 1 && tries[k] == k % 4 + 1);
    assert_int_equal(map_trials(pool, t, (yoke_map_options){.retries = 1}, results, statuses), YOKE_ECRASH);
    assert_told("item 2: ");
    for (unsigned k = 0; k < TRIALS; k++) {
        assert_int_equal(statuses[k], k % 4 > 1 ? YOKE_ECRASH : 0);
        assert_int_equal(results[k], k % 4 > 1 ? 0 : k % 4 + 1);
        assert_int_equal(tries[k], k % 4 > 1 ? 2 : k % 4 + 1);
    }
    end_pool(pool);
    assert_int_equal(yoke_free(tries), YOKE_OK);
}

static void test_item_limits(void **state)
{
    (void)state;
    const int64_t limit = SANITIZED ? 1000 * MS : 250 * MS;
    trial t[TRIALS];
    unsigned results[TRIALS], *tries = yoke_alloc_shared(TRIALS * sizeof *tries, YOKE_PLACE_DEFAULT);
    int statuses[TRIALS];
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    assert_non_null(tries);
    for (unsigned k = 0; k < TRIALS; k++)
        t[k] = (trial){.tries = &tries[k], .ms = k == 4 || k == TRIALS - 1 ? -1 : SANITIZED ? 40 : 10};
    const yoke_map_options o = {.time_limit_ns = limit, .retries = 5};
    assert_int_equal(map_trials(pool, t, o, results, statuses), YOKE_ETIMEDOUT);
    assert_told("item 4: ");
    assert_told("time limit of");
    for (unsigned k = 0; k < TRIALS; k++) { /* together they take longer than the limit of each */
        assert_int_equal(statuses[k], t[k].ms < 0 ? YOKE_ETIMEDOUT : 0);
        assert_int_equal(results[k], t[k].ms < 0 ? 0 : 1);
        assert_int_equal(tries[k], 1);
    }
    const yoke_map_options bad_limit = {.time_limit_ns = -1}, bad_retries = {.retries = 256};
    assert_int_equal(map_trials(pool, t, bad_limit, results, statuses), YOKE_EINVAL);
    assert_int_equal(map_trials(pool, t, bad_retries, results, statuses), YOKE_EINVAL);
    yoke_executor *threads = yoke_thread_pool(1);
    assert_non_null(threads);
    assert_int_equal(map_trials(threads, t, o, results, statuses), YOKE_EINVAL);
    assert_told("thread");
    assert_int_equal(yoke_join(threads, 0), YOKE_OK);
    end_pool(pool);
    assert_int_equal(yoke_free(tries), YOKE_OK);
}

/* After the last item, before the answer: nothing is lost. */
/* --- how it died --- */

static void test_signals_and_exits(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 2});
    char text[64];
    static const int signals[] = {SIGSEGV, SIGABRT, SIGKILL, SIGTERM};
    for (size_t k = 0; k < 4; k++) {
        assert_int_equal(run_int(pool, (yoke_task_options){.name = "Bob"}, die_by, signals[k], NULL), YOKE_ECRASH);
        (void)snprintf(text, sizeof text, "killed by signal %d", signals[k]);
        assert_told(text);
        assert_told("Bob, ");
        assert_told("+0x"); /* of a static function, object and offset */
    }
    for (int status = 0; status <= 3; status += 3) {
        assert_int_equal(run_int(pool, (yoke_task_options){0}, leave_with, status, NULL), YOKE_ECRASH);
        (void)snprintf(text, sizeof text, "exited with status %d", status);
        assert_told(text);
    }
    end_pool(pool);
}

static void test_garbage(void **state)
{
    (void)state;
    for (int action = ACT_GARBAGE; action <= ACT_SHORT; action++) {
        yoke_executor *pool = open_with_fault(STEP_RAN, action);
        assert_int_equal(run_int(pool, (yoke_task_options){0}, square, 5, NULL), YOKE_ECRASH);
        if (action == ACT_GARBAGE || action == ACT_SHORT)
            assert_told("no answer");
        else
            assert_told("signal 9"); /* for the truncation: it was EPERM */
        end_pool(pool);
    }
}

/* --- too long --- */

static void test_limits(void **state)
{
    (void)state;
    yoke_executor *pool = open_with_fault(STEP_BEGUN, ACT_STOP);
    const yoke_task_options o = {.time_limit_ns = SHORT_NS, .retries = 3, .name = "Eve"};
    assert_int_equal(run_int(pool, o, square, 5, NULL), YOKE_ETIMEDOUT);
    assert_told("Eve, ");
    assert_told("time limit of 150 ms");
    assert_int_equal(run_int(pool, o, sleep_for_ever, 5, NULL), YOKE_ETIMEDOUT);
    int result;
    assert_int_equal(run_int(pool, (yoke_task_options){.time_limit_ns = INT64_MAX}, square, 5, &result), YOKE_OK);
    end_pool(pool);
}

static int burn(void *argument, void *result)
{
    (void)argument, (void)result;
    for (volatile unsigned k = 0;; k++)
        ;
    return 0;
}

static int fill_memory(void *argument, void *result)
{
    (void)result;
    void *volatile memory =
        malloc((size_t)1024 * 1024 * (size_t) * (const int *)argument); /* or it is optimised away */
    const int status = memory != NULL ? 0 : -5;
    free(memory);
    return status;
}

static void test_resources(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1, .cpu_seconds = 1});
    assert_int_equal(run_int(pool, (yoke_task_options){0}, burn, 0, NULL), YOKE_ECRASH);
    char text[32];
    (void)snprintf(text, sizeof text, "signal %d", SIGXCPU);
    assert_told(text);
    end_pool(pool);
    if (SANITIZED)
        return; /* it takes terabytes of addresses */
    pool = open_pool((yoke_process_pool_options){.processes = 1, .memory_bytes = (size_t)512 << 20});
    assert_int_equal(run_int(pool, (yoke_task_options){0}, fill_memory, 16, NULL), YOKE_OK);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, fill_memory, 600, NULL), -5);
    end_pool(pool);
}

/* --- too often --- */

static void test_broken(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1, .restarts = 2});
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(run_int(pool, (yoke_task_options){0}, die_by, SIGKILL, NULL), YOKE_ECRASH);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, square, 1, NULL), YOKE_EBROKEN);
    assert_told("broken");
    yoke_future f = {0};
    assert_int_equal(yoke_submit(pool, &f, do_nothing, NULL), YOKE_EBROKEN);
    assert_int_equal(yoke_map(pool, do_nothing, 3, NULL, 0, NULL, 0), YOKE_EBROKEN);
    assert_balanced(pool);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_no_children();
    pool = open_pool((yoke_process_pool_options){.processes = 1, .restarts = 3});
    assert_int_equal(run_int(pool, (yoke_task_options){.retries = 255}, die_by, SIGKILL, NULL), YOKE_EBROKEN);
    int statuses[5];
    const yoke_map_options o = {.statuses = statuses};
    assert_int_equal(yoke_map_on(pool, &o, do_nothing, 5, NULL, 0, NULL, 0), YOKE_EBROKEN);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* --- a campaign --- */

typedef struct order {
    int number;
    unsigned microseconds; /* until the process dies, wherever it is then; 0: it does not */
} order;

static int live_dangerously(void *argument, void *result)
{
    const order *o = argument;
    const struct itimerval bomb = {.it_value.tv_usec = (suseconds_t)o->microseconds};
    if (o->microseconds > 0 && getpid() % 3 != 0) /* the next one may get through */
        (void)setitimer(ITIMER_REAL, &bomb, NULL);
    for (volatile unsigned k = 0; k < 20000; k++)
        ;
    *(int *)result = o->number * 3;
    return 0;
}

static void submit_all(yoke_executor *pool, yoke_future *f, size_t count, uint64_t *random)
{
    const yoke_task_options o = {.argument_bytes = sizeof(order), .retries = 255};
    for (size_t k = 0; k < count; k++) {
        order what = {.number = (int)k};
        if (draw_below(random, 25) == 0)
            what.microseconds = 1 + (unsigned)draw_below(random, 2000);
        assert_int_equal(yoke_submit_on(pool, &o, &f[k], live_dangerously, &what), YOKE_OK);
    }
}

static void test_random_deaths(void **state)
{
    (void)state;
    uint64_t random = seed_of("test_random_deaths");
    const size_t count = rounds_of(5000);
    const unsigned files = file_count();
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 4, .restarts = YOKE_MAX_WORKERS});
    yoke_future *f = calloc(count, sizeof *f);
    assert_non_null(f);
    submit_all(pool, f, count, &random);
    for (size_t k = 0; k < count; k++) {
        int result = -1;
        assert_int_equal(yoke_result(&f[k], &result, sizeof result, 0), YOKE_OK);
        assert_int_equal(result, (int)k * 3);
    }
    assert_balanced(pool);
    yoke_executor_counts c;
    assert_int_equal(yoke_executor_count(pool, &c), YOKE_OK);
    assert_true(c.submitted == count && c.done == count);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_no_children();
    assert_int_equal(file_count(), files);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_at_each_step),
        cmocka_unit_test(test_killed_at_start),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_killed_after_a_refusal),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_item_retries),
        cmocka_unit_test(test_item_limits),
        cmocka_unit_test(test_items_without_reply),
        cmocka_unit_test(test_signals_and_exits),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_random_deaths),
    };
    if (no_processes())
        return 77;
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core); /* dumps of workers only take time */
    alarm_in(300);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
