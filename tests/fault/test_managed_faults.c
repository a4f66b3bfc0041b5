/* Managed arrays when something fails, is late or is given up: results stay right, nothing is lost without need, and
 * what was given up is given back. */
#include "tests/fault/devices_support.h"
#include <sys/mman.h>

enum { FITS = 1 << 18, BIG = 4 << 20, LATE = 34, SESSION_OBJECTS = 7, MANY = 13 };

YOKE_EXACT_KERNEL(mf_step, (inout(float, x), value(float, a)), { x[i] = a * x[i] + 1.0f; })
YOKE_EXACT_KERNEL(mf_set, (out(float, y), value(float, a)), { y[i] = a; })
YOKE_EXACT_KERNEL(mf_many,
                  (in(float, p), inout(float, a), inout(float, b), inout(float, c), inout(float, d), inout(float, e),
                   inout(float, f), inout(float, g), inout(float, h), inout(float, j), inout(float, k), inout(float, l),
                   inout(float, m), inout(float, o)),
                  {
                      a[i] += p[i];
                      b[i] += p[i];
                      c[i] += p[i];
                      d[i] += p[i];
                      e[i] += p[i];
                      f[i] += p[i];
                      g[i] += p[i];
                      h[i] += p[i];
                      j[i] += p[i];
                      k[i] += p[i];
                      l[i] += p[i];
                      m[i] += p[i];
                      o[i] += p[i];
                  })

static const yoke_options there = {.devices = "opencl:0"}, other = {.devices = "opencl:1"}, here = {.devices = "cpu"};

static float *array_of(size_t n)
{
    float *array = yoke_alloc(n * sizeof *array, YOKE_PLACE_DEFAULT);
    assert_non_null(array);
    return array;
}

static void free_array(void *array)
{
    assert_int_equal(yoke_free(array), YOKE_OK);
}

static int set_to(yoke_runtime *r, const yoke_options *options, size_t n, float *array, float value)
{
    return parallel_map_on(r, options, mf_set, n, array, value);
}

static void assert_all(const float *array, size_t n, float value)
{
    if (yoke_read(array) == NULL)
        fail_msg("%s", yoke_error_detail());
    for (size_t i = 0; i < n; i++)
        if (array[i] != value)
            fail_msg("at %zu of %zu: %g, not %g", i, n, (double)array[i], (double)value);
}

/* Nothing is built in a test's own calls, where calls of the driver are counted. */
static yoke_runtime *built_runtime(const char *devices, unsigned count)
{
    yoke_runtime *r = runtime_on(devices);
    for (unsigned k = 0; k < count; k++) {
        const yoke_options *options = k == 0 ? &there : &other;
        assert_int_equal(scale(r, options, N), YOKE_OK);
        assert_int_equal(parallel_map_on(r, options, mf_step, N, y, 0.5f), YOKE_OK);
        assert_int_equal(set_to(r, options, N, y, 0.5f), YOKE_OK);
    }
    (void)control("reset");
    return r;
}

static void set_fault(const char *specification)
{
    char command[240];
    (void)snprintf(command, sizeof command, "fault %s", specification);
    assert_int_equal(control(command), 0);
}

/* A delay counts as fired when it begins. */
static void await_fault(void)
{
    for (unsigned k = 0; k < 20000 && control("fired?") == 0; k++)
        sleep_ns(1000000);
    assert_int_equal(control("fired?"), 1);
}

/* --- beside other threads --- */

typedef struct beside {
    yoke_runtime *r;
    float *array;
    int status;
} beside;

static void *set_on_the_other(void *argument)
{
    beside *b = argument;
    b->status = set_to(b->r, &other, FITS, b->array, 3.0f);
    return NULL;
}

