/* yoke top and yoke_watch_...: counters of a program that runs, of one that ended, and of files that are no counters. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "support.h"
#include "tests/emulated.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

enum { ITEMS = 200000, LANES = 64 };

/* Maps without an end, or until `calls` are done and nobody holds the other end of the pipe. */
static void be_the_program(int calls, int until)
{
    static float x[ITEMS], y[ITEMS];
    static yoke_runtime *volatile runtime; /* where leak checkers see it after exit() */
    (void)setenv("YOKE_COUNTERS", "1", 1);
    runtime = yoke_open(&(yoke_runtime_options){.workers = 2, .devices = "cpu"});
    if (runtime == NULL)
        exit(2);
    for (int k = 0; calls == 0 || k < calls; k++)
        if (parallel_map_on(runtime, &(yoke_options){.flags = YOKE_ALWAYS_DIVIDE}, yoke_axpy, ITEMS, y, x, 2.0f) != 0)
            exit(3);
    char byte;
    while (read(until, &byte, 1) > 0)
        ;
    exit(0);
}

/* The child, 0, gets the end of a pipe that closes when the parent closes its own. */
static pid_t fork_held(int *end)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    *end = ends[pid == 0 ? 0 : 1];
    (void)close(ends[pid == 0 ? 1 : 0]);
    return pid;
}

static pid_t start(int calls, int *hold)
{
    const pid_t pid = fork_held(hold);
    if (pid == 0)
        be_the_program(calls, *hold);
    return pid;
}

static bool is_watchable(pid_t pid)
{
    long pids[256];
    const int count = yoke_watchable(pids, 256);
    assert_true(count >= 0);
    for (int k = 0; k < count && k < 256; k++)
        if (pids[k] == (long)pid)
            return true;
    return false;
}

static yoke_watch *watch_soon(pid_t pid)
{
    yoke_watch *watch = NULL;
    for (int k = 0; k < 3000 && watch == NULL; k++) {
        watch = yoke_watch_open(pid);
        usleep(10000);
    }
    if (watch == NULL)
        fail_msg("%s", yoke_error_detail());
    return watch;
}

/* The sums over all lanes, once so many calls were counted. */
static yoke_lane sums_after(yoke_watch *watch, uint64_t calls)
{
    yoke_lane lanes[LANES], sum = {.calls = 0};
    for (int k = 0; k < 3000 && sum.calls < calls; k++) {
        const int count = yoke_watch_read(watch, lanes, LANES);
        assert_in_range(count, 0, LANES);
        sum = (yoke_lane){.calls = 0};
        for (int i = 0; i < count; i++) {
            assert_true(lanes[i].now <= YOKE_ASLEEP);
            assert_int_equal(lanes[i].device, -1);
            sum.calls += lanes[i].calls;
            sum.items += lanes[i].items;
            sum.parts += lanes[i].parts;
            sum.busy_ns += lanes[i].busy_ns;
        }
        usleep(10000);
    }
    return sum;
}

static void calls_are_counted(void **state)
{
    (void)state;
    int hold, status;
    const pid_t pid = start(20, &hold);
    yoke_watch *watch = watch_soon(pid);
    assert_true(is_watchable(pid));
    const yoke_lane sum = sums_after(watch, 20);
    assert_int_equal(sum.calls, 20);
    assert_int_equal(sum.items, 20 * ITEMS);
    assert_true(sum.parts >= 20);
    assert_true(sum.busy_ns > 0);
    assert_in_range(yoke_watch_read(watch, NULL, 0), 1, LANES);
    (void)close(hold);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    yoke_lane lane;
    assert_int_equal(yoke_watch_read(watch, &lane, 1), YOKE_ESTATE);
    yoke_watch_close(watch);
    assert_false(is_watchable(pid));
    assert_null(yoke_watch_open(pid));
}

