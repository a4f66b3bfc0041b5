/* Door of lib/opencl: OpenCL devices as a backend. (The OpenCL C source of a kernel is public: yoke_kernel_source.) */
#ifndef YOKE_OPENCL_H
#define YOKE_OPENCL_H

#include "lib/backend/backend.h"

extern const yoke__backend yoke__opencl;

#endif
