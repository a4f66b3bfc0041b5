/* YOKE_TRACE: what is in the file, who writes it, what it costs in memory; and yoke trace, which shows it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>

#include "lib/trace/trace.h"
#include "tests/tool/traced.h"
#include "tools/yoke/json.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

enum { ITEMS = 200000, CALLS = 5 };

static int run_maps(void)
{
    float *x = calloc(ITEMS, sizeof *x), *y = calloc(ITEMS, sizeof *y);
    yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.workers = 3, .devices = "cpu"});
    if (runtime == NULL || x == NULL || y == NULL)
        return 2;
    for (int k = 0; k < CALLS; k++)
        if (parallel_map_on(runtime, &(yoke_options){.flags = YOKE_ALWAYS_DIVIDE}, yoke_axpy, ITEMS, y, x, 2.0f) != 0)
            return 3;
    (void)yoke_close(runtime);
    free(x);
    free(y);
    return 0;
}

static int traced_maps(void)
{
    (void)setenv("YOKE_TRACE", path, 1);
    return run_maps();
}

/* --- reading the file --- */

typedef struct seen {
    unsigned calls, works, items_right, named, decisions, events, bad_times;
} seen;

static void read_arguments(json *j, seen *s)
{
    char name[32];
    bool first = true;
    assert_true(json_take(j, '{'));
    while (json_more(j, '}', &first)) {
        assert_true(json_name(j, name, sizeof name));
        if (strcmp(name, "items") == 0) {
            s->items_right += json_number(j) == ITEMS;
        } else {
            s->decisions += strcmp(name, "decision") == 0;
            assert_true(json_skip(j));
        }
    }
}

static void read_event(json *j, seen *s)
{
    char name[32], category[16] = "", called[64] = "";
    double ts = 0, dur = 0;
    bool first = true;
    assert_true(json_take(j, '{'));
    while (json_more(j, '}', &first)) {
        assert_true(json_name(j, name, sizeof name));
        if (strcmp(name, "cat") == 0)
            assert_true(json_string(j, category, sizeof category));
        else if (strcmp(name, "name") == 0)
            assert_true(json_string(j, called, sizeof called));
        else if (strcmp(name, "ts") == 0)
            ts = json_number(j);
        else if (strcmp(name, "dur") == 0)
            dur = json_number(j);
        else if (strcmp(name, "args") == 0)
            read_arguments(j, s);
        else
            assert_true(json_skip(j));
    }
    s->events++;
    s->calls += strcmp(category, "call") == 0;
    s->works += strcmp(category, "work") == 0;
    s->named += strcmp(called, "yoke_axpy") == 0;
    s->bad_times += ts < 0 || dur < 0 || ts > 600e6 || dur > 600e6;
}

static seen read_file(void)
{
    seen s = {0};
    char name[32];
    bool first = true, inner = true;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = malloc(SAID_BYTES * 8);
    assert_non_null(text);
    const size_t bytes = fread(text, 1, SAID_BYTES * 8, file);
    fclose(file);
    json j = json_of(text, bytes);
    assert_true(json_take(&j, '{'));
    while (json_more(&j, '}', &first)) {
        assert_true(json_name(&j, name, sizeof name));
        if (strcmp(name, "traceEvents") != 0) {
            assert_true(json_skip(&j));
            continue;
        }
        assert_true(json_take(&j, '['));
        while (json_more(&j, ']', &inner))
            read_event(&j, &s);
    }
    assert_null(j.wrong);
    assert_int_equal(json_next(&j), 0);
    free(text);
    (void)check_json(path);
    return s;
}

/* --- what is written --- */

static void calls_are_in_the_file(void **state)
{
    (void)state;
    assert_int_equal(in_child(traced_maps), 0);
    const seen s = read_file();
    assert_int_equal(s.calls, CALLS);
    assert_int_equal(s.items_right, CALLS);
    assert_int_equal(s.decisions, CALLS);
    assert_in_range(s.works, CALLS, 3 * CALLS + CALLS);
    assert_int_equal(s.named, s.calls + s.works);
    assert_int_equal(s.bad_times, 0);
}

