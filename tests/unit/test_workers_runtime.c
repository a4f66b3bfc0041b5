/* The number of workers of maps beyond the caches, as calls get it: tried now and then, and never against the program. */
#include "lib/parallel/parallel.h"
#include "tests/unit/support.h"
#include "yoke/yoke.h"

enum { WORKERS = 8, CALLS = 400, CALL_NS = 300000, UNITS = 1 << 20 };

YOKE_KERNEL(workers_copy, (in(float, x), out(float, y)), { y[i] = x[i]; })

/* As long as memory would take, whoever asks. */
static void pass_time(void *context, size_t begin, size_t end)
{
    (void)context;
    if (begin == 0)
        sleep_ns(CALL_NS);
    (void)end;
}

typedef struct bench {
    yoke_runtime *runtime;
    yoke__checked checked;
    yoke__work work;
} bench;

static void set_up(bench *b)
{
    const yoke_runtime_options options = {.workers = WORKERS, .devices = "cpu"};
    b->runtime = yoke_open(&options);
    assert_non_null(b->runtime);
    b->checked =
        (yoke__checked){.kernel = YOKE_KERNEL_OF(workers_copy), .items = UNITS, .bytes = b->runtime->cache_bytes + 1};
    b->work =
        (yoke__work){.run = pass_time, .items = UNITS, .total = UNITS, .scale = 1, .step = 1, .checked = &b->checked};
}

/* How many of the calls were planned for so many workers. */
static void count(bench *b, const yoke_options *options, unsigned calls, unsigned planned[WORKERS + 1])
{
    memset(planned, 0, (WORKERS + 1) * sizeof *planned);
    for (unsigned k = 0; k < calls; k++) {
        unsigned workers = 0;
        assert_int_equal(yoke__run_on_workers(b->runtime, options, YOKE_KERNEL_OF(workers_copy), &b->work, &workers),
                         YOKE_OK);
        assert_in_range(workers, 1, WORKERS);
        planned[workers]++;
    }
}

/* All but some that a busy machine made look too short for so many, or too new. */
static void assert_planned_for(const unsigned planned[WORKERS + 1], unsigned workers)
{
    enum { BUSY = CALLS / 50 };
    if (planned[workers] + BUSY < CALLS)
        fail_msg("%u of %d calls were planned for %u workers", planned[workers], CALLS, workers);
}

static void a_map_beyond_the_caches_is_tried_with_fewer_workers(void **state)
{
    (void)state;
    bench b;
    unsigned planned[WORKERS + 1];
    set_up(&b);
    count(&b, NULL, CALLS, planned);
    assert_true(planned[8] + planned[4] + planned[2] + CALLS / 50 >= CALLS);
    assert_true(planned[4] > 0 && planned[8] > 64 / 2);
    assert_int_equal(yoke_close(b.runtime), YOKE_OK);
}

static void what_the_program_says_wins(void **state)
{
    (void)state;
    bench b;
    unsigned planned[WORKERS + 1];
    set_up(&b);
    count(&b, &(yoke_options){.workers = 5}, CALLS, planned);
    assert_planned_for(planned, 5);
    count(&b, &(yoke_options){.flags = YOKE_ALWAYS_DIVIDE}, CALLS, planned);
    assert_planned_for(planned, 8);
    assert_int_equal(yoke_close(b.runtime), YOKE_OK);
}

static void maps_within_the_caches_parts_and_other_trials_get_all(void **state)
{
    (void)state;
    bench b;
    unsigned planned[WORKERS + 1];
    set_up(&b);
    b.checked.bytes = b.runtime->cache_bytes;
    count(&b, NULL, CALLS, planned);
    assert_planned_for(planned, 8);
    b.checked.bytes = b.runtime->cache_bytes + 1;
    b.work.large = b.work.choice.trial = true;
    count(&b, NULL, CALLS, planned);
    assert_planned_for(planned, 8);
    b.work.large = false;
    b.work.items = UNITS / 2;
    count(&b, NULL, CALLS, planned);
    assert_planned_for(planned, 8);
    assert_int_equal(yoke_close(b.runtime), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_beyond_the_caches_is_tried_with_fewer_workers),
        cmocka_unit_test(what_the_program_says_wins),
        cmocka_unit_test(maps_within_the_caches_parts_and_other_trials_get_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
