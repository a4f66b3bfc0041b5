/* The only place from which the library writes to standard error: for those who asked for it by the environment. */
#include <stdio.h>
#include <unistd.h>

#include "lib/trace/trace.h"

void yoke__tell(const char *text, size_t bytes)
{
    (void)fwrite(text, 1, bytes, stderr); /* in one piece, for other threads write too */
}

void yoke__tell_now(const char *text, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t written = write(STDERR_FILENO, text, bytes);
        if (written <= 0)
            return;
        text += written;
        bytes -= (size_t)written;
    }
}
