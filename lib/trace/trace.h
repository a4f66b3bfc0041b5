/* Door of lib/trace: what was decided and done. Uses base only. */
#ifndef YOKE_LIB_TRACE_H
#define YOKE_LIB_TRACE_H

#include "lib/base/base.h"
#include "yoke/trace.h"

/* Keeps it as this thread's last one. */
void yoke__decision_set(const yoke_decision *decision);

/* How often this thread did that. */
unsigned yoke__decision_count(void);
/* Writes to standard error: only for what the environment asks for (YOKE_EXPLAIN, YOKE_CHECK). */
void yoke__tell(const char *text, size_t bytes);
/* The same from a handler of signals. */
void yoke__tell_now(const char *text, size_t bytes);
/* Tells the decision there. */
void yoke__explain(const yoke_decision *decision);

#endif
