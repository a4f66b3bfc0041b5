/* Load: futures pending at once, submitting threads, worker processes that are killed at any time, pools and runtimes opened
 * and closed. Everything submitted ends once, and nothing is left. "./dev load" is YOKE_TEST_SCALE=50: a million futures,
 * 100,000 tasks of processes with 1,000 killed, 2,000 cycles. */
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/unit/leaks.h"
#include "yoke/yoke.h"

enum { SUBMITTERS = 64, THREADS = 4, PROCESSES = 4, RECENT = 8, TASK_BYTES = 512 };

YOKE_KERNEL(load_double, (in(float, x), out(float, y)), { y[i] = 2.0f * x[i]; })

static unsigned long scaled(unsigned long everyday)
{
    return rounds_of(is_emulated() ? everyday / 10 : everyday);
}

/* --- futures --- */

typedef struct entry {
    yoke_future future;
    atomic_uint runs, ends;
    atomic_bool cancelled; /* as its future told */
} entry;

typedef struct load {
    yoke_executor *pool;
    entry *entries;
    size_t share; /* of each submitter */
    uint64_t seed;
    bool ends_its_own; /* each submitter, while the others go on */
} load;

typedef struct submitter {
    load *l;
    unsigned index;
} submitter;

static int run_entry(void *argument, void *result)
{
    entry *e = argument;
    (void)result;
    atomic_fetch_add(&e->runs, 1);
    return 0;
}

static void note_end(yoke_future *future, void *argument)
{
    (void)future;
    atomic_fetch_add(&((entry *)argument)->ends, 1);
}

static void submit_one(load *l, entry *e, uint64_t *random)
{
    const yoke_task_options o = {.priority = (int)draw_below(random, 3) - 1};
    assert_int_equal(yoke_submit_on(l->pool, &o, &e->future, run_entry, e), YOKE_OK);
    assert_int_equal(yoke_then(&e->future, note_end, e), YOKE_OK);
}

/* By cancel, deadline or wait. */
static void end_one(entry *e, uint64_t *random)
{
    const uint64_t how = draw_below(random, 10);
    if (how == 0 && yoke_cancel(&e->future) == YOKE_OK)
        atomic_store(&e->cancelled, true);
    if (how == 1)
        (void)yoke_wait(&e->future, yoke_deadline_in((int64_t)draw_below(random, 100000)));
}

static void *submit_share(void *argument)
{
    const submitter *s = argument;
    load *l = s->l;
    uint64_t random = l->seed + s->index;
    entry *mine = l->entries + s->index * l->share;
    for (size_t k = 0; k < l->share; k++) {
        submit_one(l, &mine[k], &random);
        if (l->ends_its_own)
            end_one(&mine[draw_below(&random, k + 1)], &random);
    }
    for (size_t k = 0; k < l->share && l->ends_its_own; k++)
        assert_int_equal(yoke_wait(&mine[k].future, 0), YOKE_OK);
    return NULL;
}

