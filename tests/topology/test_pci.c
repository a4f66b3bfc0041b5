/* The NUMA node of a PCI device, on simulated trees. */
#include "lib/topology/topology.h"
#include "support.h"

static const char device_file[] = "/sys/bus/pci/devices/0000:c1:1f.7/numa_node";

static int node_in(const char *content, const yoke__topology *topology)
{
    tree at = tree_make();
    if (content != NULL)
        tree_put(&at, device_file, content);
    int node = yoke__topology_read_pci_node(at.root, topology, 0, 0xc1, 0x1f, 7);
    tree_free(&at);
    return node;
}

static void node_of_pci_is_the_one_the_kernel_names(void **state)
{
    (void)state;
    yoke__topology *two = topology_from("numa:2 core:2 pu:1"), *one = topology_from("numa:1 core:2 pu:1");
    assert_int_equal(node_in("0\n", two), 0);
    assert_int_equal(node_in("1\n", two), 1);
    assert_int_equal(node_in("11", two), 11);
    assert_int_equal(node_in("1\n", one), 1);
    yoke__topology_free(two);
    yoke__topology_free(one);
}

static void node_of_pci_that_the_kernel_does_not_know_is_the_only_one_or_none(void **state)
{
    (void)state;
    static const char *const unknown[] = {NULL, "-1\n", "", "\n", "x\n", "-2147483648\n", "99999999999\n", "70000\n"};
    yoke__topology *two = topology_from("numa:2 core:2 pu:1"), *one = topology_from("numa:1 core:2 pu:1");
    for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++) {
        int node = node_in(unknown[k], two);
        if (node != -1)
            fail_msg("'%s' gives node %d of two", unknown[k] != NULL ? unknown[k] : "no file", node);
        assert_int_equal(node_in(unknown[k], one), 0);
    }
    yoke__topology_free(two);
    yoke__topology_free(one);
}

static void node_of_pci_all_parts_of_the_address_are_looked_at(void **state)
{
    (void)state;
    yoke__topology *two = topology_from("numa:2 core:2 pu:1");
    tree at = tree_make();
    tree_put(&at, "/sys/bus/pci/devices/10000:0a:00.0/numa_node", "1\n");
    tree_put(&at, "/sys/bus/pci/devices/0000:0a:00.0/numa_node", "0\n");
    assert_int_equal(yoke__topology_read_pci_node(at.root, two, 0x10000, 0xa, 0, 0), 1);
    assert_int_equal(yoke__topology_read_pci_node(at.root, two, 0, 0xa, 0, 0), 0);
    assert_int_equal(yoke__topology_read_pci_node(at.root, two, 0, 0xb, 0, 0), -1);
    assert_int_equal(yoke__topology_read_pci_node(at.root, two, 0, 0xa, 1, 0), -1);
    assert_int_equal(yoke__topology_read_pci_node(at.root, two, 0, 0xa, 0, 1), -1);
    tree_free(&at);
    yoke__topology_free(two);
}

/* What a driver says may be no address at all. */
static void node_of_pci_impossible_addresses_have_no_node(void **state)
{
    (void)state;
    yoke__topology *one = topology_from("numa:1 core:2 pu:1");
    assert_int_equal(yoke__topology_read_pci_node("", one, 0, 256, 0, 0), -1);
    assert_int_equal(yoke__topology_read_pci_node("", one, 0, 0, 32, 0), -1);
    assert_int_equal(yoke__topology_read_pci_node("", one, 0, 0, 0, 8), -1);
    assert_int_equal(yoke__topology_read_pci_node("", one, UINT_MAX, 255, 31, 7), 0);
    yoke__topology_free(one);
}

static void node_of_pci_other_machines_have_none(void **state)
{
    (void)state;
    yoke__topology *one = topology_from("numa:1 core:2 pu:1"), *here;
    assert_int_equal(yoke__topology_node_of_pci(one, 0, 0, 0, 0), -1);
    assert_int_equal(yoke__topology_load(&here), YOKE_OK);
    assert_int_equal(yoke__topology_node_of_pci(here, 0, 0, 0, 0), yoke__topology_read_pci_node("", here, 0, 0, 0, 0));
    if (yoke__topology_machine(here).nodes == 1)
        assert_true(yoke__topology_node_of_pci(here, 0, 0, 0, 0) >= 0);
    yoke__topology_free(one);
    yoke__topology_free(here);
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_of_pci_is_the_one_the_kernel_names),
        cmocka_unit_test(node_of_pci_that_the_kernel_does_not_know_is_the_only_one_or_none),
        cmocka_unit_test(node_of_pci_all_parts_of_the_address_are_looked_at),
        cmocka_unit_test(node_of_pci_impossible_addresses_have_no_node),
        cmocka_unit_test(node_of_pci_other_machines_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
