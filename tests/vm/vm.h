/* What the tests on virtual machines share. tests/vm/run starts each with a scenario's name:
 *   numa:    2 packages x 2 nodes x 2 cores, every node with memory; cgroup v2 under /cgroup
 *   threads: 2 packages x 2 cores x 2 hyperthreads; node 2 without memory, node 3 without CPUs; cgroup v1 */
#ifndef YOKE_TESTS_VM_H
#define YOKE_TESTS_VM_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/base.h"
#include "lib/topology/topology.h"

#define CPUS 8

static inline yoke__topology *load(void)
{
    yoke__topology *topology = NULL;
    if (yoke__topology_load(&topology) != YOKE_OK)
        fail_msg("%s", yoke_error_detail());
    return topology;
}

static inline const yoke__pu *pus_of(const yoke__topology *topology, size_t expected)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(topology, &count);
    assert_int_equal(count, expected);
    return pus;
}

/* What the kernel says, not what Yoke believes. */
static inline unsigned kernel_node_of(unsigned cpu)
{
    for (unsigned node = 0; node < 8; node++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpu%u", node, cpu);
        if (access(path, F_OK) == 0)
            return node;
    }
    return 99;
}

static inline bool put(const char *path, const char *text)
{
    int file = open(path, O_WRONLY);
    bool done = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0)
        close(file);
    return done;
}

static inline void must_put(const char *path, const char *text)
{
    if (!put(path, text))
        fail_msg("cannot write '%s' to %s: %s", text, path, strerror(errno));
}

static inline void all_cpus(void)
{
    cpu_set_t every;
    CPU_ZERO(&every);
    for (int cpu = 0; cpu < CPUS; cpu++)
        CPU_SET(cpu, &every);
    assert_int_equal(sched_setaffinity(0, sizeof every, &every), 0);
    yoke__topology_read_affinity();
}

static inline int restore(void **state)
{
    (void)state;
    put("/sys/devices/system/cpu/cpu5/online", "1");
    put("/cgroup/cgroup.procs", "0");
    put("/cgroup/cpu/cgroup.procs", "0");
    put("/cgroup/cpuset/cgroup.procs", "0");
    all_cpus();
    return 0;
}

/* A worker thread in its place: where it ran, and the node of the page that it touched first. */
typedef struct visit {
    const yoke__topology *topology;
    yoke__place place;
    int bound, cpu, page_node;
    cpu_set_t mask;
} visit;

static inline void *work(void *argument)
{
    visit *v = argument;
    v->bound = yoke__topology_bind_thread(v->topology, &v->place);
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    page[0] = 1;
    void *pages[1] = {page};
    v->page_node = -1000;
    syscall(SYS_move_pages, 0, 1UL, pages, NULL, &v->page_node, 0);
    munmap(page, size);
    v->cpu = sched_getcpu();
    sched_getaffinity(0, sizeof v->mask, &v->mask);
    return NULL;
}

static inline visit visit_place(const yoke__topology *topology, yoke__place place)
{
    visit v = {.topology = topology, .place = place};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, &v), 0);
    pthread_join(thread, NULL);
    return v;
}

/* Started under taskset, so that the library's own constructor reads the mask. */
static inline unsigned usable_under(const char *prefix)
{
    char self[256], command[320];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    snprintf(command, sizeof command, "%s %s --usable", prefix, self);
    FILE *child = popen(command, "r");
    unsigned cores = 0;
    assert_int_equal(fscanf(child, "%u", &cores), 1);
    assert_int_equal(pclose(child), 0);
    return cores;
}

static inline int print_usable(void)
{
    yoke__topology *topology;
    if (yoke__topology_load(&topology) != YOKE_OK)
        return 1;
    printf("%u\n", yoke__topology_usable(topology).cores);
    yoke__topology_free(topology);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, restore)

static inline bool scenario_is(int count, char **arguments, const char *name)
{
    return count == 2 && strcmp(arguments[1], name) == 0;
}

static inline int not_here(void)
{
    printf("SKIP: made for the virtual machines of tests/vm/run\n");
    return 77;
}

#endif
