/* Memory on real nodes: pages of every placement are where it says, by move_pages and by /proc/self/numa_maps, and workers
 * find their parts at home. */
#include "lib/memory/memory.h"
#include "vm.h"
#include "yoke/yoke.h"

enum { PAGE = 4096, HUGE_PAGE = 2 << 20, NODES = 8, ODD = 12345 };

/* CPUs of a node without memory count to node 3 (tests/vm/test_vm_placement.c). */
static unsigned memory_node_of(unsigned cpu)
{
    const unsigned node = kernel_node_of(cpu);
    FILE *file = fopen("/sys/devices/system/node/has_memory", "r");
    char list[32] = "";
    assert_true(file != NULL && fgets(list, sizeof list, file) != NULL);
    fclose(file);
    return node == 2 && strncmp(list, "0-3", 3) != 0 ? 3 : node;
}

static void move_to(unsigned cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(sched_getcpu(), cpu);
}

/* The kernel's node of each page. */
static signed char *nodes_of(const unsigned char *array, size_t pages)
{
    signed char *nodes = malloc(pages);
    assert_non_null(nodes);
    for (size_t k = 0; k < pages; k++) {
        const void *at[1] = {array + k * PAGE};
        int node = -1000;
        assert_int_equal(syscall(SYS_move_pages, 0, 1UL, at, NULL, &node, 0), 0);
        if (node < 0 || node >= NODES)
            fail_msg("page %zu of %zu: %d", k, pages, node);
        nodes[k] = (signed char)node;
    }
    return nodes;
}

/* The kernel's other view: pages by node of the mappings that begin in the array; each has a policy of this name. */
static void read_numa_maps(const unsigned char *array, size_t bytes, const char *policy, size_t on_node[NODES])
{
    char line[4096];
    FILE *maps = fopen("/proc/self/numa_maps", "r");
    assert_non_null(maps);
    memset(on_node, 0, NODES * sizeof *on_node);
    while (fgets(line, sizeof line, maps) != NULL) {
        char *rest;
        const uintptr_t start = (uintptr_t)strtoull(line, &rest, 16);
        if (start - (uintptr_t)array >= bytes)
            continue;
        if (strncmp(rest + 1, policy, strlen(policy)) != 0)
            fail_msg("not %s: %s", policy, line);
        for (char *word = strtok(rest, " \n"); word != NULL; word = strtok(NULL, " \n")) {
            unsigned node;
            size_t pages;
            if (sscanf(word, "N%u=%zu", &node, &pages) == 2 && node < NODES)
                on_node[node] += pages;
        }
    }
    fclose(maps);
}

/* All that says where pages are says the same. `policy`: NULL where mappings may have grown together with others. */
static void compare_views(const unsigned char *array, size_t bytes, const char *policy, const signed char *nodes)
{
    const size_t pages = (bytes + PAGE - 1) / PAGE;
    size_t counted[NODES] = {0}, mapped[NODES];
    yoke_placement_report report;
    for (size_t k = 0; k < pages; k++)
        counted[nodes[k]]++;
    assert_int_equal(yoke_placement_of(array, &report), YOKE_OK);
    assert_int_equal(report.status, YOKE_OK);
    assert_string_equal(report.detail, "");
    assert_int_equal(report.pages, pages);
    assert_int_equal(report.present, pages);
    assert_int_equal(report.elsewhere, 0);
    for (unsigned k = 0; k < report.nodes; k++)
        assert_int_equal(report.on_node[k], counted[report.os_node[k]]);
    if (policy == NULL)
        return;
    read_numa_maps(array, bytes, policy, mapped);
    assert_memory_equal(mapped, counted, sizeof mapped);
}

static yoke_runtime *open_runtime(unsigned workers, yoke_pin pin)
{
    yoke_runtime_options how = {.workers = workers, .pin = pin, .devices = "cpu"};
    move_to(0);
    yoke_runtime *runtime = yoke_open(&how);
    assert_non_null(runtime);
    return runtime;
}

