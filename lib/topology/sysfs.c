/* The topology from /sys without hwloc: used when the environment would steer hwloc, or hwloc fails. */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

/* Lists of the kernel, "0-3,8,10-11". */
static bool parse_list(const char *text, cpu_mask *mask)
{
    memset(mask, 0, sizeof *mask);
    while (*text && *text != '\n') {
        if (!isdigit((unsigned char)*text))
            return false;
        char *end;
        unsigned long low = strtoul(text, &end, 10), high = low;
        if (*end == '-' && isdigit((unsigned char)end[1]))
            high = strtoul(end + 1, &end, 10);
        if (high < low || high >= YOKE_MAX_PUS || (*end && *end != ',' && *end != '\n'))
            return false;
        for (unsigned long cpu = low; cpu <= high; cpu++)
            mask_add(mask, (unsigned)cpu);
        text = *end == ',' ? end + 1 : end;
        mask->known = true;
    }
    return mask->known;
}

typedef struct reader {
    const char *root;
    char name[128], line[65536];
    cpu_mask mask;
} reader;

/* The name of a file below /sys/devices. */
__attribute__((format(printf, 2, 3))) static const char *name_of(reader *r, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(r->name, sizeof r->name, format, values);
    va_end(values);
    return r->name;
}

/* Reads a file's first line into r->line; false when there is none. */
static bool read_line(reader *r, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/sys/devices/%s", r->root, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    if (!file)
        return false;
    bool got = fgets(r->line, sizeof r->line, file) != NULL;
    fclose(file);
    return got;
}

static bool read_list(reader *r, const char *name)
{
    return read_line(r, name) && parse_list(r->line, &r->mask);
}

static bool read_number(reader *r, const char *name, unsigned *number)
{
    if (!read_line(r, name) || !isdigit((unsigned char)*r->line))
        return false;
    unsigned long value = strtoul(r->line, NULL, 10);
    *number = (unsigned)value;
    return value < UINT_MAX;
}

/* Shared objects are known by their first CPU: "4-7,12" gives 4. */
static uint64_t first_sharer(reader *r, const char *name, unsigned cpu)
{
    unsigned first;
    return read_number(r, name, &first) ? first : cpu;
}

#define CPU "system/cpu/cpu%u/"

static uint64_t last_cache(reader *r, unsigned cpu, uint64_t none)
{
    unsigned best = 0, level;
    uint64_t key = none;
    for (unsigned index = 0; read_number(r, name_of(r, CPU "cache/index%u/level", cpu, index), &level); index++) {
        bool data =
            read_line(r, name_of(r, CPU "cache/index%u/type", cpu, index)) && strncmp(r->line, "Instruction", 11) != 0;
        if (data && level >= best) {
            best = level;
            key = first_sharer(r, name_of(r, CPU "cache/index%u/shared_cpu_list", cpu, index), cpu);
        }
    }
    return key;
}

static row read_cpu(reader *r, unsigned cpu)
{
    row found = {.os_index = cpu, .allowed = true};
    unsigned package = 0;
    read_number(r, name_of(r, CPU "topology/physical_package_id", cpu), &package);
    found.package = package;
    found.core = first_sharer(r, name_of(r, CPU "topology/thread_siblings_list", cpu), cpu);
    found.cache = last_cache(r, cpu, UINT64_MAX);
    found.node = UINT64_MAX - found.package;
    return found;
}

static void read_nodes(reader *r, rows *found)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/sys/devices/system/node", r->root);
    DIR *folder = length > 0 && (size_t)length < sizeof path ? opendir(path) : NULL;
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        unsigned node;
        char rest;
        if (sscanf(entry->d_name, "node%u%c", &node, &rest) != 1)
            continue;
        found->machine_nodes++;
        if (!read_list(r, name_of(r, "system/node/node%u/cpulist", node)))
            continue;
        for (size_t k = 0; k < found->count; k++)
            if (mask_has(&r->mask, found->at[k].os_index)) {
                found->at[k].node = node;
                found->at[k].node_os_index = node;
            }
    }
    closedir(folder);
}

/* Intel names its weak cores; elsewhere the kernel's capacity (1,024 is the strongest) is cut in three. */
static void read_kinds(reader *r, rows *found)
{
    bool atoms = read_list(r, "cpu_atom/cpus");
    for (size_t k = 0; k < found->count; k++) {
        unsigned capacity;
        if (atoms)
            found->at[k].kind = mask_has(&r->mask, found->at[k].os_index);
        else if (read_number(r, name_of(r, CPU "cpu_capacity", found->at[k].os_index), &capacity))
            found->at[k].kind = capacity > 819 ? 0 : capacity > 409 ? 1 : 2;
    }
}

/* Neighbours side by side, whatever the kernel's numbers. */
static int by_place(const void *left, const void *right)
{
    const row *a = left, *b = right;
    if (a->package != b->package)
        return a->package < b->package ? -1 : 1;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->cache != b->cache)
        return a->cache < b->cache ? -1 : 1;
    if (a->core != b->core)
        return a->core < b->core ? -1 : 1;
    return (a->os_index > b->os_index) - (a->os_index < b->os_index);
}

static int read_rows(reader *r, rows *found)
{
    if (!read_list(r, "system/cpu/online")) {
        const cpu_mask *known = yoke__affinity_at_load();
        if (!known->known || *r->root)
            return yoke__fail(YOKE_ETOPOLOGY, "neither sysfs nor the kernel says which CPUs there are");
        r->mask = *known;
    }
    size_t count = 0;
    for (unsigned cpu = 0; cpu < YOKE_MAX_PUS; cpu++)
        count += mask_has(&r->mask, cpu);
    found->at = yoke__alloc_zeroed(count, sizeof *found->at);
    if (!found->at)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu CPUs", count);
    for (unsigned cpu = 0; cpu < YOKE_MAX_PUS; cpu++)
        if (mask_has(&r->mask, cpu))
            found->at[found->count++] = read_cpu(r, cpu);
    read_nodes(r, found);
    read_kinds(r, found);
    qsort(found->at, found->count, sizeof *found->at, by_place);
    return YOKE_OK;
}

int yoke__sysfs_rows(rows *found, const char *root)
{
    reader *r = yoke__alloc_zeroed(1, sizeof *r);
    if (!r)
        return yoke__fail(YOKE_ENOMEM, "no memory to read the topology");
    r->root = root;
    int status = read_rows(r, found);
    yoke__free(r);
    return status;
}
