/* What ranks do differently is refused on every rank, with who does what, and the next call works; nobody waits for
 * ever. */
#include "lib/mpi/mpi.h"
#include "tests/mpi/mpi_support.h"

YOKE_KERNEL(f_scale, (in(float, x), out(float, y), value(float, a)), { y[i] = x[i] * a; })
YOKE_KERNEL(f_other, (in(float, x), out(float, y), value(float, a)), { y[i] = x[i] + a; })
YOKE_KERNEL(f_halo, (halo(float, x, 2, 2), out(float, y)), { y[i] = i > 1 && i + 2 < n ? x[i - 2] + x[i + 2] : x[i]; })
YOKE_KERNEL(f_count, (in(float, x, k), out(float, y), value(int, k)), { y[i] = x[i * (size_t)k]; })
YOKE_KERNEL(f_table, (in(float, x), out(float, y), whole(float, t, 5)), { y[i] = x[i] + t[i % 5]; })
YOKE_LANE_KERNEL(f_lanes, (in(float, x, 100), out(float, y, 100)), {
    YOKE_EACH { y[100 * i] = x[100 * i];
}
})
YOKE_REDUCE(f_sum, (float, 0.0f, a + b), (in(float, x)), x[i])

enum { N = 1000 };
static float x[N], y[N];
static yoke_mpi *mpi;

static void works(void)
{
    memset(y, 0, sizeof y);
    SUCCEEDS(yoke_mpi_parallel_map(mpi, f_scale, N, rank == 0 ? x : NULL, rank == 0 ? y : NULL, 2.0f));
    for (size_t k = 0; k < N && rank == 0; k++)
        CHECK(y[k] == x[k] * 2.0f);
}

/* Of the last rank, which does something else. */
static bool odd(void)
{
    return rank == ranks - 1;
}

static int reduce_or_map(void)
{
    float sum;
    if (odd())
        return yoke_mpi_parallel_reduce(mpi, f_sum, N, &sum, x);
    return yoke_mpi_parallel_map(mpi, f_scale, N, x, y, 1.0f);
}

static void different_calls_are_refused_everywhere(void)
{
    char name[32];
    if (ranks == 1)
        return;
    snprintf(name, sizeof name, "rank %d calls", ranks - 1);
    FAILS(yoke_mpi_parallel_map(mpi, f_scale, odd() ? N - 1 : N, x, y, 1.0f), YOKE_EINVAL, name);
    works();
    FAILS(odd() ? yoke_mpi_parallel_map(mpi, f_other, N, x, y, 1.0f)
                : yoke_mpi_parallel_map(mpi, f_scale, N, x, y, 1.0f),
          YOKE_EINVAL, "f_other");
    works();
    FAILS(reduce_or_map(), YOKE_EINVAL, "yoke_mpi_parallel_reduce(f_sum)");
    works();
    FAILS(yoke_mpi_parallel_map_on(mpi, &(yoke_mpi_call){.grain = odd() ? 5 : 6}, f_scale, N, x, y, 1.0f), YOKE_EINVAL,
          "grain");
    works();
    yoke_mpi_array *a = odd() ? NULL : yoke_mpi_array_open(mpi, N, 4, 0, 0);
    CHECK(a == NULL);
    if (odd())
        FAILS(yoke_mpi_parallel_map(mpi, f_scale, N, x, y, 1.0f), YOKE_EINVAL, "array_open");
    works();
}

/* The same body and name, from another build: the text counts. */
static void another_text_of_a_kernel_is_refused(void)
{
    yoke_kernel changed = *YOKE_KERNEL_OF(f_scale);
    float a = 1.0f;
    void *arguments[] = {x, y, &a};
    if (ranks == 1)
        return;
    changed.body = odd() ? "{ y[i] = x[i] * a + 1; }" : changed.body;
    const yoke_options *entry = yoke_mpi_entry(mpi, NULL);
    FAILS(yoke_launch_map(NULL, entry, &changed, N, 1, arguments), YOKE_EINVAL, "another text");
    works();
}

