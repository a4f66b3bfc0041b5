/* The verbs over any number of ranks give the bits of one machine, for awkward sizes. usage: mpi_verbs */
#include <unistd.h>

#include "tests/mpi/mpi_support.h"

YOKE_TYPE(triple, {
    float a;
    double b;
    char c;
})

YOKE_KERNEL(t_blend, (in(float, x, 2), inout(float, y), whole(float, table, m), value(int, m)),
            { y[i] = expf(y[i] * 0.5f) + x[2 * i] - x[2 * i + 1] + table[i % (size_t)m]; })
YOKE_KERNEL(t_smooth, (halo(float, x, 3, 2), out(float, y), value(float, a)), {
    float sum = x[i];
    if (i >= 3)
        sum += sinf(x[i - 3]);
    if (i + 2 < n)
        sum -= x[i + 2] * a;
    y[i] = sum;
})
YOKE_KERNEL_2D(t_rows, (halo(float, x, 2, 1), out(float, y)), {
    float below = j + 1 < height ? x[(j + 1) * width + i] : 1.0f;
    float above = j > 1 ? x[(j - 2) * width + i] : 2.0f;
    y[j * width + i] = x[j * width + i] - above * 0.5f - below * 0.1f;
})
YOKE_LANE_KERNEL(t_lanes, (in(float, x), out(int, y)), {
    YOKE_LANES(float, v);
    YOKE_LANES(int, steps);
    int alive = 1;
    YOKE_EACH
    {
        v[l] = x[i] > 0 ? x[i] : -x[i];
    }
    YOKE_EACH
    {
        steps[l] = 0;
    }
    for (int k = 0; k < 100 && alive; k++) {
        YOKE_EACH
        {
            steps[l] += v[l] > 0.01f;
            v[l] *= 0.75f;
        }
        YOKE_ANY(alive, v[l] > 0.01f);
    }
    YOKE_EACH
    {
        y[i] = steps[l];
    }
})
YOKE_KERNEL(t_scale, (in(float, x), out(float, y)), { y[i] = x[i] * 3.0f; })
YOKE_KERNEL(t_many,
            (in(float, x), out(float, y), value(float, a), value(float, b), value(float, c), value(float, d),
             value(double, e)),
            { y[i] = (float)(x[i] * a + b - c * d + e); })
YOKE_KERNEL(t_turn, (in(float, x), scatter(float, y, n)), { y[n - 1 - i] = x[i]; })
YOKE_KERNEL(t_triple, (inout(triple, t), value(triple, add)), {
    t[i].a += add.a;
    t[i].b -= add.b;
    t[i].c = (char)(t[i].c + add.c);
})
YOKE_REDUCE(t_dot, (float, 0.0f, a + b), (in(float, x), in(float, y)), x[i] * y[i])
YOKE_REDUCE(t_rim, (double, 0.0, a + b), (halo(float, x, 1, 0)), (double)x[i] * (i > 0 ? x[i - 1] : 1.0))
YOKE_REDUCE(t_count, (double, 0.0, a + b), (value(double, scale)), scale / (1.0 + (double)i))

enum { MOST = 300000, TABLE = 13 };
static float x[2 * MOST], y[MOST], got[MOST], wanted[MOST], table[TABLE];
static int counts[MOST], wanted_counts[MOST];
static triple triples[1000], wanted_triples[1000];
static yoke_mpi *mpi;
static uint64_t seed;

static bool is_root(void)
{
    return rank == 0;
}

/* The root's pointer there, NULL elsewhere. */
static void *at_root(void *array)
{
    return is_root() ? array : NULL;
}

static bool has_bits(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) == 0;
}

static bool same(const void *a, const void *b, size_t bytes)
{
    return !is_root() || has_bits(a, b, bytes);
}

