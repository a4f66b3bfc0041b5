/* Inside of lib/opencl: what its files share. A device is for ever; its session (context, queues, programs, buffers and
 * the thread that uses them) is given up as a whole when it fails. */
#ifndef YOKE_OPENCL_DEVICE_H
#define YOKE_OPENCL_DEVICE_H

#include <pthread.h>

#include "lib/backend/backend.h"
#include "lib/memory/memory.h"
#include "lib/opencl/api.h"
#include "lib/opencl/opencl.h"
#include "lib/opencl/servant.h"

enum { QUEUES = 2, LOCAL_CHOICES = 4, SIZE_CLASSES = 8, REASON_LENGTH = 200, REASONS = 8 };

typedef struct device device;
typedef struct session session;
typedef struct opencl opencl;
typedef struct opening opening;

/* --- program.c: kernels compiled for a session --- */

typedef enum program_state { PROGRAM_NEW, PROGRAM_BUILDING, PROGRAM_READY, PROGRAM_REFUSED } program_state;

/* How a work-group size did with so many items: the usual time of one, launch included; 0 until it was tried. */
typedef struct choice_times {
    double item_ns;
    unsigned tries;
} choice_times;

typedef struct local_choice {
    size_t size[2]; /* {0, 0}: the driver chooses */
    choice_times at[SIZE_CLASSES];
} local_choice;

typedef struct program {
    const yoke_kernel *kernel; /* an address to compare with: what was there may be gone */
    const char *body;          /* likewise */
    char *name;                /* a copy */
    struct program *_Atomic next;
    _Atomic uint32_t state; /* program_state; a futex */
    /* under programs_lock: */
    struct build *work; /* the errand that compiles or has compiled it */
    servant *sent_to;
    int64_t sent_ns;
    /* constant once READY or REFUSED, but for what runs of choices tell: */
    char *reason; /* of a refusal */
    cl_program built;
    cl_kernel entry; /* arguments are set by the session's driver thread only */
    double item_ns;  /* of a work-item in the last piece, launch included; 0: none yet; the driver thread's */
    bool on_cpu;     /* compiled for a CPU, see prelude.h */
    unsigned runs;
    unsigned choices;
    local_choice choice[LOCAL_CHOICES];
} program;

/* The kernel's program in this session, made if need be; NULL: no memory. Lock-free after the first time. */
program *program_of(session *s, const yoke_kernel *kernel);
/* See yoke__backend.prepare. */
yoke__readiness program_prepare(device *d, session *s, const yoke_kernel *kernel, int64_t until_ns);
/* Releases and frees all; on the driver thread of the session. Waits for the end of a build under way, for ever if that
 * hangs. */
void program_release_all(session *s);

/* groups.c, on the driver thread: the choice for a piece of so many work-items, and how it did. */
unsigned program_choose(program *p, double items);
void program_learn(program *p, unsigned choice, double items, double item_ns);
bool program_was_tried(const program *p, unsigned choice, double items);
/* The usual time of a work-item in pieces of at most so many; 0: unknown. */
double program_item_ns(const program *p, double items);

/* --- buffers.c: device memory of a session; all on its driver thread --- */

/* Buffers are kept from run to run; their content is not. Each belongs to a queue and a parameter (YOKE_MAX_PARAMETERS:
 * partial results). */
typedef struct buffer {
    cl_mem device; /* what kernels use */
    cl_mem pinned; /* host memory for transfers, mapped for ever; NULL where that is malloc's */
    void *staging; /* its address */
    size_t bytes;
} buffer;

/* A block of yoke_alloc that the device uses in place. */
typedef struct shared_block {
    yoke__block *block; /* held */
    cl_mem mem;         /* CL_MEM_USE_HOST_PTR over all of it */
    unsigned moves;     /* of the block, when it was made */
    bool on_device;     /* unmapped, for kernels to use; otherwise mapped, for the host */
    void *mapped;
} shared_block;

/* --- mirrors.c, move.c: managed arrays on a device with memory of its own --- */

/* The device's copy of a block, as long as it; which parts of it are valid is lib/memory's to know. */
typedef struct mirror {
    struct mirror *next;
    yoke__block *block; /* held */
    cl_mem mem;
    size_t bytes;
    uint64_t used;         /* number of the last run that did */
    _Atomic uint32_t refs; /* the list, and those who fetch from it */
} mirror;

typedef struct mirrors {
    pthread_mutex_t lock; /* of the list, which only the driver thread changes */
    mirror *list;
    size_t bytes;
    uint64_t uses;
    _Atomic unsigned home;    /* 0: none yet */
    _Atomic int64_t beat;     /* when a prefetch last went on: runs wait behind it */
    _Atomic int64_t moved_ns; /* when something last came back */
    servant *mover; /* fetches while the driver thread runs kernels; NULL until first needed; under the lock */
    /* The mover's: */
    cl_command_queue queue;
    cl_mem pinned;
    unsigned char *staging;
    size_t slot_bytes; /* of each of its parts */
} mirrors;

