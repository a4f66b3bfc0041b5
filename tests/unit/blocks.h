/* What the tests of lib/memory share. */
#ifndef YOKE_TESTS_UNIT_BLOCKS_H
#define YOKE_TESTS_UNIT_BLOCKS_H

#include <sys/mman.h>
#include <unistd.h>

#include "lib/memory/memory.h"
#include "tests/unit/support.h"

static size_t page;

static inline int find_page_size(void **state)
{
    (void)state;
    page = (size_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static inline unsigned char *array_of(size_t bytes)
{
    unsigned char *array = yoke_alloc(bytes, YOKE_PLACE_DEFAULT);
    assert_non_null(array);
    return array;
}

/* Whether there are pages at this address. */
static inline bool is_mapped(const void *at)
{
    return msync((void *)((uintptr_t)at / page * page), page, MS_ASYNC) == 0;
}

/* The block with this range; NULL: none. Not held any more. */
static inline yoke__block *block_at(const void *at, size_t bytes)
{
    yoke__block *block = yoke__memory_hold(at, bytes);
    yoke__memory_release(block);
    return block;
}

#endif
