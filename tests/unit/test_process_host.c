/* The pool of processes in programs of every kind: with their own ideas of SIGCHLD, short of descriptors, killed, forked,
 * and served from main; and that nothing is left behind. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/unit/processes.h"

enum { PLAIN = 5, PARENT_MS = 1000 };

static int main_began;

static void use_pool(yoke_executor *pool)
{
    int result;
    for (int k = 0; k < 20; k++) {
        assert_int_equal(run_int(pool, (yoke_task_options){0}, square, k, &result), YOKE_OK);
        assert_int_equal(result, k * k);
    }
    assert_int_equal(run_int(pool, (yoke_task_options){0}, die_by, SIGKILL, NULL), YOKE_ECRASH);
    assert_int_equal(run_int(pool, (yoke_task_options){0}, square, 4, &result), YOKE_OK);
    const int64_t before = yoke__now_ns();
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_true(yoke__now_ns() - before < 900 * (int64_t)MS); /* nobody had to be killed */
}

/* --- SIGCHLD --- */

static void test_ignored_children(void **state)
{
    (void)state;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    use_pool(open_pool((yoke_process_pool_options){.processes = 2}));
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    assert_no_children();
}

static void reap_all(int number)
{
    const int kept = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = kept;
}

static void test_handled_children(void **state)
{
    (void)state;
    const struct sigaction handle = {.sa_handler = reap_all};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &handle, &before), 0);
    use_pool(open_pool((yoke_process_pool_options){.processes = 2}));
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    assert_no_children();
}

static atomic_bool reaping;

static void *keep_reaping(void *argument)
{
    (void)argument;
    while (atomic_load(&reaping))
        if (waitpid(-1, NULL, 0) < 0)
            sleep_ns(MS / 10);
    return NULL;
}

