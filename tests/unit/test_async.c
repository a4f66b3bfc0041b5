/* The verbs' asynchronous forms: results, what is copied, their order, and refusals at the call. */
#include "tests/unit/tasks.h"
#include "yoke/yoke.h"

enum { N = 20000, WIDTH = 131, HEIGHT = 77 };

YOKE_TYPE(line, {
    double slope;
    float start;
})
typedef struct wide {
    long double aligned;
    int part[16];
} wide;

YOKE_EXACT_KERNEL(later_line, (out(double, y), in(float, x), value(line, l), value(char, add)),
                  { y[i] = l.slope * (double)x[i] + (double)l.start + (double)add; })
YOKE_KERNEL(later_wide, (out(int, y), value(char, at), value(wide, w), value(char, add)),
            { y[i] = w.part[(size_t)at] + (int)i + add; })
YOKE_KERNEL(later_step, (inout(uint64_t, y), value(uint64_t, k)), { y[i] = y[i] * 6364136223846793005u + k; })
YOKE_KERNEL_2D(later_rows, (in(int, x), whole(int, t, width), out(int, y)),
               { y[j * width + i] = x[j * width + i] + t[i] + (int)j; })
YOKE_LANE_KERNEL(later_lanes, (in(int, x), out(int, y)), {
    YOKE_EACH
    {
        y[i] = x[i] * 3;
}
})
YOKE_REDUCE(later_sum, (uint64_t, 0, a + b), (in(int, x), value(int, factor)), (uint64_t)x[i] * (uint64_t)factor)
YOKE_ACCUMULATE(later_count, (uint64_t, 0, a + b), (in(int, x)), {
    *acc += x[i] % 2 == 0; })
YOKE_TYPE(table, {
    int count[4096]; })
YOKE_FUNCTION(table, both_tables, (table a, const table b), {
    for (int k = 0; k < 4096; k++)
        a.count[k] += b.count[k];
    return a;
})
YOKE_ACCUMULATE(later_table, (table, {{0}}, both_tables(a, b)), (in(int, x)), {
    acc->count[x[i]]++; })

static uint64_t seed;
static int ints[N], counts[N];

static void fill_ints(void)
{
    for (size_t k = 0; k < N; k++)
        ints[k] = (int)draw_below(&seed, 1000);
}

static int done(yoke_future *f)
{
    return yoke_result(f, NULL, 0, 0);
}

/* --- each verb, against a serial loop --- */

/* The values' variables are overwritten before it can have run: another call is in its way. */
static int begin_line(yoke_future *f, size_t n, double *y, const float *x)
{
    line l = {3.0, 0.5f};
    char add = 7;
    const int status = parallel_map_async(f, later_line, n, y, x, l, add);
    memset(&l, 0xff, sizeof l);
    add = 99;
    __asm__ volatile("" : : "r"(&l), "r"(&add) : "memory");
    return status;
}

static void wait_inside(size_t begin, size_t end, void *argument)
{
    (void)begin, (void)end;
    (void)wait_at_gate(argument, NULL);
}

static void maps_and_their_values(void **state)
{
    (void)state;
    static double y[N];
    static float x[N];
    for (unsigned long round = 0; round < rounds_of(50); round++) {
        const size_t n = draw_below(&seed, N);
        yoke_future f = {0}, before = {0};
        gate g = {0};
        for (size_t k = 0; k < n; k++)
            x[k] = (float)draw_below(&seed, 1000);
        y[n] = -1;
        assert_int_equal(parallel_for_async(&before, 1, wait_inside, &g), YOKE_OK);
        assert_int_equal(begin_line(&f, n, y, x), YOKE_OK);
        assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_PENDING);
        gate_open(&g);
        assert_int_equal(done(&f), YOKE_OK);
        assert_int_equal(done(&before), YOKE_OK);
        assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE);
        for (size_t k = 0; k < n; k++)
            assert_true(y[k] == 3.0 * (double)x[k] + 0.5 + 7.0);
        assert_true(y[n] == -1);
    }
}

