/* Calls over block-distributed arrays: each rank runs its block; rims come from the neighbours while the inner part is
 * computed. */
#include <string.h>

#include "lib/mpi/mpi.h"

enum { TAG_RIM = 2 * YOKE_MAX_PARAMETERS };

/* --- whether the arrays fit the call; the same on every rank --- */

static int check_array(const yoke__mpi_run *run, unsigned k, const yoke_mpi_array *first)
{
    const yoke_mpi_array *a = run->array[k];
    const yoke_part_array *needs = &run->shape.array[k];
    const char *kernel = run->kernel->name, *name = run->kernel->parameters[k].name;
    if (a->items != run->shape.all || a->item_bytes != needs->item_bytes)
        return yoke__fail(YOKE_EINVAL,
                          "kernel %s: array %s has %zu items of %zu bytes; the call needs %zu items of %zu", kernel,
                          name, a->items, a->item_bytes, run->shape.all, needs->item_bytes);
    if (needs->before > a->before || needs->after > a->after)
        return yoke__fail(YOKE_EINVAL,
                          "kernel %s: array %s was opened for a rim of %zu and %zu items; it needs %zu "
                          "and %zu",
                          kernel, name, a->before, a->after, needs->before, needs->after);
    if (memcmp(a->bounds, first->bounds, ((size_t)run->mpi->size + 1) * sizeof *a->bounds) != 0)
        return yoke__fail(YOKE_EINVAL,
                          "kernel %s: array %s is divided in another way than the others; give all of them items of "
                          "more than 64 bytes, or all of at most 64",
                          kernel, name);
    for (int r = 1; r < run->mpi->size && !yoke__mpi_folds(run->kernel); r++)
        if (a->bounds[r] % run->shape.step != 0 && a->bounds[r] != a->items)
            return yoke__fail(YOKE_EINVAL,
                              "kernel %s: array %s is divided into rows; a lane kernel needs items of at most 64 bytes",
                              kernel, name);
    return YOKE_OK;
}

/* As on one machine: what is written is at most the `in` of the same items, too. */
static int check_sharing(const yoke__mpi_run *run, unsigned k)
{
    const yoke_parameter *p = run->kernel->parameters;
    for (unsigned j = 0; j < k; j++) {
        if (run->array[j] != run->array[k])
            continue;
        const bool writes = ((run->kernel->written >> j | run->kernel->written >> k) & 1) != 0;
        if (writes && (p[j].mode == YOKE_MODE_IN) == (p[k].mode == YOKE_MODE_IN))
            return yoke__fail(YOKE_EINVAL,
                              "kernel %s: arrays %s and %s are the same and one is written; only an `in` may be what "
                              "is written",
                              run->kernel->name, p[j].name, p[k].name);
    }
    return YOKE_OK;
}

static int check_all(const yoke__mpi_run *run, const yoke_mpi_array **first)
{
    int status = YOKE_OK;
    *first = NULL;
    for (unsigned k = 0; k < run->kernel->parameter_count && status == YOKE_OK; k++) {
        if (run->array[k] == NULL)
            continue;
        *first = *first != NULL ? *first : run->array[k];
        status = check_array(run, k, *first);
        if (status == YOKE_OK)
            status = check_sharing(run, k);
    }
    return status;
}

/* A block of a reduction belongs to who has its first item. */
static void find_bounds(yoke__mpi_run *run, const yoke_mpi_array *array)
{
    const size_t block = run->shape.block;
    for (int r = 0; r <= run->mpi->size; r++)
        run->bounds[r] = array->bounds[r] / block + (array->bounds[r] % block != 0);
}

/* --- rims --- */

static bool is_inside(const yoke_mpi_array *a, int rank, yoke_part window)
{
    return window.begin == window.end || (window.begin >= a->bounds[rank] && window.end <= a->bounds[rank + 1]);
}

/* Whether the windows fit into the block and the rims it has room for: always in a map. */
static bool has_room(const yoke_mpi_array *a, int rank, yoke_part window)
{
    return window.begin == window.end ||
           (window.begin + a->before >= a->bounds[rank] && window.end <= a->bounds[rank + 1] + a->after);
}

/* Memory for one whose window does not fit, with the rank's own items in it. */
static int make_room(yoke__mpi_run *run, unsigned k, yoke_part window)
{
    const yoke_mpi_array *a = run->array[k];
    const size_t begin = a->bounds[run->mpi->rank], end = a->bounds[run->mpi->rank + 1];
    if (yoke__mpi_window_memory(run, k, 0, window, &run->argument[k]) == NULL)
        return YOKE_ENOMEM;
    const size_t from = begin > window.begin ? begin : window.begin, to = end < window.end ? end : window.end;
    if (from < to)
        memcpy((void *)((uintptr_t)run->argument[k] + from * a->item_bytes), a->local + (from - begin) * a->item_bytes,
               (to - from) * a->item_bytes);
    return YOKE_OK;
}

static int place_arrays(yoke__mpi_run *run)
{
    const int rank = run->mpi->rank;
    int status = YOKE_OK;
    for (unsigned k = 0; k < run->kernel->parameter_count && status == YOKE_OK; k++) {
        const yoke_mpi_array *a = run->array[k];
        if (a == NULL)
            continue;
        const yoke_part window = yoke__mpi_window_of(run, k, yoke__mpi_share_of(run, rank));
        run->argument[k] = (void *)((uintptr_t)a->local - a->bounds[rank] * a->item_bytes);
        if (!has_room(a, rank, window))
            status = make_room(run, k, window);
    }
    return status;
}

