/* A stranger's first call over MPI ranks; C and C++. */
#include <stdio.h>
#include <yoke/mpi.h>
#include <yoke/yoke.h>

YOKE_KERNEL(square, (inout(float, x)), { x[i] *= x[i]; })

int main(int argc, char **argv)
{
    static float x[1000];
    for (int k = 0; k < 1000; k++)
        x[k] = (float)k;
    yoke_mpi *mpi = yoke_mpi_init(&argc, &argv) == YOKE_OK ? yoke_mpi_open(MPI_COMM_WORLD, NULL) : NULL;
    if (mpi == NULL || yoke_mpi_parallel_map(mpi, square, 1000, x) != YOKE_OK) {
        fprintf(stderr, "%s\n", yoke_error_detail());
        return 1;
    }
    for (int k = 0; k < 1000; k++)
        if (x[k] != (float)k * (float)k)
            return 2;
    return yoke_mpi_close(mpi) != YOKE_OK || MPI_Finalize() != MPI_SUCCESS;
}
