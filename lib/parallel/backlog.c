/* The asynchronous calls of a runtime: a queue, and a thread that runs them one after the other.
 *
 * A future's lock is taken before the queue's. The thread takes a call out of the queue and claims it under the queue's
 * lock alone; a cancel that was faster then finds it in no list, and ends it. */
#include "lib/parallel/backlog.h"

enum {
    STACK_BYTES = 2 << 20,
    IDLE_SPIN_NS = 10000, /* waking a sleeper costs five times as much */
    WAIT_SPIN_NS = 5000
};

/* yoke_future.place_ */
enum { NOWHERE, QUEUED };

struct yoke__backlog {
    yoke__owner owner;   /* the first member: futures know it */
    yoke__helper helper; /* of its thread */
    const yoke__topology *topology;
    int64_t spin_ns;
    pthread_mutex_t lock;
    yoke_future *first, *last;
    size_t unended; /* calls that were added and have not ended */
    bool started, quits;
    pthread_t thread;
    _Atomic uint32_t word; /* counts what the thread has to look at */
    uint32_t seen;
    _Atomic uint32_t *closer; /* waits for all calls */
};

/* --- the queue; with the lock held --- */

static void append(yoke__backlog *b, yoke_future *f)
{
    f->next_ = NULL;
    f->previous_ = b->last;
    *(b->last != NULL ? &b->last->next_ : &b->first) = f;
    b->last = f;
    f->place_ = QUEUED;
}

static void withdraw_queued(yoke__backlog *b, yoke_future *f)
{
    if (f->place_ != QUEUED)
        return;
    *(f->previous_ != NULL ? &f->previous_->next_ : &b->first) = f->next_;
    *(f->next_ != NULL ? &f->next_->previous_ : &b->last) = f->previous_;
    f->place_ = NOWHERE;
}

static void count_end(yoke__backlog *b)
{
    b->unended--;
    if (b->unended == 0 && b->closer != NULL)
        yoke__unpark(b->closer);
}

/* --- running --- */

static void run(yoke_future *f)
{
    yoke__later *later = f->argument_;
    yoke__frame frame;
    yoke__frame_enter(&frame, f);
    const int status = later->run(later);
    yoke__frame_leave(&frame);
    yoke__free(later);
    if (status != YOKE_OK)
        yoke__keep_detail(f);
    yoke__future_finish(f, status == YOKE_OK ? YOKE__DONE : YOKE__FAILED, status);
}

/* The lock is given up meanwhile. False: none is queued. */
static bool run_next(yoke__backlog *b)
{
    yoke_future *f = b->first;
    if (f == NULL)
        return false;
    withdraw_queued(b, f);
    if (!yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING))
        return true;
    pthread_mutex_unlock(&b->lock);
    run(f);
    pthread_mutex_lock(&b->lock);
    count_end(b);
    return true;
}

static yoke__backlog *backlog_of_helper(yoke__helper *helper)
{
    return (yoke__backlog *)(void *)((char *)helper - offsetof(yoke__backlog, helper));
}

/* A body or callback on this thread waits for a later call, which nobody else can run: do it here, after those before. */
static bool take(yoke__helper *helper, yoke_future *f)
{
    yoke__backlog *b = backlog_of_helper(helper);
    if (atomic_load(&f->owner_) != (void *)b)
        return false;
    pthread_mutex_lock(&b->lock);
    while (f->place_ == QUEUED)
        (void)run_next(b);
    pthread_mutex_unlock(&b->lock);
    return yoke__has_ended(f);
}

static uint32_t sleep_in_call(yoke__helper *helper, _Atomic uint32_t *word, uint32_t seen, int64_t until_ns)
{
    (void)helper;
    return yoke__park(word, seen, until_ns, WAIT_SPIN_NS);
}

static void settle(yoke__backlog *b)
{
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    (void)pthread_setname_np(pthread_self(), "yoke-async");
    yoke__float_init_thread();
    (void)yoke__topology_unbind_thread(b->topology); /* it is a caller: workers make way for it */
    yoke__helper_set(&b->helper);
}

