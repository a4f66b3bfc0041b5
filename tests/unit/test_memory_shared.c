/* lib/memory, shared arrays: whole pages of a sealed file, aligned as others are, listed while they live, gone when freed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/emulated.h"
#include "tests/unit/blocks.h"
#include "tests/unit/threads.h"

enum { THREADS = 4, KEPT = 6, HUGE = 2 << 20 };

static unsigned char *shared_of(size_t bytes)
{
    unsigned char *array = yoke_alloc_shared(bytes, YOKE_PLACE_DEFAULT);
    if (array == NULL)
        fail_msg("no shared array: %s", yoke_error_detail());
    return array;
}

/* The one that is listed. */
static yoke__shared hold_one(void)
{
    yoke__shared *list, one;
    size_t count;
    uint64_t steps;
    assert_int_equal(yoke__shared_hold_all(&list, &count, &steps), YOKE_OK);
    assert_int_equal(count, 1);
    one = *list;
    yoke__free(list);
    return one;
}

static bool none_is_listed(void)
{
    yoke__shared *list;
    size_t count;
    uint64_t steps;
    return yoke__shared_hold_all(&list, &count, &steps) == YOKE_OK && list == NULL && count == 0 &&
           steps == yoke__shared_steps;
}

/* --- allocation --- */

static void arrays_are_zeroed_whole_pages_of_a_sealed_file(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, page, page + 1, 1000003, 2 * HUGE, 3 * HUGE + 5};
    const unsigned files = file_count();
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t whole = sizes[k] == 0 ? page : (sizes[k] + page - 1) / page * page;
        const uint64_t steps = yoke__shared_steps;
        unsigned char *array = shared_of(sizes[k]);
        assert_int_equal((uintptr_t)array % (whole >= 2 * HUGE && page == 4096 ? HUGE : page), 0);
        for (size_t b = 0; b < whole; b++)
            assert_int_equal(array[b], 0);
        memset(array, 0xa5, whole);
        assert_int_equal(yoke__block_bytes(block_at(array, whole)), whole);
        assert_true(yoke__block_is_shared(block_at(array, 1)));
        assert_true(yoke__shared_steps == steps + 1);
        const yoke__shared one = hold_one();
        assert_true(one.start == array && one.bytes == whole && one.number == steps + 1);
        assert_int_equal(fcntl(one.file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_true(ftruncate(one.file, 0) != 0 && errno == EPERM);
        assert_true(ftruncate(one.file, (off_t)(2 * whole)) != 0 && errno == EPERM);
        yoke__shared_release(one.held);
        assert_int_equal(yoke_free(array + 1), YOKE_EINVAL);
        assert_int_equal(yoke_free(array), YOKE_OK);
        assert_int_equal(yoke_free(array), YOKE_EINVAL);
        assert_false(is_mapped(array));
        assert_true(none_is_listed());
        assert_true(yoke__shared_steps == steps + 2);
    }
    assert_int_equal(file_count(), files);
}

static void placements_are_those_of_other_arrays(void **state)
{
    (void)state;
    const yoke_placement all[] = {YOKE_PLACE_PARTITION, YOKE_PLACE_INTERLEAVE, YOKE_PLACE_LOCAL, YOKE_PLACE_NODE(0)};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        yoke_placement_report shared, other;
        unsigned char *array = yoke_alloc_shared(5 * HUGE, all[k]), *private = yoke_alloc(5 * HUGE, all[k]);
        assert_non_null(array);
        assert_non_null(private);
        memset(array, 1, 5 * HUGE);
        memset(private, 1, 5 * HUGE);
        assert_int_equal(yoke_placement_of(array, &shared), yoke_placement_of(private, &other));
        assert_true(shared.requested == all[k] && shared.status == other.status && shared.pages == other.pages);
        assert_int_equal(shared.present, other.present);
        assert_int_equal(yoke_free(array), YOKE_OK);
        assert_int_equal(yoke_free(private), YOKE_OK);
    }
}

static void private_arrays_are_not_listed(void **state)
{
    (void)state;
    const uint64_t steps = yoke__shared_steps;
    unsigned char *array = array_of(100);
    assert_false(yoke__block_is_shared(block_at(array, 1)));
    assert_false(yoke__shared_has(array, 1));
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_true(yoke__shared_steps == steps);
}

