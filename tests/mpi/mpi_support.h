/* What the programs that run on several ranks share: a check that ends the whole job, and a seed that all ranks have. */
#ifndef YOKE_TESTS_MPI_SUPPORT_H
#define YOKE_TESTS_MPI_SUPPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "yoke/mpi.h"
#include "yoke/yoke.h"

static int rank, ranks;

#define CHECK(condition) check_that(condition, #condition, __FILE__, __LINE__)
#define SUCCEEDS(call) check_status(call, YOKE_OK, #call, __LINE__)

static inline void check_that(int holds, const char *text, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "rank %d of %d: %s:%d: %s does not hold; last detail: %s\n", rank, ranks, file, line, text,
            yoke_error_detail());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static inline void check_status(int got, int wanted, const char *text, int line)
{
    if (got == wanted)
        return;
    fprintf(stderr, "rank %d of %d: line %d: %s gave %d (%s), not %d; %s\n", rank, ranks, line, text, got,
            yoke_strerror(got), wanted, yoke_error_detail());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static inline void fails_with(int got, int wanted, const char *says, int line)
{
    check_status(got, wanted, "a call that must fail", line);
    if (strstr(yoke_error_detail(), says) == NULL) {
        fprintf(stderr, "rank %d of %d: line %d: \"%s\" does not say \"%s\"\n", rank, ranks, line, yoke_error_detail(),
                says);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}
#define FAILS(call, status, says) fails_with(call, status, says, __LINE__)

static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void draw_floats(uint64_t *state, float *to, size_t count)
{
    for (size_t k = 0; k < count; k++)
        to[k] = (float)((double)(draw(state) >> 11) * 0x1p-52 - 1.0);
}

/* The same on every rank; YOKE_SEED repeats a run. */
static inline uint64_t common_seed(void)
{
    const char *text = getenv("YOKE_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    MPI_Bcast(&seed, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("YOKE_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Leaks are looked for while MPI is there: at its end it unloads modules that have not freed everything, without names. */
static inline void end_ranks(void)
{
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_leak_check();
#endif
    MPI_Finalize();
}

static inline yoke_mpi *open_ranks(const yoke_mpi_options *options)
{
    check_status(yoke_mpi_init(NULL, NULL), YOKE_OK, "yoke_mpi_init", __LINE__);
    yoke_mpi *mpi = yoke_mpi_open(MPI_COMM_WORLD, options);
    CHECK(mpi != NULL);
    rank = yoke_mpi_rank(mpi);
    ranks = yoke_mpi_size(mpi);
    return mpi;
}

#endif
