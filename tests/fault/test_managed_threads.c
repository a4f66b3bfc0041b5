/* Random programs of several threads, each with managed arrays of its own beside a plain model, over small devices of which
 * some share the host's memory, with deadlines, delays and two runtimes in turn. */
#include "tests/fault/devices_support.h"

enum { ARRAYS = 3, MOST = 30000, WIDTH = 37, THREADS = 3, STEPS = 60, DELAYS = 12, CALLS = 4000 };

YOKE_EXACT_KERNEL(mt_step, (inout(float, x), value(float, a)), { x[i] = a * x[i] + 1.0f; })
YOKE_EXACT_KERNEL(mt_smooth, (halo(float, x, 2, 3), out(float, y)), {
    float sum = 0.0f;
    for (size_t k = i < 2 ? 0 : i - 2; k <= i + 3 && k < n; k++)
        sum += x[k];
    y[i] = sum * 0.125f;
})
YOKE_EXACT_KERNEL(mt_gather, (whole(float, x, n), inout(float, y)), { y[i] = 0.5f * y[i] + x[n - 1 - i]; })
YOKE_EXACT_KERNEL(mt_mirror, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i] + 1.0f; })
YOKE_EXACT_KERNEL_2D(mt_rows, (halo(float, x, 1, 1), out(float, y)), {
    float above = j > 0 ? x[(j - 1) * width + i] : 0.0f;
    y[j * width + i] = 0.5f * x[j * width + i] - above;
})

typedef struct pair {
    float *managed, model[MOST];
    size_t n;
} pair;

/* What a thread works on. */
typedef struct program {
    yoke_runtime *runtime[2];
    uint64_t seed;
    bool has_deadlines;
    unsigned late, step;
    pair pairs[ARRAYS];
    float before[MOST];
    char wrong[400];
} program;

static program programs[THREADS];
static atomic_bool any_wrong;

__attribute__((format(printf, 2, 3))) static bool tell_wrong(program *p, const char *format, ...)
{
    const int length = snprintf(p->wrong, sizeof p->wrong, "thread %d, step %u: ", (int)(p - programs), p->step);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(p->wrong + length, sizeof p->wrong - (size_t)length, format, arguments);
    va_end(arguments);
    atomic_store(&any_wrong, true);
    return false;
}

static bool renew(program *p, pair *q)
{
    if (q->managed != NULL && yoke_free(q->managed) != YOKE_OK)
        return tell_wrong(p, "free: %s", yoke_error_detail());
    q->n = 1 + draw_below(&p->seed, MOST);
    q->managed = yoke_alloc(q->n * sizeof *q->managed, YOKE_PLACE_DEFAULT);
    memset(q->model, 0, sizeof q->model);
    return q->managed != NULL || tell_wrong(p, "alloc: %s", yoke_error_detail());
}

static bool is_right(program *p, pair *q)
{
    if (yoke_read(q->managed) == NULL)
        return tell_wrong(p, "read: %s", yoke_error_detail());
    for (size_t i = 0; i < q->n; i++)
        if (q->managed[i] != q->model[i])
            return tell_wrong(p, "array %d at %zu of %zu: %g, not %g", (int)(q - p->pairs), i, q->n,
                              (double)q->managed[i], (double)q->model[i]);
    return true;
}

static bool host_writes(program *p, pair *q)
{
    const size_t begin = draw_below(&p->seed, q->n), count = 1 + draw_below(&p->seed, q->n - begin);
    if (yoke_write_range(q->managed + begin, count * sizeof *q->managed) == NULL)
        return tell_wrong(p, "write: %s", yoke_error_detail());
    for (size_t i = begin; i < begin + count; i++)
        q->managed[i] = q->model[i] = (float)draw_below(&p->seed, 1000);
    return true;
}

