/* A runtime that is given some hardware threads only, and the list that it is given them from. */
#include "lib/topology/topology.h"
#include "tests/unit/support.h"
#include "yoke/topology.h"

static void what_is_left_is_numbered_anew(void **state)
{
    (void)state;
    yoke__topology *t;
    if (yoke__topology_from(&t, "pack:2 core:4 pu:2") != YOKE_OK)
        fail_msg("%s", yoke_error_detail());
    const unsigned some[] = {4, 5, 7, 12, 4000};
    assert_int_equal(yoke__topology_restrict(t, some, 5), YOKE_OK);
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(t, &count);
    const yoke__topology_counts usable = yoke__topology_usable(t), machine = yoke__topology_machine(t);
    assert_int_equal(count, 4);
    assert_int_equal(usable.cores, 3);
    assert_int_equal(usable.packages, 2);
    assert_int_equal(machine.cores, 8);
    assert_int_equal(pus[0].os_index, 4);
    assert_int_equal(pus[1].core, 0);
    assert_int_equal(pus[1].smt, 1);
    assert_int_equal(pus[2].core, 1);
    assert_int_equal(pus[3].package, 1);
    assert_int_equal(yoke__topology_default_workers(t), 3);
    assert_int_equal(yoke__topology_restrict(t, some + 4, 1), YOKE_EINVAL);
    assert_int_equal(yoke__topology_usable(t).cores, 3);
    yoke__topology_free(t);
}

static void a_runtime_stays_on_its_cpus(void **state)
{
    (void)state;
    yoke_usable_cpu cpus[4096];
    size_t count;
    double quota;
    assert_int_equal(yoke_usable_cpus(cpus, 4096, &count, &quota), YOKE_OK);
    assert_in_range(count, 1, 4096);
    const unsigned last = cpus[count - 1].os_cpu;
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.devices = "cpu", .cpus = &last, .cpu_count = 1});
    assert_non_null(r);
    assert_true(getenv("YOKE_WORKERS") != NULL || yoke_workers(r) == 1);
    yoke_worker_place place;
    assert_int_equal(yoke_worker_place_of(r, 0, &place), YOKE_OK);
    assert_int_equal(place.os_cpu, last);
    assert_int_equal(yoke_close(r), YOKE_OK);
    const unsigned none = 65535;
    assert_null(yoke_open(&(yoke_runtime_options){.devices = "cpu", .cpus = &none, .cpu_count = 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_left_is_numbered_anew),
                                       cmocka_unit_test(a_runtime_stays_on_its_cpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
