/* Partial results of the blocks, wherever they were folded, combined in the tree that one machine uses. */
#include <string.h>

#include "lib/mpi/mpi.h"

enum { TAG = 3 * YOKE_MAX_PARAMETERS };

int yoke__mpi_make_partials(yoke__mpi_run *run)
{
    const yoke_mpi *mpi = run->mpi;
    if (!yoke__mpi_folds(run->kernel))
        return YOKE_OK;
    const size_t alignment =
        run->kernel->result_alignment > YOKE_CACHE_LINE ? run->kernel->result_alignment : YOKE_CACHE_LINE;
    size_t blocks = mpi->rank == mpi->root ? run->shape.items : run->bounds[mpi->rank + 1] - run->bounds[mpi->rank];
    blocks = blocks > 0 ? blocks : 1; /* the result comes here, too */
    run->memory = yoke__alloc_zeroed(1, blocks * run->kernel->result_size + alignment);
    if (run->memory == NULL)
        return yoke__fail(YOKE_ENOMEM, "kernel %s: no memory for %zu partial results", run->kernel->name, blocks);
    run->partials = (unsigned char *)(((uintptr_t)run->memory + alignment - 1) / alignment * alignment);
    return YOKE_OK;
}

void *yoke__mpi_own_partials(const yoke__mpi_run *run)
{
    const yoke_mpi *mpi = run->mpi;
    if (run->partials == NULL)
        return NULL;
    return mpi->rank == mpi->root ? run->partials + run->bounds[mpi->rank] * run->kernel->result_size : run->partials;
}

/* Ranks whose folding failed do not come here; so all ranks agree first. */
int yoke__mpi_combine(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    const size_t size = run->kernel->result_size;
    const size_t own = run->bounds[mpi->rank + 1] - run->bounds[mpi->rank];
    if (mpi->rank != mpi->root)
        yoke__mpi_send(mpi, &run->requests, run->partials, own * size, mpi->root, TAG);
    for (int r = 0; r < mpi->size && mpi->rank == mpi->root; r++)
        if (r != mpi->root)
            yoke__mpi_receive(mpi, &run->requests, run->partials + run->bounds[r] * size,
                              (run->bounds[r + 1] - run->bounds[r]) * size, r, TAG);
    int status = yoke__mpi_wait(mpi, &run->requests, "gathering partial results");
    if (status == YOKE_OK && mpi->rank == mpi->root)
        status = yoke_combine_partials(run->kernel, run->partials, run->shape.items);
    if (status != YOKE_OK)
        return status;
    if (mpi->size > 1) {
        yoke__mpi_spread(mpi, &run->requests, run->partials, size);
        status = yoke__mpi_wait(mpi, &run->requests, "waiting for the result");
    }
    if (status == YOKE_OK)
        memcpy(run->result, run->partials, size);
    return status;
}
