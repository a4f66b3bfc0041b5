/* Events of a trace: a ring per thread, written by its thread alone and read while it may go on. What a reader finds torn
 * harms nothing: every member is checked before it is used. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "lib/trace/trace.h"

enum {
    RINGS = 1024,
    LEAST_EVENTS = 512,
    MOST_EVENTS = 16384,
    TEXTS = 512,
    TEXT_WORDS = YOKE__TRACE_TEXT / 8,
    MARGIN = 8,          /* events that a writer may just be replacing */
    SHORT_WAIT_NS = 1000 /* nobody sees it in a timeline, and each short call would pay for two */
};
/* Of all rings together. */
static const size_t budget_bytes = (size_t)64 << 20;

#define WORDS (sizeof(yoke__event) / 8)
_Static_assert(sizeof(yoke__event) % 8 == 0, "an event is whole words");
_Static_assert(YOKE__TRACE_TEXT % 8 == 0, "and so is a text");

struct yoke__ring {
    _Atomic uint64_t recorded; /* ever; the newest `capacity` are there */
    size_t capacity;           /* a power of two */
    long thread;
    char name[16];
    _Atomic uint64_t *words; /* WORDS for the event, one for its text: 1 + number, 0: none */
};

/* The newest decisions' texts. */
typedef struct text_slot {
    _Atomic uint64_t number; /* 1 + number of the text that is there */
    _Atomic uint64_t words[TEXT_WORDS];
} text_slot;

_Atomic bool yoke__trace_is_on, yoke__trace_is_written, yoke__trace_is_forbidden;

static _Atomic(yoke__ring *) rings[RINGS];
static _Atomic unsigned ring_count;
static _Atomic size_t ring_bytes;
static _Atomic uint64_t dropped, text_count;
static text_slot texts[TEXTS];
static _Thread_local yoke__ring *mine;
static _Thread_local bool has_none;

/* --- rings --- */

/* As many as a thread each of this machine, and some more, may have. */
static size_t fitting_capacity(void)
{
    const long cpus = sysconf(_SC_NPROCESSORS_CONF);
    const size_t threads = (cpus > 0 ? (size_t)cpus : 1) + 16;
    size_t capacity = MOST_EVENTS;
    while (capacity > LEAST_EVENTS && capacity * (WORDS + 1) * 8 * threads > budget_bytes)
        capacity /= 2;
    return capacity;
}

static bool reserve(size_t bytes)
{
    if (atomic_fetch_add(&ring_bytes, bytes) + bytes <= budget_bytes)
        return true;
    atomic_fetch_sub(&ring_bytes, bytes);
    return false;
}

/* Rings stay when their threads end: their events are wanted. */
static yoke__ring *make_ring(void)
{
    const size_t capacity = fitting_capacity(), bytes = capacity * (WORDS + 1) * 8;
    if (!reserve(bytes))
        return NULL;
    yoke__ring *ring = yoke__alloc_zeroed(1, sizeof *ring);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *words = ring != NULL ? yoke__map_pages((bytes + page - 1) / page * page) : NULL;
    const unsigned at = words != NULL ? atomic_fetch_add(&ring_count, 1) : RINGS;
    if (at >= RINGS) {
        if (words != NULL)
            yoke__unmap_pages(words, (bytes + page - 1) / page * page);
        yoke__free(ring);
        atomic_fetch_sub(&ring_bytes, bytes);
        return NULL;
    }
    memset(words, 0, bytes); /* a page that is first written to within a call would cost that microseconds */
    ring->capacity = capacity;
    ring->words = words;
    ring->thread = (long)gettid();
    if (pthread_getname_np(pthread_self(), ring->name, sizeof ring->name) != 0)
        ring->name[0] = '\0';
    atomic_store_explicit(&rings[at], ring, memory_order_release);
    return ring;
}

/* --- recording --- */

static uint64_t keep_text(const char *text)
{
    const uint64_t number = atomic_fetch_add(&text_count, 1);
    text_slot *slot = &texts[number % TEXTS];
    uint64_t words[TEXT_WORDS] = {0};
    memcpy(words, text, strnlen(text, sizeof words - 1));
    atomic_store(&slot->number, 0);
    for (size_t k = 0; k < TEXT_WORDS; k++)
        atomic_store_explicit(&slot->words[k], words[k], memory_order_relaxed);
    atomic_store(&slot->number, number + 1);
    return number + 1;
}

