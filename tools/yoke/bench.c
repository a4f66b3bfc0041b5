/* yoke bench: what this machine gives: bandwidth, latency, peak, and the price of a call, by place. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <yoke/kernels.h>
#include <yoke/yoke.h>

#include "tools/yoke/tool.h"

/* Eight chains of sixteen steps: enough of them to hide how long one multiply-add takes. */
#define STEP8                                                                                                \
    a = a * m + c, b = b * m + c, d = d * m + c, e = e * m + c, f = f * m + c, g = g * m + c, h = h * m + c, \
    j = j * m + c
#define STEP32 STEP8, STEP8, STEP8, STEP8
enum { FLOPS = 2 * 8 * 16 };

YOKE_KERNEL(tool_peak, (inout(float, x), value(float, m), value(float, c)), {
    float a = x[i], b = a + 1, d = a + 2, e = a + 3, f = a + 4, g = a + 5, h = a + 6, j = a + 7;
    STEP32, STEP32, STEP32, STEP32;
    x[i] = a + b + d + e + f + g + h + j;
})
YOKE_KERNEL(tool_dpeak, (inout(double, x), value(double, m), value(double, c)), {
    double a = x[i], b = a + 1, d = a + 2, e = a + 3, f = a + 4, g = a + 5, h = a + 6, j = a + 7;
    STEP32, STEP32, STEP32, STEP32;
    x[i] = a + b + d + e + f + g + h + j;
})

YOKE_KERNEL(tool_fill, (out(float, x), value(float, v)), { x[i] = v; })

enum { PLACES = 10, ROUNDS = 400, PEAK_ITEMS = 1 << 14, CALL_ITEMS = 4096, LINE = 64 };

/* Rows of the table. */
typedef enum measure { READ, COPY, TRIAD, PEAK, DPEAK, CALL, UPLOAD, DOWNLOAD, MEASURES } measure;
static const struct {
    const char *name, *unit, *json;
} measures[MEASURES] = {{"read", "GB/s", "read_gb_per_s"},
                        {"copy", "GB/s", "copy_gb_per_s"},
                        {"triad", "GB/s", "triad_gb_per_s"},
                        {"peak, float", "GFLOP/s", "float_gflop_per_s"},
                        {"peak, double", "GFLOP/s", "double_gflop_per_s"},
                        {"a call", "us", "call_us"},
                        {"to the device", "GB/s", "to_device_gb_per_s"},
                        {"from the device", "GB/s", "from_device_gb_per_s"}};

typedef struct place {
    char name[32], what[128];
    yoke_runtime *runtime;
    yoke_options options;
    bool is_device, has_double, shares_memory;
    unsigned device;
    double found[MEASURES]; /* 0: not measured */
    char problem[200];
} place;

typedef struct bench {
    place places[PLACES];
    unsigned count;
    size_t items; /* floats of an array beyond the caches */
    float *x, *y, *z;
    double *peak;
    double budget_ns; /* of a measurement */
    struct {
        char name[16];
        size_t bytes;
        double ns;
    } latency[SYSTEM_CACHES + 1];
    unsigned latencies;
} bench;

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- one call of each --- */

typedef int (*attempt)(bench *b, const place *p);

static int once_read(bench *b, const place *p)
{
    float sum;
    return parallel_reduce_on(p->runtime, &p->options, yoke_sum, b->items, &sum, b->x);
}

static int once_copy(bench *b, const place *p)
{
    return parallel_map_on(p->runtime, &p->options, yoke_copy, b->items, b->y, b->x);
}

static int once_triad(bench *b, const place *p)
{
    return parallel_map_on(p->runtime, &p->options, yoke_triad, b->items, b->z, b->x, b->y, 3.0f);
}

static size_t peak_items(const place *p)
{
    return p->is_device ? (size_t)PEAK_ITEMS * 64 : (size_t)PEAK_ITEMS * p->options.workers;
}

static int once_peak(bench *b, const place *p)
{
    return parallel_map_on(p->runtime, &p->options, tool_peak, peak_items(p), (float *)b->peak, 0.999f, 0.001f);
}

static int once_dpeak(bench *b, const place *p)
{
    return parallel_map_on(p->runtime, &p->options, tool_dpeak, peak_items(p), b->peak, 0.999, 0.001);
}

