/* What moves: a chain of maps on arrays of malloc, which go to a device and come back at every step, beside the same chain
 * on arrays of yoke_alloc, which go there once and stay until yoke_read(). Per device; on a machine whose only device is its
 * CPU: YOKE_DEVICES=opencl:0. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sample.h"
#include "yoke/yoke.h"

YOKE_KERNEL(residency_step, (out(float, to), in(float, from), in(float, c)), { to[i] = 0.5f * (from[i] + c[i]); })

enum { SHOWN = 12, WARM_UPS = 3 };

/* Three arrays, and what the steps of the chain cost; the last row is reading the result. */
typedef struct chain {
    bool managed;
    float *x, *y, *c;
    struct row {
        double in, out, seconds;
    } * row;
} chain;

typedef struct place {
    int device; /* -1: the workers */
    yoke_options options;
    yoke_device facts;
} place;

static void look(place *p)
{
    if (p->device >= 0)
        must(yoke_device_of(NULL, (unsigned)p->device, &p->facts));
}

static float *array(size_t n, bool managed)
{
    return managed ? grab_managed(n, sizeof(float)) : grab(n, sizeof(float));
}

static chain make_chain(size_t n, int steps, bool managed)
{
    return (chain){.managed = managed,
                   .x = array(n, managed),
                   .y = array(n, managed),
                   .c = array(n, managed),
                   .row = grab((size_t)steps + 1, sizeof(struct row))};
}

static void free_chain(chain *c)
{
    float *arrays[] = {c->x, c->y, c->c};
    for (int k = 0; k < 3; k++)
        if (c->managed)
            must(yoke_free(arrays[k]));
        else
            free(arrays[k]);
    free(c->row);
}

static float start_of(size_t i)
{
    return (float)(i % 777);
}

static float constant_of(size_t i)
{
    return 1.0f + (float)(i % 1000);
}

/* The host writes them: managed arrays want to know. For others yoke_write() does nothing. */
static void fill(chain *c, size_t n)
{
    if (yoke_write(c->x) == NULL || yoke_write(c->c) == NULL)
        fail("%s", yoke_error_detail());
    for (size_t i = 0; i < n; i++) {
        c->x[i] = start_of(i);
        c->c[i] = constant_of(i);
    }
}

static void note(struct row *row, place *p, double start)
{
    const yoke_device before = p->facts;
    row->seconds = seconds() - start;
    look(p);
    row->in = (double)(p->facts.bytes_in - before.bytes_in);
    row->out = (double)(p->facts.bytes_out - before.bytes_out);
}

/* Where the result is, readable by the host. */
static const float *run(chain *c, place *p, size_t n, int steps)
{
    float *from = c->x, *to = c->y;
    look(p);
    for (int step = 0; step < steps; step++) {
        const double start = seconds();
        must(parallel_map_on(NULL, &p->options, residency_step, n, to, from, c->c));
        note(&c->row[step], p, start);
        float *swap = from;
        from = to;
        to = swap;
    }
    const double start = seconds();
    const float *result = yoke_read(from);
    if (result == NULL)
        fail("%s", yoke_error_detail());
    note(&c->row[steps], p, start);
    return result;
}

static void check(const chain *c, const float *result, size_t n, int steps)
{
    for (size_t i = 0; i < n; i++) {
        float x = start_of(i);
        for (int step = 0; step < steps; step++)
            x = 0.5f * (x + constant_of(i));
        if (result[i] != x)
            fail("%s arrays: item %zu is %g, not %g", c->managed ? "managed" : "plain", i, (double)result[i],
                 (double)x);
    }
}

static void print_row(const char *name, const struct row *plain, const struct row *managed)
{
    printf("%-8s %9.3f %9.3f %9.2f   %9.3f %9.3f %9.2f\n", name, plain->in / 1e6, plain->out / 1e6,
           1e3 * plain->seconds, managed->in / 1e6, managed->out / 1e6, 1e3 * managed->seconds);
}

