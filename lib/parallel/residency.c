/* Managed arrays of a call: what has to be valid where, before and after. */
#include "lib/parallel/pieces.h"

typedef struct array_use {
    bool reads, writes;
} array_use;

static array_use use_of(yoke_mode mode)
{
    return (array_use){.reads = mode != YOKE_MODE_OUT,
                       .writes = mode == YOKE_MODE_OUT || mode == YOKE_MODE_INOUT || mode == YOKE_MODE_SCATTER};
}

/* Bytes that items [begin, end) of the work touch, from the array's first: rows with the gaps between them. */
static yoke__span span_of(const yoke__work *work, unsigned k, const yoke__task_array *a, size_t begin, size_t end)
{
    const yoke__checked *checked = work->checked;
    if ((checked->kernel->sliced >> k & 1) == 0)
        return (yoke__span){0, a->bytes};
    const size_t all = checked->items, per = work->scale; /* of a reduction, items are blocks */
    begin += work->base;
    end += work->base;
    size_t first = begin * per, last = end > (all - 1) / per ? all : end * per;
    first = first > a->before ? first - a->before : 0;
    last = all - last > a->after ? last + a->after : all;
    return first < last ? (yoke__span){first * a->stride, (last - 1) * a->stride + a->item_bytes} : (yoke__span){0, 0};
}

/* visit() for each array of the call that Yoke allocated, with its part of the block; until one fails. */
static int visit_blocks(const yoke__work *work, size_t begin, size_t end,
                        int (*visit)(yoke__block *block, yoke__span span, array_use use, void *context), void *context)
{
    yoke__task_array arrays[YOKE_MAX_PARAMETERS];
    int status = YOKE_OK;
    yoke__describe_arrays(arrays, work->checked);
    for (uint32_t left = work->checked->kernel->arrays; left != 0 && status == YOKE_OK; left &= left - 1) {
        const unsigned k = (unsigned)__builtin_ctz(left);
        yoke__span span = span_of(work, k, &arrays[k], begin, end);
        const size_t bytes = span.end - span.begin;
        yoke__block *block = bytes > 0 ? yoke__memory_hold(arrays[k].host + span.begin, bytes) : NULL;
        if (block == NULL)
            continue;
        span.begin = (size_t)(arrays[k].host + span.begin - (unsigned char *)yoke__block_start(block));
        span.end = span.begin + bytes;
        status = visit(block, span, use_of(work->checked->kernel->parameters[k].mode), context);
        yoke__memory_release(block);
    }
    return status;
}

/* Reads of all arrays before writes of any: two may be one. */
typedef struct bringing {
    const yoke_options *options;
    bool has_gaps; /* between rows, which are not written */
    bool writes;
} bringing;

static bool still(void *context)
{
    return yoke__stopped(((const bringing *)context)->options) == YOKE_OK;
}

static int bring(yoke__block *block, yoke__span span, array_use use, void *context)
{
    const bringing *b = context;
    const yoke__alive alive = {still, context};
    if (b->writes)
        return use.writes ? yoke__memory_for_host(block, span, false, &alive) : YOKE_OK;
    return use.reads || b->has_gaps ? yoke__memory_to_host(block, span, &alive) : YOKE_OK;
}

int yoke__bring_home_now(const yoke__work *work, const yoke_options *options)
{
    const yoke__checked *checked = work->checked;
    const bool has_gaps = yoke__has_rows(checked->kernel) && checked->pitch != checked->call.size[0];
    bringing b = {.options = options, .has_gaps = has_gaps};
    int status = visit_blocks(work, work->begin, work->items, bring, &b);
    b.writes = true;
    if (status == YOKE_OK)
        status = visit_blocks(work, work->begin, work->items, bring, &b);
    return status == YOKE_ECANCELED ? yoke__end_early(yoke__stopped(options)) : status;
}

static int read_back(yoke__block *block, yoke__span span, array_use use, void *context)
{
    (void)context;
    return use.writes ? yoke__memory_to_host(block, span, NULL) : YOKE_OK;
}

int yoke__write_back(const yoke__work *work)
{
    return yoke__memory_is_away() ? visit_blocks(work, 0, work->items, read_back, NULL) : YOKE_OK;
}

