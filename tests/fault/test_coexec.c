/* One call on the workers and several devices at once: results, who did what, failures in the middle, and how near to the
 * best division it comes. */
#include <math.h>
#include <pthread.h>
#include <time.h>

#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

enum { WIDTH = 211, HEIGHT = 173, SLOW_ITEMS = 200000, PAUSE_EVERY = 100, PAUSE_NS = 100000, PATIENCE = 2000 };

YOKE_EXACT_KERNEL(co_update, (inout(float, y), halo(float, x, 3, 2)), {
    float sum = y[i];
    for (size_t k = i < 3 ? 0 : i - 3; k <= i + 2 && k < n; k++)
        sum += x[k] * 0.25f;
    y[i] = sum;
})
YOKE_EXACT_KERNEL_2D(co_rows, (halo(float, x, 1, 1), out(float, y)), {
    float below = j + 1 < height ? x[(j + 1) * width + i] : 0.0f;
    float above = j > 0 ? x[(j - 1) * width + i] : 0.0f;
    y[j * width + i] = x[j * width + i] - above - below;
})
YOKE_EXACT_KERNEL(co_scatter, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i]; })

static const yoke_options together = {.flags = YOKE_ALWAYS_COEXECUTE};

/* The fake sleeps for its time itself. */
static void pause_here(void)
{
    char name[16] = "";
    const struct timespec time = {.tv_nsec = PAUSE_NS};
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    if (strncmp(name, "yoke/opencl", 11) != 0)
        (void)nanosleep(&time, NULL);
}
YOKE_EXACT_KERNEL(co_slow, (in(float, x), out(float, y)), {
    if (i % PAUSE_EVERY == 0)
        pause_here();
    y[i] = x[i] + 3.0f;
})

static void run_slow(yoke_runtime *r)
{
    memset(y, 0, SLOW_ITEMS * sizeof *y);
    assert_int_equal(parallel_map_on(r, &together, co_slow, SLOW_ITEMS, x, y), YOKE_OK);
    for (size_t i = 0; i < SLOW_ITEMS; i++)
        assert_true(y[i] == x[i] + 3.0f);
}

/* Until so many take part; the others are being compiled for. */
static yoke_runtime *runtime_of(const char *devices, unsigned participants)
{
    yoke_runtime *r = runtime_on(devices);
    for (unsigned k = 0; k < PATIENCE; k++) {
        assert_int_equal(scale(r, &together, LARGE), YOKE_OK);
        if (last_decision().share_count == participants)
            return r;
        sleep_ns(1000000);
    }
    for (unsigned k = 0; k < 3; k++)
        print_error("device %u: state %d: %s\n", k, (int)device_of(r, k).state, device_of(r, k).reason);
    fail_msg("%u of %u take part: %s", last_decision().share_count, participants, last_decision().reason);
    return NULL;
}

static size_t shared_items(void)
{
    const yoke_decision d = last_decision();
    size_t sum = 0, on_devices = 0;
    for (unsigned k = 0; k < d.share_count; k++) {
        sum += d.shares[k].items;
        on_devices += d.shares[k].device >= 0 ? d.shares[k].items : 0;
        assert_true((d.shares[k].items == 0) == (d.shares[k].pieces == 0));
    }
    assert_int_equal(on_devices, d.device_items);
    return sum;
}

static void divided_map_is_the_same_map(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 3, 63, 64, 65, 127, 1021, 4001, 65537, LARGE - 1, LARGE};
    yoke_runtime *r = runtime_of("cpu,gpu", 4);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        assert_int_equal(scale(r, &together, sizes[k]), YOKE_OK);
        assert_int_equal(shared_items(), sizes[k]);
    }
    for (unsigned k = 0; k == 0 || (k < PATIENCE && last_decision().share_count < 4); k++)
        run_slow(r);
    run_slow(r);
    assert_in_range(last_decision().device_items, 1, SLOW_ITEMS); /* long enough for the devices to get some */
    assert_int_equal(shared_items(), SLOW_ITEMS);
    close_runtime(r);
}

static int by_begin(const void *a, const void *b)
{
    const yoke_piece *p = a, *q = b;
    return (p->begin > q->begin) - (p->begin < q->begin);
}

