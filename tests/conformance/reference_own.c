/* Serial loops of our own kernels: modes, grids, types. */
#include <math.h>

#include "tests/conformance/own_types.h"
#include "tests/conformance/reference.h"

/* --- modes --- */

void reference_counts(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0];
    const int64_t *z = given[2];
    const int16_t *w = given[3];
    int32_t *y = wanted[1];
    int64_t *sum = wanted[2];
    const size_t k = (size_t)p->k;
    for (size_t i = 0; i < p->n; i++) {
        y[2 * i] = (int32_t)((uint32_t)x[3 * i] + (uint32_t)x[3 * i + 2]);
        y[2 * i + 1] = x[3 * i + 1] ^ (int32_t)i;
        for (size_t m = 0; m < k; m++)
            sum[k * i + m] = z[k * i + m] + w[(k + 1) * i + m + 1] + (int64_t)p->n;
    }
}

void reference_rim(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0];
    int32_t *y = wanted[1];
    for (ptrdiff_t i = 0; i < (ptrdiff_t)p->n; i++) {
        int32_t at[4];
        for (int m = 0; m < 4; m++) {
            const ptrdiff_t from = i + m - 2;
            at[m] = from < 0 || from >= (ptrdiff_t)p->n ? 7 : x[from];
        }
        y[i] = at[0] ^ (int32_t)((uint32_t)at[1] << 1) ^ (at[2] >> 1) ^ (at[3] >> 2);
    }
}

void reference_reach(const problem *p, void *const *given, void *const *wanted)
{
    const uint8_t *x = given[0];
    uint32_t *y = wanted[1];
    for (ptrdiff_t i = 0; i < (ptrdiff_t)p->n; i++) {
        y[i] = 0;
        for (ptrdiff_t m = i - 20 * p->k; m <= i + 30 * p->k; m++)
            y[i] += m >= 0 && m < (ptrdiff_t)p->n ? x[m] : 0;
    }
}

void reference_lookup(const problem *p, void *const *given, void *const *wanted)
{
    const uint8_t *x = given[0];
    const double *table = given[1], *all = given[2];
    double *y = wanted[3];
    for (size_t i = 0; i < p->n; i++)
        y[i] = table[x[i]] + all[p->n - 1 - i];
}

void reference_permute(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0], *order = given[1];
    int32_t *y = wanted[2];
    for (size_t i = 0; i < p->n; i++)
        y[order[i]] = (int32_t)(3 * (uint32_t)x[i]);
}

void reference_spread(const problem *p, void *const *given, void *const *wanted)
{
    const int16_t *x = given[0];
    int16_t *y = wanted[1];
    for (size_t i = 0; i < p->n; i++)
        y[3 * i + 1] = (int16_t)(x[p->n - 1 - i] + 1);
}

void reference_early(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0], *before = given[1];
    int32_t *y = wanted[1];
    for (size_t i = 0; i < p->n; i++)
        if (x[i] % 3 != 0)
            y[i] = (int32_t)((uint32_t)before[i] - (uint32_t)x[i]);
}

void reference_collatz(const problem *p, void *const *given, void *const *wanted)
{
    const uint16_t *x = given[0];
    int32_t *steps = wanted[1];
    for (size_t i = 0; i < p->n; i++) {
        uint32_t v = (uint32_t)x[i] + 1;
        for (steps[i] = 0; v > 1 && steps[i] < 60; steps[i]++)
            v = v % 2 == 1 ? 3 * v + 1 : v / 2;
    }
}

void reference_sixteen(const problem *p, void *const *given, void *const *wanted)
{
    const int8_t *a = given[1];
    const int16_t *b = given[2];
    const int32_t *c = given[3];
    const int64_t *d = given[4];
    const uint8_t *e = given[5];
    int64_t *y = wanted[0];
    uint8_t *next = wanted[5];
    const int64_t values = -1 + 3 * 250 + 4 * -30000 + 5 * 65000 + 6 * -100000 + 7 * INT64_C(4000000000) -
                           8 * (INT64_C(1) << 40) + 9 * 3 + 10 + p->k;
    for (size_t i = 0; i < p->n; i++) {
        y[i] = values + a[i] + b[i] + c[i] + (d[i] >> 8) + e[i];
        next[i] = (uint8_t)(e[i] + 1);
    }
}

/* --- grids --- */

void reference_grid(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0], *before = given[1];
    int32_t *y = wanted[1];
    uint8_t *z = wanted[2];
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++) {
            const size_t at = cell(p, i, j);
            const uint32_t by = (uint32_t)x[at] * (uint32_t)p->k;
            y[at] = (int32_t)((uint32_t)before[at] + by + (uint32_t)(100 * j + i));
            z[at] = (uint8_t)(3 * p->width + p->height + i);
        }
}

void reference_rows(const problem *p, void *const *given, void *const *wanted)
{
    const int32_t *x = given[0];
    int32_t *y = wanted[1];
    const size_t w = p->width, h = p->height;
    for (size_t j = 0; j < h; j++)
        for (size_t i = 0; i < w; i++) {
            const uint32_t above = j == 0 ? 3 : (uint32_t)x[(j - 1) * w + i];
            const uint32_t below = j + 3 > h ? 5 : (uint32_t)x[(j + 2) * w + i];
            const int32_t left = i == 0 ? 9 : x[j * w + i - 1];
            const uint32_t right = i + 2 > w ? 11 : (uint32_t)x[j * w + i + 1];
            y[j * w + i] = (int32_t)(above ^ below << 1 ^ (uint32_t)(left >> 1) ^ right << 2 ^ (uint32_t)x[j * w + i]);
        }
}

void reference_transpose(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0];
    float *y = wanted[1];
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++)
            y[cell(p, i, j)] = x[i * p->height + j];
}

void reference_column(const problem *p, void *const *given, void *const *wanted)
{
    const uint16_t *x = given[0], *row = given[1];
    uint16_t *y = wanted[2];
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++)
            y[i * p->height + j] = (uint16_t)(x[cell(p, i, j)] - row[i]);
}

void reference_escape(const problem *p, void *const *given, void *const *wanted)
{
    const uint32_t *x = given[0];
    int32_t *y = wanted[1];
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < p->width; i++) {
            uint32_t v = x[cell(p, i, j)] | 1;
            int32_t rounds = 0;
            for (; rounds < 20 + p->k && (v & 0x70) != 0x20; rounds++)
                v = v * v + (uint32_t)j + 2;
            y[cell(p, i, j)] = rounds;
        }
}

void reference_edges(const problem *p, void *const *given, void *const *wanted)
{
    const float *x = given[0];
    float *y = wanted[1];
    const size_t w = p->width;
    for (size_t j = 0; j < p->height; j++)
        for (size_t i = 0; i < w; i++) {
            const float above = x[(j < 2 ? 0 : j - 2) * w + i], below = x[(j + 1 == p->height ? j : j + 1) * w + i];
            y[j * w + i] = (below - above) * p->a + x[j * w + i];
        }
}
