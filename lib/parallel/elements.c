/* Elements of arrays, compared by what their types mean. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parallel/checking.h"

/* Two sums in another order, or with other roundings, differ by a few units of the largest terms: hence the second
 * bound, relative to the largest result of the array. */
enum { MOST_ULP = 64, MOST_ULP_OF_LARGEST = 4 };

/* --- types by name --- */

#define INTEGER(T)                           \
    {                                        \
#T, sizeof(T), YOKE__ELEMENT_INTEGER \
    }

static const struct {
    const char *name;
    size_t size;
    yoke__element element;
} types[] = {
    {"float", sizeof(float), YOKE__ELEMENT_FLOAT},
    {"double", sizeof(double), YOKE__ELEMENT_DOUBLE},
    INTEGER(char),
    INTEGER(signed char),
    INTEGER(unsigned char),
    INTEGER(short),
    INTEGER(unsigned short),
    INTEGER(int),
    INTEGER(unsigned),
    INTEGER(unsigned int),
    INTEGER(long),
    INTEGER(unsigned long),
    INTEGER(long long),
    INTEGER(unsigned long long),
    INTEGER(int8_t),
    INTEGER(int16_t),
    INTEGER(int32_t),
    INTEGER(int64_t),
    INTEGER(uint8_t),
    INTEGER(uint16_t),
    INTEGER(uint32_t),
    INTEGER(uint64_t),
    INTEGER(size_t),
    INTEGER(ptrdiff_t),
    INTEGER(intptr_t),
    INTEGER(uintptr_t),
};
enum { TYPES = sizeof types / sizeof *types };

/* TYPES: none of them. */
static size_t type_of(const char *name, size_t length)
{
    size_t k = 0;
    while (k < TYPES && (strncmp(types[k].name, name, length) != 0 || types[k].name[length] != '\0'))
        k++;
    return k;
}

yoke__element yoke__element_of(const char *type, size_t size)
{
    const size_t k = type_of(type, strlen(type));
    return k < TYPES && types[k].size == size ? types[k].element : YOKE__ELEMENT_OTHER;
}

/* Bytes of "float x", "float x, y" or "int part[4][2]", up to the semicolon that *at then stands on; 0: not understood. */
static size_t bytes_of_member(const char **at)
{
    const char *begin = *at + strspn(*at, " \n\t"), *end = begin + strcspn(begin, ",[;"), *name = end;
    while (name > begin && (name[-1] == ' ' || name[-1] == '_' || isalnum((unsigned char)name[-1])) &&
           !(name[-1] == ' ' && name < end && name[0] != ' '))
        name--;
    while (name > begin && name[-1] == ' ')
        name--;
    const size_t type = type_of(begin, (size_t)(name - begin));
    size_t bytes = 0, one = type < TYPES ? types[type].size : 0;
    for (; *end != ';' && *end != '\0'; end++) {
        if (*end == '[') {
            char *after;
            one *= strtoul(end + 1, &after, 10);
            if (*after != ']')
                return 0;
            end = after;
        } else if (*end == ',') {
            bytes += one;
            one = type < TYPES ? types[type].size : 0;
        }
    }
    *at = end;
    return one != 0 ? bytes + one : 0;
}

bool yoke__type_is_dense(const yoke_kernel *kernel, const char *type, size_t size)
{
    if (yoke__element_of(type, size) != YOKE__ELEMENT_OTHER)
        return true;
    for (const yoke_text *const *text = kernel->texts_begin; text != kernel->texts_end; text++) {
        if (*text == NULL || !(*text)->is_type || strcmp((*text)->name, type) != 0)
            continue;
        const char *at = (*text)->body + strspn((*text)->body, " {");
        size_t sum = 0;
        for (; *at != '}' && *at != '\0'; at += strspn(at, "; \n\t")) {
            const size_t bytes = bytes_of_member(&at);
            if (bytes == 0)
                return false;
            sum += bytes;
        }
        return sum == size;
    }
    return false;
}

/* --- values --- */

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
