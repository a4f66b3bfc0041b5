/* What YOKE_KERNEL and its relatives put into the program. Each instruction set gets an item function, always
 * inlined, with the body, and a range function that loops over it: a `return` in a body then ends one item only.
 * Math functions are bound outside the parameters' scope, so that a parameter may be called exp. */
#ifndef YOKE_DETAIL_EMIT_H
#define YOKE_DETAIL_EMIT_H

#include "yoke/detail/lanes.h"
#include "yoke/detail/parameter.h"

#define YOKE__OPT_0 YOKE__OPTIMIZE
#define YOKE__OPT_1 YOKE__OPTIMIZE_EXACT
#define YOKE__CONTRACT_0
#define YOKE__CONTRACT_1 YOKE__CONTRACT_OFF

/* A tile's pointer minus the range's begin leaves the tile by design: see lib/cpu/stream.h. */
#define YOKE__TILED __attribute__((no_sanitize("pointer-overflow")))
#define YOKE__ITEM(exact, target) \
    static inline target YOKE__OPT_##exact YOKE__TILED __attribute__((always_inline, unused))
#define YOKE__RANGE(exact, target) static target YOKE__OPT_##exact YOKE__TILED YOKE__UNUSED

/* Our own shadowing (math names, nested items) is meant; the user's flags need not hear of it. */
#ifdef __cplusplus
#define YOKE__QUIET_CXX _Pragma("GCC diagnostic ignored \"-Wold-style-cast\"")
#else
#define YOKE__QUIET_CXX
#endif
#if defined(__clang__)
#define YOKE__QUIET_CLANG _Pragma("clang diagnostic ignored \"-Wpass-failed\"") /* bodies may be unvectorisable */
#else
#define YOKE__QUIET_CLANG
#endif
#define YOKE__QUIET                                                                                       \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"")                         \
        _Pragma("GCC diagnostic ignored \"-Wunused-parameter\"") YOKE__QUIET_CXX YOKE__QUIET_CLANG
#define YOKE__LOUD _Pragma("GCC diagnostic pop")

#if defined(__x86_64__)
#define YOKE__FOR_EACH_ISA(m, exact, name, params, ...)                    \
    m(baseline, YOKE__TARGET_BASELINE, exact, name, params, __VA_ARGS__)   \
    m(avx2, YOKE__TARGET_AVX2, exact, name, params, __VA_ARGS__)           \
    m(avx512, YOKE__TARGET_AVX512, exact, name, params, __VA_ARGS__)
#define YOKE__VARIANTS(name) {yoke__##name##_baseline, yoke__##name##_avx2, yoke__##name##_avx512, 0}
#else
#define YOKE__FOR_EACH_ISA(m, exact, name, params, ...) \
    m(baseline, YOKE__TARGET_BASELINE, exact, name, params, __VA_ARGS__)
#define YOKE__VARIANTS(name) {yoke__##name##_baseline, 0, 0, 0}
#endif

/* Loops over [begin, end). Where a kernel reads a halo, its first and last item of a row stand alone: the tests for
 * the rim then fold away in the loop between them, and it vectorises. */
#define YOKE__1D(isa, target, exact, name, params, ...)                                                        \
    YOKE__ITEM(exact, target)                                                                                  \
    void yoke__##name##_item_##isa(const size_t yoke__i, const size_t yoke__n                                  \
                                   YOKE__EACH(YOKE__TYPED, name, params))                                      \
    {                                                                                                          \
        YOKE__CONTRACT_##exact YOKE__BIND_MATH                                                                 \
        {                                                                                                      \
            const size_t i YOKE__UNUSED = yoke__i, n YOKE__UNUSED = yoke__n;                                   \
            YOKE__EACH(YOKE__LOCAL, name, params)                                                              \
            __VA_ARGS__                                                                                        \
        }                                                                                                      \
    }                                                                                                          \
    YOKE__RANGE(exact, target)                                                                                 \
    void yoke__##name##_##isa(const yoke_call *yoke__c, size_t yoke__begin, size_t yoke__end)                  \
    {                                                                                                          \
        const size_t yoke__n = yoke__c->size[0];                                                               \
        YOKE__EACH(YOKE__FETCH, name, params)                                                               \
        YOKE__INDEPENDENT                                                                                      \
        for (size_t yoke__i = yoke__begin; yoke__i < yoke__end; yoke__i++)                                     \
            yoke__##name##_item_##isa(yoke__i, yoke__n YOKE__EACH(YOKE__PASS, name, params));                  \
    }

