/* The textbook example of threads: three of them, each with a name, count to five with a pause after each number. */
#include <stdio.h>
#include <time.h>

#include "common/sample.h"
#include "yoke/yoke.h"

static int count_to_five(void *argument, void *result)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    (void)argument, (void)result;
    for (int k = 1; k <= 5; k++) {
        printf("%s: %d\n", yoke_task_name(), k);
        nanosleep(&pause, NULL);
    }
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: threads\n\nThree named threads count to five.\n");
    static const char *const names[] = {"Thread A", "Thread B", "Thread C"};
    yoke_executor *pool = yoke_thread_pool(1);
    yoke_future threads[3] = {0};
    if (pool == NULL)
        fail("%s", yoke_error_detail());

    for (int k = 0; k < 3; k++) { /* they sleep most of the time: extra threads, so that no core is held */
        const yoke_task_options options = {.name = names[k], .flags = YOKE_TASK_BLOCKS};
        must(yoke_submit_on(pool, &options, &threads[k], count_to_five, NULL));
    }
    for (int k = 0; k < 3; k++)
        must(yoke_result(&threads[k], NULL, 0, 0));

    must(yoke_join(pool, 0));
    printf("all three are done\n");
    return 0;
}
