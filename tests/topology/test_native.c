/* This machine: which CPUs are usable, binding, and an environment that tries to steer hwloc. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/topology/table.h"
#include "support.h"

static unsigned long original[MASK_WORDS], current[MASK_WORDS], alone_mask[MASK_WORDS];

static int get_mask(unsigned long *mask)
{
    memset(mask, 0, sizeof original);
    return syscall(SYS_sched_getaffinity, 0, sizeof original, mask) > 0 ? 0 : -1;
}

static int set_mask(const unsigned long *mask)
{
    return (int)syscall(SYS_sched_setaffinity, 0, sizeof original, mask);
}

static bool in_mask(const unsigned long *mask, unsigned cpu)
{
    return (mask[cpu / (8 * sizeof *mask)] >> (cpu % (8 * sizeof *mask))) & 1;
}

static void only(unsigned long *mask, unsigned cpu)
{
    memset(mask, 0, sizeof original);
    mask[cpu / (8 * sizeof *mask)] |= 1UL << (cpu % (8 * sizeof *mask));
}

static yoke__topology *load(void)
{
    yoke__topology *topology = NULL;
    if (yoke__topology_load(&topology) != YOKE_OK)
        fail_msg("%s", yoke_error_detail());
    return topology;
}

static int restore(void **state)
{
    (void)state;
    int failed = set_mask(original);
    yoke__topology_read_affinity();
    return failed;
}

static void machine_usable_cpus_are_those_of_the_mask(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    size_t count, expected = 0;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    for (unsigned cpu = 0; cpu < YOKE_MAX_PUS; cpu++)
        expected += in_mask(original, cpu);
    assert_int_equal(count, expected);
    for (size_t k = 0; k < count; k++)
        assert_true(in_mask(original, pus[k].os_index));
    yoke__topology_counts all = yoke__topology_machine(topology), usable = yoke__topology_usable(topology);
    assert_true(usable.cores >= 1 && usable.cores <= all.cores && all.cores <= all.pus);
    assert_true(usable.packages >= 1 && usable.nodes >= 1 && usable.caches >= 1);
    assert_true(yoke__topology_is_native(topology));
    assert_in_range(yoke__topology_default_workers(topology), 1, usable.cores);
    yoke__topology_free(topology);
}

static void machine_ids_are_dense(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    unsigned core = 0, node = 0, package = 0, cache = 0;
    for (size_t k = 0; k < count; k++) { /* each id is at most one larger than all before */
        assert_true(pus[k].core <= core && pus[k].node <= node && pus[k].package <= package && pus[k].cache <= cache);
        core += pus[k].core == core;
        node += pus[k].node == node;
        package += pus[k].package == package;
        cache += pus[k].cache == cache;
    }
    yoke__topology_counts usable = yoke__topology_usable(topology);
    assert_true(usable.cores == core && usable.nodes == node && usable.packages == package && usable.caches == cache);
    yoke__topology_free(topology);
}

/* As under taskset: each CPU alone. */
static void restricted_process_sees_only_its_cpus(void **state)
{
    (void)state;
    for (unsigned cpu = 0; cpu < YOKE_MAX_PUS; cpu++) {
        if (!in_mask(original, cpu))
            continue;
        only(current, cpu);
        assert_int_equal(set_mask(current), 0);
        yoke__topology_read_affinity();
        yoke__topology *topology = load();
        size_t count;
        const yoke__pu *pus = yoke__topology_pus(topology, &count);
        assert_int_equal(count, 1);
        assert_int_equal(pus[0].os_index, cpu);
        assert_int_equal(pus[0].core + pus[0].node + pus[0].package + pus[0].cache + pus[0].smt, 0);
        assert_int_equal(yoke__topology_default_workers(topology), 1);
        yoke__topology_free(topology);
    }
}

