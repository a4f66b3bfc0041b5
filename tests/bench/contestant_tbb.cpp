/* The workloads on oneTBB. Modes: "static" (static_partitioner), "affinity" (affinity_partitioner, kept between
 * calls, which is what it is for). */
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/partitioner.h>

#include <cstring>

#include "contestant.h"
#include "rows.h"

namespace
{

using range = oneapi::tbb::blocked_range<size_t>;

oneapi::tbb::affinity_partitioner affinity;
oneapi::tbb::affinity_partitioner affinity_2; /* of the second pass of blur */

bool is_static(const bench_job *job)
{
    return job->mode[0] == 's';
}

template <class Body>
void loop(const bench_job *job, size_t n, const Body &body, oneapi::tbb::affinity_partitioner &kept = affinity)
{
    if (is_static(job))
        oneapi::tbb::parallel_for(range(0, n), body, oneapi::tbb::static_partitioner());
    else
        oneapi::tbb::parallel_for(range(0, n), body, kept);
}

template <class Body> float fold(const bench_job *job, size_t n, const Body &body)
{
    const auto plus = [](float a, float b) { return a + b; };
    if (is_static(job))
        return oneapi::tbb::parallel_reduce(range(0, n), 0.0f, body, plus, oneapi::tbb::static_partitioner());
    return oneapi::tbb::parallel_reduce(range(0, n), 0.0f, body, plus, affinity);
}

const float *input(const bench_job *job, int k)
{
    return static_cast<const float *>(job->in[k]);
}

float *output(const bench_job *job, int k)
{
    return static_cast<float *>(job->out[k]);
}

void empty(bench_job *job)
{
    loop(job, job->n, [](const range &) {});
}

void copy(bench_job *job)
{
    const float *x = input(job, 0);
    float *y = output(job, 0);
    loop(job, job->n, [=](const range &r) {
        const float *RESTRICT from = x;
        float *RESTRICT to = y;
        for (size_t i = r.begin(); i < r.end(); i++)
            to[i] = from[i];
    });
}

void triad(bench_job *job)
{
    const float *b = input(job, 0), *c = input(job, 1);
    float *y = output(job, 0);
    loop(job, job->n, [=](const range &r) {
        const float *RESTRICT left = b, *RESTRICT right = c;
        float *RESTRICT to = y;
        for (size_t i = r.begin(); i < r.end(); i++)
            to[i] = left[i] + BENCH_SCALAR * right[i];
    });
}

void sum(bench_job *job)
{
    const float *x = input(job, 0);
    job->result = fold(job, job->n, [=](const range &r, float total) {
        for (size_t i = r.begin(), end = r.end(); i < end; i++)
            total += x[i];
        return total;
    });
}

void dot(bench_job *job)
{
    const float *x = input(job, 0), *y = input(job, 1);
    job->result = fold(job, job->n, [=](const range &r, float total) {
        for (size_t i = r.begin(), end = r.end(); i < end; i++)
            total += x[i] * y[i];
        return total;
    });
}

void map_exp(bench_job *job)
{
    const float *x = input(job, 0);
    float *y = output(job, 0);
    loop(job, job->n, [=](const range &r) {
        const float *RESTRICT from = x;
        float *RESTRICT to = y;
        for (size_t i = r.begin(); i < r.end(); i++)
            to[i] = expf(from[i]);
    });
}

void map_sin(bench_job *job)
{
    const float *x = input(job, 0);
    float *y = output(job, 0);
    loop(job, job->n, [=](const range &r) {
        const float *RESTRICT from = x;
        float *RESTRICT to = y;
        for (size_t i = r.begin(); i < r.end(); i++)
            to[i] = sinf(from[i]);
    });
}

void black_scholes(bench_job *job)
{
    const float *spot_of = input(job, 0), *strike_of = input(job, 1), *years_of = input(job, 2);
    float *call_of = output(job, 0), *put_of = output(job, 1);
    loop(job, job->n, [=](const range &r) {
        const float *RESTRICT spot = spot_of, *RESTRICT strike = strike_of, *RESTRICT years = years_of;
        float *RESTRICT call = call_of, *RESTRICT put = put_of;
        for (size_t i = r.begin(); i < r.end(); i++)
            option_price(spot[i], strike[i], years[i], &call[i], &put[i]);
    });
}

template <void (*Row)(bench_job *, size_t)>
void rows(bench_job *job, size_t n, oneapi::tbb::affinity_partitioner &kept = affinity)
{
    loop(
        job, n,
        [job](const range &r) {
            for (size_t j = r.begin(); j < r.end(); j++)
                Row(job, j);
        },
        kept);
}

void mandelbrot(bench_job *job)
{
    rows<mandelbrot_row>(job, job->height);
}

void nbody(bench_job *job)
{
    rows<nbody_body>(job, job->n);
}

void heat(bench_job *job)
{
    rows<heat_row>(job, job->height);
}

void blur(bench_job *job)
{
    rows<blur_across_row>(job, job->height);
    rows<blur_down_row>(job, job->height, affinity_2);
}

bench_call find(bench_job *job)
{
    if (std::strcmp(job->mode, "static") != 0 && std::strcmp(job->mode, "affinity") != 0)
        return nullptr;
    switch (job->workload->kind) {
    case BENCH_EMPTY: return empty;
    case BENCH_COPY: return copy;
    case BENCH_TRIAD: return triad;
    case BENCH_SUM: return sum;
    case BENCH_DOT: return dot;
    case BENCH_EXP: return map_exp;
    case BENCH_SIN: return map_sin;
    case BENCH_BLACK_SCHOLES: return black_scholes;
    case BENCH_MANDELBROT: return mandelbrot;
    case BENCH_NBODY: return nbody;
    case BENCH_HEAT: return heat;
    case BENCH_BLUR: return blur;
    default: return nullptr;
    }
}

void parallel(size_t n, bench_range body, void *argument)
{
    oneapi::tbb::parallel_for(
        range(0, n), [=](const range &r) { body(r.begin(), r.end(), argument); }, oneapi::tbb::static_partitioner());
}

} // namespace

const struct bench_contestant bench_contestant = {find, parallel, nullptr, nullptr, nullptr};
