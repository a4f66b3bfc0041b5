/* What Yoke wants to reach, and whether it does. */
#ifndef BENCH_WANTED_H
#define BENCH_WANTED_H

#include "rounds.h"

/* Prints each wanted ratio with the measured one. For information: nothing fails because of it. */
void bench_report_wanted(const struct bench_result *results, size_t count);

#endif
