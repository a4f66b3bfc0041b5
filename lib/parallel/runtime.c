#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/parallel/backlog.h"
#include "lib/parallel/checking.h"
#include "lib/parallel/devices.h"
#include "lib/trace/trace.h"

enum {
    SPIN_LIMIT_NS = 200000,      /* an idle worker spins no longer, however short the gaps between maps were */
    SPIN_LIMIT_QUOTA_NS = 20000, /* under a quota spinning is paid for */
    CACHE_BYTES_GUESS = 32 << 20
};

yoke_runtime *_Atomic yoke__default_runtime;

/* --- settings --- */

static int read_workers(const yoke_runtime_options *options, unsigned most, unsigned *workers)
{
    *workers = options->workers != 0 ? options->workers : most;
    if (options->workers > YOKE_MAX_WORKERS)
        return yoke__fail(YOKE_EINVAL, "%u workers are too many; the most is %d", options->workers, YOKE_MAX_WORKERS);
    return options->workers == 0 ? yoke__env_workers(workers) : YOKE_OK;
}

static size_t last_level_cache_bytes(void)
{
    long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (bytes <= 0)
        bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? (size_t)bytes : CACHE_BYTES_GUESS;
}

/* --- open and close --- */

static int open_parts(yoke_runtime *runtime, const yoke_runtime_options *options)
{
    const char *isa = options->isa != NULL ? options->isa : yoke__env("YOKE_ISA");
    unsigned workers;
    int status = yoke__choose_pin(options->pin, &runtime->pin);
    if (status == YOKE_OK)
        status = yoke__isa_choose(isa, &runtime->isa);
    if (status == YOKE_OK)
        status = yoke__topology_load(&runtime->topology);
    if (status == YOKE_OK && options->cpus != NULL)
        status = yoke__topology_restrict(runtime->topology, options->cpus, options->cpu_count);
    if (status == YOKE_OK)
        status = read_workers(options, yoke__topology_default_workers(runtime->topology), &workers);
    if (status != YOKE_OK)
        return status;
    const char *explain = yoke__env("YOKE_EXPLAIN");
    runtime->explains = explain != NULL && strcmp(explain, "0") != 0;
    status = yoke__trace_open();
    if (status == YOKE_OK)
        status = yoke__counters_open();
    if (status != YOKE_OK)
        return status;
    runtime->tells = runtime->explains || yoke__tracing();
    runtime->default_workers = workers;
    runtime->cache_bytes = last_level_cache_bytes();
    runtime->costs = yoke__costs_create();
    if (runtime->costs == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a runtime");
    bool quota = yoke__topology_quota(runtime->topology) > 0;
    char host[64];
    (void)snprintf(host, sizeof host, "%s, %u workers, pin %d", yoke__isa_name(runtime->isa), workers,
                   (int)runtime->pin);
    status =
        yoke__devices_open(&runtime->devices, options->devices != NULL ? options->devices : yoke__env("YOKE_DEVICES"),
                           host, runtime->topology, &runtime->topology_stays);
    if (status != YOKE_OK)
        return status;
    runtime->devices_only = runtime->devices != NULL && !yoke__devices_leave_cpu(runtime->devices);
    status = yoke__checks_open(&runtime->checks, options->check);
    if (status != YOKE_OK)
        return status;
    runtime->no_shortcut = runtime->devices_only || runtime->checks != NULL;
    return yoke__team_create(&runtime->team, runtime->topology, runtime->pin, workers,
                             quota ? SPIN_LIMIT_QUOTA_NS : SPIN_LIMIT_NS);
}

static void free_parts(yoke_runtime *runtime)
{
    runtime->topology_stays |= !yoke__devices_close(runtime->devices);
    yoke__costs_free(runtime->costs);
    yoke__checks_close(runtime->checks);
    if (!runtime->topology_stays)
        yoke__topology_free(runtime->topology);
    yoke__free(runtime);
}

yoke_runtime *yoke_open(const yoke_runtime_options *options)
{
    static const yoke_runtime_options defaults;
    if (options == NULL)
        options = &defaults;
    if (options->size != 0 && options->size != sizeof *options) {
        yoke__fail(YOKE_EVERSION, "runtime options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                   options->size, sizeof *options);
        return NULL;
    }
    yoke_runtime *runtime = yoke__alloc_aligned(YOKE_CACHE_LINE, sizeof *runtime);
    if (runtime == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for a runtime");
        return NULL;
    }
    *runtime = (yoke_runtime){0};
    if (open_parts(runtime, options) != YOKE_OK) {
        free_parts(runtime);
        return NULL;
    }
    return runtime;
}

int yoke_close(yoke_runtime *runtime)
{
    if (runtime == NULL)
        return YOKE_OK;
    if (runtime == atomic_load(&yoke__default_runtime))
        return yoke__fail(YOKE_EINVAL, "the default runtime is not closed: it ends with the process");
    int status = yoke__backlog_close(runtime);
    if (status != YOKE_OK)
        return status;
    if (yoke__devices_are_busy(runtime->devices))
        return yoke__fail(YOKE_EBUSY, "a call still uses a device of this runtime; close it when that has returned");
    status = yoke__team_destroy(runtime->team);
    if (status == YOKE_OK)
        free_parts(runtime);
    return status;
}

/* Threads that open it at the same moment each make one; the first to be published stays. No lock: a forked child
 * could inherit it locked. */
yoke_runtime *yoke_default_runtime(void)
{
    yoke_runtime *runtime = atomic_load_explicit(&yoke__default_runtime, memory_order_acquire);
    if (runtime != NULL)
        return runtime;
    yoke_runtime *mine = yoke_open(NULL);
    if (mine == NULL || atomic_compare_exchange_strong(&yoke__default_runtime, &runtime, mine))
        return mine;
    (void)yoke_close(mine);
    return runtime;
}

/* --- questions and settings --- */

int yoke_workers(yoke_runtime *runtime)
{
    runtime = yoke__runtime_or_default(runtime);
    return runtime != NULL ? (int)yoke__team_workers(runtime->team) : yoke__last_failure();
}

int yoke_set_workers(yoke_runtime *runtime, unsigned workers)
{
    if (workers > YOKE_MAX_WORKERS)
        return yoke__fail(YOKE_EINVAL, "%u workers are too many; the most is %d", workers, YOKE_MAX_WORKERS);
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    return yoke__team_resize(runtime->team, workers != 0 ? workers : runtime->default_workers);
}

const char *yoke_isa(yoke_runtime *runtime)
{
    runtime = yoke__runtime_or_default(runtime);
    return runtime != NULL ? yoke__isa_name(runtime->isa) : NULL;
}

int yoke_topology_of(yoke_runtime *runtime, yoke_topology *topology)
{
    if (topology == NULL)
        return yoke__fail(YOKE_EINVAL, "topology is NULL; give a structure to fill");
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    *topology = yoke__public_topology(runtime->topology);
    return YOKE_OK;
}

int yoke_usable_cpus(yoke_usable_cpu *cpus, size_t capacity, size_t *count, double *quota)
{
    if (count == NULL || (cpus == NULL && capacity > 0))
        return yoke__fail(YOKE_EINVAL, "cpus or count is NULL; give where to put them");
    yoke__topology *topology;
    int status = yoke__topology_load(&topology);
    if (status != YOKE_OK)
        return status;
    const yoke__pu *pus = yoke__topology_pus(topology, count);
    for (size_t k = 0; k < capacity && k < *count; k++)
        cpus[k] = (yoke_usable_cpu){pus[k].os_index, pus[k].package, pus[k].node, pus[k].cache, pus[k].core};
    if (quota != NULL)
        *quota = yoke__topology_quota(topology);
    yoke__topology_free(topology);
    return YOKE_OK;
}

int yoke_worker_place_of(yoke_runtime *runtime, unsigned k, yoke_worker_place *place)
{
    if (place == NULL)
        return yoke__fail(YOKE_EINVAL, "place is NULL; give a structure to fill");
    runtime = yoke__runtime_or_default(runtime);
    if (runtime == NULL)
        return yoke__last_failure();
    yoke__place found;
    int status = yoke__team_place(runtime->team, k, &found);
    if (status != YOKE_OK)
        return status;
    size_t count;
    const yoke__pu *pu = yoke__topology_pus(runtime->topology, &count) + found.pu;
    *place =
        (yoke_worker_place){found.pinned, found.whole_node, pu->package, pu->node, pu->cache, pu->core, pu->os_index};
    return YOKE_OK;
}

int yoke__check_given_options(const yoke_options *options)
{
    const int status = yoke__check_settings(options);
    if (status == YOKE_OK && options->pieces != NULL)
        options->pieces->count = 0; /* of this call */
    return status;
}

int yoke__check_settings(const yoke_options *options)
{
    const unsigned known = YOKE_ALWAYS_DIVIDE | YOKE_NEVER_STREAM | YOKE_ALWAYS_STREAM | YOKE_NEVER_COEXECUTE |
                           YOKE_ALWAYS_COEXECUTE | YOKE_WRITE_BACK;
    const unsigned both = YOKE_NEVER_COEXECUTE | YOKE_ALWAYS_COEXECUTE;
    if (options->size != 0 && options->size != sizeof *options)
        return yoke__fail(YOKE_EVERSION, "options of %zu bytes; this library knows %zu: set size to 0 or sizeof",
                          options->size, sizeof *options);
    if ((options->flags & ~known) != 0)
        return yoke__fail(YOKE_EINVAL, "unknown flags 0x%x; see YOKE_ALWAYS_DIVIDE and its neighbours",
                          options->flags & ~known);
    if ((options->flags & both) == both)
        return yoke__fail(YOKE_EINVAL, "YOKE_NEVER_COEXECUTE and YOKE_ALWAYS_COEXECUTE exclude each other");
    if (options->workers > YOKE_MAX_WORKERS)
        return yoke__fail(YOKE_EINVAL, "%u workers are too many; the most is %d", options->workers, YOKE_MAX_WORKERS);
    if (options->deadline_ns < 0)
        return yoke__fail(YOKE_EINVAL, "a negative deadline; make one with yoke_deadline_in()");
    if (options->pieces != NULL && options->pieces->list == NULL && options->pieces->capacity > 0)
        return yoke__fail(YOKE_EINVAL, "pieces: a capacity of %zu without a list", options->pieces->capacity);
    return YOKE_OK;
}