/* An array that was written to on CPU 0, and its nodes. */
static unsigned char *filled(yoke_runtime *runtime, size_t bytes, yoke_placement placement, signed char **nodes)
{
    unsigned char *array = yoke_alloc_on(runtime, bytes, placement);
    assert_non_null(array);
    yoke_placement_report report;
    assert_int_equal(yoke_placement_of(array, &report), YOKE_OK);
    assert_int_equal(report.requested, placement);
    assert_int_equal(report.absent, (bytes + PAGE - 1) / PAGE);
    move_to(0);
    memset(array, 1, bytes);
    *nodes = nodes_of(array, (bytes + PAGE - 1) / PAGE);
    return array;
}

static void all_pages_on(yoke_runtime *runtime, size_t bytes, yoke_placement placement, unsigned cpu, unsigned node,
                         const char *policy)
{
    signed char *nodes;
    move_to(cpu);
    unsigned char *array = filled(runtime, bytes, placement, &nodes);
    for (size_t k = 0; k < (bytes + PAGE - 1) / PAGE; k++)
        assert_int_equal(nodes[k], node);
    compare_views(array, bytes, policy, nodes);
    assert_int_equal(yoke_free(array), YOKE_OK);
    free(nodes);
}

static void pages_are_on_the_node_that_was_named(void **state)
{
    (void)state;
    yoke_runtime *runtime = open_runtime(4, YOKE_PIN_SCATTER);
    static const size_t sizes[] = {1, PAGE - 1, PAGE + 1, 65537, 3000017, (12 << 20) + ODD};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        all_pages_on(runtime, sizes[s], YOKE_PLACE_DEFAULT, 6, 0, NULL);
        for (unsigned cpu = 0; cpu < CPUS; cpu += 3)
            all_pages_on(runtime, sizes[s], YOKE_PLACE_LOCAL, cpu, memory_node_of(cpu), "prefer:");
        yoke_topology topology;
        yoke_placement_report report;
        assert_int_equal(yoke_topology_of(runtime, &topology), YOKE_OK);
        void *any = yoke_alloc(1, YOKE_PLACE_DEFAULT);
        assert_int_equal(yoke_placement_of(any, &report), YOKE_OK);
        assert_int_equal(report.nodes, topology.usable.nodes);
        assert_int_equal(yoke_free(any), YOKE_OK);
        for (unsigned k = 0; k < topology.usable.nodes; k++)
            all_pages_on(runtime, sizes[s], YOKE_PLACE_NODE(k), 0, report.os_node[k], "prefer:");
        assert_null(yoke_alloc_on(runtime, 1, YOKE_PLACE_NODE(topology.usable.nodes)));
    }
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void pages_go_to_all_nodes_in_turn(void **state)
{
    (void)state;
    yoke_runtime *runtime = open_runtime(2, YOKE_PIN_COMPACT); /* fewer workers than nodes */
    static const size_t sizes[] = {10 * PAGE, 3000017, (24 << 20) + ODD};
    for (size_t s = 0; s < 3; s++) {
        signed char *nodes;
        const size_t pages = (sizes[s] + PAGE - 1) / PAGE;
        unsigned char *array = filled(runtime, sizes[s], YOKE_PLACE_INTERLEAVE, &nodes);
        yoke_placement_report report;
        compare_views(array, sizes[s], "interleave:", nodes);
        assert_int_equal(yoke_placement_of(array, &report), YOKE_OK);
        for (unsigned k = 0; k < report.nodes; k++)
            assert_in_range(report.on_node[k], pages / report.nodes, pages / report.nodes + 1);
        assert_int_equal(yoke_free(array), YOKE_OK);
        free(nodes);
    }
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

/* --- partition --- */

static unsigned node_of_worker(yoke_runtime *runtime, unsigned k)
{
    yoke_worker_place place;
    assert_int_equal(yoke_worker_place_of(runtime, k, &place), YOKE_OK);
    assert_true(place.pinned);
    return memory_node_of(place.os_cpu);
}

/* Whose share holds the middle of the granule with this page. */
static unsigned owner_of_page(size_t k, size_t bytes, size_t granule, unsigned workers)
{
    const size_t base = k * PAGE / granule * granule, used = bytes - base < granule ? bytes - base : granule;
    unsigned owner = 0;
    while (bytes * (owner + 1) / workers <= base + used / 2)
        owner++;
    return owner;
}

static void check_parts(yoke_pin pin, unsigned workers, size_t bytes, size_t granule)
{
    yoke_runtime *runtime = open_runtime(workers, pin);
    signed char *nodes;
    unsigned home[CPUS];
    unsigned char *array = filled(runtime, bytes, YOKE_PLACE_PARTITION, &nodes);
    for (unsigned k = 0; k < workers; k++)
        home[k] = node_of_worker(runtime, k);
    for (size_t k = 0; k < (bytes + PAGE - 1) / PAGE; k++)
        assert_int_equal(nodes[k], home[owner_of_page(k, bytes, granule, workers)]);
    compare_views(array, bytes, "prefer:", nodes);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
    free(nodes);
}

static void pages_of_a_part_are_on_their_workers_node(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3 * PAGE - 1, 65537, 3000017, (24 << 20) + ODD};
    for (yoke_pin pin = YOKE_PIN_COMPACT; pin <= YOKE_PIN_NUMA; pin++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (unsigned workers = 3; workers <= CPUS; workers += 5)
                check_parts(pin, workers, sizes[s], PAGE);
}

static void large_parts_meet_at_huge_pages(void **state)
{
    (void)state;
    check_parts(YOKE_PIN_SCATTER, 2, (size_t)(81 << 20) + ODD, HUGE_PAGE);
}

/* Who read how much of the array, and from where. */
typedef struct reading {
    const unsigned char *array;
    const signed char *nodes;
    size_t bytes;
    yoke_runtime *runtime;
    _Atomic unsigned begun;
    _Atomic size_t at_home, elsewhere;
    _Atomic size_t begin[CPUS], end[CPUS]; /* worker k's range */
} reading;

/* Nobody ends before all have begun: then nobody steals. */
static void read_range(size_t begin, size_t end, void *argument)
{
    reading *r = argument;
    char name[16] = "";
    unsigned k = 0, cpu = 0;
    const unsigned before = atomic_fetch_add(&r->begun, 1);
    const int64_t limit = yoke__now_ns() + INT64_C(60000000000);
    while (atomic_load(&r->begun) < CPUS && yoke__now_ns() < limit)
        usleep(1000);
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (sscanf(name, "yoke/%u", &k) != 1)
        k = 0;
    getcpu(&cpu, NULL);
    const int node = (int)memory_node_of(cpu);
    if (before < CPUS && k < CPUS) {
        atomic_store(&r->begin[k], begin);
        atomic_store(&r->end[k], end);
    }
    volatile unsigned char sink = 0;
    for (size_t i = begin * sizeof(float); i < end * sizeof(float); i += sizeof(float)) {
        if (i % PAGE == 0)
            sink = (unsigned char)(sink + r->array[i]);
        atomic_fetch_add_explicit(r->nodes[i / PAGE] == node ? &r->at_home : &r->elsewhere, sizeof(float),
                                  memory_order_relaxed);
    }
}

static void workers_read_at_home(void **state)
{
    (void)state;
    enum { N = (2 << 20) + 4321 };
    const size_t bytes = N * sizeof(float);
    for (yoke_pin pin = YOKE_PIN_COMPACT; pin <= YOKE_PIN_NUMA; pin++) {
        yoke_runtime *runtime = open_runtime(CPUS, pin);
        signed char *nodes;
        static reading r;
        memset(&r, 0, sizeof r);
        r.array = filled(runtime, bytes, YOKE_PLACE_PARTITION, &nodes);
        r.nodes = nodes;
        yoke_worker_place mine;
        assert_int_equal(yoke_worker_place_of(runtime, 0, &mine), YOKE_OK);
        move_to(mine.os_cpu);
        yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = N};
        assert_int_equal(yoke_parallel_for_on(runtime, &options, N, read_range, &r), YOKE_OK);
        const size_t home = atomic_load(&r.at_home);
        print_message("pin %d: %.2f %% of the bytes were read at home, in %u ranges\n", (int)pin,
                      100.0 * (double)home / (double)bytes, atomic_load(&r.begun));
        assert_int_equal(home + atomic_load(&r.elsewhere), bytes);
        assert_int_equal(atomic_load(&r.begun), CPUS);
        assert_true((double)home >= 0.95 * (double)bytes);
        for (unsigned k = 0; k < CPUS; k++) { /* all pages of the first range, but for its ends */
            const size_t first = atomic_load(&r.begin[k]) * sizeof(float), end = atomic_load(&r.end[k]) * sizeof(float);
            assert_true(end - first > bytes / CPUS - 3 * PAGE);
            for (size_t p = first / PAGE + 2; p + 2 < end / PAGE; p++)
                assert_int_equal(nodes[p], node_of_worker(runtime, k));
        }
        assert_int_equal(yoke_free((void *)r.array), YOKE_OK);
        assert_int_equal(yoke_close(runtime), YOKE_OK);
        free(nodes);
    }
}

