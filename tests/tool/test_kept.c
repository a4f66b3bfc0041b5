/* yoke cache, yoke explain and yoke run: what is kept, what was measured, and programs that are started. */
#include <fcntl.h>
#include <signal.h>

#include "lib/parallel/devices.h"
#include "support.h"
#include "tests/emulated.h"
#include "yoke/cache.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

static char folder[64], cache_folder[96];
static const char *self;

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/yoke-kept-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(cache_folder, sizeof cache_folder, "%s/cache", folder);
    return setenv("YOKE_CACHE_DIR", cache_folder, 1);
}

static int drop_folder(void **state)
{
    (void)state;
    return shell("rm -rf %s", folder);
}

static const char program_key[] = "source\0-options\0Some GPU\0vendor\0platform\0driver\0version\0"
                                  "0.1.0\0saxpy";
static const char model_key[] = "yoke 0.1.0 avx2, 4 workers|Some GPU|platform|driver\0saxpy\0body\0\0";

static void keep_some(void)
{
    yoke__cache cache;
    yoke__cache_open(&cache);
    const yoke__learned_entry entries[] = {
        {.place = 0, .class = 20, .bytes = sizeof entries[0], .tries = 7, .item_ns = 2.5},
        {.place = 1, .class = 20, .bytes = sizeof entries[0], .tries = 3, .item_ns = 0.5},
        {.place = 2,
         .class = 21,
         .bytes = sizeof entries[0],
         .tries = 1,
         .item_ns = 0.4,
         .rate = {.item_ns = 1, .launch_ns = 9000}},
        {.place = 9, .class = 20, .bytes = sizeof entries[0], .tries = 1, .item_ns = 1},     /* no such place */
        {.place = 0, .class = 99, .bytes = sizeof entries[0], .tries = 1, .item_ns = 1},     /* no such class */
        {.place = 0, .class = 22, .bytes = sizeof entries[0], .tries = 1, .item_ns = -1e99}, /* no time */
    };
    yoke__cache_write(&cache, "program", program_key, sizeof program_key, "binary", 6);
    yoke__cache_write(&cache, "program", "short", 6, "binary", 6);
    yoke__cache_write(&cache, yoke__learned_kind, model_key, sizeof model_key, entries, sizeof entries);
}

static unsigned lines_with(const char *words)
{
    unsigned count = 0;
    for (const char *line = said; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        const char *at = strstr(line, words);
        count += at != NULL && at < line + length;
        line += length + (line[length] == '\n');
    }
    return count;
}

static void entries_are_listed(void **state)
{
    (void)state;
    assert_int_equal(shell(YOKE_TOOL " cache 2>&1"), 0);
    assert_says("0 entries");
    keep_some();
    assert_int_equal(shell(YOKE_TOOL " cache list 2>&1"), 0);
    assert_fits();
    assert_says("3 entries");
    assert_int_equal(lines_with("saxpy"), 2);
    assert_int_equal(lines_with("Some GPU"), 1);
    assert_int_equal(lines_with("program "), 2);
    assert_int_equal(lines_with("model "), 1);
    assert_int_equal(shell(YOKE_TOOL " cache list saxpy 2>&1"), 0);
    assert_says("2 entries");
    assert_int_equal(shell(YOKE_TOOL " cache verify 2>&1"), 0);
    assert_says("all 3 entries");
}

static void damage_is_found_and_removed(void **state)
{
    (void)state;
    keep_some();
    assert_int_equal(shell("for f in %s/model-*; do printf x >> $f; done", cache_folder), 0);
    assert_int_equal(shell("echo strange > %s/program-0123456789abcdef0123456789abcdef", cache_folder), 0);
    assert_int_equal(shell("echo other > %s/notes.txt", cache_folder), 0);
    assert_int_equal(shell(YOKE_TOOL " cache verify 2>&1"), 1);
    assert_says("2 of 4 entries are damaged");
    assert_int_equal(lines_with("DAMAGED"), 2);
    assert_int_equal(shell(YOKE_TOOL " cache clear --damaged 2>&1"), 0);
    assert_says("2 entries removed");
    assert_int_equal(shell(YOKE_TOOL " cache verify 2>&1"), 0);
    assert_says("all 2 entries");
    assert_int_equal(shell(YOKE_TOOL " cache clear saxpy 2>&1"), 0);
    assert_says("1 entry removed");
    assert_int_equal(shell(YOKE_TOOL " cache clear 2>&1"), 0);
    assert_says("1 entry removed");
    assert_int_equal(shell("ls %s", cache_folder), 0);
    assert_string_equal(said, "notes.txt\n"); /* what is not the cache's stays */
}

static int stop_at_once(const yoke_cache_entry *entry, void *argument)
{
    (void)entry;
    ++*(int *)argument;
    return 5;
}

