/* Kernels that break a promise of their parameters are found out, wherever the mistake is, and the program's arrays stay
 * as they were. */
#include <math.h>

#include "lib/parallel/checking.h"
#include "tests/unit/check_kernels.h"

enum { MOST = 12000 };

static float x[3 * MOST], y[3 * MOST], was[3 * MOST];
static double pairs[2 * MOST];
static int whole_numbers[MOST], results[MOST];

static int fill(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3 * MOST; k++) {
        x[k] = (float)(k % 97) + 1.0f;
        y[k] = was[k] = -(float)(k % 13) - 1.0f;
    }
    for (size_t k = 0; k < MOST; k++) {
        whole_numbers[k] = (int)(k % 4);
        results[k] = -1;
    }
    return 0;
}

static void assert_untouched(void)
{
    assert_memory_equal(y, was, sizeof y);
    for (size_t k = 0; k < 3 * MOST; k++)
        assert_true(x[k] == (float)(k % 97) + 1.0f);
}

/* Sizes around a block of lanes, and awkward ones; the bad item first, last, or anywhere. */
typedef struct place {
    size_t n, bad;
} place;

static place draw_place(uint64_t *seed, size_t least)
{
    static const size_t sizes[] = {1, 2, 63, 64, 65, 127, 1025};
    place p;
    p.n = draw_below(seed, 3) == 0 ? sizes[draw_below(seed, 7)] : 1 + (size_t)draw_below(seed, MOST - 1);
    p.n += least;
    if (p.n > MOST)
        p.n = MOST;
    const uint64_t kind = draw_below(seed, 4);
    p.bad = kind == 0 ? least : kind == 1 ? p.n - 1 : least + (size_t)draw_below(seed, p.n - least);
    return p;
}

#define MAP(kernel, ...) parallel_map_on(checking, NULL, kernel, __VA_ARGS__)

static void what_leaves_its_slice_is_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(40); round++) {
        const place p = draw_place(&seed, 3);
        const size_t n = p.n, bad = p.bad;
        FOUND(MAP(bad_write_after, n, y, x, bad), bad_write_after, "item %zu %s y[%zu]", bad, "writes", bad + 1);
        FOUND(MAP(bad_write_before, n, pairs, bad), bad_write_before, "item %zu %s y[%zu]", bad, "writes", 2 * bad - 1);
        FOUND(MAP(bad_read_in, n, y, x, bad), bad_read_in, "item %zu %s x[%zu]", bad, "reads", bad + 1);
        FOUND(MAP(bad_halo, n, y, x, bad), bad_halo, "item %zu %s x[%zu]", bad, "reads", bad - 3);
        FOUND(MAP(bad_halo_after, n, results, whole_numbers, bad), bad_halo_after, "item %zu %s x[%zu]", bad, "reads",
              bad + 4);
        assert_untouched();
    }
}

static void what_lies_outside_of_an_array_is_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(40); round++) {
        const place p = draw_place(&seed, 0);
        const int count = 1 + (int)draw_below(&seed, MOST);
        FOUND(MAP(bad_whole, p.n, y, x, count, p.bad, count), bad_whole, "item %zu reads x[%d], beyond the end", p.bad,
              count);
        FOUND(MAP(bad_whole, p.n, y, x, count, p.bad, -1), bad_whole, "item %zu reads x[-1], before the start", p.bad);
        FOUND(MAP(bad_scatter_place, p.n, x, y, p.bad), bad_scatter_place,
              "item %zu writes y[%zu], beyond the end of the array, which has %zu", p.bad, 2 * p.n, 2 * p.n);
        assert_untouched();
    }
}

static void writes_to_what_is_only_read_are_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(30); round++) {
        const place p = draw_place(&seed, 0);
        FOUND(MAP(bad_in_written, p.n, y, x, p.bad), bad_in_written, "item %zu changes x[%zu], which is `in`", p.bad,
              p.bad);
        FOUND(MAP(bad_whole_written, p.n, y, x, p.bad), bad_whole_written, "item %zu writes x[5], which is `whole`",
              p.bad);
        assert_untouched();
    }
}

static void outputs_that_are_not_written_are_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(40); round++) {
        const place p = draw_place(&seed, 0);
        FOUND(MAP(bad_unwritten, p.n, y, x, p.bad), bad_unwritten, "item %zu does not write y[%zu]", p.bad, p.bad);
        FOUND(MAP(bad_old, p.n, y, x, p.bad), bad_old, "item %zu computes y[%zu] from what an `out`", p.bad, p.bad);
        assert_untouched();
    }
}

