/* The helper process: what the library does when it is absent, lies, dies or hangs, and what it leaves behind. */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/topology/table.h"
#include "support.h"

#define START "yoke-topology 1 "

static int parse(const char *text)
{
    rows found;
    yoke__topology *topology = NULL;
    int status = yoke__rows_parse(&found, text, strlen(text));
    if (status == YOKE_OK)
        status = yoke__topology_build(&topology, &found, NULL);
    yoke__free(found.at);
    yoke__topology_free(topology);
    return status;
}

static void answer_is_checked_number_by_number(void **state)
{
    (void)state;
    assert_int_equal(parse(START "2 1\n0 0 0 1 5 6 7 8\n1 0 0 1 5 6 7 9\nend\n"), YOKE_OK);
    static const char *const bad[] = {
        "",
        "yoke",
        START,
        START "0 1\nend\n",
        START "65537 1\n",
        START "-1 1\n",
        START "2 1\nend\n",
        START "1 1\n0 0 0 1 5 6 7 8\n",                         /* no end */
        START "1 1\n0 0 0 1 5 6 7 8\nend\nmore",                /* goes on */
        START "1 1\n0 0 0 2 5 6 7 8\nend\n",                    /* not a truth value */
        START "1 1\n65536 0 0 1 5 6 7 8\nend\n",                /* CPU out of range */
        START "1 1\n0 0 64 1 5 6 7 8\nend\n",                   /* kind out of range */
        START "1 1\n0 4294967296 0 1 5 6 7 8\nend\n",           /* node out of range */
        START "1 1\n0 0 0 1 5 6 7 99999999999999999999\nend\n", /* beyond 64 bits */
        START "1 1\n0 0 0 1 5 6 7 \nend\n",
        START "1 1\n0 0 0 1 5 6 7\nend\n",
        START "1 1\n0  0 0 1 5 6 7 8\nend\n",
        START "1 1\n0 0 0 1 5 6 7 -8\nend\n",
        START "1 1\n0 0 0 1 5 6 7 8 9\nend\n",
        START "2 1\n0 0 0 1 5 6 7 8\n0 0 0 1 5 6 7 9\nend\n", /* a CPU twice */
        START "2 1\n0 0 0 1 5 6 7 8\n1 0 0 1 4 6 7 8\nend\n", /* a core in two packages */
        START "2 1\n0 0 0 1 5 6 7 8\n1 0 0 1 5 9 7 8\nend\n", /* a core in two nodes */
        START "2 1\n0 0 0 1 5 6 7 8\n1 0 0 1 5 6 1 8\nend\n", /* a core in two caches */
        START "1 1\n0 0 0 0 5 6 7 8\nend\n",                  /* nothing allowed */
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (parse(bad[k]) != YOKE_ETOPOLOGY)
            fail_msg("accepted: %s", bad[k]);
}

static void answer_random_edits_never_crash(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    static const char good[] = START "3 2\n0 0 0 1 5 6 7 8\n1 0 1 1 5 6 7 9\n2 1 0 0 5 7 8 10\nend\n";
    for (int round = 0; round < 20000; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (unsigned edits = 1 + next_random(&seed, 3); edits > 0; edits--)
            text[next_random(&seed, sizeof good - 1)] = "0123456789 \n-end"[next_random(&seed, 16)];
        int status = parse(text);
        assert_true(status == YOKE_OK || status == YOKE_ETOPOLOGY);
    }
}

static void round_trip_keeps_every_number(void **state)
{
    (void)state;
    row one[] = {{.os_index = 65535,
                  .node_os_index = 4294967295u,
                  .kind = 63,
                  .allowed = true,
                  .package = UINT64_MAX,
                  .node = 1,
                  .cache = UINT64_MAX - 1,
                  .core = 0},
                 {.os_index = 0}};
    rows sent = {one, 2, 17}, got;
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    assert_int_equal(yoke__rows_write(&sent, memory), YOKE_OK);
    fclose(memory);
    assert_int_equal(yoke__rows_parse(&got, text, length), YOKE_OK);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.machine_nodes, 17);
    assert_true(got.at[0].package == UINT64_MAX && got.at[0].cache == UINT64_MAX - 1 && got.at[0].kind == 63);
    assert_true(got.at[0].os_index == 65535 && got.at[0].node_os_index == 4294967295u && got.at[0].allowed);
    assert_false(got.at[1].allowed);
    yoke__free(got.at);
    free(text);
}

static char *helper_now(void)
{
    const char *path = getenv("YOKE_TOPOLOGY_HELPER");
    if (!path)
        fail_msg("no yoke-topology beside this test: build it, or set YOKE_TOPOLOGY_HELPER");
    return strdup(path ? path : "");
}

/* Runs a shell script in the helper's place. */
static int ask_script(const char *script, int64_t patience_ns)
{
    tree at = tree_make();
    char path[128], text[512];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    tree_put(&at, "/helper", text);
    snprintf(path, sizeof path, "%s/helper", at.root);
    assert_int_equal(chmod(path, 0700), 0);
    char *before = helper_now();
    setenv("YOKE_TOPOLOGY_HELPER", path, 1);
    char *answer = NULL;
    size_t length = 0;
    rows found = {0};
    int status = yoke__helper_ask("2", patience_ns, &answer, &length);
    if (status == YOKE_OK)
        status = yoke__rows_parse(&found, answer, length);
    yoke__free(found.at);
    yoke__free(answer);
    setenv("YOKE_TOPOLOGY_HELPER", before, 1);
    free(before);
    tree_free(&at);
    return status;
}