static void what_one_rank_finds_wrong_is_told_to_all(void)
{
    float sum, *nothing = NULL;
    FAILS(yoke_mpi_parallel_map(mpi, f_scale, N, nothing, y, 1.0f), YOKE_EINVAL,
          "rank 0: kernel f_scale: array x is NULL");
    FAILS(yoke_mpi_parallel_map(mpi, f_halo, N, x, x), YOKE_EINVAL, "overlap");
    FAILS(yoke_mpi_parallel_map(mpi, f_count, N, x, y, rank == 0 ? -3 : 1), YOKE_EINVAL, "negative");
    FAILS(yoke_mpi_parallel_map(mpi, f_table, N, x, y, nothing), YOKE_EINVAL, "array t is NULL");
    FAILS(yoke_mpi_parallel_reduce(mpi, f_sum, N, odd() ? NULL : &sum, x), YOKE_EINVAL, "result");
    FAILS(yoke_mpi_parallel_map_on(mpi, &(yoke_mpi_call){.flags = 64}, f_scale, N, x, y, 1.0f), YOKE_EINVAL, "flags");
    const yoke_mpi_call dynamic = {.flags = YOKE_MPI_DYNAMIC};
    FAILS(yoke_mpi_parallel_reduce_on(mpi, &dynamic, f_sum, N, &sum, x), YOKE_EINVAL, "DYNAMIC");
    works();
}

static void arrays_that_do_not_fit_are_refused(void)
{
    yoke_mpi_array *a = yoke_mpi_array_open(mpi, N, 4, 1, 1), *b = yoke_mpi_array_open(mpi, N, 4, 2, 2),
                   *small = yoke_mpi_array_open(mpi, N - 1, 4, 0, 0), *rows = yoke_mpi_array_open(mpi, N, 400, 0, 0);
    CHECK(a != NULL && b != NULL && small != NULL && rows != NULL);
    CHECK(yoke_mpi_array_open(mpi, SIZE_MAX / 2, 8, 0, 0) == NULL && yoke_mpi_array_open(mpi, 1, 0, 0, 0) == NULL);
    FAILS(yoke_mpi_parallel_map(mpi, f_halo, N, yoke_mpi_local(a), yoke_mpi_local(b)), YOKE_EINVAL, "rim");
    FAILS(yoke_mpi_parallel_map(mpi, f_halo, N, yoke_mpi_local(b), yoke_mpi_local(b)), YOKE_EINVAL, "same");
    FAILS(yoke_mpi_parallel_map(mpi, f_halo, N, yoke_mpi_local(b), yoke_mpi_local(small)), YOKE_EINVAL, "999");
    FAILS(yoke_mpi_parallel_map(mpi, f_halo, N, yoke_mpi_local(b), y), YOKE_EINVAL, "some of its arrays");
    FAILS(yoke_mpi_parallel_map(mpi, f_table, N, yoke_mpi_local(a), yoke_mpi_local(b), yoke_mpi_local(b)), YOKE_EINVAL,
          "all of it");
    if (ranks == 3) /* where blocks of rows are no blocks of lanes */
        FAILS(yoke_mpi_parallel_map(mpi, f_lanes, N, yoke_mpi_local(rows), yoke_mpi_local(rows)), YOKE_EINVAL, "lane");
    SUCCEEDS(yoke_mpi_parallel_map(mpi, f_halo, N, yoke_mpi_local(b), yoke_mpi_local(a)));
    FAILS(yoke_mpi_close(mpi), YOKE_EBUSY, "open");
    if (ranks > 1)
        FAILS(yoke_mpi_array_close(odd() ? a : b), YOKE_EINVAL, "arrays");
    SUCCEEDS(yoke_mpi_array_close(a));
    SUCCEEDS(yoke_mpi_array_close(b));
    SUCCEEDS(yoke_mpi_array_close(small));
    SUCCEEDS(yoke_mpi_array_close(rows));
}