static void results_that_depend_on_other_items_are_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(20); round++) {
        const place p = draw_place(&seed, 1);
        FOUND(MAP(bad_state, p.n, results, x), bad_state, "y[0] depends on which items run before");
        FOUND(MAP(bad_next, p.n, y, p.bad), bad_next, "item %zu", p.bad);
        assert_int_equal(results[0], -1);
        assert_untouched();
    }
}

static void items_that_write_the_same_element_are_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(20); round++) {
        place p = draw_place(&seed, 5);
        if (p.n > 1000)
            p.n = 1000;
        if (p.bad >= p.n)
            p.bad = p.n - 1;
        FOUND(MAP(bad_collision, p.n, x, y, p.bad), bad_collision, "item %zu and item %zu both write y[%zu]", p.bad - 5,
              p.bad, p.bad - 5);
        FOUND(MAP(bad_collision_same, p.n, results, p.bad), bad_collision_same,
              "item %zu and item %zu both write y[%zu]", p.bad - 5, p.bad, p.bad - 5);
        assert_untouched();
    }
}

static void mistakes_in_lanes_and_reductions_are_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    four_counts counts;
    double sum = 5;
    for (unsigned long round = 0; round < rounds_of(30); round++) {
        const place p = draw_place(&seed, 0);
        const size_t n = p.n, bad = p.bad;
        FOUND(MAP(bad_lanes_read, n, y, x, bad), bad_lanes_read, "item %zu reads x[%zu]", bad, bad + 1);
        FOUND(MAP(bad_lanes_unwritten, n, y, x, bad), bad_lanes_unwritten, "item %zu does not write y[%zu]", bad, bad);
        FOUND(parallel_reduce_on(checking, NULL, bad_reduce_read, n, &sum, x, bad), bad_reduce_read,
              "item %zu reads x[%zu]", bad, bad + 1);
        assert_true(sum == 5);
        assert_int_equal(parallel_reduce_on(checking, NULL, bad_accumulate, n, &counts, whole_numbers), YOKE_OK);
        assert_int_equal(counts.count[0], (n + 3) / 4);
        whole_numbers[bad] = 4;
        FOUND(parallel_reduce_on(checking, NULL, bad_accumulate, n, &counts, whole_numbers), bad_accumulate, "item %zu",
              bad);
        whole_numbers[bad] = (int)(bad % 4);
        FOUND(parallel_reduce_on(checking, NULL, bad_accumulate_write, n, &counts, whole_numbers, bad),
              bad_accumulate_write, "item %zu changes x[%zu]", bad, bad);
        assert_untouched();
    }
}

static void mistakes_in_rows_are_found(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(40); round++) {
        const size_t w = 2 + (size_t)draw_below(&seed, 60), h = 3 + (size_t)draw_below(&seed, 60);
        const size_t i = (size_t)draw_below(&seed, w - 1), j = 2 + (size_t)draw_below(&seed, h - 2), at = j * w + i;
        const yoke_options o = {.pitch = round % 2 == 0 ? 0 : w + (size_t)draw_below(&seed, 20)};
        FOUND(parallel_map_2d_on(checking, &o, bad_2d_after, w, h, y, x, i, j), bad_2d_after,
              "item (%zu, %zu) writes y[%zu]", i, j, at + 1);
        FOUND(parallel_map_2d_on(checking, &o, bad_2d_row, w, h, y, x, i, j), bad_2d_row,
              "item (%zu, %zu) reads x[%zu]", i, j, at + w);
        FOUND(parallel_map_2d_on(checking, NULL, bad_2d_halo, w, h, y, x, i, j), bad_2d_halo,
              "item (%zu, %zu) reads x[%zu]", i, j, at - 2 * w);
        FOUND(parallel_map_2d_on(checking, &o, bad_2d_unwritten, w, h, y, x, i, j), bad_2d_unwritten,
              "item (%zu, %zu) does not write y[%zu]", i, j, at);
        FOUND(parallel_map_2d_on(checking, &o, bad_2d_lanes, w, h, y, x, i, j), bad_2d_lanes,
              "an item of row %zu reads x[%zu]", j, at + w);
        assert_untouched();
    }
}

