/* yoke info: its counts are hwloc's, its JSON and SVG are whole, and bad arguments are told. */
#include <hwloc.h>

#include "support.h"

typedef struct counts {
    unsigned packages, nodes, cores, threads;
} counts;

static counts hwloc_counts(const char *description)
{
    hwloc_topology_t topology;
    assert_int_equal(hwloc_topology_init(&topology), 0);
    assert_int_equal(hwloc_topology_set_synthetic(topology, description), 0);
    assert_int_equal(hwloc_topology_load(topology), 0);
    const counts found = {(unsigned)hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE),
                          (unsigned)hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE),
                          (unsigned)hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE),
                          (unsigned)hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU)};
    hwloc_topology_destroy(topology);
    return found;
}

static unsigned count_of(const char *words)
{
    unsigned count = 0;
    for (const char *at = said; (at = strstr(at, words)) != NULL; at += strlen(words))
        count++;
    return count;
}

static void expect_counts(const char *description)
{
    const counts is = hwloc_counts(description);
    unsigned packages, nodes, caches, cores, threads;
    assert_int_equal(shell(YOKE_TOOL " info --machine '%s' 2>&1", description), 0);
    assert_fits();
    for (int k = 0; k < 2; k++) { /* of a description, all is usable */
        const char *row = strstr(said, k == 0 ? "\n  all " : "\n  usable ");
        assert_non_null(row);
        assert_int_equal(sscanf(row, "%*s %u %u %u %u %u", &packages, &nodes, &caches, &cores, &threads), 5);
        assert_int_equal(packages, is.packages);
        assert_int_equal(nodes, is.nodes);
        assert_int_equal(cores, is.cores);
        assert_int_equal(threads, is.threads);
    }
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "\nworkers   %u", is.cores);
    assert_says(wanted);
    assert_int_equal(shell(YOKE_TOOL " info --json --machine '%s'", description), 0);
    assert_int_equal(count_of("\"os_cpu\": "), is.threads);
    assert_int_equal(count_of("\"worker\": null"), is.threads - is.cores);
    assert_int_equal(shell(YOKE_TOOL " info --svg --machine '%s'", description), 0);
    assert_int_equal(count_of("<title>CPU "), is.threads);
    assert_int_equal(count_of(": worker "), is.cores);
    assert_int_equal(count_of(">package "), is.packages);
}

static void counts_are_those_of_hwloc(void **state)
{
    (void)state;
    (void)unsetenv("YOKE_WORKERS");
    (void)unsetenv("YOKE_PIN");
    expect_counts("pack:1 core:1 pu:1");
    expect_counts("pack:1 l3:1 core:6 pu:2");
    expect_counts("pack:2 numa:4 l3:2 core:4 pu:2");
    expect_counts("pack:2 numa:4 l3:4 core:8 pu:1");
    expect_counts("pack:4 core:3 pu:4");
}

static void json_is_json(void **state)
{
    (void)state;
    char path[] = "/tmp/yoke-tool-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    bool told = true;
    assert_int_equal(shell(YOKE_TOOL " info --json -o %s 2>&1", path), 0);
    told &= check_json(path);
    assert_int_equal(shell(YOKE_TOOL " info --json --machine 'pack:2 core:2 pu:2' -o %s 2>&1", path), 0);
    told &= check_json(path);
    (void)unlink(path);
    if (!told)
        skip();
}

static void svg_is_xml_for_both_schemes(void **state)
{
    (void)state;
    assert_int_equal(shell(YOKE_TOOL " info --no-devices --svg"), 0);
    assert_says("prefers-color-scheme:dark");
    if (!is_installed("xmllint"))
        skip();
    assert_int_equal(shell(YOKE_TOOL " info --no-devices --svg | xmllint --noout - 2>&1"), 0);
}

static void environment_is_obeyed(void **state)
{
    (void)state;
    assert_int_equal(shell("YOKE_WORKERS=3 YOKE_PIN=scatter " YOKE_TOOL " info --machine 'pack:2 core:4 pu:1' 2>&1"),
                     0);
    assert_says("\nworkers   3");
    assert_says("(scatter)");
    assert_says("not 5 of the cores: YOKE_WORKERS says so");
    assert_int_equal(shell("YOKE_PIN=sideways " YOKE_TOOL " info 2>&1"), 1);
    assert_says("YOKE_PIN=sideways is unknown");
    assert_int_equal(shell("YOKE_WORKERS=none " YOKE_TOOL " info --no-devices 2>&1"), 1);
    assert_says("YOKE_WORKERS=none");
}

static void bad_arguments_are_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {"info --sgv", "info --json --svg", "info --machine", "info -o x",
                                        "info extra", "doctor --root",     "doctor well",    "inof",
                                        "",           "doctor --rootless"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        if (shell(YOKE_TOOL " %s 2>&1 >/dev/null", wrong[k]) != 2)
            fail_msg("yoke %s: not status 2", wrong[k]);
        assert_says("usage: yoke");
    }
    assert_int_equal(shell(YOKE_TOOL " info --machine 'pack:0' 2>&1"), 1);
    assert_says("synthetic topology");
    assert_int_equal(shell(YOKE_TOOL " info --svg -o /nonexistent/x 2>&1"), 1);
    assert_says("cannot write /nonexistent/x");
    assert_int_equal(shell(YOKE_TOOL " info --help 2>/dev/null"), 0);
    assert_says("usage: yoke info");
    assert_int_equal(shell(YOKE_TOOL " --version"), 0);
    assert_says("yoke 0.");
}

static void full_disk_is_told(void **state)
{
    (void)state;
    assert_int_equal(shell(YOKE_TOOL " info --no-devices 2>&1 >/dev/full"), 1);
    assert_says("cannot write standard output");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_hwloc),   cmocka_unit_test(json_is_json),
        cmocka_unit_test(svg_is_xml_for_both_schemes), cmocka_unit_test(environment_is_obeyed),
        cmocka_unit_test(bad_arguments_are_told),      cmocka_unit_test(full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
