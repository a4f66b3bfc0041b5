#!/bin/sh
# docs/errors.md has a heading for every status of the header, with its number and text, and for no other.
# usage: statuses.sh ROOT WORK
set -eu
cd "$1"
mkdir -p "$2"
export LC_ALL=C
sed -n 's/^    X(\(E[A-Z]*\), \(-[0-9]*\), "\(.*\)").*/YOKE_\1 (\2): \3/p' include/yoke/runtime.h | sort >"$2/statuses"
[ -s "$2/statuses" ] || { echo "include/yoke/runtime.h: no status was found"; exit 1; }
sed -n 's/^### \(YOKE_E.*\)/\1/p' docs/errors.md | sort >"$2/headings"
diff "$2/statuses" "$2/headings" || { echo "< is in the header only, > in docs/errors.md only"; exit 1; }
