/* The arrays of one call: content, placement, guards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"
#include "tests/conformance/own_types.h"

enum { GUARD = 128, POISON = 0xa5, GUARD_BYTE = 0x5c };

const char *const mode_names[MODES] = {"heap", "odd", "yoke", "block", "same", "pitch", "yoke-pitch"};

bool mode_applies(const subject *s, mode m)
{
    if (m == MODE_SAME)
        return s->same[0] != s->same[1];
    return m == MODE_PITCH || m == MODE_YOKE_PITCH ? s->two_d_pitch : true;
}

/* --- content --- */

uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double draw_double(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(draw(state) >> 11) * 0x1p-53);
}

size_t element_bytes(const array *a)
{
    static const size_t bytes[] = {0, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8};
    return a->kind == RAW ? a->element : bytes[a->kind];
}

static size_t elements_of(const array *a, const problem *p)
{
    const size_t grid = p->n == 0 ? 0 : (p->height - 1) * p->pitch + p->width;
    return (a->per_item + a->per_item_k * (size_t)p->k) * (a->loose ? p->n : grid) + a->per_column * p->width +
           a->fixed + a->fixed_k * (size_t)p->k;
}

/* Signed integers keep so far from their limits that the kernels do not overflow. */
static void fill(const array *a, void *memory, size_t count, uint64_t *random)
{
    const bool ranged = a->low != 0 || a->high != 0;
    const double low = ranged ? a->low : -10, high = ranged ? a->high : 10;
    unsigned char *at = memory;
    const size_t bytes = element_bytes(a);
    for (size_t i = 0; i < count; i++, at += bytes) {
        const uint64_t bits = draw(random);
        if (a->kind == F32) {
            const float value = (float)draw_double(random, low, high);
            memcpy(at, &value, sizeof value);
        } else if (a->kind == F64) {
            const double value = draw_double(random, low, high);
            memcpy(at, &value, sizeof value);
        } else if (a->kind == I32) {
            const int32_t value = (int32_t)(bits >> 35) - (1 << 28);
            memcpy(at, &value, sizeof value);
        } else if (a->kind == I64) {
            const int64_t value = (int64_t)(bits >> 4) - (INT64_C(1) << 59);
            memcpy(at, &value, sizeof value);
        } else {
            for (size_t k = 0; k < bytes; k++)
                at[k] = (unsigned char)(bits >> 8 * (k % 8));
        }
    }
}

void prepare_order(const problem *p, uint64_t *random, void *const *given)
{
    int32_t *order = given[1];
    for (size_t i = 0; i < p->n; i++)
        order[i] = (int32_t)i;
    for (size_t i = p->n; i > 1; i--) {
        const size_t with = (size_t)(draw(random) % i);
        const int32_t last = order[i - 1];
        order[i - 1] = order[with];
        order[with] = last;
    }
}

void prepare_particles(const problem *p, uint64_t *random, void *const *given)
{
    for (int k = 0; k < 2; k++) {
        particle *particles = given[k];
        for (size_t i = 0; i < p->n; i++) {
            particles[i].mass = draw_double(random, 0, 10);
            for (int c = 0; c < 3; c++)
                particles[i].place[c] = (float)draw_double(random, -10, 10);
            particles[i].kind = (int32_t)(draw(random) % 2001) - 1000;
        }
    }
}

static void *bytes_of(size_t count, size_t size)
{
    return calloc(count > 0 ? count : 1, size);
}

static bool make_content(arrays *set, uint64_t seed)
{
    const subject *s = set->s;
    for (size_t k = 0; k < set->count; k++) {
        const array *a = &s->arrays[k];
        set->elements[k] = elements_of(a, &set->p);
        set->given[k] = bytes_of(set->elements[k], element_bytes(a));
        if (set->given[k] == NULL)
            return false;
        if (a->role == GIVEN || a->role == CHANGED)
            fill(a, set->given[k], set->elements[k], &seed);
        else
            memset(set->given[k], POISON, set->elements[k] * element_bytes(a));
    }
    if (s->prepare != NULL)
        s->prepare(&set->p, &seed, set->given);
    if (set->mode == MODE_SAME)
        memcpy(set->given[s->same[1]], set->given[s->same[0]],
               set->elements[s->same[0]] * element_bytes(&s->arrays[s->same[0]]));
    for (size_t k = 0; k < set->count; k++) {
        const array *a = &s->arrays[k];
        if (a->role == GIVEN)
            continue;
        set->wanted[k] = bytes_of(set->elements[k], s->tolerant ? sizeof(truth) : element_bytes(a));
        if (set->wanted[k] == NULL)
            return false;
        if (!s->tolerant)
            memcpy(set->wanted[k], set->given[k], set->elements[k] * element_bytes(a));
    }
    s->reference(&set->p, set->given, set->wanted);
    return true;
}

