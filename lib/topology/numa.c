/* Memory on NUMA nodes. The kernel is asked directly: hwloc would need its own topology of this machine, and there is none
 * where the environment would steer it. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "lib/topology/topology.h"

enum { LONG_BITS = 8 * sizeof(unsigned long), NODE_LIMIT = 4096, BATCH = 1024 };

typedef struct node_mask {
    unsigned long words[NODE_LIMIT / LONG_BITS];
} node_mask;

/* --- which part where --- */

/* The multiple of `granule` (or the end) that leaves the granule in which `at` lies to the owner of its middle. */
static size_t border_near(size_t at, size_t bytes, size_t granule)
{
    const size_t base = at / granule * granule;
    const size_t used = bytes - base < granule ? bytes - base : granule; /* the last one may be short */
    return at - base > used / 2 ? base + used : base;
}

size_t yoke__topology_partition(const yoke__pu *pus, const yoke__place *places, unsigned workers, size_t bytes,
                                size_t granule, yoke__part *parts)
{
    size_t count = 0, begin = 0;
    for (unsigned k = 0; k < workers && begin < bytes; k++) {
        const size_t share = (size_t)yoke__share(bytes, k + 1, workers);
        const size_t end = k + 1 < workers ? border_near(share, bytes, granule) : bytes;
        const unsigned node = pus[places[k].pu].node_os_index;
        if (end == begin)
            continue;
        if (count > 0 && parts[count - 1].node == node)
            parts[count - 1].end = end;
        else
            parts[count++] = (yoke__part){begin, end, node};
        begin = end;
    }
    return count;
}

/* --- what the kernel is told and asked --- */

static int refused(int error, const char *what)
{
    if (error == ENOSYS)
        return yoke__fail(YOKE_ENOSYS, "%s: this kernel knows no NUMA nodes; pages go where they are first touched",
                          what);
    if (error == ENOMEM)
        return yoke__fail(YOKE_ENOMEM, "%s: the kernel has no memory for it (see vm.max_map_count)", what);
    if (error == EINVAL)
        return yoke__fail(YOKE_ESTATE, "%s: a node has no memory, or the cpuset (cpuset.mems) excludes it", what);
    return yoke__fail(YOKE_ESTATE, "%s: %s; a sandbox may forbid mbind and move_pages: allow them", what,
                      strerror(error));
}

static int set_policy(void *start, size_t bytes, int mode, const node_mask *mask)
{
    /* The kernel looks at one bit less than it is told. */
    if (syscall(SYS_mbind, start, bytes, mode, mask->words, (unsigned long)NODE_LIMIT + 1, 0UL) == 0)
        return YOKE_OK;
    return refused(errno, "memory was not placed");
}

static int add_node(node_mask *mask, unsigned node)
{
    if (node >= NODE_LIMIT)
        return yoke__fail(YOKE_ESTATE, "memory was not placed: node %u is beyond the %d that are known", node,
                          NODE_LIMIT);
    mask->words[node / LONG_BITS] |= 1UL << (node % LONG_BITS);
    return YOKE_OK;
}

/* Preferred, not bound: on a full node a bound program would be killed. */
int yoke__topology_prefer_node(void *start, size_t bytes, unsigned node)
{
    node_mask mask = {{0}};
    int status = add_node(&mask, node);
    return status == YOKE_OK ? set_policy(start, bytes, MPOL_PREFERRED, &mask) : status;
}

int yoke__topology_interleave(void *start, size_t bytes, const unsigned *nodes, size_t count)
{
    node_mask mask = {{0}};
    int status = YOKE_OK;
    for (size_t k = 0; k < count && status == YOKE_OK; k++)
        status = add_node(&mask, nodes[k]);
    return status == YOKE_OK ? set_policy(start, bytes, MPOL_INTERLEAVE, &mask) : status;
}

int yoke__topology_nodes_of_pages(const void *start, size_t count, int *nodes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const unsigned char *at = start;
    const void *pages[BATCH];
    for (size_t done = 0; done < count;) {
        const size_t some = count - done < BATCH ? count - done : BATCH;
        for (size_t k = 0; k < some; k++)
            pages[k] = at + (done + k) * page;
        if (syscall(SYS_move_pages, 0, (unsigned long)some, pages, NULL, nodes + done, 0) != 0)
            return refused(errno, "the nodes of pages are not known");
        for (size_t k = 0; k < some; k++)
            if (nodes[done + k] < 0)
                nodes[done + k] = -1;
        done += some;
    }
    return YOKE_OK;
}
