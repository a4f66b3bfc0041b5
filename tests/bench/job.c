#define _GNU_SOURCE
#include "job.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

struct filling {
    void *array;
    unsigned salt;
    float low, high;
    bool bytes;
};

/* The same advice for everybody: huge pages where the array is large enough for one. */
static void *array_open(size_t bytes)
{
    size_t size = bytes < HUGE_PAGE ? bytes : (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    size_t space = size + HUGE_PAGE;
    char *base = mmap(NULL, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    char *array = base + (HUGE_PAGE - (uintptr_t)base % HUGE_PAGE);
    munmap(base, (size_t)(array - base));
    size_t page_end = ((size_t)(array - base) + size + 4095) / 4096 * 4096;
    if (page_end < space)
        munmap(base + page_end, space - page_end);
    if (bytes >= HUGE_PAGE)
        madvise(array, size, MADV_HUGEPAGE);
    return array;
}

static void array_close(void *array, size_t bytes)
{
    if (array != NULL)
        munmap(array,
               bytes < HUGE_PAGE ? (bytes + 4095) / 4096 * 4096 : (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
}

static const struct bench_memory pages = {.open = array_open, .close = array_close};

/* A number in [0, 1) that looks random and depends on its place alone. */
static float unit(size_t place, unsigned salt)
{
    uint64_t x = ((uint64_t)place + 1) * 0x9E3779B97F4A7C15u + salt * 0xD1B54A32D192ED03u;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    return (float)(x >> 40) * 0x1p-24f;
}

static void fill(size_t begin, size_t end, void *argument)
{
    const struct filling *filling = argument;
    for (size_t i = begin; i < end; i++) {
        float value = filling->low + (filling->high - filling->low) * unit(i, filling->salt);
        if (filling->bytes)
            ((uint8_t *)filling->array)[i] = (uint8_t)value;
        else
            ((float *)filling->array)[i] = value;
    }
}

static void weigh(float *weight)
{
    double total = 0.0;
    for (int k = -BENCH_BLUR_RADIUS; k <= BENCH_BLUR_RADIUS; k++)
        total += exp(-0.5 * k * k / (BENCH_BLUR_SIGMA * BENCH_BLUR_SIGMA));
    for (int k = -BENCH_BLUR_RADIUS; k <= BENCH_BLUR_RADIUS; k++)
        weight[k + BENCH_BLUR_RADIUS] = (float)(exp(-0.5 * k * k / (BENCH_BLUR_SIGMA * BENCH_BLUR_SIGMA)) / total);
}

int bench_job_open(bench_job *job, const struct bench_workload *workload, size_t n, bench_parallel parallel,
                   const struct bench_memory *memory)
{
    memset(job, 0, sizeof *job);
    job->workload = workload;
    job->n = n;
    job->memory = memory != NULL ? memory : &pages;
    job->width = bench_width(workload, n);
    job->height = n / job->width;
    weigh(job->weight);
    bool bytes = workload->kind == BENCH_BLUR;
    size_t size = n * workload->item_bytes;
    size_t elements = bytes ? 3 * n : n;
    for (int k = 0; k < workload->inputs + workload->outputs + (bytes ? 1 : 0); k++) {
        void *array = job->memory->open(size);
        if (array == NULL) {
            bench_job_close(job);
            return -1;
        }
        struct filling filling = {array, (unsigned)k, 0.0f, 0.0f, bytes};
        if (k < workload->inputs) {
            filling.low = workload->range[k].low;
            filling.high = workload->range[k].high;
            job->in[k] = array;
        } else if (k < workload->inputs + workload->outputs) {
            job->out[k - workload->inputs] = array;
        } else {
            job->scratch = array;
        }
        if (job->memory->write != NULL)
            job->memory->write(array);
        parallel(elements, fill, &filling);
    }
    return 0;
}

void bench_job_close(bench_job *job)
{
    if (job->workload == NULL)
        return;
    size_t size = job->n * job->workload->item_bytes;
    for (int k = 0; k < BENCH_MAX_INPUTS; k++)
        job->memory->close(job->in[k], size);
    for (int k = 0; k < BENCH_MAX_OUTPUTS; k++)
        job->memory->close(job->out[k], size);
    job->memory->close(job->scratch, size);
    memset(job, 0, sizeof *job);
}

void bench_job_spoil(bench_job *job)
{
    for (int k = 0; k < job->workload->outputs; k++) {
        if (job->memory->write != NULL)
            job->memory->write(job->out[k]);
        memset(job->out[k], 0x7b, job->n * job->workload->item_bytes);
    }
    job->result = -12345.0f;
}

static double element(const bench_job *job, int output, size_t i)
{
    switch (job->workload->kind) {
    case BENCH_MANDELBROT: return ((const int32_t *)job->out[output])[i];
    case BENCH_BLUR: return ((const uint8_t *)job->out[output])[i];
    default: return fabs((double)((const float *)job->out[output])[i]);
    }
}

int bench_job_checksums(const bench_job *job, double sums[BENCH_CHECKSUMS])
{
    if (job->workload->outputs == 0) {
        sums[0] = job->result;
        return 1;
    }
    size_t elements = job->workload->kind == BENCH_BLUR ? 3 * job->n : job->n;
    int parts = BENCH_CHECKSUMS;
    for (int k = 0; k < job->workload->outputs && job->memory->read != NULL; k++)
        job->memory->read(job->out[k]);
    for (int part = 0; part < parts; part++) {
        size_t begin = elements * (size_t)part / (size_t)parts;
        size_t end = elements * ((size_t)part + 1) / (size_t)parts;
        sums[part] = 0.0;
        for (int k = 0; k < job->workload->outputs; k++)
            for (size_t i = begin; i < end; i++)
                sums[part] += (k + 1) * element(job, k, i);
    }
    return parts;
}
