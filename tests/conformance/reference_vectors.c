/* Serial loops of the vector kernels. Bounds are sums of the roundings that any order and any fusing allow. */
#include <math.h>

#include "tests/conformance/reference.h"

#define COPY(name, T)                                                                \
    void reference_##name(const problem *p, void *const *given, void *const *wanted) \
    {                                                                                \
        const T *x = given[1];                                                       \
        T *y = wanted[0];                                                            \
        for (size_t i = 0; i < p->n; i++)                                            \
            y[i] = x[i];                                                             \
    }
COPY(copy, float)
COPY(dcopy, double)

#define SCALE(name, T, factor)                                                       \
    void reference_##name(const problem *p, void *const *given, void *const *wanted) \
    {                                                                                \
        const T *x = given[1];                                                       \
        T *y = wanted[0];                                                            \
        for (size_t i = 0; i < p->n; i++)                                            \
            y[i] = p->factor * x[i];                                                 \
    }
SCALE(scale, float, a)
SCALE(dscale, double, d)

#define ADD(name, T)                                                                 \
    void reference_##name(const problem *p, void *const *given, void *const *wanted) \
    {                                                                                \
        const T *x = given[1], *y = given[2];                                        \
        T *z = wanted[0];                                                            \
        for (size_t i = 0; i < p->n; i++)                                            \
            z[i] = x[i] + y[i];                                                      \
    }
ADD(add, float)
ADD(dadd, double)

/* left + factor right, one rounding or two: 1 ULP of the sum of the magnitudes. */
#define FUSED(name, T, ulp, factor, left, right)                                                  \
    void reference_##name(const problem *p, void *const *given, void *const *wanted)              \
    {                                                                                             \
        const T *b = given[left], *c = given[right];                                              \
        truth *y = wanted[0];                                                                     \
        for (size_t i = 0; i < p->n; i++) {                                                       \
            const long double product = (long double)p->factor * c[i];                            \
            const double size = fabs((double)b[i]) + fabs((double)product);                       \
            y[i] = near((double)((long double)b[i] + product), size * (ulp) + size * DOUBLE_ULP); \
        }                                                                                         \
    }
FUSED(triad, float, FLOAT_ULP, a, 1, 2)
FUSED(dtriad, double, DOUBLE_ULP, d, 1, 2)
FUSED(axpy, float, FLOAT_ULP, a, 0, 1)
FUSED(daxpy, double, DOUBLE_ULP, d, 0, 1)

/* Blocks of 64 lanes: every item passes at most this many additions, of half an ULP each. */
enum { ADDITIONS = 256 };

#define FOLD(name, T, ulp, ...)                                                                 \
    void reference_##name(const problem *p, void *const *given, void *const *wanted)            \
    {                                                                                           \
        const T *x = given[1], *y = given[2];                                                   \
        long double sum = 0, size = 0;                                                          \
        (void)y;                                                                                \
        for (size_t i = 0; i < p->n; i++) {                                                     \
            const long double term = (__VA_ARGS__);                                             \
            sum += term;                                                                        \
            size += fabsl(term);                                                                \
        }                                                                                       \
        *(truth *)wanted[0] = near((double)sum, (double)(size * (ulp)*0.5L * (ADDITIONS + 1))); \
    }
FOLD(dot, float, FLOAT_ULP, (long double)x[i] * y[i])
FOLD(ddot, double, DOUBLE_ULP, (long double)x[i] * y[i])
FOLD(sum, float, FLOAT_ULP, x[i])
FOLD(dsum, double, DOUBLE_ULP, x[i])
FOLD(asum, float, FLOAT_ULP, fabsf(x[i]))
FOLD(dasum, double, DOUBLE_ULP, fabs(x[i]))
FOLD(nrm2, float, DOUBLE_ULP, (long double)x[i] * x[i])
