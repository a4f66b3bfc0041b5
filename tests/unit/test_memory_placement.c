/* Placements of yoke_alloc on the machine at hand, which may have one node, or refuse to tell: every one gives whole memory,
 * and says what became of it. Where pages go on real nodes: tests/vm. */
#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/memory/memory.h"
#include "lib/parallel/parallel.h"
#include "tests/emulated.h"
#include "tests/unit/support.h"

static const yoke_placement placements[] = {YOKE_PLACE_DEFAULT, YOKE_PLACE_PARTITION, YOKE_PLACE_INTERLEAVE,
                                            YOKE_PLACE_LOCAL, YOKE_PLACE_NODE(0)};
enum { PLACEMENTS = sizeof placements / sizeof *placements };

static size_t page;
static bool one_node;

static void the_default_placement_opens_no_runtime(void **state)
{
    (void)state;
    void *array = yoke_alloc(1 << 20, YOKE_PLACE_DEFAULT);
    assert_non_null(array);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_null(yoke_alloc(1, (yoke_placement)99));
    assert_null(atomic_load(&yoke__default_runtime));
    yoke_topology topology;
    assert_int_equal(yoke_topology_of(NULL, &topology), YOKE_OK);
    one_node = topology.machine.nodes <= 1;
    page = (size_t)sysconf(_SC_PAGESIZE);
}

/* False, with a line about it, where the system does not tell where pages are; the rest of the report is there. */
static bool report_of(const void *array, size_t bytes, yoke_placement_report *report)
{
    memset(report, 0xa5, sizeof *report);
    int status = bytes == 0 ? yoke_placement_of(array, report) : yoke_placement_of_range(array, bytes, report);
    assert_true(report->page_bytes == page);
    assert_true(report->status == YOKE_OK ? report->detail[0] == '\0' : strlen(report->detail) > 20);
    assert_true(!one_node || report->status == YOKE_OK);
    if (status == YOKE_ESTATE || status == YOKE_ENOSYS) {
        static bool said;
        if (!said)
            print_message("not seen: where pages are (%s)\n", yoke_error_detail());
        said = true;
        assert_int_equal(report->present + report->absent + report->elsewhere, 0);
        return false;
    }
    assert_int_equal(status, YOKE_OK);
    size_t found = report->elsewhere;
    for (unsigned k = 0; k < report->nodes; k++)
        found += report->on_node[k];
    assert_int_equal(found, report->present);
    assert_int_equal(report->present + report->absent, report->pages);
    return true;
}

