/* Input that must be refused: the status, a detail that says what to do, nothing run, arrays as they were, and a
 * library that works afterwards. */
#include <fenv.h>
#include <float.h>
#include <math.h>

#include "tests/unit/support.h"
#include "yoke/yoke.h"

enum { N = 512 };

YOKE_KERNEL(bad_map, (in(float, x), out(float, y)), { y[i] = x[i] + 1.0f; })
YOKE_KERNEL(bad_wide, (in(float, x), out(double, y)), { y[i] = x[i]; })
YOKE_KERNEL(bad_pairs, (in(float, x), out(float, y, 2)), { y[2 * i] = y[2 * i + 1] = x[i]; })
YOKE_KERNEL(bad_two_outs, (out(float, x), out(float, y)), { x[i] = y[i] = 1.0f; })
YOKE_KERNEL(bad_two_ins, (in(float, x), in(float, y), inout(float, z)), { z[i] = x[i] + y[i]; })
YOKE_KERNEL(bad_halo, (halo(float, x, 1, 1), out(float, y)), { y[i] = x[i]; })
YOKE_KERNEL(bad_whole, (whole(float, x, n), out(float, y)), { y[i] = x[n - 1 - i]; })
YOKE_KERNEL(bad_bytes, (in(uint8_t, x), out(uint8_t, y)), { y[i] = x[i]; })
YOKE_KERNEL_2D(bad_rows, (in(float, x), out(float, y)), { y[j * width + i] = x[j * width + i]; })
YOKE_REDUCE(bad_sum, (double, 0.0, a + b), (in(float, x)), x[i])

static float memory[4 * N + 64];

static void fill(void)
{
    for (int k = 0; k < 4 * N + 64; k++)
        memory[k] = (float)k;
}

/* The library must work after every refusal, and must not have touched anything. */
static void check_refused(int status, int wanted, const char *call)
{
    if (status != wanted)
        fail_msg("%s: %d (%s), not %d", call, status, status != 0 ? yoke_error_detail() : "", wanted);
    if (wanted != YOKE_OK)
        assert_true(strlen(yoke_error_detail()) > 20);
    for (int k = 0; k < 4 * N + 64; k++)
        assert_true(memory[k] == (float)k);
    float x[3] = {1, 2, 3}, y[3] = {0, 0, 0};
    assert_int_equal(parallel_map(bad_map, 3, x, y), YOKE_OK);
    assert_true(y[0] == 2 && y[2] == 4);
}
#define REFUSED(wanted, call) check_refused(call, wanted, #call)

static void *at(uintptr_t address)
{
    return (void *)address;
}

static void map_null_arrays_are_refused_unless_there_are_no_items(void **state)
{
    (void)state;
    float *x = memory, *y = memory + N;
    double sum = 5;
    fill();
    REFUSED(YOKE_EINVAL, parallel_map(bad_map, N, NULL, y));
    assert_non_null(strstr(yoke_error_detail(), "bad_map"));
    assert_non_null(strstr(yoke_error_detail(), "NULL"));
    REFUSED(YOKE_EINVAL, parallel_map(bad_map, N, x, NULL));
    REFUSED(YOKE_EINVAL, parallel_map(bad_map, 1, NULL, NULL));
    REFUSED(YOKE_OK, parallel_map(bad_map, 0, NULL, NULL));
    REFUSED(YOKE_OK, parallel_map(bad_map, 0, at(1), at(3)));
    REFUSED(YOKE_EINVAL, parallel_map_2d(bad_rows, 4, 4, NULL, y));
    REFUSED(YOKE_OK, parallel_map_2d(bad_rows, 0, SIZE_MAX, NULL, NULL));
    REFUSED(YOKE_OK, parallel_map_2d(bad_rows, SIZE_MAX, 0, NULL, NULL));
    REFUSED(YOKE_EINVAL, parallel_reduce(bad_sum, N, &sum, NULL));
    REFUSED(YOKE_EINVAL, parallel_reduce(bad_sum, N, NULL, x));
    REFUSED(YOKE_EINVAL, parallel_for(10, NULL, NULL));
    assert_true(sum == 5);
    REFUSED(YOKE_OK, parallel_reduce(bad_sum, 0, &sum, NULL));
    assert_true(sum == 0);
}

