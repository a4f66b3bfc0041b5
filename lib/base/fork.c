/* Forks, counted: threads, locks and drivers do not survive one. */
#include <pthread.h>

#include "lib/base/base.h"

static atomic_uint forks;

static void in_child(void)
{
    atomic_fetch_add(&forks, 1); /* nothing else: only async-signal-safe work is allowed here */
}

__attribute__((constructor(YOKE__FIRST))) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

unsigned yoke__fork_count(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed);
}
