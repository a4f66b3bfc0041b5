/* Placement: pure, from a table to a list. Tables come from synthetic topologies and from hand. */
#include "support.h"

#define MOST 4096

typedef struct machine {
    yoke__topology *topology;
    const yoke__pu *pus;
    size_t count;
    yoke__place places[MOST];
    unsigned workers;
} machine;

static machine open_machine(const char *description)
{
    machine m = {.topology = topology_from(description)};
    m.pus = yoke__topology_pus(m.topology, &m.count);
    return m;
}

static void place(machine *m, yoke_pin policy, unsigned workers)
{
    assert_true(workers <= MOST);
    m->workers = workers;
    assert_int_equal(yoke__topology_place(m->pus, m->count, policy, workers, m->places), YOKE_OK);
}

static const yoke__pu *worker(const machine *m, unsigned k)
{
    assert_true(m->places[k].pu < m->count);
    return &m->pus[m->places[k].pu];
}

/* No PU twice while one is free, and no core twice while one is free. */
static void check_fair(const machine *m)
{
    unsigned *on_pu = calloc(m->count, sizeof *on_pu), *on_core = calloc(m->count, sizeof *on_core), cores = 0;
    for (size_t k = 0; k < m->count; k++)
        cores = m->pus[k].core >= cores ? m->pus[k].core + 1 : cores;
    for (unsigned k = 0; k < m->workers; k++) {
        const yoke__pu *pu = worker(m, k);
        assert_int_equal(on_pu[m->places[k].pu]++, k / m->count);
        if (k < cores)
            assert_int_equal(on_core[pu->core]++, 0);
    }
    free(on_pu);
    free(on_core);
}

static const yoke_pin policies[] = {YOKE_PIN_DEFAULT, YOKE_PIN_COMPACT, YOKE_PIN_SCATTER, YOKE_PIN_NUMA, YOKE_PIN_NONE};
#define POLICIES (sizeof policies / sizeof *policies)

#define BIG "pack:2 numa:4 l3:1 core:16 pu:2"

static void big_machine_every_policy_uses_each_core_once(void **state)
{
    (void)state;
    machine m = open_machine(BIG);
    assert_int_equal(m.count, 256);
    yoke__topology_counts usable = yoke__topology_usable(m.topology);
    assert_int_equal(usable.packages, 2);
    assert_int_equal(usable.nodes, 8);
    assert_int_equal(usable.cores, 128);
    assert_int_equal(yoke__topology_default_workers(m.topology), 128);
    static const unsigned sizes[] = {1, 2, 7, 8, 127, 128, 129, 255, 256, 257, 600};
    for (size_t p = 0; p < POLICIES; p++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            place(&m, policies[p], sizes[s]);
            check_fair(&m);
            for (unsigned k = 0; k < m.workers; k++) {
                assert_int_equal(m.places[k].whole_node, policies[p] == YOKE_PIN_NUMA);
                assert_int_equal(m.places[k].pinned, policies[p] != YOKE_PIN_NONE);
            }
        }
    yoke__topology_free(m.topology);
}

static void big_machine_compact_fills_node_then_package(void **state)
{
    (void)state;
    machine m = open_machine(BIG);
    place(&m, YOKE_PIN_COMPACT, 256);
    for (unsigned k = 0; k < 128; k++) {
        assert_int_equal(worker(&m, k)->smt, 0);
        assert_int_equal(worker(&m, k)->core, k);
        assert_int_equal(worker(&m, k)->node, k / 16);
        assert_int_equal(worker(&m, k)->package, k / 64);
        assert_int_equal(worker(&m, k + 128)->smt, 1);
        assert_int_equal(worker(&m, k + 128)->core, k);
    }
    yoke__topology_free(m.topology);
}

static void big_machine_scatter_alternates_packages_then_nodes(void **state)
{
    (void)state;
    machine m = open_machine(BIG);
    place(&m, YOKE_PIN_SCATTER, 128);
    for (unsigned k = 0; k < 128; k++) {
        assert_int_equal(worker(&m, k)->package, k % 2);
        assert_int_equal(worker(&m, k)->node % 4, k / 2 % 4);
        assert_int_equal(worker(&m, k)->smt, 0);
    }
    yoke__topology_free(m.topology);
}

static void many_caches_scatter_takes_each_before_one_twice(void **state)
{
    (void)state;
    machine m = open_machine("pack:2 numa:2 l3:4 core:4 pu:2");
    place(&m, YOKE_PIN_SCATTER, 16);
    bool seen[16] = {false};
    for (unsigned k = 0; k < 16; k++) {
        assert_false(seen[worker(&m, k)->cache]);
        seen[worker(&m, k)->cache] = true;
    }
    place(&m, YOKE_PIN_COMPACT, 64);
    for (unsigned k = 0; k < 64; k++)
        assert_int_equal(worker(&m, k)->cache, k / 4);
    yoke__topology_free(m.topology);
}

