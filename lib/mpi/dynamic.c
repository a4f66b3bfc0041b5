/* Maps over the root's arrays, divided while they run: a rank takes the next piece of a shared counter, gets what the piece
 * reads and gives back what it wrote, while it computes the piece before. */
#include "lib/mpi/mpi.h"

enum {
    PIECES = 32, /* per rank, */
    LEAST = 16,  /* the last of which are so many times smaller: */
    REST = 4     /* a piece is at most the rank's share of the rest, by this */
};

static size_t round_up(size_t items, size_t step)
{
    return items > step ? (items + step - 1) / step * step : step;
}

static void choose_grain(yoke__mpi_way *w)
{
    const yoke__mpi_run *run = w->run;
    const size_t step = run->shape.step, items = run->shape.items, asked = run->mpi->call.grain;
    const size_t grain = asked != 0 ? asked : items / PIECES / (size_t)run->mpi->size;
    w->grain = round_up(grain < items ? grain : items, step);
    w->least = asked != 0 ? w->grain : round_up(w->grain / LEAST, step);
}

static size_t size_here(const yoke__mpi_way *w)
{
    const size_t rest = w->run->shape.items - w->begin;
    size_t size = round_up(rest / REST / (size_t)w->run->mpi->size, w->run->shape.step);
    size = size > w->least ? size : w->least;
    size = size < w->grain ? size : w->grain;
    return size < rest ? size : rest;
}

yoke_part yoke__mpi_piece_of(yoke__mpi_way *w, int64_t number)
{
    for (; w->number < number && w->begin < w->run->shape.items; w->number++)
        w->begin += size_here(w);
    return (yoke_part){w->begin, w->begin + size_here(w)};
}

/* Room for the largest piece with its rims. */
static int make_room(yoke__mpi_way *w, unsigned slot)
{
    yoke__mpi_run *run = w->run;
    void *base;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        const yoke_part_array *array = &run->shape.array[k];
        if (!yoke__mpi_group_of(run, k).is_first)
            continue;
        size_t items = w->grain + array->before + array->after; /* each at most the call's */
        items = items < run->shape.all ? items : run->shape.all;
        w->slot[slot].memory[k] = yoke__mpi_window_memory(run, k, slot, (yoke_part){0, items}, &base);
        if (w->slot[slot].memory[k] == NULL)
            return YOKE_ENOMEM;
    }
    return YOKE_OK;
}

static void place_piece(const yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    const yoke__mpi_run *run = w->run;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        slot->base[k] = run->argument[k];
        if ((run->kernel->sliced >> k & 1) == 0)
            continue;
        const unsigned first = (unsigned)run->alias[k];
        const uintptr_t memory =
            ((uintptr_t)slot->memory[first] + YOKE_CACHE_LINE - 1) / YOKE_CACHE_LINE * YOKE_CACHE_LINE;
        const size_t begin = yoke__mpi_window_of(run, first, slot->piece).begin;
        slot->base[k] = (void *)(memory - begin * run->shape.array[k].item_bytes);
    }
}

/* --- a slot's steps --- */

static const yoke__mpi_transport *transport_of(const yoke__mpi_way *w)
{
    return w->run->mpi->window != MPI_WIN_NULL ? &yoke__mpi_windows : &yoke__mpi_served;
}

static void ask(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    slot->step = YOKE__MPI_ASKED;
    transport_of(w)->ask(w, slot);
}

static void see_piece(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    slot->piece = yoke__mpi_piece_of(w, slot->number);
    if (slot->piece.begin == slot->piece.end) {
        w->ended = true;
        slot->step = YOKE__MPI_READY;
        return;
    }
    place_piece(w, slot);
    slot->step = YOKE__MPI_COMING;
    transport_of(w)->get(w, slot);
}

/* As far as it gets without waiting. */
static void advance(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    while (slot->step != YOKE__MPI_IDLE && slot->step != YOKE__MPI_READY && yoke__mpi_push(&slot->requests)) {
        slot->requests.count = 0;
        if (slot->step == YOKE__MPI_ASKED)
            see_piece(w, slot);
        else if (slot->step == YOKE__MPI_COMING)
            slot->step = YOKE__MPI_READY;
        else if (w->ended)
            slot->step = YOKE__MPI_IDLE;
        else
            ask(w, slot);
    }
}

