/* Options of a call and settings of the environment, sensible and absurd: deadlines, cancel, progress, grain. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support.h"
#include "yoke/yoke.h"

enum { N = 5000 };

YOKE_KERNEL(options_add, (in(float, x), out(float, y)), { y[i] = x[i] + 1.0f; })
YOKE_KERNEL_2D(options_rows, (in(float, x), out(float, y)), { y[j * width + i] = x[j * width + i] + 1.0f; })
YOKE_REDUCE(options_sum, (double, 0.0, a + b), (in(float, x)), x[i])

static float x[N], y[N];

static int map_with(yoke_options options)
{
    for (int k = 0; k < N; k++)
        x[k] = (float)k, y[k] = -1;
    return parallel_map_on(NULL, &options, options_add, N, x, y);
}

static bool is_done(void)
{
    for (int k = 0; k < N; k++)
        if (y[k] != x[k] + 1.0f)
            return false;
    return true;
}

static bool is_untouched(void)
{
    for (int k = 0; k < N; k++)
        if (y[k] != -1)
            return false;
    return true;
}

static void options_refused(yoke_options options, int wanted)
{
    assert_int_equal(map_with(options), wanted);
    assert_true(strlen(yoke_error_detail()) > 20);
    assert_true(is_untouched());
    double sum = 3;
    assert_int_equal(parallel_reduce_on(NULL, &options, options_sum, N, &sum, x), wanted);
    assert_true(sum == 3);
    assert_int_equal(map_with((yoke_options){0}), YOKE_OK);
    assert_true(is_done());
}

static void absurd_options_are_refused_before_anything_runs(void **state)
{
    (void)state;
    options_refused((yoke_options){.flags = 64}, YOKE_EINVAL);
    options_refused((yoke_options){.flags = YOKE_NEVER_COEXECUTE | YOKE_ALWAYS_COEXECUTE}, YOKE_EINVAL);
    options_refused((yoke_options){.flags = 1u << 31}, YOKE_EINVAL);
    options_refused((yoke_options){.size = 1}, YOKE_EVERSION);
    options_refused((yoke_options){.size = sizeof(yoke_options) + 8}, YOKE_EVERSION);
    options_refused((yoke_options){.workers = 65537}, YOKE_EINVAL);
    options_refused((yoke_options){.workers = UINT32_MAX}, YOKE_EINVAL);
    options_refused((yoke_options){.deadline_ns = -1}, YOKE_EINVAL);
    options_refused((yoke_options){.deadline_ns = INT64_MIN}, YOKE_EINVAL);
    options_refused((yoke_options){.pitch = N + 1}, YOKE_EINVAL); /* needs a 2-D kernel */
}

static void extreme_but_lawful_options_work(void **state)
{
    (void)state;
    static const size_t grains[] = {0, 1, N - 1, N, N + 1, SIZE_MAX - 1, SIZE_MAX};
    for (unsigned divide = 0; divide <= YOKE_ALWAYS_DIVIDE; divide++) {
        for (size_t k = 0; k < sizeof grains / sizeof *grains; k++) {
            assert_int_equal(map_with((yoke_options){.flags = divide, .grain = grains[k]}), YOKE_OK);
            assert_true(is_done());
            double sum = 0;
            const yoke_options options = {.flags = divide, .grain = grains[k]};
            assert_int_equal(parallel_reduce_on(NULL, &options, options_sum, N, &sum, x), YOKE_OK);
            assert_true(sum == N * (N - 1.0) / 2);
        }
        assert_int_equal(map_with((yoke_options){.flags = divide, .deadline_ns = INT64_MAX}), YOKE_OK);
        assert_true(is_done());
        assert_int_equal(map_with((yoke_options){.flags = divide, .workers = 65536}), YOKE_OK);
        assert_true(is_done());
        assert_int_equal(map_with((yoke_options){.flags = divide, .size = sizeof(yoke_options)}), YOKE_OK);
        assert_true(is_done());
    }
}

static void row_pitch_keeps_the_gaps_and_must_reach_the_width(void **state)
{
    (void)state;
    float from[5 * 4], to[5 * 4];
    for (size_t pitch = 3; pitch <= 5; pitch++) {
        const yoke_options options = {.pitch = pitch, .flags = YOKE_ALWAYS_DIVIDE | YOKE_ALWAYS_STREAM};
        for (int k = 0; k < 20; k++)
            from[k] = (float)k, to[k] = -1;
        assert_int_equal(parallel_map_2d_on(NULL, &options, options_rows, 3, 4, from, to), YOKE_OK);
        for (size_t k = 0; k < 20; k++)
            assert_true(to[k] == (k % pitch < 3 && k / pitch < 4 ? (float)k + 1 : -1));
    }
    const yoke_options narrow = {.pitch = 2}, vast = {.pitch = SIZE_MAX};
    assert_int_equal(parallel_map_2d_on(NULL, &narrow, options_rows, 3, 4, from, to), YOKE_EINVAL);
    assert_int_equal(parallel_map_2d_on(NULL, &vast, options_rows, 3, 4, from, to), YOKE_EOVERFLOW);
    assert_true(strlen(yoke_error_detail()) > 20);
}

