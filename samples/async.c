/* The textbook example of asyncio: two asynchronous tasks on one thread print and sleep, and are gathered. */
#include <stdio.h>

#include "common/sample.h"
#include "yoke/loop.h"
#include "yoke/yoke.h"

typedef struct counter {
    yoke_async async; /* the first member */
    const char *name;
    int64_t pause_ns;
    int k; /* lives across the awaits */
} counter;

static int count_to_three(yoke_async *self) /* async def count_to_three(self): */
{
    counter *c = (counter *)self;
    YOKE_ASYNC_BEGIN(self);
    for (c->k = 1; c->k <= 3; c->k++) {
        printf("%s: %d\n", c->name, c->k);
        YOKE_AWAIT_SLEEP(self, c->pause_ns); /* await asyncio.sleep(pause) */
    }
    printf("%s is done\n", c->name);
    YOKE_ASYNC_END(self);
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: async\n\nTwo asynchronous tasks on one thread count to three.\n");
    counter tortoise = {.name = "tortoise", .pause_ns = 50000000}, hare = {.name = "hare", .pause_ns = 20000000};
    yoke_future both = {0}, *each[] = {&tortoise.async.future, &hare.async.future};
    yoke_loop *loop = yoke_loop_open();
    if (loop == NULL)
        fail("%s", yoke_error_detail());

    const double start = seconds();
    must(yoke_loop_start(loop, &tortoise.async, count_to_three));
    must(yoke_loop_start(loop, &hare.async, count_to_three));
    must(yoke_gather_async(loop, &both, each, 2, 0)); /* asyncio.run(asyncio.gather(tortoise, hare)) */
    must(yoke_loop_run(loop, &both, 0));
    must(yoke_result(&both, NULL, 0, 0));
    printf("both slept for %.2f s in %.2f s\n", 3 * (0.05 + 0.02), seconds() - start);

    must(yoke_loop_close(loop));
    return 0;
}
