/* A loop: opened, run, closed; and its turn, in which everything happens. */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/loop/loop.h"

/* --- which thread --- */

static const void *here(void)
{
    static _Thread_local char mark;
    return &mark;
}

static bool is_in_turn(const yoke_loop *loop)
{
    return loop->thread == here() && loop->turning;
}

/* --- what is pending --- */

int yoke__loop_check(const yoke_loop *loop)
{
    if (loop == NULL)
        return yoke__fail(YOKE_EINVAL, "loop is NULL; open one with yoke_loop_open()");
    if (loop->forks != yoke__fork_count())
        return yoke__fail(YOKE_EFORKED, "the loop is the parent's; open one in the child");
    return YOKE_OK;
}

int yoke__loop_reserve(yoke_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    const bool open = !loop->closing;
    loop->pending += open;
    pthread_mutex_unlock(&loop->lock);
    return open ? YOKE_OK : yoke__fail(YOKE_ESTATE, "the loop closes; begin nothing more on it");
}

void yoke__loop_release(yoke_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    yoke__loop_done(loop);
    pthread_mutex_unlock(&loop->lock);
}

void yoke__loop_done(yoke_loop *loop)
{
    if (--loop->pending > 0)
        return;
    yoke__loop_stir(loop);
    if (loop->closing)
        (void)pthread_cond_broadcast(&loop->changed);
}

static void keep_alive(yoke_loop *loop)
{
    if (loop->pending > 0 || loop->awaited)
        uv_ref((uv_handle_t *)&loop->wake);
    else
        uv_unref((uv_handle_t *)&loop->wake);
}

/* Between its runs, the loop's own thread may make sure that the next one does not find it empty. */
void yoke__loop_stir(yoke_loop *loop)
{
    if (is_in_turn(loop))
        return;
    if (loop->thread == here())
        keep_alive(loop);
    (void)uv_async_send(&loop->wake);
}

void yoke__loop_queue(yoke_loop *loop, struct yoke__watcher *node)
{
    node->next = NULL;
    *(loop->last != NULL ? &loop->last->next : &loop->first) = node;
    loop->last = node;
    loop->queued++;
    yoke__loop_stir(loop);
    if (loop->closing)
        (void)pthread_cond_broadcast(&loop->changed);
}

/* --- a turn --- */

static void turn_over(uv_timer_t *timer);

/* Those of the queue that are there now; what they add comes in the next turn. */
static void serve_queue(yoke_loop *loop)
{
    for (size_t left = loop->queued; left > 0 && loop->first != NULL; left--) {
        struct yoke__watcher *node = loop->first;
        loop->first = node->next;
        if (loop->first == NULL)
            loop->last = NULL;
        loop->queued--;
        node->notify(node);
    }
}

/* What is due by now is not left to a timer: libuv would call one of 0 ms again before it returns (seen with 1.44). */
static void set_timer(yoke_loop *loop)
{
    const int64_t first = loop->heap != NULL ? loop->heap->copy_.integer : INT64_MAX;
    const int64_t next = first < loop->run_until ? first : loop->run_until;
    const int64_t left = next - yoke__now_ns();
    (void)uv_timer_stop(&loop->timer);
    if (left <= 0)
        (void)uv_async_send(&loop->wake);
    else if (next != INT64_MAX)
        (void)uv_timer_start(&loop->timer, turn_over, (uint64_t)(left - 1) / 1000000 + 1, 0);
}

/* On the loop's thread, with the lock held: libuv is told what comes next. */
static void settle(yoke_loop *loop)
{
    keep_alive(loop);
    set_timer(loop);
    if (loop->queued > 0)
        (void)uv_async_send(&loop->wake);
}

static void take_turn(yoke_loop *loop, bool polled)
{
    pthread_mutex_lock(&loop->lock);
    loop->thread = here();
    loop->turning = true;
    if (polled)
        yoke__loop_poll(loop);
    yoke__loop_expire(loop, yoke__now_ns(), false);
    serve_queue(loop);
    loop->turning = false;
    settle(loop);
    pthread_mutex_unlock(&loop->lock);
}

static void woken(uv_async_t *wake)
{
    take_turn(wake->data, false);
}

