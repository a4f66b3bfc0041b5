/* What limits the usable CPUs on real kernels: taskset, cgroups v1 and v2, CPUs that are switched off. */
#include "vm.h"

/* ---- scenario numa ---- */

static void taskset_limits_what_is_usable(void **state)
{
    (void)state;
    assert_int_equal(usable_under(""), 8);
    assert_int_equal(usable_under("taskset 24"), 2);
    assert_int_equal(usable_under("taskset 80"), 1);
}

static unsigned default_workers(void)
{
    yoke__topology *topology = load();
    unsigned workers = yoke__topology_default_workers(topology);
    yoke__topology_free(topology);
    return workers;
}

static void cgroup_v2_quota_caps_the_workers(void **state)
{
    (void)state;
    must_put("/cgroup/cgroup.subtree_control", "+cpu +cpuset");
    assert_int_equal(mkdir("/cgroup/q", 0700), 0);
    must_put("/cgroup/q/cgroup.subtree_control", "+cpu");
    assert_int_equal(mkdir("/cgroup/q/inner", 0700), 0);
    must_put("/cgroup/q/cpu.max", "250000 100000");
    assert_int_equal(default_workers(), 8); /* not in it yet */
    must_put("/cgroup/q/inner/cgroup.procs", "0");
    assert_int_equal(default_workers(), 3); /* the quota is the parent's */
    must_put("/cgroup/q/inner/cpu.max", "20000 100000");
    assert_int_equal(default_workers(), 1);
    must_put("/cgroup/q/inner/cpu.max", "max 100000");
    must_put("/cgroup/q/cpu.max", "max 100000");
    assert_int_equal(default_workers(), 8);
}

static void cgroup_v2_cpuset_limits_what_is_usable(void **state)
{
    (void)state;
    assert_int_equal(mkdir("/cgroup/s", 0700), 0);
    must_put("/cgroup/s/cpuset.cpus", "2-5");
    must_put("/cgroup/s/cgroup.procs", "0");
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 4);
    yoke__topology_counts all = yoke__topology_machine(topology), usable = yoke__topology_usable(topology);
    assert_int_equal(all.pus, 8);
    assert_int_equal(usable.nodes, 2);
    assert_int_equal(usable.packages, 2);
    for (unsigned k = 0; k < 4; k++) {
        assert_int_equal(pus[k].os_index, k + 2);
        visit v = visit_place(topology, (yoke__place){.pu = k, .pinned = true});
        assert_int_equal(v.bound, YOKE_OK);
        assert_int_equal(v.cpu, k + 2);
    }
    yoke__topology_free(topology);
}

static void absent_cpu_is_not_usable(void **state)
{
    (void)state;
    must_put("/sys/devices/system/cpu/cpu5/online", "0");
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 7);
    for (unsigned k = 0; k < 7; k++)
        assert_int_not_equal(pus[k].os_index, 5);
    yoke__topology_free(topology);
}

/* The CPU goes away under a bound thread, and under a topology that still names it. */
static void cpu_that_goes_away_fails_softly(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 8);
    assert_int_equal(pus[5].os_index, 5);
    yoke__place five = {.pu = 5, .pinned = true}, node = {.pu = 5, .pinned = true, .whole_node = true};
    assert_int_equal(yoke__topology_bind_thread(topology, &five), YOKE_OK);
    assert_int_equal(sched_getcpu(), 5);
    must_put("/sys/devices/system/cpu/cpu5/online", "0");
    assert_int_not_equal(sched_getcpu(), 5); /* moved by the kernel, alive */
    assert_int_equal(yoke__topology_unbind_thread(topology), YOKE_OK);
    visit v = visit_place(topology, five);
    assert_int_equal(v.bound, YOKE_ESTATE);
    assert_int_equal(CPU_COUNT(&v.mask), 7); /* runs unbound */
    v = visit_place(topology, node);
    assert_int_equal(v.bound, YOKE_OK);
    assert_int_equal(v.cpu, 4); /* what is left of the node */
    must_put("/sys/devices/system/cpu/cpu5/online", "1");
    v = visit_place(topology, five);
    assert_int_equal(v.bound, YOKE_OK);
    assert_int_equal(v.cpu, 5);
    yoke__topology_free(topology);
}

/* ---- scenario threads ---- */

static void half_a_core_is_a_core(void **state)
{
    (void)state;
    assert_int_equal(usable_under(""), 4);
    assert_int_equal(usable_under("taskset 2"), 1);
    assert_int_equal(usable_under("taskset 6"), 2);
    assert_int_equal(usable_under("taskset aa"), 4);
    assert_int_equal(usable_under("taskset 3"), 1);
}

static void cgroup_v1_quota_caps_the_workers(void **state)
{
    (void)state;
    assert_int_equal(mkdir("/cgroup/cpu/q", 0700), 0);
    assert_int_equal(mkdir("/cgroup/cpu/q/inner", 0700), 0);
    must_put("/cgroup/cpu/q/inner/cgroup.procs", "0");
    assert_int_equal(default_workers(), 4);
    must_put("/cgroup/cpu/q/cpu.cfs_quota_us", "250000");
    assert_int_equal(default_workers(), 3);
    must_put("/cgroup/cpu/q/inner/cpu.cfs_quota_us", "20000");
    assert_int_equal(default_workers(), 1);
}

static void cgroup_v1_cpuset_limits_what_is_usable(void **state)
{
    (void)state;
    assert_int_equal(mkdir("/cgroup/cpuset/s", 0700), 0);
    must_put("/cgroup/cpuset/s/cpuset.cpus", "1,4-5");
    must_put("/cgroup/cpuset/s/cpuset.mems", "0-1");
    must_put("/cgroup/cpuset/s/cgroup.procs", "0");
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 3);
    assert_int_equal(pus[0].os_index, 1);
    assert_int_equal(yoke__topology_usable(topology).cores, 2);
    assert_int_equal(yoke__topology_default_workers(topology), 2);
    yoke__topology_free(topology);
}

static int run_numa(void)
{
    const struct CMUnitTest tests[] = {
        TEST(taskset_limits_what_is_usable),          TEST(cgroup_v2_quota_caps_the_workers),
        TEST(cgroup_v2_cpuset_limits_what_is_usable), TEST(absent_cpu_is_not_usable),
        TEST(cpu_that_goes_away_fails_softly),
    };
    return cmocka_run_group_tests_name("limits, numa", tests, NULL, NULL);
}

static int run_threads(void)
{
    const struct CMUnitTest tests[] = {
        TEST(half_a_core_is_a_core),
        TEST(cgroup_v1_quota_caps_the_workers),
        TEST(cgroup_v1_cpuset_limits_what_is_usable),
    };
    return cmocka_run_group_tests_name("limits, threads", tests, NULL, NULL);
}

int main(int count, char **arguments)
{
    if (scenario_is(count, arguments, "--usable"))
        return print_usable();
    if (scenario_is(count, arguments, "numa"))
        return run_numa();
    if (scenario_is(count, arguments, "threads"))
        return run_threads();
    return not_here();
}
