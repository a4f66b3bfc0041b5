/* A stranger's first asynchronous tasks; C and C++. */
#include <stdio.h>
#include <yoke/executor.h>
#include <yoke/loop.h>

typedef struct counter {
    yoke_async async;
    yoke_executor *pool;
    yoke_future task;
    int k, square;
} counter;

static int square(void *argument, void *result)
{
    const int *x = (const int *)argument;
    *(int *)result = *x * *x;
    return 0;
}

static int step(yoke_async *self)
{
    counter *c = (counter *)self;
    YOKE_ASYNC_BEGIN(self);
    for (c->k = 1; c->k < 3; c->k++)
        YOKE_AWAIT_SLEEP(self, 1000000);
    if (yoke_submit(c->pool, &c->task, square, &c->k) != YOKE_OK)
        return YOKE_ESTATE;
    YOKE_AWAIT(self, &c->task, 0);
    if (self->status != YOKE_OK)
        return self->status;
    YOKE_AWAIT_TURN(self);
    if (yoke_result(&c->task, yoke_async_result(self), sizeof(int), 0) != YOKE_OK)
        return YOKE_EINTERNAL;
    YOKE_ASYNC_END(self);
}

int main(void)
{
    static counter c[2];
    static yoke_future both;
    yoke_future *each[] = {&c[0].async.future, &c[1].async.future};
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_loop *loop = yoke_loop_open();
    int nine = 0;
    c[0].pool = c[1].pool = pool;
    if (pool == NULL || loop == NULL || yoke_loop_start(loop, &c[0].async, step) != YOKE_OK ||
        yoke_loop_start(loop, &c[1].async, step) != YOKE_OK || yoke_gather_async(loop, &both, each, 2, 0) != YOKE_OK ||
        yoke_loop_run(loop, &both, yoke_deadline_in(INT64_C(60000000000))) != YOKE_OK ||
        yoke_result(&both, NULL, 0, 0) != YOKE_OK || yoke_result(each[1], &nine, sizeof nine, 0) != YOKE_OK) {
        fprintf(stderr, "%s\n", yoke_error_detail());
        return 1;
    }
    printf("%d\n", nine);
    return yoke_loop_close(loop) == YOKE_OK && yoke_join(pool, 0) == YOKE_OK && nine == 9 ? 0 : 1;
}
