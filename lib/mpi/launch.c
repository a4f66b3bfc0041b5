/* A call, step by step: the same on every rank. */
#include <stdlib.h>
#include <string.h>

#include "lib/mpi/mpi.h"

enum { VALUE_BYTES = 64 /* values begin at multiples of it */, ARRAYS_STEP = 64, LOOKS = 32 };

static int launch_nowhere(const yoke_launcher *self, const yoke_kernel *kernel, size_t size0, size_t size1,
                          void *result, void *const *arguments)
{
    (void)self, (void)size0, (void)size1, (void)result, (void)arguments;
    return yoke__fail(YOKE_EINVAL, "kernel %s: the yoke_mpi is NULL, or its options are of another version",
                      kernel->name);
}

const yoke_options *yoke_mpi_entry(yoke_mpi *mpi, const yoke_mpi_call *call)
{
    static const yoke_mpi_call defaults;
    static const yoke_launcher none = {launch_nowhere};
    static const yoke_options nowhere = {.launcher = &none};
    if (mpi == NULL || (call != NULL && call->size != 0 && call->size != sizeof *call))
        return &nowhere;
    mpi->call = call != NULL ? *call : defaults;
    mpi->entry = (yoke_options){.launcher = &mpi->launcher};
    return &mpi->entry;
}

/* --- the header: what the root tells all before anything runs --- */

static size_t value_room(const yoke_kernel *kernel, unsigned k)
{
    return kernel->parameters[k].mode == YOKE_MODE_VALUE
               ? (kernel->parameters[k].size + VALUE_BYTES - 1) / VALUE_BYTES * VALUE_BYTES
               : 0;
}

static size_t value_bytes(const yoke__mpi_run *run)
{
    size_t bytes = 0;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++)
        bytes += value_room(run->kernel, k);
    return bytes;
}

static size_t header_bytes(const yoke__mpi_run *run)
{
    return value_bytes(run) + (YOKE_MAX_PARAMETERS + (size_t)run->mpi->size + 1) * sizeof(uint64_t);
}

static unsigned char *values_of(const yoke__mpi_run *run)
{
    return (unsigned char *)run->alias - value_bytes(run);
}

/* Values first, for their alignment. */
static int make_header(yoke__mpi_run *run)
{
    run->header = yoke__alloc_zeroed(1, header_bytes(run) + VALUE_BYTES);
    run->windows = yoke__alloc_zeroed((size_t)run->mpi->size, sizeof *run->windows);
    if (run->header == NULL || run->windows == NULL)
        return yoke__fail(YOKE_ENOMEM, "kernel %s: no memory for the shares of %d ranks", run->kernel->name,
                          run->mpi->size);
    unsigned char *at = (unsigned char *)(((uintptr_t)run->header + VALUE_BYTES - 1) / VALUE_BYTES * VALUE_BYTES);
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        if (run->kernel->parameters[k].mode != YOKE_MODE_VALUE)
            continue;
        memcpy(at, run->argument[k], run->kernel->parameters[k].size);
        run->argument[k] = at;
        at += value_room(run->kernel, k);
    }
    run->alias = (uint64_t *)(void *)at;
    run->bounds = (size_t *)(void *)(run->alias + YOKE_MAX_PARAMETERS);
    return YOKE_OK;
}

static void note_aliases(yoke__mpi_run *run)
{
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        run->alias[k] = k;
        for (unsigned j = 0; j < k && (run->kernel->sliced >> k & 1) != 0; j++)
            if ((run->kernel->sliced >> j & 1) != 0 && run->argument[j] == run->argument[k]) {
                run->alias[k] = j;
                break;
            }
    }
}

/* Whole cache lines of small items, where that leaves every rank enough of them. */
static size_t share_step(const yoke__mpi_run *run)
{
    const size_t step = run->shape.step;
    if (yoke__mpi_folds(run->kernel) || run->kernel->shape == YOKE_SHAPE_MAP_2D ||
        run->kernel->shape == YOKE_SHAPE_LANES_2D)
        return step;
    return run->shape.items / ARRAYS_STEP >= 16 * (size_t)run->mpi->size ? ARRAYS_STEP : step;
}

