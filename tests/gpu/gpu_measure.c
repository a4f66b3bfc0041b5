/* What a device can do, and what Yoke makes of it: its own limits by bare OpenCL, then Yoke's kernels against them.
 * Exit status: 0 all went well, 1 something failed, 2 wrong usage, 77 there is no such device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/measure.h"

enum { SECONDS = 60 };

static const char usage[] = "usage: gpu_measure --list\n"
                            "       gpu_measure [--quick] [--csv FILE] [--seconds S] DEVICE\n\n"
                            "DEVICE is the number in \"opencl:NUMBER\". FILE is appended to.\n";

static const char *const type_name[] = {"?", "cpu", "gpu", "accelerator"};

/* One line each, for scripts: number, type, state, name, platform, version, driver, memory, node; tabs between. */
static int list(yoke_runtime *finder, unsigned count)
{
    for (unsigned k = 0; k < count; k++) {
        yoke_device d;
        if (yoke_device_of(finder, k, &d) != YOKE_OK)
            return 1;
        printf("%u\t%s\t%s\t%s\t%s\t%s\t%s\t%llu MiB\tnode %d\n", k, type_name[d.type],
               d.state == YOKE_DEVICE_READY ? "ready" : d.reason, d.name, d.platform, d.version, d.driver,
               (unsigned long long)(d.memory_bytes >> 20), d.node);
    }
    return 0;
}

static void run_jobs(raw *r, const limits *found, yoke_runtime *devices, yoke_runtime *workers, unsigned k)
{
    for (unsigned which = 0; which < JOBS; which++) {
        job j;
        const bool made = now_s() < r->deadline_s && job_make(&j, which, r, found, workers);
        if (made) {
            measure_through(r, &j, found, devices, k); /* first: drivers keep what they compile */
            measure_managed(r, &j, found, devices, k);
            measure_resident(r, &j, found);
            job_free(&j);
        } else if (now_s() >= r->deadline_s) {
            report_skipped("the kernels that are left", JOBS - which, "out of time");
            return;
        }
    }
}

static void run_yoke(raw *r, const limits *found, unsigned k)
{
    char name[32];
    (void)snprintf(name, sizeof name, "opencl:%u", k);
    yoke_runtime *workers = yoke_open(&(yoke_runtime_options){.devices = "cpu"});
    yoke_runtime *devices = workers != NULL ? yoke_open(&(yoke_runtime_options){.devices = name}) : NULL;
    if (devices == NULL) {
        report_failed("yoke_open", 0, "%s", yoke_error_detail());
    } else {
        report_rate("workers of this machine", 0, yoke_workers(workers), yoke_isa(workers), 0);
        run_jobs(r, found, devices, workers, k);
    }
    (void)yoke_close(devices);
    (void)yoke_close(workers);
}

static unsigned measure(const yoke_device *facts, unsigned k, bool quick, double seconds, const char *csv)
{
    static raw r;
    limits found = {0};
    r = (raw){.facts = *facts, .quick = quick, .deadline_s = now_s() + seconds};
    printf("opencl:%u %s (%s, %s, driver %s)\n", k, facts->name, facts->platform, facts->version, facts->driver);
    printf("%u compute units, %.1f GiB, largest array %.1f GiB, %s, %s, %s\n", facts->compute_units,
           (double)facts->memory_bytes / 0x1p30, (double)facts->array_bytes / 0x1p30,
           facts->shares_memory ? "memory shared with the host" : "memory of its own",
           facts->has_double ? "double" : "no double", facts->is_exact ? "exact" : "not exact");
    if (!report_open(csv, k)) {
        fprintf(stderr, "gpu_measure: %s cannot be written\n", csv);
        return 1;
    }
    if (raw_open(&r, k)) {
        limits_measure(&r, &found);
        if (found.up > 0 && found.down > 0 && found.memory > 0 && found.flops > 0)
            run_yoke(&r, &found, k);
        else
            report_failed("Yoke's kernels", 0, "the limits to compare them with could not be measured");
    }
    raw_close(&r);
    return report_close();
}

typedef struct arguments {
    bool list, quick;
    const char *csv;
    double seconds;
    long device;
} arguments;

static bool parse(int argc, char **argv, arguments *a)
{
    *a = (arguments){.seconds = SECONDS, .device = -1};
    for (int k = 1; k < argc; k++) {
        char *end = NULL;
        if (strcmp(argv[k], "--list") == 0)
            a->list = true;
        else if (strcmp(argv[k], "--quick") == 0)
            a->quick = true;
        else if (strcmp(argv[k], "--csv") == 0 && k + 1 < argc)
            a->csv = argv[++k];
        else if (strcmp(argv[k], "--seconds") == 0 && k + 1 < argc)
            a->seconds = strtod(argv[++k], &end);
        else if (a->device < 0 && argv[k][0] >= '0' && argv[k][0] <= '9')
            a->device = strtol(argv[k], &end, 10);
        else
            return false;
        if (end != NULL && *end != '\0')
            return false;
    }
    return a->seconds > 0 && a->device < 4096 && a->list != (a->device >= 0);
}

int main(int argc, char **argv)
{
    arguments a;
    if (!parse(argc, argv, &a)) {
        fputs(usage, stderr);
        return 2;
    }
    /* Yoke first: it reads the topology before any driver can meddle with that. */
    yoke_runtime *finder = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "all"});
    const int count = finder != NULL ? yoke_devices(finder) : -1;
    yoke_device facts = {0};
    int status = 1;
    if (count < 0) {
        fprintf(stderr, "gpu_measure: %s\n", yoke_error_detail());
    } else if (count == 0) {
        char why[1024];
        raw_explain_nothing(why, sizeof why);
        fprintf(stderr, "gpu_measure: no OpenCL device here: %s\n", why);
        status = a.list ? 0 : 77;
    } else if (a.device >= count) {
        fprintf(stderr, "gpu_measure: there are only %d OpenCL devices\n", count);
        status = 77;
    } else if (a.list) {
        status = list(finder, (unsigned)count);
    } else if (yoke_device_of(finder, (unsigned)a.device, &facts) == YOKE_OK) {
        if (facts.state == YOKE_DEVICE_READY)
            status = measure(&facts, (unsigned)a.device, a.quick, a.seconds, a.csv) > 0;
        else
            fprintf(stderr, "gpu_measure: %s is refused: %s\n", facts.name, facts.reason);
    }
    (void)yoke_close(finder);
    return status;
}
