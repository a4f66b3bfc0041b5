/* Futures that the loop itself ends: sleep, readiness, gather; and what futures ask of their owner. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "lib/loop/loop.h"

/* --- beginning --- */

int yoke__loop_begin(yoke_loop *loop, yoke_future *f, unsigned kind, uint32_t *before)
{
    const int status = yoke__future_begin(f, &loop->owner, before);
    if (status != YOKE_OK)
        return status;
    f->lane_ = (unsigned char)kind;
    f->place_ = f->priority_ = 0;
    f->extras_ = YOKE__EXTRAS;
    return YOKE_OK;
}

static int check(const yoke_loop *loop, const yoke_future *f, int64_t deadline_ns)
{
    const int status = yoke__loop_check(loop);
    if (status != YOKE_OK)
        return status;
    if (f == NULL)
        return yoke__fail(YOKE_EINVAL, "future is NULL; give one that is zeroed, or has ended");
    return yoke__check_deadline(deadline_ns);
}

static int reserve(yoke_loop *loop, yoke_future *f, unsigned kind, uint32_t *before)
{
    int status = yoke__loop_reserve(loop);
    if (status != YOKE_OK)
        return status;
    status = yoke__loop_begin(loop, f, kind, before);
    if (status != YOKE_OK)
        yoke__loop_release(loop);
    return status;
}

/* With the lock held. */
static void add_to_heap(yoke_loop *loop, yoke_future *f, int64_t deadline_ns)
{
    f->copy_.integer = deadline_ns;
    loop->heap = yoke__heap_add(loop->heap, f);
    if (loop->heap == f)
        yoke__loop_stir(loop);
}

static void leave_heap(yoke_loop *loop, yoke_future *f)
{
    if ((f->place_ & YOKE__IN_HEAP) != 0)
        loop->heap = yoke__heap_remove(loop->heap, f);
}

void yoke__loop_end(yoke_loop *loop, yoke_future *f, unsigned kind, int status)
{
    pthread_mutex_unlock(&loop->lock);
    yoke__future_finish(f, kind, status);
    pthread_mutex_lock(&loop->lock);
    yoke__loop_done(loop);
}

/* --- sleep --- */

int yoke_sleep_async(yoke_loop *loop, yoke_future *future, int64_t nanoseconds)
{
    uint32_t before;
    int status = check(loop, future, 0);
    if (status == YOKE_OK)
        status = reserve(loop, future, YOKE__SLEEP, &before);
    if (status != YOKE_OK)
        return status;
    future->name_ = "a sleep";
    pthread_mutex_lock(&loop->lock);
    future->after_count_ = ++loop->sequence;
    add_to_heap(loop, future, yoke_deadline_in(nanoseconds > 0 ? nanoseconds : 0));
    pthread_mutex_unlock(&loop->lock);
    yoke__future_unlock(future);
    return YOKE_OK;
}

/* --- readiness: a future's descriptor is after_count_, its events priority_ --- */

/* What is waited for, told to epoll. False: the system refuses. */
static bool arm(yoke_loop *loop, size_t fd)
{
    struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = (int)fd};
    unsigned wanted = 0;
    for (struct yoke__watcher *w = loop->waiting[fd]; w != NULL; w = w->next)
        wanted |= yoke__future_of(w)->priority_;
    if (wanted == 0)
        return epoll_ctl(loop->epoll, EPOLL_CTL_DEL, (int)fd, &event) == 0;
    event.events |= ((wanted & YOKE_READABLE) != 0 ? (uint32_t)EPOLLIN : 0) |
                    ((wanted & YOKE_WRITABLE) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, (int)fd, &event) == 0)
        return true;
    return errno == ENOENT && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, (int)fd, &event) == 0;
}

static void leave_descriptor(yoke_loop *loop, yoke_future *f)
{
    struct yoke__watcher **at = &loop->waiting[f->after_count_];
    while (*at != &f->dependency_)
        at = &(*at)->next;
    *at = f->dependency_.next;
    f->place_ &= (unsigned char)~YOKE__ON_FD;
}

