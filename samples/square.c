/* The textbook example of a pool: Pool(3).map(square, [1, 2, 3, 4, 5]). */
#include <stdio.h>

#include "yoke/yoke.h"

YOKE_KERNEL(square, (out(int, y), in(int, x)), { y[i] = x[i] * x[i]; })

int main(void)
{
    const int numbers[] = {1, 2, 3, 4, 5};
    int squares[5];
    yoke_runtime *pool = yoke_open(&(yoke_runtime_options){.workers = 3});
    if (pool == NULL || parallel_map_on(pool, NULL, square, 5, squares, numbers) != 0) {
        fprintf(stderr, "square: %s\n", yoke_error_detail());
        return 1;
    }
    for (int i = 0; i < 5; i++)
        printf("%d squared is %d\n", numbers[i], squares[i]);
    return yoke_close(pool) == 0 ? 0 : 1;
}
