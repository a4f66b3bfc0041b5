/* Sizes of work-groups: which ones a kernel may have, and which is the fastest. */
#include <math.h>

#include "lib/opencl/build.h"

enum {
    GROUP_LIMIT = 1024,
    LANES = 64,
    TRIES = 6,
    COLD_TRIES = 3, /* of these the best counts: the first ones find nothing in the caches */
    HOPELESS = 2,   /* times the best one's time */
    RUNS_PER_TRY = 64,
    SMOOTHING = 4,
    OUTLIER = 4,
    FIRST_CLASS = 1 << 18, /* of numbers of items: fewer are one class */
    CLASS_WIDTH = 4,
    LEAST_BYTES = 64,
    WIDE = 65536,
    ACCUMULATOR_BYTES = 256 << 10 /* private ones of a group: PoCL has them on a thread's stack */
};

/* --- candidates --- */

static void add_choice(build *b, size_t size0, size_t size1, size_t limit)
{
    if (size0 == 0 || size1 == 0 || size0 * size1 > limit || size0 > b->max_item_size[0] ||
        (size1 > 1 && size1 > b->max_item_size[1]) || b->choices == LOCAL_CHOICES)
        return;
    for (unsigned k = 0; k < b->choices; k++)
        if (b->choice[k].size[0] == size0 && b->choice[k].size[1] == size1)
            return;
    b->choice[b->choices++] = (local_choice){.size = {size0, size1}};
}

static void add_flat(build *b, size_t limit, size_t multiple)
{
    /* the first one stands until a run was long enough to tell: a driver for CPUs pays by the group */
    static const size_t for_gpu[] = {256, 64, GROUP_LIMIT}, for_cpu[] = {GROUP_LIMIT, 256, 64};
    const size_t *wanted = b->is_cpu ? for_cpu : for_gpu;
    size_t most = limit < b->max_item_size[0] ? limit : b->max_item_size[0];
    for (size_t k = 0; k < sizeof for_gpu / sizeof *for_gpu; k++) {
        size_t size = wanted[k] < most ? wanted[k] : most;
        if (b->is_cpu) /* a power of two */
            while ((size & (size - 1)) != 0)
                size &= size - 1;
        else if (multiple > 0 && size > multiple)
            size -= size % multiple;
        add_choice(b, size, 1, limit);
    }
}

static void add_candidates(build *b, size_t limit, size_t multiple)
{
    static const size_t plane[][2] = {{32, 4}, {64, 4}, {16, 16}, {256, 1}};
    if (b->shape == YOKE_SHAPE_REDUCE) {
        add_choice(b, b->is_cpu ? 1 : LANES, 1, limit);
        return;
    }
    if (b->shape == YOKE_SHAPE_MAP_2D || b->shape == YOKE_SHAPE_LANES_2D)
        for (size_t k = 0; k < sizeof plane / sizeof *plane; k++)
            add_choice(b, plane[k][0], plane[k][1], limit);
    if (b->choices == 0)
        add_flat(b, limit, multiple);
}

