/* Shares in proportion to speed, and speeds as measured. */
#include <string.h>

#include "lib/mpi/mpi.h"

static const double least_ns = 20000; /* a shorter computation tells nothing */

void yoke__mpi_divide(size_t items, size_t step, const double *weight, int ranks, size_t *bounds)
{
    const size_t units = items / step + (items % step != 0);
    double sum = 0, before = 0;
    for (int r = 0; r < ranks; r++)
        sum += weight[r] > 0 ? weight[r] : 0;
    bounds[0] = 0;
    for (int r = 0; r < ranks; r++) {
        before += weight[r] > 0 ? weight[r] : 0;
        const double part = sum > 0 ? before / sum : (double)(r + 1) / ranks;
        size_t unit = (size_t)((double)units * part + 0.5);
        size_t end = unit >= units ? items : unit * step;
        bounds[r + 1] = end > bounds[r] ? end : bounds[r];
    }
    bounds[ranks] = items;
}

static const yoke__mpi_speed *find(const yoke_mpi *mpi, uint64_t kernel)
{
    for (unsigned k = 0; k < YOKE__MPI_KERNELS; k++)
        if (mpi->speed[k].kernel == kernel)
            return &mpi->speed[k];
    return NULL;
}

/* Free, or the kernel's; when the table is full its place is taken from another one. */
static yoke__mpi_speed *find_or_make(yoke_mpi *mpi, uint64_t kernel)
{
    const yoke__mpi_speed *known = find(mpi, kernel);
    unsigned at = known != NULL ? (unsigned)(known - mpi->speed) : 0;
    if (known == NULL) {
        while (at < YOKE__MPI_KERNELS && mpi->speed[at].kernel != 0)
            at++;
        at = at < YOKE__MPI_KERNELS ? at : (unsigned)(kernel % YOKE__MPI_KERNELS);
    }
    yoke__mpi_speed *s = &mpi->speed[at];
    if (s->rate == NULL)
        s->rate = yoke__alloc_zeroed((size_t)mpi->size, sizeof *s->rate);
    if (s->rate != NULL && s->kernel != kernel) {
        memset(s->rate, 0, (size_t)mpi->size * sizeof *s->rate);
        s->kernel = kernel;
    }
    return s->rate != NULL ? s : NULL;
}

void yoke__mpi_shares(const yoke_mpi *mpi, uint64_t kernel, size_t items, size_t step, size_t *bounds)
{
    const yoke__mpi_speed *s = find(mpi, kernel);
    double known = 0, of = 0;
    for (int r = 0; s != NULL && r < mpi->size; r++)
        if (s->rate[r] > 0) {
            known += s->rate[r];
            of += mpi->weight[r];
        }
    double *weight = known > 0 ? yoke__alloc_zeroed((size_t)mpi->size, sizeof *weight) : NULL;
    if (weight == NULL || s == NULL) {
        yoke__mpi_divide(items, step, mpi->weight, mpi->size, bounds);
        return;
    }
    for (int r = 0; r < mpi->size; r++) /* who was not measured is taken to be as fast for its weight as the others */
        weight[r] = s->rate[r] > 0 ? s->rate[r] : mpi->weight[r] * known / of;
    yoke__mpi_divide(items, step, weight, mpi->size, bounds);
    yoke__free(weight);
}

void yoke__mpi_learn(yoke_mpi *mpi, uint64_t kernel)
{
    yoke__mpi_speed *s = find_or_make(mpi, kernel);
    for (int r = 0; s != NULL && r < mpi->size; r++) {
        const double ns = mpi->share[r].compute * 1e9, items = (double)mpi->share[r].items;
        if (ns < least_ns || items < 1)
            continue;
        const double rate = items / ns;
        const double known = s->rate[r]; /* what else runs on a machine only slows, and mostly goes */
        s->rate[r] = known > 0 ? known + (rate - known) * (rate > known ? 1.0 / 2 : 1.0 / 8) : rate;
    }
}
