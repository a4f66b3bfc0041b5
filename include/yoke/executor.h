/* Executors: who runs tasks. A task is a function and its argument; submitting it takes a future (yoke/future.h), which the
 * program owns, so that nothing is allocated.
 *
 *     static int square(void *argument, void *result)
 *     {
 *         const int *x = argument;
 *         *(int *)result = *x * *x;
 *         return 0;
 *     }
 *
 *     yoke_executor *pool = yoke_thread_pool(3);
 *     yoke_future f = {0};
 *     int five = 5, squared;
 *     yoke_submit(pool, &f, square, &five);
 *     yoke_result(&f, &squared, sizeof squared, 0);
 *     yoke_join(pool, 0);
 *
 * Any thread may make any call, from inside a task too, but for yoke_join(). All return 0 or a negative status with
 * yoke_error_detail(). When submitting fails, the future stays as it was and nothing runs; otherwise the task ends exactly
 * once. A function must not leave by longjmp or by a C++ exception. Signals are blocked in the threads; who starts programs
 * from a task unblocks them there. In a child of fork() the parent's executors are gone: EFORKED; open new ones there. */
#ifndef YOKE_EXECUTOR_H
#define YOKE_EXECUTOR_H

#include "yoke/future.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yoke_executor yoke_executor;

/** Bits of yoke_thread_pool_options.flags. */
enum {
    YOKE_POOL_REFUSE = 1 /**< a full queue refuses tasks with EFULL; otherwise who submits waits for room */
};

/** How a pool of threads is opened; zeroed members mean the defaults. */
typedef struct yoke_thread_pool_options {
    size_t size;      /**< 0, or sizeof(yoke_thread_pool_options) */
    unsigned threads; /**< tasks that run at once; 0: YOKE_WORKERS, else one per usable core */
    yoke_pin pin;     /**< where their threads are pinned, as a runtime's workers are */
    unsigned flags;   /**< YOKE_POOL_REFUSE */
    size_t queue; /**< tasks that may wait to run; 0: any number, for it takes no memory. Tasks of the pool that submit
                           to it do not wait for room: they would be in their own way */
    unsigned blocking_threads; /**< tasks with YOKE_TASK_BLOCKS that run at once; 0: 64 */
    unsigned
        spare_threads; /**< threads that stand in for those whose tasks wait for others; 0: 256 of either kind. Were
                                    there no more, a waiting thread would run tasks itself: whatever is next */
} yoke_thread_pool_options;

/** Opens a pool of so many threads (0: the default), named yoke-pool/k and pinned one per core, apart from the calling
 *  thread's core if there are enough, and from other pools' cores if there are enough. They sleep while there is nothing to
 *  do. Tasks may call parallel_map(), whose workers are the runtime's own.
 *  @return the pool, to be ended by yoke_join(); NULL: yoke_error_detail() says why (EINVAL, ENOMEM, EAGAIN, ETOPOLOGY). */
YOKE_API yoke_executor *yoke_thread_pool(unsigned threads);
/** The same by options; NULL or zeroed: the defaults. EVERSION: a size that is not known. */
YOKE_API yoke_executor *yoke_thread_pool_on(const yoke_thread_pool_options *options);

/** Bits of yoke_task_options.flags and yoke_map_options.flags. */
enum {
    YOKE_TASK_BLOCKS = 1 /**< it waits for files, sockets or time: it runs on an extra thread, which is not pinned, is
                              started on demand and ends when it had nothing to do for a second */
};

enum { YOKE_PRIORITY_LOW = -1, YOKE_PRIORITY_NORMAL = 0, YOKE_PRIORITY_HIGH = 1 };

/** Options of one task; zeroed members mean the defaults. */
typedef struct yoke_task_options {
    size_t size;           /**< 0, or sizeof(yoke_task_options) */
    const char *name;      /**< for yoke_task_name() and messages; borrowed as long as the future is */
    int priority;          /**< YOKE_PRIORITY_...: of those that wait for a thread, the highest go first, and of these,
                                     who came first; a task that is never the highest never runs */
    unsigned flags;        /**< YOKE_TASK_BLOCKS */
    size_t argument_bytes; /**< above 0: so many bytes of the argument, up to YOKE_ARGUMENT_BYTES (processes: any
                                     number), are copied, and the function gets that; 0: it gets the pointer */
    int64_t deadline_ns;   /**< how long to wait for room in the queue: ETIMEDOUT; 0: as long as it takes */
    yoke_future *const *after; /**< tasks that must be done first, of any executor: see yoke_submit_after() */
    size_t after_count;
    void *result;        /**< where the result goes, with `result_bytes` above 0; borrowed until the future has ended */
    size_t result_bytes; /**< 0: the function writes to the future's own YOKE_RESULT_BYTES; above: to so many bytes,
                                     zeroed before, that are in `result` when it has ended */
    int64_t time_limit_ns; /**< processes only: a task that runs longer is killed and fails with ETIMEDOUT; 0: none */
    unsigned retries; /**< processes only, up to 255: how often the task runs again when its process dies; 0 unless the
                                 function may well run twice */
} yoke_task_options;

