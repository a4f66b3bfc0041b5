/* Yoke's kernels as their OpenCL text has them, on arrays that stay on the device: what transfers and scheduling hide. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/schedule/schedule.h"
#include "tests/gpu/measure.h"

typedef struct resident {
    const job *job;
    cl_program program;
    cl_kernel kernel;
    cl_mem buffer[YOKE_MAX_PARAMETERS], partials;
    size_t block, blocks; /* of a reduction */
    cl_uint dimensions;
    size_t global[2], local[2];
} resident;

static bool build(raw *r, resident *s)
{
    const yoke_kernel *kernel = s->job->kernel;
    char name[128];
    size_t length = 0;
    if (yoke_kernel_source(kernel, NULL, 0, &length) != YOKE_OK)
        return raw_ok(r, CL_INVALID_VALUE, "yoke_kernel_source");
    char *text = malloc(length + 1);
    if (text == NULL)
        return raw_ok(r, CL_OUT_OF_HOST_MEMORY, "malloc");
    (void)yoke_kernel_source(kernel, text, length + 1, NULL);
    s->program =
        raw_build(r, text, kernel->exact ? "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt" : "-cl-std=CL1.2");
    free(text);
    (void)snprintf(name, sizeof name, "yoke_k_%s", kernel->name);
    s->kernel = s->program != NULL ? raw_kernel(r, s->program, name) : NULL;
    return s->kernel != NULL;
}

static bool set_parameter(raw *r, resident *s, size_t k, cl_uint *next)
{
    const job *j = s->job;
    const cl_long here = 0;
    if (j->array[k] == NULL)
        return raw_set(r, s->kernel, (*next)++, j->kernel->parameters[k].size, &j->value[k]);
    s->buffer[k] = raw_buffer(r, CL_MEM_READ_WRITE, j->bytes[k]);
    if (s->buffer[k] == NULL)
        return false;
    if (!job_writes(j, k) &&
        !raw_ok(r,
                r->cl.clEnqueueWriteBuffer(r->queue, s->buffer[k], CL_TRUE, 0, j->bytes[k], j->array[k], 0, NULL, NULL),
                "clEnqueueWriteBuffer"))
        return false;
    return raw_set(r, s->kernel, (*next)++, sizeof(cl_mem), &s->buffer[k]) &&
           raw_set(r, s->kernel, (*next)++, sizeof here, &here);
}

/* Begin, end, sizes, partial results, then what the kernel declares. */
static bool set_arguments(raw *r, resident *s)
{
    const job *j = s->job;
    cl_uint next = 4;
    const cl_ulong end = j->is_reduction ? s->blocks : j->is_flat ? j->size[0] : j->size[1];
    const cl_ulong head[4] = {0, end, j->size[0], j->is_reduction ? s->block : j->size[1]};
    for (cl_uint k = 0; k < 4; k++)
        if (!raw_set(r, s->kernel, k, sizeof head[k], &head[k]))
            return false;
    if (j->is_reduction) {
        s->partials = raw_buffer(r, CL_MEM_READ_WRITE, s->blocks * j->kernel->result_size);
        if (s->partials == NULL || !raw_set(r, s->kernel, next++, sizeof(cl_mem), &s->partials))
            return false;
    }
    for (size_t k = 0; k < j->kernel->parameter_count; k++)
        if (!set_parameter(r, s, k, &next))
            return false;
    return true;
}

static bool enqueue(raw *r, void *context)
{
    const resident *s = context;
    return raw_launch(r, s->kernel, s->dimensions, s->global, s->local);
}