static void test_reaping_thread(void **state)
{
    (void)state;
    pthread_t thread;
    atomic_store(&reaping, true);
    assert_int_equal(pthread_create(&thread, NULL, keep_reaping, NULL), 0);
    use_pool(open_pool((yoke_process_pool_options){.processes = 2}));
    atomic_store(&reaping, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_no_children();
}

/* --- too little of everything; in children of their own --- */

static bool threads_still_work(void)
{
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_future f = {0};
    return pool != NULL && yoke_submit(pool, &f, do_nothing, NULL) == YOKE_OK && yoke_wait(&f, 0) == YOKE_OK &&
           yoke_join(pool, 0) == YOKE_OK;
}

static bool is_refused(const yoke_process_pool_options *options, int status)
{
    const unsigned before = file_count();
    yoke_executor *pool = yoke_process_pool_on(options);
    return pool == NULL && yoke__last_failure() == status && yoke_error_detail()[0] != '\0' &&
           waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD && file_count() == before && threads_still_work();
}

static bool few_descriptors(void *argument)
{
    (void)argument;
    const struct rlimit few = {16, 16};
    return setrlimit(RLIMIT_NOFILE, &few) == 0 && is_refused(&(yoke_process_pool_options){.processes = 16}, YOKE_EIO);
}

static bool small_files(void *argument)
{
    (void)argument;
    const struct rlimit small = {65536, 65536};
    return setrlimit(RLIMIT_FSIZE, &small) == 0 && is_refused(&(yoke_process_pool_options){.processes = 2}, YOKE_EIO);
}

static bool refuse_call(unsigned number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool no_memory_files(void *argument)
{
    (void)argument;
    return refuse_call(SYS_memfd_create) && is_refused(&(yoke_process_pool_options){.processes = 2}, YOKE_EIO);
}

/* Linux before 5.3: the end of the connection tells. */
static bool no_process_descriptors(void *argument)
{
    (void)argument;
    if (!refuse_call(SYS_pidfd_open))
        return false;
    use_pool(open_pool((yoke_process_pool_options){.processes = 2}));
    return waitpid(-1, NULL, WNOHANG) == -1;
}

static void test_few_descriptors(void **state)
{
    (void)state;
    assert_int_equal(child_says(few_descriptors, NULL), 0);
}

static void test_small_files(void **state)
{
    (void)state;
    assert_int_equal(child_says(small_files, NULL), 0);
}

static void test_no_memory_files(void **state)
{
    (void)state;
    assert_int_equal(child_says(no_memory_files, NULL), 0);
}

static void test_no_process_descriptors(void **state)
{
    (void)state;
    assert_int_equal(child_says(no_process_descriptors, NULL), 0);
}

/* --- the program is killed --- */

static int tell_and_stay(void *argument, void *result)
{
    const pid_t self = getpid();
    if (write(STDOUT_FILENO, &self, sizeof self) != (ssize_t)sizeof self)
        return -1;
    return sleep_for_ever(argument, result);
}

static void be_killed(int output, bool forks)
{
    yoke_future f[3];
    (void)dup2(output, STDOUT_FILENO);
    memset(f, 0, sizeof f);
    yoke_executor *pool = yoke_process_pool(3);
    for (unsigned k = 0; k < 3 && pool != NULL; k++)
        (void)yoke_submit(pool, &f[k], tell_and_stay, NULL);
    if (pool != NULL && forks && fork() == 0) { /* it has the program's ends of all connections */
        alarm(SANITIZED ? 8 : 3);
        (void)pause();
    }
    alarm(CHILD_SECONDS);
    (void)pause();
    _exit(1);
}

static bool is_gone(pid_t pid)
{
    char text[512];
    if (!read_proc(text, sizeof text, "/proc/%ld/stat", (long)pid))
        return true;
    const char *state = strrchr(text, ')');
    return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

static void check_killed(bool forks)
{
    int ends[2];
    pid_t workers[3];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0)
        be_killed(ends[1], forks);
    (void)close(ends[1]);
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(read(ends[0], &workers[k], sizeof *workers), (ssize_t)sizeof *workers);
    if (forks)
        sleep_ns(100 * MS);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    const int64_t until = in_ms(SANITIZED ? 5 * PARENT_MS : PARENT_MS);
    while (!(is_gone(workers[0]) && is_gone(workers[1]) && is_gone(workers[2])) && yoke__now_ns() < until)
        sleep_ns(MS);
    for (unsigned k = 0; k < 3; k++)
        assert_true(is_gone(workers[k]));
    (void)close(ends[0]);
}

static void test_killed(void **state)
{
    (void)state;
    check_killed(false);
    check_killed(true);
}

/* --- fork --- */

static yoke_executor *parents;

static bool is_forked(void *argument)
{
    (void)argument;
    yoke_future f = {0};
    int result = 0;
    if (yoke_submit(parents, &f, do_nothing, NULL) != YOKE_EFORKED || yoke_join(parents, 0) != YOKE_EFORKED)
        return false;
    yoke_executor *own = yoke_process_pool(1);
    return own != NULL && run_int(own, (yoke_task_options){0}, square, 7, &result) == YOKE_OK && result == 49 &&
           yoke_join(own, 0) == YOKE_OK;
}

static void test_fork(void **state)
{
    (void)state;
    parents = open_pool((yoke_process_pool_options){.processes = 2});
    assert_int_equal(child_says(is_forked, NULL), 0);
    use_pool(parents);
}

/* --- who serves --- */

static int tell_main(void *argument, void *result)
{
    (void)argument;
    *(int *)result = main_began + 10 * (getenv(YOKE__WORKER_VARIABLE) != NULL);
    return 0;
}

static void test_served_by_main(void **state)
{
    (void)state;
    int began = -1;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    assert_int_equal(run_int(pool, (yoke_task_options){0}, tell_main, 0, &began), YOKE_OK);
    assert_int_equal(began, 0);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    pool = open_pool((yoke_process_pool_options){.processes = 1, .flags = YOKE_POOL_SERVED_BY_MAIN});
    assert_int_equal(run_int(pool, (yoke_task_options){0}, tell_main, 0, &began), YOKE_OK);
    assert_int_equal(began, 1);
    use_pool(pool);
}

static void test_unserved(void **state)
{
    (void)state;
    assert_int_equal(setenv("YOKE_TEST_UNSERVED", "1", 1), 0);
    assert_null(yoke_process_pool_on(&(yoke_process_pool_options){.processes = 2, .flags = YOKE_POOL_SERVED_BY_MAIN}));
    assert_int_equal(yoke__last_failure(), YOKE_ECRASH);
    assert_non_null(strstr(yoke_error_detail(), "yoke_serve_if_worker"));
    assert_int_equal(unsetenv("YOKE_TEST_UNSERVED"), 0);
    assert_no_children();
}

/* A variable and a file that somebody made up: the program runs as ever. */
static int run_with(int memory)
{
    char name[] = "program", plain[] = "plain", variable[] = YOKE__WORKER_VARIABLE "=4";
    char *arguments[] = {name, plain, NULL}, *environment[] = {variable, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (memory >= 0)
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, memory, MEMORY_FD), 0);
    assert_int_equal(posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environment), 0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int forge(const setup *s, bool sealed)
{
    const int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)s->shared_bytes), 0);
    assert_int_equal(pwrite(fd, s, sizeof *s, 0), (ssize_t)sizeof *s);
    if (sealed)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}

