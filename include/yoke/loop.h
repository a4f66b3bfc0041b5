/* An event loop on libuv: what Python's asyncio gives. One thread runs the loop; what sleeps, waits for a file
 * descriptor or for a future costs memory, not a thread. A component of its own: link yoke::loop, or pkg-config
 * yoke-loop.
 *
 *     typedef struct counter {
 *         yoke_async async;                               // the first member
 *         const char *name;
 *         int k;                                          // what lives across an await lives here
 *     } counter;
 *
 *     static int count(yoke_async *self)
 *     {
 *         counter *c = (counter *)self;
 *         YOKE_ASYNC_BEGIN(self);
 *         for (c->k = 1; c->k <= 3; c->k++) {
 *             printf("%s %d\n", c->name, c->k);
 *             YOKE_AWAIT_SLEEP(self, INT64_C(1000000000)); // a second, in which others run
 *         }
 *         YOKE_ASYNC_END(self);
 *     }
 *
 *     yoke_loop *loop = yoke_loop_open();
 *     counter a = {.name = "A"}, b = {.name = "B"};
 *     yoke_future both = {0}, *each[] = {&a.async.future, &b.async.future};
 *     yoke_loop_start(loop, &a.async, count);
 *     yoke_loop_start(loop, &b.async, count);
 *     yoke_gather_async(loop, &both, each, 2, 0);
 *     yoke_loop_run(loop, &both, 0);
 *     yoke_loop_close(loop);
 *
 * The loop's thread is the one that opened it, until another one calls yoke_loop_run(): any thread may, one at a time.
 * There, and only there, futures of a loop end and their callbacks, continuations and steps run; but one that another
 * thread cancels may end on that thread. They should be short, and must not wait (yoke_wait() and the like) for what
 * the loop itself is to end, for then it would not go on. Any thread may make any call, but for yoke_loop_close() and
 * those of a step.
 *
 * Futures of a loop are as those of yoke/future.h: yoke_then(), yoke_result(), yoke_cancel(), yoke_wait() from other
 * threads, yoke_submit_after() of a pool, all work. Nothing is allocated per future. Deadlines are those of
 * yoke_deadline_in(); 0: none. Time has a resolution of a millisecond; nothing ends early.
 *
 * All return 0 or a negative status with yoke_error_detail(); when a call fails, the future stays as it was and no
 * callback runs. In a child of fork() the parent's loops give EFORKED. */
#ifndef YOKE_LOOP_H
#define YOKE_LOOP_H

#include "yoke/future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t of <uv.h>, which need not be there */

typedef struct yoke_loop yoke_loop;

/** Opens a loop. @return it, to be closed by yoke_loop_close(); NULL: yoke_error_detail() says why (ENOMEM, EIO). */
YOKE_API yoke_loop *yoke_loop_open(void);

/** The same inside of the program's own libuv loop: uv_run() runs both. It is called by the thread that runs it, and
 *  goes on as long as something of this loop is pending; what other threads begin keeps it going when it runs by then.
 *  @return as yoke_loop_open(); NULL also for EINVAL. */
YOKE_API yoke_loop *yoke_loop_on(struct uv_loop_s *uv);

/** Closes the loop while it does not run; inside of a libuv loop of the program, on its thread. What is pending ends as
 *  cancelled, with its callback on this thread; continuations (yoke_loop_then()) run only if their future has ended. In
 *  a libuv loop of the program, libuv has to run once more before uv_loop_close(), as after any uv_close(). Other calls
 *  on this loop have returned. NULL is fine. @return 0; EBUSY: it runs, or from its callback; EFORKED. */
YOKE_API int yoke_loop_close(yoke_loop *loop);

/** Runs the loop on this thread until the future, of any executor, has ended; NULL: until nothing is left to wait for,
 *  handles of the program's own libuv loop included.
 *  @return 0; ETIMEDOUT: the rest goes on in the next run; EBUSY: it runs already, or from its callback; EINVAL,
 *          ESTATE, EFORKED as yoke_wait(). */
YOKE_API int yoke_loop_run(yoke_loop *loop, yoke_future *future, int64_t deadline_ns);

/** A future that is done so many nanoseconds from now; 0 or less: at the loop's next turn. Those of one time end in the
 *  order of the calls. @return 0; EBUSY: the future is in use; ESTATE: the loop closes; EINVAL; EFORKED. */
YOKE_API int yoke_sleep_async(yoke_loop *loop, yoke_future *future, int64_t nanoseconds);

enum { YOKE_READABLE = 1, YOKE_WRITABLE = 2 };

/** A future that is done when the file descriptor is ready for one of the events; its result is an int: those of them
 *  it is ready for. The end of the input, an error and a hang-up count as ready: reading or writing tells. Several
 *  futures may wait for one descriptor. It stays open until the future has ended; cancel before closing it. The future
 *  fails with ETIMEDOUT after the deadline.
 *  @return 0; EINVAL: not a descriptor one can wait for (files of a disk are always ready); EIO: the system refuses;
 *          ENOMEM; EBUSY; ESTATE; EFORKED. */
YOKE_API int yoke_ready_async(yoke_loop *loop, yoke_future *future, int fd, int events, int64_t deadline_ns);

/** A future that ends when all of `count` futures of any executors have ended: done when all are done, otherwise as the
 *  first in the array that is not. After the deadline it fails with ETIMEDOUT, and the others go on, as they do when it
 *  is cancelled. The array and the futures stay until it has ended. None: it is done at the loop's next turn.
 *  @return 0; EBUSY; ESTATE (also: one of them is idle); EINVAL; EFORKED. */
