/* Maps in the background, one after the other. */
#include <yoke/yoke.h>

YOKE_KERNEL_2D(blur, (halo(float, x, 1, 1), out(float, y)), { y[j * width + i] = 0.5f * x[j * width + i]; })
YOKE_REDUCE(total, (double, 0.0, a + b), (in(float, x)), (double)x[i])

void read_next_picture(void);
int background(size_t width, size_t height, const float *in, float *out);

int background(size_t width, size_t height, const float *in, float *out)
{
    double sum = 0;
#include "block.c"
    return status;
}
