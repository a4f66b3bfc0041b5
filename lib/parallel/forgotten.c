/* YOKE_CHECK: what the program does to a managed array without yoke_read or yoke_write faults (lib/memory/guard.c). The
 * handler says so and where, and then the fault goes to whoever handled it before. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "lib/parallel/checking.h"
#include "lib/trace/trace.h"

enum { MOST_TOLD = 16, TEXT_BYTES = 900, OBJECT_BYTES = 320, LINE_BYTES = 320, PAUSE_NS = 1000000, TURNS = 8000 };

/* Under the lock of handlers, but for what the handler reads. */
static struct {
    unsigned users;
    bool buried; /* the program put a handler above ours, which may still call it */
    struct sigaction previous;
} watch;

static atomic_uint told;
static atomic_flag busy = ATOMIC_FLAG_INIT;                           /* one reports at a time: */
static char text[TEXT_BYTES], object[OBJECT_BYTES], line[LINE_BYTES]; /* stacks of handlers are small */

static const char *advice(const yoke__forgotten *f, yoke__access access)
{
    if (f->is_lost)
        return "its valid copy was on a device that failed: write it anew, after yoke_write()";
    if (!f->is_stale)
        return "a device has a copy of it that would be used further: call yoke_write() before all of it is written, "
               "yoke_update() before parts are";
    if (access == YOKE__ACCESS_READ)
        return "its valid copy is on a device: call yoke_read() before";
    if (access == YOKE__ACCESS_WRITE)
        return "its valid copy is on a device: call yoke_write() before all of it is written, yoke_update() before "
               "parts "
               "are";
    return "its valid copy is on a device: call yoke_read() before it is read, yoke_write() or yoke_update() before it "
           "is written";
}

/* In two lines: the second one takes another program to find, and that may take a while. */
static void report(const yoke__forgotten *f, const void *context)
{
    static const char *const verbs[] = {"uses", "reads", "writes"};
    const yoke__access access = yoke__access_of(context);
    yoke__fault_place(context, object, sizeof object, NULL, 0);
    int length = snprintf(text, sizeof text, "yoke: the program %s byte %zu of %s, but %s (%s)\n", verbs[access],
                          f->offset, f->name, advice(f, access), object);
    if (length > 0)
        yoke__tell_now(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
    yoke__fault_place(context, object, sizeof object, line, sizeof line);
    length = line[0] != '\0' ? snprintf(text, sizeof text, "yoke:   %s\n", line) : 0;
    if (length > 0)
        yoke__tell_now(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* The first one ends the process, maybe; not before it has said all. */
static bool wait_for_turn(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    for (int k = 0; k < TURNS; k++) {
        if (!atomic_flag_test_and_set(&busy))
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void caught(int number, siginfo_t *info, void *context)
{
    const int error = errno;
    yoke__forgotten found;
    if (info->si_code == SEGV_ACCERR && yoke__memory_guard_find(info->si_addr, &found) &&
        atomic_fetch_add(&told, 1) < MOST_TOLD && wait_for_turn()) {
        report(&found, context);
        atomic_flag_clear(&busy);
    }
    errno = error;
    yoke__pass_signal(&watch.previous, number, info, context);
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == caught;
}

static int install(void)
{
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK}, now;
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, NULL, &now) != 0)
        return YOKE_EINTERNAL;
    if (is_ours(&now) || watch.buried) /* above one that calls ours it would be called for ever */
        return YOKE_OK;
    watch.previous = now;
    return sigaction(SIGSEGV, &action, NULL) == 0 ? YOKE_OK : YOKE_EINTERNAL;
}

static void uninstall(void)
{
    struct sigaction now;
    if (sigaction(SIGSEGV, NULL, &now) != 0)
        return;
    watch.buried = !is_ours(&now);
    if (!watch.buried)
        (void)sigaction(SIGSEGV, &watch.previous, NULL);
}

int yoke__forgotten_watch(void)
{
    int status = YOKE_OK;
    yoke__handlers_lock();
    if (watch.users == 0) {
        yoke__fault_prepare();
        status = install();
    }
    if (status == YOKE_OK) {
        watch.users++;
        yoke__memory_guard();
    }
    yoke__handlers_unlock();
    return status == YOKE_OK ? status
                             : yoke__fail(status, "the system lets nobody catch SIGSEGV; run without YOKE_CHECK");
}

void yoke__forgotten_unwatch(void)
{
    yoke__handlers_lock();
    yoke__memory_unguard();
    if (--watch.users == 0)
        uninstall();
    yoke__handlers_unlock();
}