static void turn_over(uv_timer_t *timer)
{
    take_turn(timer->data, false);
}

static void polled(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    take_turn(poll->data, true);
}

/* --- opening --- */

static void free_loop(yoke_loop *loop)
{
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    (void)pthread_cond_destroy(&loop->changed);
    (void)pthread_mutex_destroy(&loop->lock);
    yoke__free(loop->waiting);
    if (loop->owns_uv)
        yoke__free(loop->uv);
    yoke__free(loop);
}

/* In libuv's turn after the last handle was closed; the program's own libuv loop may come to it much later. */
static void handle_closed(uv_handle_t *handle)
{
    yoke_loop *loop = handle->data;
    if (--loop->handles == 0 && !loop->owns_uv)
        free_loop(loop);
}

static void close_handle(uv_handle_t *handle)
{
    uv_close(handle, handle_closed);
}

/* Frees the loop, now or when libuv has let its handles go. */
static void close_handles(yoke_loop *loop)
{
    if (loop->handles == 0) {
        if (loop->owns_uv)
            (void)uv_loop_close(loop->uv);
        free_loop(loop);
        return;
    }
    const bool own = loop->owns_uv;
    if (loop->handles > 2)
        close_handle((uv_handle_t *)&loop->poll);
    if (loop->handles > 1)
        close_handle((uv_handle_t *)&loop->timer);
    close_handle((uv_handle_t *)&loop->wake);
    if (!own)
        return;
    (void)uv_run(loop->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(loop->uv);
    free_loop(loop);
}

static bool open_handles(yoke_loop *loop)
{
    loop->wake.data = loop->timer.data = loop->poll.data = loop;
    if (uv_async_init(loop->uv, &loop->wake, woken) != 0)
        return false;
    loop->handles++;
    (void)uv_timer_init(loop->uv, &loop->timer);
    loop->handles++;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0 || uv_poll_init(loop->uv, &loop->poll, loop->epoll) != 0)
        return false;
    loop->handles++;
    for (uv_handle_t *const *handle = (uv_handle_t *[]){(uv_handle_t *)&loop->wake, (uv_handle_t *)&loop->timer,
                                                        (uv_handle_t *)&loop->poll, NULL};
         *handle != NULL; handle++)
        uv_unref(*handle); /* what is pending keeps a loop alive, nothing else */
    return uv_poll_start(&loop->poll, UV_READABLE, polled) == 0;
}

static yoke_loop *open_loop(uv_loop_t *uv, bool own)
{
    yoke_loop *loop = yoke__alloc_zeroed(1, sizeof *loop);
    if (loop == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for a loop");
        if (own) {
            (void)uv_loop_close(uv);
            yoke__free(uv);
        }
        return NULL;
    }
    loop->owner = yoke__loop_owner;
    loop->forks = yoke__fork_count();
    loop->owns_uv = own;
    loop->uv = uv;
    loop->epoll = -1;
    loop->run_until = INT64_MAX;
    loop->thread = here();
    (void)pthread_mutex_init(&loop->lock, NULL);
    (void)pthread_cond_init(&loop->changed, NULL);
    if (open_handles(loop))
        return loop;
    close_handles(loop);
    yoke__fail(YOKE_EIO, "the system refuses a descriptor; close some, or raise its limit");
    return NULL;
}

yoke_loop *yoke_loop_open(void)
{
    uv_loop_t *uv = yoke__alloc_zeroed(1, sizeof *uv);
    if (uv == NULL) {
        yoke__fail(YOKE_ENOMEM, "no memory for a loop");
        return NULL;
    }
    if (uv_loop_init(uv) == 0)
        return open_loop(uv, true);
    yoke__free(uv);
    yoke__fail(YOKE_EIO, "libuv cannot open a loop; close some descriptors, or raise their limit");
    return NULL;
}

yoke_loop *yoke_loop_on(uv_loop_t *uv)
{
    if (uv != NULL)
        return open_loop(uv, false);
    yoke__fail(YOKE_EINVAL, "uv is NULL; give a libuv loop, such as uv_default_loop(), or call yoke_loop_open()");
    return NULL;
}

/* --- running --- */

typedef struct runner {
    struct yoke__watcher watcher;
    yoke_loop *loop;
    bool ended;
} runner;

