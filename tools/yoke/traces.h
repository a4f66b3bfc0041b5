/* A file of YOKE_TRACE, read. */
#ifndef YOKE_TOOL_TRACES_H
#define YOKE_TOOL_TRACES_H

#include "tools/yoke/tool.h"

enum { TRACE_NAME = 64 };
typedef enum trace_kind {
    TRACE_WORK,
    TRACE_KERNEL,
    TRACE_WAIT,
    TRACE_SLEEP,
    TRACE_TRANSFER,
    TRACE_COMPILE,
    TRACE_TASK,
    TRACE_KINDS
} trace_kind;

typedef struct trace_lane {
    double thread;
    char name[TRACE_NAME];
    double us[TRACE_KINDS];
    double bytes;
    unsigned long events, calls, steals;
} trace_lane;

/* A call, in the order in which the file has them. */
typedef struct trace_call {
    char name[TRACE_NAME], decision[256];
    double ts, dur, items, workers; /* us */
} trace_call;

typedef struct traces {
    char *text; /* all of it */
    size_t bytes;
    trace_lane *lanes;
    size_t lane_count, lane_capacity;
    trace_call *calls;
    size_t call_count, call_capacity;
    double first, last; /* us */
    unsigned long events;
    double dropped;
} traces;

/* False: it is no trace, or cannot be read, which was told; then nothing is to be freed. */
bool traces_read(const command *of, const char *path, traces *t);
void traces_free(traces *t);
/* The totals by lane, as a table. */
void traces_print(FILE *out, const traces *t);
/* trace.c: the page with the timeline. DONE or FAILED. */
int trace_write_page(const command *of, const traces *t, const char *path);

#endif
