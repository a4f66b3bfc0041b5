/* A kernel of two dimensions, called with one. */
#include "yoke/yoke.h"

YOKE_KERNEL_2D(doomed, (out(int, y)), { y[j * width + i] = 0; })

int call(int *y);
int call(int *y)
{
    return parallel_map(doomed, 10, y);
}
