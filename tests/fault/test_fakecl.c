/* The fake OpenCL driver computes, fails on demand and notices what its callers do wrong: opened in place of the loader,
 * and, in a process of its own, through the real one. */
#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/opencl/api.h"
#include "tests/emulated.h"
#include "tests/fault/fakecl/fakecl.h"
#include "tests/unit/support.h"
#include "yoke/yoke.h"

enum { N = 1000, WIDTH = 37, HEIGHT = 23, BLOCK = 100 };

YOKE_EXACT_KERNEL(fake_saxpy, (inout(float, y), in(float, x), value(float, a)), { y[i] += a * x[i]; })
YOKE_EXACT_KERNEL_2D(fake_blur, (halo(float, x, 1, 1), out(float, y)), {
    y[j * width + i] = j > 0 && j + 1 < height ? x[(j - 1) * width + i] + x[(j + 1) * width + i] : x[j * width + i];
})
YOKE_EXACT_REDUCE(fake_sum, (float, 0.0f, a + b), (in(float, x)), x[i])

static cl_api cl;
static int (*ctl)(const char *command);
static const char *(*call_name)(int k);
static const char *(*violation_text)(void);
static void (*register_kernel)(const yoke_kernel *kernel);
static cl_platform_id platform;
static cl_device_id device;
static cl_context context;
static cl_command_queue queue;
static float x[WIDTH * HEIGHT + N], y[WIDTH * HEIGHT + N], expected[WIDTH * HEIGHT + N];

/* --- fixtures --- */

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL)
        fail_msg("%s is missing", name);
    return found;
}

static int load(void **state)
{
    (void)state;
    void *fake = dlopen(FAKECL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    const char *other = getenv("FAKECL_TEST_LOADER");
    void *library = other != NULL ? dlopen(other, RTLD_NOW | RTLD_LOCAL) : fake;
    if (fake == NULL || library == NULL) {
        printf("%s\n", dlerror());
        return -1;
    }
#define LOAD(name) *(void **)(void *)&cl.name = symbol(library, #name);
    YOKE__CL_FUNCTIONS(LOAD)
    *(void **)(void *)&ctl = symbol(fake, "fakecl_ctl");
    *(void **)(void *)&call_name = symbol(fake, "fakecl_call_name");
    *(void **)(void *)&violation_text = symbol(fake, "fakecl_violation");
    *(void **)(void *)&register_kernel = symbol(fake, "fakecl_register");
    return 0;
}

static void ok(cl_int error, const char *what)
{
    if (error != CL_SUCCESS)
        fail_msg("%s: OpenCL error %d", what, (int)error);
}

static int open_all(void **state)
{
    (void)state;
    cl_int error;
    ctl("reset");
    ctl("strict");
    ok(cl.clGetPlatformIDs(1, &platform, NULL), "platform");
    ok(cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "device");
    context = cl.clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    ok(error, "context");
    queue = cl.clCreateCommandQueue(context, device, 0, &error);
    ok(error, "queue");
    for (int k = 0; k < WIDTH * HEIGHT + N; k++) {
        x[k] = (float)(k % 17) - 5.25f;
        y[k] = expected[k] = (float)(k % 7);
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    ctl("release");
    ctl("resume");
    ctl("reset");
    ok(cl.clFinish(queue), "finish");
    ok(cl.clReleaseCommandQueue(queue), "release");
    ok(cl.clReleaseContext(context), "release");
    if (ctl("leaks?") != 0 || ctl("violations?") != 0)
        print_message("%d leaks, %d violations: %s\n", ctl("leaks?"), ctl("violations?"), violation_text());
    return ctl("leaks?") + ctl("violations?");
}

static cl_kernel kernel_of(const char *name)
{
    char text[200];
    const char *lines = text;
    cl_int error;
    (void)snprintf(text, sizeof text, "__kernel void yoke_k_%s(const ulong yoke_begin) {}", name);
    cl_program program = cl.clCreateProgramWithSource(context, 1, &lines, NULL, &error);
    ok(error, "program");
    ok(cl.clBuildProgram(program, 1, &device, "", NULL, NULL), "build");
    (void)snprintf(text, sizeof text, "yoke_k_%s", name);
    cl_kernel kernel = cl.clCreateKernel(program, text, &error);
    ok(error, name);
    ok(cl.clReleaseProgram(program), "release");
    return kernel;
}

static cl_mem buffer_of(size_t bytes)
{
    cl_int error;
    cl_mem buffer = cl.clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &error);
    ok(error, "buffer");
    return buffer;
}

static void set_words(cl_kernel kernel, cl_ulong begin, cl_ulong end, cl_ulong size0, cl_ulong size1)
{
    const cl_ulong words[4] = {begin, end, size0, size1};
    for (cl_uint k = 0; k < 4; k++)
        ok(cl.clSetKernelArg(kernel, k, sizeof words[k], &words[k]), "argument");
}

static void set_array(cl_kernel kernel, cl_uint at, cl_mem mem, cl_long offset)
{
    ok(cl.clSetKernelArg(kernel, at, sizeof mem, &mem), "array");
    ok(cl.clSetKernelArg(kernel, at + 1, sizeof offset, &offset), "offset");
}

static cl_int write_to(cl_mem mem, const float *from, size_t count)
{
    return cl.clEnqueueWriteBuffer(queue, mem, CL_FALSE, 0, count * sizeof *from, from, 0, NULL, NULL);
}

static cl_int read_from(cl_mem mem, float *to, size_t count)
{
    return cl.clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, count * sizeof *to, to, 0, NULL, NULL);
}

