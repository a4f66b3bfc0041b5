/* Pieces of the root's arrays, one-sided: a counter in the root's memory, and windows on its arrays. */
#include "lib/mpi/mpi.h"

static int prepare(yoke__mpi_way *w)
{
    yoke_mpi *mpi = w->run->mpi;
    const int64_t zero = 0;
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS; k++)
        w->window[k] = MPI_WIN_NULL;
    if (!w->is_root)
        return YOKE_OK;
    int code = MPI_Accumulate(&zero, 1, MPI_INT64_T, mpi->root, 0, 1, MPI_INT64_T, MPI_REPLACE, mpi->window);
    if (code == MPI_SUCCESS)
        code = MPI_Win_flush(mpi->root, mpi->window);
    return yoke__mpi_check(mpi, code, "resetting the shared counter");
}

static int open_windows(yoke__mpi_way *w)
{
    const yoke__mpi_run *run = w->run;
    yoke_mpi *mpi = run->mpi;
    int code = MPI_SUCCESS;
    for (unsigned k = 0; k < run->kernel->parameter_count && code == MPI_SUCCESS; k++) {
        if (!yoke__mpi_group_of(run, k).is_first)
            continue;
        const size_t bytes = w->is_root ? run->shape.all * run->shape.array[k].item_bytes : 0;
        code = MPI_Win_create(bytes > 0 ? run->argument[k] : NULL, (MPI_Aint)bytes, 1, MPI_INFO_NULL, mpi->comm,
                              &w->window[k]);
        if (code == MPI_SUCCESS)
            code = MPI_Win_set_errhandler(w->window[k], MPI_ERRORS_RETURN);
        if (code == MPI_SUCCESS)
            code = MPI_Win_lock_all(MPI_MODE_NOCHECK, w->window[k]);
    }
    return yoke__mpi_check(mpi, code, "opening windows on the root's arrays");
}

static int close_windows(yoke__mpi_way *w)
{
    int code = MPI_SUCCESS;
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS && code == MPI_SUCCESS; k++) {
        if (w->window[k] == MPI_WIN_NULL)
            continue;
        code = MPI_Win_unlock_all(w->window[k]);
        if (code == MPI_SUCCESS)
            code = MPI_Win_free(&w->window[k]);
    }
    return yoke__mpi_check(w->run->mpi, code, "closing windows on the root's arrays");
}

static void ask(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    static const int64_t one = 1;
    yoke_mpi *mpi = w->run->mpi;
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Rget_accumulate(&one, 1, MPI_INT64_T, &slot->number, 1, MPI_INT64_T, mpi->root, 0, 1,
                                         MPI_INT64_T, MPI_SUM, mpi->window, &request);
    yoke__mpi_add(mpi, &slot->requests, code, request);
}

/* Begins to get or put items of array k; in messages that MPI can count. */
static void move_items(const yoke__mpi_way *w, yoke__mpi_slot *slot, unsigned k, yoke_part items, bool put)
{
    const yoke__mpi_run *run = w->run;
    const size_t item = run->shape.array[k].item_bytes, bytes = (items.end - items.begin) * item;
    unsigned char *here = (unsigned char *)((uintptr_t)slot->base[k] + items.begin * item);
    for (size_t at = 0; at < bytes; at += YOKE__MPI_MESSAGE) {
        const int n = bytes - at < YOKE__MPI_MESSAGE ? (int)(bytes - at) : YOKE__MPI_MESSAGE, root = run->mpi->root;
        const MPI_Aint there = (MPI_Aint)(items.begin * item + at);
        MPI_Request request = MPI_REQUEST_NULL;
        const int code = put ? MPI_Rput(here + at, n, MPI_BYTE, root, there, n, MPI_BYTE, w->window[k], &request)
                             : MPI_Rget(here + at, n, MPI_BYTE, root, there, n, MPI_BYTE, w->window[k], &request);
        yoke__mpi_add(run->mpi, &slot->requests, code, request);
    }
}

static void get(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    for (unsigned k = 0; k < w->run->kernel->parameter_count; k++)
        if (yoke__mpi_group_of(w->run, k).reads)
            move_items(w, slot, k, yoke__mpi_window_of(w->run, k, slot->piece), false);
}

static void give(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    for (unsigned k = 0; k < w->run->kernel->parameter_count; k++)
        if (yoke__mpi_group_of(w->run, k).writes)
            move_items(w, slot, k, yoke__mpi_items_of(w->run, slot->piece), true);
}

static int take(yoke__mpi_way *w, int64_t *number)
{
    yoke_mpi *mpi = w->run->mpi;
    const int64_t one = 1;
    int code = MPI_Fetch_and_op(&one, number, MPI_INT64_T, mpi->root, 0, MPI_SUM, mpi->window);
    if (code == MPI_SUCCESS)
        code = MPI_Win_flush(mpi->root, mpi->window);
    return yoke__mpi_check(mpi, code, "taking a piece from the shared counter");
}

/* Any call of MPI lets others at this rank's windows. */
static void look(yoke__mpi_way *w)
{
    int any = 0;
    (void)MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, w->run->mpi->comm, &any, MPI_STATUS_IGNORE);
}

static int finish(yoke__mpi_way *w, int status)
{
    (void)w;
    return status;
}

const yoke__mpi_transport yoke__mpi_windows = {prepare, open_windows, ask,    get,          give,
                                               take,    look,         finish, close_windows};