static void pieces_cover_the_call_once(void **state)
{
    (void)state;
    static yoke_piece list[4096];
    yoke_pieces pieces = {.list = list, .capacity = sizeof list / sizeof *list};
    const yoke_options options = {.flags = YOKE_ALWAYS_COEXECUTE, .pieces = &pieces};
    yoke_runtime *r = runtime_of("cpu,gpu", 4);
    float sum;
    for (unsigned k = 0; k < 40; k++) {
        const size_t n = LARGE - k * 1000;
        size_t at = 0, of[4] = {0};
        if (k % 2 == 0)
            assert_int_equal(scale(r, &options, n), YOKE_OK);
        else
            assert_int_equal(parallel_reduce_on(r, &options, dev_sum, n, &sum, x), YOKE_OK);
        assert_in_range(pieces.count, 1, pieces.capacity);
        qsort(list, pieces.count, sizeof *list, by_begin);
        for (size_t p = 0; p < pieces.count; p++) {
            assert_int_equal(list[p].begin, at);
            at = list[p].end;
            of[list[p].device + 1] += list[p].end - list[p].begin;
        }
        assert_int_equal(at, n);
        assert_int_equal(last_decision().device_items, of[1] + of[2] + of[3]);
    }
    close_runtime(r);
    pieces.capacity = 1; /* what does not fit is counted */
    yoke_runtime *cpu = runtime_on("cpu");
    assert_int_equal(parallel_map_on(cpu, &(yoke_options){.pieces = &pieces}, dev_scale, N, x, y, 2.0f), YOKE_OK);
    assert_int_equal(pieces.count, 1);
    assert_int_equal(list[0].end, N);
    assert_int_equal(list[0].device, -1);
    close_runtime(cpu);
}

