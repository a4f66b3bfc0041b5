/* Inside of lib/memory: an array that Yoke allocated, and where its valid bytes are. */
#ifndef YOKE_MEMORY_BLOCK_H
#define YOKE_MEMORY_BLOCK_H

#include <pthread.h>

#include "lib/memory/memory.h"

enum { NAME_LENGTH = YOKE__NAME_LENGTH, HOST_BIT = 1 };

/* From `begin` to the next interval's, or to the end: bit 0 of `valid` is the host, bit h home h; none: lost. */
typedef struct interval {
    size_t begin;
    uint32_t valid;
} interval;

/* All under one lock of residency.c, but for `fetching`. */
typedef struct residency {
    interval *list; /* sorted, neighbours differ; NULL: all of it is the host's alone */
    size_t count, capacity;
    size_t claims;                                /* notes to come for which there must be room */
    uint64_t writes;                              /* noted so far */
    size_t expected;                              /* copies that nobody waits for */
    bool away;                                    /* counted in yoke__memory_away */
    yoke__span arriving;                          /* looked at for writes; one at a time, */
    bool overtaken;                               /* and there was one */
    char name[NAME_LENGTH], used_as[NAME_LENGTH]; /* by the program; else what the last device knew it as */
    pthread_mutex_t fetching;                     /* one at a time copies to the host */
} residency;

struct yoke__block {
    yoke__block *_Atomic next;
    unsigned char *start;
    size_t bytes;
    _Atomic size_t holders; /* the program is one until it frees the block */
    atomic_bool freed;
    atomic_uint moves;      /* how often its pages were replaced */
    yoke__sharing *sharing; /* its pages; NULL: they are private */
    int advice;             /* to the kernel, of huge pages; 0: none */
    bool kept;
    yoke__block *next_kept;
    yoke_placement requested;
    residency residency;
    atomic_uint opened; /* by those who write to it for the library, or read what is not valid */
    bool unguarded;     /* it could not be protected, and never is any more */
    int refusal;        /* 0, or why its pages go where they are first touched */
    char detail[160];
    size_t part_count;  /* at least one */
    yoke__part parts[]; /* of different policies: each is a mapping of its own for the kernel */
};

void residency_init(residency *r);
void residency_free(residency *r);
/* The thread that forks has the lock, so that a child finds no list in the middle of a change. */
void residency_in_child(void);
void residency_lock(void);
void residency_unlock(void);
bool residency_try_lock(void);
/* Under the lock, where there is a list: the interval that holds byte `at`, and where one ends. */
size_t residency_find(const residency *r, size_t at);
size_t residency_end(const yoke__block *block, size_t k);
/* From now on writes to the span are looked for: a copy that began to be made then counts only if there was none. The
 * caller has `fetching`. */
void residency_expect(yoke__block *block, yoke__span span);
/* yoke__residency_copied for the host, unless a write came first. */
void residency_arrived(yoke__block *block, yoke__span part);
/* Drops what `home` has, if it is the only one nowhere. */
bool residency_give_up(yoke__block *block, unsigned home);
bool residency_is_away(yoke__block *block);
void homes_in_child(void);

/* guard.c: after the span's copies changed, or whether it is open; under the lock of residency.c. */
bool guard_is_on(void);
void guard_update(yoke__block *block, yoke__span span);

/* What messages call it. */
void block_name(const yoke__block *block, char name[NAME_LENGTH]);

/* memory.c: visit(block, context) for every block that was not freed, under the lock of the list. */
void blocks_visit(void (*visit)(yoke__block *block, void *context), void *context);
/* For one who handles a signal: the block with this address under the lock of the list; NULL: there is none. */
bool blocks_try_lock(void);
void blocks_unlock(void);
yoke__block *blocks_find(const void *at);

#endif
