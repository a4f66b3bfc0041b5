/* lib/memory: blocks are zeroed pages, found by any address in them, freed once, and kept while somebody holds them. */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/blocks.h"

/* --- allocation --- */

static void arrays_of_every_size_are_zeroed_whole_pages(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, page - 1, page, page + 1, 2 * page - 1, 1000003, 64 * page, 5000011};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int round = 0; round < 2; round++) { /* what the first leaves behind must not show in the second */
            unsigned char *array = array_of(sizes[k]);
            size_t whole = sizes[k] == 0 ? page : (sizes[k] + page - 1) / page * page;
            assert_int_equal((uintptr_t)array % page, 0);
            for (size_t b = 0; b < whole; b++)
                assert_int_equal(array[b], 0);
            memset(array, 0xa5, whole);
            yoke__block *block = block_at(array, 0);
            assert_non_null(block);
            assert_ptr_equal(yoke__block_start(block), array);
            assert_int_equal(yoke__block_bytes(block), whole);
            assert_false(yoke__block_is_freed(block));
            assert_int_equal(yoke_free(array), YOKE_OK);
            assert_false(is_mapped(array));
        }
}

static void absurd_sizes_and_placements_are_refused(void **state)
{
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - page + 1, SIZE_MAX - page, (size_t)PTRDIFF_MAX + 1,
                            (size_t)PTRDIFF_MAX - page + 1};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        assert_null(yoke_alloc(sizes[k], YOKE_PLACE_DEFAULT));
        assert_int_equal(yoke__last_failure(), YOKE_EOVERFLOW);
        assert_non_null(strstr(yoke_error_detail(), "address space"));
    }
    assert_null(yoke_alloc((size_t)PTRDIFF_MAX - page, YOKE_PLACE_DEFAULT));
    assert_int_equal(yoke__last_failure(), YOKE_ENOMEM);
    const int placements[] = {-1, INT_MIN, YOKE_PLACE_LOCAL + 1, 0xffff, 0x20000, INT_MAX};
    for (size_t k = 0; k < sizeof placements / sizeof *placements; k++) {
        assert_null(yoke_alloc(100, (yoke_placement)placements[k]));
        assert_int_equal(yoke__last_failure(), YOKE_EINVAL);
    }
}

static void allocation_that_fails_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth <= 2; nth++) {
        yoke__alloc_fail_at(nth, false);
        assert_null(yoke_alloc(100, YOKE_PLACE_DEFAULT));
        assert_int_equal(yoke__last_failure(), YOKE_ENOMEM);
    }
    yoke__alloc_fail_at(3, false); /* there are two: this one is not reached */
    unsigned char *array = array_of(100);
    yoke__alloc_fail_at(0, false);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

static void wrong_pointers_are_not_freed(void **state)
{
    (void)state;
    unsigned char *array = array_of(3 * page);
    void *foreign = malloc(100);
    const size_t inside[] = {1, page, 3 * page - 1};
    assert_int_equal(yoke_free(NULL), YOKE_OK);
    for (size_t k = 0; k < sizeof inside / sizeof *inside; k++) {
        assert_int_equal(yoke_free(array + inside[k]), YOKE_EINVAL);
        assert_non_null(strstr(yoke_error_detail(), "inside memory of yoke_alloc"));
    }
    assert_int_equal(yoke_free(foreign), YOKE_EINVAL);
    assert_non_null(strstr(yoke_error_detail(), "not memory of yoke_alloc"));
    array[0] = array[3 * page - 1] = 1; /* it is still there */
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(yoke_free(array), YOKE_EINVAL);
    assert_non_null(strstr(yoke_error_detail(), "freed before"));
    free(foreign);
}

/* --- lookups --- */