/* One call on parts of two arrays, and the same on their models. */
static int run_kernel(program *p, yoke_runtime *r, const yoke_options *options, pair *from, pair *to)
{
    const size_t least = from->n < to->n ? from->n : to->n, begin = draw_below(&p->seed, least),
                 n = 1 + draw_below(&p->seed, least - begin), rows = n / WIDTH;
    float *a = from->managed + begin, *b = to->managed + begin, *u = from->model + begin, *v = to->model + begin,
          *before = p->before;
    memcpy(before, u, n * sizeof *u);
    switch (draw_below(&p->seed, from == to ? 2 : 6)) {
    case 0:
        for (size_t i = 0; i < n; i++)
            u[i] = 0.25f * u[i] + 1.0f;
        return parallel_map_on(r, options, mt_step, n, a, 0.25f);
    case 1:
        for (size_t i = 0; i < n; i++)
            v[i] = 0.5f * u[i] + 1.0f;
        return parallel_map_on(r, options, dev_scale, n, a, b, 0.5f);
    case 2:
        for (size_t i = 0; i < n; i++) {
            v[i] = 0.0f;
            for (size_t k = i < 2 ? 0 : i - 2; k <= i + 3 && k < n; k++)
                v[i] += before[k];
            v[i] *= 0.125f;
        }
        return parallel_map_on(r, options, mt_smooth, n, a, b);
    case 3:
        for (size_t i = 0; i < n; i++)
            v[i] = 0.5f * v[i] + before[n - 1 - i];
        return parallel_map_on(r, options, mt_gather, n, a, b);
    case 4:
        for (size_t i = 0; i < n; i++)
            v[n - 1 - i] = before[i] + 1.0f;
        return parallel_map_on(r, options, mt_mirror, n, a, b);
    default:
        for (size_t i = 0; i < rows * WIDTH; i++)
            v[i] = 0.5f * before[i] - (i >= WIDTH ? before[i - WIDTH] : 0.0f);
        return parallel_map_2d_on(r, options, mt_rows, WIDTH, rows, a, b);
    }
}

/* A late call leaves what it writes unspecified. */
static bool kernel_touches(program *p, pair *from, pair *to)
{
    static const char *const places[] = {"opencl:0", "opencl:1", "opencl:2", "cpu", NULL, NULL};
    const unsigned where = (unsigned)draw_below(&p->seed, sizeof places / sizeof *places);
    yoke_options options = {.devices = places[where]};
    options.flags = (where == 5 ? YOKE_ALWAYS_COEXECUTE : 0) | (draw_below(&p->seed, 4) == 0 ? YOKE_WRITE_BACK : 0);
    if (p->has_deadlines && draw_below(&p->seed, 3) == 0)
        options.deadline_ns = yoke_deadline_in((int64_t)draw_below(&p->seed, 20000000));
    const int status = run_kernel(p, p->runtime[draw_below(&p->seed, 2)], &options, from, to);
    if (status == YOKE_ETIMEDOUT && options.deadline_ns != 0) {
        p->late++;
        return renew(p, from) && (from == to || renew(p, to));
    }
    return status == YOKE_OK || tell_wrong(p, "%d: %s", status, yoke_error_detail());
}

static bool take_step(program *p)
{
    const unsigned what = (unsigned)draw_below(&p->seed, 12);
    pair *a = &p->pairs[draw_below(&p->seed, ARRAYS)], *b = &p->pairs[draw_below(&p->seed, ARRAYS)];
    switch (what) {
    case 0: return renew(p, a);
    case 1: /* what is written while it is read is not taken: a race, to TSan */
        if (!SANITIZED_THREADS)
            (void)yoke_prefetch(p->runtime[0], a->managed, (unsigned)draw_below(&p->seed, 3)); /* a hint */
        return true;
    case 2: return is_right(p, a) && host_writes(p, a);
    case 3: return is_right(p, a);
    default: return kernel_touches(p, a, b);
    }
}

static void *run_program(void *argument)
{
    program *p = argument;
    bool fine = true;
    for (unsigned k = 0; k < ARRAYS; k++)
        fine &= renew(p, &p->pairs[k]);
    for (p->step = 0; fine && p->step < STEPS && !atomic_load(&any_wrong); p->step++)
        fine = take_step(p);
    for (unsigned k = 0; k < ARRAYS; k++) {
        fine = fine && is_right(p, &p->pairs[k]);
        (void)yoke_free(p->pairs[k].managed);
        p->pairs[k].managed = NULL;
    }
    return NULL;
}

/* --- rounds --- */

typedef struct setting {
    const char *unified, *global;
    bool two_runtimes, has_deadlines;
} setting;

static void add_delays(uint64_t seed)
{
    for (unsigned k = 0; k < DELAYS; k++) {
        char command[80];
        (void)snprintf(command, sizeof command, "fault *:%u:delay=%u", 1 + (unsigned)draw_below(&seed, CALLS),
                       k == 0 ? 250u : (unsigned)draw_below(&seed, 30));
        assert_int_equal(control(command), 0);
    }
}

