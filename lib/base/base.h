/* Door of lib/base: status and detail, checked arithmetic, environment, clock, futex. Uses nothing above it. */
#ifndef YOKE_BASE_H
#define YOKE_BASE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "yoke/runtime.h"

#define YOKE_CACHE_LINE 64

/* On the path of every map, however small: placed side by side, so that a cold call touches few pages. */
#define YOKE_HOT __attribute__((hot))

#define YOKE_MAX_WORKERS 65536

/* Priority of the constructors that others of the library rely on. */
#define YOKE__FIRST 1000

/* Internal, but exported: for the components of this project that are libraries of their own. */
#define YOKE_COMPONENT YOKE_API

/* Sets the thread's detail text and returns status, so that a failure is one line. The text says what happened and
 * what to do about it. */
YOKE_COMPONENT int yoke__fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
#ifdef __clang_analyzer__ /* it judges one file at a time: let it see that what comes back is the status */
#define yoke__fail(status, ...) ((void)yoke__fail(status, __VA_ARGS__), (status))
#endif

/* The status of this thread's last yoke__fail, for those who were only told NULL. */
int yoke__last_failure(void);

/* True when the product or sum does not fit; *result is undefined then. */
static inline bool yoke__mul_overflows(size_t a, size_t b, size_t *result)
{
    return __builtin_mul_overflow(a, b, result);
}

static inline bool yoke__add_overflows(size_t a, size_t b, size_t *result)
{
    return __builtin_add_overflow(a, b, result);
}

/* Of `count` units, those of the k-th of `sharers` lie in [yoke__share(count, k, sharers), yoke__share(count, k + 1,
 * sharers)): count * k / sharers, without overflow. Workers begin with these of a job, and own these of an array. */
static inline uint64_t yoke__share(uint64_t count, unsigned k, unsigned sharers)
{
    if (count <= UINT32_MAX) /* a job's units: this is on the path of every map */
        return count * k / sharers;
    return count / sharers * k + count % sharers * k / sharers;
}

/* Environment: NULL when unset, empty, or when the process runs set-user-ID. */
YOKE_COMPONENT const char *yoke__env(const char *name);

/* Whole-string decimal within [low, high]; false otherwise. */
bool yoke__parse_unsigned(const char *text, unsigned long low, unsigned long high, unsigned long *value);

/* The policy that was asked for, or where that is the default, YOKE_PIN's, or compact. 0 or EINVAL. */
int yoke__choose_pin(yoke_pin asked, yoke_pin *pin);
/* Sets *workers to YOKE_WORKERS where it is set. 0 or EINVAL. */
int yoke__env_workers(unsigned *workers);

/* A folder of small files that can always be made again. Zeroed: there is none, as under set-user-ID. */
typedef struct yoke__cache {
    char folder[1024];
} yoke__cache;

/* YOKE_CACHE_DIR (an absolute path; anything else, such as "off": none), else yoke in XDG_CACHE_HOME or in $HOME/.cache.
 * It is made when first written to, and used only while nobody else can write to it. */
void yoke__cache_open(yoke__cache *cache);
/* The content that was written for this key, whole, to be freed by yoke__free; false in every other case. `kind`: up to
 * 15 small letters. Any thread, any process, any number at once. */
bool yoke__cache_read(const yoke__cache *cache, const char *kind, const void *key, size_t key_bytes, void **content,
                      size_t *bytes);
/* Nothing happens when it cannot be written. Only the newest few thousand of a kind are kept. */
void yoke__cache_write(const yoke__cache *cache, const char *kind, const void *key, size_t key_bytes,
                       const void *content, size_t bytes);
/* Calls visit for every whole entry of a kind. */
void yoke__cache_each(const yoke__cache *cache, const char *kind,
                      void (*visit)(const void *key, size_t key_bytes, const void *content, size_t bytes,
                                    void *argument),
                      void *argument);
void yoke__cache_forget(const yoke__cache *cache, const char *kind, const void *key, size_t key_bytes);

/* CLOCK_MONOTONIC in nanoseconds. */
YOKE_COMPONENT int64_t yoke__now_ns(void);

/* Tells the CPU that this is a spin loop. */
static inline void yoke__relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Futex on a 32-bit word, private to the process. A wait returns when woken, when *word != expected, on a signal, or
 * after timeout_ns (negative: never); the caller looks again in every case. */
