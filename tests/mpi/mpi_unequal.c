/* Ranks of unequal speed: an item sleeps (1 + rank) times as long, on one worker; by measured shares, and by a shared counter,
 * all end within 10 % of each other. Tried several times, for machines that do something else, too. hosts.sh runs it on two
 * hosts of one clock. */
#include "tests/mpi/mpi_support.h"

static double last_end; /* seconds; of this rank's last item */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void slow_item(void)
{
    (void)nanosleep(&(struct timespec){0, 100000L * (1 + rank)}, NULL);
    last_end = seconds();
}

YOKE_KERNEL(u_slow, (in(float, x), out(float, y)), {
    slow_item();
    y[i] = x[i] + 1.0f;
})

enum { N = 1500, ATTEMPTS = 25 };
static float x[N], y[N];
static yoke_mpi *mpi;

/* How far the first to end was from the last, of the time of the last; on every rank. */
static double spread(const yoke_mpi_call *call)
{
    double begin = seconds(), first, last;
    memset(y, 0xff, sizeof y);
    MPI_Bcast(&begin, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    last_end = begin;
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, u_slow, N, rank == 0 ? x : NULL, rank == 0 ? y : NULL));
    MPI_Allreduce(&last_end, &first, 1, MPI_DOUBLE, MPI_MIN, MPI_COMM_WORLD);
    MPI_Allreduce(&last_end, &last, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    for (int k = 0; k < N && rank == 0; k++)
        CHECK(y[k] == x[k] + 1.0f);
    if (rank == 0 && getenv("YOKE_TEST_VERBOSE") != NULL)
        printf("%.1f ms, %.1f %%\n", 1e3 * (last - begin), 100 * (last - first) / (last - begin));
    return (last - first) / (last - begin);
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
    for (int k = 0; k < N; k++)
        x[k] = (float)k;
    const double first = spread(NULL); /* nobody knows yet */
    CHECK(ranks == 1 || first > 0.2);
    become_even("by measured shares", NULL);
    become_even("by a shared counter", &(yoke_mpi_call){.flags = YOKE_MPI_DYNAMIC});
    become_even("by pieces of 5", &(yoke_mpi_call){.flags = YOKE_MPI_DYNAMIC, .grain = 5});
    SUCCEEDS(yoke_mpi_close(mpi));
    end_ranks();
    return 0;
}
