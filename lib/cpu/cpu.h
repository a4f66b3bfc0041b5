/* Door of lib/cpu: the instruction set, the floating-point environment, streaming copies, and the team of workers that
 * runs a job's units. Uses topology and base only; knows nothing of kernels. */
#ifndef YOKE_CPU_H
#define YOKE_CPU_H

#include "lib/base/base.h"
#include "lib/cpu/float_environment.h"
#include "lib/topology/topology.h"

/* Index of a kernel's variant; the order of yoke_kernel.variants. */
typedef enum yoke__isa { YOKE__ISA_BASELINE, YOKE__ISA_AVX2, YOKE__ISA_AVX512, YOKE__ISA_COUNT } yoke__isa;

/* By name; NULL means the best that CPU and operating system support. EINVAL: no such name; ENODEV: this CPU or system lacks it. */
int yoke__isa_choose(const char *name, yoke__isa *isa);
const char *yoke__isa_name(yoke__isa isa);

/* Copies past the caches with non-temporal stores; any alignment. yoke__stream_fence makes them visible in order, and
 * must come before the work is called done. */
void yoke__stream_copy(yoke__isa isa, void *restrict to, const void *restrict from, size_t bytes);
void yoke__stream_fence(void);

/* What a team does for one call: run(context, begin, end) over pieces that together make [first, items), divided at
 * multiples of `unit` from `first`; or, where `unit` is 0, pieces of [0, units). All that a worker needs to start stands
 * here and not behind a pointer, for each cache line more costs it another transfer. */
typedef struct yoke__job {
    void (*run)(void *context, size_t begin, size_t end);
    void *context;
    size_t first, unit, items;
    uint32_t units;
    uint32_t grain;   /* units per claim, at least 1 */
    unsigned workers; /* participants at most, the caller included; at least 1 */
    bool wake;        /* whether sleeping workers are worth waking */
    bool controlled;  /* whether any of the following is set; a worker reads them only then */
    const volatile int *cancel;
    int64_t deadline_ns;                                         /* 0: none */
    void (*progress)(size_t done, size_t units, void *argument); /* on the caller's thread only */
    void *progress_argument;
    const char *name; /* for a trace; NULL */
} yoke__job;

typedef struct yoke__team yoke__team;

/* A team of `workers` threads, the caller of yoke__team_run counted as one; fewer when the system refuses more.
 * `spin_limit_ns`: how long an idle worker may spin at most. The topology must outlive the team. */
int yoke__team_create(yoke__team **out, const yoke__topology *topology, yoke_pin pin, unsigned workers,
                      int64_t spin_limit_ns);
/* EBUSY while a job runs, and from inside a unit. NULL is fine. */
int yoke__team_destroy(yoke__team *team);
/* Waits for running jobs. EBUSY from inside a unit; on failure the old workers stay. */
int yoke__team_resize(yoke__team *team, unsigned workers);
unsigned yoke__team_workers(const yoke__team *team);
/* Where worker k was put. Worker 0 is the caller: its place is kept free for it. EINVAL: no such worker; EBUSY from
 * inside a unit. */
int yoke__team_place(yoke__team *team, unsigned k, yoke__place *place);
/* Where all of them were put, in an array that the caller frees with yoke__free. EBUSY from inside a unit; ENOMEM. */
int yoke__team_places(yoke__team *team, yoke__place **places, unsigned *workers);
/* Workers that sleep now. A hint. */
unsigned yoke__team_asleep(const yoke__team *team);
/* True while the calling thread runs a unit of any team. */
bool yoke__team_inside(void);

/* Of a team that will soon be asked to run something: the caller's lines, which are its first two. */
static inline void yoke__team_fetch(const yoke__team *team)
{
    __builtin_prefetch(team, 1);
    __builtin_prefetch((const char *)team + YOKE_CACHE_LINE);
}

/* Runs run(context, begin, end) on the calling thread, as a unit of the team is run: for work too short for a job. */
void yoke__team_run_here(yoke__team *team, void (*run)(void *context, size_t begin, size_t end), void *context,
                         size_t begin, size_t end);

/* Runs the job on the calling thread and whichever workers come; returns when all units are done.
 * 0, ETIMEDOUT or ECANCELED. Any thread, any number at once, also from inside a unit. */
int yoke__team_run(yoke__team *team, const yoke__job *job);

#endif
