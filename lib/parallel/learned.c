/* What was measured of kernels at the places they ran, kept in the cache folder from one run of a program to the next.
 * Nothing in a file is believed that could do harm: it only tells where to try first. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parallel/devices.h"

const char yoke__learned_kind[] = "model";

bool yoke__learned_is_time(double ns)
{
    return isfinite(ns) && ns >= 0 && ns < (double)FLT_MAX;
}

/* Runtimes that the end of the process may find open. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static yoke__devices *open_ones;

static void in_child(void)
{
    (void)pthread_mutex_init(&open_lock, NULL); /* its holder may not be here */
    open_ones = NULL;
}

__attribute__((constructor(YOKE__FIRST))) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

/* --- rows --- */

/* What tells one kernel of one machine from all others: text, zeros between its parts. */
static bool make_file_key(const yoke__devices *d, yoke__route_row *row, const yoke_kernel *kernel)
{
    const char *const parts[] = {d->machine, kernel->name, kernel->body, kernel->identity_text, kernel->combine_text};
    size_t bytes = 0, used = 0;
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if (yoke__add_overflows(bytes, parts[k] != NULL ? strlen(parts[k]) + 1 : 1, &bytes))
            return false;
    row->file_key = yoke__alloc(bytes);
    for (size_t k = 0; row->file_key != NULL && k < sizeof parts / sizeof *parts; k++) {
        const size_t length = parts[k] != NULL ? strlen(parts[k]) : 0;
        memcpy(row->file_key + used, parts[k] != NULL ? parts[k] : "", length + 1);
        used += length + 1;
    }
    row->file_key_bytes = used;
    return row->file_key != NULL;
}

/* Of rates the division makes sense itself. */
static void put(const yoke__devices *d, yoke__route_row *row, const yoke__learned_entry *e)
{
    if (e->bytes != sizeof *e || e->place >= d->count + 2 || e->class >= 64 || !yoke__learned_is_time(e->item_ns))
        return;
    yoke__route_cell *cell = &row->cell[e->place][e->class];
    atomic_init(&cell->item_ns, (float)e->item_ns);
    atomic_init(&cell->tries, e->tries < YOKE__MOST_TRIES ? e->tries : YOKE__MOST_TRIES);
    cell->rate = e->rate;
}

static void read_row(const yoke__devices *d, yoke__route_row *row)
{
    void *content;
    size_t bytes;
    yoke__learned_entry e;
    if (!yoke__cache_read(&d->cache, yoke__learned_kind, row->file_key, row->file_key_bytes, &content, &bytes))
        return;
    for (size_t at = 0; at + sizeof e <= bytes; at += sizeof e) {
        memcpy(&e, (unsigned char *)content + at, sizeof e);
        put(d, row, &e);
    }
    yoke__free(content);
}

static void free_row(yoke__route_row *row)
{
    if (row != NULL)
        yoke__free(row->file_key);
    yoke__free(row);
}

static yoke__route_row *make_row(const yoke__devices *d, const yoke_kernel *kernel)
{
    size_t bytes, places = (size_t)d->count + 2;
    yoke__route_row *row = NULL;
    if (!yoke__mul_overflows(places, sizeof row->cell[0], &bytes))
        row = yoke__alloc_zeroed(1, sizeof *row + bytes);
    if (row == NULL)
        return NULL;
    row->key = kernel;
    if (d->machine != NULL && make_file_key(d, row, kernel))
        read_row(d, row);
    return row;
}

yoke__route_row *yoke__devices_row(yoke__devices *devices, const yoke_kernel *kernel)
{
    size_t start = (size_t)((uintptr_t)kernel * UINT64_C(0x9e3779b97f4a7c15) >> 40);
    for (size_t k = 0; k < YOKE__ROUTE_ROWS; k++) {
        yoke__route_row *_Atomic *place = &devices->rows[(start + k) % YOKE__ROUTE_ROWS];
        yoke__route_row *row = atomic_load_explicit(place, memory_order_acquire);
        if (row == NULL) {
            yoke__route_row *mine = make_row(devices, kernel);
            if (mine == NULL)
                return NULL;
            if (atomic_compare_exchange_strong(place, &row, mine))
                return mine;
            free_row(mine);
        }
        if (row->key == kernel)
            return row;
    }
    return NULL;
}

