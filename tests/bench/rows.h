/* The inner loops that serial, OpenMP and TBB share, in what C and C++ have in common. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "job.h"

#ifdef __cplusplus
#define RESTRICT __restrict__
#else
#define RESTRICT restrict
#endif

static inline float cnd(float d)
{
    float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
    float poly = k * (BENCH_CND_A1 + k * (BENCH_CND_A2 + k * (BENCH_CND_A3 + k * (BENCH_CND_A4 + k * BENCH_CND_A5))));
    float tail = BENCH_CND_INV_SQRT_2PI * expf(-0.5f * d * d) * poly;
    return d > 0.0f ? 1.0f - tail : tail;
}

static inline void option_price(float spot, float strike, float years, float *RESTRICT call, float *RESTRICT put)
{
    const float r = BENCH_RATE, v = BENCH_VOLATILITY;
    float root = v * sqrtf(years);
    float d1 = (logf(spot / strike) + (r + 0.5f * v * v) * years) / root;
    float d2 = d1 - root;
    float discounted = strike * expf(-r * years);
    float n1 = cnd(d1), n2 = cnd(d2);
    *call = spot * n1 - discounted * n2;
    *put = discounted * (1.0f - n2) - spot * (1.0f - n1);
}

static inline void mandelbrot_row(bench_job *job, size_t j)
{
    int32_t *RESTRICT out = (int32_t *)job->out[0] + j * job->width;
    const int limit = job->workload->iterations;
    const float step_x = BENCH_SIDE / (float)job->width, step_y = BENCH_SIDE / (float)job->height;
    const float cy = BENCH_TOP + step_y * (float)j;
    for (size_t i = 0; i < job->width; i++) {
        const float cx = BENCH_LEFT + step_x * (float)i;
        float x = 0.0f, y = 0.0f;
        int count = 0;
        while (count < limit && x * x + y * y < 4.0f) {
            float next = x * x - y * y + cx;
            y = 2.0f * x * y + cy;
            x = next;
            count++;
        }
        out[i] = count;
    }
}

static inline void nbody_body(bench_job *job, size_t i)
{
    const float *RESTRICT x = (const float *)job->in[0], *RESTRICT y = (const float *)job->in[1];
    const float *RESTRICT z = (const float *)job->in[2], *RESTRICT m = (const float *)job->in[3];
    const float px = x[i], py = y[i], pz = z[i];
    float ax = 0.0f, ay = 0.0f, az = 0.0f;
    for (size_t j = 0; j < job->n; j++) {
        float dx = x[j] - px, dy = y[j] - py, dz = z[j] - pz;
        float inverse = 1.0f / sqrtf(dx * dx + dy * dy + dz * dz + BENCH_SOFTENING);
        float pull = m[j] * inverse * inverse * inverse;
        ax += pull * dx;
        ay += pull * dy;
        az += pull * dz;
    }
    ((float *)job->out[0])[i] = ax;
    ((float *)job->out[1])[i] = ay;
    ((float *)job->out[2])[i] = az;
}

static inline void heat_row(bench_job *job, size_t j)
{
    const size_t width = job->width;
    const float *RESTRICT c = (const float *)job->in[0] + j * width;
    float *RESTRICT y = (float *)job->out[0] + j * width;
    if (j == 0 || j + 1 == job->height) {
        memcpy(y, c, width * sizeof *y);
        return;
    }
    const float *RESTRICT above = c - width, *RESTRICT below = c + width;
    y[0] = c[0];
    for (size_t i = 1; i + 1 < width; i++)
        y[i] = c[i] + BENCH_DIFFUSION * (c[i - 1] + c[i + 1] + above[i] + below[i] - 4.0f * c[i]);
    y[width - 1] = c[width - 1];
}

static inline size_t clamp_to(ptrdiff_t place, size_t count)
{
    return place < 0 ? 0 : (size_t)place >= count ? count - 1 : (size_t)place;
}

/* The weights are symmetric, so samples at the same distance are added first. */
static inline uint8_t blurred(const float *w, int c, int a1, int a2, int a3, int a4)
{
    float total = 0.5f + w[0] * (float)c + w[1] * (float)a1 + w[2] * (float)a2 + w[3] * (float)a3 + w[4] * (float)a4;
    return (uint8_t)(int)total;
}

/* Channels are 3 apart, so a row of the picture is one loop over its bytes, but for its rim. */
static inline void blur_across_row(bench_job *job, size_t j)
{
    const size_t width = job->width, r = BENCH_BLUR_RADIUS;
    const uint8_t *RESTRICT x = (const uint8_t *)job->in[0] + j * 3 * width;
    uint8_t *RESTRICT y = (uint8_t *)job->scratch + j * 3 * width;
    const float *w = job->weight + r;
    for (size_t i = 0; i < width; i++) {
        if (i == r && width > 2 * r)
            i = width - r;
        for (size_t channel = 0; channel < 3; channel++) {
            float total = 0.5f;
            for (size_t k = 0; k <= 2 * r; k++)
                total += job->weight[k] * (float)x[3 * clamp_to((ptrdiff_t)(i + k) - (ptrdiff_t)r, width) + channel];
            y[3 * i + channel] = (uint8_t)(int)total;
        }
    }
    for (size_t i = 3 * r; i + 3 * r < 3 * width; i++) {
        const uint8_t *p = x + i - 3 * r;
        y[i] = blurred(w, p[12], p[9] + p[15], p[6] + p[18], p[3] + p[21], p[0] + p[24]);
    }
}

static inline void blur_down_row(bench_job *job, size_t j)
{
    const size_t row = 3 * job->width;
    const uint8_t *p[2 * BENCH_BLUR_RADIUS + 1];
    uint8_t *RESTRICT y = (uint8_t *)job->out[0] + j * row;
    const float *w = job->weight + BENCH_BLUR_RADIUS;
    for (size_t k = 0; k <= 2 * BENCH_BLUR_RADIUS; k++)
        p[k] = (const uint8_t *)job->scratch + row * clamp_to((ptrdiff_t)(j + k) - BENCH_BLUR_RADIUS, job->height);
    for (size_t i = 0; i < row; i++)
        y[i] = blurred(w, p[4][i], p[3][i] + p[5][i], p[2][i] + p[6][i], p[1][i] + p[7][i], p[0][i] + p[8][i]);
}

#endif
