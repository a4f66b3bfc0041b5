/* Inside of lib/parallel: kernels that are checked while they run (YOKE_CHECK). */
#ifndef YOKE_PARALLEL_CHECKING_H
#define YOKE_PARALLEL_CHECKING_H

#include <signal.h>

#include "lib/parallel/parallel.h"

/* --- guarded.c: memory between pages that nobody may touch, and catching who does --- */

typedef struct yoke__area {
    unsigned char *data; /* NULL: there is none */
    size_t bytes;        /* whole pages */
    size_t margin;
} yoke__area;

/* Room for `bytes`, with at least `around` bytes before and after it that fault. ENOMEM without a detail. */
int yoke__area_map(yoke__area *area, size_t bytes, size_t around);
void yoke__area_unmap(yoke__area *area);
void yoke__area_make_constant(yoke__area *area);

typedef enum yoke__access { YOKE__ACCESS_UNKNOWN, YOKE__ACCESS_READ, YOKE__ACCESS_WRITE } yoke__access;

typedef struct yoke__fault {
    unsigned area; /* index */
    uintptr_t address;
    yoke__access access;
} yoke__fault;

/* From watch to unwatch, faults in the areas end what yoke__guards_run runs, on the watching thread. One thread at a
 * time: the caller holds a lock. EINTERNAL when the system refuses. */
int yoke__guards_watch(const yoke__area *areas, unsigned count);
void yoke__guards_unwatch(void);
/* False when run(context) was ended by a fault. */
bool yoke__guards_run(void (*run)(void *context), void *context, yoke__fault *fault);

/* From the context of a handler. */
yoke__access yoke__access_of(const void *context);
/* As if ours had not been there. */
void yoke__pass_signal(const struct sigaction *previous, int number, siginfo_t *info, void *context);

/* --- forgotten.c: the program's accesses to managed arrays without yoke_read or yoke_write --- */

/* Counted. EINTERNAL when the system refuses. */
int yoke__forgotten_watch(void);
void yoke__forgotten_unwatch(void);

/* checking.c: one at a time changes the process's handlers of signals. */
void yoke__handlers_lock(void);
void yoke__handlers_unlock(void);

/* --- fault_place.c: places in the program, in a handler of a fault of its own --- */

/* Before there are handlers. */
void yoke__fault_prepare(void);
/* "FILE+0x1234", which addr2line takes; and, unless `line` is NULL, "FUNCTION at FILE:LINE" of that or of who called it, as
 * addr2line says within some seconds, or "". */
void yoke__fault_place(const void *context, char *object, size_t object_bytes, char *line, size_t line_bytes);

/* --- findings.c: what was found, told once per kernel --- */

typedef enum yoke__finding {
    YOKE__FOUND_ACCESS,
    YOKE__FOUND_CHANGED,
    YOKE__FOUND_UNWRITTEN,
    YOKE__FOUND_OLD_CONTENT,
    YOKE__FOUND_FOREIGN_WRITE,
    YOKE__FOUND_ORDER,
    YOKE__FOUND_COLLISION,
    YOKE__FOUND_DEVICE,
    YOKE__FOUND_LIMIT /* no mistake: that not all could be looked at */
} yoke__finding;

enum { MOST_FINDINGS = 512 };

struct yoke__checks {
    unsigned seed;
    unsigned count; /* guarded by the lock of checking.c */
    struct {
        const yoke_kernel *kernel;
        yoke__finding what;
        unsigned parameter;
    } told[MOST_FINDINGS];
};

/* *checks stays NULL when kernels are not to be checked. `seed` 0: as the environment says. EINVAL, ENOMEM. */
int yoke__checks_open(yoke__checks **checks, unsigned seed);
void yoke__checks_close(yoke__checks *checks);

