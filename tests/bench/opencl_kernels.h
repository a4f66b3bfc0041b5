/* Kernels by hand, in plain OpenCL C. Arguments: outputs, inputs, for reductions the partial sums, values, then n or
 * width and height as uint. */
#ifndef BENCH_OPENCL_KERNELS_H
#define BENCH_OPENCL_KERNELS_H

extern const char bench_opencl_kernels[];

#endif
