/* Memory that worker processes map at the same address: a sealed file each, in a list that changes by single stores, so that
 * a child forked in the middle of a change finds it whole. Addresses are asked for where no loader, stack or heap goes, so
 * that they are free in other processes, too. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/base.h"

/* Far from what 47 and 48 bits of addresses are used for otherwise, sanitizers included; elsewhere only a wish. */
static const uint64_t REGION_BEGIN = UINT64_C(0x240000000000), REGION_END = UINT64_C(0x500000000000);
enum { STEP = 2 << 20, START_BITS = 43 };

struct yoke__sharing {
    yoke__sharing *_Atomic next;
    yoke__shared what;
    unsigned forks;         /* there had been when it was made */
    _Atomic size_t holders; /* its owner is one */
};

_Atomic uint64_t yoke__shared_steps;
_Atomic(void *) yoke__shared_place_next;
static yoke__sharing *_Atomic all; /* the newest first */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t next_place;
static atomic_uint forks;

static void before_fork(void)
{
    atomic_fetch_add(&forks, 1); /* from now on two processes may have what there is */
}

static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL); /* its holder may not be here */
}

__attribute__((constructor(YOKE__FIRST))) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, NULL, in_child);
}

/* --- pages --- */

/* Other than those of other processes, for a worker has arrays of its own as well. */
static uint64_t first_place(void)
{
    uint64_t random = ((uint64_t)yoke__now_ns() ^ (uint64_t)getpid() << 32) * UINT64_C(0x9e3779b97f4a7c15);
    random >>= 64 - START_BITS;
    return REGION_BEGIN + random / STEP * STEP;
}

/* One after the other, so that what was freed is not soon another array's. */
static void *wish(size_t bytes)
{
    uint64_t before = atomic_load(&next_place), at, end;
    void *place = atomic_exchange(&yoke__shared_place_next, NULL);
    if (place != NULL)
        return place;
    do {
        at = before != 0 ? before : first_place();
        if (__builtin_add_overflow(at, (uint64_t)bytes + STEP, &end) || end > REGION_END) {
            at = REGION_BEGIN;
            end = REGION_BEGIN + bytes % (REGION_END - REGION_BEGIN) + STEP;
        }
    } while (!atomic_compare_exchange_weak(&next_place, &before, (end + STEP - 1) / STEP * STEP));
    return (void *)(uintptr_t)at;
}

static unsigned char *map_file(int file, size_t bytes, size_t alignment)
{
    const size_t more = bytes + alignment; /* less than PTRDIFF_MAX and that */
    unsigned char *room = mmap(wish(more), more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    const size_t before = (size_t)(-(uintptr_t)room & (alignment - 1));
    const void *mapped = mmap(room + before, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    if (mapped == MAP_FAILED) {
        (void)munmap(room, more);
        return NULL;
    }
    if (before > 0)
        (void)munmap(room, before);
    (void)munmap(room + before + bytes, alignment - before);
    return room + before;
}

yoke__sharing *yoke__shared_open(size_t bytes, size_t alignment)
{
    const unsigned forks_before = atomic_load(&forks);
    errno = ENOMEM;
    yoke__sharing *s = yoke__alloc_zeroed(1, sizeof *s);
    const int file = s != NULL ? yoke__memory_file("yoke-shared", bytes) : -1;
    unsigned char *start = file >= 0 ? map_file(file, bytes, alignment) : NULL;
    if (start == NULL) {
        const int error = errno;
        if (file >= 0)
            (void)close(file);
        yoke__free(s);
        yoke__fail(error == ENOMEM ? YOKE_ENOMEM : YOKE_EIO,
                   "the system refuses %zu bytes of shared memory: %s; free some, or raise its limits", bytes,
                   strerror(error));
        return NULL;
    }
    s->what = (yoke__shared){.start = start, .bytes = bytes, .file = file, .held = s};
    s->forks = forks_before;
    atomic_init(&s->holders, 1);
    return s;
}

const yoke__shared *yoke__shared_of(const yoke__sharing *s)
{
    return &s->what;
}

/* Workers that do nothing have it mapped until their next task: so the pages go now, unless a child may use them. */
void yoke__shared_release(yoke__sharing *s)
{
    if (s == NULL || atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    (void)munmap(s->what.start, s->what.bytes);
    if (s->forks == atomic_load(&forks))
        (void)fallocate(s->what.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)s->what.bytes);
    (void)close(s->what.file);
    yoke__free(s);
}

/* --- the list --- */

void yoke__shared_list(yoke__sharing *s, int advice)
{
    s->what.advice = advice;
    pthread_mutex_lock(&lock);
    s->what.number = atomic_fetch_add(&yoke__shared_steps, 1) + 1;
    atomic_init(&s->next, atomic_load_explicit(&all, memory_order_relaxed));
    atomic_store_explicit(&all, s, memory_order_release);
    pthread_mutex_unlock(&lock);
}

void yoke__shared_unlist(yoke__sharing *s)
{
    yoke__sharing *_Atomic *link = &all, *one;
    pthread_mutex_lock(&lock);
    while ((one = atomic_load_explicit(link, memory_order_relaxed)) != NULL && one != s)
        link = &one->next;
    if (one != NULL)
        atomic_store_explicit(link, atomic_load_explicit(&s->next, memory_order_relaxed), memory_order_release);
    atomic_fetch_add(&yoke__shared_steps, 1);
    pthread_mutex_unlock(&lock);
}

bool yoke__shared_has(const void *at, size_t bytes)
{
    bool found = false;
    if (atomic_load(&yoke__shared_steps) == 0)
        return false;
    pthread_mutex_lock(&lock);
    for (const yoke__sharing *s = atomic_load(&all); s != NULL && !found; s = atomic_load(&s->next)) {
        const size_t before = (uintptr_t)at - (uintptr_t)s->what.start;
        found = before < s->what.bytes && bytes <= s->what.bytes - before;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Under the lock. */
static size_t count_all(void)
{
    size_t count = 0;
    for (const yoke__sharing *s = atomic_load(&all); s != NULL; s = atomic_load(&s->next))
        count++;
    return count;
}

int yoke__shared_hold_all(yoke__shared **list, size_t *count, uint64_t *steps)
{
    yoke__shared *held = NULL;
    pthread_mutex_lock(&lock);
    size_t left = count_all();
    *steps = atomic_load(&yoke__shared_steps);
    *count = left;
    if (left > 0)
        held = yoke__alloc_zeroed(left, sizeof *held);
    if (held != NULL)
        for (yoke__sharing *s = atomic_load(&all); s != NULL; s = atomic_load(&s->next)) {
            atomic_fetch_add(&s->holders, 1);
            held[--left] = s->what;
        }
    pthread_mutex_unlock(&lock);
    *list = held;
    return left == 0 ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for a list of %zu shared arrays", left);
}
