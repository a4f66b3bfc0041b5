/* Part of test_fakecl.c: what the fake notices of its callers, and its shape. */
#ifndef YOKE_TESTS_WITH_TEST_FAKECL_H
#define YOKE_TESTS_WITH_TEST_FAKECL_H

/* Violations are counted, not fatal, until close_all's; that test asserts there are none left. */
static int lenient(void)
{
    ctl("lenient");
    return ctl("violations?");
}

static void forgive(void)
{
    ctl("reset");
    ctl("strict");
}

static void released_object_is_noticed(void **state)
{
    (void)state;
    int before = lenient();
    cl_mem mem = buffer_of(64);
    ok(cl.clReleaseMemObject(mem), "release");
    assert_int_equal(write_to(mem, x, 1), CL_INVALID_VALUE);
    expect_violation(before, "was released");
    assert_int_equal(cl.clReleaseMemObject(mem), CL_INVALID_MEM_OBJECT);
    expect_violation(before + 1, "was released");
    forgive();
}

static void object_that_is_kept_is_counted_as_leaked(void **state)
{
    (void)state;
    int held = ctl("leaks?");
    cl_event event;
    cl_mem mem = buffer_of(64);
    assert_int_equal(ctl("leaks?"), held + 1);
    ok(cl.clEnqueueWriteBuffer(queue, mem, CL_TRUE, 0, 64, x, 0, NULL, &event), "write");
    assert_int_equal(ctl("leaks?"), held + 2);
    cl.clReleaseEvent(event);
    cl.clReleaseMemObject(mem);
    assert_int_equal(ctl("leaks?"), held);
}

static void arguments_of_a_wrong_size_or_not_set_are_noticed(void **state)
{
    (void)state;
    int before = lenient();
    cl_kernel kernel = kernel_of("fake_sum");
    cl_uint narrow = 0;
    assert_int_equal(cl.clSetKernelArg(kernel, 0, sizeof narrow, &narrow), CL_INVALID_ARG_SIZE);
    expect_violation(before, "4 bytes, not 8");
    assert_int_equal(cl.clSetKernelArg(kernel, 7, sizeof narrow, &narrow), CL_INVALID_ARG_INDEX);
    expect_violation(before + 1, "no argument 7");
    assert_int_equal(run(kernel, 64, NULL), CL_INVALID_KERNEL_ARGS);
    expect_violation(before + 2, "argument 0 of kernel fake_sum is not set");
    cl.clReleaseKernel(kernel);
    forgive();
}

static void items_outside_of_a_buffer_are_noticed(void **state)
{
    (void)state;
    int before = lenient();
    const float a = 1.0f;
    cl_kernel kernel = kernel_of("fake_saxpy");
    cl_mem at_y = buffer_of(100 * sizeof *y), at_x = buffer_of(100 * sizeof *x);
    set_words(kernel, 50, 150, N, 1);
    set_array(kernel, 4, at_y, -50);
    set_array(kernel, 6, at_x, -51); /* one element before the buffer */
    ok(cl.clSetKernelArg(kernel, 8, sizeof a, &a), "value");
    assert_int_equal(run(kernel, 128, NULL), CL_INVALID_KERNEL_ARGS);
    expect_violation(before, "of array x");
    set_array(kernel, 6, at_x, -49); /* one past it */
    assert_int_equal(run(kernel, 128, NULL), CL_INVALID_KERNEL_ARGS);
    expect_violation(before + 1, "of array x");
    set_array(kernel, 6, at_x, -50);
    ok(run(kernel, 128, NULL), "what fits");
    set_words(kernel, 0, 0, 0, 0);
    ok(run(kernel, 128, NULL), "nothing at all");
    assert_int_equal(cl.clEnqueueReadBuffer(queue, at_y, CL_TRUE, 8, 400, y, 0, NULL, NULL), CL_INVALID_VALUE);
    expect_violation(before + 2, "400 bytes at 8 of a buffer of 400");
    cl.clReleaseMemObject(at_x);
    cl.clReleaseMemObject(at_y);
    cl.clReleaseKernel(kernel);
    forgive();
}

static void group_sizes_that_do_not_fit_are_noticed(void **state)
{
    (void)state;
    int before = lenient();
    cl_kernel kernel = kernel_of("fake_saxpy");
    const size_t global[] = {100, 1024}, local[] = {64, 512};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(cl.clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global[k], &local[k], 0, NULL, NULL),
                         CL_INVALID_WORK_GROUP_SIZE);
        expect_violation(before + k, "local size");
    }
    cl.clReleaseKernel(kernel);
    forgive();
}