static unsigned ready_events(uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        return YOKE_READABLE | YOKE_WRITABLE;
    return ((events & EPOLLIN) != 0 ? (unsigned)YOKE_READABLE : 0) |
           ((events & EPOLLOUT) != 0 ? (unsigned)YOKE_WRITABLE : 0);
}

/* Claims those of a descriptor that wait for what it is ready for, and puts them in front of the list. */
static struct yoke__watcher *take_ready(yoke_loop *loop, size_t fd, unsigned events, struct yoke__watcher *list)
{
    for (struct yoke__watcher *w = loop->waiting[fd], *next; w != NULL; w = next) {
        yoke_future *f = yoke__future_of(w);
        next = w->next;
        const int found = (int)(f->priority_ & events);
        if (found == 0)
            continue;
        leave_descriptor(loop, f);
        leave_heap(loop, f);
        if (!yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING))
            continue; /* who cancels it ends it */
        memcpy(&f->result_, &found, sizeof found);
        w->next = list;
        list = w;
    }
    return list;
}

void yoke__loop_poll(yoke_loop *loop)
{
    enum { AT_ONCE = 64 };
    struct epoll_event events[AT_ONCE];
    struct yoke__watcher *list = NULL;
    const int count = epoll_wait(loop->epoll, events, AT_ONCE, 0);
    for (int k = count - 1; k >= 0; k--) {
        const size_t fd = (size_t)events[k].data.fd;
        list = take_ready(loop, fd, ready_events(events[k].events), list);
        if (loop->waiting[fd] != NULL)
            (void)arm(loop, fd);
    }
    while (list != NULL) {
        yoke_future *f = yoke__future_of(list);
        list = list->next;
        yoke__loop_end(loop, f, YOKE__DONE, 0);
    }
}

static int check_descriptor(int fd, int events)
{
    struct stat about;
    if (events == 0 || (events & ~(YOKE_READABLE | YOKE_WRITABLE)) != 0)
        return yoke__fail(YOKE_EINVAL, "events 0x%x; give YOKE_READABLE, YOKE_WRITABLE, or both", (unsigned)events);
    if (fd < 0 || fstat(fd, &about) != 0)
        return yoke__fail(YOKE_EINVAL, "%d is no open file descriptor", fd);
    if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode))
        return yoke__fail(YOKE_EINVAL, "files of a disk are always ready; read them in a task with YOKE_TASK_BLOCKS");
    return YOKE_OK;
}

/* With the lock held. */
static int make_room(yoke_loop *loop, size_t fd)
{
    if (fd < loop->descriptors)
        return YOKE_OK;
    const size_t count = fd + 1 + fd / 2 + 16;
    struct yoke__watcher **waiting = yoke__alloc_zeroed(count, sizeof *waiting);
    if (waiting == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory to wait for descriptor %zu", fd);
    for (size_t k = 0; k < loop->descriptors; k++)
        waiting[k] = loop->waiting[k];
    yoke__free(loop->waiting);
    loop->waiting = waiting;
    loop->descriptors = count;
    return YOKE_OK;
}

/* The future is locked. */
static int wait_for_descriptor(yoke_loop *loop, yoke_future *f, size_t fd, int64_t deadline_ns)
{
    pthread_mutex_lock(&loop->lock);
    int status = make_room(loop, fd);
    if (status == YOKE_OK) {
        f->dependency_.next = loop->waiting[fd];
        loop->waiting[fd] = &f->dependency_;
        f->place_ |= YOKE__ON_FD;
        if (!arm(loop, fd)) {
            leave_descriptor(loop, f);
            status = yoke__fail(YOKE_EIO, "the system cannot wait for descriptor %zu: %.100s", fd, strerror(errno));
        }
    }
    if (status == YOKE_OK)
        add_to_heap(loop, f, deadline_ns > 0 ? deadline_ns : INT64_MAX);
    pthread_mutex_unlock(&loop->lock);
    return status;
}

int yoke_ready_async(yoke_loop *loop, yoke_future *future, int fd, int events, int64_t deadline_ns)
{
    uint32_t before;
    int status = check(loop, future, deadline_ns);
    if (status == YOKE_OK)
        status = check_descriptor(fd, events);
    if (status == YOKE_OK)
        status = reserve(loop, future, YOKE__READY, &before);
    if (status != YOKE_OK)
        return status;
    future->name_ = "waiting for a descriptor";
    future->priority_ = (unsigned char)events;
    future->after_count_ = (size_t)fd;
    status = wait_for_descriptor(loop, future, (size_t)fd, deadline_ns);
    if (status == YOKE_OK) {
        yoke__future_unlock(future);
        return YOKE_OK;
    }
    yoke__future_revert(future, before);
    yoke__loop_release(loop);
    return status;
}

/* --- gather: one is watched after the other; priority_ and status_ are of the first that is not done --- */

static void end_gather(struct yoke__watcher *node)
{
    yoke_future *f = yoke__future_of(node);
    yoke_loop *loop = yoke__loop_of(f);
    f->place_ &= (unsigned char)~YOKE__QUEUED;
    leave_heap(loop, f);
    if (f->skip_ != 0)
        yoke__loop_end(loop, f, f->skip_ == YOKE__FAILED ? YOKE__FAILED : YOKE__CANCELLED, f->status_);
    else if (yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING))
        yoke__loop_end(loop, f, f->priority_ != 0 ? f->priority_ : YOKE__DONE, f->status_);
}