static void submit_from_all(load *l)
{
    submitter s[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    for (unsigned k = 0; k < SUBMITTERS; k++) {
        s[k] = (submitter){l, k};
        assert_int_equal(pthread_create(&threads[k], NULL, submit_share, &s[k]), 0);
    }
    for (unsigned k = 0; k < SUBMITTERS; k++)
        pthread_join(threads[k], NULL);
}

/* After the last wait: everything ended once, and the pool's counts agree. */
static void check_ends(load *l)
{
    const size_t all = l->share * SUBMITTERS;
    size_t runs = 0, cancelled = 0;
    yoke_executor_counts c;
    for (size_t k = 0; k < all; k++) {
        const entry *e = &l->entries[k];
        const yoke_future_state state = yoke_state_of(&e->future);
        assert_int_equal(atomic_load(&e->ends), 1);
        assert_int_equal(atomic_load(&e->runs), state == YOKE_FUTURE_DONE);
        assert_int_equal(state, atomic_load(&e->cancelled) ? YOKE_FUTURE_CANCELLED : YOKE_FUTURE_DONE);
        runs += atomic_load(&e->runs);
        cancelled += atomic_load(&e->cancelled);
    }
    assert_balanced(l->pool);
    assert_int_equal(yoke_executor_count(l->pool, &c), YOKE_OK);
    assert_int_equal(c.cancelled, cancelled);
    assert_int_equal(runs + cancelled, all);
    printf("%llu submitted = %llu done + %llu failed + %llu cancelled\n", (unsigned long long)c.submitted,
           (unsigned long long)c.done, (unsigned long long)c.failed, (unsigned long long)c.cancelled);
}

static load open_load(const char *test)
{
    load l = {.pool = yoke_thread_pool(THREADS), .share = scaled(20000) / SUBMITTERS + 1, .seed = seed_of(test)};
    assert_non_null(l.pool);
    l.entries = calloc(l.share * SUBMITTERS, sizeof *l.entries);
    assert_non_null(l.entries);
    return l;
}

static void test_pending(void **state)
{
    (void)state;
    const belongings before = belongings_now();
    load l = open_load("test_pending");
    const size_t all = l.share * SUBMITTERS;
    uint64_t random = l.seed;
    gate g = {0};
    yoke_future held[THREADS] = {0};
    yoke_executor_counts c;
    for (int k = 0; k < THREADS; k++)
        assert_int_equal(yoke_submit(l.pool, &held[k], wait_at_gate, &g), YOKE_OK);
    gate_await_inside(&g, THREADS);
    submit_from_all(&l);
    assert_int_equal(yoke_executor_count(l.pool, &c), YOKE_OK);
    assert_int_equal(c.waiting, all);
    const long each = (resident_kib() - before.kib) * 1024 / (long)all;
    printf("%zu futures pending at once: %ld bytes each\n", all, each);
    assert_true(each < TASK_BYTES || SANITIZED || all < 100000);
    for (size_t k = 0; k < all; k += 1 + (size_t)draw_below(&random, 20))
        end_one(&l.entries[k], &random);
    gate_open(&g);
    for (size_t k = 0; k < all; k++)
        assert_int_equal(yoke_wait(&l.entries[k].future, 0), YOKE_OK);
    for (int k = 0; k < THREADS; k++)
        assert_int_equal(yoke_wait(&held[k], 0), YOKE_OK);
    check_ends(&l);
    assert_int_equal(yoke_join(l.pool, 0), YOKE_OK);
    free(l.entries);
    assert_nothing_left(&before, "futures pending");
}

static void test_submitters(void **state)
{
    (void)state;
    const belongings before = belongings_now();
    load l = open_load("test_submitters");
    l.ends_its_own = true;
    submit_from_all(&l);
    check_ends(&l);
    assert_int_equal(yoke_join(l.pool, 0), YOKE_OK);
    free(l.entries);
    assert_nothing_left(&before, "64 submitting threads");
}

/* --- worker processes --- */

typedef struct answer {
    int product, pid;
} answer;

typedef struct deaths {
    yoke_executor *pool;
    size_t tasks, kills;
    uint64_t seed;
    _Atomic int recent[RECENT]; /* processes that ran tasks */
    atomic_size_t ended, killed;
    atomic_bool over;
} deaths;

static deaths *current; /* for the callbacks */

static int work(void *argument, void *result)
{
    const int *number = argument;
    for (volatile unsigned k = 0; k < 50000; k++)
        ;
    *(answer *)result = (answer){*number * 3, (int)getpid()};
    return 0;
}

static void note_process(yoke_future *future, void *argument)
{
    answer a;
    atomic_fetch_add((atomic_uint *)argument, 1);
    const size_t ended = atomic_fetch_add(&current->ended, 1);
    if (yoke_result(future, &a, sizeof a, 1) == YOKE_OK)
        atomic_store(&current->recent[ended % RECENT], a.pid);
}

/* Our child, and neither dead nor dying; the number alone may have become another process's. */
static bool is_ours(int pid)
{
    char text[1024], condition;
    int parent;
    if (!read_proc(text, sizeof text, "/proc/%d/stat", pid))
        return false;
    const char *at = strrchr(text, ')');
    return at != NULL && sscanf(at + 1, " %c %d", &condition, &parent) == 2 && parent == (int)getpid() &&
           condition != 'Z' && condition != 'X';
}

static bool kill_one(int pid)
{
    const int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd < 0)
        return false;
    const bool done = is_ours(pid) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    (void)close(fd);
    return done;
}

/* Each at a random moment of its share of the run. */
static void *kill_some(void *argument)
{
    deaths *d = argument;
    uint64_t random = d->seed;
    for (size_t k = 0; k < d->kills; k++) {
        const size_t share = d->tasks * 9 / 10 / d->kills; /* so that the last one does not come too late */
        const size_t when = k * share + (size_t)draw_below(&random, share);
        while (atomic_load(&d->ended) < when && !atomic_load(&d->over))
            sleep_ns(20000);
        sleep_ns((int64_t)draw_below(&random, 200000));
        while (!atomic_load(&d->over) && !kill_one(atomic_load(&d->recent[draw_below(&random, RECENT)])))
            sleep_ns(20000);
        atomic_fetch_add(&d->killed, !atomic_load(&d->over));
    }
    return NULL;
}

static bool may_run_again(size_t task)
{
    return task % 2 == 0;
}

/* On a busy machine all tasks might end before the other thread kills anybody. */
static void let_kill(const deaths *d, size_t task)
{
    const size_t share = d->tasks / d->kills;
    for (unsigned looks = 0; looks < 100 && task / share > atomic_load(&d->killed) + 2; looks++)
        sleep_ns(200000);
}

static void submit_tasks(const deaths *d, yoke_future *f, atomic_uint *ends)
{
    for (size_t k = 0; k < d->tasks; k++) {
        int number = (int)k;
        let_kill(d, k);
        const yoke_task_options o = {.argument_bytes = sizeof number, .retries = may_run_again(k) ? 255 : 0};
        assert_int_equal(yoke_submit_on(d->pool, &o, &f[k], work, &number), YOKE_OK);
        assert_int_equal(yoke_then(&f[k], note_process, &ends[k]), YOKE_OK);
    }
}

