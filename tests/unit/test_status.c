/* lib/base: status and detail, checked arithmetic, environment, clock, futex, allocations that fail on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/base/base.h"

static void strerror_every_status_has_its_own_text(void **state)
{
    (void)state;
    static const int statuses[] = {
#define NUMBER_OF(name, number, text) number,
        YOKE_STATUS_MAP(NUMBER_OF)
#undef NUMBER_OF
    };
    size_t count = sizeof statuses / sizeof *statuses;
    for (size_t a = 0; a < count; a++) {
        assert_true(statuses[a] < 0);
        assert_string_not_equal(yoke_strerror(statuses[a]), yoke_strerror(12345));
        for (size_t b = 0; b < a; b++) {
            assert_int_not_equal(statuses[a], statuses[b]);
            assert_string_not_equal(yoke_strerror(statuses[a]), yoke_strerror(statuses[b]));
        }
    }
}

static void strerror_success_and_unknown_numbers_have_a_text(void **state)
{
    (void)state;
    assert_string_equal(yoke_strerror(YOKE_OK), "success");
    assert_string_equal(yoke_strerror(1), "unknown status");
    assert_string_equal(yoke_strerror(-100000), "unknown status");
}

static void version_is_the_one_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(yoke_version(), YOKE_VERSION);
}

static void *read_detail(void *copy)
{
    strcpy(copy, yoke_error_detail());
    return NULL;
}

static void fail_keeps_its_text_for_the_calling_thread_only(void **state)
{
    (void)state;
    assert_int_equal(yoke__fail(YOKE_EINVAL, "n is %d; give at least %d", 0, 1), YOKE_EINVAL);
    assert_string_equal(yoke_error_detail(), "n is 0; give at least 1");
    char elsewhere[64] = "unread";
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_detail, elsewhere), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(elsewhere, "");
}

static void fail_cuts_a_text_that_is_too_long(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(yoke__fail(YOKE_EIO, "%s", text), YOKE_EIO);
    size_t length = strlen(yoke_error_detail());
    assert_in_range(length, 100, sizeof text - 2);
    assert_memory_equal(yoke_error_detail(), text, length);
}

static void checked_arithmetic_finds_the_first_size_that_does_not_fit(void **state)
{
    (void)state;
    size_t result = 0;
    assert_false(yoke__mul_overflows(SIZE_MAX / 8, 8, &result));
    assert_true(result == SIZE_MAX / 8 * 8);
    assert_true(yoke__mul_overflows(SIZE_MAX / 8 + 1, 8, &result));
    assert_false(yoke__add_overflows(SIZE_MAX - 1, 1, &result));
    assert_true(result == SIZE_MAX);
    assert_true(yoke__add_overflows(SIZE_MAX, 1, &result));
}

static void env_unset_and_empty_are_the_same(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("YOKE_TEST_STATUS"), 0);
    assert_null(yoke__env("YOKE_TEST_STATUS"));
    assert_int_equal(setenv("YOKE_TEST_STATUS", "", 1), 0);
    assert_null(yoke__env("YOKE_TEST_STATUS"));
    assert_int_equal(setenv("YOKE_TEST_STATUS", "x", 1), 0);
    assert_string_equal(yoke__env("YOKE_TEST_STATUS"), "x");
}

static void parse_unsigned_takes_whole_decimals_within_bounds(void **state)
{
    (void)state;
    unsigned long value = 0;
    assert_true(yoke__parse_unsigned("1", 1, 8, &value));
    assert_int_equal(value, 1);
    assert_true(yoke__parse_unsigned("8", 1, 8, &value));
    assert_int_equal(value, 8);
    static const char *const refused[] = {
        "", "0", "9", "-1", "+1", " 1", "1 ", "1.5", "1x", "0x1", "x", "1e0", "99999999999999999999999999"};
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        value = 77;
        assert_false(yoke__parse_unsigned(refused[k], 1, 8, &value));
        assert_int_equal(value, 77);
    }
    assert_false(yoke__parse_unsigned("99999999999999999999999999", 0, (unsigned long)-1, &value));
}

static void clock_never_runs_backwards(void **state)
{
    (void)state;
    int64_t before = yoke__now_ns();
    for (int k = 0; k < 1000; k++) {
        int64_t now = yoke__now_ns();
        assert_true(now >= before);
        before = now;
    }
}

static void futex_wait_returns_at_once_when_the_word_has_changed(void **state)
{
    (void)state;
    _Atomic uint32_t word = 1;
    int64_t before = yoke__now_ns();
    yoke__futex_wait(&word, 0, 20 * INT64_C(1000000000));
    assert_true(yoke__now_ns() - before < 10 * INT64_C(1000000000));
}

static void futex_wait_ends_after_its_time(void **state)
{
    (void)state;
    _Atomic uint32_t word = 0;
    int64_t limit = 20 * INT64_C(1000000);
    int64_t before = yoke__now_ns();
    while (yoke__now_ns() - before < limit)
        yoke__futex_wait(&word, 0, limit);
    assert_true(yoke__now_ns() - before >= limit);
}

static void *set_and_wake(void *word)
{
    atomic_store((_Atomic uint32_t *)word, 1);
    yoke__futex_wake(word, 1);
    return NULL;
}

static void futex_wake_ends_a_wait(void **state)
{
    (void)state;
    _Atomic uint32_t word = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, set_and_wake, &word), 0);
    while (atomic_load(&word) == 0)
        yoke__futex_wait(&word, 0, -1); /* a lost wake hangs here, and the test's time limit says so */
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void alloc_fails_once_at_the_call_asked_for(void **state)
{
    (void)state;
    yoke__alloc_fail_at(2, false);
    void *first = yoke__alloc(1);
    void *second = yoke__alloc_zeroed(1, 1);
    void *third = yoke__alloc_aligned(64, 64);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal((uintptr_t)third % 64, 0);
    yoke__free(first);
    yoke__free(third);
}

static void alloc_fails_for_ever_until_told_otherwise(void **state)
{
    (void)state;
    yoke__alloc_fail_at(1, true);
    for (int k = 0; k < 5; k++)
        assert_null(yoke__alloc(1));
    yoke__alloc_fail_at(0, false);
    void *memory = yoke__alloc(1);
    assert_non_null(memory);
    yoke__free(memory);
    yoke__free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strerror_every_status_has_its_own_text),
        cmocka_unit_test(strerror_success_and_unknown_numbers_have_a_text),
        cmocka_unit_test(version_is_the_one_of_the_header),
        cmocka_unit_test(fail_keeps_its_text_for_the_calling_thread_only),
        cmocka_unit_test(fail_cuts_a_text_that_is_too_long),
        cmocka_unit_test(checked_arithmetic_finds_the_first_size_that_does_not_fit),
        cmocka_unit_test(env_unset_and_empty_are_the_same),
        cmocka_unit_test(parse_unsigned_takes_whole_decimals_within_bounds),
        cmocka_unit_test(clock_never_runs_backwards),
        cmocka_unit_test(futex_wait_returns_at_once_when_the_word_has_changed),
        cmocka_unit_test(futex_wait_ends_after_its_time),
        cmocka_unit_test(futex_wake_ends_a_wait),
        cmocka_unit_test(alloc_fails_once_at_the_call_asked_for),
        cmocka_unit_test(alloc_fails_for_ever_until_told_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
