/* The division on simulated machines: all end together, whatever the devices are and do. */
#include <math.h>

#include "tests/simulator/world.h"
#include "tests/unit/support.h"

static const double MEAN = 0.95, EACH = 0.85, AGAINST_SINGLE = 1.05;
enum { LIVES = SANITIZED ? 3 : 15 };

static bool is_bad(double efficiency)
{
    return !(efficiency >= EACH && efficiency <= 1);
}

static void division_comes_close_to_the_ideal(void **state)
{
    (void)state;
    double sum = 0;
    unsigned bad = 0;
    for (unsigned k = 0; k < scenario_count; k++) {
        const trial t = try_scenario(&scenarios[k], LIVES);
        sum += t.learned;
        if (!is_bad(t.learned) && !is_bad(t.later) && t.against_single <= AGAINST_SINGLE && t.cold <= 1)
            continue;
        print_error("%s: efficiency %.3f (cold %.3f, later %.3f), %.3f x the best single place\n", scenarios[k].name,
                    t.learned, t.cold, t.later, t.against_single);
        bad++;
    }
    assert_int_equal(bad, 0);
    if (sum < MEAN * scenario_count)
        fail_msg("mean efficiency %.3f", sum / scenario_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_comes_close_to_the_ideal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
