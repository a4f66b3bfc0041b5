#include <stdarg.h>
#include <stdio.h>

#include "lib/base/base.h"

static _Thread_local char detail[512];
static _Thread_local int last_status;

const char *yoke_strerror(int status)
{
    switch (status) {
    case YOKE_OK: return "success";
#define STATUS_CASE(name, number, text) \
    case number: return text;
        YOKE_STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
    default: return "unknown status";
    }
}

const char *yoke_error_detail(void)
{
    return detail;
}

const char *yoke_version(void)
{
    return YOKE_VERSION;
}

int(yoke__fail)(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    last_status = status;
    return status;
}

int yoke__last_failure(void)
{
    return last_status;
}