static void run_round(const setting *s, uint64_t seed)
{
    static const char devices[] = "cpu,opencl:0,opencl:1,opencl:2";
    pthread_t thread[THREADS];
    alarm(SANITIZED ? 300 : 60);
    (void)control("reset");
    yoke_runtime *first = runtime_on(devices), *second = s->two_runtimes ? runtime_on(devices) : first;
    if (s->has_deadlines)
        add_delays(seed);
    for (unsigned k = 0; k < THREADS; k++) {
        programs[k].runtime[0] = first;
        programs[k].runtime[1] = second;
        programs[k].seed = seed + 77 * k;
        programs[k].has_deadlines = s->has_deadlines;
        programs[k].wrong[0] = '\0';
        assert_int_equal(pthread_create(&thread[k], NULL, run_program, &programs[k]), 0);
    }
    for (unsigned k = 0; k < THREADS; k++)
        assert_int_equal(pthread_join(thread[k], NULL), 0);
    for (unsigned k = 0; k < THREADS; k++)
        if (programs[k].wrong[0] != '\0')
            fail_msg("%s (seed of the round: %llu)", programs[k].wrong, (unsigned long long)seed);
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(device_of(first, k).state, YOKE_DEVICE_READY);
    close_runtime(first);
    if (second != first)
        close_runtime(second);
}

static void run_rounds(const char *name, const setting *s, unsigned long everyday)
{
    const uint64_t seed = seed_of(name);
    const unsigned long rounds = rounds_of(everyday);
    char command[80];
    if (s->global != NULL) {
        (void)snprintf(command, sizeof command, "GLOBALMEM=%s", s->global);
        shape(command);
        shape("MAXALLOC=200000");
    }
    (void)snprintf(command, sizeof command, "UNIFIED=%s", s->unified);
    shape(command);
    unsigned late = 0;
    for (unsigned long k = 0; k < rounds; k++)
        run_round(s, seed + 1000 * k);
    for (unsigned k = 0; k < THREADS; k++)
        late += programs[k].late;
    print_message("%lu rounds; calls that were late so far: %u\n", rounds, late);
}

static void devices_with_memory_apart(void **state)
{
    (void)state;
    run_rounds("devices_with_memory_apart", &(setting){.unified = "0"}, 4);
}

static void small_devices(void **state)
{
    (void)state;
    run_rounds("small_devices", &(setting){.unified = "0", .global = "400000"}, 4);
}

static void devices_that_share_memory(void **state)
{
    (void)state;
    run_rounds("devices_that_share_memory", &(setting){.unified = "1"}, 3);
}

static void devices_that_share_memory_on_a_copy(void **state)
{
    (void)state;
    run_rounds("devices_that_share_memory_on_a_copy", &(setting){.unified = "2"}, 3);
}

static void devices_of_both_kinds(void **state)
{
    (void)state;
    run_rounds("devices_of_both_kinds", &(setting){.unified = "0;0;1", .global = "400000"}, 4);
}

static void two_runtimes_in_turn(void **state)
{
    (void)state;
    run_rounds("two_runtimes_in_turn", &(setting){.unified = "0;0;1", .global = "400000", .two_runtimes = true}, 4);
}

/* Both of one shape: after a session was left behind, devices stay as they are. */
static void deadlines_and_delays(void **state)
{
    (void)state;
    run_rounds("deadlines_and_delays", &(setting){.unified = "0;0;1", .global = "400000", .has_deadlines = true}, 2);
}

static void deadlines_over_two_runtimes(void **state)
{
    (void)state;
    run_rounds("deadlines_over_two_runtimes",
               &(setting){.unified = "0;0;1", .global = "400000", .two_runtimes = true, .has_deadlines = true}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(devices_with_memory_apart, fresh),
        cmocka_unit_test_setup(small_devices, fresh),
        cmocka_unit_test_setup(devices_that_share_memory, fresh),
        cmocka_unit_test_setup(devices_that_share_memory_on_a_copy, fresh),
        cmocka_unit_test_setup(devices_of_both_kinds, fresh),
        cmocka_unit_test_setup(two_runtimes_in_turn, fresh),
        cmocka_unit_test_setup(deadlines_and_delays, fresh),
        cmocka_unit_test_setup(deadlines_over_two_runtimes, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
