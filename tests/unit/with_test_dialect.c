/* The defining half of test_dialect.c. The helper `halved` exists in both files, with different meanings. */
#include <math.h>

#include "tests/unit/dialect_kernels.h"

YOKE_FUNCTION(float, halved, (float x), { return x * 0.5f; })

YOKE_KERNEL(far_scale, (in(float, x), out(float, y), value(float, k)), { y[i] = 2.0f * halved(x[i]) * k; })

YOKE_KERNEL_2D(far_transposed_add, (in(int, x), whole(int, t, width *height), inout(int, y)),
               { y[j * width + i] += x[j * width + i] + t[(j * width + i) % (width * height)]; })

YOKE_LANE_KERNEL(far_lanes, (in(float, x), out(int, steps)), {
    YOKE_LANES(float, v);
    YOKE_LANES(int, count);
    int alive;
    YOKE_EACH
    {
        v[l] = x[i];
        count[l] = 0;
    }
    do {
        YOKE_EACH
        {
            (void)i;
            count[l] += v[l] > 1.0f;
            v[l] *= 0.5f;
        }
        YOKE_ANY(alive, v[l] > 1.0f);
    } while (alive);
    YOKE_EACH
    {
        steps[i] = count[l];
    }
})

YOKE_FUNCTION(extremes, wider, (extremes p, extremes q), {
    extremes r;
    r.low = fminf(p.low, q.low);
    r.high = fmaxf(p.high, q.high);
    return r;
})
YOKE_FUNCTION(extremes, just, (float x), {
    extremes r;
    r.low = x;
    r.high = x;
    return r;
})
YOKE_REDUCE(far_extremes, (extremes, ((extremes){INFINITY, -INFINITY}), wider(a, b)), (in(float, x)), just(x[i]))
