/* Parameter lists: (in(float, x), value(float, a)) to whatever a kernel needs of them. The modes are pasted, never
 * defined, so that no macro called `in` or `value` is left behind. */
#ifndef YOKE_DETAIL_PARAMETER_H
#define YOKE_DETAIL_PARAMETER_H

#include "yoke/detail/list.h"

#ifdef __cplusplus
#define YOKE__ASSERT static_assert
#define YOKE__ALIGNOF alignof
#define YOKE__EXTERN extern "C"
#else
#define YOKE__ASSERT _Static_assert
#define YOKE__ALIGNOF _Alignof
#define YOKE__EXTERN extern
#endif
#define YOKE__UNUSED __attribute__((unused))

/* Each mode becomes one tuple: (mode, type, name, count, before, after); the leading ~ tells a known mode. */
#define YOKE__P_in(T, ...) ~, (IN, T, YOKE__FIRST_TWO(__VA_ARGS__, 1, ~), 0, 0)
#define YOKE__P_out(T, ...) ~, (OUT, T, YOKE__FIRST_TWO(__VA_ARGS__, 1, ~), 0, 0)
#define YOKE__P_inout(T, ...) ~, (INOUT, T, YOKE__FIRST_TWO(__VA_ARGS__, 1, ~), 0, 0)
#define YOKE__P_halo(T, x, before, after) ~, (HALO, T, x, 1, before, after)
#define YOKE__P_whole(T, x, count) ~, (WHOLE, T, x, count, 0, 0)
#define YOKE__P_scatter(T, x, count) ~, (SCATTER, T, x, count, 0, 0)
#define YOKE__P_value(T, a) ~, (VALUE, T, a, 0, 0, 0)
#define YOKE__FIRST_TWO(...) YOKE__FIRST_TWO_(__VA_ARGS__)
#define YOKE__FIRST_TWO_(a, b, ...) a, b

#define YOKE__TUPLE(k, p) YOKE__SECOND(YOKE__CAT(YOKE__P_, p), (BAD, int, YOKE__CAT(yoke__bad, k), 0, 0, 0))
#define YOKE__APPLY(m, ...) m(__VA_ARGS__)
#define YOKE__WITH(m, name, k, p) YOKE__APPLY(m, name, k, YOKE__BARE(YOKE__TUPLE(k, p)))
#define YOKE__BARE(tuple) YOKE__UNPAREN tuple

/* C type of a parameter as the launcher and the body see it. */
#define YOKE__TYPE_IN(T) const T *
#define YOKE__TYPE_OUT(T) T *
#define YOKE__TYPE_INOUT(T) T *
#define YOKE__TYPE_HALO(T) const T *
#define YOKE__TYPE_WHOLE(T) const T *
#define YOKE__TYPE_SCATTER(T) T *
#define YOKE__TYPE_VALUE(T) T
#define YOKE__TYPE_BAD(T) T

/* What stands at argument[k] of a call: the array itself, or a pointer to the value. */
#define YOKE__LOAD_ARRAY(type, k) (type)yoke__c->argument[k]
#define YOKE__LOAD_IN(T, k) YOKE__LOAD_ARRAY(const T *, k)
#define YOKE__LOAD_OUT(T, k) YOKE__LOAD_ARRAY(T *, k)
#define YOKE__LOAD_INOUT(T, k) YOKE__LOAD_ARRAY(T *, k)
#define YOKE__LOAD_HALO(T, k) YOKE__LOAD_ARRAY(const T *, k)
#define YOKE__LOAD_WHOLE(T, k) YOKE__LOAD_ARRAY(const T *, k)
#define YOKE__LOAD_SCATTER(T, k) YOKE__LOAD_ARRAY(T *, k)
#define YOKE__LOAD_VALUE(T, k) *(const T *)yoke__c->argument[k]
#define YOKE__LOAD_BAD(T, k) 0

#define YOKE__STORE_ARRAY(k) (void *)(uintptr_t)yoke__p##k
#define YOKE__STORE_IN(k) YOKE__STORE_ARRAY(k)
#define YOKE__STORE_OUT(k) YOKE__STORE_ARRAY(k)
#define YOKE__STORE_INOUT(k) YOKE__STORE_ARRAY(k)
#define YOKE__STORE_HALO(k) YOKE__STORE_ARRAY(k)
#define YOKE__STORE_WHOLE(k) YOKE__STORE_ARRAY(k)
#define YOKE__STORE_SCATTER(k) YOKE__STORE_ARRAY(k)
#define YOKE__STORE_VALUE(k) (void *)(uintptr_t)&yoke__p##k
#define YOKE__STORE_BAD(k) 0

