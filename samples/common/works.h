/* The demo's works, each as a call of Yoke and as a plain serial loop, which the compiler may make of what it likes. */
#ifndef YOKE_SAMPLES_WORKS_H
#define YOKE_SAMPLES_WORKS_H

#include "common/picture.h"

/* One line of the table. Both sides read the same input; `differs` compares what they made of it. */
typedef struct work {
    const char *name;
    char size[40];
    double amount; /* of the unit, in one run */
    const char *unit;
    void (*serial)(void);
    void (*parallel)(void);
    double (*differs)(void); /* largest error, as a share of what is allowed */
} work;

enum { WORKS = 8 };

/* Makes all input, from a file of quotes and a picture (which is kept), and fills the table. */
void works_prepare(work works[WORKS], const char *quotes_path, const picture *given);

/* Writes what came out into a folder: mandelbrot.png, heat.png, blur.png. */
void works_write_pictures(const char *folder);

#endif
