/* The kernels of a session: found by lists without locks, compiled in the background, refused with a reason. */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "lib/opencl/build.h"
#include "lib/opencl/prelude.h"

/* --- the list --- */

/* The program may have closed the library that had the kernel, and another one may stand at its address. */
static program *find(session *s, const yoke_kernel *kernel)
{
    program *p = atomic_load_explicit(&s->programs, memory_order_acquire);
    while (p != NULL && (p->kernel != kernel || p->body != kernel->body || strcmp(p->name, kernel->name) != 0))
        p = atomic_load_explicit(&p->next, memory_order_relaxed);
    return p;
}

static program *add(session *s, const yoke_kernel *kernel)
{
    program *p = yoke__alloc_zeroed(1, sizeof *p);
    char *name = p != NULL ? text_of("%s", kernel->name) : NULL;
    if (name == NULL) {
        yoke__free(p);
        return NULL;
    }
    p->kernel = kernel;
    p->body = kernel->body;
    p->name = name;
    atomic_store_explicit(&p->next, atomic_load(&s->programs), memory_order_relaxed);
    atomic_store_explicit(&s->programs, p, memory_order_release);
    return p;
}

program *program_of(session *s, const yoke_kernel *kernel)
{
    program *p = find(s, kernel);
    if (p != NULL)
        return p;
    pthread_mutex_lock(&s->programs_lock);
    p = find(s, kernel);
    if (p == NULL)
        p = add(s, kernel);
    pthread_mutex_unlock(&s->programs_lock);
    return p;
}

/* --- what needs no compiler to be refused --- */

static const char *skip_line(const char *at)
{
    while (*at != '\0' && *at != '\n')
        at++;
    return at;
}

/* One number, as the preprocessor reads it: 0.1 and 1e3 are double in C, 0.1f is not. */
static const char *skip_number(const char *at, bool *is_double)
{
    const bool hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    bool fraction = false;
    for (; isalnum((unsigned char)*at) || *at == '.' || *at == '_'; at++) {
        const bool exponent = hex ? *at == 'p' || *at == 'P' : *at == 'e' || *at == 'E';
        fraction |= exponent || *at == '.';
        if (exponent && (at[1] == '+' || at[1] == '-'))
            at++;
    }
    *is_double |= fraction && at[-1] != 'f' && at[-1] != 'F';
    return at;
}

/* Whether text that came from the program computes in double. A compiler without it may quietly use float. */
static bool needs_double(const char *source)
{
    const char *at = strstr(source, yoke__prelude);
    at = at != NULL ? at + strlen(yoke__prelude) : source;
    bool is_double = false;
    while (*at != '\0' && !is_double) {
        if (*at == '#') {
            at = skip_line(at);
        } else if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]))) {
            at = skip_number(at, &is_double);
        } else if (isalpha((unsigned char)*at) || *at == '_') {
            const char *word = at;
            while (isalnum((unsigned char)*at) || *at == '_')
                at++;
            is_double = at - word == 6 && memcmp(word, "double", 6) == 0;
        } else {
            at++;
        }
    }
    return is_double;
}

static void refuse(program *p, char *reason)
{
    p->reason = reason;
    atomic_store_explicit(&p->state, PROGRAM_REFUSED, memory_order_release);
    yoke__futex_wake(&p->state, INT_MAX);
}

static bool refuse_early(const device *d, program *p, const build *b, const yoke_kernel *kernel)
{
    if (kernel->exact && !d->facts.is_exact)
        refuse(p, text_of("%s is exact, and %s rounds division or square root its own way, or loses denormals",
                          b->label, d->name));
    else if (!d->facts.has_double && needs_double(b->key))
        refuse(p, text_of("%s uses double, which %s does not have", b->label, d->name));
    else
        return false;
    return true;
}

/* --- compiling; all under the lock of the session's programs --- */

static void start_build(device *d, session *s, program *p, const yoke_kernel *kernel)
{
    servant *builder = atomic_load(&d->owner->builder);
    build *b = builder != NULL ? build_new(d, s, p, kernel) : NULL;
    if (b == NULL) /* it stays new, and the next one tries again */
        return;
    if (refuse_early(d, p, b, kernel)) {
        b->errand.dispose(&b->errand);
        return;
    }
    p->work = b;
    p->sent_to = builder;
    p->sent_ns = yoke__now_ns();
    atomic_store(&p->state, PROGRAM_BUILDING);
    servant_send(builder, &b->errand);
}

