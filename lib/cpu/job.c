/* Running jobs: publish, claim, steal, sleep. A job ends when its units are done, not when workers have reported; a
 * worker that comes late finds nothing to claim and has touched nothing. */
#include <sched.h>
#include <sys/resource.h>

#include "lib/cpu/team.h"
#include "lib/trace/trace.h"

enum {
    SPIN_SHORT_NS = 5000,
    CAUTIOUS_SLEEPS = 32,
    SPINS_PER_LOOK = 16,
    WAIT_SPIN_NS = 50000,
    PROGRESS_NS = 10000000,
    HANDOVER_NS = 1000
};

/* Units that this thread is inside of. Initial-exec: a look at it must not cost a call. */
static _Thread_local unsigned depth __attribute__((tls_model("initial-exec")));

bool yoke__team_inside(void)
{
    return depth > 0;
}

const void *yoke__team_thread(void)
{
    return &depth;
}

/* --- claims --- */

/* The k-th worker to rob, for 0 <= k < crew->workers - 1. */
static unsigned victim(const crew *c, unsigned self, unsigned k)
{
    if (c->order != NULL)
        return c->order[(size_t)self * (c->workers - 1) + k];
    return (self + 1 + k) % c->workers;
}

static void note_steal(uint32_t units, unsigned from)
{
    yoke__event e;
    yoke__trace_begin(&e, YOKE__EVENT_STEAL, NULL);
    yoke__trace_end(&e, units, from);
}

/* Robs the nearest participant that has anything; keeps one grain and puts the rest in its own, empty, range. */
static bool steal(crew *c, unsigned s, unsigned self, yoke__claim *claim)
{
    slot *at = &c->team->slots[s];
    for (unsigned k = 0; k + 1 < c->workers; k++) {
        unsigned other = victim(c, self, k);
        if (other >= atomic_load_explicit(&at->workers, memory_order_relaxed))
            continue;
        if (!yoke__range_steal(&yoke__lane(c, s, other)->range, claim))
            continue;
        uint32_t grain = atomic_load_explicit(&at->grain, memory_order_relaxed);
        if (claim->end - claim->begin > grain &&
            yoke__range_put(&yoke__lane(c, s, self)->range, claim->begin + grain, claim->end))
            claim->end = claim->begin + grain;
        if (yoke__tracing())
            note_steal(claim->end - claim->begin, other);
        return true;
    }
    return false;
}

/* What participant k starts with. */
static uint64_t first_range(uint32_t units, unsigned k, unsigned participants)
{
    return yoke__range_pack((uint32_t)yoke__share(units, k, participants),
                            (uint32_t)yoke__share(units, k + 1, participants));
}

/* A caller that is done before an awake neighbour can have begun gives it the time that a job needs to reach it; robbing
 * it at once, or watching its range, would only fight for its cache line. */
static void hesitate(crew *c, unsigned s)
{
    slot *at = &c->team->slots[s];
    const unsigned neighbour = c->workers > 1 ? victim(c, 0, 0) : 0;
    if (neighbour == 0 || neighbour >= at->job.workers ||
        atomic_load_explicit(&c->team->asleep, memory_order_relaxed) != 0 ||
        atomic_load_explicit(&yoke__lane(c, s, neighbour)->range, memory_order_relaxed) !=
            first_range(at->job.units, neighbour, at->job.workers))
        return;
    const int64_t start = yoke__now_ns();
    while (atomic_load_explicit(&at->done, memory_order_relaxed) == 0 && yoke__now_ns() - start < HANDOVER_NS)
        yoke__relax();
}

/* --- running --- */

static void look_for_stop(slot *at)
{
    int32_t none = 0;
    if (at->job.cancel != NULL && __atomic_load_n(at->job.cancel, __ATOMIC_RELAXED) != 0)
        atomic_compare_exchange_strong(&at->stop, &none, YOKE_ECANCELED);
    else if (at->job.deadline_ns != 0 && yoke__now_ns() >= at->job.deadline_ns)
        atomic_compare_exchange_strong(&at->stop, &none, YOKE_ETIMEDOUT);
}

