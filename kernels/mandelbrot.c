/* The Mandelbrot set by escape times. */
#include "yoke/kernels.h"

/* Lanes that left run on, to infinity or NaN, where the comparison is false; they count only while inside, and |z| never
 * comes back below 2. The look at whether any lane is still inside costs as much as a round, so it is taken every
 * eighth; rounds beyond the limit are cut off in the end. */
/* clang-format off */
YOKE_EXACT_LANE_KERNEL_2D(yoke_mandelbrot,
                          (out(int, count), value(float, x0), value(float, y0), value(float, dx), value(float, dy),
                           value(int, limit)),
                          {
    YOKE_LANES(float, cx);
    YOKE_LANES(float, x);
    YOKE_LANES(float, y);
    YOKE_LANES(int, rounds);
    const float cy = y0 + dy * (float)(int)j;
    YOKE_EACH {
        cx[l] = x0 + dx * (float)(int)i;
        x[l] = 0.0f;
        y[l] = 0.0f;
        rounds[l] = 0;
    }
    int alive = 1;
    for (int left = limit; alive && left > 0; left -= 8) {
        for (int step = 0; step < 8; step++) {
            YOKE_EACH {
                const float xx = x[l] * x[l], yy = y[l] * y[l];
                rounds[l] = xx + yy < 4.0f ? rounds[l] + 1 : rounds[l];
                y[l] = 2.0f * x[l] * y[l] + cy;
                x[l] = xx - yy + cx[l];
            }
        }
        YOKE_ANY(alive, x[l] * x[l] + y[l] * y[l] < 4.0f);
    }
    YOKE_EACH {
        count[j * width + i] = rounds[l] < limit ? rounds[l] : limit < 0 ? 0 : limit;
    }
})
/* clang-format on */
