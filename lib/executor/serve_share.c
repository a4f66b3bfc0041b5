/* Shared arrays in a worker process: mapped at the program's addresses, or not at all. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/executor/process.h"

#if !defined(MAP_FIXED_NOREPLACE)
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* 0, or an errno; EEXIST: something else is there. */
static int map_one(uint64_t start, uint64_t bytes, int64_t advice, int file)
{
    void *wanted = (void *)(uintptr_t)start;
    void *at = mmap(wanted, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
    if (at == MAP_FAILED)
        return errno;
    if (at != wanted) { /* Linux before 4.17 does not know the flag */
        (void)munmap(at, bytes);
        return EEXIST;
    }
    if (advice != 0)
        (void)madvise(at, bytes, (int)advice);
    return 0;
}

static void unmap_first(const arrays *a, uint64_t count)
{
    for (uint64_t k = 0; k < count; k++)
        (void)munmap((void *)(uintptr_t)a->array[k].start, a->array[k].bytes);
}

void yoke__serve_arrays(const arrays *a, const int *files, size_t count, reply *answer)
{
    int failed = 0;
    *answer = (reply){.magic = MESSAGE_MAGIC, .kind = REPLY_MAPPED};
    if (a->kind == REQUEST_UNMAP) {
        unmap_first(a, a->count);
    } else if (count != a->count) {
        failed = EMFILE; /* the others would have been beyond the limit of descriptors */
    } else {
        uint64_t mapped = 0;
        while (mapped < count && failed == 0) {
            failed = map_one(a->array[mapped].start, a->array[mapped].bytes, a->array[mapped].advice, files[mapped]);
            mapped += failed == 0;
        }
        if (failed != 0)
            unmap_first(a, mapped);
    }
    for (size_t k = 0; k < count; k++)
        (void)close(files[k]);
    if (failed != 0) {
        answer->kind = failed == EEXIST ? REPLY_OCCUPIED : REPLY_REFUSED;
        answer->status = failed;
    }
}