static void every_range_inside_is_found_and_none_that_reaches_out(void **state)
{
    (void)state;
    unsigned char *array = array_of(2 * page);
    const size_t whole = 2 * page;
    yoke__block *block = block_at(array, whole);
    assert_non_null(block);
    assert_ptr_equal(block_at(array, 1), block);
    assert_ptr_equal(block_at(array + whole - 1, 1), block);
    assert_ptr_equal(block_at(array + page - 1, 2), block);
    assert_ptr_equal(block_at(array + whole - 1, 0), block);
    assert_null(block_at(array, whole + 1));
    assert_null(block_at(array + 1, whole));
    assert_null(block_at(array + whole - 1, 2));
    assert_null(block_at(array + 1, SIZE_MAX));
    assert_true(block_at(array + whole, 1) != block);
    assert_true(block_at(array + whole, 0) != block);
    assert_true(block_at(array - 1, 1) != block);
    assert_null(block_at(NULL, 0));
    assert_null(block_at((void *)UINTPTR_MAX, SIZE_MAX));
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_null(block_at(array, 1));
}

static void neighbours_are_told_apart(void **state)
{
    (void)state;
    enum { ARRAYS = 40 };
    unsigned char *array[ARRAYS];
    for (int k = 0; k < ARRAYS; k++)
        array[k] = array_of(page);
    for (int k = 0; k < ARRAYS; k++)
        for (int j = 0; j < ARRAYS; j++) {
            yoke__block *block = block_at(array[k], page);
            assert_ptr_equal(yoke__block_start(block), array[k]);
            if (array[j] != array[k] + page)
                continue;
            assert_null(block_at(array[k], page + 1)); /* no range lies across two */
            assert_null(block_at(array[k] + page - 1, 2));
            assert_ptr_equal(yoke__block_start(block_at(array[k] + page, 1)), array[j]);
        }
    for (int k = 0; k < ARRAYS; k += 2) /* from the middle of the list, too */
        assert_int_equal(yoke_free(array[k]), YOKE_OK);
    for (int k = 0; k < ARRAYS; k++)
        assert_true((block_at(array[k], page) != NULL) == (k % 2 == 1));
    for (int k = 1; k < ARRAYS; k += 2)
        assert_int_equal(yoke_free(array[k]), YOKE_OK);
}

/* --- holders --- */

static void freed_memory_stays_until_the_last_holder_lets_go(void **state)
{
    (void)state;
    unsigned char *array = array_of(page);
    array[7] = 77;
    yoke__block *block = yoke__memory_hold(array + 7, 1);
    assert_ptr_equal(yoke__memory_hold(array, page), block);
    assert_false(yoke__block_is_freed(block));
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_true(yoke__block_is_freed(block));
    assert_int_equal(array[7], 77);
    assert_null(yoke__memory_hold(array, 1));
    assert_int_equal(yoke_free(array), YOKE_EINVAL);
    yoke__memory_release(block);
    assert_int_equal(array[7], 77);
    assert_true(is_mapped(array));
    yoke__memory_release(block);
    assert_false(is_mapped(array));
    yoke__memory_release(NULL);
}

typedef struct seen {
    unsigned calls;
    const yoke__block *block;
    bool was_freed;
} seen;

static void note_freed(void *context, const yoke__block *block)
{
    seen *self = context;
    self->calls++;
    self->block = block;
    self->was_freed = yoke__block_is_freed(block);
    unsigned char *another = yoke_alloc(1, YOKE_PLACE_DEFAULT); /* no lock is held */
    assert_non_null(block_at(another, 1));
    assert_int_equal(yoke_free(another), YOKE_OK);
}

static void watchers_hear_of_held_blocks_that_are_freed(void **state)
{
    (void)state;
    seen one = {0}, two = {0};
    assert_int_equal(yoke__memory_watch(note_freed, &one), YOKE_OK);
    assert_int_equal(yoke__memory_watch(note_freed, &two), YOKE_OK);
    assert_int_equal(yoke_free(array_of(1)), YOKE_OK); /* nobody holds it */
    assert_int_equal(one.calls + two.calls, 0);
    unsigned char *array = array_of(1);
    yoke__block *block = yoke__memory_hold(array, 1);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_true(one.calls == 1 && one.block == block && one.was_freed);
    assert_true(two.calls == 1 && two.block == block && two.was_freed);
    yoke__memory_release(block);
    yoke__memory_unwatch(note_freed, &one);
    yoke__memory_unwatch(note_freed, &one); /* not there: nothing happens */
    array = array_of(1);
    block = yoke__memory_hold(array, 1);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_true(one.calls == 1 && two.calls == 2);
    yoke__memory_release(block);
    yoke__memory_unwatch(note_freed, &two);
}