static void exchange_rims(yoke__mpi_run *run)
{
    yoke_part *windows = run->windows;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        if (run->array[k] == NULL || run->kernel->parameters[k].mode == YOKE_MODE_OUT)
            continue;
        bool any = false;
        for (int r = 0; r < run->mpi->size; r++) {
            windows[r] = yoke__mpi_window_of(run, k, yoke__mpi_share_of(run, r));
            any |= !is_inside(run->array[k], r, windows[r]);
        }
        if (any)
            yoke__mpi_exchange(run->array[k], &run->requests, windows, run->argument[k], TAG_RIM + (int)k);
    }
}

/* What can be computed before the rims are there. */
static yoke_part inner_part(const yoke__mpi_run *run)
{
    const yoke_part own = yoke__mpi_share_of(run, run->mpi->rank);
    size_t before = 0, after = 0;
    if (yoke__mpi_folds(run->kernel))
        return (yoke_part){own.begin, own.begin};
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        before = run->shape.array[k].before > before ? run->shape.array[k].before : before;
        after = run->shape.array[k].after > after ? run->shape.array[k].after : after;
    }
    const size_t step = run->shape.step, count = own.end - own.begin;
    before = own.begin > 0 ? (before + step - 1) / step * step : 0;
    after = own.end < run->shape.items ? (after + step - 1) / step * step : 0;
    if (before > count || after > count - before)
        return (yoke_part){own.begin, own.begin};
    return (yoke_part){own.begin + before, own.end - after};
}

static void begin_rims(yoke__mpi_run *run)
{
    if (!run->has_rims)
        exchange_rims(run);
    run->has_rims = true;
}

/* While the inner part is computed. */
static void look_ahead(void *argument)
{
    yoke__mpi_run *run = argument;
    if (run->has_rims)
        (void)yoke__mpi_push(&run->requests);
    else if (yoke__mpi_agree_test(run->agreement))
        begin_rims(run);
}

static int compute_inner(yoke__mpi_run *run, yoke_part inner)
{
    if (run->agreement != NULL) {
        run->look = look_ahead;
        run->look_argument = run;
    }
    const int status =
        inner.begin < inner.end ? yoke__mpi_compute(run, inner, yoke__mpi_own_partials(run), run->argument) : YOKE_OK;
    run->look = NULL;
    return status;
}

/* What was begun before all had agreed: with other values it is for nothing. */
static int agree_at_last(yoke__mpi_run *run)
{
    yoke__mpi_agreement *agreement = run->agreement;
    run->agreement = NULL;
    if (agreement == NULL)
        return YOKE_OK;
    const int status = yoke__mpi_agree_end(run->mpi, agreement);
    run->again = status == YOKE_OK && agreement->changed;
    if (status == YOKE_OK && !run->again)
        begin_rims(run);
    return status;
}

static int compute_parts(yoke__mpi_run *run)
{
    const yoke_part own = yoke__mpi_share_of(run, run->mpi->rank);
    const bool at_once = run->requests.count == 0 && run->agreement == NULL;
    const yoke_part inner = at_once ? own : inner_part(run);
    int status = compute_inner(run, inner);
    const int agreed = agree_at_last(run);
    if (agreed != YOKE_OK || run->again)
        return agreed;
    const int waited =
        at_once ? YOKE_OK : yoke__mpi_wait(run->mpi, &run->requests, "waiting for the rims of other ranks");
    status = waited != YOKE_OK ? waited : status;
    if (status == YOKE_OK)
        status =
            yoke__mpi_compute(run, (yoke_part){own.begin, inner.begin}, yoke__mpi_own_partials(run), run->argument);
    if (status == YOKE_OK)
        status = yoke__mpi_compute(run, (yoke_part){inner.end, own.end}, yoke__mpi_own_partials(run), run->argument);
    if (!yoke__mpi_folds(run->kernel)) /* nobody waits at the end of a map */
        yoke__mpi_tell_later(run->mpi, status);
    return status;
}

static bool has_whole(const yoke__mpi_run *run)
{
    bool any = false;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++)
        any |= run->kernel->parameters[k].mode == YOKE_MODE_WHOLE;
    return any;
}

static int run_block(yoke__mpi_run *run)
{
    if (run->mpi->size > 1) {
        yoke__mpi_spread_whole(run);
        const int status = yoke__mpi_wait(run->mpi, &run->requests, "waiting for the root's arrays");
        if (status != YOKE_OK)
            return status;
        if (run->agreement == NULL)
            begin_rims(run);
    }
    return compute_parts(run);
}

int yoke__mpi_run_distributed(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    const yoke_mpi_array *first;
    const bool folds = yoke__mpi_folds(run->kernel);
    int status = check_all(run, &first);
    if (status != YOKE_OK || first == NULL)
        return status;
    find_bounds(run, first);
    status = yoke__mpi_make_whole(run);
    if (status == YOKE_OK)
        status = yoke__mpi_make_partials(run);
    if (status == YOKE_OK)
        status = place_arrays(run);
    if (folds || has_whole(run)) /* nothing else needed memory */
        status = yoke__mpi_agree_status(mpi, status);
    if (status == YOKE_OK)
        status = run_block(run);
    if (folds) {
        status = yoke__mpi_agree_status(mpi, status);
        if (status == YOKE_OK)
            status = yoke__mpi_combine(run);
    }
    return status;
}
