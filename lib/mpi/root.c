/* Arrays that the root has: every rank gets its share, computes it, and sends back what it wrote. */
#include <string.h>

#include "lib/mpi/mpi.h"
#include "yoke/memory.h"

enum { TAG_THERE = 0, TAG_BACK = YOKE_MAX_PARAMETERS };

yoke__mpi_group yoke__mpi_group_of(const yoke__mpi_run *run, unsigned k)
{
    yoke__mpi_group group = {.is_first = (run->kernel->sliced >> k & 1) != 0 && run->alias[k] == k};
    for (unsigned j = k; group.is_first && j < run->kernel->parameter_count; j++) {
        const yoke_mode mode = run->kernel->parameters[j].mode;
        if ((run->kernel->sliced >> j & 1) == 0 || run->alias[j] != k)
            continue;
        group.reads |= mode != YOKE_MODE_OUT;
        group.writes |= mode == YOKE_MODE_OUT || mode == YOKE_MODE_INOUT;
    }
    return group;
}

static bool for_mpi(void *at, size_t bytes, bool reads, bool writes)
{
    if (bytes == 0)
        return true;
    return reads ? (writes ? yoke_update_range(at, bytes) : (void *)(uintptr_t)yoke_read_range(at, bytes)) != NULL
                 : yoke_write_range(at, bytes) != NULL;
}

int yoke__mpi_bring_home(yoke__mpi_run *run)
{
    const yoke_part own = yoke__mpi_items_of(run, yoke__mpi_share_of(run, run->mpi->rank));
    bool fine = true;
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        const yoke__mpi_group group = yoke__mpi_group_of(run, k);
        const size_t item = run->shape.array[k].item_bytes, all = run->shape.all;
        unsigned char *at = run->argument[k];
        if (run->kernel->parameters[k].mode == YOKE_MODE_WHOLE)
            fine &= for_mpi(at, run->shape.array[k].bytes, true, false);
        if (!group.is_first || item == 0)
            continue;
        if (group.reads)
            fine &= for_mpi(at, all * item, true, false);
        if (group.writes) {
            fine &= for_mpi(at, own.begin * item, group.reads, true);
            fine &= for_mpi(at + own.end * item, (all - own.end) * item, group.reads, true);
        }
    }
    return fine ? YOKE_OK : yoke__fail(YOKE_ELOST, "kernel %s: %.160s", run->kernel->name, yoke_error_detail());
}

/* Fresh pages cost more than what is computed in many of them. */
void *yoke__mpi_window_memory(const yoke__mpi_run *run, unsigned k, unsigned slot, yoke_part window, void **base)
{
    yoke_mpi *mpi = run->mpi;
    const unsigned at = slot * YOKE_MAX_PARAMETERS + k;
    const size_t item = run->shape.array[k].item_bytes;
    const size_t bytes = (window.end - window.begin) * item + YOKE_CACHE_LINE;
    if (mpi->kept_bytes[at] < bytes) {
        yoke__free(mpi->kept[at]);
        mpi->kept[at] = yoke__alloc_zeroed(1, bytes);
        mpi->kept_bytes[at] = mpi->kept[at] != NULL ? bytes : 0;
    }
    if (mpi->kept[at] == NULL) {
        (void)yoke__fail(YOKE_ENOMEM, "kernel %s: no memory for %zu bytes of array %s", run->kernel->name, bytes,
                         run->kernel->parameters[k].name);
        return NULL;
    }
    const uintptr_t first = ((uintptr_t)mpi->kept[at] + YOKE_CACHE_LINE - 1) / YOKE_CACHE_LINE * YOKE_CACHE_LINE;
    *base = (void *)(first - window.begin * item);
    return mpi->kept[at];
}

/* --- on the root --- */

static unsigned char *item_at(const yoke__mpi_run *run, unsigned k, size_t item)
{
    return (unsigned char *)((uintptr_t)run->argument[k] + item * run->shape.array[k].item_bytes);
}

static void send_shares(yoke__mpi_run *run)
{
    for (int r = 0; r < run->mpi->size; r++)
        for (unsigned k = 0; k < run->kernel->parameter_count && r != run->mpi->rank; k++) {
            const yoke_part w = yoke__mpi_window_of(run, k, yoke__mpi_share_of(run, r));
            if (yoke__mpi_group_of(run, k).reads)
                yoke__mpi_send(run->mpi, &run->requests, item_at(run, k, w.begin),
                               (w.end - w.begin) * run->shape.array[k].item_bytes, r, TAG_THERE + (int)k);
        }
}

