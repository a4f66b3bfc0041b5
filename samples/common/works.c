#include "common/works.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/quotes.h"
#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

/* --- vectors --- */

static struct {
    size_t n;
    float *x, *y, *serial, *parallel, serial_dot, parallel_dot;
} vectors;

static void make_vectors(size_t n)
{
    vectors.n = n;
    vectors.x = grab(n, sizeof(float));
    vectors.y = grab(n, sizeof(float));
    vectors.serial = grab(n, sizeof(float));
    vectors.parallel = grab(n, sizeof(float));
    for (size_t i = 0; i < n; i++) {
        vectors.x[i] = (float)(i % 1021) * 0x1p-10f;
        vectors.y[i] = (float)(i % 769) * 0x1p-10f;
    }
}

static void triad_serial(void)
{
    for (size_t i = 0; i < vectors.n; i++)
        vectors.serial[i] = vectors.x[i] + 3.0f * vectors.y[i];
}

static void triad_parallel(void)
{
    must(parallel_map(yoke_triad, vectors.n, vectors.parallel, vectors.x, vectors.y, 3.0f));
}

static double greatest_error(const float *a, const float *b, size_t n, double allowed)
{
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        double this = fabs((double)a[i] - (double)b[i]);
        error = this <= error ? error : this; /* keeps a NaN */
    }
    return error / allowed;
}

static double triad_differs(void)
{
    return greatest_error(vectors.serial, vectors.parallel, vectors.n, 1e-6);
}

static void dot_serial(void)
{
    float sum = 0;
    for (size_t i = 0; i < vectors.n; i++)
        sum += vectors.x[i] * vectors.y[i];
    vectors.serial_dot = sum;
}

static void dot_parallel(void)
{
    must(parallel_reduce(yoke_dot, vectors.n, &vectors.parallel_dot, vectors.x, vectors.y));
}

/* One float that grows to millions rounds ever more away: the reference sums in double. */
static double dot_differs(void)
{
    double sum = 0;
    for (size_t i = 0; i < vectors.n; i++)
        sum += (double)vectors.x[i] * (double)vectors.y[i];
    return fabs(sum - (double)vectors.parallel_dot) / (1e-5 * sum);
}

/* --- options --- */

static struct {
    size_t n;
    float *spot, *strike, *years, *rate, *volatility, *call[2], *put[2];
} market;

/* The quotes of the file over and over, with strikes that move a little, until there are n. */
static void make_market(const char *path, size_t n)
{
    quotes q = quotes_read(path, false);
    if (q.count == 0)
        fail("%s holds no good row", path);
    float **const arrays[] = {&market.spot,    &market.strike,  &market.years,  &market.rate,  &market.volatility,
                              &market.call[0], &market.call[1], &market.put[0], &market.put[1]};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        *arrays[k] = grab(n, sizeof(float));
    market.n = n;
    for (size_t i = 0; i < n; i++) {
        const size_t k = i % q.count;
        market.spot[i] = q.spot[k];
        market.strike[i] = q.strike[k] * (0.95f + 0.1f * (float)i / (float)n);
        market.years[i] = q.years[k];
        market.rate[i] = q.rate[k];
        market.volatility[i] = q.volatility[k];
    }
    quotes_free(&q);
}

static float normal(float d)
{
    float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
    float p = k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
    float tail = 0.39894228f * expf(-0.5f * d * d) * p;
    return d > 0.0f ? 1.0f - tail : tail;
}

static void options_serial(void)
{
    for (size_t i = 0; i < market.n; i++) {
        float s = market.spot[i], k = market.strike[i], t = market.years[i];
        float r = market.rate[i], v = market.volatility[i];
        float d1 = (logf(s / k) + (r + 0.5f * v * v) * t) / (v * sqrtf(t)), d2 = d1 - v * sqrtf(t);
        float discounted = k * expf(-r * t);
        market.call[0][i] = s * normal(d1) - discounted * normal(d2);
        market.put[0][i] = discounted * (1.0f - normal(d2)) - s * (1.0f - normal(d1));
    }
}

static void options_parallel(void)
{
    must(parallel_map(yoke_black_scholes_each, market.n, market.spot, market.strike, market.years, market.rate,
                      market.volatility, market.call[1], market.put[1]));
}

static double options_differ(void)
{
    return fmax(greatest_error(market.call[0], market.call[1], market.n, 1e-3),
                greatest_error(market.put[0], market.put[1], market.n, 1e-3));
}

/* --- mandelbrot --- */

static struct {
    size_t width, height;
    int limit, *count[2];
    view at;
} set;

static void mandelbrot_serial(void)
{
    for (size_t j = 0; j < set.height; j++)
        for (size_t i = 0; i < set.width; i++) {
            float cx = set.at.left + set.at.step * (float)i, cy = set.at.top + set.at.step * (float)j, x = 0, y = 0;
            int k = 0;
            while (k < set.limit && x * x + y * y < 4.0f) {
                float next = x * x - y * y + cx;
                y = 2.0f * x * y + cy;
                x = next;
                k++;
            }
            set.count[0][j * set.width + i] = k;
        }
}

