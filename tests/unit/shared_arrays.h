/* What the tests of shared arrays in worker processes share. */
#ifndef YOKE_TESTS_UNIT_SHARED_ARRAYS_H
#define YOKE_TESTS_UNIT_SHARED_ARRAYS_H

#include "tests/unit/processes.h"
#include "yoke/yoke.h"

static inline unsigned *shared_numbers(size_t count)
{
    unsigned *x = yoke_alloc_shared(count * sizeof *x, YOKE_PLACE_DEFAULT);
    if (x == NULL)
        fail_msg("no shared array: %s", yoke_error_detail());
    return x;
}

/* What /proc says of mappings of shared arrays, of this process or another. */
static inline unsigned count_maps(long pid)
{
    char path[64], line[512];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, "memfd:yoke-shared") != NULL;
    (void)fclose(file);
    return count;
}

/* --- run by workers --- */

typedef struct part {
    const unsigned *in;
    unsigned *out;
    size_t begin, end;
    unsigned factor;
} part;

__attribute__((unused)) static int scale(void *argument, void *result)
{
    const part *p = argument;
    for (size_t k = p->begin; k < p->end; k++)
        p->out[k] = p->in[k] * p->factor + 1;
    *(int *)result = (int)getpid();
    return 0;
}

__attribute__((unused)) static int tell_maps(void *argument, void *result)
{
    (void)argument;
    *(unsigned *)result = count_maps((long)getpid());
    return 0;
}

__attribute__((unused)) static int tell_files(void *argument, void *result)
{
    (void)argument;
    *(unsigned *)result = file_count();
    return 0;
}

/* --- helpers of the program --- */

static const yoke_task_options of_part = {.argument_bytes = sizeof(part)};

static inline int run_part(yoke_executor *pool, yoke_function *function, part p)
{
    yoke_future f = {0};
    assert_int_equal(yoke_submit_on(pool, &of_part, &f, function, &p), YOKE_OK);
    return yoke_result(&f, NULL, 0, 0);
}

static inline unsigned ask(yoke_executor *pool, yoke_function *function)
{
    yoke_future f = {0};
    unsigned answer = UINT32_MAX;
    assert_int_equal(yoke_submit(pool, &f, function, NULL), YOKE_OK);
    assert_int_equal(yoke_result(&f, &answer, sizeof answer, 0), YOKE_OK);
    return answer;
}

static inline void check_scaled(yoke_executor *pool, const unsigned *in, unsigned *out, size_t count, unsigned factor)
{
    const int status = run_part(pool, scale, (part){in, out, 0, count, factor});
    if (status != YOKE_OK)
        fail_msg("%s", yoke_error_detail());
    for (size_t k = 0; k < count; k++)
        assert_int_equal(out[k], in[k] * factor + 1);
}

static unsigned files_before;

__attribute__((unused)) static int note_files(void **state)
{
    (void)state;
    files_before = file_count();
    return 0;
}

__attribute__((unused)) static int nothing_is_left(void **state)
{
    (void)state;
    assert_no_children();
    assert_int_equal(file_count(), files_before);
    assert_int_equal(count_maps((long)getpid()), 0);
    return 0;
}

#endif
