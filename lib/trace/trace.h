/* Door of lib/trace: what was decided and done. Uses base only. */
#ifndef YOKE_LIB_TRACE_H
#define YOKE_LIB_TRACE_H

#include "lib/base/base.h"
#include "yoke/trace.h"

/* Keeps it as this thread's last one. */
void yoke__decision_set(const yoke_decision *decision);

/* How often this thread did that. */
unsigned yoke__decision_count(void);

#endif
