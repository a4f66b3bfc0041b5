/* Which element differs, and how it reads. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/conformance.h"

enum { TEXT = 60 };

static void print_raw(char text[TEXT], const unsigned char *bytes, size_t count)
{
    size_t used = 0;
    for (size_t k = 0; k < count && used + 3 < TEXT; k++)
        used += (size_t)snprintf(text + used, TEXT - used, "%02x", bytes[k]);
}

static void print_element(char text[TEXT], const array *a, const void *at)
{
    uint64_t bits = 0;
    float single;
    double number;
    const size_t bytes = element_bytes(a);
    memcpy(&bits, at, bytes < sizeof bits ? bytes : sizeof bits);
    switch (a->kind) {
    case F32:
        memcpy(&single, at, sizeof single);
        snprintf(text, TEXT, "%.9g (0x%08" PRIx64 ")", (double)single, bits);
        break;
    case F64:
        memcpy(&number, at, sizeof number);
        snprintf(text, TEXT, "%.17g (0x%016" PRIx64 ")", number, bits);
        break;
    case I8: snprintf(text, TEXT, "%d", (int8_t)bits); break;
    case I16: snprintf(text, TEXT, "%d", (int16_t)bits); break;
    case I32: snprintf(text, TEXT, "%" PRId32, (int32_t)bits); break;
    case I64: snprintf(text, TEXT, "%" PRId64, (int64_t)bits); break;
    case RAW: print_raw(text, at, bytes); break;
    default: snprintf(text, TEXT, "%" PRIu64, bits); break;
    }
}

static double value_of(const array *a, const void *at)
{
    float single;
    double number;
    switch (a->kind) {
    case F32: memcpy(&single, at, sizeof single); return (double)single;
    case F64: memcpy(&number, at, sizeof number); return number;
    default: return *(const uint8_t *)at; /* U8: pictures */
    }
}

static size_t by_bits(const arrays *set, size_t k, const void *wanted, const char *of, char detail[DETAIL])
{
    const array *a = &set->s->arrays[k];
    const size_t bytes = element_bytes(a);
    const unsigned char *found = set->actual[k].start, *right = wanted;
    if (memcmp(found, right, set->actual[k].bytes) == 0)
        return SIZE_MAX;
    size_t i = 0;
    while (memcmp(found + i * bytes, right + i * bytes, bytes) == 0)
        i++;
    char is[TEXT] = "", should[TEXT] = "";
    print_element(is, a, found + i * bytes);
    print_element(should, a, right + i * bytes);
    snprintf(detail, DETAIL, "%s%s[%zu] is %s, should be %s", of, a->name, i, is, should);
    return i;
}

static bool is_near(const truth *t, double found)
{
    return fabs(found - t->value) <= t->slack;
}

static size_t by_value(const arrays *set, size_t k, char detail[DETAIL])
{
    const array *a = &set->s->arrays[k];
    const size_t bytes = element_bytes(a);
    const truth *wanted = set->wanted[k];
    const unsigned char *found = set->actual[k].start, *before = set->given[k];
    for (size_t i = 0; i < set->elements[k]; i++) {
        const unsigned char *at = found + i * bytes;
        if (wanted[i].set ? is_near(&wanted[i], value_of(a, at)) : memcmp(at, before + i * bytes, bytes) == 0)
            continue;
        char is[TEXT] = "";
        print_element(is, a, at);
        if (wanted[i].set)
            snprintf(detail, DETAIL, "%s[%zu] is %s, should be %.17g to within %.3g, off by %.3g", a->name, i, is,
                     wanted[i].value, wanted[i].slack, value_of(a, at) - wanted[i].value);
        else
            snprintf(detail, DETAIL, "%s[%zu] is %s, should not be written", a->name, i, is);
        return i;
    }
    return SIZE_MAX;
}

size_t first_difference(const arrays *set, size_t k, char detail[DETAIL])
{
    if (set->mode == MODE_SAME && k == (size_t)set->s->same[0])
        return SIZE_MAX; /* its memory stands aside */
    if (set->s->arrays[k].role == GIVEN)
        return by_bits(set, k, set->given[k], "input ", detail);
    if (!set->s->tolerant)
        return by_bits(set, k, set->wanted[k], "", detail);
    const size_t found = by_value(set, k, detail);
    if (found != SIZE_MAX || set->agreed == NULL)
        return found;
    return by_bits(set, k, set->agreed, "not the bits of other places: ", detail);
}
