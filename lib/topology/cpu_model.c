/* What CPU this is, as the kernel names it: for what is kept of one machine and of no use on another. */
#include <stdio.h>
#include <string.h>

#include "lib/topology/topology.h"

/* Lines of the first CPU in /proc/cpuinfo that tell one model from another, on x86 and on AArch64. */
static bool tells_the_model(const char *line)
{
    static const char *const fields[] = {"vendor_id",       "cpu family", "model",       "stepping",
                                         "CPU implementer", "CPU part",   "CPU variant", "CPU revision"};
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (strncmp(line, fields[k], strlen(fields[k])) == 0)
            return true;
    return false;
}

void yoke__cpu_model(char *text, size_t bytes)
{
    char line[256];
    size_t used = 0;
    text[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL && line[0] != '\n') {
        const size_t length = strcspn(line, "\n");
        if (!tells_the_model(line) || length >= bytes - used)
            continue;
        memcpy(text + used, line, length);
        used += length;
        text[used] = '\0';
    }
    fclose(file);
}
