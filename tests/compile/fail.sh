#!/bin/sh
# Each source of fail/ must not compile, and the first line with "error:" must name its kernel, "doomed".
# Usage: fail.sh INCLUDE_FOLDER
include=$1
here=$(dirname "$0")
bad=0
check() {
    source=$1
    shift
    if log=$("$@" -I"$include" -fsyntax-only "$source" 2>&1); then
        echo "$source: compiles with $*"
        bad=1
        return
    fi
    first=$(printf '%s\n' "$log" | grep 'error:' | head -n 1)
    case $first in
    *doomed*) ;;
    *)
        echo "$source: with $*, the first error does not name the kernel: $first"
        bad=1
        ;;
    esac
}
compiled=0
for source in "$here"/fail/*.c; do
    for compiler in "gcc -std=c11" "clang -std=c11" "g++ -std=c++17 -x c++" "clang++ -std=c++17 -x c++"; do
        command -v "${compiler%% *}" >/dev/null || continue
        # shellcheck disable=SC2086 # a compiler and its flags
        check "$source" $compiler
        compiled=$((compiled + 1))
    done
done
[ "$compiled" -gt 0 ] || { echo "no compiler found"; exit 77; }
[ "$bad" -eq 0 ] && echo "$compiled compilations failed as they should"
exit $bad
