/* Arrays of yoke_alloc_shared in worker processes: at the same address, without a copy, in both directions; whatever is
 * allocated, freed or killed in between. */
#include <sys/resource.h>

#include "tests/unit/shared_arrays.h"

enum { COUNT = 100003, MANY = 40 };

/* --- content --- */

static void test_disjoint_parts(void **state)
{
    (void)state;
    uint64_t random = seed_of("disjoint parts");
    unsigned *in = shared_numbers(COUNT), *out = shared_numbers(COUNT);
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 3});
    for (unsigned round = 0; round < 3; round++) {
        yoke_future f[7];
        part p[7];
        memset(f, 0, sizeof f);
        for (size_t k = 0; k < COUNT; k++)
            in[k] = (unsigned)draw(&random);
        for (unsigned k = 0; k < 7; k++) {
            p[k] = (part){in, out, (size_t)yoke__share(COUNT, k, 7), (size_t)yoke__share(COUNT, k + 1, 7), round + 3};
            assert_int_equal(yoke_submit_on(pool, &of_part, &f[k], scale, &p[k]), YOKE_OK);
        }
        for (unsigned k = 0; k < 7; k++) {
            int who = 0;
            const int status = yoke_result(&f[k], &who, sizeof who, 0);
            if (status != YOKE_OK)
                fail_msg("%s", yoke_error_detail());
            assert_int_not_equal(who, (int)getpid());
        }
        for (size_t k = 0; k < COUNT; k++)
            assert_int_equal(out[k], in[k] * (round + 3) + 1);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_free(in), YOKE_OK);
    assert_int_equal(yoke_free(out), YOKE_OK);
}

static void test_allocated_later_and_freed(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    assert_int_equal(ask(pool, tell_maps), 0);
    const unsigned files = ask(pool, tell_files);
    for (unsigned round = 0; round < 20; round++) {
        unsigned *x = shared_numbers(5000 + 100 * round);
        for (size_t k = 0; k < 5000; k++)
            assert_int_equal(x[k], 0);
        x[7] = round;
        check_scaled(pool, x, x + 2000, 2000, round);
        assert_int_equal(x[2007], round * round + 1);
        assert_true(ask(pool, tell_files) <= files + 1); /* its watcher opens one */
        assert_int_equal(yoke_free(x), YOKE_OK);
        if (round % 3 == 0)
            assert_int_equal(ask(pool, tell_maps), 0);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* At the address of one that was freed, and that the worker still has. */
static void test_same_address_again(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    unsigned *x = shared_numbers(1000), *first = x;
    check_scaled(pool, x, x + 500, 500, 3);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(yoke_free(x), YOKE_OK);
        yoke__shared_place_next = first;
        x = shared_numbers(1000 + 5000 * round);
        assert_ptr_equal(x, first);
        assert_int_equal(x[700], 0);
        x[3] = 77;
        check_scaled(pool, x, x + 500, 500, 5);
    }
    assert_int_equal(yoke_free(x), YOKE_OK);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* More than go into a message; freed here and there. */
static void test_many(void **state)
{
    (void)state;
    uint64_t random = seed_of("many arrays");
    unsigned *x[MANY] = {NULL};
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 2});
    for (unsigned round = 0; round < 6; round++) {
        unsigned alive = 0;
        for (unsigned k = 0; k < MANY; k++) {
            if (x[k] != NULL && draw_below(&random, 2) == 0) {
                assert_int_equal(yoke_free(x[k]), YOKE_OK);
                x[k] = NULL;
            }
            if (x[k] == NULL && (round == 0 || draw_below(&random, 2) == 0)) {
                x[k] = shared_numbers(2000);
                x[k][0] = 1000 * round + k;
            }
            alive += x[k] != NULL;
        }
        for (unsigned k = 0; k < MANY; k++)
            if (x[k] != NULL)
                check_scaled(pool, x[k], x[k] + 1000, 1000, k);
        assert_int_equal(ask(pool, tell_maps), alive);
        assert_int_equal(count_maps((long)getpid()), alive);
    }
    for (unsigned k = 0; k < MANY; k++)
        assert_int_equal(yoke_free(x[k]), YOKE_OK);
    assert_int_equal(ask(pool, tell_maps), 0);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
}

/* --- without a copy, of arguments and of items --- */

static int square_item(void *item, void *result)
{
    const unsigned *x = item;
    unsigned *y = result;
    const unsigned before = *y;
    *y = *x * *x + before;
    return *x == 77 ? raise(SIGKILL) : 0;
}

