/* Managed arrays on devices with memory of their own: what moves, what does not, and random programs beside a plain model. */
#include "tests/fault/devices_support.h"

enum { ARRAYS = 4, MOST = 9001, STEPS = 120, WIDTH = 37 };

YOKE_EXACT_KERNEL(man_step, (inout(float, x), value(float, a)), { x[i] = a * x[i] + 1.0f; })
YOKE_EXACT_KERNEL(man_smooth, (halo(float, x, 2, 3), out(float, y)), {
    float sum = 0.0f;
    for (size_t k = i < 2 ? 0 : i - 2; k <= i + 3 && k < n; k++)
        sum += x[k];
    y[i] = sum * 0.125f;
})
YOKE_EXACT_KERNEL(man_gather, (whole(float, x, n), inout(float, y)), { y[i] = 0.5f * y[i] + x[n - 1 - i]; })
YOKE_EXACT_KERNEL(man_mirror, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i] + 1.0f; })
YOKE_EXACT_KERNEL_2D(man_rows, (halo(float, x, 1, 1), out(float, y)), {
    float above = j > 0 ? x[(j - 1) * width + i] : 0.0f;
    y[j * width + i] = 0.5f * x[j * width + i] - above;
})
YOKE_EXACT_REDUCE(man_sum, (float, 0.0f, a + b), (in(float, x)), x[i])

static float *array_of(size_t n)
{
    float *array = yoke_alloc(n * sizeof *array, YOKE_PLACE_DEFAULT);
    assert_non_null(array);
    return array;
}

static void free_array(void *array)
{
    assert_int_equal(yoke_free(array), YOKE_OK);
}

static void wait_until_built(yoke_runtime *r, unsigned devices)
{
    for (unsigned k = 0; k < devices; k++) {
        char name[16];
        (void)snprintf(name, sizeof name, "opencl:%u", k);
        assert_int_equal(scale(r, &(yoke_options){.devices = name}, N), YOKE_OK);
        assert_int_equal(parallel_map_on(r, &(yoke_options){.devices = name}, man_step, N, y, 0.5f), YOKE_OK);
    }
    (void)control("reset");
}

/* --- what moves --- */

/* Ten maps to and fro between two arrays: one goes there once, the results come back once. */
static void chain_moves_each_array_once(void **state)
{
    (void)state;
    if (getenv("YOKE_CHECK") != NULL)
        skip(); /* a check moves more */
    yoke_runtime *r = runtime_on("gpu:0");
    wait_until_built(r, 1);
    float *a = array_of(LARGE), *b = array_of(LARGE);
    const int bytes = LARGE * (int)sizeof *a;
    memcpy(yoke_write(a), x, (size_t)bytes);
    for (unsigned k = 0; k < 10; k++)
        assert_int_equal(parallel_map_on(r, NULL, dev_scale, LARGE, k % 2 == 0 ? a : b, k % 2 == 0 ? b : a, 0.5f),
                         YOKE_OK);
    assert_int_equal(control("bytes_in?"), bytes);
    assert_int_equal(control("bytes_out?"), 0);
    const float *got = yoke_read(a);
    assert_non_null(got);
    assert_non_null(yoke_read(b));
    assert_non_null(yoke_read(b));
    assert_int_equal(control("bytes_out?"), 2 * bytes);
    for (size_t i = 0; i < LARGE; i++) {
        float v = x[i];
        for (unsigned k = 0; k < 10; k++)
            v = 0.5f * v + 1.0f;
        assert_true(got[i] == v);
    }
    const yoke_device facts = device_of(r, 0);
    print_message("ten maps over two arrays of %d bytes: %d to the device, %d back\n", bytes, control("bytes_in?"),
                  control("bytes_out?"));
    assert_true(facts.bytes_in >= (uint64_t)bytes && facts.bytes_out >= 2 * (uint64_t)bytes);
    float sum = 0;
    assert_int_equal(parallel_reduce_on(r, NULL, man_sum, LARGE, &sum, b), YOKE_OK); /* still there */
    assert_int_equal(control("bytes_in?"), bytes);
    free_array(a);
    free_array(b);
    close_runtime(r);
}

