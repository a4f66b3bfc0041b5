/* Door of lib/executor: what an executor is to the calls that take any. Uses future, topology, cpu and base. */
#ifndef YOKE_LIB_EXECUTOR_H
#define YOKE_LIB_EXECUTOR_H

#include "lib/future/future.h"
#include "yoke/executor.h"

/* Some items of a map, one after the other. */
typedef struct yoke__items {
    yoke_function *function;
    const char *name;
    const unsigned char *items;
    unsigned char *results;
    size_t item_bytes, result_bytes, count;
    int64_t deadline_ns, limit_ns; /* of all; of each, 0: none */
    unsigned retries;
    int *statuses;       /* of each, to be set */
    char (*detail)[256]; /* of the first that did not return by itself, unless there is text already */
} yoke__items;

/* The function of a map's tasks, whatever runs its items. */
int yoke__map_chunks(void *argument, void *result);

/* All required but the last two. Options are never NULL and were checked, as was that this process opened the executor. */
typedef struct yoke__executor_calls {
    /* Begins the future once nothing can fail any more. */
    /* What of a task this executor cannot do. 0, or a status with a detail. */
    int (*check)(yoke_executor *self, const yoke_task_options *options, yoke_function *function, const void *argument);
    int (*submit)(yoke_executor *self, const yoke_task_options *options, yoke_future *future, yoke_function *function,
                  void *argument);
    void (*count)(yoke_executor *self, yoke_executor_counts *counts);
    void (*close)(yoke_executor *self);
    int (*cancel_all)(yoke_executor *self);
    int (*join)(yoke_executor *self, int64_t deadline_ns);
    unsigned (*width)(yoke_executor *self, unsigned flags); /* tasks of this kind that run at once */
    /* Where items do not run on the thread that calls; otherwise NULL. `check_items` is asked once per map. */
    int (*check_items)(yoke_executor *self, const yoke__items *items);
    void (*run_items)(yoke_executor *self, const yoke__items *items);
} yoke__executor_calls;

struct yoke_executor {
    yoke__owner owner; /* the first member: futures know it */
    const yoke__executor_calls *calls;
    unsigned forks;
};

/* 0, EINVAL or EFORKED. */
int yoke__check_executor(const yoke_executor *executor);

#endif
