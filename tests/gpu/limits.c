/* The device's own limits, by kernels and transfers written by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/measure.h"

static const char source[] =
    "#ifdef REAL_IS_DOUBLE\n"
    "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
    "#endif\n"
    "__kernel void nothing(__global float4 *y) {}\n"
    "__kernel void fill(__global float4 *y) {\n"
    "    size_t i = get_global_id(0);\n"
    "    y[i] = (float4)((float)(i & 1023));\n"
    "}\n"
    "#define MEMORY(T, copy, triad) \\\n"
    "    __kernel void copy(__global T *y, __global const T *x) { \\\n"
    "        size_t i = get_global_id(0); \\\n"
    "        y[i] = x[i]; \\\n"
    "    } \\\n"
    "    __kernel void triad(__global T *y, __global const T *b, __global const T *c, float s) { \\\n"
    "        size_t i = get_global_id(0); \\\n"
    "        y[i] = b[i] + s * c[i]; \\\n"
    "    }\n"
    "MEMORY(float, copy1, triad1)\n"
    "MEMORY(float4, copy4, triad4)\n"
    /* Eight chains that do not wait for each other; all of them creep towards 1. */
    "#define STEP(k) c##k = fma(c##k, a, b);\n"
    "#define PEAK(name, V, SUM) \\\n"
    "    __kernel void name(__global REAL *y, REAL factor, REAL term, int rounds) { \\\n"
    "        const V a = (V)(factor), b = (V)(term); \\\n"
    "        V c0 = (V)((REAL)(get_global_id(0) & 7)), c1 = c0 + a, c2 = c1 + a, c3 = c2 + a; \\\n"
    "        V c4 = c3 + a, c5 = c4 + a, c6 = c5 + a, c7 = c6 + a; \\\n"
    "        for (int k = 0; k < rounds; k++) { \\\n"
    "            STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) \\\n"
    "            STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) \\\n"
    "        } \\\n"
    "        V c = (c0 + c1 + c2 + c3) + (c4 + c5 + c6 + c7); \\\n"
    "        y[get_global_id(0)] = SUM; \\\n"
    "    }\n"
    "#define CAT(a, b) a##b\n"
    "#define VECTOR(T, k) CAT(T, k)\n"
    "typedef VECTOR(REAL, 4) real4;\n"
    "typedef VECTOR(REAL, 16) real16;\n"
    "PEAK(peak1, REAL, c)\n"
    "PEAK(peak4, real4, c.s0 + c.s1 + c.s2 + c.s3)\n"
    "PEAK(peak16, real16, c.s0 + c.s1 + c.s2 + c.s3 + c.s4 + c.s5 + c.s6 + c.s7 + c.s8 + c.s9 + c.sa + c.sb + c.sc "
    "+ c.sd + c.se + c.sf)\n";

enum { CHAINS = 8, STEPS_PER_ROUND = 2, FACTOR = 3 };

/* --- transfers --- */

typedef struct transfer {
    cl_mem device;
    void *host;
    size_t bytes;
} transfer;

static bool go_up(raw *r, void *context)
{
    transfer *t = context;
    return raw_ok(r, r->cl.clEnqueueWriteBuffer(r->queue, t->device, CL_FALSE, 0, t->bytes, t->host, 0, NULL, NULL),
                  "clEnqueueWriteBuffer");
}

static bool go_down(raw *r, void *context)
{
    transfer *t = context;
    return raw_ok(r, r->cl.clEnqueueReadBuffer(r->queue, t->device, CL_FALSE, 0, t->bytes, t->host, 0, NULL, NULL),
                  "clEnqueueReadBuffer");
}

static void one_way(raw *r, transfer *t, const char *what, raw_action *go, double *best)
{
    const double seconds = raw_best(r, go, t);
    if (seconds <= 0) {
        raw_report(r, what, t->bytes);
        return;
    }
    const double rate = (double)t->bytes / seconds;
    *best = fmax(*best, rate);
    report_rate(what, t->bytes, rate / 1e9, "GB/s", 0);
}

