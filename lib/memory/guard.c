/* For checks: pages of which the host has no valid copy cannot be accessed, and those of which a device has one, too, cannot
 * be written to. */
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/memory/block.h"

enum { TRIES = 1000, PAUSE_NS = 1000000 };

static atomic_uint guards; /* who asked for it */

bool guard_is_on(void)
{
    return atomic_load(&guards) != 0;
}

/* --- protection, all under the lock of residency.c --- */

/* What cannot be divided any more (there is a limit on mappings) is one again. */
static void protect(yoke__block *block, size_t begin, size_t end, int protection)
{
    if (mprotect(block->start + begin, end - begin, protection) == 0 || block->unguarded)
        return;
    block->unguarded = true;
    (void)mprotect(block->start, block->bytes, PROT_READ | PROT_WRITE);
}

static int protection_of(uint32_t valid)
{
    if ((valid & HOST_BIT) == 0)
        return PROT_NONE;
    return valid == HOST_BIT ? PROT_READ | PROT_WRITE : PROT_READ;
}

/* A page with parts of two intervals is left open. */
void guard_update(yoke__block *block, yoke__span span)
{
    const residency *r = &block->residency;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t at = span.begin / page * page;
    const size_t end = (span.end + page - 1) / page * page;
    if (block->unguarded || at >= end)
        return;
    if (atomic_load(&block->opened) != 0 || r->list == NULL) {
        protect(block, at, end, PROT_READ | PROT_WRITE);
        return;
    }
    while (at < end) {
        const size_t k = residency_find(r, at);
        size_t to = residency_end(block, k) / page * page;
        const bool divided = to <= at;
        to = divided ? at + page : to < end ? to : end;
        protect(block, at, to, divided ? PROT_READ | PROT_WRITE : protection_of(r->list[k].valid));
        at = to;
    }
}

static void update_all(yoke__block *block, void *context)
{
    (void)context;
    residency_lock();
    if (guard_is_on())
        guard_update(block, (yoke__span){0, block->bytes});
    else if (!block->unguarded)
        protect(block, 0, block->bytes, PROT_READ | PROT_WRITE);
    residency_unlock();
}

/* --- on and off --- */

void yoke__memory_guard(void)
{
    if (atomic_fetch_add(&guards, 1) == 0)
        blocks_visit(update_all, NULL);
}

void yoke__memory_unguard(void)
{
    if (atomic_fetch_sub(&guards, 1) == 1)
        blocks_visit(update_all, NULL);
}

/* Counted before one looks whether guards are on, and those who turn them on count after that: one sees the other. */
void yoke__memory_guard_open(yoke__block *block, yoke__span span)
{
    atomic_fetch_add(&block->opened, 1);
    if (!guard_is_on())
        return;
    residency_lock();
    guard_update(block, span);
    residency_unlock();
}

void yoke__memory_guard_close(yoke__block *block)
{
    if (atomic_fetch_sub(&block->opened, 1) == 1 && guard_is_on())
        update_all(block, NULL);
}

/* --- for those who handle a fault --- */

static bool wait_for(bool (*try)(void))
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    for (int k = 0; k < TRIES; k++) {
        if (try())
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static bool describe(const yoke__block *block, const void *at, yoke__forgotten *found)
{
    const residency *r = &block->residency;
    found->offset = (uintptr_t)at - (uintptr_t)block->start;
    if (r->list == NULL)
        return false;
    const uint32_t valid = r->list[residency_find(r, found->offset)].valid;
    found->is_stale = (valid & HOST_BIT) == 0;
    found->is_lost = valid == 0;
    if (r->name[0] != '\0' || r->used_as[0] != '\0')
        (void)snprintf(found->name, sizeof found->name, "%s", r->name[0] != '\0' ? r->name : r->used_as);
    else
        (void)snprintf(found->name, sizeof found->name, "the array at %p", (void *)block->start);
    return valid != HOST_BIT;
}

bool yoke__memory_guard_find(const void *at, yoke__forgotten *found)
{
    bool is_ours = false;
    if (!guard_is_on() || !wait_for(blocks_try_lock))
        return false;
    const yoke__block *block = blocks_find(at);
    if (block != NULL && wait_for(residency_try_lock)) {
        is_ours = describe(block, at, found);
        residency_unlock();
    }
    blocks_unlock();
    return is_ours;
}
