/* lib/memory/homes.c: what is fetched from where. */
#include <sys/wait.h>

#include "tests/unit/homes.h"

enum { HOMES = 3, MOST_PAGES = 4, STEPS = 150 };

/* --- a program and its devices --- */

typedef struct world {
    yoke__block *block;
    unsigned char *array, *wanted;
    size_t bytes;
    fake fake[HOMES];
} world;

static yoke__span draw_span(uint64_t *state, size_t bytes)
{
    size_t a = (size_t)draw_below(state, bytes + 1), b = (size_t)draw_below(state, bytes + 1);
    if (draw_below(state, 4) == 0)
        a = a / page * page;
    return a < b ? (yoke__span){a, b} : (yoke__span){b, a};
}

/* As a run on a device does: what is missing comes by the host, then it is changed. */
static void run_on_home(uint64_t *random, world *w, yoke__span span)
{
    fake *f = &w->fake[draw_below(random, HOMES)];
    const unsigned char add = (unsigned char)draw(random);
    yoke__span left = span, part;
    uint32_t holders;
    assert_int_equal(yoke__residency_reserve(w->block, 2), YOKE_OK);
    while (yoke__residency_missing(w->block, f->home, left, &part, &holders)) {
        assert_int_equal(yoke__memory_to_host(w->block, part, NULL), YOKE_OK);
        memcpy(f->content + part.begin, w->array + part.begin, part.end - part.begin);
        left.begin = part.end;
    }
    yoke__residency_copied(w->block, f->home, span);
    if (add % 2 == 0) {
        for (size_t b = span.begin; b < span.end; b++)
            f->content[b] = w->wanted[b] = (unsigned char)(f->content[b] + add);
        yoke__residency_written(w->block, f->home, span);
    }
    yoke__residency_unreserve(w->block, 2);
}

static void act(uint64_t *random, world *w, yoke__span span)
{
    unsigned char *at = w->array + span.begin;
    const size_t bytes = span.end - span.begin;
    switch (draw_below(random, 8)) {
    case 0: assert_ptr_equal(yoke_read_range(at, bytes), at); break;
    case 1:
        assert_ptr_equal(yoke_write_range(at, bytes), at);
        memset(at, (int)draw_below(random, 256), bytes);
        memcpy(w->wanted + span.begin, at, bytes);
        return;
    case 2:
        assert_ptr_equal(yoke_update_range(at, bytes), at);
        for (size_t b = 0; b < bytes; b++)
            w->wanted[span.begin + b] = (unsigned char)(at[b] += 3);
        break;
    case 3:
        span = (yoke__span){0, w->bytes};
        assert_ptr_equal(yoke_read(w->array + w->bytes / 2), w->array + w->bytes / 2);
        break;
    case 4:
        assert_int_equal(yoke__memory_leave(w->block, w->fake[bytes % HOMES].home, NULL), YOKE_OK);
        assert_int_equal(yoke__residency_missing_bytes(w->block, w->fake[bytes % HOMES].home, span), bytes);
        return;
    default: run_on_home(random, w, span); return;
    }
    assert_memory_equal(w->array + span.begin, w->wanted + span.begin, span.end - span.begin);
    assert_int_equal(yoke__residency_missing_bytes(w->block, YOKE__HOST, span), 0);
}

static void programs_see_what_devices_wrote(void **state)
{
    (void)state;
    uint64_t random = seed_of("programs");
    for (unsigned long round = 0; round < rounds_of(40); round++) {
        world w = {.bytes = (1 + draw_below(&random, MOST_PAGES)) * page};
        w.array = array_of(w.bytes);
        w.block = block_at(w.array, 1);
        w.wanted = calloc(1, w.bytes);
        assert_non_null(w.wanted);
        for (int k = 0; k < HOMES; k++) {
            w.fake[k] = open_fake(w.bytes);
            start_home(&w.fake[k]);
        }
        for (int step = 0; step < STEPS; step++)
            act(&random, &w, draw_span(&random, w.bytes));
        assert_ptr_equal(yoke_update(w.array), w.array);
        assert_memory_equal(w.array, w.wanted, w.bytes);
        assert_false(yoke__memory_is_away());
        for (int k = 0; k < HOMES; k++)
            end_home(&w.fake[k]);
        assert_int_equal(yoke_free(w.array), YOKE_OK);
        free(w.wanted);
    }
}

/* --- bad input --- */

