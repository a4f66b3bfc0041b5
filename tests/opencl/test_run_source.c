/* The OpenCL C source runs, and computes what the CPU's variants compute: exact kernels to the bit. */
#include <math.h>

#include "lib/schedule/schedule.h"
#include "tests/opencl/opencl_support.h"

enum { N = 10007, WIDTH = 67, HEIGHT = 41 };

YOKE_EXACT_KERNEL(run_saxpy, (inout(float, y), in(float, x), value(float, a)), { y[i] += a * x[i]; })
YOKE_EXACT_KERNEL_2D(run_stencil, (halo(float, x, 1, 1), out(float, y), value(float, rate)), {
    y[j * width + i] = x[j * width + i];
    if (i > 0 && j > 0 && i + 1 < width && j + 1 < height)
        y[j * width + i] += rate * (x[j * width + i - 1] + x[j * width + i + 1] + x[(j - 1) * width + i] +
                                    x[(j + 1) * width + i] - 4.0f * x[j * width + i]);
})
YOKE_EXACT_LANE_KERNEL(run_mandelbrot, (in(float, cx), in(float, cy), out(int, count)), {
    YOKE_LANES(float, x);
    YOKE_LANES(float, y);
    YOKE_LANES(int, steps);
    int alive = 1;
    YOKE_EACH
    {
        x[l] = 0.0f;
        y[l] = 0.0f;
        steps[l] = 0;
        count[i] = 0;
    }
    for (int k = 0; k < 50 && alive; k++) {
        YOKE_EACH
        {
            float xx = x[l] * x[l];
            float yy = y[l] * y[l];
            steps[l] += xx + yy < 4.0f ? 1 : 0;
            y[l] = 2.0f * x[l] * y[l] + cy[i];
            x[l] = xx - yy + cx[i];
        }
        YOKE_ANY(alive, x[l] * x[l] + y[l] * y[l] < 4.0f);
    }
    YOKE_EACH
    {
        count[i] = steps[l];
    }
})
YOKE_EXACT_REDUCE(run_dot, (float, 0.0f, a + b), (in(float, x), in(float, y)), x[i] * y[i])
YOKE_TYPE(run_bins, { uint32_t count[8]; })
YOKE_FUNCTION(run_bins, run_none, (void), {
    run_bins b;
    for (int k = 0; k < 8; k++)
        b.count[k] = 0;
    return b;
})
YOKE_FUNCTION(run_bins, run_both, (run_bins p, run_bins q), {
    for (int k = 0; k < 8; k++)
        p.count[k] += q.count[k];
    return p;
})
YOKE_ACCUMULATE(run_histogram, (run_bins, run_none(), run_both(a, b)), (in(float, x)),
                { acc->count[(int)(x[i] + 2.0f)]++; })
YOKE_KERNEL(run_math, (in(float, x), out(float, y), out(double, z)), {
    y[i] = expf(x[i]) + sinf(x[i]) + powf(fabsf(x[i]) + 0.5f, x[i]) + erff(x[i]);
    z[i] = exp((double)x[i]) * cos((double)x[i]);
})

static float x[N], y[N], z[N];

static cl_kernel made(const yoke_kernel *kernel, cl_program *program)
{
    char name[100];
    cl_int error;
    *program = build(kernel, "-cl-fp32-correctly-rounded-divide-sqrt");
    (void)snprintf(name, sizeof name, "yoke_k_%s", kernel->name);
    cl_kernel made = clCreateKernel(*program, name, &error);
    cl_ok(error, name);
    return made;
}

static void run(cl_kernel kernel, cl_uint dimensions, const size_t *global, const size_t *local)
{
    cl_ok(clEnqueueNDRangeKernel(queue, kernel, dimensions, NULL, global, local, 0, NULL, NULL), "run");
    cl_ok(clFinish(queue), "finish");
}

static void set(cl_kernel kernel, cl_uint k, size_t size, const void *value)
{
    cl_ok(clSetKernelArg(kernel, k, size, value), "argument");
}

static void set_sizes(cl_kernel kernel, cl_ulong end, cl_ulong size0, cl_ulong size1)
{
    set(kernel, 0, sizeof(cl_ulong), &(cl_ulong){0});
    set(kernel, 1, sizeof end, &end);
    set(kernel, 2, sizeof size0, &size0);
    set(kernel, 3, sizeof size1, &size1);
}

