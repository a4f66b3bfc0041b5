#include "lib/schedule/schedule.h"

enum {
    LARGEST_UNIT = 1024,      /* items: a few pages, so that neighbours do not share cache lines or pages often */
    VECTOR_ITEMS = 64,        /* whole vectors of every type */
    UNITS_WANTED = 256,       /* per map of unknown cost: room for 1 to 64 workers to share evenly */
    REDUCTION_BLOCK = 4096,   /* items, at least */
    REDUCTION_BLOCKS = 1024,  /* partial results, at most */
    REDUCTION_BYTES = 1 << 20 /* of partial results, at most */
};

/* Cheap items come in whole vectors, long enough for a claim to be cheap beside them; expensive ones singly. */
static size_t choose_unit(const yoke__load *load)
{
    const size_t even = load->items / UNITS_WANTED;
    double wanted = load->item_ns > 0 ? YOKE__UNIT_NS / load->item_ns : (double)even;
    size_t unit = wanted < LARGEST_UNIT ? (size_t)wanted : LARGEST_UNIT;
    if (load->always_divide && unit > load->items / load->workers) /* somebody wants to see all of them work */
        unit = load->items / load->workers;
    else if (unit >= VECTOR_ITEMS / 2)
        unit = (unit + VECTOR_ITEMS - 1) / VECTOR_ITEMS * VECTOR_ITEMS;
    if (unit < 1)
        unit = 1;
    unit = (unit + load->step - 1) / load->step * load->step;
    while (load->items / unit >= INT32_MAX)
        unit *= 2;
    return unit;
}

static uint32_t choose_grain(const yoke__load *load, const yoke__plan *plan)
{
    double unit_ns = load->item_ns * (double)plan->unit;
    double share_ns = unit_ns * plan->units / load->workers;
    double pieces = share_ns > 0 ? share_ns / YOKE__SHORT_PIECE_NS : YOKE__PIECES_PER_WORKER;
    if (pieces > YOKE__PIECES_PER_WORKER)
        pieces = YOKE__PIECES_PER_WORKER;
    if (pieces < 1)
        pieces = 1;
    double share = plan->units / (load->workers * pieces);
    double wanted = unit_ns > 0 ? YOKE__PIECE_NS / unit_ns : 1;
    double grain = wanted < share ? wanted : share;
    if (load->grain != 0) {
        const size_t asked = load->grain / plan->unit + (load->grain % plan->unit != 0);
        grain = (double)asked;
    }
    if (grain > plan->units)
        grain = plan->units;
    return grain > 1 ? (uint32_t)grain : 1;
}

yoke__plan yoke__plan_division(const yoke__load *load)
{
    yoke__plan plan = {.unit = choose_unit(load), .workers = 1};
    plan.units = (uint32_t)(load->items / plan.unit + (load->items % plan.unit != 0));
    plan.grain = choose_grain(load, &plan);
    double total_ns = load->item_ns * (double)load->items;
    bool unknown = load->item_ns <= 0;
    bool long_enough = total_ns >= YOKE__DIVIDE_NS;
    bool others_awake = load->asleep + 1 < load->workers;
    plan.wake = load->always_divide || unknown || total_ns >= YOKE__WAKE_NS || (long_enough && load->streak);
    bool worth = plan.wake || (others_awake && long_enough);
    if (load->workers > 1 && plan.units > 1 && worth)
        plan.workers = load->workers < plan.units ? load->workers : plan.units;
    return plan;
}

size_t yoke__plan_reduction_block(size_t items, size_t result_bytes, size_t step)
{
    size_t most = REDUCTION_BYTES / (result_bytes > 0 ? result_bytes : 1);
    if (most > REDUCTION_BLOCKS)
        most = REDUCTION_BLOCKS;
    if (most < 1)
        most = 1;
    size_t block = REDUCTION_BLOCK;
    while (items / block >= most && block <= SIZE_MAX / 4)
        block *= 2;
    return block < step ? step : block;
}

double yoke__learn(double estimate, double observed)
{
    if (estimate <= 0 || observed > 4 * estimate || observed < estimate / 4)
        return observed;
    return estimate + (observed - estimate) / 4;
}

double yoke__learn_shared(double estimate, double observed, unsigned workers)
{
    if (estimate < observed)
        return observed;
    return estimate > observed * workers ? observed * workers : estimate;
}
