/* lib/cpu: the workers as the system sees them: names, signals, places, sleep; and the caller, who stays as it was. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "lib/cpu/cpu.h"
#include "tests/emulated.h"
#include "tests/unit/threads.h"

static yoke__topology *topology;

static yoke__team *team_of(unsigned workers, yoke_pin pin)
{
    yoke__team *team = NULL;
    assert_int_equal(yoke__team_create(&team, topology, pin, workers, 200000), YOKE_OK);
    return team;
}

static void add_up(void *context, size_t begin, size_t end)
{
    atomic_fetch_add((atomic_size_t *)context, end - begin);
}

static void run_some(yoke__team *team, unsigned workers, uint32_t units)
{
    atomic_size_t sum = 0;
    yoke__job job = {.run = add_up, .context = &sum, .units = units, .grain = 1, .workers = workers, .wake = true};
    assert_int_equal(yoke__team_run(team, &job), YOKE_OK);
    assert_int_equal(atomic_load(&sum), units);
}

static bool all_asleep(yoke__team *team, unsigned threads, int64_t limit_ns)
{
    int64_t start = yoke__now_ns();
    while (yoke__team_asleep(team) != threads && yoke__now_ns() - start < limit_ns)
        sleep_ns(100000);
    return yoke__team_asleep(team) == threads;
}

/* --- names and signals --- */

static void look_at_signals(long tid, unsigned worker, void *argument)
{
    char text[4096];
    uint32_t *seen = argument;
    *seen |= 1u << worker;
    assert_true(read_proc(text, sizeof text, "/proc/self/task/%ld/status", tid));
    const char *line = strstr(text, "SigBlk:");
    assert_non_null(line);
    unsigned long long blocked = strtoull(line + 7, NULL, 16);
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            assert_true(((blocked & 1ull << (number - 1)) != 0) == !is_of_a_fault(number));
}

static void workers_are_named_and_block_signals_of_others(void **state)
{
    (void)state;
    if (emulated("/proc shows the signals blocked by the emulator"))
        skip();
    sigset_t before, after;
    uint32_t seen = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    yoke__team *team = team_of(4, YOKE_PIN_NONE);
    run_some(team, 4, 100);
    (void)all_asleep(team, 3, 1000000000);
    assert_int_equal(each_worker(look_at_signals, &seen), 3);
    assert_int_equal(seen, 1u << 1 | 1u << 2 | 1u << 3); /* worker 0 is the caller */
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 32; number++)
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
}

static void workers_end_with_their_team(void **state)
{
    (void)state;
    unsigned before = each_worker(NULL, NULL);
    yoke__team *team = team_of(5, YOKE_PIN_NONE);
    assert_int_equal(each_worker(NULL, NULL), before + 4);
    assert_int_equal(yoke__team_resize(team, 2), YOKE_OK);
    assert_true(workers_become(before + 1));
    assert_int_equal(yoke__team_workers(team), 2);
    assert_int_equal(yoke__team_resize(team, 1), YOKE_OK);
    assert_true(workers_become(before));
    run_some(team, 4, 100);
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    assert_true(workers_become(before));
}

/* --- places --- */

typedef struct masks {
    cpu_set_t of[8];
} masks;

static void look_at_mask(long tid, unsigned worker, void *argument)
{
    masks *m = argument;
    if (worker < 8)
        assert_int_equal(sched_getaffinity((pid_t)tid, sizeof m->of[0], &m->of[worker]), 0);
}