/** Has function(argument, result) run, once. The argument is borrowed until the future has ended. The result is what the
 *  function writes to the future's own bytes: yoke_result() copies it out.
 *  @return 0; EBUSY: the future has a task or is in an iteration; ESTATE: the executor was closed; EFULL; EINVAL; EFORKED;
 *          EBROKEN. */
YOKE_API int yoke_submit(yoke_executor *executor, yoke_future *future, yoke_function *function, void *argument);
/** The same by options; NULL or zeroed: the defaults. Also ETIMEDOUT, EVERSION. */
YOKE_API int yoke_submit_on(yoke_executor *executor, const yoke_task_options *options, yoke_future *future,
                            yoke_function *function, void *argument);

/** The same, to run when `count` other tasks are done. If one of them fails or is cancelled, this one does not run, and its
 *  future ends in the same way and with the same status, of the first in the array that did, when those before it are done.
 *  The array, and the futures in it, stay until this future has ended, and are not submitted again before.
 *  @return also ESTATE where one of them is idle. */
YOKE_API int yoke_submit_after(yoke_executor *executor, yoke_future *future, yoke_function *function, void *argument,
                               yoke_future *const *after, size_t count);

/** Options of one map; zeroed members mean the defaults. */
typedef struct yoke_map_options {
    size_t size;           /**< 0, or sizeof(yoke_map_options) */
    const char *name;      /**< as above */
    int priority;          /**< as above */
    unsigned flags;        /**< YOKE_TASK_BLOCKS */
    size_t chunk;          /**< items that a task takes at a time; 0: an eighth of an even share */
    int *statuses;         /**< `count` of them: what the function returned for each item; NULL: nobody wants to know */
    int64_t deadline_ns;   /**< no item begins after it, and the map returns when those that run are done */
    int64_t time_limit_ns; /**< processes only: an item that runs longer is killed and comes to ETIMEDOUT; 0: none */
    unsigned retries;      /**< processes only, up to 255: how often an item runs again when its process dies */
} yoke_map_options;

/** Runs function(item, result) for `count` items that lie one after the other, each of `item_bytes`, and puts the result of
 *  item k at the k-th place of `results`, each zeroed before and of `result_bytes`: in order, whoever ran it when. A size
 *  may be 0: the function then gets the pointer as it is. Returns when all have ended; every item runs, whichever fail.
 *  @return 0 when all returned 0; otherwise what the first in order that did not returned; ETIMEDOUT: some did not begin
 *          or ran too long (their statuses are ETIMEDOUT); ECANCELED: by yoke_cancel_all(); EINVAL, EOVERFLOW, ENOMEM, ESTATE, EFULL,
 *          EFORKED: none ran. */
YOKE_API int yoke_map(yoke_executor *executor, yoke_function *function, size_t count, void *items, size_t item_bytes,
                      void *results, size_t result_bytes);
/** The same by options; NULL or zeroed: the defaults. Also EVERSION. */
YOKE_API int yoke_map_on(yoke_executor *executor, const yoke_map_options *options, yoke_function *function,
                         size_t count, void *items, size_t item_bytes, void *results, size_t result_bytes);

/** The name of the task that the calling thread runs; "" when it has none. Borrowed as the name is. */
YOKE_API const char *yoke_task_name(void);

/** Numbers of tasks since the executor was opened, at one moment: submitted = waiting + running + done + failed + cancelled.
 *  A task counts as ended soon after its future has. */
typedef struct yoke_executor_counts {
    uint64_t submitted, done, failed, cancelled;
    size_t waiting; /**< for a thread, or for other tasks */
    size_t running;
    unsigned threads; /**< there are now; of a pool of processes, the processes */
} yoke_executor_counts;

/** @return 0, EINVAL, EFORKED. */
YOKE_API int yoke_executor_count(yoke_executor *executor, yoke_executor_counts *counts);

/* --- processes --- */

/** More bits, of yoke_process_pool_options.flags. */
enum {
    YOKE_POOL_SERVED_BY_MAIN = 2 /**< tasks run where main calls yoke_serve_if_worker(), not before main */
};

/** How a pool of processes is opened; zeroed members mean the defaults. */
typedef struct yoke_process_pool_options {
    size_t size;          /**< 0, or sizeof(yoke_process_pool_options) */
    unsigned processes;   /**< 0: YOKE_WORKERS, else one per usable core */
    yoke_pin pin;         /**< where each is bound, with all its threads; YOKE_PIN_DEFAULT: nowhere */
    unsigned flags;       /**< YOKE_POOL_REFUSE, YOKE_POOL_SERVED_BY_MAIN */
    size_t queue;         /**< as yoke_thread_pool_options.queue */
    size_t shared_bytes;  /**< of each, for arguments and results under way; 0: 16 MiB, which take memory when used */
    unsigned restarts;    /**< so many times in 10 s a process that died is replaced, of all of the pool; once more, and
                              the pool is broken; 0: 10 */
    size_t memory_bytes;  /**< the most address space of each (RLIMIT_AS), beside shared arrays; 0: no limit */
    unsigned cpu_seconds; /**< the most CPU time of each task (RLIMIT_CPU), else SIGXCPU ends its process; 0: any */
} yoke_process_pool_options;

