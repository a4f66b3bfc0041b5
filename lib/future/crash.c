/* What is told of a task that did not return by itself. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "lib/future/future.h"

/* Its name, where the object exports it, or else what addr2line understands. */
static void describe(yoke_function *function, char *text, size_t room)
{
    Dl_info about;
    const uintptr_t address = (uintptr_t)function;
    if (function == NULL || dladdr((void *)address, &about) == 0) {
        (void)snprintf(text, room, "its function");
        return;
    }
    if (about.dli_sname != NULL && (uintptr_t)about.dli_saddr == address) {
        (void)snprintf(text, room, "%.80s()", about.dli_sname);
        return;
    }
    const char *slash = about.dli_fname != NULL ? strrchr(about.dli_fname, '/') : NULL;
    const char *object = slash != NULL ? slash + 1 : about.dli_fname != NULL ? about.dli_fname : "?";
    (void)snprintf(text, room, "%.80s+0x%jx", object, (uintmax_t)(address - (uintptr_t)about.dli_fbase));
}

static int tell_death(int status, unsigned why, long long number, const char *what)
{
    if (why == YOKE__SIGNALLED)
        return yoke__fail(status, "%s: its process was killed by signal %lld (%s)", what, number,
                          strsignal((int)number));
    if (why == YOKE__EXITED)
        return yoke__fail(status, "%s: its process exited with status %lld before the task returned", what, number);
    if (why == YOKE__GARBLED)
        return yoke__fail(status, "%s: its process sent what is no answer, and was killed", what);
    return yoke__fail(status, "%s: its process died; why is not known, for the program itself took its exit status",
                      what);
}

int yoke__tell_end(int status, unsigned why, long long number, yoke_function *function, const char *name)
{
    char where[128], what[256];
    describe(function, where, sizeof where);
    if (name != NULL && name[0] != '\0')
        (void)snprintf(what, sizeof what, "%.80s, %s", name, where);
    else
        (void)snprintf(what, sizeof what, "%s", where);
    if (why == YOKE__NO_PROCESS)
        return yoke__fail(status, "the pool is broken: its processes died faster than `restarts` allows; join it");
    if (why == YOKE__LATE)
        return yoke__fail(status, "%s ran longer than its time limit of %lld ms, and was killed", what,
                          number / 1000000);
    if (why == YOKE__NO_ROOM)
        return yoke__fail(
            status, "%s: the system has no memory left for its argument, its result or shared arrays on the way", what);
    if (why == YOKE__OCCUPIED)
        return yoke__fail(status,
                          "%s: no worker process has the address of a shared array free; allocate it anew, or less of "
                          "them",
                          what);
    if (why == YOKE__UNMAPPED)
        return yoke__fail(
            status,
            "%s: its process cannot map a shared array (%s); raise memory_bytes of the pool, the limit of "
            "descriptors, or vm.max_map_count",
            what, strerror((int)number));
    if (why == YOKE__NOT_FOUND)
        return yoke__fail(status,
                          "%s is in no object that the worker process has loaded; link its library, or have a function "
                          "of the program load it there",
                          what);
    return tell_death(status, why, number, what);
}
