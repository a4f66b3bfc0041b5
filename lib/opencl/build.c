/* Compiling one kernel for one session, on the builder's thread: from source, or from a binary that was kept. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/opencl/build.h"

enum { LOG_LIMIT = 1 << 20, LOG_SHOWN = 1500 };
static const size_t binary_limit = (size_t)64 << 20;
static const char kind[] = "program";

char *text_of(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length >= 0 ? yoke__alloc((size_t)length + 1) : NULL;
    if (text != NULL)
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

bool build_refuse(build *b, const char *format, ...)
{
    char why[LOG_SHOWN + 300];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    yoke__free(b->reason);
    b->reason = text_of("%s %s", b->label, why);
    return false;
}

/* --- what to compile --- */

/* Host and device must agree on the size of every type: size_t, long double or a padded struct may differ. */
static size_t write_checks(char *text, size_t capacity, const yoke_kernel *kernel)
{
    size_t length = 0;
    for (size_t k = 0; k <= kernel->parameter_count; k++) {
        bool is_result = k == kernel->parameter_count;
        const char *type = is_result ? kernel->result_type : kernel->parameters[k].type;
        size_t bytes = is_result ? kernel->result_size : kernel->parameters[k].size;
        if (type == NULL)
            continue;
        int more = snprintf(text != NULL ? text + length : NULL, text != NULL ? capacity - length : 0,
                            "#line %d \"%s\"\ntypedef char yoke_type_of_other_size_than_on_the_host_%zu"
                            "[sizeof(%s) == %zu ? 1 : -1];\n",
                            kernel->line, kernel->file, k, type, bytes);
        length += more > 0 ? (size_t)more : 0;
    }
    return length;
}

/* Everything that the binary depends on. */
static bool write_key(build *b, const device *d, const yoke_kernel *kernel)
{
    const char *const parts[] = {b->options,        d->name,    d->vendor,      d->platform_name,
                                 d->driver_version, d->version, yoke_version(), b->entry_name};
    size_t source, checks = write_checks(NULL, 0, kernel), bytes;
    if (yoke_kernel_source(kernel, NULL, 0, &source) != YOKE_OK)
        return false;
    bytes = source + checks + 1;
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        bytes += strlen(parts[k]) + 1;
    b->key = yoke__alloc(bytes);
    if (b->key == NULL)
        return false;
    (void)yoke_kernel_source(kernel, b->key, source + 1, NULL);
    (void)write_checks(b->key + source, checks + 1, kernel);
    char *at = b->key + source + checks;
    *at++ = '\0';
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        size_t part = strlen(parts[k]) + 1;
        memcpy(at, parts[k], part);
        at += part;
    }
    b->key_bytes = bytes;
    return true;
}

static void describe_kernel(build *b, const yoke_kernel *kernel)
{
    b->shape = kernel->shape;
    b->is_reduction = kernel->shape == YOKE_SHAPE_REDUCE || kernel->shape == YOKE_SHAPE_ACCUMULATE;
    b->parameter_count = kernel->parameter_count;
    b->largest = b->is_reduction ? kernel->result_size : 1;
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        if (p->mode == YOKE_MODE_VALUE)
            b->value_bytes[k] = p->size;
        if (p->size > b->largest)
            b->largest = p->size;
    }
    /* contraction is off by a pragma in the source */
    static const char *const options[2][2] = {
        {"-cl-std=CL1.2", "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt"},
        {"-cl-std=CL1.2 -DYOKE_ON_CPU", "-cl-std=CL1.2 -DYOKE_ON_CPU -cl-fp32-correctly-rounded-divide-sqrt"}};
    b->options = options[b->is_cpu][kernel->exact != 0];
}

static void dispose_build(errand *e)
{
    build *b = (build *)e;
    yoke__free(b->key);
    yoke__free(b->entry_name);
    yoke__free(b->label);
    yoke__free(b->reason);
    yoke__free(b);
}

static void run_build(errand *e);