/* The refusals; they come before anything else of a kernel, so that the first error names it. */
#define YOKE__CHECK(name, k, p) YOKE__WITH(YOKE__CHECK_, name, k, p)
#define YOKE__CHECK_(kernel, k, mode, T, x, c, b, a)                                             \
    YOKE__ASSERT(YOKE_MODE_##mode != YOKE_MODE_BAD,                                                           \
                 "kernel " #kernel ": parameter " #k " (counted from 0) has an unknown mode: use in, out, "   \
                 "inout, halo, whole, scatter or value");                                                     \
    YOKE__ASSERT(sizeof(YOKE__STR(x)) > 1, "kernel " #kernel ": parameter " #k " (counted from 0) has no name");
#define YOKE__CHECKS(name, params)                                                                           \
    YOKE__ASSERT(YOKE__COUNT params <= 16,                                       \
                 "kernel " #name ": more than 16 parameters; put values into a struct (YOKE_TYPE)");         \
    YOKE__EACH(YOKE__CHECK, name, params)

/* typedef const float *yoke__saxpy__x; so that a wrong argument's message names kernel and parameter */
#define YOKE__TYPEDEF(name, k, p) YOKE__WITH(YOKE__TYPEDEF_, name, k, p)
#define YOKE__TYPEDEF_(kernel, k, mode, T, x, c, b, a) \
    typedef YOKE__TYPE_##mode(T) yoke__##kernel##__##x;
/* , yoke__saxpy__x yoke__p1 */
#define YOKE__TYPED(name, k, p) YOKE__WITH(YOKE__TYPED_, name, k, p)
#define YOKE__TYPED_(kernel, k, mode, T, x, c, b, a) , yoke__##kernel##__##x yoke__p##k
/* , yoke__p1 */
#define YOKE__PASS(name, k, p) , yoke__p##k
/* const float *const x = yoke__p1; */
#define YOKE__LOCAL(name, k, p) YOKE__WITH(YOKE__LOCAL_, name, k, p)
#define YOKE__LOCAL_(kernel, k, mode, T, x, c, b, a) \
    YOKE__TYPE_##mode(T) const x YOKE__UNUSED = yoke__p##k;
/* const yoke__saxpy__x yoke__p1 = (const float *)yoke__c->argument[1]; once per range: the loop must not reload it */
#define YOKE__FETCH(name, k, p) YOKE__WITH(YOKE__FETCH_, name, k, p)
#define YOKE__FETCH_(kernel, k, mode, T, x, c, b, a) \
    const yoke__##kernel##__##x yoke__p##k = YOKE__LOAD_##mode(T, k);
/* (void *)x, */
#define YOKE__STORE(name, k, p) YOKE__WITH(YOKE__STORE_, name, k, p)
#define YOKE__STORE_(kernel, k, mode, T, x, c, b, a) YOKE__STORE_##mode(k),
/* a row of the descriptor's table */
#define YOKE__ROW(name, k, p) YOKE__WITH(YOKE__ROW_, name, k, p)
#define YOKE__ROW_(kernel, k, mode, T, x, c, b, a) \
    {#x, #T, sizeof(T), YOKE__ALIGNOF(T), YOKE_MODE_##mode},
/* | bit k of a mask, when the parameter is what the mask is of */
#define YOKE__ARRAY_BIT(name, k, p) YOKE__WITH(YOKE__ARRAY_BIT_, name, k, p)
#define YOKE__ARRAY_BIT_(kernel, k, mode, T, x, c, b, a) | ((YOKE_MODE_##mode != YOKE_MODE_VALUE) * (1 << k))
#define YOKE__SLICED_BIT(name, k, p) YOKE__WITH(YOKE__SLICED_BIT_, name, k, p)
#define YOKE__SLICED_BIT_(kernel, k, mode, T, x, c, b, a)                                               \
    | ((YOKE_MODE_##mode == YOKE_MODE_IN || YOKE_MODE_##mode == YOKE_MODE_OUT ||                        \
        YOKE_MODE_##mode == YOKE_MODE_INOUT || YOKE_MODE_##mode == YOKE_MODE_HALO) *                    \
       (1 << k))
#define YOKE__WRITTEN_BIT(name, k, p) YOKE__WITH(YOKE__WRITTEN_BIT_, name, k, p)
#define YOKE__WRITTEN_BIT_(kernel, k, mode, T, x, c, b, a)                                              \
    | ((YOKE_MODE_##mode == YOKE_MODE_OUT || YOKE_MODE_##mode == YOKE_MODE_INOUT ||                     \
        YOKE_MODE_##mode == YOKE_MODE_SCATTER) *                                                        \
       (1 << k))
/* | whether the parameter is a halo */
#define YOKE__IS_HALO(name, k, p) YOKE__WITH(YOKE__IS_HALO_, name, k, p)
#define YOKE__IS_HALO_(kernel, k, mode, T, x, c, b, a) | (YOKE_MODE_##mode == YOKE_MODE_HALO)

/* Counts are evaluated in 128 bits, so that neither n * k nor a product of int values overflows unseen. */
#define YOKE__WIDE_LOCAL(name, k, p) YOKE__WITH(YOKE__WIDE_LOCAL_, name, k, p)
#define YOKE__WIDE_LOCAL_(kernel, k, mode, T, x, c, b, a) YOKE__WIDE_##mode(T, x, k)
#define YOKE__WIDE_IN(T, x, k)
#define YOKE__WIDE_OUT(T, x, k)
#define YOKE__WIDE_INOUT(T, x, k)
#define YOKE__WIDE_HALO(T, x, k)
#define YOKE__WIDE_WHOLE(T, x, k)
#define YOKE__WIDE_SCATTER(T, x, k)
#define YOKE__WIDE_BAD(T, x, k)
#define YOKE__WIDE_VALUE(T, x, k) const YOKE__WIDE(T) x YOKE__UNUSED = *(const T *)yoke__c->argument[k];
#define YOKE__EXTENT(name, k, p) YOKE__WITH(YOKE__EXTENT_, name, k, p)
#define YOKE__EXTENT_(kernel, k, mode, T, x, c, b, a)   \
    yoke__e[k].count = yoke__narrow((yoke__int128)(c));          \
    yoke__e[k].before = yoke__narrow((yoke__int128)(b));        \
    yoke__e[k].after = yoke__narrow((yoke__int128)(a));

__extension__ typedef __int128 yoke__int128;
#ifdef __cplusplus
extern "C++" {
template <class T> struct yoke__wide { typedef T type; };
template <> struct yoke__wide<char> { typedef yoke__int128 type; };
template <> struct yoke__wide<signed char> { typedef yoke__int128 type; };
template <> struct yoke__wide<unsigned char> { typedef yoke__int128 type; };
template <> struct yoke__wide<short> { typedef yoke__int128 type; };
template <> struct yoke__wide<unsigned short> { typedef yoke__int128 type; };
template <> struct yoke__wide<int> { typedef yoke__int128 type; };
template <> struct yoke__wide<unsigned> { typedef yoke__int128 type; };
template <> struct yoke__wide<long> { typedef yoke__int128 type; };
template <> struct yoke__wide<unsigned long> { typedef yoke__int128 type; };
template <> struct yoke__wide<long long> { typedef yoke__int128 type; };
template <> struct yoke__wide<unsigned long long> { typedef yoke__int128 type; };
}
#define YOKE__WIDE(T) yoke__wide<T>::type
#else
#define YOKE__WIDE(T)                                                                                         \
    __typeof__(_Generic(*(T *)0, char: (yoke__int128)0, signed char: (yoke__int128)0,                         \
                        unsigned char: (yoke__int128)0, short: (yoke__int128)0,                               \
                        unsigned short: (yoke__int128)0, int: (yoke__int128)0, unsigned: (yoke__int128)0,     \
                        long: (yoke__int128)0, unsigned long: (yoke__int128)0, long long: (yoke__int128)0,    \
                        unsigned long long: (yoke__int128)0, default: *(T *)0))
#endif

/* -1 stands for "negative or does not fit". Implicit narrowing is exact here, and no cast that C++ calls old-style. */
static inline YOKE__UNUSED int64_t yoke__narrow(yoke__int128 value)
{
    int64_t narrow = -1;
    if (value >= 0 && value <= INT64_MAX)
        __builtin_memcpy(&narrow, &value, sizeof narrow); /* the low half: little-endian */
    return narrow;
}

#endif
