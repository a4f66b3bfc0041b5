/* The calls on any executor: their checks, and the way to the one that is meant. */
#include "lib/executor/executor.h"

int yoke__check_executor(const yoke_executor *executor)
{
    if (executor == NULL)
        return yoke__fail(YOKE_EINVAL, "executor is NULL; open one with yoke_thread_pool()");
    if (executor->forks != yoke__fork_count())
        return yoke__fail(YOKE_EFORKED, "the executor's threads are the parent's; open one in the child");
    return YOKE_OK;
}

static int check_after(const yoke_future *future, yoke_future *const *after, size_t count)
{
    if (after == NULL && count > 0)
        return yoke__fail(YOKE_EINVAL, "after is NULL; give an array of pointers to %zu futures", count);
    int status = YOKE_OK;
    for (size_t k = 0; k < count && status == YOKE_OK; k++)
        status = after[k] != future ? yoke__check_awaited(after[k])
                                    : yoke__fail(YOKE_EINVAL, "a task would run after itself; give another future");
    return status;
}

static int check_task(const yoke_task_options *options, const yoke_future *future, yoke_function *function,
                      const void *argument)
{
    if (future == NULL || function == NULL)
        return yoke__fail(YOKE_EINVAL, "%s is NULL; a task needs one", future == NULL ? "future" : "function");
    if (options->size != 0 && options->size != sizeof *options)
        return yoke__fail(YOKE_EVERSION, "options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                          options->size, sizeof *options);
    if ((options->flags & ~(unsigned)YOKE_TASK_BLOCKS) != 0)
        return yoke__fail(YOKE_EINVAL, "unknown flags 0x%x; see YOKE_TASK_BLOCKS", options->flags);
    if (options->priority < YOKE_PRIORITY_LOW || options->priority > YOKE_PRIORITY_HIGH)
        return yoke__fail(YOKE_EINVAL, "priority %d; use a YOKE_PRIORITY_... constant", options->priority);
    if ((options->argument_bytes > 0 && argument == NULL) || (options->result_bytes > 0 && options->result == NULL))
        return yoke__fail(YOKE_EINVAL, "%s is NULL, but its size is not 0",
                          options->argument_bytes > 0 && argument == NULL ? "argument" : "result");
    const int status = yoke__check_deadline(options->deadline_ns);
    return status == YOKE_OK ? check_after(future, options->after, options->after_count) : status;
}

int yoke_submit_on(yoke_executor *executor, const yoke_task_options *options, yoke_future *future,
                   yoke_function *function, void *argument)
{
    static const yoke_task_options defaults;
    const bool nothing_to_check = options == NULL && future != NULL && function != NULL;
    if (options == NULL)
        options = &defaults;
    int status = yoke__check_executor(executor);
    if (status == YOKE_OK && !nothing_to_check)
        status = check_task(options, future, function, argument);
    if (status == YOKE_OK)
        status = executor->calls->check(executor, options, function, argument);
    return status == YOKE_OK ? executor->calls->submit(executor, options, future, function, argument) : status;
}

int yoke_submit(yoke_executor *executor, yoke_future *future, yoke_function *function, void *argument)
{
    return yoke_submit_on(executor, NULL, future, function, argument);
}

int yoke_submit_after(yoke_executor *executor, yoke_future *future, yoke_function *function, void *argument,
                      yoke_future *const *after, size_t count)
{
    const yoke_task_options options = {.after = after, .after_count = count};
    return yoke_submit_on(executor, &options, future, function, argument);
}

const char *yoke_task_name(void)
{
    const yoke__frame *frame = yoke__frame_here();
    return frame != NULL && frame->future->name_ != NULL ? frame->future->name_ : "";
}

int yoke_executor_count(yoke_executor *executor, yoke_executor_counts *counts)
{
    const int status = yoke__check_executor(executor);
    if (status != YOKE_OK)
        return status;
    if (counts == NULL)
        return yoke__fail(YOKE_EINVAL, "counts is NULL; give a structure to fill");
    executor->calls->count(executor, counts);
    return YOKE_OK;
}

int yoke_executor_close(yoke_executor *executor)
{
    const int status = yoke__check_executor(executor);
    if (status == YOKE_OK)
        executor->calls->close(executor);
    return status;
}

int yoke_cancel_all(yoke_executor *executor)
{
    const int status = yoke__check_executor(executor);
    return status == YOKE_OK ? executor->calls->cancel_all(executor) : status;
}

int yoke_join(yoke_executor *executor, int64_t deadline_ns)
{
    if (executor == NULL)
        return YOKE_OK;
    int status = yoke__check_executor(executor);
    if (status == YOKE_OK)
        status = yoke__check_deadline(deadline_ns);
    return status == YOKE_OK ? executor->calls->join(executor, deadline_ns) : status;
}
