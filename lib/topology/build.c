/* From the rows of a source to the checked flat table. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

typedef struct keyed {
    uint64_t key;
    size_t at;
} keyed;

static int by_key(const void *left, const void *right)
{
    const keyed *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* Gives equal keys one id, ids in the order of first appearance; returns how many there are. */
static unsigned number_keys(keyed *scratch, unsigned *first_to_id, const uint64_t *keys, size_t count, unsigned *ids)
{
    for (size_t k = 0; k < count; k++)
        scratch[k] = (keyed){keys[k], k};
    qsort(scratch, count, sizeof *scratch, by_key);
    for (size_t k = 0, first = 0; k < count; k++) {
        if (scratch[k].key != scratch[first].key)
            first = k;
        ids[scratch[k].at] = (unsigned)scratch[first].at;
    }
    unsigned distinct = 0;
    for (size_t k = 0; k < count; k++) {
        if (ids[k] == k)
            first_to_id[k] = distinct++;
        ids[k] = first_to_id[ids[k]];
    }
    return distinct;
}

typedef struct numbering {
    keyed *scratch;
    unsigned *first_to_id, *ids, *outer;
    uint64_t *keys;
} numbering;

static void numbering_free(numbering *n)
{
    yoke__free(n->scratch);
    yoke__free(n->first_to_id);
    yoke__free(n->ids);
    yoke__free(n->outer);
    yoke__free(n->keys);
}

static bool numbering_make(numbering *n, size_t count)
{
    *n = (numbering){
        .scratch = yoke__alloc_zeroed(count, sizeof *n->scratch),
        .first_to_id = yoke__alloc_zeroed(count, sizeof *n->first_to_id),
        .ids = yoke__alloc_zeroed(count, sizeof *n->ids),
        .outer = yoke__alloc_zeroed(count, sizeof *n->outer),
        .keys = yoke__alloc_zeroed(count, sizeof *n->keys),
    };
    return n->scratch && n->first_to_id && n->ids && n->outer && n->keys;
}

static unsigned number_again(numbering *n, size_t count)
{
    return number_keys(n->scratch, n->first_to_id, n->keys, count, n->ids);
}

/* Key of what lies inside something else: the same only when both are. */
static uint64_t inside(unsigned outer, unsigned inner)
{
    return (uint64_t)outer << 32 | inner;
}

/* Numbers packages, nodes, caches and cores of `count` rows into `pus`. A cache is numbered within its part of a node
 * and package, so that groups nest even where the hardware's do not, or where it reports no cache. */
static yoke__topology_counts number_all(numbering *n, const row *at, size_t count, yoke__pu *pus)
{
    yoke__topology_counts counts = {.pus = (unsigned)count};
    for (size_t k = 0; k < count; k++)
        n->keys[k] = at[k].package;
    counts.packages = number_again(n, count);
    for (size_t k = 0; k < count; k++) {
        pus[k].package = n->ids[k];
        n->keys[k] = at[k].node;
    }
    counts.nodes = number_again(n, count);
    for (size_t k = 0; k < count; k++) {
        pus[k].node = n->ids[k];
        n->keys[k] = inside(pus[k].package, pus[k].node);
    }
    number_again(n, count);
    for (size_t k = 0; k < count; k++) {
        n->outer[k] = n->ids[k];
        n->keys[k] = at[k].cache;
    }
    number_again(n, count);
    for (size_t k = 0; k < count; k++)
        n->keys[k] = inside(n->outer[k], n->ids[k]);
    counts.caches = number_again(n, count);
    for (size_t k = 0; k < count; k++) {
        pus[k].cache = n->ids[k];
        n->keys[k] = at[k].core;
    }
    counts.cores = number_again(n, count);
    for (size_t k = 0; k < count; k++)
        pus[k].core = n->ids[k];
    return counts;
}

/* Kinds keep their order; gaps close. */
static void number_kinds(const row *at, size_t count, yoke__pu *pus)
{
    bool seen[YOKE_MAX_KINDS] = {false};
    unsigned rank[YOKE_MAX_KINDS], next = 0;
    for (size_t k = 0; k < count; k++)
        seen[at[k].kind] = true;
    for (unsigned kind = 0; kind < YOKE_MAX_KINDS; kind++)
        rank[kind] = seen[kind] ? next++ : 0;
    for (size_t k = 0; k < count; k++)
        pus[k].kind = rank[at[k].kind];
}

/* Ranks hyperthreads; false when two PUs of one core disagree about where it is. `first` and `seen` are indexed by
 * core. */
static bool rank_threads(yoke__pu *pus, size_t count, unsigned *seen, unsigned *first)
{
    memset(seen, 0, count * sizeof *seen);
    for (size_t k = 0; k < count; k++) {
        yoke__pu *pu = &pus[k];
        pu->smt = seen[pu->core]++;
        if (pu->smt == 0)
            first[pu->core] = (unsigned)k;
        const yoke__pu *other = &pus[first[pu->core]];
        if (other->package != pu->package || other->node != pu->node || other->cache != pu->cache)
            return false;
    }
    return true;
}

