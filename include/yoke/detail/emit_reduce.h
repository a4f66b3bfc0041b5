/* What YOKE_REDUCE and YOKE_ACCUMULATE put into the program: range functions that fold [begin, end) into one T.
 * The expression form folds into a fixed number of lanes, item i into lane i mod 64, and the lanes in a fixed tree:
 * the order of additions is then the same on every instruction set, and vectors need no re-association. */
#ifndef YOKE_DETAIL_EMIT_REDUCE_H
#define YOKE_DETAIL_EMIT_REDUCE_H

#include "yoke/detail/emit.h"

#define YOKE__FOLD(exact, name, fold) YOKE__APPLY(YOKE__FOLD_, exact, name, YOKE__UNPAREN fold)
#define YOKE__FOLD_(exact, name, T, yoke__identity, ...)                                                       \
    typedef T yoke__##name##_result;                                                                           \
    YOKE__RANGE(exact, YOKE__TARGET_BASELINE) void yoke__##name##_identity(void *yoke__r)                      \
    {                                                                                                          \
        const T yoke__start = yoke__identity;                                                                  \
        *(T *)yoke__r = yoke__start;                                                                           \
    }                                                                                                          \
    YOKE__FOR_EACH_ISA(YOKE__COMBINE, exact, name, (), T, yoke__identity, __VA_ARGS__)                         \
    YOKE__RANGE(exact, YOKE__TARGET_BASELINE)                                                                  \
    void yoke__##name##_combine(void *yoke__left, const void *yoke__right)                                     \
    {                                                                                                          \
        *(T *)yoke__left = yoke__##name##_combine_baseline(*(const T *)yoke__left, *(const T *)yoke__right);   \
    }

#define YOKE__COMBINE(isa, target, exact, name, unused, T, yoke__identity, ...)                                \
    YOKE__ITEM(exact, target) T yoke__##name##_combine_##isa(const T yoke__a, const T yoke__b)                 \
    {                                                                                                          \
        YOKE__CONTRACT_##exact YOKE__BIND_MATH                                                                 \
        {                                                                                                      \
            const T a = yoke__a, b = yoke__b;                                                                  \
            return __VA_ARGS__;                                                                                \
        }                                                                                                      \
    }                                                                                                          \
    YOKE__ITEM(exact, target) T yoke__##name##_start_##isa(void)                                               \
    {                                                                                                          \
        const T yoke__start = yoke__identity;                                                                  \
        return yoke__start;                                                                                    \
    }

/* One level of the tree, its size a constant: as a loop over sizes it took a tenth of a dot product's time. */
#define YOKE__FOLD_HALF(isa, name, half)                                                                       \
    YOKE__INDEPENDENT                                                                                          \
    for (yoke__l = 0; yoke__l < half; yoke__l++)                                                               \
        yoke__lane[yoke__l] =                                                                                  \
            yoke__##name##_combine_##isa(yoke__lane[yoke__l], yoke__lane[yoke__l + half]);

