/* The CPU quota of cgroup v1 and v2, from simulated /proc and /sys. */
#include <math.h>

#include "lib/topology/table.h"
#include "support.h"

#define V2_MOUNT "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                        \
    "30 23 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"                 \
    "33 30 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" \
    "34 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

typedef struct file {
    const char *name, *content;
} file;

static double quota_of(const file *files)
{
    tree at = tree_make();
    for (; files->name; files++)
        tree_put(&at, files->name, files->content);
    double quota = yoke__topology_read_quota(at.root);
    tree_free(&at);
    return quota;
}

#define assert_quota(expected, ...)                                          \
    do {                                                                     \
        double found_ = quota_of((const file[]){__VA_ARGS__, {NULL, NULL}}); \
        if (fabs(found_ - (expected)) > 1e-9)                                \
            fail_msg("quota is %g, not %g", found_, (double)(expected));     \
    } while (0)

static void v2_group_limits(void **state)
{
    (void)state;
    assert_quota(2.5, {"/proc/self/cgroup", "0::/app\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                 {"/sys/fs/cgroup/app/cpu.max", "250000 100000\n"});
    assert_quota(0.2, {"/proc/self/cgroup", "0::/app\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                 {"/sys/fs/cgroup/app/cpu.max", "20000 100000\n"});
}

static void v2_least_of_all_levels_counts(void **state)
{
    (void)state;
    assert_quota(1.5, {"/proc/self/cgroup", "0::/a/b/c\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                 {"/sys/fs/cgroup/cpu.max", "800000 100000\n"}, {"/sys/fs/cgroup/a/cpu.max", "150000 100000\n"},
                 {"/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"}, {"/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n"});
    assert_quota(3, {"/proc/self/cgroup", "0::/a/b/c\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                 {"/sys/fs/cgroup/cpu.max", "300000 100000\n"});
    assert_quota(0, {"/proc/self/cgroup", "0::/a\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                 {"/sys/fs/cgroup/a/b/cpu.max", "100000 100000\n"}, /* below us, and beside us */
                 {"/sys/fs/cgroup/ab/cpu.max", "100000 100000\n"});
}

static void v1_group_limits(void **state)
{
    (void)state;
    assert_quota(3, {"/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/app\n1:name=systemd:/x\n"},
                 {"/proc/self/mountinfo", V1_MOUNT}, {"/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "150000\n"},
                 {"/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "50000\n"});
    assert_quota(0, {"/proc/self/cgroup", "4:cpu,cpuacct:/app\n"}, {"/proc/self/mountinfo", V1_MOUNT},
                 {"/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "-1\n"},
                 {"/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n"});
}

static void v1_least_of_all_levels_counts(void **state)
{
    (void)state;
    assert_quota(1, {"/proc/self/cgroup", "4:cpuacct,cpu:/a/b\n"}, {"/proc/self/mountinfo", V1_MOUNT},
                 {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000"},
                 {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000"},
                 {"/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "400000\n"},
                 {"/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"});
}

static void mixed_hierarchies_are_both_read(void **state)
{
    (void)state;
    assert_quota(2, {"/proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/u\n"},
                 {"/proc/self/mountinfo", V1_MOUNT "41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
                 {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "700000\n"},
                 {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"},
                 {"/sys/fs/cgroup/unified/u/cpu.max", "200000 100000\n"});
}

/* The group's path is the host's, the mount shows only the container's part, or something else altogether. */
static void container_paths_are_mapped_to_the_mount(void **state)
{
    (void)state;
    assert_quota(2, {"/proc/self/cgroup", "0::/docker/abc/worker\n"},
                 {"/proc/self/mountinfo", "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n"},
                 {"/sys/fs/cgroup/worker/cpu.max", "200000 100000\n"});
    assert_quota(4, {"/proc/self/cgroup", "0::/docker/abc\n"},
                 {"/proc/self/mountinfo", "31 23 0:28 /docker/xyz /sys/fs/cgroup ro - cgroup2 cgroup ro\n"},
                 {"/sys/fs/cgroup/cpu.max", "400000 100000\n"});
    assert_quota(4, {"/proc/self/cgroup", "0::/../outside\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                 {"/sys/fs/cgroup/cpu.max", "400000 100000\n"});
    assert_quota(6, {"/proc/self/cgroup", "0::/a b\n"},
                 {"/proc/self/mountinfo", "31 23 0:28 / /mnt/c\\040g rw - cgroup2 cgroup2 rw\n"},
                 {"/mnt/c g/a b/cpu.max", "600000 100000\n"});
}

static void without_mountinfo_the_usual_places_are_tried(void **state)
{
    (void)state;
    assert_quota(2, {"/proc/self/cgroup", "0::/app\n"}, {"/sys/fs/cgroup/app/cpu.max", "200000 100000\n"});
    assert_quota(2, {"/proc/self/cgroup", "0::/app\n"}, {"/sys/fs/cgroup/unified/app/cpu.max", "200000 100000\n"});
    assert_quota(3, {"/proc/self/cgroup", "2:cpu:/app\n"}, {"/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "300000\n"},
                 {"/sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "100000\n"});
}

static void missing_and_malformed_files_are_no_limit(void **state)
{
    (void)state;
    assert_quota(0, {"/nothing", ""});
    assert_quota(0, {"/proc/self/cgroup", ""});
    assert_quota(0, {"/proc/self/cgroup", "garbage\n::\n0:\n0::relative\n\xff\xfe\n"},
                 {"/proc/self/mountinfo", "short\n - \n - cgroup2\n1 2 3 - cgroup2 x y\n"});
    static const char *const bad[] = {"",
                                      "\n",
                                      "max\n",
                                      "max 100000\n",
                                      "100000\n",
                                      "-5 100000\n",
                                      "0 100000\n",
                                      "100000 0\n",
                                      "100000 -1\n",
                                      "nan 100000\n",
                                      "1e5 100000\n",
                                      "0x10 100000\n",
                                      "99999999999999999999999 100000\n",
                                      "100000 junk\n",
                                      "100000  \n"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_quota(0, {"/proc/self/cgroup", "0::/app\n"}, {"/proc/self/mountinfo", V2_MOUNT},
                     {"/sys/fs/cgroup/app/cpu.max", bad[k]});
    assert_quota(0, {"/proc/self/cgroup", "4:cpu:/app\n"}, {"/proc/self/mountinfo", V1_MOUNT},
                 {"/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "100000\n"}); /* no period */
}

static void random_bytes_never_crash(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    static const char alphabet[] = "0:/ab \\0479-,cgroup2pux\n\n";
    for (int round = 0; round < 300; round++) {
        char group[300], mounts[600];
        for (size_t k = 0; k < sizeof group - 1; k++)
            group[k] = alphabet[next_random(&seed, sizeof alphabet - 1)];
        for (size_t k = 0; k < sizeof mounts - 1; k++)
            mounts[k] = alphabet[next_random(&seed, sizeof alphabet - 1)];
        group[sizeof group - 1] = mounts[sizeof mounts - 1] = '\0';
        memcpy(group, "0::/", 4);
        memcpy(mounts + 300, " - cgroup2 a b\n", 15);
        assert_quota(0, {"/proc/self/cgroup", group}, {"/proc/self/mountinfo", mounts});
    }
}

static void default_workers_round_the_quota_up_and_are_never_none(void **state)
{
    (void)state;
    static const struct {
        double quota;
        unsigned workers;
    } cases[] = {{0, 8}, {0.2, 1}, {0.0001, 1}, {1, 1}, {1.01, 2}, {2.5, 3}, {7.5, 8}, {8, 8}, {64, 8}, {1e300, 8}};
    yoke__topology *topology = topology_from("core:8 pu:2");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        topology->quota = cases[k].quota;
        assert_int_equal(yoke__topology_default_workers(topology), cases[k].workers);
    }
    yoke__topology_free(topology);
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v2_group_limits),
        cmocka_unit_test(v2_least_of_all_levels_counts),
        cmocka_unit_test(v1_group_limits),
        cmocka_unit_test(v1_least_of_all_levels_counts),
        cmocka_unit_test(mixed_hierarchies_are_both_read),
        cmocka_unit_test(container_paths_are_mapped_to_the_mount),
        cmocka_unit_test(without_mountinfo_the_usual_places_are_tried),
        cmocka_unit_test(missing_and_malformed_files_are_no_limit),
        cmocka_unit_test(random_bytes_never_crash),
        cmocka_unit_test(default_workers_round_the_quota_up_and_are_never_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
