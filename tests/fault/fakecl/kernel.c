/* Kernels: descriptors of the program under test, and their arguments in Yoke's order (see launch.c). */
#include <dlfcn.h>

#include "tests/fault/fakecl/fake.h"

enum { REGISTERED_LIMIT = 256 };

static const yoke_kernel *registered[REGISTERED_LIMIT];
static unsigned registered_count;

void fakecl_register(const yoke_kernel *kernel)
{
    lock();
    bool room = registered_count < REGISTERED_LIMIT;
    if (room)
        registered[registered_count++] = kernel;
    unlock();
    if (!room)
        violation("fakecl_register: more than %d kernels", REGISTERED_LIMIT);
}

const yoke_kernel *kernel_find(const char *name)
{
    const yoke_kernel *found = NULL;
    lock();
    for (unsigned k = 0; k < registered_count; k++)
        if (strcmp(registered[k]->name, name) == 0)
            found = registered[k];
    unlock();
    char symbol[200];
    if (found != NULL || snprintf(symbol, sizeof symbol, "yoke__kernel_%s", name) >= (int)sizeof symbol)
        return found;
    return dlsym(RTLD_DEFAULT, symbol);
}

bool is_reduction(const yoke_kernel *kernel)
{
    return kernel->shape == YOKE_SHAPE_REDUCE || kernel->shape == YOKE_SHAPE_ACCUMULATE;
}

bool is_flat(const yoke_kernel *kernel)
{
    return kernel->shape != YOKE_SHAPE_MAP_2D && kernel->shape != YOKE_SHAPE_LANES_2D;
}

cl_kernel clCreateKernel(cl_program program, const char *name, cl_int *error)
{
    verdict v = enter(__func__, program, PROGRAM);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    if (name == NULL || program->status != CL_BUILD_SUCCESS) {
        violation("clCreateKernel: %s", name == NULL ? "the name is NULL" : "the program was not built");
        return refused(error, name == NULL ? CL_INVALID_VALUE : CL_INVALID_PROGRAM_EXECUTABLE);
    }
    const yoke_kernel *found = NULL;
    if (strncmp(name, "yoke_k_", 7) == 0 && source_has_kernel(program->source, name))
        found = kernel_find(name + 7);
    if (found == NULL)
        return refused(error, CL_INVALID_KERNEL_NAME);
    cl_kernel kernel = object_new(KERNEL, sizeof *kernel, program->head.device);
    if (kernel == NULL)
        return refused(error, CL_OUT_OF_HOST_MEMORY);
    kernel->kernel = found;
    lock();
    kernel->program = program;
    pin(program);
    unlock();
    (void)refused(error, CL_SUCCESS);
    return kernel;
}

void kernel_destroy(cl_kernel kernel)
{
    for (unsigned k = 0; k < ARGUMENTS_LIMIT; k++)
        free(kernel->arguments[k].value);
    unpin(kernel->program);
}

/* Of argument `at`, in bytes; 0: there is none. */
static size_t expected_size(const yoke_kernel *kernel, cl_uint at, bool *is_mem)
{
    cl_uint next = 4;
    *is_mem = false;
    if (at < next)
        return sizeof(cl_ulong);
    if (is_reduction(kernel) && at == next++) {
        *is_mem = true;
        return sizeof(cl_mem);
    }
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const bool is_array = (kernel->arrays >> k & 1) != 0;
        if (at == next++) {
            *is_mem = is_array;
            return is_array ? sizeof(cl_mem) : kernel->parameters[k].size;
        }
        if (is_array && at == next++)
            return sizeof(cl_long);
    }
    return 0;
}

