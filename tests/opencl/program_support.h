/* A device and its session made by hand over the real driver, which counts, fails and hangs when it is told to. */
#ifndef YOKE_TESTS_OPENCL_PROGRAM_SUPPORT_H
#define YOKE_TESTS_OPENCL_PROGRAM_SUPPORT_H

#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/opencl/build.h"
#include "tests/unit/support.h"

#if SANITIZED /* what the driver's compiler keeps is not ours */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpocl\nleak:libLLVM\nleak:libclang\nleak:libOpenCL\n";
}
#endif

static const int64_t second = 1000000000;

static opencl o;
static device d;
static char root[] = "/tmp/yoke-program-XXXXXX";
static cl_api real;
static _Atomic unsigned from_source, from_binary, hold, held, fail_binary;
static _Atomic size_t refused_size, widest;

static cl_program create_source(cl_context context, cl_uint count, const char **text, const size_t *length,
                                cl_int *error)
{
    from_source++;
    return real.clCreateProgramWithSource(context, count, text, length, error);
}

static cl_program create_binary(cl_context context, cl_uint count, const cl_device_id *id, const size_t *length,
                                const unsigned char **binary, cl_int *status, cl_int *error)
{
    from_binary++;
    if (fail_binary) {
        *error = CL_INVALID_BINARY;
        return NULL;
    }
    return real.clCreateProgramWithBinary(context, count, id, length, binary, status, error);
}

static cl_int build_program(cl_program made, cl_uint count, const cl_device_id *id, const char *options,
                            void(CL_CALLBACK *done)(cl_program, void *), void *data)
{
    if (hold) {
        held = 1;
        while (hold)
            sleep_ns(1000000);
    }
    return real.clBuildProgram(made, count, id, options, done, data);
}

static cl_int enqueue(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                      const size_t *global, const size_t *local, cl_uint count, const cl_event *list, cl_event *event)
{
    widest = global[0] > widest ? global[0] : widest;
    if (local[0] == refused_size || refused_size == 1)
        return CL_OUT_OF_RESOURCES;
    return real.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, count, list, event);
}

static void text_info(cl_device_info what, char *text, size_t capacity)
{
    char whole[1000] = "";
    assert_int_equal(real.clGetDeviceInfo(d.id, what, sizeof whole, whole, NULL), CL_SUCCESS);
    whole[capacity - 1] = '\0';
    strcpy(text, whole);
}

static void describe_device(void)
{
    size_t sizes[3] = {0};
    cl_ulong local = 0;
    text_info(CL_DEVICE_NAME, d.name, sizeof d.name);
    text_info(CL_DEVICE_VENDOR, d.vendor, sizeof d.vendor);
    text_info(CL_DRIVER_VERSION, d.driver_version, sizeof d.driver_version);
    text_info(CL_DEVICE_VERSION, d.version, sizeof d.version);
    (void)real.clGetDeviceInfo(d.id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof d.max_group, &d.max_group, NULL);
    (void)real.clGetDeviceInfo(d.id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof sizes, sizes, NULL);
    (void)real.clGetDeviceInfo(d.id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    memcpy(d.max_item_size, sizes, sizeof d.max_item_size);
    d.local_bytes = local;
}

static int set_up_all(void **state)
{
    (void)state;
    static yoke__topology *topology;
    cl_uint count = 0;
    cl_int found = yoke__cl_load(&real) == YOKE_OK ? CL_SUCCESS : CL_INVALID_VALUE;
    assert_non_null(mkdtemp(root));
    assert_int_equal(setenv("POCL_CACHE_DIR", root, 1), 0);
    if (found == CL_SUCCESS)
        found = real.clGetPlatformIDs(1, &d.platform, &count);
    if (found == CL_SUCCESS)
        found = real.clGetDeviceIDs(d.platform, CL_DEVICE_TYPE_ALL, 1, &d.id, &count);
    if (found != CL_SUCCESS) {
        puts("skipped: no OpenCL device here; install pocl-opencl-icd");
        exit(77);
    }
    describe_device();
    assert_int_equal(yoke__topology_load(&topology), YOKE_OK);
    o.topology = topology;
    o.builder = servant_start(topology, "yoke/compile", -1, true);
    assert_non_null(o.builder);
    return 0;
}

static int remove_one(const char *path, const struct stat *what, int type, struct FTW *where)
{
    (void)what, (void)type, (void)where;
    return remove(path);
}

static int tear_down_all(void **state)
{
    (void)state;
    assert_true(servant_stop(o.builder, yoke__now_ns() + 20 * second));
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int set_up(void **state)
{
    o.cl = real;
    o.cl.clCreateProgramWithSource = create_source;
    o.cl.clCreateProgramWithBinary = create_binary;
    o.cl.clBuildProgram = build_program;
    o.cl.clEnqueueNDRangeKernel = enqueue;
    o.build_limit_ns = 60 * second;
    o.cache.folder[0] = '\0';
    d.owner = &o;
    d.facts = (yoke_device){.type = YOKE_DEVICE_CPU, .has_double = 1, .is_exact = 1};
    from_source = from_binary = hold = held = fail_binary = 0;
    refused_size = widest = 0;
    cl_int error;
    session *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->device = &d;
    s->context = real.clCreateContext(NULL, 1, &d.id, NULL, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    assert_int_equal(pthread_mutex_init(&s->programs_lock, NULL), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    session *s = *state;
    program_release_all(s);
    (void)real.clReleaseContext(s->context);
    pthread_mutex_destroy(&s->programs_lock);
    free(s);
    return 0;
}

static void *restart(void **state)
{
    assert_int_equal(tear_down(state), 0);
    yoke__cache cache = o.cache;
    assert_int_equal(set_up(state), 0);
    o.cache = cache;
    d.facts.type = YOKE_DEVICE_GPU;
    return *state;
}

static yoke__readiness prepare_within(session *s, const yoke_kernel *kernel, int64_t ns)
{
    return program_prepare(&d, s, kernel, ns > 0 ? yoke__now_ns() + ns : 0);
}

static void becomes_ready(session *s, const yoke_kernel *kernel)
{
    if (prepare_within(s, kernel, 120 * second) != YOKE__READY)
        fail_msg("kernel %s is not ready: %s", kernel->name, program_of(s, kernel)->reason);
}

static const char *is_refused(session *s, const yoke_kernel *kernel, const char *word)
{
    assert_int_equal(prepare_within(s, kernel, 120 * second), YOKE__REFUSED);
    const char *reason = program_of(s, kernel)->reason;
    assert_non_null(reason);
    if (strstr(reason, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, word);
    assert_non_null(strstr(reason, kernel->name));
    assert_int_equal(prepare_within(s, kernel, 0), YOKE__REFUSED);
    return reason;
}

#endif
