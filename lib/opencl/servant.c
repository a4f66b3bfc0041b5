/* The threads that make the OpenCL calls, and the errands they are sent on. */
#include <fenv.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/opencl/servant.h"

static const int64_t EXIT_WAIT_NS = 2000000000;
enum {
    STACK_BYTES = 8 << 20, /* drivers compile on them; untouched pages cost nothing */
    NICE = 10,
    SPIN_LIMIT_NS = 50000,
    WAKE_NS = 60000,     /* what it costs to wake a thread */
    SPINS_PER_LOOK = 16, /* at the clock, and for others who want this CPU */
    JOIN_PAUSE_NS = 50000
};

struct servant {
    alignas(YOKE_CACHE_LINE) errand *_Atomic inbox; /* sent and not yet taken, the last one first */
    _Atomic uint32_t asleep;                        /* futex: 1 while the thread sleeps or is about to */
    _Atomic int64_t woken_ns;                       /* when a sender last found it so */
    alignas(YOKE_CACHE_LINE) int64_t gap_ns;        /* smoothed: what a sender takes from one errand to the next */
    int64_t delay_ns;                               /* before that, to wake the sender of the last one */
    int64_t spin_limit_ns;
    _Atomic uint32_t holders; /* the owner and the thread */
    _Atomic uint32_t settled; /* the thread needs the topology no more */
    _Atomic uint32_t ended;   /* futex */
    atomic_bool left;         /* behind */
    errand last;              /* ends the thread */
    pthread_t thread;
    const yoke__topology *topology;
    int node;
    bool background;
    char name[16];
};

static void release_servant(servant *s)
{
    if (atomic_fetch_sub(&s->holders, 1) == 1)
        yoke__free(s);
}

/* --- errands --- */

void errand_free(errand *e)
{
    yoke__free(e);
}

void errand_release(errand *e)
{
    if (atomic_fetch_sub(&e->holders, 1) == 1)
        e->dispose(e);
}

/* Whether somebody had to be woken. */
static bool finish(errand *e)
{
    yoke__announce(&e->finished);
    const bool waiting = atomic_load(&e->waiting) != 0;
    if (waiting)
        yoke__futex_wake(&e->finished, INT_MAX);
    errand_release(e);
    return waiting;
}

static bool spin_for(_Atomic uint32_t *word, int64_t until_ns)
{
    for (unsigned spins = 1; atomic_load_explicit(word, memory_order_acquire) == 0; spins++) {
        yoke__relax();
        if (spins % SPINS_PER_LOOK != 0)
            continue;
        if (yoke__now_ns() >= until_ns)
            return false;
        (void)sched_yield(); /* the servant may be waiting for this very CPU */
    }
    return true;
}

/* Waits until `*word` is not 0, which its writer must say by a wake. */
static bool sleep_for(_Atomic uint32_t *word, int64_t until_ns)
{
    while (atomic_load(word) == 0) {
        const int64_t now = yoke__now_ns();
        if (now >= until_ns)
            return false;
        yoke__futex_wait(word, 0, until_ns - now);
    }
    return true;
}

bool errand_wait(errand *e, int64_t until_ns, int64_t spin_ns)
{
    if (atomic_load_explicit(&e->finished, memory_order_acquire) != 0)
        return true;
    const int64_t now = until_ns > 0 ? yoke__now_ns() : 0;
    if (until_ns <= now)
        return false;
    if (spin_ns > 0 && spin_for(&e->finished, spin_ns < until_ns - now ? now + spin_ns : until_ns))
        return true;
    yoke__announce(&e->waiting); /* and stays so: others may wait for the same errand */
    return sleep_for(&e->finished, until_ns);
}

enum { TOUCHED = 1, ABANDONED = 2 };

bool errand_touch(errand *e)
{
    uint32_t expected = 0;
    return atomic_compare_exchange_strong(&e->touch, &expected, TOUCHED);
}

void errand_touch_end(errand *e)
{
    atomic_fetch_and(&e->touch, ~(uint32_t)TOUCHED);
}

void errand_abandon(errand *e)
{
    atomic_fetch_or(&e->touch, ABANDONED);
    while ((atomic_load(&e->touch) & TOUCHED) != 0) /* it copies memory, and calls nobody */
        (void)sched_yield();
}

/* --- the end of the process --- */

