/* Inside of lib/opencl: threads that make the OpenCL calls. A call into a driver may never return, so no thread of the
 * program makes one: it sends a servant on an errand, and can leave both behind. */
#ifndef YOKE_OPENCL_SERVANT_H
#define YOKE_OPENCL_SERVANT_H

#include "lib/base/base.h"
#include "lib/topology/topology.h"

typedef struct servant servant;

/* Embedded at the start of a larger, allocated structure. Two hold it, the sender and the servant; `dispose` is called
 * by whichever lets go last. */
typedef struct errand {
    void (*run)(struct errand *self);     /* on the servant's thread */
    void (*dispose)(struct errand *self); /* frees it; makes no OpenCL call */
    struct errand *next;                  /* in the queue */
    _Atomic uint32_t finished;            /* futex: 1 when run() has returned */
    _Atomic uint32_t waiting;             /* the sender sleeps on `finished` */
    _Atomic uint32_t holders;
    _Atomic uint32_t touch; /* bit 0: the servant touches the sender's memory; bit 1: it may never begin again */
} errand;

/* The dispose() of those that only have to be freed. */
void errand_free(errand *e);

/* Starts a thread named `name` with all signals blocked. `node`: the system's number of the NUMA node to run near; -1:
 * every usable CPU. `background`: it gives way to all others. NULL with a detail: EAGAIN, ENOMEM. */
servant *servant_start(const yoke__topology *topology, const char *name, int node, bool background);
/* For good, the calling thread gives way to all others, and so does every thread that it starts from now on: not before
 * a driver has started its own. What `background` does at the start. */
void servant_give_way(void);
/* From now on the end of the process waits for errands under way, two seconds at most, before exit handlers that were
 * registered until now run: those of the driver's libraries, when it is called after these were loaded. Where the main
 * thread calls exit(), it waits before all handlers anyway. */
void servant_quiet_at_exit(void);
/* Errands are run in the order in which they were sent. Sets up the errand's own members but for run and dispose. Takes
 * no lock, and wakes the servant only when that sleeps. */
void servant_send(servant *s, errand *e);
/* The same, and the sender lets go: nobody waits for it. */
void servant_post(servant *s, errand *e);
/* Waits for the end until `until_ns` on yoke__now_ns() (0: does not wait); spins first for `spin_ns`. True: it ended. */
bool errand_wait(errand *e, int64_t until_ns, int64_t spin_ns);
/* The sender lets go; it must not touch the errand afterwards. */
void errand_release(errand *e);
/* The servant may touch memory of the sender (arrays, the task) only between these, and only if the first is true. No
 * OpenCL call in between. */
bool errand_touch(errand *e);
void errand_touch_end(errand *e);
/* The sender will not wait for it: returns when the servant touches nothing of its, and it never will again. */
void errand_abandon(errand *e);
/* Asks the thread to end after the errands it has, and waits for that until `until_ns`; one that does not is left behind,
 * detached, with its memory. False then: if its call ever returns, it drops the errands that it still has, unrun. Nothing
 * may be sent any more. NULL is fine. Not in a forked child, which has no servants. */
bool servant_stop(servant *s, int64_t until_ns);

#endif
