#!/bin/sh
# What the sample says that moves, on fake devices: one with memory of its own, and one that shares the host's.
# usage: test_residency.sh RESIDENCY; with YOKE_OPENCL_LIB=the fake driver
set -u
export FAKECL_DEVICES=2 FAKECL_UNIFIED='0;1' FAKECL_NAMES='Apart;Shared' YOKE_CACHE_DIR=off
failures=0
out=$(timeout 120 "$1" 1000000 5 2>&1) || { echo "FAILED: it ended with $?"; failures=1; }
echo "$out"

total() { # device: the sums of its table, in MB: plain there, back, managed there, back
    echo "$out" | awk -v device="opencl:$1" '/^opencl:/ { here = $1 == device } here && $1 == "total" { print $2, $3, $5, $6 }'
}

is() { # what got wanted
    [ "$2" = "$3" ] || { echo "FAILED: $1: \"$2\", not \"$3\""; failures=1; }
}

# Arrays of 4 MB: two are read and one is written in each of five steps.
is "memory apart" "$(total 0)" '40.000 20.000 8.000 4.000'
is "shared memory, managed" "$(total 1 | cut -d ' ' -f 3-)" '0.000 0.000'
case $out in *'Apart, memory of its own'*'Shared, memory shared with the host'*) ;; *) is kinds no yes ;; esac

out=$(YOKE_DEVICES=cpu timeout 120 "$1" 1000 3 2>&1)
case $out in *'no device is in use but the '*'nothing moves'*) ;; *) is "without devices" "$out" 'a table' ;; esac
exit $failures
