/* The workloads as one writes them for OpenCL by hand: one in-order queue, arrays that the driver allocated for host and
 * device, arguments set once, the fastest of a few kernels and work-group sizes, tried before. A call ends when the host
 * may read the results. Modes: "default", between calls only the results are mapped; "all", the inputs too, for a host
 * that changes them; "bare", nothing is ever mapped: not enough where host and device do not share memory. */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "contestant.h"
#include "opencl_kernels.h"

#define TRIAL_CALLS 9
#define TRIAL_SECONDS 0.05
#define MOST_PARTS 1024
#define MOST_ARRAYS (BENCH_MAX_INPUTS + BENCH_MAX_OUTPUTS + 1)

struct array {
    cl_mem memory;
    void *host; /* where it was mapped last */
    size_t bytes;
    bool mapped;
};

static cl_device_id device;
static cl_context context;
static cl_command_queue queue;
static cl_program program;
static bool shares_memory;
static struct array arrays[MOST_ARRAYS];
static size_t generation; /* of arrays */

/* Others would time a call that failed as a fast one. */
static void must(cl_int error, const char *what)
{
    if (error == CL_SUCCESS)
        return;
    fprintf(stderr, "bench: OpenCL by hand: %s: error %d\n", what, (int)error);
    _Exit(1);
}

/* --- the device --- */

static void build(void)
{
    const char *text = bench_opencl_kernels;
    cl_int error;
    program = clCreateProgramWithSource(context, 1, &text, NULL, &error);
    must(error, "clCreateProgramWithSource");
    if (clBuildProgram(program, 1, &device, "-cl-std=CL1.2 -cl-mad-enable", NULL, NULL) == CL_SUCCESS)
        return;
    static char log[4096];
    (void)clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
    fprintf(stderr, "%s\n", log);
    must(CL_BUILD_PROGRAM_FAILURE, "clBuildProgram");
}

/* The first device of the first platform that has one. */
static bool find_device(void)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS)
        return false;
    for (cl_uint k = 0; k < count && k < 16; k++)
        if (clGetDeviceIDs(platforms[k], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS)
            return true;
    return false;
}

static bool ready(void)
{
    static bool tried;
    if (tried)
        return context != NULL;
    tried = true;
    if (!find_device()) {
        fprintf(stderr, "bench: no OpenCL device here\n");
        return false;
    }
    char name[128] = "";
    cl_bool unified = CL_FALSE;
    cl_int error;
    (void)clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
    (void)clGetDeviceInfo(device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof unified, &unified, NULL);
    shares_memory = unified != CL_FALSE;
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    must(error, "clCreateContext");
    queue = clCreateCommandQueue(context, device, 0, &error);
    must(error, "clCreateCommandQueue");
    build();
    fprintf(stderr, "bench: OpenCL by hand runs on %s\n", name);
    return true;
}

/* --- arrays --- */

static void unmap(struct array *a)
{
    if (!a->mapped)
        return;
    must(clEnqueueUnmapMemObject(queue, a->memory, a->host, 0, NULL, NULL), "clEnqueueUnmapMemObject");
    a->mapped = false;
}

/* The last map of a call waits for all of it. */
static void *map(struct array *a, cl_map_flags how, cl_bool wait)
{
    cl_int error;
    a->host = clEnqueueMapBuffer(queue, a->memory, wait, how, 0, a->bytes, 0, NULL, NULL, &error);
    must(error, "clEnqueueMapBuffer");
    a->mapped = true;
    return a->host;
}

static struct array *array_of(const void *host)
{
    for (int k = 0; k < MOST_ARRAYS; k++)
        if (arrays[k].memory != NULL && arrays[k].host == host)
            return &arrays[k];
    must(CL_INVALID_VALUE, "an array of somebody else");
    return NULL;
}

static void *open_array(size_t bytes)
{
    struct array *a = arrays;
    while (a->memory != NULL)
        a++;
    cl_int error;
    a->memory = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &error);
    if (error != CL_SUCCESS) {
        a->memory = NULL;
        return NULL;
    }
    a->bytes = bytes;
    generation++;
    return map(a, CL_MAP_READ | CL_MAP_WRITE, CL_TRUE);
}

static void close_array(void *host, size_t bytes)
{
    (void)bytes;
    if (host == NULL)
        return;
    struct array *a = array_of(host);
    unmap(a);
    must(clFinish(queue), "clFinish");
    (void)clReleaseMemObject(a->memory);
    *a = (struct array){NULL, NULL, 0, false};
}

/* --- what is tried --- */

struct trial {
    enum bench_kind kind;
    const char *kernel;
    size_t local[2]; /* 0: the driver's choice */
    size_t groups;   /* 0: as many as the items need */
};

