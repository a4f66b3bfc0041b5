/* Topologies from outside: good ones arrive, bad ones are an error and never a crash. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/topology/table.h"
#include "support.h"

static void refused(const char *description, const char *detail)
{
    yoke__topology *topology = (yoke__topology *)&topology;
    int status = yoke__topology_from(&topology, description);
    if (status != YOKE_ETOPOLOGY || topology || !strstr(yoke_error_detail(), detail))
        fail_msg("%.60s: status %d, detail '%s' without '%s'", description, status, yoke_error_detail(), detail);
}

static void synthetic_good_ones_arrive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned packages, nodes, cores, pus;
    } cases[] = {
        {"4", 1, 1, 4, 4},
        {"pack:2 numa:2 core:2 pu:2", 2, 4, 8, 16},
        {"Package:3 [NUMANode(memory=16GB)] L3Cache:1(size=8MB) Core:2 PU:1", 3, 3, 6, 6},
        {"pack:2 core:4 2", 2, 1, 8, 16},
        {"  group:2   pack:2 core:2 pu:1", 4, 1, 8, 8},
        {"pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", 2, 1, 4, 8},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        yoke__topology *topology = topology_from(cases[k].text);
        yoke__topology_counts all = yoke__topology_machine(topology), usable = yoke__topology_usable(topology);
        assert_int_equal(all.packages, cases[k].packages);
        assert_int_equal(all.nodes, cases[k].nodes);
        assert_int_equal(all.cores, cases[k].cores);
        assert_int_equal(all.pus, cases[k].pus);
        assert_memory_equal(&all, &usable, sizeof all);
        assert_false(yoke__topology_is_native(topology));
        assert_true(yoke__topology_quota(topology) <= 0);
        yoke__topology_free(topology);
    }
}

static void synthetic_indexes_are_kept(void **state)
{
    (void)state;
    static const unsigned expected[] = {0, 4, 1, 5, 2, 6, 3, 7};
    yoke__topology *topology = topology_from("pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)");
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    for (size_t k = 0; k < count; k++) {
        assert_int_equal(pus[k].os_index, expected[k]);
        assert_int_equal(pus[k].core, k / 2);
        assert_int_equal(pus[k].smt, k % 2);
    }
    yoke__topology_free(topology);
}

static void synthetic_absurd_ones_are_refused_before_hwloc(void **state)
{
    (void)state;
    char deep[125 * 8 + 1] = "";
    for (int k = 0; k < 125; k++)
        strcat(deep, "group:1 ");
    refused(deep, "32 levels");
    refused("pack:1000000 core:1000000 pu:1000000", "1 to 65,536");
    refused("pack:65536 core:65536 pu:65536", "65,536 CPUs");
    refused("pack:257 core:256 pu:1", "65,536 CPUs");
    refused("pack:99999999999999999999999999 pu:1", "1 to 65,536");
    refused("pack:-2 pu:2", "characters");
    refused("pack:0 pu:2", "1 to 65,536");
    refused("pack:NaN", "1 to 65,536");
    refused("NaN", "1 to 65,536");
    refused("pack:", "1 to 65,536");
    refused("pack:2(memory=1GB", "1 to 65,536");
    refused("pack:2((a)) pu:1", "1 to 65,536");
    refused("[numa pu:2", "1 to 65,536");
    refused("pack:2x pu:1", "1 to 65,536");
    refused("", "empty");
    refused("   ", "empty");
    refused("pack:2\npu:2", "characters");
    refused("p\xc3\xa4"
            "ck:2",
            "characters");
    char *endless = malloc(100001);
    memset(endless, '1', 100000);
    endless[100000] = '\0';
    refused(endless, "too long");
    free(endless);
}

static void synthetic_nonsense_is_refused_by_hwloc(void **state)
{
    (void)state;
    refused("nosuchthing:2 pu:2", "helper process");
    refused("pu:2 core:2", "helper process");
    refused("core:2 pu:2 (x)", "");
}

static void null_arguments_are_invalid(void **state)
{
    (void)state;
    yoke__topology *topology;
    assert_int_equal(yoke__topology_from(NULL, "2"), YOKE_EINVAL);
    assert_int_equal(yoke__topology_from(&topology, NULL), YOKE_EINVAL);
    yoke__topology_free(NULL);
}

#define HEAD                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" \
    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"  \
    "<topology version=\"2.0\">\n"
#define SETS " cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x1\" complete_nodeset=\"0x1\""
#define PU(k)                                                                                                  \
    "<object type=\"PU\" os_index=\"" #k "\" cpuset=\"0x" #k "\" complete_cpuset=\"0x" #k "\" nodeset=\"0x1\"" \
    " complete_nodeset=\"0x1\" gp_index=\"1" #k "\"/>\n"
#define BODY                                                                                    \
    "<object type=\"NUMANode\" os_index=\"0\"" SETS " gp_index=\"2\" local_memory=\"1000\"/>\n" \
    "<object type=\"Package\" os_index=\"0\"" SETS " gp_index=\"3\">\n" PU(1) PU(2) "</object>\n"
#define ALLOWED " allowed_cpuset=\"0x3\" allowed_nodeset=\"0x1\" gp_index=\"1\">\n"
#define MACHINE "<object type=\"Machine\" os_index=\"0\"" SETS ALLOWED
#define TAIL "</object>\n</topology>\n"

static void refused_file(const char *content)
{
    tree at = tree_make();
    char path[128];
    tree_put(&at, "/t.xml", content);
    snprintf(path, sizeof path, "%s/t.xml", at.root);
    refused(path, "");
    tree_free(&at);
}

static void xml_missing_complete_cpuset_crashes_only_the_helper(void **state)
{
    (void)state;
    refused_file(
        HEAD
        "<object type=\"Machine\" os_index=\"0\" cpuset=\"0x3\" nodeset=\"0x1\" complete_nodeset=\"0x1\"" ALLOWED BODY
            TAIL);
}

#define CORE(k, bit)                                                                                         \
    "<object type=\"PU\" os_index=\"" #k "\" cpuset=\"" bit "\" complete_cpuset=\"" bit "\" nodeset=\"0x1\"" \
    " complete_nodeset=\"0x1\" gp_index=\"1" #k "\"/>\n"
#define FOUR " cpuset=\"0xf\" complete_cpuset=\"0xf\" nodeset=\"0x1\" complete_nodeset=\"0x1\""
#define FOUR_CORES(allowed)                                                                                       \
    HEAD "<object type=\"Machine\" os_index=\"0\"" FOUR " allowed_cpuset=\"" allowed "\" allowed_nodeset=\"0x1\"" \
         " gp_index=\"1\">\n<object type=\"NUMANode\" os_index=\"0\"" FOUR                                        \
         " gp_index=\"2\" local_memory=\"1000\"/>\n" CORE(0, "0x1") CORE(1, "0x2") CORE(2, "0x4")                 \
             CORE(3, "0x8") "</object>\n"
#define KIND(set, rank, type, speed)                                                                              \
    "<cpukind cpuset=\"" set "\" forced_efficiency=\"" rank "\">\n<info name=\"CoreType\" value=\"" type "\"/>\n" \
    "<info name=\"FrequencyMaxMHz\" value=\"" speed "\"/>\n</cpukind>\n"

static yoke__topology *topology_of_file(const char *content)
{
    tree at = tree_make();
    char path[128];
    snprintf(path, sizeof path, "%s/t.xml", at.root);
    tree_put(&at, "/t.xml", content);
    yoke__topology *topology = topology_from(path);
    tree_free(&at);
    return topology;
}

static void xml_disallowed_cpus_are_counted_but_not_usable(void **state)
{
    (void)state;
    yoke__topology *topology = topology_of_file(FOUR_CORES("0xf") "</topology>\n");
    assert_int_equal(yoke__topology_usable(topology).pus, 4);
    yoke__topology_free(topology);
    topology = topology_of_file(FOUR_CORES("0xa") "</topology>\n");
    assert_int_equal(yoke__topology_machine(topology).pus, 4);
    assert_int_equal(yoke__topology_usable(topology).pus, 2);
    assert_int_equal(topology->pus[0].os_index, 1);
    assert_int_equal(topology->pus[1].os_index, 3);
    assert_int_equal(topology->pus[1].core, 1);
    yoke__topology_free(topology);
}

static void check_kinds(const char *content, unsigned a, unsigned b, unsigned c, unsigned d)
{
    yoke__topology *topology = topology_of_file(content);
    assert_int_equal(topology->count, 4);
    assert_int_equal(topology->pus[0].kind, a);
    assert_int_equal(topology->pus[1].kind, b);
    assert_int_equal(topology->pus[2].kind, c);
    assert_int_equal(topology->pus[3].kind, d);
    yoke__topology_free(topology);
}

/* Weak cores are told from strong ones by type or by speed; a little more boost makes no other kind of core. */
static void xml_hybrid_kinds_are_ranked(void **state)
{
    (void)state;
    check_kinds(FOUR_CORES("0xf") KIND("0xc", "0", "IntelAtom", "3000") KIND("0x1", "1", "IntelCore", "5000")
                    KIND("0x2", "2", "IntelCore", "5200") "</topology>\n",
                0, 0, 1, 1);
    check_kinds(FOUR_CORES("0xf") KIND("0x3", "0", "IntelAtom", "5200")
                    KIND("0xc", "1", "IntelCore", "5200") "</topology>\n",
                1, 1, 0, 0);
    check_kinds(FOUR_CORES("0xf") KIND("0x1", "0", "x", "1000") KIND("0x6", "1", "x", "2500")
                    KIND("0x8", "2", "x", "3500") "</topology>\n",
                2, 1, 1, 0);
    check_kinds(FOUR_CORES("0xf") KIND("0x1", "0", "x", "3300") KIND("0x2", "1", "x", "3330")
                    KIND("0x4", "2", "x", "3350") KIND("0x8", "3", "x", "3400") "</topology>\n",
                0, 0, 0, 0);
    check_kinds(FOUR_CORES("0xf") "</topology>\n", 0, 0, 0, 0);
}

