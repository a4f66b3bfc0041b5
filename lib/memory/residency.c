/* Which copies of a block are valid: a sorted list of intervals, each with a mask. */
#include <stdio.h>
#include <string.h>

#include "lib/memory/block.h"

enum { FIRST_CAPACITY = 16 };

_Atomic size_t yoke__memory_away;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all blocks: it is held for some list entries only */

static void renew_lock(yoke__block *block, void *context)
{
    (void)context;
    (void)pthread_mutex_init(&block->residency.fetching, NULL);
    atomic_store(&block->opened, 0);
}

void residency_in_child(void)
{
    pthread_mutex_unlock(&lock); /* this thread's, from before the fork */
    blocks_visit(renew_lock, NULL);
}

void residency_lock(void)
{
    pthread_mutex_lock(&lock);
}

void residency_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

bool residency_try_lock(void)
{
    return pthread_mutex_trylock(&lock) == 0;
}

void residency_init(residency *r)
{
    *r = (residency){.list = NULL};
    (void)pthread_mutex_init(&r->fetching, NULL);
}

void residency_free(residency *r)
{
    if (r->away)
        atomic_fetch_sub(&yoke__memory_away, 1);
    (void)pthread_mutex_destroy(&r->fetching);
    yoke__free(r->list);
}

/* --- the list --- */

size_t residency_end(const yoke__block *block, size_t k)
{
    const residency *r = &block->residency;
    return k + 1 < r->count ? r->list[k + 1].begin : block->bytes;
}

