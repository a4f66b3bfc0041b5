/* Calls of the kernels of docs/from-openmp.md. */
#include <yoke/yoke.h>

YOKE_DECLARE(scale, (out(float, y), in(float, x), value(float, a)))
YOKE_DECLARE_REDUCE(sum, double, (in(float, x)))
YOKE_DECLARE_2D(smooth, (inout(float, y), halo(float, x, 1, 1)))

void calls(size_t n, size_t width, size_t height, float *y, const float *x, float a);

void calls(size_t n, size_t width, size_t height, float *y, const float *x, float a)
{
#include "block.c"
}
