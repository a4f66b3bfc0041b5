/* lib/cpu/range.h: claims of one word, alone and by many threads at once. */
#include <pthread.h>

#include "lib/cpu/range.h"
#include "tests/unit/support.h"

static void take_hands_out_grains_from_the_front(void **state)
{
    (void)state;
    _Atomic uint64_t range = yoke__range_pack(10, 17);
    yoke__claim claim;
    assert_true(yoke__range_take(&range, 3, &claim));
    assert_int_equal(claim.begin, 10);
    assert_int_equal(claim.end, 13);
    assert_true(yoke__range_take(&range, UINT32_MAX, &claim));
    assert_int_equal(claim.begin, 13);
    assert_int_equal(claim.end, 17);
    assert_false(yoke__range_take(&range, 1, &claim));
    assert_false(yoke__range_steal(&range, &claim));
}

static void steal_takes_the_back_half_and_the_last_unit(void **state)
{
    (void)state;
    _Atomic uint64_t range = yoke__range_pack(0, 9);
    yoke__claim claim;
    assert_true(yoke__range_steal(&range, &claim));
    assert_int_equal(claim.begin, 4);
    assert_int_equal(claim.end, 9);
    atomic_store(&range, yoke__range_pack(7, 8));
    assert_true(yoke__range_steal(&range, &claim));
    assert_int_equal(claim.begin, 7);
    assert_int_equal(claim.end, 8);
    assert_false(yoke__range_steal(&range, &claim));
}

static void range_at_the_largest_numbers_does_not_wrap(void **state)
{
    (void)state;
    _Atomic uint64_t range = yoke__range_pack(0, YOKE__RANGE_UNITS);
    yoke__claim claim;
    assert_true(yoke__range_steal(&range, &claim));
    assert_int_equal(claim.begin, YOKE__RANGE_UNITS / 2);
    assert_int_equal(claim.end, YOKE__RANGE_UNITS);
    assert_true(yoke__range_take(&range, UINT32_MAX, &claim));
    assert_int_equal(claim.begin, 0);
    assert_int_equal(claim.end, YOKE__RANGE_UNITS / 2);
}

static void closed_range_gives_nothing_and_takes_nothing(void **state)
{
    (void)state;
    const uint64_t closed = yoke__range_pack(3, 9) | YOKE__RANGE_CLOSED;
    _Atomic uint64_t range = closed;
    yoke__claim claim;
    assert_false(yoke__range_has_units(closed));
    assert_false(yoke__range_take(&range, 1, &claim));
    assert_false(yoke__range_steal(&range, &claim));
    assert_false(yoke__range_put(&range, 20, 30));
    assert_true(atomic_load(&range) == closed);
}

static void put_fills_an_empty_range_only(void **state)
{
    (void)state;
    _Atomic uint64_t range = yoke__range_pack(3, 4);
    yoke__claim claim;
    assert_false(yoke__range_put(&range, 20, 30));
    assert_true(yoke__range_take(&range, 1, &claim));
    assert_true(yoke__range_put(&range, 20, 30));
    assert_true(yoke__range_take(&range, 100, &claim));
    assert_int_equal(claim.begin, 20);
    assert_int_equal(claim.end, 30);
}

enum { UNITS = 20000, THIEVES = 3 };

typedef struct contest {
    _Atomic uint64_t range;
    _Atomic unsigned char seen[UNITS];
    atomic_bool go;
    uint64_t seed;
} contest;

static void mark(contest *c, yoke__claim claim)
{
    for (uint32_t k = claim.begin; k < claim.end; k++)
        atomic_fetch_add_explicit(&c->seen[k], 1, memory_order_relaxed);
}

static void *thief(void *argument)
{
    contest *c = argument;
    yoke__claim claim;
    while (!atomic_load(&c->go))
        yoke__relax();
    while (yoke__range_steal(&c->range, &claim)) {
        mark(c, claim);
        yoke__relax();
    }
    return NULL;
}

static void range_owner_and_thieves_claim_every_unit_once(void **state)
{
    (void)state;
    static contest c;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = rounds_of(50); round > 0; round--) {
        memset(c.seen, 0, sizeof c.seen);
        atomic_store(&c.range, yoke__range_pack(0, UNITS));
        atomic_store(&c.go, false);
        pthread_t threads[THIEVES];
        for (unsigned k = 0; k < THIEVES; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, thief, &c), 0);
        atomic_store(&c.go, true);
        yoke__claim claim;
        while (yoke__range_take(&c.range, (uint32_t)(1 + draw_below(&seed, 5)), &claim))
            mark(&c, claim);
        for (unsigned k = 0; k < THIEVES; k++)
            pthread_join(threads[k], NULL);
        for (uint32_t k = 0; k < UNITS; k++)
            assert_int_equal(c.seen[k], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_hands_out_grains_from_the_front),
        cmocka_unit_test(steal_takes_the_back_half_and_the_last_unit),
        cmocka_unit_test(range_at_the_largest_numbers_does_not_wrap),
        cmocka_unit_test(closed_range_gives_nothing_and_takes_nothing),
        cmocka_unit_test(put_fills_an_empty_range_only),
        cmocka_unit_test(range_owner_and_thieves_claim_every_unit_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