static void the_view_shows_a_program(void **state)
{
    (void)state;
    int hold, status;
    const pid_t pid = start(0, &hold);
    yoke_watch *watch = watch_soon(pid);
    (void)sums_after(watch, 1);
    assert_int_equal(shell(YOKE_TOOL " top -d 0.2 -n 2 %ld 2>&1", (long)pid), 0);
    assert_fits();
    assert_says("calls/s");
    assert_says("threads busy");
    assert_says("[#");
    assert_null(strchr(said, '\033'));       /* no colour, for this is no terminal */
    assert_int_equal(kill(pid, SIGKILL), 0); /* what it leaves is removed by who looks next */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(hold);
    char path[64];
    (void)snprintf(path, sizeof path, "/dev/shm/yoke-%ld-%ld", (long)geteuid(), (long)pid);
    assert_int_equal(access(path, F_OK), 0);
    assert_false(is_watchable(pid));
    assert_int_equal(access(path, F_OK), -1);
    yoke_watch_close(watch);
    assert_int_equal(shell(YOKE_TOOL " top %ld 2>&1", (long)pid), 1);
    assert_says("keeps no counters");
}

/* --- tasks --- */

enum { STUCK = 2, QUEUED = 5 };

static int fails(void *argument, void *result)
{
    (void)argument, (void)result;
    return 3;
}

/* Until the other end of the pipe is closed. */
static atomic_int stuck_now;

static int is_stuck(void *argument, void *result)
{
    atomic_fetch_add(&stuck_now, 1);
    char byte;
    (void)result;
    while (read(*(int *)argument, &byte, 1) > 0)
        ;
    return 0;
}

/* One has failed, some run, some wait, and one of them is cancelled. */
static void be_the_pool(int until)
{
    static yoke_future failed, stuck[STUCK], queued[QUEUED];
    (void)setenv("YOKE_COUNTERS", "1", 1);
    yoke_executor *pool = yoke_thread_pool(STUCK);
    if (pool == NULL || yoke_submit(pool, &failed, fails, NULL) != YOKE_OK || yoke_result(&failed, NULL, 0, 0) != 3)
        exit(2);
    for (int k = 0; k < STUCK; k++)
        if (yoke_submit(pool, &stuck[k], is_stuck, &until) != YOKE_OK)
            exit(3);
    while (atomic_load(&stuck_now) < STUCK) /* one of them may be behind the other, after which others would run */
        usleep(100);
    for (int k = 0; k < QUEUED; k++)
        if (yoke_submit(pool, &queued[k], fails, NULL) != YOKE_OK)
            exit(4);
    if (yoke_cancel(&queued[0]) != YOKE_OK || yoke_join(pool, 0) != YOKE_OK)
        exit(5);
    exit(0);
}

