/* Launches. The arguments of yoke_k_<name>: 0 begin, 1 end, 2 size0, 3 size1; reductions: 4 the results; then for
 * each parameter an array and its `at` in elements (mod 2^64, to be added to every index), or a value. The body is the
 * range function of the CPU; before it may run, every element it can touch must lie inside of its buffer. */
#include "tests/fault/fakecl/fake.h"

__extension__ typedef __int128 wide;

void launch_free(launch *l)
{
    for (unsigned k = 0; k < l->mem_count; k++)
        unpin(l->mems[k]);
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS; k++)
        free(l->values[k]);
    free(l);
}

/* --- checks; all with the lock --- */

static bool check_arguments(const struct _cl_kernel *kernel, cl_uint *count)
{
    const yoke_kernel *k = kernel->kernel;
    *count = (is_reduction(k) ? 5u : 4u) + (cl_uint)k->parameter_count + (cl_uint)__builtin_popcount(k->arrays);
    for (cl_uint at = 0; at < *count; at++) {
        if (!kernel->arguments[at].set) {
            violation("clEnqueueNDRangeKernel: argument %u of kernel %s is not set", at, k->name);
            return false;
        }
    }
    if (atomic_load(&kernel->busy) > 0)
        violation("clEnqueueNDRangeKernel: another thread sets arguments of kernel %s", k->name);
    return true;
}

static cl_int check_sizes(const yoke_kernel *k, const struct _cl_device_id *d, cl_uint dimensions, const size_t *offset,
                          const size_t *global, const size_t *local)
{
    size_t product = 1;
    const cl_uint wanted = is_flat(k) ? 1 : 2;
    if (dimensions != wanted || global == NULL) {
        violation("clEnqueueNDRangeKernel: %u dimensions for kernel %s, which has %u", dimensions, k->name, wanted);
        return CL_INVALID_WORK_DIMENSION;
    }
    if (k->shape == YOKE_SHAPE_REDUCE && (local == NULL || local[0] != 64)) {
        violation("clEnqueueNDRangeKernel: kernel %s requires a local size of 64", k->name);
        return CL_INVALID_WORK_GROUP_SIZE;
    }
    for (cl_uint n = 0; n < dimensions; n++) {
        size_t group = local != NULL ? local[n] : 1;
        if (offset != NULL && offset[n] != 0) {
            violation("clEnqueueNDRangeKernel: Yoke's kernels know no offset");
            return CL_INVALID_GLOBAL_OFFSET;
        }
        if (global[n] == 0 || (d->address_bits < 64 && global[n] >> d->address_bits != 0)) {
            violation("clEnqueueNDRangeKernel: a global size of %zu for kernel %s", global[n], k->name);
            return CL_INVALID_GLOBAL_WORK_SIZE;
        }
        if (group == 0 || global[n] % group != 0 || __builtin_mul_overflow(product, group, &product) ||
            (local != NULL && product > d->group_size)) {
            violation("clEnqueueNDRangeKernel: a local size of %zu for a global size of %zu; %llu work-items in all "
                      "are possible",
                      group, global[n], (unsigned long long)d->group_size);
            return CL_INVALID_WORK_GROUP_SIZE;
        }
    }
    return CL_SUCCESS;
}

static cl_mem mem_argument(const struct _cl_kernel *kernel, cl_uint at, launch *l, bool written)
{
    cl_mem mem;
    memcpy(&mem, kernel->arguments[at].value, sizeof mem);
    if (!object_usable("clEnqueueNDRangeKernel", mem, MEM))
        return NULL;
    bool mapped = mem->map_count > 0 && written;
    for (unsigned k = 0; k < mem->map_count; k++)
        mapped |= (mem->maps[k].flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)) != 0;
    if (mapped || (written && (mem->flags & CL_MEM_READ_ONLY) != 0) ||
        (!written && (mem->flags & CL_MEM_WRITE_ONLY) != 0)) {
        violation("clEnqueueNDRangeKernel: argument %u of kernel %s is %s", at, kernel->kernel->name,
                  mapped ? "mapped" : "a buffer that it may not use so");
        return NULL;
    }
    pin(mem);
    l->mems[l->mem_count++] = mem;
    return mem;
}

