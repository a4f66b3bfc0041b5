/* Door of lib/topology: what CPUs there are, which of them we may use, where workers and pages go. Uses base only, and is
 * the only room that knows hwloc.
 *
 * A topology is a checked flat table of the usable processing units (PUs) plus counts of the whole machine; nothing in
 * it changes after loading, so any thread may read it. The functions on tables are pure. */
#ifndef YOKE_TOPOLOGY_H
#define YOKE_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "yoke/runtime.h"

#define YOKE_MAX_PUS 65536

/* One usable processing unit (hyperthread). Ids are 0-based and dense over the table they are in, in the order in
 * which they first appear there. A cache never reaches over a node's border: where the hardware's does, it is split. */
typedef struct yoke__pu {
    unsigned os_index;                   /* the kernel's number: for messages and binding, never for arithmetic */
    unsigned package, node, cache, core; /* cache: group of cores behind one last-level cache */
    unsigned smt;                        /* rank among the usable hyperthreads of its core */
    unsigned kind;                       /* 0: the strongest (P) cores; larger: weaker */
    unsigned node_os_index;              /* the kernel's number of the NUMA node, for memory policies */
} yoke__pu;

typedef struct yoke__topology yoke__topology;

typedef struct yoke__topology_counts {
    unsigned packages, nodes, caches, cores, pus;
} yoke__topology_counts;

/* Reads this machine: usable PUs are those of the process's affinity mask (as the main thread had it when the library
 * was loaded) that the cpuset allows; the quota comes from cgroup v1 and v2. Takes a few milliseconds.
 * Returns 0, ENOMEM or ETOPOLOGY. */
int yoke__topology_load(yoke__topology **out);

/* Reads another machine's topology: a synthetic string of hwloc ("pack:2 numa:4 core:16 pu:2") or, when the text holds
 * a '/' or ends in ".xml", an XML file. hwloc may crash on such input, so a short-lived helper process reads it.
 * Threads cannot be bound by the result. Returns 0, EINVAL, ENOMEM or ETOPOLOGY. */
int yoke__topology_from(yoke__topology **out, const char *description);

/* Leaves only the usable PUs with these numbers of the kernel; before anybody has read the table. EINVAL when none is
 * left; ENOMEM. */
int yoke__topology_restrict(yoke__topology *topology, const unsigned *os_indexes, size_t count);

/* NULL is fine. */
void yoke__topology_free(yoke__topology *topology);

/* The usable PUs, at least one, neighbours side by side. Lives as long as the topology. */
const yoke__pu *yoke__topology_pus(const yoke__topology *topology, size_t *count);

/* All PUs of the machine, usable or not, numbered over the machine; `smt` means nothing there. Lives as long. */
const yoke__pu *yoke__topology_all_pus(const yoke__topology *topology, size_t *count);

yoke__topology_counts yoke__topology_machine(const yoke__topology *topology); /* all, CPU-less nodes too */
yoke__topology_counts yoke__topology_usable(const yoke__topology *topology);  /* those with a usable PU */

/* CPUs' worth of time that cgroups allow; 0: no limit. */
double yoke__topology_quota(const yoke__topology *topology);

/* min(usable cores, quota rounded up); never 0. */
unsigned yoke__topology_default_workers(const yoke__topology *topology);

/* This machine's model of CPU; "" when the system does not tell. Reads a file. */
void yoke__cpu_model(char *text, size_t bytes);

/* True when threads can be bound by it: it describes this machine. */
bool yoke__topology_is_native(const yoke__topology *topology);

/* Where one worker goes. */
typedef struct yoke__place {
    unsigned pu;     /* index in the table; with whole_node, a representative of the node */
    bool whole_node; /* any usable PU of the node will do */
    bool pinned;     /* false: the worker is not bound, and its pu means nothing */
} yoke__place;

/* Places `workers` workers, at most YOKE_MAX_WORKERS. One per core first, strong cores before weak ones; then second
 * hyperthreads, and so on; when every PU has its worker, from the start again. YOKE_PIN_DEFAULT means compact.
 * Pure. Returns 0, EINVAL (empty table, no workers, unknown policy) or ENOMEM. */
