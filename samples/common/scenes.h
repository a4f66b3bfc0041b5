/* What the samples start from, and how they show what became of it. */
#ifndef YOKE_SAMPLES_SCENES_H
#define YOKE_SAMPLES_SCENES_H

#include "common/picture.h"

/* The part of the plane that a picture of the Mandelbrot set shows. */
typedef struct view {
    float left, top, step;
} view;

/* All of the set, in the middle of so many pixels. */
view view_of_set(size_t width, size_t height);

/* Escape times as colours, black inside. */
void paint_counts(picture *p, const int *counts, int limit);

/* A cold plate of 0 with hot bars of 1, the rim held at its temperature. */
void make_plate(float *x, size_t width, size_t height);

/* Temperatures of [0, 1] as colours from black through red to white. */
void paint_heat(picture *p, const float *x);

/* Blurs by a Gaussian that reaches over so many pixels. */
void blur(picture *to, const picture *from, int radius);

/* Bodies: place, velocity, mass. */
typedef struct bodies {
    size_t count;
    float *x, *y, *z, *vx, *vy, *vz, *m;
} bodies;

/* A disc of small bodies that circles a heavy one; the same at every run. */
bodies make_galaxy(size_t count);

#endif
