/* Gravity: bodies that all pull at each other, moved by the leapfrog method, whose energy must stay what it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sample.h"
#include "common/scenes.h"
#include "yoke/kernels.h"

#define SOFTENING 1e-3f
#define STEP 1e-3f

YOKE_KERNEL(move, (inout(float, x), in(float, v), value(float, t)), { x[i] += t * v[i]; })

/* Of one body: kinetic, and half of the potential with every other. */
YOKE_KERNEL(energy_of_body,
            (out(double, energy), whole(float, x, n), whole(float, y, n), whole(float, z, n), whole(float, m, n),
             in(float, vx), in(float, vy), in(float, vz), value(float, softening)),
            {
                double potential = 0.0;
                for (size_t k = 0; k < n; k++) {
                    const float dx = x[k] - x[i], dy = y[k] - y[i], dz = z[k] - z[i];
                    if (k != i)
                        potential -= (double)(m[k] * rsqrtf(dx * dx + dy * dy + dz * dz + softening));
                }
                const double speed = (double)(vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i]);
                energy[i] = 0.5 * (double)m[i] * (speed + potential);
            })

static double energy_of(const bodies *b)
{
    double *each = grab(b->count, sizeof *each), all;
    must(parallel_map(energy_of_body, b->count, each, b->x, b->y, b->z, b->m, b->vx, b->vy, b->vz, SOFTENING));
    must(parallel_reduce(yoke_dsum, b->count, &all, each));
    free(each);
    return all;
}

static void drift(const bodies *b, float time)
{
    must(parallel_map(move, b->count, b->x, b->vx, time));
    must(parallel_map(move, b->count, b->y, b->vy, time));
    must(parallel_map(move, b->count, b->z, b->vz, time));
}

static void kick(const bodies *b, float *pull, float time)
{
    float *ax = pull, *ay = pull + b->count, *az = pull + 2 * b->count;
    must(parallel_map(yoke_nbody, b->count, ax, ay, az, b->x, b->y, b->z, b->m, SOFTENING));
    must(parallel_map(yoke_axpy, b->count, b->vx, ax, time));
    must(parallel_map(yoke_axpy, b->count, b->vy, ay, time));
    must(parallel_map(yoke_axpy, b->count, b->vz, az, time));
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 2, "usage: nbody [bodies [steps]]\n\nMoves a galaxy of bodies (4096) so many steps (100).\n");
    const size_t count = (size_t)argument(argc, argv, 1, "bodies", 2, 1000000, 4096);
    const int steps = argument(argc, argv, 2, "steps", 0, 1000000, 100);

    bodies b = make_galaxy(count);
    float *pull = grab(count, 3 * sizeof *pull);
    const double before = energy_of(&b), start = seconds();
    for (int step = 0; step < steps; step++) {
        drift(&b, 0.5f * STEP);
        kick(&b, pull, STEP);
        drift(&b, 0.5f * STEP);
        show_progress((size_t)step + 1, (size_t)steps, "nbody");
    }
    const double taken = seconds() - start, after = energy_of(&b);
    printf("%zu bodies, %d steps in %.2f s: %.2f billion pairs a second\n", count, steps, taken,
           1e-9 * (double)count * (double)count * steps / (taken > 0 ? taken : 1));
    printf("energy %.6f before, %.6f after\n", before, after);
    free(pull);
    free(b.x);
    return fabs(after - before) < 0.01 * fabs(before) ? 0 : 1;
}
