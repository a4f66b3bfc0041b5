/* Items that write the same element of a `scatter` array. */
#include <string.h>

#include "lib/parallel/checking.h"

enum { MOST_COMPARED = 1 << 28, LEAST_ITEMS = 64 };

/* Runs every item for itself, and asks which change this element. */
static int find_writers(yoke__check *c, unsigned k, size_t element)
{
    const yoke__staged *a = &c->stage.array[k];
    const size_t size = c->kernel->parameters[k].size, items = yoke__check_items(c), at = element * size;
    yoke__where first = {0};
    bool any = false;
    yoke__stage_put(&c->stage, 0, c->stage.units, false, FILL_A);
    for (size_t item = 0; item < items; item++) {
        const yoke__where where = yoke__check_item(c, item);
        memcpy(a->base + at, a->host + at, size);
        if (!yoke__check_run(c, where))
            return yoke__check_locate(c, where.begin, where.end);
        if (memcmp(a->base + at, a->host + at, size) == 0)
            continue;
        if (any)
            return yoke__report_collision(c, k, element, first, where);
        any = true;
        first = where;
    }
    return yoke__report_order(c, k, element, a->kept + at, a->base + at);
}

/* After the chunk ran in another order than what was kept. */
static int check_order(yoke__check *c, unsigned k)
{
    const yoke__staged *a = &c->stage.array[k];
    const size_t size = c->kernel->parameters[k].size;
    for (size_t at = 0; at < a->bytes; at += size)
        if (!yoke__element_same(a->element, size, a->kept + at, a->base + at))
            return find_writers(c, k, at / size);
    return YOKE_OK;
}

/* Which element of the array the item changed that another one had; all are put back. owner: item + 1. */
static int claim(yoke__check *c, unsigned k, uint32_t *owner, size_t item)
{
    yoke__staged *a = &c->stage.array[k];
    const size_t size = c->kernel->parameters[k].size;
    int status = YOKE_OK;
    if (memcmp(a->base, a->host, a->bytes) == 0)
        return status;
    for (size_t at = 0; at < a->bytes && status == YOKE_OK; at += size) {
        if (memcmp(a->base + at, a->host + at, size) == 0)
            continue;
        memcpy(a->base + at, a->host + at, size);
        uint32_t *of = &owner[at / size];
        if (*of != 0 && *of != item + 1)
            status = yoke__report_collision(c, k, at / size, yoke__check_item(c, *of - 1), yoke__check_item(c, item));
        *of = (uint32_t)(item + 1);
    }
    return status;
}

/* Items that write the same value in any order show only here: all of them, or the first ones. */
static int check_owners(yoke__check *c, unsigned k)
{
    const yoke__staged *a = &c->stage.array[k];
    const size_t count = a->bytes / c->kernel->parameters[k].size;
    size_t items = yoke__check_items(c);
    if (items > UINT32_MAX - 1)
        items = UINT32_MAX - 1;
    if (a->bytes != 0 && items > MOST_COMPARED / a->bytes)
        items = MOST_COMPARED / a->bytes + LEAST_ITEMS < items ? MOST_COMPARED / a->bytes + LEAST_ITEMS : items;
    uint32_t *owner = count != 0 ? yoke__alloc_zeroed(count, sizeof *owner) : NULL;
    int status = YOKE_OK;
    if (owner == NULL)
        return count != 0 ? yoke__not_looked_at(c->checks, c->kernel,
                                                "no memory to look for items that write the same "
                                                "element")
                          : YOKE_OK;
    yoke__stage_put(&c->stage, 0, c->stage.units, false, FILL_A);
    size_t item = 0;
    for (; item < items && status == YOKE_OK && (item < LEAST_ITEMS || !yoke__check_is_late(c)); item++) {
        const yoke__where where = yoke__check_item(c, item);
        status = yoke__check_run(c, where) ? claim(c, k, owner, item) : yoke__check_locate(c, where.begin, where.end);
    }
    yoke__free(owner);
    if (status == YOKE_OK && item < yoke__check_items(c))
        return yoke__not_looked_at(c->checks, c->kernel,
                                   "only the first %zu items were searched for those that write the same value to the "
                                   "same element",
                                   item);
    return status;
}

int yoke__check_scatters(yoke__check *c)
{
    int status = YOKE_OK;
    for (unsigned k = 0; k < c->kernel->parameter_count && status == YOKE_OK; k++)
        if (c->kernel->parameters[k].mode == YOKE_MODE_SCATTER)
            status = check_order(c, k);
    for (unsigned k = 0; k < c->kernel->parameter_count && status == YOKE_OK; k++)
        if (c->kernel->parameters[k].mode == YOKE_MODE_SCATTER)
            status = check_owners(c, k);
    return status;
}
