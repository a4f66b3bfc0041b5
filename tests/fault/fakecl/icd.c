/* Platform, devices, contexts, and the table through which the ICD loader calls. */
#include "tests/fault/fakecl/fake.h"

/* --- platform and devices --- */

static cl_int get_platforms(cl_uint capacity, cl_platform_id *to, cl_uint *count)
{
    shape_devices();
    if ((to == NULL && count == NULL) || (to != NULL && capacity == 0))
        return CL_INVALID_VALUE;
    if (to != NULL)
        to[0] = &fake.platform;
    if (count != NULL)
        *count = 1;
    return CL_SUCCESS;
}

cl_int clGetPlatformIDs(cl_uint capacity, cl_platform_id *to, cl_uint *count)
{
    verdict v = enter(__func__, NULL, 0);
    return v.error != CL_SUCCESS ? v.error : get_platforms(capacity, to, count);
}

cl_int clIcdGetPlatformIDsKHR(cl_uint capacity, cl_platform_id *to, cl_uint *count)
{
    lock();
    fake.by_loader = true;
    unlock();
    return get_platforms(capacity, to, count);
}

cl_int clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint capacity, cl_device_id *to, cl_uint *count)
{
    verdict v = enter(__func__, platform != NULL ? platform : &fake.platform, PLATFORM);
    if (v.error != CL_SUCCESS)
        return v.error;
    if ((to == NULL && count == NULL) || (to != NULL && capacity == 0)) {
        violation("clGetDeviceIDs: nowhere to put an answer");
        return CL_INVALID_VALUE;
    }
    cl_uint found = 0;
    lock();
    for (unsigned k = 0; k < fake.device_count; k++) {
        cl_device_id d = &fake.devices[k];
        if ((d->type & type) == 0 && type != CL_DEVICE_TYPE_DEFAULT)
            continue;
        if (to != NULL && found < capacity)
            to[found] = d;
        found++;
    }
    unlock();
    if (count != NULL)
        *count = found;
    return found > 0 ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
}

cl_int clRetainDevice(cl_device_id device)
{
    return enter(__func__, device, DEVICE).error; /* root devices are not counted */
}

cl_int clReleaseDevice(cl_device_id device)
{
    return enter(__func__, device, DEVICE).error;
}

/* --- contexts --- */

cl_context clCreateContext(const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
                           void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user,
                           cl_int *error)
{
    verdict v = enter(__func__, count > 0 && devices != NULL ? devices[0] : NULL, DEVICE);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    if (devices == NULL)
        return refused(error, CL_INVALID_VALUE);
    bool usable = count <= CONTEXT_DEVICES && (notify != NULL || user == NULL);
    for (const cl_context_properties *p = properties; p != NULL && p[0] != 0; p += 2)
        usable &= p[0] == CL_CONTEXT_PLATFORM && p[1] == (cl_context_properties)(uintptr_t)&fake.platform;
    if (!usable)
        violation("clCreateContext: unknown properties, %u devices, or data without a callback", count);
    lock();
    for (cl_uint k = 0; usable && k < count; k++)
        usable = object_usable(__func__, devices[k], DEVICE);
    unlock();
    cl_context context = usable ? object_new(CONTEXT, sizeof *context, devices[0]) : NULL;
    if (context == NULL)
        return refused(error, usable ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_VALUE);
    context->count = count;
    memcpy(context->devices, devices, count * sizeof devices[0]);
    (void)refused(error, CL_SUCCESS);
    return context;
}

cl_int clRetainContext(cl_context context)
{
    return object_retain(__func__, context, CONTEXT);
}

cl_int clReleaseContext(cl_context context)
{
    return object_release(__func__, context, CONTEXT);
}

/* --- the table --- */

#include "tests/fault/fakecl/entries.h"

/* What the fake lacks must not be called by Yoke; as a slot of the table each has its name to tell. */
#define LACKING(name)                                                       \
    static intptr_t lacking_##name(void)                                    \
    {                                                                       \
        violation(#name ": the fake driver lacks it, Yoke may not use it"); \
        return CL_INVALID_OPERATION;                                        \
    }
FAKE_LACKS(LACKING)

#define HAS_SLOT(name) .name = name,
#define LACKING_SLOT(name) .name = (void *)lacking_##name,
static const cl_icd_dispatch table = {FAKE_HAS(HAS_SLOT) FAKE_LACKS(LACKING_SLOT)};
const cl_icd_dispatch *const fake_dispatch = &table;

static const struct {
    const char *name;
    void *function;
} exported[] = {
#define BY_NAME(name) {#name, (void *)name},
    FAKE_HAS(BY_NAME) BY_NAME(clIcdGetPlatformIDsKHR)};

void *clGetExtensionFunctionAddress(const char *name)
{
    for (size_t k = 0; name != NULL && k < sizeof exported / sizeof exported[0]; k++)
        if (strcmp(exported[k].name, name) == 0)
            return exported[k].function;
    return NULL;
}
