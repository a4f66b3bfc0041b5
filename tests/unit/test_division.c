/* lib/schedule: one call divided among participants. Every item is taken once, whatever the numbers; all end together. */
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
    size_t items, step, front, back, lost;
    unsigned count;
    int64_t now;
} party;

static void begin(party *t, size_t items, size_t step, bool workers, unsigned count, const yoke__rate *rates)
{
    *t = (party){.items = items, .step = step > 0 ? step : 1, .back = items, .count = count};
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
    assert_true(from < to);
    assert_true(t->front < t->back);
    if (who == 0) {
        assert_true(from == t->front && to <= t->back);
        assert_true(to == t->back || to % t->step == 0);
        assert_true(to - from <= most || to - from <= t->step);
        t->front = to;
    } else {
        assert_true(to == t->back && from >= t->front);
        assert_true(to - from <= most);
        assert_true(most < t->step || from % t->step == 0);
        t->back = from;
    }
    assert_true(t->d.front == t->front && t->d.back == t->back);
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
            assert_true(t.front == t.back);
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
        size_t front = d.front, back = d.back;
        for (unsigned k = 0; k < 40; k++) {
            const unsigned who = (unsigned)draw_below(&seed, MOST + 2);
            size_t from = 0, to = 0;
            if (draw_below(&seed, 3) == 0)
                yoke__division_done(&d, who, (int64_t)draw(&seed), any_size(&seed));
            else if (draw_below(&seed, 20) == 0)
                yoke__division_drop(&d, who);
            else if (yoke__division_take(&d, who, (int64_t)draw(&seed), any_size(&seed), &from, &to)) {
                assert_true(from < to && (who == 0 ? from == front : to == back));
                front = who == 0 ? to : front, back = who == 0 ? back : from;
            }
            assert_true(d.front == front && d.back == back && front <= back);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_gives_every_item_once),
        cmocka_unit_test(division_is_safe_with_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
