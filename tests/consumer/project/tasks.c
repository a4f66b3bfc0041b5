/* A stranger's first tasks; C and C++. */
#include <stdio.h>
#include <yoke/executor.h>

static int square(void *argument, void *result)
{
    const int *x = (const int *)argument;
    *(int *)result = *x * *x;
    return 0;
}

static void tell(yoke_future *future, void *argument)
{
    *(int *)argument = yoke_state_of(future) == YOKE_FUTURE_DONE;
}

#ifdef __cplusplus
#define ZEROED \
    {          \
    }
#else
#define ZEROED \
    {          \
        0      \
    }
#endif

int main(void)
{
    yoke_executor *pool = yoke_thread_pool(2);
    yoke_future one = ZEROED, two = ZEROED;
    yoke_future *both[] = {&one, &two};
    int three = 3, four = 4, told = 0, nine = 0, items[] = {1, 2, 3}, squares[3];
    if (pool == NULL || yoke_submit(pool, &one, square, &three) != YOKE_OK || yoke_then(&one, tell, &told) != YOKE_OK ||
        yoke_submit_after(pool, &two, square, &four, both, 1) != YOKE_OK ||
        yoke_gather(both, 2, yoke_deadline_in(INT64_C(60000000000))) != YOKE_OK ||
        yoke_result(&one, &nine, sizeof nine, 0) != YOKE_OK ||
        yoke_map(pool, square, 3, items, sizeof items[0], squares, sizeof squares[0]) != YOKE_OK) {
        fprintf(stderr, "%s\n", yoke_error_detail());
        return 1;
    }
    printf("%d, %d, %d\n", nine, squares[2], told);
    return yoke_join(pool, 0) == YOKE_OK && nine == 9 && squares[2] == 9 && told ? 0 : 1;
}