static void check_forged(setup s, bool sealed, int expected)
{
    const int fd = forge(&s, sealed);
    assert_int_equal(run_with(fd), expected);
    (void)close(fd);
}

static void test_forged(void **state)
{
    (void)state;
    const setup good = {.magic = SETUP_MAGIC,
                        .bytes = sizeof good,
                        .version = YOKE_VERSION,
                        .parent = getpid(),
                        .parent_start = yoke__start_of(getpid()),
                        .shared_bytes = 1 << 20};
    setup s = good;
    assert_true(good.parent_start > 0);
    assert_int_equal(run_with(-1), PLAIN);
    check_forged(s, false, PLAIN);
    s.magic++;
    check_forged(s, true, PLAIN);
    s = good;
    s.version[0]++;
    check_forged(s, true, EXIT_UNFIT); /* a worker, but of another version: it ends, and is not the program */
    const int fd = forge(&good, false);
    assert_int_equal(ftruncate(fd, 1 << 16), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(run_with(fd), EXIT_UNFIT); /* another size than it says */
    (void)close(fd);
    s = good;
    s.parent++;
    check_forged(s, true, 0); /* whose parent is gone, or has no connection to it */
    s = good;
    s.parent_start++;
    check_forged(s, true, 0);
    check_forged(good, true, 0);
}

/* --- nothing is left --- */

static bool has_ours(const char *folder)
{
    DIR *directory = opendir(folder);
    bool found = false;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        found |= strncmp(entry->d_name, "yoke-worker", 11) == 0;
    if (directory != NULL)
        closedir(directory);
    return found;
}

static void test_cycles(void **state)
{
    (void)state;
    const unsigned long rounds = rounds_of(200);
    const unsigned files = file_count(), threads = thread_count();
    for (unsigned long k = 0; k < rounds; k++) {
        yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 2});
        int result;
        if (k % 3 == 0)
            assert_int_equal(run_int(pool, (yoke_task_options){0}, square, 6, &result), YOKE_OK);
        if (k % 10 == 0)
            assert_int_equal(run_int(pool, (yoke_task_options){0}, die_by, SIGKILL, NULL), YOKE_ECRASH);
        assert_balanced(pool);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        assert_no_children();
        assert_int_equal(file_count(), files);
    }
    assert_int_equal(thread_count(), threads);
    assert_false(has_ours("/dev/shm"));
    assert_false(has_ours("/tmp"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_descriptors), /* before there is any thread, for those that fork */
        cmocka_unit_test(test_small_files),
        cmocka_unit_test(test_no_memory_files),
        cmocka_unit_test(test_no_process_descriptors),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_ignored_children),
        cmocka_unit_test(test_handled_children),
        cmocka_unit_test(test_reaping_thread),
        cmocka_unit_test(test_served_by_main),
        cmocka_unit_test(test_unserved),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_cycles),
    };
    main_began = 1;
    if (argc > 1 && strcmp(argv[1], "plain") == 0)
        return PLAIN;
    if (getenv("YOKE_TEST_UNSERVED") != NULL)
        return yoke_process_pool(1) == NULL ? 1 : 2;
    yoke_serve_if_worker();
    if (no_processes())
        return 77;
    alarm_in(300);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
