/* Command queues, each with a thread that runs its commands in order, and events. */
#include <signal.h>
#include <time.h>

#include "tests/fault/fakecl/fake.h"

/* --- running; all with the lock --- */

static bool wait_list_failed(const command *c)
{
    bool failed = false;
    for (cl_uint k = 0; k < c->wait_count; k++) {
        while (c->wait[k]->status > CL_COMPLETE)
            (void)pthread_cond_wait(&fake.changed, &fake.lock);
        failed |= c->wait[k]->status < 0;
    }
    return failed;
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The device's clock is not the host's. */
enum { CLOCK_AHEAD_NS = 1234567890 };

/* Kernels of all queues have one device. */
static void run_unlocked(command *c)
{
    cl_device_id d = c->event->queue->head.device;
    const int64_t start = now_ns();
    int64_t end = start + (int64_t)c->cost_ns;
    if (c->launch != NULL && c->cost_ns > 0)
        end = d->free_ns = (d->free_ns > start ? d->free_ns : start) + (int64_t)c->cost_ns;
    unlock();
    if (c->launch != NULL)
        launch_run(c);
    else
        transfer_run(c);
    const int64_t left = c->cost_ns > 0 ? end - now_ns() : 0;
    sleep_for_ns(left > 0 ? (uint64_t)left : 0);
    lock();
    c->event->begin_ns = (c->cost_ns > 0 ? end - (int64_t)c->cost_ns : start) + CLOCK_AHEAD_NS;
    c->event->end_ns = now_ns() + CLOCK_AHEAD_NS;
}

static cl_int run(command *c)
{
    cl_command_queue q = c->event->queue;
    cl_device_id d = q->head.device;
    bool failed = wait_list_failed(c);
    c->event->status = CL_RUNNING;
    while (c->fault.stall && fake.releases == c->releases && !d->lost)
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    if (d->lost)
        return CL_OUT_OF_RESOURCES;
    if (c->fault.event_status != 0)
        return c->fault.event_status;
    if (failed || (q->failed != 0 && !d->isolated))
        return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    run_unlocked(c);
    return d->lost ? CL_OUT_OF_RESOURCES : CL_COMPLETE;
}

static void run_first(cl_command_queue q)
{
    command *c = q->first;
    cl_int status = run(c);
    q->first = c->next;
    if (q->first == NULL)
        q->last = NULL;
    if (status < 0)
        q->failed = status;
    c->event->status = status;
    q->done = c->number;
    command_free(c);
    (void)pthread_cond_broadcast(&fake.changed);
}

static void *work(void *context)
{
    cl_command_queue q = context;
    lock();
    while (q->first != NULL || q->head.refs > 0) {
        if (q->first != NULL && q->first->number <= q->flushed && !fake.paused)
            run_first(q);
        else
            (void)pthread_cond_wait(&fake.changed, &fake.lock);
    }
    unpin(q);
    unlock();
    return NULL;
}

/* Detached: nobody waits for a driver's thread when the process ends. Without the lock. */
static bool start_thread(cl_command_queue q)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &attributes, work, q) == 0;
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

/* --- commands --- */

static bool wait_list_usable(const char *function, cl_uint count, const cl_event *list)
{
    if ((count == 0) != (list == NULL)) {
        violation("%s: %u events to wait for, in a list that is %sNULL", function, count, list == NULL ? "" : "not ");
        return false;
    }
    for (cl_uint k = 0; k < count; k++)
        if (!object_usable(function, list[k], EVENT))
            return false;
    return true;
}

command *command_new(const char *function, cl_command_queue queue, cl_command_type type, const verdict *fault,
                     cl_uint wait_count, const cl_event *wait, cl_int *error)
{
    lock();
    bool usable = wait_list_usable(function, wait_count, wait);
    unlock();
    if (!usable)
        return refused(error, CL_INVALID_EVENT_WAIT_LIST);
    command *c = calloc(1, sizeof *c);
    cl_event event = object_new(EVENT, sizeof *event, queue->head.device);
    cl_event *copy = calloc(wait_count + 1, sizeof *copy);
    if (c == NULL || event == NULL || copy == NULL) {
        (void)fprintf(stderr, "fakecl: no memory\n");
        abort();
    }
    lock();
    event->queue = queue;
    event->type = type;
    event->status = CL_QUEUED;
    pin(queue);
    pin(event);
    *c = (command){.event = event, .fault = *fault, .wait_count = wait_count, .wait = copy};
    for (cl_uint k = 0; k < wait_count; k++) {
        copy[k] = wait[k];
        pin(wait[k]);
    }
    unlock();
    return c;
}

void command_free(command *c)
{
    for (cl_uint k = 0; k < c->wait_count; k++)
        unpin(c->wait[k]);
    if (c->mem != NULL)
        unpin(c->mem);
    if (c->launch != NULL)
        launch_free(c->launch);
    unpin(c->event);
    free(c->wait);
    free(c);
}

static void flush(cl_command_queue q)
{
    q->flushed = q->enqueued;
    (void)pthread_cond_broadcast(&fake.changed);
}

/* With the lock, the event pinned. */
static cl_int wait_for(cl_event event)
{
    while (event->status > CL_COMPLETE)
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    if (event->status < 0)
        event->queue->failed = 0; /* reported */
    return event->status;
}