static uint64_t word_argument(const struct _cl_kernel *kernel, cl_uint at)
{
    uint64_t value;
    memcpy(&value, kernel->arguments[at].value, sizeof value);
    return value;
}

/* The elements of parameter k that the launch may touch: [from[0], from[1]). */
static void touched(const launch *l, unsigned k, const yoke_extent *extent, wide from[2])
{
    const bool flat = is_flat(l->kernel);
    const wide size0 = l->size[0], items = flat ? size0 : (wide)l->size[1], pitch = flat ? 1 : size0;
    wide begin = l->begin, end = l->end;
    if (is_reduction(l->kernel)) {
        begin *= (wide)l->size[1];
        end = end * (wide)l->size[1] < size0 ? end * (wide)l->size[1] : size0;
    }
    if ((l->kernel->sliced >> k & 1) == 0) {
        from[0] = 0;
        from[1] = extent->count;
        return;
    }
    if (l->kernel->parameters[k].mode == YOKE_MODE_HALO) {
        begin = begin > extent->before ? begin - extent->before : 0;
        end = end + extent->after < items ? end + extent->after : items;
    }
    from[0] = begin * pitch * extent->count;
    from[1] = flat ? end * extent->count : ((end - 1) * pitch + (wide)l->call.columns[1]) * extent->count;
    if (l->kernel->parameters[k].mode == YOKE_MODE_HALO && !flat)
        from[1] = end * pitch;
}

static bool check_array(launch *l, unsigned k, const struct _cl_mem *mem, uint64_t at, const yoke_extent *extent)
{
    const yoke_parameter *p = &l->kernel->parameters[k];
    wide range[2];
    touched(l, k, extent, range);
    const uintptr_t base = (uintptr_t)mem->data + (uintptr_t)(at * p->size);
    const wide first = (range[0] + (int64_t)at) * (wide)p->size, last = (range[1] + (int64_t)at) * (wide)p->size;
    l->call.argument[k] = (void *)base;
    if (range[0] >= range[1])
        return true;
    if (first < 0 || last > (wide)mem->size) {
        violation("clEnqueueNDRangeKernel: kernel %s touches bytes %lld to %lld of array %s, whose buffer has %zu",
                  l->kernel->name, (long long)first, (long long)last, p->name, mem->size);
        return false;
    }
    if ((base & (p->alignment - 1)) != 0) {
        violation("clEnqueueNDRangeKernel: array %s of kernel %s is misaligned", p->name, l->kernel->name);
        return false;
    }
    if ((l->kernel->written >> k & 1) != 0 && l->written == NULL) {
        l->written = mem->data + (size_t)first;
        l->written_bytes = (size_t)(last - first);
    }
    return true;
}

/* Values first: counts may depend on them. */
static bool take_arguments(launch *l, const struct _cl_kernel *kernel)
{
    const yoke_kernel *k = l->kernel;
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    cl_uint first = is_reduction(k) ? 5 : 4, at = first;
    for (unsigned n = 0; n < k->parameter_count; n++) {
        const bool is_array = (k->arrays >> n & 1) != 0;
        const argument *a = &kernel->arguments[at];
        at += is_array ? 2 : 1;
        if (is_array)
            continue;
        if ((l->values[n] = malloc(a->size)) == NULL)
            return false;
        l->call.argument[n] = memcpy(l->values[n], a->value, a->size);
    }
    if (l->begin < l->end)
        k->extents(&l->call, extents);
    at = first;
    for (unsigned n = 0; n < k->parameter_count; n++) {
        const bool is_array = (k->arrays >> n & 1) != 0;
        if (is_array) {
            const cl_mem mem = mem_argument(kernel, at, l, (k->written >> n & 1) != 0);
            if (mem == NULL ||
                (l->begin < l->end && !check_array(l, n, mem, word_argument(kernel, at + 1), &extents[n])))
                return false;
        }
        at += is_array ? 2 : 1;
    }
    return true;
}

static bool take_result(launch *l, const struct _cl_kernel *kernel)
{
    if (!is_reduction(l->kernel))
        return true;
    const cl_mem mem = mem_argument(kernel, 4, l, true);
    const uint64_t bytes = (l->end - l->begin) * l->kernel->result_size;
    if (mem == NULL)
        return false;
    if (bytes > mem->size)
        violation("clEnqueueNDRangeKernel: %llu bytes of results of kernel %s do not fit into %zu",
                  (unsigned long long)bytes, l->kernel->name, mem->size);
    l->result = l->written = mem->data;
    l->written_bytes = (size_t)bytes;
    return bytes <= mem->size;
}

