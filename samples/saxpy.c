/* y = y + a x over arrays of any size: a kernel, its call, and how long it takes. */
#include <stdio.h>
#include <stdlib.h>

#include "common/sample.h"
#include "yoke/yoke.h"

YOKE_KERNEL(saxpy, (inout(float, y), in(float, x), value(float, a)), { y[i] += a * x[i]; })

YOKE_KERNEL(count_up, (out(float, x)), { x[i] = (float)(i % 1000); })

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 1, "usage: saxpy [n]\n\nAdds 2 x to y, n numbers each (10000000).\n");
    const size_t n = (size_t)argument(argc, argv, 1, "n", 1, 1000000000, 10000000);
    float *x = grab(n, sizeof *x), *y = grab(n, sizeof *y);
    must(parallel_map(count_up, n, x));
    must(parallel_map(count_up, n, y));

    const double start = seconds();
    must(parallel_map(saxpy, n, y, x, 2.0f));
    const double taken = seconds() - start;

    for (size_t i = 0; i < n; i++)
        if (y[i] != 3.0f * (float)(i % 1000))
            fail("y[%zu] is %g", i, (double)y[i]);
    yoke_decision decision; /* where it ran, when there was a device to choose */
    const double rate = 3.0 * sizeof *x * (double)n / taken / 1e9;
    if (yoke_last_decision(&decision) == 0 && decision.device >= 0)
        printf("%zu numbers in %.3f ms: %.1f GB/s on opencl:%d\n", n, 1e3 * taken, rate, decision.device);
    else
        printf("%zu numbers in %.3f ms: %.1f GB/s on %d workers with %s\n", n, 1e3 * taken, rate, yoke_workers(NULL),
               yoke_isa(NULL));
    free(x);
    free(y);
    return 0;
}
