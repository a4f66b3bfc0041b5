/* Buffers: memory of their own between guards, or the program's in place. */
#include "tests/fault/fakecl/fake.h"

enum { GUARD = 64, GUARD_BYTE = 0xA5, FRESH_BYTE = 0xCB };

bool mem_check_guards(const struct _cl_mem *mem, const char *when)
{
    for (size_t k = 0; mem->block != NULL && k < GUARD; k++) {
        if (mem->block[k] == GUARD_BYTE && mem->data[mem->size + k] == GUARD_BYTE)
            continue;
        violation("%s: the memory around a buffer of %zu bytes was written", when, mem->size);
        return false;
    }
    return true;
}

static bool allocate(cl_mem mem)
{
    if (mem->size > SIZE_MAX / 2)
        return false;
    mem->block = aligned_alloc(GUARD, (mem->size + 3 * GUARD - 1) / GUARD * GUARD);
    if (mem->block == NULL)
        return false;
    mem->data = mem->block + GUARD;
    memset(mem->block, GUARD_BYTE, GUARD);
    memset(mem->data, FRESH_BYTE, mem->size);
    memset(mem->data + mem->size, GUARD_BYTE, GUARD);
    if (mem->host_ptr != NULL && (mem->flags & (CL_MEM_COPY_HOST_PTR | CL_MEM_USE_HOST_PTR)) != 0)
        memcpy(mem->data, mem->host_ptr, mem->size);
    return true;
}

static cl_int check_new(cl_device_id d, cl_mem_flags flags, size_t size, const void *host_ptr)
{
    const cl_mem_flags access = flags & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY);
    const bool uses = (flags & CL_MEM_USE_HOST_PTR) != 0, wants = uses || (flags & CL_MEM_COPY_HOST_PTR) != 0;
    if ((access & (access - 1)) != 0 || (uses && (flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)) != 0)) {
        violation("clCreateBuffer: the flags %#llx exclude each other", (unsigned long long)flags);
        return CL_INVALID_VALUE;
    }
    if (wants != (host_ptr != NULL)) {
        violation("clCreateBuffer: host_ptr and flags do not go together");
        return CL_INVALID_HOST_PTR;
    }
    if (size == 0) {
        violation("clCreateBuffer: a size of 0");
        return CL_INVALID_BUFFER_SIZE;
    }
    return size > d->max_alloc ? CL_INVALID_BUFFER_SIZE : CL_SUCCESS;
}

static bool reserve(cl_device_id d, size_t size)
{
    if (d->allocated > d->global_mem || size > d->global_mem - d->allocated)
        return false;
    d->allocated += size;
    return true;
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host_ptr, cl_int *error)
{
    verdict v = enter(__func__, context, CONTEXT);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    cl_device_id d = context->devices[0];
    lock();
    v.error = check_new(d, flags, size, host_ptr);
    bool in_place = (flags & CL_MEM_USE_HOST_PTR) != 0 && d->unified && !d->copies;
    bool reserved = v.error == CL_SUCCESS && reserve(d, size);
    unlock();
    if (!reserved)
        return refused(error, v.error != CL_SUCCESS ? v.error : CL_MEM_OBJECT_ALLOCATION_FAILURE);
    cl_mem mem = object_new(MEM, sizeof *mem, d);
    if (mem == NULL) /* the reservation is lost with the process' memory */
        return refused(error, CL_OUT_OF_HOST_MEMORY);
    mem->flags = flags;
    mem->size = size;
    mem->host_ptr = (flags & CL_MEM_USE_HOST_PTR) != 0 ? host_ptr : NULL;
    mem->data = host_ptr;
    if ((flags & CL_MEM_COPY_HOST_PTR) != 0)
        mem->host_ptr = host_ptr; /* for allocate() */
    bool made = in_place || allocate(mem);
    if ((flags & CL_MEM_COPY_HOST_PTR) != 0)
        mem->host_ptr = NULL;
    lock();
    mem->context = context;
    pin(context);
    if (made && !in_place && host_ptr != NULL)
        fake.bytes_in += size;
    if (!made)
        drop(mem);
    unlock();
    return made ? refused(error, CL_SUCCESS), mem : refused(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
}

void mem_destroy(cl_mem mem)
{
    if (mem->data != NULL)
        (void)mem_check_guards(mem, "release of a buffer");
    mem->head.device->allocated -= mem->size;
    free(mem->block);
    mem->block = mem->data = NULL;
    unpin(mem->context);
}

cl_int clRetainMemObject(cl_mem mem)
{
    return object_retain(__func__, mem, MEM);
}

cl_int clReleaseMemObject(cl_mem mem)
{
    return object_release(__func__, mem, MEM);
}

cl_int clGetMemObjectInfo(cl_mem mem, cl_mem_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, mem, MEM);
    if (v.error != CL_SUCCESS)
        return v.error;
    switch (what) {
    case CL_MEM_TYPE: ANSWER(cl_mem_object_type, CL_MEM_OBJECT_BUFFER);
    case CL_MEM_FLAGS: ANSWER(cl_mem_flags, mem->flags);
    case CL_MEM_SIZE: ANSWER(size_t, mem->size);
    case CL_MEM_HOST_PTR: ANSWER(uintptr_t, (uintptr_t)mem->host_ptr);
    case CL_MEM_MAP_COUNT: ANSWER(cl_uint, mem->map_count);
    case CL_MEM_REFERENCE_COUNT: ANSWER(cl_uint, mem->head.refs);
    case CL_MEM_CONTEXT: ANSWER(uintptr_t, (uintptr_t)mem->context);
    case CL_MEM_OFFSET: ANSWER(size_t, 0);
    default: return CL_INVALID_VALUE;
    }
}