static void places_of_watchers_are_used_again(void **state)
{
    (void)state;
    enum { PLACES = 16 };
    seen each[PLACES + 1] = {{0}};
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < PLACES; k++)
            assert_int_equal(yoke__memory_watch(note_freed, &each[k]), YOKE_OK);
        assert_int_equal(yoke__memory_watch(note_freed, &each[PLACES]), YOKE_ENOMEM);
        for (int k = 0; k < PLACES; k++)
            yoke__memory_unwatch(note_freed, &each[k]);
    }
}

typedef struct slow_watcher {
    atomic_bool entered, left;
    unsigned char *array;
} slow_watcher;

static void watch_slowly(void *context, const yoke__block *block)
{
    slow_watcher *self = context;
    (void)block;
    atomic_store(&self->entered, true);
    sleep_ns(30000000);
    atomic_store(&self->left, true);
}

static void *free_it(void *argument)
{
    slow_watcher *self = argument;
    assert_int_equal(yoke_free(self->array), YOKE_OK);
    return NULL;
}

static void unwatch_waits_for_a_call_under_way(void **state)
{
    (void)state;
    slow_watcher slow = {.array = array_of(1)};
    pthread_t thread;
    assert_int_equal(yoke__memory_watch(watch_slowly, &slow), YOKE_OK);
    yoke__block *block = yoke__memory_hold(slow.array, 1);
    assert_int_equal(pthread_create(&thread, NULL, free_it, &slow), 0);
    while (!atomic_load(&slow.entered))
        sched_yield();
    yoke__memory_unwatch(watch_slowly, &slow);
    assert_true(atomic_load(&slow.left));
    pthread_join(thread, NULL);
    yoke__memory_release(block);
}

/* --- threads and children --- */

enum { HAMMERS = 4, KEPT = 8, BALLAST = 600 };

/* Makes the list long, so that much of the time somebody is in the middle of it. */
static unsigned char *ballast[BALLAST];

static int load_ballast(void **state)
{
    (void)state;
    for (int k = 0; k < BALLAST; k++)
        ballast[k] = array_of(1);
    return 0;
}

static int drop_ballast(void **state)
{
    (void)state;
    for (int k = 0; k < BALLAST; k++)
        assert_int_equal(yoke_free(ballast[k]), YOKE_OK);
    return 0;
}

typedef struct hammer {
    pthread_t thread;
    uint64_t random;
    atomic_bool *stop; /* NULL: after some rounds */
    unsigned char tag;
    unsigned long rounds;
    unsigned char *array[KEPT];
    size_t bytes[KEPT];
    bool good;
} hammer;

/* Frees the k-th array, if there is one, as the program would while a device holds it. */
static bool replace_one(hammer *self, size_t k)
{
    bool good = yoke__memory_hold(self, 1) == NULL; /* looks at every block */
    if (self->array[k] != NULL) {
        unsigned char *at = self->array[k] + draw_below(&self->random, self->bytes[k]);
        yoke__block *block = yoke__memory_hold(at, 1);
        good = block != NULL && *at == self->tag && yoke_free(self->array[k]) == YOKE_OK && *at == self->tag &&
               yoke__block_is_freed(block) && yoke_free(self->array[k]) == YOKE_EINVAL;
        yoke__memory_release(block);
    }
    self->bytes[k] = 1 + draw_below(&self->random, 3 * page);
    self->array[k] = yoke_alloc(self->bytes[k], YOKE_PLACE_DEFAULT);
    if (self->array[k] == NULL || self->array[k][self->bytes[k] - 1] != 0)
        return false;
    memset(self->array[k], self->tag, self->bytes[k]);
    return good;
}

