/* Pieces of the root's arrays, by messages: ranks send orders, and the root serves them while it computes. For ranks between
 * which MPI has no windows. */
#include "lib/mpi/mpi.h"

enum {
    TAG_ORDER = 2000,
    TAG_NUMBER, /* and so on for each slot */
    TAG_THERE = TAG_NUMBER + YOKE__MPI_SLOTS,
    TAG_BACK = TAG_THERE + YOKE__MPI_SLOTS * YOKE_MAX_PARAMETERS
};

typedef enum kind { ASK = 1, RESULTS, LEAVE } kind;
enum { KIND, RANK, SLOT, WORDS }; /* of an order */

/* What the root knows of a slot of a rank. */
typedef struct desk {
    yoke__mpi_requests requests;
    int64_t number; /* of the piece, while it is sent */
    yoke_part piece;
} desk;

typedef struct yoke__mpi_office {
    int64_t order[WORDS]; /* the next one, by: */
    yoke__mpi_requests incoming;
    int64_t next; /* number */
    int left;     /* ranks that take no more */
    int status;
    desk desk[]; /* YOKE__MPI_SLOTS of each rank */
} office;

static int prepare(yoke__mpi_way *w)
{
    if (!w->is_root)
        return YOKE_OK;
    w->office = yoke__alloc_zeroed(1, sizeof(office) + (size_t)w->run->mpi->size * YOKE__MPI_SLOTS * sizeof(desk));
    return w->office != NULL ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory to serve %d ranks", w->run->mpi->size);
}

static void send_items(const yoke__mpi_run *run, yoke__mpi_requests *requests, unsigned k, yoke_part items, void *base,
                       int to, int tag)
{
    const size_t item = run->shape.array[k].item_bytes;
    yoke__mpi_send(run->mpi, requests, (void *)((uintptr_t)base + items.begin * item), (items.end - items.begin) * item,
                   to, tag + (int)k);
}

static void receive_items(const yoke__mpi_run *run, yoke__mpi_requests *requests, unsigned k, yoke_part items,
                          void *base, int from, int tag)
{
    const size_t item = run->shape.array[k].item_bytes;
    yoke__mpi_receive(run->mpi, requests, (void *)((uintptr_t)base + items.begin * item),
                      (items.end - items.begin) * item, from, tag + (int)k);
}

static int there(int64_t slot)
{
    return TAG_THERE + (int)slot * YOKE_MAX_PARAMETERS;
}

static int back(int64_t slot)
{
    return TAG_BACK + (int)slot * YOKE_MAX_PARAMETERS;
}

/* --- on the other ranks --- */

static int slot_of(const yoke__mpi_way *w, const yoke__mpi_slot *slot)
{
    return (int)(slot - w->slot);
}

static void send_order(const yoke__mpi_way *w, yoke__mpi_slot *slot, kind what)
{
    yoke_mpi *mpi = w->run->mpi;
    slot->order[KIND] = what;
    slot->order[RANK] = mpi->rank;
    slot->order[SLOT] = slot_of(w, slot);
    yoke__mpi_send(mpi, &slot->requests, slot->order, sizeof slot->order, mpi->root, TAG_ORDER);
}

static void ask(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    yoke_mpi *mpi = w->run->mpi;
    yoke__mpi_receive(mpi, &slot->requests, &slot->number, sizeof slot->number, mpi->root,
                      TAG_NUMBER + slot_of(w, slot));
    send_order(w, slot, ASK);
}

static void get(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    const yoke__mpi_run *run = w->run;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++)
        if (yoke__mpi_group_of(run, k).reads)
            receive_items(run, &slot->requests, k, yoke__mpi_window_of(run, k, slot->piece), slot->base[k],
                          run->mpi->root, there(slot_of(w, slot)));
}

static void give(yoke__mpi_way *w, yoke__mpi_slot *slot)
{
    const yoke__mpi_run *run = w->run;
    send_order(w, slot, RESULTS);
    for (unsigned k = 0; k < run->kernel->parameter_count; k++)
        if (yoke__mpi_group_of(run, k).writes)
            send_items(run, &slot->requests, k, yoke__mpi_items_of(run, slot->piece), slot->base[k], run->mpi->root,
                       back(slot_of(w, slot)));
}

