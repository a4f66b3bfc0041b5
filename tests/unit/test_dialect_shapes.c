/* The shapes of kernels: two dimensions, halos, lanes, reductions, accumulation, exactness. */
#include <math.h>

#include "tests/unit/support.h"
#include "yoke/yoke.h"

static const yoke_options divide = {.flags = YOKE_ALWAYS_DIVIDE};

/* --- two dimensions --- */

YOKE_KERNEL_2D(shape_where, (out(int, y)),
               { y[j * width + i] = (int)(1000 * j + i + (width == 7 ? 100u : 0u) + (height == 5 ? 10u : 0u)); })

static void map_2d_knows_column_row_width_and_height(void **state)
{
    (void)state;
    int y[5 * 7];
    assert_int_equal(parallel_map_2d_on(NULL, &divide, shape_where, 7, 5, y), YOKE_OK);
    for (int k = 0; k < 35; k++)
        assert_int_equal(y[k], 1000 * (k / 7) + k % 7 + 110);
}

YOKE_KERNEL_2D(shape_stencil, (halo(float, x, 1, 1), out(float, y)), {
    if (i == 0 || j == 0 || i + 1 == width || j + 1 == height) {
        y[j * width + i] = x[j * width + i];
        return;
    }
    y[j * width + i] =
        0.25f * (x[j * width + i - 1] + x[j * width + i + 1] + x[(j - 1) * width + i] + x[(j + 1) * width + i]);
})

static void check_stencil(size_t width, size_t height, unsigned flags)
{
    const yoke_options options = {.flags = flags};
    float *x = malloc(width * height * sizeof *x), *y = malloc(width * height * sizeof *y);
    for (size_t k = 0; k < width * height; k++)
        x[k] = (float)(k * 37 % 101), y[k] = -1;
    assert_int_equal(parallel_map_2d_on(NULL, &options, shape_stencil, width, height, x, y), YOKE_OK);
    for (size_t j = 0; j < height; j++) {
        for (size_t i = 0; i < width; i++) {
            const float *at = &x[j * width + i];
            float wanted = *at;
            if (i > 0 && j > 0 && i + 1 < width && j + 1 < height)
                wanted = 0.25f * (at[-1] + at[1] + at[-(ptrdiff_t)width] + at[width]);
            if (y[j * width + i] != wanted)
                fail_msg("(%zu, %zu) of %zux%zu, flags %u", i, j, width, height, flags);
        }
    }
    free(x);
    free(y);
}

static void stencil_is_right_at_every_rim_and_streamed_width(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 2, 3, 15, 64, 65, 255, 256, 257, 1000, 2049};
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (size_t height = 1; height <= 5; height++)
            for (unsigned flags = 0; flags < 8; flags++)
                if ((flags & 6) != 6)
                    check_stencil(widths[k], height, flags);
}

/* --- lanes --- */

YOKE_LANE_KERNEL(shape_collatz, (in(unsigned, x), out(int, steps)), {
    YOKE_LANES(unsigned, v);
    YOKE_LANES(int, count);
    int alive = 1;
    YOKE_EACH
    {
        v[l] = x[i];
        count[l] = 0;
    }
    while (alive) {
        YOKE_EACH
        {
            (void)i;
            count[l] += v[l] > 1;
            v[l] = v[l] <= 1 ? v[l] : v[l] % 2 == 0 ? v[l] / 2 : 3 * v[l] + 1;
        }
        YOKE_ANY(alive, v[l] > 1);
    }
    YOKE_EACH
    {
        steps[i] = count[l];
    }
})
YOKE_LANE_KERNEL_2D(shape_lanes_2d, (in(float, x), out(float, y), value(float, k)), {
    YOKE_LANES(float, v);
    YOKE_EACH
    {
        v[l] = x[j * width + i] * k;
    }
    YOKE_EACH
    {
        y[j * width + i] = v[l] + (float)(i + 100 * j + height);
    }
})

