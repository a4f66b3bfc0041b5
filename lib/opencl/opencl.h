/* Door of lib/opencl. In this version: the OpenCL C source of a kernel (the public yoke_kernel_source). */
#ifndef YOKE_OPENCL_H
#define YOKE_OPENCL_H

#include "yoke/kernel.h"

/* What stands before every kernel: C's types and names of functions in terms of OpenCL's. */
extern const char yoke__prelude[];

#endif
