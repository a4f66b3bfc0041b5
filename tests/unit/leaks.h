/* What a campaign may not leave behind: children, threads, descriptors, memory files, memory. */
#ifndef YOKE_TESTS_UNIT_LEAKS_H
#define YOKE_TESTS_UNIT_LEAKS_H

#include "tests/unit/processes.h"

typedef struct belongings {
    unsigned threads, files;
    long kib;
} belongings;

enum { KEPT_KIB = 16384 }; /* by the C library, which does not give all back */

static inline void *end_at_once(void *argument)
{
    return argument;
}

static inline belongings belongings_now(void)
{
    pthread_t first; /* with it comes a sanitizer's own */
    assert_int_equal(pthread_create(&first, NULL, end_at_once, NULL), 0);
    pthread_join(first, NULL);
    sleep_ns(20 * MS); /* for threads of before to be gone, see threads_become */
    return (belongings){thread_count(), file_count(), resident_kib()};
}

/* Names in a folder, or what its links point to, that hold the word. */
static inline unsigned names_with(const char *folder, const char *word)
{
    char path[512], target[256];
    DIR *directory = opendir(folder);
    unsigned count = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        const ssize_t got = readlink(path, target, sizeof target - 1);
        target[got > 0 ? got : 0] = '\0';
        count += strstr(entry->d_name, word) != NULL || strstr(target, word) != NULL;
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

static inline void assert_nothing_left(const belongings *before, const char *what)
{
    assert_no_children();
    if (is_emulated())
        return; /* /proc tells of the emulator */
    assert_true(threads_become(before->threads));
    assert_int_equal(file_count(), before->files);
    assert_int_equal(names_with("/proc/self/fd", "memfd:"), 0);
    char own[64]; /* other programs on this machine have theirs */
    (void)snprintf(own, sizeof own, "yoke-%u-%d", (unsigned)geteuid(), (int)getpid());
    assert_int_equal(names_with("/dev/shm", own), 0);
    const long grown = resident_kib() - before->kib;
    printf("%s: %u threads, %u descriptors as before, %+ld KiB\n", what, before->threads, before->files, grown);
    fflush(stdout);
    assert_true(grown < KEPT_KIB * (SANITIZED ? 100 : 1));
}

#endif