/* The future is locked. */
static void queue_gather(yoke_future *f)
{
    yoke_loop *loop = yoke__loop_of(f);
    f->dependency_.notify = end_gather;
    pthread_mutex_lock(&loop->lock);
    f->place_ |= YOKE__QUEUED;
    yoke__loop_queue(loop, &f->dependency_);
    pthread_mutex_unlock(&loop->lock);
}

static void gathered_ended(struct yoke__watcher *watcher);

/* The future is locked. */
static void gather_on(yoke_future *f)
{
    for (; f->after_index_ < f->after_count_; f->after_index_++) {
        yoke_future *awaited = f->after_[f->after_index_];
        f->dependency_.notify = gathered_ended;
        f->watching_ = 1;
        if (yoke__future_watch(awaited, &f->dependency_))
            return;
        f->watching_ = 0;
        const unsigned kind = yoke__kind(awaited);
        if (kind != YOKE__DONE && f->priority_ == 0) {
            f->priority_ = (unsigned char)kind;
            f->status_ = awaited->status_;
        }
    }
    queue_gather(f);
}

static void gathered_ended(struct yoke__watcher *watcher)
{
    yoke_future *f = yoke__future_of(watcher);
    (void)yoke__future_lock(f); /* it has not ended: that needs us, or this lock */
    f->watching_ = 0;
    const unsigned kind = yoke__kind(f);
    if (kind == YOKE__PENDING) {
        gather_on(f);
    } else if (kind == YOKE__CLAIMED || f->skip_ != 0) { /* a cancel or the deadline left its end to us */
        if (kind == YOKE__CLAIMED) {
            f->skip_ = YOKE__CLAIMED;
            f->status_ = YOKE_ECANCELED;
        }
        queue_gather(f);
    }
    yoke__future_unlock(f);
}

static int check_gathered(const yoke_future *future, yoke_future *const *futures, size_t count)
{
    if (futures == NULL && count > 0)
        return yoke__fail(YOKE_EINVAL, "futures is NULL; give an array of pointers to %zu futures", count);
    int status = YOKE_OK;
    for (size_t k = 0; k < count && status == YOKE_OK; k++)
        status = futures[k] != future ? yoke__check_awaited(futures[k])
                                      : yoke__fail(YOKE_EINVAL, "a future would wait for itself; give another one");
    return status;
}

int yoke_gather_async(yoke_loop *loop, yoke_future *future, yoke_future *const *futures, size_t count,
                      int64_t deadline_ns)
{
    uint32_t before;
    int status = check(loop, future, deadline_ns);
    if (status == YOKE_OK)
        status = check_gathered(future, futures, count);
    if (status == YOKE_OK)
        status = reserve(loop, future, YOKE__GATHER, &before);
    if (status != YOKE_OK)
        return status;
    future->name_ = "a gather";
    future->after_ = futures;
    future->after_count_ = count;
    pthread_mutex_lock(&loop->lock);
    add_to_heap(loop, future, deadline_ns > 0 ? deadline_ns : INT64_MAX);
    pthread_mutex_unlock(&loop->lock);
    gather_on(future);
    yoke__future_unlock(future);
    return YOKE_OK;
}

