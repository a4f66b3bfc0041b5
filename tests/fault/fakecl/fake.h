/* What the files of the fake driver share. One lock guards everything; commands run without it. */
#ifndef FAKE_H
#define FAKE_H

#pragma GCC visibility push(default)
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>
#pragma GCC visibility pop

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fakecl/fakecl.h"
#include "yoke/kernel.h"

enum { DEVICES_LIMIT = 64, CONTEXT_DEVICES = 8, MAPS_LIMIT = 16, ARGUMENTS_LIMIT = 5 + 2 * YOKE_MAX_PARAMETERS };

typedef enum object_kind { PLATFORM = 1, DEVICE, CONTEXT, QUEUE, MEM, PROGRAM, KERNEL, EVENT } object_kind;

/* The first member of every object. `refs` are the caller's, `pins` the driver's own; without both it is destroyed,
 * and kept in quarantine for a while, so that late uses are noticed. */
typedef struct object {
    const cl_icd_dispatch *dispatch; /* must be first: the ICD loader reads it */
    object_kind kind;
    bool destroyed;
    unsigned refs, pins;
    struct _cl_device_id *device; /* NULL: of a platform */
    struct object *previous, *next;
} object;

struct _cl_platform_id {
    object head;
};

struct _cl_device_id {
    object head;
    unsigned number;
    bool lost;
    uint64_t allocated;
    char name[128], version[128];
    cl_device_type type;
    uint64_t max_alloc, global_mem, group_size, address_bits, units, ns_per_item, launch_us, build_ms;
    double gbps;
    int64_t free_ns; /* when the kernels launched so far have run */
    bool unified, copies, build_fails, isolated, denormals, correctly_rounded, has_double;
};

struct _cl_context {
    object head;
    unsigned count;
    cl_device_id devices[CONTEXT_DEVICES];
};

typedef struct command command;

struct _cl_command_queue {
    object head;
    cl_context context;
    cl_command_queue_properties properties;
    command *first, *last;
    uint64_t enqueued, flushed, done;
    cl_int failed; /* status of a failed command not yet reported */
    bool sync, has_thread;
};

typedef struct mapping {
    unsigned char *at;
    size_t offset, size;
    cl_map_flags flags;
} mapping;

struct _cl_mem {
    object head;
    cl_context context;
    cl_mem_flags flags;
    size_t size;
    unsigned char *block, *data; /* block: allocated, with guards; NULL: data is host_ptr */
    unsigned char *host_ptr;
    mapping maps[MAPS_LIMIT];
    unsigned map_count;
};

struct _cl_program {
    object head;
    cl_context context;
    char *source, *options;
    cl_build_status status;
    char log[200];
};

typedef struct argument {
    bool set;
    size_t size;
    void *value; /* a copy */
} argument;

struct _cl_kernel {
    object head;
    cl_program program;
    const yoke_kernel *kernel;
    argument arguments[ARGUMENTS_LIMIT];
    atomic_int busy; /* inside clSetKernelArg */
};

struct _cl_event {
    object head;
    cl_command_queue queue;
    cl_command_type type;
    cl_int status;
    int64_t begin_ns, end_ns; /* by the device's clock; 0: it did not run */
};

/* What a call is to suffer. */
typedef struct verdict {
    cl_int error, event_status;
    bool flip, overrun, stall;
} verdict;

/* A launch as checked; arguments copied. */
typedef struct launch {
    const yoke_kernel *kernel;
    yoke_call call;
    uint64_t begin, end, size[2];
    uint64_t items;
    unsigned char *result, *written; /* written: some of what it computes */
    size_t written_bytes;
    cl_mem mems[YOKE_MAX_PARAMETERS + 1];
    unsigned mem_count;
    void *values[YOKE_MAX_PARAMETERS];
} launch;

struct command {
    command *next;
    uint64_t number;
    cl_event event;
    verdict fault;
    cl_mem mem;
    unsigned char *host;
    size_t offset, size;
    cl_map_flags map_flags;
    mapping unmap;
    launch *launch;
    unsigned releases; /* when it was enqueued: a stall ends with the next */
    uint64_t cost_ns;
    cl_uint wait_count;
    cl_event *wait;
};

typedef struct fake_state {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of anything */
    struct _cl_platform_id platform;
    struct _cl_device_id devices[DEVICES_LIMIT];
    unsigned device_count;
    bool built, paused, had_context, by_loader;
    unsigned releases; /* generation of "release" */
    uint64_t bytes_in, bytes_out;
    object *live;
    int live_count;
} fake_state;

extern fake_state fake;
extern const cl_icd_dispatch *const fake_dispatch;

void lock(void);
void unlock(void);
void sleep_for_ns(uint64_t ns);

/* shape.c */
int shape_set(const char *assignment);
/* Copies the value for a device into `value`; false: the default holds. */
bool shape_text(const char *name, unsigned device, char *value, size_t capacity);
uint64_t shape_number(const char *name, unsigned device, uint64_t otherwise);
void shape_devices(void); /* makes them if need be */

/* faults.c */
int faults_add(const char *specification);
void faults_reset(void);

/* Every entry point begins with it, without the lock: checks the object, counts the call, applies the faults. */
verdict enter(const char *function, const void *what, object_kind kind);

/* objects.c */
__attribute__((format(printf, 1, 2))) void violation(const char *format, ...);
int violations_count(void);
void violations_reset(bool lenient);
void violations_clear(void);
/* With one reference, in the list of live objects; `bytes` of zeros. NULL: no memory. Takes the lock. */
void *object_new(object_kind kind, size_t bytes, cl_device_id device);
bool object_usable(const char *function, const void *what, object_kind kind); /* with the lock; else a violation */
/* These with the lock held. */
void pin(void *what);
void unpin(void *what);
void drop(void *what);
cl_int object_retain(const char *function, void *what, object_kind kind);
cl_int object_release(const char *function, void *what, object_kind kind);
int objects_print(void);                 /* takes the lock */
void *refused(cl_int *to, cl_int error); /* NULL */
cl_int invalid(object_kind kind);

/* memory.c */
void mem_destroy(cl_mem mem);
bool mem_check_guards(const struct _cl_mem *mem, const char *when);

/* program.c, kernel.c */
void program_destroy(cl_program program);
void kernel_destroy(cl_kernel kernel);
bool source_has_kernel(const char *source, const char *name);
const yoke_kernel *kernel_find(const char *name); /* of the descriptor, without yoke_k_ */
bool is_reduction(const yoke_kernel *kernel);
bool is_flat(const yoke_kernel *kernel);

/* queue.c */
/* A command with its event, pinned and not yet in the queue; NULL with *error. */
command *command_new(const char *function, cl_command_queue queue, cl_command_type type, const verdict *fault,
                     cl_uint wait_count, const cl_event *wait, cl_int *error);
/* Gives it to the queue; waits for its end if blocking, and then returns how it ended. */
cl_int command_enqueue(command *c, bool blocking, cl_event *event);
void command_free(command *c); /* with the lock */

/* transfer.c, launch.c: on the queue's thread, without the lock */
void transfer_run(command *c);
void launch_run(command *c);
void launch_free(launch *l); /* with the lock */

/* info.c: the answer of a clGet...Info */
cl_int answer(const void *value, size_t bytes, size_t capacity, void *to, size_t *needed);
cl_int answer_text(const char *text, size_t capacity, void *to, size_t *needed);

#define ANSWER(type, expression)                                                 \
    do {                                                                         \
        const type answer_value = (expression);                                  \
        return answer(&answer_value, sizeof answer_value, capacity, to, needed); \
    } while (0)

#endif
