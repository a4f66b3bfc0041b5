#!/bin/sh
# Compares what programs rely on (exported symbols with their versions, structures, constants) with the committed list.
# usage: check.sh [--update] LIST WORK INCLUDE CC LIBRARY...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
update=0
[ "${1:-}" = --update ] && update=1 && shift
list=${1:?usage: check.sh [--update] LIST WORK INCLUDE CC LIBRARY...} work=$2 include=$3 cc=$4
shift 4
mkdir -p "$work"
export LC_ALL=C

symbols() { # LIBRARY: "libyoke.so.1 yoke_open YOKE_0.1"
    soname=$(readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    nm -D --defined-only --extern-only "$1" | awk -v library="$soname" '$2 != "A" && $3 !~ /YOKE_PRIVATE$/ {
        split($3, part, /@+/)
        print library, part[1], part[2] }' | sort
}

# Headers with a library of their own that is not in the list are left out.
headers=$(find "$include/yoke" -maxdepth 1 -name '*.h' ! -name 'math*' ! -name mpi.h ! -name kernels.h | sort)
# shellcheck disable=SC2086 # names hold no blanks
awk -f "$here/layout.awk" $headers >"$work/layout.c"
"$cc" -std=gnu11 -Wall -Wextra -Werror -I "$include" "$work/layout.c" -o "$work/layout"
{
    echo "# What programs that were compiled rely on; tests/abi compares. Refresh: cmake --build BUILD --target abi_update"
    for library; do symbols "$library"; done
    "$work/layout"
} >"$work/now"
if [ $update = 1 ]; then
    cp "$work/now" "$list"
    exit 0
fi
diff -U 0 "$list" "$work/now" | grep '^[-+][^-+]' >"$work/changes" || exit 0
if grep '^-' "$work/changes"; then
    echo "Lines with - are gone or changed: programs that were compiled against them break."
    echo "After a release this needs a new SOVERSION (CMakeLists.txt)."
fi
grep '^+' "$work/changes" && echo "Lines with + are new."
echo "If it is meant so: cmake --build BUILD --target abi_update, and commit cmake/abi/yoke.abi"
exit 1
