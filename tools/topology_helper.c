/* yoke-topology DESCRIPTION: reads a topology that comes from outside and writes it as a flat table.
 * yoke-topology --devices: counts the devices that are not the CPU; a driver may crash here without harm.
 *
 * hwloc crashes on some malformed descriptions, loops on others, and asks for any amount of memory. So the library
 * has this program read them, which may crash or run into its limits without harm, and checks every number of its
 * answer. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"
#include "yoke/topology.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#if !defined(SANITIZED)
#define SANITIZED 0
#endif

static void limit(unsigned resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) == 0 && now.rlim_max < most)
        most = now.rlim_max;
    setrlimit(resource, &(struct rlimit){most, most});
}

static void set_limits(void)
{
    limit(RLIMIT_CPU, 5);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
#if !SANITIZED /* whose shadow memory is far larger */
    limit(RLIMIT_AS, (rlim_t)1 << 30);
#endif
}

static int count_devices(void)
{
    enum { SECONDS = 20 };
    limit(RLIMIT_CPU, SECONDS);
    limit(RLIMIT_CORE, 0);
    int found = 0;
    yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "all"});
    const int devices = runtime != NULL ? yoke_devices(runtime) : 0;
    for (int k = 0; k < devices; k++) {
        yoke_device device;
        if (yoke_device_of(runtime, (unsigned)k, &device) == YOKE_OK && device.type != YOKE_DEVICE_CPU &&
            device.state == YOKE_DEVICE_READY)
            found++;
    }
    printf("%d\n", found);
    fflush(stdout);
    _exit(0); /* past the drivers' exit handlers */
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--devices") == 0)
        return count_devices();
    if (count != 2) {
        fprintf(stderr, "usage: yoke-topology SYNTHETIC-STRING-OR-XML-FILE\n");
        return 2;
    }
    set_limits();
    rows found = {0};
    int status = yoke__hwloc_foreign(&found, arguments[1]);
    if (status != YOKE_OK) {
        fprintf(stderr, "yoke-topology: %s\n", yoke_error_detail());
        return 1;
    }
    status = yoke__rows_write(&found, stdout);
    yoke__free(found.at);
    return status == YOKE_OK ? 0 : 3;
}
