/* Managed arrays on devices with memory of their own: what moves, and what does not. */
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(man_step, (inout(float, x), value(float, a)), { x[i] = a * x[i] + 1.0f; })

static void debug(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0");
    float *a = yoke_alloc(N * sizeof *a, YOKE_PLACE_DEFAULT), *b = yoke_alloc(N * sizeof *b, YOKE_PLACE_DEFAULT);
    memcpy(yoke_write(a), x, N * sizeof *a);
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, N, a, b, 3.0f), YOKE_OK);
    yoke_decision d = last_decision();
    printf("%zu of %zu on the device, %s\n", d.device_items, d.items, d.reason);
    assert_non_null(yoke_read(b));
    for (size_t k = 0; k < N; k++)
        if (b[k] != 3.0f * x[k] + 1.0f) {
            printf("b[%zu] = %g, not %g\n", k, (double)b[k], (double)(3.0f * x[k] + 1.0f));
            break;
        }
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, N, b, a, 5.0f), YOKE_OK);
    assert_non_null(yoke_read(a));
    for (size_t k = 0; k < N; k++)
        if (a[k] != 5.0f * (3.0f * x[k] + 1.0f) + 1.0f) {
            printf("a[%zu] = %g, not %g\n", k, (double)a[k], (double)(5.0f * (3.0f * x[k] + 1.0f) + 1.0f));
            break;
        }
    assert_int_equal(yoke_free(a), YOKE_OK);
    assert_int_equal(yoke_free(b), YOKE_OK);
    close_runtime(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(debug, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
