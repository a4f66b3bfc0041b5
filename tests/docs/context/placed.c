/* Arrays that are placed by who writes them first. */
#include <stdlib.h>
#include <yoke/yoke.h>

YOKE_KERNEL(fill, (out(float, y), value(float, a)), { y[i] = a; })

void placed(size_t n);

void placed(size_t n)
{
#include "block.c"
}
