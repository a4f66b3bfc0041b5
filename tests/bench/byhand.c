/* References written by hand. Mandelbrot with intrinsics, in modes "avx512", "avx2" and "scalar", each on all cores or
 * with "_1" appended on one: what a lane kernel could reach at best. And the empty loop on a team that spins for
 * ever, in mode "spin". x86-64 only; compiled without -march, so each function names its own instruction set. */
#include <immintrin.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "contestant.h"
#include "rows.h"
#include "team.h"

#define STEPS 8  /* rounds between two looks at whether any lane is still inside */
#define CHAINS 4 /* vectors at a time: one alone waits for its own results */

typedef void (*row_function)(bench_job *job, size_t j);

/* Finished lanes run on to infinity and are not counted: a comparison with infinity or NaN is false. */
__attribute__((target("avx512f"))) static void row_avx512(bench_job *job, size_t j)
{
    int32_t *out = (int32_t *)job->out[0] + j * job->width;
    const int limit = job->workload->iterations;
    const float step_x = BENCH_SIDE / (float)job->width, step_y = BENCH_SIDE / (float)job->height;
    const __m512 cy = _mm512_set1_ps(BENCH_TOP + step_y * (float)j), four = _mm512_set1_ps(4.0f);
    const __m512 lane = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i one = _mm512_set1_epi32(1);
    for (size_t i = 0; i + 16 * CHAINS <= job->width; i += 16 * CHAINS) {
        __m512 cx[CHAINS], x[CHAINS], y[CHAINS];
        __m512i count[CHAINS];
        for (int c = 0; c < CHAINS; c++) {
            __m512 column = _mm512_add_ps(lane, _mm512_set1_ps((float)(i + 16 * (size_t)c)));
            cx[c] = _mm512_fmadd_ps(column, _mm512_set1_ps(step_x), _mm512_set1_ps(BENCH_LEFT));
            x[c] = y[c] = _mm512_setzero_ps();
            count[c] = _mm512_setzero_si512();
        }
        for (int done = 0; done < limit; done += STEPS) {
            unsigned alive = 0;
            for (int step = 0; step < STEPS && done + step < limit; step++) {
                alive = 0;
                for (int c = 0; c < CHAINS; c++) {
                    __m512 yy = _mm512_mul_ps(y[c], y[c]);
                    __mmask16 in = _mm512_cmp_ps_mask(_mm512_fmadd_ps(x[c], x[c], yy), four, _CMP_LT_OQ);
                    count[c] = _mm512_mask_add_epi32(count[c], in, count[c], one);
                    alive |= in;
                    __m512 next = _mm512_add_ps(_mm512_fmsub_ps(x[c], x[c], yy), cx[c]);
                    y[c] = _mm512_fmadd_ps(_mm512_add_ps(x[c], x[c]), y[c], cy);
                    x[c] = next;
                }
            }
            if (alive == 0)
                break;
        }
        for (int c = 0; c < CHAINS; c++)
            _mm512_storeu_si512(out + i + 16 * c, count[c]);
    }
}

__attribute__((target("avx2,fma"))) static void row_avx2(bench_job *job, size_t j)
{
    int32_t *out = (int32_t *)job->out[0] + j * job->width;
    const int limit = job->workload->iterations;
    const float step_x = BENCH_SIDE / (float)job->width, step_y = BENCH_SIDE / (float)job->height;
    const __m256 cy = _mm256_set1_ps(BENCH_TOP + step_y * (float)j), four = _mm256_set1_ps(4.0f);
    const __m256 lane = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    for (size_t i = 0; i + 8 * CHAINS <= job->width; i += 8 * CHAINS) {
        __m256 cx[CHAINS], x[CHAINS], y[CHAINS];
        __m256i count[CHAINS];
        for (int c = 0; c < CHAINS; c++) {
            __m256 column = _mm256_add_ps(lane, _mm256_set1_ps((float)(i + 8 * (size_t)c)));
            cx[c] = _mm256_fmadd_ps(column, _mm256_set1_ps(step_x), _mm256_set1_ps(BENCH_LEFT));
            x[c] = y[c] = _mm256_setzero_ps();
            count[c] = _mm256_setzero_si256();
        }
        for (int done = 0; done < limit; done += STEPS) {
            __m256 alive = _mm256_setzero_ps();
            for (int step = 0; step < STEPS && done + step < limit; step++) {
                alive = _mm256_setzero_ps();
                for (int c = 0; c < CHAINS; c++) {
                    __m256 yy = _mm256_mul_ps(y[c], y[c]);
                    __m256 in = _mm256_cmp_ps(_mm256_fmadd_ps(x[c], x[c], yy), four, _CMP_LT_OQ);
                    count[c] = _mm256_sub_epi32(count[c], _mm256_castps_si256(in));
                    alive = _mm256_or_ps(alive, in);
                    __m256 next = _mm256_add_ps(_mm256_fmsub_ps(x[c], x[c], yy), cx[c]);
                    y[c] = _mm256_fmadd_ps(_mm256_add_ps(x[c], x[c]), y[c], cy);
                    x[c] = next;
                }
            }
            if (_mm256_movemask_ps(alive) == 0)
                break;
        }
        for (int c = 0; c < CHAINS; c++)
            _mm256_storeu_si256((__m256i *)(void *)(out + i + 8 * c), count[c]);
    }
}

static struct {
    bench_job *job;
    row_function row;
    atomic_size_t next;
} shared;

static void claim_rows(unsigned member, unsigned members, void *argument)
{
    (void)member, (void)members, (void)argument;
    size_t j;
    while ((j = atomic_fetch_add_explicit(&shared.next, 1, memory_order_relaxed)) < shared.job->height)
        shared.row(shared.job, j);
}

static void rows(bench_job *job, row_function row)
{
    shared.job = job;
    shared.row = row;
    atomic_store(&shared.next, 0);
    bench_team_run(strstr(job->mode, "_1") != NULL ? 1 : bench_team_size(), claim_rows, NULL);
}

static void mandelbrot_avx512(bench_job *job)
{
    rows(job, row_avx512);
}

static void mandelbrot_avx2(bench_job *job)
{
    rows(job, row_avx2);
}

static void mandelbrot_scalar(bench_job *job)
{
    rows(job, mandelbrot_row);
}

static void nothing(unsigned member, unsigned members, void *argument)
{
    (void)member, (void)members, (void)argument;
}

static void empty(bench_job *job)
{
    (void)job;
    bench_team_run(bench_team_size(), nothing, NULL);
}

static bench_call find(bench_job *job)
{
    if (job->workload->kind == BENCH_EMPTY)
        return strcmp(job->mode, "spin") == 0 ? empty : NULL;
    if (job->workload->kind != BENCH_MANDELBROT || job->width % (16 * CHAINS) != 0)
        return NULL;
    if (strncmp(job->mode, "avx512", 6) == 0)
        return __builtin_cpu_supports("avx512f") ? mandelbrot_avx512 : NULL;
    if (strncmp(job->mode, "avx2", 4) == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? mandelbrot_avx2 : NULL;
    return strncmp(job->mode, "scalar", 6) == 0 ? mandelbrot_scalar : NULL;
}

static void parallel(size_t n, bench_range body, void *argument)
{
    body(0, n, argument);
}

const struct bench_contestant bench_contestant = {find, parallel, NULL, NULL, NULL};