static void xml_broken_ones_are_errors(void **state)
{
    (void)state;
    static const char whole[] = HEAD MACHINE BODY TAIL;
    for (size_t length = 1; length < sizeof whole - 3; length += length < 40 ? 13 : 61) {
        char cut[sizeof whole];
        memcpy(cut, whole, length);
        cut[length] = '\0';
        refused_file(cut);
    }
    refused_file("");
    refused_file("<topology");
    refused_file("no brackets at all");
    refused_file(HEAD);
    refused_file(HEAD "</topology>\n");
    refused_file("\xff\xfe\x01\x02");
}

static void xml_external_entity_is_not_followed(void **state)
{
    (void)state;
    refused_file("<?xml version=\"1.0\"?>\n<!DOCTYPE topology [<!ENTITY e SYSTEM \"file:///dev/zero\">]>\n"
                 "<topology version=\"2.0\">&e;</topology>\n");
    refused_file("<?xml version=\"1.0\"?>\n<!DOCTYPE t [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>\n"
                 "<topology version=\"2.0\">&b;</topology>\n");
}

static void xml_ten_megabytes_of_nesting_are_survived(void **state)
{
    (void)state;
    static const char level[] = "<object type=\"Group\"" SETS " gp_index=\"5\">\n";
    size_t levels = (10u << 20) / (sizeof level - 1), head = strlen(HEAD MACHINE);
    char *text = malloc(head + levels * (sizeof level - 1) + 1), *end = text + head;
    memcpy(text, HEAD MACHINE, head);
    for (size_t k = 0; k < levels; k++, end += sizeof level - 1)
        memcpy(end, level, sizeof level - 1);
    *end = '\0';
    refused_file(text);
    free(text);
}