static const struct trial trials[] = {
    {BENCH_TRIAD, "triad", {0, 0}, 0},
    {BENCH_TRIAD, "triad", {64, 1}, 0},
    {BENCH_TRIAD, "triad", {256, 1}, 0},
    {BENCH_TRIAD, "triad", {1024, 1}, 0},
    {BENCH_TRIAD, "triad", {4096, 1}, 0},
    {BENCH_BLACK_SCHOLES, "black_scholes", {0, 0}, 0},
    {BENCH_BLACK_SCHOLES, "black_scholes", {64, 1}, 0},
    {BENCH_BLACK_SCHOLES, "black_scholes", {256, 1}, 0},
    {BENCH_BLACK_SCHOLES, "black_scholes", {1024, 1}, 0},
    {BENCH_HEAT, "heat", {0, 0}, 0},
    {BENCH_HEAT, "heat", {64, 1}, 0},
    {BENCH_HEAT, "heat", {256, 1}, 0},
    {BENCH_HEAT, "heat", {1024, 1}, 0},
    {BENCH_HEAT, "heat", {64, 4}, 0},
    {BENCH_HEAT, "heat", {16, 16}, 0},
    {BENCH_DOT, "dot_tree", {64, 1}, 64},
    {BENCH_DOT, "dot_tree", {256, 1}, 16},
    {BENCH_DOT, "dot_tree", {256, 1}, 256},
    {BENCH_DOT, "dot_tree", {256, 1}, 1024},
    {BENCH_DOT, "dot_parts", {1, 1}, 16},
    {BENCH_DOT, "dot_parts", {1, 1}, 128},
    {BENCH_DOT, "dot_parts", {1, 1}, 1024},
    {BENCH_NBODY, "nbody", {0, 0}, 0},
    {BENCH_NBODY, "nbody", {64, 1}, 0},
    {BENCH_NBODY, "nbody", {256, 1}, 0},
    {BENCH_NBODY, "nbody_tiles", {64, 1}, 0},
    {BENCH_NBODY, "nbody_tiles", {256, 1}, 0},
};
enum { TRIALS = sizeof trials / sizeof trials[0] };

/* The chosen one, ready to go. */
static struct launch {
    cl_kernel kernel;
    cl_uint dimensions;
    size_t global[2], local[2];
    size_t groups;
    cl_mem sums; /* of the groups, or NULL */
    float *mapped_sums;
} current;

static void put(cl_kernel kernel, cl_uint *next, size_t size, const void *value)
{
    must(clSetKernelArg(kernel, (*next)++, size, value), "clSetKernelArg");
}

static void put_values(cl_kernel kernel, cl_uint *next, const bench_job *job)
{
    const float scalar = BENCH_SCALAR, diffusion = BENCH_DIFFUSION, softening = BENCH_SOFTENING;
    const float rate = BENCH_RATE, volatility = BENCH_VOLATILITY;
    const cl_uint n = (cl_uint)job->n, width = (cl_uint)job->width, height = (cl_uint)job->height;
    switch (job->workload->kind) {
    case BENCH_TRIAD: put(kernel, next, sizeof scalar, &scalar); break;
    case BENCH_NBODY: put(kernel, next, sizeof softening, &softening); break;
    case BENCH_BLACK_SCHOLES:
        put(kernel, next, sizeof rate, &rate);
        put(kernel, next, sizeof volatility, &volatility);
        break;
    case BENCH_HEAT:
        put(kernel, next, sizeof diffusion, &diffusion);
        put(kernel, next, sizeof width, &width);
        put(kernel, next, sizeof height, &height);
        return;
    default: break;
    }
    put(kernel, next, sizeof n, &n);
}

static struct launch prepare(const struct trial *trial, const bench_job *job)
{
    cl_int error;
    cl_uint next = 0;
    const bool plane = trial->kind == BENCH_HEAT;
    struct launch l = {.dimensions = plane ? 2 : 1, .groups = trial->groups};
    l.kernel = clCreateKernel(program, trial->kernel, &error);
    must(error, "clCreateKernel");
    for (int k = 0; k < job->workload->outputs; k++)
        put(l.kernel, &next, sizeof(cl_mem), &array_of(job->out[k])->memory);
    for (int k = 0; k < job->workload->inputs; k++)
        put(l.kernel, &next, sizeof(cl_mem), &array_of(job->in[k])->memory);
    if (l.groups > 0) {
        l.sums =
            clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, l.groups * sizeof(float), NULL, &error);
        must(error, "clCreateBuffer");
        put(l.kernel, &next, sizeof l.sums, &l.sums);
    }
    put_values(l.kernel, &next, job);
    const size_t items[2] = {plane ? job->width : job->n, plane ? job->height : 1};
    for (int k = 0; k < 2; k++) {
        const size_t local = trial->local[k];
        l.local[k] = local;
        l.global[k] = l.groups > 0 ? l.groups * local : local > 0 ? (items[k] + local - 1) / local * local : items[k];
    }
    return l;
}

static void discard(struct launch *l)
{
    if (l->mapped_sums != NULL) {
        (void)clEnqueueUnmapMemObject(queue, l->sums, l->mapped_sums, 0, NULL, NULL);
        must(clFinish(queue), "clFinish");
    }
    if (l->sums != NULL)
        (void)clReleaseMemObject(l->sums);
    if (l->kernel != NULL)
        (void)clReleaseKernel(l->kernel);
    memset(l, 0, sizeof *l);
}