/* Divided among devices, each part stays where it was computed as long as the division is the same. */
static void divided_chain_moves_little(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0,gpu:1");
    wait_until_built(r, 2);
    float *a = array_of(LARGE);
    memcpy(yoke_write(a), x, LARGE * sizeof *a);
    const yoke_options together = {.flags = YOKE_ALWAYS_COEXECUTE};
    for (unsigned k = 0; k < 10; k++)
        assert_int_equal(parallel_map_on(r, &together, man_step, LARGE, a, 0.5f), YOKE_OK);
    assert_non_null(yoke_read(a));
    for (size_t i = 0; i < LARGE; i++) {
        float v = x[i];
        for (unsigned k = 0; k < 10; k++)
            v = 0.5f * v + 1.0f;
        assert_true(a[i] == v);
    }
    print_message("ten divided maps over an array of %zu bytes: %d to devices, %d back\n", LARGE * sizeof *a,
                  control("bytes_in?"), control("bytes_out?"));
    free_array(a);
    close_runtime(r);
}

static void parts_that_the_host_wrote_go_there_alone(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu:0");
    wait_until_built(r, 1);
    float *a = array_of(LARGE);
    memcpy(yoke_write(a), x, LARGE * sizeof *a);
    assert_int_equal(parallel_map_on(r, NULL, man_step, LARGE, a, 2.0f), YOKE_OK);
    (void)control("reset");
    float *part = yoke_update_range(a + 1000, 10 * sizeof *a);
    assert_non_null(part);
    assert_int_equal(control("bytes_out?"), 10 * (int)sizeof *a);
    for (size_t k = 0; k < 10; k++)
        part[k] += 1.0f;
    assert_int_equal(parallel_map_on(r, NULL, man_step, LARGE, a, 2.0f), YOKE_OK);
    assert_int_equal(control("bytes_in?"), 10 * (int)sizeof *a);
    assert_non_null(yoke_read(a));
    for (size_t i = 0; i < LARGE; i++)
        assert_true(a[i] == 2.0f * (2.0f * x[i] + 1.0f + (i >= 1000 && i < 1010 ? 1.0f : 0.0f)) + 1.0f);
    free_array(a);
    close_runtime(r);
}

static void prefetched_array_is_there(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    wait_until_built(r, 1);
    float *a = array_of(LARGE);
    const int bytes = LARGE * (int)sizeof *a;
    memcpy(yoke_write(a), x, (size_t)bytes);
    assert_int_equal(yoke_prefetch(r, a + 5, 0), YOKE_OK);
    for (unsigned k = 0; k < 1000 && control("bytes_in?") < bytes; k++)
        sleep_ns(1000000);
    assert_int_equal(control("bytes_in?"), bytes);
    assert_int_equal(parallel_map_on(r, &(yoke_options){.devices = "gpu:0"}, man_step, LARGE, a, 2.0f), YOKE_OK);
    assert_int_equal(control("bytes_in?"), bytes);
    assert_non_null(yoke_read(a));
    for (size_t i = 0; i < LARGE; i++)
        assert_true(a[i] == 2.0f * x[i] + 1.0f);
    assert_int_equal(yoke_prefetch(r, x, 0), YOKE_EINVAL);
    assert_int_equal(yoke_prefetch(r, a, 77), YOKE_EINVAL);
    assert_int_equal(yoke_prefetch(r, a, 1), YOKE_ENODEV); /* not of this runtime */
    free_array(a);
    close_runtime(r);
}

/* What is predicted of the workers: with the array where it is, or after it was brought. */
static double predicted_of_workers(yoke_runtime *r, float *a, bool is_away)
{
    const yoke_options either = {.devices = "cpu,gpu:0", .flags = YOKE_NEVER_COEXECUTE}, there = {.devices = "gpu:0"};
    assert_int_equal(parallel_map_on(r, &there, man_step, LARGE, a, 0.5f), YOKE_OK);
    assert_true(is_away || yoke_update(a) != NULL);
    assert_int_equal(parallel_map_on(r, &either, man_step, LARGE, a, 0.5f), YOKE_OK);
    return last_decision().cpu_ns;
}