/* --- deadlines, and the end of the loop --- */

/* A claimed gather that has not heard of all. With the lock held. */
static void abandon_gather(yoke_loop *loop, yoke_future *f, unsigned kind, int status)
{
    pthread_mutex_unlock(&loop->lock);
    (void)yoke__future_lock(f);
    const bool told = f->watching_ != 0 && !yoke__future_unwatch(f->after_[f->after_index_], &f->dependency_);
    if (told) { /* whoever ends what it waits for is on the way here */
        f->skip_ = (unsigned char)kind;
        f->status_ = status;
    } else {
        f->watching_ = 0;
    }
    yoke__future_unlock(f);
    pthread_mutex_lock(&loop->lock);
    if (!told)
        yoke__loop_end(loop, f, kind, status);
}

void yoke__loop_expire(yoke_loop *loop, int64_t now, bool closing)
{
    yoke_future *f;
    while ((f = loop->heap) != NULL && (closing || f->copy_.integer <= now)) {
        loop->heap = yoke__heap_remove(loop->heap, f);
        if ((f->place_ & YOKE__ON_FD) != 0) {
            const size_t fd = f->after_count_;
            leave_descriptor(loop, f);
            (void)arm(loop, fd);
        }
        if ((f->place_ & YOKE__QUEUED) != 0 || !yoke__future_claim(f, YOKE__PENDING, YOKE__RUNNING))
            continue; /* it is about to end anyhow */
        const unsigned kind = closing ? YOKE__CANCELLED : f->lane_ == YOKE__SLEEP ? YOKE__DONE : YOKE__FAILED;
        const int status = closing ? YOKE_ECANCELED : f->lane_ == YOKE__SLEEP ? 0 : YOKE_ETIMEDOUT;
        if (f->lane_ == YOKE__GATHER)
            abandon_gather(loop, f, kind, status);
        else
            yoke__loop_end(loop, f, kind, status);
    }
}

/* --- what futures ask of it --- */

/* A cancel that finds it waiting for what has ended leaves the end to who was told of it: here, to the queue. */
static void leave_to_queue(yoke_future *f)
{
    static yoke_future nothing;
    static yoke_future *const ended[] = {&nothing};
    f->skip_ = YOKE__CLAIMED;
    f->status_ = YOKE_ECANCELED;
    f->watching_ = 1;
    f->after_ = ended;
    f->after_index_ = 0;
}

static bool withdraw(yoke__owner *owner, yoke_future *f)
{
    yoke_loop *loop = (yoke_loop *)(void *)owner;
    if (!yoke__future_claim(f, YOKE__PENDING, YOKE__CLAIMED))
        return false;
    pthread_mutex_lock(&loop->lock);
    leave_heap(loop, f);
    if ((f->place_ & YOKE__ON_FD) != 0) {
        const size_t fd = f->after_count_;
        leave_descriptor(loop, f);
        (void)arm(loop, fd);
    }
    if (f->lane_ == YOKE__TASK && (f->place_ & YOKE__QUEUED) == 0) {
        f->place_ |= YOKE__QUEUED;
        yoke__loop_queue(loop, &f->dependency_);
    }
    if ((f->place_ & YOKE__QUEUED) != 0)
        leave_to_queue(f);
    pthread_mutex_unlock(&loop->lock);
    return true;
}

static void cancelled(yoke__owner *owner)
{
    yoke__loop_release((yoke_loop *)(void *)owner);
}

/* Its tasks depend on nothing by yoke__future_advance(). */
static void ready(yoke__owner *owner, yoke_future *f)
{
    (void)owner, (void)f;
}

const yoke__owner yoke__loop_owner = {ready, withdraw, cancelled, NULL};
