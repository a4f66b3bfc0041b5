/* An int array where floats are read, in an asynchronous call. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(yoke_future *f, int *x, float *y);
int call(yoke_future *f, int *x, float *y)
{
    return parallel_map_async(f, doomed, 10, x, y, 2.0f);
}
