/* lib/cpu and lib/parallel in a child of fork(): workers are made afresh, whatever the parent's threads were doing. */
#include <pthread.h>
#include <sys/wait.h>

#include "tests/unit/threads.h"
#include "yoke/yoke.h"

enum { ITEMS = 20000 };

YOKE_KERNEL(fork_square, (in(int, x), out(int, y)), { y[i] = x[i] * x[i]; })

static bool squares(yoke_runtime *runtime)
{
    static _Thread_local int x[ITEMS], y[ITEMS];
    const yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
    for (int k = 0; k < ITEMS; k++)
        x[k] = k % 1000, y[k] = -1;
    if (parallel_map_on(runtime, &options, fork_square, ITEMS, x, y) != YOKE_OK)
        return false;
    for (int k = 0; k < ITEMS; k++)
        if (y[k] != x[k] * x[k])
            return false;
    return true;
}

static yoke_runtime *runtime_of(unsigned workers)
{
    const yoke_runtime_options options = {.workers = workers, .pin = YOKE_PIN_NONE};
    yoke_runtime *runtime = yoke_open(&options);
    assert_non_null(runtime);
    return runtime;
}

static void in_child(bool (*good)(void *runtime), yoke_runtime *runtime)
{
    if (SANITIZED)
        sleep_ns(50000000); /* a starting worker may hold a sanitizer's lock, which the child would wait for */
    assert_int_equal(child_says(good, runtime), 0);
}

static bool maps_and_closes(void *runtime)
{
    bool good = squares(runtime) && each_worker(NULL, NULL) == 2 && squares(runtime);
    return good && yoke_set_workers(runtime, 2) == YOKE_OK && squares(runtime) && yoke_close(runtime) == YOKE_OK &&
           workers_become(0);
}

static bool only_closes(void *runtime)
{
    return yoke_close(runtime) == YOKE_OK;
}

static bool forks_again(void *runtime)
{
    in_child(maps_and_closes, runtime);
    return squares(runtime);
}

static void child_maps_closes_and_forks_with_workers_of_its_own(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* TSan ends a forked child that starts threads */
    yoke_runtime *runtime = runtime_of(3);
    in_child(maps_and_closes, runtime); /* before the first map */
    assert_true(squares(runtime));
    in_child(maps_and_closes, runtime);
    in_child(only_closes, runtime);
    in_child(forks_again, runtime);
    assert_true(squares(runtime));
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

/* --- several threads of the child call at once, before anything was rebuilt --- */

enum { CHILD_THREADS = 6 };

typedef struct starter {
    pthread_t thread;
    yoke_runtime *runtime;
    atomic_uint *waiting;
    bool good;
} starter;

static void *start_together(void *argument)
{
    starter *self = argument;
    atomic_fetch_sub(self->waiting, 1);
    while (atomic_load(self->waiting) != 0)
        ;
    self->good = true;
    for (int k = 0; k < 20 && self->good; k++)
        self->good = squares(self->runtime);
    return NULL;
}

static bool calls_from_many_threads(void *runtime)
{
    starter starters[CHILD_THREADS];
    atomic_uint waiting = CHILD_THREADS;
    bool good = true;
    for (int k = 0; k < CHILD_THREADS; k++) {
        starters[k] = (starter){.runtime = runtime, .waiting = &waiting};
        good &= pthread_create(&starters[k].thread, NULL, start_together, &starters[k]) == 0;
    }
    for (int k = 0; k < CHILD_THREADS; k++) {
        pthread_join(starters[k].thread, NULL);
        good &= starters[k].good;
    }
    return good;
}

static void child_whose_threads_all_call_at_once_maps(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* TSan does not follow a fork of a process with threads into new threads */
    yoke_runtime *runtime = runtime_of(3);
    for (unsigned long round = rounds_of(30); round > 0; round--)
        in_child(calls_from_many_threads, runtime);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

/* --- fork in the middle of other threads' maps --- */

typedef struct busy_thread {
    pthread_t thread;
    yoke_runtime *runtime;
    atomic_bool *stop;
    bool good;
} busy_thread;

static void *map_until_stopped(void *argument)
{
    busy_thread *self = argument;
    self->good = true;
    while (self->good && !atomic_load(self->stop))
        self->good = squares(self->runtime);
    return NULL;
}

static void child_forked_while_other_threads_map_maps(void **state)
{
    (void)state;
    if (SANITIZED)
        skip(); /* a sanitizer's own locks may be held by a thread that is not in the child */
    yoke_runtime *runtime = runtime_of(3);
    atomic_bool stop = false;
    busy_thread busy[4];
    for (int k = 0; k < 4; k++) {
        busy[k] = (busy_thread){.runtime = runtime, .stop = &stop};
        assert_int_equal(pthread_create(&busy[k].thread, NULL, map_until_stopped, &busy[k]), 0);
    }
    for (unsigned long round = rounds_of(40); round > 0; round--)
        in_child(maps_and_closes, runtime);
    atomic_store(&stop, true);
    for (int k = 0; k < 4; k++) {
        pthread_join(busy[k].thread, NULL);
        assert_true(busy[k].good);
    }
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_maps_closes_and_forks_with_workers_of_its_own),
        cmocka_unit_test(child_whose_threads_all_call_at_once_maps),
        cmocka_unit_test(child_forked_while_other_threads_map_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
