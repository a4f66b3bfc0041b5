/* One worker process, as the program sees it: start, request and reply, end. Every descriptor is closed on exec, and death
 * is seen by a descriptor too (Linux before 5.3: by the end of the connection), whoever else waits for children. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/executor/process.h"

#if !defined(P_PIDFD)
#define P_PIDFD 3
#endif

static const int64_t START_NS = 60000000000, GRACE_NS = 200000000, BURY_NS = 2000000000;

enum { LAYOUT_ALIGN = 64, MOST_SENDS = 10000 };

/* --- the file --- */

static bool add_part(uint64_t *end, uint64_t count, uint64_t bytes, uint64_t *at)
{
    uint64_t all, rounded;
    if (__builtin_mul_overflow(count, bytes, &all) || __builtin_add_overflow(all, LAYOUT_ALIGN - 1, &rounded))
        return false;
    *at = *end;
    return !__builtin_add_overflow(*end, rounded & ~(uint64_t)(LAYOUT_ALIGN - 1), end);
}

bool yoke__layout_of(const request *r, layout *l)
{
    *l = (layout){.end = DATA_AT};
    if (r->kind == REQUEST_ITEMS)
        return (r->argument_at != 0 || add_part(&l->end, r->count, r->argument_bytes, &l->argument)) &&
               (r->result_at != 0 || add_part(&l->end, r->count, r->result_bytes, &l->result)) &&
               add_part(&l->end, r->count, sizeof(int32_t), &l->statuses) && l->end <= INT64_MAX;
    return (r->argument_bytes <= INLINE_BYTES || add_part(&l->end, 1, r->argument_bytes, &l->argument)) &&
           (r->result_bytes <= INLINE_BYTES || add_part(&l->end, 1, r->result_bytes, &l->result)) &&
           l->end <= INT64_MAX;
}

bool yoke__process_write(const process *w, uint64_t at, const void *from, size_t bytes)
{
    const char *next = from;
    while (bytes > 0) {
        const ssize_t done = pwrite(w->memory, next, bytes, (off_t)at);
        if (done <= 0 && !(done < 0 && errno == EINTR))
            return false;
        const size_t step = done > 0 ? (size_t)done : 0;
        next += step;
        at += step;
        bytes -= step;
    }
    return true;
}

bool yoke__process_read(const process *w, uint64_t at, void *to, size_t bytes)
{
    char *next = to;
    while (bytes > 0) {
        const ssize_t done = pread(w->memory, next, bytes, (off_t)at);
        if (done <= 0 && !(done < 0 && errno == EINTR))
            return false;
        const size_t step = done > 0 ? (size_t)done : 0;
        next += step;
        at += step;
        bytes -= step;
    }
    return true;
}

/* --- the end --- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void forget(process *w)
{
    close_one(&w->socket);
    close_one(&w->memory);
    close_one(&w->pidfd);
    yoke__free(w->arrays);
    w->arrays = NULL;
    w->array_count = 0;
    w->steps = 0;
    w->pid = 0;
}

/* 1: its end was seen, and *info tells of it; 0: it lives; -1: somebody else took it. */
static int look_for_end(const process *w, siginfo_t *info)
{
    int got;
    do {
        memset(info, 0, sizeof *info);
        got = waitid(w->pidfd >= 0 ? (idtype_t)P_PIDFD : P_PID, (id_t)(w->pidfd >= 0 ? w->pidfd : w->pid), info,
                     WEXITED | WNOHANG);
    } while (got != 0 && errno == EINTR);
    if (got != 0)
        return -1;
    return info->si_pid != 0 ? 1 : 0;
}

/* By its descriptor, or, where that is not to be had, while it surely is our child that has this number. */
static void kill_it(const process *w)
{
    if (w->pidfd < 0 || syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0) != 0)
        (void)kill(w->pid, SIGKILL);
}

static void pause_for_end(const process *w, int64_t left_ns)
{
    struct pollfd end = {.fd = w->pidfd, .events = POLLIN};
    if (w->pidfd < 0)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    else
        (void)poll(&end, 1, (int)(left_ns / 1000000) + 1);
}

