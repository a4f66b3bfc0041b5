/* The loop over subjects, sizes, modes and places. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/conformance/conformance.h"

/* Around the lanes of a block; primes; around a page of each element size and a block of a reduction. */
static const size_t sizes[] = {0, 1, 63, 64, 65, 251, 511, 513, 1021, 1023, 1025, 2047, 2049, 4095, 4097, 100003};
static const size_t grids[][2] = {{1, 1},  {0, 5},   {5, 0},   {1, 61},   {61, 1},   {7, 13},
                                  {65, 3}, {1, 257}, {257, 1}, {31, 101}, {1025, 3}, {299, 203}};
enum { SMALL = 65, SQUARES_MOST = 1025 };
enum { ONE_D = sizeof sizes / sizeof sizes[0], TWO_D = sizeof grids / sizeof grids[0] };

bool wanted_name(const char *pattern, const char *name)
{
    return pattern == NULL || fnmatch(pattern, name, FNM_EXTMATCH) == 0;
}

const subject **all_subjects(void)
{
    static const subject *const lists[] = {shipped_vector_subjects, shipped_subjects, mode_subjects, grid_subjects,
                                           type_subjects,           math_subjects,    fold_subjects};
    size_t count = 0;
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
        for (const subject *s = lists[k]; s->name != NULL; s++)
            count++;
    const subject **all = calloc(count + 1, sizeof *all);
    size_t at = 0;
    for (size_t k = 0; all != NULL && k < sizeof lists / sizeof lists[0]; k++)
        for (const subject *s = lists[k]; s->name != NULL; s++)
            all[at++] = s;
    return all;
}

static problem problem_of(const subject *s, size_t which, uint64_t seed)
{
    const bool flat = s->dimensions == 1;
    problem p = {.width = flat ? sizes[which] : grids[which][0], .height = flat ? 1 : grids[which][1]};
    p.n = p.width * p.height;
    p.pitch = p.width;
    p.a = (float)draw_double(&seed, -3, 3);
    p.d = draw_double(&seed, -3, 3);
    p.k = 1 + (int)(draw(&seed) % 5);
    return p;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool call(const arrays *set, yoke_runtime *runtime, unsigned flags, char detail[DETAIL])
{
    const yoke_options options = {.flags = flags, .pitch = set->p.pitch == set->p.width ? 0 : set->p.pitch};
    const launch l = {runtime, &options, &set->p, set->call};
    const int status = set->s->run(&l);
    if (status == YOKE_OK)
        return true;
    snprintf(detail, DETAIL, "status %d: %s; %s", status, yoke_strerror(status), yoke_error_detail());
    return false;
}

static void run_case(place *where, arrays *set, const char *name)
{
    char detail[DETAIL] = "", why[DETAIL];
    yoke_device before = {0};
    if (where->runtime == NULL) {
        report_case(where, name, SKIPPED, where->facts.reason, 0);
        return;
    }
    if (where->device >= 0 && yoke_device_of(where->runtime, (unsigned)where->device, &before) != YOKE_OK) {
        report_case(where, name, FAILED, yoke_error_detail(), 0);
        return;
    }
    arrays_reset(set);
    const double start = now();
    bool right = call(set, where->runtime, where->flags, detail);
    const double seconds = now() - start;
    right = right && arrays_check(set, detail);
    if (!right)
        report_case(where, name, FAILED, detail, seconds);
    else if (where->device >= 0 && set->p.n == 0)
        report_case(where, name, SKIPPED, "no items: nothing runs", seconds);
    else if (where->device >= 0 && not_run_there(where, set->s, &before, why) != NULL)
        report_case(where, name, SKIPPED, why, seconds);
    else
        report_case(where, name, PASSED, "", seconds);
}

static void name_case(char name[DETAIL], const subject *s, const problem *p, mode m, const place *where)
{
    char size[48];
    if (s->dimensions == 1)
        snprintf(size, sizeof size, "%zu", p->n);
    else
        snprintf(size, sizeof size, "%zux%zu", p->width, p->height);
    snprintf(name, DETAIL, "%s/%s/%s/%s", s->name, size, mode_names[m], where->name);
}

/* What all places are compared with where bits must agree but their serial order is not the kernel's. */
static bool agree_on_bits(arrays *set, const places *all, char detail[DETAIL])
{
    if (!set->s->agree)
        return true;
    arrays_reset(set);
    return call(set, all->anchor, 0, detail) && arrays_check(set, detail) && arrays_adopt(set);
}

static bool run_places(places *all, const run_settings *settings, const subject *s, const problem *p, mode m,
                       uint64_t seed)
{
    arrays set = {0};
    bool made = false, usable = true;
    for (size_t k = 0; k < all->count && usable; k++) {
        char name[DETAIL], detail[DETAIL] = "no memory for the arrays";
        name_case(name, s, p, m, &all->list[k]);
        if (!wanted_name(settings->pattern, name))
            continue;
        if (settings->list) {
            puts(name);
            continue;
        }
        if (!made) {
            usable = arrays_make(&set, s, p, m, seed) && agree_on_bits(&set, all, detail);
            made = true;
        }
        if (usable)
            run_case(&all->list[k], &set, name);
        else
            report_case(&all->list[k], name, FAILED, detail, 0);
    }
    arrays_free(&set);
    return usable;
}

static bool is_left_out(const subject *s, const problem *p, bool small)
{
    if (small && (p->width > SMALL || p->height > SMALL || p->n > 3 * SMALL))
        return true;
    return s->squares && p->n > SQUARES_MOST;
}

bool run_cases(places *all, const run_settings *settings)
{
    const subject **subjects = all_subjects();
    bool usable = subjects != NULL;
    for (size_t k = 0; usable && subjects[k] != NULL; k++) {
        const subject *s = subjects[k];
        for (size_t which = 0; which < (s->dimensions == 1 ? ONE_D : TWO_D); which++) {
            const uint64_t seed = settings->seed + 1000 * k + which;
            for (int m = 0; m < MODES; m++) {
                problem p = problem_of(s, which, seed);
                if (is_left_out(s, &p, settings->small) || !mode_applies(s, (mode)m))
                    continue;
                p.pitch += m == MODE_PITCH || m == MODE_YOKE_PITCH ? 3 : 0;
                usable &= run_places(all, settings, s, &p, (mode)m, seed);
            }
        }
    }
    free(subjects);
    return usable;
}
