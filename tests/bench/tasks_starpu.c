/* Tasks of StarPU, without data: its CPU workers run them, the caller waits. */
#define _GNU_SOURCE
#include <limits.h>
#include <starpu.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contestant.h"
#include "tasks.h"

static bench_job *current;

static void run(void *buffers[], void *argument)
{
    (void)buffers;
    bench_task(current, (size_t)(uintptr_t)argument);
}

static struct starpu_codelet codelet = {.cpu_funcs = {run}, .nbuffers = 0, .name = "task"};

static void must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "bench: starpu: status %d\n", status);
    _Exit(1);
}

static void tasks(bench_job *job)
{
    current = job;
    for (size_t k = 0; k < job->n; k++) {
        struct starpu_task *task = starpu_task_create();
        task->cl = &codelet;
        task->cl_arg = (void *)(uintptr_t)k;
        task->synchronous = job->n == 1;
        must(starpu_task_submit(task));
    }
    must(starpu_task_wait_for_all());
}

/* Its folder of measurements goes beside the program, not into the home directory. */
static void keep_out_of_home(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    setenv("STARPU_HOME", path, 0);
}

static bool ready(void)
{
    static int status = 1; /* 1: not tried */
    struct starpu_conf options;
    if (status != 1)
        return status == 0;
    keep_out_of_home();
    starpu_conf_init(&options);
    options.ncpus = (int)bench_threads();
    options.ncuda = 0;
    options.nopencl = 0;
    status = starpu_init(&options);
    if (status != 0)
        fprintf(stderr, "bench: starpu left out: it does not start here (%d)\n", status);
    return status == 0;
}

static bench_call find(bench_job *job)
{
    return job->workload->kind == BENCH_TASKS ? tasks : NULL;
}

static void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

const struct bench_contestant bench_contestant = {find, parallel, NULL, NULL, ready};
