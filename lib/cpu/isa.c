#include <string.h>

#include "lib/cpu/cpu.h"

#if defined(__aarch64__)
static const char *const names[YOKE__ISA_COUNT] = {"neon", NULL, NULL};
#else
static const char *const names[YOKE__ISA_COUNT] = {"baseline", "avx2", "avx512"};
#endif

/* The compiler's run-time library asks XGETBV too, so a set that the system does not save is not reported. */
static bool has(yoke__isa isa)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2");
    if (isa == YOKE__ISA_AVX2)
        return avx2;
    if (isa == YOKE__ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512cd");
#endif
    return isa == YOKE__ISA_BASELINE;
}

static yoke__isa best(void)
{
    if (has(YOKE__ISA_AVX512))
        return YOKE__ISA_AVX512;
    return has(YOKE__ISA_AVX2) ? YOKE__ISA_AVX2 : YOKE__ISA_BASELINE;
}

const char *yoke__isa_name(yoke__isa isa)
{
    return names[isa];
}

int yoke__isa_choose(const char *name, yoke__isa *isa)
{
    if (name == NULL) {
        *isa = best();
        return YOKE_OK;
    }
    for (unsigned k = 0; k < YOKE__ISA_COUNT; k++) {
        bool match = names[k] != NULL && strcmp(name, names[k]) == 0;
        if (!match && !(k == YOKE__ISA_BASELINE && strcmp(name, "baseline") == 0))
            continue;
        if (!has((yoke__isa)k))
            return yoke__fail(YOKE_ENODEV,
                              "this CPU or its operating system lacks instruction set %s; the best it has is %s", name,
                              names[best()]);
        *isa = (yoke__isa)k;
        return YOKE_OK;
    }
#if defined(__aarch64__)
    return yoke__fail(YOKE_EINVAL, "unknown instruction set '%.40s'; use neon", name);
#else
    return yoke__fail(YOKE_EINVAL, "unknown instruction set '%.40s'; use baseline, avx2 or avx512", name);
#endif
}