static void place_of_the_arrays_counts_when_one_is_chosen(void **state)
{
    (void)state;
    if (getenv("YOKE_CHECK") != NULL)
        skip(); /* a check brings them before */
    /* To bring an array takes longer than other programs make a call vary: two nanoseconds a byte, of which half is asked. */
    shape("GBPS=0.5");
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    wait_until_built(r, 1);
    float *a = array_of(LARGE);
    const double bytes = LARGE * sizeof *a;
    const yoke_options either = {.devices = "cpu,gpu:0", .flags = YOKE_NEVER_COEXECUTE};
    for (unsigned k = 0; k < 100; k++)
        assert_int_equal(parallel_map_on(r, &either, man_step, LARGE, a, 0.5f), YOKE_OK);
    assert_true(last_decision().cpu_ns > 0);
    enum { PAIRS = 5 };
    unsigned longer = 0;
    for (unsigned k = 0; k < PAIRS; k++) {
        const double away = predicted_of_workers(r, a, true), home = predicted_of_workers(r, a, false);
        print_message("workers: %.0f ns predicted with the array on the device, %.0f ns on the host\n", away, home);
        longer += away > home + bytes;
    }
    assert_true(longer > PAIRS / 2);
    free_array(a);
    close_runtime(r);
}

static void closing_brings_everything_back(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("gpu");
    float *a = array_of(N);
    memcpy(yoke_write(a), x, N * sizeof *a);
    assert_int_equal(parallel_map_on(r, NULL, man_step, N, a, 2.0f), YOKE_OK);
    close_runtime(r);
    for (size_t i = 0; i < N; i++)
        assert_true(a[i] == 2.0f * x[i] + 1.0f);
    free_array(a);
}

static void full_device_evicts_what_was_not_used_longest(void **state)
{
    (void)state;
    shape("GLOBALMEM=2^22"); /* three of four arrays */
    shape("MAXALLOC=2^20");
    yoke_runtime *r = runtime_on("gpu:0");
    enum { FITS = 1 << 18, MANY = 6 };
    float *a[MANY];
    for (unsigned k = 0; k < MANY; k++) {
        a[k] = array_of(FITS);
        memcpy(yoke_write(a[k]), x, FITS * sizeof **a);
    }
    for (unsigned round = 0; round < 3; round++)
        for (unsigned k = 0; k < MANY; k++)
            assert_int_equal(parallel_map_on(r, NULL, man_step, FITS, a[k], (float)k), YOKE_OK);
    for (unsigned k = 0; k < MANY; k++) {
        assert_non_null(yoke_read(a[k]));
        for (size_t i = 0; i < FITS; i++) {
            float v = x[i];
            for (unsigned round = 0; round < 3; round++)
                v = (float)k * v + 1.0f;
            assert_true(a[k][i] == v);
        }
        free_array(a[k]);
    }
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_READY);
    close_runtime(r);
}

/* --- what is lost --- */

static void only_copy_on_a_lost_device_is_told_by_name(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    wait_until_built(r, 1);
    const yoke_options there = {.devices = "gpu:0"};
    float *a = array_of(N), *b = array_of(N);
    memcpy(yoke_write(a), x, N * sizeof *a);
    assert_int_equal(parallel_map_on(r, &there, dev_scale, N, a, b, 3.0f), YOKE_OK);
    assert_int_equal(yoke_name_array(b, "temperature"), YOKE_OK);
    assert_int_equal(control("fault *:1:lost"), 0);
    assert_null(yoke_read(b));
    assert_int_equal(yoke__last_failure(), YOKE_ELOST);
    assert_non_null(strstr(yoke_error_detail(), "temperature"));
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_LOST);
    assert_int_equal(parallel_map_on(r, NULL, man_step, N, b, 2.0f), YOKE_ELOST); /* the workers need it, too */
    assert_int_equal(parallel_map_on(r, NULL, dev_scale, N, a, b, 3.0f), YOKE_OK);
    assert_non_null(yoke_read(b)); /* written anew */
    assert_true(is_scaled(x, b, N, 3.0f));
    free_array(a);
    free_array(b);
    close_runtime(r);
}

