/* Tasks and items on their way through a process: which one, how often, and what came of it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/executor/process_pool.h"

static const int64_t WINDOW_NS = 10000000000; /* in which restarts are counted */
static const struct timespec PAUSE = {.tv_nsec = 10000000};

enum { MOST_TRIES = 5 };

yoke__process_fault yoke__process_fault_next;

/* --- processes --- */

int yoke__processes_start(processes *all, process *w)
{
    setup s = all->setup;
    pthread_mutex_lock(&all->lock);
    if (yoke__process_fault_next.times > 0) {
        yoke__process_fault_next.times--;
        s.step = yoke__process_fault_next.step;
        s.action = yoke__process_fault_next.action;
    }
    pthread_mutex_unlock(&all->lock);
    if (all->places != NULL && all->places[w->index].pinned)
        (void)yoke__topology_bind_thread(all->topology, &all->places[w->index]);
    const int status = yoke__process_start(w, &s);
    if (all->places != NULL)
        (void)yoke__topology_unbind_thread(all->topology);
    if (status == YOKE_OK)
        atomic_fetch_add(&all->alive, 1);
    return status;
}

static void bury(processes *all, process *w)
{
    yoke__process_bury(w, 0);
    atomic_fetch_sub(&all->alive, 1);
}

/* Whether there may be another one by now; otherwise the pool is broken. */
static bool count_restart(processes *all)
{
    const int64_t now = yoke__now_ns();
    pthread_mutex_lock(&all->lock);
    int64_t *oldest = &all->starts[all->next_start];
    if (*oldest != 0 && now - *oldest < WINDOW_NS)
        atomic_store(&all->broken, true);
    *oldest = now;
    all->next_start = (all->next_start + 1) % all->restarts;
    pthread_mutex_unlock(&all->lock);
    return !atomic_load(&all->broken);
}

static bool start_anew(processes *all, process *w)
{
    if (yoke__processes_start(all, w) != YOKE_OK)
        return false;
    if (yoke__process_await(w) == YOKE_OK)
        return true;
    atomic_fetch_sub(&all->alive, 1);
    return false;
}

/* Has it run, whatever became of it; false: the pool is broken. */
static bool revive(processes *all, process *w)
{
    while (w->pid == 0) {
        if (atomic_load(&all->broken) || !count_restart(all))
            return false;
        if (start_anew(all, w))
            return true;
        (void)nanosleep(&PAUSE, NULL); /* what the system lacks now it may have then */
    }
    return !atomic_load(&all->broken);
}

/* The same, with the arrays that the program shares: YOKE__RETURNED. Other processes have other addresses free. */
static ending prepare(processes *all, process *w, int64_t limit_ns)
{
    for (unsigned tries = 1;; tries++) {
        if (!revive(all, w))
            return (ending){.why = YOKE__NO_PROCESS};
        const ending e = yoke__process_share(w, limit_ns);
        if (e.why != YOKE__OCCUPIED || tries == MOST_TRIES)
            return e;
        bury(all, w);
        (void)start_anew(all, w);
    }
}

/* What a task comes to that could not even be sent; 0: it may be tried again, for its process died. */
static int refusal(unsigned why)
{
    return why == YOKE__NO_PROCESS                         ? YOKE_EBROKEN
           : why == YOKE__NO_ROOM || why == YOKE__UNMAPPED ? YOKE_ENOMEM
           : why == YOKE__OCCUPIED                         ? YOKE_EIO
                                                           : 0;
}

static process *take(processes *all)
{
    pthread_mutex_lock(&all->lock);
    while (all->idle == NULL)
        (void)pthread_cond_wait(&all->freed, &all->lock);
    process *w = all->idle;
    all->idle = w->next;
    pthread_mutex_unlock(&all->lock);
    return w;
}

static void give(processes *all, process *w)
{
    pthread_mutex_lock(&all->lock);
    w->next = all->idle;
    all->idle = w;
    (void)pthread_cond_signal(&all->freed);
    pthread_mutex_unlock(&all->lock);
}

static void set_name(request *r, const char *name)
{
    (void)snprintf(r->name, sizeof r->name, "%s", name != NULL ? name : "");
}

/* --- tasks --- */

