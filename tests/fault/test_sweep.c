/* Whatever call of OpenCL fails, once or for ever, the result is that of the CPU: "fail the k-th call" over every verb,
 * for every k. Every call fails in a way drawn at random; YOKE_SWEEP=all tries all of them. Where code runs slowly
 * (sanitizers, emulators), every fifth call fails; of the many calls of a divided map every eighth. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/emulated.h"
#include "tests/fault/fault_support.h"

enum { N = 3001, WIDTH = 61, HEIGHT = 53, COUNT = 4, LONGEST_S = 20, EVERYDAY = 4, SAMPLED = 5, DIVIDED_SAMPLED = 8 };

YOKE_TYPE(sweep_pair, {
    int a;
    float b;
})
YOKE_EXACT_KERNEL(sweep_map, (out(float, y), in(float, x), value(float, a)), { y[i] = a * x[i] + 1.0f; })
YOKE_EXACT_KERNEL(sweep_update, (inout(float, y), in(float, x), value(sweep_pair, p)),
                  { y[i] = y[i] * p.b + x[i] * (float)p.a; })
YOKE_EXACT_KERNEL(sweep_halo, (halo(float, x, 2, 3), out(double, y)), {
    double sum = 0;
    for (size_t k = i < 2 ? 0 : i - 2; k <= i + 3 && k < n; k++)
        sum += (double)x[k];
    y[i] = sum;
})
YOKE_EXACT_KERNEL_2D(sweep_rows, (halo(float, x, 1, 1), out(float, y)), {
    float below = j + 1 < height ? x[(j + 1) * width + i] : 0.0f;
    float above = j > 0 ? x[(j - 1) * width + i] : 0.0f;
    y[j * width + i] = x[j * width + i] - above - below;
})
YOKE_EXACT_KERNEL(sweep_whole, (in(int, x), whole(int, table, m), out(int, y), value(int, m)),
                  { y[i] = table[(x[i] & 1023) % m]; })
YOKE_EXACT_KERNEL(sweep_scatter, (in(int, x), scatter(int, y, 2 * n)), { y[2 * (n - 1 - i)] = x[i]; })
YOKE_EXACT_LANE_KERNEL(sweep_lanes, (in(int, x), out(int, y)), {
    YOKE_LANES(int, v);
    YOKE_EACH
    {
        v[l] = x[i] & 7;
    }
    int alive = 1;
    while (alive) {
        YOKE_EACH
        {
            v[l] += v[l] < 100 ? 9 : 0;
        }
        YOKE_ANY(alive, v[l] < 100);
    }
    YOKE_EACH
    {
        y[i] = v[l];
    }
})
YOKE_EXACT_REDUCE(sweep_sum, (double, 0.0, a + b), (in(float, x)), (double)x[i])
YOKE_TYPE(sweep_bins, { unsigned count[COUNT]; })
YOKE_FUNCTION(sweep_bins, sweep_none, (void), {
    sweep_bins b;
    for (int k = 0; k < 4; k++)
        b.count[k] = 0;
    return b;
})
YOKE_FUNCTION(sweep_bins, sweep_both, (sweep_bins p, sweep_bins q), {
    for (int k = 0; k < 4; k++)
        p.count[k] += q.count[k];
    return p;
})
YOKE_ACCUMULATE(sweep_histogram, (sweep_bins, sweep_none(), sweep_both(a, b)), (in(int, x)),
                { acc->count[x[i] & 3]++; })

static float x[N + WIDTH * HEIGHT], start[N];
static int xi[N], table[17];

/* Results of one run; all that a scenario writes. */
typedef struct results {
    float f[N + WIDTH * HEIGHT];
    double d[N];
    int i[2 * N];
    double sum;
    sweep_bins bins;
} results;

static const yoke_options together = {.flags = YOKE_ALWAYS_COEXECUTE}, *how; /* of the calls */

typedef int scenario_run(yoke_runtime *r, results *to);

static int run_map(yoke_runtime *r, results *to)
{
    return parallel_map_on(r, how, sweep_map, N, to->f, x, 3.0f);
}
static int run_update(yoke_runtime *r, results *to)
{
    const sweep_pair p = {2, 0.5f};
    memcpy(to->f, start, sizeof start);
    return parallel_map_on(r, how, sweep_update, N, to->f, x, p);
}
static int run_in_place(yoke_runtime *r, results *to)
{
    memcpy(to->f, start, sizeof start);
    return parallel_map_on(r, how, sweep_map, N, to->f, to->f, 3.0f);
}
static int run_halo(yoke_runtime *r, results *to)
{
    return parallel_map_on(r, how, sweep_halo, N, x, to->d);
}
static int run_rows(yoke_runtime *r, results *to)
{
    return parallel_map_2d_on(r, how, sweep_rows, WIDTH, HEIGHT, x, to->f);
}
static int run_whole(yoke_runtime *r, results *to)
{
    return parallel_map_on(r, how, sweep_whole, N, xi, table, to->i, 17);
}
static int run_scatter(yoke_runtime *r, results *to)
{
    return parallel_map_on(r, how, sweep_scatter, N, xi, to->i);
}
static int run_lanes(yoke_runtime *r, results *to)
{
    return parallel_map_on(r, how, sweep_lanes, N, xi, to->i);
}
static int run_sum(yoke_runtime *r, results *to)
{
    return parallel_reduce_on(r, how, sweep_sum, N, &to->sum, x);
}
static int run_histogram(yoke_runtime *r, results *to)
{
    return parallel_reduce_on(r, how, sweep_histogram, N, &to->bins, xi);
}
static const sweep_pair chain_end = {2, 0.5f};

