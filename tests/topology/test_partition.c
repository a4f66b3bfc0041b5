/* Which part of an array goes to which node: against the ranges with which workers begin, on machines that nobody has. */
#include "lib/schedule/schedule.h"
#include "support.h"

#define BIG "pack:2 numa:4 core:32 pu:2" /* 256 cores */

enum { WORKERS = 600 };

typedef struct machine {
    yoke__topology *topology;
    const yoke__pu *pus;
    yoke__place places[WORKERS];
    unsigned workers;
    yoke__part parts[WORKERS];
    size_t count;
} machine;

static void open_machine(machine *m, const char *description)
{
    size_t count;
    m->topology = topology_from(description);
    m->pus = yoke__topology_pus(m->topology, &count);
}

static void place(machine *m, yoke_pin pin, unsigned workers)
{
    size_t count;
    (void)yoke__topology_pus(m->topology, &count);
    m->workers = workers;
    assert_int_equal(yoke__topology_place(m->pus, count, pin, workers, m->places), YOKE_OK);
}

static unsigned node_of(const machine *m, unsigned k)
{
    return m->pus[m->places[k].pu].node_os_index;
}

/* What is always so: the parts lie side by side, none is empty, their borders are at granules, neighbours differ. */
static void divide(machine *m, size_t bytes, size_t granule)
{
    m->count = yoke__topology_partition(m->pus, m->places, m->workers, bytes, granule, m->parts);
    assert_true(m->count <= m->workers);
    size_t at = 0;
    for (size_t k = 0; k < m->count; k++) {
        assert_int_equal(m->parts[k].begin, at);
        assert_true(m->parts[k].end > at);
        at = m->parts[k].end;
        assert_true(at % granule == 0 || at == bytes);
        assert_true(k == 0 || m->parts[k].node != m->parts[k - 1].node);
    }
    assert_int_equal(at, bytes);
}

/* Bytes of [begin, end) that lie on a node. */
static size_t bytes_on(const machine *m, size_t begin, size_t end, unsigned node)
{
    size_t found = 0;
    for (size_t k = 0; k < m->count; k++) {
        size_t low = begin > m->parts[k].begin ? begin : m->parts[k].begin;
        size_t high = end < m->parts[k].end ? end : m->parts[k].end;
        if (m->parts[k].node == node && low < high)
            found += high - low;
    }
    return found;
}

static unsigned owner_of_byte(const machine *m, size_t at)
{
    for (size_t k = 0; k < m->count; k++)
        if (at < m->parts[k].end)
            return m->parts[k].node;
    fail_msg("byte %zu is in no part", at);
    return 0;
}

/* The node with most of a granule's bytes, counted worker by worker. */
static bool has_most(const machine *m, size_t bytes, size_t base, size_t granule, unsigned owner)
{
    size_t on_node[8] = {0}, most = 0;
    const size_t end = bytes - base < granule ? bytes : base + granule;
    for (unsigned k = 0; k < m->workers; k++) {
        size_t low = (size_t)yoke__share(bytes, k, m->workers), high = (size_t)yoke__share(bytes, k + 1, m->workers);
        low = low < base ? base : low;
        high = high > end ? end : high;
        if (low < high)
            on_node[node_of(m, k)] += high - low;
    }
    for (unsigned k = 0; k < 8; k++)
        most = on_node[k] > most ? on_node[k] : most;
    return on_node[owner] == most;
}

static const yoke_pin pins[] = {YOKE_PIN_COMPACT, YOKE_PIN_SCATTER, YOKE_PIN_NUMA};
static const unsigned teams[] = {1, 2, 7, 8, 64, 255, 256, 512};

static void parts_are_the_shares_of_workers(void **state)
{
    (void)state;
    machine m;
    open_machine(&m, BIG);
    uint64_t seed = test_seed();
    for (size_t p = 0; p < 3; p++)
        for (size_t t = 0; t < 8; t++) {
            place(&m, pins[p], teams[t]);
            for (int round = 0; round < 60; round++) {
                const size_t granule = (size_t)4096 << (round % 3 * 2);
                const size_t bytes = 1 + ((size_t)next_random(&seed, 1u << 31) >> next_random(&seed, 30));
                divide(&m, bytes, granule);
                if (bytes / m.workers < granule)
                    continue;
                for (unsigned k = 1; k < m.workers; k++) { /* only granules at a border could go wrong */
                    const size_t base = (size_t)yoke__share(bytes, k, m.workers) / granule * granule;
                    assert_true(has_most(&m, bytes, base, granule, owner_of_byte(&m, base)));
                }
            }
        }
    yoke__topology_free(m.topology);
}

