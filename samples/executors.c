/* ThreadPoolExecutor's two ways: submit() gives a future for each task, and map() gives the results in order. */
#include <ctype.h>
#include <stdio.h>

#include "common/sample.h"
#include "yoke/yoke.h"

static int square(void *argument, void *result)
{
    const int *x = argument;
    *(int *)result = *x * *x;
    return 0;
}

static int to_lower(void *argument, void *result)
{
    *(char *)result = (char)tolower(*(const unsigned char *)argument);
    return 0;
}

static void by_submit(yoke_executor *pool)
{
    yoke_future futures[5] = {0}, *all[5], *next;
    yoke_completions completions;
    int sum = 0, result;
    for (int k = 0; k < 5; k++) { /* the argument is copied, for k goes on */
        all[k] = &futures[k];
        must(yoke_submit_on(pool, &(yoke_task_options){.argument_bytes = sizeof k}, &futures[k], square, &k));
    }
    must(yoke_as_completed(&completions, all, 5));
    while (yoke_next_completed(&completions, &next, 0) == YOKE_OK) {
        must(yoke_result(next, &result, sizeof result, 0));
        printf("submit: %d squared is %d\n", (int)(next - futures), result);
        sum += result;
    }
    printf("submit: the sum is %d\n", sum);
}

static void by_map(yoke_executor *pool)
{
    int numbers[] = {0, 1, 2, 3, 4}, squares[5];
    char letters[] = "ABCDE", small[] = "?????";
    must(yoke_map(pool, square, 5, numbers, sizeof *numbers, squares, sizeof *squares));
    must(yoke_map(pool, to_lower, 5, letters, 1, small, 1));
    printf("map: %d %d %d %d %d\n", squares[0], squares[1], squares[2], squares[3], squares[4]);
    printf("map: %s\n", small);
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: executors\n\nTasks by submit and by map on a pool of threads.\n");
    yoke_executor *pool = yoke_thread_pool(3);
    if (pool == NULL)
        fail("%s", yoke_error_detail());
    by_submit(pool);
    by_map(pool);
    must(yoke_join(pool, 0));
    return 0;
}