static void ranges_are_found(void **state)
{
    (void)state;
    unsigned char *array = shared_of(2 * page), *other = shared_of(page);
    assert_true(yoke__shared_has(array, 2 * page) && yoke__shared_has(array + 2 * page - 1, 1));
    assert_true(yoke__shared_has(other, 0) && yoke__shared_has(array + 5, 0));
    assert_false(yoke__shared_has(array, 2 * page + 1));
    assert_false(yoke__shared_has(array + 1, SIZE_MAX));
    assert_false(yoke__shared_has(array + 2 * page, 0));
    assert_false(yoke__shared_has(NULL, 0));
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_false(yoke__shared_has(array, 1));
    assert_int_equal(yoke_free(other), YOKE_OK);
}

/* --- what is refused --- */

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    const unsigned files = file_count();
    assert_null(yoke_alloc_shared(SIZE_MAX, YOKE_PLACE_DEFAULT));
    assert_int_equal(yoke__last_failure(), YOKE_EOVERFLOW);
    assert_null(yoke_alloc_shared((size_t)PTRDIFF_MAX - page, YOKE_PLACE_DEFAULT));
    assert_true(yoke__last_failure() == YOKE_ENOMEM || yoke__last_failure() == YOKE_EIO);
    assert_non_null(strstr(yoke_error_detail(), "shared memory"));
    assert_null(yoke_alloc_shared(100, (yoke_placement)0xffff));
    assert_int_equal(yoke__last_failure(), YOKE_EINVAL);
    assert_int_equal(file_count(), files);
    assert_true(none_is_listed());
}

static void allocation_that_fails_leaves_nothing(void **state)
{
    (void)state;
    const unsigned files = file_count();
    for (unsigned long nth = 1; nth <= 3; nth++) { /* the block, its file's record, the file */
        yoke__alloc_fail_at(nth, false);
        assert_null(yoke_alloc_shared(100, YOKE_PLACE_DEFAULT));
        assert_int_equal(yoke__last_failure(), YOKE_ENOMEM);
    }
    yoke__alloc_fail_at(4, false); /* not reached */
    unsigned char *array = shared_of(100);
    yoke__shared *list;
    size_t count;
    uint64_t steps;
    yoke__alloc_fail_at(1, false);
    assert_int_equal(yoke__shared_hold_all(&list, &count, &steps), YOKE_ENOMEM);
    yoke__alloc_fail_at(0, false);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(file_count(), files);
    assert_true(none_is_listed());
}

static bool limits_are_told(void *argument)
{
    (void)argument;
    const struct rlimit few = {16, 16}, small = {65536, 65536};
    void *arrays[16];
    unsigned count = 0;
    if (setrlimit(RLIMIT_FSIZE, &small) != 0 || yoke_alloc_shared(1 << 20, YOKE_PLACE_DEFAULT) != NULL ||
        yoke__last_failure() != YOKE_EIO || setrlimit(RLIMIT_NOFILE, &few) != 0)
        return false;
    while (count < 16 && (arrays[count] = yoke_alloc_shared(100, YOKE_PLACE_DEFAULT)) != NULL)
        count++;
    if (count == 16 || yoke__last_failure() != YOKE_EIO || strstr(yoke_error_detail(), "limits") == NULL)
        return false;
    while (count > 0)
        if (yoke_free(arrays[--count]) != YOKE_OK)
            return false;
    return yoke_free(yoke_alloc(1 << 20, YOKE_PLACE_DEFAULT)) == YOKE_OK; /* private ones need neither */
}

static void limits_of_the_system_are_told(void **state)
{
    (void)state;
    assert_int_equal(child_says(limits_are_told, NULL), 0);
}

static void pages_of_shared_arrays_are_not_replaced(void **state)
{
    (void)state;
    unsigned char *array = shared_of(page);
    array[3] = 3;
    yoke__block *block = yoke__memory_hold(array, 1);
    assert_int_equal(yoke__block_replace_pages(block), YOKE_ENOMEM);
    assert_int_equal(array[3], 3);
    assert_int_equal(yoke_free(array), YOKE_OK);
    yoke__memory_release(block);
}

/* --- the end of its pages --- */

static blkcnt_t blocks_of(int file)
{
    struct stat about;
    assert_int_equal(fstat(file, &about), 0);
    return about.st_blocks;
}

/* Even while somebody else has it mapped, for worker processes that do nothing have. */
static void freed_pages_go_at_once(void **state)
{
    (void)state;
    unsigned char *array = shared_of(64 * page);
    const yoke__shared one = hold_one();
    const int file = fcntl(one.file, F_DUPFD_CLOEXEC, 3);
    memset(array, 1, 64 * page);
    assert_true(file >= 0 && blocks_of(file) > 0);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_true(blocks_of(file) > 0); /* it is held, to be sent */
    assert_int_equal(array[page], 1);
    yoke__shared_release(one.held);
    assert_false(is_mapped(array));
    assert_true(blocks_of(file) == 0);
    (void)close(file);
}

