/* This machine: the affinity mask at loading, the choice of source, accessors, binding. */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

static cpu_mask affinity;

/* The mask as the kernel has it, in a buffer larger than any kernel's; glibc's cpu_set_t ends at CPU 1,023. */
static void read_mask(pid_t thread, cpu_mask *mask)
{
    memset(mask, 0, sizeof *mask);
    mask->known = syscall(SYS_sched_getaffinity, thread, sizeof mask->words, mask->words) > 0;
}

/* At loading, not at opening: by then a caller may have bound itself to one core, which must not shrink the team.
 * getpid() names the main thread, even when another one loads the library. */
__attribute__((constructor(YOKE__FIRST))) static void remember_affinity(void)
{
    read_mask(getpid(), &affinity);
}

void yoke__topology_read_affinity(void)
{
    read_mask(0, &affinity);
}

const cpu_mask *yoke__affinity_at_load(void)
{
    return &affinity;
}

/* hwloc obeys its environment variables by plain getenv, also under set-user-ID: HWLOC_XMLFILE and HWLOC_SYNTHETIC
 * replace the machine (and crash hwloc 2.9 when malformed), HWLOC_COMPONENTS and HWLOC_FSROOT change where it looks,
 * HWLOC_THISSYSTEM whether it binds, and HWLOC_PLUGINS_PATH loads code as early as hwloc_topology_init(). Its
 * interface can forbid components (hwloc_topology_set_components), but the variables are obeyed before that list is
 * looked at, and changing the environment of a running program is not ours to do. So with any of them set, hwloc is
 * not entered at all, and a smaller reader of our own takes the topology from sysfs. */
static bool environment_steers_hwloc(void)
{
    static const char *const harmless[] = {"HWLOC_HIDE_ERRORS=", "HWLOC_PLUGINS_BLACKLIST="};
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, "HWLOC_", 6) != 0)
            continue;
        bool fine = false;
        for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++)
            fine = fine || strncmp(*entry, harmless[k], strlen(harmless[k])) == 0;
        if (!fine)
            return true;
    }
    return false;
}

int yoke__topology_load_sysfs(yoke__topology **out, const char *root)
{
    rows found = {0};
    *out = NULL;
    int status = yoke__sysfs_rows(&found, root);
    if (status == YOKE_OK)
        status = yoke__topology_build(out, &found, *root ? NULL : &affinity);
    if (status == YOKE_OK)
        (*out)->native = !*root;
    yoke__free(found.at);
    return status;
}

int yoke__topology_load(yoke__topology **out)
{
    *out = NULL;
    rows found = {0};
    void *hwloc = NULL;
    int status = YOKE_ETOPOLOGY;
    if (!environment_steers_hwloc())
        status = yoke__hwloc_native(&found, &hwloc);
    if (status == YOKE_OK)
        status = yoke__topology_build(out, &found, &affinity);
    if (status == YOKE_OK) {
        (*out)->hwloc = hwloc;
        (*out)->native = true;
    } else {
        yoke__hwloc_free(hwloc);
        if (status == YOKE_ETOPOLOGY)
            status = yoke__topology_load_sysfs(out, "");
    }
    yoke__free(found.at);
    if (status == YOKE_OK)
        (*out)->quota = yoke__topology_read_quota("");
    return status;
}

const yoke__pu *yoke__topology_pus(const yoke__topology *topology, size_t *count)
{
    *count = topology->count;
    return topology->pus;
}

const yoke__pu *yoke__topology_all_pus(const yoke__topology *topology, size_t *count)
{
    *count = topology->all_count;
    return topology->all;
}

yoke__topology_counts yoke__topology_machine(const yoke__topology *topology)
{
    return topology->machine;
}

yoke__topology_counts yoke__topology_usable(const yoke__topology *topology)
{
    return topology->usable;
}

double yoke__topology_quota(const yoke__topology *topology)
{
    return topology->quota;
}

bool yoke__topology_is_native(const yoke__topology *topology)
{
    return topology->native;
}

unsigned yoke__topology_default_workers(const yoke__topology *topology)
{
    double limit = ceil(topology->quota);
    unsigned cores = topology->usable.cores;
    if (limit < 1 || limit >= cores)
        return cores;
    return (unsigned)limit;
}

static int bind_to(const yoke__topology *topology, const cpu_mask *mask)
{
    if (topology->hwloc ? yoke__hwloc_bind(topology->hwloc, mask) == 0
                        : syscall(SYS_sched_setaffinity, 0, sizeof mask->words, mask->words) == 0)
        return YOKE_OK;
    return yoke__fail(YOKE_ESTATE, "could not bind a thread to its CPU: %s; it runs unbound", strerror(errno));
}

int yoke__topology_bind_thread(const yoke__topology *topology, const yoke__place *place)
{
    if (!topology->native)
        return yoke__fail(YOKE_ESTATE, "this topology is not the machine's: no thread can be bound by it");
    if (place->pu >= topology->count)
        return yoke__fail(YOKE_EINVAL, "no CPU %u in a topology of %zu", place->pu, topology->count);
    if (!place->pinned)
        return YOKE_OK;
    cpu_mask mask = {.known = true};
    const yoke__pu *pu = &topology->pus[place->pu];
    if (!place->whole_node)
        mask_add(&mask, pu->os_index);
    for (size_t k = 0; place->whole_node && k < topology->count; k++)
        if (topology->pus[k].node == pu->node)
            mask_add(&mask, topology->pus[k].os_index);
    return bind_to(topology, &mask);
}

int yoke__topology_bind_to_node(const yoke__topology *topology, unsigned node_os_index)
{
    if (!topology->native)
        return yoke__fail(YOKE_ESTATE, "this topology is not the machine's: no thread can be bound by it");
    cpu_mask mask = {.known = true};
    bool found = false;
    for (size_t k = 0; k < topology->count; k++)
        if (topology->pus[k].node_os_index == node_os_index) {
            mask_add(&mask, topology->pus[k].os_index);
            found = true;
        }
    if (!found)
        return yoke__fail(YOKE_EINVAL, "NUMA node %u has no usable CPU; the thread runs where it ran", node_os_index);
    return bind_to(topology, &mask);
}

int yoke__topology_unbind_thread(const yoke__topology *topology)
{
    if (!topology->native)
        return yoke__fail(YOKE_ESTATE, "this topology is not the machine's: no thread can be bound by it");
    cpu_mask mask = {.known = true};
    for (size_t k = 0; k < topology->count; k++)
        mask_add(&mask, topology->pus[k].os_index);
    return bind_to(topology, &mask);
}
