/* Running a piece of a kernel on this thread. Large results are written into a tile in the L1 cache and streamed from
 * there: the kernel's `out` promises that no old content is needed, so the memory need not be read first. A tile is
 * short, so that the loads of one overlap the stores of the one before: at 8 KiB per array a triad had half the rate of a
 * loop with non-temporal stores, at 1 KiB a copy four fifths of it, at 768 bytes both 0.95; at 512 a sine, whose calls cost
 * more, lost as much as these gained (rows of a stencil: 2 KiB). */
#include <string.h>

#include "lib/parallel/parallel.h"

enum {
    TILE_BYTES = 16384,
    ARRAY_TILE_BYTES = 768,
    ARRAY_TILE_BYTES_2D = 2048,
    TILE_STEP = 64,
    LINE = 64,
    ROWS_AHEAD = 3
};

/* One span of items on its way through tiles. */
typedef struct stream {
    const yoke__checked *checked;
    yoke__isa isa;
    yoke_call call; /* arguments of the streamed arrays point so that their items fall into the tile */
    size_t tile;    /* items */
    unsigned count; /* of streamed arrays, and which they are */
    unsigned array[YOKE_MAX_PARAMETERS];
    uint32_t halos; /* mask of them */
} stream;

/* False when there is nothing to stream, or the items are too large for tiles to pay. */
static bool plan_stream(stream *s, const yoke__checked *checked, yoke__isa isa)
{
    size_t bytes = 0, largest = 0;
    s->checked = checked;
    s->isa = isa;
    s->call = checked->call;
    s->count = 0;
    s->halos = 0;
    for (unsigned k = 0; k < checked->kernel->parameter_count; k++)
        s->halos |= (uint32_t)(checked->kernel->parameters[k].mode == YOKE_MODE_HALO) << k;
    for (uint32_t mask = checked->streamable; mask != 0; mask &= mask - 1) {
        const unsigned k = (unsigned)__builtin_ctz(mask);
        s->array[s->count++] = k;
        bytes += checked->item_bytes[k];
        largest = checked->item_bytes[k] > largest ? checked->item_bytes[k] : largest;
    }
    if (s->count == 0 || bytes > TILE_BYTES / TILE_STEP)
        return false;
    size_t wanted = checked->kernel->shape == YOKE_SHAPE_MAP_2D ? ARRAY_TILE_BYTES_2D : ARRAY_TILE_BYTES;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): only arrays with items are streamable */
    s->tile = wanted / largest / TILE_STEP * TILE_STEP;
    if (s->tile == 0)
        s->tile = TILE_STEP;
    return true;
}

/* Items until the first streamed array reaches a cache line's start, so that the later tiles are whole lines. */
static size_t items_to_line(const stream *s, size_t grid)
{
    const unsigned k = s->array[0];
    const size_t item = s->checked->item_bytes[k];
    size_t off = ((uintptr_t)s->checked->call.argument[k] + grid * item) % LINE;
    size_t gap = (LINE - off) % LINE;
    return gap % item == 0 ? gap / item : 0;
}

/* Of a stencil, what a row further down will read, into the second-level cache: many rows at once are more streams than the
 * hardware follows, and it stops at each page (`./dev bench heat`: 1.66 of the best peer with this, 1.19 without). */
static void fetch_rows_below(const stream *s, size_t j, size_t from, size_t to)
{
    const yoke__checked *checked = s->checked;
    if (checked->call.size[1] - j <= ROWS_AHEAD)
        return;
    for (uint32_t mask = s->halos; mask != 0; mask &= mask - 1) {
        const unsigned k = (unsigned)__builtin_ctz(mask);
        const size_t item = checked->item_bytes[k];
        const uintptr_t row = (uintptr_t)checked->call.argument[k] + (j + ROWS_AHEAD) * checked->call.size[0] * item;
        for (size_t at = from * item; at < to * item; at += LINE)
            __builtin_prefetch((const void *)(row + at), 0, 2);
    }
}

/* Elements [from, to) of the grid; in 2-D they are columns of row j, and `row` is the row's first element. */
static void stream_tile(stream *s, unsigned char *tile, size_t row, size_t j, size_t from, size_t to)
{
    const yoke__checked *checked = s->checked;
    unsigned char *next = tile;
    for (unsigned k = 0; k < s->count; k++) {
        const size_t item = checked->item_bytes[s->array[k]];
        /* the body indexes from the array's start: the pointer leaves the tile, and comes back in it */
        s->call.argument[s->array[k]] = (void *)((uintptr_t)next - (row + from) * item);
        next += ((to - from) * item + LINE - 1) / LINE * LINE;
    }
    yoke_range *range = checked->kernel->variants[s->isa];
    if (checked->kernel->shape == YOKE_SHAPE_MAP_2D) {
        fetch_rows_below(s, j, from, to);
        s->call.columns[0] = from, s->call.columns[1] = to;
        range(&s->call, j, j + 1);
    } else {
        range(&s->call, from, to);
    }
    next = tile;
    for (unsigned k = 0; k < s->count; k++) {
        const size_t item = checked->item_bytes[s->array[k]];
        unsigned char *array = checked->call.argument[s->array[k]];
        yoke__stream_copy(s->isa, array + (row + from) * item, next, (to - from) * item);
        next += ((to - from) * item + LINE - 1) / LINE * LINE;
    }
}

static void stream_span(stream *s, size_t row, size_t j, size_t from, size_t to)
{
    _Alignas(LINE) unsigned char tile[TILE_BYTES + YOKE_MAX_PARAMETERS * LINE];
    size_t step = items_to_line(s, row + from);
    if (step == 0 || step > s->tile)
        step = s->tile;
    for (size_t at = from; at < to; at += step, step = s->tile) {
        if (step > to - at)
            step = to - at;
        stream_tile(s, tile, row, j, at, at + step);
    }
}

/* Rows with gaps between them: one at a time, each with its arrays moved so that row j lies where j * width says. */
static void run_pitched(const yoke__checked *checked, yoke__isa isa, size_t begin, size_t end)
{
    yoke_call call = checked->call;
    for (size_t j = begin; j < end; j++) {
        for (unsigned k = 0; k < checked->kernel->parameter_count; k++)
            if ((checked->kernel->sliced >> k & 1) != 0)
                call.argument[k] = (void *)((uintptr_t)checked->call.argument[k] +
                                            j * (checked->pitch - call.size[0]) * checked->item_bytes[k]);
        checked->kernel->variants[isa](&call, j, j + 1);
    }
}

YOKE_HOT void yoke__run_piece(const yoke__checked *checked, yoke__isa isa, bool streaming, size_t begin, size_t end)
{
    const yoke_shape shape = checked->kernel->shape;
    const size_t width = checked->call.size[0];
    stream s;
    if (checked->pitch != width) {
        run_pitched(checked, isa, begin, end);
    } else if (!streaming || (shape != YOKE_SHAPE_MAP && shape != YOKE_SHAPE_MAP_2D) ||
               !plan_stream(&s, checked, isa)) {
        checked->kernel->variants[isa](&checked->call, begin, end);
    } else {
        if (shape == YOKE_SHAPE_MAP)
            stream_span(&s, 0, 0, begin, end);
        for (size_t j = begin; shape == YOKE_SHAPE_MAP_2D && j < end; j++)
            stream_span(&s, j * width, j, 0, width);
        yoke__stream_fence();
    }
}