/* Prints "yoke: kernel K (file:line): ..." the first time and makes it the thread's detail. ECHECK. */
int yoke__found(yoke__checks *checks, const yoke_kernel *kernel, yoke__finding what, unsigned parameter,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same for what could not be looked at: 0, and no detail. */
int yoke__not_looked_at(yoke__checks *checks, const yoke_kernel *kernel, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- elements.c: types of elements by their names --- */

typedef enum yoke__element {
    YOKE__ELEMENT_OTHER,
    YOKE__ELEMENT_INTEGER,
    YOKE__ELEMENT_FLOAT,
    YOKE__ELEMENT_DOUBLE
} yoke__element;

yoke__element yoke__element_of(const char *type, size_t size);
/* Whether all its bytes mean something: structures may have padding, and what is not understood counts as such. */
bool yoke__type_is_dense(const yoke_kernel *kernel, const char *type, size_t size);
/* The same bits, or both no number. Structures (OTHER) may hold padding: they are always the same. */
bool yoke__element_same(yoke__element element, size_t size, const void *a, const void *b);

/* How far `found` is from `wanted`, elements of one array. */
typedef struct yoke__distance {
    double most_ulp;
    size_t first; /* element beyond the bound; `count`: none */
    double first_ulp;
} yoke__distance;
yoke__distance yoke__elements_compare(yoke__element element, size_t size, bool exact, const void *found,
                                      const void *wanted, size_t count);

/* --- stage.c: a copy of a part of a call's arrays, between guards --- */

enum { RESULT_AREA = YOKE_MAX_PARAMETERS, AREAS = 2 * YOKE_MAX_PARAMETERS + 1 };

/* An array as the check sees it. A unit is an item, or a row. */
typedef struct yoke__staged {
    const unsigned char *host;
    size_t unit_bytes; /* 0: not sliced */
    size_t stride;     /* of the host's units */
    size_t before, after;
    size_t bytes; /* of the array without gaps */
    bool written, filled;
    yoke__element element;
    unsigned char *base;     /* where the kernel sees element 0 */
    unsigned char *kept;     /* results of a chunk, to compare with; NULL: it is not written */
    size_t from_unit, units; /* of the copy in the window */
} yoke__staged;

typedef struct yoke__stage {
    const yoke__checked *checked;
    yoke_runtime *runtime;
    yoke_call call;
    size_t units; /* of the call */
    size_t row;   /* items per unit: 1, or the width */
    size_t chunk; /* units that fit */
    bool scatters;
    yoke__staged array[YOKE_MAX_PARAMETERS];
    yoke__area area[AREAS]; /* of array k; its other one, for `whole`, at RESULT_AREA + 1 + k; of the result */
    yoke__fault fault;
} yoke__stage;

enum { FILL_A = 0xa5, FILL_B = 0x5a };

/* ENOMEM when it would be too large or memory is short; no detail. */
int yoke__stage_open(yoke__stage *stage, yoke_runtime *runtime, const yoke__checked *checked);
void yoke__stage_close(yoke__stage *stage);
/* Puts units [begin, end) of every array in place, the end (or the start) of each at a guard, `out` arrays filled. */
void yoke__stage_put(yoke__stage *stage, size_t begin, size_t end, bool at_start, int fill);
/* Runs units, or one column of one row, on what was put. False: stage->fault. */
bool yoke__stage_run(yoke__stage *stage, size_t begin, size_t end);
bool yoke__stage_run_column(yoke__stage *stage, size_t row, size_t column);
/* Where the kernel sees a unit's elements. */
static inline unsigned char *yoke__stage_at(const yoke__staged *array, size_t unit)
{
    return array->base + unit * array->unit_bytes;
}

/* --- a check under way: checking.c orders it, items.c looks at units, reports.c finds the words --- */

typedef struct yoke__check {
    yoke__checks *checks;
    const yoke_kernel *kernel;
    yoke__stage stage;
    uint64_t random;
    int64_t deadline;
    size_t chunk; /* first unit of what was kept */
} yoke__check;

/* Who was running. */
typedef struct yoke__where {
    size_t begin, end; /* units */
    bool one_column;   /* only this item of the row: */
    size_t column;
} yoke__where;

/* reports.c: all return ECHECK. `element`: index in the array, as the body writes it without gaps between rows. */
int yoke__report_access(yoke__check *c, yoke__where where);
int yoke__report_changed(yoke__check *c, unsigned k, size_t element, yoke__where where);
int yoke__report_foreign(yoke__check *c, unsigned k, size_t element, yoke__where where);
int yoke__report_unwritten(yoke__check *c, unsigned k, size_t element);
int yoke__report_old_content(yoke__check *c, unsigned k, size_t element);
int yoke__report_order(yoke__check *c, unsigned k, size_t element, const void *one, const void *other);
int yoke__report_collision(yoke__check *c, unsigned k, size_t element, yoke__where one, yoke__where other);

/* items.c: 0 or ECHECK */

/* Items that one run can be: columns of rows, where the shape has them, else units. */
size_t yoke__check_items(const yoke__check *c);
yoke__where yoke__check_item(const yoke__check *c, size_t item);
/* On what was put. */
bool yoke__check_run(yoke__check *c, yoke__where where);
/* Time that this thread has computed: what others do to the machine changes nothing. */
int64_t yoke__check_clock(void);
bool yoke__check_is_late(const yoke__check *c);
/* After a fault of units [begin, end): finds the item, and reports it. */
int yoke__check_locate(yoke__check *c, size_t begin, size_t end);
int yoke__check_inputs(yoke__check *c, yoke__where where);
/* Units [begin, end), run with `fill`, against what was kept; `again` runs them in the same way. */
int yoke__check_results(yoke__check *c, size_t begin, size_t end,
                        bool (*again)(yoke__check *c, size_t begin, size_t end));
/* Units of the chunk [begin, end) alone: all, or a sample. */
int yoke__check_alone(yoke__check *c, size_t begin, size_t end);
/* scatters.c: items that write the same element. */
int yoke__check_scatters(yoke__check *c);

/* against_cpu.c: what a call wrote is kept before, for a device may be wrong */
typedef struct yoke__before yoke__before;
/* NULL when memory is short. */
yoke__before *yoke__before_keep(const yoke__work *work);
void yoke__before_free(yoke__before *before);
/* Results of a call that a device took part in against the CPU's; ECHECK: the arrays are as before. */
int yoke__before_compare(yoke__before *before, yoke_runtime *runtime, const yoke__work *work);

#endif
