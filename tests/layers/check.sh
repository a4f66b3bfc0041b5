#!/bin/sh
# Reads the sources under a root and prints every breach of the layers: an include that does not run downward, a foreign
# header outside its one room, a side door, a cycle of headers, and a few things that no library may do.
# usage: check.sh ROOT; exit 1 when anything was printed
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:?usage: check.sh ROOT}" || exit 2
files=$(find lib include kernels samples tools tests -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
[ -n "$files" ] || { echo "check.sh: no source under $1"; exit 2; }
breaches=$(
    # shellcheck disable=SC2086 # one word per file: names hold no blanks
    awk -f "$here/layers.awk" $files
    # shellcheck disable=SC2086
    awk '/^[ \t]*#[ \t]*include[ \t]*"/ { split($0, part, "\""); from = FILENAME; sub(/^include\//, "", from)
             if (part[2] !~ /\//) { to = from; sub(/[^\/]*$/, part[2], to) } else to = part[2]
             print from, to }' $files | tsort 2>&1 >/dev/null |
        sed -n 's/^tsort: -: input contains a loop:/headers include each other in a circle:/p; s/^tsort: \([^-].*\)/  \1/p'
    find . -path ./build -prune -o -path ./.git -prune -o \
        \( -name '*.bak' -o -name '*.orig' -o -name '*.rej' -o -name attic -o -name old \) -print |
        sed 's/$/: leftovers do not belong into the tree/'
)
[ -z "$breaches" ] && exit 0
echo "$breaches"
exit 1
