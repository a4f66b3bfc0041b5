/* One large array in several processes: they change it where it is, and nothing is copied. */
#include <stdio.h>

#include "common/sample.h"
#include "yoke/yoke.h"

enum { COUNT = 1000000, PARTS = 8 };

/* --- as it was found: a filter with its state in a global, so one at a time in one memory --- */

static double smoothed;

static void start_filter(double value)
{
    smoothed = value;
}

static double filter(double value)
{
    smoothed += 0.5 * (value - smoothed);
    return smoothed;
}

/* --- and a task around it: the address in its argument is good in every process --- */

typedef struct part {
    double *values;
    int begin, end;
} part;

static int filter_part(void *argument, void *result)
{
    const part *p = argument;
    start_filter(p->values[p->begin]);
    for (int k = p->begin; k < p->end; k++)
        p->values[k] = filter(p->values[k]);
    *(double *)result = smoothed;
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: shared\n\nFour processes smooth the parts of one array.\n");
    double *values = yoke_alloc_shared(COUNT * sizeof *values, YOKE_PLACE_DEFAULT);
    yoke_executor *pool = yoke_process_pool(4);
    if (values == NULL || pool == NULL)
        fail("%s", yoke_error_detail());
    for (int k = 0; k < COUNT; k++)
        values[k] = k % 2; /* cppcheck-suppress nullPointerRedundantCheck ; fail() does not return */

    part parts[PARTS];
    double last[PARTS];
    for (int k = 0; k < PARTS; k++)
        parts[k] = (part){values, COUNT / PARTS * k, COUNT / PARTS * (k + 1)};
    must(yoke_map(pool, filter_part, PARTS, parts, sizeof *parts, last, sizeof *last));
    must(yoke_join(pool, 0));

    printf("the array is smooth: %.3f %.3f %.3f %.3f ... %.3f\n", values[0], values[1], values[2], values[3],
           last[PARTS - 1]);
    must(yoke_free(values));
    return 0;
}
