/* Tasks run in pieces on a device have the results of the CPU's variants, to the bit. */
#include "tests/opencl/run_support.h"

static void check_counts(uint64_t *seed, size_t n)
{
    void *a[] = {random_array(seed, 3 * n, true), random_array(seed, 2 * n, true), random_array(seed, 3 * n, false)};
    compare(YOKE_KERNEL_OF(piece_counts), (size_t[]){n, 1}, a, (size_t[]){12 * n, 8 * n, 10 * n});
    for (int k = 0; k < 3; k++)
        free_array(a[k]);
}

static void check_halo(uint64_t *seed, size_t n)
{
    void *a[] = {random_array(seed, n, true), random_array(seed, n, true)};
    compare(YOKE_KERNEL_OF(piece_halo), (size_t[]){n, 1}, a, (size_t[]){4 * n, 4 * n});
    free_array(a[0]);
    free_array(a[1]);
}

static void check_whole(uint64_t *seed, size_t n)
{
    void *a[] = {random_array(seed, n, false), random_array(seed, 97, true), random_array(seed, n, true)};
    compare(YOKE_KERNEL_OF(piece_whole), (size_t[]){n, 1}, a, (size_t[]){4 * n, 4 * 97, 4 * n});
    for (int k = 0; k < 3; k++)
        free_array(a[k]);
}

static void check_scatter(uint64_t *seed, size_t n)
{
    void *a[] = {random_array(seed, n, false), random_array(seed, 2 * n + 1, false)};
    compare(YOKE_KERNEL_OF(piece_scatter), (size_t[]){n, 1}, a, (size_t[]){4 * n, 4 * (2 * n + 1)});
    assert_int_equal(notes.pieces, 1);
    free_array(a[0]);
    free_array(a[1]);
}

static void check_same_array(uint64_t *seed, size_t n)
{
    uint64_t in = atomic_load(&dev.bytes_in);
    int *both = random_array(seed, n, false);
    compare(YOKE_KERNEL_OF(piece_increment), (size_t[]){n, 1}, (void *[]){both, both}, (size_t[]){4 * n, 4 * n});
    assert_true(atomic_load(&dev.bytes_in) > in); /* staged, wherever it lies: the kernel may read what it wrote */
    free_array(both);
}

static void check_lanes(uint64_t *seed, size_t n)
{
    void *a[] = {random_array(seed, n, true), random_array(seed, n, false)};
    compare(YOKE_KERNEL_OF(piece_lanes), (size_t[]){n, 1}, a, (size_t[]){4 * n, 4 * n});
    free_array(a[0]);
    free_array(a[1]);
}

static void check_rows(uint64_t *seed, size_t n)
{
    const size_t size[2] = {n < 30 ? n : 30, n < 30 ? n : n / 30};
    const size_t count = size[0] * size[1];
    void *a[] = {random_array(seed, count, true), random_array(seed, count, true), random_array(seed, count, false)};
    compare(YOKE_KERNEL_OF(piece_rows), size, a, (size_t[]){4 * count, 4 * count, 4 * count});
    for (int k = 0; k < 3; k++)
        free_array(a[k]);
}

/* Rows with gaps: results of the packed arrays, and the gaps stay as they were. */
static void check_strides(uint64_t *seed, size_t n)
{
    enum { GAP = 3 };
    const size_t size[2] = {n < 30 ? n : 30, n < 30 ? n : n / 30};
    const size_t pitch = size[0] + GAP, count = size[0] * size[1], wide = pitch * size[1];
    float *x = random_array(seed, wide, true), *y = random_array(seed, wide, true), *old = malloc(4 * wide);
    int *z = random_array(seed, wide, false);
    float *px = malloc(4 * count), *py = malloc(4 * count);
    int *pz = malloc(4 * count);
    assert_non_null(old);
    assert_non_null(px);
    assert_non_null(py);
    assert_non_null(pz);
    memcpy(old, y, 4 * wide);
    for (size_t k = 0; k < count; k++) {
        size_t from = k / size[0] * pitch + k % size[0];
        px[k] = x[from], py[k] = y[from], pz[k] = z[from];
    }
    yoke__task t = task_of(YOKE_KERNEL_OF(piece_rows), size, (void *[]){x, y, z});
    for (int k = 0; k < 3; k++)
        t.array[k].stride = 4 * pitch;
    assert_int_equal(run_task(&t), YOKE_OK);
    book_is_balanced(&notes);
    yoke_call call = {.argument = {px, py, pz}, .size = {size[0], size[1]}, .columns = {0, size[0]}};
    t.kernel->variants[0](&call, 0, size[1]);
    for (size_t k = 0; k < wide - GAP; k++) {
        bool gap = k % pitch >= size[0];
        assert_memory_equal(&y[k], gap ? &old[k] : &py[k / pitch * size[0] + k % pitch], 4);
    }
    free_array(x), free_array(y), free_array(z);
    free(old), free(px), free(py), free(pz);
}