static int add_to_all(void *item, void *result)
{
    (void)result;
    return __atomic_add_fetch((unsigned *)item, 1, __ATOMIC_RELAXED) > 0 ? 0 : -1;
}

static int first_of(void *argument, void *result)
{
    *(unsigned *)result = *(const unsigned *)argument;
    return 0;
}

static void test_in_place(void **state)
{
    (void)state;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 2, .shared_bytes = 2 * DATA_AT});
    unsigned *x = shared_numbers(COUNT), *y = shared_numbers(COUNT), result = 0, outside = 5;
    yoke_future f = {0};
    x[10] = 123;
    assert_int_equal(yoke_submit(pool, &f, first_of, &x[10]), YOKE_OK);
    assert_int_equal(yoke_result(&f, &result, sizeof result, 0), YOKE_OK);
    assert_int_equal(result, 123);
    assert_int_equal(yoke_submit(pool, &f, first_of, &outside), YOKE_EINVAL);
    assert_non_null(strstr(yoke_error_detail(), "yoke_alloc_shared"));
    for (unsigned k = 0; k < COUNT; k++)
        x[k] = k + 1000;
    memset(y, 0xee, COUNT * sizeof *y); /* results are zeroed before */
    assert_int_equal(yoke_map(pool, square_item, COUNT, x, sizeof *x, y, sizeof *y), YOKE_OK);
    for (unsigned k = 0; k < COUNT; k++)
        assert_int_equal(y[k], x[k] * x[k]);
    unsigned plain[100];
    assert_int_equal(yoke_map(pool, square_item, 100, x, sizeof *x, plain, sizeof *plain), YOKE_OK);
    assert_int_equal(plain[99], x[99] * x[99]);
    x[0] = 0;
    assert_int_equal(yoke_map(pool, add_to_all, 500, x, 0, NULL, 0), YOKE_OK);
    assert_int_equal(x[0], 500);
    assert_int_equal(yoke_map(pool, add_to_all, 5, &outside, 0, NULL, 0), YOKE_EINVAL);
    x[50] = 77;
    int statuses[100];
    const yoke_map_options o = {.chunk = 100, .statuses = statuses};
    assert_int_equal(yoke_map_on(pool, &o, square_item, 100, x, sizeof *x, y, sizeof *y), YOKE_ECRASH);
    for (unsigned k = 0; k < 100; k++) {
        assert_int_equal(statuses[k], k == 50 ? YOKE_ECRASH : 0);
        assert_int_equal(y[k], k == 50 ? 0 : x[k] * x[k]);
    }
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_free(x), YOKE_OK);
    assert_int_equal(yoke_free(y), YOKE_OK);
}

/* --- with maps of the worker's own, and with other pools --- */

YOKE_KERNEL(plus_one, (out(unsigned, y), in(unsigned, x)), { y[i] = x[i] + 1; })

static int map_there(void *argument, void *result)
{
    const part *p = argument;
    (void)result;
    return parallel_map(plus_one, p->end, p->out, p->in);
}

static void test_maps_in_workers(void **state)
{
    (void)state;
    unsigned *x = yoke_alloc_shared(COUNT * sizeof *x, YOKE_PLACE_PARTITION), *y = shared_numbers(COUNT);
    assert_non_null(x);
    for (unsigned k = 0; k < COUNT; k++)
        x[k] = 3 * k;
    yoke_executor *pool = open_pool((yoke_process_pool_options){.processes = 1});
    yoke_executor *other = open_pool((yoke_process_pool_options){.processes = 1});
    assert_int_equal(run_part(pool, map_there, (part){x, y, 0, COUNT, 0}), YOKE_OK);
    for (unsigned k = 0; k < COUNT; k++)
        assert_int_equal(y[k], 3 * k + 1);
    check_scaled(other, y, x, COUNT, 2);
    assert_int_equal(yoke_join(other, 0), YOKE_OK);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    assert_int_equal(yoke_free(x), YOKE_OK);
    assert_int_equal(yoke_free(y), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disjoint_parts, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_allocated_later_and_freed, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_same_address_again, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_many, note_files, nothing_is_left),
        cmocka_unit_test_setup_teardown(test_in_place, note_files, nothing_is_left),
        cmocka_unit_test(test_maps_in_workers),
    };
    if (no_processes())
        return 77;
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    alarm_in(120);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
