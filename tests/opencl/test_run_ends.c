/* Arrays in place, runs that end before the end, and calls that fail: nothing is lost, and nothing done twice. */
#include "tests/opencl/run_support.h"

/* --- in place --- */

static void shared_arrays_are_used_in_place_and_without_a_copy(void **state)
{
    (void)state;
    enum { N = 5000 };
    dev.facts.shares_memory = 1;
    int *block = yoke_alloc(4 * 3 * N, YOKE_PLACE_DEFAULT); /* input and output side by side, not at its start */
    assert_non_null(block);
    uint64_t in = atomic_load(&dev.bytes_in), out = atomic_load(&dev.bytes_out);
    for (int turn = 0; turn < 3; turn++) {
        for (int k = 0; k < N; k++)
            block[N + k] = k * turn;
        yoke__task t = task_of(YOKE_KERNEL_OF(piece_increment), (size_t[]){N, 1}, (void *[]){block + N, block + 2 * N});
        assert_int_equal(run_task(&t), YOKE_OK);
        book_is_balanced(&notes);
        for (int k = 0; k < N; k++)
            assert_int_equal(block[2 * N + k], k * turn + 1);
    }
    assert_int_equal(atomic_load(&dev.bytes_in) - in, 0);
    assert_int_equal(atomic_load(&dev.bytes_out) - out, 0);
    assert_true(ses->shared_count > 0);
    size_t before = ses->shared_count;
    assert_int_equal(yoke_free(block), YOKE_OK);
    check_modes(&(uint64_t){1}, 10); /* the next run lets go of it */
    assert_true(ses->shared_count < before);
}

static void offset_between_elements_is_staged(void **state)
{
    (void)state;
    enum { N = 100 };
    dev.facts.shares_memory = 1;
    unsigned char *block = yoke_alloc(4 * N + 2, YOKE_PLACE_DEFAULT);
    int *y = malloc(4 * N), x[N];
    assert_true(block != NULL && y != NULL);
    for (int k = 0; k < N; k++)
        x[k] = k;
    memcpy(block + 2, x, sizeof x);
    uint64_t in = atomic_load(&dev.bytes_in);
    yoke__task t = task_of(YOKE_KERNEL_OF(piece_increment), (size_t[]){N, 1}, (void *[]){block + 2, y});
    assert_int_equal(run_task(&t), YOKE_OK);
    for (int k = 0; k < N; k++)
        assert_int_equal(y[k], k + 1);
    assert_int_equal(atomic_load(&dev.bytes_in) - in, 4 * N);
    free(y);
    assert_int_equal(yoke_free(block), YOKE_OK);
}

/* --- ends before the end --- */

static void poll_ends_the_run_after_what_is_in_flight(void **state)
{
    (void)state;
    int x[400] = {0}, turns = 1000000; /* a piece takes long enough for the caller to look */
    ses->piece_bytes_limit = 4 * 4;
    yoke__task t = task_of(YOKE_KERNEL_OF(piece_slow), (size_t[]){400, 1}, (void *[]){x, &turns});
    memset(&notes, 0, sizeof notes);
    notes.items = t.items;
    notes.poll_status = YOKE_ECANCELED;
    notes.after = 3;
    assert_int_equal(run_to_end(&t), YOKE_ECANCELED);
    book_is_balanced(&notes);
    assert_true(notes.next < notes.items);
    for (size_t k = 0; k < 400; k++) {
        assert_int_equal(notes.lost[k], 0);
        assert_int_equal(x[k], k < notes.next ? turns : 0);
    }
    ses->piece_bytes_limit = 0;
}

