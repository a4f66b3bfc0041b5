/* The one list of backends. */
#include "lib/parallel/devices.h"
#if YOKE_HAS_OPENCL
#include "lib/opencl/opencl.h"
#endif

const yoke__backend *yoke__device_backend(void)
{
#if YOKE_HAS_OPENCL
    return &yoke__opencl;
#else
    return NULL;
#endif
}
