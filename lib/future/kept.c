/* What failures said on the threads where they happened, for those who ask the futures: the last ones, by number. A
 * future has no room for a text, and nobody would free it. */
#include <stdio.h>

#include "lib/future/future.h"

enum { NOTES = 32, TRIES = 10000 };

typedef struct note {
    _Atomic uint32_t taken;
    long long number;
    char text[512];
} note;

static note notes[NOTES];
static atomic_llong numbers;

/* Not for ever: a forked child may have inherited it taken. */
static bool take(note *n)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (atomic_exchange(&n->taken, 1) == 0)
            return true;
        yoke__relax();
    }
    return false;
}

static void give(note *n)
{
    atomic_store(&n->taken, 0);
}

void yoke__keep_detail(yoke_future *f)
{
    const long long number = atomic_fetch_add(&numbers, 1) + 1;
    note *n = &notes[number % NOTES];
    if (!take(n))
        return;
    n->number = number;
    (void)snprintf(n->text, sizeof n->text, "%s", yoke_error_detail());
    give(n);
    f->copy_.integer = number;
    f->why_ = YOKE__TOLD;
}

bool yoke__tell_kept(const yoke_future *f)
{
    note *n = &notes[f->copy_.integer % NOTES];
    if (!take(n))
        return false;
    const bool found = n->number == f->copy_.integer;
    if (found)
        (void)yoke__fail(f->status_, "%s", n->text);
    give(n);
    return found;
}