static void big_machine_numa_takes_nodes_in_turn(void **state)
{
    (void)state;
    machine m = open_machine(BIG);
    place(&m, YOKE_PIN_NUMA, 128);
    for (unsigned k = 0; k < 128; k++)
        assert_int_equal(worker(&m, k)->node, k % 8);
    yoke__topology_free(m.topology);
}

static void one_core_takes_every_worker(void **state)
{
    (void)state;
    machine m = open_machine("core:1 pu:1");
    assert_int_equal(yoke__topology_default_workers(m.topology), 1);
    for (size_t p = 0; p < POLICIES; p++) {
        place(&m, policies[p], 5);
        for (unsigned k = 0; k < 5; k++)
            assert_int_equal(m.places[k].pu, 0);
    }
    yoke__topology_free(m.topology);
}

static void thousand_cores_are_each_used_once(void **state)
{
    (void)state;
    machine m = open_machine("pack:8 numa:4 l3:4 core:8 pu:1");
    assert_int_equal(m.count, 1024);
    for (size_t p = 0; p < POLICIES; p++) {
        place(&m, policies[p], 1024);
        check_fair(&m);
    }
    yoke__topology_free(m.topology);
}

/* 4 strong cores of 2 hyperthreads and 8 weak ones, the kernel's numbers as Alder Lake has them. */
static size_t hybrid(yoke__pu *pus)
{
    size_t count = 0;
    for (unsigned core = 0; core < 12; core++)
        for (unsigned smt = 0; smt < (core < 4 ? 2u : 1u); smt++, count++)
            pus[count] = (yoke__pu){.os_index = (unsigned)count, .core = core, .smt = smt, .kind = core >= 4};
    return count;
}

static void hybrid_strong_cores_come_first_and_hyperthreads_last(void **state)
{
    (void)state;
    yoke__pu pus[16];
    machine m = {.pus = pus, .count = hybrid(pus)};
    assert_int_equal(m.count, 16);
    for (size_t p = 0; p < POLICIES; p++) {
        place(&m, policies[p], 16);
        check_fair(&m);
        for (unsigned k = 0; k < 16; k++) {
            assert_int_equal(worker(&m, k)->kind, k >= 4 && k < 12);
            assert_int_equal(worker(&m, k)->smt, k >= 12);
        }
    }
}

/* Weak cores in front of strong ones in the table and in the kernel's numbering. */
static void hybrid_order_of_the_table_does_not_matter(void **state)
{
    (void)state;
    yoke__pu pus[8];
    for (unsigned k = 0; k < 8; k++)
        pus[k] = (yoke__pu){.os_index = k, .core = k, .cache = k / 4, .kind = k < 4};
    machine m = {.pus = pus, .count = 8};
    for (size_t p = 0; p < POLICIES; p++) {
        place(&m, policies[p], 8);
        for (unsigned k = 0; k < 8; k++)
            assert_int_equal(worker(&m, k)->kind, k >= 4);
    }
}

/* Of core 0 only the second hyperthread is allowed: it is a core all the same. */
static void restricted_set_half_a_core_is_still_a_core(void **state)
{
    (void)state;
    yoke__pu pus[] = {{.os_index = 9, .core = 0, .smt = 0},
                      {.os_index = 2, .core = 1, .smt = 0},
                      {.os_index = 10, .core = 1, .smt = 1}};
    machine m = {.pus = pus, .count = 3};
    place(&m, YOKE_PIN_COMPACT, 3);
    assert_int_equal(worker(&m, 0)->os_index, 9);
    assert_int_equal(worker(&m, 1)->os_index, 2);
    assert_int_equal(worker(&m, 2)->os_index, 10);
}

/* Package 0 has three nodes, package 1 one; nodes have 1, 4, 2 and 3 cores. */
static void lopsided_machine_scatter_and_numa_stay_fair(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1, 4, 2, 3}, packages[] = {0, 0, 0, 1};
    yoke__pu pus[10];
    machine m = {.pus = pus};
    for (unsigned node = 0; node < 4; node++)
        for (unsigned k = 0; k < sizes[node]; k++, m.count++)
            pus[m.count] = (yoke__pu){.os_index = 3 * (unsigned)m.count,
                                      .core = (unsigned)m.count,
                                      .node = node,
                                      .cache = node,
                                      .package = packages[node]};
    place(&m, YOKE_PIN_SCATTER, 10);
    check_fair(&m);
    static const unsigned first_nodes[] = {0, 3, 1, 2};
    for (unsigned k = 0; k < 4; k++)
        assert_int_equal(worker(&m, k)->node, first_nodes[k]);
    place(&m, YOKE_PIN_NUMA, 10);
    check_fair(&m);
    for (unsigned k = 0; k < 4; k++)
        assert_int_equal(worker(&m, k)->node, k);
}

