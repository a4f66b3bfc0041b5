/* Door of lib/parallel, shared by its files: the runtime, argument checks, and running a piece of a kernel. */
#ifndef YOKE_LIB_PARALLEL_H
#define YOKE_LIB_PARALLEL_H

#include "lib/cpu/cpu.h"
#include "lib/memory/memory.h"
#include "lib/schedule/schedule.h"
#include "yoke/parallel.h"
#include "yoke/topology.h"

/* --- runtime.c --- */

typedef struct yoke__costs yoke__costs;
typedef struct yoke__devices yoke__devices;
typedef struct yoke__checks yoke__checks;
typedef struct yoke__backlog yoke__backlog;

struct yoke_runtime {
    yoke__topology *topology;
    yoke__team *team;
    yoke__isa isa;
    yoke_pin pin;
    unsigned default_workers;
    size_t cache_bytes; /* of the last level: data beyond it is streamed */
    yoke__costs *costs;
    yoke__devices *devices; /* NULL: none may be used */
    bool topology_stays;    /* after the runtime: a thread that hangs in a driver may need it */
    bool devices_only;      /* no map goes to the workers that a device can run */
    bool no_shortcut;       /* that, or kernels are checked: */
    yoke__checks *checks;   /* NULL: they are not */
    bool explains;          /* each decision is told */
    /* NULL until the first asynchronous call. */
    yoke__backlog *_Atomic backlog;
    bool tells; /* that, or it is traced */
    /* On the clock of yoke__now_ns(): when the last timed map ended, and when sleepers were last woken for a streak. */
    _Alignas(YOKE_CACHE_LINE) _Atomic int64_t last_end_ns;
    _Atomic int64_t last_wake_ns;
};

extern yoke_runtime *_Atomic yoke__default_runtime; /* NULL until it opens */

/* NULL means the default runtime, opened if need be; NULL with a detail when that fails. Inline, as the check below: a
 * map of one item notices. */
static inline yoke_runtime *yoke__runtime_or_default(yoke_runtime *runtime)
{
    if (runtime == NULL)
        runtime = atomic_load_explicit(&yoke__default_runtime, memory_order_acquire);
    return runtime != NULL ? runtime : yoke_default_runtime();
}

/* machine.c */
yoke_topology yoke__public_topology(const yoke__topology *topology);

int yoke__check_given_options(const yoke_options *options);
/* Only looks: a call that is made now may run while others use what the options point to. Not NULL. */
int yoke__check_settings(const yoke_options *options);

/* YOKE_ALWAYS_DIVIDE and so on. NULL is fine. */
static inline bool yoke__has_flag(const yoke_options *options, unsigned flag)
{
    return options != NULL && (options->flags & flag) != 0;
}

/* 0, EINVAL or EVERSION, with a detail. NULL is fine. */
static inline int yoke__check_options(const yoke_options *options)
{
    return options != NULL ? yoke__check_given_options(options) : YOKE_OK;
}

/* --- costs.c: what an item of a kernel costs on one core, learned; one table per runtime, shared by all threads --- */

/* Of one kernel, by size class: see yoke__headcount. */
typedef struct yoke__headcounts yoke__headcounts;

/* One kernel's estimates, by size class (powers of two of the number of items). */
typedef struct yoke__cost {
    _Atomic(const void *) key;
    _Atomic uint32_t calls;
    _Atomic float item_ns[64];
    /* Where there are two ways, how often one was chosen, and each way's time by item as it passed. */
    _Atomic uint32_t choices[64];
    _Atomic float passed_ns[2][64];
    yoke__headcounts *_Atomic headcounts; /* NULL until a map may be bound by memory */
} yoke__cost;