/* Bringing back what is evicted takes long; meanwhile another thread writes that array elsewhere. */
static void evicted_array_may_be_written_meanwhile(void **state)
{
    (void)state;
    shape("GLOBALMEM=2^32;1600000"); /* device 1 holds one array */
    shape("MAXALLOC=2^30;1200000");
    yoke_runtime *r = built_runtime("cpu,opencl:0,opencl:1", 2);
    float *a = array_of(FITS);
    beside b = {.r = r, .array = array_of(FITS), .status = -1};
    pthread_t thread;
    assert_int_equal(set_to(r, &other, FITS, a, 1.0f), YOKE_OK);
    set_fault("clEnqueueReadBuffer:1:delay=400");
    assert_int_equal(pthread_create(&thread, NULL, set_on_the_other, &b), 0);
    await_fault();
    assert_int_equal(set_to(r, &there, FITS, a, 2.0f), YOKE_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(b.status, YOKE_OK);
    assert_all(a, FITS, 2.0f);
    assert_all(b.array, FITS, 3.0f);
    free_array(a);
    free_array(b.array);
    close_runtime(r);
}

static void *prefetch_late(void *argument)
{
    beside *b = argument;
    await_fault();
    b->status = yoke_prefetch(b->r, b->array, 0);
    return NULL;
}

/* What a given up call was still sending comes from an array that is freed; a prefetch behind it looks for freed ones. */
static void array_of_a_late_call_may_be_freed(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* the driver still reads what it was told to */
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(FITS), *warm = array_of(FITS);
    beside b = {.r = r, .array = array_of(FITS), .status = -1};
    memset(yoke_write(a), 0, FITS * sizeof *a);
    memset(yoke_write(b.array), 0, FITS * sizeof *a);
    for (unsigned k = 0; k < 12; k++)
        assert_int_equal(parallel_map_on(r, &there, mf_step, FITS, warm, 3.0f), YOKE_OK);
    assert_int_equal(control("pause"), 0);
    set_fault("clEnqueueNDRangeKernel:1:delay=600");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, prefetch_late, &b), 0);
    const yoke_options late = {.devices = "opencl:0", .deadline_ns = yoke_deadline_in(100000000)};
    const int status = parallel_map_on(r, &late, mf_step, FITS, a, 3.0f);
    assert_int_equal(status, YOKE_ETIMEDOUT);
    free_array(a);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sleep_ns(700000000);
    assert_int_equal(control("resume"), 0);
    assert_int_equal(set_to(r, &there, FITS, b.array, 4.0f), YOKE_OK);
    assert_all(b.array, FITS, 4.0f);
    free_array(b.array);
    free_array(warm);
    close_runtime(r);
}

/* --- what a driver refuses --- */

static void refused_launch_spoils_nothing(void **state)
{
    (void)state;
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(FITS);
    assert_int_equal(set_to(r, &there, FITS, a, 3.0f), YOKE_OK); /* only there */
    set_fault("clEnqueueNDRangeKernel:1:-4");
    const int status = parallel_map_on(r, &there, mf_step, FITS, a, 2.0f);
    if (status != YOKE_OK)
        fail_msg("%s", yoke_error_detail());
    assert_int_equal(control("fired?"), 1);
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    assert_all(a, FITS, 7.0f);
    free_array(a);
    close_runtime(r);
}

static void one_failed_read_loses_nothing(void **state)
{
    (void)state;
    /* The last one leaves a transfer under way, and nothing in the queue that keeps its staging. */
    static const char *const faults[] = {"clEnqueueReadBuffer:1:-4", "clEnqueueReadBuffer:1:-5",
                                         "clEnqueueReadBuffer:1:evstatus=-5",
                                         "clWaitForEvents:1:-5,clEnqueueUnmapMemObject:1:-5"};
    shape("GBPS=1");
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(FITS), *b = array_of(FITS);
    for (unsigned k = 0; k < sizeof faults / sizeof *faults; k++) {
        assert_int_equal(set_to(r, &there, FITS, a, 2.0f + (float)k), YOKE_OK);
        assert_int_equal(set_to(r, &there, FITS, b, 5.0f + (float)k), YOKE_OK);
        (void)control("reset");
        set_fault(faults[k]);
        assert_all(a, FITS, 2.0f + (float)k);
        assert_all(b, FITS, 5.0f + (float)k);
        assert_true(control("fired?") >= 1);
        assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    }
    free_array(a);
    free_array(b);
    close_runtime(r);
}

