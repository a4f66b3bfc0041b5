/* Devices by name: what options and YOKE_DEVICES choose, and what they say to a name that is none. */
#include "tests/fault/devices_support.h"

static void refused(const char *devices, int status, const char *says)
{
    yoke_runtime *r = open_runtime(devices);
    if (r != NULL)
        fail_msg("\"%s\" was taken", devices);
    r = runtime_on("all"); /* what status it was, a call's options tell */
    assert_int_equal(yoke_devices(r), 3);
    assert_int_equal(scale(r, &(yoke_options){.devices = devices}, N), status);
    if (strstr(yoke_error_detail(), says) == NULL)
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", devices, yoke_error_detail(), says);
    assert_true(is_untouched(N));
    close_runtime(r);
}

static unsigned in_use(yoke_runtime *r)
{
    unsigned mask = 0;
    for (unsigned k = 0; k < 3; k++)
        mask |= device_of(r, k).in_use ? 1u << k : 0;
    return mask;
}

static void names_choose_what_users_expect(void **state)
{
    static const struct {
        const char *name;
        unsigned devices;
    } cases[] = {
        {"gpu", 3},      {"gpu:1", 2},          {"GPU:0", 1}, {"accelerator", 4}, {"accelerator:0", 4},  {"opencl", 7},
        {"opencl:2", 4}, {"alpha", 3},          {"Two", 2},   {"eta", 4},         {"gpu:0,opencl:2", 5}, {"all", 7},
        {"cpu,gpu", 3},  {" gpu:1 , beta ", 6}, {NULL, 7}};
    (void)state;
    shape("TYPE=gpu;gpu;accelerator");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        yoke_runtime *r = runtime_on(cases[k].name);
        assert_int_equal(yoke_devices(r), 3);
        assert_int_equal(in_use(r), cases[k].devices);
        close_runtime(r);
    }
}

static void unknown_name_lists_those_there_are(void **state)
{
    (void)state;
    refused("nosuch", YOKE_ENODEV, "Alpha Two");
    refused("nosuch", YOKE_ENODEV, "opencl:2 Beta");
    refused("gpu:3", YOKE_ENODEV, "opencl:0");
    refused("accelerator", YOKE_ENODEV, "Beta (gpu)");
    refused("opencl:3", YOKE_ENODEV, "Alpha One");
    refused("opencl:4294967295", YOKE_ENODEV, "Alpha One");
    refused("gpu,nosuch", YOKE_ENODEV, "nosuch");
}

static void malformed_list_is_refused(void **state)
{
    (void)state;
    static char endless[5000];
    memset(endless, 'x', sizeof endless - 1);
    refused("", YOKE_EINVAL, "empty item");
    refused("gpu,,cpu", YOKE_EINVAL, "empty item");
    refused(",", YOKE_EINVAL, "empty item");
    refused("gpu:", YOKE_EINVAL, "a number must follow");
    refused("gpu:x", YOKE_EINVAL, "gpu:x");
    refused("gpu:-1", YOKE_EINVAL, "gpu:-1");
    refused("gpu:99999999999999999999", YOKE_EINVAL, "number");
    refused("cpu:0", YOKE_EINVAL, "takes no number");
    refused("all:1", YOKE_EINVAL, "takes no number");
    refused(endless, YOKE_EINVAL, "characters");
    refused("gpu\n\t\1nosuch", YOKE_ENODEV, "no device");
}

static void options_win_over_the_environment(void **state)
{
    (void)state;
    (void)setenv("YOKE_DEVICES", "gpu:1", 1);
    yoke_runtime *named = runtime_on("gpu:2"), *not_named = runtime_on(NULL), *cpu = runtime_on("cpu");
    (void)setenv("YOKE_DEVICES", "nosuch", 1);
    assert_null(open_runtime(NULL));
    assert_non_null(strstr(yoke_error_detail(), "nosuch"));
    (void)setenv("YOKE_DEVICES", "gpu:", 1);
    assert_null(open_runtime(NULL));
    assert_non_null(strstr(yoke_error_detail(), "gpu:"));
    (void)setenv("YOKE_DEVICES", "cpu", 1);
    yoke_runtime *none = runtime_on(NULL);
    (void)unsetenv("YOKE_DEVICES");
    assert_int_equal(in_use(named), 4);
    assert_int_equal(in_use(not_named), 2);
    assert_int_equal(yoke_devices(cpu), 0);
    assert_int_equal(yoke_devices(none), 0);
    close_runtime(named);
    close_runtime(not_named);
    close_runtime(cpu);
    close_runtime(none);
}

static void call_narrows_what_the_runtime_may_use(void **state)
{
    (void)state;
    yoke_runtime *all = runtime_on("all"), *two = runtime_on("gpu:0,gpu:2"), *one = runtime_on("gpu:1");
    for (int k = 0; k < 3; k++) {
        char name[10];
        (void)snprintf(name, sizeof name, "opencl:%d", k);
        assert_int_equal(scale(all, &(yoke_options){.devices = name}, N), YOKE_OK);
        assert_int_equal(last_decision().device, k);
        assert_int_equal(last_decision().device_items, N);
    }
    assert_int_equal(scale(one, NULL, 1), YOKE_OK); /* without the CPU: however small */
    assert_int_equal(last_decision().device, 1);
    assert_int_equal(last_decision().device_items, 1);
    const uint64_t before = device_of(one, 1).pieces;
    assert_int_equal(scale(one, &(yoke_options){.devices = "cpu"}, N), YOKE_OK);
    assert_int_equal(device_of(one, 1).pieces, before);
    /* what names several means those of them that the runtime has */
    assert_int_equal(scale(one, &(yoke_options){.devices = "gpu"}, N), YOKE_OK);
    assert_int_equal(last_decision().device, 1);
    assert_int_equal(scale(one, &(yoke_options){.devices = "all"}, N), YOKE_OK);
    assert_int_equal(scale(two, &(yoke_options){.devices = "alpha"}, N), YOKE_OK);
    assert_int_equal(last_decision().device, 0);
    close_runtime(all);
    close_runtime(two);
    close_runtime(one);
}