static void nothing_is_written_unless_asked(void **state)
{
    (void)state;
    assert_int_equal(in_child(run_maps), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(yoke_trace_write(), YOKE_ESTATE);
    assert_false(yoke__tracing());
}

static int forks_while_it_traces(void)
{
    int status = traced_maps();
    const pid_t pid = fork();
    if (pid == 0)
        exit(yoke__tracing() || run_maps() != 0);
    int ended;
    if (status != 0 || waitpid(pid, &ended, 0) != pid || ended != 0)
        return 4;
    return 0;
}

static void forked_children_leave_the_file_alone(void **state)
{
    (void)state;
    assert_int_equal(in_child(forks_while_it_traces), 0);
    assert_int_equal(read_file().calls, CALLS);
}

static void one_process_writes(void **state)
{
    (void)state;
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(flock(file, LOCK_EX), 0);
    assert_int_equal(write(file, "mine", 4), 4);
    assert_int_equal(in_child(traced_maps), 0);
    struct stat what;
    assert_int_equal(fstat(file, &what), 0);
    assert_int_equal(what.st_size, 4);
    (void)close(file);
    assert_int_equal(in_child(traced_maps), 0); /* what was there before is replaced */
    assert_int_equal(read_file().calls, CALLS);
}

static int opens_badly(void)
{
    static const char *const bad[] = {"/nonexistent/t.json", "/dev/null", "/"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        (void)setenv("YOKE_TRACE", bad[k], 1);
        if (yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "cpu"}) != NULL ||
            strstr(yoke_error_detail(), "YOKE_TRACE=") == NULL)
            return 5;
    }
    return traced_maps(); /* and another one is fine then */
}

static void files_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(opens_badly), 0);
    assert_int_equal(read_file().calls, CALLS);
}

enum { NO_DEVICE = 77 };

static int traced_on_a_device(void)
{
    (void)setenv("YOKE_TRACE", path, 1);
    yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "opencl:0"});
    if (runtime == NULL)
        return NO_DEVICE;
    float *x = calloc(ITEMS, sizeof *x), *y = calloc(ITEMS, sizeof *y);
    if (x == NULL || y == NULL)
        return 2;
    for (int k = 0; k < CALLS; k++)
        if (parallel_map_on(runtime, NULL, yoke_axpy, ITEMS, y, x, 2.0f) != 0)
            return 3;
    yoke_decision decision;
    const int status = yoke_last_decision(&decision) != YOKE_OK || decision.device != 0;
    (void)yoke_close(runtime);
    free(x);
    free(y);
    return status;
}

/* Pieces by our clock, and what the driver measured, within the calls that they are of. */
static void devices_have_lanes(void **state)
{
    (void)state;
    const int status = in_child(traced_on_a_device);
    if (status == NO_DEVICE) {
        print_message("skipped: there is no OpenCL device\n");
        skip();
    }
    assert_int_equal(status, 0);
    const seen s = read_file();
    assert_int_equal(s.calls, CALLS);
    assert_int_equal(s.bad_times, 0);
    assert_int_equal(shell("grep -c '\"cat\":\"piece\"' %s", path), 0);
    assert_true(strtol(said, NULL, 10) >= CALLS);
    assert_int_equal(shell("grep -q '\"cat\":\"compile\"' %s", path), 0);
    assert_int_equal(shell("grep -q '\"name\":\"device 0 pieces 0\"' %s", path), 0);
    assert_int_equal(shell(YOKE_TOOL " trace %s 2>&1", path), 0);
    assert_says("device 0 pieces 0");
}

/* --- rings --- */

static int overflows(void)
{
    int status = traced_maps();
    yoke__event e;
    for (unsigned k = 0; k < 100000; k++) {
        yoke__trace_begin(&e, YOKE__EVENT_CALL,
                          k % 2 ? "a \"quoted\\ name\n" : "\xff\xfe much longer than there is room");
        e.end_ns = e.begin_ns;
        e.count = k;
        yoke__trace_event(&e, k % 1000 == 999 ? "because \"so\"" : NULL);
    }
    return status != 0 || yoke_trace_write() != YOKE_OK;
}

static void rings_keep_the_newest(void **state)
{
    (void)state;
    assert_int_equal(in_child(overflows), 0);
    const seen s = read_file();
    assert_in_range(s.calls, 500, 20000);
    assert_int_equal(s.bad_times, 0);
    assert_int_equal(shell("grep -c '\"items\":99999' %s", path), 0);
    assert_int_equal(shell("grep -c '\"items\":1,' %s", path), 1);
    assert_int_equal(shell("grep -q '\"dropped\":\"[1-9]' %s", path), 0);
}

static _Atomic bool stop;

static void *record(void *argument)
{
    (void)argument;
    for (unsigned k = 0; k < 1000 || !atomic_load(&stop); k++) {
        yoke__event e;
        yoke__trace_begin(&e, YOKE__EVENT_WORK, "together");
        yoke__trace_end(&e, 1, 2);
    }
    return NULL;
}

