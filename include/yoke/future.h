/* Futures: what a task that was submitted comes to, or an asynchronous call of a verb (yoke/parallel.h).
 *
 * A future is the program's own memory: a variable, a member, an element of an array. Zero it before its first use
 * (`yoke_future f = {0};`, in C++ `{}`), and never copy or move it. A task uses it once:
 *
 *     idle -> pending -> running -> done       the function returned 0
 *                                -> failed     it returned anything else, or a task that it depends on had failed
 *                     -> cancelled             before it ran
 *
 * It has ended in each of the last three, and may then be submitted again, as may one whose submission was refused.
 * Its memory may go, or be zeroed, while it is idle or once a call of this header told that it has ended (a wait, a result,
 * a gather, an iteration); not from inside its callback. What a call here is given must stay until the call returns.
 *
 * Deadlines are points in time on CLOCK_MONOTONIC in nanoseconds, as yoke_deadline_in() makes them: 0 means none, one that
 * has passed means to look without waiting, a negative one is EINVAL. ETIMEDOUT leaves everything as it was.
 *
 * Any thread may make any call, several at once on one future, except where a comment says otherwise. Waiting inside of a
 * task is fine: the thread runs the awaited task itself if it can, or another thread takes its place meanwhile, so that a
 * pool of one thread goes on. A task that waits for itself gets ESTATE. In a child of fork(), a future that had not ended
 * in the parent never will: EFORKED; zero it to use it again. */
#ifndef YOKE_FUTURE_H
#define YOKE_FUTURE_H

#include "yoke/runtime.h"

