/* A map, called as a reduction. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(float *x, float *y);
int call(float *x, float *y)
{
    return parallel_reduce(doomed, 10, y, x, y, 1.0f);
}
