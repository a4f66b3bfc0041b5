/* Kernels that break what their parameters promise, in one way each, and what the tests of the check share. */
#ifndef YOKE_TESTS_UNIT_CHECK_KERNELS_H
#define YOKE_TESTS_UNIT_CHECK_KERNELS_H

#include <unistd.h>

#include "tests/unit/support.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

/* --- a runtime that checks, and what it says --- */

static yoke_runtime *checking;
static const char *isa; /* NULL: the best */
static FILE *said;      /* stderr of the check */
static int saved_stderr;

static inline int open_checking(void **state)
{
    (void)state;
    (void)unsetenv("YOKE_CHECK");
    checking = yoke_open(
        &(yoke_runtime_options){.check = 1, .isa = isa, .workers = 3, .pin = YOKE_PIN_NONE, .devices = "cpu"});
    return checking == NULL;
}

static inline int close_checking(void **state)
{
    (void)state;
    return yoke_close(checking);
}

static inline void listen(void)
{
    said = tmpfile();
    assert_non_null(said);
    (void)fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(fileno(said), STDERR_FILENO) >= 0);
}

/* What was printed since listen(), cut to its first line, and how many lines are findings. */
static inline unsigned heard(char *text, size_t bytes)
{
    unsigned lines = 0;
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    (void)close(saved_stderr);
    rewind(said);
    text[fread(text, 1, bytes - 1, said)] = '\0';
    (void)fclose(said);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strstr(line, "only the first") == NULL && strstr(line, "not all was checked") == NULL) /* slow machines */
            lines++;
    return lines;
}

/* The call was refused, with these words. */
static inline void assert_found(int status, const char *kernel, const char *words)
{
    char detail[520];
    (void)snprintf(detail, sizeof detail, "%s", yoke_error_detail());
    char *vague = strstr(detail, " touches "); /* not every system tells reads from writes */
    if (vague != NULL) {
        const bool reads = strstr(words, " reads ") != NULL;
        memcpy(vague, reads ? " reads " : " writes ", reads ? 7 : 8);
        memmove(vague + (reads ? 7 : 8), vague + 9, strlen(vague + 9) + 1);
    }
    if (status == YOKE_OK)
        fail_msg("nothing was found in %s; wanted: %s", kernel, words);
    if (status != YOKE_ECHECK || strstr(detail, kernel) == NULL || strstr(detail, words) == NULL ||
        strstr(detail, __FILE__) == NULL)
        fail_msg("%d, \"%s\"; wanted of %s: %s", status, detail, kernel, words);
}

