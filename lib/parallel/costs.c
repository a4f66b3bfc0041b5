#include "lib/parallel/parallel.h"

enum { NEIGHBOURS = 3, TIMED_ALWAYS_NS = 500, TIMED_EVERY = 64, TRIALS = 4, FEW = 8, LOOK_AGAIN = 64 };

/* Whoever finds it locked, by another caller of the kernel, does without: such a call tells little. */
struct yoke__headcounts {
    atomic_flag locked;
    yoke__headcount of[64];
};

yoke__costs *yoke__costs_create(void)
{
    return yoke__alloc_zeroed(1, sizeof(yoke__costs));
}

void yoke__costs_free(yoke__costs *costs)
{
    for (size_t k = 0; costs != NULL && k < YOKE__COSTS; k++)
        yoke__free(atomic_load_explicit(&costs->entry[k].headcounts, memory_order_relaxed));
    yoke__free(costs);
}

YOKE_HOT yoke__cost *yoke__costs_find(yoke__costs *costs, const void *key)
{
    const size_t start = yoke__costs_place(key);
    for (size_t k = 0; k < YOKE__COSTS; k++) {
        yoke__cost *entry = &costs->entry[(start + k) % YOKE__COSTS];
        const void *found = atomic_load_explicit(&entry->key, memory_order_relaxed);
        if (found == key)
            return entry;
        if (found == NULL && (atomic_compare_exchange_strong(&entry->key, &found, key) || found == key))
            return entry;
    }
    return NULL;
}

static int size_class(size_t items)
{
    return items == 0 ? 0 : 63 - __builtin_clzll(items);
}

YOKE_HOT double yoke__cost_item_ns(yoke__cost *cost, size_t items)
{
    if (cost == NULL)
        return 0;
    int class = size_class(items);
    for (int off = 0; off <= NEIGHBOURS; off++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            int near = class + sign * off;
            if (near < 0 || near > 63)
                continue;
            float known = atomic_load_explicit(&cost->item_ns[near], memory_order_relaxed);
            if (known > 0)
                return (double)known;
        }
    }
    return 0;
}

YOKE_HOT void yoke__cost_learn(yoke__cost *cost, size_t items, double item_ns, unsigned workers)
{
    if (cost == NULL || items == 0)
        return;
    _Atomic float *known = &cost->item_ns[size_class(items)];
    double old = (double)atomic_load_explicit(known, memory_order_relaxed);
    double least = 1e-6; /* 0 would read as unknown */
    item_ns = item_ns > least ? item_ns : least;
    double now = workers > 1 ? yoke__learn_shared(old, item_ns, workers) : yoke__learn(old, item_ns);
    atomic_store_explicit(known, (float)now, memory_order_relaxed);
}

yoke__choice yoke__cost_choose(yoke__cost *cost, size_t items, unsigned burst)
{
    if (cost == NULL)
        return (yoke__choice){.way = true};
    int class = size_class(items);
    const uint32_t calls = atomic_fetch_add_explicit(&cost->choices[class], 1, memory_order_relaxed);
    const uint32_t since = calls % (LOOK_AGAIN * burst), few = burst < FEW ? burst : FEW;
    if (calls < TRIALS * burst)
        return (yoke__choice){.way = calls / burst % 2 == 0, .trial = true};
    if (since < burst + few)
        return (yoke__choice){.way = since < burst, .trial = true};
    double first = (double)atomic_load_explicit(&cost->passed_ns[0][class], memory_order_relaxed);
    double second = (double)atomic_load_explicit(&cost->passed_ns[1][class], memory_order_relaxed);
    return (yoke__choice){.way = second <= first};
}

/* The best counts, for what disturbs a run only lengthens it (the first one pays for the pages, too); it is forgotten
 * slowly, for machines change. Only trials are learned from: a disturbance met on the way that was kept would otherwise
 * be compared with a memory of better times on the other. */
void yoke__cost_learn_choice(yoke__cost *cost, size_t items, double passed_ns, yoke__choice choice)
{
    if (cost == NULL || !choice.trial)
        return;
    _Atomic float *known = &cost->passed_ns[choice.way][size_class(items)];
    double old = (double)atomic_load_explicit(known, memory_order_relaxed);
    double now = old <= 0 || passed_ns < old ? passed_ns : old + (passed_ns - old) / 8;
    atomic_store_explicit(known, (float)now, memory_order_relaxed);
}

static yoke__headcounts *headcounts_of(yoke__cost *cost)
{
    yoke__headcounts *old = cost != NULL ? atomic_load(&cost->headcounts) : NULL;
    if (old != NULL || cost == NULL)
        return old;
    yoke__headcounts *fresh = yoke__alloc_zeroed(1, sizeof *fresh);
    if (fresh == NULL || atomic_compare_exchange_strong(&cost->headcounts, &old, fresh))
        return fresh;
    yoke__free(fresh);
    return old;
}

yoke__headcount_choice yoke__cost_choose_workers(yoke__cost *cost, size_t items, unsigned workers, bool quiet)
{
    yoke__headcount_choice choice = {.workers = workers};
    yoke__headcounts *all = headcounts_of(cost);
    if (all == NULL || atomic_flag_test_and_set_explicit(&all->locked, memory_order_acquire))
        return choice;
    choice = yoke__headcount_choose(&all->of[size_class(items)], workers, (double)items, quiet);
    atomic_flag_clear_explicit(&all->locked, memory_order_release);
    return choice;
}

void yoke__cost_learn_workers(yoke__cost *cost, size_t items, double passed_ns, yoke__headcount_choice choice)
{
    yoke__headcounts *all = cost != NULL ? atomic_load(&cost->headcounts) : NULL;
    if (all == NULL || atomic_flag_test_and_set_explicit(&all->locked, memory_order_acquire))
        return;
    yoke__headcount_learn(&all->of[size_class(items)], choice, passed_ns);
    atomic_flag_clear_explicit(&all->locked, memory_order_release);
}

YOKE_HOT bool yoke__cost_wants_time(yoke__cost *cost, double predicted_ns)
{
    if (cost == NULL)
        return false;
    if (predicted_ns <= 0 || predicted_ns >= TIMED_ALWAYS_NS)
        return true;
    uint32_t calls = atomic_load_explicit(&cost->calls, memory_order_relaxed);
    atomic_store_explicit(&cost->calls, calls + 1, memory_order_relaxed); /* a lost count does no harm */
    return calls % TIMED_EVERY == 0;
}