static void mandelbrot_parallel(void)
{
    must(parallel_map_2d(yoke_mandelbrot, set.width, set.height, set.count[1], set.at.left, set.at.top, set.at.step,
                         set.at.step, set.limit));
}

/* Where this file's loop may fuse products into sums, a few points at the border take another number of rounds. */
static double mandelbrot_differs(void)
{
    size_t other = 0, all = set.width * set.height;
    for (size_t i = 0; i < all; i++)
        other += set.count[0][i] != set.count[1][i];
#if defined(__x86_64__) && !defined(__FMA__)
    return other > 0 ? INFINITY : 0;
#else
    return (double)other / (0.01 * (double)all);
#endif
}

/* --- n-body --- */

static bodies galaxy;
static float *pull[2];

static void nbody_serial(void)
{
    const size_t n = galaxy.count;
    for (size_t i = 0; i < n; i++) {
        float ax = 0, ay = 0, az = 0;
        for (size_t k = 0; k < n; k++) {
            float dx = galaxy.x[k] - galaxy.x[i], dy = galaxy.y[k] - galaxy.y[i], dz = galaxy.z[k] - galaxy.z[i];
            float inverse = 1.0f / sqrtf(dx * dx + dy * dy + dz * dz + 1e-3f);
            float strength = galaxy.m[k] * inverse * inverse * inverse;
            ax += strength * dx;
            ay += strength * dy;
            az += strength * dz;
        }
        pull[0][i] = ax;
        pull[0][n + i] = ay;
        pull[0][2 * n + i] = az;
    }
}

static void nbody_parallel(void)
{
    const size_t n = galaxy.count;
    must(parallel_map(yoke_nbody, n, pull[1], pull[1] + n, pull[1] + 2 * n, galaxy.x, galaxy.y, galaxy.z, galaxy.m,
                      1e-3f));
}

static double nbody_differs(void)
{
    return greatest_error(pull[0], pull[1], 3 * galaxy.count, 1e-2); /* accelerations reach 25 */
}

/* --- heat --- */

static struct {
    size_t size;
    int steps;
    float *start, *serial[2], *parallel[2];
} plate;

static void make_plates(size_t size, int steps)
{
    const size_t cells = size * size;
    plate.size = size;
    plate.steps = steps;
    plate.start = grab_managed(cells, sizeof(float));
    for (int k = 0; k < 2; k++) {
        plate.serial[k] = grab(cells, sizeof(float));
        plate.parallel[k] = grab_managed(cells, sizeof(float));
    }
    make_plate(yoke_write(plate.start), size, size);
}

static void heat_step_serial(float *y, const float *x)
{
    const size_t w = plate.size;
    memcpy(y, x, w * sizeof *y);
    memcpy(y + (w - 1) * w, x + (w - 1) * w, w * sizeof *y);
    for (size_t j = 1; j + 1 < w; j++) {
        y[j * w] = x[j * w];
        y[j * w + w - 1] = x[j * w + w - 1];
        for (size_t i = j * w + 1; i < j * w + w - 1; i++)
            y[i] = x[i] + 0.2f * (x[i - 1] + x[i + 1] + x[i - w] + x[i + w] - 4.0f * x[i]);
    }
}

static void heat_serial(void)
{
    const float *from = plate.start; /* which nobody writes any more: the host's copy stays */
    for (int k = 0; k < plate.steps; k++) {
        heat_step_serial(plate.serial[k % 2], from);
        from = plate.serial[k % 2];
    }
}

static void heat_parallel(void)
{
    const float *from = plate.start;
    for (int k = 0; k < plate.steps; k++) {
        must(parallel_map_2d(yoke_heat, plate.size, plate.size, plate.parallel[k % 2], from, 0.2f));
        from = plate.parallel[k % 2];
    }
    must(yoke_read(from) != NULL ? YOKE_OK : YOKE_ELOST); /* on a device the steps move nothing, and this does */
}

static double heat_differs(void)
{
    const int last = (plate.steps - 1) % 2;
    return greatest_error(plate.serial[last], plate.parallel[last], plate.size * plate.size, 1e-5);
}

/* --- the photograph --- */

enum { RADIUS = 8 };

static picture photo, blurred[2];
static uint64_t histogram[256];
static yoke_histogram_counts counts;

/* The sample at `at` and those at a distance of k places before and after it, or the last inside. */
static uint8_t smoothed(const uint8_t *x, size_t at, size_t place, size_t count, size_t step, const float *weights)
{
    float sum = weights[0] * x[at];
    for (size_t k = 1; k <= RADIUS; k++) {
        const size_t before = place > k ? k : place, after = place + k < count ? k : count - 1 - place;
        sum += weights[k] * (float)(x[at - before * step] + x[at + after * step]);
    }
    return (uint8_t)(sum + 0.5f);
}

