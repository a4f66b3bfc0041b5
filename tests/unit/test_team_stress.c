/* lib/cpu: every unit exactly once, whatever divides, nests, resizes or calls at the same time. */
#include <pthread.h>

#include "lib/cpu/cpu.h"
#include "tests/unit/threads.h"

enum { MOST_UNITS = 5000 };

static yoke__topology *topology;

static yoke__team *team_of(unsigned workers)
{
    yoke__team *team = NULL;
    assert_int_equal(yoke__team_create(&team, topology, YOKE_PIN_NONE, workers, 200000), YOKE_OK);
    return team;
}

/* --- every unit once --- */

typedef struct tally {
    _Atomic unsigned char seen[MOST_UNITS];
} tally;

static void mark(void *context, size_t begin, size_t end)
{
    tally *t = context;
    for (size_t k = begin; k < end; k++)
        atomic_fetch_add_explicit(&t->seen[k], 1, memory_order_relaxed);
}

static bool each_once(const tally *t, size_t units)
{
    for (size_t k = 0; k < MOST_UNITS; k++)
        if (t->seen[k] != (k < units))
            return false;
    return true;
}

static bool run_marks(yoke__team *team, tally *t, uint64_t *seed)
{
    uint32_t units = (uint32_t)(1 + draw_below(seed, draw_below(seed, 4) == 0 ? MOST_UNITS : 70));
    yoke__job job = {.run = mark, .context = t, .units = units, .workers = (unsigned)(1 + draw_below(seed, 20))};
    job.grain = (uint32_t)(1 + draw_below(seed, draw_below(seed, 2) == 0 ? 4 : units + 3));
    job.wake = draw_below(seed, 2) == 0;
    memset(t, 0, sizeof *t);
    return yoke__team_run(team, &job) == YOKE_OK && each_once(t, units);
}

static void team_random_jobs_run_every_unit_once(void **state)
{
    (void)state;
    static tally t;
    uint64_t seed = seed_of(__func__);
    alarm_in(60);
    for (unsigned workers = 1; workers <= 16; workers++) {
        yoke__team *team = team_of(workers);
        for (unsigned long round = rounds_of(300); round > 0; round--)
            assert_true(run_marks(team, &t, &seed));
        assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    }
    alarm_off();
}

static void run_nothing(void *context, size_t begin, size_t end)
{
    (void)context, (void)begin, (void)end;
}

/* A worker that found its range empty may meet the next job before it robs: its own new range must survive that. */
static void team_jobs_back_to_back_lose_no_range(void **state)
{
    (void)state;
    alarm_in(60);
    for (unsigned workers = 2; workers <= 8; workers *= 2) {
        yoke__team *team = team_of(workers);
        yoke__job job = {.run = run_nothing, .units = 64, .grain = 1, .workers = workers, .wake = true};
        for (unsigned long round = rounds_of(60000); round > 0; round--)
            assert_int_equal(yoke__team_run(team, &job), YOKE_OK);
        assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    }
    alarm_off();
}

/* --- many callers --- */

enum { CALLERS = 64, TEAMS = 3 };

typedef struct caller {
    pthread_t thread;
    yoke__team *team[TEAMS];
    uint64_t seed;
    unsigned long rounds;
    bool good;
} caller;

static void *call(void *argument)
{
    caller *self = argument;
    tally *t = malloc(sizeof *t);
    self->good = t != NULL;
    for (unsigned long round = 0; round < self->rounds && self->good; round++)
        self->good = run_marks(self->team[draw_below(&self->seed, TEAMS)], t, &self->seed);
    free(t);
    return NULL;
}