/* Another thread compiles from now on. The hung one is left behind: to stop it would free what a third thread may be
 * about to send it an errand by. */
static void replace_builder(opencl *o, servant *hung)
{
    servant *fresh = servant_start(o->topology, "yoke/compile", -1, true);
    atomic_store(&o->left_behind, true);
    if (fresh == NULL)
        return;
    atomic_store(&o->build_progress_ns, yoke__now_ns());
    if (!atomic_compare_exchange_strong(&o->builder, &hung, fresh))
        (void)servant_stop(fresh, INT64_MAX);
}

/* The kernel at which the builder hangs is refused; one that waited behind it is new again. */
static void take_back(const device *d, program *p)
{
    build *b = p->work;
    errand_abandon(&b->errand);
    if (atomic_load(&p->state) != PROGRAM_BUILDING)
        return;
    if (atomic_load(&b->began)) {
        refuse(p, text_of("%s: compiling it for %s took longer than %lld ms", b->label, d->name,
                          (long long)(d->owner->build_limit_ns / 1000000)));
        return;
    }
    p->work = NULL;
    errand_release(&b->errand);
    atomic_store(&p->state, PROGRAM_NEW);
}

/* Returns when to look again, should nothing have happened by then. */
static int64_t watch_build(device *d, program *p)
{
    opencl *o = d->owner;
    int64_t since = atomic_load(&o->build_progress_ns);
    since = since > p->sent_ns ? since : p->sent_ns;
    if (p->sent_to == atomic_load(&o->builder)) {
        if (yoke__now_ns() - since < o->build_limit_ns)
            return since + o->build_limit_ns;
        replace_builder(o, p->sent_to);
    }
    if (p->sent_to != atomic_load(&o->builder) || atomic_load(&p->work->began))
        take_back(d, p);
    return yoke__now_ns() + o->build_limit_ns;
}

static int64_t advance(device *d, session *s, program *p, const yoke_kernel *kernel)
{
    int64_t look_ns = 0;
    pthread_mutex_lock(&s->programs_lock);
    if (atomic_load(&p->state) == PROGRAM_BUILDING)
        look_ns = watch_build(d, p);
    if (atomic_load(&p->state) == PROGRAM_NEW)
        start_build(d, s, p, kernel);
    if (look_ns == 0)
        look_ns = yoke__now_ns() + d->owner->build_limit_ns;
    pthread_mutex_unlock(&s->programs_lock);
    return look_ns;
}

yoke__readiness program_prepare(device *d, session *s, const yoke_kernel *kernel, int64_t until_ns)
{
    program *p = program_of(s, kernel);
    while (p != NULL) {
        uint32_t state = atomic_load_explicit(&p->state, memory_order_acquire);
        int64_t look_ns = 0;
        if (state == PROGRAM_NEW || state == PROGRAM_BUILDING) {
            look_ns = advance(d, s, p, kernel);
            state = atomic_load_explicit(&p->state, memory_order_acquire);
        }
        if (state == PROGRAM_READY || state == PROGRAM_REFUSED)
            return state == PROGRAM_READY ? YOKE__READY : YOKE__REFUSED;
        int64_t now = yoke__now_ns();
        if (state == PROGRAM_NEW || until_ns <= now)
            break;
        look_ns = look_ns < until_ns ? look_ns : until_ns;
        if (look_ns > now)
            yoke__futex_wait(&p->state, PROGRAM_BUILDING, look_ns - now);
    }
    return YOKE__PREPARING;
}

/* --- the end --- */

/* While a build may still use the context this does not return: who hangs is left behind with the whole session. */
void program_release_all(session *s)
{
    const cl_api *cl = &s->device->owner->cl;
    program *p = atomic_exchange(&s->programs, NULL);
    for (program *next = p; next != NULL; next = atomic_load(&next->next))
        if (next->work != NULL)
            errand_abandon(&next->work->errand);
    while (p != NULL) {
        program *next = atomic_load(&p->next);
        if (p->work != NULL) {
            (void)errand_wait(&p->work->errand, INT64_MAX, 0);
            errand_release(&p->work->errand);
        }
        if (p->entry != NULL)
            (void)cl->clReleaseKernel(p->entry);
        if (p->built != NULL)
            (void)cl->clReleaseProgram(p->built);
        yoke__free(p->reason);
        yoke__free(p->name);
        yoke__free(p);
        p = next;
    }
}
