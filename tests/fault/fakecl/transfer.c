/* Writes, reads, maps and markers. */
#include "tests/fault/fakecl/fake.h"

static const cl_map_flags writing = CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;

/* --- on the queue's thread --- */

static void flip_bit(unsigned char *at, size_t bytes)
{
    if (bytes > 0)
        at[bytes / 2] ^= 0x10;
}

static void moved(uint64_t in, uint64_t out)
{
    lock();
    fake.bytes_in += in;
    fake.bytes_out += out;
    unlock();
}

/* Memory of the program that the device works on a copy of. */
static bool is_shadowed(const struct _cl_mem *mem)
{
    return mem->host_ptr != NULL && mem->block != NULL;
}

static void run_map(command *c)
{
    if (is_shadowed(c->mem) && (c->map_flags & CL_MAP_WRITE_INVALIDATE_REGION) == 0) {
        memcpy(c->host, c->mem->data + c->offset, c->size);
        moved(0, c->size);
    }
}

static void run_unmap(command *c)
{
    if (is_shadowed(c->mem) && (c->unmap.flags & writing) != 0) {
        memcpy(c->mem->data + c->unmap.offset, c->unmap.at, c->unmap.size);
        moved(c->unmap.size, 0);
    }
}

void transfer_run(command *c)
{
    switch (c->event->type) {
    case CL_COMMAND_WRITE_BUFFER:
        memcpy(c->mem->data + c->offset, c->host, c->size);
        moved(c->size, 0);
        if (c->fault.flip)
            flip_bit(c->mem->data + c->offset, c->size);
        break;
    case CL_COMMAND_READ_BUFFER:
        memcpy(c->host, c->mem->data + c->offset, c->size);
        moved(0, c->size);
        break;
    case CL_COMMAND_MAP_BUFFER: run_map(c); break;
    case CL_COMMAND_UNMAP_MEM_OBJECT: run_unmap(c); break;
    default: return;
    }
    const bool to_host = c->event->type == CL_COMMAND_READ_BUFFER || c->event->type == CL_COMMAND_MAP_BUFFER;
    if (to_host && c->fault.flip)
        flip_bit(c->host, c->size);
    if (to_host && c->fault.overrun)
        memset(c->host + c->size, 0x5A, 8);
}

/* --- entry points --- */

static bool range_usable(const char *function, cl_command_queue queue, cl_mem mem, size_t offset, size_t size)
{
    if (!object_usable(function, mem, MEM))
        return false;
    if (mem->context != queue->context)
        violation("%s: the buffer is of another context than the queue", function);
    else if (size == 0 || offset > mem->size || size > mem->size - offset)
        violation("%s: %zu bytes at %zu of a buffer of %zu bytes", function, size, offset, mem->size);
    else
        return true;
    return false;
}

static bool host_may(const char *function, const struct _cl_mem *mem, cl_mem_flags forbidden)
{
    if ((mem->flags & forbidden) == 0)
        return true;
    violation("%s: the buffer was made with flags %#llx", function, (unsigned long long)mem->flags);
    return false;
}

/* With the lock. */
static uint64_t transfer_ns(cl_device_id d, size_t bytes)
{
    return d->launch_us * 1000 + (d->gbps > 0.0 ? (uint64_t)((double)bytes / d->gbps) : 0);
}

typedef struct transfer {
    const char *function;
    cl_command_type type;
    cl_mem_flags forbidden;
    cl_mem mem;
    size_t offset, size;
    void *host;
} transfer;

static cl_int enqueue(const transfer *t, cl_command_queue queue, cl_bool blocking, const verdict *v, cl_uint wait_count,
                      const cl_event *wait, cl_event *event)
{
    lock();
    bool usable =
        range_usable(t->function, queue, t->mem, t->offset, t->size) && host_may(t->function, t->mem, t->forbidden);
    if (usable && t->host == NULL)
        violation("%s: the host pointer is NULL", t->function);
    if (usable && t->mem->map_count > 0 && (t->mem->maps[0].flags & writing) != 0)
        violation("%s: the buffer is mapped for writing", t->function);
    unlock();
    cl_int error = CL_INVALID_VALUE;
    if (!usable || t->host == NULL)
        return error;
    command *c = command_new(t->function, queue, t->type, v, wait_count, wait, &error);
    if (c == NULL)
        return error;
    c->host = t->host;
    c->offset = t->offset;
    c->size = t->size;
    lock();
    c->mem = t->mem;
    pin(t->mem);
    c->cost_ns = transfer_ns(queue->head.device, t->size);
    unlock();
    return command_enqueue(c, blocking != CL_FALSE, event);
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t size,
                            const void *from, cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    verdict v = enter(__func__, queue, QUEUE);
    const transfer t = {__func__, CL_COMMAND_WRITE_BUFFER, CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS, mem, offset,
                        size,     (void *)(uintptr_t)from};
    return v.error != CL_SUCCESS ? v.error : enqueue(&t, queue, blocking, &v, wait_count, wait, event);
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t size, void *to,
                           cl_uint wait_count, const cl_event *wait, cl_event *event)
{
    verdict v = enter(__func__, queue, QUEUE);
    const transfer t = {
        __func__, CL_COMMAND_READ_BUFFER, CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS, mem, offset, size, to};
    return v.error != CL_SUCCESS ? v.error : enqueue(&t, queue, blocking, &v, wait_count, wait, event);
}

