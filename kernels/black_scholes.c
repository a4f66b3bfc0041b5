/* European options. */
#include "yoke/kernels.h"

/* Cumulative normal distribution, Abramowitz and Stegun 26.2.17. */
YOKE_FUNCTION(float, normal_below, (float d), {
    const float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
    const float polynomial =
        k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
    const float tail = 0.39894228f * expf(-0.5f * d * d) * polynomial;
    return d > 0.0f ? 1.0f - tail : tail;
})

YOKE_KERNEL(yoke_black_scholes_each,
            (in(float, spot), in(float, strike), in(float, years), in(float, rate), in(float, volatility),
             out(float, call), out(float, put)),
            {
                const float s = spot[i], r = rate[i], v = volatility[i], t = years[i];
                const float deviation = v * sqrtf(t);
                const float d1 = (logf(s / strike[i]) + (r + 0.5f * v * v) * t) / deviation;
                const float n1 = normal_below(d1), n2 = normal_below(d1 - deviation);
                const float discounted = strike[i] * expf(-r * t);
                call[i] = s * n1 - discounted * n2;
                put[i] = discounted * (1.0f - n2) - s * (1.0f - n1);
            })

YOKE_KERNEL(yoke_black_scholes,
            (in(float, spot), in(float, strike), in(float, years), value(float, rate), value(float, volatility),
             out(float, call), out(float, put)),
            {
                const float s = spot[i], r = rate, v = volatility, t = years[i];
                const float deviation = v * sqrtf(t);
                const float d1 = (logf(s / strike[i]) + (r + 0.5f * v * v) * t) / deviation;
                const float n1 = normal_below(d1), n2 = normal_below(d1 - deviation);
                const float discounted = strike[i] * expf(-r * t);
                call[i] = s * n1 - discounted * n2;
                put[i] = discounted * (1.0f - n2) - s * (1.0f - n1);
            })