static void *hammer_on(void *argument)
{
    hammer *self = argument;
    self->good = true;
    for (unsigned long round = 0; self->good; round++) {
        if (self->stop != NULL ? atomic_load(self->stop) : round == self->rounds)
            break;
        self->good = replace_one(self, draw_below(&self->random, KEPT));
    }
    for (size_t k = 0; k < KEPT; k++)
        self->good &= yoke_free(self->array[k]) == YOKE_OK;
    return NULL;
}

static void start_hammers(hammer hammers[HAMMERS], uint64_t *random, unsigned long rounds, atomic_bool *stop)
{
    for (int k = 0; k < HAMMERS; k++) {
        hammers[k] = (hammer){
            .random = draw(random), .tag = (unsigned char)(k + 1), .rounds = rounds, .stop = stop, .good = false};
        assert_int_equal(pthread_create(&hammers[k].thread, NULL, hammer_on, &hammers[k]), 0);
    }
}

static void join_hammers(hammer hammers[HAMMERS])
{
    for (int k = 0; k < HAMMERS; k++) {
        pthread_join(hammers[k].thread, NULL);
        assert_true(hammers[k].good);
    }
}

static void threads_allocate_hold_and_free_at_once(void **state)
{
    (void)state;
    hammer hammers[HAMMERS];
    uint64_t random = seed_of("hammers");
    start_hammers(hammers, &random, rounds_of(5000), NULL);
    join_hammers(hammers);
}

static bool child_is_sane(unsigned char *inherited)
{
    hammer own = {.random = 1, .tag = 9, .rounds = 20};
    bool good = *inherited == 5 && yoke_free(inherited) == YOKE_OK && yoke_free(inherited) == YOKE_EINVAL;
    (void)hammer_on(&own);
    return good && own.good && yoke__memory_hold(&own, 1) == NULL;
}

static void child_forked_in_the_middle_of_changes_allocates_and_frees(void **state)
{
    (void)state;
    if (SANITIZED_THREADS)
        skip(); /* TSan's own locks may be held by a thread that is not in the child */
    hammer hammers[HAMMERS];
    atomic_bool stop = false;
    uint64_t random = seed_of("forks");
    unsigned char *inherited = array_of(1);
    *inherited = 5;
    if (!SANITIZED) /* likewise */
        start_hammers(hammers, &random, 0, &stop);
    for (unsigned long round = rounds_of(100); round > 0; round--) {
        int status;
        fflush(stdout);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            _exit(child_is_sane(inherited) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(*inherited, 5);
    }
    atomic_store(&stop, true);
    if (!SANITIZED)
        join_hammers(hammers);
    assert_int_equal(yoke_free(inherited), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_every_size_are_zeroed_whole_pages),
        cmocka_unit_test(absurd_sizes_and_placements_are_refused),
        cmocka_unit_test(allocation_that_fails_leaves_nothing),
        cmocka_unit_test(wrong_pointers_are_not_freed),
        cmocka_unit_test(every_range_inside_is_found_and_none_that_reaches_out),
        cmocka_unit_test(neighbours_are_told_apart),
        cmocka_unit_test(freed_memory_stays_until_the_last_holder_lets_go),
        cmocka_unit_test(watchers_hear_of_held_blocks_that_are_freed),
        cmocka_unit_test(places_of_watchers_are_used_again),
        cmocka_unit_test(unwatch_waits_for_a_call_under_way),
        cmocka_unit_test_setup_teardown(threads_allocate_hold_and_free_at_once, load_ballast, drop_ballast),
        cmocka_unit_test_setup_teardown(child_forked_in_the_middle_of_changes_allocates_and_frees, load_ballast,
                                        drop_ballast),
    };
    return cmocka_run_group_tests(tests, find_page_size, NULL);
}