#ifdef __cplusplus
#define YOKE__ATOMIC(type) type /* the same layout; only the library touches it */
extern "C" {
#else
#define YOKE__ATOMIC(type) _Atomic(type)
#endif

/** Bytes of a result that a future holds itself, and of an argument that it can copy. */
enum { YOKE_RESULT_BYTES = 32, YOKE_ARGUMENT_BYTES = 32 };

/** The function of a task. `result`: YOKE_RESULT_BYTES zeroed bytes in the task's future, or room for the item's result in
 *  a yoke_map(); aligned for every type. @return 0, or what went wrong: any other number, which the future hands on. */
typedef int yoke_function(void *argument, void *result);

typedef struct yoke_future yoke_future;

/** What is called when a future has ended; see yoke_then(). */
typedef void yoke_callback(yoke_future *future, void *argument);

/* Whom to tell of an end. Not for programs. */
struct yoke__watcher {
    struct yoke__watcher *next;
    void (*notify)(struct yoke__watcher *self);
};

union yoke__bytes {
    unsigned char bytes[YOKE_RESULT_BYTES];
    void *pointer;
    long long integer;
    long double number;
};

/** Complete so that programs can embed it; its members are the library's. */
struct yoke_future {
    YOKE__ATOMIC(uint32_t) state_;
    int status_;
    unsigned forks_;
    int fd_; /* 0: none, otherwise one more than the descriptor */
    struct yoke__watcher *watchers_;
    YOKE__ATOMIC(void *) owner_;
    YOKE__ATOMIC(yoke_callback *) callback_;
    void *callback_argument_;
    yoke_function *function_;
    void *argument_;
    const char *name_;
    yoke_future *const *after_;
    size_t after_count_, after_index_;
    struct yoke__watcher dependency_, iteration_;
    YOKE__ATOMIC(void *) iterator_;
    yoke_future *next_, *previous_;
    size_t argument_bytes_, result_bytes_;
    void *result_to_;
    int64_t limit_ns_;
    unsigned char place_, lane_, priority_, watching_, skip_, retries_, why_;
    union yoke__bytes result_, copy_;
};

typedef enum yoke_future_state {
    YOKE_FUTURE_IDLE = 0, /**< never submitted */
    YOKE_FUTURE_PENDING,  /**< waits for a thread, or for tasks that it depends on */
    YOKE_FUTURE_RUNNING,
    YOKE_FUTURE_DONE,
    YOKE_FUTURE_FAILED,
    YOKE_FUTURE_CANCELLED
} yoke_future_state;

/** Where it stands now. The last three tell what it comes to; that its memory may go, only a wait tells. NULL: idle. */
YOKE_API yoke_future_state yoke_state_of(const yoke_future *future);

/** Waits until it has ended, however.
 *  @return 0; ETIMEDOUT; EINVAL; ESTATE: it is idle, or the caller is its own task; EFORKED. */
YOKE_API int yoke_wait(yoke_future *future, int64_t deadline_ns);

/** Waits, and copies the first `bytes` bytes of its result to *value (NULL and 0: not wanted).
 *  @return 0 when it is done; what its function returned when that failed; ECANCELED; else as yoke_wait(). A function that
 *          returns one of these numbers is told apart by yoke_state_of(). EINVAL: more than YOKE_RESULT_BYTES. */
YOKE_API int yoke_result(yoke_future *future, void *value, size_t bytes, int64_t deadline_ns);

/** Cancels a task that has not started: it never will. Its callback runs on this thread before this returns, or, in
 *  the rare case that a task it depends on is just ending, on a thread of the executor: wait before its memory goes.
 *  @return 0: it is cancelled, now or before; EBUSY: it runs, and goes on; ESTATE: it is idle, done or failed; EINVAL;
 *          EFORKED. */
YOKE_API int yoke_cancel(yoke_future *future);

/** Waits for all of them. @return 0 when all are done; otherwise, when all have ended, as yoke_result() of the first in
 *  the array that is not; ETIMEDOUT: not all have ended; EINVAL, ESTATE, EFORKED as yoke_wait(). None: 0. */
YOKE_API int yoke_gather(yoke_future *const *futures, size_t count, int64_t deadline_ns);

/** Waits until one of them has ended, in a task too without running it there.
 *  @return its index, the lowest if there are several; ETIMEDOUT; ENOMEM; EINVAL (also for none, or above INT_MAX),
 *          ESTATE, EFORKED as yoke_wait(). */
YOKE_API int yoke_wait_any(yoke_future *const *futures, size_t count, int64_t deadline_ns);

/** An iteration over futures in the order in which they end. The program's own memory; nothing is allocated. */
typedef struct yoke_completions {
    YOKE__ATOMIC(void *) ended_;
    YOKE__ATOMIC(uint32_t) word_;
    uint32_t seen_;
    struct yoke__watcher *taken_;
    size_t count_, delivered_;
} yoke_completions;

/** Begins an iteration; those that have ended come first, in their order. Until it is delivered, a future belongs to the
 *  iteration: it is not submitted again and does not go, and neither does *completions before the last was delivered.
 *  @return 0; EBUSY: one of them is in an iteration already, or here twice; EINVAL, ESTATE, EFORKED as yoke_wait(). */
YOKE_API int yoke_as_completed(yoke_completions *completions, yoke_future *const *futures, size_t count);

/** Waits for the next one and sets *future. One thread at a time.
 *  @return 0; ESTATE: all were delivered; ETIMEDOUT; EINVAL. */
YOKE_API int yoke_next_completed(yoke_completions *completions, yoke_future **future, int64_t deadline_ns);

/** Has callback(future, argument) run exactly once, when the future has ended: on the thread that ran its task, on the one
 *  that cancels it, or, if it has ended already, on this one before this returns. Where a task it depends on failed, on a
 *  thread of the executor. In it the future's state and result are final; those who wait for the future go on after it has
 *  returned. It must not free or submit the future, nor wait for who waits for it, and should be short.
 *  @return 0; EBUSY: it has a callback; ESTATE: it is idle; EINVAL; EFORKED. Then the callback does not run. */
YOKE_API int yoke_then(yoke_future *future, yoke_callback *callback, void *argument);

/** A new file descriptor, the caller's to close, at any time, that turns readable when the future has ended and stays so
 *  unless somebody reads from it: for poll, epoll, or another loop.
 *  @return the descriptor; EIO: the system refuses one; ESTATE: it is idle; EINVAL; EFORKED. */
YOKE_API int yoke_future_fd(yoke_future *future);

#ifdef __cplusplus
}
#endif
#endif
