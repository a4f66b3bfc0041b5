/* One Mandelbrot set on everything the machine has: rows by the workers from the top, rows by devices from the bottom,
 * tinted by who computed them. On a machine whose only device is its CPU: YOKE_DEVICES=cpu,opencl:0. */
#include <stdio.h>
#include <stdlib.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"

enum { LEARNING = 40, ENOUGH = 3, PIECES = 65536 };

/* Workers stay as they are; devices have a colour each. */
static void tint(picture *p, const yoke_piece *piece)
{
    static const uint8_t tints[][3] = {{255, 96, 96}, {96, 255, 96}, {96, 128, 255}, {255, 255, 96}};
    const uint8_t *colour = tints[(size_t)piece->device % (sizeof tints / sizeof *tints)];
    for (size_t k = 3 * p->width * piece->begin; k < 3 * p->width * piece->end; k++)
        p->rgb[k] = (uint8_t)((p->rgb[k] + colour[k % 3]) / 2);
}

static void print_shares(const yoke_decision *d)
{
    printf("%-40s %8s %7s %9s\n", "who", "rows", "pieces", "until ms");
    for (unsigned k = 0; k < d->share_count; k++)
        printf("%-40.40s %8zu %7u %9.2f\n", d->shares[k].name, d->shares[k].items, d->shares[k].pieces,
               1e-6 * d->shares[k].ns);
    printf("together %.2f ms", 1e-6 * d->took_ns);
    if (d->cpu_ns > 0 && d->device_ns > 0)
        printf("; before, the workers alone %.2f, the best device alone %.2f", 1e-6 * d->cpu_ns, 1e-6 * d->device_ns);
    printf("\n");
}

int main(int argc, char **argv)
{
    usage(argc, argv, 1, 4,
          "usage: coexec OUT.png [width [height [limit]]]\n\n"
          "Draws the Mandelbrot set (1920 x 1536 pixels, at most `limit` rounds each: 1000) on the workers and all\n"
          "devices at once, and tints the rows of each device.\n");
    const size_t width = (size_t)argument(argc, argv, 2, "width", 1, 32768, 1920);
    const size_t height = (size_t)argument(argc, argv, 3, "height", 1, 32768, 1536);
    const int limit = argument(argc, argv, 4, "limit", 1, 1000000, 1000);

    picture p = picture_new(width, height);
    int *count = grab(width * height, sizeof *count);
    const view v = view_of_set(width, height);
    yoke_pieces pieces = {.list = grab(PIECES, sizeof *pieces.list), .capacity = PIECES};
    const yoke_options everything = {.flags = YOKE_ALWAYS_COEXECUTE, .pieces = &pieces};
    yoke_decision d = {.share_count = 0};
    const int devices = yoke_devices(NULL);
    /* The first calls find the kernel being compiled, or learn how fast each is. */
    for (int k = 0, good = 0; k < LEARNING && good < ENOUGH; k++) {
        must(parallel_map_2d_on(NULL, &everything, yoke_mandelbrot, width, height, count, v.left, v.top, v.step, v.step,
                                limit));
        if (devices <= 0 || yoke_last_decision(&d) != 0)
            break;
        good += d.share_count > 1;
    }

    paint_counts(&p, count, limit);
    for (size_t k = 0; k < pieces.count && k < pieces.capacity; k++)
        if (pieces.list[k].device >= 0)
            tint(&p, &pieces.list[k]);
    picture_write(&p, argv[1]);
    if (d.share_count > 0)
        print_shares(&d);
    else
        printf("there is no device but the %d workers: see YOKE_DEVICES in the README\n", yoke_workers(NULL));
    free(pieces.list);
    free(count);
    free(p.rgb);
    return 0;
}