static cl_int run(cl_kernel kernel, size_t global, cl_event *event)
{
    const size_t local = 64;
    return cl.clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, event);
}

/* saxpy over items [from, from + count) in slice buffers; y comes back. The first error. */
static cl_int saxpy_slice(size_t from, size_t count, cl_event *event)
{
    const float a = 1.5f;
    cl_kernel kernel = kernel_of("fake_saxpy");
    cl_mem at_y = buffer_of(count * sizeof *y), at_x = buffer_of(count * sizeof *x);
    set_words(kernel, from, from + count, N, 1);
    set_array(kernel, 4, at_y, -(cl_long)from);
    set_array(kernel, 6, at_x, -(cl_long)from);
    ok(cl.clSetKernelArg(kernel, 8, sizeof a, &a), "value");
    cl_int error = write_to(at_y, y + from, count);
    if (error == CL_SUCCESS)
        error = write_to(at_x, x + from, count);
    if (error == CL_SUCCESS)
        error = run(kernel, (count + 63) / 64 * 64, event);
    if (error == CL_SUCCESS)
        error = read_from(at_y, y + from, count);
    (void)cl.clReleaseMemObject(at_y);
    (void)cl.clReleaseMemObject(at_x);
    (void)cl.clReleaseKernel(kernel);
    return error;
}

static void expect_saxpy(size_t from, size_t count)
{
    for (size_t k = from; k < from + count; k++)
        expected[k] += 1.5f * x[k];
}

static void expect_violation(int before, const char *part)
{
    if (ctl("violations?") != before + 1 || strstr(violation_text(), part) == NULL)
        fail_msg("%d violations, the last: %s", ctl("violations?") - before, violation_text());
}

/* --- results --- */

static void map_in_two_slices_gives_the_bits_of_the_cpu(void **state)
{
    (void)state;
    ok(saxpy_slice(0, 333, NULL), "first slice");
    ok(saxpy_slice(333, N - 333, NULL), "second slice");
    expect_saxpy(0, N);
    assert_memory_equal(y, expected, sizeof y);
    assert_int_equal(ctl("bytes_in?"), 2 * N * (int)sizeof(float));
    assert_int_equal(ctl("bytes_out?"), N * (int)sizeof(float));
}