static void team_many_callers_of_several_teams_all_finish(void **state)
{
    (void)state;
    static caller callers[CALLERS];
    uint64_t seed = seed_of(__func__);
    yoke__team *teams[TEAMS] = {team_of(2), team_of(4), team_of(7)};
    alarm_in(60);
    for (unsigned k = 0; k < CALLERS; k++) {
        callers[k] = (caller){.seed = draw(&seed), .rounds = rounds_of(300)};
        memcpy(callers[k].team, teams, sizeof teams);
        assert_int_equal(pthread_create(&callers[k].thread, NULL, call, &callers[k]), 0);
    }
    unsigned most = 0;
    for (int look = 0; look < 20; look++) {
        unsigned now = thread_count();
        most = now > most ? now : most;
        sleep_ns(1000000);
    }
    for (unsigned k = 0; k < CALLERS; k++)
        pthread_join(callers[k].thread, NULL);
    for (unsigned k = 0; k < CALLERS; k++)
        assert_true(callers[k].good);
    assert_true(most <= CALLERS + 1 + (1 + 3 + 6) + (SANITIZED ? 1 : 0)); /* sanitizers run a thread of their own */
    for (unsigned k = 0; k < TEAMS; k++)
        assert_int_equal(yoke__team_destroy(teams[k]), YOKE_OK);
    alarm_off();
}

/* --- nesting --- */

typedef struct nest {
    yoke__team *team;
    unsigned depth;
    atomic_ulong *leaves;
    atomic_bool *bad;
} nest;

static void run_nest(void *context, size_t begin, size_t end)
{
    const nest *n = context;
    if (n->depth == 0) {
        atomic_fetch_add(n->leaves, end - begin);
        return;
    }
    for (size_t k = begin; k < end; k++) {
        nest inner = {n->team, n->depth - 1, n->leaves, n->bad};
        yoke__job job = {.run = run_nest, .context = &inner, .units = 3, .grain = 1, .workers = 16, .wake = true};
        if (yoke__team_run(n->team, &job) != YOKE_OK || !yoke__team_inside())
            atomic_store(n->bad, true);
    }
}

static void team_maps_nested_8_deep_from_every_worker_finish(void **state)
{
    (void)state;
    alarm_in(60);
    for (unsigned workers = 1; workers <= 8; workers++) {
        yoke__team *team = team_of(workers);
        atomic_ulong leaves = 0;
        atomic_bool bad = false;
        nest outer = {team, 7, &leaves, &bad};
        yoke__job job = {.run = run_nest, .context = &outer, .units = 3, .grain = 1, .workers = 16, .wake = true};
        assert_int_equal(yoke__team_run(team, &job), YOKE_OK);
        assert_false(atomic_load(&bad));
        assert_int_equal(atomic_load(&leaves), 6561); /* 3 to the 8th */
        assert_false(yoke__team_inside());
        assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    }
    alarm_off();
}

/* --- resizing --- */

typedef struct resizer {
    pthread_t thread;
    yoke__team *team;
    atomic_bool *stop;
    uint64_t seed;
    unsigned long resizes;
    bool good;
} resizer;

static void *resize(void *argument)
{
    resizer *self = argument;
    self->good = true;
    while (!atomic_load(self->stop) && self->good) {
        self->good = yoke__team_resize(self->team, (unsigned)(1 + draw_below(&self->seed, 6))) == YOKE_OK;
        yoke__place place;
        (void)yoke__team_place(self->team, (unsigned)draw_below(&self->seed, 6), &place);
        self->resizes++;
    }
    return NULL;
}

