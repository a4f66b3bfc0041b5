/* Names of a pool's threads and tasks, and the CPUs that threads are pinned to. */
#include <sched.h>

#include "tests/emulated.h"
#include "tests/unit/tasks.h"
#include "yoke/topology.h"

typedef struct identity {
    char thread[16];
    char task[16];
    int cpus;
} identity;

static int who_am_i(void *argument, void *result)
{
    identity *id = argument;
    cpu_set_t mask;
    (void)result;
    (void)pthread_getname_np(pthread_self(), id->thread, sizeof id->thread);
    (void)snprintf(id->task, sizeof id->task, "%s", yoke_task_name());
    id->cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
    return 0;
}

static int where_am_i(void *argument, void *result)
{
    (void)result;
    return sched_getaffinity(0, sizeof(cpu_set_t), argument);
}

static void test_names_and_places(void **state)
{
    (void)state;
    for (yoke_pin pin = YOKE_PIN_COMPACT; pin <= YOKE_PIN_NONE; pin++) {
        yoke_executor *pool = yoke_thread_pool_on(&(yoke_thread_pool_options){.threads = 1, .pin = pin});
        identity id, blocked;
        yoke_future f = {0}, g = {0};
        cpu_set_t mask;
        assert_non_null(pool);
        assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
        assert_int_equal(yoke_submit_on(pool, &(yoke_task_options){.name = "who"}, &f, who_am_i, &id), YOKE_OK);
        const yoke_task_options blocks = {.flags = YOKE_TASK_BLOCKS};
        assert_int_equal(yoke_submit_on(pool, &blocks, &g, who_am_i, &blocked), YOKE_OK);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        assert_string_equal(id.thread, "yoke-pool/0");
        assert_string_equal(id.task, "who");
        assert_string_equal(blocked.thread, "yoke-pool/1");
        assert_string_equal(blocked.task, "");
        if (pin == YOKE_PIN_COMPACT || pin == YOKE_PIN_SCATTER)
            assert_int_equal(id.cpus, 1);
        if (pin == YOKE_PIN_NONE)
            assert_int_equal(id.cpus, CPU_COUNT(&mask));
        assert_int_equal(blocked.cpus, CPU_COUNT(&mask)); /* not pinned */
    }
    assert_string_equal(yoke_task_name(), "");
}

/* A pool with fewer threads than cores leaves the opener's to it. */
static void test_openers_core(void **state)
{
    (void)state;
    cpu_set_t mask, one, got;
    yoke_topology topology;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    assert_int_equal(yoke_topology_of(NULL, &topology), YOKE_OK);
    if (topology.usable.cores < 2 || is_emulated())
        skip();
    for (unsigned cpu = 0, rounds = 0; cpu < CPU_SETSIZE && rounds < 8; cpu++) {
        if (!CPU_ISSET(cpu, &mask))
            continue;
        rounds++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
        yoke_executor *pool = yoke_thread_pool_on(&(yoke_thread_pool_options){.threads = 1, .pin = YOKE_PIN_COMPACT});
        yoke_future f = {0};
        assert_non_null(pool);
        assert_int_equal(yoke_submit(pool, &f, where_am_i, &got), YOKE_OK);
        assert_int_equal(yoke_join(pool, 0), YOKE_OK);
        assert_int_equal(CPU_COUNT(&got), 1);
        assert_false(CPU_ISSET(cpu, &got));
    }
    assert_int_equal(sched_setaffinity(0, sizeof mask, &mask), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_places),
        cmocka_unit_test(test_openers_core),
    };
    alarm_in(60);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    alarm_off();
    return failed;
}