static void *set_one(void *kernel)
{
    const cl_ulong begin = 0;
    ok(cl.clSetKernelArg(kernel, 0, sizeof begin, &begin), "argument");
    return NULL;
}

static void two_threads_that_set_arguments_are_noticed(void **state)
{
    (void)state;
    int before = lenient();
    pthread_t threads[2];
    cl_kernel kernel = kernel_of("fake_saxpy");
    ctl("fault clSetKernelArg:1:delay=500:sticky");
    for (int k = 0; k < 2; k++)
        assert_int_equal(pthread_create(&threads[k], NULL, set_one, kernel), 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(pthread_join(threads[k], NULL), 0);
    expect_violation(before, "two threads at once");
    cl.clReleaseKernel(kernel);
    forgive();
}

static void launch_on_a_mapped_buffer_is_noticed(void **state)
{
    (void)state;
    int before = lenient();
    cl_int error;
    cl_kernel kernel = kernel_of("fake_sum");
    cl_mem at_x = buffer_of(N * sizeof *x), result = buffer_of(10 * sizeof *x);
    set_words(kernel, 0, 10, N, BLOCK);
    ok(cl.clSetKernelArg(kernel, 4, sizeof result, &result), "result");
    set_array(kernel, 5, at_x, 0);
    void *at = cl.clEnqueueMapBuffer(queue, at_x, CL_TRUE, CL_MAP_WRITE, 0, 64, 0, NULL, NULL, &error);
    ok(error, "map");
    assert_int_equal(run(kernel, 640, NULL), CL_INVALID_KERNEL_ARGS);
    expect_violation(before, "is mapped");
    ok(cl.clEnqueueUnmapMemObject(queue, at_x, at, 0, NULL, NULL), "unmap");
    ok(run(kernel, 640, NULL), "run");
    assert_int_equal(cl.clEnqueueUnmapMemObject(queue, at_x, at, 0, NULL, NULL), CL_INVALID_VALUE);
    expect_violation(before + 1, "not mapped");
    cl.clReleaseMemObject(at_x);
    cl.clReleaseMemObject(result);
    cl.clReleaseKernel(kernel);
    forgive();
}

static void violation_ends_a_strict_process(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)cl.clWaitForEvents(0, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    /* The loader refuses an empty list by itself. */
    assert_true(getenv("FAKECL_TEST_LOADER") != NULL || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

static void shape_holds_for_memory_and_info(void **state)
{
    (void)state;
    cl_int error;
    cl_ulong bytes;
    char version[40];
    assert_int_equal(ctl("shape GLOBALMEM=1000;5"), 0);
    assert_int_equal(ctl("shape FAKECL_MAXALLOC=800"), 0);
    assert_int_equal(ctl("shape VERSION=nonsense"), 0);
    assert_int_equal(ctl("shape DEVICES=3"), -1); /* too late */
    ok(cl.clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof bytes, &bytes, NULL), "info");
    assert_int_equal(bytes, 1000);
    ok(cl.clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof version, version, NULL), "info");
    assert_string_equal(version, "nonsense");
    assert_null(cl.clCreateBuffer(context, CL_MEM_READ_WRITE, 801, NULL, &error));
    assert_int_equal(error, CL_INVALID_BUFFER_SIZE);
    cl_mem mem = buffer_of(800);
    assert_null(cl.clCreateBuffer(context, CL_MEM_READ_WRITE, 201, NULL, &error));
    assert_int_equal(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    cl.clReleaseMemObject(mem);
    ok(cl.clReleaseMemObject(buffer_of(800)), "what was given back is there again");
    ctl("shape GLOBALMEM=2^32");
    ctl("shape MAXALLOC=2^30");
    ctl("shape VERSION=OpenCL 1.2 fakecl");
}

static void build_fails_with_a_log(void **state)
{
    (void)state;
    cl_int error;
    char log[200];
    const char *text = "__kernel void yoke_k_fake_sum() {}";
    ctl("shape BUILD_FAIL=1");
    cl_program program = cl.clCreateProgramWithSource(context, 1, &text, NULL, &error);
    assert_int_equal(cl.clBuildProgram(program, 1, &device, "", NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
    ok(cl.clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log, log, NULL), "log");
    assert_non_null(strstr(log, "error"));
    ctl("shape BUILD_FAIL=0");
    assert_int_equal(cl.clBuildProgram(program, 1, &device, "--nonsense", NULL, NULL), CL_INVALID_BUILD_OPTIONS);
    ok(cl.clBuildProgram(program, 1, &device, "", NULL, NULL), "build");
    cl.clReleaseProgram(program);
}

#endif
