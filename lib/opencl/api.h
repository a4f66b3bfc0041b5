/* Inside of lib/opencl: the functions of OpenCL 1.2 that Yoke calls, found in a library that is opened at run time. */
#ifndef YOKE_OPENCL_API_H
#define YOKE_OPENCL_API_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "lib/base/base.h"

/* clang-format off */
#define YOKE__CL_FUNCTIONS(X) \
    X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) \
    X(clCreateContext) X(clReleaseContext) X(clCreateCommandQueue) X(clReleaseCommandQueue) \
    X(clCreateBuffer) X(clReleaseMemObject) \
    X(clCreateProgramWithSource) X(clCreateProgramWithBinary) X(clBuildProgram) X(clGetProgramInfo) \
    X(clGetProgramBuildInfo) X(clReleaseProgram) \
    X(clCreateKernel) X(clSetKernelArg) X(clGetKernelWorkGroupInfo) X(clReleaseKernel) \
    X(clEnqueueWriteBuffer) X(clEnqueueReadBuffer) X(clEnqueueMapBuffer) X(clEnqueueUnmapMemObject) \
    X(clEnqueueNDRangeKernel) X(clFlush) X(clFinish) X(clWaitForEvents) X(clGetEventInfo) X(clReleaseEvent)
/* clang-format on */

typedef struct cl_api {
#define YOKE__CL_MEMBER(name) __typeof__(&(name)) name;
    YOKE__CL_FUNCTIONS(YOKE__CL_MEMBER)
#undef YOKE__CL_MEMBER
    __typeof__(&clGetEventProfilingInfo) clGetEventProfilingInfo; /* for a trace; NULL: the library has none */
} cl_api;

/* Opens libOpenCL.so.1, or the library that YOKE_OPENCL_LIB names, for ever (drivers do not survive being unloaded), and
 * finds every function. 0, or ENODEV with a detail. Not under set-user-ID: loader and drivers trust the environment. */
int yoke__cl_load(cl_api *api);

/* "CL_OUT_OF_RESOURCES"; never NULL. */
const char *yoke__cl_error_name(cl_int error);

#endif