/* Waits for its end, and from `until_ns` on kills it; what it came to. */
static ending collect(process *w, int64_t until_ns)
{
    siginfo_t info = {0};
    bool killed = false;
    int seen;
    for (;;) {
        seen = look_for_end(w, &info);
        const int64_t now = yoke__now_ns();
        if (seen != 0 || (killed && now >= until_ns))
            break;
        if (now >= until_ns) {
            kill_it(w);
            killed = true;
            until_ns = now + BURY_NS;
        }
        pause_for_end(w, until_ns - now);
    }
    w->pid = 0;
    if (seen != 1)
        return (ending){.why = YOKE__VANISHED};
    return (ending){.why = info.si_code == CLD_EXITED ? YOKE__EXITED : YOKE__SIGNALLED, .number = info.si_status};
}

void yoke__process_dismiss(process *w)
{
    if (w->pid != 0)
        (void)shutdown(w->socket, SHUT_RDWR); /* closing would not do: a forked child may have it too */
}

void yoke__process_bury(process *w, int64_t until_ns)
{
    if (w->pid != 0)
        (void)collect(w, until_ns);
    forget(w);
}

/* --- request and reply --- */

/* Milliseconds to wait, rounded up; -1: for ever. */
static int patience(int64_t until_ns)
{
    if (until_ns == 0)
        return -1;
    const int64_t left = until_ns - yoke__now_ns();
    return left <= 0 ? 0 : left >= (int64_t)1000000 * 86400000 ? 86400000 : (int)((left + 999999) / 1000000);
}

/* 1: a message of the right size; 0: it is dead, or has closed its end; -1: too late; -2: garbage. */
static int receive(process *w, reply *answer, int64_t until_ns)
{
    for (bool dead = false;;) {
        const ssize_t got = recv(w->socket, answer, sizeof *answer, MSG_DONTWAIT | MSG_TRUNC);
        if (got > 0)
            return got == (ssize_t)sizeof *answer && answer->magic == MESSAGE_MAGIC ? 1 : -2;
        if (got == 0 || (errno != EAGAIN && errno != EINTR) || (dead && errno == EAGAIN))
            return 0;
        struct pollfd both[] = {{.fd = w->socket, .events = POLLIN}, {.fd = w->pidfd, .events = POLLIN}};
        if (poll(both, 2, patience(until_ns)) == 0 && until_ns != 0 && yoke__now_ns() >= until_ns)
            return -1;
        dead = both[1].revents != 0; /* perhaps with a reply that came after the look at the other one */
    }
}

/* How far it came. Numbers that cannot be are as good as none. */
static void read_progress(const process *w, const request *r, ending *e)
{
    uint64_t now[2];
    if (!yoke__process_read(w, PROGRESS_AT, now, sizeof now))
        return;
    e->begun = now[0] != w->begun; /* only this says that nothing of the task ran */
    e->items = now[0] == r->number && now[1] <= r->count ? now[1] : 0;
}

static bool is_answer(const reply *answer, const request *r)
{
    return answer->number == r->number && answer->status >= INT32_MIN && answer->status <= INT32_MAX &&
           (answer->kind == REPLY_RETURNED || answer->kind == REPLY_NOT_FOUND);
}

int64_t yoke__process_until(int64_t limit_ns)
{
    const int64_t now = yoke__now_ns();
    return limit_ns == 0 ? 0 : limit_ns > INT64_MAX - now ? INT64_MAX : now + limit_ns;
}

