/* What references share. */
#ifndef YOKE_TESTS_CONFORMANCE_REFERENCE_H
#define YOKE_TESTS_CONFORMANCE_REFERENCE_H

#include "tests/conformance/conformance.h"

/* Of 1.0; at most that times the magnitude elsewhere. */
#define FLOAT_ULP 0x1p-23
#define DOUBLE_ULP 0x1p-52

/* Largest errors in ULP that OpenCL allows for float; Yoke's own functions on the CPU are better. */
#define EXP_ULPS 3
#define LOG_ULPS 3
#define SIN_ULPS 4
#define POW_ULPS 16
#define SQRT_ULPS 3
#define DIVIDE_ULPS 2.5

static inline truth near(double value, double slack)
{
    return (truth){value, slack, true};
}

#endif
