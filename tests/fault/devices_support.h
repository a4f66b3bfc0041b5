/* What the tests of devices share: kernels, their results by hand, and runtimes on fake devices. */
#ifndef YOKE_TESTS_FAULT_DEVICES_SUPPORT_H
#define YOKE_TESTS_FAULT_DEVICES_SUPPORT_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault/fault_support.h"
#include "tests/unit/threads.h"

enum { N = 4001, LARGE = 1 << 20 };

YOKE_EXACT_KERNEL(dev_scale, (in(float, x), out(float, y), value(float, a)), { y[i] = a * x[i] + 1.0f; })
YOKE_EXACT_REDUCE(dev_sum, (float, 0.0f, a + b), (in(float, x)), x[i])

static float x[LARGE], y[LARGE];

static inline void fill(void)
{
    for (size_t k = 0; k < LARGE; k++)
        x[k] = (float)(k % 1000) * 0.5f, y[k] = -1.0f;
}

static inline bool is_scaled(const float *from, const float *to, size_t n, float a)
{
    for (size_t k = 0; k < n; k++)
        if (to[k] != a * from[k] + 1.0f)
            return false;
    return true;
}

static inline bool is_untouched(size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (y[k] != -1.0f)
            return false;
    return true;
}

/* A map of n items with a result that no other call left behind. */
static inline int scale(yoke_runtime *r, const yoke_options *options, size_t n)
{
    static float a = 2.0f;
    a = a < 100.0f ? a + 1.0f : 2.0f;
    int status = parallel_map_on(r, options, dev_scale, n, x, y, a);
    if (status == YOKE_OK && !is_scaled(x, y, n, a))
        fail_msg("a wrong result without an error");
    return status;
}

static inline yoke_decision last_decision(void)
{
    yoke_decision decision;
    assert_int_equal(yoke_last_decision(&decision), YOKE_OK);
    return decision;
}

static inline yoke_device device_of(yoke_runtime *r, unsigned k)
{
    yoke_device device;
    assert_int_equal(yoke_device_of(r, k, &device), YOKE_OK);
    return device;
}

static inline yoke_runtime *runtime_on(const char *devices)
{
    yoke_runtime *r = open_runtime(devices);
    if (r == NULL)
        fail_msg("\"%s\": %s", devices != NULL ? devices : "(default)", yoke_error_detail());
    return r;
}

static inline void close_runtime(yoke_runtime *r)
{
    assert_int_equal(yoke_close(r), YOKE_OK);
}

static inline void shape(const char *setting)
{
    char command[200];
    (void)snprintf(command, sizeof command, "shape %s", setting);
    assert_int_equal(control(command), 0);
}

/* Before each test: three good devices, nothing lost, nothing hanging. */
static inline int fresh(void **state)
{
    static const char *const usual[] = {
        "NAMES=Alpha One;Alpha Two;Beta",
        "TYPE=gpu",
        "MAXALLOC=2^30",
        "GLOBALMEM=2^32",
        "WGS=256",
        "VERSION=OpenCL 1.2 fakecl",
        "ADDRBITS=64",
        "UNITS=4",
        "FP=",
        "UNIFIED=0",
        "NS_PER_ITEM=0",
        "LAUNCH_US=0",
        "BUILD_MS=0",
        "BUILD_FAIL=0",
    };
    (void)state;
    alarm(SANITIZED ? 300 : 30);
    (void)control("release");
    (void)control("reset");
    for (size_t k = 0; k < sizeof usual / sizeof *usual; k++)
        shape(usual[k]);
    fill();
    return 0;
}

static inline int open_three(void **state)
{
    (void)setenv("FAKECL_DEVICES", "3", 1);
    (void)unsetenv("YOKE_DEVICES");
    int failed = open_fake(state);
    return failed |
           setenv("YOKE_DEVICE_TIMEOUT_MS", "2000", 1); /* nothing here hangs by itself, but machines are slow */
}

#endif
