/* A copy of a part of a call's arrays: each lies against pages that nobody may touch, so that a kernel that leaves what
 * its parameters promise faults at once. The program's arrays are only read. */
#include <string.h>

#include "lib/parallel/checking.h"

enum { CHUNK_BYTES = 4 << 20, MOST_UNITS = 1 << 16, AROUND = 64 << 20 };
static const size_t most_bytes = (size_t)1 << 30;

/* --- open --- */

static void describe(yoke__stage *s, unsigned k, const yoke_extent *extent)
{
    const yoke__checked *checked = s->checked;
    const yoke_parameter *parameter = &checked->kernel->parameters[k];
    yoke__staged *a = &s->array[k];
    a->host = checked->call.argument[k];
    a->written = (checked->kernel->written >> k & 1) != 0;
    a->filled = parameter->mode == YOKE_MODE_OUT;
    a->element = yoke__element_of(parameter->type, parameter->size);
    s->scatters |= parameter->mode == YOKE_MODE_SCATTER;
    if ((checked->kernel->sliced >> k & 1) == 0) {
        a->bytes = (size_t)extent->count * parameter->size;
        return;
    }
    a->unit_bytes = checked->item_bytes[k] * s->row;
    a->stride = checked->item_bytes[k] * (yoke__has_rows(checked->kernel) ? checked->pitch : 1);
    a->bytes = a->unit_bytes * s->units;
    a->before = (size_t)extent->before < s->units ? (size_t)extent->before : s->units;
    a->after = (size_t)extent->after < s->units ? (size_t)extent->after : s->units;
}

/* Units that are copied at once: a few MiB. What scatters is copied whole, for any item may write anywhere. */
static void choose_chunk(yoke__stage *s)
{
    size_t unit = 1;
    for (unsigned k = 0; k < s->checked->kernel->parameter_count; k++)
        unit += s->array[k].unit_bytes;
    s->chunk = CHUNK_BYTES / unit;
    if (s->chunk > MOST_UNITS)
        s->chunk = MOST_UNITS;
    if (s->checked->kernel->shape == YOKE_SHAPE_LANES)
        s->chunk = s->chunk < yoke_lanes_max ? yoke_lanes_max : s->chunk / yoke_lanes_max * yoke_lanes_max;
    if (s->chunk == 0)
        s->chunk = 1;
    if (s->scatters || s->chunk > s->units)
        s->chunk = s->units;
}

static size_t window_bytes(const yoke__stage *s, const yoke__staged *a)
{
    size_t units = s->chunk + a->before + a->after; /* each at most s->units */
    return a->unit_bytes * (units < s->units ? units : s->units);
}

static bool is_small_enough(const yoke__stage *s)
{
    size_t all = 0;
    for (unsigned k = 0; k < s->checked->kernel->parameter_count; k++) {
        const yoke__staged *a = &s->array[k];
        if (a->bytes > most_bytes && a->unit_bytes == 0)
            return false;
        const size_t window = a->unit_bytes != 0 ? window_bytes(s, a) : a->bytes;
        if (window > most_bytes)
            return false;
        all += 2 * window;
    }
    return all <= most_bytes;
}

static int make_room(yoke__stage *s, unsigned k)
{
    yoke__staged *a = &s->array[k];
    const bool constant = a->unit_bytes == 0 && !a->written;
    const size_t bytes = a->unit_bytes != 0 ? window_bytes(s, a) : a->bytes;
    int status = yoke__area_map(&s->area[k], bytes, a->bytes + AROUND);
    if (status == YOKE_OK && constant)
        status = yoke__area_map(&s->area[RESULT_AREA + 1 + k], bytes, a->bytes + AROUND);
    if (status != YOKE_OK)
        return status;
    if (constant && bytes != 0) {
        yoke__area *end = &s->area[k], *start = &s->area[RESULT_AREA + 1 + k];
        memcpy(end->data + end->bytes - bytes, a->host, bytes);
        memcpy(start->data, a->host, bytes);
        yoke__area_make_constant(end);
        yoke__area_make_constant(start);
    }
    if (!a->written)
        return YOKE_OK;
    a->kept = yoke__alloc(bytes != 0 ? bytes : 1);
    return a->kept != NULL ? YOKE_OK : YOKE_ENOMEM;
}