enum { YOKE__COSTS = 512 };
struct yoke__costs {
    yoke__cost entry[YOKE__COSTS];
};
/* Where the search for a kernel begins; mostly it is there. */
static inline size_t yoke__costs_place(const void *key)
{
    return (size_t)((uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 40) % YOKE__COSTS;
}

yoke__costs *yoke__costs_create(void);
void yoke__costs_free(yoke__costs *costs);
/* NULL when the table is full: then nothing is learned. */
yoke__cost *yoke__costs_find(yoke__costs *costs, const void *key);
/* 0: unknown. */
double yoke__cost_item_ns(yoke__cost *cost, size_t items);
/* `item_ns`: the run's time by item, shared by so many workers. */
void yoke__cost_learn(yoke__cost *cost, size_t items, double item_ns, unsigned workers);
/* Which of two ways to go this time, and whether to learn from it: both are tried, then the faster one is kept, and now
 * and then both are tried again. `true` is tried `burst` times in a row: workers need some short maps to wake up and,
 * sometimes, to change cores for. A map beyond the caches is run plain or streamed, a short one by the caller alone or
 * divided: false or true. NULL: true. */
typedef struct yoke__choice {
    bool way, trial;
} yoke__choice;
yoke__choice yoke__cost_choose(yoke__cost *cost, size_t items, unsigned burst);
void yoke__cost_learn_choice(yoke__cost *cost, size_t items, double passed_ns, yoke__choice choice);
/* How many of so many workers a map beyond the caches gets; see yoke__headcount_choose. All of them without memory. */
yoke__headcount_choice yoke__cost_choose_workers(yoke__cost *cost, size_t items, unsigned workers, bool quiet);
void yoke__cost_learn_workers(yoke__cost *cost, size_t items, double passed_ns, yoke__headcount_choice choice);
/* Whether this call should be timed: short calls are only now and then, for two looks at the clock cost 50 ns. */
bool yoke__cost_wants_time(yoke__cost *cost, double predicted_ns);

/* --- check.c --- */

/* A call whose arguments were found good. */
typedef struct yoke__checked {
    const yoke_kernel *kernel;
    yoke_call call;
    size_t items;                           /* to divide: n, or rows */
    size_t item_bytes[YOKE_MAX_PARAMETERS]; /* of arrays, per element of the grid; 0 where they are not sliced */
    uint32_t streamable;                    /* mask of those that are written only, and no input of this call */
    size_t bytes;                           /* touched by the call, all arrays */
    size_t pitch;                           /* 2-D: grid elements from row to row */
    bool indivisible;                       /* scatter: one place */
} yoke__checked;

/* Whether its items are rows of a grid. */
static inline bool yoke__has_rows(const yoke_kernel *kernel)
{
    return kernel->shape == YOKE_SHAPE_MAP_2D || kernel->shape == YOKE_SHAPE_LANES_2D;
}

int yoke__check_call(yoke__checked *checked, const yoke_kernel *kernel, const yoke_options *options, size_t size0,
                     size_t size1, void *const *arguments);

/* map.c, reduce.c, work.c: what else can be said of a call's arguments before it runs: of the body and the pitch of a
 * parallel_for, of a reduction's result, of the devices that a call with items asks for. */
int yoke__check_for(const yoke_options *options, void (*body)(size_t begin, size_t end, void *argument));
int yoke__check_result(const yoke_kernel *kernel, const void *result);
int yoke__check_asked(const yoke_runtime *runtime, const yoke_options *options);

/* --- piece.c --- */

/* Runs items [begin, end) of a checked call on the calling thread, streaming `out` arrays if told to. */
void yoke__run_piece(const yoke__checked *checked, yoke__isa isa, bool streaming, size_t begin, size_t end);

/* --- work.c --- */

/* The work of one call, whatever its kind: run(context, begin, end) over items. */
typedef struct yoke__work {
    void (*run)(void *context, size_t begin, size_t end);
    void *context;
    size_t items; /* to divide: items, rows, or a reduction's blocks; */
    size_t begin; /* those before it are done already */
    size_t total; /* what the program calls items, */
    size_t scale; /* and how many of them one item stands for */
    size_t base;  /* of a part of a call: so many items of the call lie before it */
    size_t step;  /* pieces begin at multiples of it */
    bool indivisible;
    bool large;          /* beyond the caches: */
    yoke__choice choice; /* whether it is streamed */
    /* For devices; NULL: it is no kernel. Reductions: grid items per block, and where partial results go. */
    const yoke__checked *checked;
    size_t block;
    unsigned char *partials;
} yoke__work;

/* `key` tells what is run, for the learned costs: the kernel or the function. */
int yoke__run_work(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work);

/* map.c: whether `out` arrays are written past the caches. */
void yoke__choose_streaming(const yoke_runtime *runtime, const yoke_options *options, bool *stream, yoke__work *work);
/* reduce.c: pairs at distance 1, 2, 4, ...; the first partial result becomes the result. */
void yoke__combine_tree(const yoke_kernel *kernel, unsigned char *partials, size_t blocks);

/* checking.c: the same in a runtime that checks kernels. ECHECK when this one breaks a promise; then its arrays are as
 * before. */
int yoke__run_checked(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work);

/* The detail of a call that its deadline or a cancel ended, for either status; others pass. */
int yoke__end_early(int status);

/* --- residency.c: managed arrays of a call --- */

/* Before the workers run: what they read becomes valid on the host, and what they write only there. Also ETIMEDOUT,
 * ECANCELED. */
int yoke__bring_home_now(const yoke__work *work, const yoke_options *options);
static inline int yoke__bring_home(const yoke__work *work, const yoke_options *options)
{
    return yoke__memory_is_away() && work->checked != NULL ? yoke__bring_home_now(work, options) : YOKE_OK;
}
/* What the call wrote becomes valid on the host. */
int yoke__write_back(const yoke__work *work);
enum { YOKE__BORROWED = 64 };
/* Parts of arrays that the program did not ask for; what does not fit here is not given back. */
typedef struct yoke__borrowed {
    unsigned count;
    unsigned char *at[YOKE__BORROWED];
    size_t bytes[YOKE__BORROWED];
} yoke__borrowed;
/* All arrays of the call become valid on the host, and stay so elsewhere, for those who look at them; and at the end the
 * program is to ask for them again as if nobody had. */
int yoke__borrow_copies(const yoke__work *work, yoke__borrowed *borrowed);
void yoke__give_back(const yoke__work *work, const yoke__borrowed *borrowed, bool written);
/* For who looks at the call's arrays wherever they are valid: they can be read and written to until they are closed. */
void yoke__open_arrays(const yoke__work *work);
void yoke__close_arrays(const yoke__work *work);
/* What the call wrote is about to be written by the host. */
int yoke__take_home(const yoke__work *work);
/* Bytes that a call moves to where it runs and back: always those of plain arrays, and of managed ones what it reads and
 * `home` lacks (YOKE__HOST: the workers). */
typedef struct yoke__transfers {
    double plain_in, plain_out, missing;
} yoke__transfers;
yoke__transfers yoke__transfers_to(const yoke__work *work, unsigned home);

/* work.c: the same, without devices; its arrays are at home. *workers: for how many it was planned. */
int yoke__run_on_workers(yoke_runtime *runtime, const yoke_options *options, const void *key, const yoke__work *work,
                         unsigned *workers);

/* Notes a piece that was done, if the program wants to know. Never by two threads at once. */
void yoke__note_piece(const yoke_options *options, int device, const yoke__work *work, size_t begin, size_t end);

#endif
