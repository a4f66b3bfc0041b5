/* Memory by the places of a runtime's workers: yoke_alloc, and where its pages are. */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/memory/memory.h"
#include "lib/parallel/parallel.h"

enum { BATCH = 4096 };

/* --- nodes of a runtime, counted over what is usable --- */

/* The kernel's number of node k, if there is one. */
static bool find_node(const yoke_runtime *runtime, unsigned k, unsigned *os_node)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(runtime->topology, &count);
    for (size_t p = 0; p < count; p++)
        if (pus[p].node == k) {
            *os_node = pus[p].node_os_index;
            return true;
        }
    return false;
}

/* The kernel's number of the node where this thread is. One on a CPU that is not usable counts as on node 0. */
static unsigned node_of_caller(const yoke_runtime *runtime)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(runtime->topology, &count);
    const int cpu = sched_getcpu();
    for (size_t p = 0; p < count; p++)
        if (cpu >= 0 && pus[p].os_index == (unsigned)cpu)
            return pus[p].node_os_index;
    return pus[0].node_os_index;
}

/* --- yoke_alloc --- */

static void *alloc_on_node(size_t bytes, yoke__placing how, unsigned os_node)
{
    const yoke__part whole = {0, bytes, os_node};
    how.parts = &whole;
    how.part_count = 1;
    return yoke__memory_alloc(bytes, &how);
}

static void *alloc_interleaved(const yoke_runtime *runtime, size_t bytes, yoke__placing how)
{
    const unsigned count = yoke__topology_usable(runtime->topology).nodes;
    unsigned *nodes = yoke__alloc_zeroed(count, sizeof *nodes);
    if (nodes == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for a list of %u nodes", count);
        return NULL;
    }
    for (unsigned k = 0; k < count; k++)
        (void)find_node(runtime, k, &nodes[k]);
    how.nodes = nodes;
    how.node_count = count;
    void *memory = yoke__memory_alloc(bytes, &how);
    yoke__free(nodes);
    return memory;
}

static void *alloc_for_places(const yoke_runtime *runtime, size_t bytes, yoke__placing how, const yoke__place *places,
                              unsigned workers)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(runtime->topology, &count);
    yoke__part *parts = yoke__alloc_zeroed(workers, sizeof *parts);
    if (parts == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for the parts of %u workers", workers);
        return NULL;
    }
    const size_t granule = yoke__memory_granule(bytes, workers);
    how.parts = parts;
    how.part_count = yoke__topology_partition(pus, places, workers, bytes, granule, parts);
    void *memory = yoke__memory_alloc(bytes, &how);
    yoke__free(parts);
    return memory;
}

static void *alloc_partitioned(const yoke_runtime *runtime, size_t bytes, yoke__placing how)
{
    yoke__place *places = NULL;
    unsigned workers;
    how.status = yoke__team_places(runtime->team, &places, &workers);
    if (how.status == YOKE_ENOMEM)
        return NULL;
    if (how.status == YOKE_OK && !places[0].pinned)
        how.status = yoke__fail(YOKE_ESTATE, "workers that are not pinned own no part of an array; use another "
                                             "YOKE_PIN, or YOKE_PLACE_INTERLEAVE");
    void *memory = how.status == YOKE_OK ? alloc_for_places(runtime, bytes, how, places, workers)
                                         : yoke__memory_alloc(bytes, &how);
    yoke__free(places);
    return memory;
}

static void *alloc_on(yoke_runtime *runtime, size_t bytes, yoke_placement placement, bool shared)
{
    const bool on_one = placement >= YOKE_PLACE_NODE_0 && placement <= YOKE_PLACE_NODE_LAST;
    if (placement == YOKE_PLACE_DEFAULT)
        return yoke__memory_alloc(bytes, &(yoke__placing){.shared = shared});
    if (!on_one && ((int)placement < YOKE_PLACE_DEFAULT || placement > YOKE_PLACE_LOCAL)) {
        yoke__fail(YOKE_EINVAL, "unknown placement %d; use one of enum yoke_placement", (int)placement);
        return NULL;
    }
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return NULL;
    yoke__placing how = {
        .requested = placement, .shared = shared, .one_node = yoke__topology_machine(runtime->topology).nodes <= 1};
    unsigned os_node = 0;
    if (placement == YOKE_PLACE_PARTITION)
        return alloc_partitioned(runtime, bytes, how);
    if (placement == YOKE_PLACE_INTERLEAVE)
        return alloc_interleaved(runtime, bytes, how);
    if (placement == YOKE_PLACE_LOCAL)
        return alloc_on_node(bytes, how, node_of_caller(runtime));
    if (!find_node(runtime, (unsigned)placement - YOKE_PLACE_NODE_0, &os_node)) {
        yoke__fail(YOKE_EINVAL, "there is no node %u; yoke_topology_of() says how many are usable",
                   (unsigned)placement - YOKE_PLACE_NODE_0);
        return NULL;
    }
    return alloc_on_node(bytes, how, os_node);
}