static void check_fold(const yoke_kernel *kernel, size_t n, void *const *arguments)
{
    enum { BLOCK = 192 };
    yoke__task t = task_of(kernel, (size_t[]){n, 1}, arguments);
    t.block = BLOCK;
    t.items = (n + BLOCK - 1) / BLOCK;
    size_t bytes = t.items * kernel->result_size;
    unsigned char *wanted = malloc(bytes);
    t.partials = malloc(bytes);
    assert_non_null(wanted);
    assert_non_null(t.partials);
    memset(t.partials, 0xff, bytes);
    assert_int_equal(run_task(&t), YOKE_OK);
    book_is_balanced(&notes);
    for (size_t b = 0; b < t.items; b++) {
        yoke_call call = t.call;
        call.result = wanted + b * kernel->result_size;
        kernel->variants[0](&call, b * BLOCK, b + 1 < t.items ? (b + 1) * BLOCK : n);
    }
    assert_memory_equal(t.partials, wanted, bytes);
    free(wanted);
    free(t.partials);
}

static void check_folds(uint64_t *seed, size_t n)
{
    double scale = 0.5; /* a product with it is exact, contracted or not */
    void *x = random_array(seed, n, true), *y = random_array(seed, 2 * n, true);
    check_fold(YOKE_KERNEL_OF(piece_dot), n, (void *[]){x, y});
    check_fold(YOKE_KERNEL_OF(piece_sum), n, (void *[]){x, &scale});
    free_array(x);
    free_array(y);
}

#define OVER_SETTINGS(name, check)      \
    static void name(void **state)      \
    {                                   \
        (void)state;                    \
        over_settings(__func__, check); \
    }
OVER_SETTINGS(in_out_inout_and_value_have_the_bits_of_the_cpu, check_modes)
OVER_SETTINGS(several_elements_per_item_have_the_bits_of_the_cpu, check_counts)
OVER_SETTINGS(halo_of_items_has_the_bits_of_the_cpu, check_halo)
OVER_SETTINGS(whole_array_is_seen_by_every_piece, check_whole)
OVER_SETTINGS(scatter_is_one_piece_and_keeps_what_no_item_writes, check_scatter)
OVER_SETTINGS(array_that_is_read_and_written_has_the_bits_of_the_cpu, check_same_array)
OVER_SETTINGS(lanes_have_the_bits_of_the_cpu, check_lanes)
OVER_SETTINGS(halo_of_rows_has_the_bits_of_the_cpu, check_rows)
OVER_SETTINGS(rows_with_gaps_keep_their_gaps, check_strides)
OVER_SETTINGS(partial_results_have_the_bits_of_the_cpu, check_folds)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_out_inout_and_value_have_the_bits_of_the_cpu),
        cmocka_unit_test(several_elements_per_item_have_the_bits_of_the_cpu),
        cmocka_unit_test(halo_of_items_has_the_bits_of_the_cpu),
        cmocka_unit_test(whole_array_is_seen_by_every_piece),
        cmocka_unit_test(scatter_is_one_piece_and_keeps_what_no_item_writes),
        cmocka_unit_test(array_that_is_read_and_written_has_the_bits_of_the_cpu),
        cmocka_unit_test(lanes_have_the_bits_of_the_cpu),
        cmocka_unit_test(halo_of_rows_has_the_bits_of_the_cpu),
        cmocka_unit_test(rows_with_gaps_keep_their_gaps),
        cmocka_unit_test(partial_results_have_the_bits_of_the_cpu),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