YOKE_API int yoke_gather_async(yoke_loop *loop, yoke_future *future, yoke_future *const *futures, size_t count,
                               int64_t deadline_ns);

/** What yoke_loop_then() and yoke_loop_post() need: the program's own memory, zeroed before its first use, free again,
 *  also for reuse, when its callback begins. Its members are the library's. */
typedef struct yoke_continuation {
    struct yoke__watcher watcher_;
    yoke_loop *loop_;
    yoke_future *future_;
    yoke_callback *callback_;
    void *argument_;
    struct yoke_continuation *next_, *previous_;
    unsigned char active_, listed_;
} yoke_continuation;

/** Has callback(future, argument) run on the loop's thread once the future, of any executor, has ended: unlike
 *  yoke_then(), any number of them, wherever the future ends. Future and continuation stay until then.
 *  @return 0; EBUSY: the continuation is in use; ESTATE: the future is idle, or the loop closes; EINVAL; EFORKED. */
YOKE_API int yoke_loop_then(yoke_loop *loop, yoke_continuation *continuation, yoke_future *future,
                            yoke_callback *callback, void *argument);

/** Has callback(NULL, argument) run on the loop's thread at its next turn. @return as yoke_loop_then(). */
YOKE_API int yoke_loop_post(yoke_loop *loop, yoke_continuation *continuation, yoke_callback *callback, void *argument);

/* --- tasks that wait without a thread --- */

/** What a step returns when it is to be called again. */
enum { YOKE_AWAITS = -1000 };

typedef struct yoke_async yoke_async;

/** The function of an asynchronous task. It is called on the loop's thread; where it would wait, it returns what one of
 *  the yoke_await...() calls returns, and is called again with the same `self` when that has ended.
 *  @return YOKE_AWAITS; 0: done; any other number: failed, and its future carries the number. */
typedef int yoke_step(yoke_async *self);

/** An asynchronous task: the program's own memory, zeroed before its first use, often the first member of a structure
 *  with what the task remembers. It stays until `future` has ended. */
struct yoke_async {
    yoke_future future; /**< of the whole task: to be gathered, awaited, cancelled */
    int status;         /**< in a step: what it waited for came to: 0, or as yoke_result() */
    int events;         /**< in a step: what the descriptor is ready for */
    int line_;
    unsigned char waits_, listens_;
    yoke_step *step_;
    yoke_future *awaited_;
    struct yoke__watcher resume_;
    yoke_future wait_;
};

/** Starts the task: its first step runs at the loop's next turn. Cancelling its future while it waits cancels what it
 *  waits for (sleep, readiness; not the futures that it awaits), and no step is called again; it ends on the loop's
 *  thread. In a step it cannot be cancelled: EBUSY.
 *  @return 0; EBUSY: it has not ended; ESTATE: the loop closes; EINVAL; EFORKED. */
YOKE_API int yoke_loop_start(yoke_loop *loop, yoke_async *async, yoke_step *step);

/** The task's result, YOKE_RESULT_BYTES zeroed bytes: a step writes it, yoke_result() of the future copies it. */
static inline void *yoke_async_result(yoke_async *self)
{
    return self->future.result_.bytes;
}

/* Each may be called once before a step returns, only there, and returns YOKE_AWAITS, which the step returns. Whatever
 * goes wrong is in self->status when the step is called again: what a call here says otherwise, ETIMEDOUT, or what the
 * future came to. Futures and arrays stay until then. */

YOKE_API int yoke_await_sleep(yoke_async *self, int64_t nanoseconds);
YOKE_API int yoke_await_ready(yoke_async *self, int fd, int events, int64_t deadline_ns);
YOKE_API int yoke_await_all(yoke_async *self, yoke_future *const *futures, size_t count, int64_t deadline_ns);
YOKE_API int yoke_await(yoke_async *self, yoke_future *future, int64_t deadline_ns);
/** Others run first. */
YOKE_API int yoke_await_turn(yoke_async *self);

/* A step that reads like a function: it goes on behind the await. Between BEGIN and END local variables keep nothing
 * across an await, no `switch` may surround one, and a line holds one at most. In C++ no variable with an initialiser
 * may be in scope at an await. `return` ends the task at any place. */
#define YOKE_ASYNC_BEGIN(self) \
    switch ((self)->line_) {   \
    case 0:;
#define YOKE_ASYNC_END(self) \
    }                        \
    return 0
#define YOKE_AWAIT_THIS(self, await_call) \
    do {                                  \
        (self)->line_ = __LINE__;         \
        return await_call;                \
    case __LINE__:;                       \
    } while (0)

#define YOKE_AWAIT_SLEEP(self, nanoseconds) YOKE_AWAIT_THIS(self, yoke_await_sleep(self, nanoseconds))
#define YOKE_AWAIT_READY(self, fd, events, deadline_ns) \
    YOKE_AWAIT_THIS(self, yoke_await_ready(self, fd, events, deadline_ns))
#define YOKE_AWAIT_ALL(self, futures, count, deadline_ns) \
    YOKE_AWAIT_THIS(self, yoke_await_all(self, futures, count, deadline_ns))
#define YOKE_AWAIT(self, future, deadline_ns) YOKE_AWAIT_THIS(self, yoke_await(self, future, deadline_ns))
#define YOKE_AWAIT_TURN(self) YOKE_AWAIT_THIS(self, yoke_await_turn(self))

#ifdef __cplusplus
}
#endif
#endif