void *yoke_alloc_on(yoke_runtime *runtime, size_t bytes, yoke_placement placement)
{
    return alloc_on(runtime, bytes, placement, false);
}

void *yoke_alloc(size_t bytes, yoke_placement placement)
{
    return alloc_on(NULL, bytes, placement, false);
}

void *yoke_alloc_shared_on(yoke_runtime *runtime, size_t bytes, yoke_placement placement)
{
    return alloc_on(runtime, bytes, placement, true);
}

void *yoke_alloc_shared(size_t bytes, yoke_placement placement)
{
    return alloc_on(NULL, bytes, placement, true);
}

/* --- where pages are --- */

static void count_page(yoke_placement_report *report, int os_node)
{
    if (os_node < 0) {
        report->absent++;
        return;
    }
    report->present++;
    for (unsigned k = 0; k < report->nodes; k++)
        if (report->os_node[k] == (unsigned)os_node) {
            report->on_node[k]++;
            return;
        }
    report->elsewhere++;
}

static int count_pages(const unsigned char *start, yoke_placement_report *report)
{
    int nodes[BATCH];
    for (size_t done = 0; done < report->pages;) {
        const size_t some = report->pages - done < BATCH ? report->pages - done : BATCH;
        int status = yoke__topology_nodes_of_pages(start + done * report->page_bytes, some, nodes);
        if (status != YOKE_OK) {
            report->present = report->absent = report->elsewhere = 0;
            for (unsigned k = 0; k < report->nodes; k++)
                report->on_node[k] = 0;
            return status;
        }
        for (size_t k = 0; k < some; k++)
            count_page(report, nodes[k]);
        done += some;
    }
    return YOKE_OK;
}

static int report_block(const yoke_runtime *runtime, yoke__block *block, const void *memory, size_t bytes,
                        yoke_placement_report *report)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t before = (size_t)((const unsigned char *)memory - (const unsigned char *)yoke__block_start(block));
    const size_t first = before / page * page;
    const char *detail;
    *report = (yoke_placement_report){.page_bytes = page,
                                      .pages = bytes > 0 ? (before - first + bytes + page - 1) / page : 0};
    report->requested = yoke__block_placement(block, &report->status, &detail);
    (void)snprintf(report->detail, sizeof report->detail, "%s", detail);
    const unsigned nodes = yoke__topology_usable(runtime->topology).nodes;
    report->nodes = nodes < YOKE_REPORT_NODES ? nodes : YOKE_REPORT_NODES;
    for (unsigned k = 0; k < report->nodes; k++)
        (void)find_node(runtime, k, &report->os_node[k]);
    yoke__memory_guard_open(block,
                            (yoke__span){0, yoke__block_bytes(block)}); /* the system tells nothing of other pages */
    const int status = count_pages((const unsigned char *)yoke__block_start(block) + first, report);
    yoke__memory_guard_close(block);
    return status;
}

/* `whole`: the array in which `memory` lies, whatever `bytes` says. */
static int report_on(const void *memory, size_t bytes, bool whole, yoke_placement_report *report)
{
    if (report == NULL)
        return yoke__fail(YOKE_EINVAL, "report is NULL; give a structure to fill");
    const yoke_runtime *runtime = yoke__runtime_or_default(NULL);
    if (runtime == NULL)
        return yoke__last_failure();
    yoke__block *block = yoke__memory_hold(memory, bytes);
    if (block == NULL)
        return yoke__fail(YOKE_EINVAL, "%zu bytes at %p are not inside one array of yoke_alloc", bytes, memory);
    int status = whole ? report_block(runtime, block, yoke__block_start(block), yoke__block_bytes(block), report)
                       : report_block(runtime, block, memory, bytes, report);
    yoke__memory_release(block);
    return status;
}

int yoke_placement_of(const void *memory, yoke_placement_report *report)
{
    return report_on(memory, 0, true, report);
}

int yoke_placement_of_range(const void *memory, size_t bytes, yoke_placement_report *report)
{
    return report_on(memory, bytes, false, report);
}
