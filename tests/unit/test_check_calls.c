/* What checks do to good kernels (nothing), to programs around them (little), and how they are asked for. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/check_kernels.h"

enum { MOST = 40000 };

static float x[MOST], z[MOST], y[2][3 * MOST];
static uint8_t bytes[MOST], blurred[2][MOST];
static uint64_t random_state;
static yoke_runtime *plain;

static int open_both(void **state)
{
    plain = yoke_open(&(yoke_runtime_options){.workers = 3, .pin = YOKE_PIN_NONE, .devices = "cpu"});
    random_state = seed_of("test_check_calls");
    for (size_t k = 0; k < MOST; k++) {
        x[k] = (float)draw_double(&random_state, 0.5, 4);
        z[k] = (float)draw_double(&random_state, 0.5, 4);
        bytes[k] = (uint8_t)draw(&random_state);
    }
    return plain == NULL || open_checking(state) != 0;
}

static int close_both(void **state)
{
    return yoke_close(plain) != 0 || close_checking(state) != 0;
}

/* The same call, checked and not; the results must have the same bits, and nothing be said. */
#define BOTH(call, results, size)                             \
    for (int way = 0; way < 2; way++) {                       \
        yoke_runtime *const on = way == 0 ? plain : checking; \
        if (call != YOKE_OK) {                                \
            char text_[2000];                                 \
            (void)heard(text_, sizeof text_);                 \
            fail_msg("%s: %s", #call, yoke_error_detail());   \
        }                                                     \
    }                                                         \
    assert_memory_equal(results[0], results[1], size)

YOKE_LANE_KERNEL(newton, (out(float, y), in(float, x)), {
    YOKE_LANES(float, v);
    YOKE_LANES(float, e);
    int alive = 1;
    YOKE_EACH
    {
        v[l] = x[i];
    }
    for (int k = 0; k < 50 && alive; k++) {
        YOKE_EACH
        {
            e[l] = 0.5f * (v[l] - x[i] / v[l]);
            v[l] = fabsf(e[l]) > 1e-6f * v[l] ? v[l] - e[l] : v[l];
        }
        YOKE_ANY(alive, fabsf(e[l]) > 1e-6f * v[l]);
    }
    YOKE_EACH
    {
        y[i] = v[l];
    }
})
YOKE_TYPE(padded, {
    char tag;
    double value;
})
YOKE_KERNEL(pad, (out(padded, p), in(float, x)), {
    p[i].tag = (char)1;
    p[i].value = x[i];
})

static void good_kernels_pass_and_compute_the_same(void **state)
{
    (void)state;
    char text[2000];
    float weights[5];
    yoke_gaussian(weights, 4, 1.5);
    static padded pads[MOST];
    listen();
    for (unsigned long round = 0; round < rounds_of(25); round++) {
        const size_t n = 1 + (size_t)draw_below(&random_state, round % 3 == 0 ? MOST : 600);
        const size_t w = 1 + (size_t)draw_below(&random_state, 150), h = 1 + (size_t)draw_below(&random_state, 150);
        const yoke_options o = {.flags = YOKE_ALWAYS_DIVIDE, .pitch = w + (size_t)draw_below(&random_state, 9)};
        BOTH(parallel_map_on(on, NULL, yoke_triad, n, y[way], x, z, 3.0f), y, n * sizeof(float));
        BOTH(parallel_map_on(on, NULL, yoke_axpy, n, y[way], x, 0.5f), y, n * sizeof(float));
        BOTH(parallel_map_on(on, NULL, yoke_scale, n, y[way], y[way], 1.25f), y, n * sizeof(float)); /* in place */
        BOTH(parallel_map_on(on, NULL, yoke_black_scholes, n, x, z, x, 0.02f, 0.3f, y[way], y[way] + n), y,
             2 * n * sizeof(float));
        BOTH(parallel_map_on(on, NULL, newton, n, y[way], x), y, n * sizeof(float));
        BOTH(parallel_map_on(on, NULL, good_scatter, n, x, y[way]), y, 3 * n * sizeof(float));
        BOTH(parallel_map_on(on, NULL, yoke_nbody, n % 300 + 1, y[way], y[way] + 400, y[way] + 800, x, z, x, z, 0.1f),
             y, 1200 * sizeof(float));
        BOTH(parallel_map_2d_on(on, NULL, yoke_heat, w, h, y[way], x, 0.2f), y, w * h * sizeof(float));
        BOTH(parallel_map_2d_on(on, &o, yoke_blur_rows, w, h, blurred[way], bytes, weights, 4, 1), blurred, h);
        BOTH(parallel_map_2d_on(on, NULL, yoke_blur_columns, w, h, blurred[way], bytes, weights, 4), blurred, w * h);
        assert_int_equal(parallel_map_on(checking, NULL, pad, n, pads, x), YOKE_OK);
        assert_true(pads[n - 1].tag == 1 && pads[n - 1].value == (double)x[n - 1]);
    }
    assert_int_equal(heard(text, sizeof text), 0);
}

static void good_reductions_pass_and_compute_the_same(void **state)
{
    (void)state;
    char text[2000];
    listen();
    for (unsigned long round = 0; round < rounds_of(20); round++) {
        const size_t n = (size_t)draw_below(&random_state, MOST);
        float dot[2];
        yoke_histogram_counts counts[2];
        BOTH(parallel_reduce_on(on, NULL, yoke_dot, n, &dot[way], x, z), &dot, sizeof *dot);
        BOTH(parallel_reduce_on(on, NULL, yoke_histogram, n, &counts[way], bytes), &counts, sizeof *counts);
    }
    assert_int_equal(heard(text, sizeof text), 0);
}

/* --- what is said --- */

static void each_finding_is_printed_once(void **state)
{
    (void)state;
    char text[4000];
    listen();
    for (size_t k = 0; k < 5; k++) {
        FOUND(parallel_map_on(checking, NULL, bad_unwritten, 100, y[0], x, 3 * k), bad_unwritten, "y[%zu]", 3 * k);
        FOUND(parallel_map_on(checking, NULL, bad_read_in, 100, y[0], x, k), bad_read_in, "x[%zu]", k + 1);
    }
    assert_int_equal(heard(text, sizeof text), 2);
    assert_int_equal(strncmp(text, "yoke: kernel bad_unwritten (", 28), 0);
    assert_non_null(strstr(text, "check_kernels.h:"));
}

static void a_map_of_one_item_is_checked(void **state)
{
    (void)state;
    y[0][0] = 5;
    FOUND(parallel_map_on(checking, NULL, bad_unwritten, 1, y[0], x, (size_t)0), bad_unwritten, "y[0]");
    assert_int_equal(parallel_map_on(checking, NULL, bad_unwritten, 1, y[0], x, (size_t)1), YOKE_OK);
    assert_true(y[0][0] == x[0]);
    assert_int_equal(parallel_map_on(plain, NULL, bad_unwritten, 1, y[0], x, (size_t)0), YOKE_OK);
}

static void large_calls_are_sampled_and_it_is_said(void **state)
{
    (void)state;
    enum { LARGE = 1 << 27 };
    char text[2000];
    char *from = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(from != MAP_FAILED);
    const size_t n = LARGE / 2 / sizeof(double);
    double *a = (double *)(void *)from, *b = a + n;
    listen();
    int status = parallel_map_on(checking, NULL, yoke_dscale, n, b, a, 2.0);
    assert_int_equal(heard(text, sizeof text), 0);
    assert_int_equal(status, YOKE_OK);
    if (text[0] != '\0') /* nothing on a machine that is fast enough for all */
        assert_non_null(strstr(text, "kernel yoke_dscale ("));
    (void)munmap(from, LARGE);
}

/* --- how it is asked for --- */

static void the_environment_asks_for_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool opens, checks;
    } cases[] = {{"1", true, true}, {"12345", true, true}, {"0", true, false},
                 {"", true, false}, {"yes", false, false}, {"-1", false, false}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        assert_int_equal(setenv("YOKE_CHECK", cases[k].text, 1), 0);
        yoke_runtime *r = yoke_open(&(yoke_runtime_options){.workers = 2, .devices = "cpu"});
        assert_true((r != NULL) == cases[k].opens);
        if (r != NULL)
            assert_int_equal(parallel_map_on(r, NULL, bad_unwritten, 9, y[0], x, (size_t)4),
                             cases[k].checks ? YOKE_ECHECK : YOKE_OK);
        else
            assert_non_null(strstr(yoke_error_detail(), "YOKE_CHECK="));
        assert_int_equal(yoke_close(r), YOKE_OK);
    }
    (void)unsetenv("YOKE_CHECK");
}

