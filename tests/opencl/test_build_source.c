/* The OpenCL C source of every shipped kernel, and of test kernels that use all of the dialect, is taken by a real
 * compiler. */
#include <float.h>
#include <math.h>

#include "tests/opencl/opencl_support.h"
#include "yoke/kernels.h"

/* Every kernel of yoke/kernels.h; a test below compares this list with the header. */
/* clang-format off */
#define SHIPPED(X) \
    X(yoke_copy) X(yoke_dcopy) X(yoke_scale) X(yoke_dscale) X(yoke_add) X(yoke_dadd) X(yoke_triad) X(yoke_dtriad) \
    X(yoke_axpy) X(yoke_daxpy) X(yoke_dot) X(yoke_ddot) X(yoke_sum) X(yoke_dsum) X(yoke_asum) X(yoke_dasum) \
    X(yoke_nrm2) X(yoke_black_scholes) X(yoke_black_scholes_each) X(yoke_mandelbrot) X(yoke_heat) \
    X(yoke_blur_rows) X(yoke_blur_columns) X(yoke_nbody) X(yoke_histogram)
/* clang-format on */

static const yoke_kernel *const shipped[] = {
#define DESCRIPTOR(name) YOKE_KERNEL_OF(name),
    SHIPPED(DESCRIPTOR)
#undef DESCRIPTOR
};
enum { COUNT = sizeof shipped / sizeof *shipped };

static void every_shipped_kernel_is_in_the_list(void **state)
{
    (void)state;
    FILE *header = fopen(YOKE_TESTS_DIR "/../include/yoke/kernels.h", "r");
    char line[1000];
    unsigned declared = 0;
    assert_non_null(header);
    while (fgets(line, sizeof line, header) != NULL) {
        if (strncmp(line, "YOKE_DECLARE", 12) != 0)
            continue;
        char name[100] = "";
        assert_int_equal(sscanf(strchr(line, '('), "(%99[A-Za-z0-9_]", name), 1);
        bool known = false;
        for (size_t k = 0; k < COUNT; k++)
            known |= strcmp(shipped[k]->name, name) == 0;
        if (!known)
            fail_msg("%s is declared in yoke/kernels.h but not built here: add it to SHIPPED", name);
        declared++;
    }
    fclose(header);
    assert_int_equal(declared, COUNT);
}

static void every_shipped_kernel_builds(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT; k++)
        clReleaseProgram(build(shipped[k], "-Werror"));
}

/* --- all of the dialect --- */

#define G 9.81f
YOKE_TYPE(cl_inner, {
    float a[2];
    int b;
})
YOKE_TYPE(cl_outer, {
    cl_inner in_it;
    double d;
})
YOKE_FUNCTION(float, clamp, (float x, float low, float high), { return fminf(fmaxf(x, low), high); })
YOKE_FUNCTION(float, twice_clamped, (float x), { return 2.0f * clamp(x, -1.0f, 1.0f); })
YOKE_FUNCTION(cl_outer, outer_of, (float x), {
    cl_outer o;
    o.in_it.a[0] = x;
    o.in_it.a[1] = -x;
    o.in_it.b = (int)x;
    o.d = x;
    return o;
})

YOKE_KERNEL(cl_modes,
            (in(float, a), in(short, b, 3), out(double, c), out(float, d, 2), inout(int, e), inout(int64_t, f, 2),
             halo(float, g, 1, 2), whole(int, h, k + 1), scatter(uint8_t, s, n), value(float, v), value(int, k),
             value(cl_outer, o)),
            {
                c[i] = a[i] + b[3 * i] + exp(o.d);
                d[2 * i] = v * G;
                d[2 * i + 1] = twice_clamped(a[i]) + o.in_it.a[1];
                e[i] += h[i % (size_t)k] * abs(k);
                f[2 * i] += (int64_t)i;
                s[n - 1 - i] = (uint8_t)(g[i] > 0.0f ? 255 : 0);
                if (i == 7)
                    return;
                f[2 * i + 1] -= INT32_MAX;
            })
YOKE_KERNEL(cl_integers,
            (in(int8_t, a), in(uint8_t, b), in(int16_t, c), in(uint16_t, d), in(int32_t, e), in(uint32_t, f),
             in(int64_t, g), in(uint64_t, h), out(unsigned, y), out(unsigned char, z), out(long, w)),
            {
                y[i] = (unsigned)(a[i] + b[i] + c[i] + d[i] + e[i]) + f[i];
                z[i] = (unsigned char)(g[i] ^ (long)h[i]);
                w[i] = (long)(h[i] % UINT64_C(1000)) - INT64_MAX;
            })
