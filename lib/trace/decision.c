#include "lib/trace/trace.h"

static _Thread_local yoke_decision last;
static _Thread_local bool any;

void yoke__decision_set(const yoke_decision *decision)
{
    last = *decision;
    any = true;
}

int yoke_last_decision(yoke_decision *decision)
{
    if (decision == NULL)
        return yoke__fail(YOKE_EINVAL, "decision is NULL; give a structure to fill");
    if (!any)
        return yoke__fail(YOKE_ESTATE, "no call of this thread had a device to choose");
    *decision = last;
    return YOKE_OK;
}
