/* A runtime that checks says where the program forgot yoke_read or yoke_write: programs in child processes, and what they
 * say on standard error. */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/emulated.h"
#include "tests/fault/devices_support.h"

YOKE_EXACT_KERNEL(for_add, (inout(float, z), in(float, x)), { z[i] += x[i]; })
YOKE_EXACT_KERNEL(for_bad, (in(float, x), out(float, y)), { y[i] = x[i + 1]; })

enum { PAGE_FLOATS = 1024, TEXT = 8000 };

/* What a child tells the parent beside what it prints. */
typedef struct child {
    atomic_int line; /* of the mistake, which several threads may make */
    int steps;
} child;

static child *shared;
static char said[TEXT];
static volatile float sink;

/* The access, and its line. */
#define MISTAKE(access) (atomic_store(&shared->line, __LINE__), atomic_signal_fence(memory_order_seq_cst), (access))

static int share_page(void **state)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : open_three(state);
}

static int run_child(void (*program)(void))
{
    int ends[2], status;
    size_t used = 0;
    fflush(stdout);
    *shared = (child){.line = 0};
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)signal(SIGSEGV, SIG_DFL); /* cmocka's would go on with the next test */
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        program();
        _exit(0);
    }
    (void)close(ends[1]);
    for (ssize_t got; used + 1 < sizeof said && (got = read(ends[0], said + used, sizeof said - 1 - used)) > 0;)
        used += (size_t)got;
    said[used] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_good(void (*program)(void))
{
    const int status = run_child(program);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || said[0] != '\0')
        fail_msg("status %d at step %d (line %d), which said \"%s\"", status, shared->steps, shared->line, said);
}

