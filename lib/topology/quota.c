/* How much CPU time cgroups allow: cpu.max (v2) and cpu.cfs_quota_us (v1), at every level from the process's own
 * group up to the root; the least counts. What is missing or malformed is no limit. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

typedef struct finder {
    const char *root; /* in front of every path read; "" on the machine itself */
    double least;     /* 0: no limit so far */
} finder;

static bool join(char *path, const char *a, const char *b, const char *c)
{
    int length = snprintf(path, PATH_MAX, "%s%s%s", a, b, c);
    return length >= 0 && length < PATH_MAX;
}

/* The file's first line; false when it cannot be read. */
static bool first_line(const finder *f, const char *folder, const char *name, char *line, size_t size)
{
    char path[PATH_MAX], full[PATH_MAX];
    if (!join(path, folder, "/", name) || !join(full, f->root, path, ""))
        return false;
    FILE *file = fopen(full, "re");
    if (!file)
        return false;
    bool got = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return got;
}

static void lower(finder *f, long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return;
    double cpus = (double)quota / (double)period;
    if (f->least <= 0 || cpus < f->least)
        f->least = cpus;
}

/* The whole text must be a decimal number, so that garbage is no limit rather than a strange one. */
static bool whole_number(const char *text, long long *value)
{
    char *end;
    *value = strtoll(text, &end, 10);
    return end != text && (*end == '\0' || *end == '\n' || *end == ' ') && *value<LLONG_MAX && * value> LLONG_MIN;
}

static void read_v2(finder *f, const char *folder)
{
    char line[128];
    long long quota, period;
    if (!first_line(f, folder, "cpu.max", line, sizeof line))
        return;
    const char *space = strchr(line, ' ');
    if (space && whole_number(line, &quota) && whole_number(space + 1, &period))
        lower(f, quota, period);
}

static void read_v1(finder *f, const char *folder)
{
    char line[128];
    long long quota, period;
    if (first_line(f, folder, "cpu.cfs_quota_us", line, sizeof line) && whole_number(line, &quota) &&
        first_line(f, folder, "cpu.cfs_period_us", line, sizeof line) && whole_number(line, &period))
        lower(f, quota, period);
}

/* From mount + group up to the mount point itself. */
static void climb(finder *f, const char *mount, const char *group, bool v2)
{
    char path[PATH_MAX];
    if (!join(path, mount, group, ""))
        return;
    size_t top = strlen(mount);
    for (;;) {
        size_t length = strlen(path);
        while (length > top && path[length - 1] == '/')
            path[--length] = '\0';
        if (v2)
            read_v2(f, path);
        else
            read_v1(f, path);
        char *slash = strrchr(path, '/');
        if (length <= top || !slash || (size_t)(slash - path) < top)
            return;
        *slash = '\0';
    }
}

/* The process's group as seen through a mount that shows `shown` of the hierarchy: in a container /proc/self/cgroup may
 * name the group by its path on the host, which the mount does not contain; then the mount is the group. */
static const char *below(const char *group, const char *shown)
{
    size_t length = strlen(shown);
    if (strncmp(group, "/..", 3) == 0)
        return "";
    if (strcmp(shown, "/") == 0)
        return group;
    if (strncmp(group, shown, length) == 0 && (group[length] == '/' || group[length] == '\0'))
        return group + length;
    return "";
}

/* Is `word` one of the comma-separated words of `list`? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* mountinfo writes blanks and backslashes as octal. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned code;
        if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1 && strlen(from) >= 4) {
            *to = (char)code;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* One line of mountinfo: "36 35 98:0 /shown /mount options [tags] - type source superoptions". */
static bool parse_mount(char *line, bool v2, char **shown, char **mount)
{
    line[strcspn(line, "\n")] = '\0';
    char *tail = strstr(line, " - ");
    if (!tail)
        return false;
    *tail = '\0';
    char *save = NULL, *field = strtok_r(line, " ", &save);
    for (int k = 0; k < 3 && field; k++)
        field = strtok_r(NULL, " ", &save);
    *shown = field;
    *mount = field ? strtok_r(NULL, " ", &save) : NULL;
    char *type = strtok_r(tail + 3, " ", &save);
    strtok_r(NULL, " ", &save);
    char *options = strtok_r(NULL, " ", &save);
    if (!*mount || !type || strcmp(type, v2 ? "cgroup2" : "cgroup") != 0 ||
        (!v2 && (!options || !has_word(options, "cpu"))))
        return false;
    unescape(*shown);
    unescape(*mount);
    return true;
}

static FILE *open_proc(const finder *f, const char *name)
{
    char path[PATH_MAX];
    return join(path, f->root, "/proc/self/", name) ? fopen(path, "re") : NULL;
}

/* Without mountinfo, where distributions mount them. */
static void try_usual_mounts(finder *f, const char *group, bool v2)
{
    static const char *const usual[2][3] = {{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu", NULL},
                                            {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL}};
    for (int k = 0; usual[v2][k]; k++)
        climb(f, usual[v2][k], strncmp(group, "/..", 3) == 0 ? "" : group, v2);
}

static void try_mounts(finder *f, const char *group, bool v2)
{
    FILE *file = open_proc(f, "mountinfo");
    if (!file) {
        try_usual_mounts(f, group, v2);
        return;
    }
    char line[2 * PATH_MAX], *shown, *mount;
    while (fgets(line, sizeof line, file))
        if (parse_mount(line, v2, &shown, &mount))
            climb(f, mount, below(group, shown), v2);
    fclose(file);
}

double yoke__topology_read_quota(const char *root)
{
    finder f = {.root = root};
    FILE *file = open_proc(&f, "cgroup");
    if (!file)
        return 0;
    char line[2 * PATH_MAX];
    while (fgets(line, sizeof line, file)) { /* "0::/group" is v2, "4:cpu,cpuacct:/group" v1 */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group || group[1] != '/')
            continue;
        *group++ = '\0';
        controllers++;
        if (*controllers == '\0')
            try_mounts(&f, group, true);
        else if (has_word(controllers, "cpu"))
            try_mounts(&f, group, false);
    }
    fclose(file);
    return f.least;
}
