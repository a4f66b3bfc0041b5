/* What /proc says of this process's threads and files, for tests of the team. */
#ifndef YOKE_TESTS_UNIT_THREADS_H
#define YOKE_TESTS_UNIT_THREADS_H

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support.h"

static inline unsigned entries_of(const char *folder)
{
    DIR *directory = opendir(folder);
    unsigned count = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    return count;
}

static inline unsigned thread_count(void)
{
    return entries_of("/proc/self/task");
}

static inline unsigned file_count(void)
{
    return entries_of("/proc/self/fd");
}

static inline bool read_proc(char *text, size_t capacity, const char *format, ...)
{
    char path[128];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, capacity - 1, file);
    text[length] = '\0';
    fclose(file);
    return length > 0;
}

enum { CHILD_SECONDS = 60 };

/* Asks a forked child whether good(argument) holds; 0 is yes, and what waitpid() tells otherwise. */
__attribute__((unused)) static int child_says(bool (*good)(void *argument), void *argument)
{
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        _exit(good(argument) ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* Resident set, in KiB. */
static inline long resident_kib(void)
{
    char text[4096];
    assert_true(read_proc(text, sizeof text, "/proc/self/status"));
    const char *line = strstr(text, "VmRSS:");
    assert_non_null(line);
    return strtol(line + 6, NULL, 10);
}

/* Calls visit(tid, worker number, argument) for every thread called yoke/<number>; returns how many there are. */
static inline unsigned each_worker(void (*visit)(long tid, unsigned worker, void *argument), void *argument)
{
    DIR *directory = opendir("/proc/self/task");
    unsigned count = 0;
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        long tid = strtol(entry->d_name, NULL, 10);
        char name[64];
        if (tid == 0 || !read_proc(name, sizeof name, "/proc/self/task/%ld/comm", tid))
            continue;
        if (strncmp(name, "yoke/", 5) != 0)
            continue;
        count++;
        if (visit != NULL)
            visit(tid, (unsigned)strtoul(name + 5, NULL, 10), argument);
    }
    closedir(directory);
    return count;
}

/* Whether there are so many threads, or workers, now or soon: pthread_join returns a little before a thread has left
 * /proc, and under an emulator a good while before. Fewer will do, for threads of an earlier test may still have been
 * leaving when they were counted; one that stays is seen by what repeats. */
static inline bool threads_become(unsigned count)
{
    unsigned looks = 0;
    while (thread_count() > count && looks < 1000) {
        sleep_ns(1000000);
        looks++;
    }
    return looks < 1000;
}

static inline bool workers_become(unsigned count)
{
    unsigned looks = 0;
    while (each_worker(NULL, NULL) != count && looks < 1000) {
        sleep_ns(1000000);
        looks++;
    }
    return looks < 1000;
}

/* A test that hangs must say where: every watched test calls this first, and alarm_off() last. */
static inline void alarm_in(unsigned seconds)
{
    alarm(SANITIZED ? 5 * seconds : seconds);
}

static inline void alarm_off(void)
{
    alarm(0);
}

#endif
