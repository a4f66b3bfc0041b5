/* What kernels need from the compiler: instruction-set targets, optimisation, loop hints. No user-facing names.
 *
 * Every function of a kernel carries its own target and optimisation, so that a program built with plain -O2 gets
 * vector code, and one built with -march=native does not get wide code into the variants that must not have it:
 * each target starts again from the architecture's base. Without optimisation (-O0) none is forced, so that a
 * debugger can step through a body. */
#ifndef YOKE_COMPILER_H
#define YOKE_COMPILER_H

/* no-thread-jumps: gcc would turn the clamps of the math functions into branches, which vectorise as masked paths. */
#if defined(__clang__)
/* Bodies may be unvectorisable. For the rest of the file: with debug information clang looks for this setting at the
 * kernel's first line, before any pragma that its macro could bring. */
#pragma clang diagnostic ignored "-Wpass-failed"
#define YOKE__OPTIMIZE
#define YOKE__OPTIMIZE_EXACT
#define YOKE__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define YOKE__CONTRACT_OFF _Pragma("STDC FP_CONTRACT OFF")
#else
/* NEON lacks one of the four fused forms that scalar code has: contracted a * b - c * d would differ between a loop and
 * its remainder. */
#if defined(__aarch64__)
#define YOKE__CONTRACT "fp-contract=off"
#else
#define YOKE__CONTRACT "fp-contract=fast"
#endif
#if defined(__OPTIMIZE__)
#define YOKE__OPTIMIZE                                                                                    \
    __attribute__((optimize("O3", "no-fast-math", "no-trapping-math", "no-math-errno", "no-thread-jumps", \
                            YOKE__CONTRACT, "no-loop-interchange", "no-loop-unroll-and-jam")))
#define YOKE__OPTIMIZE_EXACT \
    __attribute__((          \
        optimize("O3", "no-fast-math", "no-trapping-math", "no-math-errno", "no-thread-jumps", "fp-contract=off")))
#else
#define YOKE__OPTIMIZE
#define YOKE__OPTIMIZE_EXACT __attribute__((optimize("fp-contract=off")))
#endif
#define YOKE__INDEPENDENT _Pragma("GCC ivdep")
#define YOKE__CONTRACT_OFF
#endif

#if defined(__x86_64__)
#if defined(__clang__)
#define YOKE__TARGET_BASELINE __attribute__((target("arch=x86-64,no-avx,no-avx2,no-fma,no-avx512f,no-sse3,no-f16c")))
#define YOKE__TARGET_AVX2 __attribute__((target("arch=x86-64,avx2,fma,bmi,bmi2,f16c,no-avx512f")))
#define YOKE__TARGET_AVX512                                                                                  \
    __attribute__((target("arch=x86-64,avx512f,avx512dq,avx512bw,avx512vl,avx512cd,avx2,fma,bmi,bmi2,f16c"), \
                   min_vector_width(512)))
#else
#define YOKE__TARGET_BASELINE __attribute__((target("arch=x86-64")))
#define YOKE__TARGET_AVX2 __attribute__((target("arch=x86-64,avx2,fma,bmi,bmi2,f16c")))
#define YOKE__TARGET_AVX512                                                                                 \
    __attribute__((target("arch=x86-64,avx512f,avx512dq,avx512bw,avx512vl,avx512cd,avx2,fma,bmi,bmi2,f16c," \
                          "prefer-vector-width=512")))
#endif
#else
#define YOKE__TARGET_BASELINE
#endif

/* Code that is part of a kernel: inlined into every variant, hence compiled for the base alone. */
#define YOKE__INLINE static inline YOKE__TARGET_BASELINE YOKE__OPTIMIZE __attribute__((always_inline, unused))

#endif
