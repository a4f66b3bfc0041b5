/* Elements of arrays, compared by what their types mean. */
#include <math.h>
#include <string.h>

#include "lib/parallel/checking.h"

/* Two sums in another order, or with other roundings, differ by a few units of the largest terms: hence the second
 * bound, relative to the largest result of the array. */
enum { MOST_ULP = 64, MOST_ULP_OF_LARGEST = 4 };

yoke__element yoke__element_of(const char *type, size_t size)
{
    static const char *const integers[] = {
        "char",      "signed char",  "unsigned char", "short",         "unsigned short", "int",
        "unsigned",  "unsigned int", "long",          "unsigned long", "long long",      "int8_t",
        "int16_t",   "int32_t",      "int64_t",       "uint8_t",       "size_t",         "unsigned long long",
        "ptrdiff_t", "uint16_t",     "uint32_t",      "uint64_t",      "intptr_t",       "uintptr_t",
    };
    if (strcmp(type, "float") == 0 && size == sizeof(float))
        return YOKE__ELEMENT_FLOAT;
    if (strcmp(type, "double") == 0 && size == sizeof(double))
        return YOKE__ELEMENT_DOUBLE;
    for (size_t k = 0; k < sizeof integers / sizeof *integers; k++)
        if (strcmp(type, integers[k]) == 0)
            return YOKE__ELEMENT_INTEGER;
    return YOKE__ELEMENT_OTHER;
}

static double value_of(yoke__element element, const void *at)
{
    float narrow;
    double wide;
    if (element == YOKE__ELEMENT_FLOAT) {
        memcpy(&narrow, at, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static bool is_floating(yoke__element element)
{
    return element == YOKE__ELEMENT_FLOAT || element == YOKE__ELEMENT_DOUBLE;
}

bool yoke__element_same(yoke__element element, size_t size, const void *a, const void *b)
{
    if (element == YOKE__ELEMENT_OTHER || memcmp(a, b, size) == 0)
        return true;
    return is_floating(element) && isnan(value_of(element, a)) && isnan(value_of(element, b));
}

/* The size of a unit in the last place. */
static double ulp_of(yoke__element element, double value)
{
    const int digits = element == YOKE__ELEMENT_FLOAT ? 24 : 53, least = element == YOKE__ELEMENT_FLOAT ? -149 : -1074;
    int exponent;
    (void)frexp(value, &exponent);
    exponent -= digits;
    return ldexp(1.0, exponent > least ? exponent : least);
}

static double largest_of(yoke__element element, size_t size, const unsigned char *array, size_t count)
{
    double largest = 0;
    for (size_t k = 0; k < count; k++) {
        const double value = fabs(value_of(element, array + k * size));
        if (isfinite(value) && value > largest)
            largest = value;
    }
    return largest;
}

/* Of two that are not the same. */
static double ulps_between(yoke__element element, const void *found, const void *wanted)
{
    if (!is_floating(element))
        return INFINITY;
    const double a = value_of(element, found), b = value_of(element, wanted);
    if (!isfinite(a) || !isfinite(b))
        return INFINITY;
    const double unit = ulp_of(element, b);
    return fabs(a / unit - b / unit); /* a power of two: exact, and a difference of its own could overflow */
}

yoke__distance yoke__elements_compare(yoke__element element, size_t size, bool exact, const void *found,
                                      const void *wanted, size_t count)
{
    const unsigned char *a = found, *b = wanted;
    yoke__distance distance = {.first = count};
    double floor = 0;
    if (is_floating(element) && !exact)
        floor = MOST_ULP_OF_LARGEST * ulp_of(element, largest_of(element, size, b, count));
    for (size_t k = 0; k < count; k++, a += size, b += size) {
        const bool same = element == YOKE__ELEMENT_OTHER ? !exact || memcmp(a, b, size) == 0
                                                         : yoke__element_same(element, size, a, b);
        const double ulp = same ? 0 : ulps_between(element, a, b);
        if (ulp > distance.most_ulp)
            distance.most_ulp = ulp;
        if (same || distance.first < count)
            continue;
        if (exact || ulp == INFINITY ||
            (ulp > MOST_ULP && !(fabs(value_of(element, a) - value_of(element, b)) <= floor))) {
            distance.first = k;
            distance.first_ulp = ulp;
        }
    }
    return distance;
}