/* --- files --- */

static size_t collect(const yoke__route_row *row, unsigned places, yoke__learned_entry *entries)
{
    size_t count = 0;
    for (unsigned place = 0; place < places; place++)
        for (unsigned class = 0; class < 64; class ++) {
            const yoke__route_cell *cell = &row->cell[place][class];
            const yoke__learned_entry e = {place,
                                           class,
                                           sizeof(yoke__learned_entry),
                                           atomic_load(&cell->tries),
                                           (double)atomic_load(&cell->item_ns),
                                           cell->rate};
            if (e.tries == 0 && !(e.rate.item_ns > 0))
                continue;
            if (entries != NULL)
                entries[count] = e;
            count++;
        }
    return count;
}

static void write_row(yoke__devices *d, yoke__route_row *row)
{
    if (row->file_key == NULL || atomic_exchange(&row->learned, 0) == 0)
        return;
    const unsigned places = d->count + 2;
    yoke__learned_entry *entries =
        yoke__alloc_zeroed((size_t)places * 64, sizeof *entries); /* another thread may add some meanwhile */
    pthread_mutex_lock(&d->lock);
    const size_t count = entries != NULL ? collect(row, places, entries) : 0;
    pthread_mutex_unlock(&d->lock);
    if (count > 0)
        yoke__cache_write(&d->cache, yoke__learned_kind, row->file_key, row->file_key_bytes, entries,
                          count * sizeof *entries);
    yoke__free(entries);
}

static void write_all(yoke__devices *d)
{
    for (size_t k = 0; k < YOKE__ROUTE_ROWS; k++) {
        yoke__route_row *row = atomic_load_explicit(&d->rows[k], memory_order_acquire);
        if (row != NULL)
            write_row(d, row);
    }
}

/* Default runtimes are never closed. No device is touched here. */
static void write_at_exit(void)
{
    if (pthread_mutex_trylock(&open_lock) != 0) /* a forked child's parent had it, or a runtime is being closed */
        return;
    for (yoke__devices *d = open_ones; d != NULL; d = d->next_open)
        if (d->forks == yoke__fork_count())
            write_all(d);
    pthread_mutex_unlock(&open_lock);
}

/* --- begin and end --- */

static char *machine_text(const yoke__devices *d, const char *host)
{
    enum { ROOM = 512 };
    char model[ROOM];
    const size_t bytes = 2 * ROOM + (size_t)d->count * ROOM;
    char *text = yoke__alloc(bytes);
    if (text == NULL)
        return NULL;
    yoke__cpu_model(model, sizeof model);
    size_t used = (size_t)snprintf(text, ROOM, "yoke " YOKE_VERSION " %.64s %.400s", host, model);
    if (used >= ROOM)
        used = ROOM - 1;
    for (unsigned k = 0; k < d->count; k++) {
        yoke_device facts;
        d->backend->describe(d->state, k, &facts);
        const int length =
            snprintf(text + used, ROOM, "|%.128s|%.128s|%.128s", facts.name, facts.platform, facts.driver);
        used += length > 0 ? (size_t)(length < ROOM ? length : ROOM - 1) : 0;
    }
    return text;
}

void yoke__learned_begin(yoke__devices *d)
{
    static bool registered;
    yoke__cache_open(&d->cache);
    if (d->cache.folder[0] == '\0')
        return;
    d->machine = machine_text(d, d->host);
    pthread_mutex_lock(&open_lock);
    d->next_open = open_ones;
    open_ones = d;
    if (!registered)
        registered = atexit(write_at_exit) == 0;
    pthread_mutex_unlock(&open_lock);
}

void yoke__learned_end(yoke__devices *d)
{
    pthread_mutex_lock(&open_lock);
    for (yoke__devices **link = &open_ones; *link != NULL; link = &(*link)->next_open)
        if (*link == d) {
            *link = d->next_open;
            break;
        }
    pthread_mutex_unlock(&open_lock);
    if (d->machine != NULL && d->forks == yoke__fork_count())
        write_all(d);
    for (size_t k = 0; k < YOKE__ROUTE_ROWS; k++)
        free_row(atomic_load(&d->rows[k]));
    yoke__free(d->machine);
}