/* What it shows in a terminal of so many columns, to `said`. */
static int top_in_terminal(pid_t pid, unsigned short columns)
{
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    size_t length = 0;
    int status;
    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal) | unlockpt(terminal) | ioctl(terminal, TIOCSWINSZ, &size), 0);
    const char *name = ptsname(terminal);
    assert_non_null(name);
    fflush(NULL);
    const pid_t tool = fork();
    assert_true(tool >= 0);
    if (tool == 0) {
        char line[1024];
        (void)unsetenv("NO_COLOR");
        (void)snprintf(line, sizeof line, "exec " YOKE_TOOL " top -d 0.1 -n 1 %ld", (long)pid);
        const int end = open(name, O_RDWR | O_NOCTTY);
        if (end >= 0 && dup2(end, STDIN_FILENO) >= 0 && dup2(end, STDOUT_FILENO) >= 0)
            (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(tool, &status, 0), tool); /* a terminal holds more than this */
    struct pollfd there = {.fd = terminal, .events = POLLIN};
    for (ssize_t some = 1; some > 0 && poll(&there, 1, 0) > 0; length += some > 0 ? (size_t)some : 0)
        some = read(terminal, said + length, sizeof said - 1 - length);
    said[length] = '\0';
    (void)close(terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Of the lines with a bar, without their colours. */
static size_t longest_bar_line(void)
{
    size_t longest = 0;
    for (const char *line = said; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t columns = 0;
        for (const char *at = line; *at != '\r' && *at != '\n' && *at != '\0'; at++)
            if (*at == '\033')
                at += strcspn(at, "mHJ");
            else
                columns++;
        if (memchr(line, ']', strcspn(line, "\n")) != NULL && columns > longest)
            longest = columns;
    }
    return longest;
}

static void tasks_are_counted(void **state)
{
    (void)state;
    int hold, status;
    const pid_t pid = fork_held(&hold);
    if (pid == 0)
        be_the_pool(hold);
    yoke_watch *watch = watch_soon(pid);
    yoke_task_counts tasks = {.submitted = 0};
    assert_int_equal(yoke_watch_tasks(NULL, &tasks), YOKE_EINVAL);
    assert_int_equal(yoke_watch_tasks(watch, NULL), YOKE_EINVAL);
    for (int k = 0; k < 3000 && (tasks.cancelled < 1 || tasks.running < STUCK); k++) {
        assert_true(yoke_watch_read(watch, NULL, 0) >= 0);
        assert_int_equal(yoke_watch_tasks(watch, &tasks), YOKE_OK);
        usleep(10000);
    }
    assert_int_equal(tasks.submitted, 1 + STUCK + QUEUED);
    assert_int_equal(tasks.waiting, QUEUED - 1);
    assert_int_equal(tasks.running, STUCK);
    assert_int_equal(tasks.done, 0);
    assert_int_equal(tasks.failed, 1);
    assert_int_equal(tasks.cancelled, 1);
    assert_int_equal(shell(YOKE_TOOL " top -d 0.1 -n 1 %ld 2>&1", (long)pid), 0);
    assert_fits();
    assert_says("tasks: 4 waiting, 2 running, 0 done/s; 1 failed, 1 cancelled");
    assert_says("100% busy");
    assert_int_equal(top_in_terminal(pid, 120), 0);
    assert_says("\033[32m##############################");
    assert_says("steals/s");
    assert_in_range(longest_bar_line(), 60, 90);
    assert_int_equal(top_in_terminal(pid, 48), 0);
    assert_says("\033[32m##############\033");
    assert_null(strstr(said, "steals/s"));
    assert_in_range(longest_bar_line(), 40, 47);
    (void)close(hold);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    yoke_watch_close(watch);
}

static void what_are_no_counters_is_refused(void **state)
{
    (void)state;
    char path[64];
    (void)snprintf(path, sizeof path, "/dev/shm/yoke-%ld-%ld", (long)geteuid(), (long)getpid());
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_null(yoke_watch_open(getpid()));
    assert_int_equal(ftruncate(file, 1 << 20), 0);
    assert_null(yoke_watch_open(getpid()));
    assert_non_null(strstr(yoke_error_detail(), "another version"));
    assert_int_equal(pwrite(file, "yokecnt\0\xff\xff\xff\xff", 12, 0), 12);
    assert_null(yoke_watch_open(getpid()));
    (void)close(file);
    (void)unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_null(yoke_watch_open(getpid()));
    (void)unlink(path);
    assert_int_equal(yoke_watch_read(NULL, NULL, 0), YOKE_EINVAL);
    assert_int_equal(yoke_watchable(NULL, 3), YOKE_EINVAL);
    yoke_watch_close(NULL);
}

static void bad_arguments_are_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {"top -d",  "top -d 0", "top -d x", "top -n -1",    "top x",
                                        "top 1.5", "top 1 2",  "top -x",   "bench --slow", "bench x"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        if (shell(YOKE_TOOL " %s 2>&1", wrong[k]) != 2)
            fail_msg("yoke %s: not status 2", wrong[k]);
}

static void bench_measures(void **state)
{
    (void)state;
    if (emulated("speeds mean nothing"))
        skip();
    assert_int_equal(shell(YOKE_TOOL " bench --quick 2>&1"), 0);
    assert_fits();
    assert_says("one core");
    assert_says("triad");
    assert_says("peak, float");
    assert_says("latency memory");
    char path[] = "/tmp/yoke-bench-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    assert_int_equal(shell("YOKE_WORKERS=1 " YOKE_TOOL " bench --quick --json >%s", path), 0);
    (void)check_json(path);
    assert_int_equal(shell("cat %s", path), 0);
    assert_says("\"read_gb_per_s\": ");
    assert_says("\"name\": \"one core\"");
    (void)unlink(path);
}

int main(void)
{
    if (access("/dev/shm", W_OK) != 0) {
        printf("SKIP: there is no /dev/shm\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted),      cmocka_unit_test(the_view_shows_a_program),
        cmocka_unit_test(tasks_are_counted),      cmocka_unit_test(what_are_no_counters_is_refused),
        cmocka_unit_test(bad_arguments_are_told), cmocka_unit_test(bench_measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
