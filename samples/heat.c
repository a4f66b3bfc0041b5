/* Heat spreads over a plate: many steps of a stencil, back and forth between two grids, which stay on a device that has
 * them. */
#include <stdio.h>
#include <stdlib.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"

int main(int argc, char **argv)
{
    usage(argc, argv, 1, 3,
          "usage: heat OUT.png [size [steps]]\n\n"
          "Draws a plate of size x size cells (512) after so many steps (5000).\n");
    const size_t size = (size_t)argument(argc, argv, 2, "size", 3, 16384, 512);
    const int steps = argument(argc, argv, 3, "steps", 0, 1000000, 5000);

    float *now = grab_managed(size * size, sizeof *now), *next = grab_managed(size * size, sizeof *next);
    make_plate(yoke_write(now), size, size);
    for (int step = 0; step < steps; step++) {
        must(parallel_map_2d(yoke_heat, size, size, next, now, 0.2f));
        float *swap = now;
        now = next;
        next = swap;
        if (step % 64 == 63 || step == steps - 1)
            show_progress((size_t)step + 1, (size_t)steps, "heat");
    }

    picture p = picture_new(size, size);
    if (yoke_read(now) == NULL)
        fail("%s", yoke_error_detail());
    paint_heat(&p, now);
    picture_write(&p, argv[1]);
    must(yoke_free(now));
    must(yoke_free(next));
    free(p.rgb);
    return 0;
}