/* --- the program around it --- */

static int with_progress(yoke_runtime *r)
{
    return parallel_map_on(r, NULL, bad_halo_after, 1000, (int *)(void *)y[0], (int *)(void *)x, (size_t)500);
}

static void *check_often(void *unused)
{
    (void)unused;
    static _Thread_local float mine[3000];
    for (size_t k = 0; k < (SANITIZED ? 10 : 60); k++) {
        if (parallel_map_on(checking, NULL, yoke_scale, 1000 + k, mine, x, 2.0f) != YOKE_OK ||
            mine[999 + k] != 2.0f * x[999 + k])
            return mine;
        if (parallel_map_on(checking, NULL, bad_read_in, 1000 + k, mine, x, 20 + k) != YOKE_ECHECK ||
            strstr(yoke_error_detail(), "bad_read_in") == NULL)
            return mine;
    }
    return NULL;
}

static void threads_take_turns(void **state)
{
    (void)state;
    pthread_t thread[4];
    for (int k = 0; k < 4; k++)
        assert_int_equal(pthread_create(&thread[k], NULL, check_often, NULL), 0);
    for (int k = 0; k < 4; k++) {
        void *wrong;
        assert_int_equal(pthread_join(thread[k], &wrong), 0);
        assert_null(wrong);
    }
}

