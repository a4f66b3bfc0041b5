#!/bin/sh
# The negative twin of check.sh: it must tell what is gone, changed and new. usage: as check.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
list=$1 work=$2
shift 2
mkdir -p "$work"
# A list in which yoke_close had another name, an option another place, and a status another number.
sed 's/ yoke_close / yoke_shut /; s/^\(struct yoke_options.flags at \)[0-9]*/\14/; s/^\(YOKE_EINVAL \).*/\1-7/' "$list" \
    >"$work/other.abi"
if said=$(sh "$here/check.sh" "$work/other.abi" "$work" "$@"); then
    echo "accepted, but must not"
    exit 1
fi
for line in '-libyoke.so.[0-9]* yoke_shut YOKE' '+libyoke.so.[0-9]* yoke_close YOKE' '-struct yoke_options.flags at 4,' \
    '+struct yoke_options.flags at 8,' '-YOKE_EINVAL -7' '+YOKE_EINVAL -1' 'new SOVERSION'; do
    echo "$said" | grep -q -- "$line" || { echo "not told: $line; but: $said"; exit 1; }
done
[ "$(echo "$said" | grep -c '^[-+]')" = 6 ] || { echo "more was told: $said"; exit 1; }
