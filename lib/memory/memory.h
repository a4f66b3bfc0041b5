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
    bool shared;   /* with worker processes: as yoke__shared_open has it */
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

/* Other processes map it, too. */
bool yoke__block_is_shared(const yoke__block *block);

/* How often its pages were replaced: what a driver knows of them from before is of no use. */
unsigned yoke__block_moves(const yoke__block *block);

/* For a block that a lost device may still write to: its pages move away, kept for ever, and fresh ones with the same
 * content and placement take their address. No thread may use the block meanwhile: it would find zeroes. 0, or ENOMEM
 * (no memory, a kernel before Linux 5.7, or a shared block), and then the content is the same, but not all pages are
 * others. */
int yoke__block_replace_pages(yoke__block *block);

/* freed(context, block) is called on the thread of yoke_free, without locks, for a block that somebody holds. At most
 * 16 watchers; ENOMEM otherwise. unwatch returns when no call is under way, and is not for the watcher itself. */
int yoke__memory_watch(void (*freed)(void *context, const yoke__block *block), void *context);
void yoke__memory_unwatch(void (*freed)(void *context, const yoke__block *block), void *context);

/* --- residency.c: which copies of a block are valid, byte by byte ---
 *
 * A copy is the host's, or that of a home: memory of a device. Where no copy is valid the content is lost. Notes are
 * made when what they tell has happened; each needs room that was reserved before, so that none can fail. */

enum { YOKE__HOST = 0, YOKE__HOMES = 30, YOKE__NOWHERE = 31 }; /* homes are 1 to 30; nothing is nowhere */

/* Blocks whose host copy is not all, or not the only one. */
extern _Atomic size_t yoke__memory_away;

/* Nothing need be asked while it says no. */
static inline bool yoke__memory_is_away(void)
{
    return atomic_load_explicit(&yoke__memory_away, memory_order_relaxed) != 0;
}

/* Bytes of a block, counted from its start. */
typedef struct yoke__span {
    size_t begin, end;
} yoke__span;

int yoke__residency_reserve(yoke__block *block, size_t notes);
void yoke__residency_unreserve(yoke__block *block, size_t notes);
/* `home` has a valid copy, too. */
void yoke__residency_copied(yoke__block *block, unsigned home, yoke__span span);
/* For a copy that is made while nobody waits for it: it counts only if nothing was noted as written since expect(), which
 * reserves room for it. Until unexpect() the block counts as away, so that whatever writes to it is noted. */
int yoke__residency_expect(yoke__block *block, uint64_t *writes);
void yoke__residency_unexpect(yoke__block *block);
void yoke__residency_copied_of(yoke__block *block, unsigned home, yoke__span span, uint64_t writes);
/* `home` has the only one. */
void yoke__residency_written(yoke__block *block, unsigned home, yoke__span span);
/* What `home` has is not to be trusted. */
void yoke__residency_spoiled(yoke__block *block, unsigned home, yoke__span span);
/* The same for all of the block; needs no room. */
void yoke__residency_dropped(yoke__block *block, unsigned home);
/* The host's copy does not count where a home has one, too: it was made for the library, and the program did not ask for it. */
void yoke__residency_lent(yoke__block *block, yoke__span span);
/* The first part of the span without a valid copy at `home`, whole as to who else has one: *holders. False: none is missing. */
bool yoke__residency_missing(yoke__block *block, unsigned home, yoke__span span, yoke__span *part, uint32_t *holders);
/* How many bytes of the span are missing there. */
size_t yoke__residency_missing_bytes(yoke__block *block, unsigned home, yoke__span span);
/* What messages call the block, unless the program named it. */
void yoke__block_used_as(yoke__block *block, const char *parameter, const char *kernel);
/* As the program named it, or as the last device knew it; cut to fit. */
void yoke__block_name(const yoke__block *block, char *name, size_t size);

/* --- homes.c: where copies are fetched from --- */

/* Asked now and then by those who wait: false ends the wait with ECANCELED. NULL: it goes on. */
typedef struct yoke__alive {
    bool (*still)(void *context);
    void *context;
} yoke__alive;

/* fetch() brings the span to the host's memory of the block, which is held: 0, ECANCELED, or another status with a detail
 * after yoke__home_lost(). On any thread, without a lock of lib/memory but for the one that lets one at a time fetch from a
 * block. */
typedef struct yoke__home {
    const char *name;
    int (*fetch)(void *context, yoke__block *block, yoke__span span, const yoke__alive *alive);
    void *context;
} yoke__home;

/* Its number; 0: all are taken. */
unsigned yoke__home_open(const yoke__home *home);
/* All copies there are gone, and no fetch begins any more. */
void yoke__home_lost(unsigned home);
/* The same, and returns when no fetch is under way. */
void yoke__home_close(unsigned home);
/* Makes the host's copy valid. ELOST: no copy is; else why a fetch failed. */
int yoke__memory_to_host(yoke__block *block, yoke__span span, const yoke__alive *alive);
/* Makes the host's copy valid where only `home` has one, which then has none. Its copies stay where that fails. */
int yoke__memory_leave(yoke__block *block, unsigned home, const yoke__alive *alive);
/* Before anybody writes to the host's memory: the only valid copy is there then; with `keeps`, its old content is fetched.
 * Returns when nobody else is fetching into it. */
int yoke__memory_for_host(yoke__block *block, yoke__span span, bool keeps, const yoke__alive *alive);

/* --- guard.c: for checks, the program's forgotten yoke_read and yoke_write fault --- */

/* From the first guard to the last unguard, pages of which the host has no valid copy cannot be accessed, and those of which
 * a device has one, too, cannot be written to. */
void yoke__memory_guard(void);
void yoke__memory_unguard(void);
/* The library is about to write to the host's memory of the span, or to read what is not valid there, until it closes the
 * block again. The block is held. */
void yoke__memory_guard_open(yoke__block *block, yoke__span span);
void yoke__memory_guard_close(yoke__block *block);

enum { YOKE__NAME_LENGTH = 96 };

typedef struct yoke__forgotten {
    char name[YOKE__NAME_LENGTH];
    size_t offset; /* bytes, from the array's start */
    bool is_stale; /* on the host; else a device has a copy, too */
    bool is_lost;  /* nobody has a valid copy */
} yoke__forgotten;

/* Whether an access to this address may have faulted for that; for a handler of SIGSEGV. */
bool yoke__memory_guard_find(const void *at, yoke__forgotten *found);

#endif
