/* Where the pieces of a division lie. */
#include <math.h>

#include "lib/schedule/rate.h"

static size_t length(const yoke__zone *z)
{
    return z->end - z->begin;
}

static size_t step_of(const yoke__division *d)
{
    return d->step > 0 ? d->step : 1;
}

static size_t to_size(double items, size_t most)
{
    return items >= (double)most ? most : items >= 1 ? (size_t)items : 1;
}

void yoke__zones_begin(yoke__division *d, const double *share)
{
    double sum = 0;
    size_t at = 0;
    unsigned last = 0; /* gets what rounding leaves */
    for (unsigned k = 0; k < d->count; k++) {
        sum += share[k];
        last = share[k] > 0 ? k : last;
    }
    for (unsigned k = 0; k < d->count; k++) {
        const double part = sum > 0 && isfinite(sum) ? share[k] / sum * (double)d->items : 0;
        size_t size = to_size(part, d->items - at) / step_of(d) * step_of(d);
        size = part < 1 ? 0 : size;
        d->zone[k].begin = at;
        at = k == last ? d->items : at + size;
        d->zone[k].end = at;
    }
    for (unsigned k = last + 1; k < d->count; k++)
        d->zone[k].begin = d->zone[k].end = d->items;
}

/* A piece of the front, in whole steps but for the last. */
static size_t cut_front(const yoke__zone *z, size_t step, double items, size_t most)
{
    const size_t rest = length(z), bound = most < rest ? most : rest;
    const size_t size = to_size(items + (double)step / 2, bound);
    const size_t whole = size > step ? size / step * step : step < rest ? step : rest;
    return rest - whole < step && rest <= bound ? rest : whole;
}

/* A piece of the back that leaves whole steps, unless a step is too much. */
static size_t cut_back(const yoke__zone *z, size_t step, double items, size_t most)
{
    const size_t rest = length(z), bound = most < rest ? most : rest;
    const size_t size = to_size(items, bound);
    const size_t up = (z->end - size) % step; /* the zone begins at a multiple, so no piece begins before it */
    const size_t longer = size + up, shorter = step - up < size ? size - (step - up) : 0;
    if (longer <= bound && (up < step - up || shorter == 0))
        return longer;
    return up > 0 && shorter > 0 ? shorter : size;
}

/* The zone that goes on where this one ends, on the side from which its owner will take last. */
static yoke__zone *neighbour(yoke__division *d, unsigned who)
{
    const yoke__zone *own = &d->zone[who];
    for (unsigned k = 0; k < d->count; k++) {
        yoke__zone *z = &d->zone[k];
        if (k != who && length(z) > 0 && (who == WORKERS ? z->begin == own->end : z->end == own->begin))
            return z;
    }
    return NULL;
}

/* What is left of a zone and no whole piece grows at a neighbour's cost. */
static void borrow(yoke__division *d, unsigned who, double items)
{
    yoke__zone *own = &d->zone[who], *other = neighbour(d, who);
    const size_t wanted = to_size(items, d->items);
    if (other == NULL || length(own) >= wanted)
        return;
    const size_t left = length(other), missing = wanted - length(own);
    const size_t part = missing < left ? missing : left;
    if (who == WORKERS) {
        const size_t whole = (part + step_of(d) - 1) / step_of(d) * step_of(d);
        own->end = other->begin += whole < left ? whole : left;
    } else {
        const size_t at = (other->end - part) / step_of(d) * step_of(d);
        own->begin = other->end = at > other->begin ? at : other->begin;
    }
}

static unsigned largest(const yoke__division *d)
{
    unsigned found = 0;
    for (unsigned k = 1; k < d->count; k++)
        if (length(&d->zone[k]) > length(&d->zone[found]))
            found = k;
    return found;
}

size_t yoke__zones_take(yoke__division *d, unsigned who, double items, size_t most, size_t *begin)
{
    borrow(d, who, items);
    const unsigned owner = length(&d->zone[who]) > 0 ? who : largest(d);
    yoke__zone *z = &d->zone[owner];
    const bool is_guest = owner != who, from_workers = owner == WORKERS;
    /* who takes less than a step would leave the others none that begins at one */
    const bool front = (from_workers != is_guest) && (who == WORKERS || most >= step_of(d));
    const size_t size = front ? cut_front(z, step_of(d), items, most) : cut_back(z, step_of(d), items, most);
    *begin = front ? z->begin : z->end - size;
    if (front)
        z->begin += size;
    else
        z->end -= size;
    return size;
}
