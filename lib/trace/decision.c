#include "lib/trace/trace.h"

static _Thread_local yoke_decision last;
static _Thread_local unsigned count;

void yoke__decision_set(const yoke_decision *decision)
{
    last = *decision;
    count++;
}

unsigned yoke__decision_count(void)
{
    return count;
}

int yoke_last_decision(yoke_decision *decision)
{
    if (decision == NULL)
        return yoke__fail(YOKE_EINVAL, "decision is NULL; give a structure to fill");
    if (count == 0)
        return yoke__fail(YOKE_ESTATE, "no call of this thread had a device to choose");
    *decision = last;
    return YOKE_OK;
}
