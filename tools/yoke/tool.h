/* Shared by the subcommands of `yoke`, which use the public headers of the library only. */
#ifndef YOKE_TOOL_H
#define YOKE_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <yoke/topology.h>

/* Exit statuses: 0 fine, 1 it failed or found something, 2 it was called wrongly. */
enum { DONE = 0, FAILED = 1, MISUSED = 2 };

/* --- main.c --- */

typedef struct command {
    const char *name, *summary, *usage;
    int (*run)(int count, char **arguments); /* arguments[0] is the command's name */
} command;

/* --- subcommands --- */

extern const command tool_info, tool_doctor, tool_run, tool_trace, tool_explain, tool_cache, tool_bench, tool_top;

/* --- text.c --- */

/* Says on standard error what is wrong, and how the command is used. @return MISUSED */
int tool_misuse(const command *of, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "yoke NAME: ..." on standard error. @return FAILED */
int tool_fail(const command *of, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether it is --help; then the usage was printed. */
bool tool_help(const command *of, const char *argument);
/* The value of option `name` at arguments[*at]: in the same word behind '=', or the next word. 1 with *value; 0: it is
 * another argument; -1: the value is missing, which was told. */
int tool_option(const command *of, const char *name, int count, char **arguments, int *at, const char **value);

typedef struct short_text {
    char text[32];
} short_text;

/* "1.5 GiB", "512 KiB", "0 B" */
short_text tool_bytes(double bytes);
/* "1.25 ms" */
short_text tool_time(double ns);
/* "1 core", "2 cores" */
short_text tool_count(unsigned long count, const char *noun);

/* In JSON, with quotes. What is no UTF-8 becomes U+FFFD. */
void tool_json_text(FILE *out, const char *text);
/* In XML: the characters that mean something there are escaped, those that may not be there are left out. */
void tool_xml_text(FILE *out, const char *text);
/* Prints words with a hanging indent, at most 100 columns wide; `column` is where the first one begins. */
void tool_wrap(FILE *out, unsigned column, const char *text);

/* All of a file, with a 0 behind it, to be freed; NULL: it cannot be read, which was told. */
char *tool_read_file(const command *of, const char *path, size_t *bytes);

/* Standard output, or a file that is written beside `path` and takes its name when all of it is there. */
typedef struct sink {
    FILE *out;
    const char *path; /* NULL: standard output */
    char fresh[4096];
} sink;
bool tool_sink_open(const command *of, sink *s, const char *path);
/* Whether all was written; otherwise it was told. */
bool tool_sink_close(const command *of, sink *s);

/* --- system.c: what the library does not tell, read from /proc and /sys under a folder ("" is this machine) --- */

/* The file's first line without its end; false when there is none. */
bool system_line(const char *root, char *line, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool system_has(const char *root, const char *path);
/* The CPU's model; "" when the system does not tell. */
void system_cpu_model(const char *root, char *text, size_t size);

typedef struct system_cache {
    unsigned level;
    char type; /* 'd' data, 'i' instructions, 'u' both */
    uint64_t bytes;
    unsigned threads; /* that share one */
} system_cache;
enum { SYSTEM_CACHES = 8 };
/* Those of one CPU. Returns how many. */
unsigned system_caches(const char *root, unsigned os_cpu, system_cache *caches);
/* Of a NUMA node, in bytes. */
bool system_node_memory(const char *root, unsigned os_node, uint64_t *total, uint64_t *available);

/* --- found.c: what there is and what Yoke would use --- */

enum { FOUND_SETS = 4, FOUND_DEVICES = 64 };

typedef struct found_set {
    const char *name;
    bool there, used;
    char why[160]; /* it is not there, or not used */
} found_set;

typedef struct found_device {
    char name[128], platform[96], driver[64], version[64];
    char why[240]; /* it is not used; "" when it is */
    yoke_device_type type;
    yoke_device_state state;
    bool used;
    bool shares_memory, has_double, is_exact;
    unsigned compute_units;
    int node;
    uint64_t memory_bytes, array_bytes;
} found_device;

typedef struct found_devices {
    char problem[400]; /* none were found, or looking for them failed; "" otherwise */
    int signal;        /* that ended the process which looked for them: a driver crashed; 0: none */
    bool looked;
    unsigned count;
    found_device at[FOUND_DEVICES];
} found_devices;

typedef struct survey {
    yoke_machine *machine;
    bool native; /* it is this machine, not a description */
    char model[128], system[160];
    system_cache caches[SYSTEM_CACHES];
    unsigned cache_count;
    char problem[240]; /* a runtime does not open; "" otherwise */
    unsigned set_count;
    found_set sets[FOUND_SETS];
    found_devices devices;
} survey;

/* Looks at this machine (NULL) or at a description. Before any thread is started: devices are looked for in a process of
 * its own, which a driver may crash. NULL: it failed, which was told. */
survey *found_look(const command *of, const char *description, bool with_devices);
void found_free(survey *f);
/* Different numbers as "0-3, 8" or "0-62 by 2". */
void found_ranges(char *text, size_t size, const unsigned *numbers, size_t count);
const char *found_pin_name(yoke_pin pin);
const char *found_device_type(yoke_device_type type);

/* --- info_json.c, info_svg.c --- */

void info_json(FILE *out, const survey *f);
void info_svg(FILE *out, const survey *f);

#endif
