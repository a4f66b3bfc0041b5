/* yoke_kernel_source: what the OpenCL C text of a kernel says, its length, and where it may be written. */
#include <unistd.h>

#include "tests/unit/support.h"
#include "yoke/yoke.h"

#define OFFSET 1234.5f

YOKE_TYPE(source_inner, { float a; })
YOKE_TYPE(source_outer, {
    source_inner inner;
    int b;
})
YOKE_FUNCTION(float, source_low, (float x), { return x + OFFSET; })
YOKE_FUNCTION(float, source_high, (source_outer o), { return source_low(o.inner.a) * source_low(0.0f); })
YOKE_FUNCTION(float, source_unused, (float x), { return x; })

YOKE_KERNEL(source_kernel, (in(source_outer, x), out(float, y), value(float, k)),
            { y[i] = source_high(x[i]) + k * OFFSET; })

static char text[1 << 16];

static size_t occurrences(const char *word)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

static void source_has_helpers_and_types_once_and_in_order(void **state)
{
    (void)state;
    assert_int_equal(yoke_kernel_source(YOKE_KERNEL_OF(source_kernel), text, sizeof text, NULL), YOKE_OK);
    static const char *const order[] = {"typedef struct source_inner",
                                        "typedef struct source_outer",
                                        "float source_low",
                                        "float source_high",
                                        "void yoke_item",
                                        "__kernel void yoke_k_source_kernel"};
    const char *last = text;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        const char *at = strstr(text, order[k]);
        if (at == NULL || at < last)
            fail_msg("%s is missing or too early", order[k]);
        assert_int_equal(occurrences(order[k]), 1);
        last = at;
    }
    assert_null(strstr(text, "source_unused"));
    assert_null(strstr(text, "OFFSET")); /* the user's macro is expanded */
    assert_non_null(strstr(text, "1234.5f"));
    assert_non_null(strstr(text, "test_source.c"));
    assert_null(strstr(text, "...")); /* OpenCL C has no variadic macros */
}

static void source_is_cut_at_the_capacity_and_tells_its_length(void **state)
{
    (void)state;
    static char cut[1 << 16];
    size_t length = 0, again = 0;
    const yoke_kernel *kernel = YOKE_KERNEL_OF(source_kernel);
    assert_int_equal(yoke_kernel_source(kernel, NULL, 0, &length), YOKE_OK);
    assert_int_equal(yoke_kernel_source(kernel, text, sizeof text, &again), YOKE_OK);
    assert_int_equal(length, again);
    assert_int_equal(strlen(text), length);
    for (size_t capacity = 1; capacity <= length + 2; capacity += capacity < 300 ? 1 : 97) {
        memset(cut, '#', capacity + 2);
        assert_int_equal(yoke_kernel_source(kernel, cut, capacity, &again), YOKE_OK);
        assert_int_equal(again, length);
        size_t kept = capacity - 1 < length ? capacity - 1 : length;
        assert_memory_equal(cut, text, kept);
        assert_int_equal(cut[kept], '\0');
        assert_int_equal(cut[capacity], '#');
    }
}

static void source_is_written_to_a_file_or_says_why_not(void **state)
{
    (void)state;
    char path[] = "/tmp/yoke-source-XXXXXX", read_back[1 << 16];
    const yoke_kernel *kernel = YOKE_KERNEL_OF(source_kernel);
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(yoke_kernel_write_source(kernel, path), YOKE_OK);
    assert_int_equal(yoke_kernel_source(kernel, text, sizeof text, NULL), YOKE_OK);
    ssize_t length = read(file, read_back, sizeof read_back);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(read_back, text, strlen(text));
    close(file);
    unlink(path);
    assert_int_equal(yoke_kernel_write_source(kernel, "/nonexistent/folder/kernel.cl"), YOKE_EIO);
    assert_non_null(strstr(yoke_error_detail(), "/nonexistent"));
    assert_int_equal(yoke_kernel_write_source(kernel, "/dev/full"), YOKE_EIO);
    assert_int_equal(yoke_kernel_write_source(kernel, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_kernel_write_source(NULL, "/dev/null"), YOKE_EINVAL);
    assert_int_equal(yoke_kernel_source(kernel, NULL, 10, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_kernel_source(NULL, text, 10, NULL), YOKE_EINVAL);
}

static void descriptor_knows_name_file_line_and_parameters(void **state)
{
    (void)state;
    const yoke_kernel *kernel = YOKE_KERNEL_OF(source_kernel);
    assert_string_equal(kernel->name, "source_kernel");
    assert_non_null(strstr(kernel->file, "test_source.c"));
    assert_true(kernel->line > 10 && kernel->line < 30);
    assert_int_equal(kernel->parameter_count, 3);
    assert_string_equal(kernel->parameters[0].name, "x");
    assert_string_equal(kernel->parameters[0].type, "source_outer");
    assert_int_equal(kernel->parameters[0].size, sizeof(source_outer));
    assert_int_equal(kernel->parameters[0].mode, YOKE_MODE_IN);
    assert_int_equal(kernel->parameters[2].mode, YOKE_MODE_VALUE);
    assert_false(kernel->exact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_has_helpers_and_types_once_and_in_order),
        cmocka_unit_test(source_is_cut_at_the_capacity_and_tells_its_length),
        cmocka_unit_test(source_is_written_to_a_file_or_says_why_not),
        cmocka_unit_test(descriptor_knows_name_file_line_and_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