/* --- types --- */

YOKE_TYPE(dense_pair, {
    float x;
    float y;
})
YOKE_TYPE(dense_parts, {
    unsigned long long part[3][2];
    int8_t a, b;
    short c;
    uint32_t d;
})
YOKE_TYPE(loose_pair, {
    char tag;
    double value;
})
YOKE_TYPE(loose_inner, { dense_pair p; })

static void padding_of_structures_is_known(void **state)
{
    (void)state;
    const yoke_kernel *kernel = YOKE_KERNEL_OF(bad_old);
    assert_true(yoke__type_is_dense(kernel, "float", 4));
    assert_true(yoke__type_is_dense(kernel, "dense_pair", sizeof(dense_pair)));
    assert_true(yoke__type_is_dense(kernel, "dense_parts", sizeof(dense_parts)));
    assert_false(yoke__type_is_dense(kernel, "loose_pair", sizeof(loose_pair)));
    assert_false(yoke__type_is_dense(kernel, "loose_inner", sizeof(loose_inner)));
    assert_false(yoke__type_is_dense(kernel, "unknown", 8));
}

static void distances_are_in_units_of_the_last_place(void **state)
{
    (void)state;
    const float wanted[] = {1.0f, 1000.0f, -3.0f, NAN, INFINITY, 0.0f}, near = 1.0f + 3 * 0x1p-23f;
    float found[6];
    memcpy(found, wanted, sizeof found);
    yoke__distance d = yoke__elements_compare(YOKE__ELEMENT_FLOAT, 4, true, found, wanted, 6);
    assert_int_equal(d.first, 6);
    found[0] = near;
    found[3] = -NAN;
    d = yoke__elements_compare(YOKE__ELEMENT_FLOAT, 4, false, found, wanted, 6);
    assert_int_equal(d.first, 6);
    assert_true(d.most_ulp == 3);
    d = yoke__elements_compare(YOKE__ELEMENT_FLOAT, 4, true, found, wanted, 6);
    assert_int_equal(d.first, 0);
    found[2] = -3.0f - 100 * 0x1p-22f; /* within 4 units of the largest */
    assert_int_equal(yoke__elements_compare(YOKE__ELEMENT_FLOAT, 4, false, found, wanted, 6).first, 6);
    found[2] = -3.01f;
    d = yoke__elements_compare(YOKE__ELEMENT_FLOAT, 4, false, found, wanted, 6);
    assert_int_equal(d.first, 2);
    assert_true(d.first_ulp > 40000 && d.first_ulp < 43000);
    found[2] = wanted[2];
    found[4] = 3e38f;
    assert_int_equal(yoke__elements_compare(YOKE__ELEMENT_FLOAT, 4, false, found, wanted, 6).first, 4);
    const int a[] = {1, 2, 3}, b[] = {1, 2, 4};
    assert_int_equal(yoke__elements_compare(YOKE__ELEMENT_INTEGER, 4, false, a, b, 3).first, 2);
    assert_int_equal(yoke__elements_compare(YOKE__ELEMENT_OTHER, 4, false, a, b, 3).first, 3);
    assert_int_equal(yoke__elements_compare(YOKE__ELEMENT_OTHER, 4, true, a, b, 3).first, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_leaves_its_slice_is_found, fill),
        cmocka_unit_test_setup(what_lies_outside_of_an_array_is_found, fill),
        cmocka_unit_test_setup(writes_to_what_is_only_read_are_found, fill),
        cmocka_unit_test_setup(outputs_that_are_not_written_are_found, fill),
        cmocka_unit_test_setup(results_that_depend_on_other_items_are_found, fill),
        cmocka_unit_test_setup(items_that_write_the_same_element_are_found, fill),
        cmocka_unit_test_setup(mistakes_in_lanes_and_reductions_are_found, fill),
        cmocka_unit_test_setup(mistakes_in_rows_are_found, fill),
        cmocka_unit_test(padding_of_structures_is_known),
        cmocka_unit_test(distances_are_in_units_of_the_last_place),
    };
    int failed = cmocka_run_group_tests(tests, open_checking, close_checking);
    isa = yoke_isa(NULL)[0] == 'n' ? "neon" : "baseline";
    return failed + cmocka_run_group_tests(tests, open_checking, close_checking);
}
