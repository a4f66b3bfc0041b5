/* What the check of kernels found: a line on stderr, once, and the status of the call. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/parallel/checking.h"
#include "lib/trace/trace.h"

int yoke__checks_open(yoke__checks **checks, unsigned seed)
{
    const char *text = seed == 0 ? yoke__env("YOKE_CHECK") : NULL;
    unsigned long value = seed;
    *checks = NULL;
    if (text != NULL && !yoke__parse_unsigned(text, 0, UINT32_MAX, &value))
        return yoke__fail(YOKE_EINVAL, "YOKE_CHECK=%.40s is no number; use 1 to check kernels, 0 not to", text);
    if (value == 0)
        return YOKE_OK;
    *checks = yoke__alloc_zeroed(1, sizeof **checks);
    if (*checks == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a runtime");
    (*checks)->seed = (unsigned)value;
    const int status = yoke__forgotten_watch();
    if (status == YOKE_OK)
        return YOKE_OK;
    yoke__free(*checks);
    *checks = NULL;
    return status;
}

void yoke__checks_close(yoke__checks *checks)
{
    if (checks != NULL)
        yoke__forgotten_unwatch();
    yoke__free(checks);
}

static bool is_new(yoke__checks *checks, const yoke_kernel *kernel, yoke__finding what, unsigned parameter)
{
    for (unsigned k = 0; k < checks->count; k++)
        if (checks->told[k].kernel == kernel && checks->told[k].what == what && checks->told[k].parameter == parameter)
            return false;
    if (checks->count == MOST_FINDINGS)
        return false;
    checks->told[checks->count].kernel = kernel;
    checks->told[checks->count].what = what;
    checks->told[checks->count++].parameter = parameter;
    return true;
}

static void print(const char *text)
{
    char line[600];
    const int length = snprintf(line, sizeof line, "yoke: %s\n", text);
    if (length > 0)
        yoke__tell(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

static void compose(char *text, size_t bytes, const yoke_kernel *kernel, const char *format, va_list arguments)
{
    int used = snprintf(text, bytes, "kernel %s (%s:%d): ", kernel->name, kernel->file, kernel->line);
    if (used > 0 && (size_t)used < bytes)
        (void)vsnprintf(text + used, bytes - (size_t)used, format, arguments);
}

int yoke__found(yoke__checks *checks, const yoke_kernel *kernel, yoke__finding what, unsigned parameter,
                const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    compose(text, sizeof text, kernel, format, arguments);
    va_end(arguments);
    if (is_new(checks, kernel, what, parameter))
        print(text);
    return yoke__fail(YOKE_ECHECK, "%s", text);
}

int yoke__not_looked_at(yoke__checks *checks, const yoke_kernel *kernel, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    compose(text, sizeof text, kernel, format, arguments);
    va_end(arguments);
    if (is_new(checks, kernel, YOKE__FOUND_LIMIT, 0))
        print(text);
    return YOKE_OK;
}
