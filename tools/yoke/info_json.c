/* yoke info --json */
#include "tools/yoke/tool.h"

static const char *truth(bool is)
{
    return is ? "true" : "false";
}

static void text_member(FILE *out, const char *name, const char *text, const char *after)
{
    fprintf(out, "\"%s\": ", name);
    tool_json_text(out, text);
    fputs(after, out);
}

static void put_counts(FILE *out, const char *name, const yoke_topology_counts *c)
{
    fprintf(out, "  \"%s\": {\"packages\": %u, \"nodes\": %u, \"caches\": %u, \"cores\": %u, \"threads\": %u},\n", name,
            c->packages, c->nodes, c->caches, c->cores, c->threads);
}

static void put_cpus(FILE *out, const yoke_machine *m)
{
    fputs("  \"cpus\": [", out);
    for (size_t k = 0; k < m->cpu_count; k++) {
        const yoke_cpu *c = &m->cpus[k];
        fprintf(out,
                "%s\n    {\"os_cpu\": %u, \"os_node\": %u, \"package\": %u, \"node\": %u, \"cache\": %u, \"core\": %u, "
                "\"kind\": %u, \"usable\": %s, \"worker\": ",
                k > 0 ? "," : "", c->os_cpu, c->os_node, c->package, c->node, c->cache, c->core, c->kind,
                truth(c->usable != 0));
        if (c->worker >= 0)
            fprintf(out, "%d}", c->worker);
        else
            fputs("null}", out);
    }
    fputs("\n  ]", out);
}

static void put_caches(FILE *out, const survey *f)
{
    fputs("  \"cache_sizes\": [", out);
    for (unsigned k = 0; k < f->cache_count; k++) {
        const system_cache *c = &f->caches[k];
        fprintf(out, "%s\n    {\"level\": %u, \"type\": \"%s\", \"bytes\": %llu, \"threads\": %u}", k > 0 ? "," : "",
                c->level,
                c->type == 'd'   ? "data"
                : c->type == 'i' ? "instruction"
                                 : "unified",
                (unsigned long long)c->bytes, c->threads);
    }
    fputs("\n  ],\n", out);
}

static void put_sets(FILE *out, const survey *f)
{
    fputs("  \"instruction_sets\": [", out);
    for (unsigned k = 0; k < f->set_count; k++) {
        fprintf(out, "%s\n    {", k > 0 ? "," : "");
        text_member(out, "name", f->sets[k].name, ", ");
        fprintf(out, "\"available\": %s, \"used\": %s, ", truth(f->sets[k].there), truth(f->sets[k].used));
        text_member(out, "why", f->sets[k].why, "}");
    }
    fputs("\n  ],\n", out);
}

static void put_device(FILE *out, const found_device *d, unsigned k)
{
    static const char *const states[] = {"?", "ready", "refused", "lost"};
    fprintf(out, "%s\n    {\"number\": %u, ", k > 0 ? "," : "", k);
    text_member(out, "name", d->name, ", ");
    text_member(out, "platform", d->platform, ", ");
    text_member(out, "driver", d->driver, ", ");
    text_member(out, "version", d->version, ", ");
    fprintf(out, "\"type\": \"%s\", \"state\": \"%s\", \"used\": %s, ", found_device_type(d->type), states[d->state],
            truth(d->used));
    text_member(out, "why", d->why, ", ");
    fprintf(out, "\"compute_units\": %u, \"memory_bytes\": %llu, \"array_bytes\": %llu, ", d->compute_units,
            (unsigned long long)d->memory_bytes, (unsigned long long)d->array_bytes);
    fprintf(out, "\"shares_memory\": %s, \"has_double\": %s, \"is_exact\": %s, \"node\": ", truth(d->shares_memory),
            truth(d->has_double), truth(d->is_exact));
    if (d->node >= 0)
        fprintf(out, "%d}", d->node);
    else
        fputs("null}", out);
}

void info_json(FILE *out, const survey *f)
{
    const yoke_machine *m = f->machine;
    fputs("{\n  ", out);
    text_member(out, "yoke", yoke_version(), ",\n  ");
    text_member(out, "model", f->model, ",\n  ");
    text_member(out, "system", f->system, ",\n  ");
    text_member(out, "problem", f->problem, ",\n");
    put_counts(out, "machine", &m->topology.machine);
    put_counts(out, "usable", &m->topology.usable);
    if (m->topology.quota > 0)
        fprintf(out, "  \"quota\": %.6g,\n", m->topology.quota);
    else
        fputs("  \"quota\": null,\n", out);
    fprintf(out, "  \"workers\": %u,\n  \"pin\": \"%s\",\n", m->workers, found_pin_name(m->pin));
    put_caches(out, f);
    put_sets(out, f);
    fprintf(out, "  \"devices_looked_for\": %s,\n  ", truth(f->devices.looked));
    text_member(out, "devices_problem", f->devices.problem, ",\n");
    fputs("  \"devices\": [", out);
    for (unsigned k = 0; k < f->devices.count; k++)
        put_device(out, &f->devices.at[k], k);
    fputs("\n  ],\n", out);
    put_cpus(out, m);
    fputs("\n}\n", out);
}
