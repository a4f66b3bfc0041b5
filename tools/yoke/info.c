/* yoke info: the machine, what Yoke would use of it, and why not the rest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/yoke/tool.h"

enum { LABEL = 10, NOTE = 12, LIST_BYTES = 2048 };

static void print_label(const char *label)
{
    printf("%-*s", LABEL, label);
}

/* --- the machine --- */

static void print_counts(const char *label, const yoke_topology_counts *c)
{
    print_label(label);
    printf("%8u %8u %8u %8u %8u\n", c->packages, c->nodes, c->caches, c->cores, c->threads);
}

static void print_caches(const survey *f)
{
    const unsigned smt = f->machine->topology.machine.threads / f->machine->topology.machine.cores;
    char text[512];
    size_t used = 0;
    for (unsigned k = 0; k < f->cache_count && used < sizeof text; k++) {
        const system_cache *c = &f->caches[k];
        const unsigned cores = smt > 0 ? (c->threads + smt - 1) / smt : c->threads;
        used += (size_t)snprintf(text + used, sizeof text - used, "%sL%u%s %s ", k > 0 ? ", " : "", c->level,
                                 c->type == 'd'   ? "d"
                                 : c->type == 'i' ? "i"
                                                  : "",
                                 tool_bytes((double)c->bytes).text);
        used += (size_t)snprintf(text + used, used < sizeof text ? sizeof text - used : 0,
                                 cores > 1 ? "for %u cores" : "a core", cores);
    }
    if (f->cache_count == 0)
        return;
    print_label("caches");
    tool_wrap(stdout, LABEL, text);
}

/* The nodes by the system's number, each once. */
static size_t list_nodes(const survey *f, unsigned *nodes, size_t most)
{
    size_t count = 0;
    for (size_t k = 0; k < f->machine->cpu_count; k++) {
        size_t at = 0;
        while (at < count && nodes[at] != f->machine->cpus[k].os_node)
            at++;
        if (at == count && count < most)
            nodes[count++] = f->machine->cpus[k].os_node;
    }
    return count;
}

static void print_memory(const survey *f)
{
    unsigned nodes[64];
    const size_t count = list_nodes(f, nodes, sizeof nodes / sizeof *nodes);
    for (size_t k = 0; k < count && f->native; k++) {
        uint64_t total, available;
        if (!system_node_memory("", nodes[k], &total, &available))
            continue;
        print_label(k == 0 ? "memory" : "");
        printf("node %u: %s", nodes[k], tool_bytes((double)total).text);
        printf(", %s available\n", tool_bytes((double)available).text);
    }
}

/* --- what Yoke would use --- */

/* CPUs for which `wanted` holds, as ranges; returns how many. */
static size_t cpus_that(const survey *f, bool (*wanted)(const yoke_cpu *), char *text)
{
    unsigned *numbers = malloc((f->machine->cpu_count + 1) * sizeof *numbers);
    size_t count = 0;
    for (size_t k = 0; k < f->machine->cpu_count && numbers != NULL; k++)
        if (wanted(&f->machine->cpus[k]))
            numbers[count++] = f->machine->cpus[k].os_cpu;
    text[0] = '\0';
    if (numbers != NULL)
        found_ranges(text, LIST_BYTES, numbers, count);
    free(numbers);
    return count;
}

static bool has_worker(const yoke_cpu *cpu)
{
    return cpu->worker >= 0;
}

static bool is_forbidden(const yoke_cpu *cpu)
{
    return !cpu->usable;
}

static bool is_idle(const yoke_cpu *cpu)
{
    return cpu->usable && cpu->worker < 0;
}

static void print_note(const char *text)
{
    printf("%*s", NOTE, "");
    tool_wrap(stdout, NOTE, text);
}

static void print_workers(const survey *f)
{
    const yoke_machine *m = f->machine;
    char list[LIST_BYTES], text[LIST_BYTES + 256];
    const size_t count = cpus_that(f, has_worker, list);
    print_label("workers");
    (void)snprintf(text, sizeof text, "%u%s%s%s", m->workers,
                   m->workers == 1 ? ": the caller alone; the core kept free for it is that of CPU "
                   : count > 0     ? ", one per core, on CPU "
                                   : "",
                   list,
                   m->pin == YOKE_PIN_NONE      ? ", not pinned (YOKE_PIN=none)"
                   : m->pin == YOKE_PIN_NUMA    ? ", anywhere on their nodes in turn (YOKE_PIN=numa)"
                   : count == 0                 ? ""
                   : m->pin == YOKE_PIN_SCATTER ? " (scatter)"
                                                : " (compact)");
    tool_wrap(stdout, LABEL, text);
}

static void print_left_out(const survey *f)
{
    const yoke_machine *m = f->machine;
    const yoke_topology *t = &m->topology;
    char list[LIST_BYTES], text[LIST_BYTES + 256];
    if (cpus_that(f, is_forbidden, list) > 0) {
        (void)snprintf(text, sizeof text, "not CPU %s: outside of this process's affinity mask or cpuset", list);
        print_note(text);
    }
    if (t->usable.cores > m->workers) {
        const bool quota =
            t->quota > 0 && ceil(t->quota) < (double)t->usable.cores && (unsigned)ceil(t->quota) == m->workers;
        (void)snprintf(text, sizeof text,
                       quota ? "not %u of the cores: control groups allow %.2f CPUs' worth of time"
                             : "not %u of the cores: YOKE_WORKERS says so",
                       t->usable.cores - m->workers, t->quota);
        print_note(text);
    }
    if (t->usable.threads > t->usable.cores && m->workers <= t->usable.cores && m->pin != YOKE_PIN_NONE &&
        m->pin != YOKE_PIN_NUMA && cpus_that(f, is_idle, list) > 0 && t->usable.cores == m->workers) {
        (void)snprintf(text, sizeof text,
                       "not CPU %s: the other hyperthreads of cores that have a worker, whose units they share", list);
        print_note(text);
    }
    if (m->workers > t->usable.cores)
        print_note("more workers than cores (YOKE_WORKERS): some share one");
}

