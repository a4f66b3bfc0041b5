/* Runs of tasks on PoCL without the finding and opening of devices: a session made by hand, tasks whose pieces are booked,
 * and the comparison with the CPU's variants. */
#ifndef YOKE_TESTS_OPENCL_RUN_SUPPORT_H
#define YOKE_TESTS_OPENCL_RUN_SUPPORT_H

#define device support_device
#include "tests/opencl/opencl_support.h"
#undef device
#include "lib/opencl/device.h"

enum { MOST = 10007, LOCAL = 16 };

YOKE_TYPE(run_pair, {
    float a;
    int b;
})
YOKE_EXACT_KERNEL(piece_modes, (in(float, x), out(float, y), inout(int, z), value(run_pair, v)), {
    y[i] = v.a * x[i] + (float)i;
    z[i] = 3 * z[i] + v.b + (int)n;
})
YOKE_EXACT_KERNEL(piece_counts, (in(float, x, 3), out(float, y, 2), inout(short, z, 5)), {
    y[2 * i] = x[3 * i] + x[3 * i + 1];
    y[2 * i + 1] = x[3 * i + 2] - x[3 * i];
    for (unsigned k = 0; k < 5; k++)
        z[5 * i + k] = (short)(z[5 * i + k] * 2 + (int)k);
})
YOKE_EXACT_KERNEL(piece_halo, (halo(float, x, 2, 3), out(float, y)), {
    float sum = 0.0f;
    for (int k = -2; k <= 3; k++)
        if ((long)i + k >= 0 && (long)i + k < (long)n)
            sum += x[(long)i + k];
    y[i] = sum;
})
YOKE_EXACT_KERNEL(piece_whole, (in(int, x), whole(float, table, 97), out(float, y)),
                  { y[i] = table[(unsigned)x[i] % 97u] + table[96]; })
YOKE_EXACT_KERNEL(piece_scatter, (in(int, x), scatter(int, y, 2 * n + 1)), { y[2 * (n - 1 - i)] = x[i] + 1; })
YOKE_EXACT_KERNEL(piece_increment, (in(int, x), out(int, y)), { y[i] = x[i] + 1; })
YOKE_EXACT_KERNEL_2D(piece_rows, (halo(float, x, 1, 1), inout(float, y), in(int, z)), {
    float sum = y[j * width + i] + (float)z[j * width + i];
    if (j > 0)
        sum += x[(j - 1) * width + i];
    if (j + 1 < height)
        sum -= x[(j + 1) * width + i];
    y[j * width + i] = sum;
})
YOKE_EXACT_LANE_KERNEL(piece_lanes, (in(float, x), out(int, y)), {
    YOKE_LANES(float, a);
    YOKE_EACH
    {
        a[l] = x[i] * 2.0f;
    }
    YOKE_EACH
    {
        y[i] = a[l] > 0.5f ? (int)i : -1;
    }
})
YOKE_EXACT_REDUCE(piece_dot, (float, 0.0f, a + b), (in(float, x), in(float, y, 2)), x[i] * y[2 * i + 1])
YOKE_ACCUMULATE(piece_sum, (double, 0.0, a + b), (in(float, x), value(double, scale)), { *acc += scale * x[i]; })
YOKE_KERNEL(piece_slow, (inout(int, x), value(int, turns)), {
    volatile int k = 0; /* no compiler may see through it */
    while (k < turns)
        k++;
    x[i] += k;
})

