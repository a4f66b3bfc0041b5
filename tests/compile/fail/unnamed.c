/* A parameter without a name. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (in(float, ), out(float, y)), { y[i] = 1.0f; })