#define YOKE__2D(isa, target, exact, name, params, ...)                                                        \
    YOKE__ITEM(exact, target)                                                                                  \
    void yoke__##name##_item_##isa(const size_t yoke__i, const size_t yoke__j, const size_t yoke__w,           \
                                   const size_t yoke__h YOKE__EACH(YOKE__TYPED, name, params))                 \
    {                                                                                                          \
        YOKE__CONTRACT_##exact YOKE__BIND_MATH                                                                 \
        {                                                                                                      \
            const size_t i YOKE__UNUSED = yoke__i, j YOKE__UNUSED = yoke__j;                                   \
            const size_t width YOKE__UNUSED = yoke__w, height YOKE__UNUSED = yoke__h;                          \
            YOKE__EACH(YOKE__LOCAL, name, params)                                                              \
            __VA_ARGS__                                                                                        \
        }                                                                                                      \
    }                                                                                                          \
    YOKE__RANGE(exact, target)                                                                                 \
    void yoke__##name##_##isa(const yoke_call *yoke__c, size_t yoke__begin, size_t yoke__end)                  \
    {                                                                                                          \
        const size_t yoke__w = yoke__c->size[0], yoke__h = yoke__c->size[1];                                   \
        YOKE__EACH(YOKE__FETCH, name, params)                                   \
        const size_t yoke__rim = 0 YOKE__EACH(YOKE__IS_HALO, name, params);                                    \
        for (size_t yoke__j = yoke__begin; yoke__j < yoke__end; yoke__j++) {                                   \
            size_t yoke__from = yoke__c->columns[0];                                                           \
            const size_t yoke__to = yoke__c->columns[1];                                                       \
            if (yoke__rim && yoke__from == 0) {                                                                \
                yoke__##name##_item_##isa(0, yoke__j, yoke__w, yoke__h YOKE__EACH(YOKE__PASS, name, params));  \
                yoke__from = 1;                                                                                \
            }                                                                                                  \
            if (yoke__rim && yoke__to == yoke__w) {                                                            \
                YOKE__INDEPENDENT                                                                              \
                for (size_t yoke__i = yoke__from; yoke__i < yoke__w - 1; yoke__i++)                            \
                    yoke__##name##_item_##isa(yoke__i, yoke__j,                                                \
                                              yoke__w, yoke__h YOKE__EACH(YOKE__PASS, name, params));          \
                if (yoke__w > 1)                                                                               \
                    yoke__##name##_item_##isa(yoke__w - 1, yoke__j,                                            \
                                              yoke__w, yoke__h YOKE__EACH(YOKE__PASS, name, params));          \
            } else {                                                                                           \
                if (yoke__rim && yoke__to > yoke__w - 1)                                                       \
                    __builtin_unreachable(); /* lets the tests for the last column fold away here, too */      \
                YOKE__INDEPENDENT                                                                              \
                for (size_t yoke__i = yoke__from; yoke__i < yoke__to; yoke__i++)                               \
                    yoke__##name##_item_##isa(yoke__i, yoke__j,                                                \
                                              yoke__w, yoke__h YOKE__EACH(YOKE__PASS, name, params));          \
            }                                                                                                  \
        }                                                                                                      \
    }

