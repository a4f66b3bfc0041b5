/* Contestants' processes: started, asked, and really asleep (stopped) between two questions, for a runtime that spins
 * takes a core from everybody else. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bench_process {
    pid_t pid; /* 0: not started, or ended; -1: cannot be started */
    int to, from;
};

enum bench_answer {
    BENCH_OK,     /* text holds what followed "ok" */
    BENCH_NONE,   /* it does not do this */
    BENCH_BROKEN, /* text says how; a process that died or hangs is ended, and may be started again */
};

/* Starts it, stopped. false when the program is not there or cannot be started. */
bool bench_process_start(struct bench_process *process, const char *directory, const char *program,
                         const char *const *environment);

/* Sends a line and waits for the answer, at most so many seconds. */
enum bench_answer bench_process_ask(struct bench_process *process, const char *question, char *text, size_t size,
                                    double seconds);

/* Seconds that its threads have been ready to run without a CPU to run on, since it started: how much others disturbed
 * it. 0 where the kernel does not tell. */
double bench_process_waited(const struct bench_process *process);

void bench_process_end(struct bench_process *process);

#endif
