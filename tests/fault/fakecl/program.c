/* Programs: their text is kept and searched, never compiled. */
#include <ctype.h>

#include "tests/fault/fakecl/fake.h"

static const char prefix[] = "yoke_k_";

/* --- text --- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The kernel function `name`, or any for NULL. */
static bool has_kernel(const char *source, const char *name)
{
    const char *wanted = name != NULL ? name : prefix;
    for (const char *at = source; (at = strstr(at, wanted)) != NULL; at++) {
        size_t length = strlen(wanted);
        while (name == NULL && is_word(at[length]))
            length++;
        if ((at == source || !is_word(at[-1])) && !is_word(at[length]) && at[length + strspn(at + length, " ")] == '(')
            return strstr(source, "__kernel") != NULL;
    }
    return false;
}

bool source_has_kernel(const char *source, const char *name)
{
    return has_kernel(source, name);
}

static char *joined(cl_uint count, const char *const *strings, const size_t *lengths)
{
    char *text = NULL;
    size_t length = 0;
    for (cl_uint k = 0; k < count; k++) {
        size_t more = lengths != NULL && lengths[k] > 0 ? lengths[k] : strlen(strings[k]);
        char *longer = realloc(text, length + more + 1);
        if (longer == NULL) {
            free(text);
            return NULL;
        }
        text = longer;
        memcpy(text + length, strings[k], more);
        length += more;
        text[length] = '\0';
    }
    return text;
}

/* --- life --- */

static cl_program program_new(cl_context context, char *source, cl_int *error)
{
    cl_program program = source != NULL ? object_new(PROGRAM, sizeof *program, context->devices[0]) : NULL;
    if (program == NULL) {
        free(source);
        return refused(error, CL_OUT_OF_HOST_MEMORY);
    }
    program->source = source;
    program->status = CL_BUILD_NONE;
    lock();
    program->context = context;
    pin(context);
    unlock();
    (void)refused(error, CL_SUCCESS);
    return program;
}

void program_destroy(cl_program program)
{
    free(program->source);
    free(program->options);
    program->source = program->options = NULL;
    unpin(program->context);
}

cl_program clCreateProgramWithSource(cl_context context, cl_uint count, const char **strings, const size_t *lengths,
                                     cl_int *error)
{
    verdict v = enter(__func__, context, CONTEXT);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    bool usable = count > 0 && strings != NULL;
    for (cl_uint k = 0; usable && k < count; k++)
        usable = strings[k] != NULL;
    if (!usable) {
        violation("clCreateProgramWithSource: a string is NULL, or there are none");
        return refused(error, CL_INVALID_VALUE);
    }
    return program_new(context, joined(count, (const char *const *)strings, lengths), error);
}

/* --- binaries: a header that depends on device and text, and the text --- */

enum { HEADER = 48 };

static void make_header(char header[HEADER + 1], const struct _cl_device_id *d, const char *source)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const char *parts[] = {d->name, d->version, source};
    for (size_t k = 0; k < 3; k++)
        for (const char *at = parts[k]; *at != '\0'; at++)
            hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    (void)snprintf(header, HEADER + 1, "FAKECL binary %016llx %016llx\n", (unsigned long long)hash,
                   (unsigned long long)strlen(source));
}

cl_program clCreateProgramWithBinary(cl_context context, cl_uint count, const cl_device_id *devices,
                                     const size_t *lengths, const unsigned char **binaries, cl_int *statuses,
                                     cl_int *error)
{
    verdict v = enter(__func__, context, CONTEXT);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    lock();
    bool usable = count == 1 && devices != NULL && lengths != NULL && binaries != NULL &&
                  object_usable(__func__, devices[0], DEVICE);
    unlock();
    if (!usable || binaries[0] == NULL || lengths[0] == 0) {
        violation("clCreateProgramWithBinary: one device with one binary is what the fake takes");
        return refused(error, CL_INVALID_VALUE);
    }
    char header[HEADER + 1] = "", *source = NULL;
    bool fits = lengths[0] >= HEADER;
    if (fits && (source = malloc(lengths[0] - HEADER + 1)) != NULL) {
        memcpy(source, binaries[0] + HEADER, lengths[0] - HEADER);
        source[lengths[0] - HEADER] = '\0';
        make_header(header, devices[0], source);
        fits = memcmp(header, binaries[0], HEADER) == 0;
    }
    if (statuses != NULL)
        statuses[0] = fits ? CL_SUCCESS : CL_INVALID_BINARY;
    if (fits)
        return program_new(context, source, error);
    free(source);
    return refused(error, CL_INVALID_BINARY);
}

