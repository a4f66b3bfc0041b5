/* lib/schedule: one call divided among participants. Every item is taken once, whatever the numbers; all end
 * together. */
#include <math.h>

#include "lib/schedule/schedule.h"
#include "tests/unit/support.h"

enum { MOST = YOKE__MOST_PARTICIPANTS, MOST_TAKES = 100000 };

/* What the devices' driver threads and the caller hold of a division. */
typedef struct hands {
    size_t size[2];
    unsigned count;
    bool out; /* was refused, or failed */
} hands;

typedef struct party {
    yoke__division d;
    hands hand[MOST];
    size_t items, step, taken, lost;
    unsigned count;
    int64_t now;
} party;

static yoke__zone piece[MOST_TAKES]; /* of the party under way */
static unsigned owner[MOST_TAKES], pieces;

static int by_begin(const void *left, const void *right)
{
    const yoke__zone *a = left, *b = right;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* Every item was taken once. */
static void assert_all_taken(const party *t)
{
    size_t at = 0;
    assert_int_equal(t->d.rest, 0);
    assert_int_equal(t->taken, t->items);
    qsort(piece, pieces, sizeof *piece, by_begin);
    for (unsigned k = 0; k < pieces; k++) {
        assert_int_equal(piece[k].begin, at);
        at = piece[k].end;
    }
    assert_int_equal(at, t->items);
}

static void begin(party *t, size_t items, size_t step, bool workers, unsigned count, const yoke__rate *rates)
{
    *t = (party){.items = items, .step = step > 0 ? step : 1, .count = count};
    pieces = 0;
    yoke__division_begin(&t->d, items, step, workers, count, rates, t->now);
}

/* Checks what every piece must be. */
static bool take(party *t, unsigned who, size_t most)
{
    size_t from = SIZE_MAX, to = SIZE_MAX;
    if (!yoke__division_take(&t->d, who, t->now, most, &from, &to)) {
        t->hand[who].out = true;
        return false;
    }
    assert_true(from < to && to <= t->items && pieces < MOST_TAKES);
    assert_true(to - from <= most || (who == 0 && to - from <= t->step));
    assert_true(from % t->step == 0 || (who > 0 && most < t->step));
    owner[pieces] = who;
    piece[pieces++] = (yoke__zone){from, to};
    t->taken += to - from;
    assert_true(t->d.rest == t->items - t->taken);
    hands *h = &t->hand[who];
    if (h->count == 2 || (who == 0 && h->count == 1)) /* what a third take() tells */
        h->size[0] = h->size[1], h->count--;
    h->size[h->count++] = to - from;
    return true;
}

static void finish(party *t, unsigned who)
{
    hands *h = &t->hand[who];
    yoke__division_done(&t->d, who, t->now, h->size[0]);
    h->size[0] = h->size[1];
    h->count--;
}

static double any_number(uint64_t *seed)
{
    const double odd[] = {0, -1, NAN, INFINITY, -INFINITY, 1e-300, 1e300, 1, 1000};
    const uint64_t k = draw_below(seed, 2 * sizeof odd / sizeof *odd);
    return k < sizeof odd / sizeof *odd ? odd[k] : pow(10, draw_double(seed, -3, 6));
}

static yoke__rate any_rate(uint64_t *seed)
{
    double n[8];
    for (unsigned k = 0; k < 8; k++)
        n[k] = any_number(seed);
    return (yoke__rate){n[0], n[1], n[2], n[3], n[4], n[5], n[6], 0, n[7]};
}

static size_t any_size(uint64_t *seed)
{
    const uint64_t k = draw_below(seed, 8);
    return k == 0 ? 0 : k == 1 ? SIZE_MAX : k == 2 ? SIZE_MAX / 2 + 1 : (size_t)(draw(seed) >> draw_below(seed, 64));
}

/* Whoever is asked in whatever order at whatever time: no item twice, and none left while somebody runs. */
static void division_gives_every_item_once(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(4000); round++) {
        party t;
        yoke__rate rates[MOST];
        for (unsigned k = 0; k < MOST; k++)
            rates[k] = any_rate(&seed);
        const unsigned count = 1 + (unsigned)draw_below(&seed, MOST);
        const bool workers = count == 1 || draw_below(&seed, 4) != 0, fails = draw_below(&seed, 4) == 0;
        const size_t items = any_size(&seed), step = 1 + any_size(&seed) / 2 % (1 + draw_below(&seed, 300));
        begin(&t, items, step, workers, count, rates);
        bool failed = false, running = true;
        unsigned takes = 0;
        for (; running && takes < 3000; takes++) {
            const unsigned who = (unsigned)draw_below(&seed, count);
            t.now += draw_below(&seed, 20) == 0 ? -(int64_t)draw_below(&seed, 1000000)
                                                : (int64_t)(draw(&seed) >> (30 + draw_below(&seed, 33)));
            if (who == 0 && !workers)
                assert_false(yoke__division_take(&t.d, 0, t.now, 1, &(size_t){0}, &(size_t){0}));
            else if (fails && who != 0 && draw_below(&seed, 50) == 0)
                yoke__division_drop(&t.d, who), t.hand[who].out = failed = true, t.hand[who].count = 0;
            else if (t.hand[who].count > 0 && draw_below(&seed, 3) != 0)
                finish(&t, who);
            else if (!t.hand[who].out)
                (void)take(&t, who, 1 + any_size(&seed) / 2);
            running = false;
            for (unsigned k = workers ? 0 : 1; k < count; k++)
                running |= !t.hand[k].out;
        }
        if (!running && !failed)
            assert_all_taken(&t);
    }
}

