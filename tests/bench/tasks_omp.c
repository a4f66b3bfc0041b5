/* Tasks one after the other: the serial contestant, and OpenMP's tasks when compiled with -fopenmp. */
#include <string.h>

#include "contestant.h"
#include "tasks.h"

#ifdef _OPENMP
#include <omp.h>
#define REGION _Pragma("omp parallel num_threads(threads)") _Pragma("omp single")
#define TASK _Pragma("omp task")
#define TASK_SHARING_A _Pragma("omp task shared(a)")
#define WAIT _Pragma("omp taskwait")
#else
#define REGION
#define TASK
#define TASK_SHARING_A
#define WAIT
#endif

static int threads;

static void tasks(bench_job *job)
{
    const size_t n = job->n;
    REGION
    {
        for (size_t k = 0; k < n; k++) {
            TASK bench_task(job, k);
        }
        WAIT
    }
}

static long fib(unsigned n, unsigned cut)
{
    long a, b;
    if (n <= cut)
        return bench_fib(n);
    TASK_SHARING_A
    a = fib(n - 1, cut);
    b = fib(n - 2, cut);
    WAIT return a + b;
}

static void fibonacci(bench_job *job)
{
    const unsigned n = (unsigned)job->n, cut = (unsigned)job->workload->iterations;
    long value = 0;
    REGION
    value = fib(n, cut);
    job->result = (float)value;
}

static void squares(bench_job *job)
{
    const float *x = job->in[0];
    float *y = job->out[0];
    for (size_t k = 0; k < job->n; k++)
        y[k] = x[k] * x[k];
}

static bench_call find(bench_job *job)
{
    threads = (int)bench_threads();
    switch (job->workload->kind) {
    case BENCH_TASKS: return tasks;
    case BENCH_FIB: return fibonacci;
    case BENCH_SQUARES: return squares;
    default: return NULL;
    }
}

static void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

const struct bench_contestant bench_contestant = {find, parallel, NULL, NULL, NULL};
