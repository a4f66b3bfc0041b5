/* Submitting, running, cancelling, waiting and watching at the same time, drawn at random: everything ends exactly once. */
#include <sched.h>

#include "tests/unit/tasks.h"

enum { TASKS = 64, CANCELLERS = 2, WAITERS = 2 };

typedef struct item {
    yoke_future future;
    yoke_future *after[2];
    atomic_uint runs, calls, waits;
    int returns;
    int fd;
    bool is_after, has_call;
} item;

typedef struct round {
    yoke_executor *pool;
    item items[TASKS];
    atomic_uint submitted; /* so many of them may be looked at */
    atomic_bool over;
    uint64_t seed;
} race_round;

typedef struct helper_thread {
    race_round *r;
    uint64_t seed;
    atomic_uint cancelled;
} helper_thread;

static int run_item(void *argument, void *result)
{
    item *it = argument;
    atomic_fetch_add(&it->runs, 1);
    *(item **)result = it;
    if (it->returns % 3 == 0)
        (void)sched_yield();
    return it->returns % 4 == 1 ? it->returns : 0;
}

static void *cancel_some(void *argument)
{
    helper_thread *h = argument;
    while (!atomic_load(&h->r->over)) {
        const unsigned count = atomic_load(&h->r->submitted);
        if (count == 0)
            continue;
        const int status = yoke_cancel(&h->r->items[draw_below(&h->seed, count)].future);
        assert_true(status == YOKE_OK || status == YOKE_EBUSY || status == YOKE_ESTATE);
        if (draw_below(&h->seed, 4) == 0)
            (void)sched_yield();
    }
    return NULL;
}

static void *wait_for_some(void *argument)
{
    helper_thread *h = argument;
    while (!atomic_load(&h->r->over)) {
        const unsigned count = atomic_load(&h->r->submitted);
        if (count < 2)
            continue;
        yoke_future *two[] = {&h->r->items[draw_below(&h->seed, count)].future,
                              &h->r->items[draw_below(&h->seed, count)].future};
        const int64_t deadline = draw_below(&h->seed, 2) ? 1 : yoke_deadline_in((int64_t)draw_below(&h->seed, 100000));
        int status = 0;
        switch (draw_below(&h->seed, 3)) {
        case 0: status = yoke_wait(two[0], deadline); break;
        case 1: status = yoke_wait_any(two, 2, deadline); break;
        default: (void)yoke_gather(two, 2, deadline);
        }
        assert_true(status >= 0 || status == YOKE_ETIMEDOUT);
    }
    return NULL;
}

static void submit_item(race_round *r, unsigned k)
{
    item *it = &r->items[k];
    yoke_task_options options = {.priority = (int)draw_below(&r->seed, 3) - 1,
                                 .flags = draw_below(&r->seed, 8) == 0 ? YOKE_TASK_BLOCKS : 0};
    it->returns = (int)draw_below(&r->seed, 1000);
    it->is_after = k > 1 && draw_below(&r->seed, 3) == 0;
    it->has_call = draw_below(&r->seed, 2) == 0;
    it->fd = -1;
    if (it->is_after) {
        it->after[0] = &r->items[draw_below(&r->seed, k)].future;
        it->after[1] = &r->items[draw_below(&r->seed, k)].future;
        options.after = it->after;
        options.after_count = 2;
    }
    assert_int_equal(yoke_submit_on(r->pool, &options, &it->future, run_item, it), YOKE_OK);
    atomic_store(&r->submitted, k + 1);
    if (it->has_call)
        assert_int_equal(yoke_then(&it->future, count_call, &it->calls), YOKE_OK);
    if (draw_below(&r->seed, 16) == 0)
        assert_true((it->fd = yoke_future_fd(&it->future)) >= 0);
}

