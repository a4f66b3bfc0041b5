/* MPI and OpenMP by hand, as a careful programmer writes it for this problem alone. */
#include "mpi_byhand.h"

#include <mpi.h>
#include <omp.h>
#include <stdlib.h>

static int rank_of(int *ranks)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, ranks);
    return rank;
}

void byhand_threads(int threads)
{
    omp_set_num_threads(threads);
}

uint64_t byhand_hits(size_t darts, uint64_t seed)
{
    int ranks;
    const size_t rank = (size_t)rank_of(&ranks);
    const size_t begin = darts * rank / (size_t)ranks, end = darts * (rank + 1) / (size_t)ranks;
    uint64_t mine = 0, all = 0;
#pragma omp parallel for simd reduction(+ : mine) schedule(static)
    for (size_t i = begin; i < end; i++) {
        uint64_t z = (seed + i) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        const uint64_t x = z >> 33, y = (z & 0xffffffffu) >> 1;
        mine += x * x + y * y < 0x4000000000000000u;
    }
    MPI_Allreduce(&mine, &all, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

void byhand_map(size_t n, const float *x, float *y, int degree)
{
    int ranks;
    const int rank = rank_of(&ranks);
    int counts[64] = {0}, places[64] = {0};
    for (int r = 0; r < ranks; r++) {
        places[r] = (int)(n * (size_t)r / (size_t)ranks);
        counts[r] = (int)(n * ((size_t)r + 1) / (size_t)ranks) - places[r];
    }
    const size_t mine = (size_t)counts[rank];
    static float *a, *b;
    static size_t room;
    if (room < mine) {
        free(a), free(b);
        a = malloc(mine * sizeof *a), b = malloc(mine * sizeof *b);
        room = mine;
    }
    MPI_Scatterv(x, counts, places, MPI_FLOAT, rank == 0 ? MPI_IN_PLACE : a, counts[rank], MPI_FLOAT, 0,
                 MPI_COMM_WORLD);
    const float *from = rank == 0 ? x : a;
    float *to = rank == 0 ? y : b;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < mine; i++) {
        float v = 1.0f;
        for (int k = 0; k < degree; k++)
            v = v * from[i] + 0.5f;
        to[i] = v;
    }
    MPI_Gatherv(rank == 0 ? MPI_IN_PLACE : b, counts[rank], MPI_FLOAT, y, counts, places, MPI_FLOAT, 0, MPI_COMM_WORLD);
}

static void row_of(size_t width, const float *restrict above, const float *restrict x, const float *restrict below,
                   float *restrict y, float rate, int rim)
{
    if (rim) {
        for (size_t i = 0; i < width; i++)
            y[i] = x[i];
        return;
    }
    y[0] = x[0];
    for (size_t i = 1; i + 1 < width; i++)
        y[i] = x[i] + rate * (x[i - 1] + x[i + 1] + above[i] + below[i] - 4.0f * x[i]);
    y[width - 1] = x[width - 1];
}

void byhand_heat(size_t width, size_t rows, const float *now, float *next, float rate)
{
    int ranks, count = 0;
    const int rank = rank_of(&ranks);
    MPI_Request requests[4];
    float *halo = (float *)(uintptr_t)now;
    if (rank > 0) {
        MPI_Irecv(halo, (int)width, MPI_FLOAT, rank - 1, 0, MPI_COMM_WORLD, &requests[count++]);
        MPI_Isend(now + width, (int)width, MPI_FLOAT, rank - 1, 1, MPI_COMM_WORLD, &requests[count++]);
    }
    if (rank + 1 < ranks) {
        MPI_Irecv(halo + (rows + 1) * width, (int)width, MPI_FLOAT, rank + 1, 1, MPI_COMM_WORLD, &requests[count++]);
        MPI_Isend(now + rows * width, (int)width, MPI_FLOAT, rank + 1, 0, MPI_COMM_WORLD, &requests[count++]);
    }
#pragma omp parallel for schedule(static)
    for (size_t j = 2; j < rows; j++)
        row_of(width, now + (j - 1) * width, now + j * width, now + (j + 1) * width, next + j * width, rate, 0);
    MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
    for (size_t j = 1; j <= rows; j += rows > 1 ? rows - 1 : 1)
        row_of(width, now + (j - 1) * width, now + j * width, now + (j + 1) * width, next + j * width, rate,
               (rank == 0 && j == 1) || (rank == ranks - 1 && j == rows));
}