static void check_array(size_t bytes, yoke_placement placement)
{
    unsigned char *array = yoke_alloc(bytes, placement);
    assert_non_null(array);
    const size_t pages = bytes == 0 ? 1 : (bytes + page - 1) / page;
    assert_int_equal((uintptr_t)array % (bytes >= 4 << 20 && page == 4096 ? 2 << 20 : page), 0);
    yoke_placement_report report;
    bool seen = report_of(array, 0, &report);
    assert_int_equal(report.requested, placement);
    assert_int_equal(report.pages, pages);
    assert_true(!seen || report.absent == pages);
    for (size_t b = 0; b < pages * page; b++)
        assert_int_equal(array[b], 0);
    memset(array, 0x5a, pages * page);
    seen = report_of(array + bytes / 2, 0, &report);
    assert_int_equal(report.pages, pages);
    assert_true(!seen || report.absent == 0);
    if (seen && one_node)
        assert_int_equal(report.on_node[0], pages);
    assert_int_equal(array[pages * page - 1], 0x5a);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

static void every_placement_gives_whole_memory_of_every_size(void **state)
{
    (void)state;
    uint64_t random = seed_of("sizes");
    const size_t sizes[] = {0,       1,       page - 1, page,          page + 1,      2 * page - 1, 65537,
                            1000003, 4194301, 4194304,  64 * page + 1, 9 * 1048583UL, 13 << 20};
    for (size_t p = 0; p < PLACEMENTS; p++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            check_array(sizes[k], placements[p]);
        for (unsigned long round = rounds_of(20); round > 0; round--)
            check_array(draw_below(&random, 100 * page), placements[p]);
    }
}

/* Against the same question page by page. (A page may be a huge one, which is touched whole.) */
static void ranges_are_counted_by_the_pages_they_touch(void **state)
{
    (void)state;
    enum { PAGES = 5000, TOUCHED_EACH = 1700 }; /* more than one question to the kernel */
    static unsigned char present[PAGES];
    uint64_t random = seed_of("ranges");
    unsigned char *array = yoke_alloc(PAGES * page, YOKE_PLACE_LOCAL);
    assert_non_null(array);
    yoke_placement_report report;
    size_t all = 0;
    for (size_t k = 3; k < PAGES; k += TOUCHED_EACH)
        array[k * page] = 1;
    bool seen = report_of(array, 0, &report);
    for (size_t k = 0; k < PAGES && seen; k++) {
        assert_true(report_of(array + k * page + draw_below(&random, page), 1, &report));
        assert_int_equal(report.pages, 1);
        all += present[k] = (unsigned char)report.present;
        assert_true(k % TOUCHED_EACH != 3 || present[k] == 1);
    }
    assert_true(!seen || (all >= 3 && all < PAGES / 2));
    for (unsigned long round = rounds_of(200); round > 0 && seen; round--) {
        const size_t begin = draw_below(&random, PAGES * page);
        const size_t bytes = 1 + draw_below(&random, PAGES * page - begin);
        const size_t first = begin / page, last = (begin + bytes - 1) / page + 1;
        size_t expected = 0;
        for (size_t k = first; k < last; k++)
            expected += present[k];
        assert_true(report_of(array + begin, bytes, &report));
        assert_int_equal(report.pages, last - first);
        assert_int_equal(report.present, expected);
    }
    (void)yoke_placement_of_range(array + 1, 0, &report);
    assert_int_equal(report.pages, 0);
    assert_int_equal(yoke_free(array), YOKE_OK);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    yoke_topology topology;
    yoke_placement_report report;
    int local = 0;
    assert_int_equal(yoke_topology_of(NULL, &topology), YOKE_OK);
    const yoke_placement unknown[] = {(yoke_placement)-1,
                                      (yoke_placement)INT_MIN,
                                      (yoke_placement)4,
                                      (yoke_placement)0xffff,
                                      YOKE_PLACE_NODE(topology.usable.nodes),
                                      YOKE_PLACE_NODE(-1),
                                      YOKE_PLACE_NODE_LAST,
                                      YOKE_PLACE_NODE(0x10000),
                                      (yoke_placement)INT_MAX};
    for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++) {
        assert_null(yoke_alloc(100, unknown[k]));
        assert_int_equal(yoke__last_failure(), YOKE_EINVAL);
    }
    for (size_t p = 0; p < PLACEMENTS; p++) {
        assert_null(yoke_alloc(SIZE_MAX, placements[p]));
        assert_int_equal(yoke__last_failure(), YOKE_EOVERFLOW);
        assert_null(yoke_alloc((size_t)PTRDIFF_MAX - page, placements[p]));
        assert_int_equal(yoke__last_failure(), YOKE_ENOMEM);
    }
    unsigned char *array = yoke_alloc(2 * page, YOKE_PLACE_PARTITION);
    assert_int_equal(yoke_placement_of(array, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_placement_of(NULL, &report), YOKE_EINVAL);
    assert_int_equal(yoke_placement_of(&local, &report), YOKE_EINVAL);
    assert_int_equal(yoke_placement_of_range(array + 1, 2 * page, &report), YOKE_EINVAL);
    assert_int_equal(yoke_placement_of_range(array + 1, SIZE_MAX, &report), YOKE_EINVAL);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(yoke_placement_of(array, &report), YOKE_EINVAL);
}

static void allocations_that_fail_leave_nothing(void **state)
{
    (void)state;
    for (size_t p = 0; p < PLACEMENTS; p++) {
        unsigned long nth = 1;
        void *array;
        for (;; nth++) {
            yoke__alloc_fail_at(nth, false);
            array = yoke_alloc(10 * page, placements[p]);
            yoke__alloc_fail_at(0, false);
            if (array != NULL)
                break;
            assert_int_equal(yoke__last_failure(), YOKE_ENOMEM);
        }
        assert_true(nth >= 3 && nth <= 6);
        assert_int_equal(yoke_free(array), YOKE_OK);
    }
}

static void an_array_outlives_its_runtime(void **state)
{
    (void)state;
    for (yoke_pin pin = YOKE_PIN_COMPACT; pin <= YOKE_PIN_NONE; pin++) {
        yoke_runtime_options how = {.workers = 5, .pin = pin, .devices = "cpu"};
        yoke_runtime *runtime = yoke_open(&how);
        assert_non_null(runtime);
        unsigned char *array = yoke_alloc_on(runtime, 30 * page, YOKE_PLACE_PARTITION);
        assert_non_null(array);
        assert_int_equal(yoke_close(runtime), YOKE_OK);
        memset(array, 1, 30 * page);
        yoke_placement_report report;
        (void)report_of(array, 0, &report);
        assert_int_equal(report.status, one_node || pin != YOKE_PIN_NONE ? YOKE_OK : YOKE_ESTATE);
        assert_int_equal(yoke_free(array), YOKE_OK);
    }
}

/* --- beside maps --- */

typedef struct meeting {
    yoke_runtime *runtime;
    atomic_bool begun, over;
    atomic_uint allocated;
} meeting;

static void allocate_inside(size_t begin, size_t end, void *argument)
{
    meeting *self = argument;
    (void)begin, (void)end;
    unsigned char *array = yoke_alloc_on(self->runtime, 3 * page, YOKE_PLACE_PARTITION);
    yoke_placement_report report;
    if (array != NULL && array[3 * page - 1] == 0 && report_of(array, 0, &report) && yoke_free(array) == YOKE_OK &&
        (one_node || report.status == YOKE_EBUSY))
        atomic_fetch_add(&self->allocated, 1);
    else if (array != NULL) /* the system does not tell where pages are */
        atomic_fetch_add(&self->allocated, yoke_free(array) == YOKE_OK);
}

static void wait_inside(size_t begin, size_t end, void *argument)
{
    meeting *self = argument;
    (void)begin, (void)end;
    atomic_store(&self->begun, true);
    while (!atomic_load(&self->over))
        sched_yield();
}

static void *run_waiting_map(void *argument)
{
    meeting *self = argument;
    yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE};
    assert_int_equal(yoke_parallel_for_on(self->runtime, &options, 2, wait_inside, self), YOKE_OK);
    return NULL;
}

