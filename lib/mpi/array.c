/* Block-distributed arrays: their blocks, their rims, and the exchange of items between blocks. */
#include <string.h>

#include "lib/mpi/mpi.h"

enum {
    SMALL_ITEM = 64, /* bytes; larger ones are taken for rows */
    BLOCK = 4096,    /* items; blocks of reductions, which */
    BLOCKS = 1024,   /* are so many at most, lie in one block each where that leaves every rank so many of them: */
    SHARE_BLOCKS = 32,
    TAG_SCATTER = 4 * YOKE_MAX_PARAMETERS,
    TAG_GATHER
};

/* Blocks begin at multiples of it. */
static size_t step_of(const yoke_mpi *mpi, size_t items, size_t item_bytes)
{
    size_t block = BLOCK;
    if (item_bytes > SMALL_ITEM)
        return 1;
    while (items / block >= BLOCKS && block <= SIZE_MAX / 4)
        block *= 2;
    return items / block >= SHARE_BLOCKS * (size_t)mpi->size ? block : yoke_lanes_max;
}

static size_t own_items(const yoke_mpi_array *a)
{
    return a->bounds[a->mpi->rank + 1] - a->bounds[a->mpi->rank];
}

static int make(yoke_mpi_array *a)
{
    yoke_mpi *mpi = a->mpi;
    size_t items, bytes, all;
    if (a->item_bytes == 0 || yoke__mul_overflows(a->items, a->item_bytes, &all) || all > PTRDIFF_MAX)
        return yoke__fail(YOKE_EOVERFLOW, "%zu items of %zu bytes are no array", a->items, a->item_bytes);
    a->before = a->before < a->items ? a->before : a->items;
    a->after = a->after < a->items ? a->after : a->items;
    a->bounds = yoke__alloc_zeroed((size_t)mpi->size + 1, sizeof *a->bounds);
    if (a->bounds == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for the blocks of %d ranks", mpi->size);
    yoke__mpi_divide(a->items, step_of(mpi, a->items, a->item_bytes), mpi->weight, mpi->size, a->bounds);
    if (yoke__add_overflows(own_items(a) + a->before, a->after, &items) ||
        yoke__mul_overflows(items, a->item_bytes, &bytes) || yoke__add_overflows(bytes, 2 * YOKE_CACHE_LINE, &bytes))
        return yoke__fail(YOKE_EOVERFLOW, "a block of %zu items of %zu bytes is too large", own_items(a),
                          a->item_bytes);
    a->memory = yoke__alloc_zeroed(1, bytes);
    if (a->memory == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu bytes of a distributed array", bytes);
    const uintptr_t first = (uintptr_t)a->memory + a->before * a->item_bytes;
    a->local = (unsigned char *)((first + YOKE_CACHE_LINE - 1) / YOKE_CACHE_LINE * YOKE_CACHE_LINE);
    return YOKE_OK;
}

static void forget(yoke_mpi_array *a)
{
    yoke__free(a->bounds);
    yoke__free(a->memory);
    yoke__free(a);
}

yoke_mpi_array *yoke_mpi_array_open(yoke_mpi *mpi, size_t items, size_t item_bytes, size_t before, size_t after)
{
    if (mpi == NULL) {
        (void)yoke__fail(YOKE_EINVAL, "the yoke_mpi is NULL; open one");
        return NULL;
    }
    if (yoke__mpi_may_call(mpi) != YOKE_OK)
        return NULL;
    yoke_mpi_array *a = yoke__alloc_zeroed(1, sizeof *a);
    int status = a != NULL ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for a distributed array");
    if (a != NULL) {
        *a = (yoke_mpi_array){.mpi = mpi, .items = items, .item_bytes = item_bytes, .before = before, .after = after};
        status = make(a);
    }
    const yoke__mpi_matter matter = {.verb = YOKE__MPI_ARRAY_OPEN, .size = {items, item_bytes, before, after}};
    status = yoke__mpi_agree(mpi, &matter, status);
    if (a == NULL)
        return NULL;
    if (status != YOKE_OK) {
        forget(a);
        return NULL;
    }
    a->number = ++mpi->arrays_opened;
    a->next = mpi->arrays;
    mpi->arrays = a;
    return a;
}

/* What all ranks are to do with the same array. */
static int agree_on(const yoke_mpi_array *a, yoke__mpi_verb verb, int status)
{
    return yoke__mpi_agree(a->mpi, &(yoke__mpi_matter){.verb = verb, .arrays = a->number}, status);
}

int yoke_mpi_array_close(yoke_mpi_array *array)
{
    if (array == NULL)
        return YOKE_OK;
    yoke_mpi *mpi = array->mpi;
    int status = mpi->broken != 0 ? YOKE_OK : yoke__mpi_may_call(mpi);
    if (status == YOKE_OK && mpi->broken == 0)
        status = agree_on(array, YOKE__MPI_ARRAY_CLOSE, YOKE_OK);
    if (status != YOKE_OK && mpi->broken == 0)
        return status;
    for (yoke_mpi_array **at = &mpi->arrays; *at != NULL; at = &(*at)->next)
        if (*at == array) {
            *at = array->next;
            break;
        }
    forget(array);
    return status;
}

void *yoke_mpi_local(const yoke_mpi_array *array)
{
    return array != NULL ? array->local : NULL;
}

int yoke_mpi_range(const yoke_mpi_array *array, int rank, size_t *begin, size_t *end)
{
    if (array == NULL || begin == NULL || end == NULL || rank < 0 || rank >= array->mpi->size)
        return yoke__fail(YOKE_EINVAL, "no rank %d, or no place for its range", rank);
    *begin = array->bounds[rank];
    *end = array->bounds[rank + 1];
    return YOKE_OK;
}

int yoke_mpi_owner(const yoke_mpi_array *array, size_t item)
{
    if (array == NULL || item >= array->items)
        return -1;
    int low = 0, high = array->mpi->size - 1; /* the first whose block ends behind it */
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (array->bounds[middle + 1] > item)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

yoke_mpi_array *yoke__mpi_array_at(const yoke_mpi *mpi, const void *local)
{
    for (yoke_mpi_array *a = mpi->arrays; a != NULL; a = a->next)
        if (a->local == local)
            return a;
    return NULL;
}

/* --- items on their way --- */

static yoke_part overlap(yoke_part a, yoke_part b)
{
    const yoke_part both = {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
    return both.begin < both.end ? both : (yoke_part){0, 0};
}

void yoke__mpi_exchange(const yoke_mpi_array *array, yoke__mpi_requests *requests, const yoke_part *windows, void *base,
                        int tag)
{
    yoke_mpi *mpi = array->mpi;
    const yoke_part mine = {array->bounds[mpi->rank], array->bounds[mpi->rank + 1]};
    const size_t item = array->item_bytes;
    for (int r = 0; r < mpi->size; r++) {
        if (r == mpi->rank)
            continue;
        const yoke_part theirs = {array->bounds[r], array->bounds[r + 1]};
        const yoke_part in = overlap(windows[mpi->rank], theirs), out = overlap(windows[r], mine);
        yoke__mpi_receive(mpi, requests, (void *)((uintptr_t)base + in.begin * item), (in.end - in.begin) * item, r,
                          tag);
        yoke__mpi_send(mpi, requests, array->local + (out.begin - mine.begin) * item, (out.end - out.begin) * item, r,
                       tag);
    }
}

/* Between the blocks and the root's array, one way or the other. */
static int move(const yoke_mpi_array *a, unsigned char *all, yoke__mpi_verb verb)
{
    yoke_mpi *mpi = a->mpi;
    yoke__mpi_requests requests = {0};
    const size_t item = a->item_bytes;
    const bool out = verb == YOKE__MPI_SCATTER, is_root = mpi->rank == mpi->root;
    int status = yoke__mpi_may_call(mpi);
    if (status != YOKE_OK)
        return status;
    if (is_root && all == NULL && a->items > 0)
        status = yoke__fail(YOKE_EINVAL, "the root's array is NULL; give %zu bytes", a->items * item);
    status = agree_on(a, verb, status);
    if (status != YOKE_OK)
        return status;
    for (int r = 0; r < mpi->size && is_root; r++) {
        const size_t bytes = (a->bounds[r + 1] - a->bounds[r]) * item;
        unsigned char *part = all != NULL ? all + a->bounds[r] * item : NULL;
        if (r == mpi->rank && part != NULL)
            memcpy(out ? a->local : part, out ? part : a->local, bytes);
        else if (r != mpi->rank && out)
            yoke__mpi_send(mpi, &requests, part, bytes, r, TAG_SCATTER);
        else if (r != mpi->rank)
            yoke__mpi_receive(mpi, &requests, part, bytes, r, TAG_GATHER);
    }
    if (!is_root && out)
        yoke__mpi_receive(mpi, &requests, a->local, own_items(a) * item, mpi->root, TAG_SCATTER);
    else if (!is_root)
        yoke__mpi_send(mpi, &requests, a->local, own_items(a) * item, mpi->root, TAG_GATHER);
    status = yoke__mpi_wait(mpi, &requests, "moving a distributed array");
    yoke__mpi_forget(&requests);
    return yoke__mpi_agree_status(mpi, status);
}

int yoke_mpi_scatter(yoke_mpi_array *array, const void *from)
{
    if (array == NULL)
        return yoke__fail(YOKE_EINVAL, "the distributed array is NULL; open one");
    return move(array, (unsigned char *)(uintptr_t)from, YOKE__MPI_SCATTER);
}

int yoke_mpi_gather(const yoke_mpi_array *array, void *to)
{
    if (array == NULL)
        return yoke__fail(YOKE_EINVAL, "the distributed array is NULL; open one");
    return move(array, to, YOKE__MPI_GATHER);
}
