/* Inside of lib/parallel: devices beside the workers: which may be used, what they are known to need, and a call that
 * goes to one of them. */
#ifndef YOKE_PARALLEL_DEVICES_H
#define YOKE_PARALLEL_DEVICES_H

#include <pthread.h>

#include "lib/backend/backend.h"
#include "lib/parallel/parallel.h"
#include "lib/parallel/select.h"

/* backends.c: the one list. NULL: this build has none. */
const yoke__backend *yoke__device_backend(void);

/* What is known of one kernel by place and size class: place 0 is the workers, 1 + k device k, the last one all together.
 * Of whole calls, and of pieces where a call was divided. */
typedef struct yoke__route_cell {
    _Atomic float item_ns;
    _Atomic uint32_t tries;
    yoke__rate rate; /* by element of the grid; under the lock of yoke__devices */
} yoke__route_cell;

typedef struct yoke__route_row {
    const yoke_kernel *key;
    _Atomic uint32_t learned; /* since it was last written to a file */
    char *file_key;           /* NULL: it is in none */
    size_t file_key_bytes;
    _Atomic uint32_t calls[64];
    yoke__route_cell cell[][64];
} yoke__route_row;

enum { YOKE__ROUTE_ROWS = 256 };

struct yoke__devices {
    const yoke__backend *backend;
    void *state;
    char *text;             /* what may be used, as it was asked for */
    bool optional;          /* nobody asked: found in the background, and none is fine */
    unsigned forks;         /* value of yoke__fork_count() when it was opened */
    int64_t limit_ns;       /* a piece that takes longer, and longer than predicted, is lost */
    int64_t step_limit_ns;  /* of discovery, and of compiling */
    _Atomic int64_t worked; /* predicted time of the calls that devices could have helped with */
    _Atomic bool begun;     /* that has come up often enough to look for devices */
    bool any;               /* some device may be used; once they are known */
    _Atomic unsigned calls; /* under way: what closing must not free */
    _Atomic bool known;     /* devices are known, selection and rows stand */
    pthread_mutex_t lock;   /* to make it so; and rates */
    yoke__selection selection;
    unsigned count;
    yoke__route_row *_Atomic rows[YOKE__ROUTE_ROWS];
    yoke__cache cache; /* of what was measured; zeroed: none */
    char *machine; /* what the measurements hold for: CPUs, workers, devices and drivers; NULL until they are known */
    char host[64]; /* of these: the workers */
    yoke__devices *next_open;
};

/* devices.c */

/* `host`: what the workers' times hold for. *out stays NULL when only the workers are asked for, or when it fails; then a thread that hangs in a driver may need the
 * topology for ever. 0, EINVAL, ENODEV (a device was named that is not there), EFORKED,
 * ENOMEM. */
int yoke__devices_open(yoke__devices **out, const char *text, const char *host, const yoke__topology *topology,
                       bool *topology_stays);
/* False: the topology must stay. */
bool yoke__devices_close(yoke__devices *devices);
/* A call of another thread is under way. */
bool yoke__devices_are_busy(const yoke__devices *devices);
/* Whether the workers may run kernels, too. */
bool yoke__devices_leave_cpu(const yoke__devices *devices);
/* Looks for devices and waits for it. 0, or why there cannot be any. */
int yoke__devices_know(yoke__devices *devices);
/* The same without waiting. Cheap once they are known. */
bool yoke__devices_are_known(yoke__devices *devices);
/* A call was run that a device may have helped with: begins to look for them when that has come up often enough. */
void yoke__devices_worked(yoke__devices *devices, double ns);
/* See yoke__select_devices, of the devices found. */
int yoke__devices_select(const yoke__devices *devices, const char *text, yoke__selection *selection);
/* learned.c, learned_list.c */

enum { YOKE__MOST_TRIES = 1 << 20 };

/* A cell in a file. */
typedef struct yoke__learned_entry {
    uint32_t place, class;
    uint32_t bytes; /* of an entry: another version's are not for us */
    uint32_t tries;
    double item_ns;
    yoke__rate rate;
} yoke__learned_entry;

extern const char yoke__learned_kind[];
/* A time that a file may tell. */
bool yoke__learned_is_time(double ns);

/* NULL: no memory, or the table is full; then nothing is learned. Starts with what the cache folder has of it. */
yoke__route_row *yoke__devices_row(yoke__devices *devices, const yoke_kernel *kernel);
/* Once devices are known: what is learned from now on is written when the runtime is closed, or the process ends. */
void yoke__learned_begin(yoke__devices *devices);
/* Writes and frees it. */
void yoke__learned_end(yoke__devices *devices);

/* offload.c */

/* Runs a call where it is predicted to be fastest; what a device did not do, the workers do. `predicted_ns`: on one core;
 * 0: unknown. */
int yoke__run_with_devices(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work,
                           double predicted_ns);

#endif