static void check_maps(size_t n, const yoke_mpi_call *call)
{
    draw_floats(&seed, x, 2 * n), draw_floats(&seed, y, n), draw_floats(&seed, table, TABLE);
    memcpy(got, y, n * sizeof *y), memcpy(wanted, y, n * sizeof *y);
    SUCCEEDS(parallel_map(t_blend, n, x, wanted, table, TABLE));
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, t_blend, n, at_root(x), at_root(got), at_root(table),
                                      is_root() ? TABLE : -5));
    CHECK(same(got, wanted, n * sizeof *got));
    SUCCEEDS(parallel_map(t_smooth, n, x, wanted, 0.25f));
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, t_smooth, n, at_root(x), at_root(got), 0.25f));
    CHECK(same(got, wanted, n * sizeof *got));
    SUCCEEDS(parallel_map(t_lanes, n, x, wanted_counts));
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, t_lanes, n, at_root(x), at_root(counts)));
    CHECK(same(counts, wanted_counts, n * sizeof *counts));
    memcpy(got, x, n * sizeof *x), memcpy(wanted, x, n * sizeof *x);
    SUCCEEDS(parallel_map(t_scale, n, wanted, wanted));
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, t_scale, n, at_root(got), at_root(got)));
    CHECK(same(got, wanted, n * sizeof *got));
    SUCCEEDS(parallel_map(t_turn, n, x, wanted));
    SUCCEEDS(yoke_mpi_parallel_map_on(mpi, call, t_turn, n, at_root(x), at_root(got)));
    CHECK(same(got, wanted, n * sizeof *got));
}

static void check_rows(size_t width, size_t height, const yoke_mpi_call *call)
{
    draw_floats(&seed, x, width * height);
    SUCCEEDS(parallel_map_2d(t_rows, width, height, x, wanted));
    SUCCEEDS(yoke_mpi_parallel_map_2d_on(mpi, call, t_rows, width, height, at_root(x), at_root(got)));
    CHECK(same(got, wanted, width * height * sizeof *got));
}

static void check_reductions(size_t n)
{
    float dot = -1, wanted_dot;
    double rim, wanted_rim, count, wanted_count;
    draw_floats(&seed, x, n), draw_floats(&seed, y, n);
    SUCCEEDS(parallel_reduce(t_dot, n, &wanted_dot, x, y));
    SUCCEEDS(yoke_mpi_parallel_reduce(mpi, t_dot, n, &dot, at_root(x), at_root(y)));
    CHECK(has_bits(&dot, &wanted_dot, sizeof dot));
    SUCCEEDS(parallel_reduce(t_rim, n, &wanted_rim, x));
    SUCCEEDS(yoke_mpi_parallel_reduce(mpi, t_rim, n, &rim, at_root(x)));
    CHECK(has_bits(&rim, &wanted_rim, sizeof rim));
    SUCCEEDS(parallel_reduce(t_count, n, &wanted_count, 3.0));
    SUCCEEDS(yoke_mpi_parallel_reduce(mpi, t_count, n, &count, 3.0));
    CHECK(has_bits(&count, &wanted_count, sizeof count));
}

static void check_structs(size_t n)
{
    const triple add = {0.5f, 0.25, 1};
    for (size_t k = 0; k < n; k++)
        triples[k] = wanted_triples[k] = (triple){(float)k, (double)k * 2, (char)(k % 100)};
    SUCCEEDS(parallel_map(t_triple, n, wanted_triples, add));
    SUCCEEDS(yoke_mpi_parallel_map(mpi, t_triple, n, at_root(triples), add));
    for (size_t k = 0; k < n && is_root(); k++)
        CHECK(triples[k].a == wanted_triples[k].a && triples[k].b == wanted_triples[k].b &&
              triples[k].c == wanted_triples[k].c);
}

static void check_shares(size_t n)
{
    size_t sum = 0;
    yoke_mpi_share share;
    SUCCEEDS(yoke_mpi_parallel_map(mpi, t_scale, n, at_root(x), at_root(got)));
    for (int r = 0; r < ranks && is_root(); r++) {
        SUCCEEDS(yoke_mpi_share_of(mpi, r, &share));
        sum += share.items;
    }
    CHECK(!is_root() || sum == n);
    CHECK(yoke_mpi_share_of(mpi, ranks, &share) == YOKE_EINVAL);
}

