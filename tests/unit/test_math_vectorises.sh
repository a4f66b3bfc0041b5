#!/bin/sh
# Compiles a kernel-like loop over every function of yoke/math.h at -O2, with each compiler and for each instruction
# set, and checks the assembly: no call is left, and arithmetic on whole vector registers is there.
#
#     test_math_vectorises.sh INCLUDE_DIRECTORY [compiler...]
#
# Compilers default to those of gcc, clang, aarch64-linux-gnu-gcc that exist. Exit 77: there was none.
set -eu
include=$1
shift
[ $# -gt 0 ] || set -- gcc clang aarch64-linux-gnu-gcc "clang --target=aarch64-linux-gnu"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one="exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh cbrt erf sqrt rsqrt fabs floor ceil
trunc round rint"
two="atan2 pow hypot copysign fmin fmax"

# loop NAME TYPE ARGUMENTS SET ATTRIBUTES: one kernel-like function, SET_NAME.
loop() {
    printf '%s void %s_%s(const %s *restrict x, const %s *restrict y, %s *restrict z, long n)\n' \
        "$5" "$4" "$1" "$2" "$2" "$2"
    printf '{\n    YOKE__BIND_MATH\n    YOKE__INDEPENDENT\n    for (long i = 0; i < n; i++)\n'
    case $3 in
    1) printf '        z[i] = %s(x[i]);\n}\n' "$1" ;;
    2) printf '        z[i] = %s(x[i], y[i]);\n}\n' "$1" ;;
    3) printf '        z[i] = %s(x[i], y[i], z[i]);\n}\n' "$1" ;;
    esac
}

source_for() {
    printf '#include "yoke/math.h"\n'
    for set in $1; do
        attributes=YOKE__OPTIMIZE
        [ "$set" = neon ] || attributes="YOKE__TARGET_$(echo "$set" | tr a-z A-Z) YOKE__OPTIMIZE"
        for name in $one; do
            loop "$name" double 1 "$set" "$attributes"
            loop "${name}f" float 1 "$set" "$attributes"
        done
        for name in $two; do
            loop "$name" double 2 "$set" "$attributes"
            loop "${name}f" float 2 "$set" "$attributes"
        done
        # Without the instruction a fused product is a call: not on the baseline.
        if [ "$set" != baseline ]; then
            loop fma double 3 "$set" "$attributes"
            loop fmaf float 3 "$set" "$attributes"
        fi
    done
}

# A function passes with arithmetic on its set's whole registers and without a call.
check() {
    awk '
        function finish() {
            if (name == "") return
            if (calls != "") { print "calls " calls ": " name; bad = 1 }
            if (!packed) { print "no whole vectors: " name; bad = 1 }
            seen++
        }
        /^(baseline|avx2|avx512|neon)_[a-z0-9]+:/ {
            finish(); name = $1; sub(":.*", "", name); set = name; sub("_.*", "", set); calls = ""; packed = 0
        }
        $1 == "call" || $1 == "callq" || ($1 == "bl") || ($1 == "jmp" && $2 ~ /PLT/) { calls = calls " " $2 }
        set == "baseline" && $1 ~ /^(add|sub|mul|div|sqrt|min|max|and|andn|or|xor|cmp[a-z]*)p[sd]$|^p(and|or|xor|andn)$/ { packed = 1 }
        set == "avx2" && $1 ~ /^v/ && $1 ~ /p[sd]$|^vp(and|or|xor|andn)$/ && $1 !~ /mov|broadcast/ && /%ymm/ { packed = 1 }
        set == "avx512" && $1 ~ /^v/ && $1 ~ /p[sd]$|^vp(and|or|xor|andn|ternlog)[dq]$/ && $1 !~ /mov|broadcast/ && /%zmm/ { packed = 1 }
        set == "neon" && $1 ~ /^(f|and|orr|bif|bit|bsl|eor|bic)/ && $1 != "fmov" && /v[0-9]+\.(4s|2d|16b)/ { packed = 1 }
        END { finish(); print seen " loops"; exit bad || seen < 60 }
    ' "$1"
}

ran=0 failed=0
for compiler in "$@"; do
    # shellcheck disable=SC2086
    $compiler -dumpmachine >"$work/machine" 2>/dev/null || continue
    case $(cat "$work/machine") in
    x86_64*) sets="baseline avx2 avx512" ;;
    aarch64*) sets=neon ;;
    *) continue ;;
    esac
    source_for "$sets" >"$work/loops.c"
    # shellcheck disable=SC2086
    $compiler -std=gnu11 -O2 -I"$include" -S "$work/loops.c" -o "$work/loops.s"
    ran=$((ran + 1))
    if check "$work/loops.s" >"$work/report"; then
        echo "$compiler: $(tail -n 1 "$work/report") ($sets) vectorised"
    else
        echo "$compiler: FAILED"
        cat "$work/report"
        failed=1
    fi
done
[ "$ran" -gt 0 ] || exit 77
exit "$failed"