/* Ranks go ahead with a call that they know; that others make another one they learn all the same. */
static void known_calls_are_refused_too(void)
{
    yoke_mpi_array *a = yoke_mpi_array_open(mpi, N, 4, 2, 2), *b = yoke_mpi_array_open(mpi, N, 4, 2, 2);
    CHECK(a != NULL && b != NULL);
    for (int k = 0; k < 6 && ranks > 1; k++) {
        void *from = yoke_mpi_local(k % 2 ? a : b), *to = yoke_mpi_local(k % 2 ? b : a);
        SUCCEEDS(yoke_mpi_parallel_map(mpi, f_halo, N, from, to));
        SUCCEEDS(yoke_mpi_parallel_map(mpi, f_halo, N, to, from));
        FAILS(odd() ? yoke_mpi_parallel_map(mpi, f_scale, N, from, to, 2.0f)
                    : yoke_mpi_parallel_map(mpi, f_halo, N, from, to),
              YOKE_EINVAL, "yoke_mpi_parallel_map(f_halo)");
        FAILS(yoke_mpi_parallel_map(mpi, f_halo, N, from, odd() ? from : to), YOKE_EINVAL, "arrays");
        FAILS(odd() ? yoke_mpi_gather(a, x) : yoke_mpi_parallel_map(mpi, f_halo, N, from, to), YOKE_EINVAL, "gather");
    }
    SUCCEEDS(yoke_mpi_parallel_map(mpi, f_halo, N, yoke_mpi_local(a), yoke_mpi_local(b)));
    SUCCEEDS(yoke_mpi_array_close(a));
    SUCCEEDS(yoke_mpi_array_close(b));
}

static void what_failed_at_the_end_is_told_in_the_next_call(void)
{
    yoke_mpi_share share;
    FAILS(yoke_mpi_share_of(mpi, -1, &share), YOKE_EINVAL, "no rank -1");
    yoke__mpi_tell_later(mpi, odd() ? YOKE_EINVAL : YOKE_OK);
    FAILS(yoke_mpi_parallel_map(mpi, f_scale, N, x, y, 1.0f), YOKE_EINVAL, "in the call before: no rank -1");
    works();
}

static void options_are_checked(void)
{
    CHECK(yoke_mpi_open(MPI_COMM_WORLD, &(yoke_mpi_options){.root = ranks}) == NULL);
    CHECK(yoke_mpi_open(MPI_COMM_WORLD, &(yoke_mpi_options){.size = 3}) == NULL);
    CHECK(yoke_mpi_open(MPI_COMM_NULL, NULL) == NULL);
    FAILS(yoke_mpi_parallel_map((yoke_mpi *)NULL, f_scale, N, x, y, 1.0f), YOKE_EINVAL, "NULL");
    FAILS(yoke_mpi_parallel_map_on(mpi, &(yoke_mpi_call){.size = 3}, f_scale, N, x, y, 1.0f), YOKE_EINVAL, "version");
    if (ranks > 1) {
        CHECK(yoke_mpi_open(MPI_COMM_WORLD, &(yoke_mpi_options){.root = odd()}) == NULL);
        const yoke_runtime_options bad = {.isa = odd() ? "nonsense" : NULL};
        CHECK(yoke_mpi_open(MPI_COMM_WORLD, &(yoke_mpi_options){.runtime = &bad}) == NULL);
        CHECK(strstr(yoke_error_detail(), "nonsense") != NULL);
    }
    works();
}

static void another_root_has_the_arrays(void)
{
    yoke_mpi *other = yoke_mpi_open(MPI_COMM_WORLD, &(yoke_mpi_options){.root = ranks - 1});
    float sum = 0;
    CHECK(other != NULL);
    memset(y, 0, sizeof y);
    SUCCEEDS(yoke_mpi_parallel_map(other, f_scale, N, odd() ? x : NULL, odd() ? y : NULL, odd() ? 3.0f : 0.0f));
    for (size_t k = 0; k < N && odd(); k++)
        CHECK(y[k] == x[k] * 3.0f);
    SUCCEEDS(yoke_mpi_parallel_reduce(other, f_sum, N, &sum, odd() ? x : NULL));
    CHECK(sum == (float)N * (N - 1) / 2);
    SUCCEEDS(yoke_mpi_close(other));
}

int main(void)
{
    mpi = open_ranks(NULL);
    for (size_t k = 0; k < N; k++)
        x[k] = (float)k;
    works();
    different_calls_are_refused_everywhere();
    another_text_of_a_kernel_is_refused();
    what_one_rank_finds_wrong_is_told_to_all();
    arrays_that_do_not_fit_are_refused();
    known_calls_are_refused_too();
    what_failed_at_the_end_is_told_in_the_next_call();
    options_are_checked();
    another_root_has_the_arrays();
    works();
    SUCCEEDS(yoke_mpi_close(mpi));
    end_ranks();
    return 0;
}