/* What it came to follows from what ran, and from what it depends on. */
static void check_item(item *it)
{
    const yoke_future_state state = yoke_state_of(&it->future);
    const unsigned runs = atomic_load(&it->runs);
    void *result = NULL;
    const int status = yoke_result(&it->future, &result, sizeof result, 1);
    assert_true(state >= YOKE_FUTURE_DONE);
    assert_int_equal(atomic_load(&it->calls), it->has_call);
    assert_true(runs <= 1);
    if (runs == 1) {
        assert_ptr_equal(result, it);
        assert_int_equal(status, it->returns % 4 == 1 ? it->returns : 0);
        assert_int_equal(state, status == 0 ? YOKE_FUTURE_DONE : YOKE_FUTURE_FAILED);
    } else {
        assert_true(state == YOKE_FUTURE_CANCELLED || it->is_after);
        assert_int_not_equal(status, YOKE_OK);
    }
    for (int k = 0; k < 2 && it->is_after && runs == 1; k++)
        assert_int_equal(yoke_state_of(it->after[k]), YOKE_FUTURE_DONE);
    if (it->fd >= 0) {
        struct pollfd p = {.fd = it->fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 1000), 1);
        close(it->fd);
    }
}

static void run_round(race_round *r, bool iterates)
{
    yoke_future *all[TASKS], *next;
    yoke_completions c;
    atomic_store(&r->submitted, 0);
    for (unsigned k = 0; k < TASKS; k++) {
        r->items[k] = (item){0};
        all[k] = &r->items[k].future;
    }
    for (unsigned k = 0; k < TASKS; k++)
        submit_item(r, k);
    if (iterates)
        assert_int_equal(yoke_as_completed(&c, all, TASKS), YOKE_OK);
    for (unsigned k = 0; k < TASKS; k++)
        if (iterates) {
            assert_int_equal(yoke_next_completed(&c, &next, 0), YOKE_OK);
            item *it = (item *)(void *)next;
            assert_int_equal(atomic_fetch_add(&it->waits, 1), 0); /* each is delivered once */
        } else {
            assert_int_equal(yoke_wait(all[TASKS - 1 - k], 0), YOKE_OK);
        }
    for (unsigned k = 0; k < TASKS; k++)
        check_item(&r->items[k]);
}

static void test_races(void **state)
{
    (void)state;
    static race_round r;
    uint64_t seed = seed_of("races");
    for (unsigned long rounds = rounds_of(150); rounds > 0; rounds--) {
        const yoke_thread_pool_options options = {.threads = 1 + (unsigned)draw_below(&seed, 4),
                                                  .queue = draw_below(&seed, 3) ? 0 : 1 + draw_below(&seed, 8)};
        helper_thread helpers[CANCELLERS + WAITERS];
        pthread_t threads[CANCELLERS + WAITERS];
        const unsigned count = (unsigned)draw_below(&seed, CANCELLERS + WAITERS + 1);
        r.pool = yoke_thread_pool_on(&options);
        r.seed = draw(&seed);
        atomic_store(&r.over, false);
        atomic_store(&r.submitted, 0);
        for (unsigned k = 0; k < count; k++) {
            helpers[k] = (helper_thread){.r = &r, .seed = draw(&seed)};
            assert_int_equal(pthread_create(&threads[k], NULL, k % 2 ? cancel_some : wait_for_some, &helpers[k]), 0);
        }
        run_round(&r, rounds % 2 == 0);
        atomic_store(&r.over, true);
        for (unsigned k = 0; k < count; k++)
            pthread_join(threads[k], NULL);
        yoke_executor_counts counts;
        do
            assert_int_equal(yoke_executor_count(r.pool, &counts), YOKE_OK);
        while (counts.waiting + counts.running > 0);
        assert_int_equal(counts.submitted, TASKS);
        assert_int_equal(counts.done + counts.failed + counts.cancelled, TASKS);
        assert_int_equal(yoke_join(r.pool, 0), YOKE_OK);
    }
}

/* --- many submitters, futures that are used again at once, and a pool that is closed under them --- */

typedef struct submitter {
    yoke_executor *pool;
    uint64_t seed;
    unsigned accepted, ended;
    atomic_uint runs;
} submitter;

