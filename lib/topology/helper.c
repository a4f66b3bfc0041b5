/* Runs the helper process: spawn, read its answer against a deadline, see how it ended. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

#define MAX_ANSWER (16u << 20)
#define NAME "yoke-topology"

static bool runnable(char *path, const char *folder, int length, const char *below)
{
    int written = snprintf(path, PATH_MAX, "%.*s%s/" NAME, length, folder, below);
    return written > 0 && written < PATH_MAX && access(path, X_OK) == 0;
}

/* Where the build put it, where it was installed, or beside a library that was moved with its tree. */
static bool find_helper(char *path)
{
    static const char *const beside[] = {"/../libexec/yoke", "/../../libexec/yoke"};
    const char *given = yoke__env("YOKE_TOPOLOGY_HELPER");
    if (given) {
        int written = snprintf(path, PATH_MAX, "%s", given);
        return written < PATH_MAX && access(path, X_OK) == 0;
    }
#if defined(YOKE_LIBEXEC_DIR)
    if (runnable(path, YOKE_LIBEXEC_DIR, (int)strlen(YOKE_LIBEXEC_DIR), ""))
        return true;
#endif
    Dl_info self;
    static const char here = 0;
    const char *slash = dladdr(&here, &self) != 0 && self.dli_fname ? strrchr(self.dli_fname, '/') : NULL;
    for (size_t k = 0; slash && k < sizeof beside / sizeof *beside; k++)
        if (runnable(path, self.dli_fname, (int)(slash - self.dli_fname), beside[k]))
            return true;
    return false;
}

/* The child gets the pipe as stdout and nothing else of ours: default signals, no other descriptor, and an
 * environment that keeps hwloc from loading plugins and from libxml2 (and so from external entities). */
static int spawn(pid_t *child, const char *path, const char *description, bool inherits, int output)
{
    char name[] = NAME, *copy = yoke__alloc(strlen(description) + 1);
    if (!copy)
        return ENOMEM;
    strcpy(copy, description);
    char *arguments[] = {name, copy, NULL};
    char plugins[] = "HWLOC_PLUGINS_PATH=/nonexistent", libxml[] = "HWLOC_LIBXML=0", quiet[] = "HWLOC_HIDE_ERRORS=2";
    char *clean[] = {plugins, libxml, quiet, NULL};
    char **environment = inherits ? environ : clean;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed == 0 && (failed = posix_spawnattr_init(&attributes)) != 0)
        posix_spawn_file_actions_destroy(&actions);
    if (failed == 0) {
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
        failed = posix_spawn(child, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    yoke__free(copy);
    return failed;
}

/* Room for more, doubling; false without memory. */
static bool grow(char **answer, size_t *room)
{
    size_t larger = *room ? 2 * *room : 16384;
    char *moved = yoke__alloc(larger);
    if (!moved)
        return false;
    if (*answer)
        memcpy(moved, *answer, *room);
    yoke__free(*answer);
    *answer = moved;
    *room = larger;
    return true;
}

/* Reads until the child closes its end. */
static int read_all(int input, int64_t deadline, char **answer, size_t *length)
{
    size_t room = 0;
    for (;;) {
        int64_t left = (deadline - yoke__now_ns()) / 1000000;
        struct pollfd ready = {.fd = input, .events = POLLIN};
        if (left <= 0)
            return yoke__fail(YOKE_ETOPOLOGY, "the topology helper took too long; is the description that large?");
        if (poll(&ready, 1, (int)left) <= 0)
            continue;
        if (*length == room && (room >= MAX_ANSWER || !grow(answer, &room)))
            return yoke__fail(room >= MAX_ANSWER ? YOKE_ETOPOLOGY : YOKE_ENOMEM,
                              "no room for the topology helper's answer");
        ssize_t got = read(input, *answer + *length, room - *length);
        if (got == 0)
            return YOKE_OK;
        if (got > 0)
            *length += (size_t)got;
        else if (errno != EINTR && errno != EAGAIN)
            return yoke__fail(YOKE_ETOPOLOGY, "cannot read from the topology helper: %s", strerror(errno));
    }
}

/* Waits for the child's end; a program that ignores SIGCHLD, or reaps every child, leaves us nothing to see. While the
 * pipe is open the child lives, so its number is still its own when it is killed. */
static int reap(pid_t child, int64_t deadline, int *how)
{
    for (;;) {
        pid_t got = waitpid(child, how, WNOHANG);
        if (got == child)
            return 1;
        if (got < 0 && errno != EINTR)
            return 0;
        if (yoke__now_ns() > deadline) {
            kill(child, SIGKILL);
            deadline = INT64_MAX;
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

static int judge(int how)
{
    if (WIFSIGNALED(how))
        return yoke__fail(YOKE_ETOPOLOGY,
                          "reading the topology crashed its helper process (signal %d, %s): it is "
                          "malformed or needs more than 5 s or 1 GB",
                          WTERMSIG(how), strsignal(WTERMSIG(how)));
    if (WIFEXITED(how) && WEXITSTATUS(how) != 0)
        return yoke__fail(YOKE_ETOPOLOGY,
                          "the topology cannot be read (its helper process exited with %d); is it "
                          "what hwloc's lstopo writes or understands?",
                          WEXITSTATUS(how));
    return YOKE_OK;
}

static int ask(const char *description, bool inherits, int64_t patience_ns, char **answer, size_t *length)
{
    char path[PATH_MAX];
    int ends[2];
    if (!find_helper(path))
        return yoke__fail(inherits ? YOKE_ENOSYS : YOKE_ETOPOLOGY,
                          "the program " NAME ", which reads topologies, is not installed beside "
                          "the library");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return yoke__fail(YOKE_ETOPOLOGY, "no pipe for the topology helper: %s", strerror(errno));
    pid_t child;
    int failed = spawn(&child, path, description, inherits, ends[1]);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        return yoke__fail(failed == ENOMEM ? YOKE_ENOMEM : YOKE_ETOPOLOGY, "cannot start %s: %s", path,
                          strerror(failed));
    }
    int64_t deadline = yoke__now_ns() + patience_ns;
    int how = 0, status = read_all(ends[0], deadline, answer, length);
    if (status != YOKE_OK)
        deadline = 0;
    int seen = reap(child, deadline, &how);
    close(ends[0]);
    return status == YOKE_OK && seen ? judge(how) : status;
}

int yoke__helper_ask(const char *description, int64_t patience_ns, char **answer, size_t *length)
{
    return ask(description, false, patience_ns, answer, length);
}

int yoke__topology_ask_helper(const char *option, int64_t patience_ns, char **answer, size_t *length)
{
    return ask(option, true, patience_ns, answer, length);
}