static void print_sets(const survey *f)
{
    for (unsigned k = 0; k < f->set_count; k++) {
        const found_set *set = &f->sets[k];
        print_label(k == 0 ? "sets" : "");
        printf("%-9s ", set->name);
        tool_wrap(stdout, LABEL + 10, set->used ? "used" : set->why);
    }
}

static void print_device(const found_device *d, unsigned k)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "%u  %s, %s, %s%s, %s %s", k, d->name[0] != '\0' ? d->name : "(no name)",
                   found_device_type(d->type), tool_count(d->compute_units, "unit").text,
                   d->has_double ? "" : ", no double", tool_bytes((double)d->memory_bytes).text,
                   d->shares_memory ? "shared with the host" : "of its own");
    print_label(k == 0 ? "devices" : "");
    tool_wrap(stdout, LABEL + 3, text);
    (void)snprintf(text, sizeof text, "%s %s, %s", d->platform, d->driver, d->version);
    printf("%*s", LABEL + 3, "");
    tool_wrap(stdout, LABEL + 3, text);
    (void)snprintf(text, sizeof text, "%s%s", d->used ? "used" : "not used: ", d->used ? "" : d->why);
    printf("%*s", LABEL + 3, "");
    tool_wrap(stdout, LABEL + 3, text);
}

static void print_devices(const survey *f)
{
    const found_devices *devices = &f->devices;
    for (unsigned k = 0; k < devices->count; k++)
        print_device(&devices->at[k], k);
    if (devices->count == 0 || devices->problem[0] != '\0') {
        print_label(devices->count == 0 ? "devices" : "");
        tool_wrap(stdout, LABEL,
                  devices->problem[0] != '\0' ? devices->problem
                  : devices->looked           ? "none"
                                              : "not looked for");
    }
}

static void print_text(const survey *f)
{
    const yoke_topology *t = &f->machine->topology;
    print_label("machine");
    tool_wrap(stdout, LABEL, f->model[0] != '\0' ? f->model : "(the system does not tell its CPU)");
    if (f->native) {
        print_label("");
        tool_wrap(stdout, LABEL, f->system);
    }
    printf("%*s%8s %8s %8s %8s %8s\n", LABEL, "", "packages", "nodes", "caches", "cores", "threads");
    print_counts("  all", &t->machine);
    print_counts("  usable", &t->usable);
    print_caches(f);
    print_memory(f);
    if (f->native) {
        print_label("quota");
        if (t->quota > 0)
            printf("%.2f CPUs\n", t->quota);
        else
            puts("none");
    }
    puts("\nYoke would use");
    if (f->problem[0] != '\0') {
        print_label("problem");
        tool_wrap(stdout, LABEL, f->problem);
    }
    print_workers(f);
    print_left_out(f);
    if (!f->native)
        return;
    print_sets(f);
    print_devices(f);
}

/* --- command --- */

typedef struct arguments {
    bool json, svg, no_devices;
    const char *machine, *output;
} arguments;

/* DONE, or another status and the command ends. */
static int read_arguments(int count, char **words, arguments *a)
{
    for (int k = 1; k < count; k++) {
        int is = tool_option(&tool_info, "--machine", count, words, &k, &a->machine);
        if (is == 0)
            is = tool_option(&tool_info, "-o", count, words, &k, &a->output);
        if (is < 0)
            return MISUSED;
        if (is > 0)
            continue;
        if (strcmp(words[k], "--json") == 0)
            a->json = true;
        else if (strcmp(words[k], "--svg") == 0)
            a->svg = true;
        else if (strcmp(words[k], "--no-devices") == 0)
            a->no_devices = true;
        else
            return tool_misuse(&tool_info, "unknown argument '%s'", words[k]);
    }
    if (a->json && a->svg)
        return tool_misuse(&tool_info, "--json and --svg exclude each other");
    if (a->output != NULL && !a->json && !a->svg)
        return tool_misuse(&tool_info, "-o needs --json or --svg");
    return DONE;
}

static int run(int count, char **words)
{
    arguments a = {0};
    if (count > 1 && tool_help(&tool_info, words[1]))
        return DONE;
    const int status = read_arguments(count, words, &a);
    if (status != DONE)
        return status;
    survey *f = found_look(&tool_info, a.machine, !a.no_devices);
    sink s;
    if (f == NULL || !tool_sink_open(&tool_info, &s, a.output)) {
        found_free(f);
        return FAILED;
    }
    if (a.json)
        info_json(s.out, f);
    else if (a.svg)
        info_svg(s.out, f);
    else
        print_text(f);
    found_free(f);
    return tool_sink_close(&tool_info, &s) ? DONE : FAILED;
}

const command tool_info = {
    "info", "what this machine has, what Yoke would use of it, and why not the rest",
    "[--json | --svg] [-o FILE] [--no-devices] [--machine DESCRIPTION]\n\n"
    "  --json         as JSON\n"
    "  --svg          as a picture\n"
    "  -o FILE        write there\n"
    "  --no-devices   do not look for OpenCL devices\n"
    "  --machine DESCRIPTION\n"
    "                 another machine: \"pack:2 numa:4 core:16 pu:2\", or an XML file of lstopo\n\n"
    "YOKE_WORKERS, YOKE_PIN, YOKE_ISA and YOKE_DEVICES are obeyed, so that it shows what a program would get.\n",
    run};
