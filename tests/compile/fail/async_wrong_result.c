/* A reduction into a number of another type, in an asynchronous call. */
#include "yoke/yoke.h"

YOKE_REDUCE(doomed, (float, 0.0f, a + b), (in(float, x)), x[i])

int call(yoke_future *f, float *x, double *sum);
int call(yoke_future *f, float *x, double *sum)
{
    return parallel_reduce_async(f, doomed, 10, sum, x);
}