static int once_call(bench *b, const place *p)
{
    return parallel_map_on(p->runtime, &p->options, yoke_scale, CALL_ITEMS, b->y, b->x, 2.0f);
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Median time of a call, in ns; 0: it failed, and p->problem says why. */
static double median_ns(bench *b, place *p, attempt once)
{
    double times[ROUNDS];
    unsigned count = 0;
    for (unsigned warm = 0; warm < 3; warm++)
        if (once(b, p) != YOKE_OK) {
            (void)snprintf(p->problem, sizeof p->problem, "%s", yoke_error_detail());
            return 0;
        }
    for (const double until = now_ns() + b->budget_ns; count < ROUNDS && (count < 3 || now_ns() < until); count++) {
        const double start = now_ns();
        if (once(b, p) != YOKE_OK)
            return 0;
        times[count] = now_ns() - start;
    }
    qsort(times, count, sizeof *times, by_value);
    return times[count / 2];
}

/* --- what is measured --- */

/* Units of the result: bytes or operations by nanosecond are billions by second. */
static double rate(double amount, double ns)
{
    return ns > 0 ? amount / ns : 0;
}

/* Managed arrays move when the host has touched them: a call then brings them, and a read brings them back. */
static void measure_transfers(bench *b, place *p)
{
    const double bytes = (double)b->items * sizeof *b->x;
    double to = 0, from = 0;
    for (unsigned k = 0; k < 5; k++) {
        (void)yoke_write(b->x);
        double start = now_ns();
        if (once_read(b, p) != YOKE_OK)
            return;
        const double with = now_ns() - start;
        start = now_ns();
        (void)once_read(b, p);
        const double without = now_ns() - start;
        to = with > without && rate(bytes, with - without) > to ? rate(bytes, with - without) : to;
        (void)once_copy(b, p);
        start = now_ns();
        (void)yoke_read(b->y);
        const double back = rate(bytes, now_ns() - start);
        from = back > from ? back : from;
    }
    p->found[UPLOAD] = to;
    p->found[DOWNLOAD] = from;
}

static void measure_place(bench *b, place *p)
{
    const double bytes = (double)b->items * sizeof *b->x;
    const double operations = (double)FLOPS * (double)peak_items(p);
    p->found[READ] = rate(bytes, median_ns(b, p, once_read));
    p->found[COPY] = rate(2 * bytes, median_ns(b, p, once_copy));
    p->found[TRIAD] = rate(3 * bytes, median_ns(b, p, once_triad));
    p->found[PEAK] = rate(operations, median_ns(b, p, once_peak));
    if (p->has_double)
        p->found[DPEAK] = rate(operations, median_ns(b, p, once_dpeak));
    p->found[CALL] = median_ns(b, p, once_call) / 1000;
    if (p->is_device && !p->shares_memory)
        measure_transfers(b, p);
}

/* --- latency --- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One cycle through all lines, in an order that no prefetcher knows: each load needs the one before. */
static double chase_ns(size_t bytes, double budget_ns)
{
    const size_t lines = bytes / LINE, stride = LINE / sizeof(uint32_t);
    uint32_t *next = yoke_alloc(lines * LINE, YOKE_PLACE_LOCAL);
    uint64_t state = 1;
    if (next == NULL || lines < 2)
        return 0;
    for (size_t k = 0; k < lines; k++)
        next[k * stride] = (uint32_t)k;
    for (size_t k = lines - 1; k > 0; k--) { /* Sattolo's shuffle makes one cycle */
        const size_t other = draw(&state) % k;
        const uint32_t kept = next[k * stride];
        next[k * stride] = next[other * stride];
        next[other * stride] = kept;
    }
    volatile uint32_t end;
    uint32_t at = 0;
    unsigned long steps = 0;
    for (size_t k = 0; k < lines && k < 1000000; k++)
        at = next[(size_t)at * stride];
    const double start = now_ns();
    double now;
    do {
        for (unsigned k = 0; k < 4096; k++)
            at = next[(size_t)at * stride];
        steps += 4096;
        now = now_ns();
    } while (now - start < budget_ns);
    end = at;
    (void)end;
    (void)yoke_free(next);
    return (now - start) / (double)steps;
}

static void measure_latency(bench *b, const system_cache *caches, unsigned count, bool quick)
{
    size_t largest = (size_t)4 << 20;
    for (unsigned k = 0; k < count; k++) {
        if (caches[k].type == 'i')
            continue;
        const unsigned at = b->latencies++;
        (void)snprintf(b->latency[at].name, sizeof b->latency[at].name, "L%u", caches[k].level);
        b->latency[at].bytes = (size_t)caches[k].bytes / 2;
        largest = caches[k].bytes > largest ? (size_t)caches[k].bytes : largest;
    }
    const unsigned at = b->latencies++;
    (void)snprintf(b->latency[at].name, sizeof b->latency[at].name, "memory");
    b->latency[at].bytes = quick ? largest : largest > ((size_t)64 << 20) ? 4 * largest : (size_t)256 << 20;
    for (unsigned k = 0; k < b->latencies; k++)
        b->latency[k].ns = chase_ns(b->latency[k].bytes, b->budget_ns / 2);
}

/* --- places --- */

static place *add_place(bench *b, const char *name, yoke_runtime *runtime)
{
    place *p = &b->places[b->count++];
    *p = (place){.runtime = runtime, .has_double = true};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

static bool add_workers(bench *b)
{
    yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.devices = "cpu"});
    if (runtime == NULL)
        return false;
    const int workers = yoke_workers(runtime);
    add_place(b, "one core", runtime)->options = (yoke_options){.workers = 1};
    if (workers > 1)
        add_place(b, tool_count((unsigned long)workers, "worker").text, runtime)->options =
            (yoke_options){.workers = (unsigned)workers, .flags = YOKE_ALWAYS_DIVIDE};
    return true;
}

