/* What the tests of lib/memory/homes.c share: homes that copy from plain arrays. */
#ifndef YOKE_TESTS_UNIT_HOMES_H
#define YOKE_TESTS_UNIT_HOMES_H

#include "lib/memory/block.h"
#include "tests/unit/blocks.h"

/* A device's memory that mirrors one array. */
typedef struct fake {
    unsigned home;
    unsigned char *content;
    atomic_uint fetches, held_up;
    atomic_bool holds; /* fetches wait before they copy */
    int (*before)(struct fake *fake, yoke__block *block, yoke__span span);
} fake;

static inline int fetch(void *context, yoke__block *block, yoke__span span, const yoke__alive *alive)
{
    fake *f = context;
    (void)alive;
    atomic_fetch_add(&f->fetches, 1);
    int status = f->before != NULL ? f->before(f, block, span) : YOKE_OK;
    if (status == YOKE_OK) /* the mover reads first, and copies when it has that */
        memcpy((unsigned char *)yoke__block_start(block) + span.begin, f->content + span.begin, span.end - span.begin);
    return status;
}

static inline fake open_fake(size_t bytes)
{
    fake f = {.content = calloc(1, bytes)};
    assert_non_null(f.content);
    return f;
}

static inline void start_home(fake *f)
{
    f->home = yoke__home_open(&(yoke__home){"fake", fetch, f});
    assert_true(f->home >= 1 && f->home <= YOKE__HOMES);
}

static inline void end_home(fake *f)
{
    yoke__home_close(f->home);
    free(f->content);
}

/* An array of one page whose first half was written by a home; its bytes there are `value`. */
static inline unsigned char *array_at(fake *f, int value)
{
    unsigned char *array = array_of(page);
    yoke__block *block = block_at(array, 1);
    *f = open_fake(page);
    start_home(f);
    memset(f->content, value, page);
    assert_int_equal(yoke__residency_reserve(block, 1), YOKE_OK);
    yoke__residency_written(block, f->home, (yoke__span){0, page / 2});
    yoke__residency_unreserve(block, 1);
    return array;
}

static inline void note_copied(unsigned char *array, unsigned home)
{
    yoke__block *block = block_at(array, 1);
    assert_int_equal(yoke__residency_reserve(block, 1), YOKE_OK);
    yoke__residency_copied(block, home, (yoke__span){0, page / 2});
    yoke__residency_unreserve(block, 1);
}

static inline void end(unsigned char *array, fake *f)
{
    end_home(f);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(atomic_load(&yoke__memory_away), 0);
}

static inline void assert_failed(const void *returned, int status, const char *what)
{
    assert_null(returned);
    assert_int_equal(yoke__last_failure(), status);
    if (strstr(yoke_error_detail(), what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", yoke_error_detail(), what);
}

static inline int watched(void **state)
{
    (void)state;
    alarm(SANITIZED ? 300 : 60);
    return 0;
}

#endif
