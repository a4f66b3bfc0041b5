/* yoke run: starts a program with the placement and devices that are asked for, and traces it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/yoke/traces.h"

enum { NOT_FOUND = 127, NOT_RUN = 126, SIGNALLED = 128 };

typedef struct arguments {
    const char *workers, *pin, *isa, *devices, *trace, *page;
    bool no_trace, quiet, counters;
    char **program;
} arguments;

static const struct setting {
    const char *option, *variable;
    size_t offset;
} settings[] = {{"--workers", "YOKE_WORKERS", offsetof(arguments, workers)},
                {"--pin", "YOKE_PIN", offsetof(arguments, pin)},
                {"--isa", "YOKE_ISA", offsetof(arguments, isa)},
                {"--devices", "YOKE_DEVICES", offsetof(arguments, devices)},
                {"--trace", NULL, offsetof(arguments, trace)},
                {"--page", NULL, offsetof(arguments, page)}};
enum { SETTINGS = sizeof settings / sizeof *settings };

static const char **member(arguments *a, const struct setting *s)
{
    return (const char **)(void *)((char *)a + s->offset);
}

/* 1: it was one of these. */
static int read_setting(arguments *a, int count, char **words, int *at)
{
    for (size_t k = 0; k < SETTINGS; k++) {
        const int is = tool_option(&tool_run, settings[k].option, count, words, at, member(a, &settings[k]));
        if (is != 0)
            return is;
    }
    return 0;
}

static int read_arguments(int count, char **words, arguments *a)
{
    int k = 1;
    for (; k < count && words[k][0] == '-' && strcmp(words[k], "--") != 0; k++) {
        const int is = read_setting(a, count, words, &k);
        if (is < 0)
            return MISUSED;
        if (is > 0)
            continue;
        if (strcmp(words[k], "--no-trace") == 0)
            a->no_trace = true;
        else if (strcmp(words[k], "--counters") == 0)
            a->counters = true;
        else if (strcmp(words[k], "--quiet") == 0)
            a->quiet = true;
        else
            return tool_misuse(&tool_run, "unknown argument '%s'", words[k]);
    }
    k += k < count && strcmp(words[k], "--") == 0;
    if (k == count)
        return tool_misuse(&tool_run, "no program is named");
    if (a->no_trace && (a->trace != NULL || a->page != NULL))
        return tool_misuse(&tool_run, "--no-trace excludes --trace and --page");
    a->program = words + k;
    return DONE;
}

/* Sets what was asked for, and lets the library judge it before a program fails with it. */
static int set_environment(arguments *a)
{
    for (size_t k = 0; k < SETTINGS; k++) {
        const char *value = *member(a, &settings[k]);
        if (value != NULL && settings[k].variable != NULL && setenv(settings[k].variable, value, 1) != 0)
            return tool_fail(&tool_run, "no memory");
    }
    yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.devices = "cpu"});
    if (runtime == NULL)
        return tool_misuse(&tool_run, "%s", yoke_error_detail());
    (void)yoke_close(runtime);
    if (a->counters && setenv("YOKE_COUNTERS", "1", 1) != 0)
        return tool_fail(&tool_run, "no memory");
    if (!a->no_trace && setenv("YOKE_TRACE", a->trace, 1) != 0)
        return tool_fail(&tool_run, "no memory");
    return DONE;
}

static volatile sig_atomic_t child_id;

static void pass_on(int number)
{
    if (child_id > 0)
        (void)kill((pid_t)child_id, number);
}

/* The terminal's signals reach the program by themselves; others are passed on. */
static void mind_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, pass = {.sa_handler = pass_on};
    (void)sigaction(SIGINT, &ignore, NULL);
    (void)sigaction(SIGQUIT, &ignore, NULL);
    (void)sigaction(SIGTERM, &pass, NULL);
    (void)sigaction(SIGHUP, &pass, NULL);
}

static int start_and_wait(char **program)
{
    int status;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)execvp(program[0], program);
        const int error = errno;
        (void)tool_fail(&tool_run, "cannot start %s: %s", program[0], strerror(error));
        _exit(error == ENOENT ? NOT_FOUND : NOT_RUN);
    }
    if (pid < 0)
        return tool_fail(&tool_run, "cannot start a process: %s", strerror(errno));
    child_id = pid;
    mind_signals();
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return tool_fail(&tool_run, "lost sight of %s: %s", program[0], strerror(errno));
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "yoke run: %s was ended by a signal: %s\n", program[0], strsignal(WTERMSIG(status)));
    return SIGNALLED + WTERMSIG(status);
}

/* The totals on standard error: standard output is the program's. */
static void tell(const arguments *a)
{
    struct stat what;
    traces t;
    if (stat(a->trace, &what) != 0 || what.st_size == 0) {
        (void)tool_fail(&tool_run, "%s wrote no trace: it does not use Yoke, or ended by a signal or _exit",
                        a->program[0]);
        return;
    }
    if (!traces_read(&tool_run, a->trace, &t))
        return;
    if (!a->quiet) {
        fputc('\n', stderr);
        traces_print(stderr, &t);
        fprintf(stderr, "\ntrace: %s%s%s\n", a->trace, a->page != NULL ? ", page: " : "",
                a->page != NULL ? a->page : "");
    }
    if (a->page != NULL)
        (void)trace_write_page(&tool_run, &t, a->page);
    traces_free(&t);
}

static int run(int count, char **words)
{
    arguments a = {.trace = NULL};
    if (count > 1 && tool_help(&tool_run, words[1]))
        return DONE;
    int status = read_arguments(count, words, &a);
    if (status != DONE || a.program == NULL)
        return status;
    if (a.trace == NULL && !a.no_trace)
        a.trace = "yoke-trace.json";
    status = set_environment(&a);
    if (status != DONE)
        return status;
    if (!a.no_trace && unlink(a.trace) != 0 && errno != ENOENT) /* an old one is not taken for this one's */
        return tool_fail(&tool_run, "cannot replace %s: %s", a.trace, strerror(errno));
    status = start_and_wait(a.program);
    if (!a.no_trace && status != NOT_FOUND && status != NOT_RUN)
        tell(&a);
    return status;
}

const command tool_run = {"run", "starts a program with the placement and devices asked for, and traces it",
                          "[OPTION...] [--] PROGRAM [ARGUMENT...]\n\n"
                          "  --workers K       so many threads work (YOKE_WORKERS)\n"
                          "  --pin POLICY      compact, scatter, numa or none (YOKE_PIN)\n"
                          "  --isa SET         baseline, avx2, avx512 or neon (YOKE_ISA)\n"
                          "  --devices LIST    all, cpu, gpu, opencl:0, a name, ... (YOKE_DEVICES)\n"
                          "  --trace FILE      where to write the trace; yoke-trace.json\n"
                          "  --page FILE.html  write the timeline, too\n"
                          "  --no-trace        do not trace\n"
                          "  --counters        let yoke top watch it (YOKE_COUNTERS)\n"
                          "  --quiet           do not print the totals\n\n"
                          "The exit status is the program's; 127 and 126 when it cannot be started.\n",
                          run};
