/* Parts of a call (yoke/part.h): each with nothing but what its items touch, on workers, on a device, and on both; the
 * bits are those of the whole call. */
#include "tests/emulated.h"
#include "tests/fault/devices_support.h"
#include "yoke/part.h"

YOKE_EXACT_KERNEL(part_blend, (in(float, x, 2), inout(float, y), whole(float, table, m), value(int, m)),
                  { y[i] = y[i] * 0.5f + x[2 * i] - x[2 * i + 1] + table[i % (size_t)m]; })
YOKE_EXACT_KERNEL(part_smooth, (halo(float, x, 3, 2), out(float, y)), {
    float sum = x[i];
    if (i >= 3)
        sum += x[i - 3];
    if (i + 2 < n)
        sum -= x[i + 2] * 0.25f;
    y[i] = sum;
})
YOKE_EXACT_KERNEL_2D(part_rows, (halo(float, x, 1, 1), out(float, y)), {
    float below = j + 1 < height ? x[(j + 1) * width + i] : 1.0f;
    float above = j > 0 ? x[(j - 1) * width + i] : 2.0f;
    y[j * width + i] = x[j * width + i] - above * 0.5f - below;
})
YOKE_EXACT_LANE_KERNEL(part_lanes, (in(float, x), out(int, y)), {
    YOKE_LANES(float, v);
    YOKE_LANES(int, steps);
    YOKE_EACH
    {
        v[l] = x[i];
    }
    YOKE_EACH
    {
        steps[l] = 0;
    }
    for (int k = 0; k < 40; k++) {
        YOKE_EACH
        {
            steps[l] += v[l] > 0.01f;
            v[l] *= 0.75f;
        }
    }
    YOKE_EACH
    {
        y[i] = steps[l];
    }
})
YOKE_EXACT_REDUCE(part_sum, (float, 0.0f, a + b), (in(float, x)), x[i])
YOKE_EXACT_KERNEL(part_turn, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i]; })

enum { MOST = 40000, TABLE = 17 };
static float x2[2 * MOST], was[MOST], wanted[MOST], table[TABLE];
static int counts[MOST];
static uint64_t seed;

static void draw_into(float *to, size_t count)
{
    for (size_t k = 0; k < count; k++)
        to[k] = (float)draw_double(&seed, -1, 1);
}

/* A copy of exactly what a part has of an array, and the address where item 0 of it would be. */
static void *window(const yoke_part_array *array, size_t all, yoke_part part, const void *from, void **base)
{
    const size_t begin = part.begin > array->before ? part.begin - array->before : 0;
    const size_t end = all - part.end > array->after ? part.end + array->after : all;
    unsigned char *copy = malloc((end - begin) * array->item_bytes + 1);
    assert_non_null(copy);
    memcpy(copy, (const unsigned char *)from + begin * array->item_bytes, (end - begin) * array->item_bytes);
    *base = (void *)((uintptr_t)copy - begin * array->item_bytes);
    return copy;
}

/* Runs a map in random parts; arrays[k] are as before the call, but the one written, `to`, gets each part's results. */
static void run_in_parts(yoke_runtime *r, const yoke_options *options, const yoke_kernel *kernel, size_t size0,
                         size_t size1, void *const *arrays, unsigned written)
{
    yoke_call_shape s;
    assert_int_equal(yoke_call_shape_of(kernel, size0, size1, arrays, 1, &s), YOKE_OK);
    unsigned char *to = calloc(s.all + 1, s.array[written].item_bytes);
    assert_non_null(to);
    for (size_t at = 0, next; at < s.items; at = next) {
        next = at + s.step * (1 + draw_below(&seed, s.items / s.step / 3 + 1));
        next = next < s.items ? next : s.items;
        const yoke_part part = {at, next};
        void *copies[YOKE_MAX_PARAMETERS] = {0}, *arguments[YOKE_MAX_PARAMETERS];
        for (unsigned k = 0; k < kernel->parameter_count; k++) {
            arguments[k] = arrays[k];
            if ((kernel->sliced >> k & 1) != 0)
                copies[k] = window(&s.array[k], s.all, part, arrays[k], &arguments[k]);
        }
        assert_int_equal(yoke_launch_map_part(r, options, kernel, size0, size1, part, arguments), YOKE_OK);
        const size_t item = s.array[written].item_bytes;
        memcpy(to + at * item, copies[written], (next - at) * item);
        for (unsigned k = 0; k < kernel->parameter_count; k++)
            free(copies[k]);
    }
    memcpy(arrays[written], to, s.all * s.array[written].item_bytes);
    free(to);
}

