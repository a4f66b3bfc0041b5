/* The memories of devices that hold copies of blocks, and fetching from them. */
#include <sched.h>
#include <time.h>

#include "lib/memory/block.h"

enum { PAUSE_NS = 100000 };

typedef struct open_home {
    yoke__home home;
    bool is_open, is_lost;
    unsigned forks;    /* yoke__fork_count() of the process that opened it */
    atomic_uint calls; /* of fetch, under way; counted up under the lock only */
} open_home;

static open_home homes[YOKE__HOMES + 1]; /* 0 is the host */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void homes_in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    for (unsigned h = 1; h <= YOKE__HOMES; h++)
        atomic_store(&homes[h].calls, 0);
}

/* --- opening and losing --- */

unsigned yoke__home_open(const yoke__home *home)
{
    unsigned found = 0;
    pthread_mutex_lock(&lock);
    for (unsigned h = 1; h <= YOKE__HOMES && found == 0; h++)
        if (!homes[h].is_open && atomic_load(&homes[h].calls) == 0)
            found = h;
    if (found != 0) {
        homes[found].home = *home;
        homes[found].is_open = true;
        homes[found].is_lost = false;
        homes[found].forks = yoke__fork_count();
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void drop_from(yoke__block *block, void *context)
{
    yoke__residency_dropped(block, *(const unsigned *)context);
}

void yoke__home_lost(unsigned home)
{
    pthread_mutex_lock(&lock);
    homes[home].is_lost = true;
    pthread_mutex_unlock(&lock);
    blocks_visit(drop_from, &home);
}

void yoke__home_close(unsigned home)
{
    yoke__home_lost(home);
    while (atomic_load(&homes[home].calls) != 0)
        (void)sched_yield();
    pthread_mutex_lock(&lock);
    homes[home].is_open = false;
    pthread_mutex_unlock(&lock);
}

/* --- fetching --- */

/* 0 with a copy of the home, which end_call() gives back; EFORKED; ENODEV when it is no more. */
static int begin_call(unsigned h, yoke__home *home)
{
    int status = YOKE_ENODEV;
    pthread_mutex_lock(&lock);
    if (homes[h].is_open && !homes[h].is_lost)
        status = homes[h].forks == yoke__fork_count() ? YOKE_OK : YOKE_EFORKED;
    if (status == YOKE_OK) {
        *home = homes[h].home;
        atomic_fetch_add(&homes[h].calls, 1);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static void end_call(unsigned h)
{
    atomic_fetch_sub(&homes[h].calls, 1);
}

static int fail_lost(const yoke__block *block)
{
    char name[NAME_LENGTH];
    block_name(block, name);
    return yoke__fail(YOKE_ELOST,
                      "%s: its only valid copy was on a device that failed; write it anew (yoke_write), or let calls "
                      "that must not lose it write back (YOKE_WRITE_BACK)",
                      name);
}

static int fail_forked(const yoke__block *block)
{
    char name[NAME_LENGTH];
    block_name(block, name);
    return yoke__fail(YOKE_EFORKED,
                      "%s: its valid copy stayed on a device of the parent process; yoke_read() it there "
                      "before the fork",
                      name);
}

/* One part, from one of those that have it. */
static int fetch_part(yoke__block *block, yoke__span part, unsigned from, const yoke__alive *alive)
{
    yoke__home home;
    int status = begin_call(from, &home);
    if (status == YOKE_EFORKED)
        return fail_forked(block);
    if (status != YOKE_OK) {
        yoke__residency_dropped(block, from);
        return YOKE_OK; /* another may have it */
    }
    status = yoke__residency_reserve(block, 1);
    if (status == YOKE_OK) {
        status = home.fetch(home.context, block, part, alive);
        if (status == YOKE_OK)
            residency_arrived(block, part);
        yoke__residency_unreserve(block, 1);
    }
    end_call(from);
    return status;
}

static int fetch_all(yoke__block *block, yoke__span span, const yoke__alive *alive)
{
    yoke__span part;
    uint32_t holders;
    int status = YOKE_OK;
    while (status == YOKE_OK) {
        residency_expect(block, span);
        if (!yoke__residency_missing(block, YOKE__HOST, span, &part, &holders))
            return YOKE_OK;
        if (holders == 0)
            return fail_lost(block);
        const unsigned from = (unsigned)__builtin_ctz(holders);
        status = fetch_part(block, part, from, alive);
        if (status == YOKE_OK || status == YOKE_ECANCELED || status == YOKE_EFORKED || status == YOKE_ENOMEM)
            continue;
        uint32_t left = 0; /* a home that failed gave up all copies */
        if (!yoke__residency_missing(block, YOKE__HOST, part, &part, &left) || (left >> from & 1) == 0)
            status = YOKE_OK;
    }
    return status;
}

/* False: the caller is to wait no longer. */
static bool lock_fetching(yoke__block *block, const yoke__alive *alive)
{
    pthread_mutex_t *mutex = &block->residency.fetching;
    if (alive == NULL)
        return pthread_mutex_lock(mutex) == 0;
    while (pthread_mutex_trylock(mutex) != 0) {
        const struct timespec pause = {.tv_nsec = PAUSE_NS};
        if (!alive->still(alive->context))
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

int yoke__memory_to_host(yoke__block *block, yoke__span span, const yoke__alive *alive)
{
    yoke__span part;
    uint32_t holders;
    if (!yoke__residency_missing(block, YOKE__HOST, span, &part, &holders))
        return YOKE_OK;
    if (!lock_fetching(block, alive))
        return YOKE_ECANCELED;
    int status = fetch_all(block, span, alive);
    (void)pthread_mutex_unlock(&block->residency.fetching);
    return status;
}

/* The next part that only `home` has. */
static bool find_only(yoke__block *block, unsigned home, yoke__span left, yoke__span *part)
{
    uint32_t holders;
    while (yoke__residency_missing(block, YOKE__HOST, left, part, &holders)) {
        if (holders == UINT32_C(1) << home)
            return true;
        left.begin = part->end;
    }
    return false;
}

int yoke__memory_leave(yoke__block *block, unsigned home, const yoke__alive *alive)
{
    const yoke__span whole = {0, block->bytes};
    yoke__span part;
    int status = YOKE_OK;
    while (status == YOKE_OK && !residency_give_up(block, home))
        if (find_only(block, home, whole, &part))
            status = yoke__memory_to_host(block, part, alive);
    return status;
}

int yoke__memory_for_host(yoke__block *block, yoke__span span, bool keeps, const yoke__alive *alive)
{
    if (!lock_fetching(block, alive))
        return YOKE_ECANCELED;
    int status = keeps ? fetch_all(block, span, alive) : YOKE_OK;
    if (status == YOKE_OK)
        status = yoke__residency_reserve(block, 1);
    if (status == YOKE_OK) {
        yoke__residency_written(block, YOKE__HOST, span);
        yoke__residency_unreserve(block, 1);
    }
    (void)pthread_mutex_unlock(&block->residency.fetching);
    return status;
}

/* --- the program's --- */

enum { READS = 1, WRITES = 2, ALL = 4 };

/* ALL: of the array, whatever `bytes`. What Yoke did not allocate is the host's always. */
static bool for_host(const void *memory, size_t bytes, unsigned access)
{
    if (memory == NULL) {
        yoke__fail(YOKE_EINVAL, "the array is NULL; give memory of yoke_alloc");
        return false;
    }
    if (!yoke__memory_is_away())
        return true;
    yoke__block *block = yoke__memory_hold(memory, 1);
    if (block == NULL)
        return true;
    yoke__span span = {0, yoke__block_bytes(block)};
    if ((access & ALL) == 0) {
        span.begin = (size_t)((uintptr_t)memory - (uintptr_t)yoke__block_start(block));
        if (bytes > span.end - span.begin) {
            yoke__memory_release(block);
            yoke__fail(YOKE_EINVAL, "%zu bytes from %p reach beyond the array's end", bytes, memory);
            return false;
        }
        span.end = span.begin + bytes;
    }
    int status = (access & WRITES) != 0 ? yoke__memory_for_host(block, span, (access & READS) != 0, NULL)
                                        : yoke__memory_to_host(block, span, NULL);
    yoke__memory_release(block);
    return status == YOKE_OK;
}

const void *yoke_read(const void *memory)
{
    return for_host(memory, 0, READS | ALL) ? memory : NULL;
}

void *yoke_write(void *memory)
{
    return for_host(memory, 0, WRITES | ALL) ? memory : NULL;
}

void *yoke_update(void *memory)
{
    return for_host(memory, 0, READS | WRITES | ALL) ? memory : NULL;
}

const void *yoke_read_range(const void *memory, size_t bytes)
{
    return for_host(memory, bytes, READS) ? memory : NULL;
}

void *yoke_write_range(void *memory, size_t bytes)
{
    return for_host(memory, bytes, WRITES) ? memory : NULL;
}

void *yoke_update_range(void *memory, size_t bytes)
{
    return for_host(memory, bytes, READS | WRITES) ? memory : NULL;
}
