/* Kernels that one file defines and another one calls. */
#ifndef YOKE_TESTS_UNIT_DIALECT_KERNELS_H
#define YOKE_TESTS_UNIT_DIALECT_KERNELS_H

#include "yoke/yoke.h"

YOKE_TYPE(extremes, {
    float low;
    float high;
})

YOKE_DECLARE(far_scale, (in(float, x), out(float, y), value(float, k)))
YOKE_DECLARE_2D(far_transposed_add, (in(int, x), whole(int, t, width *height), inout(int, y)))
YOKE_DECLARE(far_lanes, (in(float, x), out(int, steps)))
YOKE_DECLARE_REDUCE(far_extremes, extremes, (in(float, x)))

#endif
