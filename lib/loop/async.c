/* Asynchronous tasks: a function that is called again when what it waits for has ended. While it waits its future is
 * pending, so that it can be cancelled, and wait_ is what it waits for; a cancel is carried out by the loop's thread.
 * */
#include "lib/loop/loop.h"

static yoke_async *async_of(yoke_future *f)
{
    return (yoke_async *)(void *)((char *)f - offsetof(yoke_async, future));
}

/* With the lock held. */
static void queue_task(yoke_loop *loop, yoke_future *f)
{
    if ((f->place_ & YOKE__QUEUED) != 0)
        return;
    f->place_ |= YOKE__QUEUED;
    yoke__loop_queue(loop, &f->dependency_);
}

/* What it waited for has ended. */
static void resume(struct yoke__watcher *watcher)
{
    yoke_async *a = (yoke_async *)(void *)((char *)watcher - offsetof(yoke_async, resume_));
    yoke_loop *loop = yoke__loop_of(&a->future);
    pthread_mutex_lock(&loop->lock);
    a->listens_ = 0;
    queue_task(loop, &a->future);
    pthread_mutex_unlock(&loop->lock);
}

static void note_outcome(yoke_async *a)
{
    if (a->waits_ == 0)
        return;
    a->waits_ = 0;
    a->status = yoke__outcome(&a->wait_);
    if (a->wait_.lane_ == YOKE__READY && a->status == YOKE_OK)
        a->events = *(const int *)(const void *)&a->wait_.result_;
}

static int call_step(yoke_async *a)
{
    yoke__frame frame;
    note_outcome(a);
    yoke__frame_enter(&frame, &a->future);
    const int status = a->step_(a);
    yoke__frame_leave(&frame);
    return status;
}

/* With the lock held, which is given up meanwhile. */
static void run_step(yoke_loop *loop, yoke_async *a)
{
    pthread_mutex_unlock(&loop->lock);
    const int status = call_step(a);
    if (status != YOKE_AWAITS) {
        if (a->waits_ != 0)
            (void)yoke_cancel(&a->wait_);
        pthread_mutex_lock(&loop->lock);
        yoke__loop_end(loop, &a->future, status == 0 ? YOKE__DONE : YOKE__FAILED, status);
        return;
    }
    a->resume_.notify = resume;
    a->listens_ = a->waits_;
    (void)yoke__future_claim(&a->future, YOKE__RUNNING, YOKE__PENDING);
    if (a->waits_ == 0 || !yoke__future_watch(&a->wait_, &a->resume_))
        resume(&a->resume_);
    pthread_mutex_lock(&loop->lock);
}

/* Cancelled, or the loop closes: what it waits for goes first, and brings it here again. */
static void end_cancelled(yoke_loop *loop, yoke_async *a)
{
    if (a->listens_ == 0) {
        yoke__loop_end(loop, &a->future, YOKE__CANCELLED, YOKE_ECANCELED);
        return;
    }
    pthread_mutex_unlock(&loop->lock);
    (void)yoke_cancel(&a->wait_);
    pthread_mutex_lock(&loop->lock);
}

void yoke__async_turn(struct yoke__watcher *node)
{
    yoke_future *f = yoke__future_of(node);
    yoke_loop *loop = yoke__loop_of(f);
    yoke_async *a = async_of(f);
    f->place_ &= (unsigned char)~YOKE__QUEUED;
    if (loop->closing && yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING)) {
        f->skip_ = YOKE__CLAIMED;
        f->status_ = YOKE_ECANCELED;
    }
    if (f->skip_ != 0)
        end_cancelled(loop, a);
    else if (yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING))
        run_step(loop, a);
    /* otherwise a cancel is under way, and queues it */
}

int yoke_loop_start(yoke_loop *loop, yoke_async *async, yoke_step *step)
{
    uint32_t before;
    int status = yoke__loop_check(loop);
    if (status != YOKE_OK)
        return status;
    if (async == NULL || step == NULL)
        return yoke__fail(YOKE_EINVAL, "%s is NULL; a task needs one", async == NULL ? "async" : "step");
    status = yoke__loop_reserve(loop);
    if (status != YOKE_OK)
        return status;
    status = yoke__loop_begin(loop, &async->future, YOKE__TASK, &before);
    if (status != YOKE_OK) {
        yoke__loop_release(loop);
        return status;
    }
    async->future.name_ = "an asynchronous task";
    async->future.dependency_.notify = yoke__async_turn;
    async->status = async->events = async->line_ = 0;
    async->waits_ = async->listens_ = 0;
    async->step_ = step;
    pthread_mutex_lock(&loop->lock);
    queue_task(loop, &async->future);
    pthread_mutex_unlock(&loop->lock);
    yoke__future_unlock(&async->future);
    return YOKE_OK;
}

/* --- what a step returns --- */

static int awaits(yoke_async *self, int status)
{
    self->status = status;
    self->waits_ = status == YOKE_OK;
    return YOKE_AWAITS;
}

int yoke_await_sleep(yoke_async *self, int64_t nanoseconds)
{
    return awaits(self, yoke_sleep_async(yoke__loop_of(&self->future), &self->wait_, nanoseconds));
}

int yoke_await_ready(yoke_async *self, int fd, int events, int64_t deadline_ns)
{
    self->events = 0;
    return awaits(self, yoke_ready_async(yoke__loop_of(&self->future), &self->wait_, fd, events, deadline_ns));
}

int yoke_await_all(yoke_async *self, yoke_future *const *futures, size_t count, int64_t deadline_ns)
{
    return awaits(self, yoke_gather_async(yoke__loop_of(&self->future), &self->wait_, futures, count, deadline_ns));
}

int yoke_await(yoke_async *self, yoke_future *future, int64_t deadline_ns)
{
    self->awaited_ = future;
    if (future == &self->future)
        return awaits(self, yoke__fail(YOKE_ESTATE, "a task waits for itself: that would never end"));
    return yoke_await_all(self, &self->awaited_, 1, deadline_ns);
}

int yoke_await_turn(yoke_async *self)
{
    self->status = YOKE_OK;
    return YOKE_AWAITS;
}
