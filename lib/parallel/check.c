/* Arguments of a call: every refusal happens here, before anything runs. */
#include "lib/parallel/parallel.h"

typedef struct span {
    uintptr_t begin, end;
    size_t item_bytes; /* 0: not sliced */
} span;

/* Elements of the grid from the first to past the last one that a sliced array has a place for. */
YOKE_HOT static bool grid_overflows(const yoke__checked *checked, size_t *grid)
{
    *grid = checked->call.size[0];
    if (!yoke__has_rows(checked->kernel))
        return false;
    return yoke__mul_overflows(checked->call.size[1] - 1, checked->pitch, grid) ||
           yoke__add_overflows(*grid, checked->call.size[0], grid);
}

/* Why an array was refused. The `grid` is one of an array that is not sliced. */
static int refuse_array(const yoke__checked *checked, unsigned k, const yoke_extent *extent, size_t grid)
{
    const yoke_parameter *parameter = &checked->kernel->parameters[k];
    const char *name = checked->kernel->name, *array = parameter->name;
    const uintptr_t address = (uintptr_t)checked->call.argument[k];
    size_t bytes;
    if ((extent->count | extent->before | extent->after) < 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: a count of array %s is negative or overflows; check the sizes given",
                          name, array);
    if (yoke__mul_overflows((size_t)extent->count, parameter->size, &bytes) ||
        yoke__mul_overflows(bytes, grid, &bytes) || bytes > PTRDIFF_MAX)
        return yoke__fail(YOKE_EOVERFLOW,
                          "kernel %s: array %s would be larger than the address space; check the sizes given", name,
                          array);
    if (address == 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: array %s is NULL; give %zu bytes", name, array, bytes);
    if ((address & (parameter->alignment - 1)) != 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: array %s is not aligned for %s; it needs a multiple of %zu bytes",
                          name, array, parameter->type, parameter->alignment);
    return yoke__fail(YOKE_EOVERFLOW, "kernel %s: array %s runs past the end of the address space", name, array);
}

/* Part of the price of every map, however small: hence the pointers side by side, and one way out for all refusals. */
YOKE_HOT static int check_arrays(yoke__checked *checked, const yoke_extent *extent, size_t grid, span *at)
{
    const yoke_kernel *kernel = checked->kernel;
    const yoke_parameter *parameter = kernel->parameters;
    uint32_t sliced = kernel->sliced;
    size_t all = 0;
    for (unsigned k = 0; kernel->arrays >> k != 0; k++, parameter++, extent++, at++, sliced >>= 1) {
        if ((kernel->arrays >> k & 1) == 0)
            continue;
        const size_t times = (sliced & 1) != 0 ? grid : 1;
        const uintptr_t address = (uintptr_t)checked->call.argument[k];
        size_t item, bytes, end;
        if ((extent->count | extent->before | extent->after) < 0 ||
            yoke__mul_overflows((size_t)extent->count, parameter->size, &item) ||
            yoke__mul_overflows(item, times, &bytes) || bytes > PTRDIFF_MAX ||
            (address & (parameter->alignment - 1)) != 0 || (address == 0 && bytes != 0) ||
            yoke__add_overflows(address, bytes, &end))
            return refuse_array(checked, k, extent, times);
        item = (sliced & 1) != 0 ? item : 0;
        *at = (span){address, end, item};
        checked->item_bytes[k] = item;
        if (yoke__add_overflows(all, bytes, &all))
            all = SIZE_MAX;
    }
    checked->bytes = all;
    return YOKE_OK;
}

/* Exactly the same array may be read and written by the same items; nothing else may overlap what is written. */
static bool may_share(const yoke_kernel *kernel, const span *a, unsigned i, const span *b, unsigned j)
{
    yoke_mode x = kernel->parameters[i].mode, y = kernel->parameters[j].mode;
    bool one_reads = (x == YOKE_MODE_IN) != (y == YOKE_MODE_IN);
    return one_reads && a->begin == b->begin && a->end == b->end && a->item_bytes == b->item_bytes &&
           kernel->parameters[i].size == kernel->parameters[j].size && a->item_bytes > 0 && b->item_bytes > 0 &&
           x != YOKE_MODE_SCATTER && y != YOKE_MODE_SCATTER;
}

static int refuse_overlap(const yoke_kernel *kernel, unsigned i, unsigned j)
{
    return yoke__fail(YOKE_EINVAL,
                      "kernel %s: arrays %s and %s overlap and one is written; only an `in` and an `out` or "
                      "`inout` of equal element size may be the same array, and exactly the same",
                      kernel->name, kernel->parameters[i < j ? i : j].name, kernel->parameters[i < j ? j : i].name);
}

/* Every written array, and against every other one. */
YOKE_HOT static int check_written(yoke__checked *checked, const span *spans)
{
    const yoke_kernel *kernel = checked->kernel;
    checked->streamable = 0;
    checked->indivisible = false;
    for (uint32_t written = kernel->written; written != 0; written &= written - 1) {
        const unsigned i = (unsigned)__builtin_ctz(written);
        const yoke_mode mode = kernel->parameters[i].mode;
        checked->indivisible |= mode == YOKE_MODE_SCATTER;
        if (mode == YOKE_MODE_OUT && spans[i].item_bytes > 0)
            checked->streamable |= 1u << i;
        for (uint32_t others = kernel->arrays & ~(1u << i); others != 0; others &= others - 1) {
            const unsigned j = (unsigned)__builtin_ctz(others);
            const span *a = &spans[i], *b = &spans[j];
            if (a->begin >= b->end || b->begin >= a->end)
                continue;
            if (!may_share(kernel, a, i, b, j))
                return refuse_overlap(kernel, i, j);
            checked->streamable &= ~(1u << i | 1u << j);
        }
    }
    return YOKE_OK;
}

YOKE_HOT static int check_pitch(yoke__checked *checked, const yoke_options *options)
{
    size_t width = checked->call.size[0];
    checked->pitch = width;
    if (options == NULL || options->pitch == 0 || options->pitch == width)
        return YOKE_OK;
    if (!yoke__has_rows(checked->kernel) || options->pitch < width)
        return yoke__fail(YOKE_EINVAL,
                          "kernel %s: a row pitch of %zu elements needs a 2-D kernel and at least the width",
                          checked->kernel->name, options->pitch);
    checked->pitch = options->pitch;
    for (unsigned k = 0; k < checked->kernel->parameter_count; k++)
        if (checked->kernel->parameters[k].mode == YOKE_MODE_HALO)
            return yoke__fail(YOKE_EINVAL,
                              "kernel %s: array %s is a halo, which cannot have a row pitch; store its rows "
                              "without gaps",
                              checked->kernel->name, checked->kernel->parameters[k].name);
    return YOKE_OK;
}

/* Only what the kernel's parameters need is written: the whole of it would cost more than a small map. */
YOKE_HOT static void start(yoke__checked *checked, const yoke_kernel *kernel, size_t size0, size_t size1,
                           void *const *arguments)
{
    checked->kernel = kernel;
    checked->call.size[0] = size0;
    checked->call.size[1] = size1;
    checked->call.columns[0] = 0;
    checked->call.columns[1] = size0;
    checked->call.result = NULL;
    checked->items = yoke__has_rows(kernel) ? size1 : size0;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        __builtin_prefetch(arguments[k]);
        checked->call.argument[k] = arguments[k];
    }
}

YOKE_HOT int yoke__check_call(yoke__checked *checked, const yoke_kernel *kernel, const yoke_options *options,
                              size_t size0, size_t size1, void *const *arguments)
{
    start(checked, kernel, size0, size1, arguments);
    int status = check_pitch(checked, options);
    if (status != YOKE_OK || size0 == 0 || size1 == 0)
        return status;
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    span spans[YOKE_MAX_PARAMETERS];
    size_t grid;
    kernel->extents(&checked->call, extents);
    if (grid_overflows(checked, &grid))
        return yoke__fail(YOKE_EOVERFLOW, "kernel %s: %zu x %zu elements are more than the address space holds",
                          kernel->name, size0, size1);
    status = check_arrays(checked, extents, grid, spans);
    if (status != YOKE_OK)
        return status;
    return check_written(checked, spans);
}