/* Managed arrays, which the device uses in place or mirrors: maps in a row, each over the results of those before it. */
static int run_chain(yoke_runtime *r, results *to, const yoke_options *options)
{
    float *in = yoke_alloc(sizeof start, YOKE_PLACE_DEFAULT), *out = yoke_alloc(sizeof start, YOKE_PLACE_DEFAULT);
    assert_non_null(in);
    assert_non_null(out);
    memcpy(yoke_write(in), x, sizeof start);
    int status = parallel_map_on(r, options, sweep_map, N, out, in, 3.0f);
    if (status == YOKE_OK)
        status = parallel_map_on(r, options, sweep_map, N, in, out, 5.0f);
    if (status == YOKE_OK)
        status = parallel_map_on(r, options, sweep_update, N, in, out, chain_end);
    const void *got = status == YOKE_OK ? yoke_read(in) : NULL;
    if (got != NULL)
        memcpy(to->f, got, sizeof start);
    else if (status == YOKE_OK)
        status = YOKE_ELOST;
    assert_int_equal(yoke_free(in), YOKE_OK);
    assert_int_equal(yoke_free(out), YOKE_OK);
    return status;
}

static int run_written_back(yoke_runtime *r, results *to)
{
    yoke_options options = how != NULL ? *how : (yoke_options){.flags = 0};
    options.flags |= YOKE_WRITE_BACK;
    return run_chain(r, to, &options);
}

static unsigned long lost_arrays;
static bool memory_apart;

/* What was only on a device that failed is lost, and that is said. */
static int run_managed(yoke_runtime *r, results *to)
{
    const int status = run_chain(r, to, how);
    if (status != YOKE_ELOST)
        return status;
    if (!memory_apart || strstr(yoke_error_detail(), " of kernel sweep_") == NULL)
        fail_msg("lost, or without its name: %s", yoke_error_detail());
    lost_arrays++;
    for (size_t k = 0; k < N; k++) {
        const float out = 3.0f * x[k] + 1.0f;
        to->f[k] = (5.0f * out + 1.0f) * chain_end.b + out * (float)chain_end.a;
    }
    return YOKE_OK;
}

static const struct scenario {
    const char *name;
    scenario_run *run;
} scenarios[] = {
    {"map", run_map},   {"update", run_update},       {"in place", run_in_place},         {"halo", run_halo},
    {"rows", run_rows}, {"whole", run_whole},         {"scatter", run_scatter},           {"lanes", run_lanes},
    {"sum", run_sum},   {"histogram", run_histogram}, {"written back", run_written_back}, {"managed", run_managed},
};

static const char *const actions[] = {"-4",      "-5",          "-6",          "-2",    "-59", "lost",
                                      "delay=2", "evstatus=-5", "evstatus=-4", "stall", "hang"};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios, ACTIONS = sizeof actions / sizeof *actions, SLOW = 9 };

static unsigned long runs, on_cpu, refused, lost_devices;
static unsigned complete;

/* A device that was named may be refused, with a clear status, when it cannot be found or opened at all. */
static bool refused_clearly(void)
{
    const char *detail = yoke_error_detail();
    refused++;
    return detail[0] != '\0';
}

static void count_losses(yoke_runtime *r)
{
    yoke_decision decision;
    on_cpu += yoke_last_decision(&decision) != YOKE_OK || decision.device_items < decision.items;
    for (int k = 0; k < yoke_devices(r); k++) {
        yoke_device device;
        assert_int_equal(yoke_device_of(r, (unsigned)k, &device), YOKE_OK);
        lost_devices += device.state == YOKE_DEVICE_LOST;
    }
}

static bool is_same(const void *got, const void *wanted)
{
    return memcmp(got, wanted, sizeof(results)) == 0;
}

/* One run in a runtime of its own: everything from the discovery on may fail. */
static void run_once(const struct scenario *s, const results *wanted, const char *fault, const char *where)
{
    static results got;
    memset(&got, 0, sizeof got);
    const int64_t begin = yoke__now_ns();
    yoke_runtime *r = open_runtime("gpu");
    if (r != NULL) {
        int status = s->run(r, &got);
        const bool differs = !is_same(&got, wanted);
        if (status != YOKE_OK || differs)
            fail_msg("%s with \"%s\" at %s: status %d (%s), result %s", s->name, fault, where, status,
                     yoke_error_detail(), differs ? "differs" : "equal");
        count_losses(r);
        if (strstr(fault, "hang") != NULL || strstr(fault, "stall") != NULL)
            (void)control("reset"); /* it has been waited for once */
        (void)control("release");
        assert_int_equal(yoke_close(r), YOKE_OK);
    } else if (!refused_clearly()) {
        fail_msg("%s with \"%s\" at %s: refused without a word", s->name, fault, where);
    }
    (void)control("release");
    if (control("violations?") != 0)
        fail_msg("%s with \"%s\" at %s: OpenCL misused: %s", s->name, fault, where, violation());
    const double took = (double)(yoke__now_ns() - begin) * 1e-9;
    if (took > LONGEST_S)
        fail_msg("%s with \"%s\" at %s took %.1f s", s->name, fault, where, took);
    runs++;
}

