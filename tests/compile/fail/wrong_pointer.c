/* An int array where floats are read. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i]; })

int call(int *x, float *y);
int call(int *x, float *y)
{
    return parallel_map(doomed, 10, x, y, 2.0f);
}
