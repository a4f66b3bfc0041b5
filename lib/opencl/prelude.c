/* The prelude of OpenCL C source. OpenCL is not C: exp of a float is a float there, abs returns an unsigned, and
 * integer types have other names. So every C name becomes a function with C's types, and then the name itself. */
#include "lib/opencl/prelude.h"

/* The lists and the text stay laid out by hand: clang-format staggers macro calls side by side. */
/* clang-format off */
#define FOR_ALL_1(X) \
    X(exp) X(exp2) X(expm1) X(log) X(log2) X(log10) X(log1p) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) \
    X(sinh) X(cosh) X(tanh) X(erf) X(sqrt) X(rsqrt) X(cbrt) X(fabs) X(floor) X(ceil) X(trunc) X(round) X(rint)
#define FOR_ALL_2(X) X(pow) X(fmin) X(fmax) X(fmod) X(atan2) X(hypot) X(copysign)
/* clang-format on */

#define FLOAT_1(f) "float yoke_f_" #f "(float x) { return " #f "(x); }\n"
#define FLOAT_2(f) "float yoke_f_" #f "(float x, float y) { return " #f "(x, y); }\n"
#define DOUBLE_1(f) "double yoke_d_" #f "(double x) { return " #f "(x); }\n"
#define DOUBLE_2(f) "double yoke_d_" #f "(double x, double y) { return " #f "(x, y); }\n"
/* PoCL has its built-ins as macros: a second definition would be a warning. */
#define FLOAT_NAME(f) "#undef " #f "f\n#define " #f "f yoke_f_" #f "\n"
#define DOUBLE_NAME(f) "#undef " #f "\n#define " #f " yoke_d_" #f "\n"

/* clang-format off */
const char yoke__prelude[] =
    "typedef char int8_t; typedef uchar uint8_t; typedef short int16_t; typedef ushort uint16_t;\n"
    "typedef int int32_t; typedef uint uint32_t; typedef long int64_t; typedef ulong uint64_t;\n"
    "#define _Bool bool\n"
    "#define yoke_on_device 1\n"
    "#define size_t ulong\n" /* no kernel may have a size_t parameter */
    "#define __builtin_inff() INFINITY\n"
    "#define __builtin_nanf(text) NAN\n"
    "#define __builtin_huge_valf() INFINITY\n"
    "int yoke_i_abs(int x) { return x < 0 ? -x : x; }\n"
    "#undef abs\n#define abs yoke_i_abs\n"
    FOR_ALL_1(FLOAT_1) FOR_ALL_2(FLOAT_2)
    "float yoke_f_fma(float x, float y, float z) { return fma(x, y, z); }\n"
    "#ifdef cl_khr_fp64\n"
    "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
    "#define __builtin_inf() ((double)INFINITY)\n"
    "#define __builtin_huge_val() ((double)INFINITY)\n"
    FOR_ALL_1(DOUBLE_1) FOR_ALL_2(DOUBLE_2)
    "double yoke_d_fma(double x, double y, double z) { return fma(x, y, z); }\n"
    FOR_ALL_1(DOUBLE_NAME) FOR_ALL_2(DOUBLE_NAME)
    "#undef fma\n#define fma yoke_d_fma\n"
    "#endif\n"
    FOR_ALL_1(FLOAT_NAME) FOR_ALL_2(FLOAT_NAME)
    "#undef fmaf\n#define fmaf yoke_f_fma\n";
/* clang-format on */