/* An emulator does not tell reads from writes: then only what lies between the verb and the advice counts. */
static void assert_said(const char *what)
{
    char part[200];
    const char *byte = is_emulated() ? strstr(what, "byte ") : NULL;
    (void)snprintf(part, sizeof part, "%s", byte != NULL ? byte : what);
    if (byte != NULL)
        part[strcspn(part, ":")] = '\0';
    if (strstr(said, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, said);
}

static void assert_line(void)
{
    char line[64];
    if (access("/usr/bin/addr2line", X_OK) != 0)
        return;
    (void)snprintf(line, sizeof line, "test_forgotten.c:%d\n", shared->line);
    assert_said(line);
}

static void assert_found(void (*program)(void), const char *what)
{
    const int status = run_child(program);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
        fail_msg("status %d at step %d (line %d), which said \"%s\"", status, shared->steps, shared->line, said);
    assert_said(what);
    assert_line();
}

/* --- programs: children assert by ending early --- */

static void want(bool fine)
{
    shared->steps++;
    if (!fine)
        _exit(shared->steps);
}

typedef struct program {
    yoke_runtime *r;
    float *alpha, *beta;
} program;

/* beta is on the device then. */
static program start(void)
{
    program p = {.r = yoke_open(&(yoke_runtime_options){.devices = "gpu:0", .workers = 2, .check = 1})};
    want(p.r != NULL);
    p.alpha = yoke_alloc(LARGE * sizeof *p.alpha, YOKE_PLACE_DEFAULT);
    p.beta = yoke_alloc(LARGE * sizeof *p.beta, YOKE_PLACE_DEFAULT);
    want(p.alpha != NULL && p.beta != NULL && yoke_name_array(p.beta, "beta") == YOKE_OK);
    memcpy(yoke_write(p.alpha), x, LARGE * sizeof *x);
    want(parallel_map_on(p.r, NULL, dev_scale, N, p.alpha, p.beta, 3.0f) == YOKE_OK);
    want(last_decision().device_items == N);
    return p;
}

static void forgets_to_read(void)
{
    const program p = start();
    sink = MISTAKE(p.beta[100]);
}

static void forgets_to_read_what_was_an_input_since(void)
{
    const program p = start();
    want(parallel_map_on(p.r, NULL, for_add, N, p.alpha, p.beta) == YOKE_OK);
    want(yoke_read(p.alpha) == p.alpha && p.alpha[9] == x[9] + 3.0f * x[9] + 1.0f);
    sink = MISTAKE(p.beta[3]);
}

static void reads_in_the_c_library(void)
{
    const program p = start();
    static volatile size_t bytes = 1000; /* so that it is a call */
    char copy[1000];
    MISTAKE(memcpy(copy, p.beta + 500, bytes));
    sink = copy[shared->steps];
}

static void forgets_to_read_after_a_wrong_kernel(void)
{
    const program p = start();
    want(parallel_map_on(p.r, NULL, for_bad, N, p.beta, p.alpha) == YOKE_ECHECK);
    sink = MISTAKE(p.beta[100]);
}

static void forgets_to_write(void)
{
    const program p = start();
    want(yoke_read(p.beta) == p.beta && p.beta[7] == 3.0f * x[7] + 1.0f);
    MISTAKE(p.beta[5] = 1.0f);
}

static void writes_to_an_input(void)
{
    const program p = start();
    sink = p.alpha[5];
    MISTAKE(p.alpha[5] = 1.0f);
}

static void forgets_to_write_what_is_stale(void)
{
    const program p = start();
    MISTAKE(p.beta[5] = 1.0f);
}

static void read_piece(size_t begin, size_t end, void *argument)
{
    const float *beta = argument;
    volatile float own_sink;
    for (size_t k = begin; k < end; k++)
        own_sink = MISTAKE(beta[k]);
    (void)own_sink;
}

/* On all threads at once, and workers are not the program's. */
static void forgets_to_read_on_workers(void)
{
    const program p = start();
    want(yoke_parallel_for_on(p.r, &(yoke_options){.flags = YOKE_ALWAYS_DIVIDE, .grain = 1}, 1000, read_piece,
                              p.beta) == YOKE_OK);
}

static void has_no_name(void)
{
    const program p = start();
    want(yoke_name_array(p.beta, NULL) == YOKE_OK);
    sink = MISTAKE(p.beta[0]);
}

static void forgotten_accesses_are_found_by_name_and_line(void **state)
{
    (void)state;
    assert_found(forgets_to_read, "yoke: the program reads byte 400 of beta, but its valid copy is on a device: call "
                                  "yoke_read() before");
    assert_found(forgets_to_read_what_was_an_input_since, "reads byte 12 of beta, but its valid copy is on a device");
    assert_found(reads_in_the_c_library, " of beta, but its valid copy is on a device: call yoke_read()");
    assert_found(forgets_to_write, "writes byte 20 of beta, but a device has a copy of it");
    assert_found(writes_to_an_input, "writes byte 20 of x of kernel dev_scale, but a device has a copy of it");
    assert_found(forgets_to_write_what_is_stale, "writes byte 20 of beta, but its valid copy is on a device: call "
                                                 "yoke_write()");
    assert_found(forgets_to_read_on_workers, " of beta, but its valid copy is on a device: call yoke_read()");
    assert_found(has_no_name, "reads byte 0 of y of kernel dev_scale, but");
    assert_found(forgets_to_read_after_a_wrong_kernel, "yoke: kernel for_bad (");
    assert_said("reads byte 400 of beta, but its valid copy is on a device");
}

static void forgets_without_tools(void)
{
    (void)setenv("PATH", "/nowhere:relative", 1);
    forgets_to_read();
}

static void without_addr2line_the_place_is_an_offset(void **state)
{
    (void)state;
    const int status = run_child(forgets_without_tools);
    assert_true(status != 0);
    assert_said("reads byte 400 of beta");
    assert_said("fault_test_forgotten+0x");
    assert_null(strstr(said, "test_forgotten.c:"));
}

/* --- what is right --- */

static void does_it_right(void)
{
    struct sigaction before, after;
    want(sigaction(SIGSEGV, NULL, &before) == 0);
    const program p = start();
    for (int k = 0; k < 3; k++) {
        const float *read = yoke_read(p.beta);
        want(read != NULL && is_scaled(x, read, N, 3.0f));
        want(parallel_map_on(p.r, NULL, dev_scale, N, p.alpha, p.beta, 3.0f) == YOKE_OK);
    }
    float *range = yoke_update_range(p.beta, 5 * sizeof *range);
    want(range == p.beta && range[4] == 3.0f * x[4] + 1.0f);
    range[4] = 0.0f;
    want(parallel_map_on(p.r, NULL, for_add, N, p.beta, p.alpha) == YOKE_OK);
    want(yoke_read(p.beta) == p.beta && p.beta[4] == x[4] && p.beta[N - 1] == 4.0f * x[N - 1] + 1.0f);
    memset(yoke_write(p.beta), 0, LARGE * sizeof *p.beta);
    want(parallel_map_on(p.r, &(yoke_options){.flags = YOKE_WRITE_BACK}, dev_scale, N, p.alpha, p.beta, 5.0f) ==
         YOKE_OK);
    want(is_scaled(x, p.beta, N, 5.0f));
    want(parallel_map_on(p.r, &(yoke_options){.devices = "cpu"}, dev_scale, N, p.alpha, p.beta, 4.0f) == YOKE_OK);
    want(is_scaled(x, p.beta, N, 4.0f));
    p.beta[3] = 1.0f;
    want(parallel_map_on(p.r, NULL, dev_scale, N, p.alpha, p.beta, 3.0f) == YOKE_OK);
    want(yoke_close(p.r) == YOKE_OK);
    want(is_scaled(x, p.beta, N, 3.0f)); /* it brought its arrays home */
    p.alpha[0] = p.beta[0] = 1.0f;
    want(sigaction(SIGSEGV, NULL, &after) == 0 && before.sa_sigaction == after.sa_sigaction);
    want(yoke_free(p.alpha) == YOKE_OK && yoke_free(p.beta) == YOKE_OK);
}

/* N floats are almost four pages. */
static void uses_the_neighbourhood(void)
{
    const program p = start();
    want(p.beta[4 * PAGE_FLOATS] == 0.0f && p.beta[LARGE - 1] == 0.0f);
    p.beta[4 * PAGE_FLOATS] = p.beta[N] = 1.0f; /* the second in a page of which the device has a part */
    want(yoke_read_range(p.beta, PAGE_FLOATS * sizeof *p.beta) == p.beta && is_scaled(x, p.beta, PAGE_FLOATS, 3.0f));
    float *second = p.beta + PAGE_FLOATS;
    want(yoke_write_range(second, PAGE_FLOATS * sizeof *second) == second);
    second[0] = 1.0f;
    sink = MISTAKE(p.beta[2 * PAGE_FLOATS]);
}

static void right_programs_see_nothing_of_it(void **state)
{
    (void)state;
    assert_good(does_it_right);
    assert_found(uses_the_neighbourhood, "reads byte 8192 of beta,");
}

/* Without a check nothing is protected: the old content is read. */
static void does_not_check(void)
{
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.devices = "gpu:0", .workers = 2});
    float *beta = yoke_alloc(N * sizeof *beta, YOKE_PLACE_DEFAULT);
    want(r != NULL && beta != NULL && parallel_map_on(r, NULL, dev_scale, N, x, beta, 3.0f) == YOKE_OK);
    want(beta[5] == 0.0f);
    yoke_runtime *checking = yoke_open(&(yoke_runtime_options){.devices = "cpu", .workers = 2, .check = 1});
    want(checking != NULL && yoke_close(checking) == YOKE_OK);
    want(beta[5] == 0.0f);
    checking = yoke_open(&(yoke_runtime_options){.devices = "cpu", .workers = 2, .check = 1});
    want(checking != NULL);
    sink = MISTAKE(beta[5]); /* what others left there is found, too */
}

