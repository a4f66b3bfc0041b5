#include "common/sample.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void must(int status)
{
    if (status != YOKE_OK)
        fail("%s: %s", yoke_strerror(status), yoke_error_detail());
}

void *grab(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        fail("no memory for %zu items of %zu bytes", count, size);
    return memory;
}

void *grab_managed(size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size)
        fail("no memory for %zu items of %zu bytes", count, size);
    void *memory = yoke_alloc(count * size, YOKE_PLACE_DEFAULT);
    if (memory == NULL)
        fail("%s", yoke_error_detail());
    return memory;
}

void usage(int argc, char *const *argv, int least, int most, const char *text)
{
    for (int k = 1; k < argc; k++)
        if (strcmp(argv[k], "--help") == 0 || strcmp(argv[k], "-h") == 0) {
            fputs(text, stdout);
            exit(0);
        }
    if (argc - 1 < least || argc - 1 > most) {
        fputs(text, stderr);
        exit(2);
    }
}

int argument(int argc, char *const *argv, int k, const char *what, int least, int most, int otherwise)
{
    if (k >= argc)
        return otherwise;
    char *end;
    errno = 0;
    long number = strtol(argv[k], &end, 10);
    if (end == argv[k] || *end != '\0' || errno != 0 || number < least || number > most)
        fail("%s is \"%s\"; give a whole number from %d to %d", what, argv[k], least, most);
    return (int)number;
}

void show_progress(size_t done, size_t total, void *what)
{
    enum { WIDTH = 40 };
    if (!isatty(STDERR_FILENO))
        return;
    int share = total > 0 ? (int)(100 * (double)done / (double)total) : 100;
    int filled = share * WIDTH / 100;
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%", (const char *)what, filled, "########################################",
            WIDTH - filled, "", share);
    if (done == total)
        fputc('\n', stderr);
}

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