static int records_while_it_writes(void)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    int status = traced_maps();
    for (int k = 0; k < THREADS; k++)
        status |= pthread_create(&thread[k], NULL, record, NULL);
    for (int k = 0; k < 5; k++)
        status |= yoke_trace_write();
    atomic_store(&stop, true);
    for (int k = 0; k < THREADS; k++)
        status |= pthread_join(thread[k], NULL);
    return status != 0;
}

static void threads_record_while_it_is_written(void **state)
{
    (void)state;
    assert_int_equal(in_child(records_while_it_writes), 0);
    const seen s = read_file();
    assert_int_equal(s.bad_times, 0);
    assert_true(s.works > CALLS);
}

/* --- yoke trace --- */

static void totals_are_told(void **state)
{
    (void)state;
    assert_int_equal(in_child(traced_maps), 0);
    assert_int_equal(shell(YOKE_TOOL " trace %s 2>&1", path), 0);
    assert_fits();
    assert_says("busy");
    assert_says(" events\n");
}

static void what_is_no_trace_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "nonsense",
                                        "{\"traceEvents\":[{]}",
                                        "{\"traceEvents\":[{\"ts\":1.}]}",
                                        "{\"traceEvents\":[],}",
                                        "{\"traceEvents\":[]} x",
                                        "{\"traceEvents\":[{\"a\":\"\\x\"}]}",
                                        "{\"traceEvents\":[1,2]}"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(wrong[k], file) >= 0);
        fclose(file);
        if (shell(YOKE_TOOL " trace %s -o %s.html 2>&1", path, path) != 1)
            fail_msg("accepted: %s", wrong[k]);
        assert_says("is no trace");
        char page[128];
        (void)snprintf(page, sizeof page, "%s.html", path);
        assert_int_equal(access(page, F_OK), -1);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"traceEvents\":", file);
    for (int k = 0; k < 100000; k++)
        fputc('[', file);
    fclose(file);
    assert_int_equal(shell(YOKE_TOOL " trace %s 2>&1", path), 1);
    assert_int_equal(shell(YOKE_TOOL " trace /nonexistent/x.json 2>&1"), 1);
    assert_says("cannot read");
    assert_int_equal(shell(YOKE_TOOL " trace 2>&1"), 2);
    assert_int_equal(shell(YOKE_TOOL " trace a b 2>&1"), 2);
    assert_int_equal(shell(YOKE_TOOL " trace -o 2>&1"), 2);
}

static int with_an_evil_name(void)
{
    const int status = traced_maps();
    yoke__event e;
    yoke__trace_begin(&e, YOKE__EVENT_CALL, "</script><script>x");
    yoke__trace_end(&e, 1, 1);
    return status;
}

/* In a browser: the script ran to its end, the tables are filled, and something was drawn. */
static void the_page_shows_it(void **state)
{
    (void)state;
    assert_int_equal(in_child(with_an_evil_name), 0);
    assert_int_equal(shell(YOKE_TOOL " trace %s -o %s/t.html 2>&1", path, folder), 0);
    assert_int_equal(shell("grep -cE 'https?:|src=|@import|url\\(' %s/t.html", folder), 1); /* nothing from elsewhere */
    const char *browser = is_installed("chromium")           ? "chromium"
                          : is_installed("chromium-browser") ? "chromium-browser"
                                                             : NULL;
    if (browser == NULL) {
        print_message("skipped: there is no chromium to show the page\n");
        skip();
    }
    const char *flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --window-size=1200,700";
    if (shell("timeout 60 %s %s --user-data-dir=%s/p --screenshot=%s/t.png --dump-dom file://%s/t.html 2>/dev/null",
              browser, flags, folder, folder, folder) != 0) {
        print_message("skipped: chromium does not run here\n");
        skip();
    }
    assert_says("data-ready=\"yes\"");

    assert_says("<td>yoke_axpy</td><td>5</td>");
    assert_says("events in");
    assert_int_equal(shell("test $(stat -c %%s %s/t.png) -gt 10000", folder), 0);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        EACH(calls_are_in_the_file),
        EACH(nothing_is_written_unless_asked),
        EACH(forked_children_leave_the_file_alone),
        EACH(one_process_writes),
        EACH(files_that_cannot_be_are_refused),
        EACH(devices_have_lanes),
        EACH(rings_keep_the_newest),
        EACH(threads_record_while_it_is_written),
        EACH(totals_are_told),
        EACH(what_is_no_trace_is_refused),
        EACH(the_page_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