/* --- placement --- */

static void *allocate(bool from_yoke, size_t bytes)
{
    if (from_yoke)
        return yoke_alloc(bytes, YOKE_PLACE_DEFAULT);
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

/* All arrays in one allocation of Yoke's, each at an odd element. */
static bool place_in_block(arrays *set)
{
    size_t total = GUARD, start[ARRAYS];
    for (size_t k = 0; k < set->count; k++) {
        const size_t bytes = element_bytes(&set->s->arrays[k]);
        start[k] = ((total + 63) / 64 * 64 + bytes);
        total = start[k] + set->elements[k] * bytes + GUARD;
    }
    unsigned char *base = allocate(true, total);
    if (base == NULL)
        return false;
    for (size_t k = 0; k < set->count; k++)
        set->actual[k] =
            (placed){.base = k == 0 ? base : NULL, .from_yoke = true, .front = GUARD, .start = base + start[k]};
    return true;
}

static bool place_each(arrays *set)
{
    const bool from_yoke = set->mode == MODE_YOKE || set->mode == MODE_YOKE_PITCH;
    for (size_t k = 0; k < set->count; k++) {
        const size_t element = element_bytes(&set->s->arrays[k]);
        placed *to = &set->actual[k];
        /* Yoke's begin with the array, as programs' do */
        to->front = from_yoke ? 0 : GUARD;
        const size_t start = to->front + (set->mode == MODE_ODD ? element : 0);
        to->from_yoke = from_yoke;
        to->base = allocate(from_yoke, start + set->elements[k] * element + GUARD);
        if (to->base == NULL)
            return false;
        to->start = (unsigned char *)to->base + start;
    }
    return true;
}

bool arrays_make(arrays *set, const subject *s, const problem *p, mode m, uint64_t seed)
{
    *set = (arrays){.s = s, .p = *p, .mode = m};
    while (set->count < ARRAYS && s->arrays[set->count].name != NULL)
        set->count++;
    if (!make_content(set, seed) || !(m == MODE_BLOCK ? place_in_block(set) : place_each(set)))
        return false;
    for (size_t k = 0; k < set->count; k++) {
        set->actual[k].bytes = set->elements[k] * element_bytes(&s->arrays[k]);
        set->call[k] = set->actual[k].start;
    }
    if (m == MODE_SAME)
        set->call[s->same[0]] = set->call[s->same[1]];
    return true;
}

/* The host writes all of it, guards included. */
static void begin_writing(const placed *to)
{
    if (to->from_yoke && yoke_write_range(to->start - to->front, to->front + to->bytes + GUARD) == NULL)
        fprintf(stderr, "arrays cannot be written anew: %s\n", yoke_error_detail()); /* and will be found wrong */
}

void arrays_reset(arrays *set)
{
    for (size_t k = 0; k < set->count; k++) {
        const placed *to = &set->actual[k];
        begin_writing(to);
        memset(to->start - to->front, GUARD_BYTE, to->front);
        memcpy(to->start, set->given[k], to->bytes);
        memset(to->start + to->bytes, GUARD_BYTE, GUARD);
    }
}

bool arrays_adopt(arrays *set)
{
    set->agreed = bytes_of(1, set->actual[0].bytes);
    if (set->agreed != NULL)
        memcpy(set->agreed, set->actual[0].start, set->actual[0].bytes);
    return set->agreed != NULL;
}

void arrays_free(arrays *set)
{
    for (size_t k = 0; k < set->count; k++) {
        free(set->given[k]);
        free(set->wanted[k]);
        if (set->actual[k].from_yoke)
            (void)yoke_free(set->actual[k].base);
        else
            free(set->actual[k].base);
    }
    free(set->agreed);
}

/* --- comparison --- */

static bool guard_holds(const unsigned char *from, size_t bytes)
{
    for (size_t k = 0; k < bytes; k++)
        if (from[k] != GUARD_BYTE)
            return false;
    return true;
}

bool arrays_check(const arrays *set, char detail[DETAIL])
{
    for (size_t k = 0; k < set->count; k++) {
        const placed *at = &set->actual[k];
        if (at->from_yoke && yoke_read_range(at->start - at->front, at->front + at->bytes + GUARD) == NULL) {
            snprintf(detail, DETAIL, "array %s does not come back: %s", set->s->arrays[k].name, yoke_error_detail());
            return false;
        }
        if (first_difference(set, k, detail) != SIZE_MAX)
            return false;
        if (!guard_holds(at->start - at->front, at->front) || !guard_holds(at->start + at->bytes, GUARD)) {
            snprintf(detail, DETAIL, "written outside array %s", set->s->arrays[k].name);
            return false;
        }
    }
    return true;
}