/* The library's own constructor, in a process that is started with a smaller mask. */
static void started_process_reads_its_mask_at_loading(void **state)
{
    (void)state;
    unsigned cpu = 0;
    while (!in_mask(original, cpu))
        cpu++;
    only(current, cpu);
    assert_int_equal(set_mask(current), 0);
    char self[PATH_MAX], command[PATH_MAX + 16];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    snprintf(command, sizeof command, "'%s' --usable", self);
    FILE *child = popen(command, "r");
    unsigned usable = 0;
    int scanned = fscanf(child, "%u", &usable), ended = pclose(child);
    if (WIFEXITED(ended) && (WEXITSTATUS(ended) == 126 || WEXITSTATUS(ended) == 127)) {
        print_message("SKIP: the shell cannot start this program (it runs under an emulator)\n");
        skip();
    }
    assert_int_equal(scanned, 1);
    assert_int_equal(ended, 0);
    assert_int_equal(usable, 1);
}

static int print_usable(void)
{
    yoke__topology *topology;
    unsigned long every[MASK_WORDS];
    memset(every, 0xff, sizeof every);
    set_mask(every); /* after loading: must not count */
    if (yoke__topology_load(&topology) != YOKE_OK)
        return 1;
    printf("%u\n", yoke__topology_usable(topology).pus);
    yoke__topology_free(topology);
    return 0;
}

static void *load_bound(void *topology)
{
    only(current, ((const yoke__pu *)*(void **)topology)->os_index);
    if (set_mask(current) == 0)
        yoke__topology_load((yoke__topology **)topology);
    return NULL;
}

/* A caller already bound to one core must not shrink the team. */
static void bound_caller_still_sees_the_process_cpus(void **state)
{
    (void)state;
    yoke__topology *whole = load();
    size_t count, again;
    void *exchange = (void *)(uintptr_t)yoke__topology_pus(whole, &count);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, load_bound, &exchange), 0);
    pthread_join(thread, NULL);
    yoke__topology *other = exchange;
    yoke__topology_pus(other, &again);
    assert_int_equal(again, count);
    yoke__topology_free(other);
    yoke__topology_free(whole);
}

static void mask_outside_the_machine_is_ignored(void **state)
{
    (void)state;
    row one[] = {{.os_index = 1, .allowed = true, .core = 1}, {.os_index = 2, .core = 2}};
    rows found = {one, 2, 1};
    cpu_mask elsewhere = {.known = true}, unknown = {.known = false};
    mask_add(&elsewhere, 700);
    yoke__topology *topology;
    assert_int_equal(yoke__topology_build(&topology, &found, &elsewhere), YOKE_OK);
    assert_int_equal(topology->count, 1);
    assert_int_equal(topology->pus[0].os_index, 1);
    yoke__topology_free(topology);
    assert_int_equal(yoke__topology_build(&topology, &found, &unknown), YOKE_OK);
    assert_int_equal(topology->machine.cores, 2);
    assert_int_equal(topology->usable.cores, 1);
    yoke__topology_free(topology);
}

static void check_binding(const yoke__topology *topology)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    for (unsigned k = 0; k < count; k++) {
        yoke__place alone = {.pu = k, .pinned = true}, node = {.pu = k, .whole_node = true, .pinned = true};
        assert_int_equal(yoke__topology_bind_thread(topology, &alone), YOKE_OK);
        get_mask(current);
        for (size_t other = 0; other < count; other++)
            assert_int_equal(in_mask(current, pus[other].os_index), other == k);
        assert_int_equal(sched_getcpu(), pus[k].os_index);
        assert_int_equal(yoke__topology_bind_thread(topology, &node), YOKE_OK);
        get_mask(current);
        for (size_t other = 0; other < count; other++)
            assert_int_equal(in_mask(current, pus[other].os_index), pus[other].node == pus[k].node);
        yoke__place loose = {.pu = 0, .pinned = false};
        only(alone_mask, pus[k].os_index);
        assert_int_equal(yoke__topology_bind_thread(topology, &alone), YOKE_OK);
        assert_int_equal(yoke__topology_bind_thread(topology, &loose), YOKE_OK);
        get_mask(current);
        assert_memory_equal(current, alone_mask, sizeof original);
    }
    assert_int_equal(yoke__topology_unbind_thread(topology), YOKE_OK);
    get_mask(current);
    for (size_t k = 0; k < count; k++)
        assert_true(in_mask(current, pus[k].os_index));
}

