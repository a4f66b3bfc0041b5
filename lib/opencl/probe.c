/* Whether it is worth loading the drivers at all, asked of another process: on many machines the only OpenCL device is the
 * CPU, and a driver that is loaded stays (tens of megabytes, threads, signal handlers, changes of the environment; some
 * crash the process when it exits meanwhile, and a broken one when it lists its devices). */
#include <string.h>

#include "lib/opencl/device.h"

enum { UNASKED, ASKING, NOTHING, SOMETHING };

typedef struct question {
    errand errand; /* first: it is cast back */
    opencl *owner;
} question;

/* The helper counts the devices that are not the CPU. Where it is not installed there is nobody to ask. */
static void run_question(errand *e)
{
    opencl *o = ((question *)e)->owner;
    char *answer = NULL;
    size_t length = 0;
    int status = yoke__topology_ask_helper("--devices", o->build_limit_ns, &answer, &length);
    const bool none = status == YOKE_OK ? length >= 2 && memcmp(answer, "0\n", 2) == 0 : status != YOKE_ENOSYS;
    yoke__free(answer);
    atomic_store(&o->probed, none ? NOTHING : SOMETHING);
}

static void ask(opencl *o)
{
    question *q = yoke__alloc_zeroed(1, sizeof *q);
    servant *prober = q != NULL ? servant_start(o->topology, "yoke/probe", -1, true) : NULL;
    if (prober == NULL) {
        yoke__free(q);
        atomic_store(&o->probed, NOTHING);
        return;
    }
    q->errand.run = run_question;
    q->errand.dispose = errand_free;
    q->owner = o;
    atomic_store(&o->prober, prober);
    servant_post(prober, &q->errand);
}

int opencl_probe(void *state)
{
    opencl *o = state;
    int unasked = UNASKED;
    if (o->forks != yoke__fork_count())
        return 0; /* a child does not look for devices by itself */
    if (atomic_compare_exchange_strong(&o->probed, &unasked, ASKING))
        ask(o);
    const int probed = atomic_load(&o->probed);
    return probed == SOMETHING ? 1 : probed == NOTHING ? 0 : -1;
}
