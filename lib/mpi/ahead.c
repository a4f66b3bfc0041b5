/* Calls over distributed arrays that go ahead while the ranks agree on them: a rank that waits at the beginning of every call
 * loses what any rank was held up for. */
#include <string.h>

#include "lib/mpi/mpi.h"

static yoke__mpi_known *place_of(const yoke__mpi_run *run)
{
    return &run->mpi->known[run->kernel_hash % YOKE__MPI_KNOWN];
}

static bool writes_only_out(const yoke__mpi_run *run)
{
    const yoke_kernel *kernel = run->kernel;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const yoke_mode mode = kernel->parameters[k].mode;
        if (mode == YOKE_MODE_INOUT || mode == YOKE_MODE_WHOLE || mode == YOKE_MODE_SCATTER)
            return false;
        for (unsigned j = 0; j < k; j++)
            if (run->array[j] != NULL && run->array[j] == run->array[k])
                return false;
    }
    return run->distributed && run->mpi->size > 1 && !yoke__mpi_folds(kernel);
}

void yoke__mpi_remember(const yoke__mpi_run *run, const yoke__mpi_matter *matter)
{
    if (!writes_only_out(run) || matter->values == NULL) /* too many values */
        return;
    yoke__mpi_known *known = place_of(run);
    *known = (yoke__mpi_known){.kernel = run->kernel_hash, .size = {run->size[0], run->size[1]}};
    if (matter->value_bytes > 0)
        memcpy(known->values, matter->values, matter->value_bytes);
}

bool yoke__mpi_may_go_ahead(const yoke__mpi_run *run, const yoke__mpi_matter *matter)
{
    const yoke__mpi_known *known = place_of(run);
    return writes_only_out(run) && matter->values != NULL && known->kernel == run->kernel_hash &&
           known->size[0] == run->size[0] && known->size[1] == run->size[1] &&
           (matter->value_bytes == 0 || memcmp(known->values, matter->values, matter->value_bytes) == 0);
}
