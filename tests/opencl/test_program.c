/* lib/opencl/program.c, build.c and groups.c on a real compiler: kernels become ready in the background, or are refused
 * with a reason; a compiler that hangs is left behind. */
#include <dirent.h>

#include "tests/opencl/program_support.h"
#include "yoke/yoke.h"

/* --- kernels --- */

int on_the_host_only(int x);
int on_the_host_only(int x)
{
    return x + 1;
}

YOKE_TYPE(program_pair, {
    float low;
    float high;
})
YOKE_FUNCTION(float, program_tenth, (float x), { return (float)(x * 0.1); })
YOKE_KERNEL(program_map, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i] + 0.5f; })
YOKE_KERNEL(program_other, (inout(int, x)), { x[i] += 3; })
YOKE_KERNEL(program_third, (inout(int, x)), { x[i] -= 3; })
YOKE_KERNEL_2D(program_plane, (out(int, y)), { y[j * width + i] = (int)(i + 2 * j); })
YOKE_LANE_KERNEL(program_lanes, (in(float, x), out(float, y)), { YOKE_EACH y[i] = x[i] * 2.0f; })
YOKE_REDUCE(program_sum, (float, 0.0f, a + b), (in(float, x)), x[i])
YOKE_FUNCTION(program_pair, program_both, (program_pair a, program_pair b), {
    a.low += b.low;
    a.high += b.high;
    return a;
})
YOKE_FUNCTION(program_pair, program_none, (float x), {
    program_pair none;
    none.low = x;
    none.high = x;
    return none;
})
YOKE_ACCUMULATE(program_pairs, (program_pair, program_none(0.0f), program_both(a, b)), (in(float, x)),
                { acc->low += x[i]; })
YOKE_EXACT_KERNEL(program_exact, (inout(float, x)), { x[i] = x[i] / 3.0f; })
enum { BAD_LINE = __LINE__ + 1 };
YOKE_KERNEL(program_bad, (inout(int, x)), { x[i] = on_the_host_only(x[i]); })
YOKE_KERNEL(program_double, (inout(double, x)), { x[i] += 1; })
YOKE_KERNEL(program_literal, (inout(float, x)), { x[i] = (float)(x[i] * 1e-3); })
YOKE_KERNEL(program_helper, (inout(float, x)), { x[i] = program_tenth(x[i]); })
YOKE_KERNEL(program_floats, (inout(float, x)), { x[i] = x[i] * 0.1f + 1e-3f + .5F + 0x10 + 0x1p-3f; })

/* --- ready --- */

static void kernel_is_compiled_in_the_background_and_once(void **state)
{
    session *s = *state;
    const yoke_kernel *kernel = YOKE_KERNEL_OF(program_map);
    int64_t start = yoke__now_ns();
    hold = 1;
    assert_int_equal(prepare_within(s, kernel, 0), YOKE__PREPARING);
    assert_true(yoke__now_ns() - start < second);
    assert_int_equal(prepare_within(s, kernel, 20000000), YOKE__PREPARING);
    hold = 0;
    becomes_ready(s, kernel);
    for (int k = 0; k < 1000; k++)
        assert_int_equal(prepare_within(s, kernel, 0), YOKE__READY);
    assert_int_equal(from_source, 1);
    const program *p = program_of(s, kernel);
    assert_ptr_equal(p->kernel, kernel);
    assert_non_null(p->entry);
    assert_in_range(p->choices, 2, LOCAL_CHOICES);
}

