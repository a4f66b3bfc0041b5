/* Placement on real kernels: the machine is seen as it is, and threads run where they were put. */
#include "vm.h"

/* ---- scenario numa ---- */

static void numa_machine_is_seen_as_it_is(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    yoke__topology_counts all = yoke__topology_machine(topology), usable = yoke__topology_usable(topology);
    assert_int_equal(all.packages, 2);
    assert_int_equal(all.nodes, 4);
    assert_int_equal(all.cores, 8);
    assert_int_equal(all.pus, 8);
    assert_memory_equal(&all, &usable, sizeof all);
    const yoke__pu *pus = pus_of(topology, 8);
    for (unsigned k = 0; k < 8; k++) {
        assert_int_equal(pus[k].node_os_index, kernel_node_of(pus[k].os_index));
        assert_int_equal(pus[k].package, pus[k].node / 2);
    }
    assert_int_equal(yoke__topology_default_workers(topology), 8);
    yoke__topology_free(topology);
}

/* Places of a policy, and the kernel's node of each. */
static void places_of(const yoke__topology *topology, yoke_pin policy, yoke__place *places, unsigned *nodes)
{
    const yoke__pu *pus = pus_of(topology, 8);
    assert_int_equal(yoke__topology_place(pus, 8, policy, 8, places), YOKE_OK);
    for (unsigned k = 0; k < 8; k++)
        nodes[k] = kernel_node_of(pus[places[k].pu].os_index);
}

static void numa_policies_put_workers_on_their_nodes(void **state)
{
    (void)state;
    static const struct {
        yoke_pin policy;
        unsigned nodes[8];
    } cases[] = {{YOKE_PIN_COMPACT, {0, 0, 1, 1, 2, 2, 3, 3}},
                 {YOKE_PIN_SCATTER, {0, 2, 1, 3, 0, 2, 1, 3}},
                 {YOKE_PIN_NUMA, {0, 1, 2, 3, 0, 1, 2, 3}}};
    yoke__topology *topology = load();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        yoke__place places[8];
        unsigned nodes[8];
        places_of(topology, cases[k].policy, places, nodes);
        assert_memory_equal(nodes, cases[k].nodes, sizeof nodes);
    }
    yoke__topology_free(topology);
}

static void numa_bound_threads_run_there_and_own_what_they_touch(void **state)
{
    (void)state;
    static const yoke_pin policies[] = {YOKE_PIN_COMPACT, YOKE_PIN_SCATTER, YOKE_PIN_NUMA};
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 8);
    for (size_t p = 0; p < 3; p++) {
        yoke__place places[8];
        unsigned nodes[8];
        places_of(topology, policies[p], places, nodes);
        for (unsigned k = 0; k < 8; k++) {
            visit v = visit_place(topology, places[k]);
            assert_int_equal(v.bound, YOKE_OK);
            assert_int_equal(kernel_node_of((unsigned)v.cpu), nodes[k]);
            assert_int_equal(v.page_node, nodes[k]);
            assert_int_equal(CPU_COUNT(&v.mask), policies[p] == YOKE_PIN_NUMA ? 2 : 1);
            if (policies[p] != YOKE_PIN_NUMA)
                assert_int_equal(v.cpu, pus[places[k].pu].os_index);
            for (int cpu = 0; cpu < CPUS; cpu++)
                if (CPU_ISSET(cpu, &v.mask))
                    assert_int_equal(kernel_node_of((unsigned)cpu), nodes[k]);
        }
    }
    yoke__topology_free(topology);
}

static void numa_thieves_go_to_their_own_node_first(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 8);
    yoke__place places[8];
    unsigned nodes[8], order[7];
    places_of(topology, YOKE_PIN_COMPACT, places, nodes);
    for (unsigned self = 0; self < 8; self++) {
        yoke__topology_steal_order(pus, places, 8, self, order);
        assert_int_equal(nodes[order[0]], nodes[self]);
        assert_int_equal(nodes[order[1]] / 2, nodes[self] / 2);
        assert_int_equal(nodes[order[2]] / 2, nodes[self] / 2);
    }
    yoke__topology_free(topology);
}

