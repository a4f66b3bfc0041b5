/* lib/memory/residency.c against one mask per byte: random notes, room for them, and counting. */

#include "lib/memory/block.h"
#include "tests/unit/blocks.h"

enum { MOST_PAGES = 5, STEPS = 120 };

/* --- the model --- */

typedef struct model {
    yoke__block *block;
    unsigned char *array;
    size_t bytes;
    uint32_t *mask; /* of every byte */
    uint64_t writes;
    bool expects; /* a copy that nobody waits for */
} model;

static model open_model(size_t pages)
{
    model m = {.array = array_of(pages * page), .bytes = pages * page};
    m.block = block_at(m.array, m.bytes);
    m.mask = malloc(m.bytes * sizeof *m.mask);
    assert_non_null(m.mask);
    for (size_t b = 0; b < m.bytes; b++)
        m.mask[b] = 1;
    return m;
}

static void close_model(model *m)
{
    assert_int_equal(yoke_free(m->array), YOKE_OK);
    assert_int_equal(atomic_load(&yoke__memory_away), 0);
    free(m->mask);
}

static void change_model(model *m, yoke__span span, uint32_t clear, uint32_t set)
{
    for (size_t b = span.begin; b < span.end; b++)
        m->mask[b] = (m->mask[b] & ~clear) | set;
}

static bool model_missing(const model *m, unsigned home, yoke__span span, yoke__span *part)
{
    while (span.begin < span.end && (m->mask[span.begin] >> home & 1) != 0)
        span.begin++;
    part->begin = part->end = span.begin;
    while (part->end < span.end && m->mask[part->end] == m->mask[span.begin])
        part->end++;
    return span.begin < span.end;
}

static void compare_missing(const model *m, unsigned home, yoke__span span)
{
    size_t sum = 0;
    yoke__span left = span, part, wanted;
    uint32_t holders;
    while (model_missing(m, home, left, &wanted)) {
        assert_true(yoke__residency_missing(m->block, home, left, &part, &holders));
        assert_int_equal(part.begin, wanted.begin);
        assert_int_equal(part.end, wanted.end);
        assert_int_equal(holders, m->mask[part.begin]);
        sum += part.end - part.begin;
        left.begin = part.end;
    }
    assert_false(yoke__residency_missing(m->block, home, left, &part, &holders));
    assert_int_equal(yoke__residency_missing_bytes(m->block, home, span), sum);
}

/* The list itself: one entry where masks change. */
static void compare_list(const model *m)
{
    const residency *r = &m->block->residency;
    size_t runs = 1;
    bool away = m->expects;
    for (size_t b = 0; b < m->bytes; b++) {
        runs += b > 0 && m->mask[b] != m->mask[b - 1];
        away |= m->mask[b] != 1;
    }
    assert_int_equal(atomic_load(&yoke__memory_away), away ? 1 : 0);
    assert_int_equal(yoke__memory_is_away(), away);
    assert_int_equal(m->block->residency.writes, m->writes);
    if (r->list == NULL) {
        assert_false(away);
        return;
    }
    assert_int_equal(r->count, runs);
    assert_true(r->count <= r->capacity);
    assert_int_equal(r->list[0].begin, 0);
    for (size_t k = 0; k < r->count; k++)
        assert_int_equal(r->list[k].valid, m->mask[r->list[k].begin]);
}

/* Borders of pages, of the array and of what is there already are hit often. */
static yoke__span draw_span(uint64_t *state, const model *m)
{
    const residency *r = &m->block->residency;
    size_t at[2];
    for (int k = 0; k < 2; k++) {
        at[k] = (size_t)draw_below(state, m->bytes + 1);
        const uint64_t how = draw_below(state, 4);
        if (how == 0)
            at[k] = at[k] / page * page;
        else if (how == 1 && r->count > 0)
            at[k] = r->list[draw_below(state, r->count)].begin;
    }
    return at[0] < at[1] ? (yoke__span){at[0], at[1]} : (yoke__span){at[1], at[0]};
}

/* --- notes --- */

static void note(uint64_t *state, model *m, uint64_t *seen)
{
    const unsigned home = draw_below(state, 3) == 0 ? YOKE__HOST : 1 + (unsigned)draw_below(state, 3) * 15;
    const uint32_t bit = UINT32_C(1) << home;
    const yoke__span span = draw_span(state, m), whole = {0, m->bytes};
    switch (draw_below(state, 7)) {
    case 0:
    case 1:
        yoke__residency_copied(m->block, home, span);
        change_model(m, span, 0, bit);
        break;
    case 2:
    case 3:
        yoke__residency_written(m->block, home, span);
        change_model(m, span, UINT32_MAX, bit);
        m->writes++;
        break;
    case 4:
        yoke__residency_spoiled(m->block, home, span);
        change_model(m, span, bit, 0);
        break;
    case 5:
        yoke__residency_copied_of(m->block, home, span, *seen);
        if (*seen == m->writes)
            change_model(m, span, 0, bit);
        break;
    default:
        if (home != YOKE__HOST) {
            yoke__residency_dropped(m->block, home);
            change_model(m, whole, bit, 0);
        }
    }
    if (draw_below(state, 2) == 0)
        return;
    if (m->expects)
        yoke__residency_unexpect(m->block);
    else
        assert_int_equal(yoke__residency_expect(m->block, seen), YOKE_OK);
    m->expects = !m->expects;
}

