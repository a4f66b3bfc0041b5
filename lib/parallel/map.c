/* parallel_map, parallel_map_2d and parallel_for. */
#include "lib/parallel/parallel.h"

typedef struct kernel_run {
    yoke__checked checked;
    yoke__isa isa;
    bool stream;
} kernel_run;

YOKE_HOT static void run_kernel(void *context, size_t begin, size_t end)
{
    const kernel_run *run = context;
    yoke__run_piece(&run->checked, run->isa, run->stream, begin, end);
}

/* Decides for maps beyond the caches; results that fit are read from there next. */
YOKE_HOT void yoke__choose_streaming(const yoke_runtime *runtime, const yoke_options *options, bool *stream,
                                     yoke__work *work)
{
    const unsigned flags = options != NULL ? options->flags : 0;
    *stream = (flags & YOKE_ALWAYS_STREAM) != 0;
    if ((flags & (YOKE_ALWAYS_STREAM | YOKE_NEVER_STREAM)) != 0 ||
        !yoke__plan_streaming(work->checked->bytes, runtime->cache_bytes))
        return;
    work->choice = yoke__cost_choose(yoke__costs_find(runtime->costs, work->checked->kernel), work->total, 1);
    work->large = true;
    *stream = work->choice.way;
}

/* After a pause all of it comes from memory: at once rather than one after the other. */
static inline void fetch_ahead(const yoke_runtime *runtime, const yoke_kernel *kernel)
{
    yoke__team_fetch(runtime->team);
    __builtin_prefetch(&runtime->costs->entry[yoke__costs_place(kernel)]);
}

YOKE_HOT int yoke_launch_map(yoke_runtime *runtime, const yoke_options *options, const yoke_kernel *kernel,
                             size_t size0, size_t size1, void *const *arguments)
{
    kernel_run run;
    int status = yoke__check_options(options);
    if (status != YOKE_OK)
        return status;
    if (options != NULL && options->launcher != NULL)
        return options->launcher->launch(options->launcher, kernel, size0, size1, NULL, arguments);
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    if (size0 > 1)
        fetch_ahead(runtime, kernel);
    status = yoke__check_call(&run.checked, kernel, options, size0, size1, arguments);
    if (status != YOKE_OK || size0 == 0 || size1 == 0)
        return status;
    run.isa = runtime->isa;
    const size_t step = kernel->shape == YOKE_SHAPE_LANES ? yoke_lanes_max : 1;
    if (options == NULL && run.checked.items <= step && !runtime->no_shortcut &&
        !yoke__memory_is_away()) { /* nothing to divide or stream: spare it the planning */
        run.stream = false;
        yoke__team_run_here(runtime->team, run_kernel, &run, 0, run.checked.items);
        return YOKE_OK;
    }
    yoke__work work = {.run = run_kernel,
                       .context = &run,
                       .items = run.checked.items,
                       .total = run.checked.items,
                       .scale = 1,
                       .step = step,
                       .indivisible = run.checked.indivisible,
                       .checked = &run.checked};
    yoke__choose_streaming(runtime, options, &run.stream, &work);
    return runtime->checks == NULL ? yoke__run_work(runtime, options, kernel, &work)
                                   : yoke__run_checked(runtime, options, kernel, &work);
}

/* --- plain functions --- */

typedef struct body_run {
    void (*body)(size_t begin, size_t end, void *argument);
    void *argument;
} body_run;

static void run_body(void *context, size_t begin, size_t end)
{
    const body_run *run = context;
    run->body(begin, end, run->argument);
}

int yoke__check_for(const yoke_options *options, void (*body)(size_t begin, size_t end, void *argument))
{
    if (body == NULL)
        return yoke__fail(YOKE_EINVAL, "parallel_for: the body is NULL; give a function");
    if (options != NULL && options->pitch != 0)
        return yoke__fail(YOKE_EINVAL, "parallel_for: a pitch needs a 2-D kernel");
    return YOKE_OK;
}

int yoke_parallel_for_on(yoke_runtime *runtime, const yoke_options *options, size_t n,
                         void (*body)(size_t begin, size_t end, void *argument), void *argument)
{
    int status = yoke__check_options(options);
    if (status == YOKE_OK)
        status = yoke__check_for(options, body);
    if (status != YOKE_OK)
        return status;
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    if (n == 0)
        return YOKE_OK;
    body_run run = {body, argument};
    yoke__work work = {.run = run_body, .context = &run, .items = n, .total = n, .scale = 1, .step = 1};
    return yoke__run_work(runtime, options, (const void *)(uintptr_t)body, &work);
}

int yoke_parallel_for(size_t n, void (*body)(size_t begin, size_t end, void *argument), void *argument)
{
    return yoke_parallel_for_on(NULL, NULL, n, body, argument);
}
