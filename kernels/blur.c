/* Separable symmetric filters of 8-bit pictures. */
#include <math.h>

#include "yoke/kernels.h"

static double bell(int k, double sigma)
{
    return k == 0 ? 1.0 : sigma > 0.0 ? exp(-0.5 * k * k / (sigma * sigma)) : 0.0;
}

void yoke_gaussian(float *weights, int radius, double sigma)
{
    double total = 1.0;
    for (int k = radius; k > 0; k--)
        total += 2.0 * bell(k, sigma);
    for (int k = 0; k <= radius; k++)
        weights[k] = (float)(bell(k, sigma) / total);
}

/* Whatever the weights, the result is one of 8 bits. */
YOKE_FUNCTION(uint8_t, to_sample, (float x), {
    const float low = x < 255.0f ? x : 255.0f;
    return (uint8_t)(int)((low > 0.0f ? low : 0.0f) + 0.5f);
})

/* clang-format off */
/* Blocks that reach over a rim go sample by sample; all others add whole rows of lanes. */
YOKE_LANE_KERNEL_2D(yoke_blur_rows,
                    (out(uint8_t, y), in(uint8_t, x), whole(float, weights, radius + 1), value(int, radius),
                     value(int, channels)),
                    {
    const size_t step = (size_t)channels, reach = (size_t)radius * step, row = j * width;
    YOKE_LANES(float, sum);
    YOKE_EACH {
        sum[l] = weights[0] * (float)x[row + i];
    }
    if (yoke_first < reach || yoke_first + yoke_lanes + reach > width) {
        YOKE_LANES(size_t, channel);
        YOKE_EACH {
            channel[l] = i % step;
        }
        for (size_t k = 1, far = step; k <= (size_t)radius; k++, far += step) {
            YOKE_EACH {
                const size_t before = i >= far ? i - far : channel[l];
                const size_t after = i + far < width ? i + far : width - step + channel[l];
                sum[l] += weights[k] * (float)(x[row + before] + x[row + after]);
            }
        }
    } else {
        for (size_t k = 1, far = step; k <= (size_t)radius; k++, far += step) {
            const float weight = weights[k];
            YOKE_EACH {
                sum[l] += weight * (float)(x[row + i - far] + x[row + i + far]);
            }
        }
    }
    YOKE_EACH {
        y[row + i] = to_sample(sum[l]);
    }
})

YOKE_LANE_KERNEL_2D(yoke_blur_columns,
                    (out(uint8_t, y), halo(uint8_t, x, radius, radius), whole(float, weights, radius + 1),
                     value(int, radius)),
                    {
    YOKE_LANES(float, sum);
    YOKE_EACH {
        sum[l] = weights[0] * (float)x[j * width + i];
    }
    for (size_t k = 1; k <= (size_t)radius; k++) {
        const int64_t up = (int64_t)j - (int64_t)k;
        const size_t above = (size_t)(up > 0 ? up : 0) * width;
        const size_t down = j + k, below = (down < height - 1 ? down : height - 1) * width;
        const float weight = weights[k];
        YOKE_EACH {
            sum[l] += weight * (float)(x[above + i] + x[below + i]);
        }
    }
    YOKE_EACH {
        y[j * width + i] = to_sample(sum[l]);
    }
})
/* clang-format on */
