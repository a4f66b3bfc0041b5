/* Servants of lib/opencl and the errands that their tests send them on. */
#ifndef YOKE_TESTS_UNIT_SERVANTS_H
#define YOKE_TESTS_UNIT_SERVANTS_H

#include "lib/opencl/servant.h"
#include "tests/unit/support.h"

enum { SECOND = 1000000000, MILLISECOND = 1000000, SPIN_NS = 50000 };

static yoke__topology *topology;
static atomic_uint alive; /* errands not disposed of */

static inline int load_topology(void **state)
{
    (void)state;
    return yoke__topology_load(&topology);
}

static inline int free_topology(void **state)
{
    (void)state;
    yoke__topology_free(topology);
    return 0;
}

static inline servant *servant_of(const char *name)
{
    servant *s = servant_start(topology, name, -1, false);
    assert_non_null(s);
    return s;
}

static inline int64_t in_ns(int64_t ns)
{
    return yoke__now_ns() + ns;
}

/* --- errands --- */

typedef struct order_log {
    uint32_t at[2000]; /* the servant's, until the last errand has ended */
    size_t count;
} order_log;

typedef struct job {
    errand base;
    uint32_t number;
    order_log *log;
    atomic_bool *gate;           /* waits until it opens */
    atomic_bool *began;          /* says so */
    atomic_uint *disposed;       /* counts */
    unsigned char *area;         /* of the sender: written to while it may be */
    void (*look)(void *context); /* on the servant's thread */
    void *context;
} job;

static inline void dispose_job(errand *self)
{
    job *j = (job *)self;
    atomic_fetch_sub(&alive, 1);
    if (j->disposed != NULL)
        atomic_fetch_add(j->disposed, 1);
    yoke__free(j);
}

static inline void write_slowly(job *j)
{
    for (unsigned char k = 1; k <= 20 && errand_touch(&j->base); k++) {
        memset(j->area, k, 1000);
        sleep_ns(2 * MILLISECOND);
        memset(j->area, k + 100, 1000);
        errand_touch_end(&j->base);
    }
}

static inline void run_job(errand *self)
{
    job *j = (job *)self;
    if (j->log != NULL)
        j->log->at[j->log->count++] = j->number;
    if (j->began != NULL)
        atomic_store(j->began, true);
    while (j->gate != NULL && !atomic_load(j->gate))
        sleep_ns(MILLISECOND / 10);
    if (j->area != NULL)
        write_slowly(j);
    if (j->look != NULL)
        j->look(j->context);
}

static inline job *job_of(job members)
{
    job *j = yoke__alloc(sizeof *j);
    assert_non_null(j);
    *j = members;
    j->base.run = run_job;
    j->base.dispose = dispose_job;
    atomic_fetch_add(&alive, 1);
    return j;
}

static inline void look_on(servant *s, void (*look)(void *context), void *context)
{
    job *j = job_of((job){.look = look, .context = context});
    servant_send(s, &j->base);
    assert_true(errand_wait(&j->base, in_ns(10ll * SECOND), 0));
    errand_release(&j->base);
}

static inline void none_is_alive_soon(void)
{
    for (int64_t until = in_ns(10ll * SECOND); atomic_load(&alive) != 0 && yoke__now_ns() < until;)
        sleep_ns(MILLISECOND);
    assert_int_equal(atomic_load(&alive), 0);
}

#endif
