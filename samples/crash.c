/* A plug-in that crashes on some input: the program goes on, and knows what happened. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/sample.h"
#include "yoke/yoke.h"

enum { COUNT = 5 };

/* Somebody else's code: it counts vowels, and has not thought of an empty text. */
static int count_vowels(void *argument, void *result)
{
    const char *text = argument;
    if (text[0] == '\0')
        raise(SIGSEGV);
    for (; *text != '\0'; text++)
        *(int *)result += strchr("aeiou", *text) != NULL;
    return 0;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: crash\n\nA plug-in crashes in a process of its own.\n");
    yoke_executor *pool = yoke_process_pool(2);
    if (pool == NULL)
        fail("%s", yoke_error_detail());

    char texts[COUNT][16] = {"queue", "rhythm", "", "banana", "loop"};
    yoke_future futures[COUNT] = {0};
    for (int k = 0; k < COUNT; k++) {
        const yoke_task_options options = {
            .name = "plug-in", .argument_bytes = sizeof texts[k], .time_limit_ns = 5000000000}; /* nor may it hang */
        must(yoke_submit_on(pool, &options, &futures[k], count_vowels, texts[k]));
    }
    for (int k = 0; k < COUNT; k++) {
        int vowels;
        const int status = yoke_result(&futures[k], &vowels, sizeof vowels, 0);
        if (status == YOKE_OK)
            printf("\"%s\" has %d vowels\n", texts[k], vowels);
        else
            printf("\"%s\": %s; %s\n", texts[k], yoke_strerror(status), yoke_error_detail());
    }
    must(yoke_join(pool, 0));
    printf("all are done\n");
    return 0;
}