static void only_while_a_runtime_checks(void **state)
{
    (void)state;
    assert_found(does_not_check, "reads byte 20 of y of kernel dev_scale, but its valid copy is on a device");
}

/* --- handlers of the program --- */

static sigjmp_buf back;
static volatile sig_atomic_t handled;

static void own_handler(int number)
{
    (void)number;
    handled = handled + 1;
    siglongjmp(back, 1);
}

static void install_own(void)
{
    struct sigaction own = {.sa_handler = own_handler};
    (void)sigemptyset(&own.sa_mask);
    want(sigaction(SIGSEGV, &own, NULL) == 0);
}

static void faults_elsewhere(void)
{
    char *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int before = handled;
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)nothing = 1;
    want(handled == before + 1);
    want(munmap(nothing, 4096) == 0);
    if (sigsetjmp(back, 1) == 0)
        (void)raise(SIGSEGV);
    want(handled == before + 2);
}

static void handles_faults_itself(void)
{
    install_own();
    const program p = start();
    faults_elsewhere();
    for (int k = 1; k <= 2; k++) {
        if (sigsetjmp(back, 1) == 0)
            sink = MISTAKE(p.beta[100]);
        want(handled == 2 + k);
    }
    want(yoke_read(p.beta) == p.beta && is_scaled(x, p.beta, N, 3.0f));
    faults_elsewhere();
    want(yoke_close(p.r) == YOKE_OK);
    faults_elsewhere();
}

/* A handler above ours has the faults alone. */
static void handles_faults_from_later_on(void)
{
    const program p = start();
    install_own();
    faults_elsewhere();
    if (sigsetjmp(back, 1) == 0)
        sink = p.beta[100];
    want(handled == 3);
    want(parallel_map_on(p.r, NULL, dev_scale, N, p.alpha, p.beta, 5.0f) == YOKE_OK);
    want(yoke_close(p.r) == YOKE_OK);
    faults_elsewhere();
    yoke_runtime *checking = yoke_open(&(yoke_runtime_options){.devices = "cpu", .workers = 2, .check = 1});
    want(checking != NULL);
    faults_elsewhere();
}