static int note(yoke_future *f, int status, unsigned why, long long number)
{
    f->why_ = (unsigned char)why;
    f->copy_.integer = number; /* nobody needs the argument any more */
    return status;
}

static bool send_argument(const process *w, const yoke_future *f, request *r, const layout *l)
{
    if (l->argument != 0)
        return yoke__process_write(w, l->argument, f->argument_, f->argument_bytes_);
    memcpy(r->argument, f->argument_, f->argument_bytes_);
    return true;
}

static int receive_result(const process *w, yoke_future *f, const layout *l, const reply *answer)
{
    void *to = f->result_bytes_ > 0 ? f->result_to_ : &f->result_;
    const size_t bytes = f->result_bytes_ > 0 ? f->result_bytes_ : sizeof f->result_;
    if (l->result == 0)
        memcpy(to, answer->result, bytes);
    else if (!yoke__process_read(w, l->result, to, bytes))
        return note(f, YOKE_ENOMEM, YOKE__NO_ROOM, 0);
    return (int)answer->status;
}

/* Until a process has run it, or it may run no more. */
static int run_task(processes *all, process *w, yoke_future *f, request *r, const layout *l)
{
    reply answer;
    for (unsigned deaths = 0;;) {
        ending e = prepare(all, w, f->limit_ns_);
        if (refusal(e.why) != 0)
            return note(f, refusal(e.why), e.why, e.number);
        if (e.why == YOKE__RETURNED && f->argument_bytes_ > 0 && !send_argument(w, f, r, l))
            return note(f, YOKE_ENOMEM, YOKE__NO_ROOM, 0);
        if (e.why == YOKE__RETURNED)
            e = yoke__process_ask(w, r, f->limit_ns_, &answer);
        if (e.why == YOKE__RETURNED)
            break;
        bury(all, w);
        if (e.why == YOKE__LATE)
            return note(f, YOKE_ETIMEDOUT, e.why, e.number);
        if (e.begun && deaths++ >= f->retries_)
            return note(f, YOKE_ECRASH, e.why, e.number);
    }
    return answer.kind == REPLY_NOT_FOUND ? note(f, YOKE_EINVAL, YOKE__NOT_FOUND, 0) : receive_result(w, f, l, &answer);
}

int yoke__processes_run(processes *all, yoke_future *f)
{
    request r = {.kind = REQUEST_TASK,
                 .argument_bytes = f->argument_bytes_,
                 .argument_at = f->argument_bytes_ == 0 ? (uintptr_t)f->argument_ : 0,
                 .result_bytes = f->result_bytes_};
    layout l;
    if (f->function_ == yoke__map_chunks)
        return f->function_(f->argument_, &f->result_);
    if (!yoke__layout_of(&r, &l) || !yoke__function_where(f->function_, &r.where))
        return note(f, YOKE_EINVAL, YOKE__NOT_FOUND, 0);
    set_name(&r, f->name_);
    process *w = take(all);
    const int status = run_task(all, w, f, &r, &l);
    give(all, w);
    return status;
}

/* --- items --- */

/* What lies in a shared array is used there. */
static bool are_items_shared(const yoke__items *items)
{
    return items->items != NULL && yoke__shared_has(items->items, items->count * items->item_bytes);
}

static bool are_results_shared(const yoke__items *items)
{
    return items->results != NULL && yoke__shared_has(items->results, items->count * items->result_bytes);
}

size_t yoke__processes_batch(const processes *all, const yoke__items *items)
{
    size_t each;
    const uint64_t space = all->setup.shared_bytes - DATA_AT;
    const uint64_t lost = 3 * YOKE_CACHE_LINE; /* to rounding, at most */
    const size_t item_bytes = are_items_shared(items) ? 0 : items->item_bytes;
    if (yoke__add_overflows(item_bytes, are_results_shared(items) ? 0 : items->result_bytes, &each) ||
        yoke__add_overflows(each, sizeof(int32_t), &each) || space < lost)
        return 0;
    const uint64_t most = (space - lost) / each;
    return most < items->count ? (size_t)most : items->count;
}