static void device_without_room_for_an_item_takes_no_piece(void **state)
{
    (void)state;
    uint64_t most = dev.facts.array_bytes;
    int x[64] = {0}, y[64];
    dev.facts.array_bytes = 3;
    yoke__task t = task_of(YOKE_KERNEL_OF(piece_increment), (size_t[]){64, 1}, (void *[]){x, y});
    assert_int_equal(run_task(&t), YOKE_ENOMEM);
    assert_int_equal(notes.next, 0);
    dev.facts.array_bytes = 64;
    t.indivisible = true;
    assert_int_equal(run_task(&t), YOKE_ENOMEM);
    assert_int_equal(notes.next, 0);
    t.indivisible = false;
    assert_int_equal(run_task(&t), YOKE_OK);
    book_is_balanced(&notes);
    assert_true(notes.pieces >= 4);
    dev.facts.array_bytes = most;
}

static void piece_that_takes_too_long_is_lost_and_the_device_with_it(void **state)
{
    (void)state;
    int *x = calloc(400, sizeof *x), turns = 1;
    assert_non_null(x);
    yoke__task t = task_of(YOKE_KERNEL_OF(piece_slow), (size_t[]){32, 1}, (void *[]){x, &turns});
    assert_int_equal(run_task(&t), YOKE_OK); /* compiled for its work-group size */
    turns = SANITIZED ? 300000000 : 100000000;
    ses->piece_bytes_limit = 4 * LOCAL;
    t = task_of(YOKE_KERNEL_OF(piece_slow), (size_t[]){400, 1}, (void *[]){x, &turns});
    t.piece_limit_ns = 50000000;
    uint64_t lost = atomic_load(&dev.pieces_lost);
    int64_t start = yoke__now_ns();
    assert_int_equal(run_task(&t), YOKE_ENODEV);
    assert_true(yoke__now_ns() - start < INT64_C(1000000000));
    assert_non_null(strstr(yoke_error_detail(), "piece_slow"));
    book_is_balanced(&notes);
    assert_true(notes.next > 0 && atomic_load(&dev.pieces_lost) > lost);
    assert_int_equal(atomic_load(&dev.state), YOKE_DEVICE_LOST);
    for (size_t k = 1; k < 400; k++)
        assert_true(notes.done[k] || x[k] == (k < 32 ? 1 : 0));
    free(x);
    memset(&notes, 0, sizeof notes); /* the caller is gone; the driver ends in its own time */
    close_session(ses);
    assert_int_equal(notes.pieces, 0);
    ses = fresh_session();
    check_modes(&(uint64_t){1}, 100);
}

static void driver_may_choose_the_size_of_work_groups(void **state)
{
    (void)state;
    dev.facts.shares_memory = 1;
    local_choice *choice = &program_for(YOKE_KERNEL_OF(piece_modes))->choice[0], kept = *choice;
    choice->size[0] = choice->size[1] = 0;
    check_modes(&(uint64_t){1}, 1009);
    *choice = kept;
}

/* --- calls that fail --- */

static cl_api real;
static unsigned long calls, failing; /* the number of the failing one; 0: none */
static bool for_ever, in_event;      /* in_event: the call goes well, its command does not */
static cl_int failure;
static cl_event bad_event;

static bool fails(void)
{
    calls++;
    return failing != 0 && (calls == failing || (for_ever && calls > failing));
}

static cl_mem fail_buffer(cl_context in, cl_mem_flags flags, size_t bytes, void *host, cl_int *error)
{
    if (!fails() || in_event)
        return real.clCreateBuffer(in, flags, bytes, host, error);
    *error = failure;
    return NULL;
}

static cl_command_queue fail_queue(cl_context in, cl_device_id id, cl_command_queue_properties flags, cl_int *error)
{
    if (!fails() || in_event)
        return real.clCreateCommandQueue(in, id, flags, error);
    *error = failure;
    return NULL;
}

/* The command runs, for a queue cannot be stopped; but its event will tell of a failure. */
static cl_int fail_command(bool fail, cl_int error, cl_event *event)
{
    if (fail && event != NULL)
        bad_event = *event;
    return error;
}