/** Opens a pool of so many processes (0: the default), for functions that must not run beside each other in one memory, or
 *  that may crash. Each runs one task at a time, on its main thread. They are started from the program's own executable,
 *  with its environment, standard output and working directory, and nothing else of it: not its memory, its descriptors
 *  or its arguments. Before main, and before those constructors of the program and of libraries that libyoke does not
 *  depend on, the library finds out that it is in such a process, and serves tasks there until the pool ends. A program
 *  with functions that need those constructors, as C++ objects of static storage do, calls yoke_serve_if_worker() in main
 *  and says YOKE_POOL_SERVED_BY_MAIN here. In either case libyoke must be linked, not loaded later by dlopen().
 *
 *  What differs from threads:
 *  - The function gets a copy of the argument, and its result is copied back: what the two point to is not. An argument
 *    other than NULL needs argument_bytes; above YOKE_ARGUMENT_BYTES, it stays until the future has ended. In yoke_map(),
 *    items and results are copied too.
 *  - The function is looked for in the process, in the executable and the libraries loaded there: EINVAL in its future when
 *    it is elsewhere, as in a library that was loaded by dlopen(); a function of the program can load it there.
 *  - A process that dies costs the task that it runs: it fails with ECRASH, yoke_result() tells the signal or exit status
 *    and the function, and another process takes the place. What died before a task began costs nothing. In a map, it costs
 *    the item. A task, or each item, can be given a time limit and retries. Too many deaths break the pool: tasks that have not
 *    run fail with EBROKEN, submitting gives EBROKEN, and it is only to be joined.
 *  - YOKE_TASK_BLOCKS means nothing. A task has no access to the pool. Processes ignore SIGINT, for an interrupt from the
 *    keyboard is the program's to act on; other signals are at their defaults. Output of stdio is flushed after each task.
 *  - Callbacks run in the program, on threads of the pool that are not pinned.
 *  - Nothing is shared but arrays of yoke_alloc_shared(): those that there are when a task begins are in its process, at
 *    the same address, and are plain memory there. Arguments may hold such addresses; an argument without argument_bytes
 *    may be one; items and results of yoke_map() in such an array are not copied. A task fails with EIO where five
 *    processes in turn have something else at an address, and with ENOMEM where the system refuses to map an array. A
 *    process that dies leaves what it was writing unspecified. Arrays of yoke_alloc() are copied as any others.
 *    parallel_map() in a task uses a runtime of that process, on every core that the process may use: pin them, or set
 *    YOKE_WORKERS.
 *  The processes end when the pool is joined and when the program ends, however. The program's own handling of SIGCHLD is
 *  left alone and may be any: when it takes the exit status first, that cannot be told.
 *  @return the pool; NULL: yoke_error_detail() says why (EINVAL, ENOMEM, EAGAIN, ETOPOLOGY, EVERSION; EIO: the system
 *          refuses memory, descriptors or a process; ECRASH: they do not come to serve; ENOSYS: the program runs
 *          set-user-ID). */
YOKE_API yoke_executor *yoke_process_pool(unsigned processes);
/** The same by options; NULL or zeroed: the defaults. */
YOKE_API yoke_executor *yoke_process_pool_on(const yoke_process_pool_options *options);

/** For the top of main: in a process of a pool with YOKE_POOL_SERVED_BY_MAIN, it serves tasks and does not return;
 *  otherwise it does nothing. */
YOKE_API void yoke_serve_if_worker(void);

/* --- any --- */

/** No more tasks: submitting gives ESTATE from now on, also to those who wait for room. What was submitted runs.
 *  @return 0 (also when it was closed before), EINVAL, EFORKED. */
YOKE_API int yoke_executor_close(yoke_executor *executor);

/** Cancels every task that has not started and does not just begin to. Their callbacks run on this thread. Tasks of maps
 *  are among them.
 *  @return how many (at most INT_MAX); EINVAL, EFORKED. */
YOKE_API int yoke_cancel_all(yoke_executor *executor);

/** Closes the executor, waits until every task has ended, ends the threads and frees it. NULL is fine and does nothing. One
 *  thread, once; other calls on this executor have returned.
 *  @return 0; ETIMEDOUT: it is closed, runs on, and is to be joined again; EBUSY: from one of its own tasks or callbacks;
 *          EINVAL; EFORKED (in a child there is nothing to end; its memory stays). */
YOKE_API int yoke_join(yoke_executor *executor, int64_t deadline_ns);

#ifdef __cplusplus
}
#endif
#endif
