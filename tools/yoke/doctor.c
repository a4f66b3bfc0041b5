/* yoke doctor: what slows programs down here, and the remedy, on one page. */
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/cache.h>
#include <yoke/memory.h>

#include "tools/yoke/doctor.h"

static void say(diagnosis *d, verdict v, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void remedy(diagnosis *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(diagnosis *d, verdict v, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    d->verdict = v;
    (void)vsnprintf(d->text, sizeof d->text, format, values);
    va_end(values);
}

static void remedy(diagnosis *d, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vsnprintf(d->remedy, sizeof d->remedy, format, values);
    va_end(values);
}

/* --- the processor --- */

static void check_quota(const patient *p, diagnosis *d)
{
    const yoke_topology *t = &p->found->machine->topology;
    if (t->quota <= 0) {
        say(d, WELL, "control groups set no limit");
    } else if (ceil(t->quota) >= (double)t->usable.cores) {
        say(d, WELL, "%.2f CPUs' worth of time for %u usable cores", t->quota, t->usable.cores);
    } else {
        say(d, SLOW, "control groups allow %.2f CPUs' worth of time; %u cores are usable: %u workers", t->quota,
            t->usable.cores, p->found->machine->workers);
        remedy(d, "raise the limit: docker --cpus, Kubernetes resources.limits.cpu, systemd CPUQuota=");
    }
}

static void check_binding(const patient *p, diagnosis *d)
{
    const yoke_topology *t = &p->found->machine->topology;
    const char *launcher = p->launcher;
    if (t->usable.threads == t->machine.threads) {
        say(d, WELL, "this process may use all %s", tool_count(t->machine.cores, "core").text);
        return;
    }
    say(d,
        t->usable.cores == 1 && t->machine.cores > 1 ? SLOW
        : t->usable.cores < t->machine.cores         ? NOTE
                                                     : WELL,
        "this process may use %u of %s (affinity mask or cpuset)%s%s", t->usable.cores,
        tool_count(t->machine.cores, "core").text, launcher[0] != '\0' ? "; it was started by " : "", launcher);
    if (strcmp(launcher, "Open MPI") == 0)
        remedy(d, "mpirun --bind-to none, or --map-by node:PE=%u for one rank per node",
               t->machine.nodes > 0 ? t->machine.cores / t->machine.nodes : 1);
    else if (strcmp(launcher, "Slurm") == 0)
        remedy(d, "srun --cpus-per-task=CORES, or --cpu-bind=none");
    else if (strcmp(launcher, "MPICH") == 0)
        remedy(d, "mpiexec -bind-to none");
    else
        remedy(d, "where that is not meant: start it without taskset or numactl, or widen cpuset.cpus");
}

static void check_governor(const patient *p, diagnosis *d)
{
    char first[64], line[64];
    unsigned slow = 0, seen = 0;
    for (size_t k = 0; k < p->found->machine->cpu_count; k++) {
        if (!system_line(p->root, line, sizeof line, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor",
                         p->found->machine->cpus[k].os_cpu))
            continue;
        seen++;
        if (strcmp(line, "powersave") != 0 && strcmp(line, "conservative") != 0)
            continue;
        if (slow++ == 0)
            (void)snprintf(first, sizeof first, "%s", line);
    }
    char driver[64];
    (void)system_line(p->root, driver, sizeof driver, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver");
    const bool hardware = strcmp(driver, "intel_pstate") == 0 || strcmp(driver, "amd-pstate-epp") == 0;
    if (seen == 0)
        say(d, WELL, "the system does not tell (a virtual machine, or the firmware decides)");
    else if (slow == 0)
        say(d, WELL, "no CPU is held at a low clock");
    else if (hardware) /* there "powersave" leaves the clock to the hardware, which raises it under load */
        say(d, NOTE, "the governor is %s with %s: clocks rise under load, with a delay", first, driver);
    else
        say(d, SLOW, "the governor of %u of %u CPUs is %s: clocks stay low", slow, seen, first);
    if (slow > 0)
        remedy(d, "sudo cpupower frequency-set -g performance");
}

/* --- memory --- */

static void check_huge_pages(const patient *p, diagnosis *d)
{
    char line[128];
    if (!system_line(p->root, line, sizeof line, "/sys/kernel/mm/transparent_hugepage/enabled")) {
        say(d, NOTE, "this kernel has no transparent huge pages: large arrays wait longer for address translation");
        return;
    }
    if (strstr(line, "[never]") == NULL) {
        say(d, WELL, "%s: arrays of yoke_alloc from 4 MiB on get them",
            strstr(line, "[always]") != NULL ? "always" : "madvise");
        return;
    }
    say(d, SLOW, "they are off (never): large arrays wait longer for address translation");
    remedy(d, "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
}

static void check_balancing(const patient *p, diagnosis *d)
{
    char line[32];
    const unsigned nodes = p->found->machine->topology.machine.nodes;
    if (nodes <= 1) {
        say(d, WELL, "one NUMA node: nothing to move");
    } else if (!system_line(p->root, line, sizeof line, "/proc/sys/kernel/numa_balancing") || strcmp(line, "0") == 0) {
        say(d, WELL, "off: pages stay where they were placed");
    } else {
        say(d, NOTE, "on: the kernel takes pages away for a moment to see who uses them, and moves them after threads");
        remedy(d, "echo 0 | sudo tee /proc/sys/kernel/numa_balancing, for programs that place their arrays");
    }
}

static void check_placing(const patient *p, diagnosis *d)
{
    yoke_placement_report report;
    if (p->found->machine->topology.machine.nodes <= 1 || p->root[0] != '\0') {
        say(d, WELL, "one NUMA node: nothing to place");
        return;
    }
    unsigned char *memory = yoke_alloc(1 << 16, YOKE_PLACE_INTERLEAVE);
    if (memory != NULL)
        memory[0] = 1;
    if (memory == NULL || yoke_placement_of(memory, &report) != YOKE_OK) {
        say(d, NOTE, "%.300s", yoke_error_detail());
    } else if (report.status != YOKE_OK) {
        say(d, SLOW, "%s", report.detail);
        remedy(d, "in a container: docker --cap-add SYS_NICE, or a seccomp profile with mbind and move_pages");
    } else {
        say(d, WELL, "arrays can be placed on nodes");
    }
    (void)yoke_free(memory);
}

/* --- devices --- */

/* Display controllers and accelerators among PCI devices, by their class. */
static unsigned count_hardware(const patient *p)
{
    char path[PATH_MAX], line[64];
    (void)snprintf(path, sizeof path, "%s/sys/bus/pci/devices", p->root);
    DIR *folder = opendir(path);
    unsigned count = 0;
    for (struct dirent *one; folder != NULL && (one = readdir(folder)) != NULL;) {
        if (!system_line(p->root, line, sizeof line, "/sys/bus/pci/devices/%s/class", one->d_name))
            continue;
        const unsigned long class = strtoul(line, NULL, 16) >> 8;
        char vendor[64];
        (void)system_line(p->root, vendor, sizeof vendor, "/sys/bus/pci/devices/%s/vendor", one->d_name);
        const unsigned long maker = strtoul(vendor, NULL, 16);
        const bool computes = maker == 0x10de || maker == 0x1002 || maker == 0x8086; /* not what emulators show */
        count += computes && (class == 0x0300 || class == 0x0302 || class == 0x0380 || class == 0x1200);
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

static unsigned count_drivers(const patient *p)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/etc/OpenCL/vendors", p->root);
    DIR *folder = opendir(path);
    unsigned count = 0;
    for (struct dirent *one; folder != NULL && (one = readdir(folder)) != NULL;) {
        const char *dot = strrchr(one->d_name, '.');
        count += dot != NULL && strcmp(dot, ".icd") == 0;
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

static void check_without_devices(const patient *p, diagnosis *d, unsigned hardware)
{
    const verdict v = hardware > 0 ? SLOW : NOTE;
    if (!p->has_loader) {
        say(d, v, "libOpenCL.so.1 is not installed%s", hardware > 0 ? ", but there is hardware for it" : "");
        remedy(d, "apt install ocl-icd-libopencl1, and the driver of the device");
    } else if (count_drivers(p) == 0) {
        say(d, v, "no OpenCL driver is installed (nothing in /etc/OpenCL/vendors)%s",
            hardware > 0 ? ", but there is hardware for it" : "");
        remedy(d,
               "install the driver's OpenCL part: nvidia-opencl-icd, intel-opencl-icd, rocm-opencl or mesa-opencl-icd");
    } else {
        say(d, v, "%.300s", p->found->devices.problem);
        remedy(d, "clinfo -l shows what drivers list; may this user open /dev/dri/render* or /dev/nvidia*?");
    }
}

static void check_devices(const patient *p, diagnosis *d)
{
    const found_devices *devices = &p->found->devices;
    unsigned others = 0, ready = 0;
    const unsigned hardware = count_hardware(p);
    for (unsigned k = 0; k < devices->count; k++) {
        others += devices->at[k].type != YOKE_DEVICE_CPU;
        ready += devices->at[k].type != YOKE_DEVICE_CPU && devices->at[k].state == YOKE_DEVICE_READY;
    }
    if (devices->signal != 0) {
        say(d, SLOW, "%s", devices->problem);
        remedy(d, "find it with OCL_ICD_VENDORS=/etc/OpenCL/vendors/ONE.icd clinfo, and update or remove it");
    } else if (devices->count == 0) {
        check_without_devices(p, d, hardware);
    } else if (others == 0) {
        say(d, hardware > 0 ? SLOW : NOTE, "OpenCL has the CPU only (%.60s), which the workers use better%s",
            devices->at[0].platform, hardware > 0 ? "; there is hardware that has no driver" : "");
        if (hardware > 0)
            remedy(d, "install its OpenCL part: nvidia-opencl-icd, intel-opencl-icd, rocm-opencl or mesa-opencl-icd");
    } else if (ready < others) {
        say(d, SLOW, "%u of %s can be used: see yoke info", ready, tool_count(others, "device").text);
        remedy(d, "update the driver of the others");
    } else {
        say(d, WELL, "%s besides the CPU", tool_count(ready, "device").text);
    }
}

static void check_cache(const patient *p, diagnosis *d)
{
    char path[PATH_MAX];
    (void)p;
    if (yoke_cache_folder(path, sizeof path) == YOKE_OK) {
        say(d, WELL, "%s", path);
        return;
    }
    const char *asked = getenv("YOKE_CACHE_DIR");
    const bool meant = asked != NULL && strcmp(asked, "off") == 0;
    say(d, meant ? NOTE : SLOW, "%s", meant ? "YOKE_CACHE_DIR=off" : yoke_error_detail());
    remedy(d, meant ? "kernels are compiled for devices, and measured, at each start anew"
                    : "until then kernels are compiled for devices, and measured, at each start anew");
}

/* --- the page --- */

static void check_runtime(const patient *p, diagnosis *d)
{
    if (p->found->problem[0] == '\0') {
        say(d, WELL, "opens: %u workers", p->found->machine->workers);
    } else {
        say(d, SLOW, "%s", p->found->problem);
        remedy(d, "programs fail with this environment");
    }
}

const doctor_check doctor_checks[] = {
    {"runtime", check_runtime},       {"quota", check_quota},
    {"binding", check_binding},       {"governor", check_governor},
    {"huge pages", check_huge_pages}, {"balancing", check_balancing},
    {"placing", check_placing},       {"devices", check_devices},
    {"cache", check_cache},           {NULL, NULL},
};

const char *doctor_launcher(const char *(*variable)(const char *name))
{
    if (variable("OMPI_COMM_WORLD_SIZE") != NULL)
        return "Open MPI";
    if (variable("SLURM_PROCID") != NULL)
        return "Slurm";
    if (variable("PMI_RANK") != NULL)
        return "MPICH";
    return "";
}

static const char *variable(const char *name)
{
    return getenv(name);
}

/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int examine(const patient *p)
{
    static const char *const words[] = {"ok", "note", "SLOW"};
    enum { WORD = 6, NAME = 12 };
    unsigned slow = 0, notes = 0;
    for (const doctor_check *check = doctor_checks; check->name != NULL; check++) {
        diagnosis d = {WELL, "", ""};
        check->run(p, &d);
        slow += d.verdict == SLOW;
        notes += d.verdict == NOTE;
        printf("%-*s%-*s", WORD, words[d.verdict], NAME, check->name);
        tool_wrap(stdout, WORD + NAME, d.text);
        if (d.remedy[0] == '\0' || d.verdict == WELL)
            continue;
        printf("%*s-> ", WORD + NAME, "");
        tool_wrap(stdout, WORD + NAME + 3, d.remedy);
    }
    if (slow > 0)
        printf("\n%s cost%s speed here.\n", tool_count(slow, "thing").text, slow == 1 ? "s" : "");
    else
        printf("\nNothing that costs speed was found%s.\n", notes > 0 ? "; see the notes" : "");
    return slow > 0 ? FAILED : DONE;
}

static bool has_loader(void)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (library != NULL)
        (void)dlclose(library);
    return library != NULL;
}

static int run(int count, char **words)
{
    patient p = {.root = ""};
    const char *root = NULL;
    for (int k = 1; k < count; k++) {
        if (tool_help(&tool_doctor, words[k]))
            return DONE;
        const int is = tool_option(&tool_doctor, "--root", count, words, &k, &root);
        if (is < 0)
            return MISUSED;
        if (is == 0)
            return tool_misuse(&tool_doctor, "unknown argument '%s'", words[k]);
        p.root = root;
    }
    p.found = found_look(&tool_doctor, NULL, true);
    if (p.found == NULL)
        return FAILED;
    p.launcher = doctor_launcher(variable);
    p.has_loader = has_loader();
    const int status = examine(&p);
    found_free(p.found);
    return status;
}

const command tool_doctor = {"doctor", "what costs speed here, and what to do about it",
                             "[--root FOLDER]\n\n"
                             "  --root FOLDER   read /proc and /sys below FOLDER: another machine's, copied\n\n"
                             "The exit status is 1 when something costs speed.\n",
                             run};