static void check_round_trip(raw *r, transfer *t, const char *what)
{
    unsigned char *bytes = t->host;
    for (size_t k = 0; k < t->bytes; k++)
        bytes[k] = (unsigned char)(k * 31 + (k >> 8));
    bool done = go_up(r, t) && raw_finish(r);
    if (done) {
        memset(t->host, 0, t->bytes);
        done = go_down(r, t) && raw_finish(r);
    }
    size_t wrong = 0;
    for (size_t k = 0; k < t->bytes; k++)
        wrong += bytes[k] != (unsigned char)(k * 31 + (k >> 8));
    if (!done)
        raw_report(r, what, t->bytes);
    else if (wrong > 0)
        report_failed(what, t->bytes, "%zu bytes came back changed", wrong);
}

static void measure_transfers(raw *r, limits *found)
{
    size_t bytes = (size_t)(r->quick ? 4 : 64) << 20;
    if (bytes > r->facts.array_bytes / 4)
        bytes = (size_t)(r->facts.array_bytes / 4);
    transfer t = {raw_buffer(r, CL_MEM_READ_WRITE, bytes), malloc(bytes), bytes};
    cl_mem pinned = raw_buffer(r, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes);
    cl_int error = CL_SUCCESS;
    void *mapped = NULL;
    if (pinned != NULL)
        mapped = r->cl.clEnqueueMapBuffer(r->queue, pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0, NULL,
                                          NULL, &error);
    void *pageable = t.host;
    if (t.device == NULL || pageable == NULL || pinned == NULL || !raw_ok(r, error, "clEnqueueMapBuffer")) {
        raw_report(r, "transfers", bytes);
    } else {
        check_round_trip(r, &t, "round trip, pageable");
        one_way(r, &t, "to device, pageable", go_up, &found->up);
        one_way(r, &t, "from device, pageable", go_down, &found->down);
        t.host = mapped;
        check_round_trip(r, &t, "round trip, pinned");
        one_way(r, &t, "to device, pinned", go_up, &found->up);
        one_way(r, &t, "from device, pinned", go_down, &found->down);
    }
    if (mapped != NULL)
        (void)r->cl.clEnqueueUnmapMemObject(r->queue, pinned, mapped, 0, NULL, NULL);
    (void)raw_finish(r);
    raw_release(r, pinned);
    raw_release(r, t.device);
    free(pageable);
}

/* --- kernels --- */

typedef struct launch {
    cl_kernel kernel;
    size_t global, local;
} launch;

static bool launch_it(raw *r, void *context)
{
    launch *l = context;
    return raw_launch(r, l->kernel, 1, &l->global, l->local > 0 ? &l->local : NULL);
}

/* The best of some sizes of group; negative on failure. `global` is a multiple of all of them. */
static double best_launch(raw *r, cl_kernel kernel, size_t global)
{
    static const size_t locals[] = {0, 64, 256, 1024};
    double best = -1;
    for (size_t k = 0; k < sizeof locals / sizeof *locals && now_s() < r->deadline_s; k++) {
        const double seconds = raw_best(r, launch_it, &(launch){kernel, global, locals[k]});
        if (seconds > 0 && (best < 0 || seconds < best))
            best = seconds;
    }
    return best;
}

static void check_memory_kernel(raw *r, cl_mem y, size_t bytes, float factor, const char *what)
{
    float last[4] = {0};
    const size_t item = bytes / sizeof last - 1;
    if (!raw_ok(r,
                r->cl.clEnqueueReadBuffer(r->queue, y, CL_TRUE, item * sizeof last, sizeof last, last, 0, NULL, NULL),
                "clEnqueueReadBuffer"))
        raw_report(r, what, bytes);
    else if (last[3] != factor * (float)(item & 1023))
        report_failed(what, bytes, "it computes %g, not %g", (double)last[3], (double)(factor * (float)(item & 1023)));
}

/* Seconds; negative on failure. */
static double memory_seconds(raw *r, cl_program program, const char *name, unsigned width, cl_mem *buffers,
                             size_t bytes)
{
    const bool is_triad = strcmp(name, "triad") == 0;
    const float s = FACTOR;
    char entry[32];
    (void)snprintf(entry, sizeof entry, "%s%u", name, width);
    cl_kernel kernel = raw_kernel(r, program, entry);
    bool ready = kernel != NULL;
    for (cl_uint k = 0; ready && k < (is_triad ? 3 : 2); k++)
        ready = raw_set(r, kernel, k, sizeof(cl_mem), &buffers[k]);
    if (ready && is_triad)
        ready = raw_set(r, kernel, 3, sizeof s, &s);
    const double seconds = ready ? best_launch(r, kernel, bytes / sizeof(float) / width) : -1;
    if (kernel != NULL)
        (void)r->cl.clReleaseKernel(kernel);
    return seconds;
}