static void lane_kernels_serve_every_size(void **state)
{
    (void)state;
    enum { MOST = 1100 };
    static const size_t sizes[] = {1, 2, 63, 64, 65, 127, 128, 129, 1000, MOST};
    static unsigned x[MOST];
    static int steps[MOST + 1];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (size_t i = 0; i < sizes[k]; i++)
            x[i] = (unsigned)i + 1;
        steps[sizes[k]] = -5;
        assert_int_equal(parallel_map_on(NULL, &divide, shape_collatz, sizes[k], x, steps), YOKE_OK);
        for (size_t i = 0; i < sizes[k]; i++) {
            int count = 0;
            for (unsigned v = x[i]; v > 1; count++)
                v = v % 2 == 0 ? v / 2 : 3 * v + 1;
            assert_int_equal(steps[i], count);
        }
        assert_int_equal(steps[sizes[k]], -5);
    }
}

static void lane_kernels_2d_serve_widths_that_are_no_multiple_of_64(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 31, 64, 65, 100, 130};
    static float x[130 * 3], y[130 * 3 + 1];
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        const size_t width = widths[k];
        for (size_t i = 0; i < width * 3; i++)
            x[i] = (float)i;
        y[width * 3] = -5;
        assert_int_equal(parallel_map_2d_on(NULL, &divide, shape_lanes_2d, width, 3, x, y, 2.0f), YOKE_OK);
        for (size_t i = 0; i < width * 3; i++) {
            const size_t column = i % width, row = i / width;
            assert_true(y[i] == 2.0f * (float)i + (float)(column + 100 * row + 3));
        }
        assert_true(y[width * 3] == -5);
    }
}

/* --- reductions --- */

YOKE_TYPE(place_of, {
    float value;
    int64_t index;
})
YOKE_FUNCTION(place_of, larger, (place_of a, place_of b),
              { return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a; })
YOKE_FUNCTION(place_of, at_index, (float value, int64_t index), {
    place_of p;
    p.value = value;
    p.index = index;
    return p;
})
YOKE_REDUCE(shape_argmax, (place_of, at_index(-INFINITY, INT64_MAX), larger(a, b)), (in(float, x)),
            at_index(x[i], (int64_t)i))
YOKE_REDUCE(shape_count, (uint64_t, 0, a + b), (in(uint8_t, x), value(int, limit)), x[i] >= limit)
YOKE_REDUCE(shape_noisy, (unsigned, 0, a * 31 + b), (in(unsigned, x)), x[i]) /* neither commutative nor associative */

static void reductions_of_structs_and_integers_are_exact(void **state)
{
    (void)state;
    enum { MOST = 200001 };
    static float x[MOST];
    static uint8_t bytes[MOST];
    static const size_t sizes[] = {1, 64, 65, 4095, 4096, 4097, 65536, MOST};
    for (size_t k = 0; k < MOST; k++)
        x[k] = (float)(k * 7919 % 10007), bytes[k] = (uint8_t)k;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        place_of found = {0, 0}, wanted = {x[0], 0};
        uint64_t count = 77, above = 0;
        for (size_t i = 0; i < sizes[k]; i++) {
            if (x[i] > wanted.value)
                wanted = (place_of){x[i], (int64_t)i};
            above += bytes[i] >= 100;
        }
        assert_int_equal(parallel_reduce_on(NULL, &divide, shape_argmax, sizes[k], &found, x), YOKE_OK);
        assert_true(found.value == wanted.value && found.index == wanted.index);
        assert_int_equal(parallel_reduce_on(NULL, &divide, shape_count, sizes[k], &count, bytes, 100), YOKE_OK);
        assert_int_equal(count, above);
    }
    place_of none;
    assert_int_equal(parallel_reduce(shape_argmax, 0, &none, NULL), YOKE_OK);
    assert_true(isinf(none.value) && none.index == INT64_MAX);
}

static void reduction_in_a_fixed_tree_need_not_be_associative(void **state)
{
    (void)state;
    enum { MOST = 100000 };
    static unsigned x[MOST];
    for (unsigned k = 0; k < MOST; k++)
        x[k] = k % 3;
    unsigned first = 0, next;
    for (unsigned workers = 1; workers <= 4; workers++) {
        const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .workers = workers, .grain = 1000 * workers};
        assert_int_equal(parallel_reduce_on(NULL, &options, shape_noisy, 30000, &next, x), YOKE_OK);
        first = workers == 1 ? next : first;
        assert_int_equal(first, next);
    }
}