/* Some CPUs have no memory of their own, and some memory has no CPU. */
static void cpu_less_and_memory_less_nodes_do_not_confuse(void **state)
{
    (void)state;
    machine m = open_machine("pack:2 [numa(memory=0)] [numa(memory=16GB)] core:4 pu:1");
    assert_int_equal(m.count, 8);
    assert_int_equal(yoke__topology_machine(m.topology).nodes, 4);
    assert_int_equal(yoke__topology_usable(m.topology).nodes, 2);
    for (size_t k = 0; k < m.count; k++)
        assert_int_equal(m.pus[k].node_os_index % 2, 1); /* of two nodes, the one with memory */
    place(&m, YOKE_PIN_NUMA, 8);
    check_fair(&m);
    yoke__topology_free(m.topology);
    m = open_machine("numa:3(memory=0) core:2 pu:1");
    assert_int_equal(yoke__topology_usable(m.topology).nodes, 3);
    for (size_t p = 0; p < POLICIES; p++) {
        place(&m, policies[p], 6);
        check_fair(&m);
    }
    yoke__topology_free(m.topology);
}

static void random_machines_random_subsets_stay_fair(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 200; round++) {
        yoke__pu pus[512];
        machine m = {.pus = pus};
        unsigned packages = 1 + next_random(&seed, 3), core = 0;
        for (unsigned n = 0; n < packages * 3; n++)
            for (unsigned c = next_random(&seed, 6); c > 0; c--, core++)
                for (unsigned smt = 0, all = 1 + next_random(&seed, 4); smt < all; smt++, m.count++)
                    pus[m.count] = (yoke__pu){.os_index = (unsigned)m.count,
                                              .package = n / 3,
                                              .node = n,
                                              .cache = 2 * n + core % 2,
                                              .core = core,
                                              .smt = smt,
                                              .kind = next_random(&seed, 2)};
        if (m.count == 0)
            continue;
        for (size_t p = 0; p < POLICIES; p++) {
            place(&m, policies[p], 1 + next_random(&seed, 3 * (unsigned)m.count));
            check_fair(&m);
        }
    }
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    yoke__pu pu = {0};
    yoke__place one[1] = {{.pu = 77}};
    assert_int_equal(yoke__topology_place(&pu, 0, YOKE_PIN_COMPACT, 1, one), YOKE_EINVAL);
    assert_int_equal(yoke__topology_place(&pu, 1, YOKE_PIN_COMPACT, 0, one), YOKE_EINVAL);
    assert_int_equal(yoke__topology_place(&pu, 1, YOKE_PIN_COMPACT, YOKE_MAX_WORKERS + 1, one), YOKE_EINVAL);
    assert_int_equal(yoke__topology_place(NULL, 1, YOKE_PIN_COMPACT, 1, one), YOKE_EINVAL);
    assert_int_equal(yoke__topology_place(&pu, 1, YOKE_PIN_COMPACT, 1, NULL), YOKE_EINVAL);
    assert_int_equal(yoke__topology_place(&pu, 1, (yoke_pin)99, 1, one), YOKE_EINVAL);
    yoke__alloc_fail_at(1, false);
    assert_int_equal(yoke__topology_place(&pu, 1, YOKE_PIN_COMPACT, 1, one), YOKE_ENOMEM);
    yoke__alloc_fail_at(0, false);
    assert_int_equal(one[0].pu, 77);
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(big_machine_every_policy_uses_each_core_once),
        cmocka_unit_test(big_machine_compact_fills_node_then_package),
        cmocka_unit_test(big_machine_scatter_alternates_packages_then_nodes),
        cmocka_unit_test(many_caches_scatter_takes_each_before_one_twice),
        cmocka_unit_test(big_machine_numa_takes_nodes_in_turn),
        cmocka_unit_test(one_core_takes_every_worker),
        cmocka_unit_test(thousand_cores_are_each_used_once),
        cmocka_unit_test(hybrid_strong_cores_come_first_and_hyperthreads_last),
        cmocka_unit_test(hybrid_order_of_the_table_does_not_matter),
        cmocka_unit_test(restricted_set_half_a_core_is_still_a_core),
        cmocka_unit_test(lopsided_machine_scatter_and_numa_stay_fair),
        cmocka_unit_test(cpu_less_and_memory_less_nodes_do_not_confuse),
        cmocka_unit_test(random_machines_random_subsets_stay_fair),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
