#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/base.h"

YOKE_HOT int64_t yoke__now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t yoke_deadline_in(int64_t nanoseconds)
{
    int64_t deadline;
    if (__builtin_add_overflow(yoke__now_ns(), nanoseconds, &deadline))
        return nanoseconds > 0 ? INT64_MAX : 1;
    return deadline > 0 ? deadline : 1; /* 0 would mean none */
}

void yoke__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec limit = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns < 0 ? NULL : &limit, NULL, 0);
}

void yoke__futex_wake(_Atomic uint32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

#define ASLEEP (UINT32_C(1) << 31)
enum { SPINS_PER_LOOK = 32 };

static bool is_other(uint32_t word, uint32_t seen)
{
    return (word & ~ASLEEP) != seen;
}

static bool spin(_Atomic uint32_t *word, uint32_t seen, int64_t until_ns, int64_t spin_ns)
{
    const int64_t end = yoke__now_ns() + spin_ns, until = until_ns > 0 && until_ns < end ? until_ns : end;
    for (unsigned spins = 1; !is_other(atomic_load_explicit(word, memory_order_acquire), seen); spins++) {
        yoke__relax();
        if (spins % SPINS_PER_LOOK == 0 && yoke__now_ns() >= until)
            return false;
    }
    return true;
}

uint32_t yoke__park(_Atomic uint32_t *word, uint32_t seen, int64_t until_ns, int64_t spin_ns)
{
    uint32_t now = atomic_load_explicit(word, memory_order_acquire);
    if (is_other(now, seen) || (spin_ns > 0 && spin(word, seen, until_ns, spin_ns)))
        return atomic_load_explicit(word, memory_order_acquire) & ~ASLEEP;
    for (;;) {
        if (is_other(now, seen))
            break;
        const int64_t left = until_ns > 0 ? until_ns - yoke__now_ns() : -1;
        if (until_ns > 0 && left <= 0)
            break;
        if ((now & ASLEEP) == 0 && !atomic_compare_exchange_strong(word, &now, now | ASLEEP))
            continue;
        yoke__futex_wait(word, seen | ASLEEP, left);
        now = atomic_load_explicit(word, memory_order_acquire);
    }
    return atomic_fetch_and(word, ~ASLEEP) & ~ASLEEP;
}

void yoke__unpark(_Atomic uint32_t *word)
{
    if ((atomic_fetch_add(word, 1) & ASLEEP) != 0)
        yoke__futex_wake(word, 1);
}
