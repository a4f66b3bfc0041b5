/* Inside of lib/mpi, a library of its own: open.c (opening, closing), node.c (who uses which cores and devices), wait.c
 * (requests, patience), agree.c (that all ranks make the same call), speeds.c (shares), launch.c (a call's steps),
 * ahead.c (calls that begin before all agree), root.c (arrays of the root), dynamic.c (the same, piece by piece, through windows.c or served.c), reduce.c (partial
 * results), array.c and distributed.c (block-distributed arrays). Uses the public headers, and base for messages.
 *
 * Every step that may fail on one rank alone is followed by an agreement before anybody waits for that rank's data: so a
 * failure is told everywhere, and nobody hangs. */
#ifndef YOKE_LIB_MPI_H
#define YOKE_LIB_MPI_H

#include <mpi.h>

#include "lib/base/base.h"
#include "yoke/mpi.h"
#include "yoke/part.h"
#include "yoke/topology.h"

enum { YOKE__MPI_KERNELS = 64, YOKE__MPI_MESSAGE = 1 << 30 /* bytes at most */ };

/* A kernel's measured speed on each rank, in items per nanosecond; 0: unknown. */
typedef struct yoke__mpi_speed {
    uint64_t kernel; /* hash; 0: free */
    double *rate;
} yoke__mpi_speed;

/* A call over distributed arrays that all ranks agreed on, and the root's values in it. */
enum { YOKE__MPI_VALUES = 256 /* bytes */, YOKE__MPI_KNOWN = 8 };
typedef struct yoke__mpi_known {
    uint64_t kernel; /* hash; 0: none */
    size_t size[2];
    unsigned char values[YOKE__MPI_VALUES];
} yoke__mpi_known;

enum { YOKE__MPI_SLOTS = 2, YOKE__MPI_KEPT = YOKE__MPI_SLOTS * YOKE_MAX_PARAMETERS };

struct yoke_mpi {
    yoke_launcher launcher; /* the first member: a call finds the rest through it */
    yoke_options entry;
    yoke_mpi_call call;
    MPI_Comm comm;
    int rank, size, root;
    yoke_runtime *runtime;
    int64_t patience_ns;
    int broken; /* status of the failure of MPI; 0 */
    int late;   /* status of the last call, which the others do not know; 0 */
    char late_detail[200];
    yoke__mpi_known known[YOKE__MPI_KNOWN];
    void *kept[YOKE__MPI_KEPT]; /* memory for parts of the root's arrays, and its bytes */
    size_t kept_bytes[YOKE__MPI_KEPT];
    uint64_t calls;
    yoke_mpi_array *arrays; /* list */
    uint64_t arrays_opened;
    double *weight;        /* of each rank */
    yoke_mpi_share *share; /* of the last call */
    yoke__mpi_speed speed[YOKE__MPI_KERNELS];
    MPI_Win window; /* over the counter; MPI_WIN_NULL: MPI has none between these ranks */
    int64_t *counter;
};

struct yoke_mpi_array {
    yoke_mpi *mpi;
    yoke_mpi_array *next;
    uint64_t number; /* the same on all ranks; from 1 */
    size_t items, item_bytes, before, after;
    size_t *bounds;       /* rank r has [bounds[r], bounds[r + 1]) */
    unsigned char *local; /* its first item; there is room for the rims around it */
    unsigned char *memory;
};

/* --- wait.c --- */

typedef struct yoke__mpi_requests {
    MPI_Request *list;
    size_t count, capacity;
    bool failed; /* no memory */
} yoke__mpi_requests;

/* A failure of MPI: its text as detail. EIO, and the communicator is broken. 0 for MPI_SUCCESS. */
int yoke__mpi_check(yoke_mpi *mpi, int code, const char *what);
/* Begins to move `bytes`, in messages that MPI can count. Failures are told by the wait. */
void yoke__mpi_send(yoke_mpi *mpi, yoke__mpi_requests *requests, const void *from, size_t bytes, int to, int tag);
void yoke__mpi_receive(yoke_mpi *mpi, yoke__mpi_requests *requests, void *to, size_t bytes, int from, int tag);
/* From the root to all. */
void yoke__mpi_spread(yoke_mpi *mpi, yoke__mpi_requests *requests, void *data, size_t bytes);
void yoke__mpi_add(yoke_mpi *mpi, yoke__mpi_requests *requests, int code, MPI_Request request);
/* Waits for all of them, forgets them. 0, EIO, ETIMEDOUT, ENOMEM. */
int yoke__mpi_wait(yoke_mpi *mpi, yoke__mpi_requests *requests, const char *what);
/* Lets MPI move them on: whether all have ended; any failure is told by the wait. */
bool yoke__mpi_push(yoke__mpi_requests *requests);
int yoke__mpi_wait_one(yoke_mpi *mpi, int code, MPI_Request request, const char *what);
void yoke__mpi_forget(yoke__mpi_requests *requests);