static const yoke_kernel *const kernels[] = {
    YOKE_KERNEL_OF(piece_modes), YOKE_KERNEL_OF(piece_counts),  YOKE_KERNEL_OF(piece_halo),
    YOKE_KERNEL_OF(piece_whole), YOKE_KERNEL_OF(piece_scatter), YOKE_KERNEL_OF(piece_increment),
    YOKE_KERNEL_OF(piece_rows),  YOKE_KERNEL_OF(piece_lanes),   YOKE_KERNEL_OF(piece_dot),
    YOKE_KERNEL_OF(piece_sum),   YOKE_KERNEL_OF(piece_slow),
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static opencl owner;
static device dev;
static session *ses;
static program programs[KERNELS];
static yoke__topology *topology;
static const size_t sizes[] = {1, 2, 17, 127, 1023, 1025, MOST};
static const size_t limits[] = {1, 700, 20000, 0}; /* bytes per piece; 0: the default */

static inline program *program_for(const yoke_kernel *kernel)
{
    unsigned k = 0;
    while (kernels[k] != kernel)
        k++;
    program *p = &programs[k];
    if (p->entry != NULL)
        return p;
    char name[100];
    cl_int error;
    p->kernel = kernel;
    p->built = build(kernel, "-cl-fp32-correctly-rounded-divide-sqrt");
    (void)snprintf(name, sizeof name, "yoke_k_%s", kernel->name);
    p->entry = clCreateKernel(p->built, name, &error);
    cl_ok(error, name);
    p->choices = 1; /* PoCL compiles anew for every other size */
    p->choice[0].size[0] = LOCAL;
    p->choice[0].size[1] = kernel->shape == YOKE_SHAPE_MAP_2D ? 2 : 1;
    return p;
}

/* --- a session, without the finding and opening of devices --- */

static inline session *fresh_session(void)
{
    cl_int error;
    session *s = yoke__alloc_zeroed(1, sizeof *s);
    assert_non_null(s);
    s->device = &dev;
    s->context = context;
    for (int q = 0; q < QUEUES; q++) {
        s->queue[q] = clCreateCommandQueue(context, support_device, 0, &error);
        cl_ok(error, "queue");
    }
    s->driver = servant_start(topology, "yoke/test", -1, false);
    assert_non_null(s->driver);
    atomic_store(&dev.session, s);
    atomic_store(&dev.state, YOKE_DEVICE_READY);
    return s;
}

typedef struct closing {
    errand errand;
    session *session;
} closing;

static inline void run_release(errand *e)
{
    session *s = ((closing *)e)->session;
    buffers_release_all(s);
    for (int q = 0; q < QUEUES; q++)
        clReleaseCommandQueue(s->queue[q]);
}

static inline void free_errand(errand *e)
{
    yoke__free(e);
}

static inline void close_session(session *s)
{
    closing *c = yoke__alloc_zeroed(1, sizeof *c);
    assert_non_null(c);
    c->errand.run = run_release;
    c->errand.dispose = free_errand;
    c->session = s;
    servant_send(s->driver, &c->errand);
    assert_true(errand_wait(&c->errand, yoke__now_ns() + INT64_C(10000000000), 0));
    errand_release(&c->errand);
    assert_true(servant_stop(s->driver, yoke__now_ns() + INT64_C(10000000000)));
    yoke__free(s);
}

static inline int set_up(void **state)
{
    (void)set_up_device(state);
#define FILL(name) owner.cl.name = name;
    YOKE__CL_FUNCTIONS(FILL)
#undef FILL
    assert_int_equal(yoke__topology_load(&topology), YOKE_OK);
    owner.topology = topology;
    owner.devices = &dev;
    owner.count = 1;
    dev.owner = &owner;
    dev.id = support_device;
    (void)strcpy(dev.name, "tested");
    cl_ulong most = 0;
    cl_ok(clGetDeviceInfo(support_device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof most, &most, NULL), "info");
    dev.facts.array_bytes = most;
    dev.facts.memory_bytes = 4 * most;
    dev.facts.shares_memory = 1;
    assert_int_equal(pthread_mutex_init(&dev.lock, NULL), 0);
    ses = fresh_session();
    return 0;
}

static inline int tear_down(void **state)
{
    close_session(ses);
    for (unsigned k = 0; k < KERNELS; k++) {
        if (programs[k].entry == NULL)
            continue;
        clReleaseKernel(programs[k].entry);
        clReleaseProgram(programs[k].built);
    }
    pthread_mutex_destroy(&dev.lock);
    yoke__topology_free(topology);
    return tear_down_device(state);
}

/* --- tasks, and a book of their pieces --- */

typedef struct book {
    size_t items, next, pieces;
    unsigned char done[MOST], lost[MOST];
    bool bad;        /* a piece outside, or an empty one */
    int poll_status; /* what poll says... */
    size_t after;    /* ...when so many pieces were done */
    _Atomic size_t ends;
} book;

static inline bool book_take(void *at, size_t most, size_t *begin, size_t *end)
{
    book *b = at;
    b->bad |= most == 0;
    if (b->next == b->items)
        return false;
    *begin = b->next;
    b->next = *end = most < b->items - b->next ? b->next + most : b->items;
    b->pieces++;
    return true;
}

static inline void mark(book *b, unsigned char *in, size_t begin, size_t end)
{
    b->bad |= begin >= end || end > b->items;
    for (size_t k = begin; k < end && k < MOST; k++)
        in[k]++;
}

static inline void book_done(void *at, size_t begin, size_t end)
{
    book *b = at;
    mark(b, b->done, begin, end);
    atomic_fetch_add(&b->ends, 1);
}

static inline void book_lost(void *at, size_t begin, size_t end)
{
    book *b = at;
    mark(b, b->lost, begin, end);
}

static inline int book_poll(void *at)
{
    book *b = at;
    return atomic_load(&b->ends) >= b->after ? b->poll_status : YOKE_OK;
}

/* What was taken was done or lost, once. */
static inline void book_is_balanced(const book *b)
{
    assert_false(b->bad);
    for (size_t k = 0; k < b->items; k++)
        assert_int_equal(b->done[k] + b->lost[k], k < b->next ? 1 : 0);
}

static book notes;
static bool in_blocks; /* arrays are yoke_alloc's */

static inline yoke__task task_of(const yoke_kernel *kernel, const size_t size[2], void *const *arguments)
{
    yoke__task t = {.kernel = kernel, .piece_limit_ns = INT64_C(60000000000)};
    yoke_extent extents[YOKE_MAX_PARAMETERS];
    bool flat = kernel->shape != YOKE_SHAPE_MAP_2D;
    memcpy(t.call.argument, arguments, kernel->parameter_count * sizeof *arguments);
    memcpy(t.call.size, size, sizeof t.call.size);
    kernel->extents(&t.call, extents);
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        size_t bytes = (size_t)extents[k].count * p->size * (flat ? 1 : size[0]);
        if (p->mode == YOKE_MODE_VALUE)
            continue;
        t.array[k].host = arguments[k];
        if (p->mode == YOKE_MODE_WHOLE || p->mode == YOKE_MODE_SCATTER) {
            t.array[k].bytes = (size_t)extents[k].count * p->size;
            t.indivisible |= p->mode == YOKE_MODE_SCATTER;
        } else {
            t.array[k].item_bytes = t.array[k].stride =
                p->mode == YOKE_MODE_HALO ? p->size * (flat ? 1 : size[0]) : bytes;
        }
        if (p->mode == YOKE_MODE_HALO) {
            t.array[k].before = (size_t)extents[k].before;
            t.array[k].after = (size_t)extents[k].after;
        }
    }
    t.items = flat ? size[0] : size[1];
    t.take = book_take;
    t.done = book_done;
    t.lost = book_lost;
    t.poll = book_poll;
    t.context = &notes;
    return t;
}