YOKE_KERNEL(cl_math_float, (in(float, x), in(float, z), out(float, y)), {
    y[i] = expf(x[i]) + exp2f(x[i]) + expm1f(x[i]) + logf(x[i]) + log2f(x[i]) + log10f(x[i]) + log1pf(x[i]) +
           sinf(x[i]) + cosf(x[i]) + tanf(x[i]) + asinf(x[i]) + acosf(x[i]) + atanf(x[i]) + atan2f(x[i], z[i]) +
           sinhf(x[i]) + coshf(x[i]) + tanhf(x[i]) + powf(x[i], z[i]) + cbrtf(x[i]) + hypotf(x[i], z[i]) + erff(x[i]) +
           sqrtf(x[i]) + rsqrtf(x[i]) + fmaf(x[i], z[i], x[i]) + fabsf(x[i]) + copysignf(x[i], z[i]) +
           fminf(x[i], z[i]) + fmaxf(x[i], z[i]) + floorf(x[i]) + ceilf(x[i]) + truncf(x[i]) + roundf(x[i]) +
           rintf(x[i]);
})
YOKE_KERNEL(cl_math_double, (in(double, x), in(double, z), out(double, y)), {
    y[i] = exp(x[i]) + exp2(x[i]) + expm1(x[i]) + log(x[i]) + log2(x[i]) + log10(x[i]) + log1p(x[i]) + sin(x[i]) +
           cos(x[i]) + tan(x[i]) + asin(x[i]) + acos(x[i]) + atan(x[i]) + atan2(x[i], z[i]) + sinh(x[i]) + cosh(x[i]) +
           tanh(x[i]) + pow(x[i], z[i]) + cbrt(x[i]) + hypot(x[i], z[i]) + erf(x[i]) + sqrt(x[i]) + rsqrt(x[i]) +
           fma(x[i], z[i], x[i]) + fabs(x[i]) + copysign(x[i], z[i]) + fmin(x[i], z[i]) + fmax(x[i], z[i]) +
           floor(x[i]) + ceil(x[i]) + trunc(x[i]) + round(x[i]) + rint(x[i]);
})
YOKE_KERNEL(cl_constants, (in(float, x), out(float, y), out(double, d)), {
    bool odd = i % 2 == 1;
    const size_t half_way = n / 2;
    y[i] = x[i] > FLT_MAX / 2 ? INFINITY : odd ? NAN : FLT_EPSILON * (float)half_way;
    d[i] = M_PI + DBL_EPSILON + 0.1 + (isnan(x[i]) ? 1.0 : 0.0);
})
YOKE_KERNEL(cl_odd_names, (in(float, exp), in(float, a), in(float, b), out(float, y), value(float, acc)),
            { y[i] = exp[i] + a[i] + b[i] + acc; })
YOKE_KERNEL_2D(cl_2d, (halo(float, x, 1, 1), out(float, y, 2), value(float, k)), {
    y[2 * (j * width + i)] = i > 0 && j > 0 && i + 1 < width && j + 1 < height ? k * x[(j - 1) * width + i] : 0.0f;
    y[2 * (j * width + i) + 1] = 0.0f;
})
YOKE_LANE_KERNEL(cl_lanes, (in(float, x), out(float, y)), {
    YOKE_LANES(float, v);
    int alive = 1;
    YOKE_EACH
    {
        v[l] = x[i];
    }
    while (alive) {
        YOKE_EACH
        {
            v[l] = v[l] > 1.0f ? v[l] * 0.5f : v[l];
            (void)i;
        }
        YOKE_ANY(alive, v[l] > 1.0f);
    }
    YOKE_EACH
    {
        y[i] = v[l];
    }
})
YOKE_LANE_KERNEL_2D(cl_lanes_2d, (out(float, y)), {
    YOKE_EACH { y[j * width + i] = (float)(i + l + height);
}
})
YOKE_EXACT_KERNEL(cl_exact, (in(float, x), out(float, y)), {
    y[i] = x[i] * x[i] + sqrtf(x[i]) / 3.0f; })
YOKE_REDUCE(cl_struct_sum, (cl_outer, outer_of(0.0f), outer_of((float)(a.d + b.d))), (in(float, x)), outer_of(x[i]))
YOKE_REDUCE(cl_literal, (cl_inner, ((cl_inner){{0, 1}, 2}), a.b > b.b ? a : b), (in(int, x)), ((cl_inner){{0, 0}, x[i]}))
YOKE_ACCUMULATE(cl_accumulate, (cl_inner, ((cl_inner){{0, 0}, 0}), ((cl_inner){{0, 0}, a.b + b.b})), (in(int, x)), {
    acc->b += x[i]; })

static void every_feature_of_the_dialect_builds(void **state)
{
    (void)state;
    static const yoke_kernel *const kernels[] = {
        YOKE_KERNEL_OF(cl_modes),       YOKE_KERNEL_OF(cl_integers),   YOKE_KERNEL_OF(cl_math_float),
        YOKE_KERNEL_OF(cl_math_double), YOKE_KERNEL_OF(cl_constants),  YOKE_KERNEL_OF(cl_odd_names),
        YOKE_KERNEL_OF(cl_2d),          YOKE_KERNEL_OF(cl_lanes),      YOKE_KERNEL_OF(cl_lanes_2d),
        YOKE_KERNEL_OF(cl_exact),       YOKE_KERNEL_OF(cl_struct_sum), YOKE_KERNEL_OF(cl_literal),
        YOKE_KERNEL_OF(cl_accumulate)};
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
        clReleaseProgram(build(kernels[k], ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_kernel_is_in_the_list),
        cmocka_unit_test(every_shipped_kernel_builds),
        cmocka_unit_test(every_feature_of_the_dialect_builds),
    };
    return cmocka_run_group_tests(tests, set_up_device, tear_down_device);
}
