/* Who uses which cores and devices of a node. Every rank tells the others of its node what it may use; all then compute
 * the same division. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mpi/mpi.h"

/* --- the division: pure --- */

/* Every list is read once: there may be hundreds of ranks with hundreds of CPUs each. */
static void find_users(yoke__mpi_node *n)
{
    for (size_t k = 0; k < n->own_count; k++)
        if (n->own[k].os_cpu < YOKE__MPI_CPUS)
            n->index[n->own[k].os_cpu] = (unsigned)k + 1;
    for (int r = 0; r < n->size; r++)
        for (int k = n->first[r]; k < n->first[r + 1]; k++) {
            const unsigned index = n->cpu[k] < YOKE__MPI_CPUS ? n->index[n->cpu[k]] : 0;
            if (index == 0)
                continue;
            yoke__mpi_users *users = &n->users[index - 1];
            users->hash = yoke__mpi_hash(users->hash + 1, &r, sizeof r);
            users->before += r < n->rank;
            users->count++;
        }
}

static size_t core_end(const yoke__mpi_node *n, size_t at)
{
    size_t end = at + 1;
    while (end < n->own_count && n->own[end].core == n->own[at].core)
        end++;
    return end;
}

/* Of the cores that the same ranks may use, in order: how many there are, and which of them the one at `at` is. */
static void rank_core(const yoke__mpi_node *n, size_t at, size_t *index, size_t *count)
{
    *index = *count = 0;
    for (size_t k = 0; k < n->own_count; k = core_end(n, k)) {
        if (n->users[k].hash != n->users[at].hash)
            continue;
        if (k < at)
            ++*index;
        ++*count;
    }
}

/* Whether the core that begins at `at` falls to this rank. Where ranks outnumber cores some of them get none. */
static bool is_mine(const yoke__mpi_node *n, size_t at)
{
    size_t index, count;
    const size_t users = n->users[at].count > 0 ? n->users[at].count : 1, me = n->users[at].before;
    rank_core(n, at, &index, &count);
    return index >= me * count / users && index < (me + 1) * count / users;
}

void yoke__mpi_take_cores(yoke__mpi_node *n, yoke__mpi_place *place)
{
    unsigned cores = 0;
    find_users(n);
    for (size_t k = 0; k < n->own_count; k = core_end(n, k)) {
        if (!is_mine(n, k))
            continue;
        cores++;
        for (size_t j = k; j < core_end(n, k); j++)
            place->cpus[place->cpu_count++] = n->own[j].os_cpu;
    }
    place->is_crowded = cores == 0;
    place->workers = place->is_crowded ? 1 : cores;
}

/* --- what is known of the node --- */

static int failed(const char *what)
{
    return yoke__fail(YOKE_EIO, "MPI failed while %s", what);
}

static void forget(yoke__mpi_node *n)
{
    yoke__free(n->own);
    yoke__free(n->cpu);
    yoke__free(n->count);
    yoke__free(n->first);
    yoke__free(n->users);
    yoke__free(n->index);
    if (n->comm != MPI_COMM_NULL)
        (void)MPI_Comm_free(&n->comm);
}

static int read_own(yoke__mpi_node *n)
{
    size_t capacity = 0;
    int status = yoke_usable_cpus(NULL, 0, &n->own_count, &n->quota);
    if (status != YOKE_OK)
        return status;
    capacity = n->own_count;
    n->own = yoke__alloc_zeroed(capacity, sizeof *n->own);
    if (n->own == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for the CPUs of this rank");
    status = yoke_usable_cpus(n->own, capacity, &n->own_count, &n->quota);
    if (n->own_count > capacity)
        n->own_count = capacity;
    return status;
}

/* All lists; where memory is short an empty one, so that no rank waits for another. */
static int exchange(yoke__mpi_node *n, int status)
{
    n->count = yoke__alloc_zeroed((size_t)n->size, sizeof *n->count);
    n->first = yoke__alloc_zeroed((size_t)n->size + 1, sizeof *n->first);
    unsigned *mine = yoke__alloc_zeroed(n->own_count + 1, sizeof *mine);
    int fine = status == YOKE_OK && n->count != NULL && n->first != NULL && mine != NULL, all_fine = 0;
    if (MPI_Allreduce(&fine, &all_fine, 1, MPI_INT, MPI_MIN, n->comm) != MPI_SUCCESS || !all_fine || mine == NULL ||
        n->count == NULL || n->first == NULL) {
        yoke__free(mine);
        return status != YOKE_OK ? status
                                 : yoke__fail(YOKE_ENOMEM, "a rank of this node cannot tell which CPUs it may use");
    }
    int count = (int)n->own_count, code;
    for (size_t k = 0; k < n->own_count; k++)
        mine[k] = n->own[k].os_cpu;
    code = MPI_Allgather(&count, 1, MPI_INT, n->count, 1, MPI_INT, n->comm);
    for (int r = 0; r < n->size; r++)
        n->first[r + 1] = n->first[r] + n->count[r];
    n->cpu = yoke__alloc_zeroed((size_t)n->first[n->size] + 1, sizeof *n->cpu);
    fine = n->cpu != NULL;
    if (code == MPI_SUCCESS)
        code = MPI_Allreduce(&fine, &all_fine, 1, MPI_INT, MPI_MIN, n->comm);
    if (code == MPI_SUCCESS && all_fine)
        code = MPI_Allgatherv(mine, count, MPI_UNSIGNED, n->cpu, n->count, n->first, MPI_UNSIGNED, n->comm);
    yoke__free(mine);
    return code != MPI_SUCCESS ? failed("ranks of a node told their CPUs")
           : all_fine          ? YOKE_OK
                               : yoke__fail(YOKE_ENOMEM, "no memory for the CPUs of this node");
}

/* Ranks of one control group, as those of a job step are, share its quota. */
static int share_quota(const yoke__mpi_node *n, yoke__mpi_place *place)
{
    unsigned mine = place->workers, all = 0;
    if (MPI_Allreduce(&mine, &all, 1, MPI_UNSIGNED, MPI_SUM, n->comm) != MPI_SUCCESS)
        return failed("ranks of a node shared their quota");
    if (n->quota > 0 && n->quota < all) {
        const double share = n->quota * mine / all;
        place->workers = share > 1 ? (unsigned)share : 1;
    }
    return YOKE_OK;
}

static int open_node(MPI_Comm comm, yoke__mpi_node *n)
{
    if (MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &n->comm) != MPI_SUCCESS ||
        MPI_Comm_rank(n->comm, &n->rank) != MPI_SUCCESS || MPI_Comm_size(n->comm, &n->size) != MPI_SUCCESS)
        return failed("looking for the ranks of this node");
    return YOKE_OK;
}