/* --- agree.c --- */

typedef enum yoke__mpi_verb {
    YOKE__MPI_MAP = 1,
    YOKE__MPI_MAP_2D,
    YOKE__MPI_REDUCE,
    YOKE__MPI_ARRAY_OPEN,
    YOKE__MPI_ARRAY_CLOSE,
    YOKE__MPI_SCATTER,
    YOKE__MPI_GATHER,
    YOKE__MPI_CLOSE,
    YOKE__MPI_OPEN
} yoke__mpi_verb;

/* What all ranks have to call alike. */
typedef struct yoke__mpi_matter {
    yoke__mpi_verb verb;
    const yoke_kernel *kernel; /* NULL: none */
    uint64_t kernel_hash;
    size_t size[4];
    uint64_t arrays; /* hash of which parameters are which distributed arrays */
    uint64_t flags, grain;
    void *values; /* in: the root's; out: the same everywhere; at most so many bytes: */
    size_t value_bytes;
} yoke__mpi_matter;

uint64_t yoke__mpi_hash(uint64_t hash, const void *data, size_t bytes);
uint64_t yoke__mpi_hash_kernel(const yoke_kernel *kernel);
/* An agreement on its way. */
enum { YOKE__MPI_WORDS = 12, YOKE__MPI_AGREED = 2 * YOKE__MPI_WORDS + YOKE__MPI_VALUES / 8 };
typedef struct yoke__mpi_agreement {
    const yoke__mpi_matter *matter;
    int status;
    bool changed; /* at the end: the root's values are others than this rank's */
    MPI_Request request;
    uint64_t mine[YOKE__MPI_AGREED], most[YOKE__MPI_AGREED];
} yoke__mpi_agreement;

/* The beginning of a call: `status` is what this rank found wrong so far. All ranks return the same: 0; that of the lowest
 * rank that failed; EINVAL when they do not make the same call. */
int yoke__mpi_agree(yoke_mpi *mpi, const yoke__mpi_matter *matter, int status);
/* The same in two steps, with something else between them; whether it is known that all agree, with this rank's values. */
int yoke__mpi_agree_begin(yoke_mpi *mpi, yoke__mpi_agreement *agreement, const yoke__mpi_matter *matter, int status);
bool yoke__mpi_agree_test(yoke__mpi_agreement *agreement);
int yoke__mpi_agree_end(yoke_mpi *mpi, yoke__mpi_agreement *agreement);
/* A status that the others learn with the next agreement. */
void yoke__mpi_tell_later(yoke_mpi *mpi, int status);
/* In the middle or at the end of one: the same for the status alone. */
int yoke__mpi_agree_status(yoke_mpi *mpi, int status);
/* 0, or ESTATE: broken, or not a thread that may call. */
int yoke__mpi_may_call(const yoke_mpi *mpi);

/* --- node.c --- */

typedef struct yoke__mpi_place {
    unsigned *cpus; /* NULL: all; to be freed */
    size_t cpu_count;
    unsigned workers;  /* 0: as many as there are cores */
    bool is_crowded;   /* no core of its own is left */
    char devices[256]; /* "": as the environment says */
} yoke__mpi_place;

enum { YOKE__MPI_CPUS = 65536 };

/* The ranks of a node that may use a CPU. */
typedef struct yoke__mpi_users {
    uint64_t hash;          /* of which they are */
    unsigned count, before; /* and how many; of these, those with lower numbers */
} yoke__mpi_users;

/* What the ranks of a node may use; rank r of it has cpu[first[r] .. first[r + 1]). */
typedef struct yoke__mpi_node {
    MPI_Comm comm;
    int rank, size;
    yoke_usable_cpu *own; /* this rank's, neighbours side by side */
    size_t own_count;
    double quota;
    unsigned *cpu;
    int *count, *first;
    yoke__mpi_users *users; /* of each own CPU; zeroed */
    unsigned *index;        /* YOKE__MPI_CPUS: of each number, 1 + where it is among the own ones; zeroed */
} yoke__mpi_node;

