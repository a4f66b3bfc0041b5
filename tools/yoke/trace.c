/* yoke trace: a file of YOKE_TRACE as a table, or as a page for a browser. */
#include <stdlib.h>
#include <string.h>

#include "tools/yoke/json.h"
#include "tools/yoke/tool.h"

/* timeline.html, made part of the program by cmake/tool.cmake; ends with a 0. */
extern const unsigned char tool_timeline[];

static const char place_of_data[] = "@DATA@";

/* --- reading --- */

enum { NAME = 64, KINDS = 6 };
static const char *const kinds[KINDS] = {"work", "kernel", "wait", "sleep", "transfer", "compile"};

typedef struct lane {
    double thread;
    char name[NAME];
    double us[KINDS];
    double bytes;
    unsigned long events, calls, steals;
} lane;

typedef struct totals {
    lane *lanes;
    size_t count, capacity;
    double first, last; /* us */
    unsigned long events;
    double dropped;
} totals;

typedef struct event {
    char phase[4], category[16], name[NAME], called[NAME];
    double thread, ts, dur, bytes;
} event;

static lane *lane_of(totals *t, double thread)
{
    for (size_t k = 0; k < t->count; k++)
        if (t->lanes[k].thread == thread) /* NOLINT: whole numbers */
            return &t->lanes[k];
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity > 0 ? 2 * t->capacity : 64;
        lane *grown = realloc(t->lanes, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        t->lanes = grown;
        t->capacity = capacity;
    }
    lane *fresh = &t->lanes[t->count++];
    *fresh = (lane){.thread = thread};
    (void)snprintf(fresh->name, sizeof fresh->name, "thread %.0f", thread);
    return fresh;
}

static bool read_arguments_of(json *j, event *e)
{
    char name[NAME];
    bool first = true;
    if (!json_take(j, '{'))
        return false;
    while (json_more(j, '}', &first)) {
        if (!json_name(j, name, sizeof name))
            return false;
        if (strcmp(name, "bytes") == 0)
            e->bytes = json_number(j);
        else if (strcmp(name, "name") == 0 && json_next(j) == '"')
            (void)json_string(j, e->called, sizeof e->called);
        else
            (void)json_skip(j);
    }
    return j->wrong == NULL;
}

static bool read_event(json *j, event *e)
{
    char name[NAME];
    bool first = true;
    *e = (event){.thread = 0};
    if (!json_take(j, '{'))
        return false;
    while (json_more(j, '}', &first)) {
        if (!json_name(j, name, sizeof name))
            return false;
        if (strcmp(name, "ph") == 0)
            (void)json_string(j, e->phase, sizeof e->phase);
        else if (strcmp(name, "cat") == 0)
            (void)json_string(j, e->category, sizeof e->category);
        else if (strcmp(name, "name") == 0)
            (void)json_string(j, e->name, sizeof e->name);
        else if (strcmp(name, "tid") == 0)
            e->thread = json_number(j);
        else if (strcmp(name, "ts") == 0)
            e->ts = json_number(j);
        else if (strcmp(name, "dur") == 0)
            e->dur = json_number(j);
        else if (strcmp(name, "args") == 0)
            (void)read_arguments_of(j, e);
        else
            (void)json_skip(j);
    }
    return j->wrong == NULL;
}

static bool add_event(totals *t, const event *e)
{
    lane *l = lane_of(t, e->thread);
    if (l == NULL)
        return false;
    if (strcmp(e->phase, "M") == 0) {
        if (strcmp(e->name, "thread_name") == 0)
            (void)snprintf(l->name, sizeof l->name, "%s", e->called);
        return true;
    }
    t->first = t->events == 0 || e->ts < t->first ? e->ts : t->first;
    t->last = e->ts + e->dur > t->last ? e->ts + e->dur : t->last;
    t->events++;
    l->events++;
    l->bytes += e->bytes;
    l->calls += strcmp(e->category, "call") == 0;
    l->steals += strcmp(e->category, "steal") == 0;
    for (unsigned k = 0; k < KINDS; k++)
        if (strcmp(e->category, kinds[k]) == 0)
            l->us[k] += e->dur;
    return true;
}