/* --- distributed --- */

static void check_distributed(size_t n)
{
    yoke_mpi_array *a = yoke_mpi_array_open(mpi, n, sizeof *x, 3, 2), *b = yoke_mpi_array_open(mpi, n, sizeof *x, 3, 2);
    CHECK(a != NULL && b != NULL);
    size_t begin, end, before = 0;
    for (int r = 0; r < ranks; r++) {
        SUCCEEDS(yoke_mpi_range(a, r, &begin, &end));
        CHECK(begin == before && (begin == end || (yoke_mpi_owner(a, begin) == r && yoke_mpi_owner(a, end - 1) == r)));
        before = end;
    }
    CHECK(before == n && yoke_mpi_owner(a, n) == -1);
    draw_floats(&seed, x, n);
    memcpy(wanted, x, n * sizeof *x);
    SUCCEEDS(yoke_mpi_scatter(a, at_root(x)));
    for (int step = 0; step < 6; step++) { /* ranks that know the root's value go ahead with it; not always for good */
        static const float roots[] = {0.25f, 0.25f, 0.25f, 0.5f, 0.5f, 0.25f};
        static const float others[] = {9.0f, 0.25f, 0.25f, 0.25f, 0.5f, 9.0f};
        yoke_mpi_array *swap = a;
        SUCCEEDS(yoke_mpi_parallel_map(mpi, t_smooth, n, yoke_mpi_local(a), yoke_mpi_local(b),
                                       is_root() ? roots[step] : others[step]));
        SUCCEEDS(parallel_map(t_smooth, n, wanted, y, roots[step]));
        memcpy(wanted, y, n * sizeof *y);
        a = b, b = swap;
    }
    SUCCEEDS(yoke_mpi_gather(a, at_root(got)));
    CHECK(same(got, wanted, n * sizeof *got));
    SUCCEEDS(yoke_mpi_parallel_map(mpi, t_lanes, n, yoke_mpi_local(a), yoke_mpi_local(b))); /* 4 bytes, too */
    SUCCEEDS(parallel_map(t_lanes, n, wanted, wanted_counts));
    SUCCEEDS(yoke_mpi_gather(b, at_root(counts)));
    CHECK(same(counts, wanted_counts, n * sizeof *counts));
    const float z = is_root() ? 1.5f : -7.0f; /* values that are too many for the agreement are the root's, too */
    SUCCEEDS(yoke_mpi_parallel_map(mpi, t_many, n, yoke_mpi_local(a), yoke_mpi_local(b), z, z, z, z, (double)z));
    SUCCEEDS(parallel_map(t_many, n, wanted, y, 1.5f, 1.5f, 1.5f, 1.5f, 1.5));
    SUCCEEDS(yoke_mpi_gather(b, at_root(got)));
    CHECK(same(got, y, n * sizeof *got));
    float dot, wanted_dot;
    double rim, wanted_rim;
    SUCCEEDS(yoke_mpi_scatter(b, at_root(x)));
    SUCCEEDS(parallel_reduce(t_dot, n, &wanted_dot, wanted, x));
    SUCCEEDS(yoke_mpi_parallel_reduce(mpi, t_dot, n, &dot, yoke_mpi_local(a), yoke_mpi_local(b)));
    CHECK(has_bits(&dot, &wanted_dot, sizeof dot));
    SUCCEEDS(parallel_reduce(t_rim, n, &wanted_rim, x));
    SUCCEEDS(yoke_mpi_parallel_reduce(mpi, t_rim, n, &rim, yoke_mpi_local(b)));
    CHECK(has_bits(&rim, &wanted_rim, sizeof rim));
    SUCCEEDS(yoke_mpi_array_close(a));
    SUCCEEDS(yoke_mpi_array_close(b));
}