static void check_here(size_t begin, size_t end, void *failures)
{
    static float apart[64][100];
    for (size_t k = begin; k < end; k++)
        if (parallel_map_on(checking, NULL, yoke_scale, 100, apart[k], x, 2.0f) != YOKE_OK)
            atomic_fetch_add((atomic_int *)failures, 1);
}

static void calls_from_inside_of_a_body_are_checked(void **state)
{
    (void)state;
    atomic_int failures = 0;
    assert_int_equal(yoke_parallel_for_on(checking, &(yoke_options){.flags = YOKE_ALWAYS_DIVIDE, .grain = 1}, 64,
                                          check_here, &failures),
                     YOKE_OK);
    assert_int_equal(failures, 0);
}

static void *fork_in_the_middle(void *unused)
{
    (void)unused;
    return check_often(NULL);
}

static void a_forked_child_checks_too(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fork_in_the_middle, NULL), 0);
    for (int k = 0; k < 5; k++) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(60);
            int status = parallel_map_on(checking, NULL, bad_read_in, 500, y[0], x, (size_t)7);
            _exit(status == YOKE_ECHECK && with_progress(checking) == YOKE_ECHECK ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static sigjmp_buf back;
static volatile sig_atomic_t handled;

static void own_handler(int number)
{
    (void)number;
    handled = handled + 1;
    siglongjmp(back, 1);
}

YOKE_KERNEL(reads_address, (out(float, y), value(uintptr_t, at)), { y[i] = *(const volatile float *)at; })

/* A fault that is none of ours is the program's: outside of calls, and in a body that follows a wild pointer. */
static void handlers_of_the_program_stay(void **state)
{
    (void)state;
    struct sigaction own = {.sa_handler = own_handler}, before, after;
    (void)sigemptyset(&own.sa_mask);
    assert_int_equal(sigaction(SIGSEGV, &own, &before), 0);
    FOUND(parallel_map_on(checking, NULL, bad_read_in, 500, y[0], x, (size_t)7), bad_read_in, "x[8]");
    assert_int_equal(handled, 0);
    assert_int_equal(sigaction(SIGSEGV, NULL, &after), 0);
    assert_true(after.sa_handler == own_handler);
    char *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)nothing = 1;
    assert_int_equal(handled, 1);
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
    const pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)parallel_map_on(checking, NULL, reads_address, 10, y[0], (uintptr_t)nothing);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    (void)munmap(nothing, 4096);
}

static void without_memory_a_call_runs_unchecked(void **state)
{
    (void)state;
    char text[4000];
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.check = 7, .workers = 1, .devices = "cpu"});
    assert_non_null(r);
    listen();
    int first = YOKE_OK, found = 0;
    for (unsigned long nth = 1; nth < 6; nth++) {
        yoke__alloc_fail_at(nth, true);
        int status = parallel_map_on(r, NULL, bad_unwritten, 100, y[0], x, (size_t)3);
        yoke__alloc_fail_at(0, false);
        found += status == YOKE_ECHECK;
        first = nth == 1 ? status : first;
    }
    const unsigned lines = heard(text, sizeof text);
    assert_int_equal(first, YOKE_OK);
    assert_true(found > 0);
    assert_int_equal(lines, 2);
    assert_non_null(strstr(text, "not checked: there is no memory"));
    assert_int_equal(yoke_close(r), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_kernels_pass_and_compute_the_same),
        cmocka_unit_test(good_reductions_pass_and_compute_the_same),
        cmocka_unit_test(each_finding_is_printed_once),
        cmocka_unit_test(a_map_of_one_item_is_checked),
        cmocka_unit_test(large_calls_are_sampled_and_it_is_said),
        cmocka_unit_test(the_environment_asks_for_it),
        cmocka_unit_test(threads_take_turns),
        cmocka_unit_test(calls_from_inside_of_a_body_are_checked),
        cmocka_unit_test(a_forked_child_checks_too),
        cmocka_unit_test(handlers_of_the_program_stay),
        cmocka_unit_test(without_memory_a_call_runs_unchecked),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
