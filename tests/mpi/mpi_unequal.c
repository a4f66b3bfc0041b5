/* Ranks of unequal speed: an item sleeps (1 + rank) times as long, on one worker; by measured shares, and by a shared counter,
 * all end within 10 % of each other. Tried several times, for machines that do something else, too. */
#include "tests/mpi/mpi_support.h"

static void slow_item(void)
{
    (void)nanosleep(&(struct timespec){0, 100000L * (1 + rank)}, NULL);
}

YOKE_KERNEL(u_slow, (out(int, y)), {
    slow_item();
    y[i] = (int)i;
})

enum { N = 1500, ATTEMPTS = 12 };
static int y[N];
static yoke_mpi *mpi;

/* How far the first to end was from the last, of the time of the last; on every rank. */
static double spread(const yoke_mpi_call *call)
{
    double from = 1e9, to = 0, result;
    memset(y, 0xff, sizeof y);
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, u_slow, N, rank == 0 ? y : NULL));
    for (int r = 0; r < ranks && rank == 0; r++) {
        yoke_mpi_share share;
        SUCCEEDS(yoke_mpi_share_of(mpi, r, &share));
        from = share.compute < from ? share.compute : from;
        to = share.compute > to ? share.compute : to;
    }
    for (int k = 0; k < N && rank == 0; k++)
        CHECK(y[k] == k);
    result = to > 0 ? (to - from) / to : 1;
    MPI_Bcast(&result, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    return result;
}

static void become_even(const char *name, const yoke_mpi_call *call)
{
    double best = 1;
    for (int k = 0; k < ATTEMPTS && best > 0.1; k++) {
        const double now = spread(call);
        best = now < best ? now : best;
    }
    if (rank == 0)
        printf("%s: unequal ranks end within %.1f %%\n", name, 100 * best);
    CHECK(best <= 0.1);
}

int main(void)
{
    const yoke_runtime_options one = {.workers = 1, .devices = "cpu"};
    mpi = open_ranks(&(yoke_mpi_options){.runtime = &one});
    const double first = spread(NULL); /* nobody knows yet */
    CHECK(ranks == 1 || first > 0.2);
    become_even("by measured shares", NULL);
    become_even("by a shared counter", &(yoke_mpi_call){.flags = YOKE_MPI_DYNAMIC, .grain = 5});
    SUCCEEDS(yoke_mpi_close(mpi));
    MPI_Finalize();
    return 0;
}
