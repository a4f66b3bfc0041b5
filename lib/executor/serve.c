/* The other side: what runs in a worker process. It begins in a constructor, before main, in a program that was started
 * as process_start.c does it, and only there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cpu/cpu.h"
#include "lib/executor/process.h"
#include "lib/executor/serve.h"
#include "lib/trace/trace.h"

enum { WATCH_STACK_BYTES = 65536 };

static setup given;
static unsigned char *shared; /* the memory file; NULL: this is no worker */
static bool serving;
_Static_assert(sizeof(arrays) != sizeof(request), "they are told apart");
_Static_assert(sizeof(setup) <= PROGRESS_AT, "the setup lies before the progress");

/* --- faults that tests ask for --- */

static void write_garbage(progress *p)
{
    reply nonsense;
    if (given.action == ACT_OCCUPY)
        return;
    memset(&nonsense, 0xa5, sizeof nonsense);
    if (given.action == ACT_GARBAGE)
        (void)send(SOCKET_FD, &nonsense, sizeof nonsense, MSG_NOSIGNAL);
    if (given.action == ACT_SHORT)
        (void)send(SOCKET_FD, &nonsense, 3, MSG_NOSIGNAL);
    if (given.action == ACT_PROGRESS)
        atomic_store(&p->items, UINT64_MAX);
    if (given.action == ACT_TRUNCATE && (ftruncate(MEMORY_FD, 0) == 0 || errno != EPERM))
        return; /* and then it would go on as if nothing were wrong */
    (void)raise(SIGKILL);
}

static void step(int now)
{
    if (given.step != now)
        return;
    if (given.action == ACT_KILL)
        (void)raise(SIGKILL);
    else if (given.action == ACT_STOP)
        (void)raise(SIGSTOP);
    else
        write_garbage((progress *)(void *)(shared + PROGRESS_AT));
}

/* --- recognising it --- */

static bool has_seals(void)
{
    const int seals = fcntl(MEMORY_FD, F_GET_SEALS), wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return seals >= 0 && (seals & wanted) == wanted;
}

/* A variable alone proves nothing: somebody may have set it, or a program between us and the parent kept it. */
static bool is_worker(void)
{
    const char *variable = yoke__env(YOKE__WORKER_VARIABLE);
    unsigned long fd;
    return variable != NULL && yoke__parse_unsigned(variable, MEMORY_FD, MEMORY_FD, &fd) && has_seals() &&
           pread(MEMORY_FD, &given, sizeof given, 0) == (ssize_t)sizeof given && given.magic == SETUP_MAGIC;
}

/* Of the same version as the parent; on disk it may have been replaced since that was started. */
static bool is_known(void)
{
    struct stat about;
    return given.bytes == sizeof given && strncmp(given.version, YOKE_VERSION, sizeof given.version) == 0 &&
           fstat(MEMORY_FD, &about) == 0 && about.st_size >= DATA_AT && (uint64_t)about.st_size == given.shared_bytes;
}

static bool has_parent(void)
{
    return given.parent == getppid() && given.parent_start == yoke__start_of(getppid());
}

/* --- the end --- */

/* Flushed is what there is to flush; the program's exit handlers are for what main began. */
static void leave(int status)
{
    _exit(status);
}

/* Ends this process with its parent: whatever a task does, and when a forked child of the parent keeps its descriptors. */
static void *watch_parent(void *argument)
{
    (void)argument;
    struct pollfd both[] = {{.fd = SOCKET_FD}, {.fd = -1, .events = POLLIN}};
#if defined(SYS_pidfd_open)
    both[1].fd = (int)syscall(SYS_pidfd_open, (pid_t)given.parent, 0);
#endif
    if (both[1].fd >= 0)
        (void)fcntl(both[1].fd, F_SETFD, FD_CLOEXEC);
    while (getppid() == given.parent) {
        const int got = poll(both, 2, -1);
        if (got > 0 && (both[0].revents | both[1].revents) != 0)
            break;
    }
    leave(0);
    return NULL;
}

/* --- one request --- */