/* What a map of n items begins with on worker k, against the part of the array of n elements on its node. */
static bool check_first_ranges(const machine *m, size_t n, size_t size, double item_ns, size_t granule)
{
    yoke__load load = {.items = n, .step = 1, .item_ns = item_ns, .workers = m->workers};
    yoke__plan plan = yoke__plan_division(&load);
    if (m->workers == 0 || plan.workers != m->workers)
        return false;
    size_t at_home = 0;
    for (unsigned k = 0; k < m->workers; k++) {
        const size_t begin = (size_t)yoke__share(plan.units, k, plan.workers) * plan.unit;
        size_t end = (size_t)yoke__share(plan.units, k + 1, plan.workers) * plan.unit;
        end = end > n ? n : end;
        const size_t on_node = bytes_on(m, begin * size, end * size, node_of(m, k));
        assert_true(on_node + 2 * plan.unit * size + granule >= (end - begin) * size);
        at_home += on_node;
    }
    if (n / m->workers >= 40 * plan.unit && n / m->workers * size >= 16 * granule)
        assert_true((double)at_home >= 0.95 * (double)(n * size));
    return true;
}

static void first_ranges_lie_at_home(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 4, 8, 12, 24, 64};
    static const double costs[] = {0, 0.1, 3, 700};
    machine m;
    open_machine(&m, BIG);
    uint64_t seed = test_seed();
    unsigned checked = 0;
    for (size_t p = 0; p < 3; p++)
        for (size_t t = 0; t < 8; t++) {
            place(&m, pins[p], teams[t]);
            for (int round = 0; round < 50; round++) {
                const size_t n = 1 + ((size_t)next_random(&seed, 1u << 31) << 3 >> next_random(&seed, 34));
                const size_t size = sizes[next_random(&seed, 7)];
                const size_t granule = n * size / m.workers >= 32 << 20 ? 2 << 20 : 4096;
                divide(&m, n * size, granule);
                checked += check_first_ranges(&m, n, size, costs[next_random(&seed, 4)], granule);
            }
        }
    print_message("maps with all workers: %u of 1200\n", checked);
    assert_true(checked > 200);
    yoke__topology_free(m.topology);
}

static void compact_workers_make_one_part_per_node(void **state)
{
    (void)state;
    machine m;
    open_machine(&m, BIG);
    place(&m, YOKE_PIN_COMPACT, 256);
    divide(&m, (size_t)1 << 40, 2 << 20); /* a terabyte */
    assert_int_equal(m.count, 8);
    for (unsigned k = 0; k < 8; k++) {
        assert_int_equal(m.parts[k].node, k);
        assert_int_equal(m.parts[k].end, (size_t)(k + 1) << 37);
    }
    place(&m, YOKE_PIN_NUMA, 256);
    divide(&m, (size_t)1 << 40, 2 << 20);
    assert_int_equal(m.count, 256);
    divide(&m, SIZE_MAX / 2, 4096); /* nothing overflows */
    yoke__topology_free(m.topology);
}

static void little_arrays_have_as_many_parts_as_pages(void **state)
{
    (void)state;
    machine m;
    open_machine(&m, BIG);
    place(&m, YOKE_PIN_NUMA, 256);
    divide(&m, 0, 4096);
    assert_int_equal(m.count, 0);
    for (size_t bytes = 1; bytes < 5 * 4096; bytes += 511) {
        divide(&m, bytes, 4096);
        assert_true(m.count <= bytes / 4096 + 1);
    }
    yoke__topology_free(m.topology);
}

/* Nodes without CPUs get nothing, and the kernel's numbers are not Yoke's. */
static void parts_have_the_kernels_numbers(void **state)
{
    (void)state;
    machine m;
    open_machine(&m, "pack:2 [numa(memory=0)] [numa(memory=16GB)] core:4 pu:1");
    place(&m, YOKE_PIN_COMPACT, 8);
    divide(&m, 1 << 20, 4096);
    assert_int_equal(m.count, 2);
    for (unsigned k = 0; k < 2; k++)
        assert_int_equal(m.parts[k].node % 2, 1);
    yoke__topology_free(m.topology);
}

/* Against 128-bit arithmetic. */
static void shares_are_whole_and_even(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 100000; round++) {
        const uint64_t count =
            ((uint64_t)next_random(&seed, UINT32_MAX) << 32 | next_random(&seed, UINT32_MAX)) >> next_random(&seed, 64);
        const unsigned sharers = 1 + next_random(&seed, YOKE_MAX_WORKERS), k = next_random(&seed, sharers + 1);
        __extension__ typedef unsigned __int128 wide;
        assert_true(yoke__share(count, k, sharers) == (uint64_t)((wide)count * k / sharers));
    }
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_shares_of_workers),
        cmocka_unit_test(first_ranges_lie_at_home),
        cmocka_unit_test(compact_workers_make_one_part_per_node),
        cmocka_unit_test(little_arrays_have_as_many_parts_as_pages),
        cmocka_unit_test(parts_have_the_kernels_numbers),
        cmocka_unit_test(shares_are_whole_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
