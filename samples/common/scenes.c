#include "common/scenes.h"

#include <math.h>
#include <stdlib.h>

#include "common/sample.h"
#include "yoke/kernels.h"

view view_of_set(size_t width, size_t height)
{
    const float step_x = 3.0f / (float)width, step_y = 2.4f / (float)height;
    const float step = step_x > step_y ? step_x : step_y;
    return (view){-0.7f - 0.5f * step * (float)width, -0.5f * step * (float)height, step};
}

YOKE_KERNEL(paint_count, (out(uint8_t, rgb, 3), in(int, count), value(int, limit)), {
    const float t = logf(1.0f + (float)count[i]) / logf(1.0f + (float)limit), u = 1.0f - t; /* inside, u is 0 */
    rgb[3 * i] = (uint8_t)(255.0f * 9.0f * u * t * t * t);
    rgb[3 * i + 1] = (uint8_t)(255.0f * 15.0f * u * u * t * t);
    rgb[3 * i + 2] = (uint8_t)(255.0f * 8.5f * u * u * u * t);
})

void paint_counts(picture *p, const int *counts, int limit)
{
    must(parallel_map(paint_count, p->width * p->height, p->rgb, counts, limit));
}

YOKE_KERNEL_2D(plate, (out(float, x)), {
    const float u = (float)i / (float)width, v = (float)j / (float)height;
    const int bar = u > 0.15f && u < 0.85f && fabsf(v - 0.3f) < 0.05f;
    const int post = v > 0.3f && v < 0.8f && fabsf(u - 0.5f) < 0.05f;
    x[j * width + i] = bar || post || j == height - 1 ? 1.0f : 0.0f;
})

void make_plate(float *x, size_t width, size_t height)
{
    must(parallel_map_2d(plate, width, height, x));
}

YOKE_KERNEL(paint_temperature, (out(uint8_t, rgb, 3), in(float, x)), {
    const float glow = 3.0f * fminf(fmaxf(x[i], 0.0f), 1.0f);
    rgb[3 * i] = (uint8_t)(255.0f * fminf(glow, 1.0f));
    rgb[3 * i + 1] = (uint8_t)(255.0f * fminf(fmaxf(glow - 1.0f, 0.0f), 1.0f));
    rgb[3 * i + 2] = (uint8_t)(255.0f * fmaxf(glow - 2.0f, 0.0f));
})

void paint_heat(picture *p, const float *x)
{
    must(parallel_map(paint_temperature, p->width * p->height, p->rgb, x));
}

void blur(picture *to, const picture *from, int radius)
{
    const size_t samples = 3 * from->width;
    uint8_t *between = grab(samples, from->height);
    float *weights = grab((size_t)radius + 1, sizeof *weights);
    yoke_gaussian(weights, radius, 0.5 * radius);
    must(parallel_map_2d(yoke_blur_rows, samples, from->height, between, from->rgb, weights, radius, 3));
    must(parallel_map_2d(yoke_blur_columns, samples, from->height, to->rgb, between, weights, radius));
    free(weights);
    free(between);
}

/* A simple generator: the same numbers on every machine. */
static float draw(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) * 0x1p-24f;
}

bodies make_galaxy(size_t count)
{
    float *memory = grab(count, 7 * sizeof *memory);
    bodies b = {count,
                memory,
                memory + count,
                memory + 2 * count,
                memory + 3 * count,
                memory + 4 * count,
                memory + 5 * count,
                memory + 6 * count};
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        const float radius = 0.2f + draw(&state), angle = 6.2831853f * draw(&state);
        const float speed = sqrtf(1.0f / radius); /* of a circle around mass 1 */
        b.x[i] = radius * cosf(angle);
        b.y[i] = radius * sinf(angle);
        b.z[i] = 0.05f * (draw(&state) - 0.5f);
        b.vx[i] = -speed * sinf(angle);
        b.vy[i] = speed * cosf(angle);
        b.m[i] = 0.1f / (float)count;
    }
    b.x[0] = b.y[0] = b.z[0] = b.vx[0] = b.vy[0] = 0.0f;
    b.m[0] = 1.0f;
    return b;
}