int yoke__mpi_divide_node(MPI_Comm comm, yoke__mpi_place *place)
{
    yoke__mpi_node n = {.comm = MPI_COMM_NULL};
    *place = (yoke__mpi_place){0};
    int status = open_node(comm, &n);
    if (status == YOKE_OK)
        status = exchange(&n, read_own(&n));
    if (status == YOKE_OK) {
        place->cpus = yoke__alloc_zeroed(n.own_count, sizeof *place->cpus);
        n.users = yoke__alloc_zeroed(n.own_count, sizeof *n.users);
        place->workers = 1; /* without memory it goes on alone, on nobody's core */
        place->is_crowded = true;
        n.index = yoke__alloc_zeroed(YOKE__MPI_CPUS, sizeof *n.index);
        if (place->cpus != NULL && n.users != NULL && n.index != NULL)
            yoke__mpi_take_cores(&n, place);
        status = share_quota(&n, place);
    }
    forget(&n);
    return status;
}

/* --- devices --- */

/* What launchers set per rank. */
static uint64_t hash_visible(void)
{
    static const char *const names[] = {"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
                                        "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK"};
    uint64_t hash = 0;
    for (unsigned k = 0; k < sizeof names / sizeof *names; k++) {
        const char *value = yoke__env(names[k]);
        hash = yoke__mpi_hash(hash, value != NULL ? value : "", value != NULL ? strlen(value) + 1 : 1);
    }
    return hash;
}

/* Every size-th of the devices in use, beginning with this rank's; a CPU as a device is nobody's. */
static void list_devices(const yoke__mpi_node *n, yoke_runtime *runtime, int count, char *text, size_t bytes)
{
    int seen = 0, used = snprintf(text, bytes, "cpu");
    for (int k = 0; k < count; k++) {
        yoke_device d;
        if (yoke_device_of(runtime, (unsigned)k, &d) != YOKE_OK || !d.in_use || d.type == YOKE_DEVICE_CPU)
            continue;
        if (seen++ % n->size == n->rank && (size_t)used + 16 < bytes)
            used += snprintf(text + used, bytes - (size_t)used, ",opencl:%d", k);
    }
}

int yoke__mpi_deal_devices(MPI_Comm comm, yoke_runtime *runtime, yoke__mpi_place *place, bool *again)
{
    yoke__mpi_node n = {.comm = MPI_COMM_NULL};
    int count = yoke_devices(runtime);
    *again = false;
    int status = open_node(comm, &n);
    const uint64_t visible = hash_visible(), mine[3] = {visible, ~visible, count > 0};
    uint64_t most[3];
    if (status == YOKE_OK && MPI_Allreduce(mine, most, 3, MPI_UINT64_T, MPI_MAX, n.comm) != MPI_SUCCESS)
        status = failed("ranks of a node dealt out devices");
    if (status == YOKE_OK && n.size > 1 && yoke__env("YOKE_DEVICES") == NULL && most[0] == ~most[1] && most[2] != 0) {
        list_devices(&n, runtime, count > 0 ? count : 0, place->devices, sizeof place->devices);
        *again = true;
    }
    forget(&n);
    return status;
}
