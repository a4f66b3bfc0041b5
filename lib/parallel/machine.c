/* A machine as programs see it, without a runtime: its hardware threads, and which worker would go where. */
#include "lib/parallel/parallel.h"

typedef struct machine {
    yoke_machine seen; /* first: what the program has */
    yoke_cpu *cpus;
} machine;

static yoke_topology_counts public_counts(yoke__topology_counts counts)
{
    return (yoke_topology_counts){counts.packages, counts.nodes, counts.caches, counts.cores, counts.pus};
}

yoke_topology yoke__public_topology(const yoke__topology *topology)
{
    return (yoke_topology){public_counts(yoke__topology_machine(topology)),
                           public_counts(yoke__topology_usable(topology)), yoke__topology_quota(topology)};
}

static void list_cpus(machine *m, const yoke__topology *topology)
{
    const yoke__pu *pus = yoke__topology_all_pus(topology, &m->seen.cpu_count);
    for (size_t k = 0; k < m->seen.cpu_count; k++)
        m->cpus[k] = (yoke_cpu){.os_cpu = pus[k].os_index,
                                .os_node = pus[k].node_os_index,
                                .package = pus[k].package,
                                .node = pus[k].node,
                                .cache = pus[k].cache,
                                .core = pus[k].core,
                                .kind = pus[k].kind,
                                .worker = -1};
    m->seen.cpus = m->cpus;
}

/* `index`: of all PUs by the system's number. */
static void mark_workers(machine *m, const yoke__pu *pus, const yoke__place *places, const unsigned *index)
{
    for (unsigned k = 0; k < m->seen.workers; k++) {
        yoke_cpu *cpu = &m->cpus[index[pus[places[k].pu].os_index]];
        if (places[k].pinned && !places[k].whole_node && cpu->worker < 0)
            cpu->worker = (int)k;
    }
}

static int place_workers(machine *m, const yoke__topology *topology)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    unsigned *index = yoke__alloc_zeroed(YOKE_MAX_PUS, sizeof *index);
    yoke__place *places = yoke__alloc_zeroed(m->seen.workers, sizeof *places);
    int status = index != NULL && places != NULL
                     ? yoke__topology_place(pus, count, m->seen.pin, m->seen.workers, places)
                     : yoke__fail(YOKE_ENOMEM, "no memory for a machine of %zu CPUs", count);
    for (size_t k = 0; k < m->seen.cpu_count && status == YOKE_OK; k++)
        index[m->cpus[k].os_cpu] = (unsigned)k;
    for (size_t k = 0; k < count && status == YOKE_OK; k++)
        m->cpus[index[pus[k].os_index]].usable = 1;
    if (status == YOKE_OK)
        mark_workers(m, pus, places, index);
    yoke__free(index);
    yoke__free(places);
    return status;
}

static int describe(machine *m, const yoke__topology *topology)
{
    size_t count;
    (void)yoke__topology_all_pus(topology, &count);
    m->cpus = yoke__alloc_zeroed(count, sizeof *m->cpus);
    if (m->cpus == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a machine of %zu CPUs", count);
    m->seen.topology = yoke__public_topology(topology);
    m->seen.workers = yoke__topology_default_workers(topology);
    int status = yoke__env_workers(&m->seen.workers);
    if (status == YOKE_OK)
        status = yoke__choose_pin(YOKE_PIN_DEFAULT, &m->seen.pin);
    if (status != YOKE_OK)
        return status;
    list_cpus(m, topology);
    return place_workers(m, topology);
}

yoke_machine *yoke_machine_read(const char *description)
{
    yoke__topology *topology = NULL;
    machine *m = yoke__alloc_zeroed(1, sizeof *m);
    int status = m != NULL ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for a machine");
    if (status == YOKE_OK)
        status = description != NULL ? yoke__topology_from(&topology, description) : yoke__topology_load(&topology);
    if (status == YOKE_OK)
        status = describe(m, topology);
    yoke__topology_free(topology);
    if (status == YOKE_OK)
        return &m->seen;
    yoke_machine_free(m != NULL ? &m->seen : NULL);
    return NULL;
}

void yoke_machine_free(yoke_machine *seen)
{
    machine *m = (machine *)seen;
    if (m == NULL)
        return;
    yoke__free(m->cpus);
    yoke__free(m);
}