static void call_that_names_a_device_beyond_the_runtime_is_refused(void **state)
{
    (void)state;
    yoke_runtime *first = runtime_on("gpu:0"), *cpu = runtime_on("cpu");
    assert_int_equal(scale(first, &(yoke_options){.devices = "gpu:1"}, N), YOKE_ENODEV);
    assert_non_null(strstr(yoke_error_detail(), "gpu:0"));
    assert_int_equal(scale(first, &(yoke_options){.devices = "beta"}, N), YOKE_ENODEV);
    assert_int_equal(scale(first, &(yoke_options){.devices = "cpu,beta"}, N), YOKE_ENODEV);
    assert_int_equal(scale(cpu, &(yoke_options){.devices = "gpu"}, N), YOKE_ENODEV);
    assert_non_null(strstr(yoke_error_detail(), "CPU only"));
    assert_int_equal(scale(cpu, &(yoke_options){.devices = "gpu:"}, N), YOKE_EINVAL);
    assert_int_equal(scale(cpu, &(yoke_options){.devices = "cpu,"}, N), YOKE_EINVAL);
    assert_true(is_untouched(N));
    assert_int_equal(scale(cpu, &(yoke_options){.devices = "cpu"}, N), YOKE_OK);
    float sum = 3;
    assert_int_equal(parallel_reduce_on(first, &(yoke_options){.devices = "nosuch"}, dev_sum, N, &sum, x), YOKE_ENODEV);
    assert_true(sum == 3);
    close_runtime(first);
    close_runtime(cpu);
}

static void cpu_devices_are_used_only_when_named(void **state)
{
    (void)state;
    shape("TYPE=cpu;gpu;cpu");
    yoke_runtime *all = runtime_on(NULL), *named = runtime_on("opencl:0"), *by_name = runtime_on("beta");
    assert_int_equal(in_use(all), 2);
    assert_int_equal(device_of(all, 0).type, YOKE_DEVICE_CPU);
    assert_int_equal(in_use(named), 1);
    assert_int_equal(in_use(by_name), 4);
    assert_int_equal(scale(named, NULL, N), YOKE_OK);
    assert_int_equal(last_decision().device_items, N);
    close_runtime(all);
    close_runtime(named);
    close_runtime(by_name);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu"), *cpu = runtime_on("cpu");
    yoke_device device;
    assert_int_equal(yoke_device_of(r, 0, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_device_of(r, 3, &device), YOKE_EINVAL);
    assert_non_null(strstr(yoke_error_detail(), "3"));
    assert_int_equal(yoke_device_of(r, UINT32_MAX, &device), YOKE_EINVAL);
    assert_int_equal(yoke_device_of(cpu, 0, &device), YOKE_EINVAL);
    assert_int_equal(yoke_reopen_device(r, 3), YOKE_EINVAL);
    assert_int_equal(yoke_reopen_device(cpu, 0), YOKE_EINVAL);
    assert_int_equal(yoke_reopen_device(r, 0), YOKE_EINVAL); /* never used */
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    assert_int_equal(yoke_reopen_device(r, 0), YOKE_EINVAL); /* used, and well */
    assert_non_null(strstr(yoke_error_detail(), "not lost"));
    assert_int_equal(yoke_last_decision(NULL), YOKE_EINVAL);
    assert_int_equal(scale(r, NULL, N), YOKE_OK);
    close_runtime(r);
    close_runtime(cpu);
}

static void bad_arrays_are_refused_before_any_device(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu");
    const int calls = control("calls?");
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, N, NULL, y, 2.0f), YOKE_EINVAL);
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, N, x, NULL, 2.0f), YOKE_EINVAL);
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, N, y + 1, y, 2.0f), YOKE_EINVAL);
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, SIZE_MAX / 2, x, y, 2.0f), YOKE_EOVERFLOW);
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, 0, NULL, NULL, 2.0f), YOKE_OK);
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, N, NULL, x), YOKE_EINVAL);
    float sum = 3;
    assert_int_equal(parallel_reduce_on(r, NULL, dev_sum, 0, &sum, x), YOKE_OK);
    assert_true(sum == 0);
    assert_int_equal(control("calls?"), calls);
    assert_true(is_untouched(LARGE));
    close_runtime(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(names_choose_what_users_expect, fresh),
        cmocka_unit_test_setup(unknown_name_lists_those_there_are, fresh),
        cmocka_unit_test_setup(malformed_list_is_refused, fresh),
        cmocka_unit_test_setup(options_win_over_the_environment, fresh),
        cmocka_unit_test_setup(call_narrows_what_the_runtime_may_use, fresh),
        cmocka_unit_test_setup(call_that_names_a_device_beyond_the_runtime_is_refused, fresh),
        cmocka_unit_test_setup(cpu_devices_are_used_only_when_named, fresh),
        cmocka_unit_test_setup(wrong_arguments_are_refused, fresh),
        cmocka_unit_test_setup(bad_arrays_are_refused_before_any_device, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