static void values_of_many_bytes_are_aligned(void **state)
{
    (void)state;
    wide w = {.part = {0}};
    for (int k = 0; k < 16; k++)
        w.part[k] = 100 * k;
    yoke_future f = {0};
    assert_int_equal(parallel_map_async(&f, later_wide, N, counts, 5, w, 3), YOKE_OK);
    memset(&w, 0, sizeof w);
    assert_int_equal(done(&f), YOKE_OK);
    for (int k = 0; k < N; k++)
        assert_int_equal(counts[k], 500 + k + 3);
}

static void rows_lanes_reductions_and_bodies(void **state)
{
    (void)state;
    static int grid[WIDTH * HEIGHT], rows[WIDTH * HEIGHT];
    uint64_t sum = 1, even = 1, wanted_sum = 0, wanted_even = 0;
    yoke_future two_d = {0}, lanes = {0}, reduced = {0}, counted = {0}, *all[] = {&two_d, &lanes, &reduced, &counted};
    fill_ints();
    for (size_t k = 0; k < WIDTH * HEIGHT; k++)
        grid[k] = ints[k % N];
    assert_int_equal(parallel_map_2d_async(&two_d, later_rows, WIDTH, HEIGHT, grid, ints, rows), YOKE_OK);
    assert_int_equal(parallel_map_async(&lanes, later_lanes, N, ints, counts), YOKE_OK);
    assert_int_equal(parallel_reduce_async(&reduced, later_sum, N, &sum, ints, 11), YOKE_OK);
    assert_int_equal(parallel_reduce_async(&counted, later_count, N, &even, ints), YOKE_OK);
    assert_int_equal(yoke_gather(all, 4, 0), YOKE_OK);
    for (size_t k = 0; k < WIDTH * HEIGHT; k++)
        assert_int_equal(rows[k], grid[k] + ints[k % WIDTH] + (int)(k / WIDTH));
    for (size_t k = 0; k < N; k++) {
        assert_int_equal(counts[k], 3 * ints[k]);
        wanted_sum += (uint64_t)ints[k] * 11;
        wanted_even += ints[k] % 2 == 0;
    }
    assert_true(sum == wanted_sum && even == wanted_even);
}

static void count_items(size_t begin, size_t end, void *argument)
{
    atomic_int *items = argument;
    for (size_t k = begin; k < end; k++)
        atomic_fetch_add(&items[k], 1);
}

static void bodies(void **state)
{
    (void)state;
    static atomic_int items[N];
    yoke_future f = {0}, g = {0};
    const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = 100};
    assert_int_equal(parallel_for_async(&f, N, count_items, items), YOKE_OK);
    assert_int_equal(parallel_for_async_on(NULL, &options, &g, N, count_items, items), YOKE_OK);
    assert_int_equal(done(&g), YOKE_OK);
    assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_DONE); /* it came before */
    assert_int_equal(done(&f), YOKE_OK);
    for (size_t k = 0; k < N; k++)
        assert_int_equal(atomic_load(&items[k]), 2);
}

