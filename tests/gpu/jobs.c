/* Yoke's kernels with input of a size that suits the device, and what the workers make of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/measure.h"

YOKE_KERNEL(measure_exp, (out(float, y), in(float, x)), { y[i] = expf(x[i]); })

typedef enum bound { BY_MEMORY, BY_BODIES, BY_ROUNDS } bound;

enum { LIMIT = 256, STRIDE = 7919 };

typedef struct span {
    double low, high;
} span;

static const struct recipe {
    const char *name;
    const yoke_kernel *kernel;
    bound bound;
    double flops; /* per item; nbody: per pair; mandelbrot: per round */
    double tolerance;
    span span[YOKE_MAX_PARAMETERS]; /* of an array that is read; .low of a value */
} recipes[JOBS] = {
    {"triad", YOKE_KERNEL_OF(yoke_triad), BY_MEMORY, 2, 2e-5, {{0, 0}, {-1, 1}, {-1, 1}, {3, 0}}},
    {"dot", YOKE_KERNEL_OF(yoke_dot), BY_MEMORY, 2, 1e-3, {{-0.5, 1}, {-0.5, 1}}},
    {"exp", YOKE_KERNEL_OF(measure_exp), BY_MEMORY, 1, 1e-5, {{0, 0}, {-10, 10}}},
    {"black_scholes",
     YOKE_KERNEL_OF(yoke_black_scholes),
     BY_MEMORY,
     60,
     2e-4,
     {{5, 30}, {1, 100}, {0.25, 10}, {0.02, 0}, {0.3, 0}}},
    {"mandelbrot", YOKE_KERNEL_OF(yoke_mandelbrot), BY_ROUNDS, 9, 0, {{0, 0}, {-2, 0}, {-1.25, 0}}},
    {"nbody",
     YOKE_KERNEL_OF(yoke_nbody),
     BY_BODIES,
     20,
     2e-3,
     {{0, 0}, {0, 0}, {0, 0}, {-1, 1}, {-1, 1}, {-1, 1}, {0.5, 1}, {1e-3, 0}}},
    {"heat", YOKE_KERNEL_OF(yoke_heat), BY_MEMORY, 6, 2e-5, {{0, 0}, {0, 100}, {0.2, 0}}},
};

size_t job_items(const job *j)
{
    return j->size[0] * j->size[1];
}

bool job_writes(const job *j, size_t k)
{
    return (j->kernel->written >> k & 1) != 0;
}

static size_t power_of_two_below(double value, size_t least, size_t most)
{
    size_t power = least;
    while (power * 2 <= most && 2 * (double)power <= value)
        power *= 2;
    return power;
}

/* About as much as takes the device and its bus 20 ms. */
static void choose_size(job *j, const struct recipe *from, const raw *r, const limits *limit)
{
    const double seconds = r->quick ? 2e-3 : 20e-3;
    const size_t most = (size_t)fmin(r->quick                           ? 1 << 17
                                     : r->facts.type == YOKE_DEVICE_CPU ? 1 << 23
                                                                        : 1 << 25,
                                     (double)r->facts.array_bytes / 32);
    size_t items;
    if (from->bound == BY_BODIES)
        items = power_of_two_below(sqrt(seconds * limit->flops / 60), 1024, most < 65536 ? most : 65536);
    else if (from->bound == BY_ROUNDS)
        items = power_of_two_below(seconds * limit->flops / 4000, 16384, most);
    else
        items = power_of_two_below(seconds * fmin(limit->up, limit->memory) / 8, 65536, most);
    j->size[0] = items;
    j->size[1] = 1;
    while (!j->is_flat && j->size[0] > 2 * j->size[1]) {
        j->size[0] /= 2;
        j->size[1] *= 2;
    }
}

static void set_value(job *j, size_t k, double value)
{
    if (strcmp(j->kernel->parameters[k].type, "int") == 0)
        j->value[k].as_int = (int)value;
    else
        j->value[k].as_float = (float)value;
}

/* The middle of the set fills the picture, whatever its size. */
static void frame_mandelbrot(job *j)
{
    set_value(j, 3, 2.5 / (double)j->size[0]);
    set_value(j, 4, 2.5 / (double)j->size[1]);
    set_value(j, 5, LIMIT);
}

/* Every element of these kernels has four bytes. */
static bool make_arrays(job *j, const struct recipe *from)
{
    const size_t items = job_items(j);
    for (size_t k = 0; k < j->kernel->parameter_count; k++) {
        const span s = from->span[k];
        if (j->kernel->parameters[k].mode == YOKE_MODE_VALUE) {
            set_value(j, k, s.low);
            continue;
        }
        j->bytes[k] = items * j->kernel->parameters[k].size;
        j->array[k] = calloc(items, j->kernel->parameters[k].size);
        if (j->array[k] == NULL)
            return false;
        if (job_writes(j, k)) {
            j->reference[k] = calloc(items, j->kernel->parameters[k].size);
            if (j->reference[k] == NULL)
                return false;
            j->out += (double)j->bytes[k];
            continue;
        }
        j->in += (double)j->bytes[k];
        float *x = j->array[k];
        for (size_t i = 0; i < items; i++)
            x[i] = (float)(s.low + (s.high - s.low) * (double)((i + k) * STRIDE % 65521) / 65521);
    }
    return true;
}

