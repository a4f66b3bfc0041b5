/* lib/memory/homes.c: fetches that several threads want, or that others overtake. */
#include <pthread.h>

#include "tests/unit/homes.h"

static int hold_up(fake *f, yoke__block *block, yoke__span span)
{
    (void)block, (void)span;
    atomic_store(&f->held_up, 1);
    while (atomic_load(&f->holds))
        sleep_ns(100000);
    return YOKE_OK;
}

static void await(atomic_uint *flag)
{
    while (atomic_load(flag) == 0)
        sleep_ns(100000);
}

static void *read_it(void *array)
{
    return (void *)(uintptr_t)yoke_read(array);
}

static void *write_it(void *array)
{
    if (yoke_write(array) == NULL)
        return NULL;
    memset(array, 0x77, page);
    return array;
}

static void *close_it(void *context)
{
    fake *f = context;
    yoke__home_close(f->home);
    atomic_store(&f->held_up, 0);
    return NULL;
}

static pthread_t start(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    return thread;
}

static void *end_of(pthread_t thread)
{
    void *result;
    assert_int_equal(pthread_join(thread, &result), 0);
    return result;
}

static unsigned char *array_with_fetch_under_way(fake *f, pthread_t *reader)
{
    unsigned char *array = array_at(f, 5);
    f->before = hold_up;
    atomic_store(&f->holds, true);
    *reader = start(read_it, array);
    await(&f->held_up);
    return array;
}

static void two_threads_read_the_same_array(void **state)
{
    (void)state;
    for (unsigned long round = 0; round < rounds_of(100); round++) {
        fake f;
        unsigned char *array = array_at(&f, 8);
        const pthread_t one = start(read_it, array), other = start(read_it, array);
        assert_ptr_equal(end_of(one), array);
        assert_int_equal(array[page / 2 - 1], 8);
        assert_ptr_equal(end_of(other), array);
        assert_int_equal(atomic_load(&f.fetches), 1);
        end(array, &f);
    }
}

static bool three_times(void *context)
{
    return ++*(int *)context < 3;
}

static void those_who_wait_for_another_fetch_may_leave(void **state)
{
    (void)state;
    fake f;
    pthread_t reader;
    unsigned char *array = array_with_fetch_under_way(&f, &reader);
    int asked = 0;
    const yoke__alive alive = {three_times, &asked};
    assert_int_equal(yoke__memory_to_host(block_at(array, 1), (yoke__span){0, page}, &alive), YOKE_ECANCELED);
    assert_int_equal(asked, 3);
    atomic_store(&f.holds, false);
    assert_ptr_equal(end_of(reader), array);
    assert_int_equal(yoke__memory_to_host(block_at(array, 1), (yoke__span){0, page}, &alive), YOKE_OK);
    end(array, &f);
}

static void closing_waits_for_fetches(void **state)
{
    (void)state;
    fake f;
    pthread_t reader;
    unsigned char *array = array_with_fetch_under_way(&f, &reader);
    const pthread_t closer = start(close_it, &f);
    sleep_ns(20000000);
    assert_int_equal(atomic_load(&f.held_up), 1);
    atomic_store(&f.holds, false);
    (void)end_of(closer);
    assert_ptr_equal(end_of(reader), array);
    assert_int_equal(array[0], 5);
    free(f.content);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

/* A device that is full gives arrays back by itself, whenever it is. */
static void what_the_program_writes_is_not_overwritten_by_a_fetch_under_way(void **state)
{
    (void)state;
    fake f;
    pthread_t fetcher;
    unsigned char *array = array_with_fetch_under_way(&f, &fetcher);
    const pthread_t writer = start(write_it, array);
    sleep_ns(20000000);
    atomic_store(&f.holds, false);
    assert_ptr_equal(end_of(writer), array);
    (void)end_of(fetcher);
    for (size_t b = 0; b < page; b++)
        assert_int_equal(array[b], 0x77);
    assert_false(yoke__memory_is_away());
    end(array, &f);
}

/* Another device wrote while the content from before was on its way. */
static void old_content_does_not_count_when_it_arrives_late(void **state)
{
    (void)state;
    fake f, other = open_fake(page);
    pthread_t reader;
    unsigned char *array = array_with_fetch_under_way(&f, &reader);
    start_home(&other);
    memset(other.content, 99, page);
    assert_int_equal(yoke__residency_reserve(block_at(array, 1), 1), YOKE_OK);
    yoke__residency_written(block_at(array, 1), other.home, (yoke__span){5, 10});
    yoke__residency_unreserve(block_at(array, 1), 1);
    atomic_store(&f.holds, false);
    assert_ptr_equal(end_of(reader), array);
    for (size_t b = 0; b < page / 2; b++)
        assert_int_equal(array[b], b >= 5 && b < 10 ? 99 : 5);
    end_home(&other);
    end(array, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_threads_read_the_same_array, watched),
        cmocka_unit_test_setup(those_who_wait_for_another_fetch_may_leave, watched),
        cmocka_unit_test_setup(closing_waits_for_fetches, watched),
        cmocka_unit_test_setup(what_the_program_writes_is_not_overwritten_by_a_fetch_under_way, watched),
        cmocka_unit_test_setup(old_content_does_not_count_when_it_arrives_late, watched),
    };
    return cmocka_run_group_tests(tests, find_page_size, NULL);
}