static void bound_thread_runs_where_it_was_put(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    check_binding(topology);
    yoke__topology_free(topology);
    assert_int_equal(yoke__topology_load_sysfs(&topology, ""), YOKE_OK);
    check_binding(topology); /* the way without hwloc */
    yoke__topology_free(topology);
}

static void binding_failure_is_a_status_and_changes_nothing(void **state)
{
    (void)state;
    yoke__topology *topology = load();
    unsigned was = topology->pus[0].os_index;
    topology->pus[0].os_index = 60000; /* a CPU that this machine lacks */
    yoke__place there = {.pu = 0, .pinned = true};
    assert_int_equal(yoke__topology_bind_thread(topology, &there), YOKE_ESTATE);
    get_mask(current);
    assert_memory_equal(current, original, sizeof original);
    topology->pus[0].os_index = was;
    there.pu = 1000000;
    assert_int_equal(yoke__topology_bind_thread(topology, &there), YOKE_EINVAL);
    yoke__topology_free(topology);
    topology = topology_from("core:2 pu:1");
    there.pu = 0;
    assert_int_equal(yoke__topology_bind_thread(topology, &there), YOKE_ESTATE);
    assert_int_equal(yoke__topology_unbind_thread(topology), YOKE_ESTATE);
    yoke__topology_free(topology);
}

/* HWLOC_XMLFILE with a file that crashes hwloc 2.9, and the other variables that lead it astray. */
static void environment_does_not_steer_the_native_topology(void **state)
{
    (void)state;
    tree at = tree_make();
    tree_put(&at, "/crash.xml",
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
             "<topology version=\"2.0\"><object type=\"Machine\" os_index=\"0\" cpuset=\"0x1\" nodeset=\"0x1\""
             " complete_nodeset=\"0x1\" allowed_cpuset=\"0x1\" allowed_nodeset=\"0x1\" gp_index=\"1\">\n"
             "<object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\""
             " complete_nodeset=\"0x1\" gp_index=\"2\"/></object></topology>\n");
    char crash[128];
    snprintf(crash, sizeof crash, "%s/crash.xml", at.root);
    const char *variables[][2] = {{"HWLOC_XMLFILE", crash},
                                  {"HWLOC_SYNTHETIC", "pack:7 core:7 pu:7"},
                                  {"HWLOC_COMPONENTS", "synthetic,stop"},
                                  {"HWLOC_THISSYSTEM", "0"},
                                  {"HWLOC_PLUGINS_PATH", at.root},
                                  {"HWLOC_FSROOT", at.root},
                                  {"HWLOC_CPUID_PATH", at.root},
                                  {"HWLOC_ALLOW", "all"}};
    yoke__topology *plain = load();
    for (size_t k = 0; k < sizeof variables / sizeof *variables; k++) {
        setenv(variables[k][0], variables[k][1], 1);
        yoke__topology *topology = load();
        unsetenv(variables[k][0]);
        assert_int_equal(topology->count, plain->count);
        for (size_t p = 0; p < plain->count; p++)
            assert_int_equal(topology->pus[p].os_index, plain->pus[p].os_index);
        assert_int_equal(topology->usable.cores, plain->usable.cores);
        assert_int_equal(topology->usable.packages, plain->usable.packages);
        assert_int_equal(topology->usable.nodes, plain->usable.nodes);
        yoke__place place = {.pu = 0, .pinned = true};
        assert_int_equal(yoke__topology_bind_thread(topology, &place), YOKE_OK);
        assert_int_equal(sched_getcpu(), topology->pus[0].os_index);
        assert_int_equal(yoke__topology_unbind_thread(topology), YOKE_OK);
        yoke__topology_free(topology);
    }
    yoke__topology_free(plain);
    tree_free(&at);
}

/* In a copy of this program that belongs to another user: "secure, usable CPUs, CPUs of a foreign topology". */
static int print_secure(void)
{
    yoke__topology *native = NULL, *foreign = NULL;
    bool here = yoke__topology_load(&native) == YOKE_OK,
         there = yoke__topology_from(&foreign, "core:3 pu:1") == YOKE_OK;
    printf("%lu %u %u\n", getauxval(AT_SECURE), here ? yoke__topology_usable(native).pus : 0,
           there ? yoke__topology_usable(foreign).pus : 0);
    yoke__topology_free(native);
    yoke__topology_free(foreign);
    return 0;
}

