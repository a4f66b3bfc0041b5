#!/bin/sh
# The negative twins of check.sh: small trees with one breach each, which it must report, and a clean one, which it
# must accept.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
failed=0

# breach PATH MESSAGE TEXT: a tree whose one file PATH holds TEXT must be refused with MESSAGE
breach() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/$(dirname "$1")" "$work/tree/lib/base"
    echo '#include "lib/base/circle.h"' >"$work/tree/lib/base/base.h"
    printf '%b\n' "$3" >"$work/tree/$1"
    if said=$(sh "$here/check.sh" "$work/tree"); then
        echo "accepted, but must not: $1: $3"
        failed=$((failed + 1))
    else
        case $said in
        *"$1"*"$2"* | *"$2"*"$1"*) ;;
        *)
            echo "refused for another reason: $1: $3: $said"
            failed=$((failed + 1))
            ;;
        esac
    fi
}

# clean PATH TEXT: the same, but it must be accepted
clean() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/$(dirname "$1")"
    printf '%b\n' "$2" >"$work/tree/$1"
    if ! said=$(sh "$here/check.sh" "$work/tree"); then
        echo "refused, but must not: $1: $said"
        failed=$((failed + 1))
    fi
}

breach lib/base/a.c 'may not use' '#include "lib/cpu/cpu.h"'
breach lib/schedule/a.c 'may not use' '#include "lib/topology/topology.h"'
breach lib/memory/a.c 'may not use' '#include "lib/opencl/opencl.h"'
breach lib/cpu/a.c 'may not use' '#  include "lib/parallel/parallel.h"'
breach lib/parallel/a.c 'may not use lib/opencl' '#include "lib/opencl/opencl.h"'
breach lib/mpi/a.c 'may not use' '#include "lib/parallel/parallel.h"'
breach lib/executor/a.c 'may not use' '#include "lib/parallel/parallel.h"'
breach lib/executor/a.c 'outside its home' '#include <uv.h>'
breach include/yoke/a.h 'outside its home' '#include <uv.h>'
breach lib/loop/a.c 'may not use' '#include "lib/executor/executor.h"'
breach lib/future/a.c 'layer above' '#include "yoke/executor.h"'
breach lib/cpu/a.c 'through its door' '#include "lib/topology/place.h"'
breach lib/attic/a.c 'no room' 'int x;'
breach lib/cpu/a.c 'outside its home' '#include <hwloc.h>'
breach lib/cpu/a.c 'outside its home' '#include <hwloc/helper.h>'
breach lib/parallel/a.c 'outside its home' '#include <CL/cl.h>'
breach lib/base/a.c 'outside its home' '#include <mpi.h>'
breach kernels/a.c 'outside its home' '#include <png.h>'
breach include/yoke/a.h 'outside its home' '#include <hwloc.h>'
breach kernels/a.c 'see the inside' '#include "lib/base/base.h"'
breach include/yoke/a.h 'see the inside' '#include "lib/base/base.h"'
breach tools/yoke/a.c 'is a consumer' '#include "lib/base/base.h"'
breach samples/a.c 'see the inside' '#include "lib/base/base.h"'
breach lib/cpu/a.c 'layer above' '#include "yoke/parallel.h"'
breach lib/cpu/a.c 'path from the root' '#include "../base/base.h"'
breach lib/cpu/a.c 'only lib/ and yoke/' '#include "tests/unit/tool.h"'
breach lib/parallel/a.c 'names OpenCL' '#include "yoke/opencl.h"'
breach lib/base/a.c 'ends the process' 'void f(void) { abort(); }'
breach lib/base/a.c 'ends the process' 'void f(void) { /* fine */ exit(1); }'
breach kernels/a.c 'prints nothing' 'void f(void) { printf("x"); }'
breach lib/base/a.c 'prints nothing' 'void f(void) { fputs("x", stderr); }'
breach lib/cpu/a.c 'a fence' 'void f(void) { atomic_thread_fence(memory_order_seq_cst); }'
breach lib/base/a.h 'a fence' 'static inline void f(void) { __atomic_thread_fence(5); }'
breach lib/cpu/a.c 'a fence' 'void f(void) { _mm_mfence(); }'
breach include/yoke/a.h 'a fence' 'static void f(void) { __sync_synchronize(); }'
breach lib/cpu/a.c 'a fence' 'void f(void) { __asm__ volatile("dmb ish" ::: "memory"); }'
breach tests/unit/a.c 'git keeps it' '#if 0'
breach lib/base/a.c '500 are the most' "$(awk 'BEGIN { for (i = 0; i < 501; i++) print "int x" i ";" }')"
breach lib/base/a.c '60 are the most' "$(awk 'BEGIN { print "{"; for (i = 0; i < 61; i++) print "f();"; print "}" }')"
breach lib/base/circle.h 'in a circle' '#include "base.h"'
breach lib/base/a.c.bak 'leftovers' 'int x;'

clean lib/base/a.c '// exit(1), printf(\n/* abort(\n#include "lib/cpu/cpu.h"\n*/\nchar *s = "exit(1)";'
clean lib/cpu/a.c '#include <stddef.h>\n#include "lib/base/base.h"\n#include "lib/topology/topology.h"\n#include "yoke/runtime.h"'
clean lib/parallel/backends.c '#include "lib/cpu/cpu.h"\n#include "lib/opencl/opencl.h"'
clean lib/cpu/stream.c 'void f(void) { _mm_sfence(); __asm__ volatile("dmb ishst" ::: "memory"); }'
clean lib/cpu/a.c 'void f(void) { yoke__stream_fence(); atomic_signal_fence(memory_order_seq_cst); } /* _mm_mfence() */'
clean lib/topology/a.c '#include <hwloc.h>\nint f(char *b) { return snprintf(b, 1, "x") + g_exit(1); }'
clean lib/opencl/a.c '#include <CL/cl.h>\n#include "lib/opencl/loader.h"'
clean lib/loop/a.c '#include <uv.h>\n#include "lib/future/future.h"\n#include "yoke/loop.h"'
clean samples/a.c '#include <png.h>\n#include <yoke/yoke.h>\nint main(void) { printf("x"); exit(1); }'

[ "$failed" -eq 0 ] || { echo "$failed expectations failed"; exit 1; }
echo "every breach was found"