/* --- stopping --- */

static void deadline_in_the_past_runs_nothing(void **state)
{
    (void)state;
    static const int64_t past[] = {1, 1000};
    for (unsigned divide = 0; divide <= YOKE_ALWAYS_DIVIDE; divide++) {
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(map_with((yoke_options){.flags = divide, .deadline_ns = past[k]}), YOKE_ETIMEDOUT);
            assert_true(is_untouched());
            assert_non_null(strstr(yoke_error_detail(), "deadline"));
        }
        assert_int_equal(map_with((yoke_options){.flags = divide, .deadline_ns = yoke_deadline_in(-5)}),
                         YOKE_ETIMEDOUT);
        assert_true(is_untouched());
        double sum = 3;
        const yoke_options options = {.flags = divide, .deadline_ns = 1};
        assert_int_equal(parallel_reduce_on(NULL, &options, options_sum, N, &sum, x), YOKE_ETIMEDOUT);
        assert_true(sum == 3);
    }
    assert_true(yoke_deadline_in(INT64_MAX) == INT64_MAX);
    assert_true(yoke_deadline_in(INT64_MIN) == 1);
    assert_true(yoke_deadline_in(1000000000) > yoke_deadline_in(0));
}

static void cancel_before_the_call_runs_nothing(void **state)
{
    (void)state;
    const volatile int cancel = 1;
    for (unsigned divide = 0; divide <= YOKE_ALWAYS_DIVIDE; divide++) {
        assert_int_equal(map_with((yoke_options){.flags = divide, .cancel = &cancel}), YOKE_ECANCELED);
        assert_true(is_untouched());
    }
    assert_int_equal(map_with((yoke_options){0}), YOKE_OK);
    assert_true(is_done());
}

typedef struct slow {
    volatile int cancel;
    atomic_size_t items;
    size_t cancel_at;
} slow;

static void run_slowly(size_t begin, size_t end, void *argument)
{
    slow *s = argument;
    sleep_ns(1000000);
    if (atomic_fetch_add(&s->items, end - begin) + end - begin >= s->cancel_at)
        s->cancel = 1;
}

static void cancel_and_deadline_end_a_running_call_early(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* the flag is a volatile int by contract */
    for (unsigned workers = 1; workers <= 3; workers++) {
        slow s = {.cancel_at = 20};
        yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .workers = workers, .grain = 1, .cancel = &s.cancel};
        assert_int_equal(parallel_for_on(NULL, &options, 10000, run_slowly, &s), YOKE_ECANCELED);
        assert_true(atomic_load(&s.items) >= 20 && atomic_load(&s.items) < 5000);
        slow never = {.cancel_at = SIZE_MAX};
        options.cancel = NULL;
        options.deadline_ns = yoke_deadline_in(30000000);
        int64_t start = yoke__now_ns();
        assert_int_equal(parallel_for_on(NULL, &options, 10000, run_slowly, &never), YOKE_ETIMEDOUT);
        assert_true(yoke__now_ns() - start >= 29000000);
        assert_true(atomic_load(&never.items) < 5000);
    }
}

/* --- progress --- */

typedef struct reports {
    pthread_t thread;
    size_t calls, last, total;
    bool good;
} reports;

static void on_progress(size_t done, size_t total, void *argument)
{
    reports *r = argument;
    r->good =
        r->good && pthread_equal(r->thread, pthread_self()) && done > r->last && done <= total && total == r->total;
    r->last = done;
    r->calls++;
}

static void progress_rises_to_the_total_on_the_callers_thread(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        reports r = {.thread = pthread_self(), .good = true, .total = N};
        yoke_options options = {.workers = 1 + round % 4,
                                .grain = 1 + 37 * (round % 5),
                                .progress = on_progress,
                                .progress_argument = &r,
                                .flags = round % 2};
        assert_int_equal(map_with(options), YOKE_OK);
        assert_true(is_done() && r.good && r.calls >= 1);
        assert_int_equal(r.last, N);
        r = (reports){.thread = pthread_self(), .good = true, .total = 40};
        static float image[2][100 * 40];
        assert_int_equal(parallel_map_2d_on(NULL, &options, options_rows, 100, 40, image[0], image[1]), YOKE_OK);
        assert_true(r.good && r.last == 40);
        r = (reports){.thread = pthread_self(), .good = true, .total = N};
        double sum;
        assert_int_equal(parallel_reduce_on(NULL, &options, options_sum, N, &sum, x), YOKE_OK);
        assert_true(r.good && r.last == N);
    }
}