static void add_done(slot *at, uint32_t units)
{
    uint32_t all = at->job.units; /* read first: when the last unit is added, the caller may leave */
    if (atomic_fetch_add(&at->done, units) + units == all && atomic_load(&at->waiting) != 0)
        yoke__futex_wake(&at->done, 1);
}

static void report(slot *at, uint32_t done)
{
    if (at->job.progress == NULL || done == at->reported || atomic_load_explicit(&at->stop, memory_order_relaxed) != 0)
        return; /* units skipped after a stop count as done, but were not */
    at->reported = done;
    at->job.progress(done, at->job.units, at->job.progress_argument);
}

/* The next claim. A worker whose own range is empty says so before it looks around: the caller may be waiting for just
 * these units. The job may then be over, and a claim that follows be one of the next job in the slot. */
static bool claim_next(crew *c, unsigned s, unsigned self, yoke__claim *claim, uint32_t *finished)
{
    uint32_t grain = atomic_load_explicit(&c->team->slots[s].grain, memory_order_relaxed);
    if (yoke__range_take(&yoke__lane(c, s, self)->range, grain, claim))
        return true;
    if (self == 0) {
        hesitate(c, s);
    } else if (*finished > 0) {
        add_done(&c->team->slots[s], *finished);
        *finished = 0;
    }
    return steal(c, s, self, claim);
}

static void run_units(const yoke__job *job, uint32_t begin, uint32_t end)
{
    if (job->unit == 0) {
        job->run(job->context, begin, end);
        return;
    }
    /* only the last unit may be short */
    job->run(job->context, job->first + begin * job->unit,
             end == job->units ? job->items : job->first + end * job->unit);
}

static void run_claim(slot *at, yoke__claim claim)
{
    if (at->job.controlled)
        look_for_stop(at);
    if (!at->job.controlled || atomic_load_explicit(&at->stop, memory_order_relaxed) == 0)
        run_units(&at->job, claim.begin, claim.end);
}

/* Runs claims of a slot until there are none; true when there was one. */
static bool work(crew *c, unsigned s, unsigned self, void (*on_first)(crew *, unsigned, unsigned))
{
    slot *at = &c->team->slots[s];
    yoke__claim claim;
    uint32_t finished = 0;
    yoke__event traced;
    if (!claim_next(c, s, self, &claim, &finished))
        return false;
    traced.begin_ns = 0;
    if (yoke__tracing()) /* nobody else reads that line */
        yoke__trace_begin(&traced, YOKE__EVENT_WORK, at->job.name);
    if (on_first != NULL)
        on_first(c, s, self);
    yoke__float_environment saved = yoke__float_enter();
    depth++;
    uint64_t ran = 0;
    do {
        const bool controlled = at->job.controlled;
        run_claim(at, claim);
        ran += claim.end - claim.begin;
        finished += claim.end - claim.begin;
        if (controlled && self == 0)
            report(at, atomic_load(&at->done) + finished);
        if (controlled && self != 0) { /* progress wants to hear of it now */
            add_done(at, finished);
            finished = 0;
        }
    } while (claim_next(c, s, self, &claim, &finished));
    depth--;
    yoke__float_leave(saved);
    yoke__trace_end(&traced, ran, 0);
    if (finished > 0)
        add_done(at, finished);
    return true;
}

/* --- workers --- */

static void wake(crew *c, unsigned k)
{
    if (atomic_load(&c->worker[k].sleeping) == 1 && atomic_exchange(&c->worker[k].sleeping, 0) == 1)
        yoke__futex_wake(&c->worker[k].sleeping, 1);
}

