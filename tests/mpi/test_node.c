/* Who of a node's ranks gets which cores, on nodes that nobody here has; and shares in proportion to speed. */
#include "lib/mpi/mpi.h"
#include "tests/unit/support.h"

enum { MOST_RANKS = 300, MOST_CPUS = 512 };

/* 8 NUMA nodes, 256 cores; the second hyperthreads have the numbers from 256 on. */
static yoke_usable_cpu machine[MOST_CPUS];
static unsigned lists[MOST_RANKS * MOST_CPUS];
static int first[MOST_RANKS + 1], owner[MOST_CPUS], cores_of[MOST_RANKS];

static void make_machine(void)
{
    for (unsigned k = 0; k < MOST_CPUS; k++)
        machine[k] = (yoke_usable_cpu){k / 2 + k % 2 * 256, k / 256, k / 64, k / 16, k / 2};
}

/* Rank r may use the cores [begin(r), end(r)). What it gets is so many groups of neighbours, less one. */
static void divide(int ranks, unsigned (*begin)(int r, int ranks), unsigned (*end)(int r, int ranks),
                   unsigned most_jumps)
{
    static unsigned taken[MOST_CPUS];
    static yoke__mpi_users users[MOST_CPUS];
    static unsigned index[YOKE__MPI_CPUS];
    first[0] = 0;
    for (int r = 0; r < ranks; r++) {
        first[r + 1] = first[r];
        for (unsigned k = 2 * begin(r, ranks); k < 2 * end(r, ranks); k++)
            lists[first[r + 1]++] = machine[k].os_cpu;
    }
    for (unsigned k = 0; k < MOST_CPUS; k++)
        owner[k] = -1;
    for (int r = 0; r < ranks; r++) {
        yoke__mpi_place place = {.cpus = taken};
        yoke__mpi_node n = {.rank = r, .size = ranks, .cpu = lists, .first = first, .users = users, .index = index};
        n.own = machine + 2 * begin(r, ranks);
        n.own_count = 2 * (size_t)(end(r, ranks) - begin(r, ranks));
        memset(users, 0, sizeof users), memset(index, 0, sizeof index);
        yoke__mpi_take_cores(&n, &place);
        cores_of[r] = place.is_crowded ? 0 : (int)place.workers;
        assert_int_equal(place.cpu_count, 2 * cores_of[r]);
        for (size_t k = 0; k < place.cpu_count; k++) {
            assert_int_equal(owner[taken[k]], -1);
            owner[taken[k]] = r;
        }
        unsigned jumps = 0;
        for (size_t k = 1; k < place.cpu_count; k++)
            jumps += taken[k] % 256 != taken[k - 1] % 256 && taken[k] % 256 != taken[k - 1] % 256 + 1;
        assert_true(jumps <= most_jumps);
    }
}

static unsigned all_begin(int r, int ranks)
{
    (void)r, (void)ranks;
    return 0;
}

static unsigned all_end(int r, int ranks)
{
    (void)r, (void)ranks;
    return 256;
}

static unsigned part_begin(int r, int ranks)
{
    return 256u * (unsigned)r / (unsigned)ranks;
}

static unsigned part_end(int r, int ranks)
{
    return 256u * ((unsigned)r + 1) / (unsigned)ranks;
}

/* Two ranks to each half, the third to all. */
static unsigned mixed_begin(int r, int ranks)
{
    (void)ranks;
    return r == 1 ? 128 : 0;
}

static unsigned mixed_end(int r, int ranks)
{
    (void)ranks;
    return r == 0 ? 128 : 256;
}

static void unbound_ranks_divide_all_cores(void **state)
{
    (void)state;
    static const int counts[] = {1, 2, 3, 8, 16, 100, 256};
    for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
        divide(counts[c], all_begin, all_end, 0);
        for (unsigned k = 0; k < MOST_CPUS; k++)
            assert_true(owner[k] >= 0);
        for (int r = 0; r < counts[c]; r++)
            assert_in_range(cores_of[r], 256 / counts[c], 256 / counts[c] + 1);
    }
}

static void more_ranks_than_cores_share_none(void **state)
{
    (void)state;
    int with = 0;
    divide(MOST_RANKS, all_begin, all_end, 0);
    for (int r = 0; r < MOST_RANKS; r++) {
        assert_in_range(cores_of[r], 0, 1);
        with += cores_of[r];
    }
    assert_int_equal(with, 256);
}

static void a_launchers_binding_stands(void **state)
{
    (void)state;
    static const int counts[] = {2, 7, 8, 64};
    for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
        divide(counts[c], part_begin, part_end, 0);
        for (int r = 0; r < counts[c]; r++)
            assert_int_equal(cores_of[r], part_end(r, counts[c]) - part_begin(r, counts[c]));
    }
}

static void masks_that_overlap_in_part_are_divided_where_they_do(void **state)
{
    (void)state;
    divide(3, mixed_begin, mixed_end, 1);
    assert_int_equal(cores_of[0], 64);
    assert_int_equal(cores_of[1], 64);
    assert_int_equal(cores_of[2], 128);
}

static void shares_cover_the_range_and_follow_the_weights(void **state)
{
    (void)state;
    uint64_t seed = seed_of("node");
    for (unsigned long round = 0; round < rounds_of(20000); round++) {
        double weight[8];
        size_t bounds[9];
        const int ranks = 1 + (int)draw_below(&seed, 8);
        const size_t step = (size_t)1 << draw_below(&seed, 7), items = draw(&seed) >> draw_below(&seed, 64);
        double sum = 0;
        for (int r = 0; r < ranks; r++)
            sum += weight[r] = draw_below(&seed, 4) == 0 ? 0 : draw_double(&seed, 0, 1);
        yoke__mpi_divide(items, step, weight, ranks, bounds);
        assert_int_equal(bounds[0], 0);
        assert_true(bounds[ranks] == items);
        for (int r = 0; r < ranks; r++) {
            assert_true(bounds[r] <= bounds[r + 1]);
            assert_true(bounds[r] % step == 0 || bounds[r] == items);
            const double wanted = sum > 0 ? (double)items * weight[r] / sum : (double)items / ranks;
            const double got = (double)(bounds[r + 1] - bounds[r]), off = got > wanted ? got - wanted : wanted - got;
            assert_true(off <= 2 * (double)step + 1e-9 * (double)items);
        }
    }
}

int main(void)
{
    make_machine();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unbound_ranks_divide_all_cores),
        cmocka_unit_test(more_ranks_than_cores_share_none),
        cmocka_unit_test(a_launchers_binding_stands),
        cmocka_unit_test(masks_that_overlap_in_part_are_divided_where_they_do),
        cmocka_unit_test(shares_cover_the_range_and_follow_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
