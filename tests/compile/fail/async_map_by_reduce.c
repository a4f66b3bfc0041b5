/* A map, called as a reduction, in an asynchronous call. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(yoke_future *f, float *x, float *y);
int call(yoke_future *f, float *x, float *y)
{
    return parallel_reduce_async(f, doomed, 10, y, x, y, 1.0f);
}
