/* What the machine can do: loops written by hand for this CPU, on pinned, spinning threads. Modes: "plain" and "nt"
 * (non-temporal stores) on all cores, "plain_1" and "nt_1" on one. A map that computes nothing worth mentioning (exp,
 * sin, heat) is limited by its traffic, a copy. x86-64 only. */
#include <immintrin.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "contestant.h"
#include "team.h"

#if defined(__AVX512F__)
typedef __m512 vector;
#define LANES 16
#define load _mm512_load_ps
#define store _mm512_store_ps
#define stream _mm512_stream_ps
#define set1 _mm512_set1_ps
#define fmadd _mm512_fmadd_ps
#define add _mm512_add_ps
#elif defined(__AVX2__) && defined(__FMA__)
typedef __m256 vector;
#define LANES 8
#define load _mm256_load_ps
#define store _mm256_store_ps
#define stream _mm256_stream_ps
#define set1 _mm256_set1_ps
#define fmadd _mm256_fmadd_ps
#define add _mm256_add_ps
#else
typedef __m128 vector;
#define LANES 4
#define load _mm_load_ps
#define store _mm_store_ps
#define stream _mm_stream_ps
#define set1 _mm_set1_ps
#define fmadd(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define add _mm_add_ps
#endif

#define FMA_CHAINS 16

static bool has(const bench_job *job, const char *part)
{
    return strstr(job->mode, part) != NULL;
}

/* A member's part, in whole vectors; the last few items are nobody's: a limit has no remainder loop. */
static void part(const bench_job *job, unsigned member, unsigned members, size_t *begin, size_t *end)
{
    size_t vectors = job->n / LANES;
    *begin = vectors * member / members * LANES;
    *end = vectors * (member + 1) / members * LANES;
}

static void rest(const bench_job *job, unsigned member)
{
    const float *x = job->in[0], *z = job->in[1];
    float *y = job->out[0];
    if (member == 0 && y != NULL)
        for (size_t i = job->n / LANES * LANES; i < job->n; i++)
            y[i] = z != NULL ? x[i] + BENCH_SCALAR * z[i] : x != NULL ? x[i] : BENCH_SCALAR;
}

static void copy_part(unsigned member, unsigned members, void *argument)
{
    bench_job *job = argument;
    const float *x = job->in[0];
    float *y = job->out[0];
    size_t begin, end;
    part(job, member, members, &begin, &end);
    if (has(job, "nt")) {
        for (size_t i = begin; i < end; i += LANES)
            stream(y + i, load(x + i));
        _mm_sfence();
    } else {
        for (size_t i = begin; i < end; i += LANES)
            store(y + i, load(x + i));
    }
    rest(job, member);
}

static void triad_part(unsigned member, unsigned members, void *argument)
{
    bench_job *job = argument;
    const float *b = job->in[0], *c = job->in[1];
    float *y = job->out[0];
    const vector scalar = set1(BENCH_SCALAR);
    size_t begin, end;
    part(job, member, members, &begin, &end);
    if (has(job, "nt")) {
        for (size_t i = begin; i < end; i += LANES)
            stream(y + i, fmadd(scalar, load(c + i), load(b + i)));
        _mm_sfence();
    } else {
        for (size_t i = begin; i < end; i += LANES)
            store(y + i, fmadd(scalar, load(c + i), load(b + i)));
    }
    rest(job, member);
}

static void write_part(unsigned member, unsigned members, void *argument)
{
    bench_job *job = argument;
    float *y = job->out[0];
    const vector value = set1(BENCH_SCALAR); /* not 0: some memory systems are faster with zeros */
    size_t begin, end;
    part(job, member, members, &begin, &end);
    if (has(job, "nt")) {
        for (size_t i = begin; i < end; i += LANES)
            stream(y + i, value);
        _mm_sfence();
    } else {
        for (size_t i = begin; i < end; i += LANES)
            store(y + i, value);
    }
    rest(job, member);
}

