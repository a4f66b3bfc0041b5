/* Inside of lib/opencl: the errand that compiles a kernel, shared by program.c, build.c and groups.c. */
#ifndef YOKE_OPENCL_BUILD_H
#define YOKE_OPENCL_BUILD_H

#include "lib/opencl/device.h"
#include "lib/trace/trace.h"

/* A compiler may hang for ever, and come back when session and program are long gone, or the plugin that had the kernel
 * is closed: so it owns all it uses, and touches theirs only between errand_touch and errand_touch_end. */
typedef struct build {
    errand errand; /* first: it is cast back */
    program *program;
    yoke__event traced;
    opencl *owner;
    _Atomic bool began;

    cl_api cl;
    cl_context context;
    cl_device_id id;
    yoke__cache cache;
    size_t max_group, max_item_size[2];
    uint64_t local_bytes;
    bool is_cpu;

    yoke_shape shape;
    bool is_reduction;
    size_t parameter_count;
    size_t value_bytes[YOKE_MAX_PARAMETERS]; /* 0: an array */
    size_t largest;                          /* bytes of a result, of any parameter's type */
    const char *options;
    char *key; /* of the cache; it begins with the source, which ends with a 0 */
    size_t key_bytes;
    char *entry_name;
    char *label; /* "kernel NAME of FILE:LINE" */
    char device_name[128];

    /* what came of it */
    cl_program built;
    cl_kernel entry;
    unsigned choices;
    local_choice choice[LOCAL_CHOICES];
    char *reason;
} build;

/* NULL: no memory. Reads the kernel; the errand does not. */
build *build_new(const device *d, const session *s, program *p, const yoke_kernel *kernel);
/* False when nobody wants the result any more. */
bool build_goes_on(build *b);
/* Sets the reason of a refusal and returns false. */
bool build_refuse(build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text of yoke__alloc; NULL: no memory. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Finds the sizes of work-groups worth trying, and runs an idle group of each. False: refused. */
bool groups_find(build *b);

#endif