static void count_operations(job *j, const struct recipe *from)
{
    double times = (double)job_items(j);
    if (from->bound == BY_BODIES)
        times *= times;
    if (from->bound == BY_ROUNDS) {
        const int *rounds = j->reference[0];
        times = 0;
        for (size_t i = 0; i < job_items(j); i++)
            times += rounds[i];
    }
    j->flops = from->flops * times;
    j->slots = j->kernel->exact ? 2 * j->flops : j->flops; /* an exact kernel fuses nothing */
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Into the references: they stand for the arrays that are written. */
static int run_workers(job *j, yoke_runtime *workers)
{
    enum { TIMES = 5 };
    double seconds[TIMES];
    void *arrays[YOKE_MAX_PARAMETERS];
    for (size_t k = 0; k < YOKE_MAX_PARAMETERS; k++)
        arrays[k] = j->reference[k] != NULL ? j->reference[k] : j->array[k];
    const int status = job_launch(j, workers, arrays, &j->reference_result);
    const double stop = now_s() + 2;
    int count = 0;
    while (status == YOKE_OK && count < TIMES && (count == 0 || now_s() < stop)) {
        const double start = now_s();
        (void)job_launch(j, workers, arrays, &j->reference_result);
        seconds[count++] = now_s() - start;
    }
    if (count == 0)
        return status;
    qsort(seconds, (size_t)count, sizeof *seconds, compare);
    j->workers_s = seconds[count / 2];
    return status;
}

static bool make(job *j, const struct recipe *from, const raw *r, const limits *limit, yoke_runtime *workers)
{
    *j = (job){.name = from->name, .kernel = from->kernel, .tolerance = from->tolerance};
    j->is_reduction = j->kernel->shape == YOKE_SHAPE_REDUCE;
    j->is_flat = j->kernel->shape != YOKE_SHAPE_MAP_2D && j->kernel->shape != YOKE_SHAPE_LANES_2D;
    choose_size(j, from, r, limit);
    if (!make_arrays(j, from)) {
        report_failed(j->name, job_items(j), "no memory of the host for its arrays");
        return false;
    }
    if (from->bound == BY_ROUNDS)
        frame_mandelbrot(j);
    const int status = run_workers(j, workers);
    if (status != YOKE_OK) {
        report_failed(j->name, job_items(j), "on the workers: %s: %s", yoke_strerror(status), yoke_error_detail());
        return false;
    }
    count_operations(j, from);
    return true;
}

void job_free(job *j)
{
    for (size_t k = 0; k < YOKE_MAX_PARAMETERS; k++) {
        free(j->array[k]);
        free(j->reference[k]);
    }
}

bool job_make(job *j, unsigned which, const raw *r, const limits *limit, yoke_runtime *workers)
{
    const bool made = make(j, &recipes[which], r, limit, workers);
    if (!made)
        job_free(j);
    return made;
}

int job_launch(const job *j, yoke_runtime *runtime, void *const *arrays, float *result)
{
    void *arguments[YOKE_MAX_PARAMETERS] = {NULL};
    scalar values[YOKE_MAX_PARAMETERS];
    memcpy(values, j->value, sizeof values);
    for (size_t k = 0; k < j->kernel->parameter_count; k++)
        arguments[k] = j->array[k] != NULL ? arrays[k] : &values[k];
    if (j->is_reduction)
        return yoke_launch_reduce(runtime, NULL, j->kernel, j->size[0], result, arguments);
    return yoke_launch_map(runtime, NULL, j->kernel, j->size[0], j->size[1], arguments);
}

static double array_error(const job *j, const void *got, const void *wanted)
{
    const size_t items = job_items(j);
    const float *a = got, *b = wanted;
    double largest = 0, worst = 0;
    if (j->tolerance <= 0)
        return memcmp(got, wanted, items * sizeof *a) == 0 ? 0 : INFINITY;
    for (size_t i = 0; i < items; i++)
        largest = fmax(largest, fabs((double)b[i]));
    for (size_t i = 0; i < items; i++) {
        const double scale = fabs((double)b[i]) + 0.01 * largest;
        const double error = fabs((double)a[i] - (double)b[i]) / (j->tolerance * scale);
        if (!(error <= worst))
            worst = isnan(error) ? INFINITY : error;
    }
    return worst;
}

double job_error(const job *j, void *const *arrays, float result)
{
    double worst = 0;
    if (j->is_reduction) {
        const double wanted = (double)j->reference_result;
        worst = fabs((double)result - wanted) / (j->tolerance * fabs(wanted));
        return isnan(worst) ? INFINITY : worst;
    }
    for (size_t k = 0; k < j->kernel->parameter_count; k++)
        if (j->reference[k] != NULL)
            worst = fmax(worst, array_error(j, arrays[k], j->reference[k]));
    return worst;
}

double job_limit(const job *j, const limits *limit)
{
    return fmax((j->in + j->out) / limit->memory, j->slots / limit->flops);
}