static void run_map(session *s, const program *p, const local_choice *choice)
{
    enum { N = 1000, BEGIN = 100, END = 900 };
    float x[N], y[N];
    cl_int error;
    const cl_ulong bounds[] = {BEGIN, END, N, 1};
    const cl_long at = 0;
    const cl_float a = 2.0f;
    const size_t global = (END - BEGIN + choice->size[0] - 1) / choice->size[0] * choice->size[0];
    for (int k = 0; k < N; k++)
        x[k] = (float)k, y[k] = -1.0f;
    cl_command_queue queue = real.clCreateCommandQueue(s->context, d.id, 0, &error);
    cl_mem from = real.clCreateBuffer(s->context, CL_MEM_COPY_HOST_PTR, sizeof x, x, &error);
    cl_mem to = real.clCreateBuffer(s->context, CL_MEM_COPY_HOST_PTR, sizeof y, y, &error);
    for (cl_uint k = 0; k < 4; k++)
        assert_int_equal(real.clSetKernelArg(p->entry, k, sizeof bounds[k], &bounds[k]), CL_SUCCESS);
    assert_int_equal(real.clSetKernelArg(p->entry, 4, sizeof from, &from), CL_SUCCESS);
    assert_int_equal(real.clSetKernelArg(p->entry, 5, sizeof at, &at), CL_SUCCESS);
    assert_int_equal(real.clSetKernelArg(p->entry, 6, sizeof to, &to), CL_SUCCESS);
    assert_int_equal(real.clSetKernelArg(p->entry, 7, sizeof at, &at), CL_SUCCESS);
    assert_int_equal(real.clSetKernelArg(p->entry, 8, sizeof a, &a), CL_SUCCESS);
    assert_int_equal(real.clEnqueueNDRangeKernel(queue, p->entry, 1, NULL, &global, choice->size, 0, NULL, NULL),
                     CL_SUCCESS);
    assert_int_equal(real.clEnqueueReadBuffer(queue, to, CL_TRUE, 0, sizeof y, y, 0, NULL, NULL), CL_SUCCESS);
    for (int k = 0; k < N; k++)
        assert_true(y[k] == (k < BEGIN || k >= END ? -1.0f : 2.0f * (float)k + 0.5f));
    (void)real.clReleaseMemObject(from);
    (void)real.clReleaseMemObject(to);
    (void)real.clReleaseCommandQueue(queue);
}

static void ready_kernel_computes_with_every_choice(void **state)
{
    session *s = *state;
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
    const program *p = program_of(s, YOKE_KERNEL_OF(program_map));
    for (unsigned k = 0; k < p->choices; k++)
        run_map(s, p, &p->choice[k]);
}

/* PoCL compiles a launch of more than 65,535 items a second time: in the background, not in a map. */
static void cpu_devices_are_tried_with_a_wide_launch_before_they_are_ready(void **state)
{
    becomes_ready(*state, YOKE_KERNEL_OF(program_map));
    assert_true(widest > 65535);
    session *s = restart(state);
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
    assert_true(widest <= 1024);
}

static void every_shape_gets_groups_within_the_limits(void **state)
{
    session *s = *state;
    static const yoke_kernel *const kernels[] = {YOKE_KERNEL_OF(program_map),   YOKE_KERNEL_OF(program_plane),
                                                 YOKE_KERNEL_OF(program_lanes), YOKE_KERNEL_OF(program_pairs),
                                                 YOKE_KERNEL_OF(program_exact), YOKE_KERNEL_OF(program_sum)};
    for (size_t m = 0; m < sizeof kernels / sizeof *kernels; m++) {
        becomes_ready(s, kernels[m]);
        const program *p = program_of(s, kernels[m]);
        bool plane = kernels[m]->shape == YOKE_SHAPE_MAP_2D;
        for (unsigned k = 0; k < p->choices; k++) {
            assert_in_range(p->choice[k].size[0] * p->choice[k].size[1], 1, d.max_group);
            assert_true(plane || p->choice[k].size[1] == 1);
            for (unsigned j = 0; j < k; j++)
                assert_memory_not_equal(p->choice[j].size, p->choice[k].size, sizeof p->choice[k].size);
        }
        if (kernels[m]->shape == YOKE_SHAPE_REDUCE)
            assert_true(p->choices == 1 && p->choice[0].size[0] == (p->on_cpu ? 1u : 64u));
        else
            assert_in_range(p->choices, 2, LOCAL_CHOICES);
    }
}

static void *prepare_in_a_thread(void *argument)
{
    return prepare_within(argument, YOKE_KERNEL_OF(program_map), 120 * second) == YOKE__READY ? argument : NULL;
}

static void threads_that_ask_at_once_share_one_build(void **state)
{
    session *s = *state;
    pthread_t thread[4];
    for (int k = 0; k < 4; k++)
        assert_int_equal(pthread_create(&thread[k], NULL, prepare_in_a_thread, s), 0);
    for (int k = 0; k < 4; k++) {
        void *ready;
        assert_int_equal(pthread_join(thread[k], &ready), 0);
        assert_ptr_equal(ready, s);
    }
    assert_int_equal(from_source, 1);
    assert_null(atomic_load(&atomic_load(&s->programs)->next));
}

