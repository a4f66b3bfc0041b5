/* parallel_reduce: fixed blocks, folded by whoever comes, combined in a fixed tree. */
#include <string.h>

#include "lib/parallel/parallel.h"

enum { PARTIALS_ON_STACK = 8192 };

typedef struct reduction {
    yoke__checked checked;
    yoke__isa isa;
    size_t block; /* items */
    unsigned char *partials;
} reduction;

static void fold_blocks(void *context, size_t begin, size_t end)
{
    const reduction *r = context;
    const yoke_kernel *kernel = r->checked.kernel;
    yoke_call call = r->checked.call;
    for (size_t k = begin; k < end; k++) {
        size_t from = k * r->block;
        size_t to = r->checked.items - from < r->block ? r->checked.items : from + r->block;
        call.result = r->partials + k * kernel->result_size;
        kernel->variants[r->isa](&call, from, to);
    }
}

/* Pairs at distance 1, 2, 4, ...: the shape depends on the number of blocks only. */
void yoke__combine_tree(const yoke_kernel *kernel, unsigned char *partials, size_t blocks)
{
    yoke__float_environment saved = yoke__float_enter();
    for (size_t distance = 1; distance < blocks; distance *= 2)
        for (size_t k = 0; k + distance < blocks; k += 2 * distance)
            kernel->combine(partials + k * kernel->result_size, partials + (k + distance) * kernel->result_size);
    yoke__float_leave(saved);
}

static int reduce(yoke_runtime *runtime, const yoke_options *options, reduction *r, void *result)
{
    const yoke_kernel *kernel = r->checked.kernel;
    r->block = yoke__plan_reduction_block(r->checked.items, kernel->result_size, yoke_lanes_max);
    size_t blocks = r->checked.items / r->block + (r->checked.items % r->block != 0);
    _Alignas(YOKE_CACHE_LINE) unsigned char on_stack[PARTIALS_ON_STACK];
    size_t bytes = blocks * kernel->result_size; /* at most REDUCTION_BYTES, or one result */
    bool heap = bytes > sizeof on_stack || kernel->result_alignment > YOKE_CACHE_LINE;
    size_t alignment = kernel->result_alignment > YOKE_CACHE_LINE ? kernel->result_alignment : YOKE_CACHE_LINE;
    r->partials = heap ? yoke__alloc_aligned(alignment, bytes) : on_stack;
    if (r->partials == NULL)
        return yoke__fail(YOKE_ENOMEM, "kernel %s: no memory for %zu partial results", kernel->name, blocks);
    yoke__work work = {.run = fold_blocks,
                       .context = r,
                       .items = blocks,
                       .total = r->checked.items,
                       .scale = r->block,
                       .step = 1,
                       .checked = &r->checked,
                       .block = r->block,
                       .partials = r->partials};
    int status = runtime->checks == NULL ? yoke__run_work(runtime, options, kernel, &work)
                                         : yoke__run_checked(runtime, options, kernel, &work);
    if (status == YOKE_OK) {
        yoke__combine_tree(kernel, r->partials, blocks);
        memcpy(result, r->partials, kernel->result_size);
    }
    if (heap)
        yoke__free(r->partials);
    return status;
}

int yoke__check_result(const yoke_kernel *kernel, const void *result)
{
    if (result == NULL)
        return yoke__fail(YOKE_EINVAL, "kernel %s: the result is NULL; give where to put one %s", kernel->name,
                          kernel->result_type);
    if ((uintptr_t)result % kernel->result_alignment != 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: the result is not aligned for %s; it needs a multiple of %zu bytes",
                          kernel->name, kernel->result_type, kernel->result_alignment);
    return YOKE_OK;
}

int yoke_launch_reduce(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel, size_t n,
                       void *result, void *const *arguments)
{
    reduction r;
    int status = yoke__check_options(options);
    if (status != YOKE_OK)
        return status;
    if (options != NULL && options->launcher != NULL)
        return options->launcher->launch(options->launcher, kernel, n, 1, result, arguments);
    status = yoke__check_result(kernel, result);
    if (status != YOKE_OK)
        return status;
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    status = yoke__check_call(&r.checked, kernel, options, n, 1, arguments);
    if (status != YOKE_OK)
        return status;
    if (n == 0) {
        kernel->identity(result);
        return YOKE_OK;
    }
    r.isa = runtime->isa;
    return reduce(runtime, options, &r, result);
}