static void no_items(void **state)
{
    (void)state;
    yoke_future f = {0};
    uint64_t sum = 5;
    assert_int_equal(parallel_map_async(&f, later_lanes, 0, NULL, NULL), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
    assert_int_equal(parallel_map_2d_async(&f, later_rows, 0, 5, NULL, NULL, NULL), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
    assert_int_equal(parallel_reduce_async(&f, later_sum, 0, &sum, NULL, 2), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
    assert_true(sum == 0);
    assert_int_equal(parallel_for_async(&f, 0, count_items, NULL), YOKE_OK);
    assert_int_equal(done(&f), YOKE_OK);
}

/* --- order --- */

enum { STEPS = 200 };

/* Each reads what the one before it wrote, and options are copied, too. */
static void calls_run_in_their_order(void **state)
{
    (void)state;
    static uint64_t y[N];
    static yoke_future futures[STEPS];
    yoke_runtime *runtimes[] = {
        NULL, yoke_open(&(yoke_runtime_options){.workers = 3, .pin = YOKE_PIN_NONE, .devices = "cpu"})};
    assert_non_null(runtimes[1]);
    for (unsigned r = 0; r < 2; r++) {
        for (size_t k = 0; k < N; k++)
            y[k] = k;
        for (uint64_t step = 0; step < STEPS; step++) {
            futures[step] = (yoke_future){0};
            yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = 1 + draw_below(&seed, 500)};
            const bool plain = draw_below(&seed, 2) == 0;
            assert_int_equal(
                parallel_map_async_on(runtimes[r], plain ? NULL : &options, &futures[step], later_step, N, y, step),
                YOKE_OK);
            memset(&options, 0xff, sizeof options);
        }
        assert_int_equal(done(&futures[STEPS - 1]), YOKE_OK);
        for (uint64_t step = 0; step < STEPS; step++)
            assert_int_equal(yoke_state_of(&futures[step]), YOKE_FUTURE_DONE);
        for (size_t k = 0; k < N; k += 97) {
            uint64_t wanted = k;
            for (uint64_t step = 0; step < STEPS; step++)
                wanted = wanted * 6364136223846793005u + step;
            assert_true(y[k] == wanted);
        }
    }
    assert_int_equal(yoke_close(runtimes[1]), YOKE_OK);
}

/* --- refusals --- */

/* With the blocking form's status, and the future as it was. */
#define REFUSED(wanted, asynchronous, blocking)                \
    do {                                                       \
        assert_int_equal(asynchronous, wanted);                \
        assert_true(strlen(yoke_error_detail()) > 20);         \
        assert_int_equal(blocking, wanted);                    \
        assert_int_equal(yoke_state_of(&f), YOKE_FUTURE_IDLE); \
    } while (0)

static void bad_arguments_are_refused_at_the_call(void **state)
{
    (void)state;
    yoke_future f = {0};
    uint64_t sum[2] = {7, 7};
    uint64_t *crooked = (uint64_t *)(uintptr_t)((uintptr_t)sum + 1);
    const yoke_options flags = {.flags = 1u << 30}, size = {.size = 3}, late = {.deadline_ns = -1},
                       pitch = {.pitch = 3};
    const yoke_options device = {.devices = "cpu,,gpu"}, pitch_for = {.pitch = N};
    REFUSED(YOKE_EINVAL, parallel_map_async(&f, later_lanes, N, NULL, counts),
            parallel_map(later_lanes, N, NULL, counts));
    REFUSED(YOKE_EINVAL, parallel_map_async(&f, later_lanes, N, ints, ints + 1),
            parallel_map(later_lanes, N, ints, ints + 1));
    REFUSED(YOKE_EOVERFLOW, parallel_map_async(&f, later_lanes, SIZE_MAX / 2, ints, counts),
            parallel_map(later_lanes, SIZE_MAX / 2, ints, counts));
    REFUSED(YOKE_EINVAL, parallel_map_async_on(NULL, &flags, &f, later_lanes, N, ints, counts),
            parallel_map_on(NULL, &flags, later_lanes, N, ints, counts));
    REFUSED(YOKE_EVERSION, parallel_map_async_on(NULL, &size, &f, later_lanes, N, ints, counts),
            parallel_map_on(NULL, &size, later_lanes, N, ints, counts));
    REFUSED(YOKE_EINVAL, parallel_map_async_on(NULL, &late, &f, later_lanes, N, ints, counts),
            parallel_map_on(NULL, &late, later_lanes, N, ints, counts));
    REFUSED(YOKE_EINVAL, parallel_map_async_on(NULL, &device, &f, later_lanes, N, ints, counts),
            parallel_map_on(NULL, &device, later_lanes, N, ints, counts));
    REFUSED(YOKE_EINVAL, parallel_map_2d_async_on(NULL, &pitch, &f, later_rows, 10, 10, ints, ints, counts),
            parallel_map_2d_on(NULL, &pitch, later_rows, 10, 10, ints, ints, counts));
    REFUSED(YOKE_EINVAL, parallel_reduce_async(&f, later_sum, N, NULL, ints, 1),
            parallel_reduce(later_sum, N, NULL, ints, 1));
    REFUSED(YOKE_EINVAL, parallel_reduce_async(&f, later_sum, N, crooked, ints, 1),
            parallel_reduce(later_sum, N, crooked, ints, 1));
    REFUSED(YOKE_EINVAL, parallel_reduce_async_on(NULL, &flags, &f, later_sum, N, sum, ints, 1),
            parallel_reduce_on(NULL, &flags, later_sum, N, sum, ints, 1));
    REFUSED(YOKE_EINVAL, parallel_for_async(&f, N, NULL, NULL), parallel_for(N, NULL, NULL));
    REFUSED(YOKE_EINVAL, parallel_for_async_on(NULL, &pitch_for, &f, N, count_items, NULL),
            parallel_for_on(NULL, &pitch_for, N, count_items, NULL));
    assert_true(sum[0] == 7);
    assert_int_equal(parallel_map_async(NULL, later_lanes, N, ints, counts), YOKE_EINVAL);
    assert_int_equal(parallel_reduce_async(NULL, later_sum, N, sum, ints, 1), YOKE_EINVAL);
    assert_int_equal(parallel_for_async(NULL, N, count_items, NULL), YOKE_EINVAL);
}

static void devices_of_a_runtime_without_any_are_refused_at_the_call(void **state)
{
    (void)state;
    yoke_future f = {0};
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.workers = 2, .pin = YOKE_PIN_NONE, .devices = "cpu"});
    const yoke_options gpu = {.devices = "gpu"};
    assert_non_null(r);
    REFUSED(YOKE_ENODEV, parallel_map_async_on(r, &gpu, &f, later_lanes, N, ints, counts),
            parallel_map_on(r, &gpu, later_lanes, N, ints, counts));
    assert_int_equal(yoke_close(r), YOKE_OK);
}

