/* The heap of futures by deadline, against a sorted array: additions, removals anywhere, equal deadlines. */
#include "lib/loop/loop.h"
#include "tests/unit/tasks.h"

enum { COUNT = 300, TIMES = 20 };

static int by_time(const void *left, const void *right)
{
    const yoke_future *a = *(yoke_future *const *)left, *b = *(yoke_future *const *)right;
    if (a->copy_.integer != b->copy_.integer)
        return a->copy_.integer < b->copy_.integer ? -1 : 1;
    return a->after_count_ < b->after_count_ ? -1 : 1;
}

static void check_round(uint64_t *seed)
{
    static yoke_future f[COUNT];
    yoke_future *heap = NULL, *left[COUNT];
    size_t count = 0;
    memset(f, 0, sizeof f);
    for (size_t k = 0; k < COUNT; k++) {
        f[k].copy_.integer = (long long)draw_below(seed, TIMES);
        f[k].after_count_ = k; /* those of one time in the order of the calls */
        heap = yoke__heap_add(heap, &f[k]);
        if (draw_below(seed, 4) == 0) {
            yoke_future *other = &f[draw_below(seed, k + 1)];
            if ((other->place_ & YOKE__IN_HEAP) != 0)
                heap = yoke__heap_remove(heap, other);
        }
    }
    for (size_t k = 0; k < COUNT; k++)
        if ((f[k].place_ & YOKE__IN_HEAP) != 0)
            left[count++] = &f[k];
    qsort(left, count, sizeof *left, by_time);
    for (size_t k = 0; k < count; k++) {
        assert_ptr_equal(heap, left[k]);
        heap = yoke__heap_remove(heap, heap);
    }
    assert_null(heap);
}

static void test_heap(void **state)
{
    (void)state;
    uint64_t seed = seed_of("heap");
    for (unsigned long round = 0; round < rounds_of(200); round++)
        check_round(&seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