static void set_array(cl_kernel kernel, cl_uint k, cl_mem buffer)
{
    set(kernel, k, sizeof buffer, &buffer);
    set(kernel, k + 1, sizeof(cl_long), &(cl_long){0});
}

static void read_back(cl_mem buffer, void *to, size_t bytes)
{
    cl_ok(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, bytes, to, 0, NULL, NULL), "read");
    clReleaseMemObject(buffer);
}

static void saxpy_on_the_device_has_the_bits_of_the_cpu(void **state)
{
    (void)state;
    cl_program program;
    cl_kernel kernel = made(YOKE_KERNEL_OF(run_saxpy), &program);
    cl_mem at_y = buffer_of(y, sizeof y), at_x = buffer_of(x, sizeof x);
    const float a = 1.7f;
    static float device_y[N], host_y[N];
    set_sizes(kernel, N, N, 1);
    set_array(kernel, 4, at_y);
    set_array(kernel, 6, at_x);
    set(kernel, 8, sizeof a, &a);
    run(kernel, 1, &(size_t){N + 25}, NULL); /* more work-items than items */
    read_back(at_y, device_y, sizeof device_y);
    clReleaseMemObject(at_x);
    memcpy(host_y, y, sizeof host_y);
    assert_int_equal(parallel_map(run_saxpy, N, host_y, x, a), YOKE_OK);
    assert_memory_equal(host_y, device_y, sizeof host_y);
    clReleaseKernel(kernel);
    clReleaseProgram(program);
}

static void lane_kernel_on_the_device_counts_what_the_cpu_counts(void **state)
{
    (void)state;
    cl_program program;
    cl_kernel kernel = made(YOKE_KERNEL_OF(run_mandelbrot), &program);
    static int device_count[N], host_count[N];
    cl_mem at_x = buffer_of(x, sizeof x), at_y = buffer_of(y, sizeof y),
           at_count = buffer_of(device_count, sizeof device_count);
    set_sizes(kernel, N, N, 1);
    set_array(kernel, 4, at_x);
    set_array(kernel, 6, at_y);
    set_array(kernel, 8, at_count);
    run(kernel, 1, &(size_t){N}, NULL);
    read_back(at_count, device_count, sizeof device_count);
    assert_int_equal(parallel_map(run_mandelbrot, N, x, y, host_count), YOKE_OK);
    assert_memory_equal(host_count, device_count, sizeof host_count);
    clReleaseMemObject(at_x);
    clReleaseMemObject(at_y);
    clReleaseKernel(kernel);
    clReleaseProgram(program);
}

static void stencil_on_the_device_has_the_bits_of_the_cpu(void **state)
{
    (void)state;
    enum { BYTES = WIDTH * HEIGHT * sizeof(float) };
    cl_program program;
    cl_kernel kernel = made(YOKE_KERNEL_OF(run_stencil), &program);
    static float device_y[WIDTH * HEIGHT], host_y[WIDTH * HEIGHT];
    cl_mem at_x = buffer_of(x, BYTES), at_y = buffer_of(device_y, BYTES);
    const float rate = 0.2f;
    set_sizes(kernel, HEIGHT, WIDTH, HEIGHT);
    set_array(kernel, 4, at_x);
    set_array(kernel, 6, at_y);
    set(kernel, 8, sizeof rate, &rate);
    run(kernel, 2, (size_t[]){WIDTH + 5, HEIGHT + 2}, NULL);
    read_back(at_y, device_y, BYTES);
    clReleaseMemObject(at_x);
    assert_int_equal(parallel_map_2d(run_stencil, WIDTH, HEIGHT, x, host_y, rate), YOKE_OK);
    assert_memory_equal(host_y, device_y, BYTES);
    clReleaseKernel(kernel);
    clReleaseProgram(program);
}