static void wrong_pointers_and_ranges(void **state)
{
    (void)state;
    fake f;
    unsigned char *array = array_at(&f, 5), foreign[8];
    assert_failed(yoke_read(NULL), YOKE_EINVAL, "NULL");
    assert_failed(yoke_write(NULL), YOKE_EINVAL, "NULL");
    assert_failed(yoke_update_range(NULL, 5), YOKE_EINVAL, "NULL");
    assert_ptr_equal(yoke_read(foreign), foreign);
    assert_ptr_equal(yoke_write_range(foreign, 8), foreign);
    assert_failed(yoke_read_range(array, page + 1), YOKE_EINVAL, "beyond the array's end");
    assert_failed(yoke_read_range(array + 1, page), YOKE_EINVAL, "beyond the array's end");
    assert_failed(yoke_write_range(array + 1, SIZE_MAX), YOKE_EINVAL, "beyond the array's end");
    assert_ptr_equal(yoke_read_range(array, 0), array);
    assert_int_equal(atomic_load(&f.fetches), 0);
    assert_ptr_equal(yoke_read_range(array + page - 1, 1), array + page - 1);
    assert_int_equal(atomic_load(&f.fetches), 0);
    assert_int_equal(yoke_name_array(foreign, "x"), YOKE_EINVAL);
    assert_int_equal(yoke_name_array(NULL, "x"), YOKE_EINVAL);
    end(array, &f);
}

static void there_are_so_many_homes(void **state)
{
    (void)state;
    unsigned opened[YOKE__HOMES];
    for (unsigned k = 0; k < YOKE__HOMES; k++) {
        opened[k] = yoke__home_open(&(yoke__home){"fake", fetch, NULL});
        assert_int_equal(opened[k], k + 1);
    }
    assert_int_equal(yoke__home_open(&(yoke__home){"fake", fetch, NULL}), 0);
    yoke__home_close(opened[4]);
    assert_int_equal(yoke__home_open(&(yoke__home){"fake", fetch, NULL}), opened[4]);
    yoke__home_lost(opened[7]); /* its number is taken until it is closed */
    assert_int_equal(yoke__home_open(&(yoke__home){"fake", fetch, NULL}), 0);
    for (unsigned k = 0; k < YOKE__HOMES; k++)
        yoke__home_close(opened[k]);
}

static void allocation_that_fails_leaves_all_as_it_was(void **state)
{
    (void)state;
    fake f;
    unsigned char *array = array_at(&f, 9);
    yoke__block *block = block_at(array, 1);
    block->residency.claims += 1000; /* so that one more does not fit */
    yoke__alloc_fail_at(1, true);
    assert_failed(yoke_read(array), YOKE_ENOMEM, "no memory");
    assert_failed(yoke_write(array), YOKE_ENOMEM, "no memory");
    assert_failed(yoke_update(array), YOKE_ENOMEM, "no memory");
    yoke__alloc_fail_at(0, false);
    block->residency.claims -= 1000;
    assert_int_equal(atomic_load(&f.fetches), 0);
    assert_int_equal(yoke__residency_missing_bytes(block, YOKE__HOST, (yoke__span){0, page}), page / 2);
    assert_ptr_equal(yoke_read(array), array);
    assert_int_equal(array[page / 2 - 1], 9);
    end(array, &f);
}

/* --- homes that are lost --- */

static void what_is_lost_is_told_by_name(void **state)
{
    (void)state;
    fake f;
    unsigned char *array = array_at(&f, 5);
    char at[40];
    (void)snprintf(at, sizeof at, "array at %p: its only", (void *)array);
    yoke__home_lost(f.home);
    assert_failed(yoke_read(array), YOKE_ELOST, at);
    yoke__block_used_as(block_at(array, 1), "rho", "man_step");
    assert_failed(yoke_update(array), YOKE_ELOST, "rho of kernel man_step: its only");
    assert_int_equal(yoke_name_array(array + 77, "density"), YOKE_OK);
    assert_failed(yoke_read_range(array, 1), YOKE_ELOST, "density: its only");
    assert_int_equal(yoke_name_array(array, NULL), YOKE_OK);
    assert_failed(yoke_read(array + 7), YOKE_ELOST, "rho of kernel man_step: its only");
    assert_ptr_equal(yoke_read_range(array + page / 2, page / 2), array + page / 2);
    assert_ptr_equal(yoke_write_range(array, page / 4), array);
    assert_failed(yoke_read(array), YOKE_ELOST, "rho");
    assert_ptr_equal(yoke_write(array), array);
    assert_ptr_equal(yoke_read(array), array);
    assert_int_equal(atomic_load(&f.fetches), 0);
    end(array, &f);
}

static int lose(fake *f, yoke__block *block, yoke__span span)
{
    memset((unsigned char *)yoke__block_start(block) + span.begin, 0xee, (span.end - span.begin) / 2);
    yoke__home_lost(f->home);
    return yoke__fail(YOKE_ENODEV, "it failed");
}

