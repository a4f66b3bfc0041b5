#define _GNU_SOURCE
#include "tasks.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

#define DEFAULT_STEPS 700u /* per microsecond */
#define TRIALS 200

static unsigned long number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : 0;
}

unsigned bench_threads(void)
{
    cpu_set_t usable;
    unsigned long wanted = number("BENCH_THREADS");
    if (wanted > 0)
        return (unsigned)wanted;
    return sched_getaffinity(0, sizeof usable, &usable) == 0 ? (unsigned)CPU_COUNT(&usable) : 1;
}

/* Each step needs the one before: neither a compiler nor a CPU makes them fewer. */
static uint64_t spin(uint64_t x, unsigned long steps)
{
    for (unsigned long k = 0; k < steps; k++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

static unsigned long steps_per_us;

__attribute__((constructor)) static void read_steps(void)
{
    steps_per_us = number("BENCH_SPIN");
    if (steps_per_us == 0)
        steps_per_us = DEFAULT_STEPS;
}

void bench_task(const bench_job *job, size_t k)
{
    if (job->workload->iterations > 0)
        ((float *)job->out[0])[k] = (float)(spin(k, (unsigned long)job->workload->iterations * steps_per_us) >> 40);
}

long bench_fib(unsigned n)
{
    return n < 2 ? (long)n : bench_fib(n - 1) + bench_fib(n - 2);
}

void bench_tasks_calibrate(void)
{
    const unsigned long steps = 100 * DEFAULT_STEPS;
    volatile uint64_t sink = 0;
    double least = 1.0;
    char text[32];
    for (int k = 0; k < TRIALS; k++) {
        double start = bench_seconds(CLOCK_MONOTONIC);
        sink = spin(sink, steps);
        double took = bench_seconds(CLOCK_MONOTONIC) - start;
        least = took < least ? took : least;
    }
    snprintf(text, sizeof text, "%.0f", 1e-6 * (double)steps / least);
    setenv("BENCH_SPIN", text, 0);
    snprintf(text, sizeof text, "%u", bench_threads());
    setenv("BENCH_THREADS", text, 0);
}
