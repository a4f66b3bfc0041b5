/* Blocks of whole pages in a list that anyone may search. The list changes by single stores, so that a child forked in the
 * middle of a change finds it whole; what it does not find is lock and callers that stayed behind in the parent. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/memory/block.h"

enum {
    WATCHERS = 16,
    HUGE_PAGE = 2 << 20, /* of x86-64 and AArch64 with pages of 4 KiB; with others the kernel's own choice is kept */
    HUGE_FROM = 2 * HUGE_PAGE, /* smaller blocks are too rarely missed in the TLB to be worth their alignment */
    HUGE_PER_SHARE = 16        /* a border is off by half a huge page at most: 3 % of a share of so many */
};

typedef struct watcher {
    void (*freed)(void *context, const yoke__block *block); /* NULL: the place is empty, once there are no calls */
    void *context;
    atomic_uint calls; /* under way; counted up under the lock only */
} watcher;

typedef struct call {
    void (*freed)(void *context, const yoke__block *block);
    void *context;
    atomic_uint *under_way;
} call;

static yoke__block *_Atomic blocks;
static yoke__block *kept; /* for ever; a list, so that leak checkers see them reachable */
static watcher watchers[WATCHERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* changes of the lists, taking hold, the watchers */

static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL); /* its holder may not be here */
    for (size_t k = 0; k < WATCHERS; k++)
        atomic_store(&watchers[k].calls, 0);
    residency_in_child();
    homes_in_child();
}

__attribute__((constructor(YOKE__FIRST))) static void watch_forks(void)
{
    (void)pthread_atfork(residency_lock, residency_unlock, in_child);
}

/* --- blocks --- */

