/* yoke doctor: each check on machines that are well and on machines that are not. */
#include "support.h"
#include "tools/yoke/doctor.h"

static char root[64];

static void put(const char *name, const char *content)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/yoke-doctor-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int drop_root(void **state)
{
    (void)state;
    return shell("rm -rf %s", root);
}

/* A machine of two nodes with four cores each, all of which may be used. */
static yoke_cpu cpus[8];
static yoke_machine machine;
static survey seen;
static patient who;

static void be_well(void)
{
    const yoke_topology_counts all = {2, 2, 2, 8, 8};
    for (unsigned k = 0; k < 8; k++)
        cpus[k] = (yoke_cpu){.os_cpu = k, .core = k, .node = k / 4, .os_node = k / 4, .usable = 1, .worker = (int)k};
    machine = (yoke_machine){.topology = {all, all, 0}, .workers = 8, .cpu_count = 8, .cpus = cpus};
    seen = (survey){.machine = &machine, .native = true};
    who = (patient){.root = root, .found = &seen, .launcher = "", .has_loader = true};
}

static diagnosis check(const char *name)
{
    diagnosis d = {WELL, "", ""};
    for (const doctor_check *one = doctor_checks; one->name != NULL; one++)
        if (strcmp(one->name, name) == 0) {
            one->run(&who, &d);
            assert_string_not_equal(d.text, "");
            return d;
        }
    fail_msg("no check %s", name);
    return d;
}

static void expect(const char *name, verdict v, const char *text, const char *remedy)
{
    const diagnosis d = check(name);
    if (d.verdict != v || strstr(d.text, text) == NULL || strstr(d.remedy, remedy) == NULL)
        fail_msg("%s: %d '%s' -> '%s'; wanted %d '%s' -> '%s'", name, (int)d.verdict, d.text, d.remedy, (int)v, text,
                 remedy);
}

static void quota_smaller_than_the_cores(void **state)
{
    (void)state;
    be_well();
    expect("quota", WELL, "no limit", "");
    machine.topology.quota = 8;
    expect("quota", WELL, "8.00 CPUs", "");
    machine.topology.quota = 2.5;
    machine.workers = 3;
    expect("quota", SLOW, "2.50 CPUs' worth of time; 8 cores are usable: 3 workers", "docker --cpus");
}

static const char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static const char *of_open_mpi(const char *name)
{
    return strcmp(name, "OMPI_COMM_WORLD_SIZE") == 0 ? "4" : NULL;
}

static const char *of_slurm(const char *name)
{
    return strcmp(name, "SLURM_PROCID") == 0 ? "0" : NULL;
}

static void a_launcher_that_binds(void **state)
{
    (void)state;
    be_well();
    expect("binding", WELL, "all 8 cores", "");
    machine.topology.usable = (yoke_topology_counts){1, 1, 1, 1, 1};
    expect("binding", SLOW, "1 of 8 cores", "taskset");
    who.launcher = doctor_launcher(of_open_mpi);
    expect("binding", SLOW, "started by Open MPI", "mpirun --bind-to none");
    who.launcher = doctor_launcher(of_slurm);
    expect("binding", SLOW, "started by Slurm", "srun");
    who.launcher = doctor_launcher(no_variable);
    assert_string_equal(who.launcher, "");
    machine.topology.usable = (yoke_topology_counts){1, 1, 1, 4, 4};
    expect("binding", NOTE, "4 of 8 cores", "");
}

