/* Calls of Yoke on managed arrays. On a device with memory of its own, inputs and results stay there between calls; what the
 * host reads or changes in between moves, and nothing else. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/gpu/measure.h"

static int change_inputs(const job *j, void *const *arrays)
{
    for (size_t p = 0; p < j->kernel->parameter_count; p++)
        if (arrays[p] != NULL && !job_writes(j, p) && yoke_update(arrays[p]) == NULL)
            return YOKE_ELOST;
    return YOKE_OK;
}

static int read_results(const job *j, void *const *arrays)
{
    for (size_t p = 0; p < j->kernel->parameter_count; p++)
        if (arrays[p] != NULL && job_writes(j, p) && yoke_read(arrays[p]) == NULL)
            return YOKE_ELOST;
    return YOKE_OK;
}

static const struct way {
    const char *name;
    int (*before)(const job *j, void *const *arrays), (*after)(const job *j, void *const *arrays);
} ways[] = {
    {"stays", NULL, NULL},
    {"stays, read", NULL, read_results},
    {"changed, read", change_inputs, read_results},
};
enum { WAYS = sizeof ways / sizeof *ways };

/* Inputs may come while the kernel runs on parts of them; results go when it has ended. */
static double least_seconds(const raw *r, const job *j, const limits *limit, const struct way *w)
{
    const double kernel = job_limit(j, limit);
    if (r->facts.shares_memory)
        return kernel;
    return fmax(kernel, w->before != NULL ? j->in / limit->up : 0) + (w->after != NULL ? j->out / limit->down : 0);
}

/* Half as much again, for partial results of reductions. */
static bool moves_too_much(const raw *r, const job *j, const struct way *w, double moved)
{
    const double needed = (w->before != NULL ? j->in : 0) + (w->after != NULL ? j->out : 0);
    return moved > (r->facts.shares_memory ? 0 : needed) + 0.5 * (j->in + j->out);
}

static void measure_way(raw *r, const job *j, const limits *limit, const struct way *w, calls *c)
{
    char what[64];
    float result = 0;
    call_times t = {0};
    const size_t n = job_items(j);
    c->before = w->before;
    c->after = w->after;
    int status = measure_calls(r, j, c, &result, &t);
    if (status == YOKE_OK)
        status = read_results(j, c->arrays);
    const double error = status == YOKE_OK ? job_error(j, c->arrays, result) : 0;
    (void)snprintf(what, sizeof what, "%s, %s", j->name, w->name);
    if (!report_calls(r, j, what, status, error, t.ran_there))
        return;
    if (moves_too_much(r, j, w, t.moved))
        report_failed(what, n, "a call moved %.3f MB; its inputs have %.3f MB, its results %.3f", t.moved / 1e6,
                      j->in / 1e6, j->out / 1e6);
    else
        report_time(what, n, t.usual, least_seconds(r, j, limit, w));
}

void measure_managed(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k)
{
    void *arrays[YOKE_MAX_PARAMETERS] = {NULL};
    bool ready = true;
    for (size_t p = 0; ready && p < j->kernel->parameter_count; p++) {
        if (j->array[p] == NULL)
            continue;
        arrays[p] = yoke_alloc(j->bytes[p], YOKE_PLACE_DEFAULT);
        ready = arrays[p] != NULL;
        if (ready && !job_writes(j, p))
            memcpy(yoke_write(arrays[p]), j->array[p], j->bytes[p]); /* new: it cannot fail */
    }
    calls c = {.devices = devices, .device = k, .arrays = arrays};
    for (unsigned w = 0; ready && w < WAYS && now_s() < r->deadline_s; w++)
        if (w != 1 || j->out > 0)
            measure_way(r, j, limit, &ways[w], &c);
    if (!ready)
        report_failed(j->name, job_items(j), "%s", yoke_error_detail());
    for (size_t p = 0; p < YOKE_MAX_PARAMETERS; p++)
        (void)yoke_free(arrays[p]);
}
