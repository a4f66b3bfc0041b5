/* A call of the reduction `sum`. */
#include <yoke/yoke.h>

YOKE_REDUCE(sum, (double, 0.0, a + b), (in(float, x)), (double)x[i])

void reduction(size_t n, float *x);

void reduction(size_t n, float *x)
{
#include "block.c"
}
