/* The one file that talks to hwloc: from a hwloc topology to rows, and binding. Written for hwloc 2.x and 3.x. */
#include <hwloc.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

#define FLAGS_2_5 0x00020500
#define FLAGS_2_8 0x00020800

/* Components that would run drivers, and the x86 one, which runs cpuid on every CPU in turn, binding itself there.
 * (Their plugins are in the process by then: hwloc_topology_init() loads all that are installed.) */
static void leave_out(hwloc_topology_t topology)
{
    static const char *const names[] = {
#if defined(__linux__)
        "x86",
#endif
        "opencl",
        "gl",
        "cuda",
        "nvml",
        "rsmi",
        "levelzero",
        "pci"
    };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) /* fails for one that is not installed: fine */
        hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, names[k]);
}

/* Only what rows are made of is discovered, nothing that costs milliseconds: no devices, distances or memory
 * attributes. Groups stay, for hwloc hangs NUMA nodes on them. */
static int configure(hwloc_topology_t topology)
{
    unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;
#if HWLOC_API_VERSION >= FLAGS_2_5
    flags |= HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
#endif
#if HWLOC_API_VERSION >= FLAGS_2_8
    flags |= HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;
#endif
    if (hwloc_topology_set_flags(topology, flags) != 0 ||
        hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE) != 0)
        return -1;
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_set_cache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    leave_out(topology);
    return 0;
}

/* What says how strong a kind of core is: its type ("IntelCore", "IntelAtom") and a number to compare. */
typedef struct strength {
    const char *type;
    double speed;
} strength;

static strength kind_strength(hwloc_topology_t topology, unsigned kind)
{
    strength found = {"", 0};
#if HWLOC_API_VERSION >= 0x00030000
    struct hwloc_infos_s *infos = NULL;
    if (hwloc_cpukinds_get_info(topology, kind, NULL, NULL, &infos, 0) != 0 || !infos)
        return found;
    const struct hwloc_info_s *at = infos->array;
    unsigned count = infos->count;
#else
    struct hwloc_info_s *at = NULL;
    unsigned count = 0;
    if (hwloc_cpukinds_get_info(topology, kind, NULL, NULL, &count, &at, 0) != 0)
        return found;
#endif
    for (unsigned k = 0; k < count; k++) {
        if (strcmp(at[k].name, "CoreType") == 0)
            found.type = at[k].value;
        else if (strcmp(at[k].name, "LinuxCapacity") == 0)
            found.speed = strtod(at[k].value, NULL);
        else if (strcmp(at[k].name, "FrequencyMaxMHz") == 0 && found.speed <= 0)
            found.speed = strtod(at[k].value, NULL);
    }
    return found;
}

/* hwloc ranks kinds from weak to strong. Cores of one type whose speeds lie within a fifth count as one kind: chips
 * that boost each core a little differently are not hybrid, and treating them so would scatter neighbours. */
static void rank_kinds(hwloc_topology_t topology, unsigned *rank, unsigned kinds)
{
    unsigned next = 0;
    strength before = {"", 0};
    for (unsigned k = kinds; k-- > 0;) {
        strength this = kind_strength(topology, k);
        bool alike = strcmp(this.type, before.type) == 0 && this.speed >= 0.8 * before.speed;
        if (k + 1 < kinds && !alike && next + 1 < YOKE_MAX_KINDS)
            next++;
        if (k + 1 == kinds || !alike)
            before = this;
        rank[k] = next;
    }
}

static void set_kinds(hwloc_topology_t topology, rows *found)
{
    unsigned rank[YOKE_MAX_KINDS] = {0};
    int kinds = hwloc_cpukinds_get_nr(topology, 0), efficiency = -1;
    if (kinds < 2 || kinds > YOKE_MAX_KINDS)
        return;
#if HWLOC_API_VERSION >= 0x00030000
    hwloc_cpukinds_get_info(topology, 0, NULL, &efficiency, NULL, 0);
#else
    hwloc_cpukinds_get_info(topology, 0, NULL, &efficiency, NULL, NULL, 0);
#endif
    if (efficiency < 0)
        return; /* hwloc cannot tell which is stronger */
    rank_kinds(topology, rank, (unsigned)kinds);
    hwloc_bitmap_t one = hwloc_bitmap_alloc();
    for (size_t k = 0; one && k < found->count; k++) {
        hwloc_bitmap_only(one, found->at[k].os_index);
        int kind = hwloc_cpukinds_get_by_cpuset(topology, one, 0);
        found->at[k].kind = kind >= 0 && kind < kinds ? rank[kind] : 0;
    }
    hwloc_bitmap_free(one);
}

/* Rows by the kernel's number of their CPU; -1: none. */
typedef struct row_index {
    int at[YOKE_MAX_PUS];
} row_index;

static void put_on_node(rows *found, const row_index *index, hwloc_obj_t node, unsigned key)
{
    for (int cpu = hwloc_bitmap_first(node->cpuset); cpu >= 0 && cpu < YOKE_MAX_PUS;
         cpu = hwloc_bitmap_next(node->cpuset, cpu))
        if (index->at[cpu] >= 0) {
            found->at[index->at[cpu]].node = key;
            found->at[index->at[cpu]].node_os_index = node->os_index;
        }
}

