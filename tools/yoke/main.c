/* yoke: looks at a machine and at programs that use the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/yoke/tool.h"

static const command *const commands[] = {&tool_info,  &tool_doctor, &tool_run, &tool_trace, &tool_explain,
                                          &tool_cache, &tool_bench,  &tool_top, NULL};

static void print_help(FILE *out)
{
    fputs("usage: yoke COMMAND [ARGUMENT...]\n\n", out);
    for (const command *const *one = commands; *one != NULL; one++)
        fprintf(out, "  %-8s %s\n", (*one)->name, (*one)->summary);
    fputs("\n\"yoke COMMAND --help\" tells more; yoke --version tells the library's version.\n", out);
}

int main(int count, char **arguments)
{
    (void)unsetenv("YOKE_TRACE"); /* is for programs: this one writes none over theirs */
    if (count < 2) {
        print_help(stderr);
        return MISUSED;
    }
    if (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "help") == 0) {
        print_help(stdout);
        return DONE;
    }
    if (strcmp(arguments[1], "--version") == 0) {
        printf("yoke %s\n", yoke_version());
        return DONE;
    }
    for (const command *const *one = commands; *one != NULL; one++)
        if (strcmp(arguments[1], (*one)->name) == 0)
            return (*one)->run(count - 1, arguments + 1);
    fprintf(stderr, "yoke: there is no command '%s'\n", arguments[1]);
    print_help(stderr);
    return MISUSED;
}
