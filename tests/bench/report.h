/* Results as a table on standard output and as CSV. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "rounds.h"

/* tasks: nothing but cases about tasks follows. */
void bench_report_head(bool tasks);
void bench_report_result(const struct bench_result *result);

void bench_csv_head(FILE *file);
void bench_csv_result(FILE *file, const struct bench_result *result);

/* Seconds with a fitting unit, in a buffer of the caller's. */
#define BENCH_TIME_SIZE 48
const char *bench_time(double seconds, char text[BENCH_TIME_SIZE]);

/* Sizes as people write them: 1000, 1e+08 as 1e8. */
const char *bench_size(size_t n, char text[BENCH_TIME_SIZE]);

#endif
