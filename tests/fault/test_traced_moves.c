/* YOKE_TRACE on devices with memory of their own: kernels, and what goes to and fro ahead of calls and after them. */
#include "lib/trace/trace.h"
#include "tests/fault/devices_support.h"

enum { BYTES = LARGE * (int)sizeof(float), MOVER = 4 };

YOKE_EXACT_KERNEL(moved_step, (inout(float, x), value(float, a)), { x[i] = a * x[i] + 1.0f; })

static char path[64];

/* What of that kind and name is in the rings. */
typedef struct seen {
    unsigned count;
    uint64_t bytes;
    int64_t first_ns, last_ns, took_ns;
} seen;

static seen look_for(yoke__event_kind kind, unsigned queue, const char *name)
{
    seen s = {.first_ns = INT64_MAX};
    for (unsigned k = 0; k < yoke__ring_count(); k++) {
        const yoke__ring *ring = yoke__ring_at(k);
        yoke__event e;
        char text[YOKE__TRACE_TEXT];
        for (uint64_t i = 0; i < yoke__ring_recorded(ring); i++) {
            if (!yoke__ring_event(ring, i, &e, text) || e.kind != kind || e.queue != queue || strcmp(e.name, name) != 0)
                continue;
            assert_int_equal(e.device, 1);
            s.count++;
            s.bytes += e.count;
            s.first_ns = e.begin_ns < s.first_ns ? e.begin_ns : s.first_ns;
            s.last_ns = e.end_ns > s.last_ns ? e.end_ns : s.last_ns;
            s.took_ns += e.end_ns - e.begin_ns;
        }
    }
    return s;
}

/* A gigabyte by second: 4 ms each way. The device's clock is another one, and read where an end is heard of: a begin may
 * seem later than it was, no end may. */
static void moves_are_in_the_trace(void **state)
{
    (void)state;
    if (getenv("YOKE_CHECK") != NULL)
        skip(); /* a check moves more */
    shape("GBPS=1");
    yoke_runtime *r = runtime_on("gpu:0");
    float *a = yoke_alloc(BYTES, YOKE_PLACE_DEFAULT);
    assert_non_null(a);
    assert_int_equal(yoke_name_array(a, "temperature"), YOKE_OK);
    memcpy(yoke_write(a), x, BYTES);
    assert_int_equal(parallel_map_on(r, NULL, moved_step, 1, x, 1.0f),
                     YOKE_OK); /* it is compiled, and clocks are known */
    x[0] = a[0];

    const int64_t start = yoke__now_ns();
    assert_int_equal(yoke_prefetch(r, a, 0), YOKE_OK);
    assert_int_equal(parallel_map_on(r, NULL, moved_step, LARGE, a, 0.5f), YOKE_OK);
    const int64_t mapped = yoke__now_ns();
    const seen to = look_for(YOKE__EVENT_TO_DEVICE, 0, "temperature");
    assert_int_equal(to.bytes, BYTES);
    assert_in_range(to.took_ns, 3000000, mapped - start);
    assert_true(to.first_ns >= start && to.last_ns <= mapped);
    assert_int_equal(look_for(YOKE__EVENT_FROM_DEVICE, MOVER, "temperature").count, 0);

    const int64_t asked = yoke__now_ns();
    const float *got = yoke_read(a);
    const int64_t there = yoke__now_ns();
    assert_non_null(got);
    for (size_t i = 0; i < LARGE; i++)
        assert_true(got[i] == 0.5f * x[i] + 1.0f);
    const seen from = look_for(YOKE__EVENT_FROM_DEVICE, MOVER, "temperature");
    assert_int_equal(from.bytes, BYTES);
    assert_in_range(from.took_ns, 3000000, there - asked);
    assert_true(from.first_ns >= asked && from.last_ns <= there);

    assert_int_equal(yoke_free(a), YOKE_OK);
    close_runtime(r);
}

static void the_file_names_them(void **state)
{
    (void)state;
    static char text[1 << 20];
    assert_int_equal(yoke_trace_write(), YOKE_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    assert_non_null(strstr(text, "\"name\":\"device 0 moves\""));
    assert_non_null(strstr(text, "\"name\":\"from device\",\"args\":{\"bytes\":4194304,\"of\":\"temperature\"}"));
    assert_non_null(strstr(text, "\"name\":\"to device\",\"args\":{\"bytes\":4194304,\"of\":\"temperature\"}"));
}

static int open_traced(void **state)
{
    (void)snprintf(path, sizeof path, "/tmp/yoke-moves-XXXXXX");
    const int file = mkstemp(path);
    if (file < 0)
        return -1;
    (void)close(file);
    return open_three(state) | setenv("YOKE_TRACE", path, 1);
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(moves_are_in_the_trace, fresh),
        cmocka_unit_test_setup(the_file_names_them, fresh),
    };
    return cmocka_run_group_tests(tests, open_traced, drop_file);
}