int yoke__topology_place(const yoke__pu *pus, size_t count, yoke_pin policy, unsigned workers, yoke__place *places);

/* 0: same core, 1: same cache, 2: same node and package, 3: same node or same package, 4: neither. */
unsigned yoke__topology_distance(const yoke__pu *a, const yoke__pu *b);

/* Fills order[0 .. workers-2] with the other workers for worker `self` to rob, nearest first; workers at equal
 * distance come in cyclic order from self + 1, so that not everyone robs the same victim first. Pure; O(workers). */
void yoke__topology_steal_order(const yoke__pu *pus, const yoke__place *places, unsigned workers, unsigned self,
                                unsigned *order);

/* A part of an array, in bytes from its start, and its NUMA node by the kernel's number. */
typedef struct yoke__part {
    size_t begin, end;
    unsigned node;
} yoke__part;

/* Divides an array of `bytes` as a job is divided: the k-th part goes to the node of the k-th worker. Parts of different
 * nodes meet at multiples of `granule`, and a granule goes to the owner of its middle; neighbours on one node are one
 * part. Fills at most `workers` parts that cover [0, bytes) and returns their number. Pure. */
size_t yoke__topology_partition(const yoke__pu *pus, const yoke__place *places, unsigned workers, size_t bytes,
                                size_t granule, yoke__part *parts);

/* Tells the kernel where pages of [start, start + bytes) go when they are touched for the first time: to a node, or to
 * several in turn, by the kernel's numbers; elsewhere when these are full. Whole pages. 0; ESTATE when the kernel refuses,
 * ENOSYS when it knows no nodes, ENOMEM. */
int yoke__topology_prefer_node(void *start, size_t bytes, unsigned node);
int yoke__topology_interleave(void *start, size_t bytes, const unsigned *nodes, size_t count);

/* The node of each of `count` pages from `start`, by the kernel's number; -1: the page was not written to so far, or is
 * swapped out. 0; ESTATE or ENOSYS as above. */
int yoke__topology_nodes_of_pages(const void *start, size_t count, int *nodes);

/* Asks the helper process, which has the program's environment, something that is none of a topology's business: its
 * options are in tools/topology_helper.c. The caller frees the answer with yoke__free, also on failure. 0, ENOSYS where the
 * helper is not installed, ETOPOLOGY or ENOMEM. */
int yoke__topology_ask_helper(const char *option, int64_t patience_ns, char **answer, size_t *length);

/* Binds the calling thread to a place (nothing happens for one that is not pinned). On failure (the CPU is gone, a
 * sandbox forbids it) returns ESTATE, and the thread runs where it ran before. */
int yoke__topology_bind_thread(const yoke__topology *topology, const yoke__place *place);

/* Binds the calling thread to the usable PUs of a NUMA node, which is named by the kernel's number. ESTATE as above;
 * EINVAL when the node has none. */
int yoke__topology_bind_to_node(const yoke__topology *topology, unsigned node_os_index);

/* Gives the calling thread all usable PUs back. */
int yoke__topology_unbind_thread(const yoke__topology *topology);

/* The system's number of the NUMA node that a PCI device of this machine is attached to; -1: unknown. Reads a file. */
int yoke__topology_node_of_pci(const yoke__topology *topology, unsigned domain, unsigned bus, unsigned device,
                               unsigned function);

/* Hooks for tests. The first takes the calling thread's affinity mask in place of the one found at loading. The second
 * reads only the quota, from the /proc and /sys under `root` ("" is the machine). The third reads the topology from
 * sysfs under `root` without hwloc, allowing all CPUs when `root` is not "". The last reads the node of a PCI device from
 * the /sys under `root`, whatever machine the topology is of. */
void yoke__topology_read_affinity(void);
double yoke__topology_read_quota(const char *root);
int yoke__topology_load_sysfs(yoke__topology **out, const char *root);
int yoke__topology_read_pci_node(const char *root, const yoke__topology *topology, unsigned domain, unsigned bus,
                                 unsigned device, unsigned function);

#endif
