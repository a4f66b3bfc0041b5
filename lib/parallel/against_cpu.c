/* What a device computed, against the CPU: on copies of what the call's arrays held before. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/parallel/checking.h"
#include "lib/trace/trace.h"

static const size_t most_bytes = (size_t)1 << 30;

struct yoke__before {
    size_t bytes[YOKE_MAX_PARAMETERS];
    unsigned char *was[YOKE_MAX_PARAMETERS]; /* of arrays that are written */
    unsigned char *cpu[YOKE_MAX_PARAMETERS]; /* the same, computed anew */
};

/* From the first element to past the last one, with the gaps between rows. */
static size_t span_of(const yoke__checked *checked, unsigned k, const yoke_extent *extent)
{
    const yoke_kernel *kernel = checked->kernel;
    if ((kernel->sliced >> k & 1) == 0)
        return (size_t)extent->count * kernel->parameters[k].size;
    const bool rows = yoke__has_rows(kernel);
    return checked->item_bytes[k] *
           (rows ? (checked->items - 1) * checked->pitch + checked->call.size[0] : checked->items);
}

yoke__before *yoke__before_keep(const yoke__work *work)
{
    const yoke__checked *checked = work->checked;
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    yoke__before *b = yoke__alloc_zeroed(1, sizeof *b);
    size_t all = 0;
    if (b == NULL)
        return NULL;
    checked->kernel->extents(&checked->call, extents);
    for (uint32_t arrays = checked->kernel->written; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        b->bytes[k] = span_of(checked, k, &extents[k]);
        if (b->bytes[k] > most_bytes || (all += 2 * b->bytes[k]) > most_bytes)
            break;
        const size_t room = b->bytes[k] != 0 ? b->bytes[k] : 1;
        b->was[k] = yoke__alloc(room);
        b->cpu[k] = b->was[k] != NULL ? yoke__alloc(room) : NULL;
        if (b->cpu[k] == NULL)
            break;
        memcpy(b->was[k], checked->call.argument[k], b->bytes[k]);
        memcpy(b->cpu[k], b->was[k], b->bytes[k]);
        if (arrays == (arrays & -arrays))
            return b;
    }
    if (checked->kernel->written == 0)
        return b;
    yoke__before_free(b);
    return NULL;
}

void yoke__before_free(yoke__before *b)
{
    for (unsigned k = 0; b != NULL && k < YOKE_MAX_PARAMETERS; k++) {
        yoke__free(b->was[k]);
        yoke__free(b->cpu[k]);
    }
    yoke__free(b);
}

/* --- computing it anew --- */

typedef struct again {
    yoke__checked checked;
    yoke__isa isa;
    size_t block;
    unsigned char *partials;
} again;

static void run_again(void *context, size_t begin, size_t end)
{
    const again *a = context;
    yoke_call call = a->checked.call;
    if (a->block == 0) {
        yoke__run_piece(&a->checked, a->isa, false, begin, end);
        return;
    }
    for (size_t k = begin; k < end; k++) {
        const size_t from = k * a->block, left = a->checked.items - from;
        call.result = a->partials + k * a->checked.kernel->result_size;
        a->checked.kernel->variants[a->isa](&call, from, left < a->block ? a->checked.items : from + a->block);
    }
}

/* Arrays that are written, and those that are the same, are the copies. */
static void take_copies(yoke__before *b, yoke__checked *checked, const yoke__checked *from)
{
    *checked = *from;
    for (unsigned k = 0; k < from->kernel->parameter_count; k++)
        for (unsigned w = 0; (from->kernel->arrays >> k & 1) != 0 && w < from->kernel->parameter_count; w++)
            if (b->cpu[w] != NULL && b->bytes[w] != 0 && from->call.argument[w] == from->call.argument[k])
                checked->call.argument[k] = b->cpu[w];
}

static int compute(yoke__before *b, yoke_runtime *runtime, const yoke__work *work, unsigned char *partials)
{
    again a = {.isa = runtime->isa, .block = work->block, .partials = partials};
    take_copies(b, &a.checked, work->checked);
    yoke__work cpu = {.run = run_again,
                      .context = &a,
                      .items = work->items,
                      .total = work->total,
                      .scale = work->scale,
                      .step = work->step,
                      .indivisible = work->indivisible};
    unsigned workers;
    return yoke__run_on_workers(runtime, NULL, work->checked->kernel, &cpu, &workers);
}

/* --- comparing --- */

/* Gaps between rows are the program's, and may be in use. */
static void copy_rows(const yoke__checked *checked, unsigned k, size_t bytes, unsigned char *to,
                      const unsigned char *from, bool gaps)
{
    const bool rows = (checked->kernel->sliced >> k & 1) != 0 && checked->pitch != checked->call.size[0];
    const size_t stride = rows ? checked->pitch * checked->item_bytes[k] : bytes;
    const size_t row = rows ? checked->call.size[0] * checked->item_bytes[k] : bytes;
    for (size_t at = 0; at < bytes; at += stride)
        if (!gaps)
            memcpy(to + at, from + at, row);
        else if (at + stride < bytes)
            memcpy(to + at + row, from + at + row, stride - row);
}

