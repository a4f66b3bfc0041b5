/* Which devices a runtime may use, and what is known of each. */
#include <stdio.h>
#include <string.h>

#include "lib/parallel/devices.h"

enum { STEP_LIMITS = 6 };

static const int64_t limit_ns = INT64_C(10000000000);

/* YOKE_DEVICE_TIMEOUT_MS: how long a piece of work may take a device beyond what is predicted. Finding, opening and
 * compiling may take STEP_LIMITS times that. */
static int read_limit(int64_t *limit)
{
    const char *text = yoke__env("YOKE_DEVICE_TIMEOUT_MS");
    unsigned long ms;
    *limit = limit_ns;
    if (text == NULL)
        return YOKE_OK;
    if (!yoke__parse_unsigned(text, 1, 1000000000, &ms))
        return yoke__fail(YOKE_EINVAL, "YOKE_DEVICE_TIMEOUT_MS=%.40s is not a number from 1 to 1000000000", text);
    *limit = (int64_t)ms * 1000000;
    return YOKE_OK;
}

/* --- what there is --- */

int yoke__devices_select(const yoke__devices *d, const char *text, yoke__selection *selection)
{
    const unsigned count = d->backend->count(d->state);
    yoke_device *found = yoke__alloc_zeroed((size_t)count + 1, sizeof *found);
    if (found == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a list of %u devices", count);
    for (unsigned k = 0; k < count; k++)
        d->backend->describe(d->state, k, &found[k]);
    int status = yoke__select_devices(text, found, count, selection);
    yoke__free(found);
    if (status == YOKE_ENODEV && count == 0)
        return yoke__fail(YOKE_ENODEV, "no device \"%.40s\": no OpenCL devices were found: %s", text,
                          d->backend->why(d->state, 0, NULL));
    return status;
}

/* Once discovery is over: with the lock held. */
static int settle(yoke__devices *d)
{
    int status = yoke__devices_select(d, d->text, &d->selection);
    if (status != YOKE_OK)
        return status;
    d->count = d->backend->count(d->state);
    for (unsigned k = 0; k < d->count; k++)
        d->any |= yoke__selection_has(&d->selection, k);
    yoke__learned_begin(d);
    atomic_store_explicit(&d->known, true, memory_order_release);
    return YOKE_OK;
}

static int know(yoke__devices *d, int64_t until_ns)
{
    if (atomic_load_explicit(&d->known, memory_order_acquire))
        return YOKE_OK;
    atomic_store_explicit(&d->begun, true, memory_order_relaxed);
    atomic_fetch_add(&d->calls, 1);
    int status = d->backend->discover(d->state, until_ns);
    atomic_fetch_sub(&d->calls, 1);
    if (status != YOKE_OK)
        return status;
    pthread_mutex_lock(&d->lock);
    if (!atomic_load(&d->known))
        status = settle(d);
    pthread_mutex_unlock(&d->lock);
    return status;
}

int yoke__devices_know(yoke__devices *devices)
{
    return know(devices, yoke__now_ns() + devices->step_limit_ns);
}

bool yoke__devices_are_known(yoke__devices *devices)
{
    if (atomic_load_explicit(&devices->known, memory_order_acquire))
        return devices->any;
    if (!atomic_load_explicit(&devices->begun, memory_order_relaxed))
        return false;
    return (devices->backend->probe == NULL || devices->backend->probe(devices->state) == 1) &&
           know(devices, 0) == YOKE_OK && devices->any;
}

/* To look for devices takes a driver a tenth of a second of a core: it begins when maps have taken as long, so that a
 * program of small maps never pays for it. */
void yoke__devices_worked(yoke__devices *devices, double ns)
{
    enum { WORTH_LOOKING_NS = 100000000 };
    if (atomic_load_explicit(&devices->begun, memory_order_relaxed))
        return;
    int64_t add = ns < WORTH_LOOKING_NS ? (int64_t)ns : WORTH_LOOKING_NS;
    if (atomic_fetch_add_explicit(&devices->worked, add, memory_order_relaxed) + add >= WORTH_LOOKING_NS)
        atomic_store_explicit(&devices->begun, true, memory_order_relaxed);
}

bool yoke__devices_are_busy(const yoke__devices *devices)
{
    /* a forked child has none of the threads that its parent's calls were on */
    return devices != NULL && atomic_load(&devices->calls) != 0 && devices->forks == yoke__fork_count();
}

bool yoke__devices_leave_cpu(const yoke__devices *devices)
{
    return devices->optional || devices->selection.cpu;
}

/* --- open and close --- */

static int open_backend(yoke__devices *d, const yoke__topology *topology)
{
    d->backend = yoke__device_backend();
    int status = yoke__selection_check(d->text);
    if (d->backend == NULL && status == YOKE_OK && !d->optional)
        return yoke__fail(YOKE_ENODEV, "\"%.40s\": this build has the CPU only", d->text);
    if (d->backend == NULL || status != YOKE_OK)
        return status;
    status = read_limit(&d->limit_ns);
    d->step_limit_ns = STEP_LIMITS * d->limit_ns;
    if (status == YOKE_OK)
        status = d->backend->open(&d->state, topology, d->step_limit_ns);
    if (status == YOKE_OK && !d->optional)
        status = yoke__devices_know(d);
    return status;
}

int yoke__devices_open(yoke__devices **out, const char *text, const char *host, const yoke__topology *topology,
                       bool *topology_stays)
{
    *out = NULL;
    *topology_stays = false;
    if (!yoke__selection_needs_devices(text))
        return YOKE_OK;
    yoke__devices *d = yoke__alloc_zeroed(1, sizeof *d);
    const char *asked = text != NULL ? text : "all";
    char *copy = d != NULL ? yoke__alloc(strlen(asked) + 1) : NULL;
    if (copy == NULL || pthread_mutex_init(&d->lock, NULL) != 0) {
        yoke__free(copy);
        yoke__free(d);
        return yoke__fail(YOKE_ENOMEM, "no memory for a list of devices");
    }
    d->text = strcpy(copy, asked); /* NOLINT(clang-analyzer-security.insecureAPI.strcpy): it has that length */
    d->forks = yoke__fork_count();
    (void)snprintf(d->host, sizeof d->host, "%s", host);
    d->optional = yoke__selection_is_default(text);
    int status = open_backend(d, topology);
    if (status == YOKE_OK && d->backend != NULL) {
        *out = d;
        return YOKE_OK;
    }
    *topology_stays = !yoke__devices_close(d);
    return status;
}

bool yoke__devices_close(yoke__devices *devices)
{
    if (devices == NULL)
        return true;
    bool closed = devices->backend == NULL || devices->state == NULL || devices->backend->close(devices->state);
    yoke__learned_end(devices);
    pthread_mutex_destroy(&devices->lock);
    yoke__free(devices->text);
    yoke__free(devices);
    return closed;
}

/* --- public --- */

static int devices_of(yoke_runtime *runtime, yoke__devices **devices)
{
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    yoke__devices *d = *devices = runtime->devices;
    int status = d != NULL ? yoke__devices_know(d) : YOKE_OK;
    if (status == YOKE_OK && d != NULL && d->forks != yoke__fork_count()) /* known, but are they of use here? */
        status = d->backend->discover(d->state, 0);
    return status;
}

int yoke_devices(yoke_runtime *runtime)
{
    yoke__devices *devices = NULL;
    int status = devices_of(runtime, &devices);
    if (status != YOKE_OK)
        return status;
    return devices != NULL ? (int)devices->count : 0;
}

/* 0, or EINVAL with what there is. */
static int find_device(yoke_runtime *runtime, unsigned k, yoke__devices **devices)
{
    int status = devices_of(runtime, devices);
    if (status != YOKE_OK)
        return status;
    unsigned count = *devices != NULL ? (*devices)->count : 0;
    if (k >= count)
        return yoke__fail(YOKE_EINVAL, "there is no device %u; yoke_devices() counts %u", k, count);
    return YOKE_OK;
}

int yoke_device_of(yoke_runtime *runtime, unsigned k, yoke_device *device)
{
    yoke__devices *devices = NULL;
    if (device == NULL)
        return yoke__fail(YOKE_EINVAL, "device is NULL; give a structure to fill");
    int status = find_device(runtime, k, &devices);
    if (status != YOKE_OK)
        return status;
    devices->backend->describe(devices->state, k, device);
    device->in_use = yoke__selection_has(&devices->selection, k);
    return YOKE_OK;
}

int yoke_reopen_device(yoke_runtime *runtime, unsigned k)
{
    yoke__devices *devices = NULL;
    int status = find_device(runtime, k, &devices);
    if (status != YOKE_OK)
        return status;
    if (devices->backend->reopen == NULL)
        return yoke__fail(YOKE_ENOSYS, "devices of %s cannot be opened again", devices->backend->name);
    return devices->backend->reopen(devices->state, k);
}

int yoke_prefetch(yoke_runtime *runtime, const void *memory, unsigned device)
{
    yoke__devices *devices = NULL;
    yoke__block *block = memory != NULL ? yoke__memory_hold(memory, 1) : NULL;
    if (block == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_prefetch: %p is not memory of yoke_alloc", memory);
    yoke__memory_release(block); /* nobody frees it meanwhile */
    int status = find_device(runtime, device, &devices);
    if (status != YOKE_OK)
        return status;
    if (!yoke__selection_has(&devices->selection, device))
        return yoke__fail(YOKE_ENODEV,
                          "yoke_prefetch: this runtime may not use device %u (YOKE_DEVICES, or its options)", device);
    return devices->backend->prefetch != NULL ? devices->backend->prefetch(devices->state, device, memory) : YOKE_OK;
}
