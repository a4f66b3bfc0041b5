#include <errno.h>
#include <stdlib.h>

#include "lib/base/base.h"

const char *yoke__env(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool yoke__parse_unsigned(const char *text, unsigned long low, unsigned long high, unsigned long *value)
{
    if (text[0] < '0' || text[0] > '9') /* strtoul would take blanks and a minus */
        return false;
    char *end;
    errno = 0;
    unsigned long parsed = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || parsed < low || parsed > high)
        return false;
    *value = parsed;
    return true;
}