static void restore(const yoke__before *b, const yoke__checked *checked)
{
    for (unsigned k = 0; k < checked->kernel->parameter_count; k++)
        if (b->was[k] != NULL)
            copy_rows(checked, k, b->bytes[k], checked->call.argument[k], b->was[k], false);
}

/* "device 1", or "one of devices 0 2" */
static void name_devices(char *text, size_t bytes)
{
    yoke_decision d = {.device = -1};
    (void)yoke_last_decision(&d);
    int used = snprintf(text, bytes, "%s", d.device >= 0 ? "device" : "one of devices");
    if (d.device >= 0)
        (void)snprintf(text + used, bytes - (size_t)used, " %d", d.device);
    for (unsigned k = 0; d.device < 0 && k < d.share_count && (size_t)used + 16 < bytes; k++)
        if (d.shares[k].device >= 0)
            used += snprintf(text + used, bytes - (size_t)used, " %d", d.shares[k].device);
}

static int report(yoke_runtime *runtime, const yoke__work *work, unsigned k, const char *name, yoke__distance d)
{
    const yoke_kernel *kernel = work->checked->kernel;
    char devices[100];
    name_devices(devices, sizeof devices);
    if (d.first_ulp == INFINITY)
        return yoke__found(runtime->checks, kernel, YOKE__FOUND_DEVICE, k,
                           "%s computed another %s[%zu] than the CPU; does the body do what C leaves undefined? If "
                           "not, the device is wrong: leave it out of YOKE_DEVICES",
                           devices, name, d.first);
    return yoke__found(runtime->checks, kernel, YOKE__FOUND_DEVICE, k,
                       "%s computed %s[%zu] %.3g ULP from the CPU's (at most %.3g in this array; %s); is the body "
                       "unstable? If not, the device is wrong: leave it out of YOKE_DEVICES",
                       devices, name, d.first, d.first_ulp, d.most_ulp,
                       kernel->exact ? "an exact kernel allows 0" : "64, or 4 of the largest, are allowed");
}

static int compare_array(yoke__before *b, yoke_runtime *runtime, const yoke__work *work, unsigned k)
{
    const yoke__checked *checked = work->checked;
    const yoke_kernel *kernel = checked->kernel;
    const yoke_parameter *p = &kernel->parameters[k];
    const yoke__element element = yoke__element_of(p->type, p->size);
    if (!yoke__type_is_dense(kernel, p->type, p->size))
        return YOKE_OK;
    copy_rows(checked, k, b->bytes[k], b->cpu[k], checked->call.argument[k], true);
    const yoke__distance d = yoke__elements_compare(element, p->size, kernel->exact != 0, checked->call.argument[k],
                                                    b->cpu[k], b->bytes[k] / p->size);
    return d.first < b->bytes[k] / p->size ? report(runtime, work, k, p->name, d) : YOKE_OK;
}

static int compare_partials(yoke_runtime *runtime, const yoke__work *work, const unsigned char *partials)
{
    const yoke_kernel *kernel = work->checked->kernel;
    const yoke__element element = yoke__element_of(kernel->result_type, kernel->result_size);
    if (!yoke__type_is_dense(kernel, kernel->result_type, kernel->result_size))
        return YOKE_OK;
    const yoke__distance d =
        yoke__elements_compare(element, kernel->result_size, kernel->exact != 0, work->partials, partials, work->items);
    return d.first < work->items ? report(runtime, work, YOKE_MAX_PARAMETERS, "partial result ", d) : YOKE_OK;
}

int yoke__before_compare(yoke__before *b, yoke_runtime *runtime, const yoke__work *work)
{
    const yoke_kernel *kernel = work->checked->kernel;
    unsigned char *partials = NULL;
    const size_t alignment = kernel->result_alignment > YOKE_CACHE_LINE ? kernel->result_alignment : YOKE_CACHE_LINE;
    if (work->partials != NULL) {
        partials = yoke__alloc_aligned(alignment, work->items * kernel->result_size);
        if (partials == NULL)
            return yoke__not_looked_at(runtime->checks, kernel, "the device's results are not compared: no memory");
    }
    int status = compute(b, runtime, work, partials);
    for (unsigned k = 0; k < kernel->parameter_count && status == YOKE_OK; k++)
        if (b->cpu[k] != NULL)
            status = compare_array(b, runtime, work, k);
    if (status == YOKE_OK && partials != NULL)
        status = compare_partials(runtime, work, partials);
    if (status != YOKE_OK && yoke__take_home(work) == YOKE_OK)
        restore(b, work->checked);
    yoke__free(partials);
    return status;
}