/* Which node a PU belongs to is asked of the nodes, not of the PU: its own set names every node near it, and may be
 * empty. Among several (DRAM and HBM) the first with memory. */
static int set_nodes(hwloc_topology_t topology, rows *found)
{
    row_index *index = yoke__alloc(sizeof *index);
    if (!index)
        return yoke__fail(YOKE_ENOMEM, "no memory for the topology's nodes");
    memset(index, -1, sizeof *index);
    for (size_t k = 0; k < found->count; k++) {
        if (found->at[k].os_index < YOKE_MAX_PUS)
            index->at[found->at[k].os_index] = (int)k;
        found->at[k].node = UINT64_MAX - found->at[k].package; /* without any node: together by package */
    }
    int nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
    found->machine_nodes = nodes > 0 ? (unsigned)nodes : 0;
    for (int pass = 0; pass < 2; pass++) /* nodes with memory overwrite those without; lower ones overwrite higher */
        for (int n = nodes; n-- > 0;) {
            hwloc_obj_t node = hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, (unsigned)n);
            if (node && node->cpuset && (node->attr->numanode.local_memory > 0) == (pass == 1))
                put_on_node(found, index, node, (unsigned)n);
        }
    yoke__free(index);
    return YOKE_OK;
}

static row row_of(hwloc_obj_t pu, hwloc_const_cpuset_t allowed)
{
    row found = {.os_index = pu->os_index, .allowed = hwloc_bitmap_isset(allowed, pu->os_index)};
    found.core = pu->gp_index;
    found.cache = UINT64_MAX; /* without caches: one group, which is split by node later */
    for (hwloc_obj_t above = pu->parent; above; above = above->parent) {
        if (above->type == HWLOC_OBJ_CORE)
            found.core = above->gp_index;
        else if (above->type == HWLOC_OBJ_PACKAGE)
            found.package = above->gp_index;
        else if (hwloc_obj_type_is_dcache(above->type))
            found.cache = above->gp_index;
    }
    return found;
}

static int extract(hwloc_topology_t topology, rows *found)
{
    int count = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    hwloc_const_cpuset_t allowed = hwloc_topology_get_allowed_cpuset(topology);
    if (count < 1 || count > YOKE_MAX_PUS || !allowed)
        return yoke__fail(YOKE_ETOPOLOGY, "hwloc reports %d CPUs; 1 to %d can be used", count, YOKE_MAX_PUS);
    found->at = yoke__alloc_zeroed((size_t)count, sizeof *found->at);
    if (!found->at)
        return yoke__fail(YOKE_ENOMEM, "no memory for %d CPUs", count);
    for (int k = 0; k < count; k++) {
        hwloc_obj_t pu = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PU, (unsigned)k);
        if (pu)
            found->at[found->count++] = row_of(pu, allowed);
    }
    set_kinds(topology, found);
    return set_nodes(topology, found);
}

int yoke__hwloc_native(rows *found, void **hwloc)
{
    hwloc_topology_t topology = NULL;
    if (hwloc_topology_init(&topology) != 0)
        return yoke__fail(YOKE_ETOPOLOGY, "hwloc does not start");
    int status = YOKE_OK;
    if (configure(topology) != 0 || hwloc_topology_load(topology) != 0 || !hwloc_topology_is_thissystem(topology))
        status = yoke__fail(YOKE_ETOPOLOGY, "hwloc cannot read this machine; see what lstopo says");
    else
        status = extract(topology, found);
    if (status == YOKE_OK)
        *hwloc = topology;
    else
        hwloc_topology_destroy(topology);
    return status;
}

int yoke__hwloc_foreign(rows *found, const char *description)
{
    hwloc_topology_t topology = NULL;
    if (hwloc_topology_init(&topology) != 0)
        return yoke__fail(YOKE_ETOPOLOGY, "hwloc does not start");
    int status = YOKE_OK;
    int set = yoke__description_is_file(description) ? hwloc_topology_set_xml(topology, description)
                                                     : hwloc_topology_set_synthetic(topology, description);
    if (set != 0 || configure(topology) != 0 || hwloc_topology_load(topology) != 0)
        status = yoke__fail(YOKE_ETOPOLOGY, "hwloc does not understand it");
    else
        status = extract(topology, found);
    hwloc_topology_destroy(topology);
    return status;
}

void yoke__hwloc_free(void *hwloc)
{
    if (hwloc)
        hwloc_topology_destroy(hwloc);
}

int yoke__hwloc_bind(void *hwloc, const cpu_mask *mask)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return -1;
    for (unsigned k = 0; k < MASK_WORDS; k++)
        if (mask->words[k])
            hwloc_bitmap_set_ith_ulong(set, k, mask->words[k]);
    int result = hwloc_set_cpubind(hwloc, set, HWLOC_CPUBIND_THREAD);
    hwloc_bitmap_free(set);
    return result;
}
