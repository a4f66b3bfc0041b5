/* What the tests of traces share: a folder for each, and programs in children. */
#ifndef YOKE_TESTS_TOOL_TRACED_H
#define YOKE_TESTS_TOOL_TRACED_H

#include "tests/tool/support.h"

static char folder[64], path[96];

static inline int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/yoke-trace-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/t.json", folder);
    return unsetenv("YOKE_TRACE");
}

static inline int drop_folder(void **state)
{
    (void)state;
    return shell("rm -rf %s", folder);
}

/* Runs it in a child, which ends as programs do; returns its status. */
static inline int in_child(int (*run)(void))
{
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        exit(run());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
