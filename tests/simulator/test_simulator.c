/* The division on simulated machines: all end together, whatever the devices are and do. */
#include <math.h>

#include "tests/simulator/world.h"
#include "tests/unit/support.h"

static const double MEAN = 0.95, EACH = 0.85, AGAINST_SINGLE = 1.05, ANY_MEAN = 0.75, ANY_SLOW = 0.1;
enum { LIVES = SANITIZED ? 3 : 15 };

static bool is_bad(const trial *t)
{
    const bool above = t->cold > 1 || t->learned > 1 || t->later > 1; /* then the ideal is none */
    const bool below = !(t->learned >= EACH && t->later >= EACH);
    return above || below || t->against_single > AGAINST_SINGLE || t->later_against_single > AGAINST_SINGLE;
}

static void tell(const char *name, const trial *t)
{
    printf("%s: efficiency %.3f (cold %.3f, later %.3f), %.3f x the best single place, later %.3f\n", name, t->learned,
           t->cold, t->later, t->against_single, t->later_against_single);
}

static void division_comes_close_to_the_ideal(void **state)
{
    (void)state;
    double sum = 0;
    unsigned bad = 0;
    for (unsigned k = 0; k < scenario_count; k++) {
        const trial t = try_scenario(&scenarios[k], LIVES);
        sum += t.learned;
        if (!is_bad(&t))
            continue;
        tell(scenarios[k].name, &t);
        bad++;
    }
    assert_int_equal(bad, 0);
    if (sum < MEAN * scenario_count)
        fail_msg("mean efficiency %.3f", sum / scenario_count);
}

static double between(uint64_t *seed, double low, double high)
{
    return low * pow(high / low, draw_double(seed, 0, 1));
}

static place any_device(uint64_t *seed, double team_ns, bool over_bus)
{
    place p = {.item_ns = team_ns * between(seed, 0.05, 20),
               .launch_ns = between(seed, 1e4, 3e5),
               .start_ns = between(seed, 5e3, 2e5),
               .reports_at_end = draw_below(seed, 4) == 0,
               .noise = draw_double(seed, 0, 0.2),
               .noise_slot_ns = between(seed, 1e5, 1e7),
               .run_noise = draw_double(seed, 0, 0.1),
               .guess = {.launch_ns = 5e4},
               .tried = true};
    if (over_bus)
        p.up_ns = p.item_ns * between(seed, 0.1, 2), p.down_ns = p.up_ns, p.commit_ns = p.up_ns / 2;
    return p;
}

static scenario any_machine(uint64_t *seed)
{
    const double team_ns = between(seed, 0.5, 500), total_ns = between(seed, 3e5, 2e8);
    scenario s = {.name = "any",
                  .items = (size_t)(total_ns / team_ns),
                  .step = draw_below(seed, 2) == 0 ? 1 : 64,
                  .costs = (costs)draw_below(seed, 4),
                  .count = 2 + (unsigned)draw_below(seed, 5)};
    s.place[0] = (place){.item_ns = team_ns,
                         .launch_ns = between(seed, 2e3, 1e5),
                         .noise = draw_double(seed, 0, 0.1),
                         .noise_slot_ns = between(seed, 1e5, 1e7),
                         .run_noise = draw_double(seed, 0, 0.1)};
    s.place[0].tried = true;
    s.place[0].guess = (yoke__rate){.launch_ns = 2e4, .item_ns = team_ns * between(seed, 0.5, 2)};
    for (unsigned k = 1; k < s.count; k++)
        s.place[k] = any_device(seed, team_ns, s.costs == EVEN && draw_below(seed, 2) == 0);
    return s;
}

/* Machines that nobody chose: less is asked, for in some of them launches are as long as the work, or all of the
 * expensive items lie with a slow device. */
static void division_serves_any_machine(void **state)
{
    (void)state;
    enum { MACHINES = SANITIZED ? 30 : 300 };
    uint64_t seed = 20;
    double sum = 0;
    unsigned slow = 0;
    for (unsigned k = 0; k < MACHINES; k++) {
        const scenario s = any_machine(&seed);
        const trial t = try_scenario(&s, 1);
        assert_true(t.learned <= 1 && t.cold <= 1 && t.later <= 1);
        sum += t.later;
        if (t.later_against_single <= 1.1)
            continue;
        printf("%u: %zu items of %g ns, %u places: ", k, s.items, s.place[0].item_ns, s.count);
        tell("any", &t);
        slow++;
    }
    printf("mean efficiency %.3f, %u of %d far slower than the best single place\n", sum / MACHINES, slow,
           (int)MACHINES);
    assert_true(sum >= ANY_MEAN * MACHINES);
    assert_true(SANITIZED || slow <= MACHINES * ANY_SLOW); /* some tens of machines tell nothing of a share */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_comes_close_to_the_ideal),
        cmocka_unit_test(division_serves_any_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