static inline int run_to_end(const yoke__task *t)
{
    run *r = device_start(&dev, ses, program_for(t->kernel), t);
    return r != NULL ? device_finish(r) : yoke__last_failure();
}

static inline int run_task(const yoke__task *t)
{
    memset(&notes, 0, sizeof notes);
    notes.items = t->items;
    if (in_blocks && ses->piece_bytes_limit == limits[1]) /* as if it were slow: arrays in place, in pieces */
        program_for(t->kernel)->choice[0].at[0].item_ns = 1e6;
    return run_to_end(t);
}

/* --- every setting --- */

static inline void *array_of(size_t bytes)
{
    void *made = in_blocks ? yoke_alloc(bytes, YOKE_PLACE_DEFAULT) : malloc(bytes);
    assert_non_null(made);
    return made;
}

static inline void free_array(void *array)
{
    if (in_blocks)
        assert_int_equal(yoke_free(array), YOKE_OK);
    else
        free(array);
}

static inline void *random_array(uint64_t *seed, size_t count, bool floats)
{
    int *made = array_of(count * sizeof *made);
    for (size_t k = 0; k < count; k++) {
        float f = (float)draw_double(seed, -2, 2);
        if (floats)
            memcpy(&made[k], &f, sizeof f);
        else
            made[k] = (int)draw_below(seed, 100000);
    }
    return made;
}

/* Runs the check with memory shared or not, arrays of both kinds, pieces of one item and more. Buffers of one kind of
 * device are not those of the other, so each has a session. */
static inline void over_settings(const char *test, void (*check)(uint64_t *seed, size_t n))
{
    uint64_t seed = seed_of(test);
    for (int kind = 0; kind < 3; kind++) {
        close_session(ses);
        dev.facts.shares_memory = kind > 0;
        in_blocks = kind == 2;
        ses = fresh_session();
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
            for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                if (limits[l] == 1 && sizes[k] > 2000)
                    continue;
                ses->piece_bytes_limit = limits[l];
                check(&seed, sizes[k]);
            }
    }
    in_blocks = false;
}

/* The arrays of one call, those that stand twice once; `bytes` 0: a value. */
static inline void compare(const yoke_kernel *kernel, const size_t size[2], void *const *arguments, const size_t *bytes)
{
    void *twin[YOKE_MAX_PARAMETERS];
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        twin[k] = arguments[k];
        for (size_t l = 0; l < k && bytes[k] > 0; l++)
            if (arguments[l] == arguments[k])
                twin[k] = twin[l];
        if (bytes[k] == 0 || twin[k] != arguments[k])
            continue;
        twin[k] = malloc(bytes[k]);
        assert_non_null(twin[k]);
        memcpy(twin[k], arguments[k], bytes[k]);
    }
    yoke__task t = task_of(kernel, size, arguments);
    assert_int_equal(run_task(&t), YOKE_OK);
    book_is_balanced(&notes);
    assert_int_equal(notes.next, notes.items);
    yoke_call call = t.call;
    memcpy(call.argument, twin, kernel->parameter_count * sizeof *twin);
    call.columns[1] = size[0];
    kernel->variants[0](&call, 0, t.items);
    for (size_t k = 0; k < kernel->parameter_count; k++)
        if (bytes[k] > 0)
            assert_memory_equal(arguments[k], twin[k], bytes[k]);
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        bool again = bytes[k] == 0;
        for (size_t l = 0; l < k; l++)
            again |= bytes[l] > 0 && twin[l] == twin[k];
        if (!again)
            free(twin[k]);
    }
}

static inline void check_modes(uint64_t *seed, size_t n)
{
    run_pair v = {1.5f, 7};
    void *a[] = {random_array(seed, n, true), random_array(seed, n, true), random_array(seed, n, false), &v};
    compare(YOKE_KERNEL_OF(piece_modes), (size_t[]){n, 1}, a, (size_t[]){4 * n, 4 * n, 4 * n, 0});
    for (int k = 0; k < 3; k++)
        free_array(a[k]);
}

#endif