static void division_is_safe_with_nonsense(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(20000); round++) {
        yoke__rate rates[MOST];
        for (unsigned k = 0; k < MOST; k++)
            rates[k] = any_rate(&seed);
        yoke__division d;
        const unsigned count = (unsigned)draw_below(&seed, MOST + 1);
        yoke__division_begin(&d, any_size(&seed), any_size(&seed), draw_below(&seed, 2) == 0, count, rates,
                             (int64_t)draw(&seed));
        size_t rest = d.rest;
        for (unsigned k = 0; k < 40; k++) {
            const unsigned who = (unsigned)draw_below(&seed, MOST + 2);
            size_t from = 0, to = 0;
            if (draw_below(&seed, 3) == 0)
                yoke__division_done(&d, who, (int64_t)draw(&seed), any_size(&seed));
            else if (draw_below(&seed, 20) == 0)
                yoke__division_drop(&d, who);
            else if (yoke__division_take(&d, who, (int64_t)draw(&seed), any_size(&seed), &from, &to)) {
                assert_true(from < to && to - from <= rest);
                rest -= to - from;
            }
            assert_true(d.rest == rest);
            yoke__division_learn(&d, who, &rates[who % MOST]);
        }
        uint32_t worth = 0;
        const double ns = yoke__division_predict(rates, count, any_size(&seed), &worth);
        assert_true(ns >= 0 && isfinite(ns));
        assert_true((uint64_t)worth >> count == 0);
        yoke__rate_learn(&rates[0], any_size(&seed), any_number(&seed));
        assert_true(rates[0].item_ns >= 0 && isfinite(rates[0].item_ns));
    }
}

/* Participants that are just as fast as said; a device's second piece follows the first at once. */
typedef struct racer {
    double item_ns, launch_ns, end_ns[2], busy_ns;
    size_t items, first, last;
    bool silent; /* reports nothing before its end */
} racer;

static void go(party *t, racer *r, unsigned who, double now)
{
    t->now = (int64_t)now;
    hands *h = &t->hand[who];
    if (h->count > 0) {
        if (r->silent)
            h->size[0] = h->size[1], h->count--, t->d.now_ns = fmax(t->d.now_ns, now);
        else
            finish(t, who);
        r->end_ns[0] = r->end_ns[1];
    }
    while (!h->out && h->count < (who == 0 ? 1u : 2u)) {
        const size_t before = h->count;
        if (!take(t, who, SIZE_MAX))
            break;
        const size_t size = h->size[h->count - 1];
        const double begun = before > 0 ? fmax(r->end_ns[0], now) : now + r->launch_ns;
        r->end_ns[h->count - 1] = begun + (double)size * r->item_ns;
        r->busy_ns = r->end_ns[h->count - 1];
        r->items += size, r->last = size, r->first = r->first > 0 ? r->first : size;
    }
}

