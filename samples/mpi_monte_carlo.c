/* Pi by chance over MPI ranks: no arrays, only two numbers per item that are made from its index, and so the same count to
 * the last one however many ranks there are. */
#include <stdio.h>
#include <stdlib.h>

#include "common/sample.h"
#include "yoke/mpi.h"

/* 64 random bits for a number. */
YOKE_FUNCTION(uint64_t, scrambled, (uint64_t number), {
    uint64_t z = number * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
})

/* Whether a point of the unit square, of 31 bits a side, lies within the circle. */
YOKE_FUNCTION(uint64_t, is_within, (uint64_t bits), {
    const uint64_t x = bits >> 33;
    const uint64_t y = (bits & 0xffffffffu) >> 1;
    return x * x + y * y < 0x4000000000000000u;
})

YOKE_REDUCE(hits, (uint64_t, 0, a + b), (value(uint64_t, seed)), is_within(scrambled(seed + i)))

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 1,
          "usage: mpirun -n RANKS mpi_monte_carlo [millions]\n\n"
          "Throws so many million darts (1000) at a square, and counts those in the circle.\n");
    const size_t darts = (size_t)argument(argc, argv, 1, "millions", 1, 1000000, 1000) * 1000000;

    must(yoke_mpi_init(&argc, &argv));
    yoke_mpi *mpi = yoke_mpi_open(MPI_COMM_WORLD, NULL);
    if (mpi == NULL)
        fail("%s", yoke_error_detail());
    uint64_t count = 0;
    const double start = seconds();
    must(yoke_mpi_parallel_reduce(mpi, hits, darts, &count, 12345));
    if (yoke_mpi_rank(mpi) == 0)
        printf("monte_carlo: %llu of %zu darts on %d ranks in %.1f ms: pi is about %.6f\n", (unsigned long long)count,
               darts, yoke_mpi_size(mpi), 1e3 * (seconds() - start), 4.0 * (double)count / (double)darts);
    must(yoke_mpi_close(mpi));
    MPI_Finalize();
    return 0;
}