static void memory_that_is_missing_is_told_at_the_call(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (unsigned long nth = 1;; nth++) {
        yoke_runtime *r = yoke_open(&(yoke_runtime_options){.workers = 1, .pin = YOKE_PIN_NONE, .devices = "cpu"});
        yoke_future f = {0};
        assert_non_null(r);
        yoke__alloc_fail_at(nth, false);
        const int status = parallel_map_async_on(r, NULL, &f, later_lanes, 1, ints, counts);
        yoke__alloc_fail_at(0, false);
        refused += status == YOKE_ENOMEM;
        assert_int_equal(yoke_state_of(&f) == YOKE_FUTURE_IDLE, status != YOKE_OK);
        if (status == YOKE_OK)
            assert_int_equal(done(&f), YOKE_OK);
        assert_int_equal(yoke_close(r), YOKE_OK);
        if (status == YOKE_OK)
            break;
        assert_int_equal(status, YOKE_ENOMEM);
    }
    assert_int_equal(refused, 2); /* the call's record, and the first time the queue */
}

static void memory_that_is_missing_later_is_told_by_the_future(void **state)
{
    (void)state;
    static table counted, wanted;
    yoke_future before = {0}, f = {0};
    gate g = {0};
    fill_ints();
    for (size_t k = 0; k < N; k++)
        wanted.count[ints[k]]++;
    for (int fails = 1; fails >= 0; fails--) {
        atomic_store(&g.open, 0);
        assert_int_equal(parallel_for_async(&before, 1, wait_inside, &g), YOKE_OK);
        assert_int_equal(parallel_reduce_async(&f, later_table, N, &counted, ints), YOKE_OK);
        if (fails)
            yoke__alloc_fail_at(1, true);
        gate_open(&g);
        const int status = done(&f);
        yoke__alloc_fail_at(0, false);
        assert_int_equal(status, fails ? YOKE_ENOMEM : YOKE_OK);
        assert_true(!fails || strstr(yoke_error_detail(), "kernel later_table: no memory for") != NULL);
    }
    assert_memory_equal(&counted, &wanted, sizeof wanted);
}

static int watch(void **state)
{
    (void)state;
    alarm_in(60);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_and_their_values),
        cmocka_unit_test(values_of_many_bytes_are_aligned),
        cmocka_unit_test(rows_lanes_reductions_and_bodies),
        cmocka_unit_test(bodies),
        cmocka_unit_test(no_items),
        cmocka_unit_test(calls_run_in_their_order),
        cmocka_unit_test(bad_arguments_are_refused_at_the_call),
        cmocka_unit_test(devices_of_a_runtime_without_any_are_refused_at_the_call),
        cmocka_unit_test(memory_that_is_missing_is_told_at_the_call),
        cmocka_unit_test(memory_that_is_missing_later_is_told_by_the_future),
    };
    seed = seed_of("test_async");
    return cmocka_run_group_tests(tests, watch, NULL);
}
