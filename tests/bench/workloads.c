#include "workloads.h"

#include <math.h>
#include <string.h>

/* clang-format off */
static const struct bench_workload workloads[] = {
    /* name             kind                 in out item  ranges                                           bytes flops tolerance iterations */
    {"empty",           BENCH_EMPTY,         0, 0,  4, {{0, 0}},                                             0,  0,  0,    0},
    {"copy",            BENCH_COPY,          1, 1,  4, {{-1, 1}},                                            8,  0,  0,    0},
    {"triad",           BENCH_TRIAD,         2, 1,  4, {{-1, 1}, {-1, 1}},                                  12,  2,  1e-6, 0},
    {"sum",             BENCH_SUM,           1, 0,  4, {{-0.9f, 1.1f}},                                      4,  1,  2e-3, 0},
    {"dot",             BENCH_DOT,           2, 0,  4, {{-0.5f, 1}, {-0.5f, 1}},                             8,  2,  2e-3, 0},
    {"exp",             BENCH_EXP,           1, 1,  4, {{-10, 10}},                                          8, 21,  1e-5, 0},
    {"sin",             BENCH_SIN,           1, 1,  4, {{-10, 10}},                                          8, 23,  1e-5, 0},
    {"black_scholes",   BENCH_BLACK_SCHOLES, 3, 2,  4, {{5, 30}, {1, 100}, {0.25f, 10}},                    20, 138, 1e-4, 0},
    {"mandelbrot_256",  BENCH_MANDELBROT,    0, 1,  4, {{0, 0}},                                             4, 540, 1e-2, 256},
    {"mandelbrot_1000", BENCH_MANDELBROT,    0, 1,  4, {{0, 0}},                                             4, 1982, 1e-2, 1000},
    {"nbody",           BENCH_NBODY,         4, 3,  4, {{-1, 1}, {-1, 1}, {-1, 1}, {0.5f, 1}},              28, 20,  1e-3, 0},
    {"heat",            BENCH_HEAT,          1, 1,  4, {{0, 100}},                                           8,  7,  1e-5, 0},
    {"blur",            BENCH_BLUR,          1, 1,  3, {{0, 255}},                                           6, 60,  1e-2, 0},
    {"read",            BENCH_READ,          1, 0,  4, {{-1, 1}},                                            4,  0,  1,    0},
    {"write",           BENCH_WRITE,         0, 1,  4, {{0, 0}},                                             4,  0,  0,    0},
    {"fma",             BENCH_FMA,           0, 0,  4, {{0, 0}},                                             0,  2,  1,    0},
    {"handover",        BENCH_HANDOVER,      0, 0,  4, {{0, 0}},                                             0,  0,  1,    0},
    {"tasks_one",       BENCH_TASKS,         0, 0,  4, {{0, 0}},                                             0,  0,  0,    0},
    {"tasks_empty",     BENCH_TASKS,         0, 0,  4, {{0, 0}},                                             0,  0,  0,    0},
    {"tasks_1us",       BENCH_TASKS,         0, 1,  4, {{0, 0}},                                             0,  0,  0,    1},
    {"tasks_10us",      BENCH_TASKS,         0, 1,  4, {{0, 0}},                                             0,  0,  0,    10},
    {"tasks_100us",     BENCH_TASKS,         0, 1,  4, {{0, 0}},                                             0,  0,  0,    100},
    {"tasks_fib",       BENCH_FIB,           0, 0,  4, {{0, 0}},                                             0,  0,  0,    1},
    {"tasks_fib_cut",   BENCH_FIB,           0, 0,  4, {{0, 0}},                                             0,  0,  0,    12},
    {"tasks_map",       BENCH_SQUARES,       1, 1,  4, {{0, 1}},                                             0,  0,  1e-6, 0},
    {"opencl_triad",    BENCH_TRIAD,         2, 1,  4, {{-1, 1}, {-1, 1}},                                  12,  2,  1e-6, 0},
    {"opencl_dot",      BENCH_DOT,           2, 0,  4, {{-0.5f, 1}, {-0.5f, 1}},                             8,  2,  2e-3, 0},
    {"opencl_options",  BENCH_BLACK_SCHOLES, 3, 2,  4, {{5, 30}, {1, 100}, {0.25f, 10}},                    20, 138, 1e-4, 0},
    {"opencl_nbody",    BENCH_NBODY,         4, 3,  4, {{-1, 1}, {-1, 1}, {-1, 1}, {0.5f, 1}},              28, 20,  1e-3, 0},
    {"opencl_heat",     BENCH_HEAT,          1, 1,  4, {{0, 100}},                                           8,  7,  1e-5, 0},
};
/* clang-format on */

const struct bench_workload *bench_workload_find(const char *name)
{
    for (size_t k = 0; k < sizeof workloads / sizeof workloads[0]; k++)
        if (strcmp(workloads[k].name, name) == 0)
            return &workloads[k];
    return NULL;
}

size_t bench_width(const struct bench_workload *workload, size_t n)
{
    if (workload->kind == BENCH_BLUR)
        return n >= 4096 ? 4096 : n;
    size_t side = (size_t)sqrt((double)n);
    return side > 0 ? side : 1;
}