static void fill_header(yoke__mpi_run *run)
{
    const yoke_mpi *mpi = run->mpi;
    note_aliases(run);
    if (run->shape.is_divisible)
        yoke__mpi_shares(mpi, run->kernel_hash, run->shape.items, share_step(run), run->bounds);
    else
        for (int r = 0; r <= mpi->size; r++)
            run->bounds[r] = r > mpi->root ? run->shape.items : 0;
}

static int tell_header(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    if (mpi->rank == mpi->root || run->distributed)
        note_aliases(run);
    if (mpi->rank == mpi->root && !run->distributed)
        fill_header(run);
    if (mpi->size > 1 && (!run->distributed || value_bytes(run) > YOKE__MPI_VALUES)) { /* few came with the agreement */
        yoke__mpi_spread(mpi, &run->requests, values_of(run), header_bytes(run));
        int status = yoke__mpi_wait(mpi, &run->requests, "waiting for the root's values");
        if (status != YOKE_OK)
            return status;
    }
    return yoke_call_shape_of(run->kernel, run->size[0], run->size[1], run->argument, 0, &run->shape);
}

/* --- what this rank alone can find wrong --- */

static int check_result(const yoke__mpi_run *run)
{
    const yoke_kernel *kernel = run->kernel;
    if (!yoke__mpi_folds(kernel))
        return YOKE_OK;
    if (run->result == NULL || (uintptr_t)run->result % kernel->result_alignment != 0)
        return yoke__fail(YOKE_EINVAL, "kernel %s: the result is NULL or not aligned for %s; give where to put one",
                          kernel->name, kernel->result_type);
    return YOKE_OK;
}

static int check_arrays(yoke__mpi_run *run)
{
    const yoke_kernel *kernel = run->kernel;
    unsigned sliced = 0, distributed = 0;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        if ((kernel->arrays >> k & 1) == 0)
            continue;
        run->array[k] = yoke__mpi_array_at(run->mpi, run->argument[k]);
        if ((kernel->sliced >> k & 1) != 0) {
            sliced++;
            distributed += run->array[k] != NULL;
        } else if (run->array[k] != NULL) {
            return yoke__fail(YOKE_EINVAL, "kernel %s: array %s is distributed, but every item may touch all of it",
                              kernel->name, kernel->parameters[k].name);
        }
    }
    run->distributed = distributed > 0;
    if (distributed > 0 && distributed < sliced)
        return yoke__fail(YOKE_EINVAL, "kernel %s: some of its arrays are distributed and some are not", kernel->name);
    if (run->mpi->rank != run->mpi->root)
        return YOKE_OK;
    return yoke_call_shape_of(kernel, run->size[0], run->size[1], run->argument, !run->distributed, &run->shape);
}

static int check_here(yoke__mpi_run *run)
{
    const yoke_mpi_call *call = &run->mpi->call;
    if ((call->flags & ~(unsigned)YOKE_MPI_DYNAMIC) != 0)
        return yoke__fail(YOKE_EINVAL, "unknown flags 0x%x; see YOKE_MPI_DYNAMIC", call->flags);
    int status = check_result(run);
    if (status == YOKE_OK)
        status = make_header(run);
    if (status == YOKE_OK)
        status = check_arrays(run);
    if (status == YOKE_OK && (call->flags & YOKE_MPI_DYNAMIC) != 0 &&
        (run->distributed || yoke__mpi_folds(run->kernel)))
        return yoke__fail(YOKE_EINVAL, "kernel %s: YOKE_MPI_DYNAMIC is for maps over arrays of the root",
                          run->kernel->name);
    return status;
}