static void map_sizes_beyond_the_address_space_are_refused(void **state)
{
    (void)state;
    float *x = memory, *y = memory + N;
    double sum;
    fill();
    REFUSED(YOKE_EOVERFLOW, parallel_map(bad_map, SIZE_MAX, x, y));
    REFUSED(YOKE_EOVERFLOW, parallel_map(bad_map, SIZE_MAX / 4 + 1, x, y)); /* bytes wrap to 0 */
    REFUSED(YOKE_EOVERFLOW, parallel_map(bad_map, SIZE_MAX / 8 + 1, x, y));
    REFUSED(YOKE_EOVERFLOW, parallel_map(bad_pairs, SIZE_MAX / 16 + 1, x, y)); /* only the output is too large */
    REFUSED(YOKE_EOVERFLOW, parallel_map_2d(bad_rows, SIZE_MAX / 2, 3, x, y));
    REFUSED(YOKE_EOVERFLOW, parallel_map_2d(bad_rows, (size_t)1 << 32, (size_t)1 << 32, x, y));
    REFUSED(YOKE_EOVERFLOW, parallel_reduce(bad_sum, SIZE_MAX, &sum, x));
    REFUSED(YOKE_EOVERFLOW, parallel_map(bad_map, N, at(UINTPTR_MAX - 7), y)); /* runs past the last address */
    REFUSED(YOKE_EOVERFLOW, parallel_map(bad_map, N, x, at(UINTPTR_MAX - 4 * N + 5)));
    REFUSED(YOKE_EINVAL, parallel_map(bad_whole, SIZE_MAX, x, y)); /* as a count it is negative */
}

static void map_arrays_misaligned_for_their_type_are_refused(void **state)
{
    (void)state;
    fill();
    for (uintptr_t off = 1; off < 4; off++) {
        REFUSED(YOKE_EINVAL, parallel_map(bad_map, 8, at((uintptr_t)memory + off), memory + N));
        REFUSED(YOKE_EINVAL, parallel_map(bad_map, 8, memory, at((uintptr_t)(memory + N) + off)));
    }
    assert_non_null(strstr(yoke_error_detail(), "aligned"));
    static uint8_t bytes[64 + N], copy[64 + N];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (uint8_t)k;
    for (size_t off = 0; off < 64; off++) {
        assert_int_equal(parallel_map(bad_bytes, N, bytes + off, copy + 63 - off), YOKE_OK);
        assert_memory_equal(bytes + off, copy + 63 - off, N);
    }
}

static void reduce_result_that_is_misaligned_is_refused(void **state)
{
    (void)state;
    _Alignas(16) char room[32], before[32];
    fill();
    memset(room, 0x5a, sizeof room);
    memcpy(before, room, sizeof room);
    REFUSED(YOKE_EINVAL, parallel_reduce(bad_sum, N, at((uintptr_t)room + 1), memory));
    REFUSED(YOKE_EINVAL, parallel_reduce(bad_sum, 0, at((uintptr_t)room + 4), memory));
    assert_memory_equal(room, before, sizeof room);
}

/* --- overlap --- */

static void map_overlaps_of_written_arrays_are_refused(void **state)
{
    (void)state;
    float *x = memory + N;
    fill();
    for (int off = -16; off <= 16; off++) { /* elements; bytes would be misaligned */
        if (off == 0)
            continue;
        REFUSED(YOKE_EINVAL, parallel_map(bad_map, N, x, x + off));
        REFUSED(YOKE_EINVAL, parallel_map(bad_two_outs, N, x, x + off));
        REFUSED(YOKE_EINVAL, parallel_map(bad_two_ins, N, memory + 2 * N + 32, x, x + off));
        REFUSED(YOKE_EINVAL, parallel_map_2d(bad_rows, 8, N / 8, x, x + off));
    }
    REFUSED(YOKE_EINVAL, parallel_map(bad_map, N, x, x + N - 1));
    REFUSED(YOKE_EINVAL, parallel_map(bad_map, N, x, x - N + 1));
    REFUSED(YOKE_EINVAL, parallel_map(bad_two_outs, N, x, x)); /* both written */
    REFUSED(YOKE_EINVAL, parallel_map(bad_pairs, N, x, x));    /* exactly the same start, other count */
    REFUSED(YOKE_EINVAL, parallel_map(bad_wide, N / 2, x, (double *)(void *)x));
    REFUSED(YOKE_EINVAL, parallel_map(bad_halo, N, x, x)); /* neighbours would be overwritten */
    REFUSED(YOKE_EINVAL, parallel_map(bad_whole, N, x, x));
    assert_non_null(strstr(yoke_error_detail(), "overlap"));
}

static void map_byte_overlaps_of_1_to_64_are_refused(void **state)
{
    (void)state;
    static uint8_t bytes[1024], before[1024];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = before[k] = (uint8_t)(k * 7);
    for (int off = 1; off <= 64; off++) {
        assert_int_equal(parallel_map(bad_bytes, 256, bytes + 256, bytes + 256 + off), YOKE_EINVAL);
        assert_int_equal(parallel_map(bad_bytes, 256, bytes + 256, bytes + 256 - off), YOKE_EINVAL);
    }
    assert_memory_equal(bytes, before, sizeof bytes);
    assert_int_equal(parallel_map(bad_bytes, 256, bytes + 256, bytes), YOKE_OK); /* neighbours do not overlap */
    assert_memory_equal(bytes, before + 256, 256);
}