/* begin and end of what the work-items reach. */
static bool take_range(launch *l, const struct _cl_kernel *kernel, const size_t *global)
{
    const bool flat = is_flat(l->kernel), folds = is_reduction(l->kernel);
    l->begin = word_argument(kernel, 0);
    l->end = word_argument(kernel, 1);
    l->call.size[0] = l->size[0] = word_argument(kernel, 2);
    l->call.size[1] = l->size[1] = word_argument(kernel, 3);
    l->call.columns[1] = flat || l->size[0] < global[0] ? l->size[0] : global[0];
    uint64_t limit = flat ? l->size[0] : l->size[1];
    if (folds)
        limit = l->size[1] > 0 ? (l->size[0] + l->size[1] - 1) / l->size[1] : 0;
    if (l->begin == l->end) /* an empty piece may be of anything */
        return true;
    if (l->size[0] == 0 || l->begin > l->end || l->end > limit || (flat && !folds && l->size[1] != 1)) {
        violation("clEnqueueNDRangeKernel: kernel %s over [%llu, %llu) of %llu x %llu", l->kernel->name,
                  (unsigned long long)l->begin, (unsigned long long)l->end, (unsigned long long)l->size[0],
                  (unsigned long long)l->size[1]);
        return false;
    }
    const uint64_t groups = l->kernel->shape == YOKE_SHAPE_REDUCE ? global[0] / 64 : global[flat ? 0 : 1];
    if (l->end - l->begin > groups)
        l->end = l->begin + groups;
    l->items = (l->end - l->begin) * (flat ? 1 : l->call.columns[1]) * (folds ? l->size[1] : 1);
    if (folds)
        l->call.size[1] = 1;
    return true;
}

/* --- on the queue's thread --- */

void launch_run(command *c)
{
    launch *l = c->launch;
    yoke_range *range = l->kernel->variants[0];
    if (l->begin == l->end)
        return;
    if (!is_reduction(l->kernel)) {
        range(&l->call, (size_t)l->begin, (size_t)l->end);
    } else {
        for (uint64_t g = 0; g < l->end - l->begin; g++) {
            const uint64_t first = (l->begin + g) * l->size[1], last = first + l->size[1];
            l->call.result = l->result + g * l->kernel->result_size;
            range(&l->call, (size_t)first, (size_t)(last < l->size[0] ? last : l->size[0]));
        }
    }
    if (c->fault.flip && l->written_bytes > 0)
        l->written[l->written_bytes / 2] ^= 0x10;
    lock();
    for (unsigned k = 0; k < l->mem_count; k++)
        (void)mem_check_guards(l->mems[k], l->kernel->name);
    unlock();
}

/* --- entry point --- */

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint wait_count, const cl_event *wait,
                              cl_event *event)
{
    verdict v = enter(__func__, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return v.error;
    launch *l = calloc(1, sizeof *l);
    if (l == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    cl_uint count;
    cl_device_id d = queue->head.device;
    cl_int error = CL_INVALID_KERNEL;
    lock();
    if (object_usable(__func__, kernel, KERNEL)) {
        l->kernel = kernel->kernel;
        error = check_sizes(l->kernel, d, dimensions, offset, global, local);
        if (error == CL_SUCCESS && !(check_arguments(kernel, &count) && take_range(l, kernel, global) &&
                                     take_arguments(l, kernel) && take_result(l, kernel)))
            error = CL_INVALID_KERNEL_ARGS;
    }
    const uint64_t ns = d->launch_us * 1000 + l->items * d->ns_per_item;
    if (error != CL_SUCCESS)
        launch_free(l);
    unlock();
    if (error != CL_SUCCESS)
        return error;
    command *c = command_new(__func__, queue, CL_COMMAND_NDRANGE_KERNEL, &v, wait_count, wait, &error);
    if (c == NULL) {
        lock();
        launch_free(l);
        unlock();
        return error;
    }
    c->launch = l;
    c->cost_ns = ns;
    return command_enqueue(c, false, event);
}
