/* How a worker process is started: the program's own executable once more, with two descriptors and a variable. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/executor/process.h"

enum { START_FIELD = 20 }; /* of /proc/PID/stat, counted from the state on */

int64_t yoke__start_of(pid_t pid)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    const ssize_t got = read(file, text, sizeof text - 1);
    (void)close(file);
    text[got > 0 ? got : 0] = '\0';
    const char *at = strrchr(text, ')'); /* the program's name may hold anything */
    for (unsigned k = 0; at != NULL && k < START_FIELD; k++)
        at = strchr(at + 1, ' ');
    return at != NULL ? (int64_t)strtoll(at + 1, NULL, 10) : -1;
}

/* --- descriptors --- */

static int refuse(const char *what)
{
    const int error = errno;
    return yoke__fail(error == EAGAIN   ? YOKE_EAGAIN
                      : error == ENOMEM ? YOKE_ENOMEM
                                        : YOKE_EIO,
                      "the system refuses %s for a worker process: %s; close some, or raise its limits", what,
                      strerror(error));
}

/* Out of the way of those that the process gets. Takes the descriptor. */
static int move_up(int fd)
{
    if (fd < 0 || fd > MEMORY_FD)
        return fd;
    const int moved = fcntl(fd, F_DUPFD_CLOEXEC, MEMORY_FD + 1);
    const int error = errno;
    (void)close(fd);
    errno = error;
    return moved;
}

static int make_memory(const setup *s)
{
    const int fd = move_up(yoke__memory_file("yoke-worker", s->shared_bytes));
    if (fd < 0 || pwrite(fd, s, sizeof *s, 0) == (ssize_t)sizeof *s)
        return fd;
    const int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

/* --- the environment --- */

static bool names(const char *entry, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* The program's, with the variable that tells a worker. The array only is allocated. */
static char **make_environment(char *variable)
{
    size_t count = 0, kept = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **all = yoke__alloc_zeroed(count + 2, sizeof *all);
    if (all == NULL)
        return NULL;
    for (size_t k = 0; k < count && environ[k] != NULL; k++)
        if (!names(environ[k], YOKE__WORKER_VARIABLE))
            all[kept++] = environ[k];
    all[kept] = variable;
    return all;
}

/* --- spawning --- */

static int add_actions(posix_spawn_file_actions_t *actions, int socket, int memory)
{
    int failed = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(actions, socket, SOCKET_FD);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(actions, memory, MEMORY_FD);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    if (failed == 0)
        failed = posix_spawn_file_actions_addclosefrom_np(actions, MEMORY_FD + 1);
#endif
    return failed;
}

static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setsigmask(attributes, &none);
    if (failed == 0)
        failed = posix_spawnattr_setsigdefault(attributes, &all);
    if (failed == 0)
        failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return failed;
}

/* An errno, or 0. Not a fork that goes on: what a program holds, locks and drivers, does not survive one. */
static int spawn(pid_t *child, int socket, int memory)
{
    char variable[32], *arguments[] = {program_invocation_name, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    (void)snprintf(variable, sizeof variable, YOKE__WORKER_VARIABLE "=%d", MEMORY_FD);
    char **environment = make_environment(variable);
    if (environment == NULL)
        return ENOMEM;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed == 0 && (failed = posix_spawnattr_init(&attributes)) != 0)
        (void)posix_spawn_file_actions_destroy(&actions);
    if (failed == 0) {
        failed = set_signals(&attributes);
        if (failed == 0)
            failed = add_actions(&actions, socket, memory);
        if (failed == 0)
            failed = posix_spawn(child, "/proc/self/exe", &actions, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    yoke__free(environment);
    return failed;
}

static int start_with(process *w, int socket)
{
    errno = spawn(&w->pid, socket, w->memory);
    if (errno != 0) {
        w->pid = 0;
        return refuse("a process");
    }
#if defined(SYS_pidfd_open)
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
#endif
    return YOKE_OK;
}

int yoke__process_start(process *w, const setup *s)
{
    int ends[2];
    *w = (process){.next = w->next, .index = w->index, .socket = -1, .memory = make_memory(s), .pidfd = -1};
    if (w->memory < 0)
        return refuse("a memory file");
    int status = YOKE_OK;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        status = refuse("a socket");
    } else {
        w->socket = ends[0];
        const int theirs = move_up(ends[1]);
        status = theirs >= 0 ? start_with(w, theirs) : refuse("a socket");
        if (theirs >= 0)
            (void)close(theirs);
    }
    if (status != YOKE_OK)
        yoke__process_bury(w, 0);
    return status;
}
