/* Inside of lib/opencl, for run.c, pipeline.c, piece.c and buffers.c: one run of a task on a device. */
#ifndef YOKE_OPENCL_RUN_H
#define YOKE_OPENCL_RUN_H

#include "lib/opencl/device.h"
#include "lib/trace/trace.h"

enum {
    RESULT = YOKE_MAX_PARAMETERS, /* place of the partial results among the arrays */
    ARRAYS = YOKE_MAX_PARAMETERS + 1,
    /* Of a piece: each array goes and comes, the kernel, and at the end what is kept on the device comes back. Parts of
     * mirrored arrays go by as many events as fit. */
    EVENTS = 6 * ARRAYS + 2,
    UPLOAD_EVENTS = 3 * ARRAYS,
    PENDING = 32,
    NOT_SHARED = -1
};

/* How a step went, worse ones later. */
typedef enum verdict {
    FINE,
    OUT_OF_MEMORY, /* the device's or ours: smaller pieces may do */
    BROKEN,        /* a fresh queue may do */
    REJECTED,      /* the driver does not take a call as we make it */
    TOO_LARGE,     /* no piece is small enough */
    MISSING,       /* content of a managed array that cannot be had */
    DEAD,          /* the device is to be given up */
    LEFT           /* the caller waits no longer: no more OpenCL call, no more touch of its memory */
} verdict;

typedef struct events {
    cl_event list[EVENTS];
    size_t bytes[EVENTS]; /* that each moves; 0: none, or as many as the device likes */
    cl_uint count;
} events;

typedef struct piece_range {
    size_t begin, end;
} piece_range;

/* A parameter for the time of the run. Whole and scatter arrays count as one item. */
typedef struct run_array {
    bool used;      /* it is an array */
    bool is_sliced; /* a piece needs its slice; otherwise all of it */
    bool up, down;  /* copied to the device before, from it after */
    bool keeps_old; /* another run of the piece needs the old content: committed at one stroke */
    bool is_whole;  /* uploaded once per run, for both queues */
    bool in_place;  /* of a block that the device shares or mirrors; settled before the errand is sent */
    unsigned char *host;
    size_t element, item_bytes, stride, before, after;
    size_t per;   /* items per item of the task: the block of a reduction */
    size_t items; /* of the whole range */
    yoke__block *block;
    size_t block_offset; /* in elements */
    bool opened;         /* for the device, which writes to the block itself */
    int shared;          /* index in the session, or NOT_SHARED */
    bool writes_back;    /* results in the mirror also go to the host, piece by piece */
    mirror *mirror;      /* of the block, on a device with memory of its own; NULL: it is staged */
    const void *value;   /* of a parameter that is none */
    size_t value_bytes;
} run_array;

typedef struct flight {
    events events;
    piece_range range;
    bool active;    /* range was taken and is not done */
    bool flying;    /* all of it was enqueued; the driver's */
    bool launched;  /* its kernel may have written */
    uint32_t noted; /* mask of arrays with room for notes on their blocks */
    bool alone;     /* nothing else was in flight: its time tells the kernel's speed */
    unsigned choice;
    int64_t started;
    yoke__event traced;
} flight;

typedef struct run {
    errand errand;
    device *device;
    session *session;
    program *program;
    const cl_api *cl;
    yoke__task task;
    yoke_shape shape;
    bool shares; /* memory with the host */
    unsigned parameters;
    run_array array[ARRAYS];
    size_t grain; /* work-items or loop turns per item of the task: a row's, a block's */
    /* Written inside of errand_touch only: the caller reads them when it has left. */
    flight flight[QUEUES];
    piece_range pending[PENDING]; /* taken, to be tried again or in smaller pieces */
    unsigned pending_count;
    /* An array in place is the host's again only at the end: until then pieces that write one count as not done. */
    bool defers;
    piece_range finished[PENDING];
    unsigned finished_count;
    /* Between the threads. */
    _Atomic int64_t beat;   /* when something went on last */
    _Atomic uint32_t stops; /* take no more */
    /* The driver's, and the caller's when the errand has ended. */
    verdict verdict;
    const char *failed_call;
    cl_int failed_error;
    bool has_retried, has_halved;
    bool is_ready;  /* what all pieces share is on its way to the device */
    events prelude; /* of that; on queue 0 */
    size_t most;    /* items that a piece can have */
    size_t size;    /* items of the last piece */
    double item_ns; /* of an item of the task; 0: unknown */
    int64_t last_end;
} run;

/* --- pipeline.c --- */

void run_on_driver(errand *e);
verdict run_judge(run *r, const char *call, cl_int error);
/* Waits for the events of queue q, looks at each, and releases them. */
verdict run_settle(run *r, unsigned q, events *e);
bool run_touch(run *r);
double run_work_items(const run *r, piece_range range);

/* Adds a range to a list of PENDING, beside its neighbours if they are there. False: no room. */
bool range_add(piece_range *list, unsigned *count, piece_range range);

/* --- traced.c: for a trace; nothing without one --- */

/* A command of queue q that has ended: when it ran, as the driver measured it. */
void traced_command(run *r, unsigned q, cl_event event, size_t bytes);
void traced_piece_begin(run *r, unsigned q);
void traced_piece_end(run *r, unsigned q);

/* --- piece.c --- */

/* Items of the array that [begin, end) of the task needs. */
piece_range piece_window(const run_array *a, size_t begin, size_t end);
verdict piece_start(run *r, unsigned q, bool alone);
verdict piece_commit(run *r, unsigned q);

/* Of a piece that was launched and failed, what it may have written is not to be trusted. */
void piece_spoil(run *r, unsigned q);
/* The window of array k, as bytes of its block. */
yoke__span piece_span(const run_array *a, piece_range window);

/* --- mirrors.c --- */

/* Those of the run's arrays that can have one, made if need be. */
verdict mirrors_find(run *r);
/* What is missing in the window goes to the device. */
verdict mirror_bring(run *r, unsigned q, unsigned k, piece_range window, events *e);
/* For lack of memory: others go, or else the run's own. False: there was none to let go of. */
bool mirrors_shed(run *r);
/* For content that another device may have. */
verdict run_bring_to_host(run *r, yoke__block *block, yoke__span span);
/* Before results go there. */
verdict run_claim_for_host(run *r, yoke__block *block, yoke__span span);

/* --- buffers.c --- */

/* Room for so many bytes, the host's to write. */
verdict buffer_ensure(run *r, unsigned q, unsigned k, size_t bytes);
verdict buffer_to_device(run *r, unsigned q, unsigned k, size_t bytes, events *e); /* 0: content does not matter */
verdict buffer_to_host(run *r, unsigned q, unsigned k, size_t bytes, events *e);
/* A part of array k's mirror into the place where a staged piece's results would be. */
verdict mirror_to_staging(run *r, unsigned q, unsigned k, yoke__span span, events *e);
void buffers_release(session *s);
/* LEFT or FINE: what cannot be shared is staged. */
verdict shared_find(run *r);
verdict shared_to_device(run *r, events *e);
/* What stayed on the device between pieces becomes the host's again: shared blocks, whole arrays. */
verdict kept_to_host(run *r, unsigned q, events *e);

#endif
