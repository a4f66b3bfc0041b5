/* A stealable range of units in one atomic word: begin in the low half, end in the high half. The owner takes from
 * the front, thieves take the back half. Whoever succeeds has claimed units of whatever job the word belongs to now;
 * a word is not empty only while its job is unfinished, so a claim proves that the job is alive, and there is no
 * ABA. (Chase and Lev, "Dynamic circular work-stealing deque", has the general case, where tasks are not a range.)
 *
 * A late worker of the last job may steal from the first range of the next one while the others are still being
 * filled, and put its loot into its own. So a job's ranges are all written closed before the first is opened, and
 * loot is put only into a range that is empty, never into a closed one. */
#ifndef YOKE_RANGE_H
#define YOKE_RANGE_H

#include "lib/base/base.h"

typedef struct yoke__claim {
    uint32_t begin, end;
} yoke__claim;

enum { YOKE__RANGE_UNITS = INT32_MAX }; /* more do not fit: the top bit says closed */
#define YOKE__RANGE_CLOSED (UINT64_C(1) << 63)

static inline uint64_t yoke__range_pack(uint32_t begin, uint32_t end)
{
    return (uint64_t)end << 32 | begin;
}

static inline yoke__claim yoke__range_unpack(uint64_t word)
{
    return (yoke__claim){(uint32_t)word, (uint32_t)(word >> 32)};
}

static inline bool yoke__range_has_units(uint64_t word)
{
    yoke__claim all = yoke__range_unpack(word);
    return (word & YOKE__RANGE_CLOSED) == 0 && all.begin < all.end;
}

/* Claims up to `grain` units from the front. False when the range is empty. */
static inline bool yoke__range_take(_Atomic uint64_t *range, uint32_t grain, yoke__claim *claim)
{
    uint64_t seen = atomic_load_explicit(range, memory_order_relaxed);
    for (;;) {
        yoke__claim all = yoke__range_unpack(seen);
        if (!yoke__range_has_units(seen))
            return false;
        uint32_t count = all.end - all.begin < grain ? all.end - all.begin : grain;
        *claim = (yoke__claim){all.begin, all.begin + count};
        if (atomic_compare_exchange_weak_explicit(range, &seen, yoke__range_pack(claim->end, all.end),
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
}

/* Claims the back half (at least one unit) of a range. False when it is empty. */
static inline bool yoke__range_steal(_Atomic uint64_t *range, yoke__claim *claim)
{
    uint64_t seen = atomic_load_explicit(range, memory_order_relaxed);
    for (;;) {
        yoke__claim all = yoke__range_unpack(seen);
        if (!yoke__range_has_units(seen))
            return false;
        uint32_t middle = all.begin + (all.end - all.begin) / 2;
        *claim = (yoke__claim){middle, all.end};
        if (atomic_compare_exchange_weak_explicit(range, &seen, yoke__range_pack(all.begin, middle),
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
}

/* Puts [begin, end) into a range if that is empty. False when it is closed or has units. */
static inline bool yoke__range_put(_Atomic uint64_t *range, uint32_t begin, uint32_t end)
{
    uint64_t seen = atomic_load_explicit(range, memory_order_relaxed);
    if ((seen & YOKE__RANGE_CLOSED) != 0 || yoke__range_has_units(seen))
        return false;
    return atomic_compare_exchange_strong_explicit(range, &seen, yoke__range_pack(begin, end), memory_order_acq_rel,
                                                   memory_order_relaxed);
}

#endif