/* Each participant that got work wakes two more, so that no one makes hundreds of system calls alone. */
static void wake_next(crew *c, unsigned s, unsigned self)
{
    slot *at = &c->team->slots[s];
    if (!at->job.wake || atomic_load(&c->team->asleep) == 0)
        return;
    if (self == 0)
        atomic_store_explicit(&c->team->caller_cpu, sched_getcpu(), memory_order_relaxed);
    for (unsigned k = 2 * self + 1; k <= 2 * self + 2 && k < at->job.workers; k++)
        wake(c, k);
}

static bool serve_once(worker *self, uint64_t state)
{
    bool worked = false;
    for (uint32_t live = (uint32_t)state; live != 0; live &= live - 1) {
        unsigned s = (unsigned)__builtin_ctz(live);
        __builtin_prefetch(&yoke__lane(self->crew, s, self->index)->range, 1); /* both lines at once */
        if (self->index < atomic_load_explicit(&self->crew->team->slots[s].workers, memory_order_relaxed))
            worked |= work(self->crew, s, self->index, wake_next);
    }
    return worked;
}

/* How long to spin: about twice the usual gap when that is short; a token when gaps are long, or when this thread was
 * preempted while idle, for then somebody else wants the CPU. Who was woken and came too late is part of a streak of
 * short maps, and waits for the next. */
static int64_t spin_budget(const worker *self)
{
    int64_t limit = self->crew->team->spin_limit_ns;
    if (self->cautious > 0)
        return SPIN_SHORT_NS;
    if (self->woken)
        return limit;
    if (2 * self->gap_ns > limit)
        return SPIN_SHORT_NS;
    return 2 * self->gap_ns > SPIN_SHORT_NS ? 2 * self->gap_ns : SPIN_SHORT_NS;
}

static void note_gap(worker *self, int64_t gap_ns)
{
    int64_t most = 4 * self->crew->team->spin_limit_ns; /* one long pause must not outweigh many short gaps */
    if (gap_ns > most)
        gap_ns = most;
    self->gap_ns += (gap_ns - self->gap_ns) / 4;
}

static void note_preemption(worker *self)
{
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) != 0)
        return;
    if (usage.ru_nivcsw != self->preemptions)
        self->cautious = CAUTIOUS_SLEEPS;
    else if (self->cautious > 0)
        self->cautious--;
    self->preemptions = usage.ru_nivcsw;
}

static void sleep_until_woken(worker *self, uint64_t seen)
{
    yoke__team *team = self->crew->team;
    yoke__event traced;
    note_preemption(self);
    yoke__trace_begin(&traced, YOKE__EVENT_SLEEP, NULL);
    atomic_fetch_add(&team->asleep, 1);
    yoke__announce(&self->sleeping);
    /* Look again after the announcement: a job published before it will not wake us, one after it does. */
    if (atomic_load(&team->state) != seen || atomic_load(&team->quit))
        atomic_store(&self->sleeping, 0);
    while (atomic_load(&self->sleeping) == 1) {
        yoke__futex_wait(&self->sleeping, 1, -1);
        self->woken = true;
    }
    atomic_fetch_sub(&team->asleep, 1);
    yoke__trace_end(&traced, 0, 0);
    if (self->woken)
        yoke__team_make_way(self);
}

/* A range on its way from victim to thief is in no lane for a moment, so a look that found nothing is not final. */
static bool has_work(const worker *self, uint64_t state)
{
    crew *c = self->crew;
    for (uint32_t live = (uint32_t)state; live != 0; live &= live - 1) {
        unsigned s = (unsigned)__builtin_ctz(live);
        unsigned workers = atomic_load_explicit(&c->team->slots[s].workers, memory_order_relaxed);
        if (self->index >= workers)
            continue;
        for (unsigned k = 0; k < workers && k < c->workers; k++) {
            if (yoke__range_has_units(atomic_load_explicit(&yoke__lane(c, s, k)->range, memory_order_relaxed)))
                return true;
        }
    }
    return false;
}

