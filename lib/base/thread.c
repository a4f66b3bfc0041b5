#include <pthread.h>
#include <signal.h>

#include "lib/base/base.h"

/* What a thread does itself: blocked, the process would end without its handler. */
static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

int yoke__thread_start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *argument), void *argument)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return YOKE_ENOMEM;
    (void)pthread_attr_setstacksize(&attributes, stack_bytes);
    sigfillset(&all);
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        sigdelset(&all, own[k]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0 ? YOKE_OK : YOKE_EAGAIN;
}