/* To the end; when the last of them ended. */
static double race(party *t, racer *racers)
{
    double now = 0;
    for (unsigned k = 0; k < t->count; k++)
        if (racers[k].item_ns > 0)
            go(t, &racers[k], k, 0);
    for (;;) {
        unsigned next = t->count;
        for (unsigned k = 0; k < t->count; k++)
            if (t->hand[k].count > 0 && (next == t->count || racers[k].end_ns[0] < racers[next].end_ns[0]))
                next = k;
        if (next == t->count)
            return now;
        now = racers[next].end_ns[0];
        go(t, &racers[next], next, now);
    }
}

static void division_with_known_rates_ends_together_and_starves_nobody(void **state)
{
    (void)state;
    uint64_t seed = seed_of(__func__);
    for (unsigned long round = 0; round < rounds_of(300); round++) {
        racer racers[MOST] = {{0}};
        yoke__rate rates[MOST] = {{0}};
        const unsigned count = 2 + (unsigned)draw_below(&seed, MOST - 1);
        const size_t items = 50000000 + draw_below(&seed, 50000000);
        double speed = 0;
        for (unsigned k = 0; k < count; k++) {
            racers[k].item_ns = draw_double(&seed, 2, 20);
            racers[k].launch_ns = draw_double(&seed, 1e3, 5e4);
            racers[k].silent = draw_below(&seed, 4) == 0;
            rates[k] = (yoke__rate){.launch_ns = racers[k].launch_ns, .item_ns = racers[k].item_ns};
            speed += 1 / racers[k].item_ns;
        }
        racers[0].silent = false;
        party t;
        begin(&t, items, 1 + draw_below(&seed, 128), true, count, rates);
        const double end = race(&t, racers), share = (double)items / speed;
        assert_all_taken(&t);
        if (end > 1.05 * share + 2e5)
            fail_msg("%g ns; the ideal are %g ns", end, share);
        for (unsigned k = 0; k < count; k++) {
            const double part = (double)racers[k].items * racers[k].item_ns / share;
            if (part < 0.8 || part > 1.1)
                fail_msg("participant %u of %u got %g of its share", k, count, part);
            assert_true(k > 0 || racers[k].last < racers[k].first);
        }
    }
}

/* Managed arrays stay where their part was computed last. */
static void participants_get_the_same_items_again(void **state)
{
    (void)state;
    enum { ITEMS = 1000000, COUNT = 5 };
    static unsigned char before[ITEMS];
    uint64_t seed = seed_of(__func__);
    yoke__rate rates[COUNT];
    racer racers[COUNT];
    for (unsigned k = 0; k < COUNT; k++) {
        racers[k] = (racer){.item_ns = draw_double(&seed, 5, 50), .launch_ns = 2000};
        rates[k] = (yoke__rate){.item_ns = racers[k].item_ns, .launch_ns = 2000};
    }
    for (unsigned run = 0; run < 3; run++) {
        party t;
        size_t same = 0;
        for (unsigned k = 0; k < COUNT; k++)
            racers[k] = (racer){.item_ns = rates[k].item_ns * draw_double(&seed, 0.97, 1.03), .launch_ns = 2000};
        begin(&t, ITEMS, 8, true, COUNT, rates);
        (void)race(&t, racers);
        for (unsigned k = 0; k < pieces; k++)
            for (size_t i = piece[k].begin; i < piece[k].end; i++) {
                same += before[i] == owner[k];
                before[i] = (unsigned char)owner[k];
            }
        assert_all_taken(&t);
        if (run > 0 && same < ITEMS * 9ul / 10)
            fail_msg("only %zu of %d items went where they were before", same, ITEMS);
    }
}

