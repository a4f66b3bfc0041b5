/* Ranks that die, stay away, or have the wrong MPI. usage: mpi_faults die|away|single|thread; see faults.sh */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/mpi/mpi_support.h"

YOKE_KERNEL(g_die, (inout(float, y), value(int, lethal)), {
    if (lethal)
        y[i] /= 0.0f;
    y[i] += 1.0f;
})

enum { N = 100000, VICTIM = 1 };
static float y[N];

static void die(void)
{
    yoke_mpi *mpi = open_ranks(NULL);
    for (int k = 0; k < 1000000; k++) {
        if (k == 50 && rank == VICTIM)
            raise(SIGKILL);
        if (yoke_mpi_parallel_map(mpi, g_die, N, rank == 0 ? y : NULL, 0) != YOKE_OK) {
            printf("rank %d: %s\n", rank, yoke_error_detail());
            MPI_Abort(MPI_COMM_WORLD, 3);
        }
    }
}

/* The others learn who is missing, each for itself. */
static void away(void)
{
    yoke_mpi *mpi = open_ranks(&(yoke_mpi_options){.patience_ns = 500000000});
    if (rank == VICTIM) {
        sleep(30);
        return;
    }
    FAILS(yoke_mpi_parallel_map(mpi, g_die, N, rank == 0 ? y : NULL, 0), YOKE_ETIMEDOUT, "not heard of: rank 1;");
    FAILS(yoke_mpi_parallel_map(mpi, g_die, N, rank == 0 ? y : NULL, 0), YOKE_ESTATE, "earlier");
    printf("rank %d knows who is away\n", rank);
    fflush(stdout);
    sleep(1);
    MPI_Abort(MPI_COMM_WORLD, 3);
}

static void single(void)
{
    int level;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (level >= MPI_THREAD_FUNNELED) { /* some MPIs always give more */
        end_ranks();
        return;
    }
    CHECK(yoke_mpi_open(MPI_COMM_WORLD, NULL) == NULL);
    CHECK(strstr(yoke_error_detail(), "MPI_THREAD_FUNNELED") != NULL);
    FAILS(yoke_mpi_init(NULL, NULL), YOKE_ESTATE, "MPI_THREAD_SINGLE");
    end_ranks();
}

static void *call_from_here(void *mpi)
{
    int level;
    MPI_Query_thread(&level);
    if (level < MPI_THREAD_SERIALIZED)
        FAILS(yoke_mpi_parallel_map((yoke_mpi *)mpi, g_die, N, y, 0), YOKE_ESTATE, "thread");
    return NULL;
}

static void thread(void)
{
    pthread_t other;
    yoke_mpi *mpi = open_ranks(NULL);
    CHECK(pthread_create(&other, NULL, call_from_here, mpi) == 0);
    CHECK(pthread_join(other, NULL) == 0);
    SUCCEEDS(yoke_mpi_parallel_map(mpi, g_die, N, rank == 0 ? y : NULL, 0));
    SUCCEEDS(yoke_mpi_close(mpi));
    end_ranks();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {{"die", die}, {"away", away}, {"single", single}, {"thread", thread}};
    for (unsigned k = 0; k < sizeof all / sizeof *all; k++)
        if (argc == 2 && strcmp(argv[1], all[k].name) == 0) {
            all[k].run();
            return 0;
        }
    return 2;
}
