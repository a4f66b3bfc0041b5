/* A reduction into a number of another type. */
#include "yoke/yoke.h"

YOKE_REDUCE(doomed, (float, 0.0f, a + b), (in(float, x)), x[i])

int call(float *x, double *sum);
int call(float *x, double *sum)
{
    return parallel_reduce(doomed, 10, sum, x);
}