static void workers_sit_on_their_places_and_the_caller_is_never_pinned(void **state)
{
    (void)state;
    static const yoke_pin pins[] = {YOKE_PIN_COMPACT, YOKE_PIN_SCATTER, YOKE_PIN_NONE};
    cpu_set_t before, after;
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    unsigned workers = yoke__topology_default_workers(topology);
    workers = workers > 8 ? 8 : workers;
    for (size_t p = 0; p < sizeof pins / sizeof *pins; p++) {
        masks m;
        memset(&m, 0, sizeof m);
        yoke__team *team = team_of(workers, pins[p]);
        run_some(team, workers, 100);
        (void)all_asleep(team, workers - 1, 1000000000);
        assert_int_equal(each_worker(look_at_mask, &m), workers - 1);
        for (unsigned k = 1; k < workers; k++) {
            yoke__place place;
            assert_int_equal(yoke__team_place(team, k, &place), YOKE_OK);
            assert_int_equal(place.pinned, pins[p] != YOKE_PIN_NONE);
            if (place.pinned) {
                assert_int_equal(CPU_COUNT(&m.of[k]), 1);
                assert_true(CPU_ISSET(pus[place.pu].os_index, &m.of[k]));
            } else {
                assert_true(CPU_COUNT(&m.of[k]) > 1 || count == 1);
            }
        }
        yoke__place none;
        assert_int_equal(yoke__team_place(team, workers, &none), YOKE_EINVAL);
        assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    }
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

/* --- sleep --- */

static void look_at_state(long tid, unsigned worker, void *argument)
{
    char text[1024];
    (void)worker;
    assert_true(read_proc(text, sizeof text, "/proc/self/task/%ld/stat", tid));
    const char *after_name = strrchr(text, ')');
    assert_non_null(after_name);
    if (after_name[2] != 'S')
        *(bool *)argument = false;
}

/* The best of ten: the machine may be busy with something else. */
static void workers_sleep_within_a_millisecond_of_the_last_job(void **state)
{
    (void)state;
    yoke__team *team = team_of(2, YOKE_PIN_NONE);
    int64_t best = INT64_MAX;
    for (int attempt = 0; attempt < 10 && best > 1000000; attempt++) {
        for (int k = 0; k < 200; k++)
            run_some(team, 2, 16);
        int64_t start = yoke__now_ns();
        while (yoke__team_asleep(team) != 1 && yoke__now_ns() - start < 100000000)
            ;
        int64_t took = yoke__now_ns() - start;
        best = took < best ? took : best;
    }
    assert_true(best <= 1000000 * (SANITIZED ? 20 : 1));
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
}

static int64_t cpu_ns(void)
{
    struct timespec used;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void workers_use_no_time_while_there_is_nothing_to_do(void **state)
{
    (void)state;
    yoke__team *team = team_of(4, YOKE_PIN_NONE);
    run_some(team, 4, 1000);
    assert_true(all_asleep(team, 3, 2000000000));
    bool asleep = false; /* counted before the system call, which a busy machine may delay */
    for (int look = 0; look < 400 && !asleep; look++) {
        sleep_ns(5000000);
        asleep = true;
        assert_int_equal(each_worker(look_at_state, &asleep), 3);
    }
    assert_true(asleep);
    int64_t before = cpu_ns();
    sleep_ns(50000000);
    assert_true(cpu_ns() - before < 5000000 * (SANITIZED ? 10 : 1));
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
}

/* --- inside --- */

static void meddle(void *context, size_t begin, size_t end)
{
    yoke__team *team = context;
    (void)begin, (void)end;
    assert_true(yoke__team_inside());
    assert_int_equal(yoke__team_resize(team, 1), YOKE_EBUSY);
    assert_int_equal(yoke__team_destroy(team), YOKE_EBUSY);
    yoke__place place;
    assert_int_equal(yoke__team_place(team, 0, &place), YOKE_EBUSY);
}

static void team_refuses_to_be_changed_from_inside_a_unit(void **state)
{
    (void)state;
    yoke__team *team = team_of(2, YOKE_PIN_NONE);
    for (unsigned workers = 1; workers <= 2; workers++) {
        yoke__job job = {.run = meddle, .context = team, .units = 1, .grain = 1, .workers = workers};
        assert_int_equal(yoke__team_run(team, &job), YOKE_OK);
    }
    assert_false(yoke__team_inside());
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
    assert_int_equal(yoke__team_destroy(NULL), YOKE_OK);
}

/* --- signals in the caller --- */

static atomic_ulong ticks;

static void on_tick(int number)
{
    (void)number;
    atomic_fetch_add(&ticks, 1);
}

static void team_under_a_storm_of_signals_does_every_unit(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_tick}, old; /* no SA_RESTART: futex waits end with EINTR */
    struct itimerval storm = {{0, 100}, {0, 100}}, calm = {{0, 0}, {0, 0}};
    yoke__team *team = team_of(3, YOKE_PIN_NONE);
    assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &storm, NULL), 0);
    int64_t end = yoke__now_ns() + (int64_t)rounds_of(200) * 1000000;
    while (yoke__now_ns() < end) {
        run_some(team, 3, 50);
        if (yoke__team_asleep(team) == 0)
            sched_yield();
    }
    assert_int_equal(setitimer(ITIMER_REAL, &calm, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
    assert_true(atomic_load(&ticks) > 0);
    assert_int_equal(yoke__team_destroy(team), YOKE_OK);
}

/* --- cancellation --- */

typedef struct victim {
    yoke__team *team;
    atomic_size_t units;
    atomic_bool started, returned;
} victim;

static void run_slowly(void *context, size_t begin, size_t end)
{
    victim *v = context;
    atomic_store(&v->started, true);
    sleep_ns(1000000); /* a cancellation point */
    atomic_fetch_add(&v->units, end - begin);
}

static void *map_to_be_cancelled(void *argument)
{
    victim *v = argument;
    yoke__job job = {.run = run_slowly, .context = v, .units = 30, .grain = 1, .workers = 2, .wake = true};
    assert_int_equal(yoke__team_run(v->team, &job), YOKE_OK);
    atomic_store(&v->returned, true);
    for (;;)
        sleep_ns(1000000);
    return NULL;
}

static void team_caller_that_is_cancelled_ends_after_its_job(void **state)
{
    (void)state;
    victim v = {.team = team_of(2, YOKE_PIN_NONE)};
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, map_to_be_cancelled, &v), 0);
    while (!atomic_load(&v.started))
        sleep_ns(100000);
    assert_int_equal(pthread_cancel(thread), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    assert_true(atomic_load(&v.returned));
    assert_int_equal(atomic_load(&v.units), 30);
    run_some(v.team, 2, 100);
    assert_int_equal(yoke__team_destroy(v.team), YOKE_OK);
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
        cmocka_unit_test(workers_are_named_and_block_signals_of_others),
        cmocka_unit_test(workers_end_with_their_team),
        cmocka_unit_test(workers_sit_on_their_places_and_the_caller_is_never_pinned),
        cmocka_unit_test(workers_sleep_within_a_millisecond_of_the_last_job),
        cmocka_unit_test(workers_use_no_time_while_there_is_nothing_to_do),
        cmocka_unit_test(team_refuses_to_be_changed_from_inside_a_unit),
        cmocka_unit_test(team_under_a_storm_of_signals_does_every_unit),
        cmocka_unit_test(team_caller_that_is_cancelled_ends_after_its_job),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