static void *submit_many(void *argument)
{
    submitter *s = argument;
    yoke_future f[4] = {0};
    for (unsigned k = 0;; k++) {
        yoke_future *one = &f[k % 4];
        if (yoke_state_of(one) != YOKE_FUTURE_IDLE) {
            assert_int_equal(yoke_wait(one, 0), YOKE_OK);
            s->ended++;
        }
        const int status = yoke_submit(s->pool, one, add_one, &s->runs);
        assert_true(status == YOKE_OK || status == YOKE_ESTATE);
        if (status == YOKE_ESTATE)
            break;
        s->accepted++;
        if (draw_below(&s->seed, 3) == 0)
            (void)yoke_cancel(one);
    }
    for (unsigned k = 0; k < 4; k++)
        if (yoke_state_of(&f[k]) != YOKE_FUTURE_IDLE)
            assert_int_equal(yoke_wait(&f[k], 0), YOKE_OK);
    return NULL;
}

static void test_closed_under_submitters(void **state)
{
    (void)state;
    enum { SUBMITTERS = 6 };
    uint64_t seed = seed_of("closed_under_submitters");
    for (unsigned long rounds = rounds_of(30); rounds > 0; rounds--) {
        const yoke_thread_pool_options options = {.threads = 2, .queue = rounds % 3};
        submitter s[SUBMITTERS];
        pthread_t threads[SUBMITTERS];
        yoke_executor *pool = yoke_thread_pool_on(&options);
        yoke_executor_counts counts;
        uint64_t accepted = 0, runs = 0;
        for (int k = 0; k < SUBMITTERS; k++) {
            s[k] = (submitter){.pool = pool, .seed = draw(&seed)};
            assert_int_equal(pthread_create(&threads[k], NULL, submit_many, &s[k]), 0);
        }
        sleep_ns((int64_t)draw_below(&seed, 4 * MS));
        if (draw_below(&seed, 2))
            assert_true(yoke_cancel_all(pool) >= 0);
        assert_int_equal(yoke_executor_close(pool), YOKE_OK);
        for (int k = 0; k < SUBMITTERS; k++) {
            pthread_join(threads[k], NULL);
            accepted += s[k].accepted;
            runs += atomic_load(&s[k].runs);
        }
        do
            assert_int_equal(yoke_executor_count(pool, &counts), YOKE_OK);
        while (counts.waiting + counts.running > 0);
        assert_int_equal(counts.submitted, accepted);
        assert_int_equal(counts.done, runs);
        assert_int_equal(counts.cancelled, accepted - runs);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

/* --- cancelling everything while tasks end and others begin --- */

static void test_cancel_all_races(void **state)
{
    (void)state;
    uint64_t seed = seed_of("cancel_all_races");
    static item items[TASKS];
    for (unsigned long rounds = rounds_of(200); rounds > 0; rounds--) {
        yoke_executor *pool = yoke_thread_pool(2);
        race_round r = {.pool = pool};
        memset(items, 0, sizeof items);
        int cancelled = 0, seen = 0;
        for (unsigned k = 0; k < TASKS; k++) {
            yoke_task_options options = {0};
            items[k].after[0] = k > 0 ? &items[draw_below(&seed, k)].future : NULL;
            if (k > 0 && draw_below(&seed, 2)) {
                options.after = items[k].after;
                options.after_count = 1;
                items[k].is_after = true;
            }
            assert_int_equal(yoke_submit_on(r.pool, &options, &items[k].future, run_item, &items[k]), YOKE_OK);
            if (draw_below(&seed, 16) == 0)
                cancelled += yoke_cancel_all(pool);
        }
        cancelled += yoke_cancel_all(pool);
        for (unsigned k = 0; k < TASKS; k++) {
            assert_int_equal(yoke_wait(&items[k].future, 0), YOKE_OK);
            seen += yoke_state_of(&items[k].future) == YOKE_FUTURE_CANCELLED;
        }
        assert_true(seen >= cancelled); /* and those that depend on them */
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_closed_under_submitters),
        cmocka_unit_test(test_cancel_all_races),
    };
    alarm_in(100);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