/* What YOKE_EXPLAIN=1 writes to standard error in two calls, one of them divided. */
static void decisions_are_told_when_asked(void **state)
{
    (void)state;
    static char told_text[1 << 20];
    assert_int_equal(setenv("YOKE_EXPLAIN", "1", 1), 0);
    FILE *file = tmpfile();
    const int before = dup(STDERR_FILENO);
    assert_true(file != NULL && before >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    yoke_runtime *r = runtime_of("cpu,gpu", 4);
    assert_int_equal(scale(r, NULL, 100), YOKE_OK);
    close_runtime(r);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    assert_int_equal(unsetenv("YOKE_EXPLAIN"), 0);
    rewind(file);
    const size_t length = fread(told_text, 1, sizeof told_text - 1, file);
    fclose(file);
    told_text[length] = '\0';
    assert_non_null(strstr(told_text, "yoke: dev_scale, 1048576 items:"));
    assert_non_null(strstr(told_text, "device 1 (Alpha Two)"));
    assert_non_null(strstr(told_text, "took "));
    assert_non_null(strstr(told_text, "yoke: dev_scale, 100 items:"));
    assert_non_null(strstr(told_text, "because: too short, or too new, for a device\n"));
}

static void halos_rows_and_sums_are_divided_too(void **state)
{
    (void)state;
    static float wanted[LARGE], got[LARGE];
    float sum, other;
    yoke_runtime *r = runtime_of("cpu,gpu", 4), *cpu = runtime_on("cpu");
    size_t on_devices[3] = {0};
    for (unsigned k = 0; k < PATIENCE && (on_devices[0] == 0 || on_devices[1] == 0 || on_devices[2] == 0); k++) {
        memcpy(wanted, y, sizeof y), memcpy(got, y, sizeof y);
        assert_int_equal(parallel_map_on(cpu, NULL, co_update, LARGE - 7, wanted, x), YOKE_OK);
        assert_int_equal(parallel_map_on(r, &together, co_update, LARGE - 7, got, x), YOKE_OK);
        assert_memory_equal(got, wanted, sizeof got);
        on_devices[0] += last_decision().device_items;
        assert_int_equal(parallel_map_2d_on(cpu, NULL, co_rows, WIDTH, HEIGHT, x, wanted), YOKE_OK);
        assert_int_equal(parallel_map_2d_on(r, &together, co_rows, WIDTH, HEIGHT, x, got), YOKE_OK);
        assert_memory_equal(got, wanted, sizeof got);
        on_devices[1] += last_decision().device_items;
        assert_int_equal(parallel_reduce_on(cpu, NULL, dev_sum, LARGE - 7, &sum, x), YOKE_OK);
        assert_int_equal(parallel_reduce_on(r, &together, dev_sum, LARGE - 7, &other, x), YOKE_OK);
        assert_memory_equal(&sum, &other, sizeof sum); /* the same tree, whoever folds its blocks */
        on_devices[2] += last_decision().device_items;
    }
    assert_true(on_devices[0] > 0 && on_devices[1] > 0 && on_devices[2] > 0);
    close_runtime(r);
    close_runtime(cpu);
}

static void what_cannot_be_divided_goes_to_one_place(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu");
    assert_int_equal(parallel_map_on(r, &together, co_scatter, N, x, y), YOKE_OK);
    for (size_t k = 0; k < N; k++)
        assert_true(y[k] == x[N - 1 - k]);
    assert_int_equal(last_decision().share_count, 1);
    assert_int_equal(last_decision().device_items, N);
    const yoke_options alone = {.flags = YOKE_NEVER_COEXECUTE};
    for (int k = 0; k < 20; k++) {
        assert_int_equal(scale(r, &alone, LARGE), YOKE_OK);
        assert_int_equal(last_decision().share_count, 1);
    }
    close_runtime(r);
}

static void device_that_fails_in_the_middle_loses_nothing(void **state)
{
    (void)state;
    static const char *const faults[] = {"lost", "-5", "-4", "hang", "stall", "evstatus=-5"};
    uint64_t seed = seed_of("coexec faults");
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        char fault[80];
        assert_int_equal(fresh(state), 0);
        assert_int_equal(setenv("YOKE_DEVICE_TIMEOUT_MS", "500", 1), 0);
        yoke_runtime *r = runtime_of("cpu,gpu", 4);
        for (unsigned call = 0; call == 0 || (call < PATIENCE && last_decision().share_count < 4); call++)
            run_slow(r);                  /* until it is compiled for all */
        shape("NS_PER_ITEM=900;500;300"); /* so that each has several pieces */
        assert_int_equal(control("reset"), 0);
        (void)snprintf(fault, sizeof fault, "fault clEnqueueNDRangeKernel:%u:%s%s", 1 + (unsigned)draw_below(&seed, 6),
                       faults[k], draw_below(&seed, 2) == 0 ? ":sticky" : "");
        assert_int_equal(control(fault), 0);
        run_slow(r);
        if (control("fired?") == 0)
            fail_msg("\"%s\" came too late", fault);
        (void)control("reset");
        (void)control("release");
        run_slow(r);
        close_runtime(r);
    }
    assert_int_equal(setenv("YOKE_DEVICE_TIMEOUT_MS", "2000", 1), 0);
}

/* What looks like expensive items must not make pieces ever smaller. */
static void long_launches_do_not_cut_the_call_to_bits(void **state)
{
    (void)state;
    shape("LAUNCH_US=10000");
    yoke_runtime *r = runtime_on("gpu");
    for (int k = 0; k < 2; k++) {
        unsigned pieces = 0;
        assert_int_equal(scale(r, &together, N), YOKE_OK);
        const yoke_decision d = last_decision();
        for (unsigned p = 0; p < d.share_count; p++)
            pieces += d.shares[p].pieces;
        assert_in_range(pieces, 1, 3 * 70);
    }
    const yoke_options first = {.devices = "gpu:0"};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(scale(r, &first, LARGE), YOKE_OK);
        assert_in_range(last_decision().shares[0].pieces, 1, 70);
    }
    close_runtime(r);
}