/* --- on the root --- */

static void await_order(yoke__mpi_way *w)
{
    office *o = w->office;
    yoke__mpi_receive(w->run->mpi, &o->incoming, o->order, sizeof o->order, MPI_ANY_SOURCE, TAG_ORDER);
}

static int open_office(yoke__mpi_way *w)
{
    if (w->is_root)
        await_order(w);
    return YOKE_OK;
}

static void hand_out(yoke__mpi_way *w, desk *d, int to, int64_t slot)
{
    yoke__mpi_run *run = w->run;
    d->number = w->office->next++;
    d->piece = yoke__mpi_piece_of(w, d->number);
    yoke__mpi_send(run->mpi, &d->requests, &d->number, sizeof d->number, to, TAG_NUMBER + (int)slot);
    for (unsigned k = 0; k < run->kernel->parameter_count && d->piece.begin < d->piece.end; k++)
        if (yoke__mpi_group_of(run, k).reads)
            send_items(run, &d->requests, k, yoke__mpi_window_of(run, k, d->piece), run->argument[k], to, there(slot));
}

static void take_back(yoke__mpi_way *w, desk *d, int from, int64_t slot)
{
    yoke__mpi_run *run = w->run;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++)
        if (yoke__mpi_group_of(run, k).writes)
            receive_items(run, &d->requests, k, yoke__mpi_items_of(run, d->piece), run->argument[k], from, back(slot));
}

/* What was under way for this slot has ended on the other side, or is about to: it would not have sent an order. */
static int serve(yoke__mpi_way *w)
{
    yoke_mpi *mpi = w->run->mpi;
    office *o = w->office;
    const int from = (int)o->order[RANK];
    const int64_t slot = o->order[SLOT];
    desk *d = &o->desk[from * YOKE__MPI_SLOTS + slot];
    const int status = yoke__mpi_wait(mpi, &d->requests, "waiting for a piece to come or go");
    if (status != YOKE_OK)
        return status;
    if (o->order[KIND] == ASK)
        hand_out(w, d, from, slot);
    else if (o->order[KIND] == RESULTS)
        take_back(w, d, from, slot);
    else
        o->left++;
    o->incoming.count = 0;
    if (o->left < mpi->size - 1)
        await_order(w);
    return YOKE_OK;
}

static void look(yoke__mpi_way *w)
{
    office *o = w->office;
    while (o->status == YOKE_OK && o->incoming.count > 0 && yoke__mpi_push(&o->incoming))
        o->status = serve(w);
}

static int take(yoke__mpi_way *w, int64_t *number)
{
    look(w);
    *number = w->office->next++;
    return w->office->status;
}

/* --- the end --- */

static int serve_until_all_left(yoke__mpi_way *w)
{
    office *o = w->office;
    yoke_mpi *mpi = w->run->mpi;
    while (o->status == YOKE_OK && o->left < mpi->size - 1) {
        o->status = yoke__mpi_wait(mpi, &o->incoming, "waiting for the pieces of other ranks");
        if (o->status == YOKE_OK)
            o->status = serve(w);
    }
    for (int k = 0; k < mpi->size * YOKE__MPI_SLOTS; k++) {
        if (o->status == YOKE_OK)
            o->status = yoke__mpi_wait(mpi, &o->desk[k].requests, "waiting for the results of other ranks");
        yoke__mpi_forget(&o->desk[k].requests);
    }
    yoke__mpi_forget(&o->incoming);
    return o->status;
}

static int finish(yoke__mpi_way *w, int status)
{
    yoke__mpi_slot *slot = &w->slot[0];
    int ended;
    if (w->is_root) {
        if (status != YOKE_OK) /* nobody gets more of it */
            w->office->next = (int64_t)w->run->shape.items;
        ended = serve_until_all_left(w);
    } else {
        send_order(w, slot, LEAVE);
        ended = yoke__mpi_wait(w->run->mpi, &slot->requests, "leaving the pieces");
    }
    return status != YOKE_OK ? status : ended;
}

static int nothing_to_close(yoke__mpi_way *w)
{
    (void)w;
    return YOKE_OK;
}

const yoke__mpi_transport yoke__mpi_served = {prepare, open_office,     ask, get, give, take, look,
                                              finish,  nothing_to_close};