static void governors(void **state)
{
    (void)state;
    be_well();
    expect("governor", WELL, "does not tell", "");
    char name[128];
    for (unsigned k = 0; k < 8; k++) {
        (void)snprintf(name, sizeof name, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", k);
        put(name, "performance\n");
    }
    expect("governor", WELL, "no CPU", "");
    put(name, "powersave\n");
    expect("governor", SLOW, "1 of 8 CPUs is powersave", "performance");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n");
    expect("governor", NOTE, "powersave with intel_pstate", "performance");
}

static void huge_pages(void **state)
{
    (void)state;
    be_well();
    static const char file[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    expect("huge pages", NOTE, "no transparent huge pages", "");
    put(file, "always [madvise] never\n");
    expect("huge pages", WELL, "madvise", "");
    put(file, "[always] madvise never\n");
    expect("huge pages", WELL, "always", "");
    put(file, "always madvise [never]\n");
    expect("huge pages", SLOW, "never", "echo madvise");
}

static void numa_balancing(void **state)
{
    (void)state;
    be_well();
    expect("balancing", WELL, "off", "");
    put("/proc/sys/kernel/numa_balancing", "1\n");
    expect("balancing", NOTE, "moves them", "numa_balancing");
    put("/proc/sys/kernel/numa_balancing", "0\n");
    expect("balancing", WELL, "off", "");
    machine.topology.machine.nodes = 1;
    put("/proc/sys/kernel/numa_balancing", "1\n");
    expect("balancing", WELL, "one NUMA node", "");
}

static void devices(void **state)
{
    (void)state;
    be_well();
    who.has_loader = false;
    expect("devices", NOTE, "libOpenCL.so.1 is not installed", "ocl-icd-libopencl1");
    who.has_loader = true;
    expect("devices", NOTE, "no OpenCL driver", "nvidia-opencl-icd");
    put("/sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
    put("/sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
    expect("devices", SLOW, "there is hardware for it", "nvidia-opencl-icd");
    put("/etc/OpenCL/vendors/pocl.icd", "libpocl.so.2\n");
    (void)snprintf(seen.devices.problem, sizeof seen.devices.problem, "no OpenCL devices were found: none");
    expect("devices", SLOW, "no OpenCL devices", "clinfo");
    seen.devices.problem[0] = '\0';
    seen.devices.count = 1;
    seen.devices.at[0] = (found_device){.type = YOKE_DEVICE_CPU, .state = YOKE_DEVICE_READY, .platform = "PoCL"};
    expect("devices", SLOW, "hardware that has no driver", "install");
    seen.devices.count = 2;
    seen.devices.at[1] = (found_device){.type = YOKE_DEVICE_GPU, .state = YOKE_DEVICE_READY, .used = true};
    expect("devices", WELL, "1 device besides", "");
    seen.devices.at[1].state = YOKE_DEVICE_REFUSED;
    expect("devices", SLOW, "0 of 1 device", "update");
    seen.devices.signal = 11;
    (void)snprintf(seen.devices.problem, sizeof seen.devices.problem, "a driver crashed");
    expect("devices", SLOW, "crashed", "OCL_ICD_VENDORS");
}

static void pocl_without_a_gpu(void **state)
{
    (void)state;
    be_well();
    put("/etc/OpenCL/vendors/pocl.icd", "libpocl.so.2\n");
    seen.devices.count = 1;
    seen.devices.at[0] = (found_device){.type = YOKE_DEVICE_CPU, .state = YOKE_DEVICE_READY, .platform = "PoCL"};
    expect("devices", NOTE, "the CPU only (PoCL)", "");
}

static void cache_folder(void **state)
{
    (void)state;
    char path[PATH_MAX];
    be_well();
    (void)snprintf(path, sizeof path, "%s/cache", root);
    assert_int_equal(setenv("YOKE_CACHE_DIR", path, 1), 0);
    expect("cache", WELL, path, "");
    assert_int_equal(chmod(path, 0777), 0);
    expect("cache", SLOW, "others may write", "anew");
    assert_int_equal(chmod(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/link", root);
    assert_int_equal(symlink("cache", path), 0);
    assert_int_equal(setenv("YOKE_CACHE_DIR", path, 1), 0);
    expect("cache", SLOW, "is a link", "");
    assert_int_equal(setenv("YOKE_CACHE_DIR", "/proc/yoke-cache", 1), 0);
    expect("cache", SLOW, "cannot be made", "");
    assert_int_equal(setenv("YOKE_CACHE_DIR", "off", 1), 0);
    expect("cache", NOTE, "YOKE_CACHE_DIR=off", "");
    if (geteuid() == 0)
        return; /* nothing is read-only for root */
    (void)snprintf(path, sizeof path, "%s/cache", root);
    assert_int_equal(setenv("YOKE_CACHE_DIR", path, 1), 0);
    assert_int_equal(chmod(path, 0500), 0);
    expect("cache", SLOW, "cannot be written to", "");
    assert_int_equal(chmod(path, 0700), 0);
}

static void the_page(void **state)
{
    (void)state;
    const int status = shell(YOKE_TOOL " doctor 2>&1");
    assert_true(status == 0 || status == 1);
    assert_fits();
    unsigned lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_in_range(lines, 9, 50);
    for (const doctor_check *one = doctor_checks; one->name != NULL; one++)
        assert_says(one->name);
    if (status == 0)
        assert_says("Nothing that costs speed");
    else
        assert_says("speed here.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quota_smaller_than_the_cores, make_root, drop_root),
        cmocka_unit_test_setup_teardown(a_launcher_that_binds, make_root, drop_root),
        cmocka_unit_test_setup_teardown(governors, make_root, drop_root),
        cmocka_unit_test_setup_teardown(huge_pages, make_root, drop_root),
        cmocka_unit_test_setup_teardown(numa_balancing, make_root, drop_root),
        cmocka_unit_test_setup_teardown(devices, make_root, drop_root),
        cmocka_unit_test_setup_teardown(pocl_without_a_gpu, make_root, drop_root),
        cmocka_unit_test_setup_teardown(cache_folder, make_root, drop_root),
        cmocka_unit_test(the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
