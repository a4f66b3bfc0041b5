#include "lib/schedule/schedule.h"

enum {
    LARGEST_UNIT = 1024,      /* items: a few pages, so that neighbours do not share cache lines or pages often */
    UNITS_WANTED = 256,       /* per map: room for 1 to 64 workers to share evenly */
    REDUCTION_BLOCK = 4096,   /* items, at least */
    REDUCTION_BLOCKS = 1024,  /* partial results, at most */
    REDUCTION_BYTES = 1 << 20 /* of partial results, at most */
};

static size_t choose_unit(size_t items, size_t step)
{
    size_t unit = 1;
    while (unit < LARGEST_UNIT && unit * 2 <= items / UNITS_WANTED)
        unit *= 2;
    if (unit < step)
        unit = step;
    while (items / unit >= INT32_MAX)
        unit *= 2;
    return unit;
}

static uint32_t choose_grain(const yoke__load *load, const yoke__plan *plan)
{
    uint32_t share = plan->units / (load->workers * YOKE__PIECES_PER_WORKER);
    double unit_ns = load->item_ns * (double)plan->unit;
    double wanted = unit_ns > 0 ? YOKE__PIECE_NS / unit_ns : 1;
    uint32_t grain = wanted < (double)share ? (uint32_t)wanted : share;
    if (load->grain != 0) {
        size_t asked = load->grain / plan->unit + (load->grain % plan->unit != 0);
        grain = asked < plan->units ? (uint32_t)asked : plan->units;
    }
    return grain > 0 ? grain : 1;
}

yoke__plan yoke__plan_division(const yoke__load *load)
{
    yoke__plan plan = {.unit = choose_unit(load->items, load->step), .workers = 1};
    plan.units = (uint32_t)(load->items / plan.unit + (load->items % plan.unit != 0));
    plan.grain = choose_grain(load, &plan);
    double total_ns = load->item_ns * (double)load->items;
    bool unknown = load->item_ns <= 0;
    plan.wake = load->always_divide || unknown || total_ns >= YOKE__WAKE_NS;
    bool others_awake = load->asleep + 1 < load->workers;
    bool worth = plan.wake || (others_awake && total_ns >= YOKE__DIVIDE_NS);
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
    while (items / block >= most)
        block *= 2;
    return block < step ? step : block;
}

bool yoke__plan_streaming(size_t bytes_touched, size_t cache_bytes)
{
    return bytes_touched > cache_bytes;
}

double yoke__learn(double estimate, double observed)
{
    if (estimate <= 0 || observed > 4 * estimate || observed < estimate / 4)
        return observed;
    return estimate + (observed - estimate) / 4;
}
