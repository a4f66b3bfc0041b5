/* Bare OpenCL: one device, an in-order queue, and times. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/measure.h"

enum { MOST_PLATFORMS = 64, MOST_DEVICES = 256, BATCHES = 5, PATIENCE_S = 1, LOG_BYTES = 8192 };

bool raw_ok(raw *r, cl_int error, const char *call)
{
    if (error == CL_SUCCESS)
        return true;
    r->failed_call = call;
    r->failed_error = error;
    return false;
}

void raw_report(raw *r, const char *what, size_t n)
{
    if (r->failed_call != NULL)
        report_failed(what, n, "%s: %s", r->failed_call, yoke__cl_error_name(r->failed_error));
    else
        report_failed(what, n, "out of time");
    r->failed_call = NULL;
}

/* In Yoke's order: platform after platform, each device once. */
static cl_device_id find_device(raw *r, unsigned wanted)
{
    cl_platform_id platforms[MOST_PLATFORMS] = {NULL};
    cl_device_id seen[MOST_DEVICES] = {NULL};
    cl_uint platform_count = 0, seen_count = 0;
    if (r->cl.clGetPlatformIDs(MOST_PLATFORMS, platforms, &platform_count) != CL_SUCCESS)
        return NULL;
    for (cl_uint p = 0; p < platform_count && p < MOST_PLATFORMS; p++) {
        cl_device_id ids[MOST_DEVICES] = {NULL};
        cl_uint count = 0, room = MOST_DEVICES - seen_count;
        if (room == 0 || r->cl.clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, room, ids, &count) != CL_SUCCESS)
            continue;
        for (cl_uint k = 0; k < count && k < room; k++) {
            bool known = ids[k] == NULL;
            for (cl_uint j = 0; j < seen_count; j++)
                known = known || seen[j] == ids[k];
            if (!known)
                seen[seen_count++] = ids[k];
        }
    }
    return wanted < seen_count ? seen[wanted] : NULL;
}

void raw_explain_nothing(char *text, size_t size)
{
    cl_api cl;
    cl_platform_id platforms[MOST_PLATFORMS] = {NULL};
    cl_uint count = 0;
    if (yoke__cl_load(&cl) != YOKE_OK) {
        (void)snprintf(text, size, "%s", yoke_error_detail());
        return;
    }
    const cl_int error = cl.clGetPlatformIDs(MOST_PLATFORMS, platforms, &count);
    if (error != CL_SUCCESS || count == 0) {
        (void)snprintf(text, size, "the OpenCL loader finds no driver (clGetPlatformIDs: %d)", (int)error);
        return;
    }
    size_t at = (size_t)snprintf(text, size, "drivers without a device:");
    for (cl_uint p = 0; p < count && p < MOST_PLATFORMS && at < size; p++) {
        char name[256] = "?";
        cl_uint devices = 0;
        (void)cl.clGetPlatformInfo(platforms[p], CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
        const cl_int said = cl.clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 0, NULL, &devices);
        at += (size_t)snprintf(text + at, size - at, " %s (%s)", name, yoke__cl_error_name(said));
    }
}

static bool has_that_name(raw *r)
{
    char name[1024] = "";
    if (!raw_ok(r, r->cl.clGetDeviceInfo(r->id, CL_DEVICE_NAME, sizeof name - 1, name, NULL), "clGetDeviceInfo"))
        return false;
    return strstr(name, r->facts.name) != NULL;
}

bool raw_open(raw *r, unsigned k)
{
    cl_int error = CL_SUCCESS;
    if (yoke__cl_load(&r->cl) != YOKE_OK) {
        report_failed("open", 0, "%s", yoke_error_detail());
        return false;
    }
    r->id = find_device(r, k);
    if (r->id == NULL || !has_that_name(r)) {
        report_failed("open", 0, "OpenCL does not list device %u (%s) as Yoke does", k, r->facts.name);
        return false;
    }
    r->context = r->cl.clCreateContext(NULL, 1, &r->id, NULL, NULL, &error);
    if (raw_ok(r, error, "clCreateContext")) {
        r->queue = r->cl.clCreateCommandQueue(r->context, r->id, 0, &error);
        if (raw_ok(r, error, "clCreateCommandQueue"))
            return true;
    }
    raw_report(r, "open", 0);
    return false;
}

