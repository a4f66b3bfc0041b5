/* Ready kernels: yoke_axpy and its relatives. Use them as your own: parallel_map(yoke_axpy, n, y, x, 2.0f).
 *
 * Arrays must not overlap, except that an `in` and an `out` or `inout` may be the same array. */
#ifndef YOKE_KERNELS_H
#define YOKE_KERNELS_H

#include "yoke/kernel.h"

#pragma GCC visibility push(default)

/* --- vectors, by parallel_map over n elements; yoke_d... is the same in double --- */

/** y = x */
YOKE_DECLARE(yoke_copy, (out(float, y), in(float, x)))
YOKE_DECLARE(yoke_dcopy, (out(double, y), in(double, x)))
/** y = a x */
YOKE_DECLARE(yoke_scale, (out(float, y), in(float, x), value(float, a)))
YOKE_DECLARE(yoke_dscale, (out(double, y), in(double, x), value(double, a)))
/** z = x + y */
YOKE_DECLARE(yoke_add, (out(float, z), in(float, x), in(float, y)))
YOKE_DECLARE(yoke_dadd, (out(double, z), in(double, x), in(double, y)))
/** y = b + s c */
YOKE_DECLARE(yoke_triad, (out(float, y), in(float, b), in(float, c), value(float, s)))
YOKE_DECLARE(yoke_dtriad, (out(double, y), in(double, b), in(double, c), value(double, s)))
/** y = y + a x */
YOKE_DECLARE(yoke_axpy, (inout(float, y), in(float, x), value(float, a)))
YOKE_DECLARE(yoke_daxpy, (inout(double, y), in(double, x), value(double, a)))

/* --- vectors to one number, by parallel_reduce over n elements --- */

/** Sum of x[i] y[i]. */
YOKE_DECLARE_REDUCE(yoke_dot, float, (in(float, x), in(float, y)))
YOKE_DECLARE_REDUCE(yoke_ddot, double, (in(double, x), in(double, y)))
/** Sum of x[i]. */
YOKE_DECLARE_REDUCE(yoke_sum, float, (in(float, x)))
YOKE_DECLARE_REDUCE(yoke_dsum, double, (in(double, x)))
/** Sum of |x[i]|. */
YOKE_DECLARE_REDUCE(yoke_asum, float, (in(float, x)))
YOKE_DECLARE_REDUCE(yoke_dasum, double, (in(double, x)))
/** Sum of the squares, in double, where no float's square overflows or vanishes: its sqrt() is the Euclidean norm. */
YOKE_DECLARE_REDUCE(yoke_nrm2, double, (in(float, x)))

/* --- finance --- */

/** Prices of European options by Black and Scholes: spot and strike in one currency, years until expiry; interest
 *  rate and volatility per year, as fractions. The normal distribution is the five-term polynomial 26.2.17 of Abramowitz
 *  and Stegun, absolute error below 1e-7. */
YOKE_DECLARE(yoke_black_scholes, (in(float, spot), in(float, strike), in(float, years), value(float, rate),
                                  value(float, volatility), out(float, call), out(float, put)))
/** The same with a rate and a volatility per option. */
YOKE_DECLARE(yoke_black_scholes_each, (in(float, spot), in(float, strike), in(float, years), in(float, rate),
                                       in(float, volatility), out(float, call), out(float, put)))

/* --- pictures and grids, by parallel_map_2d --- */

/** Rounds of z = z * z + c from z = 0 while |z| < 2, `limit` at most, for c = (x0 + i dx) + (y0 + j dy) i. Exactly the
 *  counts of the plain loop in float without fused operations, on every instruction set. */
YOKE_DECLARE_2D(yoke_mandelbrot, (out(int, count), value(float, x0), value(float, y0), value(float, dx),
                                  value(float, dy), value(int, limit)))

/** One explicit step of the heat equation, y = x + rate * (left + right + above + below - 4 x); cells of the rim keep
 *  their value. Stable for a rate of at most 0.25. */
YOKE_DECLARE_2D(yoke_heat, (out(float, y), halo(float, x, 1, 1), value(float, rate)))

/** Symmetric separable filter of 8-bit samples: yoke_blur_rows from x to a picture between, yoke_blur_columns from that
 *  to y. The width is in samples: `channels` times the pixels, 3 for interleaved RGB. `weights` are those at distance 0 to
 *  radius, see yoke_gaussian(); beyond the rim the nearest pixel is repeated; results are rounded to 8 bits. */
YOKE_DECLARE_2D(yoke_blur_rows, (out(uint8_t, y), in(uint8_t, x), whole(float, weights, radius + 1), value(int, radius),
                                 value(int, channels)))
YOKE_DECLARE_2D(yoke_blur_columns, (out(uint8_t, y), halo(uint8_t, x, radius, radius),
                                    whole(float, weights, radius + 1), value(int, radius)))

/** Fills weights[0 .. radius] with a Gaussian of that standard deviation (in pixels), such that the filter keeps
 *  brightness; a sigma that is not above 0 gives the filter that changes nothing. */
YOKE_API void yoke_gaussian(float *weights, int radius, double sigma);

/* --- bodies, by parallel_map over n of them --- */

/** Accelerations that n bodies of mass m exert on each other, G = 1: sum of m d / (|d|^2 + softening)^1.5 over all
 *  bodies, d the way there. softening > 0 is a length squared and keeps close encounters finite. */
YOKE_DECLARE(yoke_nbody, (out(float, ax), out(float, ay), out(float, az), whole(float, x, n), whole(float, y, n),
                          whole(float, z, n), whole(float, m, n), value(float, softening)))

/* --- counting, by parallel_reduce over n samples --- */

/** How often each value occurs, in four parts: neighbours in an array often are equal, and counting them in turn in
 *  different places does not make each wait for the last. Read it with yoke_histogram_count(). */
#define YOKE_HISTOGRAM_PARTS 4
YOKE_TYPE(yoke_histogram_counts, { uint64_t part[256][YOKE_HISTOGRAM_PARTS]; })
YOKE_DECLARE_REDUCE(yoke_histogram, yoke_histogram_counts, (in(uint8_t, x)))

/** Occurrences of one value. */
static inline uint64_t yoke_histogram_count(const yoke_histogram_counts *counts, uint8_t value)
{
    uint64_t sum = 0;
    for (int k = 0; k < YOKE_HISTOGRAM_PARTS; k++)
        sum += counts->part[value][k];
    return sum;
}

#pragma GCC visibility pop

#endif