static void rows_of_a_2d_kernel_give_the_bits_of_the_cpu(void **state)
{
    (void)state;
    enum { FROM = 5, TO = 14 };
    const size_t global[2] = {40, 16}, local[2] = {8, 4}, row = WIDTH * sizeof(float);
    cl_kernel kernel = kernel_of("fake_blur");
    cl_mem at_x = buffer_of((TO - FROM + 2) * row), at_y = buffer_of((TO - FROM) * row);
    set_words(kernel, FROM, TO, WIDTH, HEIGHT);
    set_array(kernel, 4, at_x, -(cl_long)((FROM - 1) * WIDTH));
    set_array(kernel, 6, at_y, -(cl_long)(FROM * WIDTH));
    ok(write_to(at_x, x + (FROM - 1) * WIDTH, (TO - FROM + 2) * WIDTH), "write");
    ok(cl.clEnqueueNDRangeKernel(queue, kernel, 2, NULL, global, local, 0, NULL, NULL), "run");
    ok(read_from(at_y, y + FROM * WIDTH, (TO - FROM) * WIDTH), "read");
    void *arguments[] = {x, expected};
    yoke_call call = {.argument = {arguments[0], arguments[1]}, .size = {WIDTH, HEIGHT}, .columns = {0, WIDTH}};
    YOKE_KERNEL_OF(fake_blur)->variants[0](&call, FROM, TO);
    assert_memory_equal(y, expected, sizeof y);
    cl.clReleaseMemObject(at_x);
    cl.clReleaseMemObject(at_y);
    cl.clReleaseKernel(kernel);
}

static void blocks_of_a_reduction_give_the_bits_of_the_cpu(void **state)
{
    (void)state;
    enum { FROM = 3, TO = 10 };
    float partial[TO - FROM], wanted;
    cl_kernel kernel = kernel_of("fake_sum");
    cl_mem at_x = buffer_of(N * sizeof *x), result = buffer_of(sizeof partial);
    set_words(kernel, FROM, TO, N - 1, BLOCK);
    ok(cl.clSetKernelArg(kernel, 4, sizeof result, &result), "result");
    set_array(kernel, 5, at_x, 0);
    ok(write_to(at_x, x, N), "write");
    ok(run(kernel, (TO - FROM) * 64, NULL), "run");
    ok(read_from(result, partial, TO - FROM), "read");
    for (size_t g = FROM; g < TO; g++) {
        yoke_call call = {.argument = {x}, .size = {N - 1, 1}, .result = &wanted};
        YOKE_KERNEL_OF(fake_sum)->variants[0](&call, g * BLOCK, g + 1 < TO ? (g + 1) * BLOCK : N - 1);
        assert_memory_equal(&partial[g - FROM], &wanted, sizeof wanted);
    }
    cl.clReleaseMemObject(at_x);
    cl.clReleaseMemObject(result);
    cl.clReleaseKernel(kernel);
}

static void kernel_that_is_registered_is_found_and_an_unknown_one_is_refused(void **state)
{
    (void)state;
    static yoke_kernel other;
    other = *YOKE_KERNEL_OF(fake_sum);
    other.name = "fake_renamed";
    register_kernel(&other);
    ok(cl.clReleaseKernel(kernel_of("fake_renamed")), "release");
    const char *text = "__kernel void yoke_k_fake_unknown() {}";
    cl_int error;
    cl_program program = cl.clCreateProgramWithSource(context, 1, &text, NULL, &error);
    ok(cl.clBuildProgram(program, 0, NULL, NULL, NULL, NULL), "build");
    assert_null(cl.clCreateKernel(program, "yoke_k_fake_unknown", &error));
    assert_int_equal(error, CL_INVALID_KERNEL_NAME);
    cl.clReleaseProgram(program);
}