static cl_int fail_write(cl_command_queue q, cl_mem to, cl_bool wait, size_t at, size_t bytes, const void *from,
                         cl_uint count, const cl_event *list, cl_event *event)
{
    bool fail = fails();
    if (fail && !in_event)
        return failure;
    return fail_command(fail, real.clEnqueueWriteBuffer(q, to, wait, at, bytes, from, count, list, event), event);
}

static cl_int fail_read(cl_command_queue q, cl_mem from, cl_bool wait, size_t at, size_t bytes, void *to, cl_uint count,
                        const cl_event *list, cl_event *event)
{
    bool fail = fails();
    if (fail && !in_event)
        return failure;
    return fail_command(fail, real.clEnqueueReadBuffer(q, from, wait, at, bytes, to, count, list, event), event);
}

static void *fail_map(cl_command_queue q, cl_mem memory, cl_bool wait, cl_map_flags flags, size_t at, size_t bytes,
                      cl_uint count, const cl_event *list, cl_event *event, cl_int *error)
{
    bool fail = fails();
    *error = failure;
    if (fail && !in_event)
        return NULL;
    void *mapped = real.clEnqueueMapBuffer(q, memory, wait, flags, at, bytes, count, list, event, error);
    (void)fail_command(fail, CL_SUCCESS, event);
    return mapped;
}

static cl_int fail_unmap(cl_command_queue q, cl_mem memory, void *mapped, cl_uint count, const cl_event *list,
                         cl_event *event)
{
    bool fail = fails();
    if (fail && !in_event && event != NULL) /* without one it is a release, and nobody asks */
        return failure;
    return fail_command(fail, real.clEnqueueUnmapMemObject(q, memory, mapped, count, list, event), event);
}

static cl_int fail_kernel(cl_command_queue q, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                          const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
                          cl_event *event)
{
    bool fail = fails();
    if (fail && !in_event)
        return failure;
    return fail_command(
        fail, real.clEnqueueNDRangeKernel(q, kernel, dimensions, offset, global, local, count, list, event), event);
}

static cl_int fail_argument(cl_kernel kernel, cl_uint k, size_t size, const void *value)
{
    return fails() && !in_event ? failure : real.clSetKernelArg(kernel, k, size, value);
}

static cl_int fail_flush(cl_command_queue q)
{
    return fails() && !in_event ? failure : real.clFlush(q);
}

static cl_int fail_finish(cl_command_queue q)
{
    return fails() && !in_event ? failure : real.clFinish(q);
}

static cl_int fail_wait(cl_uint count, const cl_event *list)
{
    return fails() && !in_event ? failure : real.clWaitForEvents(count, list);
}

static cl_int fail_info(cl_event event, cl_event_info what, size_t size, void *value, size_t *written)
{
    cl_int error = real.clGetEventInfo(event, what, size, value, written);
    if (event == bad_event && in_event) {
        bad_event = NULL;
        *(cl_int *)value = failure;
    }
    return fails() && !in_event ? failure : error;
}

static void inject(bool on)
{
    owner.cl = real;
    if (!on)
        return;
    owner.cl.clCreateBuffer = fail_buffer;
    owner.cl.clCreateCommandQueue = fail_queue;
    owner.cl.clEnqueueWriteBuffer = fail_write;
    owner.cl.clEnqueueReadBuffer = fail_read;
    owner.cl.clEnqueueMapBuffer = fail_map;
    owner.cl.clEnqueueUnmapMemObject = fail_unmap;
    owner.cl.clEnqueueNDRangeKernel = fail_kernel;
    owner.cl.clSetKernelArg = fail_argument;
    owner.cl.clFlush = fail_flush;
    owner.cl.clFinish = fail_finish;
    owner.cl.clWaitForEvents = fail_wait;
    owner.cl.clGetEventInfo = fail_info;
}

enum { SWEEP = 300 };

