/* What the tests of the command share: running it, and looking at what it says. */
#ifndef YOKE_TESTS_TOOL_SUPPORT_H
#define YOKE_TESTS_TOOL_SUPPORT_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAID_BYTES = 4 << 20 };

/* What the last command wrote to both of its outputs. */
static char said[SAID_BYTES];

/* Runs a line of the shell; returns its exit status, -1 when a signal ended it. */
__attribute__((format(printf, 1, 2))) static inline int shell(const char *format, ...)
{
    char line[8192];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(line, sizeof line, format, values);
    va_end(values);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    const size_t length = fread(said, 1, sizeof said - 1, pipe);
    said[length] = '\0';
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool is_installed(const char *program)
{
    return shell("command -v %s >/dev/null 2>&1", program) == 0;
}

#define assert_says(words)                                     \
    do {                                                       \
        if (strstr(said, words) == NULL)                       \
            fail_msg("'%s' is not in:\n%.4000s", words, said); \
    } while (0)

/* Fits a terminal: no line is longer than 100 columns (of ASCII). */
static inline void assert_fits(void)
{
    for (const char *line = said; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        if (length > 100)
            fail_msg("%zu columns: %.*s", length, (int)length, line);
        line += length + (line[length] == '\n');
    }
}

/* Whether a file is JSON, as others read it. False: nobody here can tell. */
static inline bool check_json(const char *path)
{
    if (is_installed("python3"))
        assert_int_equal(shell("python3 -m json.tool %s >/dev/null 2>&1", path), 0);
    else if (is_installed("jq"))
        assert_int_equal(shell("jq . %s >/dev/null 2>&1", path), 0);
    else
        return false;
    return true;
}

#endif