/* Many small parts to bring for one call, and many arrays to read back. */
static void call_of_many_transfers(void **state)
{
    (void)state;
    static float q[MANY][N];
    memset(q, 0, sizeof q);
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *p = array_of(N);
    const float *all = yoke_write(p);
    assert_ptr_equal(all, p);
    for (size_t i = 0; i < N; i++)
        p[i] = 1.0f;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; round == 1 && i < N; i += 40) {
            float *w = yoke_write_range(p + i, sizeof *p);
            assert_non_null(w);
            *w = 2.0f;
        }
        const int status = parallel_map_on(r, &there, mf_many, N, p, q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7],
                                           q[8], q[9], q[10], q[11], q[12]);
        if (status != YOKE_OK)
            fail_msg("%s", yoke_error_detail());
    }
    for (unsigned k = 0; k < MANY; k++)
        for (size_t i = 0; i < N; i++)
            assert_true(q[k][i] == (i % 40 == 0 ? 3.0f : 2.0f));
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    assert_int_equal(device_of(r, 0).pieces_lost, 0);
    free_array(p);
    close_runtime(r);
}

/* The eviction that a call begins with loses the device, and with it what the call itself would write there. */
static void call_whose_home_is_lost_at_its_start(void **state)
{
    (void)state;
    shape("GLOBALMEM=3200000"); /* two arrays */
    shape("MAXALLOC=1200000");
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(FITS), *b = array_of(FITS), *c = array_of(FITS);
    memcpy(yoke_write(c), x, FITS * sizeof *c);
    assert_int_equal(set_to(r, &there, FITS, a, 1.0f), YOKE_OK);
    assert_int_equal(set_to(r, &there, FITS, b, 1.0f), YOKE_OK);
    set_fault("clEnqueueReadBuffer:1:-5:sticky");
    const int status = parallel_map_on(r, &there, dev_scale, FITS, c, b, 3.0f); /* evicts a */
    assert_true(control("fired?") > 0);
    (void)control("reset");
    if (status == YOKE_OK) {
        if (yoke_read(b) == NULL)
            fail_msg("the call ended well, but: %s", yoke_error_detail());
        assert_true(is_scaled(x, b, FITS, 3.0f));
    }
    assert_null(yoke_read(a));
    assert_int_equal(yoke__last_failure(), YOKE_ELOST);
    free_array(a);
    free_array(b);
    free_array(c);
    close_runtime(r);
}

/* --- what is late --- */

/* Homes (there are 30), buffers and arrays of calls that were given up are had again; what a session has else, its queues
 * and programs, stays. */
static void late_calls_give_back_what_they_had(void **state)
{
    (void)state;
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(FITS), *b = array_of(FITS);
    const int before = control("leaks?");
    unsigned late_calls = 0;
    for (unsigned k = 0; k < 4 * LATE && late_calls < LATE; k++) {
        assert_int_equal(set_to(r, &there, FITS, a, (float)k), YOKE_OK);
        (void)control("reset");
        set_fault("clEnqueueNDRangeKernel:1:delay=250");
        const yoke_options late = {.devices = "opencl:0", .deadline_ns = yoke_deadline_in(20000000)};
        const int status = set_to(r, &late, FITS, b, (float)k);
        assert_true(status == YOKE_OK || status == YOKE_ETIMEDOUT);
        late_calls += status == YOKE_ETIMEDOUT && control("fired?") == 1;
    }
    assert_int_equal(late_calls, LATE);
    (void)control("reset");
    const int most = before + SESSION_OBJECTS * LATE;
    for (unsigned k = 0; k < 200 && control("leaks?") > most; k++)
        sleep_ns(50000000);
    print_message("driver's objects: %d before, %d after %d late calls\n", before, control("leaks?"), LATE);
    assert_true(control("leaks?") <= most);
    assert_int_equal(set_to(r, &there, FITS, a, 9.0f), YOKE_OK);
    assert_int_equal(last_decision().device_items, FITS);
    assert_int_equal(control("bytes_out?"), 0); /* it stays there: that session has a home */
    assert_all(a, FITS, 9.0f);
    free_array(a);
    free_array(b);
    close_runtime(r);
}

static bool is_mapped(void *memory, size_t bytes)
{
    static unsigned char resident[BIG * sizeof(float) / 4096];
    return mincore(memory, bytes, resident) == 0;
}

