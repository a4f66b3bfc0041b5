/* lib/memory: pages that a lost device may write to are replaced, with their content. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/emulated.h"
#include "tests/unit/blocks.h"

/* The physical page; 0: the system does not tell (that takes a privilege). */
static uint64_t frame_of(const void *at)
{
    uint64_t entry = 0;
    int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file >= 0 && pread(file, &entry, sizeof entry, (off_t)((uintptr_t)at / page * sizeof entry)) != sizeof entry)
        entry = 0;
    if (file >= 0)
        (void)close(file);
    return entry & ((UINT64_C(1) << 55) - 1);
}

static void check_fresh_pages(size_t pages, uint64_t random)
{
    const size_t whole = pages * page;
    uint64_t *before = malloc(pages * sizeof *before);
    unsigned char *array = array_of(whole), *copy = malloc(whole);
    assert_non_null(before);
    assert_non_null(copy);
    for (size_t b = 0; b < whole; b++)
        array[b] = copy[b] = (unsigned char)draw(&random);
    for (size_t k = 0; k < pages; k++)
        before[k] = frame_of(array + k * page);
    yoke__block *block = yoke__memory_hold(array, whole);
    assert_int_equal(yoke__block_replace_pages(block), YOKE_OK);
    assert_memory_equal(array, copy, whole);
    assert_true(block_at(array, whole) == block);
    if (before[0] == 0)
        print_message("not seen: whether the pages are others (no privilege to look)\n");
    for (size_t k = 0; k < pages; k++)
        assert_true(before[k] == 0 || frame_of(array + k * page) != before[k]);
    memset(array, 1, whole);
    assert_int_equal(yoke_free(array), YOKE_OK);
    yoke__memory_release(block);
    assert_false(is_mapped(array));
    free(copy);
    free(before);
}

static void fresh_pages_have_the_content_and_another_place(void **state)
{
    (void)state;
    if (emulated("the emulator moves no pages"))
        skip();
    uint64_t random = seed_of("fresh pages");
    check_fresh_pages(9, draw(&random));
    check_fresh_pages((5 << 20) / page + 1, draw(&random)); /* huge ones, where there are such */
}

/* Parts of different policies are mappings of their own for the kernel, which moves no range over their border. */
static void fresh_pages_of_parts_keep_the_content(void **state)
{
    (void)state;
    if (emulated("the emulator moves no pages"))
        skip();
    const yoke__part parts[] = {{0, page, 0}, {page, 4 * page, 4095}, {4 * page, 9 * page - 5, 0}}; /* no node 4095 */
    const yoke__placing how = {.requested = YOKE_PLACE_PARTITION, .parts = parts, .part_count = 3};
    unsigned char *array = yoke__memory_alloc(9 * page - 5, &how), *copy = malloc(9 * page);
    assert_non_null(array);
    assert_non_null(copy);
    uint64_t before[9], random = seed_of("fresh pages of parts");
    for (size_t b = 0; b < 9 * page; b++)
        array[b] = copy[b] = (unsigned char)draw(&random);
    for (size_t k = 0; k < 9; k++)
        before[k] = frame_of(array + k * page);
    yoke__block *block = yoke__memory_hold(array, 9 * page);
    int status;
    const char *detail;
    assert_int_equal(yoke__block_placement(block, &status, &detail), YOKE_PLACE_PARTITION);
    assert_true(status == YOKE_ESTATE || status == YOKE_ENOSYS);
    assert_true(strlen(detail) > 20);
    assert_int_equal(yoke__block_replace_pages(block), YOKE_OK);
    assert_memory_equal(array, copy, 9 * page);
    for (size_t k = 0; k < 9; k++)
        assert_true(before[k] == 0 || frame_of(array + k * page) != before[k]);
    for (unsigned long nth = 1; nth <= 3; nth++) { /* in the middle: some pages are others, none is lost */
        const unsigned moves = yoke__block_moves(block);
        yoke__alloc_fail_at(nth, true);
        assert_int_equal(yoke__block_replace_pages(block), YOKE_ENOMEM);
        yoke__alloc_fail_at(0, false);
        assert_int_equal(yoke__block_moves(block), moves + nth - 1);
        assert_memory_equal(array, copy, 9 * page);
    }
    assert_int_equal(yoke_free(array), YOKE_OK);
    yoke__memory_release(block);
    free(copy);
}

static void pages_that_cannot_be_replaced_stay(void **state)
{
    (void)state;
    unsigned char *array = array_of(2 * page);
    memset(array, 42, 2 * page);
    uint64_t before = frame_of(array);
    yoke__block *block = yoke__memory_hold(array, 1);
    yoke__alloc_fail_at(1, true);
    assert_int_equal(yoke__block_replace_pages(block), YOKE_ENOMEM);
    yoke__alloc_fail_at(0, false);
    assert_non_null(strstr(yoke_error_detail(), "replaced"));
    for (size_t b = 0; b < 2 * page; b++)
        assert_int_equal(array[b], 42);
    assert_int_equal(frame_of(array), before);
    yoke__memory_release(block);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_pages_have_the_content_and_another_place),
        cmocka_unit_test(fresh_pages_of_parts_keep_the_content),
        cmocka_unit_test(pages_that_cannot_be_replaced_stay),
    };
    return cmocka_run_group_tests(tests, find_page_size, NULL);
}