/* The interval that holds `at`. */
size_t residency_find(const residency *r, size_t at)
{
    size_t low = 0, high = r->count; /* list[low].begin <= at */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (r->list[middle].begin <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The interval that begins at `at`, made if need be; `count` at the block's end. */
static size_t split(yoke__block *block, size_t at)
{
    residency *r = &block->residency;
    if (at >= block->bytes)
        return r->count;
    const size_t k = residency_find(r, at);
    if (r->list[k].begin == at)
        return k;
    memmove(&r->list[k + 2], &r->list[k + 1], (r->count - k - 1) * sizeof *r->list);
    r->list[k + 1] = (interval){at, r->list[k].valid};
    r->count++;
    return k + 1;
}

static void join_equals(residency *r)
{
    size_t kept = 0;
    for (size_t k = 1; k < r->count; k++)
        if (r->list[k].valid != r->list[kept].valid)
            r->list[++kept] = r->list[k];
    r->count = kept + 1;
}

static void note_away(residency *r)
{
    const bool away = r->count != 1 || r->list[0].valid != HOST_BIT || r->expected > 0;
    if (away != r->away) /* seen by those whom the program made wait for this */
        atomic_fetch_add(&yoke__memory_away, away ? 1 : (size_t)-1);
    r->away = away;
}

static void finish(yoke__block *block, yoke__span span)
{
    join_equals(&block->residency);
    note_away(&block->residency);
    if (guard_is_on())
        guard_update(block, span);
}

static void change(yoke__block *block, yoke__span span, uint32_t clear, uint32_t set)
{
    residency *r = &block->residency;
    if (r->list == NULL || span.begin >= span.end)
        return;
    const size_t first = split(block, span.begin), last = split(block, span.end);
    for (size_t k = first; k < last; k++)
        r->list[k].valid = (r->list[k].valid & ~clear) | set;
    finish(block, span);
}

static int make_room(residency *r, size_t needed)
{
    if (needed <= r->capacity)
        return YOKE_OK;
    size_t capacity = r->capacity > 0 ? r->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    interval *grown = yoke__alloc_zeroed(capacity, sizeof *grown);
    if (grown == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory to note where parts of an array are");
    if (r->list != NULL)
        memcpy(grown, r->list, r->count * sizeof *grown);
    else
        grown[0] = (interval){0, HOST_BIT}, r->count = 1;
    yoke__free(r->list);
    r->list = grown;
    r->capacity = capacity;
    return YOKE_OK;
}

/* --- notes --- */

int yoke__residency_reserve(yoke__block *block, size_t notes)
{
    residency *r = &block->residency;
    pthread_mutex_lock(&lock);
    const int status = make_room(r, r->count + 2 * (r->claims + notes) + 1); /* a note splits at two places */
    if (status == YOKE_OK)
        r->claims += notes;
    pthread_mutex_unlock(&lock);
    return status;
}

void yoke__residency_unreserve(yoke__block *block, size_t notes)
{
    pthread_mutex_lock(&lock);
    block->residency.claims -= notes;
    pthread_mutex_unlock(&lock);
}

static void note(yoke__block *block, yoke__span span, uint32_t clear, uint32_t set)
{
    pthread_mutex_lock(&lock);
    change(block, span, clear, set);
    pthread_mutex_unlock(&lock);
}

void yoke__residency_copied(yoke__block *block, unsigned home, yoke__span span)
{
    note(block, span, 0, UINT32_C(1) << home);
}

static void expect(residency *r, int step)
{
    pthread_mutex_lock(&lock);
    r->expected += (size_t)step;
    note_away(r);
    pthread_mutex_unlock(&lock);
}

int yoke__residency_expect(yoke__block *block, uint64_t *writes)
{
    const int status = yoke__residency_reserve(block, 1);
    if (status != YOKE_OK)
        return status;
    expect(&block->residency, 1);
    pthread_mutex_lock(&lock);
    *writes = block->residency.writes;
    pthread_mutex_unlock(&lock);
    return YOKE_OK;
}

void yoke__residency_unexpect(yoke__block *block)
{
    expect(&block->residency, -1);
    yoke__residency_unreserve(block, 1);
}

void yoke__residency_copied_of(yoke__block *block, unsigned home, yoke__span span, uint64_t writes)
{
    pthread_mutex_lock(&lock);
    if (block->residency.writes == writes)
        change(block, span, 0, UINT32_C(1) << home);
    pthread_mutex_unlock(&lock);
}

void yoke__residency_written(yoke__block *block, unsigned home, yoke__span span)
{
    residency *r = &block->residency;
    pthread_mutex_lock(&lock);
    r->writes++;
    r->overtaken |= span.begin < r->arriving.end && r->arriving.begin < span.end;
    change(block, span, UINT32_MAX, UINT32_C(1) << home);
    pthread_mutex_unlock(&lock);
}

void yoke__residency_spoiled(yoke__block *block, unsigned home, yoke__span span)
{
    note(block, span, UINT32_C(1) << home, 0);
}

void yoke__residency_dropped(yoke__block *block, unsigned home)
{
    note(block, (yoke__span){0, block->bytes}, UINT32_C(1) << home, 0); /* splits nothing */
}

void residency_expect(yoke__block *block, yoke__span span)
{
    pthread_mutex_lock(&lock);
    block->residency.arriving = span;
    block->residency.overtaken = false;
    pthread_mutex_unlock(&lock);
}

void residency_arrived(yoke__block *block, yoke__span part)
{
    pthread_mutex_lock(&lock);
    if (!block->residency.overtaken)
        change(block, part, 0, HOST_BIT);
    pthread_mutex_unlock(&lock);
}

bool residency_give_up(yoke__block *block, unsigned home)
{
    const residency *r = &block->residency;
    const uint32_t bit = UINT32_C(1) << home;
    bool only = false;
    pthread_mutex_lock(&lock);
    for (size_t k = 0; r->list != NULL && k < r->count; k++)
        only |= r->list[k].valid == bit;
    if (!only)
        change(block, (yoke__span){0, block->bytes}, bit, 0);
    pthread_mutex_unlock(&lock);
    return !only;
}

void yoke__residency_lent(yoke__block *block, yoke__span span)
{
    residency *r = &block->residency;
    pthread_mutex_lock(&lock);
    if (r->list != NULL && span.begin < span.end) {
        const size_t first = split(block, span.begin), last = split(block, span.end);
        for (size_t k = first; k < last; k++)
            if (r->list[k].valid != HOST_BIT)
                r->list[k].valid &= ~(uint32_t)HOST_BIT;
        finish(block, span);
    }
    pthread_mutex_unlock(&lock);
}

/* --- questions --- */

bool residency_is_away(yoke__block *block)
{
    pthread_mutex_lock(&lock);
    const bool away = block->residency.away;
    pthread_mutex_unlock(&lock);
    return away;
}

bool yoke__residency_missing(yoke__block *block, unsigned home, yoke__span span, yoke__span *part, uint32_t *holders)
{
    const residency *r = &block->residency;
    bool found = false;
    pthread_mutex_lock(&lock);
    for (size_t k = r->list != NULL && span.begin < span.end ? residency_find(r, span.begin) : r->count;
         k < r->count && r->list[k].begin < span.end && !found; k++) {
        const size_t end = residency_end(block, k);
        found = (r->list[k].valid >> home & 1) == 0;
        part->begin = r->list[k].begin > span.begin ? r->list[k].begin : span.begin;
        part->end = end < span.end ? end : span.end;
        *holders = r->list[k].valid;
    }
    if (r->list == NULL && home != YOKE__HOST && span.begin < span.end) {
        found = true;
        *part = span;
        *holders = HOST_BIT;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

size_t yoke__residency_missing_bytes(yoke__block *block, unsigned home, yoke__span span)
{
    size_t sum = 0;
    yoke__span part;
    uint32_t holders;
    while (yoke__residency_missing(block, home, span, &part, &holders)) {
        sum += part.end - part.begin;
        span.begin = part.end;
    }
    return sum;
}

/* --- names --- */

void yoke__block_used_as(yoke__block *block, const char *parameter, const char *kernel)
{
    residency *r = &block->residency;
    pthread_mutex_lock(&lock);
    (void)snprintf(r->used_as, sizeof r->used_as, "%.40s of kernel %.40s", parameter, kernel);
    pthread_mutex_unlock(&lock);
}

void yoke__block_name(const yoke__block *block, char *name, size_t size)
{
    char whole[NAME_LENGTH];
    block_name(block, whole);
    (void)snprintf(name, size, "%s", whole);
}

int yoke_name_array(void *memory, const char *name)
{
    yoke__block *block = memory != NULL ? yoke__memory_hold(memory, 1) : NULL;
    if (block == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_name_array: %p is not memory of yoke_alloc", memory);
    residency *r = &block->residency;
    pthread_mutex_lock(&lock);
    (void)snprintf(r->name, sizeof r->name, "%s", name != NULL ? name : "");
    pthread_mutex_unlock(&lock);
    yoke__memory_release(block);
    return YOKE_OK;
}

void block_name(const yoke__block *block, char name[NAME_LENGTH])
{
    const residency *r = &block->residency;
    pthread_mutex_lock(&lock);
    if (r->name[0] != '\0' || r->used_as[0] != '\0')
        (void)snprintf(name, NAME_LENGTH, "%s", r->name[0] != '\0' ? r->name : r->used_as);
    else
        (void)snprintf(name, NAME_LENGTH, "array at %p", (void *)block->start);
    pthread_mutex_unlock(&lock);
}
