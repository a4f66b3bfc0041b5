/* What was measured, for those who look at it. */
#include <stdio.h>
#include <string.h>

#include "lib/parallel/devices.h"
#include "yoke/trace.h"

typedef struct listing {
    int (*visit)(const yoke_learned *learned, void *argument);
    void *argument;
    int stopped;
} listing;

enum { PLACE_BYTES = 160 };

/* Of "yoke 0.1.0 host|name|platform|driver|name|...", the k-th device's name, and how many devices there are. */
static unsigned device_of(const char *machine, unsigned k, char *name)
{
    unsigned bars = 0;
    for (const char *at = strchr(machine, '|'); at != NULL; at = strchr(at + 1, '|'), bars++)
        if (bars == 3 * k)
            (void)snprintf(name, PLACE_BYTES, "%.*s", (int)strcspn(at + 1, "|"), at + 1);
    return bars / 3;
}

static bool name_place(const char *machine, unsigned place, char *name)
{
    (void)snprintf(name, PLACE_BYTES, "workers");
    const unsigned devices = device_of(machine, place > 0 ? place - 1 : 0, name);
    if (place == 0)
        (void)snprintf(name, PLACE_BYTES, "workers");
    if (place == devices + 1)
        (void)snprintf(name, PLACE_BYTES, "all together");
    return place <= devices + 1;
}

static void tell(listing *l, const char *machine, const char *kernel, const yoke__learned_entry *e)
{
    char place[PLACE_BYTES], host[512];
    if (e->bytes != sizeof *e || e->class >= 64 || !yoke__learned_is_time(e->item_ns) ||
        !yoke__learned_is_time(e->rate.item_ns) || !yoke__learned_is_time(e->rate.launch_ns) ||
        !name_place(machine, e->place, place))
        return;
    (void)snprintf(host, sizeof host, "%.*s", (int)strcspn(machine, "|"), machine);
    const bool divided = e->rate.item_ns > 0;
    const yoke_learned learned = {.kernel = kernel,
                                  .machine = host,
                                  .place = place,
                                  .least_items = UINT64_C(1) << e->class,
                                  .item_ns = e->tries > 0 ? e->item_ns : 0,
                                  .tries = e->tries < YOKE__MOST_TRIES ? e->tries : YOKE__MOST_TRIES,
                                  .launch_ns = divided ? e->rate.launch_ns : 0,
                                  .piece_item_ns = divided ? e->rate.item_ns : 0};
    l->stopped = l->visit(&learned, l->argument);
}

static void list_file(const void *key, size_t key_bytes, const void *content, size_t bytes, void *argument)
{
    listing *l = argument;
    const char *machine = key, *end = machine + key_bytes;
    const char *kernel = memchr(machine, '\0', key_bytes);
    yoke__learned_entry e;
    if (kernel == NULL || ++kernel >= end || memchr(kernel, '\0', (size_t)(end - kernel)) == NULL)
        return;
    for (size_t at = 0; at + sizeof e <= bytes && l->stopped == 0; at += sizeof e) {
        memcpy(&e, (const unsigned char *)content + at, sizeof e);
        tell(l, machine, kernel, &e);
    }
}

int yoke_learned_visit(int (*visit)(const yoke_learned *learned, void *argument), void *argument)
{
    if (visit == NULL)
        return yoke__fail(YOKE_EINVAL, "visit is NULL; give a function");
    yoke__cache cache;
    listing l = {visit, argument, 0};
    yoke__cache_open(&cache);
    yoke__cache_each(&cache, yoke__learned_kind, list_file, &l);
    return l.stopped;
}