static void replaced_pages_keep_their_nodes(void **state)
{
    (void)state;
    enum { BYTES = 3000017, PAGES = (BYTES + PAGE - 1) / PAGE };
    yoke_runtime *runtime = open_runtime(CPUS, YOKE_PIN_NUMA);
    signed char *before, *after;
    unsigned char *array = filled(runtime, BYTES, YOKE_PLACE_PARTITION, &before);
    for (size_t k = 0; k < BYTES; k++)
        array[k] = (unsigned char)(k * 7 + k / 251);
    yoke__block *block = yoke__memory_hold(array, BYTES);
    assert_int_equal(yoke__block_replace_pages(block), YOKE_OK);
    for (size_t k = 0; k < BYTES; k++)
        assert_int_equal(array[k], (unsigned char)(k * 7 + k / 251));
    after = nodes_of(array, PAGES);
    assert_memory_equal(before, after, PAGES);
    assert_int_equal(yoke_free(array), YOKE_OK);
    yoke__memory_release(block);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
    free(before);
    free(after);
}

/* --- a caller that wanders --- */

static void do_nothing(size_t begin, size_t end, void *argument)
{
    (void)begin, (void)end, (void)argument;
    usleep(2000);
}

/* Some maps from a CPU, each after all workers fell asleep. */
static void call_from(yoke_runtime *runtime, unsigned cpu)
{
    yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = 1};
    move_to(cpu);
    for (int k = 0; k < 6; k++) {
        usleep(30000);
        assert_int_equal(yoke_parallel_for_on(runtime, &options, 4 * CPUS, do_nothing, NULL), YOKE_OK);
    }
}

