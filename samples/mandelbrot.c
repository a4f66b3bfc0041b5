/* The Mandelbrot set: pixels that take a few rounds or thousands, shared out evenly all the same. */
#include <stdio.h>
#include <stdlib.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"

int main(int argc, char **argv)
{
    usage(argc, argv, 1, 4,
          "usage: mandelbrot OUT.png [width [height [limit]]]\n\n"
          "Draws the Mandelbrot set (1920 x 1536 pixels), in at most `limit` rounds each (1000).\n");
    const size_t width = (size_t)argument(argc, argv, 2, "width", 1, 32768, 1920);
    const size_t height = (size_t)argument(argc, argv, 3, "height", 1, 32768, 1536);
    const int limit = argument(argc, argv, 4, "limit", 1, 1000000, 1000);

    picture p = picture_new(width, height);
    int *count = grab(width * height, sizeof *count);
    const view v = view_of_set(width, height);
    const yoke_options options = {.progress = show_progress, .progress_argument = "mandelbrot"};
    must(parallel_map_2d_on(NULL, &options, yoke_mandelbrot, width, height, count, v.left, v.top, v.step, v.step,
                            limit));

    paint_counts(&p, count, limit);
    picture_write(&p, argv[1]);
    free(count);
    free(p.rgb);
    return 0;
}
