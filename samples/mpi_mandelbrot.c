/* The Mandelbrot set over MPI ranks: every rank takes rows from a shared counter, for some rows take a thousand times as
 * long as others, and the root has the picture. */
#include <stdio.h>
#include <stdlib.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"
#include "yoke/mpi.h"

int main(int argc, char **argv)
{
    usage(argc, argv, 1, 4,
          "usage: mpirun -n RANKS mpi_mandelbrot OUT.png [width [height [limit]]]\n\n"
          "Draws the Mandelbrot set (1920 x 1536 pixels), in at most `limit` rounds each (1000).\n");
    const size_t width = (size_t)argument(argc, argv, 2, "width", 1, 32768, 1920);
    const size_t height = (size_t)argument(argc, argv, 3, "height", 1, 32768, 1536);
    const int limit = argument(argc, argv, 4, "limit", 1, 1000000, 1000);

    must(yoke_mpi_init(&argc, &argv));
    yoke_mpi *mpi = yoke_mpi_open(MPI_COMM_WORLD, NULL);
    if (mpi == NULL)
        fail("%s", yoke_error_detail());
    const int is_root = yoke_mpi_rank(mpi) == 0;
    int *count = is_root ? grab(width * height, sizeof *count) : NULL;
    const view v = view_of_set(width, height);
    const double start = seconds();
    must(yoke_mpi_parallel_map_2d_on(mpi, &(yoke_mpi_call){.flags = YOKE_MPI_DYNAMIC}, yoke_mandelbrot, width, height,
                                     count, v.left, v.top, v.step, v.step, limit));
    if (is_root) {
        printf("mandelbrot: %zu x %zu pixels on %d ranks in %.1f ms\n", width, height, yoke_mpi_size(mpi),
               1e3 * (seconds() - start));
        for (int r = 0; r < yoke_mpi_size(mpi); r++) {
            yoke_mpi_share share;
            must(yoke_mpi_share_of(mpi, r, &share));
            printf("  rank %d: %zu rows in %.1f ms\n", r, share.items, 1e3 * share.compute);
        }
        picture p = picture_new(width, height);
        paint_counts(&p, count, limit);
        picture_write(&p, argv[1]);
        free(p.rgb);
    }
    free(count);
    must(yoke_mpi_close(mpi));
    MPI_Finalize();
    return 0;
}