/* `resizers` threads change the size while four call; none may wait for another for ever. */
static void resize_while_others_call(unsigned resizers, const char *name)
{
    static caller callers[4];
    resizer changers[3];
    uint64_t seed = seed_of(name);
    yoke__team *team = team_of(3);
    atomic_bool stop = false;
    alarm_in(60);
    for (unsigned k = 0; k < resizers; k++) {
        changers[k] = (resizer){.team = team, .stop = &stop, .seed = draw(&seed)};
        assert_int_equal(pthread_create(&changers[k].thread, NULL, resize, &changers[k]), 0);
    }
    for (unsigned k = 0; k < 4; k++) {
        callers[k] = (caller){.seed = draw(&seed), .rounds = rounds_of(2000), .team = {team, team, team}};
        assert_int_equal(pthread_create(&callers[k].thread, NULL, call, &callers[k]), 0);
    }
    for (unsigned k = 0; k < 4; k++)
        pthread_join(callers[k].thread, NULL);
    atomic_store(&stop, true);
    for (unsigned k = 0; k < resizers; k++)
        pthread_join(changers[k].thread, NULL);
    for (unsigned k = 0; k < 4; k++)
        assert_true(callers[k].good);
    for (unsigned k = 0; k < resizers; k++)
        assert_true(changers[k].good && changers[k].resizes > 0);
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    alarm_off();
}

static void team_resized_while_others_call_stays_whole(void **state)
{
    (void)state;
    resize_while_others_call(1, __func__);
}

/* Jobs that hold their slots until told to end, so that resizers queue up behind them. */
typedef struct held {
    pthread_t thread;
    yoke__team *team;
    atomic_bool started, release;
} held;

static void hold(void *context, size_t begin, size_t end)
{
    held *h = context;
    (void)begin, (void)end;
    atomic_store(&h->started, true);
    while (!atomic_load(&h->release))
        sleep_ns(100000);
}

static void *call_held(void *argument)
{
    held *h = argument;
    yoke__job job = {.run = hold, .context = h, .units = 2, .grain = 1, .workers = 2};
    (void)yoke__team_run(h->team, &job);
    return NULL;
}

static void *resize_once(void *argument)
{
    resizer *self = argument;
    self->good = yoke__team_resize(self->team, 2) == YOKE_OK;
    return NULL;
}

static void team_resizes_that_wait_for_jobs_all_finish(void **state)
{
    (void)state;
    enum { JOBS = 6, RESIZERS = 3 };
    static held jobs[JOBS];
    static resizer resizers[RESIZERS];
    yoke__team *team = team_of(2);
    alarm_in(10);
    for (unsigned k = 0; k < JOBS; k++) {
        jobs[k].team = team;
        assert_int_equal(pthread_create(&jobs[k].thread, NULL, call_held, &jobs[k]), 0);
        while (!atomic_load(&jobs[k].started))
            sleep_ns(100000);
    }
    for (unsigned k = 0; k < RESIZERS; k++) {
        resizers[k].team = team;
        assert_int_equal(pthread_create(&resizers[k].thread, NULL, resize_once, &resizers[k]), 0);
    }
    for (unsigned k = 0; k < JOBS; k++) {
        sleep_ns(5000000);
        atomic_store(&jobs[k].release, true);
    }
    for (unsigned k = 0; k < RESIZERS; k++)
        pthread_join(resizers[k].thread, NULL);
    for (unsigned k = 0; k < JOBS; k++)
        pthread_join(jobs[k].thread, NULL);
    for (unsigned k = 0; k < RESIZERS; k++)
        assert_true(resizers[k].good);
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    alarm_off();
}

static void team_resized_by_several_threads_does_not_deadlock(void **state)
{
    (void)state;
    resize_while_others_call(3, __func__);
}

static int load(void **state)
{
    (void)state;
    return yoke__topology_load(&topology);
}

static int unload(void **state)
{
    (void)state;
    yoke__topology_free(topology);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(team_jobs_back_to_back_lose_no_range),
        cmocka_unit_test(team_random_jobs_run_every_unit_once),
        cmocka_unit_test(team_many_callers_of_several_teams_all_finish),
        cmocka_unit_test(team_maps_nested_8_deep_from_every_worker_finish),
        cmocka_unit_test(team_resized_while_others_call_stays_whole),
        cmocka_unit_test(team_resized_by_several_threads_does_not_deadlock),
        cmocka_unit_test(team_resizes_that_wait_for_jobs_all_finish),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
