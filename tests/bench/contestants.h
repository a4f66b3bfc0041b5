/* Who takes part in what. A contestant is a program with an environment and a mode; those that share program and
 * environment share a process. */
#ifndef BENCH_CONTESTANTS_H
#define BENCH_CONTESTANTS_H

#include <stdbool.h>
#include <stddef.h>

enum bench_role {
    BENCH_SERIAL,
    BENCH_PEER, /* a parallel runtime */
    BENCH_YOKE,
    BENCH_LIMIT,     /* what the machine can do; need not compute the workload */
    BENCH_REFERENCE, /* written by hand, or Yoke in another setting */
};

/* Groups that a contestant belongs to, and that a case asks for. */
enum {
    BENCH_MAIN = 1,             /* serial, the peers at their best, Yoke */
    BENCH_BARE = 2,             /* the bare cost of a parallel loop */
    BENCH_WAITING = 4,          /* the peers' other ways of waiting */
    BENCH_TRAFFIC = 8,          /* bandwidth on all cores */
    BENCH_ALONE = 16,           /* the same on one core */
    BENCH_LANES = 32,           /* Mandelbrot on one core by instruction set */
    BENCH_BY_HAND = 64,         /* Mandelbrot by hand on all cores */
    BENCH_OPENCL = 128,         /* kernels on an OpenCL device: by hand, and Yoke's */
    BENCH_CALLS = 256,          /* the same by hand, with other calls around the kernel */
    BENCH_TASK_RUNTIMES = 512,  /* tasks in C and C++ */
    BENCH_THREAD_POOLS = 1024,  /* Python's, and Yoke's */
    BENCH_PROCESS_POOLS = 2048, /* the same of processes */
    BENCH_ANY_TASKS = BENCH_TASK_RUNTIMES | BENCH_THREAD_POOLS | BENCH_PROCESS_POOLS
};

struct bench_entry {
    const char *name;
    const char *program;
    const char *mode;
    const char *const *environment; /* NAME=VALUE, up to NULL */
    enum bench_role role;
    unsigned groups;
};

enum { BENCH_ENTRIES = 39 };
extern const struct bench_entry bench_entries[BENCH_ENTRIES];

/* Number of the entry, or -1. */
int bench_entry_find(const char *name);

/* The entry whose process this one uses: itself, or an earlier one. */
int bench_entry_process(int entry);

#define BENCH_MAX_SIZES 8
#define BENCH_THROUGHPUT (-1) /* gap of a case that is measured in long runs of calls */

/* A workload at some sizes. */
struct bench_plan {
    const char *workload;
    unsigned groups;
    long gap;                      /* microseconds of idleness before each call, 0: hot; or BENCH_THROUGHPUT */
    bool quick;                    /* also with --quick */
    double sizes[BENCH_MAX_SIZES]; /* up to 0 */
};

extern const struct bench_plan bench_plans[];
extern const size_t bench_plan_count;

/* Sizes above it are left out with --quick. */
#define BENCH_QUICK_SIZE 2e7

#endif