/* The host's part of a reduction: partial results, combined in pairs at distance 1, 2, 4, ... */
static void reduce_on_device(const yoke_kernel *kernel, bool accumulates, unsigned arrays, void *result)
{
    cl_program program;
    cl_kernel made_kernel = made(kernel, &program);
    const size_t block = yoke__plan_reduction_block(N, kernel->result_size, yoke_lanes_max);
    const size_t blocks = (N + block - 1) / block, bytes = blocks * kernel->result_size;
    unsigned char *partials = calloc(blocks, kernel->result_size);
    assert_non_null(partials);
    cl_mem at_result = buffer_of(partials, bytes), at_array[2] = {buffer_of(x, sizeof x), buffer_of(y, sizeof y)};
    set_sizes(made_kernel, blocks, N, block);
    set(made_kernel, 4, sizeof at_result, &at_result);
    for (unsigned k = 0; k < arrays; k++)
        set_array(made_kernel, 5 + 2 * k, at_array[k]);
    run(made_kernel, 1, &(size_t){accumulates ? blocks : 64 * blocks}, accumulates ? NULL : &(size_t){64});
    read_back(at_result, partials, bytes);
    for (size_t distance = 1; distance < blocks; distance *= 2)
        for (size_t k = 0; k + distance < blocks; k += 2 * distance)
            kernel->combine(partials + k * kernel->result_size, partials + (k + distance) * kernel->result_size);
    memcpy(result, partials, kernel->result_size);
    free(partials);
    clReleaseMemObject(at_array[0]);
    clReleaseMemObject(at_array[1]);
    clReleaseKernel(made_kernel);
    clReleaseProgram(program);
}

static void reductions_on_the_device_have_the_bits_of_the_cpu(void **state)
{
    (void)state;
    float device_dot = 0, host_dot = 1;
    run_bins device_bins, host_bins;
    reduce_on_device(YOKE_KERNEL_OF(run_dot), false, 2, &device_dot);
    assert_int_equal(parallel_reduce(run_dot, N, &host_dot, x, y), YOKE_OK);
    assert_memory_equal(&host_dot, &device_dot, sizeof host_dot);
    reduce_on_device(YOKE_KERNEL_OF(run_histogram), true, 1, &device_bins);
    assert_int_equal(parallel_reduce(run_histogram, N, &host_bins, x), YOKE_OK);
    assert_memory_equal(&host_bins, &device_bins, sizeof host_bins);
}

static void math_on_the_device_is_near_the_cpus(void **state)
{
    (void)state;
    cl_program program;
    cl_kernel kernel = made(YOKE_KERNEL_OF(run_math), &program);
    static double device_z[N], host_z[N];
    static float host_y[N];
    cl_mem at_x = buffer_of(x, sizeof x), at_y = buffer_of(z, sizeof z), at_z = buffer_of(device_z, sizeof device_z);
    set_sizes(kernel, N, N, 1);
    set_array(kernel, 4, at_x);
    set_array(kernel, 6, at_y);
    set_array(kernel, 8, at_z);
    run(kernel, 1, &(size_t){N}, NULL);
    read_back(at_y, z, sizeof z);
    read_back(at_z, device_z, sizeof device_z);
    clReleaseMemObject(at_x);
    assert_int_equal(parallel_map(run_math, N, x, host_y, host_z), YOKE_OK);
    for (int k = 0; k < N; k++) {
        assert_true(fabsf(z[k] - host_y[k]) <= 4e-6f * (1 + fabsf(host_y[k])));
        assert_true(fabs(device_z[k] - host_z[k]) <= 4e-15 * (1 + fabs(host_z[k])));
    }
    clReleaseKernel(kernel);
    clReleaseProgram(program);
}

static int set_up(void **state)
{
    (void)set_up_device(state);
    uint64_t seed = seed_of(__func__);
    for (int k = 0; k < N; k++)
        x[k] = (float)draw_double(&seed, -2, 2), y[k] = (float)draw_double(&seed, -1.5, 1.5);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saxpy_on_the_device_has_the_bits_of_the_cpu),
        cmocka_unit_test(lane_kernel_on_the_device_counts_what_the_cpu_counts),
        cmocka_unit_test(stencil_on_the_device_has_the_bits_of_the_cpu),
        cmocka_unit_test(reductions_on_the_device_have_the_bits_of_the_cpu),
        cmocka_unit_test(math_on_the_device_is_near_the_cpus),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down_device);
}
