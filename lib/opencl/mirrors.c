/* Managed arrays on a device with memory of its own: one buffer per block, made when a run first uses it, given up when
 * the device is full. All on the session's driver thread, but for the list, which move.c reads. */
#include <string.h>

#include "lib/opencl/move.h"
#include "lib/opencl/run.h"

#define UPLOAD_BYTES ((size_t)64 << 20) /* per command: somebody may wait for a sign of life */

/* --- the list --- */

bool mirrors_init(session *s)
{
    return pthread_mutex_init(&s->mirrors.lock, NULL) == 0;
}

void mirror_release(session *s, mirror *m)
{
    if (atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    (void)s->device->owner->cl.clReleaseMemObject(m->mem);
    yoke__memory_release(m->block);
    yoke__free(m);
}

static void unlink_mirror(session *s, mirror *m)
{
    yoke__residency_dropped(m->block, atomic_load(&s->mirrors.home)); /* nobody begins to look for it any more */
    pthread_mutex_lock(&s->mirrors.lock);
    mirror **link = &s->mirrors.list;
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    s->mirrors.bytes -= m->bytes;
    pthread_mutex_unlock(&s->mirrors.lock);
    mirror_release(s, m);
}

void mirrors_drop_freed(session *s)
{
    for (mirror *m = s->has_orphans ? NULL : s->mirrors.list, *next; m != NULL; m = next) {
        next = m->next;
        if (yoke__block_is_freed(m->block))
            unlink_mirror(s, m);
    }
}

void mirrors_release_all(session *s)
{
    for (mirror *m = s->mirrors.list, *next; m != NULL; m = next) {
        next = m->next;
        if (!yoke__block_is_freed(m->block))
            (void)yoke__memory_leave(m->block, atomic_load(&s->mirrors.home), NULL); /* or it is lost */
        unlink_mirror(s, m);
    }
    if (atomic_load(&s->mirrors.home) != 0)
        yoke__home_close(atomic_load(&s->mirrors.home));
    atomic_store(&s->mirrors.home, 0);
}

/* --- making one, and making room for it --- */

static mirror *find(const session *s, const yoke__block *block)
{
    mirror *m = s->mirrors.list;
    while (m != NULL && m->block != block)
        m = m->next;
    return m;
}

static mirror *least_recently_used(const session *s)
{
    mirror *least = NULL;
    for (mirror *m = s->mirrors.list; m != NULL; m = m->next)
        if (m->used != s->mirrors.uses && (least == NULL || m->used < least->used))
            least = m;
    return least;
}

static bool evict(session *s, mirror *m, const yoke__alive *alive)
{
    if (yoke__memory_leave(m->block, atomic_load(&s->mirrors.home), alive) != YOKE_OK)
        return false;
    unlink_mirror(s, m);
    return true;
}

/* The rest is for staging, and for what others have there. */
static size_t budget(const session *s)
{
    const uint64_t bytes = s->device->facts.memory_bytes / 4 * 3;
    return bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

static cl_mem make_memory(session *s, size_t bytes, bool evicts, const yoke__alive *alive)
{
    if (bytes > budget(s))
        return NULL;
    for (;;) {
        cl_int error = CL_SUCCESS;
        mirror *least = least_recently_used(s);
        if (s->mirrors.bytes <= budget(s) - bytes) {
            cl_mem mem = s->device->owner->cl.clCreateBuffer(s->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
            if (mem != NULL && error == CL_SUCCESS)
                return mem;
        }
        if (!evicts || least == NULL || !evict(s, least, alive))
            return NULL;
    }
}

/* Takes over the hold of the block. NULL: the array is staged. */
static mirror *make(session *s, yoke__block *held, bool evicts, const yoke__alive *alive)
{
    const size_t bytes = yoke__block_bytes(held);
    if (atomic_load(&s->mirrors.home) == 0)
        atomic_store(&s->mirrors.home, yoke__home_open(&(yoke__home){s->device->name, move_to_host, s}));
    mirror *m = atomic_load(&s->mirrors.home) != 0 ? yoke__alloc_zeroed(1, sizeof *m) : NULL;
    cl_mem mem = m != NULL ? make_memory(s, bytes, evicts, alive) : NULL;
    if (mem == NULL) {
        yoke__free(m);
        yoke__memory_release(held);
        return NULL;
    }
    *m = (mirror){.block = held, .mem = mem, .bytes = bytes, .used = s->mirrors.uses};
    atomic_init(&m->refs, 1);
    pthread_mutex_lock(&s->mirrors.lock);
    m->next = s->mirrors.list;
    s->mirrors.list = m;
    s->mirrors.bytes += bytes;
    pthread_mutex_unlock(&s->mirrors.lock);
    return m;
}

static bool still(void *context)
{
    run *r = context;
    if (!run_touch(r))
        return false;
    errand_touch_end(&r->errand);
    return true;
}

verdict mirrors_find(run *r)
{
    session *s = r->session;
    const yoke__alive alive = {still, r};
    mirrors_drop_freed(s);
    s->mirrors.uses++;
    for (unsigned k = 0; k < r->parameters; k++) { /* those that are there must not go for others */
        run_array *a = &r->array[k];
        a->mirror = a->in_place && a->shared == NOT_SHARED && !r->shares ? find(s, a->block) : NULL;
        if (a->mirror != NULL)
            a->mirror->used = s->mirrors.uses;
    }
    for (unsigned k = 0; k < r->parameters; k++) {
        run_array *a = &r->array[k];
        if (!a->in_place || r->shares || a->mirror != NULL)
            continue;
        if (!run_touch(r)) /* the caller's hold is good as long as it waits */
            return LEFT;
        yoke__block *held = yoke__memory_hold(a->host, 1);
        errand_touch_end(&r->errand);
        a->mirror = find(s, a->block); /* of an array before it */
        if (a->mirror != NULL || held == NULL)
            yoke__memory_release(held);
        else
            a->mirror = make(s, held, true, &alive);
    }
    for (unsigned k = 0; k < r->parameters; k++) {
        run_array *a = &r->array[k];
        if (a->mirror == NULL)
            continue;
        a->writes_back = a->down && r->task.write_back;
        yoke__block_used_as(a->block, r->task.kernel->parameters[k].name, r->program->name);
    }
    return FINE;
}

bool mirrors_shed(run *r)
{
    session *s = r->session;
    const yoke__alive alive = {still, r};
    bool any = false;
    mirror *other = least_recently_used(s);
    if (other != NULL && evict(s, other, &alive))
        return true;
    for (unsigned k = 0; k < r->parameters; k++) {
        any |= r->array[k].mirror != NULL;
        r->array[k].mirror = NULL; /* staged from now on */
        r->array[k].writes_back = false;
    }
    s->mirrors.uses++;
    for (mirror *m; (m = least_recently_used(s)) != NULL && evict(s, m, &alive);)
        ;
    return any;
}

/* --- bringing content --- */

static verdict verdict_of(run *r, int status)
{
    switch (status) {
    case YOKE_OK: return FINE;
    case YOKE_ECANCELED: return LEFT;
    case YOKE_ENOMEM: return run_judge(r, "notes on arrays", CL_OUT_OF_HOST_MEMORY);
    default: return MISSING;
    }
}

verdict run_bring_to_host(run *r, yoke__block *block, yoke__span span)
{
    const yoke__alive alive = {still, r};
    return verdict_of(r, yoke__memory_to_host(block, span, &alive));
}

verdict run_claim_for_host(run *r, yoke__block *block, yoke__span span)
{
    const yoke__alive alive = {still, r};
    return verdict_of(r, yoke__memory_for_host(block, span, false, &alive));
}

/* From the block's own memory: a device that hangs may go on reading there, for the mirror holds it. */
static cl_int write_part(session *s, unsigned q, const mirror *m, yoke__span part, cl_bool blocking,
                         const cl_event *after, cl_event *event)
{
    const unsigned char *from = (const unsigned char *)yoke__block_start(m->block) + part.begin;
    atomic_fetch_add_explicit(&s->device->bytes_in, part.end - part.begin, memory_order_relaxed);
    return s->device->owner->cl.clEnqueueWriteBuffer(s->queue[q], m->mem, blocking, part.begin, part.end - part.begin,
                                                     from, after != NULL ? 1 : 0, after, event);
}

/* The other queue's kernel may be reading the rim of this window, which another upload would write again. */
static const cl_event *rim_user(const run *r, unsigned q, const run_array *a)
{
    const events *other = &r->flight[(q + 1) % QUEUES].events;
    return a->before + a->after > 0 && other->count > 0 ? &other->list[other->count - 1] : NULL;
}

static verdict upload(run *r, unsigned q, unsigned k, yoke__span part, events *e)
{
    const run_array *a = &r->array[k];
    while (part.begin < part.end) {
        const size_t left = part.end - part.begin;
        const yoke__span now = {part.begin, part.begin + (left < UPLOAD_BYTES ? left : UPLOAD_BYTES)};
        if (e->count >= UPLOAD_EVENTS) {
            verdict v = run_settle(r, q, e);
            if (v != FINE)
                return v;
        }
        if (!still(r))
            return LEFT;
        cl_int error = write_part(r->session, q, a->mirror, now, CL_FALSE, rim_user(r, q, a), &e->list[e->count]);
        if (error != CL_SUCCESS)
            return run_judge(r, "clEnqueueWriteBuffer", error);
        e->bytes[e->count++] = now.end - now.begin;
        part.begin = now.end;
    }
    return FINE;
}

verdict mirror_bring(run *r, unsigned q, unsigned k, piece_range window, events *e)
{
    const run_array *a = &r->array[k];
    const unsigned home = atomic_load(&r->session->mirrors.home);
    yoke__span left = piece_span(a, window), part;
    uint32_t holders;
    verdict v = FINE;
    while (v == FINE && yoke__residency_missing(a->mirror->block, home, left, &part, &holders)) {
        v = run_bring_to_host(r, a->mirror->block, part);
        if (v == FINE)
            v = upload(r, q, k, part, e);
        left.begin = part.end;
    }
    return v;
}

/* --- ahead of time --- */

typedef struct prefetch {
    errand errand; /* first: it is cast back */
    session *session;
    yoke__block *block; /* held */
    uint64_t writes;    /* to it before */
} prefetch;

static void dispose_prefetch(errand *e)
{
    prefetch *p = (prefetch *)e;
    yoke__residency_unexpect(p->block);
    yoke__memory_release(p->block);
    yoke__free(p);
}

static bool wants(const prefetch *p)
{
    return !yoke__block_is_freed(p->block);
}

/* The event is only for a trace. */
static bool bring_part(session *s, const mirror *m, yoke__span part)
{
    cl_event event = NULL;
    const bool traces = yoke__tracing();
    if (write_part(s, 0, m, part, CL_TRUE, NULL, traces ? &event : NULL) != CL_SUCCESS)
        return false;
    if (event != NULL) {
        traced_move(s, 0, event, part.end - part.begin, m->block);
        (void)s->device->owner->cl.clReleaseEvent(event);
    }
    return true;
}

/* Only a hint: what fails here fails again where it is told. */
static void run_prefetch(errand *e)
{
    prefetch *p = (prefetch *)e;
    session *s = p->session;
    yoke__span left = {0, yoke__block_bytes(p->block)}, part;
    uint32_t holders;
    if (s->has_orphans) /* it was given up */
        return;
    mirrors_drop_freed(s);
    s->mirrors.uses++;
    mirror *m = find(s, p->block);
    yoke__block *held = m == NULL ? yoke__memory_hold(yoke__block_start(p->block), 1) : NULL;
    if (held != NULL)
        m = make(s, held, false, NULL);
    if (m == NULL)
        return;
    m->used = s->mirrors.uses;
    const unsigned home = atomic_load(&s->mirrors.home);
    while (wants(p) && yoke__residency_missing(p->block, home, left, &part, &holders)) {
        const bool is_here = (holders >> YOKE__HOST & 1) != 0;
        left.begin = part.end;
        if (!is_here)
            continue;
        part.end = part.end - part.begin < UPLOAD_BYTES ? part.end : part.begin + UPLOAD_BYTES;
        if (!bring_part(s, m, part))
            break;
        yoke__residency_copied_of(p->block, home, part, p->writes);
        atomic_store_explicit(&s->mirrors.beat, yoke__now_ns(), memory_order_relaxed);
        left.begin = part.end;
    }
}

int mirrors_prefetch(session *s, const void *memory)
{
    yoke__block *block = yoke__memory_hold(memory, 1);
    prefetch *p = block != NULL ? yoke__alloc_zeroed(1, sizeof *p) : NULL;
    if (p == NULL || yoke__residency_expect(block, &p->writes) != YOKE_OK) {
        yoke__free(p);
        yoke__memory_release(block);
        return yoke__fail(YOKE_ENOMEM, "no memory to begin a prefetch");
    }
    p->errand.run = run_prefetch;
    p->errand.dispose = dispose_prefetch;
    p->session = s;
    p->block = block;
    servant_post(s->driver, &p->errand);
    return YOKE_OK;
}