/* With the lock. */
static unsigned char *add_map(cl_mem mem, cl_map_flags flags, size_t offset, size_t size)
{
    if (mem->map_count == MAPS_LIMIT)
        return NULL;
    unsigned char *at = (mem->host_ptr != NULL ? mem->host_ptr : mem->data) + offset;
    mem->maps[mem->map_count++] = (mapping){at, offset, size, flags};
    return at;
}

/* With the lock. False: no such map. */
static bool take_map(cl_mem mem, const void *at, mapping *taken)
{
    for (unsigned k = 0; k < mem->map_count; k++) {
        if (mem->maps[k].at != at)
            continue;
        *taken = mem->maps[k];
        mem->maps[k] = mem->maps[--mem->map_count];
        return true;
    }
    violation("clEnqueueUnmapMemObject: the buffer is not mapped there");
    return false;
}

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, cl_map_flags flags, size_t offset,
                         size_t size, cl_uint wait_count, const cl_event *wait, cl_event *event, cl_int *error)
{
    verdict v = enter(__func__, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    cl_mem_flags forbidden = CL_MEM_HOST_NO_ACCESS;
    forbidden |= (flags & CL_MAP_READ) != 0 ? CL_MEM_HOST_WRITE_ONLY : 0;
    forbidden |= (flags & writing) != 0 ? CL_MEM_HOST_READ_ONLY : 0;
    lock();
    bool usable = range_usable(__func__, queue, mem, offset, size) && host_may(__func__, mem, forbidden);
    unlock();
    if (!usable)
        return refused(error, CL_INVALID_VALUE);
    command *c = command_new(__func__, queue, CL_COMMAND_MAP_BUFFER, &v, wait_count, wait, &v.error);
    if (c == NULL)
        return refused(error, v.error);
    lock();
    c->mem = mem;
    pin(mem);
    c->map_flags = flags;
    c->offset = offset;
    c->size = size;
    c->host = add_map(mem, flags, offset, size);
    c->cost_ns = transfer_ns(queue->head.device, is_shadowed(mem) ? size : 0);
    void *at = c->host;
    if (at == NULL) {
        violation("clEnqueueMapBuffer: more than %d maps of a buffer", MAPS_LIMIT);
        drop(c->event);
        command_free(c);
    }
    unlock();
    if (at == NULL)
        return refused(error, CL_MAP_FAILURE);
    cl_int status = command_enqueue(c, blocking != CL_FALSE, event);
    if (status != CL_SUCCESS) { /* not mapped */
        mapping taken;
        lock();
        (void)take_map(mem, at, &taken);
        unlock();
        return refused(error, status);
    }
    (void)refused(error, CL_SUCCESS);
    return at;
}

cl_int clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem mem, void *at, cl_uint wait_count, const cl_event *wait,
                               cl_event *event)
{
    verdict v = enter(__func__, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return v.error;
    mapping taken;
    lock();
    bool usable = object_usable(__func__, mem, MEM) && take_map(mem, at, &taken);
    unlock();
    if (!usable)
        return CL_INVALID_VALUE;
    command *c = command_new(__func__, queue, CL_COMMAND_UNMAP_MEM_OBJECT, &v, wait_count, wait, &v.error);
    if (c == NULL)
        return v.error;
    lock();
    c->mem = mem;
    pin(mem);
    c->unmap = taken;
    c->cost_ns = transfer_ns(queue->head.device, is_shadowed(mem) ? taken.size : 0);
    unlock();
    return command_enqueue(c, false, event);
}

static cl_int enqueue_nothing(const char *function, cl_command_type type, cl_command_queue queue, cl_uint wait_count,
                              const cl_event *wait, cl_event *event)
{
    verdict v = enter(function, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return v.error;
    command *c = command_new(function, queue, type, &v, wait_count, wait, &v.error);
    return c != NULL ? command_enqueue(c, false, event) : v.error;
}

cl_int clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint count, const cl_event *wait, cl_event *event)
{
    return enqueue_nothing(__func__, CL_COMMAND_MARKER, queue, count, wait, event);
}

cl_int clEnqueueBarrierWithWaitList(cl_command_queue queue, cl_uint count, const cl_event *wait, cl_event *event)
{
    return enqueue_nothing(__func__, CL_COMMAND_BARRIER, queue, count, wait, event);
}
