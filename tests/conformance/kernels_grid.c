/* Kernels of two dimensions for every parameter mode. */
#include "tests/conformance/calls.h"

YOKE_KERNEL_2D(grid, (in(int32_t, x), inout(int32_t, y), out(uint8_t, z), value(int, k)), {
    const size_t at = j * width + i;
    y[at] += x[at] * k + (int32_t)(100 * j + i);
    z[at] = (uint8_t)(width * 3 + height + i);
})
GRID(grid, a[0], a[1], a[2], p->k)

/* Rows above and below, and neighbours in the row. */
YOKE_KERNEL_2D(rows, (halo(int32_t, x, 1, 2), out(int32_t, y)), {
    const int32_t above = j >= 1 ? x[(j - 1) * width + i] : 3;
    const int32_t below = j + 2 < height ? x[(j + 2) * width + i] : 5;
    const int32_t left = i >= 1 ? x[j * width + i - 1] : 9;
    const int32_t right = i + 1 < width ? x[j * width + i + 1] : 11;
    y[j * width + i] = above ^ (below * 2) ^ (left >> 1) ^ (right * 4) ^ x[j * width + i];
})
GRID(rows, a[0], a[1])

YOKE_KERNEL_2D(transpose, (whole(float, x, width *height), out(float, y)), { y[j * width + i] = x[i * height + j]; })
GRID(transpose, a[0], a[1])

YOKE_KERNEL_2D(column, (in(uint16_t, x), whole(uint16_t, row, width), scatter(uint16_t, y, width *height)),
               { y[i * height + j] = (uint16_t)(x[j * width + i] - row[i]); })
GRID(column, a[0], a[1], a[2])

/* clang-format off */
/* Rounds of squaring modulo 2^32 until a bit pattern shows, `limit` at most. */
YOKE_LANE_KERNEL_2D(escape, (in(uint32_t, x), out(int32_t, y), value(int, limit)), {
    YOKE_LANES(uint32_t, v);
    YOKE_LANES(int32_t, rounds);
    YOKE_EACH {
        v[l] = x[j * width + i] | 1;
        rounds[l] = 0;
    }
    int alive = 1;
    for (int round = 0; alive && round < limit; round++) {
        YOKE_EACH {
            const int inside = (v[l] & 0x70) != 0x20;
            rounds[l] += inside;
            v[l] = inside ? v[l] * v[l] + (uint32_t)j + 2 : v[l];
        }
        YOKE_ANY(alive, (v[l] & 0x70) != 0x20);
    }
    YOKE_EACH {
        y[j * width + i] = rounds[l];
    }
})
/* A lane kernel over rows of a halo. */
YOKE_EXACT_LANE_KERNEL_2D(edges, (halo(float, x, 2, 1), out(float, y), value(float, a)), {
    const size_t above = (j >= 2 ? j - 2 : 0) * width, below = (j + 1 < height ? j + 1 : j) * width;
    YOKE_EACH {
        y[j * width + i] = (x[below + i] - x[above + i]) * a + x[j * width + i];
    }
})
/* clang-format on */
GRID(escape, a[0], a[1], 20 + p->k)
GRID(edges, a[0], a[1], p->a)

const subject grid_subjects[] = {
    {PLANE(grid), .two_d_pitch = true, .reference = reference_grid, .same = {0, 1},
     .arrays = {IN(I32, "x"), INOUT(I32), {"z", U8, MADE, .per_item = 1}}},
    {PLANE(rows), .reference = reference_rows, .arrays = {IN(I32, "x"), OUT(I32)}},
    {PLANE(transpose), .two_d_pitch = true, .reference = reference_transpose,
     .arrays = {{"x", F32, GIVEN, .per_item = 1, .loose = true}, OUT(F32)}},
    {PLANE(column), .two_d_pitch = true, .reference = reference_column,
     .arrays = {IN(U16, "x"),
                {"row", U16, GIVEN, .per_column = 1, .loose = true},
                {"y", U16, CHANGED, .per_item = 1, .loose = true}}},
    {PLANE(escape), .two_d_pitch = true, .reference = reference_escape, .arrays = {IN(U32, "x"), OUT(I32)}},
    {PLANE(edges), .reference = reference_edges, .arrays = {IN(F32, "x"), OUT(F32)}},
    {0},
};
