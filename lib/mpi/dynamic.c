/* Maps over the root's arrays, divided while they run: a rank takes the next piece from a counter on the root, gets what
 * the piece reads and puts what it wrote, all one-sided. */
#include "lib/mpi/mpi.h"

enum { PIECES = 32 /* per rank */ };

/* One rank's way through the pieces. */
typedef struct way {
    yoke__mpi_run *run;
    size_t grain;
    bool is_root;
    MPI_Win window[YOKE_MAX_PARAMETERS]; /* on the root's arrays */
    void *memory[YOKE_MAX_PARAMETERS];   /* of a piece, elsewhere */
} way;

static size_t grain_of(const yoke__mpi_run *run)
{
    const size_t step = run->shape.step;
    size_t grain = run->mpi->call.grain;
    if (grain == 0)
        grain = run->shape.items / PIECES / (size_t)run->mpi->size;
    if (grain > run->shape.items)
        grain = run->shape.items;
    grain = (grain + step - 1) / step * step;
    return grain > 0 ? grain : step;
}

static int open_windows(way *w)
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

static int close_windows(way *w)
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

/* Room for the largest piece with its rims. */
static int make_room(way *w)
{
    yoke__mpi_run *run = w->run;
    void *base;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        const yoke_part_array *array = &run->shape.array[k];
        if (!yoke__mpi_group_of(run, k).is_first)
            continue;
        size_t items = w->grain + array->before + array->after; /* each at most the call's */
        items = items < run->shape.all ? items : run->shape.all;
        w->memory[k] = yoke__mpi_window_memory(run, k, (yoke_part){0, items}, &base);
        if (w->memory[k] == NULL)
            return YOKE_ENOMEM;
    }
    return YOKE_OK;
}

/* Begins to get or put items of array k; in messages that MPI can count. */
static int move_items(const way *w, unsigned k, yoke_part items, void *base, bool put)
{
    const yoke__mpi_run *run = w->run;
    const size_t item = run->shape.array[k].item_bytes, bytes = (items.end - items.begin) * item;
    unsigned char *here = (unsigned char *)((uintptr_t)base + items.begin * item);
    int code = MPI_SUCCESS;
    for (size_t at = 0; at < bytes && code == MPI_SUCCESS; at += YOKE__MPI_MESSAGE) {
        const int count = bytes - at < YOKE__MPI_MESSAGE ? (int)(bytes - at) : YOKE__MPI_MESSAGE;
        const MPI_Aint there = (MPI_Aint)(items.begin * item + at);
        code = put ? MPI_Put(here + at, count, MPI_BYTE, run->mpi->root, there, count, MPI_BYTE, w->window[k])
                   : MPI_Get(here + at, count, MPI_BYTE, run->mpi->root, there, count, MPI_BYTE, w->window[k]);
    }
    return code;
}

static int move_piece(const way *w, yoke_part piece, void *const *base, bool put)
{
    const yoke__mpi_run *run = w->run;
    int code = MPI_SUCCESS;
    for (unsigned k = 0; k < run->kernel->parameter_count && code == MPI_SUCCESS; k++) {
        const yoke__mpi_group group = yoke__mpi_group_of(run, k);
        if (put ? group.writes : group.reads)
            code = move_items(w, k, put ? piece : yoke__mpi_window_of(run, k, piece), base[k], put);
    }
    for (unsigned k = 0; k < run->kernel->parameter_count && code == MPI_SUCCESS; k++)
        if (w->window[k] != MPI_WIN_NULL)
            code = MPI_Win_flush(run->mpi->root, w->window[k]);
    return yoke__mpi_check(run->mpi, code, put ? "putting results" : "getting a piece of the root's arrays");
}

static int run_elsewhere(way *w, yoke_part piece)
{
    yoke__mpi_run *run = w->run;
    void *base[YOKE_MAX_PARAMETERS];
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        base[k] = run->argument[k];
        if ((run->kernel->sliced >> k & 1) == 0)
            continue;
        const unsigned first = (unsigned)run->alias[k];
        const uintptr_t memory =
            ((uintptr_t)w->memory[first] + YOKE_CACHE_LINE - 1) / YOKE_CACHE_LINE * YOKE_CACHE_LINE;
        base[k] = (void *)(memory - yoke__mpi_window_of(run, first, piece).begin * run->shape.array[k].item_bytes);
    }
    int status = move_piece(w, piece, base, false);
    if (status == YOKE_OK)
        status = yoke__mpi_compute(run, piece, NULL, base);
    return status == YOKE_OK ? move_piece(w, piece, base, true) : status;
}

/* The next piece; empty at the end. */
static int take(const way *w, yoke_part *piece)
{
    yoke_mpi *mpi = w->run->mpi;
    const int64_t one = 1;
    const size_t items = w->run->shape.items;
    int64_t number = 0;
    int code = MPI_Fetch_and_op(&one, &number, MPI_INT64_T, mpi->root, 0, MPI_SUM, mpi->window);
    if (code == MPI_SUCCESS)
        code = MPI_Win_flush(mpi->root, mpi->window);
    const size_t begin = (size_t)number > items / w->grain ? items : (size_t)number * w->grain;
    piece->begin = begin;
    piece->end = items - begin < w->grain ? items : begin + w->grain;
    return yoke__mpi_check(mpi, code, "taking a piece from the shared counter");
}

static int take_all(way *w)
{
    yoke__mpi_run *run = w->run;
    yoke_part piece;
    int status = take(w, &piece);
    while (status == YOKE_OK && piece.begin < piece.end) {
        status = w->is_root ? yoke__mpi_compute(run, piece, NULL, run->argument) : run_elsewhere(w, piece);
        if (status == YOKE_OK)
            status = take(w, &piece);
    }
    return status;
}

static int reset_counter(const way *w)
{
    yoke_mpi *mpi = w->run->mpi;
    const int64_t zero = 0;
    if (!w->is_root)
        return YOKE_OK;
    int code = MPI_Accumulate(&zero, 1, MPI_INT64_T, mpi->root, 0, 1, MPI_INT64_T, MPI_REPLACE, mpi->window);
    if (code == MPI_SUCCESS)
        code = MPI_Win_flush(mpi->root, mpi->window);
    return yoke__mpi_check(mpi, code, "resetting the shared counter");
}

int yoke__mpi_run_dynamic(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    way w = {.run = run, .grain = grain_of(run), .is_root = mpi->rank == mpi->root};
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS; k++)
        w.window[k] = MPI_WIN_NULL;
    for (int r = 0; r <= mpi->size; r++) /* the root's arrays come home all of them */
        run->bounds[r] = 0;
    int status = yoke__mpi_make_whole(run);
    if (status == YOKE_OK)
        status = w.is_root ? yoke__mpi_bring_home(run) : make_room(&w);
    if (status == YOKE_OK)
        status = reset_counter(&w);
    status = yoke__mpi_agree_status(mpi, status);
    if (status == YOKE_OK) {
        yoke__mpi_spread_whole(run);
        status = yoke__mpi_wait(mpi, &run->requests, "waiting for the root's arrays");
    }
    if (status == YOKE_OK)
        status = open_windows(&w);
    if (status == YOKE_OK) {
        status = take_all(&w);
        const int agreed = yoke__mpi_agree_status(mpi, status); /* the root serves until all are through */
        const int closed = agreed == YOKE_OK || mpi->broken == 0 ? close_windows(&w) : YOKE_OK;
        status = agreed != YOKE_OK ? agreed : closed;
    }
    for (unsigned k = 0; k < YOKE_MAX_PARAMETERS; k++)
        yoke__free(w.memory[k]);
    return status;
}
