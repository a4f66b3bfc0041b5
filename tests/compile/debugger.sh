#!/bin/sh
# A breakpoint on a kernel's item function stops once per item, and shows the item's index and arrays. (A debugger sees a
# macro call as one line, so the lines inside the braces cannot be told apart.)
# Usage: debugger.sh INCLUDE_FOLDER LIBRARY LINK_FLAGS...
set -u
include=$1
library=$2
shift 2
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v gdb >/dev/null || { echo "skipped: gdb is not installed"; exit 77; }
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    # shellcheck disable=SC2086 # words are flags
    $compiler -O0 -g -I"$include" "$here/stopped.c" -o "$folder/stopped" "$library" $* -lpthread -lm || exit 1
    YOKE_ISA=baseline YOKE_WORKERS=1 gdb -batch -nx -ex 'set debuginfod enabled off' \
        -ex 'break yoke__stop_here_item_baseline if yoke__i == 1' -ex run -ex 'print yoke__i' \
        -ex 'print yoke__p0[yoke__i]' -ex backtrace "$folder/stopped" >"$folder/log" 2>&1
    if grep -q 'ptrace: Operation not permitted' "$folder/log"; then
        echo "skipped: this machine does not allow debugging"
        exit 77
    fi
    for wanted in '^\$1 = 1$' '^\$2 = 20$' '#0 .*yoke__stop_here_item_baseline.*stopped.c:'; do
        grep -q -e "$wanted" "$folder/log" || { echo "$compiler: no $wanted in"; cat "$folder/log"; exit 1; }
    done
done
echo "stopped in the body of item 1"
