/* Ranks with Yoke beside MPI and OpenMP by hand, turn by turn in one job. usage: mpirun -n RANKS bench_mpi [ROUNDS] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mpi_byhand.h"
#include "numbers.h"
#include "yoke/kernels.h"
#include "yoke/mpi.h"
#include "yoke/yoke.h"

YOKE_FUNCTION(uint64_t, bench_scrambled, (uint64_t number), {
    uint64_t z = number * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
})
YOKE_FUNCTION(uint64_t, bench_within, (uint64_t bits), {
    const uint64_t x = bits >> 33;
    const uint64_t y = (bits & 0xffffffffu) >> 1;
    return x * x + y * y < 0x4000000000000000u;
})
YOKE_REDUCE(bench_hits, (uint64_t, 0, a + b), (value(uint64_t, seed)), bench_within(bench_scrambled(seed + i)))
YOKE_KERNEL(bench_polynomial, (in(float, x), out(float, y), value(int, degree)), {
    float v = 1.0f;
    for (int k = 0; k < degree; k++)
        v = v * x[i] + 0.5f;
    y[i] = v;
})
enum { ROUNDS = 15, MOST_ROUNDS = 1000, STEPS = 20, DEGREE = 60, WIDTH = 4096 };

static yoke_mpi *mpi;
static int rank, ranks;

static void must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "rank %d: %s\n", rank, yoke_error_detail());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* A workload at one size; run(1) is Yoke, run(0) by hand, or what the row says. */
typedef struct load {
    const char *name;
    size_t size; /* darts, items, rows */
    float *x, *y;
    float *now, *next; /* by hand */
    yoke_mpi_array *a, *b;
} load;

static void run_pi(load *l, int yoke)
{
    uint64_t hits = 0;
    if (yoke)
        must(yoke_mpi_parallel_reduce(mpi, bench_hits, l->size, &hits, 7));
    else
        hits = byhand_hits(l->size, 7);
    if (fabs(4.0 * (double)hits / (double)l->size - 3.1416) > 0.01)
        MPI_Abort(MPI_COMM_WORLD, 2);
}

static void run_map(load *l, int yoke)
{
    if (yoke)
        must(yoke_mpi_parallel_map(mpi, bench_polynomial, l->size, l->x, l->y, DEGREE));
    else
        byhand_map(l->size, l->x, l->y, DEGREE);
}

static void run_heat(load *l, int yoke)
{
    size_t begin, end;
    must(yoke_mpi_range(l->a, rank, &begin, &end));
    for (int k = 0; k < STEPS; k++) {
        if (yoke) {
            must(yoke_mpi_parallel_map_2d(mpi, yoke_heat, WIDTH, l->size, yoke_mpi_local(l->b), yoke_mpi_local(l->a),
                                          0.2f));
            yoke_mpi_array *swap = l->a;
            l->a = l->b, l->b = swap;
        } else {
            byhand_heat(WIDTH, end - begin, l->now, l->next, 0.2f);
            float *swap = l->now;
            l->now = l->next, l->next = swap;
        }
    }
}

/* With the exchange of rims (1), and each rank alone on its rows. */
static void run_rims(load *l, int rims)
{
    size_t begin, end;
    must(yoke_mpi_range(l->a, rank, &begin, &end));
    for (int k = 0; k < STEPS; k++) {
        float *now = yoke_mpi_local(l->a), *next = yoke_mpi_local(l->b);
        must(rims ? yoke_mpi_parallel_map_2d(mpi, yoke_heat, WIDTH, l->size, next, now, 0.2f)
                  : parallel_map_2d_on(yoke_mpi_runtime(mpi), NULL, yoke_heat, WIDTH, end - begin, next, now, 0.2f));
        yoke_mpi_array *swap = l->a;
        l->a = l->b, l->b = swap;
    }
}

