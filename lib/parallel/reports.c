/* The words for what a check found: who did what to which element, and what to do. */
#include <stdio.h>

#include "lib/parallel/checking.h"

enum { WORDS = 96 };

static const char *who(const yoke__check *c, yoke__where where, char *text)
{
    if (where.one_column)
        (void)snprintf(text, WORDS, "item (%zu, %zu)", where.column, where.begin);
    else if (where.end - where.begin == 1)
        (void)snprintf(text, WORDS, yoke__has_rows(c->kernel) ? "an item of row %zu" : "item %zu", where.begin);
    else
        (void)snprintf(text, WORDS,
                       yoke__has_rows(c->kernel) ? "an item of rows %zu to %zu" : "one of items %zu to %zu",
                       where.begin, where.end - 1);
    return text;
}

/* The item that an element of a sliced array belongs to. */
static const char *owner(const yoke__check *c, unsigned k, size_t element, char *text)
{
    const yoke__staged *a = &c->stage.array[k];
    const size_t count = a->unit_bytes / c->stage.row / c->kernel->parameters[k].size; /* per item */
    const size_t item = count != 0 ? element / count : element;
    if (yoke__has_rows(c->kernel))
        (void)snprintf(text, WORDS, "item (%zu, %zu)", item % c->stage.row, item / c->stage.row);
    else
        (void)snprintf(text, WORDS, "item %zu", item);
    return text;
}

static const char *mode_of(const yoke__check *c, unsigned k)
{
    static const char *const names[] = {"?", "in", "out", "inout", "halo", "whole", "scatter", "value"};
    return names[c->kernel->parameters[k].mode];
}

static const char *value_of(const yoke__check *c, unsigned k, const void *at, char *text)
{
    const yoke_parameter *parameter = &c->kernel->parameters[k];
    const yoke__element element = c->stage.array[k].element;
    int used = 0;
    if (element == YOKE__ELEMENT_FLOAT)
        (void)snprintf(text, WORDS, "%.9g", (double)*(const float *)at);
    else if (element == YOKE__ELEMENT_DOUBLE)
        (void)snprintf(text, WORDS, "%.17g", *(const double *)at);
    else
        for (size_t b = 0; b < parameter->size && b < 8; b++) /* little-endian */
            used += snprintf(text + used, WORDS - (size_t)used, "%s%02x", b == 0 ? "0x" : "",
                             ((const unsigned char *)at)[(parameter->size < 8 ? parameter->size : 8) - 1 - b]);
    return text;
}

static const char *what_is_allowed(yoke_mode mode)
{
    switch (mode) {
    case YOKE_MODE_IN: return "an item may only read its own elements; use halo or whole to read others";
    case YOKE_MODE_HALO: return "an item may only read as far as its halo reaches; give a larger one, or use whole";
    case YOKE_MODE_WHOLE: return "items may only read it; use inout or scatter to write";
    case YOKE_MODE_OUT:
    case YOKE_MODE_INOUT: return "an item may only touch its own elements; use scatter to write elsewhere";
    default: return "this is not allowed";
    }
}

int yoke__report_access(yoke__check *c, yoke__where where)
{
    static const char *const verbs[] = {"touches", "reads", "writes"};
    const yoke__fault *fault = &c->stage.fault;
    const char *verb = verbs[fault->access];
    char words[WORDS];
    if (fault->area == RESULT_AREA)
        return yoke__found(c->checks, c->kernel, YOKE__FOUND_ACCESS, RESULT_AREA,
                           "%s %s memory outside of the one %s that it folds into; keep the index inside of it",
                           who(c, where, words), verb, c->kernel->result_type);
    const unsigned k = fault->area > RESULT_AREA ? fault->area - RESULT_AREA - 1 : fault->area;
    const yoke__staged *a = &c->stage.array[k];
    const yoke_parameter *parameter = &c->kernel->parameters[k];
    const int64_t size = (int64_t)parameter->size;
    const int64_t bytes = (int64_t)(fault->address - (uintptr_t)a->base);
    const int64_t element = bytes >= 0 ? bytes / size : -((-bytes + size - 1) / size);
    if (bytes < 0 || (size_t)bytes >= a->bytes)
        return yoke__found(c->checks, c->kernel, YOKE__FOUND_ACCESS, k,
                           "%s %s %s[%lld], %s the array, which has %zu elements; keep the index inside, or give the "
                           "array the count that it needs",
                           who(c, where, words), verb, parameter->name, (long long)element,
                           bytes < 0 ? "before the start of" : "beyond the end of", a->bytes / parameter->size);
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_ACCESS, k, "%s %s %s[%lld], which is `%s`: %s",
                       who(c, where, words), verb, parameter->name, (long long)element, mode_of(c, k),
                       what_is_allowed(parameter->mode));
}

int yoke__report_changed(yoke__check *c, unsigned k, size_t element, yoke__where where)
{
    char words[WORDS];
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_CHANGED, k,
                       "%s changes %s[%zu], which is `%s` and may only be read; use inout, or take away the cast",
                       who(c, where, words), c->kernel->parameters[k].name, element, mode_of(c, k));
}

int yoke__report_foreign(yoke__check *c, unsigned k, size_t element, yoke__where where)
{
    char words[WORDS];
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_FOREIGN_WRITE, k, "%s writes %s[%zu], which is `%s`: %s",
                       who(c, where, words), c->kernel->parameters[k].name, element, mode_of(c, k),
                       what_is_allowed(c->kernel->parameters[k].mode));
}

int yoke__report_unwritten(yoke__check *c, unsigned k, size_t element)
{
    char words[WORDS];
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_UNWRITTEN, k,
                       "%s does not write %s[%zu], but `out` promises every element; write it, or use inout to keep it",
                       owner(c, k, element, words), c->kernel->parameters[k].name, element);
}

int yoke__report_old_content(yoke__check *c, unsigned k, size_t element)
{
    char words[WORDS];
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_OLD_CONTENT, k,
                       "%s computes %s[%zu] from what an `out` array held before, which is not there on a device; use "
                       "inout to read it",
                       owner(c, k, element, words), c->kernel->parameters[k].name, element);
}

int yoke__report_order(yoke__check *c, unsigned k, size_t element, const void *one, const void *other)
{
    char words[WORDS], first[WORDS], second[WORDS];
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_ORDER, k,
                       "%s: %s[%zu] depends on which items run before it or beside it (once %s, once %s); an item must "
                       "use only its own variables and elements, and no overflow or conversion that C leaves undefined",
                       owner(c, k, element, words), c->kernel->parameters[k].name, element, value_of(c, k, one, first),
                       value_of(c, k, other, second));
}

int yoke__report_collision(yoke__check *c, unsigned k, size_t element, yoke__where one, yoke__where other)
{
    char first[WORDS], second[WORDS];
    return yoke__found(c->checks, c->kernel, YOKE__FOUND_COLLISION, k,
                       "%s and %s both write %s[%zu], but `scatter` allows one item per element; use a reduction "
                       "(YOKE_ACCUMULATE) to combine, or other places",
                       who(c, one, first), who(c, other, second), c->kernel->parameters[k].name, element);
}