static void deadline_ends_all_of_them(void **state)
{
    (void)state;
    shape("NS_PER_ITEM=3000");
    yoke_runtime *r = runtime_of("gpu", 3);
    const int64_t start = yoke__now_ns();
    const yoke_options options = {.flags = YOKE_ALWAYS_COEXECUTE, .deadline_ns = yoke_deadline_in(30000000)};
    assert_int_equal(parallel_map_on(r, &options, dev_scale, LARGE, x, y, 2.0f), YOKE_ETIMEDOUT);
    assert_true(yoke__now_ns() - start < INT64_C(700000000));
    shape("NS_PER_ITEM=0");
    assert_int_equal(scale(r, &together, LARGE), YOKE_OK);
    close_runtime(r);
}

static size_t told;

static void hear(size_t done, size_t total, void *argument)
{
    (void)argument;
    assert_int_equal(total, LARGE);
    assert_true(done >= told && done <= total);
    told = done;
}

static void progress_grows_to_the_end(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_of("cpu,gpu", 4);
    const yoke_options options = {.flags = YOKE_ALWAYS_COEXECUTE, .progress = hear};
    for (int k = 0; k < 5; k++) {
        told = 0;
        assert_int_equal(scale(r, &options, LARGE), YOKE_OK);
        assert_int_equal(told, LARGE);
    }
    close_runtime(r);
}

/* --- how near to the best --- */

static int compare(const void *a, const void *b)
{
    const double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

/* Median seconds of so many calls, after some that are learned from. */
static double seconds(yoke_runtime *r, const yoke_options *options, unsigned first)
{
    enum { CALLS = 5 };
    double took[CALLS];
    for (unsigned k = 0; k < first + CALLS; k++) {
        memset(y, 0, SLOW_ITEMS * sizeof *y);
        const int64_t start = yoke__now_ns();
        assert_int_equal(parallel_map_on(r, options, co_slow, SLOW_ITEMS, x, y), YOKE_OK);
        if (k >= first)
            took[k - first] = (double)(yoke__now_ns() - start) * 1e-9;
        for (size_t i = 0; i < SLOW_ITEMS; i++)
            assert_true(y[i] == x[i] + 3.0f);
    }
    qsort(took, CALLS, sizeof *took, compare);
    return took[CALLS / 2];
}

static void all_end_together(void **state)
{
    static const double speeds[] = {0.5, 1, 10};
    (void)state;
    if (emulated("time passes unevenly there"))
        skip();
    const yoke_options cpu = {.devices = "cpu"}, device = {.devices = "gpu:0"}, both = {.devices = "cpu,gpu:0"};
    for (size_t k = 0; k < sizeof speeds / sizeof *speeds; k++) {
        char setting[60];
        shape("NS_PER_ITEM=0");
        yoke_runtime *r = runtime_on("cpu,gpu:0");
        (void)seconds(r, &device, 1); /* compiled */
        const double on_cpu = seconds(r, &cpu, 1);
        (void)snprintf(setting, sizeof setting, "NS_PER_ITEM=%.0f", on_cpu / speeds[k] / SLOW_ITEMS * 1e9);
        shape(setting);
        const double on_device = seconds(r, &device, 1), ideal = 1 / (1 / on_cpu + 1 / on_device);
        const double got = seconds(r, &both, 8);
        const yoke_decision d = last_decision();
        printf(
            "a device %g times as fast as the workers: workers %.1f ms, device %.1f, together %.1f; efficiency %.2f\n",
            speeds[k], on_cpu * 1e3, on_device * 1e3, got * 1e3, ideal / got);
        assert_int_equal(d.share_count, speeds[k] <= 1 ? 2 : d.share_count); /* by itself */
        if (speeds[k] <= 1) /* times are printed, not judged: machines are shared */
            assert_in_range(d.device_items, SLOW_ITEMS / 10, SLOW_ITEMS * 9 / 10);
        close_runtime(r);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(divided_map_is_the_same_map),
        TEST(pieces_cover_the_call_once),
        TEST(decisions_are_told_when_asked),
        TEST(halos_rows_and_sums_are_divided_too),
        TEST(what_cannot_be_divided_goes_to_one_place),
        TEST(device_that_fails_in_the_middle_loses_nothing),
        TEST(long_launches_do_not_cut_the_call_to_bits),
        TEST(deadline_ends_all_of_them),
        TEST(progress_grows_to_the_end),
        TEST(all_end_together),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
