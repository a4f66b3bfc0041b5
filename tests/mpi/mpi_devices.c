/* Devices of a node are dealt out, one rank each, and ranks with their own list of them keep it. usage: mpi_devices dealt|kept,
 * with the fake driver's three devices */
#include "tests/mpi/mpi_support.h"

YOKE_EXACT_KERNEL(v_scale, (in(float, x), out(float, y)), { y[i] = x[i] * 3.0f; })

enum { N = 100000, DEVICES = 3 };
static float x[N], y[N];

int main(int argc, char **argv)
{
    const bool dealt = argc == 2 && strcmp(argv[1], "dealt") == 0;
    const char *number = getenv("OMPI_COMM_WORLD_RANK");
    if (!dealt && number != NULL) /* as launchers do: another list on each rank */
        (void)setenv("CUDA_VISIBLE_DEVICES", number, 1);
    yoke_mpi *mpi = open_ranks(NULL);
    yoke_runtime *mine = yoke_mpi_runtime(mpi);
    int in_use[DEVICES] = {0}, users[DEVICES];
    CHECK(yoke_devices(mine) == DEVICES);
    for (unsigned k = 0; k < DEVICES; k++) {
        yoke_device d;
        SUCCEEDS(yoke_device_of(mine, k, &d));
        in_use[k] = d.in_use != 0;
    }
    MPI_Allreduce(in_use, users, DEVICES, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (unsigned k = 0; k < DEVICES; k++)
        CHECK(users[k] == (dealt ? 1 : ranks));
    for (size_t k = 0; k < N; k++)
        x[k] = (float)k;
    for (int round = 0; round < 10; round++)
        SUCCEEDS(yoke_mpi_parallel_map(mpi, v_scale, N, rank == 0 ? x : NULL, rank == 0 ? y : NULL));
    for (size_t k = 0; k < N && rank == 0; k++)
        CHECK(y[k] == x[k] * 3.0f);
    SUCCEEDS(yoke_mpi_close(mpi));
    end_ranks();
    return 0;
}
