/* Discovery with the real loader, in several environments: each in a process of its own, for what a loader has read, it
 * keeps. */
#include <ftw.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/opencl/device.h"
#include "tests/unit/support.h"

#if SANITIZED /* what loader and driver keep is not ours */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpocl\nleak:libLLVM\nleak:libclang\nleak:libOpenCL\n";
}
#endif

/* In a process of its own: "status count type state units memory/MiB exact shares node|name|reason". */
static int probe(void)
{
    static opencl o;
    yoke__topology *topology = NULL;
    if (yoke__topology_load(&topology) != YOKE_OK)
        return 1;
    o.topology = topology;
    yoke__cl_discover(&o);
    const device *d = o.count > 0 ? &o.devices[0] : NULL;
    printf("%lu %d %u", getauxval(AT_SECURE), o.status, o.count);
    if (d != NULL)
        printf(" %d %d %u %llu %zu|%s|%s|", (int)d->facts.type, (int)d->facts.state, d->facts.compute_units,
               (unsigned long long)(d->facts.array_bytes >> 20), d->max_group, d->facts.name, d->facts.reason);
    printf("|%s\n", o.reason);
    yoke__free(o.devices);
    yoke__topology_free(topology);
    return fflush(stdout);
}

static char folder[] = "/tmp/yoke-discover-XXXXXX";

/* Runs the probe with a variable (NAME=VALUE) of the environment; what it printed. */
static const char *probe_with(const char *variable)
{
    static char said[2000], command[1000];
    snprintf(command, sizeof command, "env %s /proc/%d/exe --probe", variable, (int)getpid());
    FILE *child = popen(command, "r");
    assert_non_null(child);
    said[fread(said, 1, sizeof said - 1, child)] = '\0';
    int status = pclose(child);
    if (status != 0)
        fail_msg("%s: status %#x, \"%s\"", command, (unsigned)status, said);
    return said;
}

static void put_file(const char *name, const char *content)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

/* As many as the loader has, asked without Yoke. */
static unsigned count_devices(void)
{
    cl_platform_id platforms[64];
    cl_uint count = 0, sum = 0;
    if (clGetPlatformIDs(64, platforms, &count) != CL_SUCCESS)
        return 0;
    for (cl_uint k = 0; k < count && k < 64; k++) {
        cl_uint devices = 0;
        if (clGetDeviceIDs(platforms[k], CL_DEVICE_TYPE_ALL, 0, NULL, &devices) == CL_SUCCESS)
            sum += devices;
    }
    return sum;
}

static void discover_real_device_has_plausible_facts(void **state)
{
    (void)state;
    unsigned expected = count_devices();
    if (expected == 0) {
        print_message("SKIP: no OpenCL device here; install pocl-opencl-icd\n");
        skip();
    }
    const char *said = probe_with("YOKE_OPENCL_LIB=");
    int status, type, ready;
    unsigned count, units;
    unsigned long secure, group;
    unsigned long long array_mib;
    if (sscanf(said, "%lu %d %u %d %d %u %llu %lu|", &secure, &status, &count, &type, &ready, &units, &array_mib,
               &group) != 8)
        fail_msg("%s", said);
    assert_int_equal(status, YOKE_OK);
    assert_int_equal(count, expected);
    assert_in_range(type, YOKE_DEVICE_CPU, YOKE_DEVICE_ACCELERATOR);
    assert_int_equal(ready, YOKE_DEVICE_READY);
    assert_in_range(units, 1, 4096);
    assert_in_range(array_mib, 16, 1 << 24);
    assert_in_range(group, 64, 1 << 20);
    assert_null(strstr(said, "(no name)"));
}

static void discover_bad_libraries_give_no_devices_and_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *library, *said;
    } cases[] = {{"missing.so", "cannot be loaded"},
                 {"empty.so", "cannot be loaded"},
                 {"text.so", "cannot be loaded"},
                 {".", "cannot be loaded"},
                 {NULL, "clGetPlatformIDs"}};
    put_file("empty.so", "");
    put_file("text.so", "This is a text that is long enough to be looked at for a header of a library; it has none.\n");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char variable[200], start[32];
        if (cases[k].library != NULL)
            snprintf(variable, sizeof variable, "YOKE_OPENCL_LIB=%s/%s", folder, cases[k].library);
        else
            snprintf(variable, sizeof variable, "YOKE_OPENCL_LIB=libc.so.6");
        snprintf(start, sizeof start, "0 %d 0|", YOKE_ENODEV);
        const char *said = probe_with(variable);
        if (strncmp(said, start, strlen(start)) != 0 || strstr(said, cases[k].said) == NULL ||
            strstr(said, variable + strlen("YOKE_OPENCL_LIB=")) == NULL)
            fail_msg("%s: %s", variable, said);
    }
}

static void discover_loader_without_drivers_finds_nothing_and_says_so(void **state)
{
    (void)state;
    char variable[300], path[200];
    snprintf(path, sizeof path, "%s/vendors", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(variable, sizeof variable, "OCL_ICD_VENDORS=%s/", path);
    const char *said = probe_with(variable);
    if (strncmp(said, "0 0 0|no OpenCL driver", 22) != 0)
        fail_msg("%s", said);
    put_file("vendors/broken.icd", "/nowhere/libnothing.so\n");
    said = probe_with(variable);
    if (strncmp(said, "0 0 0|no OpenCL driver", 22) != 0)
        fail_msg("%s", said);
}

static void discover_set_user_id_process_loads_nothing(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("SKIP: only root can make a set-user-ID program of another user\n");
        skip();
    }
    char command[500], said[500];
    snprintf(command, sizeof command,
             "cd %s && chmod 755 . && cp /proc/%d/exe copy && chown 65534 copy && chmod 4755 copy && "
             "./copy --probe 2>/dev/null",
             folder, (int)getpid());
    FILE *child = popen(command, "r");
    said[fread(said, 1, sizeof said - 1, child)] = '\0';
    pclose(child);
    if (said[0] != '1') {
        print_message("SKIP: set-user-ID programs do not run in /tmp here\n");
        skip();
    }
    if (strstr(said, "set-user-ID") == NULL)
        fail_msg("%s", said);
}

static void error_names_are_those_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(yoke__cl_error_name(0), "CL_SUCCESS");
    assert_string_equal(yoke__cl_error_name(-5), "CL_OUT_OF_RESOURCES");
    assert_string_equal(yoke__cl_error_name(-11), "CL_BUILD_PROGRAM_FAILURE");
    assert_string_equal(yoke__cl_error_name(-1001), "CL_PLATFORM_NOT_FOUND_KHR");
    assert_string_equal(yoke__cl_error_name(-9999), "OpenCL error -9999");
    for (cl_int error = 0; error >= -68; error--)
        if ((error >= -19 || error <= -30) && strncmp(yoke__cl_error_name(error), "CL_", 3) != 0)
            fail_msg("%d is %s", (int)error, yoke__cl_error_name(error));
}

/* PoCL keeps its things there too. */
static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && setenv("POCL_CACHE_DIR", folder, 1) == 0 ? 0 : 1;
}

static int remove_one(const char *path, const struct stat *what, int type, struct FTW *where)
{
    (void)what, (void)type, (void)where;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--probe") == 0)
        return probe();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discover_real_device_has_plausible_facts),
        cmocka_unit_test(discover_bad_libraries_give_no_devices_and_a_reason),
        cmocka_unit_test(discover_loader_without_drivers_finds_nothing_and_says_so),
        cmocka_unit_test(discover_set_user_id_process_loads_nothing),
        cmocka_unit_test(error_names_are_those_of_the_header),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
