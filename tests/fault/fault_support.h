/* The fake driver in place of OpenCL, inside this process: opened before Yoke opens it, so that both talk to one copy. */
#ifndef YOKE_TESTS_FAULT_SUPPORT_H
#define YOKE_TESTS_FAULT_SUPPORT_H

#include <dlfcn.h>

#include "tests/fault/fakecl/fakecl.h"
#include "tests/unit/support.h"
#include "yoke/yoke.h"

static int (*control)(const char *);
static const char *(*call_name)(int);
static const char *(*violation)(void);

/* Group fixture. The limit is short, for tests wait for what hangs. */
static inline int open_fake(void **state)
{
    (void)state;
    void *fake = dlopen(FAKECL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (fake == NULL) {
        printf("%s\n", dlerror());
        return -1;
    }
    control = (int (*)(const char *))(uintptr_t)dlsym(fake, "fakecl_ctl");
    call_name = (const char *(*)(int))(uintptr_t)dlsym(fake, "fakecl_call_name");
    violation = (const char *(*)(void))(uintptr_t)dlsym(fake, "fakecl_violation");
    const char *limit = SANITIZED ? "200" : "30";
    return setenv("YOKE_OPENCL_LIB", FAKECL_LIBRARY, 1) | setenv("YOKE_DEVICE_TIMEOUT_MS", limit, 1) |
           setenv("YOKE_CACHE_DIR", "off", 1);
}

static inline yoke_runtime *open_runtime(const char *devices)
{
    return yoke_open(&(yoke_runtime_options){.devices = devices, .workers = 2});
}

#endif