YOKE_TYPE(shape_bins, { uint32_t count[256]; })
YOKE_FUNCTION(shape_bins, no_bins, (void), {
    shape_bins b;
    for (int k = 0; k < 256; k++)
        b.count[k] = 0;
    return b;
})
YOKE_FUNCTION(shape_bins, add_bins, (shape_bins x, shape_bins y), {
    for (int k = 0; k < 256; k++)
        x.count[k] += y.count[k];
    return x;
})
YOKE_ACCUMULATE(shape_histogram, (shape_bins, no_bins(), add_bins(a, b)), (in(uint8_t, x, 3), value(int, channel)),
                { acc->count[x[3 * i + (size_t)channel]]++; })

static void accumulation_counts_every_item_once(void **state)
{
    (void)state;
    enum { MOST = 300000 };
    static uint8_t x[3 * MOST];
    static shape_bins wanted, found;
    uint64_t seed = seed_of(__func__);
    for (size_t k = 0; k < 3 * MOST; k++)
        x[k] = (uint8_t)draw(&seed);
    for (size_t n = 0; n <= MOST; n += MOST / 3 + 11) {
        memset(&wanted, 0, sizeof wanted);
        for (size_t k = 0; k < n; k++)
            wanted.count[x[3 * k + 2]]++;
        assert_int_equal(parallel_reduce_on(NULL, &divide, shape_histogram, n, &found, x, 2), YOKE_OK);
        assert_memory_equal(&wanted, &found, sizeof found);
    }
}

/* --- exact kernels --- */

YOKE_EXACT_FUNCTION(float, shape_residue, (float p, float q), { return p * q - 1.0f; })
YOKE_EXACT_KERNEL(shape_exact, (in(float, x), in(float, z), out(float, y)), {
    float product = x[i] * z[i];
    y[i] = product + x[i] / z[i] - sqrtf(z[i]) + shape_residue(x[i], z[i]);
})
YOKE_EXACT_REDUCE(shape_exact_sum, (float, 0.0f, a + b), (in(float, x), in(float, z)), x[i] * z[i])

static void exact_kernels_have_the_bits_of_unfused_c_on_every_instruction_set(void **state)
{
    (void)state;
    enum { MOST = 20000 };
    static const char *const isas[] = {"baseline", "avx2", "avx512"};
    static float x[MOST], z[MOST], y[MOST];
    uint64_t seed = seed_of(__func__);
    float sums[3], sum = 0;
    for (int k = 0; k < MOST; k++)
        x[k] = (float)draw_double(&seed, -3, 3), z[k] = (float)draw_double(&seed, 0.5, 2);
    for (int isa = 0; isa < 3; isa++) {
        const yoke_runtime_options options = {.isa = isas[isa], .workers = 2};
        yoke_runtime *runtime = yoke_open(&options);
        if (runtime == NULL)
            continue; /* this CPU lacks it */
        assert_int_equal(parallel_map_on(runtime, NULL, shape_exact, MOST, x, z, y), YOKE_OK);
        for (int k = 0; k < MOST; k++) {
            volatile float product = x[k] * z[k], quotient = x[k] / z[k], root = sqrtf(z[k]), both = product + quotient;
            volatile float less = both - root, residue = product - 1.0f;
            assert_true(y[k] == less + residue);
        }
        assert_int_equal(parallel_reduce_on(runtime, NULL, shape_exact_sum, MOST, &sums[isa], x, z), YOKE_OK);
        sum = isa == 0 ? sums[0] : sum;
        assert_true(sum == sums[isa]);
        assert_int_equal(yoke_close(runtime), YOKE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_2d_knows_column_row_width_and_height),
        cmocka_unit_test(stencil_is_right_at_every_rim_and_streamed_width),
        cmocka_unit_test(lane_kernels_serve_every_size),
        cmocka_unit_test(lane_kernels_2d_serve_widths_that_are_no_multiple_of_64),
        cmocka_unit_test(reductions_of_structs_and_integers_are_exact),
        cmocka_unit_test(reduction_in_a_fixed_tree_need_not_be_associative),
        cmocka_unit_test(accumulation_counts_every_item_once),
        cmocka_unit_test(exact_kernels_have_the_bits_of_unfused_c_on_every_instruction_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
