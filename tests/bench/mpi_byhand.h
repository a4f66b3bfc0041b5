/* What the ranks do without Yoke: MPI and OpenMP, written by hand. */
#ifndef BENCH_MPI_BYHAND_H
#define BENCH_MPI_BYHAND_H

#include <stddef.h>
#include <stdint.h>

/* Threads of this rank. */
void byhand_threads(int threads);
/* Darts in the circle, of all ranks. */
uint64_t byhand_hits(size_t darts, uint64_t seed);
/* A polynomial of every x; arrays are on rank 0. */
void byhand_map(size_t n, const float *x, float *y, int degree);
/* One step of heat on this rank's rows: `now` and `next` have rows + 2 of them, the first and last are the neighbours'. */
void byhand_heat(size_t width, size_t rows, const float *now, float *next, float rate);

#endif
