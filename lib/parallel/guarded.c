/* Memory between pages that nobody may touch. A kernel that does is ended by a jump out of the signal's handler; faults
 * elsewhere, and of other threads, go to whoever handled them before. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/parallel/checking.h"

static size_t whole_pages(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

int yoke__area_map(yoke__area *area, size_t bytes, size_t around)
{
    if (bytes > SIZE_MAX / 8 || around > SIZE_MAX / 8)
        return YOKE_ENOMEM;
    area->bytes = whole_pages(bytes);
    area->margin = whole_pages(around);
    area->data = yoke__map_guarded(area->bytes, area->margin);
    return area->data != NULL ? YOKE_OK : YOKE_ENOMEM;
}

void yoke__area_unmap(yoke__area *area)
{
    if (area->data != NULL)
        yoke__unmap_pages(area->data - area->margin, area->bytes + 2 * area->margin);
    *area = (yoke__area){0};
}

void yoke__area_make_constant(yoke__area *area)
{
    if (area->bytes != 0)
        (void)mprotect(area->data, area->bytes, PROT_READ); /* refused: then its writes are not seen */
}

/* --- catching --- */

enum { SIGNALS = 2 };
static const int signals[SIGNALS] = {SIGSEGV, SIGBUS};

static struct {
    pthread_t thread;
    const yoke__area *areas;
    unsigned count;
    volatile sig_atomic_t running;
    yoke__fault fault;
    sigjmp_buf back;
    sigset_t mask;
    struct sigaction previous[SIGNALS];
} watch;

yoke__access yoke__access_of(const void *context)
{
#if defined(__x86_64__)
    const ucontext_t *user = context;
    return ((unsigned long)user->uc_mcontext.gregs[REG_ERR] & 2) != 0 ? YOKE__ACCESS_WRITE : YOKE__ACCESS_READ;
#elif defined(__aarch64__)
    const ucontext_t *user = context;
    const unsigned char *at = user->uc_mcontext.__reserved;
    struct esr_context record; /* begins as all records do */
    for (size_t left = sizeof user->uc_mcontext.__reserved; left >= sizeof record; at += record.head.size) {
        memcpy(&record, at, sizeof record);
        if (record.head.magic == ESR_MAGIC)
            return (record.esr & 1u << 6) != 0 ? YOKE__ACCESS_WRITE : YOKE__ACCESS_READ;
        if (record.head.magic == 0 || record.head.size == 0 || record.head.size > left)
            break;
        left -= record.head.size;
    }
    return YOKE__ACCESS_UNKNOWN;
#else
    (void)context;
    return YOKE__ACCESS_UNKNOWN;
#endif
}

static bool find_area(uintptr_t address, unsigned *found)
{
    for (unsigned k = 0; k < watch.count; k++) {
        const yoke__area *a = &watch.areas[k];
        if (a->data != NULL && address >= (uintptr_t)a->data - a->margin &&
            address < (uintptr_t)a->data + a->bytes + a->margin) {
            *found = k;
            return true;
        }
    }
    return false;
}

void yoke__pass_signal(const struct sigaction *previous, int number, siginfo_t *info, void *context)
{
    if ((previous->sa_flags & SA_SIGINFO) != 0)
        previous->sa_sigaction(number, info, context);
    else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN)
        previous->sa_handler(number);
    else if (info->si_code > 0 || previous->sa_handler == SIG_DFL) {
        (void)sigaction(number, previous, NULL); /* the instruction faults again; */
        if (info->si_code <= 0)
            (void)raise(number); /* what somebody sent comes again, too */
    }
}

static void caught(int number, siginfo_t *info, void *context)
{
    const uintptr_t address = (uintptr_t)info->si_addr;
    if (!watch.running || !pthread_equal(pthread_self(), watch.thread) || info->si_code <= 0 ||
        !find_area(address, &watch.fault.area)) {
        yoke__pass_signal(&watch.previous[number == signals[0] ? 0 : 1], number, info, context);
        return;
    }
    watch.running = 0;
    watch.fault.address = address;
    watch.fault.access = yoke__access_of(context);
    siglongjmp(watch.back, 1);
}

int yoke__guards_watch(const yoke__area *areas, unsigned count)
{
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    watch.thread = pthread_self();
    watch.areas = areas;
    watch.count = count;
    watch.running = 0;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &watch.mask);
    for (int k = 0; k < SIGNALS; k++)
        if (sigaction(signals[k], NULL, &watch.previous[k]) != 0 || sigaction(signals[k], &action, NULL) != 0) {
            if (k == 1)
                (void)sigaction(signals[0], &watch.previous[0], NULL);
            return YOKE_EINTERNAL;
        }
    return YOKE_OK;
}

void yoke__guards_unwatch(void)
{
    for (int k = 0; k < SIGNALS; k++)
        (void)sigaction(signals[k], &watch.previous[k], NULL);
}

bool yoke__guards_run(void (*run)(void *context), void *context, yoke__fault *fault)
{
    if (sigsetjmp(watch.back, 0) != 0) {
        (void)pthread_sigmask(SIG_SETMASK, &watch.mask, NULL); /* saved once: to do it for each item takes a while */
        *fault = watch.fault;
        return false;
    }
    watch.running = 1;
    run(context);
    watch.running = 0;
    return true;
}
