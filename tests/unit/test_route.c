/* lib/schedule: a call goes to the place that is fastest, and looking for it costs little. */
#include "lib/schedule/schedule.h"
#include "tests/unit/support.h"

enum { PLACES = 4 };

/* Runs `calls` calls on places of fixed speed; the sum of their times. */
static double spend(const double *speed_ns, const double *floor_ns, const bool *possible, unsigned calls,
                    unsigned *taken, double noise, uint64_t *seed)
{
    yoke__candidate candidate[PLACES] = {{0}};
    double sum = 0;
    for (unsigned k = 0; k < PLACES; k++)
        candidate[k].possible = possible[k], candidate[k].floor_ns = floor_ns[k], taken[k] = 0;
    for (uint32_t call = 0; call < calls; call++) {
        unsigned place = yoke__route(candidate, PLACES, call);
        assert_true(place < PLACES);
        assert_true(candidate[place].possible);
        double ns = speed_ns[place] * (1 + noise * draw_double(seed, 0, 1));
        candidate[place].known_ns = yoke__route_learn(candidate[place].known_ns, ns);
        candidate[place].tries++;
        taken[place]++;
        sum += ns;
    }
    return sum;
}

static void route_of_many_calls_costs_little_more_than_the_best_place(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (int round = 0; round < 500; round++) {
        double speed[PLACES], floor[PLACES], best = 0;
        bool possible[PLACES];
        unsigned taken[PLACES];
        for (unsigned k = 0; k < PLACES; k++) {
            speed[k] = 1000 * (double)(1u << draw_below(&seed, 12)) * draw_double(&seed, 1, 2);
            floor[k] = speed[k] * draw_double(&seed, 0, 1);
            possible[k] = k == 0 || draw_below(&seed, 3) != 0;
            if (possible[k] && (best <= 0 || speed[k] < best))
                best = speed[k];
        }
        const unsigned calls = 20000;
        double tries = 0;
        for (unsigned k = 0; k < PLACES; k++)
            tries += possible[k] ? 2 * speed[k] : 0;
        double sum = spend(speed, floor, possible, calls, taken, 0.1, &seed);
        double bound = 1.2 * (calls * best * 1.05 + tries) + 0.2 * calls * best;
        if (sum > bound)
            fail_msg("%g for %u calls; the best place takes %g", sum, calls, calls * best);
    }
}

/* However many slow places there are, looks at all of them together cost 5 %. */
static void route_looks_at_many_slow_places_for_little(void **state)
{
    (void)state;
    enum { MOST = 9 };
    const unsigned calls = 40000;
    for (unsigned count = 2; count <= MOST; count++) {
        for (unsigned times = 2; times <= 64; times *= 2) {
            yoke__candidate c[MOST] = {{.possible = false}};
            double sum = 0, tries = 0;
            unsigned looks = 0;
            for (unsigned k = 0; k < count; k++)
                c[k].possible = true, tries += k == 0 ? 0 : 2 * 1000.0 * times;
            for (uint32_t call = 0; call < calls; call++) {
                unsigned place = yoke__route(c, count, call);
                assert_true(place < count);
                double ns = place == 0 ? 1000.0 : 1000.0 * times;
                looks += place != 0 && c[place].tries >= 2;
                c[place].known_ns = yoke__route_learn(c[place].known_ns, ns);
                c[place].tries++;
                sum += ns;
            }
            if (sum > 1.05 * calls * 1000.0 + tries)
                fail_msg("%u places %u times slower: %g of the best", count - 1, times, sum / (calls * 1000.0));
            assert_true(looks >= count - 1);
        }
    }
}

static void route_never_tries_a_place_that_cannot_be_faster(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    unsigned taken[PLACES];
    (void)spend((double[]){100, 500, 500, 50}, (double[]){0, 200, 400, 10}, (bool[]){true, true, true, true}, 1000,
                taken, 0, &seed);
    assert_int_equal(taken[1], 0);
    assert_int_equal(taken[2], 0);
    assert_true(taken[3] > 900);
}

static void route_finds_a_place_that_became_faster(void **state)
{
    (void)state;
    yoke__candidate c[2] = {{.possible = true, .known_ns = 100, .tries = 9},
                            {.possible = true, .known_ns = 150, .tries = 9}};
    unsigned second = 0;
    for (uint32_t call = 0; call < 2000; call++) {
        unsigned place = yoke__route(c, 2, call);
        c[place].known_ns = yoke__route_learn(c[place].known_ns, place == 0 ? 100 : 50);
        second += place == 1;
    }
    assert_true(second > 1800);
}

static void route_without_a_possible_place_says_so(void **state)
{
    (void)state;
    assert_int_equal(yoke__route((yoke__candidate[2]){{0}}, 2, 0), 2);
    assert_int_equal(yoke__route((yoke__candidate[2]){{0}, {.possible = true}}, 2, 7), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_of_many_calls_costs_little_more_than_the_best_place),
        cmocka_unit_test(route_looks_at_many_slow_places_for_little),
        cmocka_unit_test(route_never_tries_a_place_that_cannot_be_faster),
        cmocka_unit_test(route_finds_a_place_that_became_faster),
        cmocka_unit_test(route_without_a_possible_place_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
