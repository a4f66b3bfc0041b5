/* Old code with global state, which must not run twice at once in one memory, made parallel by processes. */
#include <stdio.h>
#include <time.h>

#include "common/sample.h"
#include "yoke/yoke.h"

enum { COUNT = 8 };

/* --- as it was found: a solver that keeps everything in globals, as a translated COMMON block does --- */

static double common_a, common_x;
static int common_steps;

static void start_solver(double a)
{
    common_a = a;
    common_x = a;
    common_steps = 0;
}

static void step_solver(void)
{
    const struct timespec pause = {.tv_nsec = 1000000}; /* it takes a while */
    nanosleep(&pause, NULL);
    common_x = 0.5 * (common_x + common_a / common_x);
    common_steps++;
}

/* --- and a task around it --- */

static int square_root(void *argument, void *result)
{
    const double *a = argument;
    double *root = result;
    start_solver(*a);
    while (common_steps < 20)
        step_solver();
    *root = common_x;
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: legacy\n\nA solver that is not thread-safe runs in four processes.\n");
    yoke_executor *pool = yoke_process_pool(4);
    if (pool == NULL)
        fail("%s", yoke_error_detail());

    double numbers[COUNT], roots[COUNT];
    for (int k = 0; k < COUNT; k++)
        numbers[k] = (k + 2) * (k + 2);
    must(yoke_map(pool, square_root, COUNT, numbers, sizeof *numbers, roots, sizeof *roots));
    must(yoke_join(pool, 0));

    printf("roots:");
    for (int k = 0; k < COUNT; k++)
        printf(" %g", roots[k]);
    printf("\n");
    return 0;
}