static void host_memory_changes_hands_by_map_and_unmap(void **state)
{
    (void)state;
    for (int unified = 0; unified < 2; unified++) {
        cl_int error;
        ctl(unified ? "shape UNIFIED=1" : "shape UNIFIED=0");
        float host[64] = {1.0f}, seen[64];
        cl_mem mem = cl.clCreateBuffer(context, CL_MEM_USE_HOST_PTR, sizeof host, host, &error);
        ok(error, "buffer");
        seen[0] = 2.0f;
        ok(write_to(mem, seen, 1), "write");
        ok(cl.clFinish(queue), "finish");
        assert_true(host[0] == (unified ? 2.0f : 1.0f)); /* a device's copy is brought up to date by a map only */
        float *at = cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, sizeof host, 0, NULL,
                                          NULL, &error);
        ok(error, "map");
        assert_ptr_equal(at, host);
        assert_true(host[0] == 2.0f);
        at[1] = 3.0f;
        ok(cl.clEnqueueUnmapMemObject(queue, mem, at, 0, NULL, NULL), "unmap");
        ok(read_from(mem, seen, 64), "read");
        assert_true(seen[1] == 3.0f);
        cl.clReleaseMemObject(mem);
    }
    ctl("shape UNIFIED=0");
}

static void binary_makes_the_program_again_and_a_damaged_one_is_refused(void **state)
{
    (void)state;
    const char *text = "__kernel void yoke_k_fake_sum() {}";
    cl_int error;
    size_t bytes;
    cl_program program = cl.clCreateProgramWithSource(context, 1, &text, NULL, &error);
    ok(cl.clBuildProgram(program, 1, &device, "", NULL, NULL), "build");
    ok(cl.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL), "size");
    unsigned char *binary = malloc(bytes);
    ok(cl.clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL), "binary");
    cl.clReleaseProgram(program);
    for (int damaged = 0; damaged < 2; damaged++) {
        const unsigned char *given = binary;
        binary[bytes - 1] ^= (unsigned char)damaged;
        program = cl.clCreateProgramWithBinary(context, 1, &device, &bytes, &given, NULL, &error);
        assert_int_equal(error, damaged ? CL_INVALID_BINARY : CL_SUCCESS);
        if (program != NULL)
            cl.clReleaseProgram(program);
    }
    free(binary);
}

#include "tests/fault/with_test_fakecl.h"
#include "tests/fault/with_test_fakecl_faults.h"

/* --- this program once more, in a process with another environment --- */

