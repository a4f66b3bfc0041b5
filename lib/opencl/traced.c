/* What a device did, for a trace: pieces by our clock, commands by the driver's. */
#include "lib/opencl/move.h"
#include "lib/opencl/run.h"

static uint16_t number_of(const session *s)
{
    return (uint16_t)(1 + (s->device - s->device->owner->devices));
}

/* False for what is neither a kernel nor a transfer. */
static bool kind_of(cl_command_type type, uint32_t *kind)
{
    switch (type) {
    case CL_COMMAND_NDRANGE_KERNEL: *kind = YOKE__EVENT_KERNEL; return true;
    case CL_COMMAND_WRITE_BUFFER:
    case CL_COMMAND_UNMAP_MEM_OBJECT: *kind = YOKE__EVENT_TO_DEVICE; return true;
    case CL_COMMAND_READ_BUFFER:
    case CL_COMMAND_MAP_BUFFER: *kind = YOKE__EVENT_FROM_DEVICE; return true;
    default: return false;
    }
}

/* Nothing ends after we heard of it: the least difference seen, on whatever thread, is the closest. */
static int64_t read_clock(session *s, int64_t end_ns)
{
    const int64_t difference = yoke__now_ns() - end_ns;
    int64_t least = atomic_load_explicit(&s->clock_ns, memory_order_relaxed);
    while ((least == 0 || difference < least) &&
           !atomic_compare_exchange_weak_explicit(&s->clock_ns, &least, difference, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
    return least == 0 || difference < least ? difference : least;
}

static void record(session *s, unsigned lane, cl_event event, size_t bytes, const char *name)
{
    const cl_api *cl = &s->device->owner->cl;
    cl_command_type type = 0;
    cl_ulong begin = 0, end = 0;
    yoke__event e;
    if (cl->clGetEventProfilingInfo == NULL)
        return;
    yoke__trace_begin(&e, YOKE__EVENT_KERNEL, name);
    if (e.begin_ns == 0 || cl->clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof type, &type, NULL) != CL_SUCCESS ||
        !kind_of(type, &e.kind) ||
        cl->clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL) != CL_SUCCESS ||
        cl->clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) != CL_SUCCESS ||
        begin == 0 || end < begin || end > (cl_ulong)INT64_MAX / 2)
        return;
    const int64_t clock_ns = read_clock(s, (int64_t)end);
    e.begin_ns = (int64_t)begin + clock_ns;
    e.end_ns = (int64_t)end + clock_ns;
    e.device = number_of(s);
    e.queue = (uint16_t)lane;
    e.count = e.kind == YOKE__EVENT_KERNEL ? 0 : bytes;
    yoke__trace_event(&e, NULL);
}

void traced_command(run *r, unsigned q, cl_event event, size_t bytes)
{
    record(r->session, q, event, bytes, r->program->name);
}

void traced_move(session *s, unsigned lane, cl_event event, size_t bytes, const yoke__block *block)
{
    char name[YOKE__EVENT_NAME];
    yoke__block_name(block, name, sizeof name);
    record(s, lane, event, bytes, name);
}

void traced_piece_begin(run *r, unsigned q)
{
    flight *f = &r->flight[q];
    yoke__trace_begin(&f->traced, YOKE__EVENT_PIECE, r->program->name);
    f->traced.device = number_of(r->session);
    f->traced.queue = (uint16_t)(QUEUES + q);
}

void traced_piece_end(run *r, unsigned q)
{
    flight *f = &r->flight[q];
    yoke__trace_end(&f->traced, f->range.end - f->range.begin, 0);
    f->traced.begin_ns = 0;
}