/* Lane kernels: the item function takes a block; the constant lane count of a whole block is what vectorises. */
#define YOKE__LANE_BLOCK(isa, target, exact, name, params, ...)                                                \
    YOKE__ITEM(exact, target)                                                                                  \
    void yoke__##name##_item_##isa(const size_t yoke_first, const size_t yoke_lanes, const size_t yoke__j,     \
                                   const size_t yoke__w,                                                       \
                                   const size_t yoke__h YOKE__EACH(YOKE__TYPED, name, params))                 \
    {                                                                                                          \
        YOKE__CONTRACT_##exact YOKE__BIND_MATH YOKE__BIND_LANES(isa)                                                                 \
        {                                                                                                      \
            YOKE__EACH(YOKE__LOCAL, name, params)                                                              \
            __VA_ARGS__                                                                                        \
        }                                                                                                      \
    }
#define YOKE__LANE_CALL(function, name, params, first, lanes, j) \
    function(first, lanes, j, yoke__w, yoke__h YOKE__EACH(YOKE__PASS, name, params))
/* The short block at the end stands in a function of its own, out of the way of the whole ones. */
#define YOKE__LANE_TAIL(isa, target, exact, name, params)                                                      \
    static target YOKE__OPT_##exact YOKE__TILED YOKE__UNUSED __attribute__((noinline))                         \
    void yoke__##name##_tail_##isa(const size_t yoke__i, const size_t yoke__lanes, const size_t yoke__j,       \
                                   const size_t yoke__w,                                                       \
                                   const size_t yoke__h YOKE__EACH(YOKE__TYPED, name, params))                 \
    {                                                                                                          \
        YOKE__LANE_CALL(yoke__##name##_item_##isa, name, params, yoke__i, yoke__lanes, yoke__j);               \
    }
#define YOKE__LANE_LOOP(isa, name, params, begin, end, j)                                                      \
    {                                                                                                          \
        size_t yoke__i = begin;                                                                                \
        for (; yoke__i + yoke_lanes_max <= (end); yoke__i += yoke_lanes_max)                                   \
            YOKE__LANE_CALL(yoke__##name##_item_##isa, name, params, yoke__i, yoke_lanes_max, j);              \
        if (yoke__i < (end))                                                                                   \
            YOKE__LANE_CALL(yoke__##name##_tail_##isa, name, params, yoke__i, (end)-yoke__i, j);               \
    }
#define YOKE__LANES(isa, target, exact, name, params, ...)                                                     \
    YOKE__LANE_BLOCK(isa, target, exact, name, params,                                                         \
                     const size_t n YOKE__UNUSED = yoke__w;                                                    \
                     __VA_ARGS__)                                                                              \
    YOKE__LANE_TAIL(isa, target, exact, name, params)                                                          \
    YOKE__RANGE(exact, target)                                                                                 \
    void yoke__##name##_##isa(const yoke_call *yoke__c, size_t yoke__begin, size_t yoke__end)                  \
    {                                                                                                          \
        const size_t yoke__w = yoke__c->size[0], yoke__h = 0;                                                  \
        YOKE__EACH(YOKE__FETCH, name, params)                                                  \
        YOKE__LANE_LOOP(isa, name, params, yoke__begin, yoke__end, 0)                                          \
    }
#define YOKE__LANES_2D(isa, target, exact, name, params, ...)                                                  \
    YOKE__LANE_BLOCK(isa, target, exact, name, params, const size_t j YOKE__UNUSED = yoke__j;                  \
                     const size_t width YOKE__UNUSED = yoke__w, height YOKE__UNUSED = yoke__h;                 \
                     __VA_ARGS__)                                                                              \
    YOKE__LANE_TAIL(isa, target, exact, name, params)                                                          \
    YOKE__RANGE(exact, target)                                                                                 \
    void yoke__##name##_##isa(const yoke_call *yoke__c, size_t yoke__begin, size_t yoke__end)                  \
    {                                                                                                          \
        const size_t yoke__w = yoke__c->size[0], yoke__h = yoke__c->size[1];                                   \
        YOKE__EACH(YOKE__FETCH, name, params)                                   \
        for (size_t yoke__j = yoke__begin; yoke__j < yoke__end; yoke__j++)                                     \
            YOKE__LANE_LOOP(isa, name, params, 0, yoke__w, yoke__j)                                            \
    }

/* Everything but the range functions. */
#define YOKE__TABLE(name, params)                                                                              \
    enum {                                                                                                     \
        yoke__##name##_arrays = 0 YOKE__EACH(YOKE__ARRAY_BIT, name, params),                                   \
        yoke__##name##_sliced = 0 YOKE__EACH(YOKE__SLICED_BIT, name, params),                                  \
        yoke__##name##_written = 0 YOKE__EACH(YOKE__WRITTEN_BIT, name, params)                                 \
    };                                                                                                         \
    static const yoke_parameter yoke__##name##_parameters[] = {YOKE__EACH(YOKE__ROW, name, params)};           \
    static void yoke__##name##_extents(const yoke_call *yoke__c, yoke_extent *yoke__e)                         \
    {                                                                                                          \
        const yoke__int128 n YOKE__UNUSED = yoke__c->size[0], width YOKE__UNUSED = yoke__c->size[0];           \
        const yoke__int128 height YOKE__UNUSED = yoke__c->size[1];                                             \
        YOKE__EACH(YOKE__WIDE_LOCAL, name, params)                                                             \
        YOKE__EACH(YOKE__EXTENT, name, params)                                                                 \
    }

#define YOKE__DESCRIPTOR(name, shape, exact, params, text, result_text, result_size, result_alignment,         \
                         identity_text, combine_text, identity, combine)                                       \
    const yoke_kernel yoke__kernel_##name = {sizeof(yoke_kernel),                                              \
                                             #name,                                                            \
                                             __FILE__,                                                         \
                                             __LINE__,                                                         \
                                             YOKE_SHAPE_##shape,                                               \
                                             exact,                                                            \
                                             YOKE__COUNT params,                   \
                                             yoke__##name##_arrays,                              \
                                             yoke__##name##_sliced,                              \
                                             yoke__##name##_written,                              \
                                             yoke__##name##_parameters,                                        \
                                             yoke__##name##_extents,                                           \
                                             YOKE__VARIANTS(name),                                             \
                                             text,                                                             \
                                             YOKE__TEXTS_BEGIN,                                                \
                                             YOKE__TEXTS_END,                                                  \
                                             result_text,                                                      \
                                             result_size,                                                      \
                                             result_alignment,                                                 \
                                             identity_text,                                                    \
                                             combine_text,                                                     \
                                             identity,                                                         \
                                             combine};

#define YOKE__EMIT(shape, loop, exact, name, params, ...)                                                      \
    YOKE__CHECKS(name, params)                                                                                 \
    YOKE__QUIET                                                                                                \
    YOKE__DECLARE_##shape(name, params)                                                                        \
    YOKE__FOR_EACH_ISA(YOKE__##loop, exact, name, params, __VA_ARGS__)                                         \
    YOKE__TABLE(name, params)                                                                                  \
    YOKE__DESCRIPTOR(name, shape, exact, params, YOKE__STR(__VA_ARGS__), 0, 0, 0, 0, 0, 0, 0)                  \
    YOKE__LAUNCH_##shape(name, params)                                                                         \
    YOKE__LOUD

/* Declarations: also what YOKE_DECLARE gives to other files. */
#define YOKE__DECLARE_ANY(name, params, verb, ...)                                                             \
    YOKE__EACH(YOKE__TYPEDEF, name, params)                                                                    \
    extern const char yoke__##name##_arguments[YOKE__COUNT params];                                           \
    YOKE__EXTERN const yoke_kernel yoke__kernel_##name;                                                      \
    YOKE__EXTERN int yoke__##verb##_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options,          \
                                      __VA_ARGS__ YOKE__EACH(YOKE__TYPED, name, params));                      \
    YOKE__EXTERN int yoke__async_##verb##_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options,    \
                                      yoke_future *yoke__future, __VA_ARGS__ YOKE__EACH(YOKE__TYPED, name, params));
