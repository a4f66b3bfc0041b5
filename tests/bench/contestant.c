#define _GNU_SOURCE
#include "contestant.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "numbers.h"

#define PIECES 9            /* a run is the median of so many pieces: a disturbance spoils one of them */
#define WARM 0.01           /* seconds of warming up: caches, clock rate, and the choice of a core for each thread */
#define SLOW 0.25           /* seconds: calls that long need no warming */
#define MOST_CALLS 1000000u /* of a command, so that a contestant remembers them */
#define MODE_LENGTH 32

static bench_job job;
static size_t calls_made;
static double call_seconds; /* of the last measured call of this job; 0: unknown */

static double timed_calls(bench_call call, size_t calls)
{
    double start = bench_seconds(CLOCK_MONOTONIC);
    for (size_t k = 0; k < calls; k++) {
        job.sequence = calls_made++;
        call(&job);
    }
    return bench_seconds(CLOCK_MONOTONIC) - start;
}

/* Calls until the time is used up; returns the calls that fit into a second, as far as seen. */
static double warm(bench_call call, double seconds)
{
    double used = 0.0, rate = 0.0;
    for (size_t calls = 1; used < seconds; calls *= 2) {
        double elapsed = timed_calls(call, calls);
        used += elapsed;
        rate = (double)calls / (elapsed > 1e-9 ? elapsed : 1e-9);
    }
    return rate;
}

static void run(bench_call call, double seconds)
{
    double rate = call_seconds > SLOW ? 1.0 / call_seconds : warm(call, WARM);
    size_t calls = (size_t)(rate * seconds / PIECES);
    if (calls == 0)
        calls = 1;
    double piece[PIECES], used = 0.0;
    size_t pieces = 0;
    while (pieces < PIECES && (pieces == 0 || used < seconds)) {
        double elapsed = timed_calls(call, calls);
        used += elapsed;
        piece[pieces++] = elapsed / (double)calls;
    }
    call_seconds = bench_quantile(piece, pieces, 0.5);
    printf("ok %.6e\n", call_seconds);
}

static void idle(long microseconds)
{
    struct timespec gap = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&gap, &gap) != 0)
        continue;
}

/* Both the sleep and its waking are the process's own work, so idleness of the other threads shows only in what the
 * process used beyond that; the serial contestant tells how much that is. */
static void gaps(bench_call call, long microseconds, size_t calls)
{
    double *seconds = malloc(calls * sizeof *seconds);
    if (seconds == NULL) {
        printf("fail no memory for %zu times\n", calls);
        return;
    }
    double tick = bench_tick_seconds(), used = 0.0;
    warm(call, 1e-3);
    for (size_t k = 0; k < calls; k++) {
        if (microseconds > 0) {
            double before = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
            idle(microseconds);
            used += bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
        }
        job.sequence = calls_made++;
        uint64_t start = bench_ticks();
        call(&job);
        uint64_t stop = bench_ticks();
        seconds[k] = (double)(stop - start) * tick;
    }
    size_t kept = 0, first = calls_made - calls;
    for (size_t k = 0; k < calls; k++)
        if (bench_contestant.counted == NULL || bench_contestant.counted(&job, first + k))
            seconds[kept++] = seconds[k];
    printf("ok %.6e %.6e %.6f %.6e\n", bench_quantile(seconds, kept, 0.5), bench_quantile(seconds, kept, 0.99),
           (double)kept / (double)calls, used / (double)calls);
    free(seconds);
}

static void prepare(const char *name, size_t n)
{
    const struct bench_workload *workload = bench_workload_find(name);
    bench_job_close(&job);
    call_seconds = 0.0;
    if (workload == NULL || (bench_contestant.ready != NULL && !bench_contestant.ready()))
        printf("none\n");
    else if (bench_job_open(&job, workload, n, bench_contestant.parallel, bench_contestant.memory) != 0)
        printf("fail no memory for %s of %zu\n", name, n);
    else
        printf("ok\n");
}

static void check(bench_call call)
{
    double sums[BENCH_CHECKSUMS];
    bench_job_spoil(&job);
    timed_calls(call, 1);
    int count = bench_job_checksums(&job, sums);
    printf("ok %d", count);
    for (int k = 0; k < count; k++)
        printf(" %.9e", sums[k]);
    printf("\n");
}

/* The mode's text stays in the job: a contestant may look at it in each call. */
static bench_call find(const char *text)
{
    static char mode[MODE_LENGTH];
    if (job.workload == NULL)
        return NULL;
    if (strcmp(mode, text) != 0)
        call_seconds = 0.0;
    snprintf(mode, sizeof mode, "%s", text);
    job.mode = mode;
    return bench_contestant.find(&job);
}

static void command(const char *line)
{
    char word[MODE_LENGTH], text[MODE_LENGTH] = "";
    double first = 0.0;
    size_t second = 0;
    int fields = sscanf(line, "%31s %31s %lf %zu", word, text, &first, &second);
    bench_call call = NULL;
    if (fields >= 3 && strcmp(word, "prepare") == 0) {
        prepare(text, (size_t)first);
    } else if (fields >= 1 && strcmp(word, "free") == 0) {
        bench_job_close(&job);
        printf("ok\n");
    } else if (fields < 2 || (call = find(text)) == NULL) {
        printf("none\n");
    } else if (strcmp(word, "check") == 0) {
        check(call);
    } else if (strcmp(word, "run") == 0 && fields >= 3 && first > 0) {
        run(call, first * 1e-3);
    } else if (strcmp(word, "gaps") == 0 && fields >= 4 && second > 0 && second <= MOST_CALLS) {
        gaps(call, (long)first, second);
    } else {
        printf("fail bad command: %s", line);
    }
    fflush(stdout);
}

int main(void)
{
    char line[256];
    /* A coordinator that dies leaves a stopped process behind otherwise. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (fgets(line, sizeof line, stdin) != NULL)
        command(line);
    bench_job_close(&job);
    return 0;
}
