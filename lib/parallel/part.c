/* Parts of a call, for those who divide it among processes. */
#include "yoke/part.h"

#include "lib/parallel/parallel.h"

static bool is_reduction(const yoke_kernel *kernel)
{
    return kernel->shape == YOKE_SHAPE_REDUCE || kernel->shape == YOKE_SHAPE_ACCUMULATE;
}

/* --- what a call needs --- */

static int fill_array(yoke_part_array *array, const yoke_kernel *kernel, unsigned k, const yoke_extent *extent,
                      size_t width, size_t all)
{
    const yoke_parameter *parameter = &kernel->parameters[k];
    size_t bytes, total;
    if ((extent->count | extent->before | extent->after) < 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: a count of array %s is negative or overflows; check the sizes given",
                          kernel->name, parameter->name);
    *array = (yoke_part_array){0};
    bool too_large = yoke__mul_overflows((size_t)extent->count, parameter->size, &bytes);
    if ((kernel->sliced >> k & 1) == 0) {
        array->bytes = total = bytes;
    } else {
        too_large = too_large || yoke__mul_overflows(bytes, width, &bytes) || yoke__mul_overflows(bytes, all, &total);
        array->item_bytes = bytes;
        array->before = (size_t)extent->before < all ? (size_t)extent->before : all;
        array->after = (size_t)extent->after < all ? (size_t)extent->after : all;
    }
    if (too_large || total > PTRDIFF_MAX)
        return yoke__fail(YOKE_EOVERFLOW, "kernel %s: array %s would be larger than the address space", kernel->name,
                          parameter->name);
    return YOKE_OK;
}

static int fill_shape(yoke_call_shape *shape, const yoke_call *call, const yoke_kernel *kernel)
{
    const bool rows = yoke__has_rows(kernel);
    *shape = (yoke_call_shape){.all = rows ? call->size[1] : call->size[0],
                               .block = 1,
                               .step = kernel->shape == YOKE_SHAPE_LANES ? yoke_lanes_max : 1,
                               .is_divisible = 1};
    shape->items = shape->all;
    if (is_reduction(kernel)) {
        shape->block = yoke__plan_reduction_block(shape->all, kernel->result_size, yoke_lanes_max);
        shape->items = shape->all / shape->block + (shape->all % shape->block != 0);
    }
    if (call->size[0] == 0 || call->size[1] == 0) {
        shape->items = 0;
        return YOKE_OK;
    }
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    kernel->extents(call, extents);
    int status = YOKE_OK;
    for (uint32_t arrays = kernel->arrays; arrays != 0 && status == YOKE_OK; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        if (kernel->parameters[k].mode == YOKE_MODE_SCATTER)
            shape->is_divisible = 0;
        status = fill_array(&shape->array[k], kernel, k, &extents[k], rows ? call->size[0] : 1, shape->all);
    }
    return status;
}

static void fill_call(yoke_call *call, const yoke_kernel *kernel, size_t size0, size_t size1, void *const *arguments)
{
    *call = (yoke_call){.size = {size0, size1}, .columns = {0, size0}};
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        call->argument[k] = arguments[k];
}

int yoke_call_shape_of(const yoke_kernel *kernel, size_t size0, size_t size1, void *const *arguments, int has_arrays,
                       yoke_call_shape *shape)
{
    if (kernel == NULL || shape == NULL || (arguments == NULL && kernel->parameter_count > 0))
        return yoke__fail(YOKE_EINVAL, "kernel, arguments or shape is NULL; give all of them");
    yoke__checked checked;
    int status = has_arrays ? yoke__check_call(&checked, kernel, NULL, size0, size1, arguments) : YOKE_OK;
    if (status != YOKE_OK)
        return status;
    yoke_call call;
    fill_call(&call, kernel, size0, size1, arguments);
    return fill_shape(shape, &call, kernel);
}

/* --- running one --- */

typedef struct part_run {
    yoke__checked checked;
    yoke__isa isa;
    bool stream;
    size_t base, block;
    unsigned char *partials; /* of the part's first block */
} part_run;

static void run_items(void *context, size_t begin, size_t end)
{
    const part_run *run = context;
    yoke__run_piece(&run->checked, run->isa, run->stream, run->base + begin, run->base + end);
}

static void run_blocks(void *context, size_t begin, size_t end)
{
    const part_run *run = context;
    const yoke__checked *checked = &run->checked;
    yoke_call call = checked->call;
    for (size_t k = begin; k < end; k++) {
        const size_t from = (run->base + k) * run->block;
        const size_t to = checked->items - from < run->block ? checked->items : from + run->block;
        call.result = run->partials + k * checked->kernel->result_size;
        checked->kernel->variants[run->isa](&call, from, to);
    }
}