static void set_user_id_process_obeys_no_variable(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("SKIP: only root can make a set-user-ID program of another user\n");
        skip();
    }
    tree at = tree_make();
    char command[512];
    tree_put(&at, "/helper", "#!/bin/sh\nprintf 'yoke-topology 1 1 1\\n0 0 0 1 5 6 7 8\\nend\\n'\n");
    snprintf(command, sizeof command,
             "cd %s && chmod 755 . helper && cp /proc/%d/exe copy && chown 65534 copy && chmod 4755 copy &&"
             " YOKE_TOPOLOGY_HELPER=%s/helper HWLOC_XMLFILE=%s/helper HWLOC_SYNTHETIC=pu:77 ./copy --secure",
             at.root, (int)getpid(), at.root, at.root);
    FILE *child = popen(command, "r");
    unsigned long secure = 0;
    unsigned usable = 0, foreign = 1, expected = 0;
    int scanned = fscanf(child, "%lu %u %u", &secure, &usable, &foreign);
    pclose(child);
    tree_free(&at);
    if (scanned != 3 || secure == 0) {
        print_message("SKIP: set-user-ID programs do not run in /tmp here\n");
        skip();
    }
    for (unsigned cpu = 0; cpu < YOKE_MAX_PUS; cpu++)
        expected += in_mask(original, cpu);
    assert_int_equal(usable, expected);
    assert_int_not_equal(foreign, 1); /* what the helper named by the environment would have answered */
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    int status = YOKE_ENOMEM;
    unsigned long nth = 1;
    for (; status != YOKE_OK && nth < 100; nth++) {
        yoke__topology *topology = NULL;
        yoke__alloc_fail_at(nth, false);
        status = yoke__topology_load(&topology);
        yoke__alloc_fail_at(0, false);
        assert_true(status == YOKE_OK || status == YOKE_ENOMEM);
        assert_true((status == YOKE_OK) == (topology != NULL));
        yoke__topology_free(topology);
    }
    assert_in_range(nth, 5, 99);
}

/* The best of several, for the machine may be busy; the first also loads hwloc's plugins from disk. */
static void loading_takes_less_than_ten_milliseconds(void **state)
{
    (void)state;
    int64_t best = INT64_MAX;
    for (int k = 0; k < 10; k++) {
        int64_t begin = yoke__now_ns();
        yoke__topology_free(load());
        int64_t took = yoke__now_ns() - begin;
        best = took < best ? took : best;
    }
    print_message("loaded in %.2f ms\n", (double)best / 1e6);
    assert_true(SANITIZED || best < 10 * INT64_C(1000000));
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--usable") == 0)
        return print_usable();
    if (count == 2 && strcmp(arguments[1], "--secure") == 0)
        return print_secure();
    use_built_helper();
    get_mask(original);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(machine_usable_cpus_are_those_of_the_mask, restore),
        cmocka_unit_test_teardown(machine_ids_are_dense, restore),
        cmocka_unit_test_teardown(restricted_process_sees_only_its_cpus, restore),
        cmocka_unit_test_teardown(started_process_reads_its_mask_at_loading, restore),
        cmocka_unit_test_teardown(bound_caller_still_sees_the_process_cpus, restore),
        cmocka_unit_test_teardown(mask_outside_the_machine_is_ignored, restore),
        cmocka_unit_test_teardown(bound_thread_runs_where_it_was_put, restore),
        cmocka_unit_test_teardown(binding_failure_is_a_status_and_changes_nothing, restore),
        cmocka_unit_test_teardown(environment_does_not_steer_the_native_topology, restore),
        cmocka_unit_test_teardown(set_user_id_process_obeys_no_variable, restore),
        cmocka_unit_test_teardown(every_failing_allocation_is_reported, restore),
        cmocka_unit_test_teardown(loading_takes_less_than_ten_milliseconds, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
