/* The workloads as plain loops: the serial contestant, and the OpenMP ones when compiled with -fopenmp. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "contestant.h"

#ifdef _OPENMP
#define PARALLEL_FOR _Pragma("omp parallel for schedule(static)")
#define PARALLEL_SUM _Pragma("omp parallel for schedule(static) reduction(+ : total)")
#define PARALLEL_UNEVEN _Pragma("omp parallel for schedule(dynamic, 8)")
#else
#define PARALLEL_FOR
#define PARALLEL_SUM
#define PARALLEL_UNEVEN
#endif

#include "rows.h"

static void empty(bench_job *job)
{
#if defined(_OPENMP) && defined(__clang__)
    /* clang 14 counts through the empty loop, and drops an empty region; what is to be measured is the region. */
    (void)job;
#pragma omp parallel
    __asm__ __volatile__("");
#else
    size_t n = job->n;
    PARALLEL_FOR
    for (size_t i = 0; i < n; i++) {
    }
#endif
}

static void copy(bench_job *job)
{
    size_t n = job->n;
    const float *restrict x = job->in[0];
    float *restrict y = job->out[0];
    PARALLEL_FOR
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
}

static void triad(bench_job *job)
{
    size_t n = job->n;
    const float *restrict b = job->in[0], *restrict c = job->in[1];
    float *restrict y = job->out[0];
    PARALLEL_FOR
    for (size_t i = 0; i < n; i++)
        y[i] = b[i] + BENCH_SCALAR * c[i];
}

static void sum(bench_job *job)
{
    size_t n = job->n;
    const float *restrict x = job->in[0];
    float total = 0.0f;
    PARALLEL_SUM
    for (size_t i = 0; i < n; i++)
        total += x[i];
    job->result = total;
}

static void dot(bench_job *job)
{
    size_t n = job->n;
    const float *restrict x = job->in[0], *restrict y = job->in[1];
    float total = 0.0f;
    PARALLEL_SUM
    for (size_t i = 0; i < n; i++)
        total += x[i] * y[i];
    job->result = total;
}

static void map_exp(bench_job *job)
{
    size_t n = job->n;
    const float *restrict x = job->in[0];
    float *restrict y = job->out[0];
    PARALLEL_FOR
    for (size_t i = 0; i < n; i++)
        y[i] = expf(x[i]);
}

static void map_sin(bench_job *job)
{
    size_t n = job->n;
    const float *restrict x = job->in[0];
    float *restrict y = job->out[0];
    PARALLEL_FOR
    for (size_t i = 0; i < n; i++)
        y[i] = sinf(x[i]);
}

static void black_scholes(bench_job *job)
{
    size_t n = job->n;
    const float *restrict spot = job->in[0], *restrict strike = job->in[1], *restrict years = job->in[2];
    float *restrict call = job->out[0], *restrict put = job->out[1];
    PARALLEL_FOR
    for (size_t i = 0; i < n; i++)
        option_price(spot[i], strike[i], years[i], &call[i], &put[i]);
}

static void mandelbrot(bench_job *job)
{
    PARALLEL_UNEVEN
    for (size_t j = 0; j < job->height; j++)
        mandelbrot_row(job, j);
}

static void nbody(bench_job *job)
{
    PARALLEL_FOR
    for (size_t i = 0; i < job->n; i++)
        nbody_body(job, i);
}

static void heat(bench_job *job)
{
    PARALLEL_FOR
    for (size_t j = 0; j < job->height; j++)
        heat_row(job, j);
}

static void blur(bench_job *job)
{
    PARALLEL_FOR
    for (size_t j = 0; j < job->height; j++)
        blur_across_row(job, j);
    PARALLEL_FOR
    for (size_t j = 0; j < job->height; j++)
        blur_down_row(job, j);
}

static bench_call find(bench_job *job)
{
    switch (job->workload->kind) {
    case BENCH_EMPTY: return empty;
    case BENCH_COPY: return copy;
    case BENCH_TRIAD: return triad;
    case BENCH_SUM: return sum;
    case BENCH_DOT: return dot;
    case BENCH_EXP: return map_exp;
    case BENCH_SIN: return map_sin;
    case BENCH_BLACK_SCHOLES: return black_scholes;
    case BENCH_MANDELBROT: return mandelbrot;
    case BENCH_NBODY: return nbody;
    case BENCH_HEAT: return heat;
    case BENCH_BLUR: return blur;
    default: return NULL;
    }
}

static void parallel(size_t n, bench_range body, void *argument)
{
    /* As many parts as any machine has threads: the static schedule gives each thread its neighbours. */
    size_t parts = 1024;
    PARALLEL_FOR
    for (size_t part = 0; part < parts; part++)
        body(n * part / parts, n * (part + 1) / parts, argument);
}

const struct bench_contestant bench_contestant = {find, parallel, NULL, NULL, NULL};
