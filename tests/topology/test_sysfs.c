/* The reader of sysfs, on simulated trees: what hwloc would find, found without it. */
#include "lib/topology/table.h"
#include "support.h"

static void put(const tree *at, unsigned cpu, const char *name, const char *content)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/%s", cpu, name);
    tree_put(at, path, content);
}

static void put_cpu(const tree *at, unsigned cpu, unsigned package, const char *siblings, const char *sharers)
{
    char number[16];
    snprintf(number, sizeof number, "%u\n", package);
    put(at, cpu, "topology/physical_package_id", number);
    put(at, cpu, "topology/thread_siblings_list", siblings);
    put(at, cpu, "cache/index0/level", "1\n");
    put(at, cpu, "cache/index0/type", "Data\n");
    put(at, cpu, "cache/index0/shared_cpu_list", siblings);
    put(at, cpu, "cache/index1/level", "3\n");
    put(at, cpu, "cache/index1/type", "Unified\n");
    put(at, cpu, "cache/index1/shared_cpu_list", sharers);
}

static yoke__topology *load(const tree *at)
{
    yoke__topology *topology = NULL;
    if (yoke__topology_load_sysfs(&topology, at->root) != YOKE_OK)
        fail_msg("%s", yoke_error_detail());
    assert_false(yoke__topology_is_native(topology));
    return topology;
}

/* Two packages, hyperthreads 4 apart, packages interleaved in the kernel's numbers, a third node without CPUs. */
static void interleaved_numbers_are_put_in_order(void **state)
{
    (void)state;
    tree at = tree_make();
    tree_put(&at, "/sys/devices/system/cpu/online", "0-7\n");
    for (unsigned cpu = 0; cpu < 8; cpu++) {
        char siblings[16], sharers[32];
        snprintf(siblings, sizeof siblings, "%u,%u\n", cpu % 4, cpu % 4 + 4);
        snprintf(sharers, sizeof sharers, "%u,%u,%u,%u\n", cpu % 2, cpu % 2 + 2, cpu % 2 + 4, cpu % 2 + 6);
        put_cpu(&at, cpu, cpu % 2, siblings, sharers);
    }
    tree_put(&at, "/sys/devices/system/node/node0/cpulist", "0,2,4,6\n");
    tree_put(&at, "/sys/devices/system/node/node1/cpulist", "1,3,5,7\n");
    tree_put(&at, "/sys/devices/system/node/node5/cpulist", "\n");
    yoke__topology *topology = load(&at);
    static const unsigned expected[] = {0, 4, 2, 6, 1, 5, 3, 7};
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    assert_int_equal(count, 8);
    for (unsigned k = 0; k < 8; k++) {
        assert_int_equal(pus[k].os_index, expected[k]);
        assert_int_equal(pus[k].core, k / 2);
        assert_int_equal(pus[k].smt, k % 2);
        assert_int_equal(pus[k].package, k / 4);
        assert_int_equal(pus[k].node, k / 4);
        assert_int_equal(pus[k].cache, k / 4);
    }
    assert_int_equal(yoke__topology_machine(topology).nodes, 3);
    assert_int_equal(yoke__topology_usable(topology).nodes, 2);
    yoke__topology_free(topology);
    tree_free(&at);
}

static void hybrid_weak_cores_are_told_apart(void **state)
{
    (void)state;
    tree at = tree_make();
    tree_put(&at, "/sys/devices/system/cpu/online", "0-3\n");
    put_cpu(&at, 0, 0, "0-1\n", "0-3\n");
    put_cpu(&at, 1, 0, "0-1\n", "0-3\n");
    put_cpu(&at, 2, 0, "2\n", "0-3\n");
    put_cpu(&at, 3, 0, "3\n", "0-3\n");
    tree_put(&at, "/sys/devices/cpu_atom/cpus", "2-3\n");
    yoke__topology *topology = load(&at);
    for (unsigned k = 0; k < 4; k++)
        assert_int_equal(topology->pus[k].kind, k >= 2);
    yoke__topology_free(topology);
    tree_free(&at);
    at = tree_make();
    tree_put(&at, "/sys/devices/system/cpu/online", "0-2\n");
    put(&at, 0, "cpu_capacity", "446\n");
    put(&at, 1, "cpu_capacity", "1024\n");
    put(&at, 2, "cpu_capacity", "1007\n");
    topology = load(&at);
    assert_int_equal(topology->pus[0].kind, 1);
    assert_int_equal(topology->pus[1].kind, 0);
    assert_int_equal(topology->pus[2].kind, 0);
    yoke__topology_free(topology);
    tree_free(&at);
}

static void missing_files_leave_a_flat_machine(void **state)
{
    (void)state;
    tree at = tree_make();
    tree_put(&at, "/sys/devices/system/cpu/online", "0-1,64,200-201\n");
    yoke__topology *topology = load(&at);
    assert_int_equal(topology->usable.cores, 5);
    assert_int_equal(topology->usable.packages, 1);
    assert_int_equal(topology->usable.nodes, 1);
    assert_int_equal(topology->pus[2].os_index, 64);
    yoke__topology_free(topology);
    tree_free(&at);
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\n", "x\n", "-3\n", "3-1\n", "0-\n", "0-99999999\n", "70000\n", "0;1\n"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        tree at = tree_make();
        tree_put(&at, "/sys/devices/system/cpu/online", bad[k]);
        yoke__topology *topology = (yoke__topology *)&at;
        if (yoke__topology_load_sysfs(&topology, at.root) != YOKE_ETOPOLOGY || topology)
            fail_msg("accepted '%s'", bad[k]);
        tree_free(&at);
    }
}

/* hwloc and this reader must agree about this machine. */
static void this_machine_looks_the_same_to_both(void **state)
{
    (void)state;
    yoke__topology *ours, *theirs;
    assert_int_equal(yoke__topology_load_sysfs(&ours, ""), YOKE_OK);
    assert_int_equal(yoke__topology_load(&theirs), YOKE_OK);
    assert_int_equal(ours->count, theirs->count);
    assert_int_equal(ours->usable.packages, theirs->usable.packages);
    assert_int_equal(ours->usable.nodes, theirs->usable.nodes);
    assert_int_equal(ours->usable.caches, theirs->usable.caches);
    assert_int_equal(ours->usable.cores, theirs->usable.cores);
    yoke__topology_free(ours);
    yoke__topology_free(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interleaved_numbers_are_put_in_order), cmocka_unit_test(hybrid_weak_cores_are_told_apart),
        cmocka_unit_test(missing_files_leave_a_flat_machine),   cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(this_machine_looks_the_same_to_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