/* A device that was given up may still write where it was told to: from a driver's thread that is a race, to TSan. */
static bool may_fail(const struct scenario *s)
{
    return !SANITIZED_THREADS || (s->run != run_written_back && s->run != run_managed);
}

static void sweep(void **state)
{
    const struct scenario *s = *state;
    static results wanted;
    uint64_t seed = seed_of(s->name);
    yoke_runtime *cpu = open_runtime("cpu");
    assert_non_null(cpu);
    memset(&wanted, 0, sizeof wanted);
    assert_int_equal(s->run(cpu, &wanted), YOKE_OK);
    assert_int_equal(yoke_close(cpu), YOKE_OK);
    (void)control("reset");
    run_once(s, &wanted, "none", "no call");
    const int calls = control("calls?");
    const bool all = getenv("YOKE_SWEEP") != NULL;
    assert_true(calls > 20);
    const int step = all ? 1 : (SANITIZED || is_emulated() ? SAMPLED : EVERYDAY) * (how != NULL ? DIVIDED_SAMPLED : 1);
    for (int k = 1 + (int)draw_below(&seed, (uint64_t)step); k <= calls && may_fail(s); k += step) {
        for (unsigned a = 0; a < (all ? 2 * ACTIONS : 1); a++) {
            unsigned chosen = all ? a : (unsigned)draw_below(&seed, 2 * ACTIONS);
            if (!all && chosen % ACTIONS >= SLOW && draw_below(&seed, 4) != 0) /* half a second each: fewer of them */
                chosen -= SLOW;
            char fault[80], where[80];
            (void)snprintf(fault, sizeof fault, "fault *:%d:%s%s", k, actions[chosen % ACTIONS],
                           chosen >= ACTIONS ? ":sticky" : "");
            (void)control("reset");
            assert_int_equal(control(fault), 0);
            (void)snprintf(where, sizeof where, "call %d of %d (%s)", k, calls, call_name(k));
            run_once(s, &wanted, fault, where);
        }
    }
    (void)control("reset");
    run_once(s, &wanted, "none", "no call");
    complete++;
}

static int set_up(void **state)
{
    uint64_t seed = 1;
    for (size_t k = 0; k < sizeof x / sizeof *x; k++)
        x[k] = (float)draw_double(&seed, -4, 4);
    for (size_t k = 0; k < N; k++)
        start[k] = (float)draw_double(&seed, -4, 4), xi[k] = (int)draw_below(&seed, 1u << 20);
    for (int k = 0; k < 17; k++)
        table[k] = 3 * k;
    return open_fake(state);
}

static const struct shape {
    const char *name, *unified, *devices;
    const yoke_options *how;
} shapes[] = {
    {"host and device memory apart", "0", "1", NULL},
    {"host and device memory one", "1", "1", NULL},
    {"host and device memory one, but copied", "2", "1", NULL},
    {"each call divided among two devices", "0", "2", &together},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const struct shape *current;
static unsigned chosen_count;

static int tell(void **state)
{
    (void)state;
    printf("fault sweep, %s: %lu runs, in %lu of them the CPU finished the work, in %lu the device was refused at the "
           "start, %lu devices lost, %lu managed arrays with them; %u of %u scenarios without a wrong or lost result\n",
           current->name, runs, on_cpu, refused, lost_devices, lost_arrays, complete, chosen_count);
    return 0;
}

/* The driver's shape is fixed once it was listed: a process for each. */
static int run_some(const struct shape *shape, unsigned first, unsigned count)
{
    struct CMUnitTest tests[SCENARIOS];
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (unsigned k = 0; k < count; k++) {
            const struct scenario *s = &scenarios[first + k];
            tests[k] = (struct CMUnitTest){s->name, sweep, NULL, NULL, (void *)(uintptr_t)s};
        }
        current = shape;
        chosen_count = count;
        how = shape->how;
        memory_apart = shape->unified[0] == '0';
        (void)setenv("FAKECL_UNIFIED", shape->unified, 1);
        (void)setenv("FAKECL_DEVICES", shape->devices, 1);
        exit(_cmocka_run_group_tests(shape->name, tests, count, set_up, tell));
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Lost devices keep their homes, of which a process has 30: what is only there while there is one comes alone. */
static int run_shape(const struct shape *shape)
{
    const int failed = run_some(shape, 0, SCENARIOS - 1);
    return failed != 0 ? failed : run_some(shape, SCENARIOS - 1, 1);
}

int main(void)
{
    int failed = 0;
    for (unsigned k = 0; k < SHAPES && failed == 0; k++)
        failed = run_shape(&shapes[k]);
    return failed;
}