static size_t rounded_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* Over the sizes of group that Yoke tries; negative when none can be launched. */
static double best_seconds(raw *r, resident *s)
{
    static const size_t flat[][2] = {{64, 1}, {256, 1}, {1024, 1}}, plane[][2] = {{32, 4}, {64, 4}, {16, 16}, {256, 1}};
    const job *j = s->job;
    const size_t choices = j->is_reduction ? 1 : j->is_flat ? 3 : 4;
    double best = -1;
    for (size_t k = 0; k < choices; k++) {
        const size_t *local = j->is_flat ? flat[k] : plane[k];
        s->dimensions = j->is_flat ? 1 : 2;
        memcpy(s->local, local, sizeof s->local);
        s->global[0] = j->is_reduction ? s->blocks * local[0] : rounded_up(j->size[0], local[0]);
        s->global[1] = rounded_up(j->size[1], local[1]);
        const double seconds = raw_best(r, enqueue, s);
        if (seconds > 0 && (best < 0 || seconds < best))
            best = seconds;
    }
    return best;
}

static bool fetch(raw *r, cl_mem from, void *to, size_t bytes)
{
    return raw_ok(r, r->cl.clEnqueueReadBuffer(r->queue, from, CL_TRUE, 0, bytes, to, 0, NULL, NULL),
                  "clEnqueueReadBuffer");
}

/* In any order: the tolerance allows for that. */
static bool fold(raw *r, const resident *s, float *result)
{
    float *partials = calloc(s->blocks, sizeof *partials);
    bool good = raw_ok(r, partials != NULL ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY, "calloc") &&
                fetch(r, s->partials, partials, s->blocks * sizeof *partials);
    s->job->kernel->identity(result);
    for (size_t k = 0; good && k < s->blocks; k++)
        s->job->kernel->combine(result, &partials[k]);
    free(partials);
    return good;
}

/* Negative on failure. */
static double result_error(raw *r, const resident *s)
{
    const job *j = s->job;
    void *got[YOKE_MAX_PARAMETERS] = {NULL};
    float result = 0;
    bool good = !j->is_reduction || fold(r, s, &result);
    for (size_t k = 0; good && k < j->kernel->parameter_count; k++) {
        if (j->reference[k] == NULL)
            continue;
        got[k] = malloc(j->bytes[k]);
        good = raw_ok(r, got[k] != NULL ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY, "malloc") &&
               fetch(r, s->buffer[k], got[k], j->bytes[k]);
    }
    const double error = good ? job_error(j, got, result) : -1;
    for (size_t k = 0; k < YOKE_MAX_PARAMETERS; k++)
        free(got[k]);
    return error;
}

static void report(const resident *s, const char *what, double seconds, const limits *limit)
{
    const job *j = s->job;
    const double least = job_limit(j, limit);
    if (j->slots / limit->flops < least)
        report_rate(what, job_items(j), (j->in + j->out) / seconds / 1e9, "GB/s", (j->in + j->out) / least / 1e9);
    else
        report_rate(what, job_items(j), j->flops / seconds / 1e9, "GFLOP/s", j->flops / least / 1e9);
}

void measure_resident(raw *r, const job *j, const limits *limit)
{
    resident s = {.job = j};
    char what[64];
    (void)snprintf(what, sizeof what, "%s, kernel alone", j->name);
    if (j->kernel->exact && !r->facts.is_exact) {
        report_skipped(what, job_items(j), "the device does not round as an exact kernel needs");
        return;
    }
    if (j->is_reduction) {
        s.block = yoke__plan_reduction_block(j->size[0], j->kernel->result_size, yoke_lanes_max);
        s.blocks = (j->size[0] + s.block - 1) / s.block;
    }
    const bool ready = build(r, &s) && set_arguments(r, &s);
    const double seconds = ready ? best_seconds(r, &s) : -1;
    const double error = seconds > 0 ? result_error(r, &s) : -1;
    if (error < 0)
        raw_report(r, what, job_items(j));
    else if (error > 1)
        report_failed(what, job_items(j), "wrong by %.3g times what is allowed", error);
    else
        report(&s, what, seconds, limit);
    for (size_t k = 0; k < YOKE_MAX_PARAMETERS; k++)
        raw_release(r, s.buffer[k]);
    raw_release(r, s.partials);
    if (s.kernel != NULL)
        (void)r->cl.clReleaseKernel(s.kernel);
    if (s.program != NULL)
        (void)r->cl.clReleaseProgram(s.program);
}