static void another_copy_does_when_a_home_is_lost_in_a_fetch(void **state)
{
    (void)state;
    fake f, other = open_fake(page);
    unsigned char *array = array_at(&f, 5);
    start_home(&other);
    memset(other.content, 5, page);
    f.before = lose;
    note_copied(array, other.home);
    assert_ptr_equal(yoke_read(array), array);
    for (size_t b = 0; b < page / 2; b++)
        assert_int_equal(array[b], 5);
    assert_int_equal(atomic_load(&f.fetches), 1);
    assert_int_equal(atomic_load(&other.fetches), 1);
    end_home(&other);
    end(array, &f);
    array = array_at(&f, 5);
    f.before = lose;
    assert_int_equal(yoke_name_array(array, "only"), YOKE_OK);
    assert_failed(yoke_update(array), YOKE_ELOST, "only: its only");
    assert_int_equal(atomic_load(&f.fetches), 1);
    end(array, &f);
}

static int refuse(fake *f, yoke__block *block, yoke__span span)
{
    (void)block, (void)span;
    return (int)atomic_load(&f->held_up); /* as it was told */
}

static void fetches_that_fail_otherwise_keep_the_copy(void **state)
{
    (void)state;
    static const int statuses[] = {YOKE_ENOMEM, YOKE_ECANCELED, YOKE_ENODEV};
    fake f;
    unsigned char *array = array_at(&f, 5);
    yoke__block *block = block_at(array, 1);
    for (size_t k = 0; k < sizeof statuses / sizeof *statuses; k++) {
        f.before = refuse;
        atomic_store(&f.held_up, (unsigned)statuses[k]);
        assert_int_equal(yoke__memory_to_host(block, (yoke__span){0, page}, NULL), statuses[k]);
        assert_int_equal(yoke__memory_leave(block, f.home, NULL), statuses[k]);
        assert_int_equal(yoke__residency_missing_bytes(block, f.home, (yoke__span){0, page}), page / 2);
    }
    f.before = NULL;
    assert_ptr_equal(yoke_read(array), array);
    assert_int_equal(array[0], 5);
    end(array, &f);
}

/* No home leaves its copy to another that leaves, too. */
static void the_last_of_two_homes_brings_its_copy(void **state)
{
    (void)state;
    fake f, other = open_fake(page);
    unsigned char *array = array_at(&f, 6);
    yoke__block *block = block_at(array, 1);
    start_home(&other);
    note_copied(array, other.home);
    assert_int_equal(yoke__memory_leave(block, other.home, NULL), YOKE_OK);
    assert_int_equal(atomic_load(&other.fetches), 0);
    assert_int_equal(yoke__memory_leave(block, f.home, NULL), YOKE_OK);
    assert_int_equal(atomic_load(&f.fetches), 1);
    assert_int_equal(array[0], 6);
    assert_false(yoke__memory_is_away());
    end_home(&other);
    end(array, &f);
}

static void children_have_no_copies_of_their_parents_devices(void **state)
{
    (void)state;
    fake f;
    unsigned char *array = array_at(&f, 5);
    assert_int_equal(yoke_name_array(array, "parents"), YOKE_OK);
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        bool good = yoke_read(array) == NULL && yoke__last_failure() == YOKE_EFORKED &&
                    strstr(yoke_error_detail(), "parents") != NULL;
        good = good && yoke_update(array) == NULL && yoke__last_failure() == YOKE_EFORKED;
        good = good && yoke_read_range(array + page / 2, 5) != NULL && yoke_write(array) == array;
        memset(array, 3, page);
        good = good && yoke_read(array) == array && !yoke__memory_is_away() && yoke_free(array) == YOKE_OK;
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ptr_equal(yoke_read(array), array);
    assert_int_equal(array[0], 5);
    end(array, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(programs_see_what_devices_wrote, watched),
        cmocka_unit_test_setup(wrong_pointers_and_ranges, watched),
        cmocka_unit_test_setup(there_are_so_many_homes, watched),
        cmocka_unit_test_setup(allocation_that_fails_leaves_all_as_it_was, watched),
        cmocka_unit_test_setup(what_is_lost_is_told_by_name, watched),
        cmocka_unit_test_setup(another_copy_does_when_a_home_is_lost_in_a_fetch, watched),
        cmocka_unit_test_setup(fetches_that_fail_otherwise_keep_the_copy, watched),
        cmocka_unit_test_setup(the_last_of_two_homes_brings_its_copy, watched),
        cmocka_unit_test_setup(children_have_no_copies_of_their_parents_devices, watched),
    };
    return cmocka_run_group_tests(tests, find_page_size, NULL);
}
