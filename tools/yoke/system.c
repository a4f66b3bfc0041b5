/* What the system tells of itself in /proc and /sys. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/yoke/tool.h"

bool system_line(const char *root, char *line, size_t size, const char *format, ...)
{
    char name[512], path[PATH_MAX];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(name, sizeof name, format, values);
    va_end(values);
    const int length = snprintf(path, sizeof path, "%s%s", root, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    line[0] = '\0';
    if (file == NULL)
        return false;
    const bool got = fgets(line, (int)size, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return got;
}

bool system_has(const char *root, const char *path)
{
    char full[PATH_MAX];
    const int length = snprintf(full, sizeof full, "%s%s", root, path);
    return length > 0 && (size_t)length < sizeof full && access(full, F_OK) == 0;
}

void system_cpu_model(const char *root, char *text, size_t size)
{
    char path[PATH_MAX], line[1024];
    (void)snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    FILE *file = fopen(path, "re");
    text[0] = '\0';
    while (file != NULL && text[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon == NULL || strncmp(line, "model name", 10) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        (void)snprintf(text, size, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    if (file != NULL)
        fclose(file);
}

/* "0-3,8": how many. */
static unsigned count_list(const char *text)
{
    unsigned count = 0;
    while (isdigit((unsigned char)*text)) {
        char *end;
        const unsigned long low = strtoul(text, &end, 10);
        unsigned long high = low;
        if (*end == '-')
            high = strtoul(end + 1, &end, 10);
        count += high >= low && high - low < 65536 ? (unsigned)(high - low + 1) : 0;
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

unsigned system_caches(const char *root, unsigned os_cpu, system_cache *caches)
{
    unsigned count = 0;
    for (unsigned k = 0; k < SYSTEM_CACHES; k++) {
        char line[4096], *end;
        system_cache *c = &caches[count];
        if (!system_line(root, line, sizeof line, "/sys/devices/system/cpu/cpu%u/cache/index%u/level", os_cpu, k))
            break;
        c->level = (unsigned)strtoul(line, NULL, 10);
        (void)system_line(root, line, sizeof line, "/sys/devices/system/cpu/cpu%u/cache/index%u/type", os_cpu, k);
        c->type = line[0] == 'D' ? 'd' : line[0] == 'I' ? 'i' : 'u';
        (void)system_line(root, line, sizeof line, "/sys/devices/system/cpu/cpu%u/cache/index%u/size", os_cpu, k);
        c->bytes = strtoul(line, &end, 10);
        c->bytes *= *end == 'K' ? 1024 : *end == 'M' ? 1024 * 1024 : 1;
        (void)system_line(root, line, sizeof line, "/sys/devices/system/cpu/cpu%u/cache/index%u/shared_cpu_list",
                          os_cpu, k);
        c->threads = count_list(line);
        count += c->bytes > 0;
    }
    return count;
}

bool system_node_memory(const char *root, unsigned os_node, uint64_t *total, uint64_t *available)
{
    char path[PATH_MAX], line[256];
    (void)snprintf(path, sizeof path, "%s/sys/devices/system/node/node%u/meminfo", root, os_node);
    FILE *file = fopen(path, "re");
    *total = *available = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *at;
        if ((at = strstr(line, "MemTotal:")) != NULL)
            *total = strtoul(at + 9, NULL, 10) * 1024;
        else if ((at = strstr(line, "MemFree:")) != NULL)
            *available = strtoul(at + 8, NULL, 10) * 1024;
        else if ((at = strstr(line, "FilePages:")) != NULL) /* the page cache gives way */
            *available += strtoul(at + 10, NULL, 10) * 1024;
    }
    if (file != NULL)
        fclose(file);
    return *total > 0;
}