static void kernel_that_took_the_place_of_another_is_compiled_anew(void **state)
{
    session *s = *state;
    yoke_kernel kernel = *YOKE_KERNEL_OF(program_other);
    becomes_ready(s, &kernel);
    kernel = *YOKE_KERNEL_OF(program_third); /* as after dlclose and dlopen */
    becomes_ready(s, &kernel);
    assert_int_equal(from_source, 2);
    kernel = *YOKE_KERNEL_OF(program_other);
    becomes_ready(s, &kernel);
    assert_int_equal(from_source, 2);
}

/* --- refused --- */

static void text_that_does_not_compile_is_refused_with_file_and_line(void **state)
{
    session *s = *state;
    char place[100];
    const char *reason = is_refused(s, YOKE_KERNEL_OF(program_bad), "on_the_host_only");
    (void)snprintf(place, sizeof place, "test_program.c:%d", BAD_LINE);
    const char *once = strstr(reason, place); /* the kernel's own, and then what the compiler says */
    assert_non_null(once);
    assert_non_null(strstr(once + 1, place));
    assert_non_null(strstr(reason, d.name));
    assert_in_range(strlen(reason), 50, 2200);
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
}

static void double_is_refused_where_there_is_none(void **state)
{
    session *s = *state;
    d.facts.has_double = 0;
    (void)is_refused(s, YOKE_KERNEL_OF(program_double), "double");
    (void)is_refused(s, YOKE_KERNEL_OF(program_literal), "double");
    (void)is_refused(s, YOKE_KERNEL_OF(program_helper), "double");
    assert_int_equal(from_source, 0);
    becomes_ready(s, YOKE_KERNEL_OF(program_floats));
    becomes_ready(s, YOKE_KERNEL_OF(program_sum));
}

static void exact_kernel_is_refused_where_division_is_not(void **state)
{
    session *s = *state;
    d.facts.is_exact = 0;
    (void)is_refused(s, YOKE_KERNEL_OF(program_exact), "rounds division or square root its own way");
    assert_int_equal(from_source, 0);
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
}

static void type_of_another_size_on_the_device_is_refused(void **state)
{
    session *s = *state;
    yoke_parameter parameter = YOKE_KERNEL_OF(program_other)->parameters[0];
    yoke_kernel kernel = *YOKE_KERNEL_OF(program_other);
    kernel.parameters = &parameter;
    parameter.size = 8;
    (void)is_refused(s, &kernel, "yoke_type_of_other_size_than_on_the_host_0");
}

static void limits_of_the_device_refuse_or_narrow(void **state)
{
    session *s = restart(state); /* as a GPU: on a CPU a reduction needs no group */
    const size_t max_group = d.max_group;
    const uint64_t local_bytes = d.local_bytes;
    d.max_group = 32;
    (void)is_refused(s, YOKE_KERNEL_OF(program_sum), "32");
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
    becomes_ready(s, YOKE_KERNEL_OF(program_plane));
    assert_int_equal(program_of(s, YOKE_KERNEL_OF(program_map))->choice[0].size[0], 32);
    d.max_group = max_group;
    s = restart(state);
    d.local_bytes = 10;
    (void)is_refused(s, YOKE_KERNEL_OF(program_sum), "local memory");
    d.local_bytes = local_bytes;
}

static void choice_that_cannot_run_is_dropped(void **state)
{
    session *s = *state;
    refused_size = 256;
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
    const program *p = program_of(s, YOKE_KERNEL_OF(program_map));
    assert_in_range(p->choices, 1, LOCAL_CHOICES - 1);
    for (unsigned k = 0; k < p->choices; k++)
        assert_int_not_equal(p->choice[k].size[0], 256);
    refused_size = 1; /* every one */
    (void)is_refused(s, YOKE_KERNEL_OF(program_other), "CL_OUT_OF_RESOURCES");
}

/* --- binaries that are kept --- */

static void keep_binaries(const char *name)
{
    (void)snprintf(o.cache.folder, sizeof o.cache.folder, "%s/%s", root, name);
    d.facts.type = YOKE_DEVICE_GPU; /* a CPU's are not kept */
}

