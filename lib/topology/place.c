/* Where workers go: pure functions from the flat table to lists. */
#include <stdlib.h>

#include "lib/base/base.h"
#include "lib/topology/topology.h"

/* A PU with what it is sorted by: key[0] first. */
typedef struct candidate {
    unsigned key[6];
    unsigned pu;
} candidate;

static int by_keys(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    for (int k = 0; k < 6; k++)
        if (a->key[k] != b->key[k])
            return a->key[k] < b->key[k] ? -1 : 1;
    return (a->pu > b->pu) - (a->pu < b->pu);
}

/* Candidates in compact order: first hyperthreads of strong cores, of weak cores, second hyperthreads, ... each from
 * neighbour to neighbour. */
static void sort_compact(const yoke__pu *pus, size_t count, candidate *list)
{
    for (size_t k = 0; k < count; k++) {
        const yoke__pu *pu = &pus[k];
        list[k] = (candidate){{pu->smt, pu->kind, pu->package, pu->node, pu->cache, pu->core}, (unsigned)k};
    }
    qsort(list, count, sizeof *list, by_keys);
}

/* Scatter takes the r-th core of a cache only when every cache has given r, and so on upwards. The list is in compact
 * order, so ranks are counted along it; they restart with each class of hyperthread and kind. */
static void sort_scatter(const yoke__pu *pus, size_t count, candidate *list)
{
    unsigned core_rank = 0, cache_rank = 0, node_rank = 0;
    for (size_t k = 0; k < count; k++) {
        const yoke__pu *pu = &pus[list[k].pu], *before = k > 0 ? &pus[list[k - 1].pu] : NULL;
        if (!before || pu->smt != before->smt || pu->kind != before->kind || pu->package != before->package)
            core_rank = cache_rank = node_rank = 0;
        else if (pu->node != before->node)
            core_rank = cache_rank = 0, node_rank++;
        else if (pu->cache != before->cache)
            core_rank = 0, cache_rank++;
        else
            core_rank++;
        candidate *item = &list[k];
        const unsigned keys[6] = {pu->smt, pu->kind, core_rank, cache_rank, node_rank, pu->package};
        for (int level = 0; level < 6; level++)
            item->key[level] = keys[level];
    }
    qsort(list, count, sizeof *list, by_keys);
}

/* Round robin over nodes: the r-th core of a node only when every node has given r. A node may reach over packages,
 * so the list is sorted by node first. */
static void sort_numa(const yoke__pu *pus, size_t count, candidate *list)
{
    for (size_t k = 0; k < count; k++) {
        const yoke__pu *pu = &pus[k];
        list[k] = (candidate){{pu->smt, pu->kind, pu->node, pu->cache, pu->core, 0}, (unsigned)k};
    }
    qsort(list, count, sizeof *list, by_keys);
    unsigned rank = 0;
    for (size_t k = 0; k < count; k++) {
        const yoke__pu *pu = &pus[list[k].pu], *before = k > 0 ? &pus[list[k - 1].pu] : NULL;
        bool same = before && pu->smt == before->smt && pu->kind == before->kind && pu->node == before->node;
        rank = same ? rank + 1 : 0;
        list[k].key[5] = rank;
    }
    for (size_t k = 0; k < count; k++) {
        const yoke__pu *pu = &pus[list[k].pu];
        list[k] = (candidate){{pu->smt, pu->kind, list[k].key[5], pu->node, 0, 0}, list[k].pu};
    }
    qsort(list, count, sizeof *list, by_keys);
}

int yoke__topology_place(const yoke__pu *pus, size_t count, yoke_pin policy, unsigned workers, yoke__place *places)
{
    if (!pus || !places || count == 0 || count > YOKE_MAX_PUS || workers == 0 || workers > YOKE_MAX_WORKERS)
        return yoke__fail(YOKE_EINVAL, "cannot place %u workers on %zu CPUs; 1 to %d of each", workers, count,
                          YOKE_MAX_WORKERS);
    if ((int)policy < YOKE_PIN_DEFAULT || policy > YOKE_PIN_NONE)
        return yoke__fail(YOKE_EINVAL, "unknown placement policy %d; use one of enum yoke_pin", (int)policy);
    size_t bytes;
    candidate *list = yoke__mul_overflows(count, sizeof *list, &bytes) ? NULL : yoke__alloc(bytes);
    if (!list)
        return yoke__fail(YOKE_ENOMEM, "no memory to place workers on %zu CPUs", count);
    if (policy == YOKE_PIN_NUMA)
        sort_numa(pus, count, list);
    else
        sort_compact(pus, count, list);
    if (policy == YOKE_PIN_SCATTER)
        sort_scatter(pus, count, list);
    for (unsigned k = 0; k < workers; k++)
        places[k] = (yoke__place){list[k % count].pu, policy == YOKE_PIN_NUMA, policy != YOKE_PIN_NONE};
    yoke__free(list);
    return YOKE_OK;
}

unsigned yoke__topology_distance(const yoke__pu *a, const yoke__pu *b)
{
    if (a->core == b->core)
        return 0;
    if (a->cache == b->cache)
        return 1;
    if (a->node == b->node && a->package == b->package)
        return 2;
    return a->node == b->node || a->package == b->package ? 3 : 4;
}

#define DISTANCES 5

static unsigned place_distance(const yoke__pu *pus, const yoke__place *a, const yoke__place *b)
{
    if (!a->pinned || !b->pinned)
        return DISTANCES - 1;
    unsigned distance = yoke__topology_distance(&pus[a->pu], &pus[b->pu]);
    /* Two that roam over a node are all alike to each other, whatever their representatives. */
    return (a->whole_node || b->whole_node) && distance < 2 ? 2 : distance;
}

void yoke__topology_steal_order(const yoke__pu *pus, const yoke__place *places, unsigned workers, unsigned self,
                                unsigned *order)
{
    unsigned next[DISTANCES + 1] = {0};
    for (unsigned k = 0; k < workers; k++)
        if (k != self)
            next[place_distance(pus, &places[self], &places[k]) + 1]++;
    for (unsigned d = 1; d < DISTANCES; d++)
        next[d] += next[d - 1];
    for (unsigned step = 1; step < workers; step++) {
        unsigned k = (unsigned)(((unsigned long)self + step) % workers);
        order[next[place_distance(pus, &places[self], &places[k])]++] = k;
    }
}
