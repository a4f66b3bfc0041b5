/* Inside of lib/opencl: what stands before every kernel: C's types and names of functions in terms of OpenCL's. */
#ifndef YOKE_OPENCL_PRELUDE_H
#define YOKE_OPENCL_PRELUDE_H

extern const char yoke__prelude[];

#endif
