/* Time and throughput of each kernel at each place, at about a million items. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/conformance/conformance.h"

enum { ROUNDS = 9, WARM_UP = 3, WAIT_FOR_BUILD = 50, SIDE = 1024, SQUARES_SIDE = 4096 };

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Bytes read and written, each array once; what is changed counts twice. */
static double bytes_moved(const arrays *set)
{
    double bytes = 0;
    for (size_t k = 0; k < set->count; k++)
        bytes += (double)set->actual[k].bytes * (set->s->arrays[k].role == CHANGED ? 2 : 1);
    return bytes;
}

/* Seconds, or a negative number with the reason in detail. */
static double median_of(const place *where, arrays *set, char detail[DETAIL])
{
    const yoke_options options = {.flags = where->flags};
    const launch l = {where->runtime, &options, &set->p, set->call};
    double seconds[ROUNDS];
    yoke_device before = {0};
    arrays_reset(set);
    for (int round = 0; round < (where->device < 0 ? WARM_UP : WAIT_FOR_BUILD); round++) {
        if (where->device >= 0 && yoke_device_of(where->runtime, (unsigned)where->device, &before) != YOKE_OK)
            break;
        const int status = set->s->run(&l);
        if (status != YOKE_OK) {
            snprintf(detail, DETAIL, "%s; %s", yoke_strerror(status), yoke_error_detail());
            return -1;
        }
        if (where->device >= 0 && round >= WARM_UP && not_run_there(where, set->s, &before, detail) == NULL)
            break;
    }
    if (where->device >= 0 && not_run_there(where, set->s, &before, detail) != NULL)
        return -1;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = now();
        (void)set->s->run(&l);
        seconds[round] = now() - start;
    }
    qsort(seconds, ROUNDS, sizeof seconds[0], ascending);
    return seconds[ROUNDS / 2];
}

static void measure(const place *where, arrays *set)
{
    char detail[DETAIL] = "";
    if (where->runtime == NULL) {
        printf("%-26s %-28s skip: %s\n", set->s->name, where->name, where->facts.reason);
        return;
    }
    const double seconds = median_of(where, set, detail);
    if (seconds < 0)
        printf("%-26s %-28s skip: %s\n", set->s->name, where->name, detail);
    else
        printf("%-26s %-28s %10.3f %12.1f %10.2f\n", set->s->name, where->name, seconds * 1e3,
               (double)set->p.n / seconds * 1e-6, bytes_moved(set) / seconds * 1e-9);
}

int perf(const places *all, const char *pattern, uint64_t seed)
{
    const subject **subjects = all_subjects();
    if (subjects == NULL)
        return 1;
    printf("%-26s %-28s %10s %12s %10s\n", "kernel", "place", "ms", "Mitems/s", "GB/s");
    int result = 0;
    for (size_t k = 0; subjects[k] != NULL && result == 0; k++) {
        const subject *s = subjects[k];
        if (!wanted_name(pattern, s->name))
            continue;
        const size_t n = s->squares ? SQUARES_SIDE : (size_t)SIDE * SIDE, width = s->dimensions == 1 ? n : SIDE;
        const problem p = {n, width, n / width, width, 1.5f, 0.5f, 1.25, 3};
        arrays set;
        if (!arrays_make(&set, s, &p, MODE_YOKE, seed))
            result = 1;
        for (size_t at = 0; at < all->count && result == 0; at++)
            measure(&all->list[at], &set);
        arrays_free(&set);
        fflush(stdout);
    }
    free(subjects);
    return result;
}
