/* Managed arrays: a chain of one array (README) or of two (docs/memory.md). */
#include <yoke/yoke.h>

#ifdef CHAIN_OF_TWO
YOKE_KERNEL(step, (out(float, y), in(float, x)), { y[i] = 0.5f * x[i]; })
#else
YOKE_KERNEL(step, (inout(float, x)), { x[i] = 0.5f * x[i]; })
#endif

void fill(float *x, size_t n);
void print(const float *x, size_t n);
void managed(size_t n);

void managed(size_t n)
{
#include "block.c"
}