static void awaited_ended(struct yoke__watcher *watcher)
{
    runner *r = (runner *)(void *)watcher;
    yoke_loop *loop = r->loop;
    pthread_mutex_lock(&loop->lock);
    r->ended = true;
    (void)uv_async_send(&loop->wake);
    (void)pthread_cond_broadcast(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
}

static bool has_ended(runner *r)
{
    pthread_mutex_lock(&r->loop->lock);
    const bool ended = r->ended;
    pthread_mutex_unlock(&r->loop->lock);
    return ended;
}

static bool is_late(int64_t deadline_ns)
{
    return deadline_ns > 0 && yoke__now_ns() >= deadline_ns;
}

/* False: it is late. */
static bool run_until_ended(yoke_loop *loop, yoke_future *f, int64_t deadline_ns)
{
    runner r = {.watcher.notify = awaited_ended, .loop = loop};
    if (!yoke__future_watch(f, &r.watcher))
        return true;
    while (!has_ended(&r) && !is_late(deadline_ns))
        (void)uv_run(loop->uv, UV_RUN_ONCE);
    if (!has_ended(&r) && yoke__future_unwatch(f, &r.watcher))
        return false;
    pthread_mutex_lock(&loop->lock);
    while (!r.ended) /* it has just ended, and its end still has to reach us */
        (void)pthread_cond_wait(&loop->changed, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    return true;
}

static bool run_out(yoke_loop *loop, int64_t deadline_ns)
{
    while (uv_run(loop->uv, UV_RUN_ONCE) != 0)
        if (is_late(deadline_ns))
            return false;
    return true;
}

/* The thread becomes the loop's. */
static int begin_run(yoke_loop *loop, bool awaited, int64_t deadline_ns)
{
    pthread_mutex_lock(&loop->lock);
    const bool busy = loop->running || is_in_turn(loop);
    if (!busy) {
        loop->thread = here();
        loop->running = true;
        loop->awaited = awaited;
        loop->run_until = deadline_ns > 0 ? deadline_ns : INT64_MAX;
        settle(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    return busy
               ? yoke__fail(YOKE_EBUSY, "the loop runs already; a loop has one thread, and its callbacks do not run it")
               : YOKE_OK;
}

static void end_run(yoke_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->running = loop->awaited = false;
    loop->run_until = INT64_MAX;
    settle(loop);
    pthread_mutex_unlock(&loop->lock);
}

int yoke_loop_run(yoke_loop *loop, yoke_future *future, int64_t deadline_ns)
{
    int status = yoke__loop_check(loop);
    if (status == YOKE_OK)
        status = yoke__check_deadline(deadline_ns);
    if (status == YOKE_OK && future != NULL)
        status = yoke__check_awaited(future);
    if (status == YOKE_OK)
        status = begin_run(loop, future != NULL, deadline_ns);
    if (status != YOKE_OK)
        return status;
    const bool whole = future != NULL ? run_until_ended(loop, future, deadline_ns) : run_out(loop, deadline_ns);
    end_run(loop);
    return whole ? YOKE_OK
                 : yoke__fail(YOKE_ETIMEDOUT, "the deadline passed first; what is pending goes on in the next run");
}

/* --- closing --- */

static void end_all(yoke_loop *loop)
{
    while (loop->pending > 0) {
        yoke__loop_expire(loop, INT64_MAX, true);
        yoke__loop_drop_continuations(loop);
        serve_queue(loop);
        while (loop->pending > 0 && loop->queued == 0 && loop->heap == NULL)
            (void)pthread_cond_wait(&loop->changed, &loop->lock); /* another thread is about to end or queue it */
    }
}

int yoke_loop_close(yoke_loop *loop)
{
    if (loop == NULL)
        return YOKE_OK;
    const int status = yoke__loop_check(loop);
    if (status != YOKE_OK)
        return status;
    pthread_mutex_lock(&loop->lock);
    const bool busy = loop->running || loop->turning;
    if (!busy) {
        loop->closing = loop->turning = true;
        loop->thread = here();
        end_all(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    if (busy)
        return yoke__fail(YOKE_EBUSY, "the loop runs; close it afterwards, and not from its callbacks");
    close_handles(loop);
    return YOKE_OK;
}