static void check_maps(yoke_runtime *r, const yoke_options *options, size_t n)
{
    static float got[MOST];
    static int got_counts[MOST];
    int m = TABLE;
    draw_into(x2, 2 * n), draw_into(was, n), draw_into(table, TABLE);
    memcpy(wanted, was, n * sizeof *was), memcpy(got, was, n * sizeof *was);
    assert_int_equal(parallel_map(part_blend, n, x2, wanted, table, m), YOKE_OK);
    run_in_parts(r, options, YOKE_KERNEL_OF(part_blend), n, 1, (void *[]){x2, got, table, &m}, 1);
    assert_memory_equal(got, wanted, n * sizeof *was);
    assert_int_equal(parallel_map(part_smooth, n, x2, wanted), YOKE_OK);
    run_in_parts(r, options, YOKE_KERNEL_OF(part_smooth), n, 1, (void *[]){x2, got}, 1);
    assert_memory_equal(got, wanted, n * sizeof *was);
    assert_int_equal(parallel_map(part_lanes, n, x2, counts), YOKE_OK);
    run_in_parts(r, options, YOKE_KERNEL_OF(part_lanes), n, 1, (void *[]){x2, got_counts}, 1);
    assert_memory_equal(got_counts, counts, n * sizeof *counts);
    const size_t width = 1 + draw_below(&seed, 70), height = n / width + 1;
    if (width * height > MOST)
        return;
    draw_into(x2, width * height);
    assert_int_equal(parallel_map_2d(part_rows, width, height, x2, wanted), YOKE_OK);
    run_in_parts(r, options, YOKE_KERNEL_OF(part_rows), width, height, (void *[]){x2, got}, 1);
    assert_memory_equal(got, wanted, width * height * sizeof *was);
}

static void check_reduction(yoke_runtime *r, const yoke_options *options, size_t n)
{
    float sum, partials[64];
    yoke_call_shape s;
    void *arrays[] = {x2};
    draw_into(x2, n);
    assert_int_equal(parallel_reduce(part_sum, n, &sum, x2), YOKE_OK);
    assert_int_equal(yoke_call_shape_of(YOKE_KERNEL_OF(part_sum), n, 1, arrays, 1, &s), YOKE_OK);
    assert_true(s.items <= 64);
    for (size_t at = 0, next; at < s.items; at = next) {
        next = at + 1 + draw_below(&seed, s.items - at);
        const size_t from = at * s.block, to = next == s.items ? n : next * s.block;
        float *copy = malloc((to - from) * sizeof *copy);
        assert_non_null(copy);
        memcpy(copy, x2 + from, (to - from) * sizeof *copy);
        void *arguments[] = {(void *)((uintptr_t)copy - from * sizeof *copy)};
        assert_int_equal(yoke_launch_reduce_part(r, options, YOKE_KERNEL_OF(part_sum), n, (yoke_part){at, next},
                                                 partials + at, arguments),
                         YOKE_OK);
        free(copy);
    }
    assert_int_equal(yoke_combine_partials(YOKE_KERNEL_OF(part_sum), partials, s.items), YOKE_OK);
    assert_memory_equal(partials, &sum, sizeof sum);
}

