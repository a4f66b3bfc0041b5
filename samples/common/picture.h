/* Pictures of 8-bit RGB, read from and written to PNG files. */
#ifndef YOKE_SAMPLES_PICTURE_H
#define YOKE_SAMPLES_PICTURE_H

#include <stddef.h>
#include <stdint.h>

typedef struct picture {
    size_t width, height;
    uint8_t *rgb; /* 3 * width * height samples, row by row */
} picture;

/* A black picture; free its rgb. Fails, as in sample.h, without memory. */
picture picture_new(size_t width, size_t height);

/* Reads any kind of PNG: other depths and colour types become 8-bit RGB, transparency is dropped. Fails with a message
 * for what is no PNG, is damaged, or has more than PICTURE_SIDE pixels on a side or PICTURE_PIXELS in all. */
picture picture_read(const char *path);
enum { PICTURE_SIDE = 65535, PICTURE_PIXELS = 1 << 28 };

void picture_write(const picture *p, const char *path);

#endif
