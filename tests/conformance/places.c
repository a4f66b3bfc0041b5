/* Where kernels run: the workers with each instruction set of this CPU, and each device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"

static place *add(places *all)
{
    place *more = realloc(all->list, (all->count + 1) * sizeof *more);
    if (more == NULL)
        return NULL;
    all->list = more;
    place *added = &more[all->count++];
    *added = (place){.device = -1};
    return added;
}

static bool add_cpu(places *all, const char *isa, unsigned workers, unsigned flags, const char *suffix)
{
    const yoke_runtime_options options = {.isa = isa, .workers = workers, .devices = "cpu"};
    place *added = add(all);
    if (added == NULL)
        return false;
    added->flags = flags;
    snprintf(added->name, sizeof added->name, "cpu:%s:%u%s", isa, workers, suffix);
    added->runtime = yoke_open(&options);
    return added->runtime != NULL;
}

/* Divided maps write past the caches with three workers and never with two. */
static bool add_cpus(places *all, char detail[DETAIL])
{
    static const char *const isas[] = {"baseline", "avx2", "avx512", "neon"};
    for (size_t k = 0; k < sizeof isas / sizeof isas[0]; k++) {
        const yoke_runtime_options options = {.isa = isas[k], .workers = 1, .devices = "cpu"};
        yoke_runtime *probe = yoke_open(&options);
        if (probe == NULL)
            continue; /* not this CPU's */
        (void)yoke_close(probe);
        if (!add_cpu(all, isas[k], 1, 0, "") || !add_cpu(all, isas[k], 2, 0, "") || !add_cpu(all, isas[k], 3, 0, "") ||
            !add_cpu(all, isas[k], 2, YOKE_ALWAYS_DIVIDE | YOKE_NEVER_STREAM, ":divided") ||
            !add_cpu(all, isas[k], 3, YOKE_ALWAYS_DIVIDE | YOKE_ALWAYS_STREAM, ":divided")) {
            snprintf(detail, DETAIL, "%s: %s", isas[k], yoke_error_detail());
            return false;
        }
    }
    if (all->count == 0)
        snprintf(detail, DETAIL, "no instruction set opens: %s", yoke_error_detail());
    return all->count > 0;
}

/* A device that cannot be opened stays in the list with a NULL runtime: its cases are skipped, with the reason. */
static bool add_device(places *all, int k, char detail[DETAIL])
{
    place *added = add(all);
    if (added == NULL)
        return false;
    added->device = k;
    if (yoke_device_of(all->finder, (unsigned)k, &added->facts) != YOKE_OK) {
        snprintf(detail, DETAIL, "device %d: %s", k, yoke_error_detail());
        return false;
    }
    snprintf(added->name, sizeof added->name, "opencl:%d", k);
    const yoke_runtime_options options = {.devices = added->name};
    added->runtime = yoke_open(&options);
    if (added->runtime == NULL && added->facts.state == YOKE_DEVICE_READY) {
        snprintf(detail, DETAIL, "device %d does not open: %s", k, yoke_error_detail());
        return false;
    }
    printf("opencl:%d: %s, %s, %s%s%s%s%s\n", k, added->facts.name, added->facts.platform, added->facts.version,
           added->facts.has_double ? ", double" : "", added->facts.is_exact ? ", exact" : "",
           added->facts.reason[0] != '\0' ? "; " : "", added->facts.reason);
    return true;
}

bool places_open(places *all, const selection *which, bool *missing, char detail[DETAIL])
{
    const yoke_runtime_options plain = {.isa = "baseline", .workers = 1, .devices = "cpu"};
    const yoke_runtime_options neon = {.isa = "neon", .workers = 1, .devices = "cpu"};
    *all = (places){0};
    *missing = false;
    all->anchor = yoke_open(&plain);
    if (all->anchor == NULL)
        all->anchor = yoke_open(&neon);
    if (all->anchor == NULL) {
        snprintf(detail, DETAIL, "%s", yoke_error_detail());
        return false;
    }
    if (which->cpu && !add_cpus(all, detail))
        return false;
    if (!which->devices)
        return true;
    const yoke_runtime_options every = {.workers = 1, .devices = "all"};
    all->finder = yoke_open(&every);
    const int count = all->finder != NULL ? yoke_devices(all->finder) : -1;
    if (count < 0) {
        snprintf(detail, DETAIL, "devices: %s", yoke_error_detail());
        return false;
    }
    if ((count == 0 && !which->cpu) || which->device >= count) {
        snprintf(detail, DETAIL, "no such device: there are %d", count);
        *missing = true;
        return false;
    }
    for (int k = 0; k < count; k++)
        if ((which->device < 0 || which->device == k) && !add_device(all, k, detail))
            return false;
    return true;
}

void places_close(places *all)
{
    for (size_t k = 0; k < all->count; k++)
        (void)yoke_close(all->list[k].runtime);
    (void)yoke_close(all->anchor);
    (void)yoke_close(all->finder);
    free(all->list);
    *all = (places){0};
}

const char *not_run_there(const place *where, const subject *s, const yoke_device *before, char detail[DETAIL])
{
    yoke_device now;
    if (yoke_device_of(where->runtime, (unsigned)where->device, &now) != YOKE_OK) {
        snprintf(detail, DETAIL, "device unknown: %s", yoke_error_detail());
        return detail;
    }
    if (now.pieces > before->pieces)
        return NULL;
    if (now.state != YOKE_DEVICE_READY)
        snprintf(detail, DETAIL, "%s: %s", now.state == YOKE_DEVICE_LOST ? "lost" : "refused", now.reason);
    else if (s->needs_double && !now.has_double)
        snprintf(detail, DETAIL, "the kernel needs double, which the device lacks");
    else if (s->kernel->exact && !now.is_exact)
        snprintf(detail, DETAIL, "the kernel is exact, and the device does not round correctly");
    else if (now.pieces_lost > before->pieces_lost)
        snprintf(detail, DETAIL, "its piece was lost and ran elsewhere");
    else
        snprintf(detail, DETAIL, "ran elsewhere, and nothing says why");
    return detail;
}
