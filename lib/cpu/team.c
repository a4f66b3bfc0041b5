/* The threads of a team: made, pinned, named, replaced, ended. */
#include <sched.h>
#include <stdio.h>

#include "lib/cpu/team.h"

enum { STACK_BYTES = 2 << 20 };

/* --- threads --- */

/* The core of a CPU by the system's number; -1: not among the usable ones. */
static long core_of_cpu(const crew *c, int cpu)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(c->team->topology, &count);
    for (size_t k = 0; k < count; k++)
        if (cpu >= 0 && pus[k].os_index == (unsigned)cpu)
            return (long)pus[k].core;
    return -1;
}

static bool is_on_core(const crew *c, unsigned k, long core)
{
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(c->team->topology, &count);
    return c->places[k].pinned && !c->places[k].whole_node && (long)pus[c->places[k].pu].core == core;
}

static void swap_places(crew *c, unsigned a, unsigned b)
{
    yoke__place of_a = c->places[a];
    c->places[a] = c->places[b];
    c->places[b] = of_a;
}

/* With whom to change places: with the free one (0) when a caller is here; with whoever has this worker's own, unless he
 * is awake there, or a caller is; with itself otherwise. */
static unsigned partner(const worker *self, long caller_core)
{
    const crew *c = self->crew;
    const unsigned k = self->index;
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(c->team->topology, &count);
    if (caller_core >= 0 && is_on_core(c, k, caller_core))
        return is_on_core(c, 0, caller_core) ? k : 0;
    if (!c->places[k].pinned || c->places[k].pu == self->home || (long)pus[self->home].core == caller_core)
        return k;
    for (unsigned other = 0; other < c->workers; other++)
        if (c->places[other].pu == self->home)
            return other == 0 || atomic_load(&c->worker[other].sleeping) == 1 ? other : k;
    return k;
}

void yoke__team_make_way(worker *self)
{
    crew *c = self->crew;
    const long core = core_of_cpu(c, atomic_load_explicit(&c->team->caller_cpu, memory_order_relaxed));
    pthread_mutex_lock(&c->moving);
    swap_places(c, self->index, partner(self, core));
    const yoke__place *place = &c->places[self->index];
    if (place->pinned && place->pu != self->bound) { /* perhaps a sleeper whose place another took */
        (void)yoke__topology_bind_thread(c->team->topology, place);
        self->bound = place->pu;
    }
    pthread_mutex_unlock(&c->moving);
}

/* The thread that opens a team is usually the one that calls: its core is the one to keep free. */
static void keep_core_of_opener(crew *c)
{
    const long core = core_of_cpu(c, sched_getcpu());
    for (unsigned k = 1; core >= 0 && k < c->workers; k++)
        if (is_on_core(c, k, core) && !is_on_core(c, 0, core)) {
            swap_places(c, 0, k);
            return;
        }
}

static void *thread_main(void *argument)
{
    worker *self = argument;
    yoke__team *team = self->crew->team;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    yoke__float_init_thread();
    /* A worker that cannot be pinned works where it is. Without a policy it may run wherever the process may, also
     * when the thread that made it was bound. */
    pthread_mutex_lock(&self->crew->moving);
    const yoke__place place = self->crew->places[self->index];
    pthread_mutex_unlock(&self->crew->moving);
    self->bound = place.pu;
    if (place.pinned)
        (void)yoke__topology_bind_thread(team->topology, &place);
    else
        (void)yoke__topology_unbind_thread(team->topology);
    yoke__team_serve(self);
    return NULL;
}

static int start_thread(worker *self)
{
    const int status = yoke__thread_start(&self->thread, STACK_BYTES, thread_main, self);
    if (status != YOKE_OK)
        return status;
    char name[16];
    (void)snprintf(name, sizeof name, "yoke/%u", self->index);
    (void)pthread_setname_np(self->thread, name);
    return YOKE_OK;
}

/* --- crews --- */

static void free_crew(crew *c)
{
    if (c == NULL)
        return;
    yoke__free(c->worker);
    yoke__free(c->lanes);
    yoke__free(c->order);
    yoke__free(c->places);
    (void)pthread_mutex_destroy(&c->moving);
    yoke__free(c);
}

