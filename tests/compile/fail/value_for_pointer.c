/* A number where an array is wanted. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(float *x);
int call(float *x)
{
    return parallel_map(doomed, 10, x, 5, 2.0f);
}
