/* What Yoke decided, and what came of it. With YOKE_EXPLAIN=1 in the environment each decision is told on standard error,
 * but for calls of one item. With YOKE_TRACE=file.json what happened is written to a file when the process ends: calls and
 * their decisions, who ran which part, steals, waits and sleeps, tasks of pools, and what devices did, in the format that
 * Chrome, Perfetto and "yoke trace" read. The newest events are kept, at most 64 MiB of them; those of forked children are
 * not there. */
#ifndef YOKE_TRACE_H
#define YOKE_TRACE_H

#include "yoke/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { YOKE_SHARES = 16 };

/** What one participant of a call did. */
typedef struct yoke_share {
    int device;       /**< as in yoke_device_of(); -1: the workers */
    const char *name; /**< the device's, borrowed until the runtime is closed; "workers" */
    size_t items;     /**< whose results came from it */
    unsigned pieces;  /**< in which they were done */
    double ns;        /**< from the start of the call to its last result; 0: unknown */
} yoke_share;

/** Where one call ran. */
typedef struct yoke_decision {
    const char *kernel;  /**< its name; borrowed as long as the program that holds the kernel */
    size_t items;        /**< items (2-D: rows) of the call */
    int device;          /**< the device that the whole call was given to, as in yoke_device_of(); -1: the workers, or
                              several participants, see `shares` */
    size_t device_items; /**< items whose results came from devices; the workers did the rest */
    double cpu_ns;       /**< time of the call on the workers as known before; 0: unknown */
    double device_ns;    /**< the same of the device chosen, or else of the best one */
    double predicted_ns; /**< what was expected of the choice; 0: nothing was known */
    double took_ns;      /**< what the call took */
    char reason[200]; /**< why the workers did (some of) it, or why a device was left out: compiling, refused, failed,
                              faster */
    unsigned workers; /**< threads that the workers' part was planned for; 1: the caller alone */
    unsigned share_count;           /**< how many of these: */
    yoke_share shares[YOKE_SHARES]; /**< who took part */
} yoke_decision;

/** Fills *decision with that of this thread's last map or reduction that had a device to choose; small calls, which
 *  never do, and asynchronous ones, which run on another thread, leave it as it was (`pieces` of the options tells who did
 *  what there). @return 0, EINVAL, ESTATE when there was none. */
YOKE_API int yoke_last_decision(yoke_decision *decision);

/** Writes the trace of YOKE_TRACE so far, for programs that do not end in the usual way. Any thread, at any time.
 *  @return 0; ESTATE when nothing is traced; ENOMEM; EIO. */
YOKE_API int yoke_trace_write(void);

/** What was measured of a kernel at one place, in calls of least_items to twice as many; kept in the cache folder. */
typedef struct yoke_learned {
    const char *kernel;   /**< its name; strings are borrowed for the visit */
    const char *machine;  /**< for what it holds: versions, CPU, workers */
    const char *place;    /**< "workers", a device's name, or "all together" */
    uint64_t least_items; /**< a power of two; 2-D: elements */
    double item_ns;       /**< usual time of a call by its items, without transfers of managed arrays; 0: unknown */
    unsigned tries;       /**< calls that it was learned from */
    double launch_ns;     /**< of a piece, where calls were divided; 0: unknown */
    double piece_item_ns; /**< time by item of pieces there; 0: unknown */
} yoke_learned;

/** Calls visit for all that the cache folder has, in no order, until it returns other than 0. Programs write there when
 *  they close a runtime, or end. Any thread.
 *  @return 0, what visit returned, or EINVAL. */
YOKE_API int yoke_learned_visit(int (*visit)(const yoke_learned *learned, void *argument), void *argument);

/** Tasks of all pools of a program since its start. */
typedef struct yoke_task_counts {
    uint64_t submitted;
    uint64_t waiting; /**< for a thread, or for other tasks */
    uint64_t running;
    uint64_t done, failed, cancelled;
} yoke_task_counts;

/** What a thread or a device does at a moment. */
typedef enum yoke_activity {
    YOKE_ELSEWHERE = 0, /**< in the program's own code */
    YOKE_BUSY,          /**< runs items or a task, or compiles */
    YOKE_WAITING,       /**< awake, with nothing to run */
    YOKE_ASLEEP
} yoke_activity;

/** One thread of a program that uses Yoke, or one device. Times and counts are sums since the program's start. */
typedef struct yoke_lane {
    char name[16]; /**< of the thread; "device k" */
    int device;    /**< as in yoke_device_of(); -1: a thread */
    yoke_activity now;
    uint64_t busy_ns, waiting_ns, asleep_ns; /**< with what is going on */
    uint64_t calls, items;                   /**< maps and reductions that it called */
    uint64_t parts, steals;                  /**< pieces that it ran; parts of them that it took from others */
    uint64_t bytes_in, bytes_out;            /**< to and from a device, where its driver tells */
} yoke_lane;

typedef struct yoke_watch yoke_watch;

/** The programs of this user that can be watched: those that run with YOKE_COUNTERS=1 in the environment and have opened a
 *  runtime or a pool. Fills pids[0 .. capacity) and removes what dead ones left. @return how many there are; negative on failure. */
YOKE_API int yoke_watchable(long *pids, unsigned capacity);
/** Begins to watch one. Any thread. @return NULL with a detail: EINVAL when there is no such program, EVERSION, ENOMEM. */
YOKE_API yoke_watch *yoke_watch_open(long pid);
/** Fills lanes[0 .. capacity). One thread at a time. @return how many there are; ESTATE when the program has ended. */
YOKE_API int yoke_watch_read(yoke_watch *watch, yoke_lane *lanes, unsigned capacity);
/** Fills *tasks as of the last yoke_watch_read(), or of opening. One thread at a time. @return 0, EINVAL. */
YOKE_API int yoke_watch_tasks(const yoke_watch *watch, yoke_task_counts *tasks);
/** NULL is fine. */
YOKE_API void yoke_watch_close(yoke_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
