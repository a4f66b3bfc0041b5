/* The floating-point control state: bodies run with the default one (round to nearest, no flush to zero, exceptions
 * masked), whatever the thread inherited or its program set. Saves only the control bits, a few cycles. */
#ifndef YOKE_FLOAT_ENVIRONMENT_H
#define YOKE_FLOAT_ENVIRONMENT_H

#include <stdint.h>

#if defined(__x86_64__)
typedef struct yoke__float_environment {
    uint32_t mxcsr;
} yoke__float_environment;

enum { YOKE__MXCSR_DEFAULT = 0x1f80, YOKE__MXCSR_CONTROL = 0xffc0, YOKE__X87_DEFAULT = 0x037f };

/* Kernels have no long double, so the x87 unit is set once per worker and left alone in callers. */
static inline void yoke__float_init_thread(void)
{
    const uint16_t x87 = YOKE__X87_DEFAULT;
    __asm__ __volatile__("fldcw %0" : : "m"(x87));
}

static inline yoke__float_environment yoke__float_enter(void)
{
    yoke__float_environment saved;
    __asm__ __volatile__("stmxcsr %0" : "=m"(saved.mxcsr));
    if ((saved.mxcsr & YOKE__MXCSR_CONTROL) != YOKE__MXCSR_DEFAULT) {
        const uint32_t mxcsr = YOKE__MXCSR_DEFAULT;
        __asm__ __volatile__("ldmxcsr %0" : : "m"(mxcsr));
    }
    return saved;
}

static inline void yoke__float_leave(yoke__float_environment saved)
{
    if ((saved.mxcsr & YOKE__MXCSR_CONTROL) != YOKE__MXCSR_DEFAULT)
        __asm__ __volatile__("ldmxcsr %0" : : "m"(saved.mxcsr));
}
#elif defined(__aarch64__)
typedef struct yoke__float_environment {
    uint64_t fpcr;
} yoke__float_environment;

static inline void yoke__float_init_thread(void)
{
}

static inline yoke__float_environment yoke__float_enter(void)
{
    yoke__float_environment saved;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved.fpcr));
    if (saved.fpcr != 0)
        __asm__ __volatile__("msr fpcr, %0" : : "r"((uint64_t)0));
    return saved;
}

static inline void yoke__float_leave(yoke__float_environment saved)
{
    if (saved.fpcr != 0)
        __asm__ __volatile__("msr fpcr, %0" : : "r"(saved.fpcr));
}
#endif

#endif