static void division_goes_on_without_those_who_are_dropped(void **state)
{
    (void)state;
    const yoke__rate rates[3] = {
        {.item_ns = 100, .launch_ns = 1000}, {.item_ns = 1, .launch_ns = 1000}, {.item_ns = 1}};
    racer racers[3] = {{.item_ns = 100, .launch_ns = 1000}};
    party t;
    begin(&t, 1000000, 64, true, 3, rates);
    assert_true(take(&t, 1, SIZE_MAX));
    assert_true(take(&t, 2, 1000));
    yoke__division_drop(&t.d, 1);
    yoke__division_drop(&t.d, 2);
    assert_false(yoke__division_take(&t.d, 1, t.now, 1, &(size_t){0}, &(size_t){0}));
    t.hand[1] = t.hand[2] = (hands){.out = true};
    const size_t left = t.d.rest;
    (void)race(&t, racers);
    assert_all_taken(&t);
    assert_true(racers[0].items == left);
}

/* Who would only begin when the others are through gets nothing; who is alone gets all, however slow. */
static void division_refuses_who_comes_too_late(void **state)
{
    (void)state;
    const yoke__rate rates[2] = {{.item_ns = 1, .launch_ns = 1000}, {.item_ns = 1, .launch_ns = 1e9}};
    party t;
    begin(&t, 1000000, 1, true, 2, rates);
    assert_true(take(&t, 0, SIZE_MAX));
    assert_false(take(&t, 1, SIZE_MAX));
    begin(&t, 1000000, 1, false, 2, rates);
    while (take(&t, 1, SIZE_MAX))
        t.now += 1000000000;
    assert_all_taken(&t);
}

static void prediction_leaves_out_who_delays(void **state)
{
    (void)state;
    uint32_t worth = 0;
    const yoke__rate rates[4] = {{.item_ns = 10}, {.item_ns = 10}, {.item_ns = 1, .launch_ns = 1e9}, {.launch_ns = 1}};
    assert_true(fabs(yoke__division_predict(rates, 4, 1000000, &worth) - 5e6) < 1);
    assert_int_equal(worth, 3);
    assert_true(fabs(yoke__division_predict(rates, 1, 1000000, &worth) - 1e7) < 1);
    assert_int_equal(worth, 1);
    assert_true(yoke__division_predict(&rates[3], 1, 1000000, &worth) <= 0);
    assert_int_equal(worth, 0);
    yoke__rate many[MOST];
    for (unsigned k = 0; k < MOST; k++)
        many[k] = (yoke__rate){.item_ns = 10, .spread = 1};
    (void)yoke__division_predict(many, MOST, 1000000, &worth);
    assert_int_equal(worth, 0xffff);
}

static void rates_follow_a_change_but_not_an_outlier(void **state)
{
    (void)state;
    yoke__rate rate = {.launch_ns = 1000};
    for (unsigned k = 0; k < 5; k++)
        yoke__rate_learn(&rate, 1000, 11000);
    assert_true(fabs(rate.item_ns - 10) < 0.01);
    yoke__rate_learn(&rate, 1000, 1e6);
    assert_true(rate.item_ns < 13);
    yoke__rate_learn(&rate, 1000, 11000);
    assert_true(rate.item_ns < 12);
    yoke__rate_learn(&rate, 1000, 1e6);
    yoke__rate_learn(&rate, 1000, 1e6);
    assert_true(rate.item_ns > 900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_gives_every_item_once),
        cmocka_unit_test(division_is_safe_with_nonsense),
        cmocka_unit_test(division_with_known_rates_ends_together_and_starves_nobody),
        cmocka_unit_test(participants_get_the_same_items_again),
        cmocka_unit_test(division_goes_on_without_those_who_are_dropped),
        cmocka_unit_test(division_refuses_who_comes_too_late),
        cmocka_unit_test(prediction_leaves_out_who_delays),
        cmocka_unit_test(rates_follow_a_change_but_not_an_outlier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
