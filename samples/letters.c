/* Two threads at once: one prints numbers, the other letters. */
#include <stdio.h>
#include <time.h>

#include "common/sample.h"
#include "yoke/yoke.h"

static void sleep_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
}

static int print_numbers(void *argument, void *result)
{
    (void)argument, (void)result;
    for (int k = 1; k <= 5; k++) {
        printf("number %d\n", k);
        sleep_a_little();
    }
    return 0;
}

static int print_letters(void *argument, void *result)
{
    (void)result;
    for (const char *letter = argument; *letter != '\0'; letter++) {
        printf("letter %c\n", *letter);
        sleep_a_little();
    }
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: letters\n\nTwo threads print numbers and letters.\n");
    yoke_executor *pool = yoke_thread_pool(2);
    if (pool == NULL)
        fail("%s", yoke_error_detail());

    char letters[] = "ABCDE";
    yoke_future a = {0}, b = {0};
    must(yoke_submit(pool, &a, print_numbers, NULL));
    must(yoke_submit(pool, &b, print_letters, letters));
    must(yoke_gather((yoke_future *[]){&a, &b}, 2, 0));

    must(yoke_join(pool, 0));
    printf("both are done\n");
    return 0;
}
