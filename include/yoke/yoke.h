/* Everything a program needs; the ready kernels are apart, in yoke/kernels.h. */
#ifndef YOKE_H
#define YOKE_H

#include "yoke/cache.h"
#include "yoke/executor.h"
#include "yoke/future.h"
#include "yoke/kernel.h"
#include "yoke/memory.h"
#include "yoke/parallel.h"
#include "yoke/runtime.h"
#include "yoke/topology.h"
#include "yoke/trace.h"

#endif
