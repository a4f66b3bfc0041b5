#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "lib/opencl/api.h"

static const struct entry {
    const char *name;
    size_t offset;
} entries[] = {
#define ENTRY(name) {#name, offsetof(cl_api, name)},
    YOKE__CL_FUNCTIONS(ENTRY)
#undef ENTRY
};

/* A library that lacks a function stays open all the same: what it started when it was loaded may still run. */
static int find_functions(cl_api *api, void *library, const char *file)
{
    for (size_t k = 0; k < sizeof entries / sizeof *entries; k++) {
        void *found = dlsym(library, entries[k].name);
        if (found == NULL)
            return yoke__fail(YOKE_ENODEV,
                              "%.200s has no function %s: it is no OpenCL 1.2 library; set YOKE_OPENCL_LIB "
                              "to one, or unset it",
                              file, entries[k].name);
        memcpy((unsigned char *)api + entries[k].offset, &found, sizeof found);
    }
    void *optional = dlsym(library, "clGetEventProfilingInfo");
    memcpy(&api->clGetEventProfilingInfo, &optional, sizeof optional);
    return YOKE_OK;
}

int yoke__cl_load(cl_api *api)
{
    *api = (cl_api){0};
    if (getauxval(AT_SECURE) != 0)
        return yoke__fail(YOKE_ENODEV,
                          "the process runs set-user-ID: no OpenCL library is loaded, for loader and drivers "
                          "trust the environment; only the CPU is used");
    const char *given = yoke__env("YOKE_OPENCL_LIB");
    const char *file = given != NULL ? given : "libOpenCL.so.1";
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        return yoke__fail(YOKE_ENODEV, "%.200s cannot be loaded (%.200s); %s", file,
                          why != NULL ? why : "no reason given",
                          given != NULL ? "YOKE_OPENCL_LIB names it" : "install an OpenCL loader to use devices");
    }
    cl_api found = {0};
    int status = find_functions(&found, library, file);
    if (status == YOKE_OK)
        *api = found;
    return status;
}

/* clang-format off */
#define ERRORS(X) \
    X(CL_SUCCESS) X(CL_DEVICE_NOT_FOUND) X(CL_DEVICE_NOT_AVAILABLE) X(CL_COMPILER_NOT_AVAILABLE) \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE) X(CL_OUT_OF_RESOURCES) X(CL_OUT_OF_HOST_MEMORY) \
    X(CL_PROFILING_INFO_NOT_AVAILABLE) X(CL_MEM_COPY_OVERLAP) X(CL_IMAGE_FORMAT_MISMATCH) \
    X(CL_IMAGE_FORMAT_NOT_SUPPORTED) X(CL_BUILD_PROGRAM_FAILURE) X(CL_MAP_FAILURE) X(CL_MISALIGNED_SUB_BUFFER_OFFSET) \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST) X(CL_COMPILE_PROGRAM_FAILURE) X(CL_LINKER_NOT_AVAILABLE) \
    X(CL_LINK_PROGRAM_FAILURE) X(CL_DEVICE_PARTITION_FAILED) X(CL_KERNEL_ARG_INFO_NOT_AVAILABLE) X(CL_INVALID_VALUE) \
    X(CL_INVALID_DEVICE_TYPE) X(CL_INVALID_PLATFORM) X(CL_INVALID_DEVICE) X(CL_INVALID_CONTEXT) \
    X(CL_INVALID_QUEUE_PROPERTIES) X(CL_INVALID_COMMAND_QUEUE) X(CL_INVALID_HOST_PTR) X(CL_INVALID_MEM_OBJECT) \
    X(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR) X(CL_INVALID_IMAGE_SIZE) X(CL_INVALID_SAMPLER) X(CL_INVALID_BINARY) \
    X(CL_INVALID_BUILD_OPTIONS) X(CL_INVALID_PROGRAM) X(CL_INVALID_PROGRAM_EXECUTABLE) X(CL_INVALID_KERNEL_NAME) \
    X(CL_INVALID_KERNEL_DEFINITION) X(CL_INVALID_KERNEL) X(CL_INVALID_ARG_INDEX) X(CL_INVALID_ARG_VALUE) \
    X(CL_INVALID_ARG_SIZE) X(CL_INVALID_KERNEL_ARGS) X(CL_INVALID_WORK_DIMENSION) X(CL_INVALID_WORK_GROUP_SIZE) \
    X(CL_INVALID_WORK_ITEM_SIZE) X(CL_INVALID_GLOBAL_OFFSET) X(CL_INVALID_EVENT_WAIT_LIST) X(CL_INVALID_EVENT) \
    X(CL_INVALID_OPERATION) X(CL_INVALID_GL_OBJECT) X(CL_INVALID_BUFFER_SIZE) X(CL_INVALID_MIP_LEVEL) \
    X(CL_INVALID_GLOBAL_WORK_SIZE) X(CL_INVALID_PROPERTY) X(CL_INVALID_IMAGE_DESCRIPTOR) \
    X(CL_INVALID_COMPILER_OPTIONS) X(CL_INVALID_LINKER_OPTIONS) X(CL_INVALID_DEVICE_PARTITION_COUNT)
/* clang-format on */

const char *yoke__cl_error_name(cl_int error)
{
    switch (error) {
#define NAME(code) \
    case code: return #code;
        ERRORS(NAME)
#undef NAME
    case -1001: return "CL_PLATFORM_NOT_FOUND_KHR";
    default: break;
    }
    static _Thread_local char unknown[32];
    (void)snprintf(unknown, sizeof unknown, "OpenCL error %d", (int)error);
    return unknown;
}