#define YOKE__DECLARE_MAP(name, params) YOKE__DECLARE_ANY(name, params, map, size_t yoke__n)
#define YOKE__DECLARE_MAP_2D(name, params) \
    YOKE__DECLARE_ANY(name, params, map_2d, size_t yoke__w, size_t yoke__h)
#define YOKE__DECLARE_LANES(name, params) YOKE__DECLARE_MAP(name, params)
#define YOKE__DECLARE_LANES_2D(name, params) YOKE__DECLARE_MAP_2D(name, params)

#define YOKE__LAUNCH_MAP(name, params)                                                                         \
    int yoke__map_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options,                       \
                         size_t yoke__n YOKE__EACH(YOKE__TYPED, name, params))                                 \
    {                                                                                                          \
        void *const yoke__arguments[] = {YOKE__EACH(YOKE__STORE, name, params)};                               \
        return yoke_launch_map(yoke__runtime, yoke__options, &yoke__kernel_##name, yoke__n, 1,                 \
                               yoke__arguments);                                                               \
    }                                                                                                          \
    int yoke__async_map_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options,                 \
                               yoke_future *yoke__future, size_t yoke__n YOKE__EACH(YOKE__TYPED, name, params))\
    {                                                                                                          \
        void *const yoke__arguments[] = {YOKE__EACH(YOKE__STORE, name, params)};                               \
        return yoke_launch_map_async(yoke__runtime, yoke__options, yoke__future, &yoke__kernel_##name,         \
                                     yoke__n, 1, yoke__arguments);                                             \
    }