/* All from the k-th on came to the same. The detail is of the first bad item, which has none if it told by itself. */
static void mark(const yoke__items *items, size_t first, size_t count, int status, const ending *e)
{
    bool told = (*items->detail)[0] != '\0';
    for (size_t k = 0; k < first && !told; k++)
        told = items->statuses[k] != 0;
    for (size_t k = first; k < first + count; k++) {
        items->statuses[k] = status;
        if (items->result_bytes > 0)
            memset(items->results + k * items->result_bytes, 0, items->result_bytes);
    }
    (void)yoke__tell_end(status, e->why, e->number, items->function, items->name);
    if (!told)
        (void)snprintf(*items->detail, sizeof *items->detail, "%s", yoke_error_detail());
}

static bool fetch(const process *w, const yoke__items *items, size_t first, size_t count, const layout *l)
{
    return (items->result_bytes == 0 || l->result == 0 ||
            yoke__process_read(w, l->result, items->results + first * items->result_bytes,
                               count * items->result_bytes)) &&
           yoke__process_read(w, l->statuses, items->statuses + first, count * sizeof *items->statuses);
}

static bool send_items(const process *w, const yoke__items *items, size_t first, size_t count, const layout *l)
{
    return items->item_bytes == 0 || l->argument == 0 ||
           yoke__process_write(w, l->argument, items->items + first * items->item_bytes, count * items->item_bytes);
}

/* How many of these have ended. `deaths`: of processes that ran the first one. */
static size_t run_batch(processes *all, process *w, const yoke__items *items, size_t first, request *r,
                        unsigned *deaths)
{
    const size_t count = (size_t)r->count;
    reply answer;
    layout l;
    (void)yoke__layout_of(r, &l); /* it fits: the batch is so many */
    ending e = prepare(all, w, items->limit_ns);
    if (refusal(e.why) != 0) {
        mark(items, first, count, refusal(e.why), &e);
        return count;
    }
    if (e.why != YOKE__RETURNED) {
        bury(all, w);
        return 0;
    }
    e.why = YOKE__NO_ROOM;
    if (!send_items(w, items, first, count, &l)) {
        mark(items, first, count, YOKE_ENOMEM, &e);
        return count;
    }
    const ending asked = yoke__process_ask(w, r, items->limit_ns, &answer);
    const size_t ended = asked.why == YOKE__RETURNED ? count : (size_t)asked.items;
    const bool ran = asked.why != YOKE__RETURNED || answer.kind == REPLY_RETURNED;
    if (!ran || !fetch(w, items, first, ended, &l)) {
        e.why = ran ? YOKE__NO_ROOM : YOKE__NOT_FOUND;
        mark(items, first, ended, ran ? YOKE_ENOMEM : YOKE_EINVAL, &e);
    }
    if (asked.why != YOKE__RETURNED)
        bury(all, w);
    *deaths = ended > 0 ? 0 : *deaths;
    if (ended == count || !asked.begun)
        return ended;
    ++*deaths;
    if (asked.why != YOKE__LATE && *deaths <= items->retries)
        return ended;
    mark(items, first + ended, 1, asked.why == YOKE__LATE ? YOKE_ETIMEDOUT : YOKE_ECRASH, &asked);
    *deaths = 0;
    return ended + 1;
}

void yoke__processes_run_items(processes *all, const yoke__items *items)
{
    const size_t at_once = yoke__processes_batch(all, items);
    const bool in_place = are_items_shared(items), out_in_place = are_results_shared(items);
    request r = {.kind = REQUEST_ITEMS,
                 .argument_bytes = items->item_bytes,
                 .result_bytes = items->result_bytes,
                 .deadline_ns = items->deadline_ns};
    set_name(&r, items->name);
    if (!yoke__function_where(items->function, &r.where)) {
        mark(items, 0, items->count, YOKE_EINVAL, &(ending){.why = YOKE__NOT_FOUND});
        return;
    }
    process *w = take(all);
    unsigned deaths = 0;
    for (size_t done = 0; done < items->count;) {
        r.count = items->count - done < at_once ? items->count - done : at_once;
        r.argument_at = in_place ? (uintptr_t)items->items + done * items->item_bytes : 0;
        r.result_at = out_in_place ? (uintptr_t)items->results + done * items->result_bytes : 0;
        done += run_batch(all, w, items, done, &r, &deaths);
    }
    give(all, w);
}
