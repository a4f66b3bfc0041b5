/* Bandwidth by placement: the same triad over arrays whose pages lie on the workers' nodes, on all nodes in turn, or on
 * one. Each array is written first by this one thread, as most programs do it. */
#include <stdio.h>
#include <stdlib.h>

#include "common/sample.h"
#include "yoke/yoke.h"

YOKE_KERNEL(numa_triad, (out(float, a), in(float, b), in(float, c), value(float, s)), { a[i] = b[i] + s * c[i]; })

enum { ROWS = 5, ROUNDS = 15 };

typedef struct row {
    const char *name;
    yoke_placement placement;
    float *a, *b, *c;
    double seconds[ROUNDS];
} row;

static float *placed(yoke_runtime *runtime, size_t n, yoke_placement placement)
{
    float *array = yoke_alloc_on(runtime, n * sizeof *array, placement);
    if (array == NULL)
        fail("%s", yoke_error_detail());
    for (size_t i = 0; i < n; i++)
        array[i] = (float)(i % 1000);
    return array;
}

static int by_size(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print_row(row *r, size_t n)
{
    yoke_placement_report report;
    qsort(r->seconds, ROUNDS, sizeof *r->seconds, by_size);
    printf("%-10s %8.1f   ", r->name, 3.0 * sizeof(float) * (double)n / r->seconds[ROUNDS / 2] / 1e9);
    const int status = yoke_placement_of(r->b, &report);
    for (unsigned k = 0; status == 0 && k < report.nodes; k++)
        printf(" %3.0f", 100.0 * (double)report.on_node[k] / (double)report.pages);
    puts(status != 0 ? " the system does not tell" : "");
    if (report.status != 0)
        printf("           %s\n", report.detail);
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 1,
          "usage: numa [n]\n\n"
          "Computes a = b + s c on n numbers (8388608) for every placement of the arrays, and prints the bandwidth. "
          "Take\n"
          "arrays much larger than the caches.\n");
    const size_t n = (size_t)argument(argc, argv, 1, "n", 1, 1000000000, 1 << 23);
    yoke_runtime_options how = {.devices = "cpu"};
    yoke_runtime *runtime = yoke_open(&how);
    yoke_topology topology;
    if (runtime == NULL)
        fail("%s", yoke_error_detail());
    must(yoke_topology_of(runtime, &topology));
    printf("%zu numbers, %d workers, NUMA nodes: %u\n", n, yoke_workers(runtime), topology.usable.nodes);
    if (topology.usable.nodes <= 1)
        puts("with one node all placements are alike");

    row rows[ROWS] = {{.name = "default", .placement = YOKE_PLACE_DEFAULT},
                      {.name = "partition", .placement = YOKE_PLACE_PARTITION},
                      {.name = "interleave", .placement = YOKE_PLACE_INTERLEAVE},
                      {.name = "local", .placement = YOKE_PLACE_LOCAL},
                      {.name = "last node", .placement = YOKE_PLACE_NODE(topology.usable.nodes - 1)}};
    for (int k = 0; k < ROWS; k++) {
        rows[k].a = placed(runtime, n, rows[k].placement);
        rows[k].b = placed(runtime, n, rows[k].placement);
        rows[k].c = placed(runtime, n, rows[k].placement);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < ROWS; k++) {
            const double start = seconds();
            must(parallel_map_on(runtime, NULL, numa_triad, n, rows[k].a, rows[k].b, rows[k].c, 3.0f));
            rows[k].seconds[round] = seconds() - start;
        }

    puts("placement      GB/s    % of the pages on each node");
    for (int k = 0; k < ROWS; k++) {
        for (size_t i = 0; i < n; i++)
            if (rows[k].a[i] != 4.0f * (float)(i % 1000))
                fail("a[%zu] is %g", i, (double)rows[k].a[i]);
        print_row(&rows[k], n);
        must(yoke_free(rows[k].a));
        must(yoke_free(rows[k].b));
        must(yoke_free(rows[k].c));
    }
    return yoke_close(runtime) == 0 ? 0 : 1;
}
