/* YOKE_EXPLAIN=1: each decision in a line or two. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/trace/trace.h"

enum { TEXT_BYTES = 2048 };

typedef struct text {
    char bytes[TEXT_BYTES];
    size_t used;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(t->bytes + t->used, sizeof t->bytes - t->used, format, arguments);
    va_end(arguments);
    const size_t room = sizeof t->bytes - 1 - t->used;
    if (length > 0)
        t->used += (size_t)length < room ? (size_t)length : room;
}

static void add_time(text *t, const char *before, double ns, const char *after)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;
    for (; ns >= 1000 && unit < 3; unit++)
        ns /= 1000;
    add(t, "%s%.3g %s%s", before, ns, units[unit], after);
}

static void add_share(text *t, const yoke_decision *d, const yoke_share *share, bool first)
{
    if (share->device < 0 && d->workers == 1)
        add(t, "%s the caller alone", first ? "" : ",");
    else if (share->device < 0)
        add(t, "%s %u workers", first ? "" : ",", d->workers);
    else
        add(t, "%s device %d (%.40s)", first ? "" : ",", share->device, share->name);
    if (d->share_count == 1 && share->items == d->items)
        return;
    add(t, " %zu (%.0f %%) in %u piece%s", share->items,
        d->items > 0 ? 100.0 * (double)share->items / (double)d->items : 0.0, share->pieces,
        share->pieces == 1 ? "" : "s");
    if (share->ns > 0)
        add_time(t, " until ", share->ns, "");
}

static void add_times(text *t, const yoke_decision *d)
{
    add_time(t, "; took ", d->took_ns, "");
    if (d->predicted_ns > 0)
        add_time(t, ", predicted ", d->predicted_ns, "");
    if (d->cpu_ns > 0)
        add_time(t, "; alone: workers ", d->cpu_ns, "");
    if (d->device_ns > 0)
        add_time(t, d->cpu_ns > 0 ? ", device " : "; alone: device ", d->device_ns, "");
}

/* The places that did it, what was expected, and why. */
void yoke__trace_decision(yoke__event *event, const yoke_decision *d)
{
    text t = {.used = 0};
    if (event->begin_ns == 0)
        return;
    for (unsigned k = 0; k < d->share_count && k < YOKE_SHARES; k++)
        add_share(&t, d, &d->shares[k], k == 0);
    if (d->predicted_ns > 0)
        add_time(&t, "; predicted ", d->predicted_ns, "");
    if (d->reason[0] != '\0')
        add(&t, "; %s", d->reason);
    event->end_ns = yoke__now_ns();
    event->count = d->items;
    event->other = d->workers;
    yoke__trace_event(event, t.bytes + (t.used > 0 && t.bytes[0] == ' '));
}

void yoke__explain(const yoke_decision *d)
{
    text t = {.used = 0};
    add(&t, "yoke: %.80s, %zu items:", d->kernel, d->items);
    for (unsigned k = 0; k < d->share_count && k < YOKE_SHARES; k++)
        add_share(&t, d, &d->shares[k], k == 0);
    add_times(&t, d);
    add(&t, "\n");
    if (d->reason[0] != '\0')
        add(&t, "yoke:   because: %.200s\n", d->reason);
    yoke__tell(t.bytes, t.used);
}
