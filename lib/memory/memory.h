/* Door of lib/memory: arrays that Yoke allocated, found again by any address in them. Uses topology and base; knows no
 * backend. All calls from any thread; a forked child has a copy of every block. */
#ifndef YOKE_LIB_MEMORY_H
#define YOKE_LIB_MEMORY_H

#include "lib/base/base.h"
#include "yoke/memory.h"

/* One allocation: whole pages of its own. Its memory stays until the program has freed it and every holder released
 * it. */
typedef struct yoke__block yoke__block;

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
 * content take their address. No thread may use the block meanwhile: it would find zeroes. 0, or ENOMEM (no memory, or a
 * kernel before Linux 5.7), and then nothing changed. */
int yoke__block_replace_pages(yoke__block *block);

/* freed(context, block) is called on the thread of yoke_free, without locks, for a block that somebody holds. At most
 * 16 watchers; ENOMEM otherwise. unwatch returns when no call is under way, and is not for the watcher itself. */
int yoke__memory_watch(void (*freed)(void *context, const yoke__block *block), void *context);
void yoke__memory_unwatch(void (*freed)(void *context, const yoke__block *block), void *context);

#endif
