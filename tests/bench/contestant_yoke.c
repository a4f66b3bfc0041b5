/* The workloads on Yoke, by its public headers alone, built as any program is (-O2, for no particular CPU). Modes:
 * "default"; "divided", an empty loop that must use the workers, of which only those calls count in which a worker
 * and the caller both ran a part. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <yoke/kernels.h>
#include <yoke/yoke.h>

#include "contestant.h"

YOKE_KERNEL(empty_map, (value(int, unused)), { (void)unused; })

YOKE_KERNEL(exp_map, (out(float, y), in(float, x)), { y[i] = expf(x[i]); })

YOKE_KERNEL(sin_map, (out(float, y), in(float, x)), { y[i] = sinf(x[i]); })

/* A peer's call cannot fail; one of Yoke that does would be timed as a fast one, so it ends the contestant. */
static void must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "bench: yoke: %s: %s\n", yoke_strerror(status), yoke_error_detail());
    _Exit(1);
}

static void empty(bench_job *job)
{
    must(parallel_map(empty_map, job->n, 0));
}

#define MARKS ((size_t)1 << 20)

/* Who ran a part of which call; each array is written by one thread only (but for other workers on larger machines),
 * and read after the measuring, so that counting costs the call nothing. */
static uint32_t marks_of_caller[MARKS], marks_of_workers[MARKS];
static _Thread_local bool is_caller;

static void mark(size_t begin, size_t end, void *argument)
{
    (void)begin, (void)end;
    uintptr_t sequence = (uintptr_t)argument;
    uint32_t *marks = is_caller ? marks_of_caller : marks_of_workers;
    marks[sequence % MARKS] = (uint32_t)sequence;
}

static bool counted(const bench_job *job, size_t sequence)
{
    return strcmp(job->mode, "divided") != 0 || (marks_of_caller[sequence % MARKS] == (uint32_t)sequence &&
                                                 marks_of_workers[sequence % MARKS] == (uint32_t)sequence);
}

static void empty_divided(bench_job *job)
{
    static const yoke_options always = {.flags = YOKE_ALWAYS_DIVIDE};
    is_caller = true;
    must(parallel_for_on(NULL, &always, job->n, mark, (void *)(uintptr_t)job->sequence));
}

static void map_exp(bench_job *job)
{
    must(parallel_map(exp_map, job->n, job->out[0], job->in[0]));
}

static void map_sin(bench_job *job)
{
    must(parallel_map(sin_map, job->n, job->out[0], job->in[0]));
}

static void copy(bench_job *job)
{
    must(parallel_map(yoke_copy, job->n, job->out[0], job->in[0]));
}

static void triad(bench_job *job)
{
    must(parallel_map(yoke_triad, job->n, job->out[0], job->in[0], job->in[1], BENCH_SCALAR));
}

static void sum(bench_job *job)
{
    must(parallel_reduce(yoke_sum, job->n, &job->result, job->in[0]));
}

static void dot(bench_job *job)
{
    must(parallel_reduce(yoke_dot, job->n, &job->result, job->in[0], job->in[1]));
}

static void black_scholes(bench_job *job)
{
    must(parallel_map(yoke_black_scholes, job->n, job->in[0], job->in[1], job->in[2], BENCH_RATE, BENCH_VOLATILITY,
                      job->out[0], job->out[1]));
}

static void mandelbrot(bench_job *job)
{
    must(parallel_map_2d(yoke_mandelbrot, job->width, job->height, job->out[0], BENCH_LEFT, BENCH_TOP,
                         BENCH_SIDE / (float)job->width, BENCH_SIDE / (float)job->height, job->workload->iterations));
}

static void nbody(bench_job *job)
{
    must(parallel_map(yoke_nbody, job->n, job->out[0], job->out[1], job->out[2], job->in[0], job->in[1], job->in[2],
                      job->in[3], BENCH_SOFTENING));
}

static void heat(bench_job *job)
{
    must(parallel_map_2d(yoke_heat, job->width, job->height, job->out[0], job->in[0], BENCH_DIFFUSION));
}

static void blur(bench_job *job)
{
    const float *weights = job->weight + BENCH_BLUR_RADIUS;
    must(parallel_map_2d(yoke_blur_rows, 3 * job->width, job->height, job->scratch, job->in[0], weights,
                         BENCH_BLUR_RADIUS, 3));
    must(parallel_map_2d(yoke_blur_columns, 3 * job->width, job->height, job->out[0], job->scratch, weights,
                         BENCH_BLUR_RADIUS));
}

static bench_call find(bench_job *job)
{
    if (strcmp(job->mode, "divided") == 0)
        return job->workload->kind == BENCH_EMPTY ? empty_divided : NULL;
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
    must(parallel_for(n, body, argument));
}

const struct bench_contestant bench_contestant = {find, parallel, counted, NULL, NULL};