static yoke__mpi_matter matter_of(const yoke__mpi_run *run)
{
    const yoke_shape shape = run->kernel->shape;
    yoke__mpi_matter m = {.kernel = run->kernel,
                          .kernel_hash = run->kernel_hash,
                          .size = {run->size[0], run->size[1]},
                          .flags = run->mpi->call.flags,
                          .grain = run->mpi->call.grain};
    m.verb = yoke__mpi_folds(run->kernel)                                 ? YOKE__MPI_REDUCE
             : shape == YOKE_SHAPE_MAP_2D || shape == YOKE_SHAPE_LANES_2D ? YOKE__MPI_MAP_2D
                                                                          : YOKE__MPI_MAP;
    if (run->alias != NULL && value_bytes(run) <= YOKE__MPI_VALUES) {
        m.values = values_of(run);
        m.value_bytes = value_bytes(run);
    }
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        const uint64_t number = run->array[k] != NULL ? run->array[k]->number : 0;
        m.arrays = yoke__mpi_hash(m.arrays, &number, sizeof number);
    }
    return m;
}

/* --- pieces of work --- */

yoke_part yoke__mpi_items_of(const yoke__mpi_run *run, yoke_part part)
{
    const size_t block = run->shape.block, all = run->shape.all;
    return (yoke_part){part.begin * block < all ? part.begin * block : all,
                       part.end >= run->shape.items ? all : part.end * block};
}

yoke_part yoke__mpi_window_of(const yoke__mpi_run *run, unsigned k, yoke_part part)
{
    const yoke_part_array *array = &run->shape.array[k];
    yoke_part w = yoke__mpi_items_of(run, part);
    if (w.begin == w.end)
        return w;
    w.begin = w.begin > array->before ? w.begin - array->before : 0;
    w.end = run->shape.all - w.end > array->after ? w.end + array->after : run->shape.all;
    return w;
}

static void push(size_t done, size_t total, void *argument)
{
    yoke__mpi_run *run = argument;
    (void)done, (void)total;
    if (run->look != NULL)
        run->look(run->look_argument);
    else
        (void)yoke__mpi_push(&run->requests);
}

/* A look at MPI costs as much as hundreds of items: few of them, while the caller computes its part. */
static size_t grain_for_looks(const yoke__mpi_run *run, yoke_part part)
{
    const int workers = yoke_workers(run->mpi->runtime);
    return yoke__mpi_folds(run->kernel) ? 0 : (part.end - part.begin) / LOOKS / (size_t)(workers > 0 ? workers : 1);
}

int yoke__mpi_compute(yoke__mpi_run *run, yoke_part part, void *partials, void *const *arguments)
{
    const bool pushes = run->requests.count > 0 || run->look != NULL;
    const yoke_options options = {
        .progress = push, .progress_argument = run, .grain = pushes ? grain_for_looks(run, part) : 0};
    const int64_t start = yoke__now_ns();
    int status;
    if (part.begin == part.end)
        return YOKE_OK;
    if (yoke__mpi_folds(run->kernel))
        status = yoke_launch_reduce_part(run->mpi->runtime, pushes ? &options : NULL, run->kernel, run->size[0], part,
                                         partials, arguments);
    else
        status = yoke_launch_map_part(run->mpi->runtime, pushes ? &options : NULL, run->kernel, run->size[0],
                                      run->size[1], part, arguments);
    run->compute_ns += (double)(yoke__now_ns() - start);
    run->computed += part.end - part.begin;
    return status;
}

int yoke__mpi_make_whole(yoke__mpi_run *run)
{
    for (unsigned k = 0; k < run->kernel->parameter_count && run->mpi->rank != run->mpi->root; k++) {
        if (run->kernel->parameters[k].mode != YOKE_MODE_WHOLE)
            continue;
        run->whole[k] = yoke__alloc_zeroed(1, run->shape.array[k].bytes + 1);
        if (run->whole[k] == NULL)
            return yoke__fail(YOKE_ENOMEM, "kernel %s: no memory for a copy of array %s", run->kernel->name,
                              run->kernel->parameters[k].name);
        run->argument[k] = run->whole[k];
    }
    return YOKE_OK;
}

void yoke__mpi_spread_whole(yoke__mpi_run *run)
{
    for (unsigned k = 0; k < run->kernel->parameter_count && run->mpi->size > 1; k++)
        if (run->kernel->parameters[k].mode == YOKE_MODE_WHOLE)
            yoke__mpi_spread(run->mpi, &run->requests, run->argument[k], run->shape.array[k].bytes);
}

/* --- the whole of it --- */

