/* Door of lib/executor: what an executor is to the calls that take any. Uses future, topology, cpu and base. */
#ifndef YOKE_LIB_EXECUTOR_H
#define YOKE_LIB_EXECUTOR_H

#include "lib/future/future.h"
#include "yoke/executor.h"

/* All required. Options are never NULL and were checked, as was that this process opened the executor. */
typedef struct yoke__executor_calls {
    /* Begins the future once nothing can fail any more. */
    int (*submit)(yoke_executor *self, const yoke_task_options *options, yoke_future *future, yoke_function *function,
                  void *argument);
    void (*count)(yoke_executor *self, yoke_executor_counts *counts);
    void (*close)(yoke_executor *self);
    int (*cancel_all)(yoke_executor *self);
    int (*join)(yoke_executor *self, int64_t deadline_ns);
    unsigned (*width)(yoke_executor *self, unsigned flags); /* tasks of this kind that run at once */
} yoke__executor_calls;

struct yoke_executor {
    yoke__owner owner; /* the first member: futures know it */
    const yoke__executor_calls *calls;
    unsigned forks;
};

/* 0, EINVAL or EFORKED. */
int yoke__check_executor(const yoke_executor *executor);

#endif