/* By single items and by four: GPUs like the one, compilers for CPUs the other. */
static void memory_kernel(raw *r, cl_program program, const char *name, cl_mem *buffers, size_t bytes, limits *found)
{
    const bool is_triad = strcmp(name, "triad") == 0;
    char what[64];
    (void)snprintf(what, sizeof what, "device memory, %s", name);
    const double one = memory_seconds(r, program, name, 1, buffers, bytes);
    const double four = one > 0 ? memory_seconds(r, program, name, 4, buffers, bytes) : -1;
    if (four <= 0) {
        raw_report(r, what, bytes);
        return;
    }
    const double rate = (is_triad ? 3 : 2) * (double)bytes / fmin(one, four);
    report_rate(what, bytes, rate / 1e9, "GB/s", 0);
    found->memory = fmax(found->memory, rate);
    check_memory_kernel(r, buffers[0], bytes, is_triad ? 1 + FACTOR : 1, what);
}

static bool fill(raw *r, cl_program program, cl_mem buffer, size_t bytes)
{
    cl_kernel kernel = raw_kernel(r, program, "fill");
    const size_t global = bytes / sizeof(cl_float4);
    bool done = kernel != NULL && raw_set(r, kernel, 0, sizeof(cl_mem), &buffer) &&
                raw_launch(r, kernel, 1, &global, NULL) && raw_finish(r);
    if (kernel != NULL)
        (void)r->cl.clReleaseKernel(kernel);
    return done;
}

/* Far beyond the caches of a GPU. */
static size_t memory_bytes(const raw *r)
{
    uint64_t bytes = (uint64_t)(r->quick ? 8 : r->facts.type == YOKE_DEVICE_CPU ? 64 : 512) << 20;
    while (bytes > r->facts.array_bytes || bytes > r->facts.memory_bytes / 6)
        bytes /= 2;
    return (size_t)bytes;
}

static void measure_memory(raw *r, cl_program program, limits *found)
{
    const size_t bytes = memory_bytes(r);
    cl_mem buffers[3] = {NULL, NULL, NULL};
    bool ready = true;
    for (int k = 0; ready && k < 3; k++)
        ready = (buffers[k] = raw_buffer(r, CL_MEM_READ_WRITE, bytes)) != NULL && fill(r, program, buffers[k], bytes);
    if (ready) {
        memory_kernel(r, program, "copy", buffers, bytes, found);
        memory_kernel(r, program, "triad", buffers, bytes, found);
    } else {
        raw_report(r, "device memory", bytes);
    }
    for (int k = 0; k < 3; k++)
        raw_release(r, buffers[k]);
}

static bool set_peak(raw *r, cl_kernel kernel, cl_mem y, bool is_double, cl_int rounds)
{
    const double wide[2] = {0.999, 0.001};
    const float narrow[2] = {0.999f, 0.001f};
    const size_t size = is_double ? sizeof *wide : sizeof *narrow;
    return raw_set(r, kernel, 0, sizeof(cl_mem), &y) &&
           raw_set(r, kernel, 1, size, is_double ? (const void *)&wide[0] : &narrow[0]) &&
           raw_set(r, kernel, 2, size, is_double ? (const void *)&wide[1] : &narrow[1]) &&
           raw_set(r, kernel, 3, sizeof rounds, &rounds);
}

/* Operations per second of one variant; 0 on failure. */
static double peak_of(raw *r, cl_program program, unsigned width, cl_mem y, size_t items, bool is_double)
{
    char name[16];
    (void)snprintf(name, sizeof name, "peak%u", width);
    cl_kernel kernel = raw_kernel(r, program, name);
    const double per_round = 2.0 * CHAINS * STEPS_PER_ROUND * width * (double)items;
    double seconds = -1;
    cl_int rounds = 16;
    for (int k = 0; k < 2 && kernel != NULL; k++) { /* first to see how many rounds take a while */
        if (!set_peak(r, kernel, y, is_double, rounds))
            break;
        seconds = k == 0 ? raw_best(r, launch_it, &(launch){kernel, items, 0}) : best_launch(r, kernel, items);
        if (seconds <= 0)
            break;
        if (k == 0)
            rounds = (cl_int)fmin(fmax(rounds * (r->quick ? 1e-3 : 5e-3) / seconds, 16), 1 << 20);
    }
    if (kernel != NULL)
        (void)r->cl.clReleaseKernel(kernel);
    return seconds > 0 ? per_round * rounds / seconds : 0;
}