/* Shares as they were; for arrays of the root, speeds are learned from them. */
static int settle(yoke__mpi_run *run, int status)
{
    yoke_mpi *mpi = run->mpi;
    yoke_mpi_share *mine = &mpi->share[mpi->rank];
    *mine = (yoke_mpi_share){run->computed, run->compute_ns * 1e-9};
    if (run->distributed)
        return yoke__mpi_folds(run->kernel) ? yoke__mpi_agree_status(mpi, status) : status;
    if (!run->shape.is_divisible || mpi->broken != 0)
        return yoke__mpi_agree_status(mpi, status);
    const bool is_root = mpi->rank == mpi->root;
    MPI_Request request = MPI_REQUEST_NULL; /* at once with the agreement */
    int code = MPI_Igather(is_root ? MPI_IN_PLACE : mine, (int)sizeof *mine, MPI_BYTE, mpi->share, (int)sizeof *mine,
                           MPI_BYTE, mpi->root, mpi->comm, &request);
    const int agreed = yoke__mpi_agree_status(mpi, status);
    status = yoke__mpi_wait_one(mpi, code, request, "telling how long it took");
    if (agreed == YOKE_OK && status == YOKE_OK && is_root)
        yoke__mpi_learn(mpi, run->kernel_hash);
    return agreed != YOKE_OK ? agreed : status;
}

static int run_agreed(yoke__mpi_run *run)
{
    int status = tell_header(run);
    if (status != YOKE_OK) /* of MPI, or the same everywhere */
        return status;
    if (run->shape.items == 0) {
        if (yoke__mpi_folds(run->kernel))
            run->kernel->identity(run->result);
        return YOKE_OK;
    }
    if (run->distributed)
        status = yoke__mpi_run_distributed(run);
    else if ((run->mpi->call.flags & YOKE_MPI_DYNAMIC) != 0 && run->shape.is_divisible && run->mpi->size > 1)
        status = yoke__mpi_run_dynamic(run);
    else
        status = yoke__mpi_run_root(run);
    return settle(run, status);
}

/* The agreement is under way while the call begins. */
static int run_ahead(yoke__mpi_run *run, const yoke__mpi_matter *matter)
{
    int status = yoke__mpi_agree_begin(run->mpi, &run->begun, matter, YOKE_OK);
    if (status != YOKE_OK)
        return status;
    run->agreement = &run->begun;
    status = run_agreed(run);
    if (run->agreement != NULL) { /* it did not get so far */
        const int agreed = yoke__mpi_agree_end(run->mpi, run->agreement);
        run->agreement = NULL;
        run->again = run->begun.changed;
        status = agreed != YOKE_OK ? agreed : status;
    }
    if (!run->again)
        return status;
    run->computed = 0;
    run->again = run->has_rims = false;
    return run_agreed(run);
}

static int run_call(yoke__mpi_run *run, int status)
{
    const yoke__mpi_matter matter = matter_of(run);
    if (status == YOKE_OK && yoke__mpi_may_go_ahead(run, &matter))
        return run_ahead(run, &matter);
    status = yoke__mpi_agree(run->mpi, &matter, status);
    if (status == YOKE_OK)
        status = run_agreed(run);
    if (status == YOKE_OK)
        yoke__mpi_remember(run, &matter);
    return status;
}

int yoke__mpi_launch(const yoke_launcher *self, const yoke_kernel *kernel, size_t size0, size_t size1, void *result,
                     void *const *arguments)
{
    yoke_mpi *mpi = (yoke_mpi *)(uintptr_t)self;
    yoke__mpi_run run = {.mpi = mpi,
                         .kernel = kernel,
                         .kernel_hash = yoke__mpi_hash_kernel(kernel),
                         .size = {size0, size1},
                         .result = result};
    int status = yoke__mpi_may_call(mpi);
    if (status != YOKE_OK)
        return status;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        run.argument[k] = arguments[k];
    status = run_call(&run, check_here(&run));
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS; k++)
        yoke__free(run.whole[k]);
    yoke__free(run.memory);
    yoke__free(run.header);
    yoke__free(run.windows);
    yoke__mpi_forget(&run.requests);
    return status;
}
