/* What the unit tests share: a seeded generator that prints its seed, scale of a campaign, threads and /proc. */
#ifndef YOKE_TESTS_UNIT_SUPPORT_H
#define YOKE_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/base.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if !defined(SANITIZED)
#define SANITIZED 0
#endif
#if defined(__SANITIZE_THREAD__)
#define SANITIZED_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZED_THREADS 1
#endif
#endif
#if !defined(SANITIZED_THREADS)
#define SANITIZED_THREADS 0
#endif

/* splitmix64; one state per thread that draws */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t draw_below(uint64_t *state, uint64_t limit)
{
    return draw(state) % limit;
}

/* In [low, high). */
static inline double draw_double(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(draw(state) >> 11) * 0x1p-53);
}

/* YOKE_SEED repeats a run. */
static inline uint64_t seed_of(const char *test)
{
    const char *text = getenv("YOKE_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)yoke__now_ns() ^ (uint64_t)time(NULL) << 20;
    printf("%s: YOKE_SEED=%llu\n", test, (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* How often random tests repeat: YOKE_TEST_SCALE=100 makes a campaign of an everyday run. */
static inline unsigned long rounds_of(unsigned long everyday)
{
    const char *text = getenv("YOKE_TEST_SCALE");
    unsigned long scale = text != NULL ? strtoul(text, NULL, 10) : 1;
    unsigned long rounds = everyday * (scale > 0 ? scale : 1);
    return SANITIZED ? (rounds + 9) / 10 : rounds;
}

/* Signals that a thread raises on itself by what it does: those of others are blocked in the library's threads. */
static inline bool is_of_a_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGTRAP ||
           number == SIGSYS;
}

static inline void sleep_ns(int64_t ns)
{
    struct timespec pause = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    while (nanosleep(&pause, &pause) != 0)
        ;
}

#endif
