/* A mode that does not exist. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed, (input(float, x), out(float, y)), { y[i] = x[i]; })