static void results_that_were_written_back_survive_the_device(void **state)
{
    (void)state;
    yoke_runtime *r = runtime_on("cpu,gpu:0");
    wait_until_built(r, 1);
    const yoke_options there = {.devices = "gpu:0", .flags = YOKE_WRITE_BACK};
    float *a = array_of(N);
    memcpy(yoke_write(a), x, N * sizeof *a);
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(parallel_map_on(r, &there, man_step, N, a, 2.0f), YOKE_OK);
    assert_int_equal(control("bytes_in?"), N * (int)sizeof *a); /* and it stays there */
    assert_int_equal(control("fault *:1:lost"), 0);
    assert_int_equal(parallel_map_on(r, &there, man_step, N, a, 2.0f), YOKE_OK);
    assert_int_equal(device_of(r, 0).state, YOKE_DEVICE_LOST);
    assert_non_null(yoke_read(a));
    for (size_t i = 0; i < N; i++)
        assert_true(a[i] == 2.0f * (2.0f * (2.0f * (2.0f * x[i] + 1.0f) + 1.0f) + 1.0f) + 1.0f);
    free_array(a);
    close_runtime(r);
}

/* --- random programs --- */

typedef struct pair {
    float *managed, model[MOST];
    size_t n;
} pair;

static pair pairs[ARRAYS];

static void renew(pair *p, uint64_t *seed)
{
    if (p->managed != NULL)
        free_array(p->managed);
    p->n = 1 + draw_below(seed, MOST);
    p->managed = array_of(p->n);
    for (size_t i = 0; i < p->n; i++)
        p->model[i] = 0.0f;
}

static void host_touches(pair *p, uint64_t *seed)
{
    const size_t begin = draw_below(seed, p->n), count = 1 + draw_below(seed, p->n - begin);
    const unsigned how = (unsigned)draw_below(seed, 4);
    float *at = p->managed + begin;
    const void *got = how == 0   ? yoke_write_range(at, count * sizeof *at)
                      : how == 1 ? yoke_update(at)
                                 : yoke_read_range(at, count * sizeof *at);
    if (got != at)
        fail_msg("host access %u: %s", how, yoke_error_detail());
    for (size_t i = begin; i < begin + count; i++) {
        if (how > 0)
            assert_true(p->managed[i] == p->model[i]);
        if (how < 2)
            p->managed[i] = p->model[i] = (float)(draw_below(seed, 1000));
    }
}

/* One call on parts of random arrays, and the same on their models. */
static int kernel_touches(yoke_runtime *r, const yoke_options *options, uint64_t *seed)
{
    static float before[MOST];
    pair *p = &pairs[draw_below(seed, ARRAYS)], *q = &pairs[draw_below(seed, ARRAYS)];
    const size_t least = p->n < q->n ? p->n : q->n, begin = draw_below(seed, least),
                 n = 1 + draw_below(seed, least - begin);
    float *a = p->managed + begin, *b = q->managed + begin, *u = p->model + begin, *v = q->model + begin, sum = 0,
          wanted = 0;
    const unsigned what = (unsigned)draw_below(seed, p == q ? 2 : 7);
    memcpy(before, u, n * sizeof *u);
    switch (what) {
    case 0:
        for (size_t i = 0; i < n; i++)
            u[i] = 0.25f * u[i] + 1.0f;
        return parallel_map_on(r, options, man_step, n, a, 0.25f);
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
        return parallel_map_on(r, options, man_smooth, n, a, b);
    case 3:
        for (size_t i = 0; i < n; i++)
            v[i] = 0.5f * v[i] + before[n - 1 - i];
        return parallel_map_on(r, options, man_gather, n, a, b);
    case 4:
        for (size_t i = 0; i < n; i++)
            v[n - 1 - i] = before[i] + 1.0f;
        return parallel_map_on(r, options, man_mirror, n, a, b);
    case 5: {
        const size_t rows = n / WIDTH;
        for (size_t i = 0; i < rows * WIDTH; i++)
            v[i] = 0.5f * before[i] - (i >= WIDTH ? before[i - WIDTH] : 0.0f);
        return parallel_map_2d_on(r, options, man_rows, WIDTH, rows, a, b);
    }
    default: {
        const int status = parallel_reduce_on(r, options, man_sum, n, &sum, a);
        assert_int_equal(parallel_reduce(man_sum, n, &wanted, u), YOKE_OK); /* a fixed tree: the same bits */
        assert_true(status != YOKE_OK || sum == wanted);
        return status;
    }
    }
}