/* As yoke__check_call does, but for addresses: they are where the whole array would be. */
static void check_part(yoke__checked *checked, const yoke_kernel *kernel, const yoke_call *call,
                       const yoke_call_shape *shape, size_t items)
{
    *checked = (yoke__checked){.kernel = kernel,
                               .call = *call,
                               .items = shape->all,
                               .pitch = call->size[0],
                               .indivisible = !shape->is_divisible};
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const yoke_part_array *array = &shape->array[k];
        checked->item_bytes[k] = yoke__has_rows(kernel) ? array->item_bytes / call->size[0] : array->item_bytes;
        checked->bytes += array->bytes + array->item_bytes * items;
        if (kernel->parameters[k].mode == YOKE_MODE_OUT && array->item_bytes > 0)
            checked->streamable |= UINT32_C(1) << k;
        for (unsigned other = 0; other < k; other++)
            if (call->argument[k] == call->argument[other])
                checked->streamable &= ~(UINT32_C(1) << k | UINT32_C(1) << other);
    }
}

static int prepare(part_run *run, yoke_runtime **runtime, const yoke_options *options, const yoke_call *call,
                   const yoke_kernel *kernel, yoke_part part, yoke_call_shape *shape)
{
    int status = yoke__check_options(options);
    if (status == YOKE_OK)
        status = fill_shape(shape, call, kernel);
    if (status != YOKE_OK)
        return status;
    if (options != NULL && options->pitch != 0 && options->pitch != call->size[0])
        return yoke__fail(YOKE_EINVAL, "kernel %s: parts of a call cannot have a row pitch", kernel->name);
    if (part.begin > part.end || part.end > shape->items || part.begin % shape->step != 0 ||
        (part.end % shape->step != 0 && part.end != shape->items) ||
        (!shape->is_divisible && part.end - part.begin != shape->items && part.end != part.begin))
        return yoke__fail(YOKE_EINVAL, "kernel %s: [%zu, %zu) is no part of a call of %zu items; see yoke_call_shape",
                          kernel->name, part.begin, part.end, shape->items);
    *runtime = yoke__runtime_or_default(*runtime);
    if (*runtime == NULL)
        return yoke__last_failure();
    run->isa = (*runtime)->isa;
    run->stream = false;
    run->base = part.begin;
    run->block = shape->block;
    run->partials = NULL;
    check_part(&run->checked, kernel, call, shape, (part.end - part.begin) * shape->block);
    return YOKE_OK;
}

int yoke_launch_map_part(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel, size_t size0,
                         size_t size1, yoke_part part, void *const *arguments)
{
    part_run run;
    yoke_call call;
    yoke_call_shape shape;
    fill_call(&call, kernel, size0, size1, arguments);
    int status = prepare(&run, &runtime, options, &call, kernel, part, &shape);
    const size_t items = part.end - part.begin;
    if (status != YOKE_OK || items == 0 || size0 == 0)
        return status;
    yoke__work work = {.run = run_items,
                       .context = &run,
                       .items = items,
                       .total = items,
                       .scale = 1,
                       .base = part.begin,
                       .step = shape.step,
                       .indivisible = run.checked.indivisible,
                       .checked = &run.checked};
    yoke__choose_streaming(runtime, options, &run.stream, &work);
    return yoke__run_work(runtime, options, kernel, &work);
}

int yoke_launch_reduce_part(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel, size_t n,
                            yoke_part part, void *partials, void *const *arguments)
{
    part_run run;
    yoke_call call;
    yoke_call_shape shape;
    fill_call(&call, kernel, n, 1, arguments);
    int status = prepare(&run, &runtime, options, &call, kernel, part, &shape);
    const size_t blocks = part.end - part.begin;
    if (status != YOKE_OK || blocks == 0)
        return status;
    if (partials == NULL || (uintptr_t)partials % kernel->result_alignment != 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: partial results are NULL or not aligned for %s", kernel->name,
                          kernel->result_type);
    run.partials = partials;
    const size_t first = part.begin * shape.block;
    yoke__work work = {.run = run_blocks,
                       .context = &run,
                       .items = blocks,
                       .total = part.end == shape.items ? n - first : blocks * shape.block,
                       .scale = shape.block,
                       .base = part.begin,
                       .step = 1,
                       .checked = &run.checked,
                       .block = shape.block,
                       .partials = partials};
    return yoke__run_work(runtime, options, kernel, &work);
}

int yoke_combine_partials(const yoke_kernel *kernel, void *partials, size_t blocks)
{
    if (kernel == NULL || !is_reduction(kernel) || (partials == NULL && blocks > 0))
        return yoke__fail(YOKE_EINVAL, "give a reduction and its partial results");
    yoke__combine_tree(kernel, partials, blocks);
    return YOKE_OK;
}
