/* What the files of gpu_measure share: the report, a device through bare OpenCL, and jobs to run there and through Yoke. */
#ifndef YOKE_TESTS_GPU_MEASURE_H
#define YOKE_TESTS_GPU_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/opencl/api.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

/* --- report.c --- */

double now_s(void);

/* A table on standard output, and lines appended to a file (NULL: none). False: that cannot be written. */
bool report_open(const char *csv_path, unsigned device);
/* limit 0: there is none. */
void report_rate(const char *what, size_t n, double value, const char *unit, double limit);
void report_time(const char *what, size_t n, double seconds, double limit_seconds);
void report_failed(const char *what, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_skipped(const char *what, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The closing line; how many rows failed. */
unsigned report_close(void);

/* --- raw.c: one device, without Yoke --- */

typedef struct raw {
    cl_api cl;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    yoke_device facts;
    bool quick;
    double deadline_s;
    const char *failed_call; /* of the last false; NULL: none since the last report */
    cl_int failed_error;
} raw;

/* Finds the device with Yoke's number k; false after a row that says why. */
bool raw_open(raw *r, unsigned k);
void raw_close(raw *r);
/* What stands in the way of there being any device, for a person. */
void raw_explain_nothing(char *text, size_t size);
/* True when the call went well. */
bool raw_ok(raw *r, cl_int error, const char *call);
/* A row about the last call that failed; where none did, time ran out. */
void raw_report(raw *r, const char *what, size_t n);
/* NULL on failure. */
cl_mem raw_buffer(raw *r, cl_mem_flags flags, size_t bytes);
cl_program raw_build(raw *r, const char *source, const char *options);
cl_kernel raw_kernel(raw *r, cl_program program, const char *name);
void raw_release(raw *r, cl_mem buffer);
bool raw_set(raw *r, cl_kernel kernel, cl_uint k, size_t bytes, const void *value);
/* local 0: the driver chooses. */
bool raw_launch(raw *r, cl_kernel kernel, cl_uint dimensions, const size_t *global, const size_t *local);
bool raw_finish(raw *r);

/* Enqueues something once. */
typedef bool raw_action(raw *r, void *context);
/* Seconds of one, as little as was seen in a few batches; negative on failure. */
double raw_best(raw *r, raw_action *enqueue, void *context);

/* --- limits.c: what the device can do at most, measured --- */

typedef struct limits {
    double up, down;            /* bytes per second, to and from the device */
    double memory;              /* bytes per second, read and written there */
    double flops, flops_double; /* per second, a fused multiply-add being two */
} limits;

void limits_measure(raw *r, limits *found);

/* --- jobs.c: Yoke's kernels with input --- */

typedef union scalar {
    float as_float;
    int as_int;
} scalar;

typedef struct job {
    const char *name;
    const yoke_kernel *kernel;
    size_t size[2]; /* {n, 1} in one dimension */
    bool is_flat;   /* one dimension */
    bool is_reduction;
    scalar value[YOKE_MAX_PARAMETERS];
    void *array[YOKE_MAX_PARAMETERS];     /* of the host; NULL: a value */
    void *reference[YOKE_MAX_PARAMETERS]; /* what the workers made of it; NULL: it is not written */
    size_t bytes[YOKE_MAX_PARAMETERS];
    float reference_result;
    double workers_s; /* what the workers took */
    double in, out;   /* bytes that have to go to the device and come back */
    double flops;     /* operations in all */
    double slots;     /* the same as halves of fused ones: what the device needs time for */
    double tolerance;
} job;

enum { JOBS = 7 };

size_t job_items(const job *j);
bool job_writes(const job *j, size_t k);
/* Fills *j for sizes that suit the device; false after a row that says why. The reference comes from `workers`. */
bool job_make(job *j, unsigned which, const raw *r, const limits *limit, yoke_runtime *workers);
void job_free(job *j);
/* Through Yoke; arrays as given (values where they are NULL). */
int job_launch(const job *j, yoke_runtime *runtime, void *const *arrays, float *result);
/* Largest error as a share of what is allowed; NaN counts as infinitely many. */
double job_error(const job *j, void *const *arrays, float result);
/* Least seconds that its traffic and operations take once all is on the device. */
double job_limit(const job *j, const limits *limit);

/* --- resident.c, through.c, managed.c --- */

/* The kernel that Yoke makes, on arrays that stay on the device. */
void measure_resident(raw *r, const job *j, const limits *limit);
/* Calls of Yoke from arrays of the program. */
void measure_through(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k);
/* Calls of Yoke on managed arrays: those that stay on the device, and those that the host reads or writes in between. */
void measure_managed(raw *r, const job *j, const limits *limit, yoke_runtime *devices, unsigned k);

/* A call that is measured, and what the host does around it, in the same time; NULL: nothing. */
typedef struct calls {
    yoke_runtime *devices;
    unsigned device;
    void *const *arrays;
    int (*before)(const job *j, void *const *arrays), (*after)(const job *j, void *const *arrays);
} calls;

typedef struct call_times {
    double first, usual; /* seconds of the first, with compiling, and of one later */
    double moved;        /* bytes per call, of the later ones */
    bool ran_there;
} call_times;

/* A status of Yoke. */
int measure_calls(const raw *r, const job *j, const calls *c, float *result, call_times *t);
/* A row where it went wrong; true: it did not. */
bool report_calls(const raw *r, const job *j, const char *what, int status, double error, bool ran_there);

#endif
