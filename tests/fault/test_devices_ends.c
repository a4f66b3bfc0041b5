/* How calls on a device end: cancelled, late, with progress, with the device lost and opened again. */
#include <pthread.h>

#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(dev_turn, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i]; })
YOKE_EXACT_KERNEL_2D(dev_rows, (in(float, x), out(float, y)), { y[j * width + i] = x[j * width + i] + 1.0f; })

#define MS INT64_C(1000000)

static double ms_since(int64_t start)
{
    return (double)(yoke__now_ns() - start) * 1e-6;
}

/* --- cancel and deadline --- */

static void call_that_may_not_begin_leaves_everything_as_it_was(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu");
    const volatile int cancel = 1;
    float sum = 3;
    assert_int_equal(scale(r, NULL, N), YOKE_OK); /* compiled, and open */
    fill();
    const int calls = control("calls?");
    assert_int_equal(scale(r, &(yoke_options){.cancel = &cancel}, N), YOKE_ECANCELED);
    assert_non_null(strstr(yoke_error_detail(), "cancel"));
    assert_int_equal(scale(r, &(yoke_options){.deadline_ns = 1}, N), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_error_detail(), "deadline"));
    assert_int_equal(scale(r, &(yoke_options){.deadline_ns = yoke_deadline_in(-5)}, N), YOKE_ETIMEDOUT);
    assert_int_equal(scale(r, &(yoke_options){.deadline_ns = -5}, N), YOKE_EINVAL);
    assert_int_equal(parallel_reduce_on(r, &(yoke_options){.cancel = &cancel}, dev_sum, N, &sum, x), YOKE_ECANCELED);
    assert_true(sum == 3);
    assert_true(is_untouched(N));
    assert_int_equal(control("calls?"), calls);
    assert_int_equal(scale(r, &(yoke_options){.deadline_ns = INT64_MAX}, N), YOKE_OK);
    close_runtime(r);
}

typedef struct canceller {
    pthread_t thread;
    volatile int cancel;
    int64_t after_ns, at_ns;
} canceller;

