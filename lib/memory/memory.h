/* Door of lib/memory: arrays that Yoke allocated, found again by any address in them. Uses topology and base; knows no
 * backend. All calls from any thread; a forked child has a copy of every block. */
#ifndef YOKE_LIB_MEMORY_H
#define YOKE_LIB_MEMORY_H

#include "lib/base/base.h"
#include "lib/topology/topology.h"
#include "yoke/memory.h"

/* One allocation: whole pages of its own. Its memory stays until the program has freed it and every holder released
 * it. */
typedef struct yoke__block yoke__block;

/* Where an array's pages are to go: `parts`, side by side from its start to its end; or in turn over `nodes`; or, when both
 * are none, wherever they are touched first: because of `status`, whose text yoke_error_detail() is, unless that is 0. */
typedef struct yoke__placing {
    yoke_placement requested;
    int status;
    const yoke__part *parts;
    size_t part_count;
    const unsigned *nodes; /* by the kernel's numbers */
    size_t node_count;
    bool one_node; /* is all the machine has: whatever the kernel answers, the pages will be there */
} yoke__placing;

/* yoke_alloc for a placement that was worked out; NULL: YOKE_PLACE_DEFAULT. What the kernel refuses is noted. */
void *yoke__memory_alloc(size_t bytes, const yoke__placing *placing);

/* The size at which parts of an array meet: a huge page where `shares` equal shares are much larger than that. */
size_t yoke__memory_granule(size_t bytes, size_t shares);

/* What was asked for, and what became of that: 0, or a status and its text. */
yoke_placement yoke__block_placement(const yoke__block *block, int *status, const char **detail);

/* The block in which [at, at + bytes) lies whole, held once more; NULL: the memory is not Yoke's. Never a block that
 * was freed. */
yoke__block *yoke__memory_hold(const void *at, size_t bytes);
void yoke__memory_release(yoke__block *block);
/* Instead of a release: the memory stays for ever, for a device that may write to it at any time. */
void yoke__memory_keep(yoke__block *block);

void *yoke__block_start(const yoke__block *block);
size_t yoke__block_bytes(const yoke__block *block); /* whole pages */
/* The program has freed it: holders should let go soon. */
bool yoke__block_is_freed(const yoke__block *block);

/* How often its pages were replaced: what a driver knows of them from before is of no use. */
unsigned yoke__block_moves(const yoke__block *block);

/* For a block that a lost device may still write to: its pages move away, kept for ever, and fresh ones with the same
 * content and placement take their address. No thread may use the block meanwhile: it would find zeroes. 0, or ENOMEM
 * (no memory, or a kernel before Linux 5.7), and then the content is the same, but not all pages are others. */
int yoke__block_replace_pages(yoke__block *block);

/* freed(context, block) is called on the thread of yoke_free, without locks, for a block that somebody holds. At most
 * 16 watchers; ENOMEM otherwise. unwatch returns when no call is under way, and is not for the watcher itself. */
int yoke__memory_watch(void (*freed)(void *context, const yoke__block *block), void *context);
void yoke__memory_unwatch(void (*freed)(void *context, const yoke__block *block), void *context);

#endif
