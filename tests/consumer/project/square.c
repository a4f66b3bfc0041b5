/* A stranger's first program. */
#include <stdio.h>
#include <yoke/yoke.h>

YOKE_KERNEL(square, (out(float, y), in(float, x)), { y[i] = x[i] * x[i]; })

int main(void)
{
    float x[] = {1, 2, 3, 4, 5}, y[5] = {0};
    if (parallel_map(square, 5, y, x) != YOKE_OK) {
        fprintf(stderr, "%s\n", yoke_error_detail());
        return 1;
    }
    for (int k = 0; k < 5; k++) {
        printf("%g -> %g\n", (double)x[k], (double)y[k]);
        if (!(y[k] >= x[k] * x[k] && y[k] <= x[k] * x[k]))
            return 1;
    }
    yoke_future future = {0};
    if (parallel_map_async(&future, square, 5, y, x) != YOKE_OK || yoke_result(&future, NULL, 0, 0) != YOKE_OK) {
        fprintf(stderr, "%s\n", yoke_error_detail());
        return 1;
    }
    return 0;
}
