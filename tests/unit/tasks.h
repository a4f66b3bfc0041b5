/* What the tests of futures and pools share: gates that tasks wait at, and a future that the test itself ends. */
#ifndef YOKE_TESTS_UNIT_TASKS_H
#define YOKE_TESTS_UNIT_TASKS_H

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/future/future.h"
#include "tests/unit/threads.h"
#include "yoke/executor.h"

enum { MS = 1000000 };

static inline int64_t in_ms(int64_t ms)
{
    return yoke_deadline_in(ms * MS);
}

/* A task waits here until somebody opens it, and says that it is there. */
typedef struct gate {
    _Atomic uint32_t inside, open;
} gate;

static inline void gate_open(gate *g)
{
    atomic_store(&g->open, 1);
    yoke__futex_wake(&g->open, INT32_MAX);
}

static inline void gate_await_inside(gate *g, uint32_t count)
{
    while (atomic_load(&g->inside) < count)
        sleep_ns(100000);
}

__attribute__((unused)) static int wait_at_gate(void *argument, void *result)
{
    gate *g = argument;
    (void)result;
    atomic_fetch_add(&g->inside, 1);
    while (atomic_load(&g->open) == 0)
        yoke__futex_wait(&g->open, 0, 100 * MS);
    return 0;
}

__attribute__((unused)) static int do_nothing(void *argument, void *result)
{
    (void)argument, (void)result;
    return 0;
}

__attribute__((unused)) static int add_one(void *argument, void *result)
{
    (void)result;
    atomic_fetch_add((atomic_uint *)argument, 1);
    return 0;
}

/* A task that submits two of its kind and waits for them, some with a deadline. */
typedef struct fib_task {
    yoke_executor *pool;
    int n;
} fib_task;

__attribute__((unused)) static int fib(void *argument, void *result)
{
    const fib_task *t = argument;
    *(int *)result = t->n;
    if (t->n < 2)
        return 0;
    fib_task less[2] = {{t->pool, t->n - 1}, {t->pool, t->n - 2}};
    yoke_future f[2] = {0};
    int part[2] = {0}, status = YOKE_OK;
    for (int k = 0; k < 2 && status == YOKE_OK; k++)
        status = yoke_submit(t->pool, &f[k], fib, &less[k]);
    for (int k = 0; k < 2; k++)
        status |= yoke_result(&f[k], &part[k], sizeof part[k], t->n % 5 == 0 ? in_ms(100000) : 0);
    *(int *)result = part[0] + part[1];
    return status;
}

__attribute__((unused)) static int fail_with(void *argument, void *result)
{
    (void)result;
    return *(const int *)argument;
}

__attribute__((unused)) static void count_call(yoke_future *future, void *argument)
{
    assert_true(yoke_state_of(future) >= YOKE_FUTURE_DONE);
    atomic_fetch_add((atomic_uint *)argument, 1);
}

/* An owner that runs nothing: the test claims and finishes. */
static inline void leave_alone(yoke__owner *owner, yoke_future *f)
{
    (void)owner, (void)f;
}

static inline bool let_go(yoke__owner *owner, yoke_future *f)
{
    (void)owner;
    return yoke__future_claim(f, YOKE__PENDING, YOKE__CLAIMED);
}

static inline void leave_owner_alone(yoke__owner *owner)
{
    (void)owner;
}

static inline void begin(yoke_future *f)
{
    static yoke__owner nobody = {leave_alone, let_go, leave_owner_alone, NULL};
    uint32_t before;
    assert_int_equal(yoke__future_begin(f, &nobody, &before), YOKE_OK);
    yoke__future_unlock(f);
}

static inline void finish(yoke_future *f, int status)
{
    assert_true(yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING));
    yoke__future_finish(f, status == 0 ? YOKE__DONE : YOKE__FAILED, status);
}

#endif
