/* A clock cheap enough for single calls of 100 ns: the time-stamp counter, where there is one that ticks evenly. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline double bench_seconds(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if defined(__x86_64__)
/* The fences keep the measured call between the two readings. */
static inline uint64_t bench_ticks(void)
{
    uint32_t low, high;
    __asm__ __volatile__("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
#else
static inline uint64_t bench_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#endif

/* Seconds per tick; takes 20 ms. */
static inline double bench_tick_seconds(void)
{
    double start = bench_seconds(CLOCK_MONOTONIC), stop = start;
    uint64_t first = bench_ticks();
    while (stop - start < 0.02)
        stop = bench_seconds(CLOCK_MONOTONIC);
    return (stop - start) / (double)(bench_ticks() - first);
}

#endif