static double time_of(void (*run)(load *l, int yoke), load *l, int yoke)
{
    double mine, longest;
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = bench_seconds(CLOCK_MONOTONIC);
    run(l, yoke);
    mine = 1e3 * (bench_seconds(CLOCK_MONOTONIC) - start);
    MPI_Allreduce(&mine, &longest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return longest;
}

static void compare(void (*run)(load *l, int yoke), load *l, int rounds)
{
    static double took[2][MOST_ROUNDS], ratio[MOST_ROUNDS];
    for (int k = -3; k < rounds; k++) /* the first ones are not counted */
        for (int turn = 0; turn < 2; turn++) {
            const int yoke = (turn + k) & 1;
            const double ms = time_of(run, l, yoke);
            if (k >= 0)
                took[yoke][k] = ms;
        }
    for (int k = 0; k < rounds; k++)
        ratio[k] = took[1][k] / took[0][k];
    const size_t n = (size_t)rounds;
    const double yoke = bench_quantile(took[1], n, 0.5), hand = bench_quantile(took[0], n, 0.5);
    if (rank == 0)
        printf("%-14s %10zu %6d %10.2f %10.2f %8.3f   [%.3f, %.3f]\n", l->name, l->size, ranks, yoke, hand,
               bench_quantile(ratio, n, 0.5), bench_quantile(ratio, n, 0.25), bench_quantile(ratio, n, 0.75));
}

static void *room(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL)
        MPI_Abort(MPI_COMM_WORLD, 3);
    return memory;
}

static void compare_map(const char *name, size_t n, int rounds)
{
    load l = {.name = name, .size = n};
    if (rank == 0) {
        l.x = room(n * sizeof *l.x), l.y = room(n * sizeof *l.y);
        for (size_t k = 0; k < n; k++)
            l.x[k] = (float)(k % 1000) * 0.0005f;
    }
    compare(run_map, &l, rounds);
    free(l.x), free(l.y);
}

static void compare_heat(const char *name, void (*run)(load *l, int yoke), size_t rows, int rounds)
{
    load l = {.name = name, .size = rows};
    size_t begin, end;
    l.a = yoke_mpi_array_open(mpi, rows, WIDTH * sizeof(float), 1, 1);
    l.b = yoke_mpi_array_open(mpi, rows, WIDTH * sizeof(float), 1, 1);
    if (l.a == NULL || l.b == NULL)
        must(YOKE_ENOMEM);
    must(yoke_mpi_range(l.a, rank, &begin, &end));
    l.now = room((end - begin + 2) * WIDTH * sizeof *l.now);
    l.next = room((end - begin + 2) * WIDTH * sizeof *l.next);
    compare(run, &l, rounds);
    must(yoke_mpi_array_close(l.a));
    must(yoke_mpi_array_close(l.b));
    free(l.now), free(l.next);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    must(yoke_mpi_init(&argc, &argv));
    mpi = yoke_mpi_open(MPI_COMM_WORLD, &(yoke_mpi_options){.runtime = &(yoke_runtime_options){.devices = "cpu"}});
    if (mpi == NULL)
        must(YOKE_ESTATE);
    rank = yoke_mpi_rank(mpi), ranks = yoke_mpi_size(mpi);
    byhand_threads(yoke_workers(yoke_mpi_runtime(mpi)));
    const size_t weak = (size_t)ranks;
    if (rank == 0)
        printf("%-14s %10s %6s %10s %10s %8s   [quartiles]\n", "", "size", "ranks", "yoke ms", "by hand", "ratio");
    compare(run_pi, &(load){.name = "pi strong", .size = 50000000}, rounds);
    compare(run_pi, &(load){.name = "pi weak", .size = 25000000 * weak}, rounds);
    compare_map("map strong", 1000000, rounds);
    compare_map("map weak", 500000 * weak, rounds);
    compare_heat("heat strong", run_heat, 2048, rounds);
    compare_heat("heat weak", run_heat, 1024 * weak, rounds);
    if (rank == 0)
        printf("%-14s %10s %6s %10s %10s %8s   [quartiles]\n", "", "size", "ranks", "rims ms", "without", "ratio");
    compare_heat("heat rims", run_rims, 2048, rounds);
    must(yoke_mpi_close(mpi));
    MPI_Finalize();
    return 0;
}
