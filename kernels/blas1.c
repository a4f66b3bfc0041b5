/* Vectors: what level 1 of the BLAS does. */
#include "yoke/kernels.h"

YOKE_KERNEL(yoke_copy, (out(float, y), in(float, x)), { y[i] = x[i]; })
YOKE_KERNEL(yoke_dcopy, (out(double, y), in(double, x)), { y[i] = x[i]; })

YOKE_KERNEL(yoke_scale, (out(float, y), in(float, x), value(float, a)), { y[i] = a * x[i]; })
YOKE_KERNEL(yoke_dscale, (out(double, y), in(double, x), value(double, a)), { y[i] = a * x[i]; })

YOKE_KERNEL(yoke_add, (out(float, z), in(float, x), in(float, y)), { z[i] = x[i] + y[i]; })
YOKE_KERNEL(yoke_dadd, (out(double, z), in(double, x), in(double, y)), { z[i] = x[i] + y[i]; })

YOKE_KERNEL(yoke_triad, (out(float, y), in(float, b), in(float, c), value(float, s)), { y[i] = b[i] + s * c[i]; })
YOKE_KERNEL(yoke_dtriad, (out(double, y), in(double, b), in(double, c), value(double, s)), { y[i] = b[i] + s * c[i]; })

YOKE_KERNEL(yoke_axpy, (inout(float, y), in(float, x), value(float, a)), { y[i] += a * x[i]; })
YOKE_KERNEL(yoke_daxpy, (inout(double, y), in(double, x), value(double, a)), { y[i] += a * x[i]; })

YOKE_REDUCE(yoke_dot, (float, 0.0f, a + b), (in(float, x), in(float, y)), x[i] * y[i])
YOKE_REDUCE(yoke_ddot, (double, 0.0, a + b), (in(double, x), in(double, y)), x[i] * y[i])

YOKE_REDUCE(yoke_sum, (float, 0.0f, a + b), (in(float, x)), x[i])
YOKE_REDUCE(yoke_dsum, (double, 0.0, a + b), (in(double, x)), x[i])

YOKE_REDUCE(yoke_asum, (float, 0.0f, a + b), (in(float, x)), fabsf(x[i]))
YOKE_REDUCE(yoke_dasum, (double, 0.0, a + b), (in(double, x)), fabs(x[i]))

YOKE_REDUCE(yoke_nrm2, (double, 0.0, a + b), (in(float, x)), (double)x[i] * (double)x[i])