/* Fills place->cpus, which has room, from the lists of all. Pure. */
void yoke__mpi_take_cores(yoke__mpi_node *node, yoke__mpi_place *place);
/* This rank's part of its node; collective over `comm`. Only messages and statuses of MPI fail: EIO; ENOMEM, ETOPOLOGY. */
int yoke__mpi_divide_node(MPI_Comm comm, yoke__mpi_place *place);
/* Deals out the devices that `runtime` sees; sets place->devices. *again: the runtime is to be opened with them. */
int yoke__mpi_deal_devices(MPI_Comm comm, yoke_runtime *runtime, yoke__mpi_place *place, bool *again);

/* --- speeds.c --- */

/* bounds[0 .. ranks] of shares in proportion to the weights, at multiples of `step`. Pure. */
void yoke__mpi_divide(size_t items, size_t step, const double *weight, int ranks, size_t *bounds);
/* The same by what is known of the kernel. */
void yoke__mpi_shares(const yoke_mpi *mpi, uint64_t kernel, size_t items, size_t step, size_t *bounds);
/* From the shares of the last call. */
void yoke__mpi_learn(yoke_mpi *mpi, uint64_t kernel);

/* --- launch.c --- */

/* A call on its way. */
typedef struct yoke__mpi_run {
    yoke_mpi *mpi;
    const yoke_kernel *kernel;
    uint64_t kernel_hash;
    size_t size[2];
    void *result;
    void *argument[YOKE_MAX_PARAMETERS]; /* arrays as the program gave them; values are the root's */
    yoke_mpi_array *array[YOKE_MAX_PARAMETERS];
    bool distributed;
    yoke_call_shape shape;
    uint64_t *header;   /* what the root tells all: values, aliases, bounds */
    size_t *bounds;     /* of the shares, in it */
    uint64_t *alias;    /* in it: parameter k is the same array as this one */
    yoke_part *windows; /* of distributed arrays: room for one per rank */
    void *whole[YOKE_MAX_PARAMETERS];
    void *memory; /* of partial results, which are of all blocks on the root, else of the own ones: */
    unsigned char *partials;
    yoke__mpi_requests requests;
    yoke__mpi_agreement begun, *agreement; /* on its way; NULL: reached */
    bool has_rims;                         /* or they are coming */
    bool again;                            /* with the root's values, which were others than this rank's */
    void (*look)(void *argument);          /* now and then while this rank computes; NULL: pushes `requests` */
    void *look_argument;
    double compute_ns;
    size_t computed;
} yoke__mpi_run;

static inline bool yoke__mpi_folds(const yoke_kernel *kernel)
{
    return kernel->shape == YOKE_SHAPE_REDUCE || kernel->shape == YOKE_SHAPE_ACCUMULATE;
}

static inline yoke_part yoke__mpi_share_of(const yoke__mpi_run *run, int rank)
{
    return (yoke_part){run->bounds[rank], run->bounds[rank + 1]};
}

int yoke__mpi_launch(const yoke_launcher *self, const yoke_kernel *kernel, size_t size0, size_t size1, void *result,
                     void *const *arguments);
/* Items of the call (not blocks) that a part touches as its own. */
yoke_part yoke__mpi_items_of(const yoke__mpi_run *run, yoke_part part);
/* With the rim that array k has around them. */
yoke_part yoke__mpi_window_of(const yoke__mpi_run *run, unsigned k, yoke_part part);
/* Runs a part on this rank, pushing the run's requests; `arguments` as of yoke_launch_map_part. */
int yoke__mpi_compute(yoke__mpi_run *run, yoke_part part, void *partials, void *const *arguments);
/* Begins to spread the `whole` arrays; ENOMEM. */
int yoke__mpi_make_whole(yoke__mpi_run *run);
void yoke__mpi_spread_whole(yoke__mpi_run *run);

/* --- root.c, dynamic.c, distributed.c: after the agreement, with the header known everywhere --- */

int yoke__mpi_run_root(yoke__mpi_run *run);
int yoke__mpi_run_dynamic(yoke__mpi_run *run);
int yoke__mpi_run_distributed(yoke__mpi_run *run);

/* --- ahead.c: a call over distributed arrays that computes while ranks agree on it --- */

