/* Reading the counters of another program. It may end at any moment, and write anything: the file is copied, and each value
 * is judged. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/trace/counters.h"

struct yoke_watch {
    int file;
    long process;
    counters_file copy;
};

static bool is_alive(long process)
{
    return kill((pid_t)process, 0) == 0 || errno == EPERM;
}

int yoke_watchable(long *pids, unsigned capacity)
{
    char start[32];
    unsigned count = 0;
    if (pids == NULL && capacity > 0)
        return yoke__fail(YOKE_EINVAL, "pids is NULL; give room for %u", capacity);
    const int length = snprintf(start, sizeof start, "yoke-%ld-", (long)geteuid());
    DIR *folder = opendir("/dev/shm");
    if (folder == NULL)
        return yoke__fail(YOKE_EIO, "/dev/shm cannot be listed: %s", strerror(errno));
    for (struct dirent *one; (one = readdir(folder)) != NULL;) {
        unsigned long process;
        if (strncmp(one->d_name, start, (size_t)length) != 0 ||
            !yoke__parse_unsigned(one->d_name + length, 1, INT32_MAX, &process))
            continue;
        if (!is_alive((long)process)) {
            (void)unlinkat(dirfd(folder), one->d_name, 0);
            continue;
        }
        if (count < capacity)
            pids[count] = (long)process;
        count++;
    }
    (void)closedir(folder);
    return (int)count;
}

/* All of it; false when the file is too short. */
static bool copy_file(yoke_watch *watch)
{
    size_t done = 0;
    while (done < sizeof watch->copy) {
        const ssize_t some = pread(watch->file, (char *)&watch->copy + done, sizeof watch->copy - done, (off_t)done);
        if (some <= 0 && !(some < 0 && errno == EINTR))
            return false;
        done += some > 0 ? (size_t)some : 0;
    }
    return true;
}

static int check(yoke_watch *watch)
{
    struct stat what;
    if (fstat(watch->file, &what) != 0 || !S_ISREG(what.st_mode) || what.st_uid != geteuid())
        return yoke__fail(YOKE_EINVAL, "the counters of process %ld are not this user's", watch->process);
    if (!copy_file(watch) || memcmp(watch->copy.magic, COUNTERS_MAGIC, sizeof watch->copy.magic) != 0 ||
        watch->copy.version != COUNTERS_VERSION || watch->copy.bytes != sizeof watch->copy)
        return yoke__fail(YOKE_EVERSION, "process %ld uses another version of the library, or has just started",
                          watch->process);
    return YOKE_OK;
}

yoke_watch *yoke_watch_open(long pid)
{
    char path[64];
    yoke_watch *watch = yoke__alloc_aligned(YOKE_CACHE_LINE, sizeof *watch);
    if (watch == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory to watch a program");
        return NULL;
    }
    memset(watch, 0, sizeof *watch);
    yoke__counters_path(path, sizeof path, pid);
    watch->process = pid;
    watch->file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (watch->file < 0)
        yoke__fail(YOKE_EINVAL,
                   "process %ld keeps no counters: start it with YOKE_COUNTERS=1; they begin with its first "
                   "runtime",
                   pid);
    if (watch->file >= 0 && check(watch) == YOKE_OK)
        return watch;
    yoke_watch_close(watch);
    return NULL;
}

static void describe(const counters *c, int device, int64_t now_ns, yoke_lane *lane)
{
    const uint64_t now = c->now;
    const int64_t since = c->since_ns;
    uint64_t ns[YOKE_ASLEEP + 1];
    for (unsigned k = 0; k <= YOKE_ASLEEP; k++)
        ns[k] = c->ns[k];
    if (now <= YOKE_ASLEEP && since > 0 && since < now_ns)
        ns[now] += (uint64_t)(now_ns - since);
    *lane = (yoke_lane){.device = device,
                        .now = now <= YOKE_ASLEEP ? (yoke_activity)now : YOKE_ELSEWHERE,
                        .busy_ns = ns[YOKE_BUSY],
                        .waiting_ns = ns[YOKE_WAITING],
                        .asleep_ns = ns[YOKE_ASLEEP],
                        .calls = c->calls,
                        .items = c->items,
                        .parts = c->parts,
                        .steals = c->steals,
                        .bytes_in = c->bytes_in,
                        .bytes_out = c->bytes_out};
    if (device >= 0)
        (void)snprintf(lane->name, sizeof lane->name, "device %d", device);
    for (size_t k = 0; device < 0 && k < sizeof lane->name - 1 && c->name[k] != '\0'; k++)
        lane->name[k] = c->name[k];
    for (char *at = lane->name; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

int yoke_watch_read(yoke_watch *watch, yoke_lane *lanes, unsigned capacity)
{
    if (watch == NULL || (lanes == NULL && capacity > 0))
        return yoke__fail(YOKE_EINVAL, "nothing to read, or nowhere to put it");
    if (!is_alive(watch->process) || !copy_file(watch))
        return yoke__fail(YOKE_ESTATE, "process %ld has ended", watch->process);
    const int64_t now_ns = yoke__now_ns();
    unsigned count = 0;
    yoke_lane lane;
    for (unsigned k = 0; k < COUNTER_THREADS + COUNTER_DEVICES; k++) {
        const bool thread = k < COUNTER_THREADS;
        const counters *c = thread ? &watch->copy.threads[k] : &watch->copy.devices[k - COUNTER_THREADS];
        if (c->is_used == 0)
            continue;
        describe(c, thread ? -1 : (int)(k - COUNTER_THREADS), now_ns, &lane);
        if (count < capacity)
            lanes[count] = lane;
        count++;
    }
    return (int)count;
}

/* Threads were copied one after the other: a task may have begun whose submission was not seen. */
static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

int yoke_watch_tasks(const yoke_watch *watch, yoke_task_counts *tasks)
{
    uint64_t sum[YOKE__TASK_STEPS];
    if (watch == NULL || tasks == NULL)
        return yoke__fail(YOKE_EINVAL, "nothing to read, or nowhere to put it");
    for (unsigned step = 0; step < YOKE__TASK_STEPS; step++) {
        sum[step] = watch->copy.others.tasks[step];
        for (unsigned k = 0; k < COUNTER_THREADS; k++)
            sum[step] += watch->copy.threads[k].tasks[step];
    }
    const uint64_t ended = sum[YOKE__TASK_DONE] + sum[YOKE__TASK_FAILED] + sum[YOKE__TASK_CANCELLED];
    *tasks = (yoke_task_counts){.submitted = sum[YOKE__TASK_SUBMITTED],
                                .waiting = less(sum[YOKE__TASK_SUBMITTED], sum[YOKE__TASK_BEGUN]),
                                .running = less(sum[YOKE__TASK_BEGUN], ended),
                                .done = sum[YOKE__TASK_DONE],
                                .failed = sum[YOKE__TASK_FAILED],
                                .cancelled = sum[YOKE__TASK_CANCELLED]};
    return YOKE_OK;
}

void yoke_watch_close(yoke_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->file >= 0)
        (void)close(watch->file);
    yoke__free(watch);
}
