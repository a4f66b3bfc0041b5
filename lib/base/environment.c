#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int yoke__choose_pin(yoke_pin asked, yoke_pin *pin)
{
    static const char *const names[] = {NULL, "compact", "scatter", "numa", "none"};
    if ((unsigned)asked > YOKE_PIN_NONE)
        return yoke__fail(YOKE_EINVAL, "unknown placement policy %u; use a YOKE_PIN_... constant", (unsigned)asked);
    const char *text = asked == YOKE_PIN_DEFAULT ? yoke__env("YOKE_PIN") : NULL;
    *pin = asked == YOKE_PIN_DEFAULT ? YOKE_PIN_COMPACT : asked;
    if (text == NULL)
        return YOKE_OK;
    for (unsigned k = YOKE_PIN_COMPACT; k <= YOKE_PIN_NONE; k++)
        if (strcmp(text, names[k]) == 0) {
            *pin = (yoke_pin)k;
            return YOKE_OK;
        }
    return yoke__fail(YOKE_EINVAL, "YOKE_PIN=%.40s is unknown; use compact, scatter, numa or none", text);
}

int yoke__env_workers(unsigned *workers)
{
    const char *text = yoke__env("YOKE_WORKERS");
    unsigned long value;
    if (text == NULL)
        return YOKE_OK;
    if (!yoke__parse_unsigned(text, 1, YOKE_MAX_WORKERS, &value))
        return yoke__fail(YOKE_EINVAL, "YOKE_WORKERS=%.40s is not a number from 1 to %d", text, YOKE_MAX_WORKERS);
    *workers = (unsigned)value;
    return YOKE_OK;
}
