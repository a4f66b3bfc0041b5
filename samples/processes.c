/* Two processes at once: one prints numbers, the other letters. Neither sees the memory of the other. */
#include <stdio.h>
#include <time.h>

#include "common/sample.h"
#include "yoke/yoke.h"

static int printed; /* each process has its own */

static void sleep_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
}

static int print_numbers(void *argument, void *result)
{
    const int *last = argument;
    for (int k = 1; k <= *last; k++) {
        printf("number %d\n", k);
        printed++;
        sleep_a_little();
    }
    *(int *)result = printed;
    return 0;
}

static int print_letters(void *argument, void *result)
{
    for (const char *letter = argument; *letter != '\0'; letter++) {
        printf("letter %c\n", *letter);
        printed++;
        sleep_a_little();
    }
    *(int *)result = printed;
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: processes\n\nTwo processes print numbers and letters.\n");
    yoke_executor *pool = yoke_process_pool(2);
    if (pool == NULL)
        fail("%s", yoke_error_detail());

    int last = 5, by_a, by_b;
    char letters[] = "ABCDE";
    yoke_future a = {0}, b = {0};
    const yoke_task_options numbers_of = {.argument_bytes = sizeof last},
                            letters_of = {.argument_bytes = sizeof letters};
    must(yoke_submit_on(pool, &numbers_of, &a, print_numbers, &last));
    must(yoke_submit_on(pool, &letters_of, &b, print_letters, letters));
    must(yoke_result(&a, &by_a, sizeof by_a, 0));
    must(yoke_result(&b, &by_b, sizeof by_b, 0));

    must(yoke_join(pool, 0));
    printf("both are done: they printed %d and %d lines, and this process %d\n", by_a, by_b, printed);
    return 0;
}