static void progress_of_a_call_that_ran_nothing_does_not_claim_it_all(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        reports r = {.thread = pthread_self(), .good = true, .total = N};
        const yoke_options options = {.workers = workers,
                                      .progress = on_progress,
                                      .progress_argument = &r,
                                      .flags = YOKE_ALWAYS_DIVIDE,
                                      .deadline_ns = 1};
        assert_int_equal(map_with(options), YOKE_ETIMEDOUT);
        assert_true(is_untouched());
        assert_true(r.last < N);
    }
}

/* --- opening --- */

static void open_refused(const char *name, const char *value, const char *word)
{
    assert_int_equal(setenv(name, value, 1), 0);
    yoke_runtime *runtime = yoke_open(NULL);
    const char *detail = yoke_error_detail();
    if (runtime != NULL || strstr(detail, word) == NULL)
        fail_msg("%s=%s: %s", name, value, runtime != NULL ? "opened" : detail);
    assert_int_equal(unsetenv(name), 0);
    runtime = yoke_open(NULL);
    assert_non_null(runtime);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void environment_values_that_are_unknown_are_refused_by_name(void **state)
{
    (void)state;
    char longest[5001];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    static const char *const numbers[] = {"0", "-1", "65537", "1e3", "4x", " 4", "99999999999999999999999", "four"};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        open_refused("YOKE_WORKERS", numbers[k], "YOKE_WORKERS");
    open_refused("YOKE_WORKERS", longest, "YOKE_WORKERS");
    open_refused("YOKE_PIN", "tight", "compact");
    open_refused("YOKE_PIN", "COMPACT", "compact");
    open_refused("YOKE_PIN", longest, "compact");
    open_refused("YOKE_ISA", "sse9", "instruction set");
    open_refused("YOKE_ISA", longest, "instruction set");
    open_refused("YOKE_DEVICES", "gpu:99", "gpu:99");
    open_refused("YOKE_DEVICES", "opencl:99", "opencl:99");
    open_refused("YOKE_DEVICES", "\xff\xfe;rm", "rm");
    open_refused("YOKE_DEVICES", "cpu,", "empty");
    open_refused("YOKE_DEVICES", longest, "devices");
}

static void environment_values_that_are_known_are_followed(void **state)
{
    (void)state;
    static const char *const settings[][2] = {{"YOKE_WORKERS", "3"},   {"YOKE_PIN", "none"}, {"YOKE_ISA", "baseline"},
                                              {"YOKE_DEVICES", "cpu"}, {"YOKE_PIN", "numa"}, {"YOKE_WORKERS", ""}};
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        assert_int_equal(setenv(settings[k][0], settings[k][1], 1), 0);
        yoke_runtime *runtime = yoke_open(NULL);
        assert_non_null(runtime);
        if (k == 0)
            assert_int_equal(yoke_workers(runtime), 3);
        assert_int_equal(yoke_close(runtime), YOKE_OK);
        assert_int_equal(unsetenv(settings[k][0]), 0);
    }
}

static void runtime_options_that_are_absurd_are_refused(void **state)
{
    (void)state;
    const yoke_runtime_options bad[] = {{.size = 3},          {.size = sizeof(yoke_runtime_options) + 1},
                                        {.workers = 65537},   {.workers = UINT32_MAX},
                                        {.pin = (yoke_pin)5}, {.pin = (yoke_pin)-1},
                                        {.isa = "mmx"},       {.isa = ""}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_null(yoke_open(&bad[k]));
        assert_true(strlen(yoke_error_detail()) > 20);
    }
    assert_int_equal(yoke_set_workers(NULL, 65537), YOKE_EINVAL);
    assert_int_equal(yoke_topology_of(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_worker_place_of(NULL, 0, NULL), YOKE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absurd_options_are_refused_before_anything_runs),
        cmocka_unit_test(extreme_but_lawful_options_work),
        cmocka_unit_test(row_pitch_keeps_the_gaps_and_must_reach_the_width),
        cmocka_unit_test(deadline_in_the_past_runs_nothing),
        cmocka_unit_test(cancel_before_the_call_runs_nothing),
        cmocka_unit_test(cancel_and_deadline_end_a_running_call_early),
        cmocka_unit_test(progress_rises_to_the_total_on_the_callers_thread),
        cmocka_unit_test(progress_of_a_call_that_ran_nothing_does_not_claim_it_all),
        cmocka_unit_test(environment_values_that_are_unknown_are_refused_by_name),
        cmocka_unit_test(environment_values_that_are_known_are_followed),
        cmocka_unit_test(runtime_options_that_are_absurd_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
