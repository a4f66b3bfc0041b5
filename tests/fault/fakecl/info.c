/* What platform, devices, contexts and queues say of themselves. */
#include "tests/fault/fakecl/fake.h"

cl_int answer(const void *value, size_t bytes, size_t capacity, void *to, size_t *needed)
{
    if (needed != NULL)
        *needed = bytes;
    if (to == NULL)
        return CL_SUCCESS;
    if (capacity < bytes)
        return CL_INVALID_VALUE;
    memcpy(to, value, bytes);
    return CL_SUCCESS;
}

cl_int answer_text(const char *text, size_t capacity, void *to, size_t *needed)
{
    return answer(text, strlen(text) + 1, capacity, to, needed);
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, platform, PLATFORM);
    if (v.error != CL_SUCCESS)
        return v.error;
    switch (what) {
    case CL_PLATFORM_NAME: return answer_text("Fake Platform", capacity, to, needed);
    case CL_PLATFORM_VENDOR: return answer_text("Fake Vendor", capacity, to, needed);
    case CL_PLATFORM_PROFILE: return answer_text("FULL_PROFILE", capacity, to, needed);
    case CL_PLATFORM_VERSION: return answer_text("OpenCL 1.2 fakecl", capacity, to, needed);
    case CL_PLATFORM_EXTENSIONS: return answer_text("cl_khr_icd", capacity, to, needed);
    case CL_PLATFORM_ICD_SUFFIX_KHR: return answer_text("FAKE", capacity, to, needed);
    default: return CL_INVALID_VALUE;
    }
}

/* With the lock; NULL: not a text. */
static const char *device_text(const struct _cl_device_id *d, cl_device_info what)
{
    switch (what) {
    case CL_DEVICE_NAME: return d->name;
    case CL_DEVICE_VERSION: return d->version;
    case CL_DEVICE_VENDOR: return "Fake Vendor";
    case CL_DRIVER_VERSION: return "1.0";
    case CL_DEVICE_PROFILE: return "FULL_PROFILE";
    case CL_DEVICE_OPENCL_C_VERSION: return "OpenCL C 1.2";
    case CL_DEVICE_BUILT_IN_KERNELS: return "";
    case CL_DEVICE_EXTENSIONS: return d->has_double ? "cl_khr_fp64 cl_khr_global_int32_base_atomics" : "";
    default: return NULL;
    }
}

/* cl_uint and cl_bool. */
static bool device_uint(const struct _cl_device_id *d, cl_device_info what, cl_uint *value)
{
    switch (what) {
    case CL_DEVICE_VENDOR_ID: *value = 0xFA4E; break;
    case CL_DEVICE_MAX_COMPUTE_UNITS: *value = (cl_uint)d->units; break;
    case CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS: *value = 3; break;
    case CL_DEVICE_ADDRESS_BITS: *value = (cl_uint)d->address_bits; break;
    case CL_DEVICE_MAX_CLOCK_FREQUENCY: *value = 1000; break;
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN: *value = 1024; break;
    case CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE: *value = 64; break;
    case CL_DEVICE_GLOBAL_MEM_CACHE_TYPE: *value = CL_READ_WRITE_CACHE; break;
    case CL_DEVICE_LOCAL_MEM_TYPE: *value = CL_LOCAL; break;
    case CL_DEVICE_MAX_CONSTANT_ARGS: *value = 8; break;
    case CL_DEVICE_PARTITION_MAX_SUB_DEVICES: *value = 1; break;
    case CL_DEVICE_REFERENCE_COUNT: *value = 1; break;
    case CL_DEVICE_AVAILABLE: *value = !d->lost; break;
    case CL_DEVICE_HOST_UNIFIED_MEMORY: *value = d->unified; break;
    case CL_DEVICE_COMPILER_AVAILABLE:
    case CL_DEVICE_LINKER_AVAILABLE:
    case CL_DEVICE_ENDIAN_LITTLE: *value = CL_TRUE; break;
    case CL_DEVICE_ERROR_CORRECTION_SUPPORT:
    case CL_DEVICE_IMAGE_SUPPORT: *value = CL_FALSE; break;
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
    case CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT: *value = 1; break;
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_DOUBLE:
    case CL_DEVICE_PREFERRED_VECTOR_WIDTH_DOUBLE: *value = d->has_double; break;
    default: return false;
    }
    return true;
}