static void flip_a_bit_of_every_entry(void)
{
    DIR *listing = opendir(o.cache.folder);
    unsigned count = 0;
    assert_non_null(listing);
    for (struct dirent *one; (one = readdir(listing)) != NULL;) {
        char path[1400];
        (void)snprintf(path, sizeof path, "%s/%s", o.cache.folder, one->d_name);
        FILE *file = one->d_name[0] != '.' ? fopen(path, "r+b") : NULL;
        if (file == NULL)
            continue;
        assert_int_equal(fseek(file, -100, SEEK_END), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
        assert_int_equal(fputc(byte ^ 4, file), byte ^ 4);
        fclose(file);
        count++;
    }
    closedir(listing);
    assert_int_equal(count, 1);
}

static void binary_is_used_after_a_restart_unless_it_was_touched(void **state)
{
    keep_binaries("kept");
    const yoke_kernel *kernel = YOKE_KERNEL_OF(program_map);
    becomes_ready(*state, kernel);
    assert_true(from_source == 1 && from_binary == 0);
    becomes_ready(restart(state), kernel);
    assert_true(from_source == 0 && from_binary == 1);
    run_map(*state, program_of(*state, kernel), &program_of(*state, kernel)->choice[0]);
    flip_a_bit_of_every_entry();
    becomes_ready(restart(state), kernel);
    assert_true(from_source == 1 && from_binary == 0);
    becomes_ready(restart(state), kernel);
    assert_true(from_source == 0 && from_binary == 1);
    void *other = restart(state);
    d.driver_version[0] ^= 1; /* another driver: not its binary */
    becomes_ready(other, kernel);
    assert_true(from_source == 1 && from_binary == 0);
}

static void binary_that_the_driver_refuses_is_made_anew(void **state)
{
    keep_binaries("refused");
    const yoke_kernel *kernel = YOKE_KERNEL_OF(program_map);
    becomes_ready(*state, kernel);
    session *s = restart(state);
    fail_binary = 1;
    becomes_ready(s, kernel);
    assert_true(from_source == 1 && from_binary == 1);
    becomes_ready(restart(state), kernel);
    assert_true(from_source == 0 && from_binary == 1);
}

static void cpu_devices_keep_no_binary(void **state)
{
    keep_binaries("none");
    d.facts.type = YOKE_DEVICE_CPU;
    becomes_ready(*state, YOKE_KERNEL_OF(program_map));
    assert_int_equal(access(o.cache.folder, F_OK), -1);
}

/* --- trouble --- */

typedef struct long_errand {
    errand errand;
    _Atomic int end;
} long_errand;

static void wait_for_end(errand *e)
{
    while (atomic_load(&((long_errand *)e)->end) == 0)
        sleep_ns(1000000);
}

static void dispose_nothing(errand *e)
{
    (void)e;
}

static void build_behind_one_that_hangs_gets_another_builder(void **state)
{
    static long_errand hung = {.errand = {.run = wait_for_end, .dispose = dispose_nothing}};
    session *s = *state;
    servant *before = o.builder;
    servant_send(before, &hung.errand);
    o.build_limit_ns = second / 5;
    assert_int_equal(prepare_within(s, YOKE_KERNEL_OF(program_map), 0), YOKE__PREPARING);
    while (o.builder == before && prepare_within(s, YOKE_KERNEL_OF(program_map), second / 10) == YOKE__PREPARING)
        ;
    assert_ptr_not_equal(o.builder, before);
    o.build_limit_ns = 60 * second;
    becomes_ready(s, YOKE_KERNEL_OF(program_map));
    atomic_store(&hung.end, 1);
    assert_true(servant_stop(before, yoke__now_ns() + 20 * second));
    assert_int_equal(from_source, 1);
}

static void kernel_at_which_the_compiler_hangs_is_refused(void **state)
{
    session *s = *state;
    servant *before = o.builder;
    hold = 1;
    assert_int_equal(prepare_within(s, YOKE_KERNEL_OF(program_map), 0), YOKE__PREPARING);
    while (!held)
        sleep_ns(1000000);
    assert_int_equal(prepare_within(s, YOKE_KERNEL_OF(program_other), 0), YOKE__PREPARING);
    o.build_limit_ns = second / 5;
    (void)is_refused(s, YOKE_KERNEL_OF(program_map), "took longer than 200 ms");
    assert_ptr_not_equal(o.builder, before);
    o.build_limit_ns = 60 * second;
    hold = 0; /* it comes back late: nobody wants what it made */
    becomes_ready(s, YOKE_KERNEL_OF(program_other));
    assert_true(servant_stop(before, yoke__now_ns() + 60 * second));
    (void)is_refused(s, YOKE_KERNEL_OF(program_map), "took longer than 200 ms");
    assert_null(program_of(s, YOKE_KERNEL_OF(program_map))->entry);
}

static void session_is_released_while_it_builds(void **state)
{
    session *s = *state;
    for (int k = 0; k < 3; k++) {
        assert_int_equal(prepare_within(s, YOKE_KERNEL_OF(program_map), 0), YOKE__PREPARING);
        assert_int_equal(prepare_within(s, YOKE_KERNEL_OF(program_other), 0), YOKE__PREPARING);
        if (k > 0)
            sleep_ns(k * 5000000);
        s = restart(state);
    }
}

static void lack_of_memory_only_delays(void **state)
{
    session *s = *state;
    for (unsigned long nth = 1; nth < 14; nth++) {
        yoke__alloc_fail_at(nth, false);
        yoke__readiness readiness = prepare_within(s, YOKE_KERNEL_OF(program_other), 120 * second);
        yoke__alloc_fail_at(0, false);
        if (readiness == YOKE__PREPARING)
            becomes_ready(s, YOKE_KERNEL_OF(program_other));
        else if (readiness == YOKE__REFUSED) /* the driver was told so by us */
            (void)is_refused(s, YOKE_KERNEL_OF(program_other), "CL_OUT_OF_HOST_MEMORY");
        s = restart(state);
    }
}

/* The choice of the next run, which takes so long with each. */
static unsigned next_choice(program *p, double items, const double *item_ns, double disturbed)
{
    unsigned choice = program_choose(p, items);
    program_learn(p, choice, items, item_ns[choice] + disturbed);
    return choice;
}

static void choices_are_tried_in_turn_and_the_usually_fastest_wins(void **state)
{
    (void)state;
    static const double few_ns[] = {3.0, 2.0, 2.5}, many_ns[] = {2.5, 3.0, 2.0};
    enum { FEW = 1000, MANY = 10000000 };
    program p = {.choices = 3};
    for (unsigned k = 0; k < 18; k++) /* the first round finds all cold */
        (void)next_choice(&p, FEW, few_ns, k < 3 ? 100.0 : 0.0);
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(p.choice[k].at[0].tries, 6);
    assert_int_equal(program_choose(&p, FEW), 1);
    assert_true(program_item_ns(&p, FEW) == few_ns[1]);
    assert_true(program_item_ns(&p, MANY) == few_ns[1]); /* the nearest known */
    for (unsigned k = 0; k < 18; k++)
        (void)next_choice(&p, MANY, many_ns, 0.0);
    unsigned others = 0;
    for (unsigned k = 0; k < 200; k++)
        others += next_choice(&p, MANY, many_ns, 0.0) != 2;
    assert_in_range(others, 2, 6);
    assert_true(program_item_ns(&p, MANY) == many_ns[2] && program_item_ns(&p, FEW) == few_ns[1]);
    for (unsigned k = 0; k < 20; k++) /* what was the fastest is slow now */
        program_learn(&p, 2, MANY, 10.0);
    assert_int_not_equal(program_choose(&p, MANY), 2);
}

static void hopeless_choices_are_left_alone(void **state)
{
    (void)state;
    static const double item_ns[] = {1.0, 9.0};
    program p = {.choices = 2};
    unsigned tried = 0;
    for (unsigned k = 0; k < 300; k++)
        tried += next_choice(&p, 1000, item_ns, 0.0) == 1;
    assert_int_equal(tried, 3);
    program single = {.choices = 1};
    assert_int_equal(program_choose(&single, 1000), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(kernel_is_compiled_in_the_background_and_once),
        TEST(ready_kernel_computes_with_every_choice),
        TEST(cpu_devices_are_tried_with_a_wide_launch_before_they_are_ready),
        TEST(every_shape_gets_groups_within_the_limits),
        TEST(threads_that_ask_at_once_share_one_build),
        TEST(kernel_that_took_the_place_of_another_is_compiled_anew),
        TEST(text_that_does_not_compile_is_refused_with_file_and_line),
        TEST(double_is_refused_where_there_is_none),
        TEST(exact_kernel_is_refused_where_division_is_not),
        TEST(type_of_another_size_on_the_device_is_refused),
        TEST(limits_of_the_device_refuse_or_narrow),
        TEST(choice_that_cannot_run_is_dropped),
        TEST(binary_is_used_after_a_restart_unless_it_was_touched),
        TEST(binary_that_the_driver_refuses_is_made_anew),
        TEST(cpu_devices_keep_no_binary),
        TEST(build_behind_one_that_hangs_gets_another_builder),
        TEST(kernel_at_which_the_compiler_hangs_is_refused),
        TEST(session_is_released_while_it_builds),
        TEST(lack_of_memory_only_delays),
        TEST(choices_are_tried_in_turn_and_the_usually_fastest_wins),
        TEST(hopeless_choices_are_left_alone),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