static void *cancel_later(void *argument)
{
    canceller *c = argument;
    sleep_ns(c->after_ns);
    c->at_ns = yoke__now_ns();
    __atomic_store_n(&c->cancel, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Ten seconds in all, in pieces of a few KiB. */
static yoke_runtime *slow_runtime(void)
{
    shape("NS_PER_ITEM=10000");
    shape("MAXALLOC=4096");
    return runtime_on("gpu:0");
}

static void cancel_ends_a_call_on_a_device(void **state)
{
    (void)state;
    yoke_runtime *r = slow_runtime();
    canceller c = {.after_ns = 60 * MS};
    const yoke_options options = {.cancel = &c.cancel};
    assert_int_equal(pthread_create(&c.thread, NULL, cancel_later, &c), 0);
    assert_int_equal(parallel_map_on(r, &options, dev_scale, LARGE, x, y, 2.0f), YOKE_ECANCELED);
    assert_int_equal(pthread_join(c.thread, NULL), 0);
    assert_true(c.at_ns != 0 && ms_since(c.at_ns) < 500);
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    shape("NS_PER_ITEM=0");
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    assert_int_equal(last_decision().device_items, N);
    close_runtime(r);
}

static void deadline_ends_a_call_on_a_device(void **state)
{
    (void)state;
    yoke_runtime *r = slow_runtime();
    const int64_t start = yoke__now_ns();
    const yoke_options options = {.deadline_ns = yoke_deadline_in(80 * MS)};
    assert_int_equal(parallel_map_on(r, &options, dev_scale, LARGE, x, y, 2.0f), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_error_detail(), "unspecified"));
    assert_true(ms_since(start) >= 80 && ms_since(start) < 600);
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    shape("NS_PER_ITEM=0");
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    assert_int_equal(last_decision().device_items, N);
    close_runtime(r);
}

static void deadline_holds_while_a_kernel_is_compiled(void **state)
{
    (void)state;
    shape("BUILD_MS=1000");
    yoke_runtime *r = runtime_on("gpu:0");
    const int64_t start = yoke__now_ns();
    assert_int_equal(scale(r, &(yoke_options){.deadline_ns = yoke_deadline_in(50 * MS)}, N), YOKE_ETIMEDOUT);
    assert_true(ms_since(start) < 500);
    assert_true(is_untouched(N));
    canceller c = {.after_ns = 50 * MS};
    assert_int_equal(pthread_create(&c.thread, NULL, cancel_later, &c), 0);
    assert_int_equal(scale(r, &(yoke_options){.cancel = &c.cancel}, N), YOKE_ECANCELED);
    assert_int_equal(pthread_join(c.thread, NULL), 0);
    assert_true(ms_since(start) < 700);
    shape("BUILD_MS=0");
    assert_int_equal(scale(r, NULL, N), YOKE_OK); /* the build went on meanwhile */
    assert_int_equal(last_decision().device_items, N);
    close_runtime(r);
}

static void *map_slowly(void *argument)
{
    static float from[N], to[N];
    return parallel_map_on(argument, NULL, dev_turn, N, from, to) == YOKE_OK ? argument : NULL;
}

static void deadline_holds_while_another_call_has_the_device(void **state)
{
    (void)state;
    pthread_t thread;
    void *fine;
    yoke_runtime *r = runtime_on("gpu:0");
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    fill();
    shape("NS_PER_ITEM=200000"); /* 0.8 s in one piece */
    assert_int_equal(pthread_create(&thread, NULL, map_slowly, r), 0);
    sleep_ns(200 * MS);
    const int64_t start = yoke__now_ns();
    assert_int_equal(scale(r, &(yoke_options){.deadline_ns = yoke_deadline_in(50 * MS)}, N), YOKE_ETIMEDOUT);
    assert_true(ms_since(start) < 300);
    assert_true(is_untouched(N));
    assert_int_equal(pthread_join(thread, &fine), 0);
    assert_ptr_equal(fine, r);
    shape("NS_PER_ITEM=0");
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    close_runtime(r);
}

/* --- progress --- */

typedef struct heard {
    pthread_t caller;
    size_t last, total, calls, wrong;
} heard;

static void hear(size_t done, size_t total, void *argument)
{
    heard *h = argument;
    h->wrong += done < h->last || done > total || total != h->total || !pthread_equal(h->caller, pthread_self());
    h->last = done;
    h->calls++;
}

static void expect_progress(const heard *h, size_t least)
{
    assert_int_equal(h->wrong, 0);
    assert_int_equal(h->last, h->total);
    assert_true(h->calls >= least);
}

static void progress_grows_and_ends_with_all(void **state)
{
    (void)state;
    yoke_runtime *r = slow_runtime();
    shape("NS_PER_ITEM=5000");
    heard h = {.caller = pthread_self(), .total = 40000};
    yoke_options options = {.progress = hear, .progress_argument = &h};
    assert_int_equal(scale(r, &options, h.total), YOKE_OK);
    assert_int_equal(last_decision().device_items, h.total);
    expect_progress(&h, 4);
    h = (heard){.caller = h.caller, .total = 200}; /* 2-D: rows */
    assert_int_equal(parallel_map_2d_on(r, &options, dev_rows, 100, h.total, x, y), YOKE_OK);
    assert_int_equal(last_decision().device_items, h.total);
    expect_progress(&h, 3);
    shape("MAXALLOC=65536");
    close_runtime(r);
    r = runtime_on("gpu:0");
    float sum;
    h = (heard){.caller = h.caller, .total = 60001};
    assert_int_equal(parallel_reduce_on(r, &options, dev_sum, h.total, &sum, x), YOKE_OK);
    assert_int_equal(last_decision().device_items, h.total);
    expect_progress(&h, 2);
    shape("NS_PER_ITEM=0");
    h = (heard){.caller = h.caller, .total = 1};
    assert_int_equal(scale(r, &options, 1), YOKE_OK);
    expect_progress(&h, 1);
    close_runtime(r);
}

static void progress_ends_with_all_when_the_device_does_not(void **state)
{
    (void)state;
    static const char *const faults[] = {"fault clEnqueueNDRangeKernel:5:lost", "fault clEnqueueNDRangeKernel:1:lost",
                                         "fault clEnqueueNDRangeKernel:4:-5", "fault clCreateBuffer:1:-4:sticky"};
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        assert_int_equal(fresh(state), 0);
        yoke_runtime *r = slow_runtime();
        shape("NS_PER_ITEM=2000");
        heard h = {.caller = pthread_self(), .total = 20000};
        assert_int_equal(parallel_map_on(r, NULL, dev_scale, 1, x, y, 2.0f), YOKE_OK);
        assert_int_equal(control(faults[k]), 0);
        assert_int_equal(scale(r, &(yoke_options){.progress = hear, .progress_argument = &h}, h.total), YOKE_OK);
        expect_progress(&h, 1);
        close_runtime(r);
    }
}

