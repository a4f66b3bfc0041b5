/* What is measured: every contestant computes exactly these, so their times may be compared.
 *
 *   empty          a parallel loop that does nothing
 *   copy           y = x
 *   triad          y = b + 3 c
 *   sum, dot       one float; any order of additions
 *   exp, sin       y = expf(x), y = sinf(x), x in [-10, 10)
 *   black_scholes  see below
 *   mandelbrot     rounds until |z| >= 2 or the limit, region -2..0.5 x -1.25..1.25, pixel (i, j) is the point
 *                  (-2 + 2.5 i / width, -1.25 + 2.5 j / height); one int32_t per pixel
 *   nbody          accelerations of bodies of mass m: a_i = sum_j m_j d / (|d|^2 + softening)^1.5, d = p_j - p_i
 *   heat           y = c + 0.1 (left + right + above + below - 4 c); the border is copied
 *   tasks_...      independent tasks: nothing, or a spin (tasks.h) of `iterations` us whose result goes to the task's place;
 *                  tasks_fib: n-th Fibonacci number, a task for one of each two branches, serial from `iterations`
 *                  downward; tasks_map: y = x * x by a pool's map
 *   blur           Gaussian of radius 4, sigma 2, on interleaved 8-bit RGB; rows, then columns; clamped at the
 *                  border; rounded to 8 bits after each pass
 *
 * Black-Scholes, all in float: rate r and volatility v are the same for all options,
 *   d1 = (logf(spot / strike) + (r + v * v / 2) * years) / (v * sqrtf(years)),  d2 = d1 - v * sqrtf(years)
 *   call = spot * cnd(d1) - strike * expf(-r * years) * cnd(d2)
 *   put  = strike * expf(-r * years) * (1 - cnd(d2)) - spot * (1 - cnd(d1))
 * where cnd is the five-term polynomial of Abramowitz and Stegun 26.2.17 (BENCH_CND). */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_SCALAR 3.0f
#define BENCH_RATE 0.02f
#define BENCH_VOLATILITY 0.30f
#define BENCH_SOFTENING 1e-3f
#define BENCH_DIFFUSION 0.1f
#define BENCH_BLUR_RADIUS 4
#define BENCH_BLUR_SIGMA 2.0
#define BENCH_LEFT (-2.0f)
#define BENCH_TOP (-1.25f)
#define BENCH_SIDE 2.5f

/* Cumulative normal distribution of d; needs expf and fabsf in scope. */
#define BENCH_CND_A1 0.31938153f
#define BENCH_CND_A2 (-0.356563782f)
#define BENCH_CND_A3 1.781477937f
#define BENCH_CND_A4 (-1.821255978f)
#define BENCH_CND_A5 1.330274429f
#define BENCH_CND_INV_SQRT_2PI 0.39894228040143267794f

enum bench_kind {
    BENCH_EMPTY,
    BENCH_COPY,
    BENCH_TRIAD,
    BENCH_SUM,
    BENCH_DOT,
    BENCH_EXP,
    BENCH_SIN,
    BENCH_BLACK_SCHOLES,
    BENCH_MANDELBROT,
    BENCH_NBODY,
    BENCH_HEAT,
    BENCH_BLUR,
    BENCH_READ,  /* limits only: bandwidth of reading */
    BENCH_WRITE, /* limits only: bandwidth of writing */
    BENCH_FMA,   /* limits only: item = 2 flops in float */
    BENCH_TASKS,
    BENCH_FIB,
    BENCH_SQUARES,
    BENCH_HANDOVER /* limits only: item = a cache line to another core and back */
};

#define BENCH_MAX_INPUTS 4
#define BENCH_MAX_OUTPUTS 3

struct bench_workload {
    const char *name; /* "opencl_..." is the same on an OpenCL device; options: black_scholes */
    enum bench_kind kind;
    int inputs;
    int outputs;
    size_t item_bytes; /* of one item in each of its arrays */
    struct {
        float low, high;
    } range[BENCH_MAX_INPUTS]; /* of the inputs' values */
    double bytes;              /* that an item must move, streamed */
    double flops;     /* per item, of nbody per pair, as Yoke's text has them; of mandelbrot the mean; 0: none */
    double tolerance; /* of a checksum, relative */
    int iterations;   /* mandelbrot: the limit; of tasks see above */
};

/* The workload of this name, or NULL. */
const struct bench_workload *bench_workload_find(const char *name);

/* Width of a picture or grid of n items; its height is n / width. */
size_t bench_width(const struct bench_workload *workload, size_t n);

#endif