static cl_int set(cl_kernel kernel, cl_uint at, size_t size, const void *value)
{
    bool is_mem;
    const char *name = kernel->kernel->name;
    size_t expected = expected_size(kernel->kernel, at, &is_mem);
    if (expected == 0) {
        violation("clSetKernelArg: kernel %s has no argument %u", name, at);
        return CL_INVALID_ARG_INDEX;
    }
    if (size != expected) {
        violation("clSetKernelArg: argument %u of kernel %s is given %zu bytes, not %zu", at, name, size, expected);
        return CL_INVALID_ARG_SIZE;
    }
    cl_mem mem = NULL;
    if (value != NULL && is_mem)
        memcpy(&mem, value, sizeof mem);
    if (value == NULL || (is_mem && !object_usable("clSetKernelArg", mem, MEM))) {
        if (value == NULL)
            violation("clSetKernelArg: argument %u of kernel %s is NULL", at, name);
        return CL_INVALID_ARG_VALUE;
    }
    argument *a = &kernel->arguments[at];
    if (a->value == NULL && (a->value = malloc(size)) == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    memcpy(a->value, value, size);
    a->size = size;
    a->set = true;
    return CL_SUCCESS;
}

/* Not thread-safe by the standard: two at once are a violation; a delay= makes them meet. */
cl_int clSetKernelArg(cl_kernel kernel, cl_uint at, size_t size, const void *value)
{
    lock();
    bool usable = object_usable(__func__, kernel, KERNEL);
    if (usable)
        pin(kernel);
    unlock();
    if (!usable)
        return CL_INVALID_KERNEL;
    if (atomic_fetch_add(&kernel->busy, 1) > 0)
        violation("clSetKernelArg: two threads at once on kernel %s", kernel->kernel->name);
    verdict v = enter(__func__, kernel, KERNEL);
    lock();
    if (v.error == CL_SUCCESS)
        v.error = set(kernel, at, size, value);
    atomic_fetch_sub(&kernel->busy, 1);
    unpin(kernel);
    unlock();
    return v.error;
}

cl_int clRetainKernel(cl_kernel kernel)
{
    return object_retain(__func__, kernel, KERNEL);
}

cl_int clReleaseKernel(cl_kernel kernel)
{
    return object_release(__func__, kernel, KERNEL);
}

cl_int clGetKernelInfo(cl_kernel kernel, cl_kernel_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, kernel, KERNEL);
    if (v.error != CL_SUCCESS)
        return v.error;
    bool is_mem;
    cl_uint count = 0;
    char name[200];
    while (expected_size(kernel->kernel, count, &is_mem) > 0)
        count++;
    (void)snprintf(name, sizeof name, "yoke_k_%s", kernel->kernel->name);
    switch (what) {
    case CL_KERNEL_FUNCTION_NAME: return answer_text(name, capacity, to, needed);
    case CL_KERNEL_NUM_ARGS: ANSWER(cl_uint, count);
    case CL_KERNEL_REFERENCE_COUNT: ANSWER(cl_uint, kernel->head.refs);
    case CL_KERNEL_CONTEXT: ANSWER(uintptr_t, (uintptr_t)kernel->program->context);
    case CL_KERNEL_PROGRAM: ANSWER(uintptr_t, (uintptr_t)kernel->program);
    default: return CL_INVALID_VALUE;
    }
}

cl_int clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t capacity,
                                void *to, size_t *needed)
{
    verdict v = enter(__func__, kernel, KERNEL);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    bool usable = device == NULL || object_usable(__func__, device, DEVICE);
    const uint64_t group = kernel->head.device->group_size;
    unlock();
    if (!usable)
        return CL_INVALID_DEVICE;
    const bool folds = kernel->kernel->shape == YOKE_SHAPE_REDUCE;
    const size_t required[3] = {folds ? 64 : 0, folds ? 1 : 0, folds ? 1 : 0};
    switch (what) {
    case CL_KERNEL_WORK_GROUP_SIZE: ANSWER(size_t, group);
    case CL_KERNEL_COMPILE_WORK_GROUP_SIZE: return answer(required, sizeof required, capacity, to, needed);
    case CL_KERNEL_LOCAL_MEM_SIZE: ANSWER(cl_ulong, folds ? 64 * kernel->kernel->result_size : 0);
    case CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE: ANSWER(size_t, 32);
    case CL_KERNEL_PRIVATE_MEM_SIZE: ANSWER(cl_ulong, 0);
    default: return CL_INVALID_VALUE;
    }
}
