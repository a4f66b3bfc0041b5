/* Preprocessor lists: count, and "for each with its index", up to 16 items (17 to 20 are told apart to refuse). */
#ifndef YOKE_DETAIL_LIST_H
#define YOKE_DETAIL_LIST_H

#define YOKE__CAT(a, b) YOKE__CAT_(a, b)
#define YOKE__CAT_(a, b) a##b
#define YOKE__STR(...) YOKE__STR_(__VA_ARGS__)
#define YOKE__STR_(...) #__VA_ARGS__
#define YOKE__SECOND(...) YOKE__SECOND_(__VA_ARGS__, ~)
#define YOKE__SECOND_(a, b, ...) b
#define YOKE__UNPAREN(...) __VA_ARGS__

#define YOKE__COUNT(...) \
    YOKE__COUNT_(__VA_ARGS__, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, ~)
#define YOKE__COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, count, ...) count

/* m(x, 0, first) m(x, 1, second) ... for the parenthesised list */
#define YOKE__EACH(m, x, list) YOKE__EACH_(m, x, YOKE__UNPAREN list)
#define YOKE__EACH_(m, x, ...) YOKE__CAT(YOKE__EACH_, YOKE__COUNT(__VA_ARGS__))(m, x, __VA_ARGS__)
#define YOKE__EACH_1(m, x, a0) m(x, 0, a0)
#define YOKE__EACH_2(m, x, a0, a1) m(x, 0, a0) m(x, 1, a1)
#define YOKE__EACH_3(m, x, a0, a1, a2) m(x, 0, a0) m(x, 1, a1) m(x, 2, a2)
#define YOKE__EACH_4(m, x, a0, a1, a2, a3) m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3)
#define YOKE__EACH_5(m, x, a0, a1, a2, a3, a4) m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4)
#define YOKE__EACH_6(m, x, a0, a1, a2, a3, a4, a5) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5)
#define YOKE__EACH_7(m, x, a0, a1, a2, a3, a4, a5, a6) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6)
#define YOKE__EACH_8(m, x, a0, a1, a2, a3, a4, a5, a6, a7) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7)
#define YOKE__EACH_9(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8)
#define YOKE__EACH_10(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9)
#define YOKE__EACH_11(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9) m(x, 10, a10)
#define YOKE__EACH_12(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9) m(x, 10, a10) m(x, 11, a11)
#define YOKE__EACH_13(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9) m(x, 10, a10) m(x, 11, a11) m(x, 12, a12)
#define YOKE__EACH_14(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9) m(x, 10, a10) m(x, 11, a11) m(x, 12, a12) m(x, 13, a13)
#define YOKE__EACH_15(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9) m(x, 10, a10) m(x, 11, a11) m(x, 12, a12) m(x, 13, a13) m(x, 14, a14)
#define YOKE__EACH_16(m, x, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15) \
    m(x, 0, a0) m(x, 1, a1) m(x, 2, a2) m(x, 3, a3) m(x, 4, a4) m(x, 5, a5) m(x, 6, a6) m(x, 7, a7) \
    m(x, 8, a8) m(x, 9, a9) m(x, 10, a10) m(x, 11, a11) m(x, 12, a12) m(x, 13, a13) m(x, 14, a14) m(x, \
    15, a15)
#define YOKE__EACH_17(m, x, ...)
#define YOKE__EACH_18(m, x, ...)
#define YOKE__EACH_19(m, x, ...)
#define YOKE__EACH_20(m, x, ...)

#endif
