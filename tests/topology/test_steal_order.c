/* Distances, and in which order workers rob each other. */
#include "support.h"

static void distance_counts_what_is_shared(void **state)
{
    (void)state;
    const yoke__pu a = {.package = 1, .node = 2, .cache = 3, .core = 4};
    yoke__pu b = a;
    assert_int_equal(yoke__topology_distance(&a, &b), 0);
    b.core = 5;
    assert_int_equal(yoke__topology_distance(&a, &b), 1);
    b.cache = 4;
    assert_int_equal(yoke__topology_distance(&a, &b), 2);
    b.node = 3;
    assert_int_equal(yoke__topology_distance(&a, &b), 3);
    b.package = 2;
    assert_int_equal(yoke__topology_distance(&a, &b), 4);
    b.node = a.node; /* one node over two packages is not near */
    assert_int_equal(yoke__topology_distance(&a, &b), 3);
}

/* Each order is a permutation of the others, nearest first, and cyclic among equals. */
static void check_orders(const yoke__pu *pus, const yoke__place *places, unsigned workers)
{
    unsigned *order = calloc(workers, sizeof *order), *victims = calloc(workers, sizeof *victims);
    bool *seen = calloc(workers, sizeof *seen);
    for (unsigned self = 0; self < workers; self++) {
        memset(seen, 0, workers * sizeof *seen);
        yoke__topology_steal_order(pus, places, workers, self, order);
        unsigned before = 0;
        for (unsigned k = 0; k + 1 < workers; k++) {
            assert_true(order[k] < workers && order[k] != self && !seen[order[k]]);
            seen[order[k]] = true;
            unsigned distance = yoke__topology_distance(&pus[places[self].pu], &pus[places[order[k]].pu]);
            assert_true(distance >= before);
            if (k > 0 && distance == before)
                assert_true((order[k] + workers - self) % workers > (order[k - 1] + workers - self) % workers);
            before = distance;
        }
        if (workers > 1)
            victims[order[0]]++;
    }
    for (unsigned k = 0; workers > 1 && k < workers; k++)
        assert_int_equal(victims[k], 1);
    free(order);
    free(victims);
    free(seen);
}

static void orders_on(const char *description, yoke_pin policy, unsigned workers)
{
    yoke__topology *topology = topology_from(description);
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    yoke__place *places = calloc(workers, sizeof *places);
    assert_int_equal(yoke__topology_place(pus, count, policy, workers, places), YOKE_OK);
    check_orders(pus, places, workers);
    free(places);
    yoke__topology_free(topology);
}

static void big_machine_robs_neighbours_first(void **state)
{
    (void)state;
    orders_on("pack:2 numa:4 l3:2 core:8 pu:2", YOKE_PIN_COMPACT, 128);
    orders_on("pack:2 numa:4 l3:2 core:8 pu:2", YOKE_PIN_SCATTER, 128);
    orders_on("pack:2 numa:4 l3:2 core:8 pu:2", YOKE_PIN_COMPACT, 256);
}

static void thousand_workers_all_have_their_own_victim(void **state)
{
    (void)state;
    orders_on("pack:8 numa:4 l3:4 core:8 pu:1", YOKE_PIN_COMPACT, 1024);
}

static void one_or_two_workers_are_fine(void **state)
{
    (void)state;
    orders_on("core:2 pu:1", YOKE_PIN_COMPACT, 1);
    orders_on("core:2 pu:1", YOKE_PIN_COMPACT, 2);
    orders_on("core:1 pu:1", YOKE_PIN_COMPACT, 3);
}

/* Workers that roam over their node prefer it, and are alike inside it; unpinned ones are all alike. */
static void roaming_workers_prefer_their_node(void **state)
{
    (void)state;
    yoke__topology *topology = topology_from("pack:1 numa:2 l3:2 core:2 pu:1");
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    yoke__place places[8];
    unsigned order[7];
    assert_int_equal(yoke__topology_place(pus, count, YOKE_PIN_NUMA, 8, places), YOKE_OK);
    yoke__topology_steal_order(pus, places, 8, 2, order);
    static const unsigned near_first[7] = {4, 6, 0, 3, 5, 7, 1};
    assert_memory_equal(order, near_first, sizeof near_first);
    assert_int_equal(yoke__topology_place(pus, count, YOKE_PIN_NONE, 8, places), YOKE_OK);
    yoke__topology_steal_order(pus, places, 8, 6, order);
    static const unsigned cyclic[7] = {7, 0, 1, 2, 3, 4, 5};
    assert_memory_equal(order, cyclic, sizeof cyclic);
    yoke__topology_free(topology);
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_what_is_shared),
        cmocka_unit_test(big_machine_robs_neighbours_first),
        cmocka_unit_test(thousand_workers_all_have_their_own_victim),
        cmocka_unit_test(one_or_two_workers_are_fine),
        cmocka_unit_test(roaming_workers_prefer_their_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
