/* Serial loops of the other ready kernels. */
#include <math.h>
#include <string.h>

#include "tests/conformance/reference.h"

/* --- options --- */

/* Abramowitz and Stegun 26.2.17 with the kernel's own coefficients, in double. */
static double below(double d)
{
    static const float c[5] = {0.31938153f, -0.356563782f, 1.781477937f, -1.821255978f, 1.330274429f};
    const double k = 1.0 / (1.0 + (double)0.2316419f * fabs(d));
    double polynomial = 0;
    for (int m = 4; m >= 0; m--)
        polynomial = (polynomial + (double)c[m]) * k;
    const double tail = (double)0.39894228f * exp(-0.5 * d * d) * polynomial;
    return d > 0 ? 1 - tail : tail;
}

/* Error of below(d) for an error of d: the slope times that, and 12 ULP of 1 for exp, division and polynomial. */
static double below_slack(double d, double d_slack)
{
    return 0.4 * exp(-0.5 * d * d) * d_slack + 12 * FLOAT_ULP;
}

static void price(double s, double k, double t, double r, double v, truth *call, truth *put)
{
    const double deviation = v * sqrt(t), logarithm = log(s / k), drift = (r + 0.5 * v * v) * t;
    const double d1 = (logarithm + drift) / deviation, d2 = d1 - deviation;
    const double numerator = DIVIDE_ULPS + LOG_ULPS * fabs(logarithm) + 4 * fabs(drift) + fabs(logarithm + drift);
    const double quotient = (DIVIDE_ULPS + SQRT_ULPS + 1) * fabs(d1);
    const double d1_slack = FLOAT_ULP * (numerator / deviation + quotient);
    const double d2_slack = d1_slack + FLOAT_ULP * ((SQRT_ULPS + 1) * deviation + fabs(d2));
    const double n1 = below(d1), n2 = below(d2), discounted = k * exp(-r * t);
    const double discounted_slack = FLOAT_ULP * (EXP_ULPS + 2 + r * t) * discounted;
    const double slack = s * (below_slack(d1, d1_slack) + FLOAT_ULP) +
                         discounted * (below_slack(d2, d2_slack) + FLOAT_ULP) + discounted_slack;
    *call = near(s * n1 - discounted * n2, slack);
    *put = near(discounted * (1 - n2) - s * (1 - n1), slack);
}

void reference_black_scholes(const problem *p, void *const *given, void *const *wanted)
{
    const float *s = given[0], *k = given[1], *t = given[2];
    truth *call = wanted[3], *put = wanted[4];
    for (size_t i = 0; i < p->n; i++)
        price((double)s[i], (double)k[i], (double)t[i], (double)0.02f, (double)0.3f, &call[i], &put[i]);
}

void reference_black_scholes_each(const problem *p, void *const *given, void *const *wanted)
{
    const float *s = given[0], *k = given[1], *t = given[2], *r = given[3], *v = given[4];
    truth *call = wanted[5], *put = wanted[6];
    for (size_t i = 0; i < p->n; i++)
        price((double)s[i], (double)k[i], (double)t[i], (double)r[i], (double)v[i], &call[i], &put[i]);
}

/* --- pictures and grids --- */

void reference_mandelbrot(const problem *p, void *const *given, void *const *wanted)
{
    (void)given;
    int *count = wanted[0];
    const float dx = 2.75f / (float)p->width, dy = 2.5f / (float)p->height;
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++) {
            const float cx = -2.0f + dx * (float)(int)i, cy = -1.25f + dy * (float)(int)j;
            float x = 0, y = 0;
            int rounds = 0;
            while (rounds < 60 + p->k && x * x + y * y < 4.0f) {
                const float next = x * x - y * y + cx;
                y = 2.0f * x * y + cy;
                x = next;
                rounds++;
            }
            count[cell(p, i, j)] = rounds;
        }
}

void reference_heat(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[1];
    truth *y = wanted[0];
    const size_t w = p->width, h = p->height;
    for (size_t j = 0; j < h; j++)
        for (size_t i = 0; i < w; i++) {
            const size_t at = j * w + i;
            const double c = (double)x[at];
            if (i == 0 || j == 0 || i + 1 == w || j + 1 == h) {
                y[at] = near(c, 0);
                continue;
            }
            const double l = (double)x[at - 1], r = (double)x[at + 1], u = (double)x[at - w], d = (double)x[at + w];
            const double size = fabs(l) + fabs(r) + fabs(u) + fabs(d) + 4 * fabs(c);
            y[at] = near(c + (double)0.2f * (l + r + u + d - 4 * c), FLOAT_ULP * 4 * (fabs(c) + 0.2 * size));
        }
}

/* A result is rounded to whole numbers, up or down where the sum is near a half. */
static truth sample(double sum)
{
    return near(sum > 255 ? 255 : sum, 0.5 + 16 * 255 * FLOAT_ULP);
}

static size_t clamped(size_t at, ptrdiff_t by, size_t end)
{
    const ptrdiff_t to = (ptrdiff_t)at + by;
    return to < 0 ? 0 : to >= (ptrdiff_t)end ? end - 1 : (size_t)to;
}

void reference_blur_rows(const problem *p, void *const *given, void *const *wanted)
{
    const uint8_t *x = given[1];
    const float *weights = given[2];
    truth *y = wanted[0];
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++) {
            double sum = (double)weights[0] * x[cell(p, i, j)];
            for (int k = 1; k <= p->k; k++)
                sum += (double)weights[k] *
                       (x[cell(p, clamped(i, -k, p->width), j)] + x[cell(p, clamped(i, k, p->width), j)]);
            y[cell(p, i, j)] = sample(sum);
        }
}

void reference_blur_columns(const problem *p, void *const *given, void *const *wanted)
{
    const uint8_t *x = given[1];
    const float *weights = given[2];
    truth *y = wanted[0];
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++) {
            double sum = (double)weights[0] * x[cell(p, i, j)];
            for (int k = 1; k <= p->k; k++)
                sum += (double)weights[k] *
                       (x[cell(p, i, clamped(j, -k, p->height))] + x[cell(p, i, clamped(j, k, p->height))]);
            y[cell(p, i, j)] = sample(sum);
        }
}

/* --- bodies --- */

void reference_nbody(const problem *p, void *const *given, void *const *wanted)
{
    const float *at[3] = {given[3], given[4], given[5]}, *m = given[6];
    /* A term has 16 ULP; the sum of n terms, roundings of either sign. */
    const double ulps = 16 + 4 * sqrt((double)p->n);
    for (size_t i = 0; i < p->n; i++) {
        double sum[3] = {0}, size[3] = {0};
        for (size_t k = 0; k < p->n; k++) {
            double by[3], square = (double)0.01f;
            for (int c = 0; c < 3; c++) {
                by[c] = (double)at[c][k] - (double)at[c][i];
                square += by[c] * by[c];
            }
            for (int c = 0; c < 3; c++) {
                const double pull = (double)m[k] * by[c] / (square * sqrt(square));
                sum[c] += pull;
                size[c] += fabs(pull);
            }
        }
        for (int c = 0; c < 3; c++)
            ((truth *)wanted[c])[i] = near(sum[c], FLOAT_ULP * ulps * size[c]);
    }
}

/* --- counting --- */

void reference_histogram(const problem *p, void *const *given, void *const *wanted)
{
    const uint8_t *x = given[1];
    yoke_histogram_counts *counts = wanted[0];
    memset(counts, 0, sizeof *counts);
    for (size_t i = 0; i < p->n; i++)
        counts->part[x[i]][i % YOKE_HISTOGRAM_PARTS]++;
}