static void run_random_program(yoke_runtime *r, uint64_t seed, unsigned steps)
{
    static const char *const places[] = {"opencl:0", "opencl:1", "cpu", NULL, "all"};
    for (unsigned k = 0; k < ARRAYS; k++)
        renew(&pairs[k], &seed);
    for (unsigned step = 0; step < steps; step++) {
        const unsigned what = (unsigned)draw_below(&seed, 12);
        if (what == 0) {
            renew(&pairs[draw_below(&seed, ARRAYS)], &seed);
        } else if (what == 1) { /* what is written while it is read is not taken: a race, to TSan */
            if (SANITIZED_THREADS)
                continue;
            if (yoke_prefetch(r, pairs[draw_below(&seed, ARRAYS)].managed, (unsigned)draw_below(&seed, 2)) != YOKE_OK)
                fail_msg("step %u: %s", step, yoke_error_detail());
        } else if (what < 5) {
            host_touches(&pairs[draw_below(&seed, ARRAYS)], &seed);
        } else {
            const char *place = places[draw_below(&seed, 5)];
            const bool together = place != NULL && strcmp(place, "all") == 0;
            const unsigned flags =
                (together ? YOKE_ALWAYS_COEXECUTE : 0) | (draw_below(&seed, 4) == 0 ? YOKE_WRITE_BACK : 0);
            const yoke_options options = {.devices = together ? NULL : place, .flags = flags};
            const int status = kernel_touches(r, &options, &seed);
            if (status != YOKE_OK)
                fail_msg("step %u: %s", step, yoke_error_detail());
        }
    }
    for (unsigned k = 0; k < ARRAYS; k++) {
        assert_non_null(yoke_read(pairs[k].managed));
        for (size_t i = 0; i < pairs[k].n; i++)
            if (pairs[k].managed[i] != pairs[k].model[i])
                fail_msg("array %u at %zu of %zu: %g, not %g", k, i, pairs[k].n, (double)pairs[k].managed[i],
                         (double)pairs[k].model[i]);
        free_array(pairs[k].managed);
        pairs[k].managed = NULL;
    }
}

static void run_random_programs(uint64_t seed, unsigned long programs)
{
    yoke_runtime *r = runtime_on("cpu,opencl:0,opencl:1");
    if (getenv("YOKE_CHECK") != NULL)
        programs = (programs + 3) / 4; /* each takes long */
    for (; programs > 0; programs--) {
        alarm(SANITIZED ? 300 : 30);
        run_random_program(r, seed + programs, STEPS);
    }
    close_runtime(r);
}

static void random_programs_give_what_the_model_gives(void **state)
{
    (void)state;
    run_random_programs(seed_of("random_programs"), rounds_of(40));
}

/* Devices that hold two or three of the arrays. */
static void random_programs_on_full_devices(void **state)
{
    (void)state;
    uint64_t seed = seed_of("random_programs_on_full_devices");
    shape("GLOBALMEM=131072");
    shape("MAXALLOC=65536");
    run_random_programs(seed, rounds_of(20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chain_moves_each_array_once, fresh),
        cmocka_unit_test_setup(divided_chain_moves_little, fresh),
        cmocka_unit_test_setup(parts_that_the_host_wrote_go_there_alone, fresh),
        cmocka_unit_test_setup(prefetched_array_is_there, fresh),
        cmocka_unit_test_setup(place_of_the_arrays_counts_when_one_is_chosen, fresh),
        cmocka_unit_test_setup(closing_brings_everything_back, fresh),
        cmocka_unit_test_setup(only_copy_on_a_lost_device_is_told_by_name, fresh),
        cmocka_unit_test_setup(results_that_were_written_back_survive_the_device, fresh),
        cmocka_unit_test_setup(random_programs_give_what_the_model_gives, fresh),
        cmocka_unit_test_setup(random_programs_on_full_devices, fresh),
        cmocka_unit_test_setup(full_device_evicts_what_was_not_used_longest, fresh),
    };
    return cmocka_run_group_tests(tests, open_three, NULL);
}
