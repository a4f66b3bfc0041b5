/* lib/schedule: plans are pure; every item is in one unit, and a reduction's blocks do not depend on who computes. */
#include "lib/schedule/schedule.h"
#include "tests/unit/support.h"

static yoke__load draw_load(uint64_t *seed)
{
    static const size_t steps[] = {1, 1, 64};
    yoke__load load = {.step = steps[draw_below(seed, 3)]};
    load.items = (size_t)(draw(seed) >> draw_below(seed, 64));
    load.items = load.items == 0 ? 1 : load.items;
    load.item_ns = draw_below(seed, 4) == 0 ? 0 : draw_double(seed, 0, 1) * (double)(1u << draw_below(seed, 24));
    load.grain = draw_below(seed, 2) == 0 ? 0 : (size_t)(draw(seed) >> draw_below(seed, 64));
    load.workers = (unsigned)(1 + draw_below(seed, draw_below(seed, 2) == 0 ? 8 : 65536));
    load.asleep = (unsigned)draw_below(seed, load.workers);
    load.always_divide = draw_below(seed, 3) == 0;
    return load;
}

static void plan_units_cover_every_item_whatever_is_asked(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = rounds_of(200000); round > 0; round--) {
        const yoke__load load = draw_load(&seed);
        const yoke__plan plan = yoke__plan_division(&load);
        if (plan.unit < 1 || plan.unit % load.step != 0 || plan.units < 1 || plan.units > INT32_MAX || plan.grain < 1 ||
            plan.grain > plan.units || plan.workers < 1 || plan.workers > load.workers || plan.workers > plan.units)
            fail_msg("%zu items, step %zu, %g ns, grain %zu, %u workers: unit %zu, units %u, grain %u, workers %u",
                     load.items, load.step, load.item_ns, load.grain, load.workers, plan.unit, plan.units, plan.grain,
                     plan.workers);
        size_t full = plan.units - 1u; /* units but the last are full, and the last is not empty */
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): fail_msg above does not return */
        assert_true(full == 0 || load.items / plan.unit >= full);
        assert_true(load.items - full * plan.unit >= 1 && load.items - full * plan.unit <= plan.unit);
    }
}

static void plan_at_the_largest_size_fits(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 64; step += 63) {
        const yoke__load load = {.items = SIZE_MAX, .step = step, .workers = 65536, .item_ns = 1e-6, .grain = SIZE_MAX};
        const yoke__plan plan = yoke__plan_division(&load);
        assert_true(plan.unit % step == 0 && plan.units <= INT32_MAX);
        assert_true(plan.unit >= SIZE_MAX / INT32_MAX);
    }
}

static void plan_leaves_short_maps_to_the_caller_and_divides_long_ones(void **state)
{
    (void)state;
    yoke__load load = {.items = 1000, .step = 1, .item_ns = 0.5, .workers = 4, .asleep = 3};
    assert_int_equal(yoke__plan_division(&load).workers, 1);
    load.always_divide = true;
    assert_int_equal(yoke__plan_division(&load).workers, 4);
    load.always_divide = false;
    load.items = 100000000;
    assert_int_equal(yoke__plan_division(&load).workers, 4);
    assert_true(yoke__plan_division(&load).wake);
    load.workers = 1;
    load.asleep = 0;
    assert_int_equal(yoke__plan_division(&load).workers, 1);
}

static void reduction_blocks_depend_on_items_and_result_only(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    assert_int_equal(yoke__plan_reduction_block(1, 4, 64), yoke__plan_reduction_block(4096, 4, 64));
    for (unsigned long round = rounds_of(100000); round > 0; round--) {
        size_t items = (size_t)(draw(&seed) >> draw_below(&seed, 64));
        size_t bytes = (size_t)(1 + draw_below(&seed, draw_below(&seed, 2) == 0 ? 64 : 1 << 22));
        items = items == 0 ? 1 : items;
        size_t block = yoke__plan_reduction_block(items, bytes, 64);
        size_t blocks = items / block + (items % block != 0);
        assert_true(block % 64 == 0 && block >= 64);
        assert_true(blocks >= 1 && blocks <= 1024);
        assert_true(blocks <= 4 || blocks * bytes <= 2u << 20); /* half the address space is some blocks of any size */
    }
}

static void estimates_follow_a_jump_at_once_and_noise_slowly(void **state)
{
    (void)state;
    assert_true(yoke__learn(0, 5) == 5);
    assert_true(yoke__learn(1, 100) == 100);
    assert_true(yoke__learn(100, 1) == 1);
    double next = yoke__learn(10, 12);
    assert_true(next > 10 && next < 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_units_cover_every_item_whatever_is_asked),
        cmocka_unit_test(plan_at_the_largest_size_fits),
        cmocka_unit_test(plan_leaves_short_maps_to_the_caller_and_divides_long_ones),
        cmocka_unit_test(reduction_blocks_depend_on_items_and_result_only),
        cmocka_unit_test(estimates_follow_a_jump_at_once_and_noise_slowly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