static void expect_success_with(char *const variables[])
{
    char self[512] = "";
    int status;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    pid_t child = fork();
    if (child == 0) {
        for (int k = 0; variables[k] != NULL; k++)
            (void)putenv(variables[k]);
        (void)execl(self, self, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void everything_works_through_the_loader(void **state)
{
    (void)state;
    static const char loader[] = "libOpenCL.so.1";
    char folder[] = "/tmp/fakecl-XXXXXX", file[64], vendors[64], path[64];
    if (getenv("FAKECL_TEST_LOADER") != NULL || dlopen(loader, RTLD_NOW | RTLD_LOCAL) == NULL)
        skip();
    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/fake.icd", folder);
    (void)snprintf(vendors, sizeof vendors, "OCL_ICD_VENDORS=%s", folder);
    (void)snprintf(path, sizeof path, "FAKECL_TEST_LOADER=%s", loader);
    FILE *icd = fopen(file, "w");
    assert_non_null(icd);
    (void)fprintf(icd, "%s\n", FAKECL_LIBRARY);
    assert_int_equal(fclose(icd), 0);
    expect_success_with((char *[]){vendors, path, NULL});
    (void)unlink(file);
    (void)rmdir(folder);
}

static void environment_gives_shape_and_faults(void **state)
{
    (void)state;
    if (emulated("execl runs programs of the host"))
        skip();
    expect_success_with((char *[]){"FAKECL_TEST_SHAPED=1", "FAKECL_DEVICES=3", "FAKECL_TYPE=gpu;cpu", "FAKECL_SYNC=1",
                                   "FAKECL_NAMES=first;second;third", "FAKECL_WGS=256;0;2^63",
                                   "FAKECL_FAULT=clFinish:1:-36,clFlush:2:-36:sticky", NULL});
}

/* In that process. */
static void three_devices_differ_and_run_in_place(void **state)
{
    (void)state;
    cl_device_id devices[3];
    cl_uint count;
    size_t group;
    char name[20];
    ok(cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_CPU, 3, devices, &count), "CPUs");
    assert_int_equal(count, 2); /* the last of a list holds for the rest */
    ok(cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 3, devices, &count), "devices");
    assert_int_equal(count, 3);
    ok(cl.clGetDeviceInfo(devices[2], CL_DEVICE_NAME, sizeof name, name, NULL), "name");
    assert_string_equal(name, "third");
    ok(cl.clGetDeviceInfo(devices[2], CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL), "group");
    assert_true(group == (size_t)1 << 63);
    ok(saxpy_slice(0, N, NULL), "run");
    expect_saxpy(0, N);
    assert_memory_equal(y, expected, sizeof y);
}

static int open_with_faults(void **state)
{
    if (load(state) != 0 || cl.clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
        return -1;
    context = cl.clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
    queue = cl.clCreateCommandQueue(context, device, 0, NULL);
    const cl_int wanted[] = {-36, 0, 0, -36, -36};
    cl_int said[5];
    for (int k = 0; k < 5; k++)
        said[k] = k < 2 ? cl.clFinish(queue) : cl.clFlush(queue);
    bool failed = memcmp(said, wanted, sizeof said) == 0;
    (void)cl.clReleaseCommandQueue(queue);
    (void)cl.clReleaseContext(context);
    return failed ? 0 : -1;
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DEVICE(map_in_two_slices_gives_the_bits_of_the_cpu),
        WITH_DEVICE(rows_of_a_2d_kernel_give_the_bits_of_the_cpu),
        WITH_DEVICE(blocks_of_a_reduction_give_the_bits_of_the_cpu),
        WITH_DEVICE(kernel_that_is_registered_is_found_and_an_unknown_one_is_refused),
        WITH_DEVICE(host_memory_changes_hands_by_map_and_unmap),
        WITH_DEVICE(binary_makes_the_program_again_and_a_damaged_one_is_refused),
        WITH_DEVICE(every_call_can_fail_and_the_next_run_works),
        WITH_DEVICE(sticky_fault_stays_and_reset_ends_it),
        WITH_DEVICE(lost_device_refuses_every_call_and_says_so),
        WITH_DEVICE(failed_event_is_reported_by_waiting_and_stops_what_follows),
        WITH_DEVICE(flip_changes_one_bit),
        WITH_DEVICE(overrun_writes_past_the_end),
        WITH_DEVICE(delay_takes_its_time),
        WITH_DEVICE(hang_and_stall_last_until_release),
        WITH_DEVICE(abort_ends_the_process),
        WITH_DEVICE(command_that_is_not_flushed_does_not_run),
        WITH_DEVICE(released_object_is_noticed),
        WITH_DEVICE(object_that_is_kept_is_counted_as_leaked),
        WITH_DEVICE(arguments_of_a_wrong_size_or_not_set_are_noticed),
        WITH_DEVICE(items_outside_of_a_buffer_are_noticed),
        WITH_DEVICE(group_sizes_that_do_not_fit_are_noticed),
        WITH_DEVICE(two_threads_that_set_arguments_are_noticed),
        WITH_DEVICE(launch_on_a_mapped_buffer_is_noticed),
        WITH_DEVICE(violation_ends_a_strict_process),
        WITH_DEVICE(shape_holds_for_memory_and_info),
        WITH_DEVICE(build_fails_with_a_log),
        cmocka_unit_test(everything_works_through_the_loader),
        cmocka_unit_test(environment_gives_shape_and_faults),
    };
    const struct CMUnitTest shaped[] = {WITH_DEVICE(three_devices_differ_and_run_in_place)};
    if (getenv("FAKECL_TEST_SHAPED") != NULL)
        return cmocka_run_group_tests(shaped, open_with_faults, NULL);
    return cmocka_run_group_tests(tests, load, NULL);
}
