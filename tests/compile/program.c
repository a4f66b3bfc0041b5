/* A user's program, for flags.sh: all shapes of kernels, quiet and right with whatever flags the user has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <yoke/yoke.h>

#define SCALE 3.0f

YOKE_TYPE(range_of, {
    float low;
    float high;
})
YOKE_FUNCTION(float, squash, (float x), { return x / (1.0f + fabsf(x)); })
YOKE_FUNCTION(range_of, widen, (range_of p, range_of q), {
    range_of r;
    r.low = fminf(p.low, q.low);
    r.high = fmaxf(p.high, q.high);
    return r;
})
YOKE_FUNCTION(range_of, single, (float low, float high), {
    range_of r;
    r.low = low;
    r.high = high;
    return r;
})

YOKE_KERNEL(user_map, (in(float, x), inout(float, y), value(float, a)), {
    if (x[i] < 0.0f)
        return;
    y[i] += SCALE * a * squash(x[i]) + expf(-x[i]);
})
YOKE_KERNEL_2D(user_rows, (halo(float, x, 1, 1), out(float, y)), {
    y[j * width + i] = i > 0 && i + 1 < width ? 0.5f * (x[j * width + i - 1] + x[j * width + i + 1]) : 0.0f;
})
YOKE_LANE_KERNEL(user_lanes, (in(int, x), out(int, y)), {
    YOKE_LANES(int, v);
    int alive = 1;
    YOKE_EACH
    {
        v[l] = x[i];
        y[i] = 0;
    }
    while (alive) {
        YOKE_EACH
        {
            y[i] += v[l] > 0;
            v[l] -= v[l] > 0;
        }
        YOKE_ANY(alive, v[l] > 0);
    }
})
YOKE_REDUCE(user_sum, (double, 0.0, a + b), (in(float, x)), (double)x[i] * (double)x[i])
YOKE_REDUCE(user_range, (range_of, single(1e9f, -1e9f), widen(a, b)), (in(float, x)), single(x[i], x[i]))

enum { N = 1000, WIDTH = 100 };

static float x[N], y[N], z[N];
static int steps[N], counts[N];

static int wrong(int number)
{
    printf("result %d is wrong\n", number);
    return number;
}

static void add_range(size_t begin, size_t end, void *argument)
{
    for (size_t k = begin; k < end; k++)
        ((float *)argument)[k] += 1.0f;
}

/* The same verbs with futures. */
static int later(void)
{
    static yoke_future futures[4];
    static yoke_options options;
    range_of range;
    options.workers = 2;
    if (parallel_map_async_on(NULL, &options, &futures[0], user_lanes, N, steps, counts) != 0 ||
        parallel_map_2d_async(&futures[1], user_rows, WIDTH, N / WIDTH, x, z) != 0 ||
        parallel_for_async(&futures[2], N, add_range, z) != 0 ||
        parallel_reduce_async(&futures[3], user_range, N, &range, x) != 0)
        return 8;
    for (int k = 0; k < 4; k++)
        if (yoke_result(&futures[k], NULL, 0, 0) != 0)
            return 9;
    if (counts[20] != 20 % 13 || !(fabsf(z[WIDTH + 1] - x[WIDTH + 1] - 1.0f) < 1e-5f) || range.low > x[0])
        return 10;
    return 0;
}

int main(void)
{
    double sum = 0, expected = 0;
    range_of range;
    for (int k = 0; k < N; k++) {
        x[k] = (float)(k - 100) * 0.01f;
        y[k] = 1.0f;
        steps[k] = k % 13;
        expected += (double)x[k] * (double)x[k];
    }
    if (parallel_map(user_map, N, x, y, 2.0f) != 0)
        return wrong(1);
    for (int k = 0; k < N; k++) {
        float wanted = x[k] < 0.0f ? 1.0f : 1.0f + 6.0f * x[k] / (1.0f + x[k]) + (float)exp(-(double)x[k]);
        if (!(fabsf(y[k] - wanted) <= 1e-5f))
            return wrong(2);
    }
    if (parallel_map_2d(user_rows, WIDTH, N / WIDTH, x, z) != 0 || !(fabsf(z[WIDTH + 1] - x[WIDTH + 1]) < 1e-5f))
        return wrong(3);
    if (parallel_map(user_lanes, N, steps, counts) != 0)
        return wrong(4);
    for (int k = 0; k < N; k++)
        if (counts[k] != k % 13)
            return wrong(5);
    if (parallel_reduce(user_sum, N, &sum, x) != 0 || !(fabs(sum - expected) < 1e-6 * expected))
        return wrong(6);
    if (parallel_reduce(user_range, N, &range, x) != 0 || range.low > x[0] || range.high < x[N - 1])
        return wrong(7);
    const int status = later();
    return status != 0 ? wrong(status) : 0;
}