/* A freed array's pages go when the late call before it came to its end. */
static void arrays_freed_beside_a_late_call_are_gone(void **state)
{
    (void)state;
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    for (unsigned k = 0; k < 3; k++) {
        float *a = array_of(BIG);
        memset(yoke_write(a), 1, BIG * sizeof *a);
        assert_int_equal(parallel_map_on(r, &there, mf_step, BIG, a, 1.0f), YOKE_OK);
        set_fault("clEnqueueNDRangeKernel:1:delay=250");
        const yoke_options late = {.devices = "opencl:0", .deadline_ns = yoke_deadline_in(20000000)};
        assert_int_equal(parallel_map_on(r, &late, dev_scale, N, x, y, 3.0f), YOKE_ETIMEDOUT);
        free_array(a);
        (void)control("reset");
        for (unsigned turn = 0; turn < 200 && is_mapped(a, BIG * sizeof *a); turn++)
            sleep_ns(50000000);
        assert_false(is_mapped(a, BIG * sizeof *a));
    }
    close_runtime(r);
}

/* A call waits behind a prefetch as long as that goes on. */
static void call_behind_a_slow_prefetch(void **state)
{
    (void)state;
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(FITS), *b = array_of(BIG);
    assert_int_equal(set_to(r, &there, FITS, a, 1.0f), YOKE_OK);
    memset(yoke_write(b), 0, BIG * sizeof *b);
    (void)control("reset");
    set_fault("clEnqueueWriteBuffer:1:delay=1200,clEnqueueWriteBuffer:2:delay=1200"); /* 2 s are the limit */
    assert_int_equal(yoke_prefetch(r, b, 0), YOKE_OK);
    assert_int_equal(scale(r, &there, N), YOKE_OK);
    assert_int_equal(control("fired?"), 2);
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    assert_all(a, FITS, 1.0f);
    free_array(a);
    free_array(b);
    close_runtime(r);
}

static void deadline_of_a_call_on_workers_that_waits_for_an_array(void **state)
{
    (void)state;
    yoke_runtime *r = built_runtime("cpu,opencl:0", 1);
    float *a = array_of(N);
    assert_int_equal(set_to(r, &there, N, a, 1.0f), YOKE_OK);
    set_fault("clWaitForEvents:1:delay=1500");
    yoke_options in_time = here;
    in_time.deadline_ns = yoke_deadline_in(200000000);
    const int64_t begin = yoke__now_ns();
    assert_int_equal(parallel_map_on(r, &in_time, mf_step, N, a, 1.0f), YOKE_ETIMEDOUT);
    const int64_t took = yoke__now_ns() - begin;
    await_fault();
    assert_true(took < INT64_C(1300000000));
    assert_all(a, N, 1.0f);
    free_array(a);
    close_runtime(r);
}

/* Closing takes longer than the limit for what does not answer, because there is much to bring. */
static void closing_waits_for_much_data(void **state)
{
    (void)state;
    const int before = control("leaks?"); /* of earlier tests */
    yoke_runtime *r = built_runtime("opencl:0", 1);
    float *a = array_of(BIG);
    assert_int_equal(set_to(r, NULL, BIG, a, 2.0f), YOKE_OK);
    (void)control("reset");
    set_fault("clWaitForEvents:1:delay=700:sticky");
    close_runtime(r);
    assert_true(control("fired?") > 3); /* longer than the limit of 2 s */
    assert_int_equal(control("leaks?"), before);
    for (size_t i = 0; i < BIG; i++)
        assert_true(a[i] == 2.0f);
    free_array(a);
}

/* Those that leave a session behind come last: the driver's objects and devices stay as they are then. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(evicted_array_may_be_written_meanwhile, fresh),
        cmocka_unit_test_setup(call_whose_home_is_lost_at_its_start, fresh),
        cmocka_unit_test_setup(refused_launch_spoils_nothing, fresh),
        cmocka_unit_test_setup(one_failed_read_loses_nothing, fresh),
        cmocka_unit_test_setup(call_of_many_transfers, fresh),
        cmocka_unit_test_setup(call_behind_a_slow_prefetch, fresh),
        cmocka_unit_test_setup(deadline_of_a_call_on_workers_that_waits_for_an_array, fresh),
        cmocka_unit_test_setup(closing_waits_for_much_data, fresh),
        cmocka_unit_test_setup(array_of_a_late_call_may_be_freed, fresh),
        cmocka_unit_test_setup(late_calls_give_back_what_they_had, fresh),
        cmocka_unit_test_setup(arrays_freed_beside_a_late_call_are_gone, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