static void functions_refuse_nonsense(void **state)
{
    (void)state;
    int visits = 0;
    char path[4];
    keep_some();
    assert_int_equal(yoke_cache_visit(stop_at_once, &visits), 5);
    assert_int_equal(visits, 1);
    assert_int_equal(yoke_cache_visit(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_learned_visit(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_cache_remove(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_cache_remove("../x"), YOKE_EINVAL);
    assert_int_equal(yoke_cache_remove("model-00000000000000000000000000000000"), YOKE_EINVAL);
    assert_int_equal(yoke_cache_folder(NULL, 9), YOKE_EINVAL);
    assert_int_equal(yoke_cache_folder(path, sizeof path), YOKE_EOVERFLOW);
    assert_int_equal(setenv("YOKE_CACHE_DIR", "off", 1), 0);
    assert_int_equal(yoke_cache_visit(stop_at_once, &visits), YOKE_ESTATE);
    assert_int_equal(yoke_cache_remove("model-00000000000000000000000000000000"), YOKE_ESTATE);
    assert_int_equal(shell(YOKE_TOOL " cache 2>&1"), 1);
    assert_says("nothing is kept");
    static const char *const wrong[] = {"cache empty",     "cache -x",    "cache clear a b",
                                        "explain --trace", "explain a b", "explain -v"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        if (shell(YOKE_TOOL " %s 2>&1", wrong[k]) != 2)
            fail_msg("yoke %s: not status 2", wrong[k]);
}

static void the_model_is_told(void **state)
{
    (void)state;
    assert_int_equal(shell(YOKE_TOOL " explain 2>&1"), 0);
    assert_says("nothing was measured so far");
    keep_some();
    assert_int_equal(shell(YOKE_TOOL " explain 2>&1"), 0);
    assert_fits();
    assert_says("yoke 0.1.0 avx2, 4 workers\n");
    assert_int_equal(lines_with("2^20"), 1); /* workers and device share it */
    assert_int_equal(lines_with("2^2"), 2);
    assert_int_equal(lines_with(" workers "), 1);
    assert_int_equal(lines_with("*Some GPU"), 1); /* the fastest */
    assert_int_equal(lines_with("all together"), 1);
    assert_says("9 us");
    assert_int_equal(shell(YOKE_TOOL " explain daxpy 2>&1"), 0);
    assert_says("nothing was measured of a kernel daxpy");
}

/* --- yoke run --- */

/* What the program does that is started: this one, with an argument. */
static int be_the_program(void)
{
    enum { ITEMS = 100000 };
    static float x[ITEMS], y[ITEMS];
    const char *pin = getenv("YOKE_PIN");
    printf("workers %d pin %s\n", yoke_workers(NULL), pin != NULL ? pin : "");
    for (int k = 0; k < 3; k++)
        if (parallel_map(yoke_axpy, ITEMS, y, x, 2.0f) != 0)
            return 1;
    return 7;
}

static void programs_are_started(void **state)
{
    (void)state;
    if (emulated("a program of another architecture is not started"))
        skip();
    assert_int_equal(shell("cd %s && " YOKE_TOOL
                           " run --workers 2 --pin=none --devices cpu --page p.html -- %s --program 2>&1",
                           folder, self),
                     7);
    assert_says("workers 2 pin none");
    assert_says("busy");
    assert_says("trace: yoke-trace.json, page: p.html");
    char path[96];
    (void)snprintf(path, sizeof path, "%s/yoke-trace.json", folder);
    (void)check_json(path);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(shell(YOKE_TOOL " explain --trace %s 2>&1", path), 0);
    assert_fits();
    assert_int_equal(lines_with("yoke_axpy, 100000 items"), 3);
    assert_int_equal(shell("cd %s && " YOKE_TOOL " run --no-trace %s --program 2>&1 && ls", folder, self), 7);
    assert_null(strstr(said, "busy"));
    assert_int_equal(shell("cd %s && " YOKE_TOOL " run --quiet --trace q.json %s --program 2>&1", folder, self), 7);
    assert_null(strstr(said, "busy"));
}

static void ends_of_programs_are_told(void **state)
{
    (void)state;
    assert_int_equal(shell("cd %s && " YOKE_TOOL " run -- true 2>&1", folder), 0);
    assert_says("wrote no trace");
    assert_int_equal(shell("cd %s && " YOKE_TOOL " run --no-trace -- sh -c 'kill -9 $$' 2>&1", folder), 128 + SIGKILL);
    assert_says("ended by a signal");
    assert_int_equal(shell("cd %s && " YOKE_TOOL " run -- /nonexistent/x 2>&1", folder), 127);
    assert_says("cannot start /nonexistent/x");
    assert_int_equal(shell("cd %s && " YOKE_TOOL " run -- /etc/passwd 2>&1", folder), 126);
    static const char *const wrong[] = {"run",
                                        "run --",
                                        "run --pin",
                                        "run --pin sideways true",
                                        "run --workers 0 true",
                                        "run --isa x true",
                                        "run --no-trace --page x true",
                                        "run --unknown true"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        if (shell("cd %s && " YOKE_TOOL " %s 2>&1", folder, wrong[k]) != 2)
            fail_msg("yoke %s: not status 2", wrong[k]);
}

int main(int count, char **words)
{
    static char path[PATH_MAX];
    if (count == 2 && strcmp(words[1], "--program") == 0)
        return be_the_program();
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    self = length > 0 ? path : words[0];
#define EACH(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        EACH(entries_are_listed), EACH(damage_is_found_and_removed), EACH(functions_refuse_nonsense),
        EACH(the_model_is_told),  EACH(programs_are_started),        EACH(ends_of_programs_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