static int check_rows(const rows *found)
{
    if (found->count == 0 || found->count > YOKE_MAX_PUS)
        return yoke__fail(YOKE_ETOPOLOGY, "a topology of %zu processing units; 1 to %d can be used", found->count,
                          YOKE_MAX_PUS);
    cpu_mask *seen = yoke__alloc_zeroed(1, sizeof *seen);
    if (!seen)
        return yoke__fail(YOKE_ENOMEM, "no memory to check the topology");
    int status = YOKE_OK;
    for (size_t k = 0; k < found->count && status == YOKE_OK; k++) {
        const row *pu = &found->at[k];
        if (pu->os_index >= YOKE_MAX_PUS || pu->kind >= YOKE_MAX_KINDS || mask_has(seen, pu->os_index))
            status = yoke__fail(YOKE_ETOPOLOGY, "the topology's CPU %u is out of range or there twice", pu->os_index);
        else
            mask_add(seen, pu->os_index);
    }
    yoke__free(seen);
    return status;
}

/* Moves the usable rows to the front of `kept`; returns how many. */
static size_t keep_usable(const rows *found, const cpu_mask *mask, row *kept)
{
    size_t count = 0;
    for (size_t k = 0; k < found->count; k++)
        if (found->at[k].allowed && (!mask || mask_has(mask, found->at[k].os_index)))
            kept[count++] = found->at[k];
    return count;
}

static yoke__topology_counts number_rows(numbering *n, const row *at, size_t count, yoke__pu *pus)
{
    const yoke__topology_counts counts = number_all(n, at, count, pus);
    number_kinds(at, count, pus);
    for (size_t k = 0; k < count; k++) {
        pus[k].os_index = at[k].os_index;
        pus[k].node_os_index = at[k].node_os_index;
    }
    return counts;
}

static int fill(yoke__topology *topology, const rows *found, const cpu_mask *mask, row *kept, numbering *n)
{
    topology->machine = number_rows(n, found->at, found->count, topology->all);
    topology->all_count = found->count;
    if (found->machine_nodes > topology->machine.nodes)
        topology->machine.nodes = found->machine_nodes;
    size_t count = keep_usable(found, mask && mask->known ? mask : NULL, kept);
    if (count == 0)
        count = keep_usable(found, NULL, kept);
    if (count == 0)
        return yoke__fail(YOKE_ETOPOLOGY, "the topology allows no CPU at all; look at the cpuset of this process");
    topology->count = count;
    topology->usable = number_rows(n, kept, count, topology->pus);
    if (!rank_threads(topology->pus, count, n->ids, n->outer))
        return yoke__fail(YOKE_ETOPOLOGY, "the topology has a core in two places at once");
    return YOKE_OK;
}

int yoke__topology_build(yoke__topology **out, const rows *found, const cpu_mask *mask)
{
    *out = NULL;
    int status = check_rows(found);
    if (status != YOKE_OK)
        return status;
    numbering n = {0};
    row *kept = yoke__alloc_zeroed(found->count, sizeof *kept);
    yoke__topology *topology = yoke__alloc_zeroed(1, sizeof *topology);
    if (topology) {
        topology->pus = yoke__alloc_zeroed(found->count, sizeof *topology->pus);
        topology->all = yoke__alloc_zeroed(found->count, sizeof *topology->all);
    }
    if (!numbering_make(&n, found->count) || !kept || !topology || !topology->pus || !topology->all)
        status = yoke__fail(YOKE_ENOMEM, "no memory for the table of %zu CPUs", found->count);
    else
        status = fill(topology, found, mask, kept, &n);
    numbering_free(&n);
    yoke__free(kept);
    if (status == YOKE_OK)
        *out = topology;
    else
        yoke__topology_free(topology);
    return status;
}

static bool is_among(const unsigned *list, size_t count, unsigned wanted)
{
    for (size_t k = 0; k < count; k++)
        if (list[k] == wanted)
            return true;
    return false;
}

int yoke__topology_restrict(yoke__topology *topology, const unsigned *os_indexes, size_t count)
{
    rows left = {.at = yoke__alloc_zeroed(topology->count, sizeof *left.at)};
    if (!left.at)
        return yoke__fail(YOKE_ENOMEM, "no memory for a table of %zu CPUs", topology->count);
    for (size_t k = 0; k < topology->count; k++) {
        const yoke__pu *pu = &topology->pus[k];
        if (is_among(os_indexes, count, pu->os_index))
            left.at[left.count++] = (row){.os_index = pu->os_index,
                                          .node_os_index = pu->node_os_index,
                                          .kind = pu->kind,
                                          .allowed = true,
                                          .package = pu->package,
                                          .node = pu->node,
                                          .cache = pu->cache,
                                          .core = pu->core};
    }
    yoke__topology *part = NULL;
    int status = left.count > 0
                     ? yoke__topology_build(&part, &left, NULL)
                     : yoke__fail(YOKE_EINVAL, "none of the %zu CPUs given may be used; see yoke_usable_cpus", count);
    yoke__free(left.at);
    if (status != YOKE_OK)
        return status;
    yoke__pu *pus = topology->pus;
    topology->pus = part->pus;
    topology->count = part->count;
    topology->usable = part->usable;
    part->pus = pus;
    yoke__topology_free(part);
    return YOKE_OK;
}

void yoke__topology_free(yoke__topology *topology)
{
    if (!topology)
        return;
    yoke__hwloc_free(topology->hwloc);
    yoke__free(topology->pus);
    yoke__free(topology->all);
    yoke__free(topology);
}
