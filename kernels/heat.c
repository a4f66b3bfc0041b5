/* Heat on a grid: the five-point stencil. */
#include "yoke/kernels.h"

/* On the rim the cell itself stands for the neighbours that are missing: every load is then inside the grid, and the
 * choice at the end needs no branch, which CPUs could not vectorise. On devices a branch costs less than chosen indices. */
YOKE_KERNEL_2D(yoke_heat, (out(float, y), halo(float, x, 1, 1), value(float, rate)), {
    const size_t at = j * width + i;
    const int inner = (j > 0) & (j < height - 1) & (i > 0) & (i < width - 1);
    const float c = x[at];
    if (yoke_on_device) {
        float next = c;
        if (inner)
            next += rate * (x[at - 1] + x[at + 1] + x[at - width] + x[at + width] - 4.0f * c);
        y[at] = next;
        return;
    }
    const size_t above = j > 0 ? at - width : at, below = j < height - 1 ? at + width : at;
    const size_t left = i > 0 ? at - 1 : at, right = i < width - 1 ? at + 1 : at;
    const float next = c + rate * (x[left] + x[right] + x[above] + x[below] - 4.0f * c);
    y[at] = inner ? next : c;
})
