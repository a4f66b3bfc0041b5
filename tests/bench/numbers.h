/* Order statistics. */
#ifndef BENCH_NUMBERS_H
#define BENCH_NUMBERS_H

#include <stddef.h>

/* Sorts and returns the value below which this part of them lies, interpolated; NaN of none. */
double bench_quantile(double *values, size_t count, double part);

#endif
