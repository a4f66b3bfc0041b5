/* Device selectors: what texts such as "cpu,gpu:1" mean, and how the malformed ones are refused. */
#include "lib/parallel/select.h"
#include "tests/unit/support.h"

/* One of everything: two GPUs and an accelerator that is refused, a GPU that was lost, a CPU. */
static const yoke_device machine[] = {
    {.name = "NVIDIA H200", .reason = "", .type = YOKE_DEVICE_GPU, .state = YOKE_DEVICE_READY},
    {.name = "pthread-skylake AMD EPYC", .reason = "", .type = YOKE_DEVICE_CPU, .state = YOKE_DEVICE_READY},
    {.name = "Broken GPU", .reason = "it lies", .type = YOKE_DEVICE_GPU, .state = YOKE_DEVICE_REFUSED},
    {.name = "AMD Instinct", .reason = "it hung", .type = YOKE_DEVICE_GPU, .state = YOKE_DEVICE_LOST},
    {.name = "Xeon Phi", .reason = "too old", .type = YOKE_DEVICE_ACCELERATOR, .state = YOKE_DEVICE_REFUSED},
    {.name = "Vendor: fpga", .reason = "", .type = YOKE_DEVICE_ACCELERATOR, .state = YOKE_DEVICE_READY},
};

enum { MACHINE_COUNT = sizeof machine / sizeof *machine };

static int select_all(const char *text, yoke__selection *selection)
{
    return yoke__select_devices(text, machine, MACHINE_COUNT, selection);
}

static void select_wellformed_texts_mean_their_devices(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool cpu, named;
        uint64_t mask;
    } cases[] = {
        {NULL, true, false, 0x29},
        {"all", true, false, 0x29},
        {"cpu", true, false, 0},
        {" CPU\t", true, false, 0},
        {"cpu,all", true, false, 0x29},
        {"gpu", false, true, 0x09},
        {"cpu,gpu", true, true, 0x09},
        {"gpu:0", false, true, 0x01},
        {"gpu:2", false, true, 0x08},
        {"GPU:02", false, true, 0x08},
        {"gpu:0,gpu:0, gpu ,gpu", false, true, 0x09},
        {"accelerator", false, true, 0x20},
        {"Accelerator:1", false, true, 0x20},
        {"opencl", false, true, 0x2b},
        {"opencl:1", false, true, 0x02},
        {"opencl:1,cpu", true, true, 0x02},
        {"all,opencl:1", true, true, 0x2b},
        {"amd", false, true, 0x0a},
        {"AMD epyc", false, true, 0x02},
        {"h200", false, true, 0x01},
        {"NVIDIA H200", false, true, 0x01},
        {"Vendor: fpga", false, true, 0x20},
        {": f", false, true, 0x20},
        {"gpu:0 , epyc,\topencl:5", false, true, 0x23},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        yoke__selection selection;
        memset(&selection, 0xff, sizeof selection);
        int status = select_all(cases[k].text, &selection);
        const char *text = cases[k].text != NULL ? cases[k].text : "NULL";
        if (status != YOKE_OK)
            fail_msg("\"%s\": %d, %s", text, status, yoke_error_detail());
        if (selection.cpu != cases[k].cpu || selection.named != cases[k].named || selection.mask[0] != cases[k].mask ||
            selection.mask[1] != 0 || selection.mask[3] != 0)
            fail_msg("\"%s\": cpu %d, named %d, mask %#llx", text, selection.cpu, selection.named,
                     (unsigned long long)selection.mask[0]);
        for (unsigned j = 0; j < 70; j++)
            assert_int_equal(yoke__selection_has(&selection, j), j < 64 && (cases[k].mask >> j & 1) != 0);
    }
}