static void the_programs_own_handlers_run(void **state)
{
    (void)state;
    const int status = run_child(handles_faults_itself);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %d at step %d: \"%s\"", status, shared->steps, said);
    assert_said("reads byte 400 of beta, but its valid copy is on a device");
    assert_line();
    assert_good(handles_faults_from_later_on);
}

static void is_sent_a_signal(void)
{
    (void)start();
    (void)raise(SIGSEGV);
}

static void ends_by_a_wild_pointer(void)
{
    (void)start();
    volatile float *wild = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sink = *wild;
}

static void other_faults_end_the_program_as_ever(void **state)
{
    (void)state;
    int status = run_child(is_sent_a_signal);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && strstr(said, "yoke:") == NULL);
    status = run_child(ends_by_a_wild_pointer);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && strstr(said, "yoke:") == NULL);
}

/* --- what the check itself does to arrays --- */

static void a_wrong_device_leaves_the_arrays_as_they_were(void **state)
{
    (void)state;
    const program p = start();
    want(yoke_read(p.alpha) == p.alpha);
    assert_int_equal(control("fault clEnqueueNDRangeKernel:1:flip:sticky"), 0);
    assert_int_equal(parallel_map_on(p.r, NULL, for_add, N, p.alpha, p.beta), YOKE_ECHECK);
    assert_int_equal(control("reset"), 0);
    assert_ptr_equal(yoke_read(p.alpha), p.alpha);
    assert_memory_equal(p.alpha, x, N * sizeof *x);
    assert_int_equal(parallel_map_on(p.r, NULL, dev_scale, N, p.alpha, p.beta, 2.0f),
                     YOKE_OK); /* not from a wrong copy */
    assert_ptr_equal(yoke_read(p.beta), p.beta);
    assert_true(is_scaled(x, p.beta, N, 2.0f));
    assert_int_equal(yoke_free(p.alpha), YOKE_OK);
    assert_int_equal(yoke_free(p.beta), YOKE_OK);
    close_runtime(p.r);
}

/* Reads and writes what it has to, with every way a call may be run. */
static void random_programs_that_do_it_right_pass(void **state)
{
    (void)state;
    static const char *const devices[] = {"cpu", "gpu:0", "gpu:1", "cpu, gpu:0"};
    uint64_t random = seed_of("right programs");
    enum { MOST = 20000 };
    static float wanted[MOST];
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.devices = "cpu, gpu:0, gpu:1", .workers = 2, .check = 1});
    assert_non_null(r);
    float *z = yoke_alloc(MOST * sizeof *z, YOKE_PLACE_DEFAULT),
          *from = yoke_alloc(MOST * sizeof *z, YOKE_PLACE_DEFAULT);
    memcpy(yoke_write(from), x, MOST * sizeof *from);
    for (unsigned long round = 0; round < rounds_of(60); round++) {
        const size_t begin = draw_below(&random, MOST), n = 1 + draw_below(&random, MOST - begin);
        const yoke_options options = {.devices = devices[draw_below(&random, 4)],
                                      .flags = draw_below(&random, 3) == 0 ? YOKE_WRITE_BACK : 0};
        switch (draw_below(&random, 4)) {
        case 0:
            assert_non_null(yoke_update_range(z + begin, n * sizeof *z));
            for (size_t k = begin; k < begin + n; k++)
                wanted[k] = z[k] = (float)((int)z[k] % 1000);
            break;
        case 1:
            assert_non_null(yoke_read_range(z + begin, n * sizeof *z));
            assert_memory_equal(z + begin, wanted + begin, n * sizeof *z);
            break;
        default:
            assert_int_equal(parallel_map_on(r, &options, for_add, n, z + begin, from + begin), YOKE_OK);
            for (size_t k = begin; k < begin + n; k++)
                wanted[k] += x[k];
        }
    }
    assert_ptr_equal(yoke_read(z), z);
    assert_memory_equal(z, wanted, sizeof wanted);
    close_runtime(r);
    assert_int_equal(yoke_free(z), YOKE_OK);
    assert_int_equal(yoke_free(from), YOKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(forgotten_accesses_are_found_by_name_and_line, fresh),
        cmocka_unit_test_setup(without_addr2line_the_place_is_an_offset, fresh),
        cmocka_unit_test_setup(right_programs_see_nothing_of_it, fresh),
        cmocka_unit_test_setup(only_while_a_runtime_checks, fresh),
        cmocka_unit_test_setup(the_programs_own_handlers_run, fresh),
        cmocka_unit_test_setup(other_faults_end_the_program_as_ever, fresh),
        cmocka_unit_test_setup(a_wrong_device_leaves_the_arrays_as_they_were, fresh),
        cmocka_unit_test_setup(random_programs_that_do_it_right_pass, fresh),
    };
    return cmocka_run_group_tests(tests, share_page, NULL);
}
