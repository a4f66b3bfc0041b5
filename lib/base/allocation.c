/* The one seam through which lib/ allocates, so that tests can make the n-th allocation fail. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/base.h"

#if !defined(MFD_NOEXEC_SEAL)
#define MFD_NOEXEC_SEAL 8U
#endif

static atomic_ulong countdown; /* calls until the failing one; 0: none fails */
static atomic_bool sticky;

void yoke__alloc_fail_at(unsigned long nth, bool for_ever)
{
    atomic_store(&sticky, for_ever);
    atomic_store(&countdown, nth);
}

static bool must_fail(void)
{
    unsigned long left = atomic_load(&countdown);
    while (left != 0) {
        unsigned long next = left == 1 && atomic_load(&sticky) ? 1 : left - 1;
        if (atomic_compare_exchange_weak(&countdown, &left, next))
            return left == 1;
    }
    return false;
}

void *yoke__alloc(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes);
}

void *yoke__alloc_zeroed(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count, size);
}

void *yoke__alloc_aligned(size_t alignment, size_t bytes)
{
    void *memory = NULL;
    if (must_fail() || posix_memalign(&memory, alignment, bytes) != 0)
        return NULL;
    return memory;
}

void yoke__free(void *memory)
{
    free(memory);
}

void *yoke__map_pages(size_t bytes)
{
    if (must_fail())
        return NULL;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void *yoke__map_pages_aligned(size_t bytes, size_t alignment)
{
    size_t more;
    unsigned char *pages = yoke__add_overflows(bytes, alignment, &more) ? NULL : yoke__map_pages(more);
    if (pages == NULL)
        return NULL;
    const size_t before = (size_t)(-(uintptr_t)pages & (alignment - 1));
    if (before > 0)
        (void)munmap(pages, before);
    (void)munmap(pages + before + bytes, alignment - before);
    return pages + before;
}

void *yoke__map_guarded(size_t bytes, size_t margin)
{
    size_t all;
    if (must_fail() || __builtin_mul_overflow(margin, (size_t)2, &all) || __builtin_add_overflow(all, bytes, &all))
        return NULL;
    unsigned char *room = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    if (bytes == 0 || mprotect(room + margin, bytes, PROT_READ | PROT_WRITE) == 0)
        return room + margin;
    (void)munmap(room, all);
    return NULL;
}

void yoke__unmap_pages(void *pages, size_t bytes)
{
    (void)munmap(pages, bytes);
}

/* MREMAP_DONTUNMAP in one step: with a move and a later mmap, another thread's mmap could take the place in between. */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

void *yoke__move_pages_away(void *pages, size_t bytes)
{
    if (must_fail())
        return NULL;
    void *moved = mremap(pages, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    return moved == MAP_FAILED ? NULL : moved;
}

/* --- files of memory --- */

/* Over the limit, the kernel would not only refuse the size, but send a signal. */
static bool fits_limit(uint64_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= bytes)
        return true;
    errno = EFBIG;
    return false;
}

int yoke__memory_file(const char *label, uint64_t bytes)
{
    errno = ENOMEM;
    if (must_fail())
        return -1;
    int file = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (file < 0 && errno == EINVAL)
        file = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return -1;
    if (fits_limit(bytes) && ftruncate(file, (off_t)bytes) == 0 &&
        fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return file;
    const int error = errno;
    (void)close(file);
    errno = error;
    return -1;
}