static void measure_peak(raw *r, cl_program program, bool is_double, double *found)
{
    static const unsigned widths[] = {1, 4, 16};
    const char *what = is_double ? "multiply-adds, double" : "multiply-adds, float";
    const size_t items = (size_t)r->facts.compute_units * (r->quick ? 1024 : 4096);
    cl_mem y = raw_buffer(r, CL_MEM_READ_WRITE, items * sizeof(double));
    for (size_t k = 0; y != NULL && k < sizeof widths / sizeof *widths && now_s() < r->deadline_s; k++)
        *found = fmax(*found, peak_of(r, program, widths[k], y, items, is_double));
    if (*found > 0)
        report_rate(what, items, *found / 1e9, "GFLOP/s", 0);
    else
        raw_report(r, what, items);
    raw_release(r, y);
}

/* --- latency --- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure_launch(raw *r, cl_program program)
{
    enum { LAUNCHES = 1000, ENOUGH = 100 };
    static double seconds[LAUNCHES];
    const double stop = now_s() + 4;
    const size_t one = 1;
    cl_kernel kernel = raw_kernel(r, program, "nothing");
    cl_mem y = raw_buffer(r, CL_MEM_READ_WRITE, sizeof(cl_float4));
    bool good = kernel != NULL && y != NULL && raw_set(r, kernel, 0, sizeof(cl_mem), &y) &&
                raw_launch(r, kernel, 1, &one, NULL) && raw_finish(r);
    size_t count = 0;
    for (; good && count < LAUNCHES && (count < ENOUGH || now_s() < stop); count++) {
        const double start = now_s();
        good = raw_launch(r, kernel, 1, &one, NULL) && raw_finish(r);
        seconds[count] = now_s() - start;
    }
    const double queued = good ? raw_best(r, launch_it, &(launch){kernel, 1, 0}) : -1;
    if (queued > 0) {
        qsort(seconds, count, sizeof *seconds, compare);
        report_rate("empty launch, median", count, 1e6 * seconds[count / 2], "us", 0);
        report_rate("empty launch, 99 of 100", count, 1e6 * seconds[count * 99 / 100], "us", 0);
        report_rate("empty launch, in a queue", count, 1e6 * queued, "us", 0);
    } else {
        raw_report(r, "empty launch", count);
    }
    raw_release(r, y);
    if (kernel != NULL)
        (void)r->cl.clReleaseKernel(kernel);
}

/* Of a text that no cache can know. */
static void measure_build(raw *r)
{
    char text[300];
    const double start = now_s();
    (void)snprintf(text, sizeof text,
                   "__kernel void fresh(__global float *y, __global const float *x) {\n"
                   "    size_t i = get_global_id(0);\n    y[i] = exp(x[i]) + %.9ff;\n}\n",
                   fmod(start, 1000));
    cl_program program = raw_build(r, text, "-cl-std=CL1.2");
    cl_kernel kernel = program != NULL ? raw_kernel(r, program, "fresh") : NULL;
    if (kernel != NULL) {
        report_time("build of a small kernel", 1, now_s() - start, 0);
        (void)r->cl.clReleaseKernel(kernel);
    } else {
        raw_report(r, "build of a small kernel", 1);
    }
    if (program != NULL)
        (void)r->cl.clReleaseProgram(program);
}

void limits_measure(raw *r, limits *found)
{
    *found = (limits){0};
    measure_build(r);
    cl_program program = raw_build(r, source, "-cl-std=CL1.2 -DREAL=float");
    if (program == NULL) {
        raw_report(r, "build of the kernels", 1);
        return;
    }
    measure_launch(r, program);
    measure_transfers(r, found);
    measure_memory(r, program, found);
    measure_peak(r, program, false, &found->flops);
    (void)r->cl.clReleaseProgram(program);
    if (!r->facts.has_double) {
        report_skipped("multiply-adds, double", 0, "the device has no double");
        return;
    }
    program = raw_build(r, source, "-cl-std=CL1.2 -DREAL=double -DREAL_IS_DOUBLE");
    if (program == NULL) {
        raw_report(r, "multiply-adds, double", 1);
        return;
    }
    measure_peak(r, program, true, &found->flops_double);
    (void)r->cl.clReleaseProgram(program);
}