/* Returns when the state is no longer `seen`, when there is something to steal, or after a sleep. */
static void idle(worker *self, uint64_t seen)
{
    yoke__team *team = self->crew->team;
    const int64_t start = yoke__now_ns(), budget = spin_budget(self);
    unsigned looks = 0;
    yoke__event traced;
    yoke__trace_begin(&traced, YOKE__EVENT_WAIT, NULL);
    do {
        for (int k = 0; k < SPINS_PER_LOOK; k++) {
            if (atomic_load_explicit(&team->state, memory_order_acquire) != seen)
                goto changed;
            yoke__relax();
        }
        looks++; /* rarer and rarer, for every look takes the lanes' lines from their owners */
        if ((looks & (looks - 1)) == 0 && has_work(self, seen)) {
            yoke__trace_end(&traced, 0, 0);
            return;
        }
    } while (yoke__now_ns() - start < budget);
    self->woken = false;
    yoke__trace_end(&traced, 0, 0);
    sleep_until_woken(self, seen);
    traced.begin_ns = 0;
changed:
    yoke__trace_end(&traced, 0, 0);
    note_gap(self, yoke__now_ns() - start);
}

void yoke__team_serve(worker *self)
{
    yoke__team *team = self->crew->team;
    self->gap_ns = team->spin_limit_ns;
    while (!atomic_load_explicit(&team->quit, memory_order_relaxed)) {
        uint64_t state = atomic_load_explicit(&team->state, memory_order_acquire);
        if (serve_once(self, state))
            self->woken = false;
        else
            idle(self, state);
    }
}

/* --- the caller --- */