static void paths_that_are_no_topology_are_errors(void **state)
{
    (void)state;
    refused("/nonexistent/t.xml", "No such file");
    refused("absent.xml", "No such file");
    refused("/tmp", "not a file");
    refused("/dev/zero", "not a file");
    refused("/proc/self/status", "not a file"); /* qemu-user would write a maps for us, and may not here */
    refused("/etc/passwd", "helper process");
    tree at = tree_make();
    char path[128];
    snprintf(path, sizeof path, "%s/fifo", at.root);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(path, "not a file"); /* and does not wait for a writer */
    tree_free(&at);
}

static void random_edits_of_a_good_file_never_crash(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    static const char good[] = HEAD MACHINE BODY TAIL;
    tree at = tree_make();
    char path[128];
    snprintf(path, sizeof path, "%s/t.xml", at.root);
    for (int round = 0; round < 100; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (unsigned edits = 1 + next_random(&seed, 4); edits > 0; edits--)
            text[next_random(&seed, sizeof good - 1)] = "0fx<>/\" 1"[next_random(&seed, 9)];
        tree_put(&at, "/t.xml", text);
        yoke__topology *topology = NULL;
        int status = yoke__topology_from(&topology, path);
        assert_true(status == YOKE_ETOPOLOGY || (status == YOKE_OK && yoke__topology_usable(topology).pus > 0));
        yoke__topology_free(topology);
    }
    tree_free(&at);
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synthetic_good_ones_arrive),
        cmocka_unit_test(synthetic_indexes_are_kept),
        cmocka_unit_test(synthetic_absurd_ones_are_refused_before_hwloc),
        cmocka_unit_test(synthetic_nonsense_is_refused_by_hwloc),
        cmocka_unit_test(null_arguments_are_invalid),
        cmocka_unit_test(xml_missing_complete_cpuset_crashes_only_the_helper),
        cmocka_unit_test(xml_disallowed_cpus_are_counted_but_not_usable),
        cmocka_unit_test(xml_hybrid_kinds_are_ranked),
        cmocka_unit_test(xml_broken_ones_are_errors),
        cmocka_unit_test(xml_external_entity_is_not_followed),
        cmocka_unit_test(xml_ten_megabytes_of_nesting_are_survived),
        cmocka_unit_test(paths_that_are_no_topology_are_errors),
        cmocka_unit_test(random_edits_of_a_good_file_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