/* Each device that is ready, in a runtime that uses nothing else. */
static void add_devices(bench *b, const found_devices *devices, bool all)
{
    for (unsigned k = 0; k < devices->count && b->count < PLACES; k++) {
        const found_device *d = &devices->at[k];
        char name[32];
        (void)snprintf(name, sizeof name, "opencl:%u", k);
        if (d->state != YOKE_DEVICE_READY || (!d->used && !all))
            continue;
        yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = name});
        place *p = add_place(b, name, runtime);
        p->is_device = true;
        p->has_double = d->has_double;
        p->shares_memory = d->shares_memory;
        p->device = k;
        p->options.workers = 1;
        (void)snprintf(p->what, sizeof p->what, "%s", d->name);
        if (runtime == NULL)
            (void)snprintf(p->problem, sizeof p->problem, "%s", yoke_error_detail());
    }
}

/* Beyond all last-level caches together, but no more than a tenth of the memory for all of them. */
static size_t array_bytes(const survey *f, bool quick)
{
    size_t bytes = (size_t)64 << 20, largest = 0;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (quick)
        return (size_t)4 << 20;
    for (unsigned k = 0; k < f->cache_count; k++)
        largest = f->caches[k].bytes > largest ? (size_t)f->caches[k].bytes : largest;
    largest *= f->machine->topology.machine.caches;
    bytes = 2 * largest > bytes ? 2 * largest : bytes;
    const size_t most = pages > 0 && page > 0 ? (size_t)pages / 32 * (size_t)page : bytes;
    return bytes < most ? bytes : most;
}

static int fill(bench *b, size_t peak)
{
    yoke_runtime *runtime = b->places[0].runtime;
    int status = parallel_map_on(runtime, NULL, tool_fill, b->items, b->x, 1.0f);
    if (status == YOKE_OK)
        status = parallel_map_on(runtime, NULL, tool_fill, b->items, b->y, 1.0f);
    if (status == YOKE_OK)
        status = parallel_map_on(runtime, NULL, tool_fill, b->items, b->z, 1.0f);
    for (size_t k = 0; k < peak; k++)
        b->peak[k] = 1;
    return status;
}

static bool make_arrays(bench *b, const survey *f, bool quick)
{
    yoke_runtime *runtime = b->places[0].runtime;
    const size_t bytes = array_bytes(f, quick);
    const unsigned workers = b->places[b->count - 1].options.workers;
    const size_t peak = (size_t)PEAK_ITEMS * (workers > 64 ? workers : 64);
    b->items = bytes / sizeof *b->x;
    b->x = yoke_alloc_on(runtime, bytes, YOKE_PLACE_PARTITION);
    b->y = yoke_alloc_on(runtime, bytes, YOKE_PLACE_PARTITION);
    b->z = yoke_alloc_on(runtime, bytes, YOKE_PLACE_PARTITION);
    b->peak = yoke_alloc_on(runtime, peak * sizeof *b->peak, YOKE_PLACE_PARTITION);
    return b->x != NULL && b->y != NULL && b->z != NULL && b->peak != NULL && fill(b, peak) == YOKE_OK;
}

static void free_all(bench *b)
{
    for (unsigned k = 0; k < b->count; k++)
        if (k == 0 || b->places[k].runtime != b->places[k - 1].runtime)
            (void)yoke_close(b->places[k].runtime);
    (void)yoke_free(b->x);
    (void)yoke_free(b->y);
    (void)yoke_free(b->z);
    (void)yoke_free(b->peak);
}

/* --- output --- */