bool yoke__team_take_slot(yoke__team *team, unsigned *s)
{
    uint32_t busy = atomic_load_explicit(&team->busy, memory_order_relaxed);
    for (;;) {
        uint32_t free = ~busy & ((1u << SLOTS) - 1);
        if (free == 0)
            return false;
        *s = (unsigned)__builtin_ctz(free);
        if (atomic_compare_exchange_weak_explicit(&team->busy, &busy, busy | 1u << *s, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    }
}

static void publish(crew *c, unsigned s, const yoke__job *job)
{
    yoke__team *team = c->team;
    slot *at = &team->slots[s];
    unsigned participants = job->workers < c->workers ? job->workers : c->workers;
    if (participants > job->units)
        participants = job->units;
    at->job = *job;
    at->job.workers = participants;
    at->reported = 0;
    atomic_store_explicit(&at->grain, job->grain, memory_order_relaxed);
    atomic_store_explicit(&at->workers, participants, memory_order_relaxed);
    atomic_store_explicit(&at->done, 0, memory_order_relaxed);
    atomic_store_explicit(&at->waiting, 0, memory_order_relaxed);
    atomic_store_explicit(&at->stop, 0, memory_order_relaxed);
    for (unsigned k = 0; k < participants; k++)
        atomic_store_explicit(&yoke__lane(c, s, k)->range,
                              first_range(job->units, k, participants) | YOKE__RANGE_CLOSED, memory_order_relaxed);
    for (unsigned k = 0; k < participants; k++)
        atomic_store_explicit(&yoke__lane(c, s, k)->range, first_range(job->units, k, participants),
                              memory_order_release);
    if ((atomic_load_explicit(&team->state, memory_order_relaxed) & UINT64_C(1) << s) == 0)
        atomic_fetch_or(&team->state, UINT64_C(1) << s);
    atomic_fetch_add(&team->state, UINT64_C(1) << 32);
}

/* Waits for units that others have claimed. Spins first: they are running, and a sleep costs more than most of them. */
static void wait_done(crew *c, unsigned s)
{
    slot *at = &c->team->slots[s];
    const uint32_t units = at->job.units;
    uint32_t done;
    int64_t start = 0;
    yoke__event traced;
    yoke__trace_begin(&traced, YOKE__EVENT_WAIT, NULL);
    for (unsigned spins = 1; (done = atomic_load_explicit(&at->done, memory_order_acquire)) != units; spins++) {
        yoke__relax();
        if (spins % 64 != 0)
            continue;
        report(at, done);
        const int64_t waited = yoke__tracing() ? yoke__now_ns() : 0;
        if (work(c, s, 0, NULL)) {
            yoke__trace_go_on(&traced, waited);
            continue;
        }
        int64_t now = yoke__now_ns();
        start = start == 0 ? now : start;
        if (now - start < WAIT_SPIN_NS)
            continue;
        yoke__announce(&at->waiting);
        done = atomic_load(&at->done);
        if (done != units) /* with a progress callback, look in now and then */
            yoke__futex_wait(&at->done, done, at->job.progress != NULL ? PROGRESS_NS : -1);
    }
    yoke__trace_end(&traced, 0, 0);
}

/* Only yoke__team_destroy() wants to know who is there. Locked additions would be paid by each small map; the thread that
 * made the team does without. */
YOKE_HOT static void count_alone(yoke__team *team, uint32_t by)
{
    if (team->owner != yoke__team_thread())
        atomic_fetch_add_explicit(&team->alone, by, memory_order_acq_rel);
    else
        atomic_store_explicit(&team->owner_alone, atomic_load_explicit(&team->owner_alone, memory_order_relaxed) + by,
                              memory_order_release);
}

YOKE_HOT static yoke__float_environment enter_alone(yoke__team *team)
{
    count_alone(team, 1);
    depth++;
    return yoke__float_enter();
}

YOKE_HOT static void leave_alone(yoke__team *team, yoke__float_environment saved)
{
    yoke__float_leave(saved);
    depth--;
    count_alone(team, UINT32_MAX);
}

YOKE_HOT void yoke__team_run_here(yoke__team *team, void (*run)(void *context, size_t begin, size_t end), void *context,
                                  size_t begin, size_t end)
{
    yoke__float_environment saved = enter_alone(team);
    run(context, begin, end);
    leave_alone(team, saved);
}

static int run_alone(yoke__team *team, const yoke__job *job)
{
    yoke__float_environment saved = enter_alone(team);
    int status = YOKE_OK;
    for (uint32_t unit = 0; unit < job->units && status == YOKE_OK;) {
        if (job->cancel != NULL && __atomic_load_n(job->cancel, __ATOMIC_RELAXED) != 0)
            status = YOKE_ECANCELED;
        if (status == YOKE_OK && job->deadline_ns != 0 && yoke__now_ns() >= job->deadline_ns)
            status = YOKE_ETIMEDOUT;
        if (status != YOKE_OK)
            break;
        uint32_t step = job->controlled && job->units - unit > job->grain ? job->grain : job->units - unit;
        run_units(job, unit, unit + step);
        unit += step;
        if (job->progress != NULL)
            job->progress(unit, job->units, job->progress_argument);
    }
    leave_alone(team, saved);
    return status;
}

int yoke__team_run(yoke__team *team, const yoke__job *job)
{
    unsigned s;
    if (job->workers <= 1 || job->units <= 1 || !yoke__team_after_fork(team) || !yoke__team_take_slot(team, &s))
        return run_alone(team, job);
    int cancel_state; /* a cancelled caller must not unwind past workers that use its job */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    crew *c = atomic_load_explicit(&team->crew, memory_order_acquire);
    slot *at = &team->slots[s];
    publish(c, s, job);
    wake_next(c, s, 0);
    work(c, s, 0, NULL);
    wait_done(c, s);
    report(at, job->units);
    int status = atomic_load_explicit(&at->stop, memory_order_relaxed);
    atomic_fetch_and_explicit(&team->busy, ~(1u << s), memory_order_release);
    pthread_setcancelstate(cancel_state, NULL);
    return status;
}
