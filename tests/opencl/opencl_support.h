/* A device that can compile, and its buffers; every failure fails the test with the build log or the number. */
#ifndef YOKE_TESTS_OPENCL_SUPPORT_H
#define YOKE_TESTS_OPENCL_SUPPORT_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/support.h"
#include "yoke/yoke.h"

#if SANITIZED /* what the driver's compiler keeps is not ours */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpocl\nleak:libLLVM\nleak:libclang\nleak:libOpenCL\n";
}
#endif

static cl_context context;
static cl_device_id device;
static cl_command_queue queue;

static inline void cl_ok(cl_int error, const char *what)
{
    if (error != CL_SUCCESS)
        fail_msg("%s: OpenCL error %d", what, (int)error);
}

/* PoCL's compiler keeps what it made; here it does so in a folder of this test alone. */
static char cache[] = "/tmp/yoke-pocl-XXXXXX";

static int remove_one(const char *path, const struct stat *what, int type, struct FTW *where)
{
    (void)what, (void)type, (void)where;
    return remove(path);
}

static inline void remove_cache(void)
{
    (void)nftw(cache, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* False when there is no OpenCL device here. */
static inline bool open_device(void)
{
    cl_platform_id platforms[8];
    cl_uint count = 0;
    cl_int error;
    if (mkdtemp(cache) == NULL || setenv("POCL_CACHE_DIR", cache, 1) != 0 || atexit(remove_cache) != 0)
        return false;
    if (clGetPlatformIDs(8, platforms, &count) != CL_SUCCESS)
        return false;
    for (cl_uint k = 0; k < count && k < 8; k++) {
        if (clGetDeviceIDs(platforms[k], CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
            continue;
        context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
        cl_ok(error, "context");
        queue = clCreateCommandQueue(context, device, 0, &error);
        cl_ok(error, "queue");
        return true;
    }
    return false;
}

static inline void close_device(void)
{
    if (context == NULL)
        return;
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
}

/* Group fixtures. Without a device the whole program is skipped. */
static inline int set_up_device(void **state)
{
    (void)state;
    if (!open_device()) {
        puts("skipped: no OpenCL device here; install pocl-opencl-icd");
        exit(77);
    }
    return 0;
}

static inline int tear_down_device(void **state)
{
    (void)state;
    close_device();
    return 0;
}

static inline char *source_of(const yoke_kernel *kernel)
{
    size_t length;
    assert_int_equal(yoke_kernel_source(kernel, NULL, 0, &length), YOKE_OK);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(yoke_kernel_source(kernel, text, length + 1, NULL), YOKE_OK);
    assert_int_equal(strlen(text), length);
    return text;
}

static inline cl_program build(const yoke_kernel *kernel, const char *options)
{
    cl_int error;
    char *text = source_of(kernel);
    const char *lines = text;
    cl_program program = clCreateProgramWithSource(context, 1, &lines, NULL, &error);
    cl_ok(error, kernel->name);
    error = clBuildProgram(program, 1, &device, options, NULL, NULL);
    if (error != CL_SUCCESS) {
        static char log[20000];
        log[0] = '\0';
        (void)clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
        fail_msg("kernel %s does not build: %d\n%s\n%s", kernel->name, (int)error, log, text);
    }
    free(text);
    return program;
}

static inline cl_mem buffer_of(const void *content, size_t bytes)
{
    cl_int error;
    cl_mem buffer =
        clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, (void *)(uintptr_t)content, &error);
    cl_ok(error, "buffer");
    return buffer;
}

#endif
