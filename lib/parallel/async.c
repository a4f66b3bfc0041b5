/* The verbs' asynchronous forms: arguments are checked and copied, and the blocking form runs later. */
#include <string.h>

#include "lib/parallel/backlog.h"

static int run_map(const yoke__later *l)
{
    return yoke_launch_map(l->runtime, l->options, l->kernel, l->size[0], l->size[1], l->argument);
}

static int run_reduce(const yoke__later *l)
{
    return yoke_launch_reduce(l->runtime, l->options, l->kernel, l->size[0], l->result, l->argument);
}

static int run_for(const yoke__later *l)
{
    return yoke_parallel_for_on(l->runtime, l->options, l->size[0], l->body, l->body_argument);
}

/* --- copies --- */

/* Where the values lie behind the record, aligned for their types. False: there cannot be so many bytes. */
static bool lay_out(const yoke_kernel *kernel, size_t *places, size_t *bytes, size_t *alignment)
{
    *bytes = sizeof(yoke__later);
    *alignment = _Alignof(yoke__later);
    for (size_t k = 0; kernel != NULL && k < kernel->parameter_count; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        if (p->mode != YOKE_MODE_VALUE)
            continue;
        if (yoke__add_overflows(*bytes, p->alignment - 1, bytes))
            return false;
        places[k] = *bytes &= ~(p->alignment - 1);
        if (yoke__add_overflows(*bytes, p->size, bytes))
            return false;
        *alignment = p->alignment > *alignment ? p->alignment : *alignment;
    }
    return true;
}

static void copy_arguments(yoke__later *l, const size_t *places, void *const *arguments)
{
    for (size_t k = 0; k < l->kernel->parameter_count; k++) {
        const yoke_parameter *p = &l->kernel->parameters[k];
        l->argument[k] = arguments[k];
        if (p->mode == YOKE_MODE_VALUE)
            l->argument[k] = memcpy((unsigned char *)l + places[k], arguments[k], p->size);
    }
}

/* kernel: NULL for a parallel_for. NULL with a detail. */
static yoke__later *copy_call(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel,
                              void *const *arguments)
{
    size_t places[YOKE_MAX_PARAMETERS] = {0}, bytes, alignment;
    yoke__later *l =
        lay_out(kernel, places, &bytes, &alignment) ? yoke__alloc_aligned(alignment, bytes) : (yoke__later *)NULL;
    if (l == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for an asynchronous call");
        return NULL;
    }
    *l = (yoke__later){.name = kernel != NULL ? kernel->name : "parallel_for", .runtime = runtime, .kernel = kernel};
    if (options != NULL) {
        l->own_options = *options;
        l->options = &l->own_options;
    }
    if (kernel != NULL)
        copy_arguments(l, places, arguments);
    return l;
}

/* --- checks --- */

static int check_future(const yoke_future *future, const yoke_options *options)
{
    if (future == NULL)
        return yoke__fail(YOKE_EINVAL, "future is NULL; give a zeroed one that stays until it has ended");
    if (options != NULL && options->launcher != NULL)
        return yoke__fail(YOKE_EINVAL, "options.launcher: another launcher's calls have no asynchronous form");
    return options != NULL ? yoke__check_settings(options) : YOKE_OK;
}

/* As the blocking form refuses it. */
static int check_kernel(yoke_runtime **runtime, const yoke_options *options, const yoke_kernel *kernel, size_t size0,
                        size_t size1, void *const *arguments)
{
    yoke__checked checked;
    *runtime = yoke__runtime_or_default(*runtime);
    if (*runtime == NULL)
        return yoke__last_failure();
    const int status = yoke__check_call(&checked, kernel, options, size0, size1, arguments);
    return status == YOKE_OK && size0 > 0 && size1 > 0 ? yoke__check_asked(*runtime, options) : status;
}

/* --- the forms --- */

int yoke_launch_map_async(yoke_runtime *runtime, const yoke_options *options, yoke_future *future,
                          const yoke_kernel *kernel, size_t size0, size_t size1, void *const *arguments)
{
    int status = check_future(future, options);
    if (status == YOKE_OK)
        status = check_kernel(&runtime, options, kernel, size0, size1, arguments);
    if (status != YOKE_OK)
        return status;
    yoke__later *l = copy_call(runtime, options, kernel, arguments);
    if (l == NULL)
        return YOKE_ENOMEM;
    l->run = run_map;
    l->size[0] = size0;
    l->size[1] = size1;
    return yoke__backlog_add(runtime, future, l);
}

int yoke_launch_reduce_async(yoke_runtime *runtime, const yoke_options *options, yoke_future *future,
                             const yoke_kernel *kernel, size_t n, void *result, void *const *arguments)
{
    int status = check_future(future, options);
    if (status == YOKE_OK)
        status = yoke__check_result(kernel, result);
    if (status == YOKE_OK)
        status = check_kernel(&runtime, options, kernel, n, 1, arguments);
    if (status != YOKE_OK)
        return status;
    yoke__later *l = copy_call(runtime, options, kernel, arguments);
    if (l == NULL)
        return YOKE_ENOMEM;
    l->run = run_reduce;
    l->size[0] = n;
    l->result = result;
    return yoke__backlog_add(runtime, future, l);
}

int yoke_parallel_for_async_on(yoke_runtime *runtime, const yoke_options *options, yoke_future *future, size_t n,
                               void (*body)(size_t begin, size_t end, void *argument), void *argument)
{
    int status = check_future(future, options);
    if (status == YOKE_OK)
        status = yoke__check_for(options, body);
    if (status != YOKE_OK)
        return status;
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    yoke__later *l = copy_call(runtime, options, NULL, NULL);
    if (l == NULL)
        return YOKE_ENOMEM;
    l->run = run_for;
    l->size[0] = n;
    l->body = body;
    l->body_argument = argument;
    return yoke__backlog_add(runtime, future, l);
}

int yoke_parallel_for_async(yoke_future *future, size_t n, void (*body)(size_t begin, size_t end, void *argument),
                            void *argument)
{
    return yoke_parallel_for_async_on(NULL, NULL, future, n, body, argument);
}