static void *thread_main(void *argument)
{
    yoke__backlog *b = argument;
    settle(b);
    pthread_mutex_lock(&b->lock);
    while (run_next(b) || !b->quits) {
        if (b->first != NULL)
            continue;
        pthread_mutex_unlock(&b->lock);
        b->seen = yoke__park(&b->word, b->seen, 0, b->spin_ns);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* With the lock held. */
static int start_thread(yoke__backlog *b)
{
    if (b->started)
        return YOKE_OK;
    if (yoke__thread_start(&b->thread, STACK_BYTES, thread_main, b) != YOKE_OK)
        return yoke__fail(YOKE_EAGAIN, "the system refuses the thread for asynchronous calls; end some threads, or "
                                       "raise its limits");
    b->started = true;
    return YOKE_OK;
}

/* --- what futures ask of it --- */

static void ready(yoke__owner *owner, yoke_future *f)
{
    (void)owner, (void)f; /* these depend on no futures, only on those before them */
}

static void withdraw(yoke__owner *owner, yoke_future *f)
{
    yoke__backlog *b = (yoke__backlog *)(void *)owner;
    pthread_mutex_lock(&b->lock);
    withdraw_queued(b, f);
    pthread_mutex_unlock(&b->lock);
    yoke__free(f->argument_);
}

static void cancelled(yoke__owner *owner)
{
    yoke__backlog *b = (yoke__backlog *)(void *)owner;
    pthread_mutex_lock(&b->lock);
    count_end(b);
    pthread_mutex_unlock(&b->lock);
}

/* --- making and adding --- */

static yoke__backlog *make(const yoke_runtime *runtime)
{
    yoke__backlog *b = yoke__alloc_zeroed(1, sizeof *b);
    if (b == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for asynchronous calls");
        return NULL;
    }
    size_t cpus;
    (void)yoke__topology_pus(runtime->topology, &cpus);
    b->owner = (yoke__owner){ready, withdraw, cancelled};
    b->helper = (yoke__helper){yoke__fork_count(), take, sleep_in_call};
    b->topology = runtime->topology;
    b->spin_ns = cpus > 1 && !(yoke__topology_quota(runtime->topology) > 0) ? IDLE_SPIN_NS : 0;
    (void)pthread_mutex_init(&b->lock, NULL);
    return b;
}

static void discard(yoke__backlog *b)
{
    (void)pthread_mutex_destroy(&b->lock);
    yoke__free(b);
}

/* Of this process: that of a forked child's parent is left behind on purpose, for the parent's futures know it. */
static yoke__backlog *backlog_of(yoke_runtime *runtime)
{
    yoke__backlog *b = atomic_load(&runtime->backlog);
    while (b == NULL || b->helper.forks != yoke__fork_count()) {
        yoke__backlog *fresh = make(runtime);
        if (fresh == NULL || atomic_compare_exchange_strong(&runtime->backlog, &b, fresh))
            return fresh;
        discard(fresh);
    }
    return b;
}

static void fill(yoke_future *f, yoke__later *later)
{
    f->function_ = NULL;
    f->argument_ = later;
    f->argument_bytes_ = f->result_bytes_ = 0;
    f->name_ = later->name;
    f->lane_ = f->priority_ = 0;
}

int yoke__backlog_add(yoke_runtime *runtime, yoke_future *future, yoke__later *later)
{
    yoke__backlog *b = backlog_of(runtime);
    if (b == NULL) {
        yoke__free(later);
        return YOKE_ENOMEM;
    }
    uint32_t before;
    pthread_mutex_lock(&b->lock);
    int status = start_thread(b);
    if (status == YOKE_OK)
        status = yoke__future_begin(future, &b->owner, &before);
    if (status == YOKE_OK) {
        fill(future, later);
        append(b, future);
        b->unended++;
        yoke__future_unlock(future);
        yoke__unpark(&b->word);
    }
    pthread_mutex_unlock(&b->lock);
    if (status != YOKE_OK)
        yoke__free(later);
    return status;
}

/* --- closing --- */

static bool is_inside(const yoke__backlog *b)
{
    for (const yoke__frame *frame = yoke__frame_here(); frame != NULL; frame = frame->outer)
        if (atomic_load(&frame->future->owner_) == (const void *)b)
            return true;
    return false;
}

static void await_calls(yoke__backlog *b)
{
    _Atomic uint32_t word = 0;
    pthread_mutex_lock(&b->lock);
    const bool waits = b->unended > 0;
    b->closer = waits ? &word : NULL;
    pthread_mutex_unlock(&b->lock);
    if (waits)
        (void)yoke__park_here(&word, 0, 0);
    pthread_mutex_lock(&b->lock); /* who ended the last one has left it */
    b->closer = NULL;
    b->quits = true;
    pthread_mutex_unlock(&b->lock);
}

int yoke__backlog_close(yoke_runtime *runtime)
{
    yoke__backlog *b = atomic_load(&runtime->backlog);
    if (b == NULL || b->helper.forks != yoke__fork_count() || yoke__team_inside())
        return YOKE_OK;
    if (is_inside(b))
        return yoke__fail(YOKE_EBUSY, "an asynchronous call cannot wait for the end of all of them, its own too; close "
                                      "the runtime outside of its callbacks");
    await_calls(b);
    if (b->started) {
        yoke__unpark(&b->word);
        (void)pthread_join(b->thread, NULL);
    }
    atomic_store(&runtime->backlog, NULL);
    discard(b);
    return YOKE_OK;
}