static void blur_serial(void)
{
    const size_t samples = 3 * photo.width;
    uint8_t *between = grab(samples, photo.height);
    float weights[RADIUS + 1];
    yoke_gaussian(weights, RADIUS, 0.5 * RADIUS);
    for (size_t j = 0; j < photo.height; j++)
        for (size_t i = 0; i < samples; i++)
            between[j * samples + i] = smoothed(photo.rgb, j * samples + i, i / 3, photo.width, 3, weights);
    for (size_t j = 0; j < photo.height; j++)
        for (size_t i = 0; i < samples; i++)
            blurred[0].rgb[j * samples + i] = smoothed(between, j * samples + i, j, photo.height, samples, weights);
    free(between);
}

static void blur_parallel(void)
{
    blur(&blurred[1], &photo, RADIUS);
}

/* Rounding twice, a difference in the last bit of a sum may show as 1. */
static double blur_differs(void)
{
    int most = 0;
    for (size_t i = 0; i < 3 * photo.width * photo.height; i++) {
        int this = abs(blurred[0].rgb[i] - blurred[1].rgb[i]);
        most = this > most ? this : most;
    }
    return most;
}

static void histogram_serial(void)
{
    memset(histogram, 0, sizeof histogram);
    for (size_t i = 0; i < 3 * photo.width * photo.height; i++)
        histogram[photo.rgb[i]]++;
}

static void histogram_parallel(void)
{
    must(parallel_reduce(yoke_histogram, 3 * photo.width * photo.height, &counts, photo.rgb));
}

static double histogram_differs(void)
{
    for (unsigned value = 0; value < 256; value++)
        if (yoke_histogram_count(&counts, (uint8_t)value) != histogram[value])
            return INFINITY;
    return 0;
}

/* --- all of them --- */

static void make_input(const char *quotes_path, const picture *given)
{
    make_vectors(1 << 24);
    make_market(quotes_path, 1 << 21);
    set.width = 1920;
    set.height = 1536;
    set.limit = 256;
    set.at = view_of_set(set.width, set.height);
    galaxy = make_galaxy(8192);
    make_plates(2048, 20);
    photo = *given;
    for (int k = 0; k < 2; k++) {
        set.count[k] = grab(set.width * set.height, sizeof(int));
        pull[k] = grab(3 * galaxy.count, sizeof(float));
        blurred[k] = picture_new(photo.width, photo.height);
    }
}

void works_prepare(work works[WORKS], const char *quotes_path, const picture *given)
{
    make_input(quotes_path, given);
    const double n = (double)vectors.n, samples = 3.0 * (double)photo.width * (double)photo.height;
    const double cells = (double)plate.size * (double)plate.size;
    const work table[WORKS] = {
        {"triad", "", 3 * sizeof(float) * n, "GB/s", triad_serial, triad_parallel, triad_differs},
        {"dot", "", 2 * sizeof(float) * n, "GB/s", dot_serial, dot_parallel, dot_differs},
        {"options", "", (double)market.n, "Goptions/s", options_serial, options_parallel, options_differ},
        {"mandelbrot", "", (double)(set.width * set.height), "Gpixel/s", mandelbrot_serial, mandelbrot_parallel,
         mandelbrot_differs},
        {"nbody", "", (double)galaxy.count * (double)galaxy.count, "Gpairs/s", nbody_serial, nbody_parallel,
         nbody_differs},
        {"heat", "", cells * plate.steps, "Gcells/s", heat_serial, heat_parallel, heat_differs},
        {"blur", "", samples, "GB/s", blur_serial, blur_parallel, blur_differs},
        {"histogram", "", samples, "GB/s", histogram_serial, histogram_parallel, histogram_differs},
    };
    memcpy(works, table, sizeof table);
    snprintf(works[0].size, sizeof works->size, "%zu floats", vectors.n);
    snprintf(works[1].size, sizeof works->size, "%zu floats", vectors.n);
    snprintf(works[2].size, sizeof works->size, "%zu options", market.n);
    snprintf(works[3].size, sizeof works->size, "%zux%zu, limit %d", set.width, set.height, set.limit);
    snprintf(works[4].size, sizeof works->size, "%zu bodies", galaxy.count);
    snprintf(works[5].size, sizeof works->size, "%zux%zu, %d steps", plate.size, plate.size, plate.steps);
    snprintf(works[6].size, sizeof works->size, "%zux%zu, radius %d", photo.width, photo.height, RADIUS);
    snprintf(works[7].size, sizeof works->size, "%zux%zu", photo.width, photo.height);
}

void works_write_pictures(const char *folder)
{
    char path[4096];
    picture p = picture_new(set.width, set.height), q = picture_new(plate.size, plate.size);
    paint_counts(&p, set.count[1], set.limit);
    paint_heat(&q, plate.parallel[(plate.steps - 1) % 2]);
    const struct {
        const char *name;
        const picture *picture;
    } files[] = {{"mandelbrot", &p}, {"heat", &q}, {"blur", &blurred[1]}};
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        snprintf(path, sizeof path, "%s/%s.png", folder, files[k].name);
        picture_write(files[k].picture, path);
    }
}
