/* Part of test_fakecl.c: every fault that the fake can be asked for. */
#ifndef YOKE_TESTS_WITH_TEST_FAKECL_FAULTS_H
#define YOKE_TESTS_WITH_TEST_FAKECL_FAULTS_H

static void every_call_can_fail_and_the_next_run_works(void **state)
{
    (void)state;
    ctl("reset");
    ok(saxpy_slice(0, N, NULL), "run");
    const int calls = ctl("calls?");
    assert_string_equal(call_name(1), "clCreateProgramWithSource");
    assert_string_equal(call_name(calls), "clReleaseKernel");
    ctl("reset");
    assert_string_equal(call_name(calls), "clReleaseKernel"); /* still known */
    assert_string_equal(call_name(60000), "?");
    int write = 1;
    while (strcmp(call_name(write), "clEnqueueWriteBuffer") != 0)
        write++;
    for (int k = write; k < calls - 3; k++) { /* writes, launch and read */
        char fault[40];
        (void)snprintf(fault, sizeof fault, "fault *:%d:-6", k);
        ctl("reset");
        assert_int_equal(ctl(fault), 0);
        assert_int_equal(saxpy_slice(0, N, NULL), CL_OUT_OF_HOST_MEMORY);
        assert_int_equal(ctl("fired?"), 1);
        ok(saxpy_slice(0, N, NULL), "the run after it");
    }
}

static void sticky_fault_stays_and_reset_ends_it(void **state)
{
    (void)state;
    ctl("fault clEnqueueReadBuffer:2:-5:sticky");
    ok(saxpy_slice(0, N, NULL), "first");
    assert_int_equal(saxpy_slice(0, N, NULL), CL_OUT_OF_RESOURCES);
    assert_int_equal(saxpy_slice(0, N, NULL), CL_OUT_OF_RESOURCES);
    ctl("reset");
    ok(saxpy_slice(0, N, NULL), "after reset");
    assert_int_equal(ctl("fault clFlush:x:-5"), -1);
    assert_int_equal(ctl("fault clFlush:1:explode"), -1);
}

static void lost_device_refuses_every_call_and_says_so(void **state)
{
    (void)state;
    cl_bool available;
    ctl("fault clEnqueueNDRangeKernel:1:lost");
    assert_int_equal(saxpy_slice(0, N, NULL), CL_OUT_OF_RESOURCES);
    assert_int_equal(cl.clFinish(queue), CL_OUT_OF_RESOURCES);
    ok(cl.clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL), "info");
    assert_int_equal(available, CL_FALSE);
    ctl("reset");
    ok(cl.clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL), "info");
    assert_int_equal(available, CL_TRUE);
}

static void failed_event_is_reported_by_waiting_and_stops_what_follows(void **state)
{
    (void)state;
    cl_event event = NULL;
    cl_int status;
    ctl("fault clEnqueueNDRangeKernel:1:evstatus=-5");
    assert_int_equal(saxpy_slice(0, N, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    ok(cl.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL), "status");
    assert_int_equal(status, -5);
    assert_int_equal(cl.clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    cl.clReleaseEvent(event);
    assert_memory_equal(y, expected, sizeof y);
    ok(saxpy_slice(0, N, NULL), "the next run");
}

static void flip_changes_one_bit(void **state)
{
    (void)state;
    const char *const functions[] = {"clEnqueueReadBuffer", "clEnqueueNDRangeKernel"};
    expect_saxpy(0, N);
    for (int k = 0; k < 2; k++) {
        char fault[60];
        unsigned wrong = 0;
        memset(y, 0, sizeof y);
        for (int i = 0; i < N; i++)
            y[i] = (float)(i % 7);
        (void)snprintf(fault, sizeof fault, "fault %s:1:flip", functions[k]);
        ctl(fault);
        ok(saxpy_slice(0, N, NULL), functions[k]);
        for (size_t byte = 0; byte < N * sizeof *y; byte++)
            wrong += (unsigned)__builtin_popcount(((unsigned char *)y)[byte] ^ ((unsigned char *)expected)[byte]);
        assert_int_equal(wrong, 1);
    }
}

static void overrun_writes_past_the_end(void **state)
{
    (void)state;
    ctl("fault clEnqueueReadBuffer:1:overrun");
    ok(saxpy_slice(0, N - 10, NULL), "run");
    assert_memory_equal(y + N - 10, "ZZZZZZZZ", 8);
    assert_memory_equal(y + N - 8, expected + N - 8, 8 * sizeof *y);
}

static void delay_takes_its_time(void **state)
{
    (void)state;
    ctl("fault clFinish:1:delay=50");
    int64_t start = yoke__now_ns();
    ok(cl.clFinish(queue), "finish");
    assert_true(yoke__now_ns() - start >= 50 * 1000000);
}

static _Atomic int finished;

static void *finish(void *unused)
{
    (void)unused;
    ok(cl.clFinish(queue), "finish");
    finished = 1;
    return NULL;
}

/* clFinish on another thread does not return before a release. */
static void expect_hang(void)
{
    pthread_t thread;
    finished = 0;
    assert_int_equal(pthread_create(&thread, NULL, finish, NULL), 0);
    sleep_ns(50 * 1000000);
    assert_int_equal(finished, 0);
    while (!finished) { /* the thread may have been late */
        ctl("release");
        sleep_ns(1000000);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void hang_and_stall_last_until_release(void **state)
{
    (void)state;
    cl_mem mem = buffer_of(4096);
    ctl("fault clFinish:1:hang");
    expect_hang();
    ctl("fault clEnqueueWriteBuffer:1:stall");
    ok(write_to(mem, x, 16), "write");
    expect_hang();
    cl.clReleaseMemObject(mem);
}

static void abort_ends_the_process(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        ctl("fault clFlush:1:abort");
        (void)cl.clFlush(queue);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void command_that_is_not_flushed_does_not_run(void **state)
{
    (void)state;
    cl_event event;
    cl_int status;
    cl_mem mem = buffer_of(4096);
    ok(cl.clEnqueueWriteBuffer(queue, mem, CL_FALSE, 0, 64, x, 0, NULL, &event), "write");
    sleep_ns(20 * 1000000);
    ok(cl.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL), "status");
    assert_int_equal(status, CL_QUEUED);
    ok(cl.clWaitForEvents(1, &event), "wait");
    cl.clReleaseEvent(event);
    cl.clReleaseMemObject(mem);
}

#endif
