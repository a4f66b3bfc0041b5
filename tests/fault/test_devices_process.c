/* Devices and the process: no OpenCL at all, start-up, fork, exit. Each case runs in a process of its own. */
#include <pthread.h>

#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(dev_heavy, (in(float, x), out(float, y)), {
    float v = x[i];
    for (int k = 0; k < 100; k++)
        v = v * 0.5f + 1.0f;
    y[i] = v;
})

#define MS INT64_C(1000000)
#define CHECK(condition)                                                                             \
    do {                                                                                             \
        if (!(condition)) {                                                                          \
            printf("%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, yoke_error_detail()); \
            return 1;                                                                                \
        }                                                                                            \
    } while (0)

static yoke_runtime *inherited; /* by a fork that comes after devices were used */

/* Its result is the exit code; a signal, the alarm's too, is a failure. */
static bool succeeds(int (*body)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int k = 1; k < NSIG; k++) /* cmocka's handlers would go on with the parent's tests */
            if (k != SIGKILL && k != SIGSTOP)
                (void)signal(k, SIG_DFL);
        alarm(SANITIZED ? 60 : 15);
        int code = body();
        fflush(stdout);
        if (SANITIZED && inherited != NULL) /* what the parent's threads held at the fork is not lost */
            _exit(code);
        exit(code);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status))
        printf("ended by signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool maps(yoke_runtime *r, const yoke_options *options)
{
    memset(y, 0, sizeof y);
    return parallel_map_on(r, options, dev_scale, N, x, y, 3.0f) == YOKE_OK && is_scaled(x, y, N, 3.0f);
}

static int begin(void)
{
    int failed = open_three(NULL);
    return failed | fresh(NULL);
}

/* --- no OpenCL --- */

static const char *library, *says;

static int live_without_opencl(void)
{
    CHECK(begin() == 0);
    CHECK(setenv("YOKE_OPENCL_LIB", library, 1) == 0);
    yoke_runtime *r = open_runtime(NULL);
    CHECK(r != NULL);
    CHECK(maps(r, NULL));
    CHECK(yoke_devices(r) == 0);
    CHECK(maps(r, NULL));
    for (int k = 0; k < 200; k++)
        CHECK(parallel_map_on(r, NULL, dev_heavy, LARGE / 8, x, y) == YOKE_OK);
    yoke_device device;
    CHECK(yoke_device_of(r, 0, &device) == YOKE_EINVAL);
    CHECK(maps(r, &(yoke_options){.devices = "all"}));
    CHECK(parallel_map_on(r, &(yoke_options){.devices = "gpu"}, dev_scale, N, x, y, 3.0f) == YOKE_ENODEV);
    CHECK(strstr(yoke_error_detail(), says) != NULL);
    CHECK(yoke_close(r) == YOKE_OK);
    CHECK(open_runtime("gpu") == NULL);
    CHECK(strstr(yoke_error_detail(), says) != NULL);
    CHECK(open_runtime("cpu,gpu") == NULL);
    CHECK(strstr(yoke_error_detail(), "gpu") != NULL);
    CHECK(maps(NULL, NULL)); /* the default runtime */
    CHECK(yoke_devices(NULL) == 0);
    return 0;
}

static void without_a_usable_library_the_workers_do_it_all(void **state)
{
    (void)state;
    static const struct {
        const char *library, *says;
    } cases[] = {
        {"/nonexistent/libOpenCL.so.1", "/nonexistent/libOpenCL.so.1"},
        {YOKE_TESTS_DIR "/fault/test_devices_process.c", "test_devices_process.c"},
        {YOKE_TESTS_DIR, YOKE_TESTS_DIR},
        {"libm.so.6", "libm.so.6"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        library = cases[k].library;
        says = cases[k].says;
        assert_true(succeeds(live_without_opencl));
    }
}

static int live_without_devices(void)
{
    CHECK(begin() == 0);
    CHECK(setenv("FAKECL_DEVICES", "0", 1) == 0);
    yoke_runtime *r = open_runtime(NULL);
    CHECK(yoke_devices(r) == 0);
    CHECK(maps(r, NULL));
    CHECK(yoke_close(r) == YOKE_OK);
    CHECK(open_runtime("gpu") == NULL);
    CHECK(strstr(yoke_error_detail(), "no OpenCL devices were found") != NULL);
    return 0;
}

static void without_devices_the_workers_do_it_all(void **state)
{
    (void)state;
    assert_true(succeeds(live_without_devices));
}

/* --- start-up --- */

static int start_small(void)
{
    CHECK(begin() == 0);
    yoke_runtime *r = yoke_open(NULL);
    CHECK(r != NULL);
    for (int k = 0; k < 1000; k++)
        CHECK(maps(r, NULL));
    sleep_ns(50 * MS);
    CHECK(maps(NULL, NULL));
    CHECK(control("calls?") == 0);
    CHECK(yoke_close(r) == YOKE_OK);
    CHECK(control("calls?") == 0);
    return 0;
}

static int work_long(void)
{
    CHECK(begin() == 0);
    const int64_t start = yoke__now_ns();
    uint64_t pieces = 0;
    int calls = 0;
    yoke_decision d = {.device = -1};
    while (yoke__now_ns() - start < 8000 * MS && d.device < 0) {
        CHECK(parallel_map(dev_heavy, LARGE, x, y) == YOKE_OK);
        calls = calls > 0 ? calls : control("calls?");
        (void)yoke_last_decision(&d);
    }
    CHECK(calls > 0);
    CHECK(d.device >= 0 && d.device_items == LARGE);
    CHECK(yoke_devices(NULL) == 3);
    for (unsigned k = 0; k < 3; k++) {
        yoke_device device;
        CHECK(yoke_device_of(NULL, k, &device) == YOKE_OK);
        pieces += device.pieces;
    }
    CHECK(pieces > 0);
    return 0;
}

static int force_by_environment(void)
{
    yoke_decision d;
    CHECK(begin() == 0);
    CHECK(setenv("YOKE_DEVICES", "beta", 1) == 0);
    CHECK(maps(NULL, NULL));
    CHECK(yoke_last_decision(&d) == YOKE_OK && d.device == 2 && d.device_items == N);
    return 0;
}

static int fail_by_environment(void)
{
    CHECK(begin() == 0);
    CHECK(setenv("YOKE_DEVICES", "nosuch", 1) == 0);
    CHECK(parallel_map(dev_scale, N, x, y, 3.0f) == YOKE_ENODEV);
    CHECK(strstr(yoke_error_detail(), "Alpha One") != NULL);
    CHECK(yoke_devices(NULL) == YOKE_ENODEV);
    CHECK(is_untouched(N));
    CHECK(setenv("YOKE_DEVICES", "cpu", 1) == 0);
    CHECK(maps(NULL, NULL)); /* the next one tries again */
    return 0;
}

static void small_work_never_touches_opencl(void **state)
{
    (void)state;
    assert_true(succeeds(start_small));
}

static void long_work_finds_the_devices_by_itself(void **state)
{
    (void)state;
    if (!emulated("looking for devices takes longer than a test may"))
        assert_true(succeeds(work_long));
}

static void environment_rules_the_default_runtime(void **state)
{
    (void)state;
    assert_true(succeeds(force_by_environment));
    assert_true(succeeds(fail_by_environment));
}

/* --- fork --- */

static int use_devices(void)
{
    yoke_decision d;
    CHECK(maps(NULL, NULL));
    CHECK(maps(NULL, &(yoke_options){.devices = "gpu:1"}));
    CHECK(yoke_last_decision(&d) == YOKE_OK && d.device == 1 && d.device_items == N);
    CHECK(yoke_devices(NULL) == 3);
    yoke_runtime *r = open_runtime("gpu");
    CHECK(r != NULL && maps(r, NULL));
    CHECK(yoke_close(r) == YOKE_OK);
    return 0;
}

static int fork_before_use(void)
{
    CHECK(begin() == 0);
    CHECK(maps(NULL, NULL)); /* the workers alone */
    CHECK(succeeds(use_devices));
    CHECK(succeeds(use_devices));
    return use_devices();
}

static void fork_before_devices_were_used_leaves_them_to_the_child(void **state)
{
    (void)state;
    if (SANITIZED_THREADS) /* it does not follow forks of a process with threads */
        skip();
    assert_true(succeeds(fork_before_use));
}

static float *held, *away; /* results of a device; the parent looked at the first before the fork */

static int live_as_a_fork(void)
{
    yoke_device device;
    CHECK(maps(NULL, NULL));
    CHECK(parallel_map_on(inherited, NULL, dev_scale, N, x, y, 3.0f) == YOKE_EFORKED);
    CHECK(strstr(yoke_error_detail(), "fork") != NULL);
    float sum = 3;
    CHECK(parallel_reduce_on(inherited, NULL, dev_sum, N, &sum, x) == YOKE_EFORKED);
    CHECK(sum == 3);
    CHECK(maps(inherited, &(yoke_options){.devices = "cpu"}));
    CHECK(parallel_map_on(NULL, &(yoke_options){.devices = "gpu"}, dev_scale, N, x, y, 3.0f) == YOKE_EFORKED);
    CHECK(maps(NULL, &(yoke_options){.devices = "all"}));
    CHECK(open_runtime("gpu") == NULL);
    CHECK(strstr(yoke_error_detail(), "fork") != NULL);
    CHECK(yoke_devices(inherited) == YOKE_EFORKED);
    CHECK(yoke_device_of(inherited, 0, &device) != YOKE_OK);
    CHECK(yoke_reopen_device(inherited, 0) == YOKE_EFORKED);
    yoke_runtime *cpu = open_runtime("cpu"), *any = open_runtime(NULL);
    CHECK(cpu != NULL && maps(cpu, NULL));
    CHECK(any != NULL && maps(any, NULL));
    for (int k = 0; k < 300; k++)
        CHECK(parallel_map_on(any, NULL, dev_heavy, LARGE / 8, x, y) == YOKE_OK);
    CHECK(yoke_close(cpu) == YOKE_OK);
    CHECK(yoke_close(any) == YOKE_OK);
    CHECK(yoke_read(held) == held && held[N - 1] == 7.0f);
    CHECK(yoke_read(away) == NULL && strstr(yoke_error_detail(), "before the fork") != NULL);
    CHECK(parallel_map(dev_scale, N, away, y, 2.0f) == YOKE_EFORKED);
    CHECK(parallel_map(dev_scale, N, x, away, 2.0f) == YOKE_OK && away[N - 1] == 7.0f); /* written anew */
    CHECK(yoke_free(held) == YOKE_OK);
    CHECK(yoke_free(away) == YOKE_OK);
    CHECK(yoke_close(inherited) == YOKE_OK);
    return 0;
}

static int fork_after_use(void)
{
    CHECK(begin() == 0);
    yoke_decision d;
    inherited = open_runtime("gpu:0");
    CHECK(inherited != NULL);
    CHECK(maps(NULL, NULL));
    CHECK(maps(NULL, &(yoke_options){.devices = "gpu:1"})); /* the default runtime knows them, too */
    held = yoke_alloc(N * sizeof *held, YOKE_PLACE_DEFAULT);
    away = yoke_alloc(N * sizeof *away, YOKE_PLACE_DEFAULT);
    CHECK(held != NULL && away != NULL);
    for (int k = 0; k < N; k++)
        x[k] = 3.0f;
    CHECK(parallel_map_on(inherited, NULL, dev_scale, N, x, held, 2.0f) == YOKE_OK);
    CHECK(parallel_map_on(inherited, NULL, dev_scale, N, x, away, 2.0f) == YOKE_OK);
    CHECK(yoke_read(held) == held);
    CHECK(succeeds(live_as_a_fork));
    CHECK(maps(inherited, NULL)); /* and the parent goes on */
    CHECK(yoke_last_decision(&d) == YOKE_OK && d.device == 0 && d.device_items == N);
    CHECK(held[N - 1] == 7.0f);
    CHECK(yoke_read(away) == away && away[N - 1] == 7.0f);
    CHECK(yoke_free(held) == YOKE_OK);
    CHECK(yoke_free(away) == YOKE_OK);
    CHECK(yoke_close(inherited) == YOKE_OK);
    CHECK(control("violations?") == 0);
    return 0;
}

static void fork_leaves_the_child_its_workers_and_no_device(void **state)
{
    (void)state;
    if (SANITIZED_THREADS) /* it does not follow forks of a process with threads */
        skip();
    if (!emulated("a fork of many threads may hang"))
        assert_true(succeeds(fork_after_use));
}

/* --- exit --- */

static void *map_for_long(void *argument)
{
    (void)parallel_map_on(argument, NULL, dev_scale, LARGE, x, y, 3.0f);
    return NULL;
}

static const char *under_way, *fault;

static int leave_at_once(void)
{
    pthread_t thread;
    CHECK(begin() == 0);
    static yoke_runtime *volatile other; /* stays open */
    CHECK(yoke_close(open_runtime("gpu:1")) == YOKE_OK && (other = open_runtime("gpu:1")) != NULL);
    CHECK(control(under_way) == 0);
    static yoke_runtime *volatile r; /* where leak checkers see it after exit() */
    r = open_runtime("gpu:0");
    CHECK(r != NULL);
    CHECK(fault == NULL || control(fault) == 0);
    CHECK(pthread_create(&thread, NULL, map_for_long, r) == 0 && pthread_detach(thread) == 0);
    sleep_ns(100 * MS);

    CHECK(yoke_close(r) == YOKE_EBUSY);
    return 0; /* and exit() */
}

static void exit_does_not_wait_for_devices(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"shape BUILD_MS=20000", NULL},
                                           {"shape NS_PER_ITEM=20000", NULL},
                                           {"shape MAXALLOC=65536", "fault clEnqueueNDRangeKernel:3:hang"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int64_t start = yoke__now_ns();
        under_way = cases[k][0];
        fault = cases[k][1];
        assert_true(succeeds(leave_at_once));
        assert_true(yoke__now_ns() - start < (SANITIZED ? 10000 : 4000) * MS);
    }
}

static int leave_while_looking(void)
{
    CHECK(begin() == 0);
    CHECK(control("fault clGetDeviceIDs:1:load=300") == 0);
    const int64_t start = yoke__now_ns();
    while (yoke__now_ns() - start < 8000 * MS && control("fired?") == 0)
        CHECK(parallel_map(dev_heavy, LARGE, x, y) == YOKE_OK);
    CHECK(control("fired?") == 1);
    return 0; /* and exit() */
}

/* Handlers that it registers meanwhile run before any that could have been registered by then. */
static void exit_waits_for_a_driver_that_is_being_loaded(void **state)
{
    (void)state;
    if (!emulated("looking for devices takes longer than a test may"))
        assert_true(succeeds(leave_while_looking));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_usable_library_the_workers_do_it_all),
        cmocka_unit_test(without_devices_the_workers_do_it_all),
        cmocka_unit_test(small_work_never_touches_opencl),
        cmocka_unit_test(long_work_finds_the_devices_by_itself),
        cmocka_unit_test(environment_rules_the_default_runtime),
        cmocka_unit_test(fork_before_devices_were_used_leaves_them_to_the_child),
        cmocka_unit_test(fork_leaves_the_child_its_workers_and_no_device),
        cmocka_unit_test(exit_does_not_wait_for_devices),
        cmocka_unit_test(exit_waits_for_a_driver_that_is_being_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