bool mirrors_init(session *s);
/* The program freed their blocks; on the driver thread. */
void mirrors_drop_freed(session *s);
/* What only they have goes back to the host; then lets go of all. On the driver thread. */
void mirrors_release_all(session *s);
/* After that, on another thread. False: it hangs. */
bool mirrors_stop(session *s, int64_t until_ns);
/* Begins to bring a block to the device; see yoke_prefetch. */
int mirrors_prefetch(session *s, const void *memory);

/* Lets go of all of it, on the driver thread; before program_release_all() or after, with the queues still there. */
void buffers_release_all(session *s);

/* --- device.c --- */

struct session {
    device *device;
    cl_context context;
    cl_command_queue queue[QUEUES];
    servant *driver;
    program *_Atomic programs;
    pthread_mutex_t programs_lock; /* to add one */
    buffer buffers[QUEUES][YOKE_MAX_PARAMETERS + 1];
    mirrors mirrors;
    shared_block *shared;
    size_t shared_count, shared_capacity;
    size_t piece_bytes_limit;       /* 0: the default; halved when the device runs out of memory */
    unsigned failures;              /* in a row */
    bool has_orphans;               /* commands that nobody waited for may still read any block; the driver thread's */
    bool one_with_host;             /* blocks in place need not be mapped for the host to see them */
    yoke__speed speed;              /* once it was measured */
    _Atomic int speed_state;        /* speed.c's */
    _Atomic int64_t speed_since_ns; /* when measuring it began */
    _Atomic int64_t clock_ns;       /* from the device's clock to ours, for a trace; 0: unknown */
    session *next_left;             /* of those left behind */
};

struct device {
    opencl *owner;
    cl_platform_id platform;
    cl_device_id id;
    yoke_device facts; /* constant but for state, reason and counters, which describe() fills in from below */
    char name[128], vendor[64], platform_name[64], driver_version[64], version[64];
    size_t max_group; /* work-items per group */
    size_t max_item_size[2];
    uint64_t local_bytes;
    bool has_32_bit_addresses;
    session *_Atomic session;             /* NULL until first used */
    _Atomic int state;                    /* yoke_device_state */
    char reasons[REASONS][REASON_LENGTH]; /* each later one in the next place: the last ones stay readable */
    _Atomic unsigned reason;              /* number of the current one; reasons[0] is "" */
    pthread_mutex_t lock;                 /* guards the change of session, state and reason */
    _Atomic uint32_t opening;             /* a session is being opened; a futex */
    opening *current;                     /* the errand that opens it; with the lock held */
    _Atomic uint32_t busy;                /* a run has it; a futex */
    _Atomic uint64_t pieces, bytes_in, bytes_out, pieces_lost;
};

struct opencl {
    const yoke__topology *topology;
    cl_api cl;
    servant *_Atomic bootstrap;        /* made the first call of all; discovers, opens sessions; not pinned, no priority
                                     lowered: the drivers' own threads inherit both from who makes them start */
    unsigned forks;                    /* value of yoke__fork_count() when it was opened: whose threads these are */
    servant *_Atomic prober;           /* has another process look for devices */
    _Atomic int probed;                /* probe.c's */
    servant *_Atomic builder;          /* compiles, in the background */
    yoke__cache cache;                 /* of binaries; zeroed: none */
    _Atomic int64_t build_progress_ns; /* when a build last began or ended */
    _Atomic bool left_behind;          /* a thread, or a session that one may use: nothing of it may be freed */
    int64_t build_limit_ns;            /* opening or compiling that takes longer hangs */
    _Atomic uint32_t discovered;       /* 0 not begun, 1 under way, 2 done; a futex */
    int status;                        /* why there are no devices: 0, or what yoke__cl_load said */
    char reason[REASON_LENGTH];
    device *devices;
    unsigned count;
    opencl *next_left; /* of those that could not be closed */
};

/* Text of the state, never NULL. */
const char *device_reason(device *d);
/* Sets both; any thread. */
void device_set_state(device *d, int state, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* discover.c, on the bootstrap thread: fills cl, devices and count; devices that make no sense are listed as refused. */
void yoke__cl_discover(opencl *o);
/* The same with o->cl already filled. */
void yoke__cl_list_devices(opencl *o);

/* See yoke__backend.probe. */
int opencl_probe(void *state);

/* The session to use, opened if need be on the bootstrap thread, waiting for that until `until_ns` (0: not at all); NULL:
 * not yet, or the device is not READY. */
session *device_session(device *d, int64_t until_ns);
/* Ends the sessions of all devices for good: releases what can be released until `until_ns`. False: something hangs, and
 * nothing of it may be freed. */
bool device_close_all(opencl *o, int64_t until_ns);
int device_reopen(device *d);
/* Leaves a session behind; the device opens another when it is next used. */
void device_drop_session(device *d, session *s);
/* Marks the device lost for a reason and leaves its session behind: its thread may still be inside a call. */
void device_lose(device *d, session *s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* speed.c: see yoke__backend.speed. */
yoke__readiness device_speed(device *d, yoke__speed *speed);

/* Lets go of blocks that the program has freed; on the driver thread. */
void shared_drop_freed(session *s);

/* --- run.c --- */

typedef struct run run;

/* NULL: no memory. What was started must be finished on the same thread. */
run *device_start(device *d, session *s, program *p, const yoke__task *task);
/* See yoke__backend.finish. */
int device_finish(run *r);
device *device_of_run(const run *r);

#endif
