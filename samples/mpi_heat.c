/* Heat spreads over a plate that no rank has all of: each has a block of rows, and asks its neighbours for the rows beside
 * it while it computes those within. */
#include <stdio.h>
#include <stdlib.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"
#include "yoke/mpi.h"

static yoke_mpi_array *open_plate(yoke_mpi *mpi, size_t size)
{
    yoke_mpi_array *plate = yoke_mpi_array_open(mpi, size, size * sizeof(float), 1, 1);
    if (plate == NULL)
        fail("%s", yoke_error_detail());
    return plate;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 1, 3,
          "usage: mpirun -n RANKS mpi_heat OUT.png [size [steps]]\n\n"
          "Draws a plate of size x size cells (1024) after so many steps (500).\n");
    const size_t size = (size_t)argument(argc, argv, 2, "size", 3, 16384, 1024);
    const int steps = argument(argc, argv, 3, "steps", 0, 1000000, 500);

    must(yoke_mpi_init(&argc, &argv));
    yoke_mpi *mpi = yoke_mpi_open(MPI_COMM_WORLD, NULL);
    if (mpi == NULL)
        fail("%s", yoke_error_detail());
    const int is_root = yoke_mpi_rank(mpi) == 0;
    yoke_mpi_array *now = open_plate(mpi, size), *next = open_plate(mpi, size);
    float *all = is_root ? grab(size * size, sizeof *all) : NULL;
    if (is_root)
        make_plate(all, size, size);
    must(yoke_mpi_scatter(now, all));
    const double start = seconds();
    for (int step = 0; step < steps; step++) {
        must(yoke_mpi_parallel_map_2d(mpi, yoke_heat, size, size, yoke_mpi_local(next), yoke_mpi_local(now), 0.2f));
        yoke_mpi_array *swap = now;
        now = next;
        next = swap;
    }
    const double took = seconds() - start;
    must(yoke_mpi_gather(now, all));
    if (is_root) {
        printf("heat: %d steps of %zu x %zu cells on %d ranks in %.1f ms\n", steps, size, size, yoke_mpi_size(mpi),
               1e3 * took);
        picture p = picture_new(size, size);
        paint_heat(&p, all);
        picture_write(&p, argv[1]);
        free(p.rgb);
    }
    free(all);
    must(yoke_mpi_array_close(now));
    must(yoke_mpi_array_close(next));
    must(yoke_mpi_close(mpi));
    MPI_Finalize();
    return 0;
}