static void workers_come_home_behind_a_wandering_caller(void **state)
{
    (void)state;
    static const unsigned walk[] = {3, 6, 1, 5, 2, 7, 4, 3, 0};
    yoke_runtime *runtime = open_runtime(CPUS, YOKE_PIN_COMPACT);
    unsigned home[CPUS];
    yoke_worker_place place;
    for (unsigned k = 0; k < CPUS; k++) {
        assert_int_equal(yoke_worker_place_of(runtime, k, &place), YOKE_OK);
        home[k] = place.os_cpu;
    }
    bool moved = false;
    for (size_t step = 0; step < sizeof walk / sizeof *walk; step++) {
        call_from(runtime, walk[step]);
        for (unsigned k = 1; k < CPUS; k++) {
            assert_int_equal(yoke_worker_place_of(runtime, k, &place), YOKE_OK);
            moved |= place.os_cpu != home[k];
        }
    }
    assert_true(moved);
    unsigned away = CPUS;
    for (int round = 0; round < 20 && away > 0; round++) { /* whoever sleeps in another's place follows when he wakes */
        call_from(runtime, 0);
        away = 0;
        for (unsigned k = 0; k < CPUS; k++) {
            assert_int_equal(yoke_worker_place_of(runtime, k, &place), YOKE_OK);
            away += place.os_cpu != home[k];
        }
        print_message("%u places are others than at the beginning\n", away);
    }
    assert_int_equal(away, 0);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

/* --- what cannot be had --- */

static void check_refused(yoke_runtime *runtime, yoke_placement placement, int expected, const char *text)
{
    enum { BYTES = 4000037 };
    unsigned char *array = yoke_alloc_on(runtime, BYTES, placement);
    assert_non_null(array);
    memset(array, 1, BYTES);
    yoke_placement_report report;
    assert_int_equal(yoke_placement_of(array, &report), YOKE_OK);
    assert_int_equal(report.status, expected);
    assert_int_equal(report.present, report.pages);
    if (strstr(report.detail, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", report.detail, text);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

static void nodes_beyond_the_cpuset_are_reported(void **state)
{
    (void)state;
    yoke_runtime *runtime = open_runtime(CPUS, YOKE_PIN_COMPACT);
    must_put("/cgroup/cgroup.subtree_control", "+cpuset");
    mkdir("/cgroup/m", 0700);
    must_put("/cgroup/m/cpuset.mems", "0-1");
    must_put("/cgroup/m/cgroup.procs", "0");
    check_refused(runtime, YOKE_PLACE_NODE(3), YOKE_ESTATE, "cpuset.mems");
    check_refused(runtime, YOKE_PLACE_PARTITION, YOKE_ESTATE, "cpuset.mems");
    check_refused(runtime, YOKE_PLACE_NODE(1), YOKE_OK, "");
    signed char *nodes;
    unsigned char *array = filled(runtime, 8 * PAGE, YOKE_PLACE_PARTITION, &nodes); /* what can be placed is */
    assert_int_equal(nodes[0], 0);
    assert_int_equal(nodes[3], 1);
    assert_true(nodes[7] <= 1);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
    free(nodes);
}

typedef struct inside {
    yoke_runtime *runtime;
    _Atomic int status;
} inside;

static void allocate_inside(size_t begin, size_t end, void *argument)
{
    inside *self = argument;
    (void)begin, (void)end;
    yoke_placement_report report;
    void *array = yoke_alloc_on(self->runtime, 100, YOKE_PLACE_PARTITION);
    atomic_store(&self->status, yoke_placement_of(array, &report) == YOKE_OK ? report.status : 1);
    (void)yoke_free(array);
}

static void workers_without_a_place_own_nothing(void **state)
{
    (void)state;
    yoke_runtime *runtime = open_runtime(3, YOKE_PIN_NONE);
    check_refused(runtime, YOKE_PLACE_PARTITION, YOKE_ESTATE, "not pinned");
    check_refused(runtime, YOKE_PLACE_INTERLEAVE, YOKE_OK, "");
    inside i = {.runtime = runtime};
    assert_int_equal(yoke_parallel_for_on(runtime, NULL, 1, allocate_inside, &i), YOKE_OK);
    assert_int_equal(atomic_load(&i.status), YOKE_EBUSY);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void full_node_passes_pages_on(void **state)
{
    (void)state;
    enum { BYTES = 300 << 20 }; /* a node has 256 */
    yoke_placement_report report;
    unsigned char *array = yoke_alloc(BYTES, YOKE_PLACE_NODE(3));
    assert_non_null(array);
    for (size_t k = 0; k < BYTES; k += PAGE)
        array[k] = 1;
    assert_int_equal(yoke_placement_of(array, &report), YOKE_OK);
    assert_int_equal(report.status, YOKE_OK);
    assert_int_equal(report.present, report.pages);
    assert_true(report.on_node[3] > report.pages / 2 && report.on_node[3] < report.pages);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

/* The kernel's own balancing moves pages that have no policy, and cannot say where they are meanwhile. */
static int stop_balancing(void **state)
{
    (void)state;
    put("/proc/sys/kernel/numa_balancing", "0");
    return 0;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest numa[] = {
        TEST(pages_are_on_the_node_that_was_named),
        TEST(pages_go_to_all_nodes_in_turn),
        TEST(pages_of_a_part_are_on_their_workers_node),
        TEST(large_parts_meet_at_huge_pages),
        TEST(workers_read_at_home),
        TEST(replaced_pages_keep_their_nodes),
        TEST(workers_come_home_behind_a_wandering_caller),
        TEST(nodes_beyond_the_cpuset_are_reported),
        TEST(workers_without_a_place_own_nothing),
        TEST(full_node_passes_pages_on),
    };
    const struct CMUnitTest threads[] = {
        TEST(pages_are_on_the_node_that_was_named),
        TEST(pages_go_to_all_nodes_in_turn),
        TEST(pages_of_a_part_are_on_their_workers_node),
    };
    if (scenario_is(count, arguments, "numa"))
        return cmocka_run_group_tests_name("memory, numa", numa, stop_balancing, NULL);
    if (scenario_is(count, arguments, "threads"))
        return cmocka_run_group_tests_name("memory, threads", threads, stop_balancing, NULL);
    return not_here();
}