/* cl_ulong, bit-fields, size_t and pointers: all of 8 bytes. */
static bool device_ulong(const struct _cl_device_id *d, cl_device_info what, cl_ulong *value)
{
    const cl_ulong usual = CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_FMA;
    switch (what) {
    case CL_DEVICE_TYPE: *value = d->type; break;
    case CL_DEVICE_PLATFORM: *value = (cl_ulong)(uintptr_t)&fake.platform; break;
    case CL_DEVICE_PARENT_DEVICE: *value = 0; break;
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: *value = d->group_size; break;
    case CL_DEVICE_GLOBAL_MEM_SIZE: *value = d->global_mem; break;
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: *value = d->max_alloc; break;
    case CL_DEVICE_LOCAL_MEM_SIZE: *value = 32768; break;
    case CL_DEVICE_GLOBAL_MEM_CACHE_SIZE: *value = 1 << 20; break;
    case CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE: *value = 65536; break;
    case CL_DEVICE_MAX_PARAMETER_SIZE: *value = 1024; break;
    case CL_DEVICE_PROFILING_TIMER_RESOLUTION: *value = 1; break;
    case CL_DEVICE_PRINTF_BUFFER_SIZE: *value = 1 << 20; break;
    case CL_DEVICE_EXECUTION_CAPABILITIES: *value = CL_EXEC_KERNEL; break;
    case CL_DEVICE_QUEUE_PROPERTIES: *value = CL_QUEUE_PROFILING_ENABLE; break;
    case CL_DEVICE_DOUBLE_FP_CONFIG: *value = d->has_double ? usual | CL_FP_DENORM : 0; break;
    case CL_DEVICE_SINGLE_FP_CONFIG:
        *value = usual | (d->denormals ? CL_FP_DENORM : 0) |
                 (d->correctly_rounded ? CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT : 0);
        break;
    default: return false;
    }
    return true;
}

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, device, DEVICE);
    if (v.error != CL_SUCCESS)
        return v.error;
    cl_uint small;
    cl_ulong large;
    lock();
    const struct _cl_device_id d = *device;
    unlock();
    const char *text = device_text(&d, what);
    if (text != NULL)
        return answer_text(text, capacity, to, needed);
    if (device_uint(&d, what, &small))
        return answer(&small, sizeof small, capacity, to, needed);
    if (device_ulong(&d, what, &large))
        return answer(&large, sizeof large, capacity, to, needed);
    if (what == CL_DEVICE_MAX_WORK_ITEM_SIZES) {
        const size_t sizes[3] = {d.group_size, d.group_size, d.group_size};
        return answer(sizes, sizeof sizes, capacity, to, needed);
    }
    return CL_INVALID_VALUE;
}

cl_int clGetContextInfo(cl_context context, cl_context_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, context, CONTEXT);
    if (v.error != CL_SUCCESS)
        return v.error;
    switch (what) {
    case CL_CONTEXT_NUM_DEVICES: ANSWER(cl_uint, context->count);
    case CL_CONTEXT_REFERENCE_COUNT: ANSWER(cl_uint, context->head.refs);
    case CL_CONTEXT_DEVICES:
        return answer(context->devices, context->count * sizeof context->devices[0], capacity, to, needed);
    default: return CL_INVALID_VALUE;
    }
}

cl_int clGetCommandQueueInfo(cl_command_queue queue, cl_command_queue_info what, size_t capacity, void *to,
                             size_t *needed)
{
    verdict v = enter(__func__, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return v.error;
    switch (what) {
    case CL_QUEUE_CONTEXT: ANSWER(uintptr_t, (uintptr_t)queue->context);
    case CL_QUEUE_DEVICE: ANSWER(uintptr_t, (uintptr_t)queue->head.device);
    case CL_QUEUE_REFERENCE_COUNT: ANSWER(cl_uint, queue->head.refs);
    case CL_QUEUE_PROPERTIES: ANSWER(cl_command_queue_properties, queue->properties);
    default: return CL_INVALID_VALUE;
    }
}
