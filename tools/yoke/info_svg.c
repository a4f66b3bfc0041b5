/* yoke info --svg: boxes within boxes, packages down to hardware threads, in the colours of who is used. */
#include <string.h>

#include "tools/yoke/tool.h"

enum { PACKAGE, NODE, CACHE, CORE, THREAD, LEVELS };
enum { WIDE = 1080, MARGIN = 20, GAP = 6, PAD = 8, HEAD = 18, THREAD_W = 34, THREAD_H = 22 };
enum { LEAST = 350, LINE_H = 17, LETTERS = 7 /* pixels */ };

typedef struct size {
    unsigned w, h;
} size;

typedef struct drawing {
    FILE *out;
    const survey *found;
} drawing;

static unsigned id_of(const yoke_cpu *cpu, unsigned level)
{
    const unsigned ids[] = {cpu->package, cpu->node, cpu->cache, cpu->core, cpu->os_cpu};
    return ids[level];
}

/* The end of the child that begins there: neighbours stand side by side. */
static size_t child_end(const yoke_machine *m, unsigned level, size_t begin, size_t end)
{
    size_t at = begin + 1;
    while (at < end && id_of(&m->cpus[at], level) == id_of(&m->cpus[begin], level))
        at++;
    return at;
}

/* A core shows its threads only where some core has several. */
static bool is_shown_whole(const drawing *d, unsigned level)
{
    const yoke_topology_counts *c = &d->found->machine->topology.machine;
    return level == THREAD || (level == CORE && c->threads == c->cores);
}

/* Room of a box of `level`; where `x` and `y` are given, its content is drawn, too. */
static size place(const drawing *d, unsigned level, size_t begin, size_t end, unsigned x, unsigned y, bool draws);

/* Children from left to right, in as many rows as they need. */
static size flow(const drawing *d, unsigned level, size_t begin, size_t end, unsigned x, unsigned y, bool draws)
{
    const yoke_machine *m = d->found->machine;
    const unsigned most = WIDE - level * 2 * PAD;
    unsigned left = 0, top = 0, row = 0;
    size all = {0, 0};
    for (size_t at = begin, next; at < end; at = next) {
        next = child_end(m, level, at, end);
        const size one = place(d, level, at, next, 0, 0, false);
        if (left > 0 && left + one.w > most) {
            left = 0;
            top += row + GAP;
            row = 0;
        }
        if (draws)
            (void)place(d, level, at, next, x + left, y + top, true);
        left += one.w + GAP;
        row = one.h > row ? one.h : row;
        all.w = left - GAP > all.w ? left - GAP : all.w;
        all.h = top + row;
    }
    return all;
}

static const char *class_of(const yoke_cpu *cpu)
{
    return cpu->worker >= 0 ? "worker" : cpu->usable ? "idle" : "barred";
}

static void draw_thread(const drawing *d, const yoke_cpu *cpu, unsigned x, unsigned y)
{
    fprintf(d->out, "<g class=\"%s\"><title>CPU %u, core %u, NUMA node %u: ", class_of(cpu), cpu->os_cpu, cpu->core,
            cpu->os_node);
    if (cpu->worker >= 0)
        fprintf(d->out, "worker %d", cpu->worker);
    else
        fputs(cpu->usable ? "usable, no worker" : "not usable: affinity mask or cpuset", d->out);
    fprintf(d->out,
            "</title><rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"3\"/>"
            "<text x=\"%u\" y=\"%u\" text-anchor=\"middle\">%u</text></g>\n",
            x, y, THREAD_W, THREAD_H, x + THREAD_W / 2, y + 15, cpu->os_cpu);
}

static void draw_box(const drawing *d, unsigned level, const yoke_cpu *cpu, unsigned x, unsigned y, size box)
{
    static const char *const names[] = {"package", "node", "cache", "core"};
    fprintf(d->out, "<rect class=\"box l%u\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"4\"/>\n", level, x, y,
            box.w, box.h);
    if (level == CORE)
        return;
    fprintf(d->out, "<text class=\"label\" x=\"%u\" y=\"%u\">%s %u</text>\n", x + PAD, y + 13, names[level],
            level == NODE ? cpu->os_node : id_of(cpu, level));
}