/* Of arrays that were sent, only when that has ended: one memory is not for both at once. */
static void receive_shares(yoke__mpi_run *run, bool of_those_sent)
{
    for (int r = 0; r < run->mpi->size; r++)
        for (unsigned k = 0; k < run->kernel->parameter_count && r != run->mpi->rank; k++) {
            const yoke__mpi_group group = yoke__mpi_group_of(run, k);
            const yoke_part w = yoke__mpi_items_of(run, yoke__mpi_share_of(run, r));
            if (group.writes && group.reads == of_those_sent)
                yoke__mpi_receive(run->mpi, &run->requests, item_at(run, k, w.begin),
                                  (w.end - w.begin) * run->shape.array[k].item_bytes, r, TAG_BACK + (int)k);
        }
}

static int serve(yoke__mpi_run *run)
{
    yoke__mpi_spread_whole(run);
    send_shares(run);
    receive_shares(run, false);
    const int computed =
        yoke__mpi_compute(run, yoke__mpi_share_of(run, run->mpi->rank), yoke__mpi_own_partials(run), run->argument);
    int status = yoke__mpi_wait(run->mpi, &run->requests, "waiting for the shares of other ranks");
    if (status != YOKE_OK)
        return status;
    receive_shares(run, true);
    status = yoke__mpi_wait(run->mpi, &run->requests, "waiting for the results of other ranks");
    return status != YOKE_OK ? status : computed;
}

/* --- on the others --- */

static int make_windows(yoke__mpi_run *run)
{
    const yoke_part own = yoke__mpi_share_of(run, run->mpi->rank);
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        if ((run->kernel->sliced >> k & 1) == 0)
            continue;
        if (run->alias[k] != k) {
            run->argument[k] = run->argument[run->alias[k]];
            continue;
        }
        if (yoke__mpi_window_memory(run, k, 0, yoke__mpi_window_of(run, k, own), &run->argument[k]) == NULL)
            return YOKE_ENOMEM;
    }
    return YOKE_OK;
}

static int work(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    const yoke_part own = yoke__mpi_share_of(run, mpi->rank), items = yoke__mpi_items_of(run, own);
    yoke__mpi_spread_whole(run);
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) {
        const yoke_part w = yoke__mpi_window_of(run, k, own);
        if (yoke__mpi_group_of(run, k).reads)
            yoke__mpi_receive(mpi, &run->requests, item_at(run, k, w.begin),
                              (w.end - w.begin) * run->shape.array[k].item_bytes, mpi->root, TAG_THERE + (int)k);
    }
    int status = yoke__mpi_wait(mpi, &run->requests, "waiting for a share of the root's arrays");
    if (status != YOKE_OK)
        return status;
    const int computed = yoke__mpi_compute(run, own, yoke__mpi_own_partials(run), run->argument);
    for (unsigned k = 0; k < run->kernel->parameter_count; k++) /* also when it failed: the root waits for it */
        if (yoke__mpi_group_of(run, k).writes)
            yoke__mpi_send(mpi, &run->requests, item_at(run, k, items.begin),
                           (items.end - items.begin) * run->shape.array[k].item_bytes, mpi->root, TAG_BACK + (int)k);
    status = yoke__mpi_wait(mpi, &run->requests, "sending results to the root");
    return status != YOKE_OK ? status : computed;
}

int yoke__mpi_run_root(yoke__mpi_run *run)
{
    yoke_mpi *mpi = run->mpi;
    const bool is_root = mpi->rank == mpi->root;
    int status = mpi->size > 1 ? yoke__mpi_make_whole(run) : YOKE_OK;
    if (status == YOKE_OK)
        status = yoke__mpi_make_partials(run);
    if (status == YOKE_OK && mpi->size > 1 && run->shape.is_divisible)
        status = is_root ? yoke__mpi_bring_home(run) : make_windows(run);
    status = yoke__mpi_agree_status(mpi, status);
    if (status == YOKE_OK && run->shape.is_divisible)
        status = is_root ? serve(run) : work(run);
    else if (status == YOKE_OK && is_root)
        status = yoke__mpi_compute(run, yoke__mpi_share_of(run, mpi->rank), NULL, run->argument);
    if (yoke__mpi_folds(run->kernel)) {
        status = yoke__mpi_agree_status(mpi, status);
        if (status == YOKE_OK)
            status = yoke__mpi_combine(run);
    }
    return status;
}
