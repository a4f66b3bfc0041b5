/* Running a piece of a kernel on this thread. Large results are written into a tile in the L1 cache and streamed from
 * there: the kernel's `out` promises that no old content is needed, so the memory need not be read first. */
#include <string.h>

#include "lib/parallel/parallel.h"

enum { TILE_BYTES = 16384, TILE_ITEMS = 2048, TILE_STEP = 64, LINE = 64 };

/* A tile takes so many items of all streamed arrays together; 0: they are too large to pay. */
static size_t tile_items(const yoke__checked *checked)
{
    size_t bytes = 0;
    for (unsigned k = 0; k < checked->kernel->parameter_count; k++)
        if (checked->streamable[k])
            bytes += checked->item_bytes[k];
    if (bytes == 0)
        return 0;
    size_t items = TILE_BYTES / bytes / TILE_STEP * TILE_STEP;
    return items < TILE_ITEMS ? items : TILE_ITEMS;
}

/* Items until the first streamed array reaches a cache line's start, so that the later tiles are whole lines. */
static size_t items_to_line(const yoke__checked *checked, size_t grid)
{
    for (unsigned k = 0; k < checked->kernel->parameter_count; k++) {
        if (!checked->streamable[k])
            continue;
        size_t off = ((uintptr_t)checked->call.argument[k] + grid * checked->item_bytes[k]) % LINE;
        size_t gap = (LINE - off) % LINE;
        return gap % checked->item_bytes[k] == 0 ? gap / checked->item_bytes[k] : 0;
    }
    return 0;
}

/* Elements [from, to) of the grid; in 2-D they are columns of row j, and `row` is the row's first element. */
static void stream_tile(const yoke__checked *checked, yoke__isa isa, size_t row, size_t j, size_t from, size_t to)
{
    _Alignas(LINE) unsigned char tile[TILE_BYTES];
    yoke_call call = checked->call;
    unsigned char *next = tile;
    const unsigned count = (unsigned)checked->kernel->parameter_count;
    for (unsigned k = 0; k < count; k++) {
        if (!checked->streamable[k])
            continue;
        /* the body indexes from the array's start: the pointer leaves the tile, and comes back in it */
        call.argument[k] = (void *)((uintptr_t)next - (row + from) * checked->item_bytes[k]);
        next += (to - from) * checked->item_bytes[k];
    }
    yoke_range *range = checked->kernel->variants[isa];
    if (checked->kernel->shape == YOKE_SHAPE_MAP_2D) {
        call.columns[0] = from, call.columns[1] = to;
        range(&call, j, j + 1);
    } else {
        range(&call, from, to);
    }
    next = tile;
    for (unsigned k = 0; k < count; k++) {
        if (!checked->streamable[k])
            continue;
        size_t bytes = (to - from) * checked->item_bytes[k];
        unsigned char *array = checked->call.argument[k];
        yoke__stream_copy(isa, array + (row + from) * checked->item_bytes[k], next, bytes);
        next += bytes;
    }
}

static void stream_span(const yoke__checked *checked, yoke__isa isa, size_t row, size_t j, size_t from, size_t to)
{
    const size_t tile = tile_items(checked);
    size_t step = items_to_line(checked, row + from);
    for (size_t at = from; at < to; at += step, step = tile) {
        if (step == 0)
            step = tile;
        if (step > to - at)
            step = to - at;
        stream_tile(checked, isa, row, j, at, at + step);
    }
}

/* Rows with gaps between them: one at a time, each with its arrays moved so that row j lies where j * width says. */
static void run_pitched(const yoke__checked *checked, yoke__isa isa, size_t begin, size_t end)
{
    yoke_call call = checked->call;
    for (size_t j = begin; j < end; j++) {
        for (unsigned k = 0; k < checked->kernel->parameter_count; k++)
            if (checked->item_bytes[k] > 0)
                call.argument[k] = (void *)((uintptr_t)checked->call.argument[k] +
                                            j * (checked->pitch - call.size[0]) * checked->item_bytes[k]);
        checked->kernel->variants[isa](&call, j, j + 1);
    }
}

void yoke__run_piece(const yoke__checked *checked, yoke__isa isa, bool stream, size_t begin, size_t end)
{
    const size_t width = checked->call.size[0];
    if (checked->pitch != width) {
        run_pitched(checked, isa, begin, end);
    } else if (!stream || tile_items(checked) == 0) {
        checked->kernel->variants[isa](&checked->call, begin, end);
    } else if (checked->kernel->shape == YOKE_SHAPE_MAP_2D) {
        for (size_t j = begin; j < end; j++)
            stream_span(checked, isa, j * width, j, 0, width);
        yoke__stream_fence();
    } else if (checked->kernel->shape == YOKE_SHAPE_MAP) {
        stream_span(checked, isa, 0, 0, begin, end);
        yoke__stream_fence();
    } else {
        checked->kernel->variants[isa](&checked->call, begin, end);
    }
}