static void random_notes_match_one_mask_per_byte(void **state)
{
    (void)state;
    uint64_t random = seed_of("notes"), seen = 0;
    for (unsigned long round = 0; round < rounds_of(40); round++) {
        model m = open_model(1 + draw_below(&random, MOST_PAGES));
        size_t room = 0;
        for (int step = 0; step < STEPS; step++) {
            if (room == 0) {
                room = 1 + draw_below(&random, 5);
                assert_int_equal(yoke__residency_reserve(m.block, room), YOKE_OK);
            }
            note(&random, &m, &seen);
            compare_list(&m);
            compare_missing(&m, (unsigned)draw_below(&random, 3) * 16, draw_span(&random, &m));
            room--;
            yoke__residency_unreserve(m.block, 1);
        }
        yoke__residency_unreserve(m.block, room);
        if (m.expects)
            yoke__residency_unexpect(m.block);
        close_model(&m);
        seen = 0;
    }
}

static void without_room_nothing_is_noted_and_all_is_the_hosts(void **state)
{
    (void)state;
    model m = open_model(2);
    yoke__residency_dropped(m.block, 3);
    yoke__residency_spoiled(m.block, 3, (yoke__span){5, 50});
    compare_list(&m);
    for (unsigned home = 0; home < 3; home++) {
        compare_missing(&m, home, (yoke__span){0, m.bytes});
        compare_missing(&m, home, (yoke__span){7, 7});
        compare_missing(&m, home, (yoke__span){m.bytes, m.bytes});
    }
    close_model(&m);
}

/* Each of many holders of room gets it, although others note in between. */
static void room_is_there_for_all_who_reserved_it(void **state)
{
    (void)state;
    uint64_t random = seed_of("room");
    enum { HOLDERS = 200 };
    model m = open_model(MOST_PAGES);
    for (size_t k = 0; k < HOLDERS; k++)
        assert_int_equal(yoke__residency_reserve(m.block, 1), YOKE_OK);
    for (size_t k = 0; k < HOLDERS; k++) { /* every second byte pair: nothing merges */
        const yoke__span span = {4 * k, 4 * k + 2};
        yoke__residency_written(m.block, 1 + (unsigned)draw_below(&random, YOKE__HOMES), span);
        m.writes++;
        change_model(&m, span, UINT32_MAX, 0);
        assert_int_equal(m.block->residency.count, 2 * k + 2);
        assert_true(m.block->residency.count <= m.block->residency.capacity);
        yoke__residency_unreserve(m.block, 1);
    }
    assert_int_equal(m.block->residency.claims, 0);
    assert_int_equal(yoke__residency_reserve(m.block, 1), YOKE_OK);
    yoke__residency_written(m.block, YOKE__HOST, (yoke__span){0, m.bytes});
    yoke__residency_unreserve(m.block, 1);
    assert_int_equal(m.block->residency.count, 1);
    close_model(&m);
}

static void allocation_that_fails_changes_nothing(void **state)
{
    (void)state;
    model m = open_model(2);
    yoke__alloc_fail_at(1, false);
    assert_int_equal(yoke__residency_reserve(m.block, 1), YOKE_ENOMEM);
    assert_null(m.block->residency.list);
    assert_int_equal(m.block->residency.claims, 0);
    assert_int_equal(yoke__residency_reserve(m.block, 1), YOKE_OK);
    yoke__residency_written(m.block, 2, (yoke__span){3, 4000});
    change_model(&m, (yoke__span){3, 4000}, UINT32_MAX, 4);
    m.writes = 1;
    yoke__alloc_fail_at(1, false);
    assert_int_equal(yoke__residency_reserve(m.block, 1000), YOKE_ENOMEM);
    assert_non_null(strstr(yoke_error_detail(), "no memory"));
    yoke__alloc_fail_at(0, false);
    assert_int_equal(m.block->residency.claims, 1);
    compare_list(&m);
    for (unsigned home = 0; home < 4; home++)
        compare_missing(&m, home, (yoke__span){0, m.bytes});
    yoke__residency_unreserve(m.block, 1);
    close_model(&m);
}

static void freed_arrays_are_not_away(void **state)
{
    (void)state;
    unsigned char *one = array_of(page), *other = array_of(page);
    yoke__block *held = yoke__memory_hold(one, 1), *second = block_at(other, 1);
    assert_int_equal(yoke__residency_reserve(held, 1), YOKE_OK);
    assert_int_equal(yoke__residency_reserve(second, 1), YOKE_OK);
    yoke__residency_written(held, 1, (yoke__span){0, 10});
    yoke__residency_written(second, 1, (yoke__span){0, page});
    assert_int_equal(atomic_load(&yoke__memory_away), 2);
    assert_int_equal(yoke_free(other), YOKE_OK);
    assert_int_equal(atomic_load(&yoke__memory_away), 1);
    assert_int_equal(yoke_free(one), YOKE_OK);
    yoke__residency_dropped(held, 1); /* by one who holds it still */
    yoke__memory_release(held);
    assert_int_equal(atomic_load(&yoke__memory_away), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_notes_match_one_mask_per_byte),
        cmocka_unit_test(without_room_nothing_is_noted_and_all_is_the_hosts),
        cmocka_unit_test(room_is_there_for_all_who_reserved_it),
        cmocka_unit_test(allocation_that_fails_changes_nothing),
        cmocka_unit_test(freed_arrays_are_not_away),
    };
    return cmocka_run_group_tests(tests, find_page_size, NULL);
}
