/* A constant array where results are written. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(const float *x, const float *y);
int call(const float *x, const float *y)
{
    return parallel_map(doomed, 10, x, y, 2.0f);
}