static void memory_is_allocated_inside_and_beside_maps(void **state)
{
    (void)state;
    yoke_runtime_options how = {.workers = 3, .devices = "cpu"};
    meeting m = {.runtime = yoke_open(&how)};
    yoke_options options = {.flags = YOKE_ALWAYS_DIVIDE, .grain = 1};
    pthread_t thread;
    assert_non_null(m.runtime);
    assert_int_equal(yoke_parallel_for_on(m.runtime, &options, 30, allocate_inside, &m), YOKE_OK);
    assert_int_not_equal(atomic_load(&m.allocated), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_waiting_map, &m), 0);
    while (!atomic_load(&m.begun))
        sched_yield();
    alarm(60); /* it must not wait for the map, which waits for it */
    void *array = yoke_alloc_on(m.runtime, 3 * page, YOKE_PLACE_PARTITION);
    atomic_store(&m.over, true);
    pthread_join(thread, NULL);
    alarm(0);
    assert_non_null(array);
    assert_int_equal(yoke_free(array), YOKE_OK);
    assert_int_equal(yoke_close(m.runtime), YOKE_OK);
}

/* --- a system that refuses --- */

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* What container engines do to programs without CAP_SYS_NICE. */
static bool forbid_numa(int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mbind, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_move_pages, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* 0, or the number of the check that failed. */
static int check_refused(int expected)
{
    const yoke__part part = {0, page, 0};
    const yoke__placing how = {.requested = YOKE_PLACE_NODE(0), .parts = &part, .part_count = 1};
    const unsigned nodes[] = {0};
    const yoke__placing turns = {.requested = YOKE_PLACE_INTERLEAVE, .nodes = nodes, .node_count = 1};
    const yoke__placing *const both[] = {&how, &turns};
    for (int k = 0; k < 2; k++) {
        unsigned char *array =
            yoke__memory_alloc(page, both[k]); /* unlike yoke_alloc, not knowing that one node is all */
        yoke_placement_report report;
        if (array == NULL || array[page - 1] != 0)
            return 1;
        array[0] = 1;
        if (yoke_placement_of(array, &report) != expected || strlen(yoke_error_detail()) < 20)
            return 2;
        if (report.status != expected || strlen(report.detail) < 20 || report.requested != both[k]->requested)
            return 3;
        if (report.pages != 1 || report.present != 0 || report.absent != 0)
            return 4;
        if (yoke_free(array) != YOKE_OK)
            return 5;
    }
    for (size_t p = 0; p < PLACEMENTS; p++) {
        void *array = yoke_alloc(100 * page, placements[p]);
        if (array == NULL)
            return 6;
        memset(array, 1, 100 * page);
        if (yoke_free(array) != YOKE_OK)
            return 7;
    }
    return 0;
}

static void refusals_are_reported_and_cost_no_memory(void **state)
{
    (void)state;
    if (emulated("there is no seccomp"))
        skip();
    if (SANITIZED_THREADS) {
        print_message("SKIP: TSan lets a forked child start no threads\n");
        skip();
    }
    static const int errors[] = {EPERM, ENOSYS}, expected[] = {YOKE_ESTATE, YOKE_ENOSYS};
    for (int k = 0; k < 2; k++) {
        fflush(stdout);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(60);
            _exit(forbid_numa(errors[k]) ? check_refused(expected[k]) : 77);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            print_message("SKIP: this system takes no seccomp filter\n");
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_placement_opens_no_runtime), /* the first */
        cmocka_unit_test(every_placement_gives_whole_memory_of_every_size),
        cmocka_unit_test(ranges_are_counted_by_the_pages_they_touch),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(allocations_that_fail_leave_nothing),
        cmocka_unit_test(an_array_outlives_its_runtime),
        cmocka_unit_test(memory_is_allocated_inside_and_beside_maps),
        cmocka_unit_test(refusals_are_reported_and_cost_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
