/* Continuations: callbacks on the loop's thread. One is listed until its future has ended, then in the queue. */
#include "lib/loop/loop.h"

static void unlist(yoke_loop *loop, yoke_continuation *c)
{
    if (c->listed_ == 0)
        return;
    *(c->previous_ != NULL ? &c->previous_->next_ : &loop->continuations) = c->next_;
    if (c->next_ != NULL)
        c->next_->previous_ = c->previous_;
    c->listed_ = 0;
}

/* From the queue. */
static void run(struct yoke__watcher *watcher)
{
    yoke_continuation *c = (yoke_continuation *)(void *)watcher;
    yoke_loop *loop = c->loop_;
    yoke_callback *callback = c->callback_;
    yoke_future *future = c->future_;
    void *argument = c->argument_;
    c->active_ = 0;
    pthread_mutex_unlock(&loop->lock);
    callback(future, argument);
    pthread_mutex_lock(&loop->lock);
    yoke__loop_done(loop);
}

static void ended(struct yoke__watcher *watcher)
{
    yoke_continuation *c = (yoke_continuation *)(void *)watcher;
    yoke_loop *loop = c->loop_;
    pthread_mutex_lock(&loop->lock);
    unlist(loop, c);
    watcher->notify = run;
    yoke__loop_queue(loop, watcher);
    pthread_mutex_unlock(&loop->lock);
}

void yoke__loop_drop_continuations(yoke_loop *loop)
{
    yoke_continuation *c;
    while ((c = loop->continuations) != NULL) {
        unlist(loop, c);
        pthread_mutex_unlock(&loop->lock);
        const bool dropped = yoke__future_unwatch(c->future_, &c->watcher_);
        pthread_mutex_lock(&loop->lock);
        if (!dropped)
            continue; /* its future has just ended, and it comes by the queue */
        c->active_ = 0;
        yoke__loop_done(loop);
    }
}

static int begin(yoke_loop *loop, yoke_continuation *c, yoke_future *future, yoke_callback *callback, void *argument)
{
    int status = yoke__loop_check(loop);
    if (status != YOKE_OK)
        return status;
    if (c == NULL || callback == NULL)
        return yoke__fail(YOKE_EINVAL, "%s is NULL; a continuation needs one", c == NULL ? "continuation" : "callback");
    status = yoke__loop_reserve(loop);
    if (status != YOKE_OK)
        return status;
    pthread_mutex_lock(&loop->lock);
    const bool free = c->active_ == 0;
    if (free)
        *c = (yoke_continuation){.watcher_.notify = future != NULL ? ended : run,
                                 .loop_ = loop,
                                 .future_ = future,
                                 .callback_ = callback,
                                 .argument_ = argument,
                                 .active_ = 1};
    pthread_mutex_unlock(&loop->lock);
    if (free)
        return YOKE_OK;
    yoke__loop_release(loop);
    return yoke__fail(YOKE_EBUSY, "the continuation's callback has not run; use another one");
}

int yoke_loop_then(yoke_loop *loop, yoke_continuation *continuation, yoke_future *future, yoke_callback *callback,
                   void *argument)
{
    int status = yoke__check_awaited(future);
    if (status == YOKE_OK)
        status = begin(loop, continuation, future, callback, argument);
    if (status != YOKE_OK)
        return status;
    pthread_mutex_lock(&loop->lock);
    continuation->listed_ = 1;
    continuation->next_ = loop->continuations;
    if (continuation->next_ != NULL)
        continuation->next_->previous_ = continuation;
    loop->continuations = continuation;
    yoke__loop_stir(loop);
    pthread_mutex_unlock(&loop->lock);
    if (!yoke__future_watch(future, &continuation->watcher_))
        ended(&continuation->watcher_);
    return YOKE_OK;
}

int yoke_loop_post(yoke_loop *loop, yoke_continuation *continuation, yoke_callback *callback, void *argument)
{
    const int status = begin(loop, continuation, NULL, callback, argument);
    if (status != YOKE_OK)
        return status;
    pthread_mutex_lock(&loop->lock);
    yoke__loop_queue(loop, &continuation->watcher_);
    pthread_mutex_unlock(&loop->lock);
    return YOKE_OK;
}
