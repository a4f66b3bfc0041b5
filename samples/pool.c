/* Pool(3): map, apply_async, close and join. */
#include <stdio.h>

#include "common/sample.h"
#include "yoke/yoke.h"

static int square(void *argument, void *result)
{
    const int *x = argument;
    *(int *)result = *x * *x;
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: pool\n\nA pool of three threads: map, apply_async, close, join.\n");
    yoke_executor *pool = yoke_thread_pool(3);
    if (pool == NULL)
        fail("%s", yoke_error_detail());

    int numbers[] = {1, 2, 3, 4, 5}, squares[5];
    must(yoke_map(pool, square, 5, numbers, sizeof *numbers, squares, sizeof *squares)); /* pool.map(square, numbers) */
    printf("map: %d %d %d %d %d\n", squares[0], squares[1], squares[2], squares[3], squares[4]);

    int ten = 10, result;
    yoke_future future = {0};
    must(yoke_submit(pool, &future, square, &ten)); /* future = pool.apply_async(square, (10,)) */
    must(yoke_executor_close(pool));                /* pool.close(): no more tasks */
    if (yoke_submit(pool, &(yoke_future){0}, square, &ten) != YOKE_ESTATE)
        fail("a closed pool took a task");
    must(yoke_result(&future, &result, sizeof result, 0)); /* future.get() */
    printf("apply_async: %d\n", result);

    must(yoke_join(pool, 0)); /* pool.join() */
    return 0;
}
