/* Shared arrays that devices and worker processes use in turn: on devices of either kind, also with guarded pages. */
#include "tests/unit/processes.h" /* before x and y are the arrays of tests */

#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(share_step, (inout(float, x), value(float, a)), { x[i] = a * x[i] + 1.0f; })
YOKE_EXACT_KERNEL(share_scale, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i] + 1.0f; })

enum { ROUNDS = 3 };

/* lib/memory/memory.h says more; it and the tests of processes do not go together. */
void yoke__memory_guard(void);
void yoke__memory_unguard(void);

/* A task's: a plain array there. */
static int add_one_to_all(void *argument, void *result)
{
    float *array = argument;
    (void)result;
    for (size_t k = 0; k < LARGE; k++)
        array[k] += 1.0f;
    return 0;
}

static void wait_until_built(yoke_runtime *r)
{
    const yoke_options there = {.devices = "opencl:0"};
    assert_int_equal(parallel_map_on(r, &there, share_step, N, y, 0.5f), YOKE_OK);
    assert_int_equal(parallel_map_on(r, &there, share_scale, N, x, y, 0.5f), YOKE_OK);
}

static void use_in_turn(yoke_runtime *r, yoke_executor *pool)
{
    float *a = yoke_alloc_shared(LARGE * sizeof *a, YOKE_PLACE_DEFAULT);
    float *b = yoke_alloc_shared(LARGE * sizeof *b, YOKE_PLACE_DEFAULT);
    assert_true(a != NULL && b != NULL);
    memcpy(yoke_write(a), x, LARGE * sizeof *a);
    for (unsigned round = 0; round < ROUNDS; round++) {
        yoke_future f = {0};
        assert_int_equal(parallel_map_on(r, NULL, share_step, LARGE, a, 0.5f), YOKE_OK);
        assert_int_equal(yoke_submit(pool, &f, add_one_to_all, yoke_update(a)), YOKE_OK);
        assert_int_equal(yoke_result(&f, NULL, 0, 0), YOKE_OK);
        assert_int_equal(parallel_map_on(r, NULL, share_scale, LARGE, a, b, 2.0f), YOKE_OK);
    }
    const float *got = yoke_read(a), *scaled = yoke_read(b);
    for (size_t k = 0; k < LARGE; k++) {
        float v = x[k];
        for (unsigned round = 0; round < ROUNDS; round++)
            v = 0.5f * v + 1.0f + 1.0f;
        assert_true(got[k] == v && scaled[k] == 2.0f * v + 1.0f);
    }
    assert_int_equal(yoke_free(a), YOKE_OK);
    assert_int_equal(yoke_free(b), YOKE_OK);
}

static void check_on(const char *unified, bool guarded)
{
    char setting[32];
    (void)snprintf(setting, sizeof setting, "UNIFIED=%s", unified);
    shape(setting);
    yoke_runtime *r = runtime_on("opencl:0");
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    wait_until_built(r);
    if (guarded)
        yoke__memory_guard();
    use_in_turn(r, pool);
    if (guarded)
        yoke__memory_unguard();
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    close_runtime(r);
    assert_string_equal(violation(), "");
}

static void device_with_memory_of_its_own(void **state)
{
    (void)state;
    check_on("0", false);
    check_on("0", true);
}

static void device_that_shares_memory(void **state)
{
    (void)state;
    check_on("1", false);
    check_on("1", true);
    check_on("2", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(device_with_memory_of_its_own, fresh),
        cmocka_unit_test_setup(device_that_shares_memory, fresh),
    };
    if (no_processes())
        return 77;
    return cmocka_run_group_tests(tests, open_three, NULL);
}
