/* The runtime on real kernels: every worker works where its place says, quotas bound their number, and maps go on when
 * a CPU goes away. */
#include "vm.h"
#include "yoke/yoke.h"

YOKE_KERNEL(vm_square, (out(float, y), in(float, x)), { y[i] = x[i] * x[i]; })

/* Where each worker was seen; worker 0 is the caller. */
typedef struct sightings {
    _Atomic int cpu[CPUS];
    _Atomic unsigned count[CPUS];
} sightings;

static void look_around(size_t begin, size_t end, void *argument)
{
    sightings *seen = argument;
    char name[16] = "";
    unsigned k = 0;
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (sscanf(name, "yoke/%u", &k) != 1)
        k = 0;
    for (size_t i = begin; i < end; i++)
        usleep(3000); /* long enough for everybody to come, on one emulated machine */
    atomic_store(&seen->cpu[k], sched_getcpu());
    atomic_fetch_add(&seen->count[k], 1);
}

static void numa_workers_run_where_their_places_are(void **state)
{
    (void)state;
    for (yoke_pin pin = YOKE_PIN_COMPACT; pin <= YOKE_PIN_NUMA; pin++) {
        yoke_runtime_options how = {.workers = CPUS, .pin = pin};
        yoke_runtime *runtime = yoke_open(&how);
        assert_non_null(runtime);
        static sightings seen;
        memset(&seen, 0, sizeof seen);
        yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = 1};
        assert_int_equal(yoke_parallel_for_on(runtime, &options, 256, look_around, &seen), YOKE_OK);
        for (unsigned k = 1; k < CPUS; k++) {
            yoke_worker_place place;
            assert_int_equal(yoke_worker_place_of(runtime, k, &place), YOKE_OK);
            assert_true(place.pinned);
            assert_int_not_equal(atomic_load(&seen.count[k]), 0);
            unsigned cpu = (unsigned)atomic_load(&seen.cpu[k]);
            if (place.whole_node)
                assert_int_equal(kernel_node_of(cpu), kernel_node_of(place.os_cpu));
            else
                assert_int_equal(cpu, place.os_cpu);
        }
        assert_int_equal(yoke_close(runtime), YOKE_OK);
    }
}

static void numa_caller_is_never_pinned(void **state)
{
    (void)state;
    yoke_runtime *runtime = yoke_open(NULL);
    static sightings seen;
    assert_int_equal(yoke_parallel_for_on(runtime, NULL, 64, look_around, &seen), YOKE_OK);
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    assert_int_equal(CPU_COUNT(&mask), CPUS);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void numa_quota_bounds_the_workers(void **state)
{
    (void)state;
    mkdir("/cgroup/yoke", 0755);
    put("/cgroup/cgroup.subtree_control", "+cpu");
    must_put("/cgroup/yoke/cpu.max", "250000 100000");
    must_put("/cgroup/yoke/cgroup.procs", "0");
    yoke_runtime *runtime = yoke_open(NULL);
    assert_non_null(runtime);
    yoke_topology topology;
    assert_int_equal(yoke_topology_of(runtime, &topology), YOKE_OK);
    assert_true(topology.quota > 2.4 && topology.quota < 2.6);
    assert_int_equal(yoke_workers(runtime), 3);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void numa_maps_go_on_when_a_cpu_goes_away(void **state)
{
    (void)state;
    enum { N = 100003 };
    static float x[N], y[N];
    yoke_runtime_options how = {.workers = CPUS};
    yoke_runtime *runtime = yoke_open(&how);
    assert_non_null(runtime);
    yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
    for (size_t k = 0; k < N; k++)
        x[k] = (float)k;
    for (int round = 0; round < 20; round++) {
        if (round == 5)
            must_put("/sys/devices/system/cpu/cpu5/online", "0");
        if (round == 15)
            must_put("/sys/devices/system/cpu/cpu5/online", "1");
        memset(y, 0, sizeof y);
        assert_int_equal(parallel_map_on(runtime, &options, vm_square, N, y, x), YOKE_OK);
        for (size_t k = 0; k < N; k++)
            assert_true(y[k] == x[k] * x[k]);
    }
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

static void threads_default_is_one_worker_per_core(void **state)
{
    (void)state;
    yoke_runtime *runtime = yoke_open(NULL);
    assert_non_null(runtime);
    assert_int_equal(yoke_workers(runtime), 4);
    assert_int_equal(yoke_close(runtime), YOKE_OK);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest numa[] = {
        TEST(numa_workers_run_where_their_places_are),
        TEST(numa_caller_is_never_pinned),
        TEST(numa_maps_go_on_when_a_cpu_goes_away),
        TEST(numa_quota_bounds_the_workers),
    };
    const struct CMUnitTest threads[] = {TEST(threads_default_is_one_worker_per_core)};
    if (scenario_is(count, arguments, "numa"))
        return cmocka_run_group_tests(numa, NULL, NULL);
    if (scenario_is(count, arguments, "threads"))
        return cmocka_run_group_tests(threads, NULL, NULL);
    return not_here();
}
