/* An array where a number is wanted. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(float *x, float *y);
int call(float *x, float *y)
{
    return parallel_map(doomed, 10, x, y, x);
}