void yoke__mpi_remember(const yoke__mpi_run *run, const yoke__mpi_matter *matter);
/* Whether nothing is lost if the ranks do not agree: it writes `out` arrays only, and all values have been the root's before. */
bool yoke__mpi_may_go_ahead(const yoke__mpi_run *run, const yoke__mpi_matter *matter);

/* A group of parameters that are one and the same array: the first of them stands for all. */
typedef struct yoke__mpi_group {
    bool is_first, reads, writes; /* false for all others */
} yoke__mpi_group;
yoke__mpi_group yoke__mpi_group_of(const yoke__mpi_run *run, unsigned k);
/* Before MPI touches the root's arrays, which may be valid on a device only. */
int yoke__mpi_bring_home(yoke__mpi_run *run);
/* Room for a window of array k, and in *base where item 0 would be. It is kept for later calls, with what was in it; of each
 * array there is one per slot. NULL with a detail. */
void *yoke__mpi_window_memory(const yoke__mpi_run *run, unsigned k, unsigned slot, yoke_part window, void **base);

/* --- dynamic.c: a rank computes a piece while the next one comes --- */

typedef enum yoke__mpi_step {
    YOKE__MPI_IDLE,
    YOKE__MPI_ASKED,
    YOKE__MPI_COMING,
    YOKE__MPI_READY,
    YOKE__MPI_GIVEN
} yoke__mpi_step;

/* A piece on its way to another rank than the root and back. */
typedef struct yoke__mpi_slot {
    yoke__mpi_step step;
    int64_t number; /* of the piece, which is empty at the end: */
    yoke_part piece;
    void *memory[YOKE_MAX_PARAMETERS], *base[YOKE_MAX_PARAMETERS]; /* arrays, and where item 0 would be */
    yoke__mpi_requests requests;
    int64_t order[3]; /* served.c: while it is sent */
} yoke__mpi_slot;

/* One rank's way through the pieces. */
typedef struct yoke__mpi_way {
    yoke__mpi_run *run;
    bool is_root, ended;
    size_t grain, least; /* of pieces, which shrink from the one to the other */
    int64_t number;      /* of the piece that begins at: */
    size_t begin;
    yoke__mpi_slot slot[YOKE__MPI_SLOTS];
    MPI_Win window[YOKE_MAX_PARAMETERS]; /* windows.c: on the root's arrays */
    struct yoke__mpi_office *office;     /* served.c: of the root */
} yoke__mpi_way;

/* How pieces travel. What the slot's requests are for is begun here; failures are told by who waits for them. */
typedef struct yoke__mpi_transport {
    int (*prepare)(yoke__mpi_way *way); /* what may fail on one rank alone */
    int (*open)(yoke__mpi_way *way);
    void (*ask)(yoke__mpi_way *way, yoke__mpi_slot *slot);  /* for a number */
    void (*get)(yoke__mpi_way *way, yoke__mpi_slot *slot);  /* what the piece reads */
    void (*give)(yoke__mpi_way *way, yoke__mpi_slot *slot); /* what it wrote */
    int (*take)(yoke__mpi_way *way, int64_t *number);       /* on the root, for itself */
    void (*look)(yoke__mpi_way *way);                       /* on the root, while it computes */
    int (*finish)(yoke__mpi_way *way, int status);          /* this rank takes no more; `status` is its own */
    int (*close)(yoke__mpi_way *way);                       /* all ranks have finished */
} yoke__mpi_transport;
extern const yoke__mpi_transport yoke__mpi_windows, yoke__mpi_served;

/* Pieces are asked for in the order of their numbers. */
yoke_part yoke__mpi_piece_of(yoke__mpi_way *way, int64_t number);

/* --- reduce.c --- */

/* Room for partial results; ENOMEM. */
int yoke__mpi_make_partials(yoke__mpi_run *run);
/* Where this rank's go. */
void *yoke__mpi_own_partials(const yoke__mpi_run *run);
/* All of them to the root, combined there, and the result to all. */
int yoke__mpi_combine(yoke__mpi_run *run);

/* --- array.c --- */

yoke_mpi_array *yoke__mpi_array_at(const yoke_mpi *mpi, const void *local);
/* Begins to exchange items, so that each rank r gets those of window[r] that are others'. `base`: where item 0 would be in
 * the memory that receives them. */
void yoke__mpi_exchange(const yoke_mpi_array *array, yoke__mpi_requests *requests, const yoke_part *windows, void *base,
                        int tag);

#endif