static size place(const drawing *d, unsigned level, size_t begin, size_t end, unsigned x, unsigned y, bool draws)
{
    static const unsigned least[] = {84, 66, 66, 0, 0};
    const yoke_cpu *cpu = &d->found->machine->cpus[begin];
    if (is_shown_whole(d, level)) {
        if (draws)
            draw_thread(d, cpu, x, y);
        return (size){THREAD_W, THREAD_H};
    }
    const unsigned pad = level == CORE ? 3 : PAD, head = level == CORE ? 3 : HEAD;
    size box = flow(d, level + 1, begin, end, 0, 0, false);
    box.w += 2 * pad;
    box.w = box.w > least[level] ? box.w : least[level];
    box.h += head + pad;
    if (draws) {
        draw_box(d, level, cpu, x, y, box);
        (void)flow(d, level + 1, begin, end, x + pad, y + head, true);
    }
    return box;
}

static void draw_text(const drawing *d, const char *style, unsigned x, unsigned y, const char *text, unsigned most)
{
    char cut[160];
    const size_t length = strlen(text);
    (void)snprintf(cut, sizeof cut, "%.*s%s", (int)(length > most ? most - 3 : most), text, length > most ? "..." : "");
    fprintf(d->out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", style, x, y);
    tool_xml_text(d->out, cut);
    fputs("</text>\n", d->out);
}

/* Broken at blanks into lines of `w` pixels; d NULL: only measured. How many lines. */
static unsigned wrap_text(const drawing *d, const char *style, unsigned x, unsigned y, const char *text, unsigned w)
{
    const size_t most = w / LETTERS < 150 ? w / LETTERS : 150;
    unsigned lines = 0;
    for (; *text != '\0'; lines++) {
        size_t length = strlen(text);
        if (length > most) {
            length = most;
            while (length > 0 && text[length] != ' ')
                length--;
            length = length > 0 ? length : most;
        }
        char line[256];
        (void)snprintf(line, sizeof line, "%.*s", (int)length, text);
        if (d != NULL)
            draw_text(d, style, x, y + lines * LINE_H, line, sizeof line);
        text += length;
        text += *text == ' ';
    }
    return lines;
}

static void draw_legend(const drawing *d, unsigned y)
{
    static const struct {
        const char *style, *text;
        unsigned x;
    } keys[] = {{"worker", "has a worker", 0}, {"idle", "usable, no worker", 115}, {"barred", "not usable", 255}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        fprintf(d->out, "<g class=\"%s\"><rect x=\"%u\" y=\"%u\" width=\"14\" height=\"14\" rx=\"3\"/></g>\n",
                keys[k].style, MARGIN + keys[k].x, y);
        draw_text(d, "label", MARGIN + keys[k].x + 20, y + 11, keys[k].text, 40);
    }
}

/* What is told of device k, in lines; `draws`: or only measured. The height of its box. */
static unsigned place_device(const drawing *d, unsigned k, unsigned y, unsigned w, bool draws)
{
    const found_device *one = &d->found->devices.at[k];
    const drawing *on = draws ? d : NULL;
    char line[512];
    unsigned at = y + 18;
    (void)snprintf(line, sizeof line, "opencl:%u  %s", k, one->name);
    at += LINE_H * wrap_text(on, one->used ? "onworker" : "value", MARGIN + PAD, at, line, w - 2 * PAD);
    (void)snprintf(line, sizeof line, "%s, %s, %s%s%s", found_device_type(one->type),
                   tool_count(one->compute_units, "unit").text, tool_bytes((double)one->memory_bytes).text,
                   one->used ? "" : "; not used: ", one->used ? "" : one->why);
    at += LINE_H * wrap_text(on, one->used ? "onworker" : "label", MARGIN + PAD, at, line, w - 2 * PAD);
    return at - LINE_H + PAD - y;
}

/* Where the next thing begins. */
static unsigned place_devices(const drawing *d, unsigned y, unsigned w, bool draws)
{
    const found_devices *devices = &d->found->devices;
    for (unsigned k = 0; k < devices->count; k++) {
        const found_device *one = &devices->at[k];
        const unsigned h = place_device(d, k, y, w, false);
        if (draws) {
            fprintf(d->out, "<g class=\"%s\"><title>", one->used ? "worker" : "barred");
            tool_xml_text(d->out, one->used ? "used" : one->why);
            fprintf(d->out, "</title><rect x=\"%d\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"4\"/></g>\n", MARGIN, y, w,
                    h);
            (void)place_device(d, k, y, w, true);
        }
        y += h + GAP;
    }
    return y;
}

/* Explicit colours for both schemes; text keeps a contrast of 4.5 to 1 on all of them. No variables: some viewers know
 * none. */
static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,-apple-system,'DejaVu Sans',sans-serif;fill:#1b1f24}\n"
    ".title{font-size:17px;font-weight:600}\n.label{fill:#57606a}\n.onworker{fill:#ffffff}\n"
    ".paper{fill:#ffffff}\n.box{stroke:#afb8c1;stroke-width:1}\n"
    ".l0{fill:#f6f8fa}\n.l1{fill:#eaeef2}\n.l2{fill:#dfe5eb}\n.l3{fill:none}\n"
    ".worker rect{fill:#0b5cad}\n.worker text{fill:#ffffff;font-weight:600}\n"
    ".idle rect{fill:#bcd8f2}\n.idle text{fill:#10365c}\n"
    ".barred rect{fill:#eceef0;stroke:#afb8c1;stroke-dasharray:3 2}\n.barred text{fill:#57606a}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}\n.label{fill:#9aa7b4}\n.onworker{fill:#06192b}\n.paper{fill:#0f1419}\n"
    ".box{stroke:#3d4855}\n.l0{fill:#161c23}\n.l1{fill:#1c242d}\n.l2{fill:#232d38}\n"
    ".worker rect{fill:#6cb2f5}\n.worker text{fill:#06192b}\n.idle rect{fill:#1d3a57}\n.idle text{fill:#cfe6fb}\n"
    ".barred rect{fill:#20262d;stroke:#3d4855}\n.barred text{fill:#9aa7b4}\n"
    "}\n</style>\n";

static void describe(const survey *f, char *counts, char *workers, size_t bytes)
{
    const yoke_machine *m = f->machine;
    const yoke_topology_counts *c = &m->topology.machine;
    const int length = snprintf(counts, bytes, "%s, %s, %s, ", tool_count(c->packages, "package").text,
                                tool_count(c->nodes, "NUMA node").text, tool_count(c->caches, "last-level cache").text);
    if (length > 0 && (size_t)length < bytes)
        (void)snprintf(counts + length, bytes - (size_t)length, "%s, %s", tool_count(c->cores, "core").text,
                       tool_count(c->threads, "thread").text);
    if (m->topology.quota > 0)
        (void)snprintf(workers, bytes, "%s, %s; quota %.2f CPUs", tool_count(m->workers, "worker").text,
                       found_pin_name(m->pin), m->topology.quota);
    else
        (void)snprintf(workers, bytes, "%s, %s", tool_count(m->workers, "worker").text, found_pin_name(m->pin));
}

void info_svg(FILE *out, const survey *f)
{
    const drawing d = {out, f};
    const size body = flow(&d, PACKAGE, 0, f->machine->cpu_count, 0, 0, false);
    const unsigned w = body.w > LEAST ? body.w : LEAST;
    char counts[256], workers[256];
    describe(f, counts, workers, sizeof counts);
    const unsigned second = 50 + LINE_H * wrap_text(NULL, "", 0, 0, counts, w), top = second + 14;
    const unsigned end = place_devices(&d, top + body.h + 14, w, false);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
            "role=\"img\">\n<title>",
            w + 2 * MARGIN, end + 34, w + 2 * MARGIN, end + 34);
    tool_xml_text(out, f->model);
    fprintf(out, "</title>\n%s<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n", style);
    draw_text(&d, "title", MARGIN, 30, f->model, w / 9);
    (void)wrap_text(&d, "value", MARGIN, 50, counts, w);
    draw_text(&d, "label", MARGIN, second, workers, w / LETTERS);
    (void)flow(&d, PACKAGE, 0, f->machine->cpu_count, MARGIN, top, true);
    draw_legend(&d, place_devices(&d, top + body.h + 14, w, true) + 4);
    fputs("</svg>\n", out);
}