int yoke__stage_open(yoke__stage *s, yoke_runtime *runtime, const yoke__checked *checked)
{
    const yoke_kernel *kernel = checked->kernel;
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    *s =
        (yoke__stage){.checked = checked, .runtime = runtime, .call = checked->call, .units = checked->items, .row = 1};
    if (yoke__has_rows(kernel))
        s->row = checked->call.size[0];
    kernel->extents(&checked->call, extents); /* found good by the check of arguments */
    for (uint32_t arrays = kernel->arrays; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        describe(s, k, &extents[k]);
    }
    choose_chunk(s);
    int status = is_small_enough(s) ? YOKE_OK : YOKE_ENOMEM;
    for (uint32_t arrays = kernel->arrays; arrays != 0 && status == YOKE_OK; arrays &= arrays - 1)
        status = make_room(s, (unsigned)__builtin_ctz(arrays));
    if (status == YOKE_OK && kernel->result_size != 0) {
        yoke__area *result = &s->area[RESULT_AREA];
        status = yoke__area_map(result, kernel->result_size, AROUND);
        if (status == YOKE_OK)
            s->call.result = result->data + result->bytes - kernel->result_size;
    }
    if (status != YOKE_OK)
        yoke__stage_close(s);
    return status;
}

void yoke__stage_close(yoke__stage *s)
{
    for (unsigned k = 0; k < AREAS; k++)
        yoke__area_unmap(&s->area[k]);
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS; k++) {
        yoke__free(s->array[k].kept);
        s->array[k].kept = NULL;
    }
}

/* --- put --- */

static unsigned char *place(const yoke__area *area, size_t bytes, bool at_start)
{
    return at_start ? area->data : area->data + area->bytes - bytes;
}

static void put_units(yoke__stage *s, unsigned k, size_t begin, size_t end, bool at_start, int fill)
{
    yoke__staged *a = &s->array[k];
    const size_t from = begin - (begin < a->before ? begin : a->before);
    const size_t to = end + (s->units - end < a->after ? s->units - end : a->after);
    unsigned char *at = place(&s->area[k], (to - from) * a->unit_bytes, at_start);
    a->from_unit = from;
    a->units = to - from;
    a->base = (unsigned char *)((uintptr_t)at - from * a->unit_bytes);
    if (a->filled)
        memset(at, fill, a->units * a->unit_bytes);
    else if (a->stride == a->unit_bytes && a->units != 0)
        memcpy(at, a->host + from * a->stride, a->units * a->unit_bytes);
    else
        for (size_t u = from; u < to; u++)
            memcpy(yoke__stage_at(a, u), a->host + u * a->stride, a->unit_bytes);
}

void yoke__stage_put(yoke__stage *s, size_t begin, size_t end, bool at_start, int fill)
{
    for (uint32_t arrays = s->checked->kernel->arrays; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        yoke__staged *a = &s->array[k];
        if (a->unit_bytes != 0)
            put_units(s, k, begin, end, at_start, fill);
        else
            a->base = place(&s->area[!a->written && at_start ? RESULT_AREA + 1 + k : k], a->bytes, at_start);
        if (a->unit_bytes == 0 && a->written && a->bytes != 0)
            memcpy(a->base, a->host, a->bytes);
        s->call.argument[k] = a->base;
    }
}

/* --- run --- */

typedef struct stage_run {
    yoke__stage *stage;
    size_t begin, end;
    bool whole;
} stage_run;

static void call_kernel(void *context)
{
    const stage_run *run = context;
    const yoke__stage *s = run->stage;
    s->checked->kernel->variants[s->runtime->isa](&s->call, run->begin, run->end);
}

static void run_guarded(void *context, size_t begin, size_t end)
{
    stage_run *run = context;
    run->begin = begin;
    run->end = end;
    run->whole = yoke__guards_run(call_kernel, run, &run->stage->fault);
}

bool yoke__stage_run(yoke__stage *s, size_t begin, size_t end)
{
    stage_run run = {.stage = s};
    yoke__team_run_here(s->runtime->team, run_guarded, &run, begin, end);
    return run.whole;
}

bool yoke__stage_run_column(yoke__stage *s, size_t row, size_t column)
{
    s->call.columns[0] = column;
    s->call.columns[1] = column + 1;
    const bool whole = yoke__stage_run(s, row, row + 1);
    s->call.columns[0] = 0;
    s->call.columns[1] = s->row;
    return whole;
}