/* How many were lost. */
static size_t check_tasks(const deaths *d, yoke_future *f, atomic_uint *ends)
{
    size_t lost = 0;
    for (size_t k = 0; k < d->tasks; k++) {
        answer a = {0};
        const int status = yoke_result(&f[k], &a, sizeof a, 0);
        assert_true(status == YOKE_OK || (status == YOKE_ECRASH && !may_run_again(k)));
        assert_true(status != YOKE_OK || a.product == (int)k * 3);
        assert_int_equal(atomic_load(&ends[k]), 1);
        lost += status != YOKE_OK;
    }
    return lost;
}

static void test_killed_processes(void **state)
{
    (void)state;
    if (no_processes())
        skip();
    const belongings before = belongings_now();
    deaths d = {.tasks = rounds_of(2000), .kills = rounds_of(20), .seed = seed_of("test_killed_processes")};
    d.pool = open_pool((yoke_process_pool_options){.processes = PROCESSES, .restarts = YOKE_MAX_WORKERS});
    yoke_future *f = calloc(d.tasks, sizeof *f);
    atomic_uint *ends = calloc(d.tasks, sizeof *ends);
    pthread_t killer;
    yoke_executor_counts c;
    assert_true(f != NULL && ends != NULL);
    current = &d;
    assert_int_equal(pthread_create(&killer, NULL, kill_some, &d), 0);
    submit_tasks(&d, f, ends);
    const size_t lost = check_tasks(&d, f, ends);
    atomic_store(&d.over, true);
    pthread_join(killer, NULL);
    assert_balanced(d.pool);
    assert_int_equal(yoke_executor_count(d.pool, &c), YOKE_OK);
    assert_true(c.submitted == d.tasks && c.failed == lost && c.cancelled == 0 && lost <= atomic_load(&d.killed));
    printf("%zu tasks, %zu processes killed: %zu tasks lost\n", d.tasks, atomic_load(&d.killed), lost);
    assert_true(atomic_load(&d.killed) >= d.kills / 2);
    assert_int_equal(yoke_join(d.pool, 0), YOKE_OK);
    free(ends);
    free(f);
    assert_nothing_left(&before, "killed processes");
}

/* --- opening and closing --- */

static void run_some(yoke_executor *pool, unsigned count)
{
    yoke_future f[8] = {0};
    for (unsigned k = 0; k < count; k++)
        assert_int_equal(yoke_submit(pool, &f[k], do_nothing, NULL), YOKE_OK);
    for (unsigned k = 0; k < count; k += 2)
        assert_int_equal(yoke_result(&f[k], NULL, 0, 0), YOKE_OK);
    assert_int_equal(yoke_join(pool, 0), YOKE_OK); /* that ends the others */
    for (unsigned k = 0; k < count; k++)
        assert_int_equal(yoke_state_of(&f[k]), YOKE_FUTURE_DONE);
}

static void cycle_thread_pool(uint64_t *random)
{
    yoke_executor *pool = yoke_thread_pool(1 + (unsigned)draw_below(random, 4));
    assert_non_null(pool);
    run_some(pool, (unsigned)draw_below(random, 9));
}

static void cycle_process_pool(uint64_t *random)
{
    run_some(open_pool((yoke_process_pool_options){.processes = 1 + (unsigned)draw_below(random, 2)}),
             (unsigned)draw_below(random, 5));
}

static void cycle_runtime(uint64_t *random)
{
    const yoke_runtime_options o = {.workers = 1 + (unsigned)draw_below(random, 4)};
    const yoke_options divided = {.flags = YOKE_ALWAYS_DIVIDE};
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8];
    yoke_runtime *runtime = yoke_open(&o);
    assert_non_null(runtime);
    if (draw_below(random, 2) == 0) {
        assert_int_equal(parallel_map_on(runtime, &divided, load_double, 8, x, y), YOKE_OK);
        assert_true(y[7] == 16.0f);
    }
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void run_cycles(const char *what, void (*cycle)(uint64_t *random))
{
    uint64_t random = seed_of(what);
    for (unsigned k = 0; k < 20; k++) /* what the C library keeps, it has by then */
        cycle(&random);
    const belongings before = belongings_now();
    const unsigned long cycles = scaled(40);
    for (unsigned long k = 0; k < cycles; k++)
        cycle(&random);
    printf("%lu cycles, ", cycles);
    assert_nothing_left(&before, what);
}

static void test_cycles(void **state)
{
    (void)state;
    run_cycles("thread pools", cycle_thread_pool);
    run_cycles("runtimes", cycle_runtime);
    if (!no_processes())
        run_cycles("process pools", cycle_process_pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_submitters),
        cmocka_unit_test(test_killed_processes),
        cmocka_unit_test(test_cycles),
    };
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    alarm_in(rounds_of(1) > 1 ? 500 : 120);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
