/* Opening and closing: the communicator, each rank's runtime, what all ranks have in common. */
#include <string.h>

#include "lib/mpi/mpi.h"

static const char *const isas[] = {"baseline", "avx2", "avx512"};

int yoke_mpi_init(int *argc, char ***argv)
{
    int is_there = 0, level = MPI_THREAD_SINGLE;
    if (MPI_Initialized(&is_there) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI does not say whether it is initialised");
    if (!is_there && MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI_Init_thread failed");
    if (is_there && MPI_Query_thread(&level) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI does not tell its thread level");
    if (level < MPI_THREAD_FUNNELED)
        return yoke__fail(YOKE_ESTATE, "MPI was initialised with MPI_THREAD_SINGLE, which allows no workers; call "
                                       "yoke_mpi_init() first, or MPI_Init_thread with MPI_THREAD_FUNNELED or more");
    return YOKE_OK;
}

static int check_mpi(const yoke_mpi_options *options)
{
    int is_there = 0, is_over = 0;
    if (MPI_Initialized(&is_there) != MPI_SUCCESS || MPI_Finalized(&is_over) != MPI_SUCCESS || !is_there || is_over)
        return yoke__fail(YOKE_ESTATE, "MPI is not running; call yoke_mpi_init() before, MPI_Finalize() after");
    if (options->size != 0 && options->size != sizeof *options)
        return yoke__fail(YOKE_EVERSION, "MPI options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                          options->size, sizeof *options);
    return yoke_mpi_init(NULL, NULL);
}

static int open_comm(yoke_mpi *mpi, MPI_Comm comm)
{
    mpi->comm = MPI_COMM_NULL;
    if (comm == MPI_COMM_NULL)
        return yoke__fail(YOKE_EINVAL, "the communicator is MPI_COMM_NULL; give one with this rank in it");
    if (MPI_Comm_dup(comm, &mpi->comm) != MPI_SUCCESS ||
        MPI_Comm_set_errhandler(mpi->comm, MPI_ERRORS_RETURN) != MPI_SUCCESS ||
        MPI_Comm_rank(mpi->comm, &mpi->rank) != MPI_SUCCESS || MPI_Comm_size(mpi->comm, &mpi->size) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI could not duplicate the communicator");
    return YOKE_OK;
}

/* --- the runtime --- */

static unsigned level_of(const yoke_runtime *runtime)
{
    const char *name = runtime != NULL ? yoke_isa((yoke_runtime *)(uintptr_t)runtime) : NULL;
    for (unsigned k = 0; name != NULL && k < sizeof isas / sizeof *isas; k++)
        if (strcmp(name, isas[k]) == 0)
            return k;
    return 0;
}

static void fill_options(yoke_runtime_options *to, const yoke_runtime_options *asked, const yoke__mpi_place *place)
{
    static const yoke_runtime_options defaults;
    *to = asked != NULL ? *asked : defaults;
    if (to->cpus != NULL)
        return;
    if (!place->is_crowded) {
        to->cpus = place->cpus;
        to->cpu_count = place->cpu_count;
    } else if (to->pin == YOKE_PIN_DEFAULT) {
        to->pin = YOKE_PIN_NONE;
    }
    if (to->workers == 0 && yoke__env("YOKE_WORKERS") == NULL)
        to->workers = place->workers;
}

/* Twice where the first shows that ranks have different instruction sets, or share devices. */
static int open_runtime(yoke_mpi *mpi, const yoke_runtime_options *asked, yoke__mpi_place *place)
{
    yoke_runtime_options options;
    fill_options(&options, asked, place);
    mpi->runtime = yoke_open(&options);
    const unsigned mine = level_of(mpi->runtime);
    unsigned least = mine;
    bool again = false;
    int fine = mpi->runtime != NULL, all_fine = 0;
    if (MPI_Allreduce(&fine, &all_fine, 1, MPI_INT, MPI_MIN, mpi->comm) != MPI_SUCCESS ||
        MPI_Allreduce(&mine, &least, 1, MPI_UNSIGNED, MPI_MIN, mpi->comm) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI failed while ranks opened their runtimes");
    if (!fine)
        return YOKE_ESTATE; /* the detail is that of yoke_open() */
    if (!all_fine)
        return YOKE_OK; /* the agreement tells */
    int status = yoke__mpi_deal_devices(mpi->comm, mpi->runtime, place, &again);
    if (status != YOKE_OK)
        return status;
    if (again && options.devices == NULL)
        options.devices = place->devices;
    if (least < mine)
        options.isa = isas[least];
    if (!again && least == mine)
        return YOKE_OK;
    (void)yoke_close(mpi->runtime);
    mpi->runtime = yoke_open(&options);
    return mpi->runtime != NULL ? YOKE_OK : YOKE_ESTATE;
}

/* --- what all know of all --- */

static int gather_weights(yoke_mpi *mpi, double weight)
{
    const int workers = mpi->runtime != NULL ? yoke_workers(mpi->runtime) : 1;
    if (!(weight > 0))
        weight = workers > 0 ? workers : 1;
    mpi->weight = yoke__alloc_zeroed((size_t)mpi->size, sizeof *mpi->weight);
    mpi->share = yoke__alloc_zeroed((size_t)mpi->size, sizeof *mpi->share);
    int fine = mpi->weight != NULL && mpi->share != NULL, all_fine = 0;
    if (MPI_Allreduce(&fine, &all_fine, 1, MPI_INT, MPI_MIN, mpi->comm) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI failed while ranks told their weights");
    if (!all_fine)
        return fine ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for the weights of %d ranks", mpi->size);
    if (MPI_Allgather(&weight, 1, MPI_DOUBLE, mpi->weight, 1, MPI_DOUBLE, mpi->comm) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI failed while ranks told their weights");
    return YOKE_OK;
}

static int open_counter(yoke_mpi *mpi)
{
    const MPI_Aint bytes = mpi->rank == mpi->root ? (MPI_Aint)sizeof *mpi->counter : 0;
    int fine = MPI_Win_allocate(bytes, sizeof *mpi->counter, MPI_INFO_NULL, mpi->comm, &mpi->counter, &mpi->window) ==
               MPI_SUCCESS;
    int all_fine = 0;
    if (MPI_Allreduce(&fine, &all_fine, 1, MPI_INT, MPI_MIN, mpi->comm) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI failed while ranks opened a counter");
    if (!all_fine) { /* Debian's Open MPI has none between hosts; freeing those of some ranks alone would wait for ever */
        mpi->window = MPI_WIN_NULL;
        return YOKE_OK;
    }
    if (MPI_Win_set_errhandler(mpi->window, MPI_ERRORS_RETURN) != MPI_SUCCESS ||
        MPI_Win_lock_all(MPI_MODE_NOCHECK, mpi->window) != MPI_SUCCESS)
        return yoke__fail(YOKE_EIO, "MPI does not open the window of a counter");
    return YOKE_OK;
}

static void forget(yoke_mpi *mpi)
{
    (void)yoke_close(mpi->runtime);
    for (unsigned k = 0; k < YOKE__MPI_KERNELS; k++)
        yoke__free(mpi->speed[k].rate);
    for (unsigned k = 0; k < YOKE__MPI_KEPT; k++)
        yoke__free(mpi->kept[k]);
    yoke__free(mpi->weight);
    yoke__free(mpi->share);
    if (mpi->window != MPI_WIN_NULL && mpi->broken == 0) {
        (void)MPI_Win_unlock_all(mpi->window);
        (void)MPI_Win_free(&mpi->window);
    }
    if (mpi->comm != MPI_COMM_NULL && mpi->broken == 0)
        (void)MPI_Comm_free(&mpi->comm);
    yoke__free(mpi);
}

static int open_all(yoke_mpi *mpi, const yoke_mpi_options *options)
{
    yoke__mpi_place place;
    mpi->root = options->root;
    mpi->patience_ns = options->patience_ns > 0 ? options->patience_ns : 0;
    int status = yoke__mpi_divide_node(mpi->comm, &place);
    int opened = status == YOKE_EIO ? status : open_runtime(mpi, options->runtime, &place);
    yoke__free(place.cpus);
    status = status == YOKE_OK ? opened : status;
    if (status != YOKE_EIO) {
        const int told = gather_weights(mpi, options->weight);
        status = status == YOKE_OK ? told : status;
    }
    if (options->root < 0 || options->root >= mpi->size)
        status = yoke__fail(YOKE_EINVAL, "root %d is no rank of a communicator of %d", options->root, mpi->size);
    status = yoke__mpi_agree(mpi, &(yoke__mpi_matter){.verb = YOKE__MPI_OPEN}, status);
    return status == YOKE_OK && mpi->size > 1 ? open_counter(mpi) : status; /* one rank takes all; and MPIs refuse it */
}

yoke_mpi *yoke_mpi_open(MPI_Comm comm, const yoke_mpi_options *options)
{
    static const yoke_mpi_options defaults;
    options = options != NULL ? options : &defaults;
    if (check_mpi(options) != YOKE_OK)
        return NULL;
    yoke_mpi *mpi = yoke__alloc_zeroed(1, sizeof *mpi);
    if (mpi == NULL) {
        (void)yoke__fail(YOKE_ENOMEM, "no memory to open the ranks");
        return NULL;
    }
    mpi->window = MPI_WIN_NULL;
    mpi->launcher.launch = yoke__mpi_launch;
    int status = open_comm(mpi, comm);
    if (status == YOKE_OK)
        status = open_all(mpi, options);
    if (status == YOKE_OK)
        return mpi;
    forget(mpi);
    return NULL;
}

int yoke_mpi_close(yoke_mpi *mpi)
{
    if (mpi == NULL)
        return YOKE_OK;
    int status = mpi->broken != 0 ? YOKE_OK : yoke__mpi_may_call(mpi);
    if (status == YOKE_OK && mpi->arrays != NULL)
        status = yoke__fail(YOKE_EBUSY, "distributed arrays are open; close them first");
    if (mpi->broken == 0)
        status = yoke__mpi_agree(mpi, &(yoke__mpi_matter){.verb = YOKE__MPI_CLOSE}, status);
    if (status == YOKE_OK || mpi->broken != 0)
        forget(mpi);
    return status;
}

yoke_runtime *yoke_mpi_runtime(yoke_mpi *mpi)
{
    return mpi != NULL ? mpi->runtime : NULL;
}

int yoke_mpi_rank(const yoke_mpi *mpi)
{
    return mpi != NULL ? mpi->rank : -1;
}

int yoke_mpi_size(const yoke_mpi *mpi)
{
    return mpi != NULL ? mpi->size : 0;
}

int yoke_mpi_share_of(const yoke_mpi *mpi, int rank, yoke_mpi_share *share)
{
    if (mpi == NULL || share == NULL || rank < 0 || rank >= mpi->size)
        return yoke__fail(YOKE_EINVAL, "no rank %d, or no place for its share", rank);
    *share = mpi->share[rank];
    return YOKE_OK;
}
