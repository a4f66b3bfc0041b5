/* Calls of Yoke that may only use the device, from arrays of the program, cold for the device every time; against the
 * workers of this machine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/gpu/measure.h"

enum { RUNS = 15, WARM_UPS = 10 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t moved_by(yoke_runtime *devices, unsigned k, uint64_t *pieces)
{
    yoke_device facts = {0};
    (void)yoke_device_of(devices, k, &facts);
    *pieces = facts.pieces;
    return facts.bytes_in + facts.bytes_out;
}

static int call(const job *j, const calls *c, float *result)
{
    int status = c->before != NULL ? c->before(j, c->arrays) : YOKE_OK;
    if (status == YOKE_OK)
        status = job_launch(j, c->devices, c->arrays, result);
    return status == YOKE_OK && c->after != NULL ? c->after(j, c->arrays) : status;
}

/* The first calls try sizes of groups. */
int measure_calls(const raw *r, const job *j, const calls *c, float *result, call_times *t)
{
    const double patience = r->quick ? 0.1 : 1;
    double seconds[RUNS];
    uint64_t pieces, pieces_before;
    int count = 0;
    double start = now_s();
    (void)moved_by(c->devices, c->device, &pieces_before);
    int status = call(j, c, result);
    t->first = now_s() - start;
    start += t->first;
    for (int k = 0; k < WARM_UPS && status == YOKE_OK && now_s() < start + patience; k++)
        status = call(j, c, result);
    const uint64_t moved_before = moved_by(c->devices, c->device, &pieces);
    const double stop = now_s() + patience;
    while (status == YOKE_OK && count < RUNS && (count < 3 || now_s() < stop)) {
        start = now_s();
        status = call(j, c, result);
        seconds[count++] = now_s() - start;
    }
    t->moved = (double)(moved_by(c->devices, c->device, &pieces) - moved_before) / (count > 0 ? count : 1);
    t->ran_there = pieces > pieces_before;
    if (status != YOKE_OK)
        return status;
    qsort(seconds, (size_t)count, sizeof *seconds, compare);
    t->usual = seconds[count / 2];
    return status;
}

bool report_calls(const raw *r, const job *j, const char *what, int status, double error, bool ran_there)
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

void measure_through(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k)
{
    char what[64];
    float result = 0;
    call_times t = {0};
    const size_t n = job_items(j);
    const calls c = {.devices = devices, .device = k, .arrays = j->array};
    const int status = measure_calls(r, j, &c, &result, &t);
    const double error = status == YOKE_OK ? job_error(j, j->array, result) : 0;
    (void)snprintf(what, sizeof what, "%s, cold", j->name);
    if (!report_calls(r, j, what, status, error, t.ran_there))
        return;
    /* what it has to carry at least, both ways at once */
    report_time(what, n, t.usual, fmax(job_limit(j, limit), fmax(j->in / limit->up, j->out / limit->down)));
    (void)snprintf(what, sizeof what, "%s, first call", j->name);
    report_time(what, n, t.first, 0);
    (void)snprintf(what, sizeof what, "%s, workers", j->name);
    report_time(what, n, j->workers_s, 0);
    (void)snprintf(what, sizeof what, "%s, workers / cold", j->name);
    report_rate(what, n, j->workers_s / t.usual, "x", 0);
}
