/* Inside of lib/opencl: what stands before every kernel: C's types and names of functions in terms of OpenCL's. */
#ifndef YOKE_OPENCL_PRELUDE_H
#define YOKE_OPENCL_PRELUDE_H

extern const char yoke__prelude[];

/* With -DYOKE_ON_CPU a lane kernel's work-item handles so many items, and a reduction's a whole block. */
enum { LANES_ON_CPU = 16 };

#endif
