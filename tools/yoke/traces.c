/* Reading a file of YOKE_TRACE, and its totals. */
#include <stdlib.h>
#include <string.h>

#include "tools/yoke/json.h"
#include "tools/yoke/traces.h"

/* --- reading --- */

static const char *const kinds[TRACE_KINDS] = {"work", "kernel", "wait", "sleep", "transfer", "compile", "task"};

enum { NAME = TRACE_NAME };

typedef struct event {
    char phase[4], category[16], name[NAME], called[NAME], decision[256];
    double thread, ts, dur, bytes, items, workers, inside;
} event;

static trace_lane *lane_of(traces *t, double thread)
{
    for (size_t k = 0; k < t->lane_count; k++)
        if (t->lanes[k].thread == thread) /* NOLINT: whole numbers */
            return &t->lanes[k];
    if (t->lane_count == t->lane_capacity) {
        const size_t capacity = t->lane_capacity > 0 ? 2 * t->lane_capacity : 64;
        trace_lane *grown = realloc(t->lanes, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        t->lanes = grown;
        t->lane_capacity = capacity;
    }
    trace_lane *fresh = &t->lanes[t->lane_count++];
    *fresh = (trace_lane){.thread = thread};
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
        else if (strcmp(name, "items") == 0)
            e->items = json_number(j);
        else if (strcmp(name, "workers") == 0)
            e->workers = json_number(j);
        else if (strcmp(name, "inside") == 0)
            e->inside = json_number(j);
        else if (strcmp(name, "decision") == 0 && json_next(j) == '"')
            (void)json_string(j, e->decision, sizeof e->decision);
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

static bool add_call(traces *t, const event *e)
{
    if (t->call_count == t->call_capacity) {
        const size_t capacity = t->call_capacity > 0 ? 2 * t->call_capacity : 256;
        trace_call *grown = realloc(t->calls, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        t->calls = grown;
        t->call_capacity = capacity;
    }
    trace_call *call = &t->calls[t->call_count++];
    *call = (trace_call){.ts = e->ts, .dur = e->dur, .items = e->items, .workers = e->workers};
    (void)snprintf(call->name, sizeof call->name, "%s", e->name);
    (void)snprintf(call->decision, sizeof call->decision, "%s", e->decision);
    return true;
}

static bool add_event(traces *t, const event *e)
{
    trace_lane *l = lane_of(t, e->thread);
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
    for (unsigned k = 0; k < TRACE_KINDS; k++)
        if (strcmp(e->category, kinds[k]) == 0 && e->inside == 0) /* NOLINT: 0 or 1 */
            l->us[k] += e->dur;
    return strcmp(e->category, "call") != 0 || add_call(t, e);
}

static bool read_events(json *j, traces *t)
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

static void read_other(json *j, traces *t)
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

/* Otherwise why not was told. */
static bool parse(const command *of, const char *path, traces *t)
{
    json j = json_of(t->text, t->bytes);
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
        (void)tool_fail(of, "%s is no trace: line %u: %s", path, json_line(&j), j.wrong);
    else if (!has_events)
        (void)tool_fail(of, "%s is no trace: it has no traceEvents; YOKE_TRACE=file.json makes one", path);
    return j.wrong == NULL && has_events;
}

bool traces_read(const command *of, const char *path, traces *t)
{
    *t = (traces){.events = 0};
    t->text = tool_read_file(of, path, &t->bytes);
    if (t->text != NULL && parse(of, path, t))
        return true;
    traces_free(t);
    return false;
}

void traces_free(traces *t)
{
    free(t->text);
    free(t->lanes);
    free(t->calls);
}

/* --- totals --- */

/* The parts that a thread of a pool runs are inside of its tasks. */
static double busy_of(const trace_lane *l)
{
    const double parts = l->us[TRACE_WORK] + l->us[TRACE_KERNEL] + l->us[TRACE_COMPILE];
    return parts > l->us[TRACE_TASK] ? parts : l->us[TRACE_TASK];
}

static void print_share(FILE *out, double us, double all)
{
    if (us <= 0)
        fprintf(out, " %14s", "");
    else
        fprintf(out, " %9s %3.0f%%", tool_time(us * 1000).text, all > 0 ? 100 * us / all : 0.0);
}

void traces_print(FILE *out, const traces *t)
{
    const double all = t->last - t->first;
    fprintf(out, "%s, %lu events", tool_time(all * 1000).text, t->events);
    if (t->dropped > 0)
        fprintf(out, "; %.0f older ones were not kept", t->dropped);
    if (t->events == 0) {
        fputc('\n', out);
        return;
    }
    fprintf(out, "\n\n%-18s %14s %14s %14s %14s %9s %6s\n", "", "busy", "waiting", "asleep", "transfers", "bytes",
            "steals");
    for (size_t k = 0; k < t->lane_count; k++) {
        const trace_lane *l = &t->lanes[k];
        if (l->events == 0)
            continue;
        fprintf(out, "%-18.18s", l->name);
        print_share(out, busy_of(l), all);
        for (unsigned kind = TRACE_WAIT; kind <= TRACE_TRANSFER; kind++)
            print_share(out, l->us[kind], all);
        fprintf(out, " %9s", l->bytes > 0 ? tool_bytes(l->bytes).text : "");
        if (l->steals > 0)
            fprintf(out, " %6lu", l->steals);
        fputc('\n', out);
    }
}