static void select_bad_texts_are_refused_with_the_item_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *said; /* in the detail */
    } cases[] = {
        {"", YOKE_EINVAL, "empty"},
        {" ", YOKE_EINVAL, "empty"},
        {",", YOKE_EINVAL, "empty"},
        {"cpu,", YOKE_EINVAL, "empty"},
        {",cpu", YOKE_EINVAL, "empty"},
        {"cpu, ,gpu", YOKE_EINVAL, "empty"},
        {"gpu:", YOKE_EINVAL, "\"gpu:\""},
        {"gpu:x", YOKE_EINVAL, "\"gpu:x\""},
        {"gpu:-1", YOKE_EINVAL, "\"gpu:-1\""},
        {"gpu:+1", YOKE_EINVAL, "\"gpu:+1\""},
        {"gpu: 1", YOKE_EINVAL, "\"gpu: 1\""},
        {"gpu:1.0", YOKE_EINVAL, "\"gpu:1.0\""},
        {"gpu:0x1", YOKE_EINVAL, "\"gpu:0x1\""},
        {"gpu:0:0", YOKE_EINVAL, "\"gpu:0:0\""},
        {"opencl:18446744073709551616", YOKE_EINVAL, "opencl:18446744073709551616"},
        {"opencl:99999999999999999999999999999", YOKE_EINVAL, "number"},
        {"accelerator:one", YOKE_EINVAL, "\"accelerator:one\""},
        {"cpu:0", YOKE_EINVAL, "takes no number"},
        {"ALL:0", YOKE_EINVAL, "takes no number"},
        {"nothing of the kind,gpu:x", YOKE_EINVAL, "\"gpu:x\""}, /* before anything is looked for */
        {"gpu:3", YOKE_ENODEV, "\"gpu:3\""},
        {"gpu:4294967295", YOKE_ENODEV, "gpu:4294967295"},
        {"opencl:6", YOKE_ENODEV, "opencl:0 NVIDIA H200 (gpu), opencl:1 pthread-skylake AMD EPYC (cpu)"},
        {"opencl:64", YOKE_ENODEV, "\"opencl:64\""},
        {"opencl:256", YOKE_ENODEV, "\"opencl:256\""},
        {"accelerator:2", YOKE_ENODEV, "opencl:4 Xeon Phi (accelerator, refused)"},
        {"cpu,radeon", YOKE_ENODEV, "\"radeon\""},
        {"gpus", YOKE_ENODEV, "\"gpus\""},
        {"gpu:1", YOKE_ENODEV, "it lies"},
        {"opencl:4", YOKE_ENODEV, "too old"},
        {"accelerator:0", YOKE_ENODEV, "too old"},
        {"Broken", YOKE_ENODEV, "it lies"},
        {"PU", YOKE_ENODEV, "it lies"}, /* part of a name, and no keyword */
        {"a\n\033[31mb", YOKE_ENODEV, "\"a??[31mb\""},
        {"0123456789012345678901234567890123456789!", YOKE_ENODEV, "\"0123456789012345678901234567890123456789...\""},
        {"0123456789012345678901234567890123456789", YOKE_ENODEV, "\"0123456789012345678901234567890123456789\""},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        yoke__selection selection, before;
        memset(&before, 0x55, sizeof before);
        selection = before;
        int status = select_all(cases[k].text, &selection);
        if (status != cases[k].status || strstr(yoke_error_detail(), cases[k].said) == NULL)
            fail_msg("\"%s\": %d, %s", cases[k].text, status, yoke_error_detail());
        assert_memory_equal(&selection, &before, sizeof before);
        assert_int_equal(yoke__selection_check(cases[k].text), status == YOKE_EINVAL ? YOKE_EINVAL : YOKE_OK);
    }
}

static void select_without_devices_only_the_default_and_the_cpu_are_fine(void **state)
{
    (void)state;
    yoke__selection selection;
    static const char *const fine[] = {NULL, "all", "cpu", "cpu,all"}, *const bad[] = {"gpu", "opencl", "x",
                                                                                       "opencl:0"};
    for (size_t k = 0; k < 4; k++) {
        assert_int_equal(yoke__select_devices(fine[k], NULL, 0, &selection), YOKE_OK);
        assert_true(selection.cpu && !selection.named && selection.mask[0] == 0);
        assert_int_equal(yoke__select_devices(bad[k], NULL, 0, &selection), YOKE_ENODEV);
        assert_non_null(strstr(yoke_error_detail(), "no OpenCL devices were found"));
    }
}

static void select_groups_of_refused_devices_only_say_why(void **state)
{
    (void)state;
    yoke__selection selection;
    assert_int_equal(yoke__select_devices("gpu", machine + 2, 1, &selection), YOKE_ENODEV);
    assert_non_null(strstr(yoke_error_detail(), "it lies"));
    assert_int_equal(yoke__select_devices("opencl", machine + 2, 1, &selection), YOKE_ENODEV);
    assert_int_equal(yoke__select_devices("all", machine + 2, 1, &selection), YOKE_OK);
    assert_true(selection.mask[0] == 0);
}

