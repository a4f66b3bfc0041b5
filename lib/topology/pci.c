/* Which NUMA node a PCI device is attached to. hwloc knows it too, but its discovery of I/O devices takes seconds on big
 * machines, and a runtime without devices would pay for it as well; the kernel says the same in one small file. */
#include <limits.h>
#include <stdio.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

static int read_node(const char *root, unsigned domain, unsigned bus, unsigned device, unsigned function)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/sys/bus/pci/devices/%04x:%02x:%02x.%x/numa_node", root, domain, bus,
                          device, function);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    if (file == NULL)
        return -1;
    char line[32] = "";
    int node;
    bool got = fgets(line, sizeof line, file) != NULL && sscanf(line, "%9d", &node) == 1;
    fclose(file);
    return got && node >= 0 && node < YOKE_MAX_PUS ? node : -1;
}

int yoke__topology_read_pci_node(const char *root, const yoke__topology *topology, unsigned domain, unsigned bus,
                                 unsigned device, unsigned function)
{
    if (bus > 255 || device > 31 || function > 7)
        return -1;
    int node = read_node(root, domain, bus, device, function);
    if (node < 0 && topology->machine.nodes == 1 && topology->count > 0) /* firmware often says nothing then */
        node = (int)topology->pus[0].node_os_index;
    return node;
}

int yoke__topology_node_of_pci(const yoke__topology *topology, unsigned domain, unsigned bus, unsigned device,
                               unsigned function)
{
    return topology->native ? yoke__topology_read_pci_node("", topology, domain, bus, device, function) : -1;
}