static void map_in_place_and_inputs_that_overlap_are_fine(void **state)
{
    (void)state;
    static float x[2 * N], z[N];
    for (int k = 0; k < 2 * N; k++)
        x[k] = (float)k;
    const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE | YOKE_ALWAYS_STREAM};
    assert_int_equal(parallel_map_on(NULL, &options, bad_map, N, x, x), YOKE_OK);
    for (int k = 0; k < N; k++)
        assert_true(x[k] == (float)k + 1);
    assert_int_equal(parallel_map(bad_two_ins, N, x, x + 1, z), YOKE_OK);
    assert_true(z[0] == 3.0f && z[5] == x[5] + x[6]);
}

/* --- what a body must never do to the process, and values that must come through --- */

YOKE_KERNEL(bad_copy_words, (in(uint32_t, x), out(uint32_t, y)), { y[i] = x[i]; })
YOKE_KERNEL(bad_copy_floats, (in(float, x), out(float, y)), { y[i] = x[i]; })

static void copies_keep_the_bits_of_every_float(void **state)
{
    (void)state;
    static const uint32_t odd[] = {0x7fc00000, 0x7fc12345, 0xffc00001, 0x7f800001, 0x80000000, 0x7f800000,
                                   0xff800000, 0x00000001, 0x807fffff, 0x7f7fffff, 0x00800000, 0xff7fffff};
    enum { ODD = sizeof odd / sizeof *odd };
    static float x[N], y[N];
    static uint32_t words[N];
    for (int k = 0; k < N; k++)
        memcpy(&x[k], &odd[k % ODD], 4);
    assert_int_equal(parallel_map(bad_copy_floats, N, x, y), YOKE_OK);
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(parallel_map(bad_copy_words, N, (uint32_t *)(void *)x, words), YOKE_OK);
    assert_memory_equal(x, words, sizeof x);
}

static void caller_rounding_mode_is_ignored_and_restored(void **state)
{
    (void)state;
    static float x[N], y[2][N];
    for (int k = 0; k < N; k++)
        x[k] = (float)k * 0x1p-25f;
    const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
    assert_int_equal(parallel_map_on(NULL, &options, bad_map, N, x, y[0]), YOKE_OK);
    for (unsigned flags = 0; flags <= YOKE_ALWAYS_DIVIDE; flags++) {
        const yoke_options again = {.flags = flags};
        assert_int_equal(fesetround(FE_UPWARD), 0);
        int status = parallel_map_on(NULL, &again, bad_map, N, x, y[1]);
        int mode = fegetround();
        assert_int_equal(fesetround(FE_TONEAREST), 0);
        assert_int_equal(status, YOKE_OK);
        assert_int_equal(mode, FE_UPWARD);
        assert_memory_equal(y[0], y[1], sizeof *y);
    }
}

#if defined(__x86_64__)
YOKE_KERNEL(bad_tiny, (in(float, x), out(float, y)), { y[i] = x[i] * 0.5f; })

static void caller_flushing_denormals_is_ignored_and_restored(void **state)
{
    (void)state;
    static float x[N], y[N];
    for (int k = 0; k < N; k++)
        x[k] = FLT_MIN;
    for (unsigned flags = 0; flags <= YOKE_ALWAYS_DIVIDE; flags++) {
        const yoke_options options = {.flags = flags};
        unsigned before = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(before | 0x8040); /* FTZ, DAZ */
        int status = parallel_map_on(NULL, &options, bad_tiny, N, x, y);
        unsigned after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(before);
        assert_int_equal(status, YOKE_OK);
        assert_int_equal(after & 0x8040, 0x8040);
        for (int k = 0; k < N; k++)
            assert_true(y[k] == FLT_MIN / 2 && y[k] > 0);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_null_arrays_are_refused_unless_there_are_no_items),
        cmocka_unit_test(map_sizes_beyond_the_address_space_are_refused),
        cmocka_unit_test(map_arrays_misaligned_for_their_type_are_refused),
        cmocka_unit_test(reduce_result_that_is_misaligned_is_refused),
        cmocka_unit_test(map_overlaps_of_written_arrays_are_refused),
        cmocka_unit_test(map_byte_overlaps_of_1_to_64_are_refused),
        cmocka_unit_test(map_in_place_and_inputs_that_overlap_are_fine),
        cmocka_unit_test(copies_keep_the_bits_of_every_float),
        cmocka_unit_test(caller_rounding_mode_is_ignored_and_restored),
#if defined(__x86_64__)
        cmocka_unit_test(caller_flushing_denormals_is_ignored_and_restored),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
