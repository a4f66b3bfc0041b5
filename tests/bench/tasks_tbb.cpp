/* Tasks of oneTBB. Modes: "group", one task_group, whose waiting thread runs tasks too; "enqueue", a task that another
 * thread must run: task_arena::enqueue, and a semaphore to wait for it. */
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <semaphore.h>

#include <cstring>

#include "contestant.h"
#include "tasks.h"

namespace
{

using oneapi::tbb::global_control;
using oneapi::tbb::task_group;

void tasks(bench_job *job)
{
    task_group group;
    for (size_t k = 0; k < job->n; k++)
        group.run([job, k] { bench_task(job, k); });
    group.wait();
}

void enqueue(bench_job *job)
{
    static oneapi::tbb::task_arena arena(static_cast<int>(bench_threads()));
    sem_t done;
    sem_init(&done, 0, 0);
    arena.enqueue([job, &done] {
        bench_task(job, 0);
        sem_post(&done);
    });
    while (sem_wait(&done) != 0)
        continue;
    sem_destroy(&done);
}

long fib(unsigned n, unsigned cut)
{
    if (n <= cut)
        return bench_fib(n);
    long a = 0;
    task_group group;
    group.run([&a, n, cut] { a = fib(n - 1, cut); });
    const long b = fib(n - 2, cut);
    group.wait();
    return a + b;
}

void fibonacci(bench_job *job)
{
    job->result = static_cast<float>(
        fib(static_cast<unsigned>(job->n), static_cast<unsigned>(job->workload->iterations)));
}

bench_call find(bench_job *job)
{
    static global_control limit(global_control::max_allowed_parallelism, bench_threads());
    if (std::strcmp(job->mode, "enqueue") == 0)
        return job->workload->kind == BENCH_TASKS && job->n == 1 ? enqueue : nullptr;
    switch (job->workload->kind) {
    case BENCH_TASKS: return tasks;
    case BENCH_FIB: return fibonacci;
    default: return nullptr;
    }
}

void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

} // namespace

const struct bench_contestant bench_contestant = {find, parallel, nullptr, nullptr, nullptr};
