/* yoke explain: what was measured of kernels, and what the last calls of a traced program decided. */
#include <stdlib.h>
#include <string.h>

#include <yoke/trace.h>

#include "tools/yoke/tool.h"
#include "tools/yoke/traces.h"

enum { LAST = 20 };

typedef struct row {
    char kernel[64], machine[200], place[64];
    uint64_t least_items;
    double item_ns, launch_ns, piece_item_ns;
    unsigned tries;
} row;

typedef struct model {
    row *at;
    size_t count, capacity;
    const char *kernel; /* NULL: all */
} model;

/* The system's lines about its CPU, cut down to what tells CPUs apart. */
static void tidy(char *to, size_t size, const char *machine)
{
    const char *facts = strstr(machine, "vendor_id"), *name = strstr(machine, "model name");
    const char *colon = facts != NULL && name != NULL ? strchr(name, ':') : NULL;
    if (colon != NULL) {
        colon += strspn(colon, ": \t");
        (void)snprintf(to, size, "%.*s%.*s", (int)(facts - machine), machine, (int)strcspn(colon, "\n"), colon);
        const char *after = strstr(colon, "stepping");
        if (after != NULL && (size_t)(after - colon) < strcspn(colon, "\n"))
            (void)snprintf(to, size, "%.*s%.*s", (int)(facts - machine), machine, (int)(after - colon), colon);
    } else {
        (void)snprintf(to, size, "%s", machine);
    }
    for (char *at = to; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
}

static int collect(const yoke_learned *learned, void *argument)
{
    model *m = argument;
    if (m->kernel != NULL && strcmp(m->kernel, learned->kernel) != 0)
        return 0;
    if (m->count == m->capacity) {
        const size_t capacity = m->capacity > 0 ? 2 * m->capacity : 256;
        row *grown = realloc(m->at, capacity * sizeof *grown);
        if (grown == NULL)
            return 1;
        m->at = grown;
        m->capacity = capacity;
    }
    row *one = &m->at[m->count++];
    *one = (row){.least_items = learned->least_items,
                 .item_ns = learned->item_ns,
                 .launch_ns = learned->launch_ns,
                 .piece_item_ns = learned->piece_item_ns,
                 .tries = learned->tries};
    (void)snprintf(one->kernel, sizeof one->kernel, "%s", learned->kernel);
    tidy(one->machine, sizeof one->machine, learned->machine);
    (void)snprintf(one->place, sizeof one->place, "%s", learned->place);
    return 0;
}

static int by_machine_kernel_size(const void *left, const void *right)
{
    const row *a = left, *b = right;
    int order = strcmp(a->machine, b->machine);
    if (order == 0)
        order = strcmp(a->kernel, b->kernel);
    if (order == 0)
        order = (a->least_items > b->least_items) - (a->least_items < b->least_items);
    return order != 0 ? order : strcmp(a->place, b->place);
}

static bool same_calls(const row *a, const row *b)
{
    return strcmp(a->machine, b->machine) == 0 && strcmp(a->kernel, b->kernel) == 0 && a->least_items == b->least_items;
}

/* The fastest place for such calls. */
static bool is_fastest(const model *m, size_t k)
{
    bool others = false;
    for (size_t i = 0; i < m->count; i++) {
        if (i == k || !same_calls(&m->at[i], &m->at[k]) || m->at[i].item_ns <= 0)
            continue;
        others = true;
        if (m->at[i].item_ns < m->at[k].item_ns)
            return false;
    }
    return others && m->at[k].item_ns > 0;
}

static void print_time(double ns)
{
    printf(" %10s", ns > 0 ? tool_time(ns).text : "");
}

static void print_model(const model *m)
{
    const row *last = NULL;
    for (size_t k = 0; k < m->count; k++) {
        const row *one = &m->at[k];
        const bool new_machine = last == NULL || strcmp(last->machine, one->machine) != 0;
        if (new_machine) {
            printf("%s", k > 0 ? "\n" : "");
            tool_wrap(stdout, 0, one->machine);
            printf("%-22s %9s  %-25s %10s %10s %10s %6s\n", "kernel", "items", "place", "call", "by item", "piece",
                   "tries");
        }
        const bool new_kernel = new_machine || strcmp(last->kernel, one->kernel) != 0;
        printf("%-22.22s ", new_kernel ? one->kernel : "");
        if (new_kernel || !same_calls(last, one))
            printf("2^%-7d", __builtin_ctzll(one->least_items));
        else
            printf("%9s", "");
        printf(" %c%-25.25s", is_fastest(m, k) ? '*' : ' ', one->place);
        print_time(one->item_ns * (double)one->least_items * 1.5);
        print_time(one->item_ns);
        print_time(one->launch_ns);
        printf(" %6u\n", one->tries);
        last = one;
    }
    puts("");
    tool_wrap(stdout, 0,
              "* the fastest place so far. call: one of 1.5 times so many items; piece: its launch, where calls were "
              "divided. Places that were not tried are missing. Programs write this when they end.");
}

static int explain_model(const char *kernel)
{
    model m = {.kernel = kernel};
    const int status = yoke_learned_visit(collect, &m);
    if (status != 0) {
        free(m.at);
        return tool_fail(&tool_explain, "%s", status < 0 ? yoke_error_detail() : "no memory");
    }
    if (m.count > 0) {
        qsort(m.at, m.count, sizeof *m.at, by_machine_kernel_size);
        print_model(&m);
    } else if (kernel != NULL) {
        printf(
            "nothing was measured of a kernel %s; kernels that took 50 us and more, in programs that found a device, "
            "are kept\n",
            kernel);
    } else {
        puts("nothing was measured so far: programs keep it once they have found a device");
    }
    free(m.at);
    return DONE;
}

static void print_call(const trace_call *call)
{
    char text[512], workers[48] = "";
    if (strstr(call->decision, "worker") == NULL) /* else it tells more exactly who */
        (void)snprintf(workers, sizeof workers, "%s; ",
                       call->workers > 1 ? tool_count((unsigned long)call->workers, "worker").text
                                         : "the caller alone");
    printf("%10s  ", tool_time(call->ts * 1000).text);
    (void)snprintf(text, sizeof text, "%s, %.0f items, %s: %s%s", call->name, call->items,
                   tool_time(call->dur * 1000).text, workers, call->decision);
    tool_wrap(stdout, 12, text);
}

static int explain_trace(const char *path, const char *kernel)
{
    traces t;
    if (!traces_read(&tool_explain, path, &t))
        return FAILED;
    size_t shown = 0, first = t.call_count;
    while (first > 0 && shown < LAST) {
        first--;
        shown += kernel == NULL || strcmp(kernel, t.calls[first].name) == 0;
    }
    for (size_t k = first; k < t.call_count; k++)
        if (kernel == NULL || strcmp(kernel, t.calls[k].name) == 0)
            print_call(&t.calls[k]);
    if (shown == 0)
        puts("no such call is in the trace");
    traces_free(&t);
    return DONE;
}

static int run(int count, char **words)
{
    const char *kernel = NULL, *trace = NULL;
    for (int k = 1; k < count; k++) {
        if (tool_help(&tool_explain, words[k]))
            return DONE;
        const int is = tool_option(&tool_explain, "--trace", count, words, &k, &trace);
        if (is < 0)
            return MISUSED;
        if (is > 0)
            continue;
        if (words[k][0] == '-' || kernel != NULL)
            return tool_misuse(&tool_explain, "unknown argument '%s'", words[k]);
        kernel = words[k];
    }
    const int status = trace != NULL ? explain_trace(trace, kernel) : explain_model(kernel);
    sink s = {.out = stdout};
    return tool_sink_close(&tool_explain, &s) ? status : FAILED;
}

const command tool_explain = {"explain", "what was measured of kernels, and what the last calls decided",
                              "[--trace FILE.json] [KERNEL]\n\n"
                              "  KERNEL              only one kernel\n"
                              "  --trace FILE.json   the last 20 calls of a traced program: where each ran, and why\n",
                              run};
