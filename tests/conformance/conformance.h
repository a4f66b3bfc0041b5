/* Every kernel x size x mode x place against plain serial loops. A subject is one kernel with its arrays, the call that
 * runs it and its reference; a mode is where arrays lie; a place is a runtime: the workers with one instruction set, or one
 * device. Only public headers are used. */
#ifndef YOKE_TESTS_CONFORMANCE_H
#define YOKE_TESTS_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "yoke/kernels.h"
#include "yoke/yoke.h"

/* --- subjects --- */

enum { ARRAYS = 10, NAME = 96, DETAIL = 300 };

/* How elements are drawn, compared and printed. RAW: as bytes, drawn by the subject's prepare or as random bytes. */
typedef enum kind { RAW, F32, F64, I8, U8, I16, U16, I32, U32, I64, U64 } kind;

typedef enum role { GIVEN, MADE, CHANGED, FOLDED } role; /* in, out, inout; the result of a reduction */

/* (per_item + per_item_k x problem.k) elements per item, per_column per column, and fixed + fixed_k x problem.k more; in 2-D
 * items are spread over rows a pitch apart, unless the array is `loose` (whole, scatter: never pitched). */
typedef struct array {
    const char *name;
    kind kind;
    role role;
    size_t element; /* bytes, of RAW only */
    size_t per_item, per_item_k, per_column, fixed, fixed_k;
    bool loose;
    double low, high; /* what F32 and F64 are drawn from; both 0: [-10, 10) */
} array;

/* One size of a subject, and the values its kernel is given. */
typedef struct problem {
    size_t n;             /* items */
    size_t width, height; /* 1-D: n, 1 */
    size_t pitch;
    float a, b;
    double d;
    int k; /* of [1, 5] */
} problem;

typedef struct launch {
    yoke_runtime *runtime;
    const yoke_options *options;
    const problem *p;
    void *const *a;
} launch;

/* What a tolerant result may be. Elements the reference leaves alone must keep their bits. */
typedef struct truth {
    double value, slack;
    bool set;
} truth;

typedef struct subject {
    const char *name;
    const yoke_kernel *kernel;
    int dimensions;
    bool tolerant; /* wanted arrays hold a truth per element; otherwise the elements themselves, compared by memcmp */
    bool agree;    /* tolerant of the serial order, but the same bits on every place */
    bool needs_double; /* anywhere in its text */
    bool squares;      /* work grows with n^2: no large sizes */
    bool two_d_pitch;  /* a row pitch is possible: no halo */
    int same[2];       /* a GIVEN and a written array that may be the same one; {0, 0}: none */
    array arrays[ARRAYS];
    int (*run)(const launch *l);
    /* Fills wanted[k] of every written array from given[], which holds the arrays as they were before the call. */
    void (*reference)(const problem *p, void *const *given, void *const *wanted);
    void (*prepare)(const problem *p, uint64_t *random, void *const *given); /* NULL: random values will do */
} subject;

/* Lists that end with a subject without a name. */
extern const subject shipped_vector_subjects[], shipped_subjects[], mode_subjects[], grid_subjects[], type_subjects[],
    math_subjects[], fold_subjects[];

/* The references, in files of their own that are compiled without contraction. */
#define REFERENCE(name) void reference_##name(const problem *p, void *const *given, void *const *wanted);
#include "tests/conformance/references.h"
#undef REFERENCE

/* Row j, column i of a sliced array. */
static inline size_t cell(const problem *p, size_t i, size_t j)
{
    return j * p->pitch + i;
}

/* For subjects whose input is not just random. */
void prepare_order(const problem *p, uint64_t *random, void *const *given);
void prepare_particles(const problem *p, uint64_t *random, void *const *given);

/* --- arrays.c: memory with guards around, random content, comparison --- */

typedef enum mode { MODE_HEAP, MODE_ODD, MODE_YOKE, MODE_BLOCK, MODE_SAME, MODE_PITCH, MODE_YOKE_PITCH, MODES } mode;
extern const char *const mode_names[MODES];

typedef struct placed {
    void *base; /* of the allocation, guards included; NULL where arrays share the first one's */
    bool from_yoke;
    size_t front; /* bytes of the guard before the array */
    unsigned char *start;
    size_t bytes; /* of the array */
} placed;

/* The arrays of one call. */
typedef struct arrays {
    const subject *s;
    problem p;
    mode mode;
    size_t count;
    size_t elements[ARRAYS];
    void *given[ARRAYS];  /* before the call; FOLDED and MADE: poison */
    void *wanted[ARRAYS]; /* NULL of GIVEN arrays */
    void *agreed;         /* bits of the result of the first place; NULL: none yet */
    placed actual[ARRAYS];
    void *call[ARRAYS]; /* what the kernel is given */
} arrays;

size_t element_bytes(const array *a);
bool mode_applies(const subject *s, mode m);
uint64_t draw(uint64_t *state);
double draw_double(uint64_t *state, double low, double high);

/* Draws given[] and computes wanted[]; false: no memory. The same seed gives the same values. */
bool arrays_make(arrays *set, const subject *s, const problem *p, mode m, uint64_t seed);
/* The actual arrays as before the call, guards written anew. */
void arrays_reset(arrays *set);
/* Brings them to the host. False with a text when an element, an input or a guard is not as it should be. */
bool arrays_check(const arrays *set, char detail[DETAIL]);
/* After a check: from now on the result must have the bits it has now. */
bool arrays_adopt(arrays *set);
void arrays_free(arrays *set);

/* --- compare.c --- */

/* Index of the first element that is not as wanted, or SIZE_MAX; fills detail for it. */
size_t first_difference(const arrays *set, size_t k, char detail[DETAIL]);

/* --- places.c --- */

typedef struct place {
    char name[NAME];
    yoke_runtime *runtime;
    unsigned flags;
    int device;        /* -1: the CPU */
    yoke_device facts; /* of a device, when it was opened */
    unsigned long passed, failed, skipped;
} place;

typedef struct places {
    place *list;
    size_t count;
    yoke_runtime *anchor; /* one worker, baseline */
    yoke_runtime *finder; /* opened to list the devices; NULL when only the CPU is asked for */
} places;

typedef struct selection {
    bool cpu, devices;
    int device; /* -1: all */
} selection;

/* False with a text when a place could not be opened; `missing` when the device asked for is not there. */
bool places_open(places *all, const selection *which, bool *missing, char detail[DETAIL]);
void places_close(places *all);
/* Why a run with a status of 0 did not count as a run of the device; NULL: it ran there. */
const char *not_run_there(const place *where, const subject *s, const yoke_device *before, char detail[DETAIL]);

/* --- report.c --- */

typedef enum outcome { PASSED, FAILED, SKIPPED } outcome;

bool report_open(const char *csv_path);
void report_case(place *where, const char *name, outcome what, const char *detail, double seconds);
/* The table and the last line; 0 or 1. */
int report_close(const places *all);

/* --- perf.c --- */

int perf(const places *all, const char *pattern, uint64_t seed);

/* --- cases.c --- */

/* All subjects in one list that ends with NULL; to be freed. */
const subject **all_subjects(void);
bool wanted_name(const char *pattern, const char *name);

typedef struct run_settings {
    const char *pattern; /* NULL: all */
    bool list, small;
    uint64_t seed;
} run_settings;

bool run_cases(places *all, const run_settings *settings);

#endif