/* The text may be as long as 4,096; the list in a message is cut. */
static void select_many_devices_and_long_texts_stay_within_bounds(void **state)
{
    (void)state;
    static yoke_device many[300];
    static char names[300][128], text[5000];
    for (unsigned k = 0; k < 300; k++) {
        memset(names[k], 'x', sizeof names[k] - 1);
        many[k] = (yoke_device){.name = names[k], .reason = "", .type = YOKE_DEVICE_GPU, .state = YOKE_DEVICE_READY};
    }
    yoke__selection selection;
    assert_int_equal(yoke__select_devices("gpu", many, 300, &selection), YOKE_OK);
    for (size_t k = 0; k < 4; k++)
        assert_true(selection.mask[k] == UINT64_MAX);
    assert_false(yoke__selection_has(&selection, 256));
    assert_int_equal(yoke__select_devices("gpu:255", many, 300, &selection), YOKE_OK);
    assert_true(selection.mask[3] == UINT64_C(1) << 63 && selection.mask[0] == 0);
    assert_int_equal(yoke__select_devices("gpu:256", many, 300, &selection), YOKE_ENODEV);
    assert_non_null(strstr(yoke_error_detail(), ", ..."));
    memset(text, 'y', 4096);
    assert_int_equal(yoke__select_devices(text, many, 300, &selection), YOKE_ENODEV);
    text[4096] = 'y';
    assert_int_equal(yoke__select_devices(text, many, 300, &selection), YOKE_EINVAL);
    assert_true(yoke__selection_needs_devices(text));
    assert_false(yoke__selection_is_default(text));
}

static void questions_about_texts_have_their_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool needs, is_default;
    } cases[] = {{NULL, true, true},      {"all", true, true},      {"  ALL ", true, true},
                 {"all,cpu", true, true}, {"cpu", false, false},    {"CPU , cpu", false, false},
                 {"gpu", true, false},    {"all,gpu", true, false}, {"cpu,gpu", true, false},
                 {"", true, false},       {"cpu,", true, false},    {"cpux", true, false},
                 {"cpu:0", true, false}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        if (yoke__selection_needs_devices(cases[k].text) != cases[k].needs ||
            yoke__selection_is_default(cases[k].text) != cases[k].is_default)
            fail_msg("\"%s\"", cases[k].text != NULL ? cases[k].text : "NULL");
}

/* Texts from the grammar's own letters: whatever comes back, it is one of the three statuses, and the same every time. */
static void select_random_texts_never_surprise(void **state)
{
    (void)state;
    uint64_t seed = seed_of("select");
    static const char *const parts[] = {"gpu", "cpu", "all", "opencl", "accelerator", ":",  ",",  " ",       "0",
                                        "1",   "9",   "x",   "-",      "AMD",         "h2", "\n", "\xc3\xa4"};
    for (unsigned long round = rounds_of(200000); round > 0; round--) {
        char text[128] = "";
        for (uint64_t k = draw_below(&seed, 9); k > 0; k--)
            strcat(text, parts[draw_below(&seed, sizeof parts / sizeof *parts)]);
        yoke__selection selection;
        int status = select_all(text, &selection);
        if (status != YOKE_OK && status != YOKE_EINVAL && status != YOKE_ENODEV)
            fail_msg("\"%s\": %d", text, status);
        if ((yoke__selection_check(text) == YOKE_EINVAL) != (status == YOKE_EINVAL))
            fail_msg("\"%s\": %d, but the check says otherwise", text, status);
        if (status == YOKE_OK && (selection.mask[0] & ~UINT64_C(0x2b)) != 0)
            fail_msg("\"%s\" selects a refused device", text);
        if (status == YOKE_OK && !selection.cpu && selection.mask[0] == 0)
            fail_msg("\"%s\" selects nothing", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_wellformed_texts_mean_their_devices),
        cmocka_unit_test(select_bad_texts_are_refused_with_the_item_and_change_nothing),
        cmocka_unit_test(select_without_devices_only_the_default_and_the_cpu_are_fine),
        cmocka_unit_test(select_groups_of_refused_devices_only_say_why),
        cmocka_unit_test(select_many_devices_and_long_texts_stay_within_bounds),
        cmocka_unit_test(questions_about_texts_have_their_answers),
        cmocka_unit_test(select_random_texts_never_surprise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
