/* A kernel of two dimensions, called with one, in an asynchronous call. */
#include "yoke/yoke.h"

YOKE_KERNEL_2D(doomed, (out(int, y)), { y[j * width + i] = 0; })

int call(yoke_future *f, int *y);
int call(yoke_future *f, int *y)
{
    return parallel_map_async(f, doomed, 10, y);
}