static _Atomic uint32_t under_way; /* errands; a futex */
static atomic_bool awaited, leaving;
static _Atomic unsigned forks; /* when a servant was last started */

/* Exit handlers of the driver's libraries tear down what a compiler on another thread still uses. */
static void await_errands(void)
{
    static atomic_bool gave_up; /* one such wait is enough */
    const int64_t until = yoke__now_ns() + EXIT_WAIT_NS;
    uint32_t count;
    if (atomic_load(&forks) != yoke__fork_count())
        return; /* a child has none of the threads */
    atomic_store(&awaited, true);
    while ((count = atomic_load(&under_way)) != 0 && !atomic_load(&gave_up) && yoke__now_ns() < until)
        yoke__futex_wait(&under_way, count, until - yoke__now_ns());
    atomic_store(&gave_up, count != 0);
}

static void await_quiet(void)
{
    atomic_store(&leaving, true);
    await_errands();
}

/* Libraries that are just being loaded register handlers that run before ours. The C library ends what is local to the
 * thread that calls exit() before all handlers: for the main thread, which is the usual one, that is ours, too. It may
 * also mean that this thread ends alone, so nothing is called off. */
static void await_at_main_end(void *nothing)
{
    (void)nothing;
    await_errands();
}

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

__attribute__((constructor)) static void watch_main_thread(void)
{
    if (__cxa_thread_atexit_impl != NULL && syscall(SYS_gettid) == getpid())
        (void)__cxa_thread_atexit_impl(await_at_main_end, NULL, &__dso_handle);
}

void servant_quiet_at_exit(void)
{
    static atomic_bool registered; /* once, for each would wait; a forked child inherits it */
    if (!atomic_exchange(&registered, true))
        (void)atexit(await_quiet);
}

/* It counts before it looks whether the process ends, and await_quiet() says so before it looks at the count. */
static void run_errand(servant *s, errand *e)
{
    atomic_fetch_add(&under_way, 1);
    if (s->background && atomic_load(&leaving)) {
        errand_release(e);
    } else {
        e->run(e);
        const bool woke = finish(e);
        s->delay_ns = woke && s->spin_limit_ns != 0 ? WAKE_NS : 0;
    }
    if (atomic_fetch_sub(&under_way, 1) == 1 && atomic_load(&awaited))
        yoke__futex_wake(&under_way, INT_MAX);
}

/* --- the queue --- */

static void push(servant *s, errand *e)
{
    e->next = atomic_load_explicit(&s->inbox, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&s->inbox, &e->next, e))
        ;
    /* Whoever sees `asleep` after its errand is in the inbox wakes the thread, which looks there once more after it set
     * that: one of the two sees the other. */
    if (atomic_load(&s->asleep) == 0)
        return;
    atomic_store_explicit(&s->woken_ns, yoke__now_ns(), memory_order_relaxed);
    if (atomic_exchange(&s->asleep, 0) != 0)
        yoke__futex_wake(&s->asleep, 1);
}

void servant_send(servant *s, errand *e)
{
    atomic_init(&e->finished, 0);
    atomic_init(&e->waiting, 0);
    atomic_init(&e->holders, 2);
    atomic_init(&e->touch, 0);
    push(s, e);
}

void servant_post(servant *s, errand *e)
{
    servant_send(s, e);
    errand_release(e);
}

static bool is_empty(servant *s)
{
    return atomic_load(&s->inbox) == NULL;
}

/* Twice the usual gap when that is short enough, after the sender had time to wake; a token when it is not, so that
 * shorter ones are noticed. */
static int64_t spin_budget(const servant *s)
{
    const int64_t limit = s->spin_limit_ns, least = limit / 16, budget = 2 * s->gap_ns;
    if (budget > 2 * limit)
        return least;
    return s->delay_ns + (budget < least ? least : budget < limit ? budget : limit);
}

/* The time that waking takes is left out at both ends. Otherwise two that woke each other once would find the gaps too
 * long to spin, and go on like that. */
static void learn_gap(servant *s, int64_t start, bool slept)
{
    const int64_t woken = atomic_load_explicit(&s->woken_ns, memory_order_relaxed);
    const int64_t most = 4 * s->spin_limit_ns; /* one pause must not outweigh many gaps */
    int64_t gap = (slept && woken > start ? woken : yoke__now_ns()) - start - s->delay_ns;
    gap = gap < 0 ? 0 : gap < most ? gap : most;
    s->gap_ns += (gap - s->gap_ns) / 4;
}