void raw_close(raw *r)
{
    if (r->queue != NULL)
        (void)r->cl.clReleaseCommandQueue(r->queue);
    if (r->context != NULL)
        (void)r->cl.clReleaseContext(r->context);
}

cl_mem raw_buffer(raw *r, cl_mem_flags flags, size_t bytes)
{
    cl_int error = CL_SUCCESS;
    cl_mem buffer = r->cl.clCreateBuffer(r->context, flags, bytes, NULL, &error);
    return raw_ok(r, error, "clCreateBuffer") ? buffer : NULL;
}

void raw_release(raw *r, cl_mem buffer)
{
    if (buffer != NULL)
        (void)r->cl.clReleaseMemObject(buffer);
}

cl_program raw_build(raw *r, const char *source, const char *options)
{
    cl_int error = CL_SUCCESS;
    cl_program program = r->cl.clCreateProgramWithSource(r->context, 1, &source, NULL, &error);
    if (!raw_ok(r, error, "clCreateProgramWithSource"))
        return NULL;
    error = r->cl.clBuildProgram(program, 1, &r->id, options, NULL, NULL);
    if (raw_ok(r, error, "clBuildProgram"))
        return program;
    char *log = calloc(1, LOG_BYTES + 1);
    if (log != NULL) /* what does not fit is an error, and leaves it empty */
        (void)r->cl.clGetProgramBuildInfo(program, r->id, CL_PROGRAM_BUILD_LOG, LOG_BYTES, log, NULL);
    printf("the compiler of %s says:\n%s\n", r->facts.name, log != NULL ? log : "");
    free(log);
    (void)r->cl.clReleaseProgram(program);
    return NULL;
}

cl_kernel raw_kernel(raw *r, cl_program program, const char *name)
{
    cl_int error = CL_SUCCESS;
    cl_kernel kernel = r->cl.clCreateKernel(program, name, &error);
    return raw_ok(r, error, "clCreateKernel") ? kernel : NULL;
}

bool raw_set(raw *r, cl_kernel kernel, cl_uint k, size_t bytes, const void *value)
{
    return raw_ok(r, r->cl.clSetKernelArg(kernel, k, bytes, value), "clSetKernelArg");
}

bool raw_launch(raw *r, cl_kernel kernel, cl_uint dimensions, const size_t *global, const size_t *local)
{
    return raw_ok(r, r->cl.clEnqueueNDRangeKernel(r->queue, kernel, dimensions, NULL, global, local, 0, NULL, NULL),
                  "clEnqueueNDRangeKernel");
}

bool raw_finish(raw *r)
{
    return raw_ok(r, r->cl.clFinish(r->queue), "clFinish");
}

/* Seconds of one in a batch; negative on failure. */
static double batch(raw *r, raw_action *enqueue, void *context, unsigned repeats)
{
    const double start = now_s();
    for (unsigned k = 0; k < repeats; k++)
        if (!enqueue(r, context))
            return -1;
    return raw_finish(r) ? (now_s() - start) / repeats : -1;
}

double raw_best(raw *r, raw_action *enqueue, void *context)
{
    const double wanted = r->quick ? 2e-3 : 20e-3;
    double best = batch(r, enqueue, context, 1); /* compiles, pins, wakes */
    const double stop = fmin(r->deadline_s, now_s() + PATIENCE_S);
    if (best >= 0)
        best = batch(r, enqueue, context, 1);
    if (best < 0)
        return -1;
    const unsigned repeats = (unsigned)fmin(fmax(wanted / fmax(best, 1e-7), 1), 2000);
    for (int k = 0; k < BATCHES && now_s() < stop; k++) {
        const double one = batch(r, enqueue, context, repeats);
        if (one < 0)
            return -1;
        best = fmin(best, one);
    }
    return best;
}