static cl_int enqueue(const struct launch *l)
{
    return clEnqueueNDRangeKernel(queue, l->kernel, l->dimensions, NULL, l->global, l->local[0] > 0 ? l->local : NULL,
                                  0, NULL, NULL);
}

/* Seconds of the fastest call; INFINITY when the device does not take it. */
static double try(const struct launch *l)
{
    double best = INFINITY, end = INFINITY;
    for (int k = 0; k < TRIAL_CALLS + 1; k++) {
        double start = bench_seconds(CLOCK_MONOTONIC);
        if (enqueue(l) != CL_SUCCESS)
            return INFINITY;
        must(clFinish(queue), "clFinish");
        double now = bench_seconds(CLOCK_MONOTONIC);
        if (k == 0) /* compiles */
            end = now + TRIAL_SECONDS;
        else
            best = fmin(best, now - start);
        if (k > 0 && now > end)
            break;
    }
    return best;
}

static bool choose(const bench_job *job)
{
    double best = INFINITY;
    discard(&current);
    for (int k = 0; k < MOST_ARRAYS; k++)
        if (arrays[k].memory != NULL)
            unmap(&arrays[k]);
    for (int k = 0; k < TRIALS; k++) {
        if (trials[k].kind != job->workload->kind)
            continue;
        struct launch l = prepare(&trials[k], job);
        double seconds = try(&l);
        if (seconds < best) {
            discard(&current);
            current = l;
            best = seconds;
        } else {
            discard(&l);
        }
    }
    return best < INFINITY;
}

/* --- calls --- */

static void add_sums(bench_job *job)
{
    cl_int error;
    if (current.mapped_sums != NULL)
        must(clEnqueueUnmapMemObject(queue, current.sums, current.mapped_sums, 0, NULL, NULL), "unmap of the sums");
    must(enqueue(&current), "clEnqueueNDRangeKernel");
    current.mapped_sums = clEnqueueMapBuffer(queue, current.sums, CL_TRUE, CL_MAP_READ, 0,
                                             current.groups * sizeof(float), 0, NULL, NULL, &error);
    must(error, "clEnqueueMapBuffer");
    float sum = 0.0f;
    for (size_t k = 0; k < current.groups; k++)
        sum += current.mapped_sums[k];
    job->result = sum;
}

static void call_default(bench_job *job)
{
    const int outputs = job->workload->outputs;
    if (outputs == 0) {
        add_sums(job);
        return;
    }
    for (int k = 0; k < outputs; k++)
        unmap(array_of(job->out[k]));
    must(enqueue(&current), "clEnqueueNDRangeKernel");
    for (int k = 0; k < outputs; k++)
        job->out[k] = map(array_of(job->out[k]), CL_MAP_READ, k + 1 == outputs);
}

static void call_all(bench_job *job)
{
    for (int k = 0; k < job->workload->inputs; k++)
        unmap(array_of(job->in[k]));
    for (int k = 0; k < job->workload->outputs; k++)
        unmap(array_of(job->out[k]));
    if (job->workload->outputs > 0)
        must(enqueue(&current), "clEnqueueNDRangeKernel");
    else
        add_sums(job);
    for (int k = 0; k < job->workload->outputs; k++)
        job->out[k] = map(array_of(job->out[k]), CL_MAP_READ | CL_MAP_WRITE, CL_FALSE);
    for (int k = 0; k < job->workload->inputs; k++)
        job->in[k] = map(array_of(job->in[k]), CL_MAP_READ | CL_MAP_WRITE, k + 1 == job->workload->inputs);
}

static void call_bare(bench_job *job)
{
    (void)job;
    must(enqueue(&current), "clEnqueueNDRangeKernel");
    must(clFinish(queue), "clFinish");
}

/* Before the calls of a command: what the mode has in the host's hands, and nothing else. */
static void hand_over(bench_job *job, bool inputs, bool outputs)
{
    for (int k = 0; k < job->workload->inputs; k++) {
        unmap(array_of(job->in[k]));
        if (inputs)
            job->in[k] = map(array_of(job->in[k]), CL_MAP_READ | CL_MAP_WRITE, CL_TRUE);
    }
    for (int k = 0; k < job->workload->outputs; k++) {
        unmap(array_of(job->out[k]));
        if (outputs)
            job->out[k] = map(array_of(job->out[k]), CL_MAP_READ | CL_MAP_WRITE, CL_TRUE);
    }
    must(clFinish(queue), "clFinish");
}

static bench_call find(bench_job *job)
{
    static size_t chosen_for;
    bool bare = strcmp(job->mode, "bare") == 0, all = strcmp(job->mode, "all") == 0;
    if (job->n > UINT32_MAX || (bare && (!shares_memory || job->workload->outputs == 0)))
        return NULL;
    if (chosen_for != generation) {
        if (!choose(job))
            return NULL;
        chosen_for = generation;
    }
    hand_over(job, all, !bare);
    return bare ? call_bare : all ? call_all : call_default;
}

static void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

static const struct bench_memory memory = {.open = open_array, .close = close_array};
const struct bench_contestant bench_contestant = {find, parallel, NULL, &memory, ready};