/* One run with a fault in a fresh session; true: the faulty call was made. */
static bool run_with_fault(int *x, float *table, float *y, float *from, float *to)
{
    run_pair v = {2.0f, 5};
    for (int k = 0; k < SWEEP; k++)
        x[k] = k, y[k] = -1.0f, from[k] = to[k] = (float)k;
    close_session(ses);
    ses = fresh_session();
    ses->piece_bytes_limit = (size_t)256 << 10; /* can be halved */
    dev.facts.array_bytes = 1 << 20;
    calls = 0;
    bad_event = NULL;
    inject(true);
    yoke__task t = task_of(YOKE_KERNEL_OF(piece_modes), (size_t[]){SWEEP, 1}, (void *[]){from, to, x, &v});
    program_for(t.kernel)->choice[0].at[0].item_ns = 20e6 / 70; /* several pieces */
    int status = run_task(&t);
    book_is_balanced(&notes);
    unsigned long made = calls;
    for (int k = 0; k < SWEEP; k++)
        assert_int_equal(x[k], notes.done[k] ? 3 * k + 5 + SWEEP : k);
    for (int k = 0; k < SWEEP; k++)
        assert_true(!notes.done[k] || to[k] == 3.0f * (float)k);
    assert_true(status == YOKE_OK ? notes.next == SWEEP : status == YOKE_ENODEV || status == YOKE_ENOMEM);
    if (status == YOKE_OK)
        assert_null(memchr(notes.lost, 1, sizeof notes.lost));
    if (!for_ever && failure == CL_OUT_OF_RESOURCES && failing > 0 && made > 60)
        assert_int_equal(status, YOKE_OK);
    t = task_of(YOKE_KERNEL_OF(piece_whole), (size_t[]){SWEEP, 1}, (void *[]){x, table, y});
    if (atomic_load(&dev.state) == YOKE_DEVICE_READY) {
        program_for(t.kernel)->choice[0].at[0].item_ns = 20e6 / 70;
        (void)run_task(&t);
        book_is_balanced(&notes);
        for (int k = 0; k < SWEEP; k++)
            assert_true(notes.done[k] ? y[k] == table[x[k] % 97] + table[96] : true);
    }
    inject(false);
    atomic_store(&dev.state, YOKE_DEVICE_READY);
    return failing <= calls;
}

static void every_call_may_fail_once_or_for_ever(void **state)
{
    (void)state;
    static const cl_int errors[] = {CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY,
                                    CL_INVALID_VALUE, CL_DEVICE_NOT_AVAILABLE};
    uint64_t most = dev.facts.array_bytes;
    real = owner.cl;
    unsigned long runs = 0;
    for (int mode = 0; mode < 3 * 4; mode++) {
        dev.facts.shares_memory = mode % 3 > 0;
        in_blocks = mode % 3 == 2;
        for_ever = mode / 3 % 2 == 1;
        in_event = mode / 6 == 1;
        float *from = array_of(4 * SWEEP), *to = array_of(4 * SWEEP), *table = array_of(4 * 97),
              *y = array_of(4 * SWEEP);
        int *x = array_of(4 * SWEEP);
        for (int k = 0; k < 97; k++)
            table[k] = (float)k;
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            failure = errors[e];
            failing = 0;
            (void)run_with_fault(x, table, y, from, to);
            for (failing = 1; run_with_fault(x, table, y, from, to); failing += SANITIZED ? 7 : 1)
                runs++;
        }
        free_array(from), free_array(to), free_array(table), free_array(y), free_array(x);
    }
    printf("%lu runs with a fault\n", runs);
    in_blocks = false;
    dev.facts.array_bytes = most;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_arrays_are_used_in_place_and_without_a_copy),
        cmocka_unit_test(offset_between_elements_is_staged),
        cmocka_unit_test(driver_may_choose_the_size_of_work_groups),
        cmocka_unit_test(poll_ends_the_run_after_what_is_in_flight),
        cmocka_unit_test(device_without_room_for_an_item_takes_no_piece),
        cmocka_unit_test(every_call_may_fail_once_or_for_ever),
        cmocka_unit_test(piece_that_takes_too_long_is_lost_and_the_device_with_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
