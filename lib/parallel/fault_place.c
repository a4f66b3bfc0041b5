/* Where in the program a fault happened: the object and the offset in it, and the source line as addr2line knows it. Called
 * in the handler of a fault of the program's own code: the faulting thread holds no lock of ours or of the loader. */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "lib/parallel/checking.h"

enum { FRAMES = 12, PATH_BYTES = 256 };
static const int64_t limit_ns = 5000000000;

static char tool[PATH_BYTES]; /* "": there is none */
static const void *own_base, *library_base;

/* --- before --- */

static void find_tool(void)
{
    const char *path = yoke__env("PATH"); /* not under set-user-ID */
    tool[0] = '\0';
    while (path != NULL && *path != '\0') {
        const size_t length = strcspn(path, ":");
        const int used =
            snprintf(tool, sizeof tool, "%.*s/addr2line", (int)(length < PATH_BYTES ? length : PATH_BYTES), path);
        if (path[0] == '/' && used > 0 && (size_t)used < sizeof tool && access(tool, X_OK) == 0)
            return;
        tool[0] = '\0';
        path += length + (path[length] == ':');
    }
}

static const void *base_of(const void *at)
{
    Dl_info info;
    return dladdr(at, &info) != 0 ? info.dli_fbase : NULL;
}

static _Unwind_Reason_Code look(struct _Unwind_Context *frame, void *argument)
{
    (void)frame, (void)argument;
    return _URC_NO_REASON;
}

void yoke__fault_prepare(void)
{
    int (*const in_library)(const void *, const void *, size_t) = memcmp;
    find_tool();
    own_base = base_of((const void *)getauxval(AT_PHDR));
    library_base = base_of((const void *)(uintptr_t)in_library);
    (void)_Unwind_Backtrace(look, NULL); /* what it loads or allocates, it does now */
}

/* --- frames --- */

typedef struct frames {
    uintptr_t at[FRAMES];
    unsigned count;
    bool found; /* the one that faulted; those before it are the handler's */
} frames;

static uintptr_t faulting(const void *context)
{
    const ucontext_t *user = context;
#if defined(__x86_64__)
    return (uintptr_t)user->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)user->uc_mcontext.pc;
#else
    (void)user;
    return 0;
#endif
}

static _Unwind_Reason_Code collect(struct _Unwind_Context *frame, void *argument)
{
    frames *f = argument;
    int exact = 0;
    const uintptr_t ip = (uintptr_t)_Unwind_GetIPInfo(frame, &exact);
    if (!f->found)
        f->found = ip == f->at[0];
    else if (ip != 0 && f->count < FRAMES)
        f->at[f->count++] = ip - (exact == 0); /* inside of the call */
    return f->count < FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* --- objects --- */

/* Its base, its file, and the address as it counts from there; NULL: there is none. */
static const void *object_of(uintptr_t at, char *file, size_t bytes, uintptr_t *offset)
{
    Dl_info info;
    if (dladdr((const void *)at, &info) == 0 || info.dli_fbase == NULL)
        return NULL;
    const ElfW(Ehdr) *header = info.dli_fbase;
    *offset = header->e_type == ET_EXEC ? at : at - (uintptr_t)info.dli_fbase;
    ssize_t length = -1;
    if (info.dli_fbase == own_base) /* argv[0] may be no path */
        length = readlink("/proc/self/exe", file, bytes - 1);
    if (length >= 0)
        file[length] = '\0';
    else
        (void)snprintf(file, bytes, "%s", info.dli_fname);
    return info.dli_fbase;
}

/* --- asking --- */

/* Only calls that are allowed between fork and exec. */
static void become_tool(const char *file, const char *offset, int to)
{
    char *const arguments[] = {tool, (char *)(uintptr_t) "-fpe", (char *)(uintptr_t)file, (char *)(uintptr_t)offset,
                               NULL};
    char *const environment[] = {(char *)(uintptr_t) "LC_ALL=C", NULL};
    sigset_t none;
    const int nowhere = open("/dev/null", O_RDWR);
    (void)sigemptyset(&none);
    (void)dup2(nowhere, STDIN_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    if (dup2(to, STDOUT_FILENO) >= 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        (void)execve(tool, arguments, environment);
    (void)kill(getpid(), SIGKILL); /* the program is not to end twice */
}

/* What comes until the end, or until time is up. */
static size_t read_answer(int from, int64_t until, char *text, size_t bytes)
{
    size_t used = 0;
    for (int64_t left; (left = until - yoke__now_ns()) > 0 && used + 1 < bytes;) {
        struct pollfd wait = {.fd = from, .events = POLLIN};
        if (poll(&wait, 1, (int)(left / 1000000) + 1) <= 0)
            continue;
        const ssize_t got = read(from, text + used, bytes - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    return used;
}

/* Without the handlers of pthread_atfork: a plain system call. False: addr2line does not know. */
static bool ask(const char *file, uintptr_t at, int64_t until, char *text, size_t bytes)
{
    char offset[24];
    int ends[2], status;
    (void)snprintf(offset, sizeof offset, "0x%zx", (size_t)at);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    const pid_t child = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0)
        become_tool(file, offset, ends[1]);
    (void)close(ends[1]);
    const size_t used = child > 0 ? read_answer(ends[0], until, text, bytes) : 0;
    (void)close(ends[0]);
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, &status, 0);
    }
    text[used > 0 ? strcspn(text, "\n") : 0] = '\0';
    char *more = strstr(text, " (discriminator");
    if (more != NULL)
        *more = '\0';
    return text[0] != '\0' && strstr(text, ":?") == NULL && strstr(text, "??:0") == NULL;
}

/* "FUNCTION at FILE:LINE" of the first frame that has one and is not the C library's. */
static void find_line(const frames *f, char *text, size_t bytes)
{
    const int64_t until = yoke__now_ns() + limit_ns;
    for (unsigned k = 0; k < f->count && yoke__now_ns() < until; k++) {
        char file[PATH_BYTES];
        uintptr_t offset;
        const void *base = object_of(f->at[k], file, sizeof file, &offset);
        if (base != NULL && (base != library_base || base == own_base) && ask(file, offset, until, text, bytes))
            return;
    }
    text[0] = '\0';
}

void yoke__fault_place(const void *context, char *object, size_t object_bytes, char *line, size_t line_bytes)
{
    frames f = {.at = {faulting(context)}, .count = 1};
    char file[PATH_BYTES];
    uintptr_t offset;
    if (object_of(f.at[0], file, sizeof file, &offset) != NULL)
        (void)snprintf(object, object_bytes, "%s+0x%zx", file, (size_t)offset);
    else
        (void)snprintf(object, object_bytes, "at 0x%zx", (size_t)f.at[0]);
    if (line == NULL)
        return;
    line[0] = '\0';
    if (tool[0] == '\0')
        return;
    (void)_Unwind_Backtrace(collect, &f);
    find_line(&f, line, line_bytes);
}