static unsigned char *of_both;

static bool child_changes_and_frees(void *argument)
{
    (void)argument;
    const bool good = of_both[1] == 1 && of_both[2] == 0;
    of_both[2] = 2;
    return good && yoke_free(of_both) == YOKE_OK && none_is_listed();
}

static void child_shares_and_frees_for_itself(void **state)
{
    (void)state;
    of_both = shared_of(page);
    of_both[1] = 1;
    assert_int_equal(child_says(child_changes_and_frees, NULL), 0);
    assert_true(of_both[1] == 1 && of_both[2] == 2);
    int ends[2], status = -1;
    unsigned char got = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) { /* it still has the content when the parent has freed it */
        alarm(CHILD_SECONDS);
        _exit(read(ends[0], &got, 1) == 1 && of_both[2] == 2 ? 0 : 1);
    }
    assert_int_equal(yoke_free(of_both), YOKE_OK);
    assert_int_equal(write(ends[1], &got, 1), 1);
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* --- threads --- */

typedef struct hammer {
    pthread_t thread;
    uint64_t random;
    bool good;
} hammer;

static bool list_is_in_order(void)
{
    yoke__shared *list;
    size_t count;
    uint64_t steps;
    if (yoke__shared_hold_all(&list, &count, &steps) != YOKE_OK)
        return false;
    bool good = true;
    for (size_t k = 0; k < count; k++) {
        good &= list[k].bytes > 0 && (k == 0 || list[k - 1].number < list[k].number) && list[k].number <= steps;
        good &= *(volatile unsigned char *)list[k].start <= 1; /* held: it is there */
    }
    for (size_t k = 0; k < count; k++)
        yoke__shared_release(list[k].held);
    yoke__free(list);
    return good;
}

static void *hammer_on(void *argument)
{
    hammer *self = argument;
    unsigned char *array[KEPT] = {NULL};
    self->good = true;
    for (unsigned long round = rounds_of(1000); round > 0 && self->good; round--) {
        const size_t k = draw_below(&self->random, KEPT);
        self->good = yoke_free(array[k]) == YOKE_OK;
        array[k] = yoke_alloc_shared(1 + draw_below(&self->random, 3 * page), YOKE_PLACE_DEFAULT);
        self->good &= array[k] != NULL && array[k][0] == 0 && yoke__shared_has(array[k], 1) && list_is_in_order();
    }
    for (size_t k = 0; k < KEPT; k++)
        self->good &= yoke_free(array[k]) == YOKE_OK;
    return NULL;
}

static void threads_allocate_list_and_free_at_once(void **state)
{
    (void)state;
    hammer hammers[THREADS];
    uint64_t random = seed_of("hammers of shared arrays");
    const unsigned files = file_count();
    for (int k = 0; k < THREADS; k++) {
        hammers[k].random = draw(&random);
        assert_int_equal(pthread_create(&hammers[k].thread, NULL, hammer_on, &hammers[k]), 0);
    }
    for (int k = 0; k < THREADS; k++) {
        pthread_join(hammers[k].thread, NULL);
        assert_true(hammers[k].good);
    }
    assert_true(none_is_listed());
    assert_int_equal(file_count(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_zeroed_whole_pages_of_a_sealed_file),
        cmocka_unit_test(freed_pages_go_at_once), /* before there is a child */
        cmocka_unit_test(limits_of_the_system_are_told),
        cmocka_unit_test(child_shares_and_frees_for_itself),
        cmocka_unit_test(private_arrays_are_not_listed),
        cmocka_unit_test(ranges_are_found),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(allocation_that_fails_leaves_nothing),
        cmocka_unit_test(pages_of_shared_arrays_are_not_replaced),
        cmocka_unit_test(threads_allocate_list_and_free_at_once),
        cmocka_unit_test(placements_are_those_of_other_arrays),
    };
    const int probe = yoke__memory_file("probe", 4096);
    if (probe < 0 && emulated("the emulator does not know sealed files of memory"))
        return 77;
    (void)close(probe);
    alarm_in(120);
    const int failed = cmocka_run_group_tests(tests, find_page_size, NULL);
    alarm_off();
    return failed;
}