#define FOUND(call, kernel, ...)                            \
    do {                                                    \
        char words_[200];                                   \
        (void)snprintf(words_, sizeof words_, __VA_ARGS__); \
        assert_found(call, "kernel " #kernel " (", words_); \
    } while (0)

/* --- accesses: the item `bad` does it --- */

YOKE_KERNEL(bad_write_after, (out(float, y), in(float, x), value(size_t, bad)), {
    y[i] = x[i];
    if (i == bad)
        y[i + 1] = 3.0f;
})
YOKE_KERNEL(bad_write_before, (inout(double, y, 2), value(size_t, bad)), {
    y[2 * i] += 1.0;
    if (i == bad)
        y[(ptrdiff_t)(2 * i) - 1] = 3.0;
})
YOKE_KERNEL(bad_read_in, (out(float, y), in(float, x), value(size_t, bad)), { y[i] = x[i == bad ? i + 1 : i]; })
YOKE_KERNEL(bad_halo, (out(float, y), halo(float, x, 2, 1), value(size_t, bad)), {
    y[i] = i == bad ? x[i - 3] : i > 1 ? x[i - 2] : x[i];
})
YOKE_KERNEL(bad_halo_after, (out(int, y), halo(int, x, 0, 3), value(size_t, bad)), {
    y[i] = i == bad ? x[i + 4] : i + 3 < n ? x[i + 3] : x[i];
})
YOKE_KERNEL(bad_whole, (out(float, y), whole(float, x, count), value(int, count), value(size_t, bad), value(int, at)),
            { y[i] = x[i == bad ? at : 0]; })
YOKE_KERNEL(bad_scatter_place, (in(float, x), scatter(float, y, 2 * n), value(size_t, bad)),
            { y[i == bad ? 2 * n : 2 * i] = x[i]; })
YOKE_KERNEL(bad_in_written, (out(float, y), in(float, x), value(size_t, bad)), {
    y[i] = x[i];
    if (i == bad)
        ((float *)(uintptr_t)x)[i] = -7.0f;
})
YOKE_KERNEL(bad_whole_written, (out(float, y), whole(float, x, 9), value(size_t, bad)), {
    y[i] = x[5];
    if (i == bad)
        ((float *)(uintptr_t)x)[5] = -7.0f;
})

/* --- results --- */

static int counted;

YOKE_KERNEL(bad_unwritten, (out(float, y), in(float, x), value(size_t, bad)), {
    if (i != bad)
        y[i] = x[i];
})
YOKE_KERNEL(bad_old, (out(float, y), in(float, x), value(size_t, bad)), { y[i] = i == bad ? y[i] + x[i] : x[i]; })
YOKE_KERNEL(bad_state, (out(int, y), in(float, x)), { y[i] = counted++ + (int)x[i]; })
YOKE_KERNEL(bad_next, (inout(float, y), value(size_t, bad)), {
    y[i] += 1.0f;
    if (i == bad)
        y[i + 1] = 100.0f;
})
YOKE_KERNEL(bad_collision, (in(float, x), scatter(float, y, n), value(size_t, bad)),
            { y[i == bad ? i - 5 : i] = x[i]; })
YOKE_KERNEL(bad_collision_same, (scatter(int, y, n), value(size_t, bad)), { y[i == bad ? i - 5 : i] = 77; })
YOKE_KERNEL(good_scatter, (in(float, x), scatter(float, y, 3 * n)), { y[3 * (n - 1 - i) + 1] += x[i]; })

/* --- rows --- */

YOKE_KERNEL_2D(bad_2d_after, (out(float, y), in(float, x), value(size_t, column), value(size_t, row)), {
    y[j * width + i] = x[j * width + i];
    if (i == column && j == row)
        y[j * width + i + 1] = 3.0f;
})
YOKE_KERNEL_2D(bad_2d_row, (out(float, y), in(float, x), value(size_t, column), value(size_t, row)),
               { y[j * width + i] = i == column && j == row ? x[(j + 1) * width + i] : x[j * width + i]; })
YOKE_KERNEL_2D(bad_2d_halo, (out(float, y), halo(float, x, 1, 1), value(size_t, column), value(size_t, row)),
               { y[j * width + i] = i == column && j == row ? x[(j - 2) * width + i] : x[j * width + i]; })
YOKE_KERNEL_2D(bad_2d_unwritten, (out(float, y), in(float, x), value(size_t, column), value(size_t, row)), {
    if (i != column || j != row)
        y[j * width + i] = x[j * width + i];
})
YOKE_LANE_KERNEL_2D(bad_2d_lanes, (out(float, y), in(float, x), value(size_t, column), value(size_t, row)), {
    YOKE_EACH
    {
        y[j * width + i] = i == column && j == row ? x[(j + 1) * width + i] : x[j * width + i];
}
})

/* --- lanes and reductions --- */

YOKE_LANE_KERNEL(bad_lanes_read, (out(float, y), in(float, x), value(size_t, bad)), {
    YOKE_EACH
    {
        y[i] = x[i == bad ? i + 1 : i];
}
})
YOKE_LANE_KERNEL(bad_lanes_unwritten, (out(float, y), in(float, x), value(size_t, bad)), {
    YOKE_EACH
    {
        if (i != bad)
            y[i] = x[i];
}
})
YOKE_REDUCE(bad_reduce_read, (double, 0.0, a + b), (in(float, x), value(size_t, bad)),
            (double)x[i == bad ? i + 1 : i])
YOKE_TYPE(four_counts, {
    int count[4]; })
YOKE_FUNCTION(four_counts, four_merged, (four_counts a, const four_counts b), {
    for (int k = 0; k < 4; k++)
        a.count[k] += b.count[k];
    return a;
})
YOKE_ACCUMULATE(bad_accumulate, (four_counts, {{0}}, four_merged(a, b)), (in(int, x)), {
    int *const counts = acc->count;
    counts[x[i]]++;
})
YOKE_ACCUMULATE(bad_accumulate_write, (four_counts, {{0}}, four_merged(a, b)), (in(int, x), value(size_t, bad)), {
    acc->count[0] += x[i];
    if (i == bad)
        ((int *)(uintptr_t)x)[i] = -1;
})

#endif