static void check_all(yoke_runtime *r, const yoke_options *options)
{
    static const size_t sizes[] = {1, 2, 31, 33, 4095, 4097, 33333};
    for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        check_maps(r, options, sizes[k]);
        check_reduction(r, options, sizes[k]);
    }
    for (unsigned long k = 0; k < rounds_of(20); k++) {
        check_maps(r, options, 1 + draw_below(&seed, MOST));
        check_reduction(r, options, 1 + draw_below(&seed, MOST));
    }
}

static void parts_on_workers_give_the_whole(void **state)
{
    (void)state;
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.workers = 3, .devices = "cpu"});
    assert_non_null(r);
    check_all(r, NULL);
    check_all(r, &(yoke_options){.flags = YOKE_ALWAYS_DIVIDE | YOKE_ALWAYS_STREAM});
    assert_int_equal(yoke_close(r), YOKE_OK);
}

static void parts_on_a_device_give_the_whole(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("opencl:0");
    check_all(r, NULL);
    assert_true(device_of(r, 0).pieces > 0);
    close_runtime(r);
}

static void parts_on_both_give_the_whole(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("cpu,opencl:0");
    check_all(r, &(yoke_options){.flags = YOKE_ALWAYS_COEXECUTE});
    close_runtime(r);
}

static void what_is_no_part_is_refused(void **state)
{
    (void)state;
    void *map[] = {x2, wanted};
    const yoke_kernel *lanes = YOKE_KERNEL_OF(part_lanes), *turn = YOKE_KERNEL_OF(part_turn);
    void *counted[] = {x2, counts};
    yoke_call_shape s;
    assert_int_equal(yoke_launch_map_part(NULL, NULL, YOKE_KERNEL_OF(part_smooth), 10, 1, (yoke_part){4, 11}, map),
                     YOKE_EINVAL);
    assert_int_equal(yoke_launch_map_part(NULL, NULL, lanes, 100, 1, (yoke_part){5, 64}, counted), YOKE_EINVAL);
    assert_int_equal(yoke_launch_map_part(NULL, NULL, turn, 100, 1, (yoke_part){0, 50}, map), YOKE_EINVAL);
    assert_int_equal(yoke_launch_map_part(NULL, NULL, turn, 100, 1, (yoke_part){0, 100}, map), YOKE_OK);
    assert_int_equal(yoke_call_shape_of(turn, 100, 1, map, 1, &s), YOKE_OK);
    assert_false(s.is_divisible);
    assert_int_equal(yoke_call_shape_of(turn, 100, 1, (void *[]){NULL, NULL}, 1, &s), YOKE_EINVAL);
    assert_int_equal(yoke_call_shape_of(turn, 100, 1, (void *[]){NULL, NULL}, 0, &s), YOKE_OK);
    assert_int_equal(yoke_call_shape_of(turn, SIZE_MAX / 2, 1, (void *[]){NULL, NULL}, 0, &s), YOKE_EOVERFLOW);
}

static int passed_on(const yoke_launcher *self, const yoke_kernel *kernel, size_t size0, size_t size1, void *result,
                     void *const *arguments)
{
    (void)self, (void)arguments;
    return kernel == YOKE_KERNEL_OF(part_smooth) && size0 == 7 && size1 == 1 && result == NULL ? YOKE_EBUSY : YOKE_OK;
}

static void a_launcher_gets_the_call(void **state)
{
    (void)state;
    const yoke_launcher launcher = {passed_on};
    assert_int_equal(parallel_map_on(NULL, &(yoke_options){.launcher = &launcher}, part_smooth, 7, x2, wanted),
                     YOKE_EBUSY);
}

int main(void)
{
    seed = seed_of("parts");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(parts_on_workers_give_the_whole, fresh),
        cmocka_unit_test_setup(parts_on_a_device_give_the_whole, fresh),
        cmocka_unit_test_setup(parts_on_both_give_the_whole, fresh),
        cmocka_unit_test(what_is_no_part_is_refused),
        cmocka_unit_test(a_launcher_gets_the_call),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