build *build_new(const device *d, const session *s, program *p, const yoke_kernel *kernel)
{
    build *b = yoke__alloc_zeroed(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->errand.run = run_build;
    b->errand.dispose = dispose_build;
    b->program = p;
    b->owner = d->owner;
    b->cl = d->owner->cl;
    b->cache = d->owner->cache;
    b->context = s->context;
    b->id = d->id;
    b->max_group = d->max_group;
    memcpy(b->max_item_size, d->max_item_size, sizeof b->max_item_size);
    b->local_bytes = d->local_bytes;
    b->is_cpu = d->facts.type == YOKE_DEVICE_CPU;
    memcpy(b->device_name, d->name, sizeof b->device_name);
    describe_kernel(b, kernel);
    b->entry_name = text_of("yoke_k_%s", kernel->name);
    b->label = text_of("kernel %s of %s:%d", kernel->name, kernel->file, kernel->line);
    if (b->entry_name != NULL && b->label != NULL && write_key(b, d, kernel))
        return b;
    dispose_build(&b->errand);
    return NULL;
}

/* --- compiling --- */

static void drop_program(build *b)
{
    if (b->entry != NULL)
        (void)b->cl.clReleaseKernel(b->entry);
    if (b->built != NULL)
        (void)b->cl.clReleaseProgram(b->built);
    b->entry = NULL;
    b->built = NULL;
}

static bool refuse_log(build *b)
{
    size_t bytes = 0;
    char *log = NULL;
    if (b->cl.clGetProgramBuildInfo(b->built, b->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) == CL_SUCCESS &&
        bytes > 0 && bytes <= LOG_LIMIT)
        log = yoke__alloc_zeroed(bytes + 1, 1);
    if (log != NULL &&
        b->cl.clGetProgramBuildInfo(b->built, b->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) != CL_SUCCESS)
        log[0] = '\0';
    (void)build_refuse(b, "does not compile for %s: %.*s", b->device_name, LOG_SHOWN,
                       log != NULL ? log : "its compiler does not say why");
    yoke__free(log);
    return false;
}

static bool make_entry(build *b)
{
    cl_int error = CL_SUCCESS;
    b->entry = b->cl.clCreateKernel(b->built, b->entry_name, &error);
    if (b->entry != NULL && error == CL_SUCCESS)
        return true;
    return build_refuse(b, "was compiled for %s, but %s is not in it: %s", b->device_name, b->entry_name,
                        yoke__cl_error_name(error));
}

static bool from_source(build *b)
{
    cl_int error = CL_SUCCESS;
    const char *source = b->key;
    b->built = b->cl.clCreateProgramWithSource(b->context, 1, &source, NULL, &error);
    if (b->built == NULL || error != CL_SUCCESS)
        return build_refuse(b, "cannot be given to %s: %s", b->device_name, yoke__cl_error_name(error));
    error = b->cl.clBuildProgram(b->built, 1, &b->id, b->options, NULL, NULL);
    if (error == CL_BUILD_PROGRAM_FAILURE)
        return refuse_log(b);
    if (error != CL_SUCCESS)
        return build_refuse(b, "could not be compiled for %s: %s", b->device_name, yoke__cl_error_name(error));
    return make_entry(b);
}

static bool from_binary(build *b)
{
    cl_int error = CL_SUCCESS, status = CL_SUCCESS;
    void *kept;
    size_t bytes;
    if (!yoke__cache_read(&b->cache, kind, b->key, b->key_bytes, &kept, &bytes))
        return false;
    const unsigned char *binary = kept;
    b->built = b->cl.clCreateProgramWithBinary(b->context, 1, &b->id, &bytes, &binary, &status, &error);
    bool good = b->built != NULL && error == CL_SUCCESS && status == CL_SUCCESS &&
                b->cl.clBuildProgram(b->built, 1, &b->id, b->options, NULL, NULL) == CL_SUCCESS && make_entry(b);
    yoke__free(kept);
    if (good)
        return true;
    drop_program(b);
    yoke__cache_forget(&b->cache, kind, b->key, b->key_bytes);
    return false;
}

static void keep_binary(build *b)
{
    size_t bytes = 0;
    if (b->cl.clGetProgramInfo(b->built, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS ||
        bytes == 0 || bytes > binary_limit)
        return;
    unsigned char *binary = yoke__alloc(bytes);
    if (binary == NULL)
        return;
    if (b->cl.clGetProgramInfo(b->built, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        yoke__cache_write(&b->cache, kind, b->key, b->key_bytes, binary, bytes);
    yoke__free(binary);
}

/* Not for CPU-type devices: PoCL keeps a cache of its own, from which a kernel of one line is built in 25 ms (880 the
 * first time), against 6 ms from our binary; and to ask it for one takes 74 ms, for it compiles more variants then. */
static bool compile(build *b)
{
    if (!b->is_cpu && from_binary(b))
        return true;
    if (!from_source(b))
        return false;
    if (!b->is_cpu && build_goes_on(b))
        keep_binary(b);
    return true;
}

/* --- the errand --- */

bool build_goes_on(build *b)
{
    bool wanted = errand_touch(&b->errand);
    if (wanted)
        errand_touch_end(&b->errand);
    return wanted;
}

static bool begin(build *b)
{
    if (!errand_touch(&b->errand))
        return false;
    atomic_store(&b->began, true);
    atomic_store(&b->owner->build_progress_ns, yoke__now_ns());
    yoke__trace_begin(&b->traced, YOKE__EVENT_COMPILE, b->program->name);
    errand_touch_end(&b->errand);
    return true;
}

static bool publish(build *b, bool good)
{
    if (!errand_touch(&b->errand))
        return false;
    program *p = b->program;
    p->built = good ? b->built : NULL;
    p->entry = good ? b->entry : NULL;
    p->on_cpu = b->is_cpu;
    p->choices = b->choices;
    memcpy(p->choice, b->choice, sizeof p->choice);
    p->reason = good ? NULL : b->reason;
    b->reason = good ? b->reason : NULL;
    atomic_store(&b->owner->build_progress_ns, yoke__now_ns());
    atomic_store_explicit(&p->state, good ? PROGRAM_READY : PROGRAM_REFUSED, memory_order_release);
    yoke__futex_wake(&p->state, INT32_MAX);
    errand_touch_end(&b->errand);
    return good;
}

static void run_build(errand *e)
{
    build *b = (build *)e;
    if (!begin(b))
        return;
    bool good = compile(b) && build_goes_on(b) && groups_find(b);
    yoke__trace_end(&b->traced, 0, 0);
    if (!publish(b, good))
        drop_program(b);
}