static void limit_cpu(void)
{
    struct rusage used;
    struct rlimit limit;
    if (given.cpu_seconds == 0 || getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &limit) != 0)
        return;
    const uint64_t so_far = (uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec + 1;
    const rlim_t until = (rlim_t)(so_far + given.cpu_seconds);
    limit.rlim_cur = until < limit.rlim_max ? until : limit.rlim_max;
    (void)setrlimit(RLIMIT_CPU, &limit);
}

static int call(yoke_function *function, void *argument, void *result)
{
    const yoke__float_environment before = yoke__float_enter();
    const int status = function(argument, result);
    yoke__float_leave(before);
    return status;
}

static int run_task(const request *r, const layout *l, yoke_function *function, reply *answer)
{
    union {
        unsigned char bytes[INLINE_BYTES];
        long double number;
        void *pointer;
    } argument, result = {{0}};
    memcpy(argument.bytes, r->argument, sizeof argument.bytes);
    void *from = r->argument_bytes == 0 ? (void *)(uintptr_t)r->argument_at
                 : l->argument != 0     ? shared + l->argument
                                        : argument.bytes;
    void *to = l->result != 0 ? shared + l->result : result.bytes;
    if (l->result != 0)
        memset(to, 0, r->result_bytes);
    const int status = call(function, from, to);
    memcpy(answer->result, result.bytes, sizeof answer->result);
    return status;
}

/* Where items are: in a shared array, in the file, or nowhere. */
static unsigned char *base_of(uint64_t address, uint64_t bytes, uint64_t part)
{
    return address != 0 ? (unsigned char *)(uintptr_t)address : bytes > 0 ? shared + part : NULL;
}

static int run_items(const request *r, const layout *l, yoke_function *function, progress *p)
{
    int32_t *statuses = (int32_t *)(void *)(shared + l->statuses);
    unsigned char *items = base_of(r->argument_at, r->argument_bytes, l->argument);
    unsigned char *results = base_of(r->result_at, r->result_bytes, l->result);
    for (uint64_t k = 0; k < r->count; k++) {
        unsigned char *item = r->argument_bytes > 0 ? items + k * r->argument_bytes : items;
        unsigned char *result = r->result_bytes > 0 ? results + k * r->result_bytes : results;
        const int64_t now = yoke__now_ns();
        const bool late = r->deadline_ns > 0 && now >= r->deadline_ns;
        atomic_store(&p->since, now);
        if (r->result_bytes > 0)
            memset(result, 0, r->result_bytes);
        statuses[k] = late ? YOKE_ETIMEDOUT : call(function, item, result);
        atomic_store(&p->items, k + 1);
    }
    return 0;
}

/* False: it is not what a parent sends. */
static bool run_request(const request *r)
{
    progress *p = (progress *)(void *)(shared + PROGRESS_AT);
    layout l;
    if (r->magic != MESSAGE_MAGIC || !yoke__layout_of(r, &l) || l.end > given.shared_bytes ||
        memchr(r->name, '\0', sizeof r->name) == NULL)
        return false;
    reply answer = {.magic = MESSAGE_MAGIC, .kind = REPLY_RETURNED, .number = r->number};
    yoke_function *function = yoke__function_at(&r->where);
    if (function == NULL) {
        answer.kind = REPLY_NOT_FOUND;
    } else {
        yoke_future task = {.name_ = r->name};
        yoke__frame frame;
        limit_cpu();
        atomic_store(&p->items, 0);
        atomic_store(&p->begun, r->number);
        step(STEP_BEGUN);
        yoke__frame_enter(&frame, &task);
        answer.status = r->kind == REQUEST_ITEMS ? run_items(r, &l, function, p) : run_task(r, &l, function, &answer);
        yoke__frame_leave(&frame);
        (void)fflush(NULL); /* so that what it printed is out when its future has ended */
    }
    step(STEP_RAN);
    return send(SOCKET_FD, &answer, sizeof answer, MSG_NOSIGNAL) == (ssize_t)sizeof answer;
}

/* --- serving --- */

typedef union message {
    struct {
        uint32_t magic, kind;
    } head;
    request request;
    arrays arrays;
} message;

typedef struct descriptors {
    int file[ARRAYS_AT_ONCE];
    size_t count;
} descriptors;

