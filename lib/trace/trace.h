/* Door of lib/trace: what was decided and done. Uses base only. */
#ifndef YOKE_LIB_TRACE_H
#define YOKE_LIB_TRACE_H

#include "lib/base/base.h"
#include "yoke/trace.h"

/* Keeps it as this thread's last one. */
void yoke__decision_set(const yoke_decision *decision);

/* How often this thread did that. */
unsigned yoke__decision_count(void);
/* Writes to standard error: only for what the environment asks for (YOKE_EXPLAIN, YOKE_CHECK). */
void yoke__tell(const char *text, size_t bytes);
/* The same from a handler of signals. */
void yoke__tell_now(const char *text, size_t bytes);
/* Tells the decision there. */
void yoke__explain(const yoke_decision *decision);

/* --- events.c, file.c: YOKE_TRACE=file.json --- */

/* What happened from begin_ns to end_ns, or at begin_ns. Each thread has a ring of them, which keeps the newest. */
typedef enum yoke__event_kind {
    YOKE__EVENT_CALL,  /* a map, on its caller's thread: items, workers */
    YOKE__EVENT_WORK,  /* units that a thread ran of it: units */
    YOKE__EVENT_STEAL, /* an instant: units, from whom */
    YOKE__EVENT_WAIT,  /* awake, with nothing to run */
    YOKE__EVENT_SLEEP,
    YOKE__EVENT_PIECE,       /* of a call, on a device, until its results stand in the arrays: items */
    YOKE__EVENT_KERNEL,      /* a device's command: */
    YOKE__EVENT_TO_DEVICE,   /* bytes, 0: unknown */
    YOKE__EVENT_FROM_DEVICE, /* bytes */
    YOKE__EVENT_COMPILE,     /* a kernel, for a device */
    YOKE__EVENT_TASK,        /* of a pool, on the thread that ran it: whether it succeeded, whether inside of another */
    YOKE__EVENT_KINDS
} yoke__event_kind;

enum { YOKE__EVENT_NAME = 40 };

typedef struct yoke__event {
    int64_t begin_ns, end_ns;
    uint32_t kind;
    uint16_t device, queue;      /* device: 1 + its number; 0: it is the recording thread's */
    uint64_t count, other;       /* by kind */
    char name[YOKE__EVENT_NAME]; /* of the kernel, cut to fit */
} yoke__event;

/* A trace is written, or counters are kept. */
extern _Atomic bool yoke__trace_is_on;

/* One predictable branch where nothing is traced. */
static inline bool yoke__tracing(void)
{
    return __builtin_expect(atomic_load_explicit(&yoke__trace_is_on, memory_order_relaxed), 0);
}

/* Reads YOKE_TRACE when nobody has, and creates the file, which is written at the end of the process. 0, EIO, EINVAL. */
int yoke__trace_open(void);
/* The same for YOKE_COUNTERS, which others may read while the program runs. */
int yoke__counters_open(void);
/* Of the calling thread, or of a device: called where counters are kept. */
void yoke__counters_begin(const yoke__event *event);
void yoke__counters_add(const yoke__event *event);
extern _Atomic bool yoke__counters_are_kept, yoke__trace_is_written, yoke__trace_is_forbidden;

/* Tasks of pools are counted where they are submitted and, if they never run, where they end; events count the others. */
typedef enum yoke__task_step {
    YOKE__TASK_SUBMITTED,
    YOKE__TASK_BEGUN, /* or left out */
    YOKE__TASK_DONE,
    YOKE__TASK_FAILED,
    YOKE__TASK_CANCELLED,
    YOKE__TASK_STEPS
} yoke__task_step;

void yoke__counters_task(yoke__task_step step);
static inline void yoke__task_submitted(void)
{
    if (__builtin_expect(atomic_load_explicit(&yoke__counters_are_kept, memory_order_relaxed), 0))
        yoke__counters_task(YOKE__TASK_SUBMITTED);
}
/* It ends without having run. */
static inline void yoke__task_left_out(bool failed)
{
    if (__builtin_expect(!atomic_load_explicit(&yoke__counters_are_kept, memory_order_relaxed), 1))
        return;
    yoke__counters_task(YOKE__TASK_BEGUN);
    yoke__counters_task(failed ? YOKE__TASK_FAILED : YOKE__TASK_CANCELLED);
}

/* This process is a worker process: trace and counters are its parent's. */
void yoke__trace_never(void);

/* Any thread; drops it where nothing is traced. `text`: of a decision, kept for the newest few hundred; NULL: none. */
void yoke__trace_event(const yoke__event *event, const char *text);

void yoke__trace_begin_now(yoke__event *event, yoke__event_kind kind, const char *name);
/* begin_ns stays 0 where nothing is traced. `name` is copied; NULL is fine. */
static inline void yoke__trace_begin(yoke__event *event, yoke__event_kind kind, const char *name)
{
    event->begin_ns = 0;
    if (yoke__tracing())
        yoke__trace_begin_now(event, kind, name);
}

static inline void yoke__trace_end(yoke__event *event, uint64_t count, uint64_t other)
{
    if (event->begin_ns == 0)
        return;
    event->end_ns = yoke__now_ns();
    event->count = count;
    event->other = other;
    yoke__trace_event(event, NULL);
}

/* Ends the event of a call that had no device to choose. Formats nothing, for maps may be short. */
static inline void yoke__trace_call(yoke__event *event, size_t items, unsigned workers, const char *why)
{
    if (event->begin_ns == 0)
        return;
    event->end_ns = yoke__now_ns();
    event->count = items;
    event->other = workers;
    yoke__trace_event(event, why);
}

/* explain.c: ends the event of a call with its decision. */
void yoke__trace_decision(yoke__event *event, const yoke_decision *decision);

/* Ends the event at a time, and begins another one like it now. */
static inline void yoke__trace_go_on(yoke__event *event, int64_t end_ns)
{
    if (event->begin_ns == 0 || end_ns == 0)
        return;
    event->end_ns = end_ns;
    yoke__trace_event(event, NULL);
    event->begin_ns = yoke__now_ns();
    if (atomic_load_explicit(&yoke__counters_are_kept, memory_order_relaxed))
        yoke__counters_begin(event);
}

/* Of a thread's ring, for the file. */
typedef struct yoke__ring yoke__ring;
unsigned yoke__ring_count(void);
const yoke__ring *yoke__ring_at(unsigned k);
uint64_t yoke__ring_recorded(const yoke__ring *ring);
size_t yoke__ring_capacity(const yoke__ring *ring);
long yoke__ring_thread(const yoke__ring *ring, const char **name);
/* The k-th event that was recorded; false when it is there no more. `text` has YOKE__TRACE_TEXT bytes. */
enum { YOKE__TRACE_TEXT = 200 };
bool yoke__ring_event(const yoke__ring *ring, uint64_t k, yoke__event *event, char *text);
/* Events of threads for which there was no room. */
uint64_t yoke__trace_dropped(void);

#endif