/* hwloc's way and the way without it, on the same real kernel. */
static void environment_that_steers_hwloc_changes_nothing(void **state)
{
    (void)state;
    yoke__topology *plain = load();
    setenv("HWLOC_SYNTHETIC", "pack:3 core:3 pu:1", 1);
    yoke__topology *other = load();
    unsetenv("HWLOC_SYNTHETIC");
    yoke__topology_counts a = yoke__topology_usable(plain), b = yoke__topology_usable(other);
    assert_memory_equal(&a, &b, sizeof a);
    const yoke__pu *p = pus_of(plain, 8), *q = pus_of(other, 8);
    assert_memory_equal(p, q, 8 * sizeof *p);
    visit v = visit_place(other, (yoke__place){.pu = 7, .pinned = true, .whole_node = true});
    assert_int_equal(v.bound, YOKE_OK);
    assert_int_equal(v.page_node, q[7].node_os_index);
    yoke__topology_free(plain);
    yoke__topology_free(other);
}

/* ---- scenario threads ---- */

/* CPUs of node 2 have no memory there; hwloc counts them to node 3, memory without CPUs at the least distance. */
static unsigned memory_node_of(unsigned cpu)
{
    unsigned node = kernel_node_of(cpu);
    return node == 2 ? 3 : node;
}

static void threads_machine_is_seen_as_it_is(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    yoke__topology_counts all = yoke__topology_machine(topology), usable = yoke__topology_usable(topology);
    print_message("machine: %u packages, %u nodes, %u cores, %u CPUs; %u nodes usable\n", all.packages, all.nodes,
                  all.cores, all.pus, usable.nodes);
    assert_int_equal(all.packages, 2);
    assert_int_equal(all.cores, 4);
    assert_int_equal(all.pus, 8);
    assert_int_equal(all.nodes, 4);
    assert_int_equal(usable.nodes, 3);
    const yoke__pu *pus = pus_of(topology, 8);
    for (unsigned k = 0; k < 8; k++) {
        assert_int_equal(pus[k].smt, k % 2);
        assert_int_equal(pus[k].core, k / 2);
        assert_int_equal(memory_node_of(pus[k].os_index), pus[k].node_os_index);
    }
    assert_int_equal(yoke__topology_default_workers(topology), 4);
    yoke__topology_free(topology);
}

static void threads_first_workers_get_a_core_each(void **state)
{
    (void)state;
    static const yoke_pin policies[] = {YOKE_PIN_COMPACT, YOKE_PIN_SCATTER, YOKE_PIN_NUMA};
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 8);
    for (size_t p = 0; p < 3; p++) {
        yoke__place places[8];
        unsigned cores = 0, all = 0;
        assert_int_equal(yoke__topology_place(pus, 8, policies[p], 8, places), YOKE_OK);
        for (unsigned k = 0; k < 8; k++) {
            cores |= k < 4 ? 1u << pus[places[k].pu].core : 0;
            all |= 1u << places[k].pu;
            visit v = visit_place(topology, places[k]);
            assert_int_equal(v.bound, YOKE_OK);
            assert_int_equal(memory_node_of((unsigned)v.cpu), pus[places[k].pu].node_os_index);
        }
        assert_int_equal(cores, 15);
        assert_int_equal(all, 255);
    }
    yoke__topology_free(topology);
}

static void memory_less_node_borrows_its_memory(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    const yoke__pu *pus = pus_of(topology, 8);
    unsigned met = 0;
    for (unsigned k = 0; k < 8; k++) {
        visit v = visit_place(topology, (yoke__place){.pu = k, .pinned = true});
        assert_int_equal(v.bound, YOKE_OK);
        assert_int_equal(v.page_node, pus[k].node_os_index);
        met += kernel_node_of(pus[k].os_index) == 2;
    }
    assert_int_equal(met, 2);
    yoke__topology_free(topology);
}

static int run_numa(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numa_machine_is_seen_as_it_is),
        TEST(numa_policies_put_workers_on_their_nodes),
        TEST(numa_bound_threads_run_there_and_own_what_they_touch),
        TEST(numa_thieves_go_to_their_own_node_first),
        TEST(environment_that_steers_hwloc_changes_nothing),
    };
    return cmocka_run_group_tests_name("placement, numa", tests, NULL, NULL);
}

static int run_threads(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_machine_is_seen_as_it_is),
        TEST(threads_first_workers_get_a_core_each),
        TEST(memory_less_node_borrows_its_memory),
    };
    return cmocka_run_group_tests_name("placement, threads", tests, NULL, NULL);
}

int main(int count, char **arguments)
{
    if (scenario_is(count, arguments, "numa"))
        return run_numa();
    if (scenario_is(count, arguments, "threads"))
        return run_threads();
    return not_here();
}
