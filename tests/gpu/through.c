/* Calls of Yoke that may only use the device: from arrays of the program, cold for the device every time, and from Yoke's
 * own; against the workers of this machine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/measure.h"

enum { RUNS = 15, WARM_UPS = 10 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of the first call, with compiling, and of the usual one. */
typedef struct times {
    double first, usual;
} times;

/* The first calls try sizes of groups. */
static int measure(const raw *r, const job *j, yoke_runtime *runtime, void *const *arrays, float *result, times *t)
{
    const double patience = r->quick ? 0.1 : 1;
    double seconds[RUNS];
    int count = 0;
    double start = now_s();
    int status = job_launch(j, runtime, arrays, result);
    t->first = now_s() - start;
    start += t->first;
    for (int k = 0; k < WARM_UPS && status == YOKE_OK && now_s() < start + patience; k++)
        status = job_launch(j, runtime, arrays, result);
    const double stop = now_s() + patience;
    while (status == YOKE_OK && count < RUNS && (count < 3 || now_s() < stop)) {
        start = now_s();
        status = job_launch(j, runtime, arrays, result);
        seconds[count++] = now_s() - start;
    }
    if (status != YOKE_OK)
        return status;
    qsort(seconds, (size_t)count, sizeof *seconds, compare);
    t->usual = seconds[count / 2];
    return status;
}

static uint64_t pieces_of(yoke_runtime *devices, unsigned k)
{
    yoke_device facts;
    return yoke_device_of(devices, k, &facts) == YOKE_OK ? facts.pieces : 0;
}

/* What it has to carry at least, both ways at once; nothing where it works in the host's memory. */
static double least_seconds(const raw *r, const job *j, const limits *limit, bool own_memory)
{
    const double least = job_limit(j, limit);
    if (own_memory && r->facts.shares_memory)
        return least;
    return fmax(least, fmax(j->in / limit->up, j->out / limit->down));
}

static bool report_run(const raw *r, const job *j, const char *what, int status, double error, bool ran_there)
{
    const size_t n = job_items(j);
    if (status != YOKE_OK)
        report_failed(what, n, "%s: %s", yoke_strerror(status), yoke_error_detail());
    else if (error > 1)
        report_failed(what, n, "wrong by %.3g times what is allowed", error);
    else if (!ran_there && j->kernel->exact && !r->facts.is_exact)
        report_skipped(what, n, "the device does not round as an exact kernel needs; it ran on the workers");
    else if (!ran_there)
        report_failed(what, n, "the result is right, but the device computed none of it: %s", r->facts.reason);
    return status == YOKE_OK && error <= 1 && ran_there;
}

static void measure_from(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k,
                         void *const *arrays, bool own_memory)
{
    char what[64];
    float result = 0;
    times t = {0, 0};
    const size_t n = job_items(j);
    const uint64_t before = pieces_of(devices, k);
    const int status = measure(r, j, devices, arrays, &result, &t);
    const double error = status == YOKE_OK ? job_error(j, arrays, result) : 0;
    (void)snprintf(what, sizeof what, "%s, %s", j->name, own_memory ? "yoke_alloc" : "cold");
    if (!report_run(r, j, what, status, error, pieces_of(devices, k) > before))
        return;
    report_time(what, n, t.usual, least_seconds(r, j, limit, own_memory));
    if (own_memory)
        return;
    (void)snprintf(what, sizeof what, "%s, first call", j->name);
    report_time(what, n, t.first, 0);
    (void)snprintf(what, sizeof what, "%s, workers", j->name);
    report_time(what, n, j->workers_s, 0);
    (void)snprintf(what, sizeof what, "%s, workers / cold", j->name);
    report_rate(what, n, j->workers_s / t.usual, "x", 0);
}

static void measure_own_memory(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k)
{
    void *arrays[YOKE_MAX_PARAMETERS] = {NULL};
    bool ready = true;
    for (size_t p = 0; ready && p < j->kernel->parameter_count; p++) {
        if (j->array[p] == NULL)
            continue;
        arrays[p] = yoke_alloc(j->bytes[p], YOKE_PLACE_DEFAULT);
        ready = arrays[p] != NULL;
        if (ready && !job_writes(j, p))
            memcpy(arrays[p], j->array[p], j->bytes[p]);
    }
    if (ready)
        measure_from(r, j, limit, devices, k, arrays, true);
    else
        report_failed(j->name, job_items(j), "%s", yoke_error_detail());
    for (size_t p = 0; p < YOKE_MAX_PARAMETERS; p++)
        (void)yoke_free(arrays[p]);
}

void measure_through(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k)
{
    measure_from(r, j, limit, devices, k, j->array, false);
    if (now_s() < r->deadline_s)
        measure_own_memory(r, j, limit, devices, k);
}