static int order_victims(crew *c)
{
    if (c->workers < 2 || c->workers > ORDER_TABLE_LIMIT)
        return YOKE_OK;
    size_t row = c->workers - 1;
    c->order = yoke__alloc_zeroed(c->workers * row, sizeof *c->order);
    if (c->order == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for %u workers", c->workers);
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(c->team->topology, &count);
    for (unsigned k = 0; k < c->workers; k++)
        yoke__topology_steal_order(pus, c->places, c->workers, k, c->order + k * row);
    return YOKE_OK;
}

static int make_crew(crew **out, yoke__team *team, unsigned workers)
{
    crew *c = yoke__alloc_zeroed(1, sizeof *c);
    if (c == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for %u workers", workers);
    c->team = team;
    c->workers = workers;
    (void)pthread_mutex_init(&c->moving, NULL);
    c->worker = yoke__alloc_aligned(YOKE_CACHE_LINE, workers * sizeof *c->worker);
    c->lanes = yoke__alloc_aligned(YOKE_CACHE_LINE, (size_t)SLOTS * workers * sizeof *c->lanes);
    c->places = yoke__alloc_zeroed(workers, sizeof *c->places);
    int status = c->worker != NULL && c->lanes != NULL && c->places != NULL
                     ? YOKE_OK
                     : yoke__fail(YOKE_ENOMEM, "no memory for %u workers", workers);
    size_t count;
    const yoke__pu *pus = yoke__topology_pus(team->topology, &count);
    if (status == YOKE_OK)
        status = yoke__topology_place(pus, count, team->pin, workers, c->places);
    if (status == YOKE_OK) {
        keep_core_of_opener(c);
        status = order_victims(c);
    }
    if (status != YOKE_OK) {
        free_crew(c);
        return status;
    }
    for (unsigned k = 0; k < workers; k++)
        c->worker[k] = (worker){.crew = c, .index = k, .home = c->places[k].pu};
    for (size_t k = 0; k < (size_t)SLOTS * workers; k++)
        atomic_init(&c->lanes[k].range, 0);
    *out = c;
    return YOKE_OK;
}

/* Threads that the system refuses are done without: the range of a worker that never comes is stolen. */
static unsigned start_threads(crew *c)
{
    unsigned started = 1;
    while (started < c->workers && start_thread(&c->worker[started]) == YOKE_OK)
        started++;
    return started;
}

static void stop_threads(crew *c, unsigned threads)
{
    yoke__team *team = c->team;
    atomic_store(&team->quit, true);
    atomic_fetch_add(&team->state, UINT64_C(1) << 32);
    for (unsigned k = 1; k < threads; k++)
        if (atomic_exchange(&c->worker[k].sleeping, 0) == 1)
            yoke__futex_wake(&c->worker[k].sleeping, 1);
    for (unsigned k = 1; k < threads; k++)
        (void)pthread_join(c->worker[k].thread, NULL);
    atomic_store(&team->quit, false);
}

static void install(yoke__team *team, crew *c)
{
    atomic_store_explicit(&team->crew, c, memory_order_release);
    atomic_store(&team->workers, start_threads(c));
}

/* Takes every slot, so that no job runs: callers that find none free run alone. Only under the lock, for two threads
 * with half of the slots each would wait for ever. False, having nothing, when `wait` is false and a map runs. */
static bool take_all_slots(yoke__team *team, bool wait)
{
    const uint32_t all = (1u << SLOTS) - 1;
    uint32_t mine = 0;
    if (!wait && pthread_mutex_trylock(&team->replace) != 0)
        return false;
    if (wait)
        pthread_mutex_lock(&team->replace);
    for (;;) {
        mine |= ~atomic_fetch_or(&team->busy, all) & all;
        if (mine == all && (wait || atomic_load(&team->alone) + atomic_load(&team->owner_alone) == 0))
            return true;
        if (!wait)
            break;
        (void)sched_yield();
    }
    atomic_fetch_and(&team->busy, ~mine);
    pthread_mutex_unlock(&team->replace);
    return false;
}

static void free_all_slots(yoke__team *team)
{
    atomic_store_explicit(&team->busy, 0, memory_order_release);
    pthread_mutex_unlock(&team->replace);
}

/* --- door --- */

int yoke__team_create(yoke__team **out, const yoke__topology *topology, yoke_pin pin, unsigned workers,
                      int64_t spin_limit_ns)
{
    yoke__team *team = yoke__alloc_aligned(YOKE_CACHE_LINE, sizeof *team);
    if (team == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a team of workers");
    *team =
        (yoke__team){.topology = topology, .pin = pin, .spin_limit_ns = spin_limit_ns, .owner = yoke__team_thread()};
    atomic_init(&team->caller_cpu, -1);
    (void)pthread_mutex_init(&team->replace, NULL);
    atomic_store(&team->forks, yoke__fork_count());
    atomic_store(&team->revival, yoke__fork_count());
    crew *c;
    int status = make_crew(&c, team, workers);
    if (status != YOKE_OK) {
        yoke__free(team);
        return status;
    }
    install(team, c);
    *out = team;
    return YOKE_OK;
}

int yoke__team_destroy(yoke__team *team)
{
    if (team == NULL)
        return YOKE_OK;
    if (yoke__team_inside())
        return yoke__fail(YOKE_EBUSY,
                          "a body cannot close the runtime that may run it; close it after the map returned");
    if (!yoke__team_after_fork(team) || !take_all_slots(team, false))
        return yoke__fail(YOKE_EBUSY, "a map still runs on this runtime; close it after the map returned");
    crew *c = atomic_load(&team->crew);
    stop_threads(c, atomic_load(&team->workers));
    free_crew(c);
    (void)pthread_mutex_unlock(&team->replace);
    (void)pthread_mutex_destroy(&team->replace);
    yoke__free(team);
    return YOKE_OK;
}

int yoke__team_resize(yoke__team *team, unsigned workers)
{
    if (yoke__team_inside())
        return yoke__fail(YOKE_EBUSY, "a body cannot change the number of workers; do it between maps");
    while (!yoke__team_after_fork(team))
        yoke__relax();
    crew *fresh;
    int status = make_crew(&fresh, team, workers);
    if (status != YOKE_OK)
        return status;
    take_all_slots(team, true);
    crew *old = atomic_load(&team->crew);
    stop_threads(old, atomic_load(&team->workers));
    install(team, fresh);
    free_all_slots(team);
    free_crew(old);
    return YOKE_OK;
}

bool yoke__team_after_fork(yoke__team *team)
{
    unsigned now = yoke__fork_count();
    if (atomic_load_explicit(&team->forks, memory_order_acquire) == now)
        return true;
    if (atomic_exchange(&team->revival, now) == now)
        return false;
    /* The parent's threads are not here, and what they held stays held: the old crew is left behind on purpose. */
    crew *old = atomic_load(&team->crew), *fresh;
    atomic_store(&team->state, atomic_load(&team->state) & ~(uint64_t)UINT32_MAX);
    atomic_store(&team->asleep, 0);
    if (make_crew(&fresh, team, old->workers) == YOKE_OK)
        install(team, fresh);
    else
        atomic_store(&team->workers, 1);
    (void)pthread_mutex_init(&team->replace, NULL); /* it may have been held, too */
    atomic_store(&team->alone, 0);
    atomic_store(&team->owner_alone, 0);
    atomic_store(&team->busy, 0);
    atomic_store_explicit(&team->forks, now, memory_order_release);
    return true;
}

YOKE_HOT unsigned yoke__team_workers(const yoke__team *team)
{
    return atomic_load_explicit(&team->workers, memory_order_relaxed);
}

/* A slot of its own keeps the crew as it is; running maps need not end for that. */
static crew *hold_crew(yoke__team *team, unsigned *s)
{
    while (!yoke__team_after_fork(team))
        yoke__relax();
    while (!yoke__team_take_slot(team, s))
        (void)sched_yield();
    return atomic_load_explicit(&team->crew, memory_order_acquire);
}

static void let_go(yoke__team *team, unsigned s)
{
    atomic_fetch_and_explicit(&team->busy, ~(1u << s), memory_order_release);
}

int yoke__team_place(yoke__team *team, unsigned k, yoke__place *place)
{
    unsigned s;
    if (yoke__team_inside())
        return yoke__fail(YOKE_EBUSY, "a body cannot ask where workers are; ask between maps");
    crew *c = hold_crew(team, &s);
    bool known = k < c->workers;
    pthread_mutex_lock(&c->moving);
    if (known)
        *place = c->places[k];
    pthread_mutex_unlock(&c->moving);
    let_go(team, s);
    return known ? YOKE_OK
                 : yoke__fail(YOKE_EINVAL, "there is no worker %u; yoke_workers() says how many there are", k);
}

int yoke__team_places(yoke__team *team, yoke__place **places, unsigned *workers)
{
    unsigned s;
    if (yoke__team_inside())
        return yoke__fail(YOKE_EBUSY, "a body cannot ask where workers are; ask between maps");
    crew *c = hold_crew(team, &s);
    *workers = yoke__team_workers(team); /* those that the system refused begin no range */
    *places = yoke__alloc_zeroed(*workers, sizeof **places);
    pthread_mutex_lock(&c->moving);
    for (unsigned k = 0; k < *workers && *places != NULL; k++)
        (*places)[k] = c->places[k];
    pthread_mutex_unlock(&c->moving);
    let_go(team, s);
    return *places != NULL ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for the places of %u workers", *workers);
}

YOKE_HOT unsigned yoke__team_asleep(const yoke__team *team)
{
    return atomic_load_explicit(&team->asleep, memory_order_relaxed);
}
