/* A Gaussian blur of a picture: two passes, along rows and along columns. The maps are in common/scenes.c. */
#include <stdio.h>
#include <stdlib.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/scenes.h"

int main(int argc, char **argv)
{
    usage(argc, argv, 2, 3, "usage: blur IN.png OUT.png [radius]\n\nBlurs a picture over `radius` pixels (8).\n");
    const int radius = argument(argc, argv, 3, "radius", 0, 1000, 8);

    picture from = picture_read(argv[1]), to = picture_new(from.width, from.height);
    const double start = seconds();
    blur(&to, &from, radius);
    printf("%zu x %zu pixels in %.1f ms\n", from.width, from.height, 1e3 * (seconds() - start));

    picture_write(&to, argv[2]);
    free(from.rgb);
    free(to.rgb);
    return 0;
}
