/* lib/opencl/servant: its thread as the system sees it: name, signals, arithmetic, priority, place, sleep. */
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/servants.h"

/* --- the thread --- */

typedef struct thread_look {
    char name[16];
    sigset_t blocked;
    size_t stack;
    int nice, policy, rounding;
    unsigned long cpus[YOKE_MAX_PUS / (8 * sizeof(unsigned long))];
    clockid_t clock;
} thread_look;

static void look_at_thread(void *context)
{
    thread_look *seen = context;
    pthread_attr_t attributes;
    memset(seen, 0, sizeof *seen);
    (void)pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &seen->stack);
        (void)pthread_attr_destroy(&attributes);
    }
    seen->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    seen->policy = sched_getscheduler(0);
    seen->rounding = fegetround();
    (void)syscall(SYS_sched_getaffinity, 0, sizeof seen->cpus, seen->cpus);
    (void)pthread_getcpuclockid(pthread_self(), &seen->clock);
}

static void look_at(thread_look *seen, const char *name, int node, bool background)
{
    servant *s = servant_start(topology, name, node, background);
    assert_non_null(s);
    look_on(s, look_at_thread, seen);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
}

static void thread_is_named_blocks_signals_and_has_its_own_arithmetic(void **state)
{
    (void)state;
    static thread_look seen;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(fesetround(FE_UPWARD), 0);
    look_at(&seen, "yoke-a-name-that-is-too-long", -1, false);
    assert_int_equal(fegetround(), FE_UPWARD);
    assert_int_equal(fesetround(FE_TONEAREST), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_string_equal(seen.name, "yoke-a-name-tha");
    assert_int_equal(seen.rounding, FE_TONEAREST);
    assert_true(seen.stack >= 8u << 20);
    assert_int_equal(seen.nice, getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)));
    assert_int_equal(seen.policy, sched_getscheduler(0));
    for (int number = 1; number < 32; number++) {
        if (number != SIGKILL && number != SIGSTOP)
            assert_int_equal(sigismember(&seen.blocked, number), !is_of_a_fault(number));
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
    }
}

static void give_way(void *context)
{
    (void)context;
    servant_give_way();
}

static void background_thread_gives_way(void **state)
{
    (void)state;
    static thread_look seen, own;
    look_at_thread(&own);
    look_at(&seen, "yoke-background", -1, true);
    assert_string_equal(seen.name, "yoke-background");
    assert_int_equal(seen.nice, own.nice > 10 ? own.nice : 10);
    assert_int_equal(seen.policy, SCHED_BATCH);
    assert_true(seen.stack >= 8u << 20);
    servant *s = servant_of("yoke-later");
    look_on(s, give_way, NULL);
    look_on(s, look_at_thread, &seen);
    assert_int_equal(seen.policy, SCHED_BATCH);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    look_at_thread(&seen); /* the sender does not */
    assert_int_equal(seen.nice, own.nice);
    assert_int_equal(seen.policy, own.policy);
}

static bool has_cpu(const thread_look *seen, unsigned cpu)
{
    const unsigned bits = 8 * sizeof *seen->cpus;
    return (seen->cpus[cpu / bits] >> (cpu % bits) & 1) != 0;
}

/* Exactly the usable CPUs of the node; -1: all usable ones. */
static void assert_cpus(const thread_look *seen, int node)
{
    size_t count, expected = 0, has = 0;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    for (size_t k = 0; k < count; k++)
        if (node < 0 || pus[k].node_os_index == (unsigned)node) {
            assert_true(has_cpu(seen, pus[k].os_index));
            expected++;
        }
    for (unsigned cpu = 0; cpu < YOKE_MAX_PUS; cpu++)
        has += has_cpu(seen, cpu);
    assert_int_equal(has, expected);
}

static void thread_runs_near_its_node_whatever_its_sender_is_bound_to(void **state)
{
    (void)state;
    static thread_look seen, own, again;
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    look_at_thread(&own);
    yoke__place place = {.pu = 0, .pinned = true};
    assert_int_equal(yoke__topology_bind_thread(topology, &place), YOKE_OK);
    look_at(&seen, "yoke-anywhere", -1, false);
    assert_cpus(&seen, -1);
    look_at(&seen, "yoke-nowhere", 12345, false); /* a node without CPUs that may be used */
    assert_cpus(&seen, -1);
    for (size_t k = 0; k < count; k++)
        if (k == 0 || pus[k].node != pus[k - 1].node) {
            look_at(&seen, "yoke-node", (int)pus[k].node_os_index, false);
            assert_cpus(&seen, (int)pus[k].node_os_index);
        }
    look_at_thread(&again);
    assert_true(has_cpu(&again, pus[0].os_index) && (count == 1 || !has_cpu(&again, pus[1].os_index)));
    assert_int_equal(yoke__topology_bind_to_node(topology, 12345), YOKE_EINVAL);
    assert_int_equal(syscall(SYS_sched_setaffinity, 0, sizeof own.cpus, own.cpus), 0);
}

static int64_t cpu_time(clockid_t clock)
{
    struct timespec used;
    assert_int_equal(clock_gettime(clock, &used), 0);
    return (int64_t)used.tv_sec * SECOND + used.tv_nsec;
}

static void idle_servant_sleeps(void **state)
{
    (void)state;
    static thread_look seen;
    servant *s = servant_of("yoke-idle");
    for (int k = 0; k < 100; k++) /* busy first, so that it would spin */
        look_on(s, look_at_thread, &seen);
    sleep_ns(20 * MILLISECOND);
    int64_t before = cpu_time(seen.clock);
    sleep_ns(100 * MILLISECOND);
    assert_true(cpu_time(seen.clock) - before < 2 * MILLISECOND);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_is_named_blocks_signals_and_has_its_own_arithmetic),
        cmocka_unit_test(background_thread_gives_way),
        cmocka_unit_test(thread_runs_near_its_node_whatever_its_sender_is_bound_to),
        cmocka_unit_test(idle_servant_sleeps),
    };
    return cmocka_run_group_tests(tests, load_topology, free_topology);
}