static void cancel_holds_for_what_a_lost_device_leaves(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0");
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    fill();
    assert_int_equal(control("fault clEnqueueNDRangeKernel:1:delay=80,clEnqueueNDRangeKernel:1:lost"), 0);
    canceller c = {.after_ns = 20 * MS};
    assert_int_equal(pthread_create(&c.thread, NULL, cancel_later, &c), 0);
    assert_int_equal(scale(r, &(yoke_options){.cancel = &c.cancel}, N), YOKE_ECANCELED);
    assert_int_equal(pthread_join(c.thread, NULL), 0);
    close_runtime(r);
}

/* --- lost and opened again --- */

static void lost_device_works_after_reopening(void **state)
{
    (void)state;
    static const char *const faults[] = {"fault clEnqueueNDRangeKernel:1:lost", "fault clFinish:1:lost,*:3:lost",
                                         "fault clEnqueueNDRangeKernel:1:stall"};
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        assert_int_equal(fresh(state), 0);
        (void)setenv("YOKE_DEVICE_TIMEOUT_MS", "200", 1);
        yoke_runtime *r = runtime_on("gpu:0,gpu:1");
        (void)setenv("YOKE_DEVICE_TIMEOUT_MS", "2000", 1);
        const yoke_options first = {.devices = "gpu:0"};
        assert_int_equal(scale(r, &first, N), YOKE_OK);
        const uint64_t pieces = device_of(r, 0).pieces;
        assert_int_equal(control(faults[k]), 0);
        assert_int_equal(scale(r, &first, N), YOKE_OK);
        assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_LOST);
        assert_int_equal(device_of(r, 1).state, YOKE_DEVICE_READY);
        assert_int_equal(device_of(r, 0).pieces, pieces);
        if (k < 2) {
            assert_int_equal(yoke_reopen_device(r, 0), YOKE_ENODEV); /* still gone */
            assert_non_null(strstr(yoke_error_detail(), "Alpha One"));
            assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_LOST);
        }
        (void)control("reset");
        (void)control("release");
        assert_int_equal(yoke_reopen_device(r, 0), YOKE_OK);
        assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
        assert_string_equal(device_of(r, 0).reason, "");
        assert_int_equal(yoke_reopen_device(r, 0), YOKE_EINVAL);
        assert_int_equal(scale(r, &first, N), YOKE_OK);
        assert_int_equal(last_decision().device, 0);
        assert_int_equal(last_decision().device_items, N);
        assert_true(device_of(r, 0).pieces > pieces);
        close_runtime(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(call_that_may_not_begin_leaves_everything_as_it_was, fresh),
        cmocka_unit_test_setup(cancel_ends_a_call_on_a_device, fresh),
        cmocka_unit_test_setup(deadline_ends_a_call_on_a_device, fresh),
        cmocka_unit_test_setup(deadline_holds_while_a_kernel_is_compiled, fresh),
        cmocka_unit_test_setup(deadline_holds_while_another_call_has_the_device, fresh),
        cmocka_unit_test_setup(progress_grows_and_ends_with_all, fresh),
        cmocka_unit_test_setup(progress_ends_with_all_when_the_device_does_not, fresh),
        cmocka_unit_test_setup(cancel_holds_for_what_a_lost_device_leaves, fresh),
        cmocka_unit_test_setup(lost_device_works_after_reopening, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
