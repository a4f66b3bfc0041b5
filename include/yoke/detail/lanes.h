/* Operations on a whole block of lanes that plain C cannot say: compilers do not use the hardware's estimates without
 * -ffast-math. One function per instruction set; lane kernels bind the right one. */
#ifndef YOKE_DETAIL_LANES_H
#define YOKE_DETAIL_LANES_H

#include "yoke/compiler.h"

enum { yoke_lanes_max = 64 }; /* lanes of a block; on a device 1 */

#define YOKE__LANES_FUNCTION(target, name)                                                     \
    static inline target YOKE__OPTIMIZE __attribute__((always_inline, unused)) void name(      \
        float *yoke__r, const float *yoke__x, size_t yoke__lanes)

/* Without it clang 14 forwards the first lane's values from registers into the loop that reads them next (GVN's load
 * PRE), and then cannot vectorise that loop. */
#if defined(__clang__)
#define YOKE__FORGET(r, x)                                                                     \
    __asm__("" : "+m"(*(float(*)[yoke_lanes_max])(uintptr_t)(r)), "+m"(*(float(*)[yoke_lanes_max])(uintptr_t)(x)))
#else
#define YOKE__FORGET(r, x) (void)0
#endif

#if defined(__x86_64__)
typedef float yoke__float4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float yoke__float8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float yoke__float16 __attribute__((vector_size(64), aligned(4), may_alias));

/* A block's arrays are whole vectors long, so the last vector may reach past `lanes`. RSQRTPS has 11 good bits and is
 * refined once (Newton); VRSQRT14PS has 14. */
#define YOKE__ESTIMATE_BY(type, width, estimate)                                               \
    for (size_t yoke__l = 0; yoke__l < yoke__lanes; yoke__l += width) {                        \
        const type yoke__v = *(const type *)(yoke__x + yoke__l);                               \
        const type yoke__e = (type)estimate(yoke__v);                                          \
        *(type *)(yoke__r + yoke__l) = yoke__e * (1.5f - 0.5f * yoke__v * yoke__e * yoke__e);  \
    }                                                                                          \
    YOKE__FORGET(yoke__r, yoke__x);
YOKE__LANES_FUNCTION(YOKE__TARGET_BASELINE, yoke__rsqrt_estimate_baseline)
{
    YOKE__ESTIMATE_BY(yoke__float4, 4, __builtin_ia32_rsqrtps)
}
YOKE__LANES_FUNCTION(YOKE__TARGET_AVX2, yoke__rsqrt_estimate_avx2)
{
    YOKE__ESTIMATE_BY(yoke__float8, 8, __builtin_ia32_rsqrtps256)
}
YOKE__LANES_FUNCTION(YOKE__TARGET_AVX512, yoke__rsqrt_estimate_avx512)
{
    const yoke__float16 yoke__zero = {0};
    for (size_t yoke__l = 0; yoke__l < yoke__lanes; yoke__l += 16)
        *(yoke__float16 *)(yoke__r + yoke__l) = (yoke__float16)__builtin_ia32_rsqrt14ps512_mask(
            *(const yoke__float16 *)(yoke__x + yoke__l), yoke__zero, (unsigned short)0xffff);
    YOKE__FORGET(yoke__r, yoke__x);
}
#else
YOKE__LANES_FUNCTION(, yoke__rsqrt_estimate_baseline)
{
    for (size_t yoke__l = 0; yoke__l < yoke__lanes; yoke__l++)
        yoke__r[yoke__l] = yoke_m_rsqrtf(yoke__x[yoke__l]);
}
#endif

#define YOKE__BIND_LANES(isa)                                                                  \
    void (*const yoke_lanes_rsqrt_estimate)(float *, const float *, size_t) __attribute__((unused)) = \
        yoke__rsqrt_estimate_##isa;

#endif
