/* Yoke's kernels on the first OpenCL device, in a runtime that has nothing else: arrays from yoke_alloc, whose inputs stay
 * there, while the host may read the results when a call ends, as with the contestant by hand. A call that the workers did
 * ends the contestant, for it would be timed as the device's. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yoke/kernels.h>
#include <yoke/yoke.h>

#include "clock.h"
#include "contestant.h"

#define COMPILING 30.0 /* seconds that a kernel may take until the device runs it */

static yoke_runtime *runtime;
static const yoke_options written_back = {.flags = YOKE_WRITE_BACK};

static void must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "bench: yoke on OpenCL: %s: %s\n", yoke_strerror(status), yoke_error_detail());
    _Exit(1);
}

static bool ready(void)
{
    static bool tried;
    if (tried)
        return runtime != NULL;
    tried = true;
    yoke_device device;
    const yoke_runtime_options options = {.devices = "opencl:0"};
    runtime = yoke_open(&options);
    if (runtime == NULL)
        fprintf(stderr, "bench: no Yoke on OpenCL here: %s\n", yoke_error_detail());
    else if (yoke_device_of(runtime, 0, &device) == 0)
        fprintf(stderr, "bench: Yoke on OpenCL runs on %s\n", device.name);
    return runtime != NULL;
}

static void triad(bench_job *job)
{
    must(
        parallel_map_on(runtime, &written_back, yoke_triad, job->n, job->out[0], job->in[0], job->in[1], BENCH_SCALAR));
}

static void dot(bench_job *job)
{
    must(parallel_reduce_on(runtime, &written_back, yoke_dot, job->n, &job->result, job->in[0], job->in[1]));
}

static void black_scholes(bench_job *job)
{
    must(parallel_map_on(runtime, &written_back, yoke_black_scholes, job->n, job->in[0], job->in[1], job->in[2],
                         BENCH_RATE, BENCH_VOLATILITY, job->out[0], job->out[1]));
}

static void nbody(bench_job *job)
{
    must(parallel_map_on(runtime, &written_back, yoke_nbody, job->n, job->out[0], job->out[1], job->out[2], job->in[0],
                         job->in[1], job->in[2], job->in[3], BENCH_SOFTENING));
}

static void heat(bench_job *job)
{
    must(parallel_map_2d_on(runtime, &written_back, yoke_heat, job->width, job->height, job->out[0], job->in[0],
                            BENCH_DIFFUSION));
}

static bool on_device(const yoke_decision *decision)
{
    return decision->device == 0 && decision->device_items > 0 && decision->reason[0] == '\0';
}

static bench_call work;

/* The look at the decision costs some 10 ns. */
static void call(bench_job *job)
{
    yoke_decision decision;
    work(job);
    must(yoke_last_decision(&decision));
    if (on_device(&decision))
        return;
    fprintf(stderr, "bench: yoke on OpenCL: the workers did %s: %s\n", decision.kernel, decision.reason);
    _Exit(1);
}

static bench_call body_of(const bench_job *job)
{
    switch (job->workload->kind) {
    case BENCH_TRIAD: return triad;
    case BENCH_DOT: return dot;
    case BENCH_BLACK_SCHOLES: return black_scholes;
    case BENCH_NBODY: return nbody;
    case BENCH_HEAT: return heat;
    default: return NULL;
    }
}

/* Until the kernel is compiled. */
static void wait_for_device(bench_job *job)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    double end = bench_seconds(CLOCK_MONOTONIC) + COMPILING;
    yoke_decision decision = {.device = -1};
    while (!on_device(&decision) && bench_seconds(CLOCK_MONOTONIC) < end) {
        work(job);
        if (yoke_last_decision(&decision) != 0 || !on_device(&decision))
            (void)nanosleep(&pause, NULL);
    }
}

static bench_call find(bench_job *job)
{
    bench_call body = body_of(job);
    if (body != NULL && body != work) {
        work = body;
        wait_for_device(job);
    }
    return body != NULL ? call : NULL;
}

static void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

static void *open_array(size_t bytes)
{
    return yoke_alloc(bytes, YOKE_PLACE_DEFAULT);
}

static void close_array(void *array, size_t bytes)
{
    (void)bytes;
    must(yoke_free(array));
}

static void read_array(const void *array)
{
    must(yoke_read(array) != NULL ? 0 : YOKE_ELOST);
}

static void write_array(void *array)
{
    must(yoke_write(array) != NULL ? 0 : YOKE_ENOMEM);
}

static const struct bench_memory memory = {open_array, close_array, read_array, write_array};
const struct bench_contestant bench_contestant = {find, parallel, NULL, &memory, ready};
