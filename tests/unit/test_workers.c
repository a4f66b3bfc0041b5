/* lib/schedule/workers.c: the number of workers of a loop bound by memory, on machines on paper. */
#include <math.h>

#include "lib/schedule/schedule.h"
#include "tests/unit/support.h"

static const unsigned teams[] = {2, 4, 16, 64, 256};
enum { TEAMS = sizeof teams / sizeof *teams, ITEMS = 1000000 };

/* A machine and what runs on it: time of a call, in units of the shortest that all workers could give. */
typedef struct machine {
    double enough;  /* workers that reach all of the bandwidth */
    double rough;   /* the knee: 1 is soft, 8 nearly sharp */
    double crowded; /* what a worker beyond `enough` costs the others, relatively */
    double noise;   /* relative, of a call */
    double lost;    /* share of the calls that take ten times as long */
    double speed;
} machine;

static double time_of(const machine *m, unsigned workers)
{
    const double alone = pow(pow(m->enough / workers, m->rough) + 1, 1 / m->rough);
    return m->speed * alone * (1 + m->crowded * fmax(0, workers - m->enough) / m->enough);
}

static double best_of(const machine *m, unsigned workers, unsigned *count)
{
    double best = time_of(m, workers);
    *count = workers;
    for (unsigned w = workers / 2; w >= 2; w /= 2)
        if (time_of(m, w) < best)
            best = time_of(m, w), *count = w;
    return best;
}

/* About normal. */
static double noisy(const machine *m, double time, uint64_t *seed)
{
    double sum = 0;
    for (int k = 0; k < 12; k++)
        sum += draw_double(seed, 0, 1);
    time *= fmax(0.2, 1 + m->noise * (sum - 6));
    return draw_double(seed, 0, 1) < m->lost ? 10 * time : time;
}

typedef struct outcome {
    double time, best;
    unsigned long calls, trials;
    double workers; /* of all calls */
} outcome;

static void run(yoke__headcount *h, const machine *m, unsigned workers, unsigned long calls, uint64_t *seed, outcome *o)
{
    unsigned count;
    const double best = best_of(m, workers, &count);
    for (unsigned long k = 0; k < calls; k++) {
        const yoke__headcount_choice choice = yoke__headcount_choose(h, workers, ITEMS, false);
        assert_true(choice.workers <= workers && (choice.workers >= 2 || workers < 2));
        const double time = time_of(m, choice.workers);
        yoke__headcount_learn(h, choice, noisy(m, time, seed));
        o->time += time;
        o->best += best;
        o->trials += choice.trial;
        o->workers += choice.workers;
    }
    o->calls += calls;
}

/* Learns, then is judged, trials included. */
static outcome judge(const machine *m, unsigned workers, unsigned long learning, double most, uint64_t *seed,
                     const char *name)
{
    yoke__headcount h = {0};
    outcome all = {0}, later = {0};
    run(&h, m, workers, learning, seed, &all);
    run(&h, m, workers, 20000, seed, &later);
    if (later.time > most * later.best || all.trials * 20 > all.calls || later.trials * 20 > later.calls)
        fail_msg("%s, %u workers, enough %g: %.3f times the best, %lu of %lu and %lu of %lu calls were trials", name,
                 workers, m->enough, later.time / later.best, all.trials, all.calls, later.trials, later.calls);
    return later;
}

static void a_bandwidth_that_few_reach_is_left_to_few(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = rounds_of(20); round > 0; round--)
        for (unsigned t = 0; t < TEAMS; t++) {
            const machine m = {.enough = exp2(draw_double(&seed, 0, log2(teams[t]))), .rough = 8, .speed = 1};
            const outcome o = judge(&m, teams[t], 6000, 1.03, &seed, "sharp");
            if (teams[t] >= 16 && m.enough < teams[t] / 4.0)
                assert_true(o.workers / (double)o.calls < 0.6 * teams[t]);
        }
}

static void a_soft_knee_is_found_and_small_losses_do_not_add_up(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = rounds_of(20); round > 0; round--)
        for (unsigned t = 0; t < TEAMS; t++) {
            const machine m = {
                .enough = exp2(draw_double(&seed, -4, log2(teams[t]))), .rough = draw_double(&seed, 1, 8), .speed = 1};
            (void)judge(&m, teams[t], 6000, 1.03, &seed, "soft");
        }
}

static void where_all_counts_are_equal_two_work(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned t = 1; t < TEAMS; t++) {
        const machine m = {.enough = 1e-3, .rough = 8, .speed = 1};
        const outcome o = judge(&m, teams[t], 6000, 1.03, &seed, "flat");
        assert_true(o.workers / (double)o.calls < 2 + 0.1 * teams[t]);
    }
}

static void a_crowd_in_its_own_way_is_thinned_out(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = rounds_of(20); round > 0; round--)
        for (unsigned t = 0; t < TEAMS; t++) {
            const machine m = {.enough = exp2(draw_double(&seed, 0, log2(teams[t]))),
                               .rough = draw_double(&seed, 2, 8),
                               .crowded = draw_double(&seed, 0, 0.3),
                               .speed = 1};
            (void)judge(&m, teams[t], 6000, 1.03, &seed, "crowded");
        }
}

static void a_loop_bound_by_computing_keeps_all(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned t = 0; t < TEAMS; t++) {
        const machine m = {.enough = 1e6, .rough = 8, .speed = 1, .noise = t % 2 == 0 ? 0 : 0.1};
        const outcome o = judge(&m, teams[t], 500, 1.03, &seed, "linear");
        assert_true(o.workers / (double)o.calls > 0.98 * teams[t]);
    }
}