#define YOKE__LAUNCH_MAP_2D(name, params)                                                                      \
    int yoke__map_2d_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options, size_t yoke__w,    \
                            size_t yoke__h YOKE__EACH(YOKE__TYPED, name, params))                              \
    {                                                                                                          \
        void *const yoke__arguments[] = {YOKE__EACH(YOKE__STORE, name, params)};                               \
        return yoke_launch_map(yoke__runtime, yoke__options, &yoke__kernel_##name, yoke__w, yoke__h,           \
                               yoke__arguments);                                                               \
    }                                                                                                          \
    int yoke__async_map_2d_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options,              \
                                  yoke_future *yoke__future, size_t yoke__w,                                   \
                                  size_t yoke__h YOKE__EACH(YOKE__TYPED, name, params))                        \
    {                                                                                                          \
        void *const yoke__arguments[] = {YOKE__EACH(YOKE__STORE, name, params)};                               \
        return yoke_launch_map_async(yoke__runtime, yoke__options, yoke__future, &yoke__kernel_##name,         \
                                     yoke__w, yoke__h, yoke__arguments);                                       \
    }
#define YOKE__LAUNCH_LANES(name, params) YOKE__LAUNCH_MAP(name, params)
#define YOKE__LAUNCH_LANES_2D(name, params) YOKE__LAUNCH_MAP_2D(name, params)

/* Helpers and types register their text in a section; a kernel's source takes those that it names. Entries are
 * pointers, not structures, so that no compiler pads between them; not const, so that relocation keeps one section
 * type everywhere. */
#ifdef __cplusplus
extern "C" {
#endif
extern const yoke_text *__start_yoke_texts[] __attribute__((weak, visibility("hidden")));
extern const yoke_text *__stop_yoke_texts[] __attribute__((weak, visibility("hidden")));
#ifdef __cplusplus
}
#endif
#define YOKE__TEXTS_BEGIN __start_yoke_texts
#define YOKE__TEXTS_END __stop_yoke_texts
#define YOKE__TEXT(name, head, body, is_type)                                                                  \
    static const yoke_text yoke__##name##_text = {#name, head, body, __FILE__, __LINE__, is_type};             \
    static const yoke_text *yoke__##name##_entry __attribute__((section("yoke_texts"), used)) =                \
        &yoke__##name##_text;

#define YOKE__EMIT_FUNCTION(contract, result, name, arguments, ...)                                            \
    YOKE__QUIET                                                                                                \
    YOKE__INLINE result name arguments                                                                         \
    {                                                                                                          \
        contract YOKE__BIND_MATH { __VA_ARGS__ }                                                               \
    }                                                                                                          \
    YOKE__LOUD                                                                                                 \
    YOKE__TEXT(name, #result " " #name #arguments, YOKE__STR(__VA_ARGS__), 0)

#endif