static ssize_t receive(message *m, descriptors *d)
{
    union {
        char bytes[CMSG_SPACE(sizeof d->file)];
        struct cmsghdr align;
    } control;
    struct iovec part = {m, sizeof *m};
    struct msghdr about = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    const ssize_t got = recvmsg(SOCKET_FD, &about, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *rights = got > 0 ? CMSG_FIRSTHDR(&about) : NULL;
    d->count = 0;
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
        d->count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof *d->file;
        memcpy(d->file, CMSG_DATA(rights), d->count * sizeof *d->file);
    }
    return got;
}

/* Beside shared arrays, which are not its own: so the hard limit stays. */
static bool limit_memory(uint64_t shared_bytes)
{
    struct rlimit limit;
    if (given.memory_bytes == 0)
        return true;
    if (getrlimit(RLIMIT_AS, &limit) != 0)
        return false;
    limit.rlim_cur = (rlim_t)(given.memory_bytes + shared_bytes);
    if (shared_bytes > 0 && limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

static bool map_arrays(const arrays *a, const descriptors *d)
{
    static uint64_t mapped;
    uint64_t bytes = 0;
    reply answer;
    if (a->magic != MESSAGE_MAGIC || a->count == 0 || a->count > ARRAYS_AT_ONCE)
        return false;
    step(STEP_ARRAYS);
    if (given.step == STEP_ARRAYS && given.action == ACT_OCCUPY)
        (void)mmap((void *)(uintptr_t)a->array[0].start, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t k = 0; k < a->count; k++)
        bytes += a->array[k].bytes;
    (void)limit_memory(mapped + (a->kind == REQUEST_MAP ? bytes : 0));
    yoke__serve_arrays(a, d->file, d->count, &answer);
    if (answer.kind == REPLY_MAPPED)
        mapped += a->kind == REQUEST_MAP ? bytes : -bytes;
    (void)limit_memory(mapped);
    return send(SOCKET_FD, &answer, sizeof answer, MSG_NOSIGNAL) == (ssize_t)sizeof answer;
}

static void serve(void)
{
    static message m;
    descriptors d;
    const reply hello = {.magic = MESSAGE_MAGIC, .kind = REPLY_HELLO};
    serving = true;
    step(STEP_START);
    yoke__float_init_thread();
    bool going = send(SOCKET_FD, &hello, sizeof hello, MSG_NOSIGNAL) == (ssize_t)sizeof hello;
    step(STEP_HELLO);
    while (going) {
        const ssize_t got = receive(&m, &d);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == (ssize_t)sizeof m.arrays && (m.head.kind == REQUEST_MAP || m.head.kind == REQUEST_UNMAP)) {
            going = map_arrays(&m.arrays, &d);
            continue;
        }
        step(STEP_REQUEST);
        going = got == (ssize_t)sizeof m.request && run_request(&m.request);
        step(STEP_REPLIED);
    }
    leave(0);
}

static bool settle(void)
{
    pthread_t watcher;
    (void)unsetenv(YOKE__WORKER_VARIABLE); /* not for what tasks start */
    (void)fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
    (void)fcntl(MEMORY_FD, F_SETFD, FD_CLOEXEC);
    (void)signal(SIGINT, SIG_IGN);
    void *mapped = mmap(NULL, given.shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY_FD, 0);
    if (mapped == MAP_FAILED)
        return false;
    shared = mapped;
    if (yoke__thread_start(&watcher, WATCH_STACK_BYTES, watch_parent, NULL) != YOKE_OK)
        return false;
    (void)pthread_detach(watcher);
    return limit_memory(0);
}

/* Once it is a worker, it must never become the program: that would do its work again, and start workers again. */
__attribute__((constructor)) static void recognise(void)
{
    if (!is_worker())
        return;
    if (!is_known())
        leave(EXIT_UNFIT);
    if (!has_parent())
        leave(0);
    if (!settle())
        leave(EXIT_UNFIT);
    yoke__trace_never();
    if (given.by_main == 0)
        serve();
}

void yoke_serve_if_worker(void)
{
    if (shared != NULL && !serving)
        serve();
}

void yoke__serve_must_have_begun(void)
{
    if (shared != NULL && !serving)
        leave(EXIT_UNSERVED);
}