static void noise_and_outliers_are_seen_through(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    unsigned long runs = 0, worse = 0;
    for (unsigned long round = rounds_of(20); round > 0; round--)
        for (unsigned t = 0; t < TEAMS; t++) {
            const machine m = {.enough = exp2(draw_double(&seed, 0, log2(teams[t]) + 1)),
                               .rough = draw_double(&seed, 2, 8),
                               .noise = 0.1,
                               .lost = draw_below(&seed, 2) == 0 ? 0 : 0.03,
                               .speed = 1};
            const outcome o = judge(&m, teams[t], 30000, 1.06, &seed, "noisy");
            worse += o.time > 1.03 * o.best;
            runs++;
        }
    if (worse * 50 > runs + 50)
        fail_msg("more than 1.03 times the best in %lu of %lu runs", worse, runs);
}

static void a_machine_that_changes_is_followed(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = rounds_of(10); round > 0; round--)
        for (unsigned t = 0; t < TEAMS; t++) {
            yoke__headcount h = {0};
            outcome learning = {0}, later = {0};
            machine m = {.enough = exp2(draw_double(&seed, 0, log2(teams[t]))), .rough = 6, .noise = 0.02, .speed = 1};
            run(&h, &m, teams[t], 6000, &seed, &learning);
            for (int k = 0; k < 400; k++) { /* slowly, all alike, and a little the knee */
                m.speed = 1 + 0.4 * sin(k * 0.05);
                run(&h, &m, teams[t], 50, &seed, &later);
            }
            if (later.time > 1.03 * later.best || later.trials * 20 > later.calls)
                fail_msg("drift, %u workers, enough %g: %.3f times the best, %lu of %lu calls were trials", teams[t],
                         m.enough, later.time / later.best, later.trials, later.calls);
            m.enough = 1e6; /* from bound by memory to bound by computing: at once */
            m.speed = 1e-5;
            outcome jump = {0};
            run(&h, &m, teams[t], 1500, &seed, &jump);
            jump = (outcome){0};
            run(&h, &m, teams[t], 2000, &seed, &jump);
            if (jump.time > 1.03 * jump.best)
                fail_msg("jump, %u workers: %.3f times the best", teams[t], jump.time / jump.best);
            m = (machine){.enough = 1.5, .rough = 6, .crowded = 0.05, .speed = 1}; /* and back */
            (void)judge(&m, teams[t], 8000, 1.03, &seed, "back");
        }
}

static void short_calls_and_those_with_another_trial_keep_what_is_kept(void **state)
{
    (void)state;
    yoke__headcount h = {0};
    for (int k = 0; k < 5000; k++) {
        yoke__headcount_choice choice = yoke__headcount_choose(&h, 64, YOKE__HEADCOUNT_NS, false);
        assert_false(choice.trial);
        yoke__headcount_learn(&h, choice, 0.5);
    }
    h = (yoke__headcount){0};
    for (int k = 0; k < 20000; k++) {
        const bool quiet = k % 64 < 2;
        const unsigned kept = 64 >> h.kept;
        yoke__headcount_choice choice = yoke__headcount_choose(&h, 64, YOKE__HEADCOUNT_NS, quiet);
        assert_true(!quiet || (choice.workers == kept && !choice.trial && !choice.learn));
        yoke__headcount_learn(&h, choice, quiet ? 100 : 2);
    }
    assert_int_equal(64 >> h.kept, 2);
    assert_int_equal(yoke__headcount_choose(&h, 32, ITEMS, false).workers, 32); /* another team */
}

/* Calls that are cancelled tell nothing: a trial must end all the same. */
static void a_trial_of_calls_that_fail_ends(void **state)
{
    (void)state;
    yoke__headcount h = {0};
    unsigned trials = 0;
    for (int k = 0; k < 10000; k++) {
        const yoke__headcount_choice choice = yoke__headcount_choose(&h, 8, ITEMS, false);
        trials += choice.trial;
        if (!choice.trial)
            yoke__headcount_learn(&h, choice, 1);
    }
    assert_true(trials > 0 && trials < 10000 / 12);
}

static void any_numbers_are_safe(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    static const double odd[] = {0, -1, NAN, INFINITY, 1e-300, 1e300, 1};
    for (unsigned long round = rounds_of(300); round > 0; round--) {
        yoke__headcount h = {0};
        const unsigned workers = (unsigned)(1 + draw_below(&seed, 65536));
        for (int k = 0; k < 2000; k++) {
            const yoke__headcount_choice choice = yoke__headcount_choose(
                &h, workers, (double)(draw(&seed) >> draw_below(&seed, 64)), draw_below(&seed, 9) == 0);
            assert_true(choice.workers >= 1 && choice.workers <= workers && (workers < 2 || choice.workers >= 2));
            yoke__headcount_learn(&h, choice,
                                  draw_below(&seed, 20) == 0 ? odd[draw_below(&seed, 7)] : draw_double(&seed, 0, 2));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bandwidth_that_few_reach_is_left_to_few),
        cmocka_unit_test(a_soft_knee_is_found_and_small_losses_do_not_add_up),
        cmocka_unit_test(where_all_counts_are_equal_two_work),
        cmocka_unit_test(a_crowd_in_its_own_way_is_thinned_out),
        cmocka_unit_test(a_loop_bound_by_computing_keeps_all),
        cmocka_unit_test(noise_and_outliers_are_seen_through),
        cmocka_unit_test(a_machine_that_changes_is_followed),
        cmocka_unit_test(short_calls_and_those_with_another_trial_keep_what_is_kept),
        cmocka_unit_test(a_trial_of_calls_that_fail_ends),
        cmocka_unit_test(any_numbers_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