#define PATIENT (20 * INT64_C(1000000000))
#define ECHO "printf 'yoke-topology 1 1 1\\n0 0 0 1 5 6 7 8\\nend\\n'"

static void fake_helper_that_answers_is_heard(void **state)
{
    (void)state;
    assert_int_equal(ask_script(ECHO, PATIENT), YOKE_OK);
}

static void helper_that_dies_is_an_error_with_its_signal(void **state)
{
    (void)state;
    assert_int_equal(ask_script(ECHO "; kill -SEGV $$", PATIENT), YOKE_ETOPOLOGY);
    assert_non_null(strstr(yoke_error_detail(), "signal 11"));
    assert_int_equal(ask_script(ECHO "; exit 3", PATIENT), YOKE_ETOPOLOGY);
    assert_non_null(strstr(yoke_error_detail(), "exited with 3"));
    assert_int_equal(ask_script("exit 0", PATIENT), YOKE_ETOPOLOGY);
    assert_int_equal(ask_script("echo hello", PATIENT), YOKE_ETOPOLOGY);
}

static void helper_that_hangs_is_killed_at_the_deadline(void **state)
{
    (void)state;
    int64_t begin = yoke__now_ns();
    assert_int_equal(ask_script("exec sleep 30", 200000000), YOKE_ETOPOLOGY);
    assert_non_null(strstr(yoke_error_detail(), "too long"));
    assert_int_equal(ask_script(ECHO "; exec >/dev/null; exec sleep 30", 200000000), YOKE_ETOPOLOGY);
    assert_true(yoke__now_ns() - begin < 10 * INT64_C(1000000000));
}

static void helper_that_floods_is_cut_off(void **state)
{
    (void)state;
    assert_int_equal(ask_script("exec cat /dev/zero", PATIENT), YOKE_ETOPOLOGY);
}

static void absent_helper_is_an_error(void **state)
{
    (void)state;
    char *before = helper_now();
    yoke__topology *topology;
    setenv("YOKE_TOPOLOGY_HELPER", "/nonexistent/helper", 1);
    assert_int_equal(yoke__topology_from(&topology, "2"), YOKE_ETOPOLOGY);
    assert_non_null(strstr(yoke_error_detail(), "not installed"));
    setenv("YOKE_TOPOLOGY_HELPER", "/etc", 1);
    assert_int_equal(yoke__topology_from(&topology, "2"), YOKE_ETOPOLOGY);
    setenv("YOKE_TOPOLOGY_HELPER", before, 1);
    free(before);
}

static void program_that_ignores_sigchld_gets_its_answer(void **state)
{
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGCHLD, &ignore, &before);
    for (int k = 0; k < 20; k++) {
        yoke__topology *topology = topology_from("core:3 pu:2");
        assert_int_equal(yoke__topology_usable(topology).pus, 6);
        yoke__topology_free(topology);
    }
    assert_int_equal(ask_script(ECHO "; kill -SEGV $$", PATIENT), YOKE_OK); /* whole answer, end unseen */
    assert_int_equal(ask_script("kill -SEGV $$", PATIENT), YOKE_ETOPOLOGY);
    sigaction(SIGCHLD, &before, NULL);
}

static int count_open(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    int before = count_open();
    for (int k = 0; k < 20; k++) {
        yoke__topology_free(topology_from("core:3 pu:2"));
        ask_script("exit 1", PATIENT);
    }
    assert_int_equal(count_open(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A program may run without standard streams; the pipe then gets their numbers. */
static void program_without_standard_streams_gets_its_answer(void **state)
{
    (void)state;
    int saved[3];
    for (int k = 0; k < 3; k++)
        saved[k] = dup(k);
    for (int k = 0; k < 3; k++)
        close(k);
    yoke__topology *topology = NULL;
    int status = yoke__topology_from(&topology, "core:3 pu:2");
    for (int k = 0; k < 3; k++) {
        dup2(saved[k], k);
        close(saved[k]);
    }
    assert_int_equal(status, YOKE_OK);
    yoke__topology_free(topology);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    int status = YOKE_ENOMEM;
    unsigned long nth = 1;
    for (; status != YOKE_OK && nth < 100; nth++) {
        yoke__topology *topology = NULL;
        yoke__alloc_fail_at(nth, false);
        status = yoke__topology_from(&topology, "core:3 pu:2");
        yoke__alloc_fail_at(0, false);
        assert_true(status == YOKE_OK || status == YOKE_ENOMEM);
        assert_true((status == YOKE_OK) == (topology != NULL));
        yoke__topology_free(topology);
    }
    assert_in_range(nth, 5, 99);
}

int main(void)
{
    use_built_helper();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_is_checked_number_by_number),
        cmocka_unit_test(answer_random_edits_never_crash),
        cmocka_unit_test(round_trip_keeps_every_number),
        cmocka_unit_test(fake_helper_that_answers_is_heard),
        cmocka_unit_test(helper_that_dies_is_an_error_with_its_signal),
        cmocka_unit_test(helper_that_hangs_is_killed_at_the_deadline),
        cmocka_unit_test(helper_that_floods_is_cut_off),
        cmocka_unit_test(absent_helper_is_an_error),
        cmocka_unit_test(program_that_ignores_sigchld_gets_its_answer),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(program_without_standard_streams_gets_its_answer),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