static bool read_events(json *j, totals *t)
{
    event e;
    bool first = true;
    if (!json_take(j, '['))
        return false;
    while (json_more(j, ']', &first))
        if (!read_event(j, &e) || !add_event(t, &e))
            return false;
    return j->wrong == NULL;
}

static void read_other(json *j, totals *t)
{
    char name[NAME], value[NAME];
    bool first = true;
    if (!json_take(j, '{'))
        return;
    while (json_more(j, '}', &first)) {
        if (!json_name(j, name, sizeof name))
            return;
        if (strcmp(name, "dropped") != 0 || json_next(j) != '"')
            (void)json_skip(j);
        else if (json_string(j, value, sizeof value))
            t->dropped = strtod(value, NULL);
    }
}

/* True when it is a trace; otherwise why not was told. */
static bool read_trace(const char *path, const char *text, size_t bytes, totals *t)
{
    json j = json_of(text, bytes);
    char name[NAME];
    bool first = true, has_events = false;
    (void)json_take(&j, '{');
    while (j.wrong == NULL && json_more(&j, '}', &first)) {
        if (!json_name(&j, name, sizeof name))
            break;
        if (strcmp(name, "traceEvents") == 0)
            has_events = read_events(&j, t);
        else if (strcmp(name, "otherData") == 0)
            read_other(&j, t);
        else
            (void)json_skip(&j);
    }
    if (j.wrong == NULL && json_next(&j) != '\0')
        j.wrong = "something comes after its end";
    if (j.wrong != NULL)
        (void)tool_fail(&tool_trace, "%s is no trace: line %u: %s", path, json_line(&j), j.wrong);
    else if (!has_events)
        (void)tool_fail(&tool_trace, "%s is no trace: it has no traceEvents; YOKE_TRACE=file.json makes one", path);
    return j.wrong == NULL && has_events;
}

/* --- writing --- */

static void print_share(double us, double all)
{
    if (us <= 0)
        printf(" %14s", "");
    else
        printf(" %9s %3.0f%%", tool_time(us * 1000).text, all > 0 ? 100 * us / all : 0.0);
}

static void print_totals(const totals *t)
{
    const double all = t->last - t->first;
    printf("%s, %lu events", tool_time(all * 1000).text, t->events);
    if (t->dropped > 0)
        printf("; %.0f older ones were not kept", t->dropped);
    if (t->events == 0) {
        puts("");
        return;
    }
    printf("\n\n%-18s %14s %14s %14s %14s %9s %6s\n", "", "busy", "waiting", "asleep", "transfers", "bytes", "steals");
    for (size_t k = 0; k < t->count; k++) {
        const lane *l = &t->lanes[k];
        if (l->events == 0)
            continue;
        printf("%-18.18s", l->name);
        print_share(l->us[0] + l->us[1] + l->us[5], all);
        for (unsigned kind = 2; kind < 5; kind++)
            print_share(l->us[kind], all);
        printf(" %9s", l->bytes > 0 ? tool_bytes(l->bytes).text : "");
        if (l->steals > 0)
            printf(" %6lu", l->steals);
        putchar('\n');
    }
}

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

static int show(const char *path, const char *output)
{
    totals t = {.count = 0};
    size_t bytes = 0;
    char *text = tool_read_file(&tool_trace, path, &bytes);
    int status = text != NULL && read_trace(path, text, bytes, &t) ? DONE : FAILED;
    sink s;
    if (status == DONE && tool_sink_open(&tool_trace, &s, output)) {
        if (output != NULL)
            put_page(s.out, text, bytes);
        else
            print_totals(&t);
        status = tool_sink_close(&tool_trace, &s) ? DONE : FAILED;
    } else {
        status = FAILED;
    }
    free(t.lanes);
    free(text);
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