cl_int command_enqueue(command *c, bool blocking, cl_event *event)
{
    cl_event e = c->event;
    cl_command_queue q = e->queue;
    cl_int status = CL_SUCCESS;
    lock();
    pin(e);
    c->number = ++q->enqueued;
    c->releases = fake.releases;
    if (q->last != NULL)
        q->last->next = c;
    else
        q->first = c;
    q->last = c;
    if (event != NULL)
        *event = e;
    else
        drop(e);
    if (blocking)
        flush(q);
    if (q->sync)
        run_first(q);
    if (blocking)
        status = wait_for(e);
    unpin(e);
    unlock();
    return status;
}

/* --- entry points --- */

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id device, cl_command_queue_properties properties,
                                      cl_int *error)
{
    verdict v = enter(__func__, context, CONTEXT);
    if (v.error != CL_SUCCESS)
        return refused(error, v.error);
    lock();
    bool usable = object_usable(__func__, device, DEVICE), inside = false;
    for (unsigned k = 0; usable && k < context->count; k++)
        inside |= context->devices[k] == device;
    if (usable && !inside)
        violation("clCreateCommandQueue: the device is not of the context");
    if ((properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0)
        v.error = CL_INVALID_QUEUE_PROPERTIES;
    unlock();
    if (!inside || v.error != CL_SUCCESS)
        return refused(error, inside ? v.error : CL_INVALID_DEVICE);
    cl_command_queue q = object_new(QUEUE, sizeof *q, device);
    if (q == NULL)
        return refused(error, CL_OUT_OF_HOST_MEMORY);
    lock();
    q->context = context;
    q->properties = properties;
    q->sync = shape_number("SYNC", device->number, 0) != 0;
    pin(context);
    pin(q); /* the thread's */
    unlock();
    bool works = q->sync || start_thread(q);
    lock();
    if (q->sync || !works)
        unpin(q);
    if (!works)
        drop(q);
    unlock();
    return works ? refused(error, CL_SUCCESS), q : refused(error, CL_OUT_OF_HOST_MEMORY);
}

cl_int clRetainCommandQueue(cl_command_queue queue)
{
    return object_retain(__func__, queue, QUEUE);
}

cl_int clReleaseCommandQueue(cl_command_queue queue)
{
    lock();
    if (queue != NULL && queue->head.kind == QUEUE)
        flush(queue);
    unlock();
    return object_release(__func__, queue, QUEUE);
}

cl_int clFlush(cl_command_queue queue)
{
    verdict v = enter(__func__, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    flush(queue);
    unlock();
    return CL_SUCCESS;
}

cl_int clFinish(cl_command_queue queue)
{
    verdict v = enter(__func__, queue, QUEUE);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    pin(queue);
    flush(queue);
    const uint64_t last = queue->enqueued;
    while (queue->done < last)
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    v.error = queue->head.device->lost ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
    unpin(queue);
    unlock();
    return v.error;
}

cl_int clWaitForEvents(cl_uint count, const cl_event *list)
{
    verdict v = enter(__func__, count > 0 && list != NULL ? list[0] : NULL, EVENT);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    if (!wait_list_usable(__func__, count, list)) {
        unlock();
        return CL_INVALID_EVENT;
    }
    for (cl_uint k = 0; k < count; k++) {
        pin(list[k]);
        flush(list[k]->queue);
    }
    for (cl_uint k = 0; k < count; k++) {
        if (wait_for(list[k]) < 0)
            v.error = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    }
    for (cl_uint k = 0; k < count; k++)
        unpin(list[k]);
    unlock();
    return v.error;
}

cl_int clRetainEvent(cl_event event)
{
    return object_retain(__func__, event, EVENT);
}

cl_int clReleaseEvent(cl_event event)
{
    return object_release(__func__, event, EVENT);
}

cl_int clGetEventInfo(cl_event event, cl_event_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, event, EVENT);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    const cl_int status = event->status;
    const cl_uint refs = event->head.refs;
    if (what == CL_EVENT_COMMAND_EXECUTION_STATUS && status < 0)
        event->queue->failed = 0;
    unlock();
    switch (what) {
    case CL_EVENT_COMMAND_EXECUTION_STATUS: ANSWER(cl_int, status);
    case CL_EVENT_COMMAND_TYPE: ANSWER(cl_command_type, event->type);
    case CL_EVENT_REFERENCE_COUNT: ANSWER(cl_uint, refs);
    case CL_EVENT_COMMAND_QUEUE: ANSWER(uintptr_t, (uintptr_t)event->queue);
    case CL_EVENT_CONTEXT: ANSWER(uintptr_t, (uintptr_t)event->queue->context);
    default: return CL_INVALID_VALUE;
    }
}

cl_int clGetEventProfilingInfo(cl_event event, cl_profiling_info what, size_t capacity, void *to, size_t *needed)
{
    verdict v = enter(__func__, event, EVENT);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    const bool measured = (event->queue->properties & CL_QUEUE_PROFILING_ENABLE) != 0 && event->status == CL_COMPLETE;
    const int64_t begin_ns = event->begin_ns, end_ns = event->end_ns;
    unlock();
    if (!measured)
        return CL_PROFILING_INFO_NOT_AVAILABLE;
    switch (what) {
    case CL_PROFILING_COMMAND_QUEUED:
    case CL_PROFILING_COMMAND_SUBMIT:
    case CL_PROFILING_COMMAND_START: ANSWER(cl_ulong, (cl_ulong)begin_ns);
    case CL_PROFILING_COMMAND_END: ANSWER(cl_ulong, (cl_ulong)end_ns);
    default: return CL_INVALID_VALUE;
    }
}
