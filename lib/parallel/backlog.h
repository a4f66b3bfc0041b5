/* Inside of lib/parallel: asynchronous calls, what one is (async.c) and when it runs (backlog.c). */
#ifndef YOKE_PARALLEL_BACKLOG_H
#define YOKE_PARALLEL_BACKLOG_H

#include "lib/future/future.h"
#include "lib/parallel/parallel.h"

/* A call for later: a copy of what it was made with. Values lie behind it. */
typedef struct yoke__later yoke__later;
struct yoke__later {
    int (*run)(const yoke__later *later); /* in the blocking form */
    const char *name;
    yoke_runtime *runtime;
    const yoke_options *options; /* NULL, or: */
    yoke_options own_options;
    const yoke_kernel *kernel;
    size_t size[2];
    void *result;
    void *argument[YOKE_MAX_PARAMETERS];
    void (*body)(size_t begin, size_t end, void *argument);
    void *body_argument;
};

/* It runs after all that were added before, and is freed, as it is by a failure: EBUSY, EAGAIN, ENOMEM, with a detail. */
int yoke__backlog_add(yoke_runtime *runtime, yoke_future *future, yoke__later *later);

/* Waits for all of them, and ends the thread. EBUSY when one of them would wait for itself. From a body it does nothing,
 * for there no runtime can be closed. */
int yoke__backlog_close(yoke_runtime *runtime);

#endif