void yoke__trace_event(const yoke__event *event, const char *text)
{
    if (atomic_load_explicit(&yoke__counters_are_kept, memory_order_relaxed))
        yoke__counters_add(event);
    if (!atomic_load_explicit(&yoke__trace_is_written, memory_order_relaxed) ||
        (event->kind == YOKE__EVENT_WAIT && event->end_ns - event->begin_ns < SHORT_WAIT_NS))
        return;
    if (mine == NULL && !has_none) {
        mine = make_ring();
        has_none = mine == NULL;
    }
    if (mine == NULL) {
        atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
        return;
    }
    uint64_t words[WORDS];
    memcpy(words, event, sizeof words);
    const uint64_t at = atomic_load_explicit(&mine->recorded, memory_order_relaxed);
    _Atomic uint64_t *to = &mine->words[(at & (mine->capacity - 1)) * (WORDS + 1)];
    for (size_t k = 0; k < WORDS; k++)
        atomic_store_explicit(&to[k], words[k], memory_order_relaxed);
    atomic_store_explicit(&to[WORDS], text != NULL ? keep_text(text) : 0, memory_order_relaxed);
    atomic_store_explicit(&mine->recorded, at + 1, memory_order_release);
    _Atomic uint64_t *next = &mine->words[((at + 1) & (mine->capacity - 1)) * (WORDS + 1)];
    __builtin_prefetch(next, 1); /* written to long ago, or never */
    __builtin_prefetch(next + WORDS, 1);
}

void yoke__trace_begin_now(yoke__event *event, yoke__event_kind kind, const char *name)
{
    *event = (yoke__event){.begin_ns = yoke__now_ns(), .kind = (uint32_t)kind};
    if (name != NULL) /* the last byte stays zero */
        (void)memccpy(event->name, name, '\0', YOKE__EVENT_NAME - 1);
    if (atomic_load_explicit(&yoke__counters_are_kept, memory_order_relaxed))
        yoke__counters_begin(event);
}

/* --- reading --- */

unsigned yoke__ring_count(void)
{
    const unsigned count = atomic_load(&ring_count);
    return count < RINGS ? count : RINGS;
}

const yoke__ring *yoke__ring_at(unsigned k)
{
    return atomic_load_explicit(&rings[k], memory_order_acquire);
}

uint64_t yoke__ring_recorded(const yoke__ring *ring)
{
    return atomic_load_explicit(&ring->recorded, memory_order_acquire);
}

size_t yoke__ring_capacity(const yoke__ring *ring)
{
    return ring->capacity;
}

long yoke__ring_thread(const yoke__ring *ring, const char **name)
{
    *name = ring->name;
    return ring->thread;
}

uint64_t yoke__trace_dropped(void)
{
    return atomic_load(&dropped);
}

static void read_text(uint64_t number, char *text)
{
    const text_slot *slot = &texts[(number - 1) % TEXTS];
    uint64_t words[TEXT_WORDS];
    for (size_t k = 0; k < TEXT_WORDS; k++)
        words[k] = atomic_load_explicit(&slot->words[k], memory_order_acquire);
    text[0] = '\0';
    if (atomic_load(&slot->number) != number)
        return;
    memcpy(text, words, sizeof words);
    text[YOKE__TRACE_TEXT - 1] = '\0';
}

bool yoke__ring_event(const yoke__ring *ring, uint64_t k, yoke__event *event, char *text)
{
    uint64_t words[WORDS + 1];
    const _Atomic uint64_t *from = &ring->words[(k & (ring->capacity - 1)) * (WORDS + 1)];
    for (size_t w = 0; w <= WORDS; w++)
        words[w] = atomic_load_explicit(&from[w], memory_order_acquire);
    const uint64_t recorded = yoke__ring_recorded(ring);
    const uint64_t margin = recorded > ring->capacity ? MARGIN : 0;
    if (k >= recorded || k + ring->capacity < recorded + margin)
        return false;
    memcpy(event, words, sizeof *event);
    event->name[YOKE__EVENT_NAME - 1] = '\0';
    text[0] = '\0';
    if (words[WORDS] != 0)
        read_text(words[WORDS], text);
    return event->kind < YOKE__EVENT_KINDS && event->end_ns >= event->begin_ns;
}
