/* Blocks that stand outside of functions: kernels, helpers, tasks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yoke/kernels.h>
#include <yoke/yoke.h>

#include "block.c"