/* Descriptors under way are counted for all of a user's programs: there may be too many for a moment. */
static bool send_message(const process *w, const void *message, size_t bytes, const int *files, size_t count)
{
    union {
        char bytes[CMSG_SPACE(ARRAYS_AT_ONCE * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {(void *)(uintptr_t)message, bytes};
    struct msghdr about = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        about.msg_control = control.bytes;
        about.msg_controllen = CMSG_SPACE(count * sizeof *files);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(count * sizeof *files);
        memcpy(CMSG_DATA(&control.align), files, count * sizeof *files);
    }
    for (unsigned tries = 0;;) {
        const ssize_t sent = sendmsg(w->socket, &about, MSG_NOSIGNAL);
        if (sent >= 0)
            return sent == (ssize_t)bytes;
        if (errno == ETOOMANYREFS && tries++ < MOST_SENDS)
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        else if (errno != EINTR)
            return false;
    }
}

int yoke__process_exchange(process *w, const void *message, size_t bytes, const int *files, size_t count,
                           int64_t until_ns, reply *answer)
{
    return send_message(w, message, bytes, files, count) ? receive(w, answer, until_ns) : 0;
}

ending yoke__process_lose(process *w, int got, int64_t limit_ns)
{
    const ending e = collect(w, got == 0 ? yoke__now_ns() + GRACE_NS : 0);
    return got == -1 ? (ending){.why = YOKE__LATE, .number = limit_ns} : got == 0 ? e : (ending){.why = YOKE__GARBLED};
}

/* Until when the item may run that runs now, if it is not the same as before; 0: it is, or tells nonsense. */
static int64_t next_limit(const process *w, const request *r, int64_t limit_ns, uint64_t *ended)
{
    uint64_t now[3];
    const int64_t clock = yoke__now_ns();
    if (r->kind != REQUEST_ITEMS || !yoke__process_read(w, PROGRESS_AT, now, sizeof now) || now[0] != r->number ||
        now[1] <= *ended || now[1] > r->count)
        return 0;
    *ended = now[1];
    const int64_t since = now[1] < r->count ? (int64_t)now[2] : clock; /* all have ended: it is about to answer */
    return since < 0 || since > clock || clock - since >= limit_ns ? 0
                                                                   : yoke__process_until(limit_ns - (clock - since));
}

ending yoke__process_ask(process *w, request *r, int64_t limit_ns, reply *answer)
{
    uint64_t ended = 0;
    r->magic = MESSAGE_MAGIC;
    r->number = ++w->number;
    int64_t until = yoke__process_until(limit_ns);
    int got = yoke__process_exchange(w, r, sizeof *r, NULL, 0, until, answer);
    while (got == -1 && (until = next_limit(w, r, limit_ns, &ended)) != 0)
        got = receive(w, answer, until);
    if (got == 1 && is_answer(answer, r)) {
        w->begun = answer->kind == REPLY_RETURNED ? r->number : w->begun;
        return (ending){.begun = true};
    }
    ending e = yoke__process_lose(w, got, limit_ns);
    e.begun = true;
    read_progress(w, r, &e);
    e.begun |= got != 0; /* too late, or garbage */
    return e;
}

int yoke__process_await(process *w)
{
    reply hello;
    const int got = receive(w, &hello, yoke__now_ns() + START_NS);
    if (got == 1 && hello.kind == REPLY_HELLO)
        return YOKE_OK;
    const ending e = collect(w, got == 0 ? yoke__now_ns() + GRACE_NS : 0);
    forget(w);
    if (got == -1)
        return yoke__fail(YOKE_ECRASH, "a worker process did not come to serve; is libyoke linked to the program, and "
                                       "main's call of yoke_serve_if_worker() at its top?");
    if (e.why == YOKE__EXITED && e.number == EXIT_UNSERVED)
        return yoke__fail(YOKE_ECRASH, "main does not call yoke_serve_if_worker() before it opens a pool of processes");
    if (e.why == YOKE__EXITED && e.number == EXIT_UNFIT)
        return yoke__fail(YOKE_ECRASH, "a worker process cannot set itself up; is libyoke on disk still that of the "
                                       "program, and memory_bytes high enough?");
    return yoke__fail(YOKE_ECRASH,
                      "a worker process ended before it served (%s %lld); is libyoke linked to the program, and is "
                      "memory_bytes high enough for it?",
                      e.why == YOKE__EXITED ? "exit status" : "signal", e.number);
}
