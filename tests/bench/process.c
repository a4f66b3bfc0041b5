#define _GNU_SOURCE
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

static void become(int input, int output, const char *path, const char *const *environment)
{
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
        _exit(127);
    for (size_t k = 0; environment[k] != NULL; k++) {
        char setting[128];
        snprintf(setting, sizeof setting, "%s", environment[k]);
        char *value = strchr(setting, '=');
        if (value == NULL)
            _exit(127);
        *value++ = '\0';
        setenv(setting, value, 1);
    }
    execl(path, path, (char *)NULL);
    _exit(127);
}

bool bench_process_start(struct bench_process *process, const char *directory, const char *program,
                         const char *const *environment)
{
    char path[4096];
    int question[2], answer[2];
    process->pid = -1;
    if (snprintf(path, sizeof path, "%s/%s", directory, program) >= (int)sizeof path || access(path, X_OK) != 0)
        return false;
    if (pipe2(question, O_CLOEXEC) != 0)
        return false;
    if (pipe2(answer, O_CLOEXEC) != 0) {
        close(question[0]);
        close(question[1]);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(question[0], answer[1], path, environment);
    close(question[0]);
    close(answer[1]);
    process->pid = pid;
    process->to = question[1];
    process->from = answer[0];
    if (pid < 0) {
        close(process->to);
        close(process->from);
        return false;
    }
    kill(pid, SIGSTOP);
    return true;
}

/* Its status, as waitpid tells it; 0 when it had to be killed. */
static int end(struct bench_process *process, bool kill_it)
{
    int status = 0;
    close(process->to);
    close(process->from);
    if (kill_it)
        kill(process->pid, SIGKILL);
    waitpid(process->pid, &status, 0);
    process->pid = 0;
    return kill_it ? 0 : status;
}

double bench_process_waited(const struct bench_process *process)
{
    char path[300];
    double total = 0.0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return 0.0;
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        double nanoseconds;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)process->pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file == NULL)
            continue;
        if (fscanf(file, "%*f %lf", &nanoseconds) == 1)
            total += 1e-9 * nanoseconds;
        fclose(file);
    }
    closedir(tasks);
    return total;
}

void bench_process_end(struct bench_process *process)
{
    if (process->pid > 0)
        end(process, true);
}

enum line { LINE, LINE_LATE, LINE_NEVER };

/* One line, without its end. */
static enum line read_line(int from, char *text, size_t size, double seconds)
{
    double end = bench_seconds(CLOCK_MONOTONIC) + seconds;
    size_t length = 0;
    while (length + 1 < size) {
        struct pollfd ready = {from, POLLIN, 0};
        double left = end - bench_seconds(CLOCK_MONOTONIC);
        int events = poll(&ready, 1, left > 0 ? (int)(left * 1e3) + 1 : 0);
        if (events < 0 && errno == EINTR)
            continue;
        if (events <= 0)
            return LINE_LATE;
        ssize_t count = read(from, text + length, size - 1 - length);
        if (count <= 0)
            return LINE_NEVER;
        length += (size_t)count;
        if (text[length - 1] == '\n') {
            text[length - 1] = '\0';
            return LINE;
        }
    }
    return LINE_LATE;
}

static enum bench_answer give_up(struct bench_process *process, enum line line, const char *question, char *text,
                                 size_t size)
{
    int length = (int)strcspn(question, "\n");
    if (line == LINE_LATE) {
        end(process, true);
        snprintf(text, size, "no answer to \"%.*s\"", length, question);
        return BENCH_BROKEN;
    }
    int status = end(process, false);
    if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d at \"%.*s\"", WTERMSIG(status), length, question);
    else
        snprintf(text, size, "ended with status %d at \"%.*s\"", WEXITSTATUS(status), length, question);
    return BENCH_BROKEN;
}

enum bench_answer bench_process_ask(struct bench_process *process, const char *question, char *text, size_t size,
                                    double seconds)
{
    size_t length = strlen(question);
    if (process->pid <= 0) {
        snprintf(text, size, "gone before \"%.*s\"", (int)strcspn(question, "\n"), question);
        return BENCH_BROKEN;
    }
    kill(process->pid, SIGCONT);
    enum line line = write(process->to, question, length) == (ssize_t)length
                         ? read_line(process->from, text, size, seconds)
                         : LINE_NEVER;
    if (line != LINE)
        return give_up(process, line, question, text, size);
    kill(process->pid, SIGSTOP);
    if (strncmp(text, "ok", 2) == 0) {
        memmove(text, text + 2, strlen(text + 2) + 1);
        return BENCH_OK;
    }
    return strcmp(text, "none") == 0 ? BENCH_NONE : BENCH_BROKEN;
}
