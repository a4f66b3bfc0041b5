/* Runtimes, status codes and version.
 *
 * A runtime owns a team of pinned workers and everything it learned. Most programs never open one: the default
 * runtime opens itself at the first call of a verb. All calls here may be made from any thread. */
#ifndef YOKE_RUNTIME_H
#define YOKE_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define YOKE_VERSION_MAJOR 0
#define YOKE_VERSION_MINOR 1
#define YOKE_VERSION_PATCH 0
#define YOKE_VERSION "0.1.0"

#if defined(_WIN32)
#define YOKE_API
#else
#define YOKE_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Every status: name, number (stable, never reused), text. 0 is success. */
#define YOKE_STATUS_MAP(X)                                          \
    X(EINVAL, -1, "invalid argument")                               \
    X(EOVERFLOW, -2, "size overflows the address space")            \
    X(ENOMEM, -3, "out of memory")                                  \
    X(EVERSION, -4, "structure of an unknown size or version")      \
    X(ENOSYS, -5, "not supported by this build")                    \
    X(EIO, -6, "input or output failed")                            \
    X(EBUSY, -10, "in use")                                         \
    X(ETIMEDOUT, -11, "deadline passed before the work was done")   \
    X(ECANCELED, -12, "cancelled before the work was done")         \
    X(ESTATE, -13, "not possible in this state")                    \
    X(EFORKED, -14, "not usable in a forked child")                 \
    X(EFULL, -15, "the queue is full")                              \
    X(ENODEV, -20, "no such device")                                \
    X(ETOPOLOGY, -21, "the machine's topology could not be read")   \
    X(EAGAIN, -22, "the system lacks resources for another thread") \
    X(ELOST, -23, "data was lost with a device")                    \
    X(ECRASH, -24, "a worker process died while it ran the task")   \
    X(EBROKEN, -25, "worker processes die faster than is allowed")  \
    X(ECHECK, -30, "a kernel does what its parameters deny")        \
    X(EINTERNAL, -99, "internal error: please report it")

enum yoke_status {
    YOKE_OK = 0,
#define YOKE__STATUS_ENUM(name, number, text) YOKE_##name = number,
    YOKE_STATUS_MAP(YOKE__STATUS_ENUM)
#undef YOKE__STATUS_ENUM
};

/** Text of a status code; never NULL, never to be freed. */
YOKE_API const char *yoke_strerror(int status);

/** What happened in this thread's last failed call, and what to do about it; "" when none failed. Valid until
 *  this thread's next failing call. */
YOKE_API const char *yoke_error_detail(void);

/** Version of the library that runs, as "major.minor.patch"; the header's is YOKE_VERSION. */
YOKE_API const char *yoke_version(void);

/** The deadline that lies so many nanoseconds from now (saturating): a time on CLOCK_MONOTONIC, never 0. */
YOKE_API int64_t yoke_deadline_in(int64_t nanoseconds);

/** Where workers are pinned. */
typedef enum yoke_pin {
    YOKE_PIN_DEFAULT = 0, /**< YOKE_PIN of the environment, else compact */
    YOKE_PIN_COMPACT,     /**< neighbours first: fill a cache, a node, a package, then the next */
    YOKE_PIN_SCATTER,     /**< far apart first: round robin over packages, then nodes, then caches */
    YOKE_PIN_NUMA,        /**< round robin over NUMA nodes; a worker may run on any core of its node */
    YOKE_PIN_NONE         /**< workers are not pinned */
} yoke_pin;

/** How a runtime is opened; zeroed members mean the defaults. */
typedef struct yoke_runtime_options {
    size_t size;      /**< 0, or sizeof(yoke_runtime_options) */
    unsigned workers; /**< threads that work, the caller included; 0: YOKE_WORKERS, else one per usable core */
    yoke_pin pin;     /**< policy of placement */
    const char *isa;  /**< "baseline", "avx2", "avx512" or "neon"; NULL: YOKE_ISA, else the best this CPU has */
    /** Which devices may run kernels: a list of "all", "cpu" (the workers), "gpu", "gpu:1", "accelerator", "opencl:0", or
     *  part of a device's name, separated by commas. NULL: YOKE_DEVICES, else "all": the workers and every device but
     *  those that are the CPU itself. Without "cpu" or "all" every map goes to a device that can run it. Borrowed. */
    const char *devices;
    /** Above 0: kernels are checked while they run, for those who debug them, and a call whose kernel breaks a promise
     *  fails with ECHECK, its arrays as they were (docs/kernels.md, "Finding mistakes"); another number draws other
     *  samples. Accesses to managed arrays without yoke_read or yoke_write are told, and fault. 0: YOKE_CHECK, else nothing
     *  is checked. Checked calls take turns, and many times longer. */
    unsigned check;
    /** Hardware threads, by the system's numbers (yoke_usable_cpus): of those that the process may use, the workers go to
     *  these only, as if the others were not there. For several runtimes that share a machine. NULL: all. Borrowed. */
    const unsigned *cpus;
    size_t cpu_count;
} yoke_runtime_options;

typedef struct yoke_runtime yoke_runtime;

/** Opens a runtime of its own: its workers start here and sleep until a verb needs them.
 *  @param options NULL or zeroed means the defaults; borrowed for the call.
 *  @return the runtime, or NULL; then yoke_error_detail() says why (EINVAL: absurd option or unknown environment
 *          value; ENODEV: the CPU lacks the instruction set asked for; ENOMEM; ETOPOLOGY). */
YOKE_API yoke_runtime *yoke_open(const yoke_runtime_options *options);

/** Waits for the asynchronous calls that were made, stops the workers and frees the runtime. NULL is fine: nothing happens.
 *  @return 0; EBUSY when another thread's map still runs on it (or when a body, or a callback of an asynchronous call,
 *          calls this); it then stays open. */
YOKE_API int yoke_close(yoke_runtime *runtime);

/** The runtime that verbs use when none is named; opened at first use, never closed. NULL on failure. */
YOKE_API yoke_runtime *yoke_default_runtime(void);

/** Threads that work for this runtime, the caller included. NULL: the default runtime. Negative on failure. */
YOKE_API int yoke_workers(yoke_runtime *runtime);

/** Sets that number at run time: 1 to 65536; 0 restores the default. Waits for maps that run.
 *  @return 0, EINVAL, EBUSY from inside a body, ENOMEM. */
YOKE_API int yoke_set_workers(yoke_runtime *runtime, unsigned workers);

/** Name of the instruction set that kernels run with: "baseline", "avx2", "avx512", "neon". NULL runtime: default. */
YOKE_API const char *yoke_isa(yoke_runtime *runtime);

#ifdef __cplusplus
}
#endif
#endif