static int reach_end(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    int status = YOKE_OK;
    advance(w, slot);
    while (status == YOKE_OK && slot->step != YOKE__MPI_IDLE && slot->step != YOKE__MPI_READY) {
        status = yoke__mpi_wait(w->run->mpi, &slot->requests, "waiting for a piece of the root's arrays");
        advance(w, slot);
    }
    return status;
}

static void look(void *way)
{
    yoke__mpi_way *w = way;
    if (w->is_root)
        transport_of(w)->look(w);
    else
        for (unsigned k = 0; k < YOKE__MPI_SLOTS; k++)
            advance(w, &w->slot[k]);
}

/* --- all pieces --- */

static int work(yoke__mpi_way *w)
{
    int status = YOKE_OK;
    ask(w, &w->slot[0]);
    for (unsigned k = 0;; k ^= 1) {
        yoke__mpi_slot *slot = &w->slot[k], *other = &w->slot[k ^ 1];
        status = reach_end(w, slot);
        if (status != YOKE_OK || slot->step == YOKE__MPI_IDLE || slot->piece.begin == slot->piece.end)
            break;
        if (other->step == YOKE__MPI_IDLE && !w->ended)
            ask(w, other);
        look(w);
        status = yoke__mpi_compute(w->run, slot->piece, NULL, slot->base);
        if (status != YOKE_OK)
            break;
        slot->step = YOKE__MPI_GIVEN;
        transport_of(w)->give(w, slot);
    }
    w->ended = true;
    for (unsigned k = 0; k < YOKE__MPI_SLOTS; k++) {
        const int reached = reach_end(w, &w->slot[k]);
        status = status != YOKE_OK ? status : reached;
    }
    return status;
}

static int work_on_root(yoke__mpi_way *w)
{
    int64_t number;
    for (;;) {
        int status = transport_of(w)->take(w, &number);
        const yoke_part piece = status == YOKE_OK ? yoke__mpi_piece_of(w, number) : (yoke_part){0, 0};
        if (piece.begin == piece.end)
            return status;
        status = yoke__mpi_compute(w->run, piece, NULL, w->run->argument);
        if (status != YOKE_OK)
            return status;
    }
}

static int prepare(yoke__mpi_way *w)
{
    int status = yoke__mpi_make_whole(w->run);
    if (status == YOKE_OK && w->is_root)
        status = yoke__mpi_bring_home(w->run);
    for (unsigned k = 0; k < YOKE__MPI_SLOTS && status == YOKE_OK && !w->is_root; k++)
        status = make_room(w, k);
    return status == YOKE_OK ? transport_of(w)->prepare(w) : status;
}

static int run_all(yoke__mpi_way *w)
{
    yoke_mpi *mpi = w->run->mpi;
    const yoke__mpi_transport *transport = transport_of(w);
    yoke__mpi_spread_whole(w->run);
    int status = yoke__mpi_wait(mpi, &w->run->requests, "waiting for the root's arrays");
    if (status == YOKE_OK)
        status = transport->open(w);
    if (status != YOKE_OK)
        return status;
    w->run->look = look;
    w->run->look_argument = w;
    status = w->is_root ? work_on_root(w) : work(w);
    status = transport->finish(w, status);
    const int agreed = yoke__mpi_agree_status(mpi, status);
    const int closed = mpi->broken == 0 ? transport->close(w) : YOKE_OK;
    return agreed != YOKE_OK ? agreed : closed;
}

int yoke__mpi_run_dynamic(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    yoke__mpi_way w = {.run = run, .is_root = mpi->rank == mpi->root};
    choose_grain(&w);
    for (int r = 0; r <= mpi->size; r++) /* the root's arrays come home all of them */
        run->bounds[r] = 0;
    int status = yoke__mpi_agree_status(mpi, prepare(&w));
    if (status == YOKE_OK)
        status = run_all(&w);
    run->look = NULL;
    for (unsigned s = 0; s < YOKE__MPI_SLOTS; s++)
        yoke__mpi_forget(&w.slot[s].requests);
    yoke__free(w.office);
    return status;
}