static struct row sum(const struct row *rows, int count)
{
    struct row all = {0, 0, 0};
    for (int k = 0; k < count; k++) {
        all.in += rows[k].in;
        all.out += rows[k].out;
        all.seconds += rows[k].seconds;
    }
    return all;
}

static void print_table(const chain *plain, const chain *managed, int steps)
{
    char name[32];
    printf("%-8s %29s   %29s\n", "", "plain arrays", "managed arrays");
    printf("%-8s %9s %9s %9s   %9s %9s %9s\n", "step", "MB there", "MB back", "ms", "MB there", "MB back", "ms");
    for (int k = 0; k < steps && k < SHOWN; k++) {
        snprintf(name, sizeof name, "%d", k + 1);
        print_row(name, &plain->row[k], &managed->row[k]);
    }
    if (steps > SHOWN)
        puts("...");
    print_row("read", &plain->row[steps], &managed->row[steps]);
    const struct row a = sum(plain->row, steps + 1), b = sum(managed->row, steps + 1);
    print_row("total", &a, &b);
}

/* Not what the device did, if it did nothing. */
static void explain(const place *p, uint64_t pieces_before)
{
    yoke_decision decision;
    if (p->device < 0)
        puts("the workers have the arrays where they are: nothing moves");
    else if (p->facts.pieces == pieces_before)
        printf("the device did none of it: %s\n",
               yoke_last_decision(&decision) == 0 && decision.reason[0] != '\0' ? decision.reason : p->facts.reason);
    else if (p->facts.shares_memory)
        puts("it shares the host's memory: managed arrays are used where they are, and nothing of them moves");
}

static void compare(place *p, size_t n, int steps)
{
    chain plain = make_chain(n, steps, false), managed = make_chain(n, steps, true);
    const uint64_t pieces = p->facts.pieces;
    for (int k = 0; k < WARM_UPS; k++) { /* it compiles, and makes room */
        fill(&plain, n);
        fill(&managed, n);
        (void)run(&plain, p, n, steps < 2 ? steps : 2);
        (void)run(&managed, p, n, steps < 2 ? steps : 2);
    }
    fill(&plain, n);
    fill(&managed, n);
    const float *result = run(&plain, p, n, steps);
    check(&plain, result, n, steps);
    result = run(&managed, p, n, steps);
    check(&managed, result, n, steps);
    print_table(&plain, &managed, steps);
    explain(p, pieces);
    free_chain(&plain);
    free_chain(&managed);
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 2,
          "usage: residency [n [steps]]\n\n"
          "Runs a chain of maps (8) on n numbers (4000000) on every device in use, with plain and with managed\n"
          "arrays, and prints what each step moved.\n");
    const size_t n = (size_t)argument(argc, argv, 1, "n", 1, 1000000000, 4000000);
    const int steps = argument(argc, argv, 2, "steps", 1, 10000, 8);
    const int devices = yoke_devices(NULL);
    must(devices < 0 ? devices : 0);
    int used = 0;
    for (int k = 0; k < devices; k++) {
        char name[32];
        snprintf(name, sizeof name, "opencl:%d", k);
        place p = {.device = k, .options = {.devices = name}};
        look(&p);
        const char *state = p.facts.state != YOKE_DEVICE_READY ? p.facts.reason
                            : p.facts.in_use == 0              ? "not in use: name it in YOKE_DEVICES"
                            : p.facts.shares_memory            ? "memory shared with the host"
                                                               : "memory of its own";
        printf("%s %s, %s\n", name, p.facts.name, state);
        if (p.facts.state != YOKE_DEVICE_READY || p.facts.in_use == 0)
            continue;
        compare(&p, n, steps);
        used++;
    }
    if (used == 0) {
        printf("no device is in use but the %d workers\n", yoke_workers(NULL));
        compare(&(place){.device = -1}, n, steps);
    }
    return 0;
}
