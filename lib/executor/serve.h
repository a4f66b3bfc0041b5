/* What the process pool asks of the side that serves. */
#ifndef YOKE_EXECUTOR_SERVE_H
#define YOKE_EXECUTOR_SERVE_H

/* Ends a process that was started to serve in main and comes to open a pool instead. */
void yoke__serve_must_have_begun(void);

#endif