static void print_table(const bench *b)
{
    printf("%-24s", "");
    for (unsigned k = 0; k < b->count; k++)
        printf(" %12s", b->places[k].name);
    putchar('\n');
    for (unsigned m = 0; m < MEASURES; m++) {
        bool any = false;
        for (unsigned k = 0; k < b->count; k++)
            any |= b->places[k].found[m] > 0;
        if (!any)
            continue;
        printf("%-15s %8s", measures[m].name, measures[m].unit);
        for (unsigned k = 0; k < b->count; k++) {
            const double value = b->places[k].found[m];
            if (value > 0)
                printf(" %12.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
            else
                printf(" %12s", "-");
        }
        putchar('\n');
    }
    puts("");
    for (unsigned k = 0; k < b->latencies; k++)
        printf("latency %-7s %8s %12.1f   %s\n", b->latency[k].name, "ns", b->latency[k].ns,
               tool_bytes((double)b->latency[k].bytes).text);
    for (unsigned k = 0; k < b->count; k++) {
        if (b->places[k].what[0] != '\0')
            printf("\n%s: %.80s\n", b->places[k].name, b->places[k].what);
        if (b->places[k].problem[0] != '\0')
            printf("%s: %.200s\n", b->places[k].name, b->places[k].problem);
    }
    printf(
        "\nMedians over arrays of %s. Bandwidth counts what a loop reads and writes;\na call is a map of %d items.\n",
        tool_bytes((double)b->items * sizeof(float)).text, CALL_ITEMS);
}

static void print_json(const bench *b)
{
    printf("{\n  \"array_bytes\": %zu,\n  \"places\": [", b->items * sizeof(float));
    for (unsigned k = 0; k < b->count; k++) {
        const place *p = &b->places[k];
        printf("%s\n    {\"name\": ", k > 0 ? "," : "");
        tool_json_text(stdout, p->name);
        for (unsigned m = 0; m < MEASURES; m++) {
            printf(", \"%s\": ", measures[m].json);
            if (p->found[m] > 0)
                printf("%.6g", p->found[m]);
            else
                printf("null");
        }
        printf(", \"problem\": ");
        tool_json_text(stdout, p->problem);
        putchar('}');
    }
    printf("\n  ],\n  \"latency\": [");
    for (unsigned k = 0; k < b->latencies; k++)
        printf("%s\n    {\"level\": \"%s\", \"bytes\": %zu, \"ns\": %.4g}", k > 0 ? "," : "", b->latency[k].name,
               b->latency[k].bytes, b->latency[k].ns);
    puts("\n  ]\n}");
}

/* --- command --- */

static int measure_all(bench *b, const survey *f, bool quick, bool all, bool json)
{
    if (!add_workers(b) || !make_arrays(b, f, quick))
        return tool_fail(&tool_bench, "%s", yoke_error_detail());
    add_devices(b, &f->devices, all);
    for (unsigned k = 0; k < b->count; k++)
        if (b->places[k].runtime != NULL)
            measure_place(b, &b->places[k]);
    measure_latency(b, f->caches, quick && f->cache_count > 1 ? 1 : f->cache_count, quick);
    if (json)
        print_json(b);
    else
        print_table(b);
    sink s = {.out = stdout};
    return tool_sink_close(&tool_bench, &s) ? DONE : FAILED;
}

static int run(int count, char **words)
{
    bool quick = false, all = false, json = false;
    for (int k = 1; k < count; k++) {
        if (tool_help(&tool_bench, words[k]))
            return DONE;
        if (strcmp(words[k], "--quick") == 0)
            quick = true;
        else if (strcmp(words[k], "--all-devices") == 0)
            all = true;
        else if (strcmp(words[k], "--json") == 0)
            json = true;
        else
            return tool_misuse(&tool_bench, "unknown argument '%s'", words[k]);
    }
    survey *f = found_look(&tool_bench, NULL, true);
    bench *b = calloc(1, sizeof *b);
    int status = FAILED;
    if (f != NULL && b != NULL) {
        b->budget_ns = quick ? 5e6 : 300e6;
        status = measure_all(b, f, quick, all, json);
        free_all(b);
    }
    free(b);
    found_free(f);
    return status;
}

const command tool_bench = {"bench", "what this machine gives: bandwidth, latency, peak, the price of a call",
                            "[--quick] [--all-devices] [--json]\n\n"
                            "  --quick         small arrays and few rounds, to see that it works\n"
                            "  --all-devices   those, too, that programs use only when they are named (PoCL)\n"
                            "  --json          as JSON\n\n"
                            "Takes some seconds, during which nothing else should run.\n",
                            run};