static void await(servant *s)
{
    if (!is_empty(s))
        return;
    const int64_t start = yoke__now_ns(), budget = spin_budget(s);
    int64_t now = start;
    for (unsigned spins = 1; is_empty(s) && now - start < budget; spins++) {
        yoke__relax();
        if (spins % SPINS_PER_LOOK != 0)
            continue;
        now = yoke__now_ns();
        (void)sched_yield(); /* the sender may be waiting for this very CPU */
    }
    bool slept = false;
    while (is_empty(s)) {
        yoke__announce(&s->asleep);
        if (is_empty(s))
            yoke__futex_wait(&s->asleep, 1, -1);
        atomic_store_explicit(&s->asleep, 0, memory_order_relaxed);
        slept = true;
    }
    if (s->spin_limit_ns != 0)
        learn_gap(s, start, slept);
}

/* All that were sent, the first one first. */
static errand *take_all(servant *s)
{
    errand *first = NULL, *e = atomic_exchange(&s->inbox, NULL);
    while (e != NULL) {
        errand *next = e->next;
        e->next = first;
        first = e;
        e = next;
    }
    return first;
}

static void serve(servant *s)
{
    for (;;) {
        await(s);
        for (errand *e = take_all(s), *next; e != NULL; e = next) {
            if (e == &s->last)
                return;
            next = e->next; /* a finished errand is the sender's */
            if (atomic_load_explicit(&s->left, memory_order_relaxed)) {
                errand_release(e);
                continue;
            }
            run_errand(s, e);
        }
    }
}

/* --- the thread --- */

void servant_give_way(void)
{
    const struct sched_param parameter = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &parameter);
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
}

/* The driver's threads inherit all this from the first that calls it. Whatever fails costs speed only. */
static void settle(servant *s)
{
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    (void)pthread_setname_np(pthread_self(), s->name);
    (void)fesetenv(FE_DFL_ENV);
    if (s->node < 0 || yoke__topology_bind_to_node(s->topology, (unsigned)s->node) != YOKE_OK)
        (void)yoke__topology_unbind_thread(s->topology);
    if (s->background)
        servant_give_way();
    atomic_store(&s->settled, 1);
}

static void *servant_main(void *argument)
{
    servant *s = argument;
    settle(s);
    serve(s);
    atomic_store(&s->ended, 1);
    yoke__futex_wake(&s->ended, 1);
    release_servant(s);
    return NULL;
}

servant *servant_start(const yoke__topology *topology, const char *name, int node, bool background)
{
    servant *s = yoke__alloc_aligned(YOKE_CACHE_LINE, sizeof *s);
    if (s == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for thread %s", name);
        return NULL;
    }
    size_t cpus;
    (void)yoke__topology_pus(topology, &cpus);
    *s = (servant){.topology = topology, .node = node, .background = background};
    s->spin_limit_ns = background || cpus < 2 ? 0 : SPIN_LIMIT_NS; /* on one CPU it would keep the sender waiting */
    s->gap_ns = 4 * s->spin_limit_ns;
    atomic_init(&s->holders, 2);
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    atomic_store(&forks, yoke__fork_count());
    const int status = yoke__thread_start(&s->thread, STACK_BYTES, servant_main, s);
    if (status == YOKE_OK)
        return s;
    yoke__free(s);
    yoke__fail(status, "the system refuses thread %s; end some threads, or raise its limits", name);
    return NULL;
}

/* The end of a thread runs destructors of the driver, which may hang as well. */
static bool join(servant *s, int64_t until_ns)
{
    const struct timespec pause = {.tv_nsec = JOIN_PAUSE_NS};
    while (pthread_tryjoin_np(s->thread, NULL) != 0) {
        if (yoke__now_ns() >= until_ns)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

bool servant_stop(servant *s, int64_t until_ns)
{
    if (s == NULL)
        return true;
    push(s, &s->last);
    const bool ended = sleep_for(&s->ended, until_ns) && join(s, until_ns);
    if (!ended) {
        atomic_store(&s->left, true);
        while (atomic_load(&s->settled) == 0) /* the topology may go when this returns */
            (void)sched_yield();
        (void)pthread_detach(s->thread);
    }
    release_servant(s);
    return ended;
}