static float lanes_sum(vector total)
{
    float lane[LANES], sum = 0.0f;
    memcpy(lane, &total, sizeof lane);
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static struct {
    _Alignas(64) float sum;
} partial[BENCH_TEAM_MAX];

/* Four streams each: one alone does not keep enough lines in flight. */
static void read_part(unsigned member, unsigned members, void *argument)
{
    bench_job *job = argument;
    const float *x = job->in[0], *z = job->in[1];
    size_t begin, end;
    part(job, member, members, &begin, &end);
    size_t quarter = (end - begin) / 4 / LANES * LANES;
    vector total[4];
    for (int k = 0; k < 4; k++)
        total[k] = set1(0.0f);
    for (size_t i = begin; i < begin + quarter; i += LANES)
        for (size_t k = 0; k < 4; k++) {
            size_t place = i + k * quarter;
            vector value = load(x + place);
            total[k] = z != NULL ? fmadd(value, load(z + place), total[k]) : add(total[k], value);
        }
    for (size_t i = begin + 4 * quarter; i < end; i += LANES)
        total[0] = z != NULL ? fmadd(load(x + i), load(z + i), total[0]) : add(total[0], load(x + i));
    float sum = lanes_sum(add(add(total[0], total[1]), add(total[2], total[3])));
    if (member == 0)
        for (size_t i = job->n / LANES * LANES; i < job->n; i++)
            sum += z != NULL ? x[i] * z[i] : x[i];
    partial[member].sum = sum;
}

static void fma_part(unsigned member, unsigned members, void *argument)
{
    bench_job *job = argument;
    vector chain[FMA_CHAINS];
    const vector factor = set1(0.999f), term = set1(0.001f);
    for (int k = 0; k < FMA_CHAINS; k++)
        chain[k] = set1((float)k);
    for (size_t i = 0; i < job->n / members / (LANES * FMA_CHAINS); i++)
#pragma GCC unroll 16
        for (int k = 0; k < FMA_CHAINS; k++)
            chain[k] = fmadd(chain[k], factor, term);
    vector total = chain[0];
    for (int k = 1; k < FMA_CHAINS; k++)
        total = add(total, chain[k]);
    partial[member].sum = lanes_sum(total);
}

static struct {
    _Alignas(128) atomic_size_t ball;
} court;

static void handover_part(unsigned member, unsigned members, void *argument)
{
    const bench_job *job = argument;
    if (members < 2)
        return;
    for (size_t k = 0; k < job->n; k++) {
        while (atomic_load_explicit(&court.ball, memory_order_acquire) != 2 * k + member)
            _mm_pause();
        atomic_store_explicit(&court.ball, 2 * k + member + 1, memory_order_release);
    }
}

static unsigned members(const bench_job *job)
{
    return has(job, "_1") ? 1 : bench_team_size();
}

static void copy(bench_job *job)
{
    bench_team_run(members(job), copy_part, job);
}

static void triad(bench_job *job)
{
    bench_team_run(members(job), triad_part, job);
}

static void write_all(bench_job *job)
{
    bench_team_run(members(job), write_part, job);
}

static void reading(bench_job *job, bench_member body)
{
    unsigned count = members(job);
    bench_team_run(count, body, job);
    job->result = 0.0f;
    for (unsigned k = 0; k < count; k++)
        job->result += partial[k].sum;
}

static void read_all(bench_job *job)
{
    reading(job, read_part);
}

static void fma_peak(bench_job *job)
{
    reading(job, fma_part);
}

static void handover(bench_job *job)
{
    atomic_store(&court.ball, 0);
    bench_team_run(2, handover_part, job);
}

static bench_call find(bench_job *job)
{
    bool nt = has(job, "nt");
    switch (job->workload->kind) {
    case BENCH_COPY:
    case BENCH_EXP:
    case BENCH_SIN:
    case BENCH_HEAT: return copy;
    case BENCH_TRIAD: return triad;
    case BENCH_WRITE: return write_all;
    case BENCH_READ:
    case BENCH_SUM:
    case BENCH_DOT: return nt ? NULL : read_all;
    case BENCH_FMA: return nt ? NULL : fma_peak;
    case BENCH_HANDOVER: return nt || has(job, "_1") || bench_team_size() < 2 ? NULL : handover;
    default: return NULL;
    }
}

struct range_part {
    size_t n;
    bench_range body;
    void *argument;
};

static void run_part(unsigned member, unsigned count, void *argument)
{
    struct range_part *range = argument;
    range->body(range->n * member / count, range->n * (member + 1) / count, range->argument);
}

static void parallel(size_t n, bench_range body, void *argument)
{
    struct range_part range = {n, body, argument};
    bench_team_run(bench_team_size(), run_part, &range);
}

const struct bench_contestant bench_contestant = {find, parallel, NULL, NULL, NULL};