void yoke__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns);
void yoke__futex_wake(_Atomic uint32_t *word, int count);

/* A counter that one thread sleeps on. yoke__park returns it when it is other than `seen`, or when until_ns has passed on
 * yoke__now_ns() (0: never; then it may be `seen`), after spinning for spin_ns. yoke__unpark adds one and wakes; it touches
 * the word once, so the sleeper may free it when it has seen as many steps as there will be. It wraps at 2^31 - 1 steps. */
uint32_t yoke__park(_Atomic uint32_t *word, uint32_t seen, int64_t until_ns, int64_t spin_ns);
void yoke__unpark(_Atomic uint32_t *word);

/* Sets `*word` to 1 ahead of every later load: what a sleeper does before it looks once more, and a waker before it looks
 * for sleepers. A seq_cst store would do, but qemu-user lets a later load pass it; on x86-64 both are one instruction. */
static inline void yoke__announce(_Atomic uint32_t *word)
{
    (void)atomic_exchange(word, 1);
}

/* A thread of ours: signals are blocked in it, for the application's signals are the application's threads'; but for those
 * of its own faults. 0, ENOMEM,
 * EAGAIN; no detail. */
int yoke__thread_start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *argument), void *argument);

/* How often this process has been forked off: 0 in the first. */
YOKE_COMPONENT unsigned yoke__fork_count(void);

/* Allocation that tests can make fail: the n-th call from now on (0: never), once or for ever. */
void *yoke__alloc(size_t bytes);
YOKE_COMPONENT void *yoke__alloc_zeroed(size_t count, size_t size);
void *yoke__alloc_aligned(size_t alignment, size_t bytes);
YOKE_COMPONENT void yoke__free(void *memory);

/* Whole pages, zeroed; `bytes` is a multiple of the page size. Freed by yoke__unmap_pages only. The second form begins at
 * a multiple of `alignment`, a power of two. */
void *yoke__map_pages(size_t bytes);
void *yoke__map_pages_aligned(size_t bytes, size_t alignment);
void yoke__unmap_pages(void *pages, size_t bytes);
/* `bytes` of pages, zeroed, with `margin` bytes on each side that nobody may touch; multiples of the page size. To be
 * freed with yoke__unmap_pages(pages - margin, bytes + 2 * margin). */
void *yoke__map_guarded(size_t bytes, size_t margin);
/* Moves pages to another address, which is returned, and leaves zeroed ones in their place, at no moment none. NULL: the
 * system does not do it (kernels before 5.7, no memory); then nothing changed. */
void *yoke__move_pages_away(void *pages, size_t bytes);

/* A file of memory without a name, zeroed, whose size nobody can change any more; closed on exec. -1 with errno. */
int yoke__memory_file(const char *label, uint64_t bytes);

/* Memory that other processes of this program map, too. */
typedef struct yoke__sharing yoke__sharing;

/* How another process is to map one: the whole file, at this address, with that advice to the kernel (0: none). */
typedef struct yoke__shared {
    uint64_t number; /* in the order in which they were listed; never used again */
    unsigned char *start;
    size_t bytes;
    int file, advice;
    yoke__sharing *held;
} yoke__shared;

/* Zeroed pages, aligned; bytes are whole pages. NULL with a detail. */
yoke__sharing *yoke__shared_open(size_t bytes, size_t alignment);
const yoke__shared *yoke__shared_of(const yoke__sharing *s);
/* From the first of these to the second, others map it. */
void yoke__shared_list(yoke__sharing *s, int advice);
void yoke__shared_unlist(yoke__sharing *s);
/* Gone when the owner and all who held it have released it; a forked child and its parent each have to. NULL is fine. */
void yoke__shared_release(yoke__sharing *s);
/* Steps at each that is listed or unlisted. */
extern _Atomic uint64_t yoke__shared_steps;
/* All that are listed, held, in the order of their numbers, as of `steps`; NULL: there are none. The list is freed by
 * yoke__free. 0 or ENOMEM. */
int yoke__shared_hold_all(yoke__shared **list, size_t *count, uint64_t *steps);
/* Whether [at, at + bytes) lies in one that is listed; of 0 bytes, whether `at` does. */
bool yoke__shared_has(const void *at, size_t bytes);
/* Tests only: the address that the next one is to have. */
extern _Atomic(void *) yoke__shared_place_next;

void yoke__alloc_fail_at(unsigned long nth, bool for_ever);

#endif
