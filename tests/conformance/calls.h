/* How subjects' tables and calls are written. */
#ifndef YOKE_TESTS_CONFORMANCE_CALLS_H
#define YOKE_TESTS_CONFORMANCE_CALLS_H

#include "tests/conformance/conformance.h"

#define MAP(name, ...)                                                                \
    static int run_##name(const launch *l)                                            \
    {                                                                                 \
        const problem *p = l->p;                                                      \
        void *const *a = l->a;                                                        \
        return yoke_parallel_map_on(l->runtime, l->options, name, p->n, __VA_ARGS__); \
    }
#define FOLD(name, ...)                                                                           \
    static int run_##name(const launch *l)                                                        \
    {                                                                                             \
        void *const *a = l->a;                                                                    \
        return yoke_parallel_reduce_on(l->runtime, l->options, name, l->p->n, a[0], __VA_ARGS__); \
    }
#define GRID(name, ...)                                                                                 \
    static int run_##name(const launch *l)                                                              \
    {                                                                                                   \
        const problem *p = l->p;                                                                        \
        void *const *a = l->a;                                                                          \
        return yoke_parallel_map_2d_on(l->runtime, l->options, name, p->width, p->height, __VA_ARGS__); \
    }

#define SUBJECT(k) .name = #k, .kernel = YOKE_KERNEL_OF(k), .run = run_##k
#define VECTOR(k) SUBJECT(k), .dimensions = 1
#define PLANE(k) SUBJECT(k), .dimensions = 2
#define OUT(T)                      \
    {                               \
        "y", T, MADE, .per_item = 1 \
    }
#define INOUT(T)                       \
    {                                  \
        "y", T, CHANGED, .per_item = 1 \
    }
#define IN(T, name)                   \
    {                                 \
        name, T, GIVEN, .per_item = 1 \
    }
#define IN_OF(T, name, from, to)                               \
    {                                                          \
        name, T, GIVEN, .per_item = 1, .low = from, .high = to \
    }
#define RESULT(T)                       \
    {                                   \
        "result", T, FOLDED, .fixed = 1 \
    }

#endif
