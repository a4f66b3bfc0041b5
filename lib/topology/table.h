/* Inside lib/topology: how every source (hwloc, sysfs, the helper process) hands over what it found. */
#ifndef YOKE_TOPOLOGY_TABLE_H
#define YOKE_TOPOLOGY_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "lib/topology/topology.h"

#define YOKE_MAX_KINDS 64

/* One PU of the machine, usable or not. Keys only say what is the same: equal key, same object. */
typedef struct row {
    unsigned os_index, node_os_index, kind;
    bool allowed;
    uint64_t package, node, cache, core;
} row;

typedef struct rows {
    row *at;
    size_t count;
    unsigned machine_nodes; /* CPU-less ones too */
} rows;

struct yoke__topology {
    yoke__pu *pus;
    size_t count;
    yoke__pu *all; /* usable or not, numbered over the machine; `smt` means nothing there */
    size_t all_count;
    yoke__topology_counts machine, usable;
    double quota;
    bool native;
    void *hwloc; /* hwloc_topology_t that binds threads; NULL: the kernel is asked directly */
};

/* A set of CPU numbers as the kernel has it. */
#define MASK_WORDS (YOKE_MAX_PUS / (8 * sizeof(unsigned long)))
typedef struct cpu_mask {
    unsigned long words[MASK_WORDS];
    bool known;
} cpu_mask;

static inline bool mask_has(const cpu_mask *mask, unsigned cpu)
{
    const unsigned bits = 8 * sizeof(unsigned long);
    return cpu < YOKE_MAX_PUS && ((mask->words[cpu / bits] >> (cpu % bits)) & 1);
}

static inline void mask_add(cpu_mask *mask, unsigned cpu)
{
    const unsigned bits = 8 * sizeof(unsigned long);
    if (cpu < YOKE_MAX_PUS)
        mask->words[cpu / bits] |= 1UL << (cpu % bits);
}

/* The main thread's mask when the library was loaded. */
const cpu_mask *yoke__affinity_at_load(void);

/* Checks the rows, keeps the usable ones (allowed, and in the mask unless that is NULL or would leave none), and makes
 * a topology without quota and binding. Returns 0, ENOMEM or ETOPOLOGY. */
int yoke__topology_build(yoke__topology **out, const rows *found, const cpu_mask *mask);

/* hwloc: this machine; or, in the helper process, a description. The caller frees rows->at with yoke__free. */
int yoke__hwloc_native(rows *found, void **hwloc);
int yoke__hwloc_foreign(rows *found, const char *description);
void yoke__hwloc_free(void *hwloc);
int yoke__hwloc_bind(void *hwloc, const cpu_mask *mask);

/* sysfs under root, for when the environment would steer hwloc. */
int yoke__sysfs_rows(rows *found, const char *root);

/* The text between the helper process and the library. */
int yoke__rows_write(const rows *found, FILE *out);
int yoke__rows_parse(rows *found, const char *text, size_t length);

/* Has the helper process read a description; the caller frees the answer with yoke__free, also on failure. It limits
 * itself to 5 s of CPU time; patience is for one that hangs otherwise. */
int yoke__helper_ask(const char *description, int64_t patience_ns, char **answer, size_t *length);

/* True for what is to be read as a file. */
bool yoke__description_is_file(const char *description);
int yoke__synthetic_check(const char *description);

#endif
