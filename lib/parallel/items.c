/* What units and items do when they run by themselves. */
#include <string.h>
#include <time.h>

#include "lib/parallel/checking.h"

enum { ALL_UNITS = 16384, SOME_UNITS = 1024, EDGE_UNITS = 32, ALL_COLUMNS = 4096, SOME_COLUMNS = 16, EDGE_COLUMNS = 4 };

static uint64_t draw(yoke__check *c) /* splitmix64 */
{
    uint64_t z = (c->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t yoke__check_clock(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool yoke__check_is_late(const yoke__check *c)
{
    return yoke__check_clock() > c->deadline;
}

static bool has_columns(const yoke__check *c)
{
    return c->kernel->shape == YOKE_SHAPE_MAP_2D;
}

size_t yoke__check_items(const yoke__check *c)
{
    return c->stage.units * (has_columns(c) ? c->stage.row : 1); /* no more than the grid */
}

yoke__where yoke__check_item(const yoke__check *c, size_t item)
{
    const size_t unit = has_columns(c) ? item / c->stage.row : item;
    return (yoke__where){unit, unit + 1, has_columns(c), has_columns(c) ? item % c->stage.row : 0};
}

bool yoke__check_run(yoke__check *c, yoke__where where)
{
    return where.one_column ? yoke__stage_run_column(&c->stage, where.begin, where.column)
                            : yoke__stage_run(&c->stage, where.begin, where.end);
}

/* --- accesses --- */

static int locate_in_unit(yoke__check *c, size_t unit)
{
    const yoke__fault fault = c->stage.fault;
    yoke__where where = {unit, unit + 1, has_columns(c), 0};
    for (; has_columns(c) && where.column < c->stage.row; where.column++)
        if (!yoke__check_run(c, where))
            return yoke__report_access(c, where);
    where.one_column = false;
    c->stage.fault = fault;
    return yoke__report_access(c, where);
}

int yoke__check_locate(yoke__check *c, size_t begin, size_t end)
{
    const yoke__fault fault = c->stage.fault;
    unsigned char *base = NULL; /* of the array, as it was at the fault */
    const unsigned k = fault.area > RESULT_AREA ? fault.area - RESULT_AREA - 1 : fault.area;
    if (k < RESULT_AREA)
        base = c->stage.array[k].base;
    for (size_t unit = begin; unit < end; unit++)
        for (int at_start = 0; at_start < 2; at_start++) {
            yoke__stage_put(&c->stage, unit, unit + 1, at_start != 0, FILL_A);
            if (!yoke__stage_run(&c->stage, unit, unit + 1))
                return locate_in_unit(c, unit);
        }
    c->stage.fault = fault;
    if (base != NULL)
        c->stage.array[k].base = base;
    return yoke__report_access(c, (yoke__where){begin, end, false, 0});
}

/* --- what was written --- */

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && a[at] == b[at])
        at++;
    return at;
}

int yoke__check_inputs(yoke__check *c, yoke__where where)
{
    for (uint32_t arrays = c->kernel->arrays & ~c->kernel->written; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        const yoke__staged *a = &c->stage.array[k];
        for (size_t u = a->from_unit; a->unit_bytes != 0 && u < a->from_unit + a->units; u++) {
            const unsigned char *now = yoke__stage_at(a, u), *was = a->host + u * a->stride;
            if (memcmp(now, was, a->unit_bytes) == 0)
                continue;
            const size_t at = u * a->unit_bytes + first_difference(now, was, a->unit_bytes);
            return yoke__report_changed(c, k, at / c->kernel->parameters[k].size, where);
        }
    }
    return YOKE_OK;
}

static bool is_filled(const unsigned char *at, size_t bytes, int fill)
{
    for (size_t b = 0; b < bytes; b++)
        if (at[b] != fill)
            return false;
    return true;
}

/* Two results differ: because of what the array held before, or of who ran before. */
static int explain(yoke__check *c, unsigned k, size_t element, size_t begin, size_t end,
                   bool (*again)(yoke__check *c, size_t begin, size_t end))
{
    const yoke__staged *a = &c->stage.array[k];
    const size_t size = c->kernel->parameters[k].size;
    const unsigned char *kept = a->kept + (element * size - c->chunk * a->unit_bytes);
    if (a->filled) {
        const yoke__where where = {begin, end, false, 0};
        yoke__stage_put(&c->stage, begin, end, true, FILL_A);
        if (!again(c, begin, end))
            return yoke__report_access(c, where);
        if (yoke__element_same(a->element, size, kept, a->base + element * size))
            return yoke__report_old_content(c, k, element);
    }
    return yoke__report_order(c, k, element, kept, a->base + element * size);
}

static int check_element(yoke__check *c, unsigned k, size_t element, size_t begin, size_t end,
                         bool (*again)(yoke__check *c, size_t begin, size_t end))
{
    const yoke__staged *a = &c->stage.array[k];
    const size_t size = c->kernel->parameters[k].size;
    const unsigned char *kept = a->kept + (element * size - c->chunk * a->unit_bytes), *now = a->base + element * size;
    if (a->filled && is_filled(kept, size, FILL_A) && is_filled(now, size, FILL_B))
        return yoke__report_unwritten(c, k, element);
    return yoke__element_same(a->element, size, kept, now) ? YOKE_OK : explain(c, k, element, begin, end, again);
}

int yoke__check_results(yoke__check *c, size_t begin, size_t end,
                        bool (*again)(yoke__check *c, size_t begin, size_t end))
{
    int status = YOKE_OK;
    for (uint32_t arrays = c->kernel->written; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        const yoke__staged *a = &c->stage.array[k];
        const size_t size = c->kernel->parameters[k].size, bytes = (end - begin) * a->unit_bytes;
        if (a->unit_bytes == 0)
            continue;
        const unsigned char *kept = a->kept + (begin - c->chunk) * a->unit_bytes, *now = yoke__stage_at(a, begin);
        for (size_t at = first_difference(kept, now, bytes) / size * size; status == YOKE_OK && at < bytes; at += size)
            status = check_element(c, k, (begin * a->unit_bytes + at) / size, begin, end, again);
    }
    return status;
}

static bool run_units(yoke__check *c, size_t begin, size_t end)
{
    return yoke__stage_run(&c->stage, begin, end);
}

/* --- alone --- */

/* Elements of the row that are not the column's, after it ran by itself. */
static int check_rest_of_row(yoke__check *c, yoke__where where)
{
    for (uint32_t arrays = c->kernel->written; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        const yoke__staged *a = &c->stage.array[k];
        if (a->unit_bytes == 0)
            continue;
        const size_t size = c->kernel->parameters[k].size, item = a->unit_bytes / c->stage.row;
        const unsigned char *now = yoke__stage_at(a, where.begin), *host = a->host + where.begin * a->stride;
        for (size_t b = 0; b < a->unit_bytes; b++) {
            if (b / item == where.column || now[b] == (a->filled ? (unsigned char)FILL_B : host[b]))
                continue;
            return yoke__report_foreign(c, k, (where.begin * a->unit_bytes + b) / size, where);
        }
    }
    return YOKE_OK;
}

static int check_own_of_row(yoke__check *c, yoke__where where)
{
    int status = YOKE_OK;
    for (uint32_t arrays = c->kernel->written; arrays != 0; arrays &= arrays - 1) {
        const unsigned k = (unsigned)__builtin_ctz(arrays);
        const size_t size = c->kernel->parameters[k].size, row = c->stage.array[k].unit_bytes / size;
        const size_t item = row / c->stage.row, first = where.begin * row + where.column * item;
        for (size_t e = 0; e < item && status == YOKE_OK; e++)
            status = check_element(c, k, first + e, where.begin, where.end, run_units);
    }
    return status;
}

static int check_columns(yoke__check *c, size_t row, bool all)
{
    const size_t width = c->stage.row;
    int status = YOKE_OK;
    for (size_t n = 0; status == YOKE_OK && n < (all ? width : 2 * EDGE_COLUMNS + SOME_COLUMNS); n++) {
        size_t column = n;
        if (!all && n >= EDGE_COLUMNS)
            column = n < 2 * EDGE_COLUMNS ? width - 1 - (n - EDGE_COLUMNS) : (size_t)(draw(c) % width);
        const yoke__where where = {row, row + 1, true, column};
        yoke__stage_put(&c->stage, row, row + 1, true, FILL_B);
        if (!yoke__check_run(c, where))
            return yoke__report_access(c, where);
        status = check_rest_of_row(c, where);
        if (status == YOKE_OK)
            status = check_own_of_row(c, where);
    }
    return status;
}

/* One item of a block of lanes: what a device runs. Its result may differ in the last bits. */
static int check_lanes(yoke__check *c, size_t begin, size_t end)
{
    for (size_t item = begin; item < end; item++)
        for (int at_start = 0; at_start < 2; at_start++) {
            const yoke__where where = {item, item + 1, false, 0};
            yoke__stage_put(&c->stage, item, item + 1, at_start != 0, FILL_A);
            if (!yoke__check_run(c, where))
                return yoke__report_access(c, where);
        }
    return YOKE_OK;
}

static int check_accesses(yoke__check *c, size_t begin, size_t end)
{
    const yoke__where where = {begin, end, false, 0};
    int status = YOKE_OK;
    if (c->kernel->shape == YOKE_SHAPE_LANES)
        status = check_lanes(c, begin, end);
    for (int at_start = 0; at_start < 2 && status == YOKE_OK; at_start++) {
        yoke__stage_put(&c->stage, begin, end, at_start != 0, FILL_A);
        if (!yoke__check_run(c, where))
            return yoke__check_locate(c, begin, end);
        status = yoke__check_inputs(c, where);
    }
    return status;
}

static int check_unit(yoke__check *c, size_t begin, size_t end)
{
    yoke__stage_put(&c->stage, begin, end, true, FILL_B);
    if (!run_units(c, begin, end))
        return yoke__check_locate(c, begin, end);
    return yoke__check_results(c, begin, end, run_units);
}

/* Blocks of lanes begin where the library begins them. */
static int check_some(yoke__check *c, size_t begin, size_t end, bool results)
{
    const size_t step = c->kernel->shape == YOKE_SHAPE_LANES ? yoke_lanes_max : 1;
    const size_t blocks = (end - begin + step - 1) / step, width = c->stage.row;
    const bool all = blocks <= ALL_UNITS, all_columns = blocks * width <= ALL_COLUMNS;
    int status = YOKE_OK;
    for (size_t n = 0; status == YOKE_OK && n < (all ? blocks : 2 * EDGE_UNITS + SOME_UNITS); n++) {
        size_t block = n;
        if (!all && n >= EDGE_UNITS)
            block = n < 2 * EDGE_UNITS ? blocks - 1 - (n - EDGE_UNITS) : (size_t)(draw(c) % blocks);
        const size_t from = begin + block * step, to = end - from < step ? end : from + step;
        status = results ? check_unit(c, from, to) : check_accesses(c, from, to);
        if (status == YOKE_OK && !results && has_columns(c) && (all_columns || n % 16 < 2))
            status = check_columns(c, from, all_columns || width <= 2 * EDGE_COLUMNS + SOME_COLUMNS);
        if (n >= 1 && yoke__check_is_late(c))
            break;
    }
    return status;
}

/* Who touches what first: it tells more than what comes of it. */
int yoke__check_alone(yoke__check *c, size_t begin, size_t end)
{
    const uint64_t random = c->random;
    int status = check_some(c, begin, end, false);
    c->random = random; /* the same ones */
    return status == YOKE_OK ? check_some(c, begin, end, true) : status;
}
