/* yoke trace: a file of YOKE_TRACE as a table, or as a page for a browser. */
#include <string.h>

#include "tools/yoke/traces.h"

/* timeline.html, made part of the program by cmake/tool.cmake; ends with a 0. */
extern const unsigned char tool_timeline[];

static const char place_of_data[] = "@DATA@";

/* In JSON '<' is in strings only; there it might end the script. */
static void put_page(FILE *out, const char *text, size_t bytes)
{
    const char *page = (const char *)tool_timeline, *place = strstr(page, place_of_data);
    fwrite(page, 1, (size_t)(place - page), out);
    for (size_t k = 0; k < bytes; k++) {
        if (text[k] == '<')
            fputs("\\u003c", out);
        else
            fputc(text[k], out);
    }
    fputs(place + strlen(place_of_data), out);
}

int trace_write_page(const command *of, const traces *t, const char *path)
{
    sink s;
    if (!tool_sink_open(of, &s, path))
        return FAILED;
    put_page(s.out, t->text, t->bytes);
    return tool_sink_close(of, &s) ? DONE : FAILED;
}

static int print(const traces *t)
{
    sink s = {.out = stdout};
    traces_print(s.out, t);
    return tool_sink_close(&tool_trace, &s) ? DONE : FAILED;
}

static int show(const char *path, const char *output)
{
    traces t;
    if (!traces_read(&tool_trace, path, &t))
        return FAILED;
    const int status = output != NULL ? trace_write_page(&tool_trace, &t, output) : print(&t);
    traces_free(&t);
    return status;
}

static int run(int count, char **words)
{
    const char *input = NULL, *output = NULL;
    for (int k = 1; k < count; k++) {
        if (tool_help(&tool_trace, words[k]))
            return DONE;
        const int is = tool_option(&tool_trace, "-o", count, words, &k, &output);
        if (is < 0)
            return MISUSED;
        if (is > 0)
            continue;
        if (words[k][0] == '-' || input != NULL)
            return tool_misuse(&tool_trace, "unknown argument '%s'", words[k]);
        input = words[k];
    }
    if (input == NULL)
        return tool_misuse(&tool_trace, "no file is named");
    return show(input, output);
}

const command tool_trace = {"trace", "a file of YOKE_TRACE as a table, or as a page with a timeline",
                            "FILE.json [-o FILE.html]\n\n"
                            "  -o FILE.html   write a page that any browser shows, without a network\n\n"
                            "YOKE_TRACE=FILE.json makes a program write such a file when it ends; yoke run does.\n",
                            run};
