/* Non-temporal copies. Partial cache lines at either end go through the caches. */
#include <string.h>

#include "lib/cpu/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LINE 64

__attribute__((target("avx512f"))) static void lines_avx512(unsigned char *to, const unsigned char *from, size_t lines)
{
    for (; lines > 0; lines--, to += LINE, from += LINE)
        _mm512_stream_si512((void *)to, _mm512_loadu_si512(from));
}

__attribute__((target("avx"))) static void lines_avx(unsigned char *to, const unsigned char *from, size_t lines)
{
    for (; lines > 0; lines--, to += LINE, from += LINE)
        for (int k = 0; k < LINE; k += 32)
            _mm256_stream_si256((void *)(to + k), _mm256_loadu_si256((const void *)(from + k)));
}

static void lines_sse2(unsigned char *to, const unsigned char *from, size_t lines)
{
    for (; lines > 0; lines--, to += LINE, from += LINE)
        for (int k = 0; k < LINE; k += 16)
            _mm_stream_si128((void *)(to + k), _mm_loadu_si128((const void *)(from + k)));
}

void yoke__stream_copy(yoke__isa isa, void *restrict to, const void *restrict from, size_t bytes)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    size_t head = (LINE - (uintptr_t)target % LINE) % LINE;
    if (head >= bytes) {
        memcpy(target, source, bytes);
        return;
    }
    memcpy(target, source, head);
    target += head, source += head, bytes -= head;
    size_t lines = bytes / LINE;
    if (isa == YOKE__ISA_AVX512)
        lines_avx512(target, source, lines);
    else if (isa == YOKE__ISA_AVX2)
        lines_avx(target, source, lines);
    else
        lines_sse2(target, source, lines);
    memcpy(target + lines * LINE, source + lines * LINE, bytes % LINE);
}

void yoke__stream_fence(void)
{
    _mm_sfence();
}
#else
void yoke__stream_copy(yoke__isa isa, void *restrict to, const void *restrict from, size_t bytes)
{
    (void)isa;
    memcpy(to, from, bytes);
}

void yoke__stream_fence(void)
{
}
#endif
