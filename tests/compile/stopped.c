/* For debugger.sh. */
#include <stdio.h>

#include <yoke/yoke.h>

YOKE_KERNEL(stop_here, (in(int, x), out(int, y)), {
    int doubled = 2 * x[i];
    y[i] = doubled;
})

int main(void)
{
    int x[3] = {10, 20, 30}, y[3] = {0, 0, 0};
    int status = parallel_map(stop_here, 3, x, y);
    printf("%d %d\n", status, y[2]);
    return status;
}