static bool ask_limits(build *b, size_t *limit, size_t *multiple)
{
    const cl_api *cl = &b->cl;
    cl_ulong local = 0;
    *limit = 0;
    *multiple = 0;
    cl_int error = cl->clGetKernelWorkGroupInfo(b->entry, b->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof *limit, limit, NULL);
    if (error == CL_SUCCESS)
        error = cl->clGetKernelWorkGroupInfo(b->entry, b->id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    if (error == CL_SUCCESS)
        error = cl->clGetKernelWorkGroupInfo(b->entry, b->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                                             sizeof *multiple, multiple, NULL);
    if (error != CL_SUCCESS)
        return build_refuse(b, "was compiled, but %s does not tell its limits: %s", b->device_name,
                            yoke__cl_error_name(error));
    if (local > b->local_bytes)
        return build_refuse(b, "needs %llu bytes of local memory; %s has %llu", (unsigned long long)local,
                            b->device_name, (unsigned long long)b->local_bytes);
    if (*limit > b->max_group)
        *limit = b->max_group;
    if (*limit > GROUP_LIMIT)
        *limit = GROUP_LIMIT;
    if (*multiple == 0 || *multiple > *limit)
        *multiple = 1;
    return true;
}

/* --- trying them --- */

typedef struct idle_run {
    cl_command_queue queue;
    cl_kernel kernel; /* its own: arguments of one are not for two threads */
    cl_mem array;
    void *zeros;
} idle_run;

/* An empty piece of nothing. The same array for all parameters: nobody looks at it. */
static cl_int set_arguments(build *b, const idle_run *r)
{
    const cl_ulong nothing = 0;
    const cl_long here = 0;
    cl_uint next = 0;
    cl_int error = CL_SUCCESS;
    for (int k = 0; k < 4 && error == CL_SUCCESS; k++)
        error = b->cl.clSetKernelArg(r->kernel, next++, sizeof nothing, &nothing);
    if (b->is_reduction && error == CL_SUCCESS)
        error = b->cl.clSetKernelArg(r->kernel, next++, sizeof(cl_mem), &r->array);
    for (size_t k = 0; k < b->parameter_count && error == CL_SUCCESS; k++) {
        if (b->value_bytes[k] > 0) {
            error = b->cl.clSetKernelArg(r->kernel, next++, b->value_bytes[k], r->zeros);
            continue;
        }
        error = b->cl.clSetKernelArg(r->kernel, next++, sizeof(cl_mem), &r->array);
        if (error == CL_SUCCESS)
            error = b->cl.clSetKernelArg(r->kernel, next++, sizeof here, &here);
    }
    return error;
}

static cl_int launch(build *b, const idle_run *r, const local_choice *choice, size_t width)
{
    const size_t global[2] = {(width + choice->size[0] - 1) / choice->size[0] * choice->size[0], choice->size[1]};
    const bool plane = b->shape == YOKE_SHAPE_MAP_2D || b->shape == YOKE_SHAPE_LANES_2D;
    cl_int error =
        b->cl.clEnqueueNDRangeKernel(r->queue, r->kernel, plane ? 2 : 1, NULL, global, choice->size, 0, NULL, NULL);
    return error == CL_SUCCESS ? b->cl.clFinish(r->queue) : error;
}

/* Drops the choices that fail. PoCL compiles at the first launch of every size of group (35 to 90 ms), and once more for
 * grids of more than 65,535 items: better now than in somebody's map. */
static cl_int try_choices(build *b, const idle_run *r)
{
    unsigned good = 0;
    cl_int error = CL_SUCCESS;
    for (unsigned k = 0; k < b->choices && build_goes_on(b); k++) {
        cl_int failed = launch(b, r, &b->choice[k], 1);
        if (failed == CL_SUCCESS && b->is_cpu)
            failed = launch(b, r, &b->choice[k], WIDE);
        if (failed == CL_SUCCESS)
            b->choice[good++] = b->choice[k];
        else
            error = failed;
    }
    b->choices = good;
    return error;
}

static cl_int open_run(build *b, idle_run *r)
{
    cl_int error = CL_SUCCESS;
    const size_t bytes = b->largest > LEAST_BYTES ? b->largest : LEAST_BYTES;
    r->zeros = yoke__alloc_zeroed(1, bytes);
    if (r->zeros == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    r->queue = b->cl.clCreateCommandQueue(b->context, b->id, 0, &error);
    if (r->queue == NULL || error != CL_SUCCESS)
        return error != CL_SUCCESS ? error : CL_INVALID_COMMAND_QUEUE;
    r->array = b->cl.clCreateBuffer(b->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
    if (r->array == NULL || error != CL_SUCCESS)
        return error != CL_SUCCESS ? error : CL_INVALID_MEM_OBJECT;
    r->kernel = b->cl.clCreateKernel(b->built, b->entry_name, &error);
    if (r->kernel == NULL || error != CL_SUCCESS)
        return error != CL_SUCCESS ? error : CL_INVALID_KERNEL;
    return set_arguments(b, r);
}

static void close_run(build *b, idle_run *r)
{
    if (r->kernel != NULL)
        (void)b->cl.clReleaseKernel(r->kernel);
    if (r->array != NULL)
        (void)b->cl.clReleaseMemObject(r->array);
    if (r->queue != NULL)
        (void)b->cl.clReleaseCommandQueue(r->queue);
    yoke__free(r->zeros);
}

bool groups_find(build *b)
{
    size_t limit, multiple;
    if (!ask_limits(b, &limit, &multiple))
        return false;
    if (b->shape == YOKE_SHAPE_ACCUMULATE && limit > ACCUMULATOR_BYTES / b->largest)
        limit = b->largest < ACCUMULATOR_BYTES ? ACCUMULATOR_BYTES / b->largest : 1;
    add_candidates(b, limit, multiple);
    if (b->choices == 0)
        return build_refuse(b, "needs groups of more work-items than the %zu that %s allows it", limit, b->device_name);
    idle_run r = {0};
    cl_int error = open_run(b, &r);
    if (error == CL_SUCCESS)
        error = try_choices(b, &r);
    else
        b->choices = 0;
    close_run(b, &r);
    if (b->choices == 0)
        return build_refuse(b, "was compiled, but %s cannot run it: %s", b->device_name, yoke__cl_error_name(error));
    return true;
}

/* --- choosing --- */

static unsigned class_of(double items)
{
    unsigned which = 0;
    for (double most = FIRST_CLASS; items >= most && which < SIZE_CLASSES - 1; most *= CLASS_WIDTH)
        which++;
    return which;
}

static bool is_hopeless(const choice_times *c, const choice_times *best)
{
    return c->tries >= COLD_TRIES && c->item_ns > HOPELESS * best->item_ns;
}

/* In turn, so that cold arrays and other programs disturb all alike; later one of them now and then. */
static unsigned next_to_try(const program *p, unsigned which, unsigned best)
{
    const choice_times *fewest = &p->choice[best].at[which];
    unsigned next = best;
    for (unsigned k = 0; k < p->choices; k++) {
        const choice_times *c = &p->choice[k].at[which];
        if (c->tries < fewest->tries && !is_hopeless(c, &p->choice[best].at[which])) {
            fewest = c;
            next = k;
        }
    }
    return fewest->tries < TRIES || p->runs % RUNS_PER_TRY == 0 ? next : best;
}

unsigned program_choose(program *p, double items)
{
    const unsigned which = class_of(items);
    unsigned best = 0;
    p->runs++;
    for (unsigned k = 1; k < p->choices; k++)
        if (p->choice[k].at[which].item_ns < p->choice[best].at[which].item_ns)
            best = k;
    return next_to_try(p, which, best);
}

/* Smoothed, not the best: a run may have luck that the next ones have not. */
void program_learn(program *p, unsigned choice, double items, double item_ns)
{
    choice_times *c = &p->choice[choice].at[class_of(items)];
    if (c->tries++ < COLD_TRIES)
        c->item_ns = c->item_ns > 0 ? fmin(c->item_ns, item_ns) : item_ns;
    else
        c->item_ns += (fmin(item_ns, OUTLIER * c->item_ns) - c->item_ns) / SMOOTHING;
}

bool program_was_tried(const program *p, unsigned choice, double items)
{
    return p->choice[choice].at[class_of(items)].tries > 0;
}

double program_item_ns(const program *p, double items)
{
    for (unsigned which = class_of(items) + 1; which-- > 0;) {
        double best = 0;
        for (unsigned k = 0; k < p->choices; k++) {
            const double ns = p->choice[k].at[which].item_ns;
            best = ns > 0 && (best <= 0 || ns < best) ? ns : best;
        }
        if (best > 0)
            return best;
    }
    return p->item_ns;
}