static cl_int get_binary(const struct _cl_program *program, size_t capacity, void *to, size_t *needed)
{
    char header[HEADER + 1], *place;
    if (needed != NULL)
        *needed = sizeof place;
    if (to == NULL)
        return CL_SUCCESS;
    if (capacity < sizeof place)
        return CL_INVALID_VALUE;
    memcpy(&place, to, sizeof place);
    make_header(header, program->head.device, program->source);
    if (place != NULL) {
        memcpy(place, header, HEADER);
        memcpy(place + HEADER, program->source, strlen(program->source));
    }
    return CL_SUCCESS;
}

cl_int clGetProgramInfo(cl_program program, cl_program_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, program, PROGRAM);
    if (v.error != CL_SUCCESS)
        return v.error;
    switch (what) {
    case CL_PROGRAM_NUM_DEVICES: ANSWER(cl_uint, 1);
    case CL_PROGRAM_REFERENCE_COUNT: ANSWER(cl_uint, program->head.refs);
    case CL_PROGRAM_CONTEXT: ANSWER(uintptr_t, (uintptr_t)program->context);
    case CL_PROGRAM_DEVICES: ANSWER(uintptr_t, (uintptr_t)program->head.device);
    case CL_PROGRAM_SOURCE: return answer_text(program->source, capacity, to, needed);
    case CL_PROGRAM_BINARY_SIZES:
        ANSWER(size_t, program->status == CL_BUILD_SUCCESS ? HEADER + strlen(program->source) : 0);
    case CL_PROGRAM_BINARIES: return get_binary(program, capacity, to, needed);
    default: return CL_INVALID_VALUE;
    }
}

/* --- building --- */

static bool options_known(const struct _cl_device_id *d, const char *options)
{
    static const char *const known[] = {"-cl-", "-D", "-I", "-w", "-Werror", "-g"};
    char copy[1000], *rest = NULL;
    if (options == NULL || strlen(options) >= sizeof copy)
        return options == NULL;
    memcpy(copy, options, strlen(options) + 1);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            found |= strncmp(word, known[k], strlen(known[k])) == 0;
        if (!found || (!d->correctly_rounded && strcmp(word, "-cl-fp32-correctly-rounded-divide-sqrt") == 0))
            return false;
    }
    return true;
}

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                      void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    verdict v = enter(__func__, program, PROGRAM);
    if (v.error != CL_SUCCESS)
        return v.error;
    if ((count == 0) != (devices == NULL) || (notify == NULL && user != NULL)) {
        violation("clBuildProgram: the devices or the callback make no sense");
        return CL_INVALID_VALUE;
    }
    cl_device_id d = program->head.device;
    lock();
    const uint64_t ns = d->build_ms * 1000000;
    bool refuses = d->build_fails, has_options = options_known(d, options);
    unlock();
    if (!has_options)
        return CL_INVALID_BUILD_OPTIONS;
    sleep_for_ns(ns);
    bool built = !refuses && has_kernel(program->source, NULL);
    char *copy = strdup(options != NULL ? options : "");
    lock();
    free(program->options);
    program->options = copy;
    program->status = built ? CL_BUILD_SUCCESS : CL_BUILD_ERROR;
    (void)snprintf(program->log, sizeof program->log, "%s",
                   built     ? ""
                   : refuses ? "fake.cl:1:1: error: this device refuses every program"
                             : "fake.cl:1:1: error: no __kernel yoke_k_...");
    unlock();
    if (notify != NULL)
        notify(program, user);
    return built ? CL_SUCCESS : CL_BUILD_PROGRAM_FAILURE;
}

cl_int clGetProgramBuildInfo(cl_program program, cl_device_id device, cl_program_build_info what, size_t capacity,
                             void *to, size_t *needed)
{
    verdict v = enter(__func__, program, PROGRAM);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    bool usable = object_usable(__func__, device, DEVICE);
    unlock();
    if (!usable)
        return CL_INVALID_DEVICE;
    switch (what) {
    case CL_PROGRAM_BUILD_STATUS: ANSWER(cl_build_status, program->status);
    case CL_PROGRAM_BUILD_OPTIONS:
        return answer_text(program->options != NULL ? program->options : "", capacity, to, needed);
    case CL_PROGRAM_BUILD_LOG: return answer_text(program->log, capacity, to, needed);
    default: return CL_INVALID_VALUE;
    }
}

cl_int clRetainProgram(cl_program program)
{
    return object_retain(__func__, program, PROGRAM);
}

cl_int clReleaseProgram(cl_program program)
{
    return object_release(__func__, program, PROGRAM);
}
