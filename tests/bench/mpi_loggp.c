/* The terms of LogGP between ranks 0 and 1, and what the samples cost on one core: what mpi_model.awk predicts from. The
 * least of many looks, for others may use the machine. usage: mpirun -n 2 bench_loggp */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "yoke/kernels.h"
#include "yoke/mpi.h"
#include "yoke/yoke.h"

YOKE_FUNCTION(uint64_t, loggp_scrambled, (uint64_t number), {
    uint64_t z = number * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
})
YOKE_FUNCTION(uint64_t, loggp_within, (uint64_t bits), {
    const uint64_t x = bits >> 33;
    const uint64_t y = (bits & 0xffffffffu) >> 1;
    return x * x + y * y < 0x4000000000000000u;
})
YOKE_REDUCE(loggp_hits, (uint64_t, 0, a + b), (value(uint64_t, seed)), loggp_within(loggp_scrambled(seed + i)))

enum { LOOKS = 2000, LARGE = 4 << 20, BURST = 64, SIDE = 1024, LIMIT = 1000 };
static char *buffer;
static int rank;

static double now_ns(void)
{
    return 1e9 * bench_seconds(CLOCK_MONOTONIC);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* Half of a round trip, and the time that the sender spends in the call. */
static double half_trip(int bytes, int looks, double *overhead)
{
    double best = 1e18;
    *overhead = 1e18;
    for (int k = 0; k < looks; k++) {
        MPI_Request request;
        const double start = now_ns();
        if (rank == 0) {
            MPI_Isend(buffer, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD, &request);
            *overhead = least(*overhead, now_ns() - start);
            MPI_Wait(&request, MPI_STATUS_IGNORE);
            MPI_Recv(buffer, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            best = least(best, (now_ns() - start) / 2);
        } else if (rank == 1) {
            MPI_Recv(buffer, bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(buffer, bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
        }
    }
    return best;
}

/* Between messages of a burst. */
static double gap(void)
{
    double best = 1e18;
    for (int k = 0; k < LOOKS; k++) {
        MPI_Request request[BURST];
        MPI_Barrier(MPI_COMM_WORLD);
        const double start = now_ns();
        for (int j = 0; j < BURST && rank < 2; j++)
            if (rank == 0)
                MPI_Isend(buffer, 8, MPI_BYTE, 1, 0, MPI_COMM_WORLD, &request[j]);
            else
                MPI_Irecv(buffer + 8 * j, 8, MPI_BYTE, 0, 0, MPI_COMM_WORLD, &request[j]);
        if (rank < 2)
            MPI_Waitall(BURST, request, MPI_STATUSES_IGNORE);
        best = least(best, (now_ns() - start) / BURST);
    }
    return best;
}

/* Nanoseconds per cell, pixel and dart on one core; the least of some. */
static void print_costs(void)
{
    float *x = calloc(SIDE * SIDE, sizeof *x), *y = calloc(SIDE * SIDE, sizeof *y);
    int *counts = calloc(SIDE * SIDE, sizeof *counts);
    double heat = 1e18, mandelbrot = 1e18, darts = 1e18;
    uint64_t hits;
    yoke_runtime *one = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "cpu"});
    if (x == NULL || y == NULL || counts == NULL || one == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    for (int k = 0; k < 20; k++) {
        double start = now_ns();
        (void)yoke_parallel_map_2d_on(one, NULL, yoke_heat, SIDE, SIDE, y, x, 0.2f);
        heat = least(heat, now_ns() - start);
        start = now_ns();
        (void)yoke_parallel_reduce_on(one, NULL, loggp_hits, SIDE * SIDE, &hits, 7);
        darts = least(darts, now_ns() - start);
        start = now_ns();
        if (k < 5)
            (void)yoke_parallel_map_2d_on(one, NULL, yoke_mandelbrot, SIDE, SIDE, counts, -2.0f, -1.5f, 3.0f / SIDE,
                                          3.0f / SIDE, LIMIT);
        mandelbrot = k < 5 ? least(mandelbrot, now_ns() - start) : mandelbrot;
    }
    printf("heat_ns %.3f\nmandelbrot_ns %.3f\ndart_ns %.3f\n", heat / SIDE / SIDE, mandelbrot / SIDE / SIDE,
           darts / SIDE / SIDE);
    (void)yoke_close(one);
    free(x), free(y), free(counts);
}

int main(int argc, char **argv)
{
    double overhead, unused;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    buffer = calloc(1, LARGE);
    if (buffer == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    const double small = half_trip(8, LOOKS, &overhead), large = half_trip(LARGE, LOOKS / 20, &unused), g = gap();
    if (rank == 0) {
        printf("L %.0f\no %.0f\ng %.0f\nG %.4f\n", small - 2 * overhead > 0 ? small - 2 * overhead : 0, overhead, g,
               (large - small) / LARGE);
        print_costs();
    }
    free(buffer);
    MPI_Finalize();
    return 0;
}
