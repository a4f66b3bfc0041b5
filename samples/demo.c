/* What Yoke finds on this machine, and what it makes of the samples' work: each result is timed against a plain serial
 * loop, and checked against it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/picture.h"
#include "common/sample.h"
#include "common/works.h"
#include "yoke/yoke.h"

/* --- what there is --- */

static void print_counts(const char *what, const yoke_topology_counts *c)
{
    printf("  %-9s %u package%s, %u NUMA node%s, %u last-level cache%s, %u core%s, %u hardware thread%s\n", what,
           c->packages, c->packages == 1 ? "" : "s", c->nodes, c->nodes == 1 ? "" : "s", c->caches,
           c->caches == 1 ? "" : "s", c->cores, c->cores == 1 ? "" : "s", c->threads, c->threads == 1 ? "" : "s");
}

static void print_workers(void)
{
    enum { SHOWN = 16 };
    const int workers = yoke_workers(NULL);
    must(workers < 0 ? workers : 0);
    printf("  workers   %d with %s\n", workers, yoke_isa(NULL));
    for (int k = 0; k < workers && k < SHOWN; k++) {
        yoke_worker_place place;
        must(yoke_worker_place_of(NULL, (unsigned)k, &place));
        printf("            %2d: ", k);
        if (!place.pinned)
            printf("anywhere");
        else if (place.whole_node)
            printf("node %u, package %u", place.node, place.package);
        else
            printf("CPU %u (core %u, cache %u, node %u, package %u)", place.os_cpu, place.core, place.cache, place.node,
                   place.package);
        puts(k == 0 ? ", kept free for the caller" : "");
    }
    if (workers > SHOWN)
        printf("            and %d more\n", workers - SHOWN);
}

static void print_devices(void)
{
    static const char *const types[] = {"", "CPU", "GPU", "accelerator"};
    const int devices = yoke_devices(NULL);
    must(devices < 0 ? devices : 0);
    printf("  devices   %s\n", devices == 0 ? "none besides the workers" : "");
    for (int k = 0; k < devices; k++) {
        yoke_device d;
        must(yoke_device_of(NULL, (unsigned)k, &d));
        const char *state =
            d.state == YOKE_DEVICE_READY ? d.in_use ? "in use" : "not in use: name it in YOKE_DEVICES" : d.reason;
        printf("            opencl:%d  %s (%s), %.1f GB, %s\n", k, d.name, types[d.type], (double)d.memory_bytes / 1e9,
               state);
    }
}

static void print_machine(void)
{
    yoke_topology t;
    must(yoke_topology_of(NULL, &t));
    printf("Yoke %s finds\n", yoke_version());
    print_counts("machine", &t.machine);
    print_counts("usable", &t.usable);
    if (t.quota > 0)
        printf("  quota     %.2f CPUs\n", t.quota);
    else
        printf("  quota     none\n");
    print_workers();
    print_devices();
}

/* --- the table --- */

static double best_of(void (*run)(void), int times)
{
    double best = INFINITY;
    for (int k = 0; k < times; k++) {
        const double start = seconds();
        run();
        best = fmin(best, seconds() - start);
    }
    return best;
}

/* Where the last map ran. */
static const char *place_of_last(void)
{
    static char text[32];
    yoke_decision decision;
    if (yoke_last_decision(&decision) != 0 || decision.device < 0 || decision.device_items == 0)
        return "workers";
    snprintf(text, sizeof text, "opencl:%d%s", decision.device,
             decision.device_items < decision.items ? " and workers" : "");
    return text;
}

static int run_work(const work *w)
{
    const double serial = best_of(w->serial, 2), parallel = best_of(w->parallel, 5);
    const char *place = place_of_last();
    const double wrong = w->differs();
    printf("%-14s %-24s %10.2f %10.2f %9.3g %-10s %7.1f x  %-9s %s\n", w->name, w->size, 1e3 * serial, 1e3 * parallel,
           w->amount / parallel / 1e9, w->unit, serial / parallel, place, wrong <= 1.0 ? "ok" : "WRONG");
    fflush(stdout);
    return wrong <= 1.0 ? 0 : 1;
}

static int run_works(const work works[WORKS])
{
    printf("\n%-14s %-24s %10s %10s %20s %9s  %s\n", "work", "size", "serial ms", "Yoke ms", "throughput", "speed-up",
           "ran on");
    int wrong = 0;
    for (int k = 0; k < WORKS; k++)
        wrong += run_work(&works[k]);
    return wrong;
}

/* Makes the folder, and those above it. */
static void make_folder(const char *folder)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path - 32)
        fail("the folder's name is too long");
    for (char *at = path + 1;; at++) {
        const char was = *at;
        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            fail("%s cannot be made: %s", path, strerror(errno));
        *at = was;
        if (was == '\0')
            return;
    }
}

/* Beside this source, wherever the program is started. */
static const char *quotes_path(void)
{
    static char path[4096];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s/data/quotes.csv", slash != NULL ? (int)(slash - __FILE__) : 1,
             slash != NULL ? __FILE__ : ".");
    return path;
}

static picture noise(void)
{
    puts("  no picture was named: noise stands for it");
    picture p = picture_new(1600, 1200);
    for (size_t i = 0; i < 3 * p.width * p.height; i++)
        p.rgb[i] = (uint8_t)(i * 2654435761u >> 24);
    return p;
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 2,
          "usage: demo [PICTURE.png [FOLDER]]\n\n"
          "Shows this machine, runs the samples' work, blurs the picture, and writes what comes out\n"
          "into the folder (build/demo).\n");
    const char *folder = argc > 2 ? argv[2] : "build/demo";
    make_folder(folder);
    print_machine();

    const picture photo = argc > 1 ? picture_read(argv[1]) : noise();
    work works[WORKS];
    works_prepare(works, quotes_path(), &photo);
    const int wrong = run_works(works);
    works_write_pictures(folder);
    printf("\nmandelbrot.png, heat.png and blur.png are in %s\n", folder);
    return wrong > 0 ? 1 : 0;
}