/* What is lost may be about to be written anew. */
static int look_at(yoke__block *block, yoke__span span, array_use use, void *context)
{
    yoke__borrowed *b = context;
    yoke__span left = span, part;
    uint32_t holders;
    while (b->count < YOKE__BORROWED && yoke__residency_missing(block, YOKE__HOST, left, &part, &holders)) {
        b->at[b->count] = (unsigned char *)yoke__block_start(block) + part.begin;
        b->bytes[b->count++] = part.end - part.begin;
        left.begin = part.end;
    }
    const int status = yoke__memory_to_host(block, span, NULL);
    return use.reads ? status : YOKE_OK;
}

int yoke__borrow_copies(const yoke__work *work, yoke__borrowed *borrowed)
{
    borrowed->count = 0;
    return yoke__memory_is_away() ? visit_blocks(work, 0, work->items, look_at, borrowed) : YOKE_OK;
}

/* Where memory is short the host's copy stays. */
static void lend(yoke__block *block, yoke__span span)
{
    if (yoke__residency_reserve(block, 1) != YOKE_OK)
        return;
    yoke__residency_lent(block, span);
    yoke__residency_unreserve(block, 1);
}

static int lend_written(yoke__block *block, yoke__span span, array_use use, void *context)
{
    (void)context;
    if (use.writes)
        lend(block, span);
    return YOKE_OK;
}

void yoke__give_back(const yoke__work *work, const yoke__borrowed *borrowed, bool written)
{
    for (unsigned k = 0; k < borrowed->count; k++) {
        yoke__block *block = yoke__memory_hold(borrowed->at[k], borrowed->bytes[k]);
        if (block == NULL)
            continue;
        const size_t begin = (size_t)(borrowed->at[k] - (unsigned char *)yoke__block_start(block));
        lend(block, (yoke__span){begin, begin + borrowed->bytes[k]});
        yoke__memory_release(block);
    }
    if (written && yoke__memory_is_away())
        (void)visit_blocks(work, 0, work->items, lend_written, NULL);
}

static int open_block(yoke__block *block, yoke__span span, array_use use, void *context)
{
    (void)use, (void)context;
    yoke__memory_guard_open(block, span);
    return YOKE_OK;
}

static int close_block(yoke__block *block, yoke__span span, array_use use, void *context)
{
    (void)span, (void)use, (void)context;
    yoke__memory_guard_close(block);
    return YOKE_OK;
}

void yoke__open_arrays(const yoke__work *work)
{
    (void)visit_blocks(work, 0, work->items, open_block, NULL);
}

void yoke__close_arrays(const yoke__work *work)
{
    (void)visit_blocks(work, 0, work->items, close_block, NULL);
}

static int take(yoke__block *block, yoke__span span, array_use use, void *context)
{
    (void)context;
    return use.writes ? yoke__memory_for_host(block, span, false, NULL) : YOKE_OK;
}

int yoke__take_home(const yoke__work *work)
{
    return yoke__memory_is_away() ? visit_blocks(work, 0, work->items, take, NULL) : YOKE_OK;
}

/* --- what would move --- */

typedef struct counting {
    unsigned home;
    yoke__transfers sum;
} counting;

static int count_managed(yoke__block *block, yoke__span span, array_use use, void *context)
{
    counting *c = context;
    const size_t bytes = span.end - span.begin;
    c->sum.plain_in -= use.reads ? (double)bytes : 0;
    c->sum.plain_out -= use.writes ? (double)bytes : 0;
    c->sum.missing += use.reads ? (double)yoke__residency_missing_bytes(block, c->home, span) : 0;
    return YOKE_OK;
}

yoke__transfers yoke__transfers_to(const yoke__work *work, unsigned home)
{
    yoke__task_array arrays[YOKE_MAX_PARAMETERS];
    counting c = {.home = home};
    yoke__describe_arrays(arrays, work->checked);
    for (uint32_t left = work->checked->kernel->arrays; left != 0; left &= left - 1) {
        const unsigned k = (unsigned)__builtin_ctz(left);
        const array_use use = use_of(work->checked->kernel->parameters[k].mode);
        const yoke__span span = span_of(work, k, &arrays[k], 0, work->items);
        c.sum.plain_in += use.reads ? (double)(span.end - span.begin) : 0;
        c.sum.plain_out += use.writes ? (double)(span.end - span.begin) : 0;
    }
    (void)visit_blocks(work, 0, work->items, count_managed, &c);
    return c.sum;
}