static void check_distributed_rows(size_t width, size_t height)
{
    const size_t cells = width * height;
    yoke_mpi_array *a = yoke_mpi_array_open(mpi, height, width * sizeof *x, 2, 1),
                   *b = yoke_mpi_array_open(mpi, height, width * sizeof *x, 2, 1);
    CHECK(a != NULL && b != NULL);
    draw_floats(&seed, x, cells);
    memcpy(wanted, x, cells * sizeof *x);
    SUCCEEDS(yoke_mpi_scatter(a, at_root(x)));
    for (int step = 0; step < 4; step++) {
        yoke_mpi_array *swap = a;
        SUCCEEDS(yoke_mpi_parallel_map_2d(mpi, t_rows, width, height, yoke_mpi_local(a), yoke_mpi_local(b)));
        SUCCEEDS(parallel_map_2d(t_rows, width, height, wanted, y));
        memcpy(wanted, y, cells * sizeof *y);
        a = b, b = swap;
    }
    SUCCEEDS(yoke_mpi_gather(a, at_root(got)));
    CHECK(same(got, wanted, cells * sizeof *got));
    SUCCEEDS(yoke_mpi_array_close(b));
    SUCCEEDS(yoke_mpi_array_close(a));
}

/* --- cores --- */

/* No worker is pinned onto a CPU that another rank's of the same host is pinned onto. */
static void check_cores(void)
{
    enum { WORKERS = 64, NAME = 64 };
    int mine[WORKERS], *all = calloc((size_t)ranks * WORKERS, sizeof *all);
    char name[NAME] = "", *names = calloc((size_t)ranks, NAME);
    CHECK(all != NULL && names != NULL);
    CHECK(gethostname(name, NAME - 1) == 0);
    MPI_Allgather(name, NAME, MPI_CHAR, names, NAME, MPI_CHAR, MPI_COMM_WORLD);
    for (int k = 0; k < WORKERS; k++) {
        yoke_worker_place place;
        mine[k] = -1;
        if (k < yoke_workers(yoke_mpi_runtime(mpi))) {
            SUCCEEDS(yoke_worker_place_of(yoke_mpi_runtime(mpi), (unsigned)k, &place));
            mine[k] = place.pinned ? (int)place.os_cpu : -1;
        }
    }
    MPI_Allgather(mine, WORKERS, MPI_INT, all, WORKERS, MPI_INT, MPI_COMM_WORLD);
    for (int k = 0; k < ranks * WORKERS; k++)
        for (int j = 0; j < k; j++)
            CHECK(all[k] < 0 || all[k] != all[j] ||
                  strcmp(names + (size_t)(k / WORKERS) * NAME, names + (size_t)(j / WORKERS) * NAME) != 0);
    free(all);
    free(names);
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 2, 5, 31, 33, 1000, 4097, 100003};
    const yoke_mpi_call dynamic = {.flags = YOKE_MPI_DYNAMIC}, grains = {.flags = YOKE_MPI_DYNAMIC, .grain = 37};
    mpi = open_ranks(NULL);
    seed = common_seed();
    check_cores();
    for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        check_maps(sizes[k], NULL);
        check_reductions(sizes[k]);
        check_distributed(sizes[k]);
        check_rows(sizes[k] % 300, sizes[k] % 77, NULL);
        check_distributed_rows(1 + sizes[k] % 300, sizes[k] % 77);
    }
    check_maps(5003, &dynamic);
    check_maps(1009, &grains);
    check_maps(1, &dynamic);
    check_maps(MOST, &dynamic);
    check_rows(101, 37, &dynamic);
    check_distributed(MOST);
    check_reductions(MOST);
    check_maps(MOST, NULL); /* by now with measured speeds */
    check_structs(999);
    check_shares(10007);
    SUCCEEDS(yoke_mpi_close(mpi));
    end_ranks();
    if (rank == 0)
        printf("mpi_verbs: %d ranks agree with one machine\n", ranks);
    return 0;
}