#define YOKE__REDUCE(isa, target, exact, name, params, ...)                                                    \
    YOKE__ITEM(exact, target)                                                                                  \
    yoke__##name##_result yoke__##name##_item_##isa(const size_t yoke__i,                                      \
                                                    const size_t yoke__n YOKE__EACH(YOKE__TYPED, name, params))\
    {                                                                                                          \
        YOKE__CONTRACT_##exact YOKE__BIND_MATH                                                                 \
        {                                                                                                      \
            const size_t i YOKE__UNUSED = yoke__i, n YOKE__UNUSED = yoke__n;                                   \
            YOKE__EACH(YOKE__LOCAL, name, params)                                                              \
            return __VA_ARGS__;                                                                                \
        }                                                                                                      \
    }                                                                                                          \
    YOKE__RANGE(exact, target)                                                                                 \
    void yoke__##name##_##isa(const yoke_call *yoke__c, size_t yoke__begin, size_t yoke__end)                  \
    {                                                                                                          \
        const size_t yoke__n = yoke__c->size[0];                                                               \
        YOKE__EACH(YOKE__FETCH, name, params)                                                               \
        yoke__##name##_result yoke__lane[yoke_lanes_max];                                                      \
        size_t yoke__i = yoke__begin, yoke__l;                                                                 \
        for (yoke__l = 0; yoke__l < yoke_lanes_max; yoke__l++)                                                 \
            yoke__lane[yoke__l] = yoke__##name##_start_##isa();                                                \
        for (; yoke__i + yoke_lanes_max <= yoke__end; yoke__i += yoke_lanes_max) {                             \
            YOKE__INDEPENDENT                                                                                  \
            for (yoke__l = 0; yoke__l < yoke_lanes_max; yoke__l++)                                             \
                yoke__lane[yoke__l] = yoke__##name##_combine_##isa(                                            \
                    yoke__lane[yoke__l],                                                                       \
                    yoke__##name##_item_##isa(yoke__i + yoke__l, yoke__n YOKE__EACH(YOKE__PASS, name, params)));\
        }                                                                                                      \
        for (yoke__l = 0; yoke__i + yoke__l < yoke__end; yoke__l++)                                            \
            yoke__lane[yoke__l] = yoke__##name##_combine_##isa(                                                \
                yoke__lane[yoke__l],                                                                           \
                yoke__##name##_item_##isa(yoke__i + yoke__l, yoke__n YOKE__EACH(YOKE__PASS, name, params)));   \
        YOKE__FOLD_HALF(isa, name, 32) YOKE__FOLD_HALF(isa, name, 16) YOKE__FOLD_HALF(isa, name, 8)            \
        YOKE__FOLD_HALF(isa, name, 4) YOKE__FOLD_HALF(isa, name, 2) YOKE__FOLD_HALF(isa, name, 1)              \
        *(yoke__##name##_result *)yoke__c->result = yoke__lane[0];                                             \
    }

#define YOKE__ACCUMULATE(isa, target, exact, name, params, ...)                                                \
    YOKE__ITEM(exact, target)                                                                                  \
    void yoke__##name##_item_##isa(yoke__##name##_result *const yoke__acc, const size_t yoke__i,               \
                                   const size_t yoke__n YOKE__EACH(YOKE__TYPED, name, params))                 \
    {                                                                                                          \
        YOKE__CONTRACT_##exact YOKE__BIND_MATH                                                                 \
        {                                                                                                      \
            yoke__##name##_result *const acc = yoke__acc;                                                      \
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
        yoke__##name##_result *const yoke__acc = (yoke__##name##_result *)yoke__c->result;                     \
        *yoke__acc = yoke__##name##_start_##isa();                                                             \
        for (size_t yoke__i = yoke__begin; yoke__i < yoke__end; yoke__i++)                                     \
            yoke__##name##_item_##isa(yoke__acc, yoke__i, yoke__n YOKE__EACH(YOKE__PASS, name, params));       \
    }

#define YOKE__EMIT_REDUCE(shape, exact, name, fold, params, ...)                                               \
    YOKE__CHECKS(name, params)                                                                                 \
    YOKE__QUIET                                                                                                \
    YOKE__FOLD(exact, name, fold)                                                                              \
    YOKE__DECLARE_REDUCE(name, yoke__##name##_result, params)                                                  \
    YOKE__FOR_EACH_ISA(YOKE__##shape, exact, name, params, __VA_ARGS__)                                        \
    YOKE__TABLE(name, params)                                                                                  \
    YOKE__REDUCE_DESCRIPTOR(shape, exact, name, params, YOKE__STR(__VA_ARGS__), YOKE__UNPAREN fold)            \
    YOKE__LAUNCH_REDUCE(name, params)                                                                          \
    YOKE__LOUD

#define YOKE__REDUCE_DESCRIPTOR(shape, exact, name, params, text, ...) \
    YOKE__APPLY(YOKE__REDUCE_DESCRIPTOR_, shape, exact, name, params, text, __VA_ARGS__)
#define YOKE__REDUCE_DESCRIPTOR_(shape, exact, name, params, text, T, yoke__identity, ...)                     \
    YOKE__DESCRIPTOR(name, shape, exact, params, text, #T, sizeof(T), YOKE__ALIGNOF(T), #yoke__identity,       \
                     #__VA_ARGS__, yoke__##name##_identity, yoke__##name##_combine)

#define YOKE__DECLARE_REDUCE(name, T, params) YOKE__DECLARE_ANY(name, params, reduce, size_t yoke__n, T *yoke__r)
#define YOKE__LAUNCH_REDUCE(name, params)                                                                      \
    int yoke__reduce_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options, size_t yoke__n,    \
                            yoke__##name##_result *yoke__r YOKE__EACH(YOKE__TYPED, name, params))              \
    {                                                                                                          \
        void *const yoke__arguments[] = {YOKE__EACH(YOKE__STORE, name, params)};                               \
        return yoke_launch_reduce(yoke__runtime, yoke__options, &yoke__kernel_##name, yoke__n, yoke__r,        \
                                  yoke__arguments);                                                            \
    }                                                                                                          \
    int yoke__async_reduce_##name(yoke_runtime *yoke__runtime, const yoke_options *yoke__options,              \
                                  yoke_future *yoke__future, size_t yoke__n,                                   \
                                  yoke__##name##_result *yoke__r YOKE__EACH(YOKE__TYPED, name, params))        \
    {                                                                                                          \
        void *const yoke__arguments[] = {YOKE__EACH(YOKE__STORE, name, params)};                               \
        return yoke_launch_reduce_async(yoke__runtime, yoke__options, yoke__future, &yoke__kernel_##name,      \
                                        yoke__n, yoke__r, yoke__arguments);                                    \
    }

#endif