static void no_memory(size_t bytes)
{
    yoke__fail(YOKE_ENOMEM, "the system has no %zu bytes of memory; free some, or work in smaller parts", bytes);
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool has_huge_pages(size_t bytes)
{
    return bytes >= HUGE_FROM && page_bytes() == 4096;
}

size_t yoke__memory_granule(size_t bytes, size_t shares)
{
    return has_huge_pages(bytes) && bytes / shares >= (size_t)HUGE_PER_SHARE * HUGE_PAGE ? HUGE_PAGE : page_bytes();
}

/* NULL with a detail. */
static unsigned char *map_block(yoke__block *block, size_t bytes, bool shared)
{
    const bool huge = has_huge_pages(bytes);
    if (shared) {
        block->sharing = yoke__shared_open(bytes, huge ? HUGE_PAGE : page_bytes());
        return block->sharing != NULL ? yoke__shared_of(block->sharing)->start : NULL;
    }
    unsigned char *start = huge ? yoke__map_pages_aligned(bytes, HUGE_PAGE) : yoke__map_pages(bytes);
    if (start == NULL)
        no_memory(bytes);
    return start;
}

/* Pages in turn over nodes are huge only where each node gets many of them. */
static void advise_huge_pages(yoke__block *block, const yoke__placing *how)
{
    if (how->node_count > 1 && yoke__memory_granule(block->bytes, how->node_count) != HUGE_PAGE)
        block->advice = MADV_NOHUGEPAGE;
    else if (has_huge_pages(block->bytes))
        block->advice = MADV_HUGEPAGE;
    if (block->advice != 0)
        (void)madvise(block->start, block->bytes, block->advice);
}

/* All parts are tried: one node that is refused does not keep the others from theirs. */
static int set_policies(const yoke__block *block, const yoke__placing *how)
{
    int status = how->status;
    if (how->node_count > 0)
        status = yoke__topology_interleave(block->start, block->bytes, how->nodes, how->node_count);
    for (size_t k = 0; k < how->part_count; k++) {
        const yoke__part *part = &block->parts[k];
        int one = yoke__topology_prefer_node(block->start + part->begin, part->end - part->begin, part->node);
        if (one != YOKE_OK)
            status = one;
    }
    return status;
}

static void place_pages(yoke__block *block, const yoke__placing *how)
{
    block->requested = how->requested;
    block->part_count = how->part_count > 0 ? how->part_count : 1;
    for (size_t k = 0; k < how->part_count; k++)
        block->parts[k] = how->parts[k];
    if (how->part_count == 0)
        block->parts[0].begin = 0;
    block->parts[block->part_count - 1].end = block->bytes; /* to the end of its last page */
    advise_huge_pages(block, how);
    block->refusal = set_policies(block, how);
    if (how->one_node)
        block->refusal = YOKE_OK;
    (void)snprintf(block->detail, sizeof block->detail, "%s", block->refusal != 0 ? yoke_error_detail() : "");
}

/* NULL with a detail. */
static yoke__block *new_block(size_t bytes, size_t parts, bool shared)
{
    size_t size;
    if (yoke__mul_overflows(parts > 0 ? parts : 1, sizeof(yoke__part), &size) ||
        yoke__add_overflows(size, sizeof(yoke__block), &size))
        size = SIZE_MAX;
    yoke__block *block = yoke__alloc(size);
    if (block == NULL) {
        no_memory(bytes);
        return NULL;
    }
    block->sharing = NULL;
    block->advice = 0;
    unsigned char *start = map_block(block, bytes, shared);
    if (start == NULL) {
        yoke__free(block);
        return NULL;
    }
    block->start = start;
    block->bytes = bytes;
    atomic_init(&block->holders, 1);
    atomic_init(&block->freed, false);
    atomic_init(&block->moves, 0);
    block->kept = false;
    residency_init(&block->residency);
    atomic_init(&block->opened, 0);
    block->unguarded = false;
    return block;
}

void *yoke__memory_alloc(size_t bytes, const yoke__placing *placing)
{
    static const yoke__placing anywhere;
    const size_t page = page_bytes();
    if (placing == NULL)
        placing = &anywhere;
    if (bytes > PTRDIFF_MAX - page) {
        yoke__fail(YOKE_EOVERFLOW, "%zu bytes are more than the address space; check how the size was computed", bytes);
        return NULL;
    }
    const size_t whole = bytes == 0 ? page : (bytes + page - 1) / page * page;
    yoke__block *block = new_block(whole, placing->part_count, placing->shared);
    if (block == NULL)
        return NULL;
    place_pages(block, placing);
    unsigned char *start =
        block->start; /* another thread that guesses the address may free it once it is in the list */
    pthread_mutex_lock(&lock);
    if (placing->shared)
        yoke__shared_list(block->sharing, block->advice);
    atomic_init(&block->next, atomic_load_explicit(&blocks, memory_order_relaxed));
    atomic_store_explicit(&blocks, block, memory_order_release);
    pthread_mutex_unlock(&lock);
    return start;
}

void blocks_visit(void (*visit)(yoke__block *block, void *context), void *context)
{
    pthread_mutex_lock(&lock);
    for (yoke__block *block = atomic_load(&blocks); block != NULL; block = atomic_load(&block->next))
        visit(block, context);
    pthread_mutex_unlock(&lock);
}

/* Where the list points to the block that holds this address; NULL: none does. Under the lock. */
static yoke__block *_Atomic *link_to(const void *at)
{
    yoke__block *_Atomic *link = &blocks, *block;
    while ((block = atomic_load_explicit(link, memory_order_acquire)) != NULL) {
        if ((uintptr_t)at - (uintptr_t)block->start < block->bytes)
            return link;
        link = &block->next;
    }
    return NULL;
}

bool blocks_try_lock(void)
{
    return pthread_mutex_trylock(&lock) == 0;
}

void blocks_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

yoke__block *blocks_find(const void *at)
{
    yoke__block *_Atomic *link = link_to(at);
    return link != NULL ? atomic_load_explicit(link, memory_order_relaxed) : NULL;
}

/* Notes a call to each watcher and counts it, so that none goes away before it. Under the lock. */
static unsigned begin_calls(call made[WATCHERS])
{
    unsigned count = 0;
    for (size_t k = 0; k < WATCHERS; k++)
        if (watchers[k].freed != NULL) {
            atomic_fetch_add(&watchers[k].calls, 1);
            made[count++] = (call){watchers[k].freed, watchers[k].context, &watchers[k].calls};
        }
    return count;
}

static void make_calls(const call *made, unsigned count, const yoke__block *block)
{
    for (unsigned k = 0; k < count; k++) {
        made[k].freed(made[k].context, block);
        atomic_fetch_sub(made[k].under_way, 1);
    }
}

/* Takes the block out of the list if it starts there. Otherwise NULL, and in *start where the block with this address
 * does, if any. */
static yoke__block *take_out(const void *memory, const void **start, call made[WATCHERS], unsigned *calls)
{
    pthread_mutex_lock(&lock);
    yoke__block *_Atomic *link = link_to(memory);
    yoke__block *block = link != NULL ? atomic_load_explicit(link, memory_order_relaxed) : NULL;
    *start = block != NULL ? block->start : NULL;
    if (block != NULL && *start != memory)
        block = NULL;
    if (block != NULL) {
        atomic_store_explicit(link, atomic_load_explicit(&block->next, memory_order_relaxed), memory_order_release);
        atomic_store_explicit(&block->freed, true, memory_order_release);
        if (yoke__block_is_shared(block))
            yoke__shared_unlist(block->sharing);
        if (atomic_load(&block->holders) > 1)
            *calls = begin_calls(made);
    }
    pthread_mutex_unlock(&lock);
    return block;
}

int yoke_free(void *memory)
{
    call made[WATCHERS];
    unsigned calls = 0;
    const void *start;
    if (memory == NULL)
        return YOKE_OK;
    yoke__block *block = take_out(memory, &start, made, &calls);
    if (block == NULL && start != NULL)
        return yoke__fail(YOKE_EINVAL, "%p is inside memory of yoke_alloc; free its start, %p", memory, start);
    if (block == NULL)
        return yoke__fail(YOKE_EINVAL, "%p is not memory of yoke_alloc, or was freed before; nothing was freed",
                          memory);
    make_calls(made, calls, block);
    yoke__memory_release(block);
    return YOKE_OK;
}

yoke__block *yoke__memory_hold(const void *at, size_t bytes)
{
    pthread_mutex_lock(&lock);
    yoke__block *_Atomic *link = link_to(at);
    yoke__block *block = link != NULL ? atomic_load_explicit(link, memory_order_relaxed) : NULL;
    if (block != NULL && bytes > block->bytes - ((uintptr_t)at - (uintptr_t)block->start))
        block = NULL;
    if (block != NULL)
        atomic_fetch_add(&block->holders, 1);
    pthread_mutex_unlock(&lock);
    return block;
}

void yoke__memory_release(yoke__block *block)
{
    if (block == NULL || atomic_fetch_sub(&block->holders, 1) != 1)
        return;
    residency_free(&block->residency);
    if (yoke__block_is_shared(block))
        yoke__shared_release(block->sharing);
    else
        yoke__unmap_pages(block->start, block->bytes);
    yoke__free(block);
}

void yoke__memory_keep(yoke__block *block)
{
    pthread_mutex_lock(&lock);
    if (!block->kept) {
        block->kept = true;
        block->next_kept = kept;
        kept = block;
    }
    pthread_mutex_unlock(&lock);
}

void *yoke__block_start(const yoke__block *block)
{
    return block->start;
}

size_t yoke__block_bytes(const yoke__block *block)
{
    return block->bytes;
}

yoke_placement yoke__block_placement(const yoke__block *block, int *status, const char **detail)
{
    *status = block->refusal;
    *detail = block->detail;
    return block->requested;
}

unsigned yoke__block_moves(const yoke__block *block)
{
    return atomic_load(&block->moves);
}

bool yoke__block_is_shared(const yoke__block *block)
{
    return block->sharing != NULL;
}

bool yoke__block_is_freed(const yoke__block *block)
{
    return atomic_load_explicit(&block->freed, memory_order_acquire);
}

/* Part by part, for the kernel moves no range over the border of two policies; the fresh pages follow the old policy. */
static int replace_parts(yoke__block *block)
{
    for (size_t k = 0; k < block->part_count; k++) {
        unsigned char *at = block->start + block->parts[k].begin;
        const size_t bytes = block->parts[k].end - block->parts[k].begin;
        const void *moved = yoke__move_pages_away(at, bytes);
        if (moved == NULL)
            return yoke__fail(YOKE_ENOMEM,
                              "the pages of %p could not be replaced: no memory, or a kernel before Linux 5.7",
                              (void *)block->start);
        memcpy(at, moved, bytes);
        atomic_fetch_add(&block->moves, 1);
    }
    return YOKE_OK;
}

int yoke__block_replace_pages(yoke__block *block)
{
    if (yoke__block_is_shared(block))
        return yoke__fail(YOKE_ENOMEM, "the pages of %p could not be replaced: other processes have them, too",
                          (void *)block->start);
    yoke__memory_guard_open(block, (yoke__span){0, block->bytes});
    const int status = replace_parts(block);
    yoke__memory_guard_close(block);
    return status;
}

/* --- watchers --- */

int yoke__memory_watch(void (*freed)(void *context, const yoke__block *block), void *context)
{
    bool done = false;
    pthread_mutex_lock(&lock);
    for (size_t k = 0; k < WATCHERS && !done; k++)
        if (watchers[k].freed == NULL && atomic_load(&watchers[k].calls) == 0) {
            watchers[k].freed = freed;
            watchers[k].context = context;
            done = true;
        }
    pthread_mutex_unlock(&lock);
    return done ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "more than %d watch memory; close runtimes", WATCHERS);
}

void yoke__memory_unwatch(void (*freed)(void *context, const yoke__block *block), void *context)
{
    atomic_uint *calls = NULL;
    pthread_mutex_lock(&lock);
    for (size_t k = 0; k < WATCHERS && calls == NULL; k++)
        if (watchers[k].freed == freed && watchers[k].context == context) {
            watchers[k].freed = NULL;
            calls = &watchers[k].calls;
        }
    pthread_mutex_unlock(&lock);
    while (calls != NULL && atomic_load(calls) != 0) /* a new watcher takes the place only when there are none */
        (void)sched_yield();
}
