#!/bin/sh
# A shared library exports its own names and the vector forms of functions (_ZGV...), nothing else.
# usage: symbols.sh LIBRARY ONE-OF-ITS-NAMES
exported=$(nm -D --defined-only --extern-only --without-symbol-versions "${1:?usage: symbols.sh LIBRARY NAME}" |
    awk '$2 != "A" { print $3 }') # A: the names of the versions themselves
echo "$exported" | grep -q "^$2\$" || { echo "$2 is not exported"; exit 1; }
if echo "$exported" | grep -v -e '^yoke_' -e '^_ZGV'; then
    echo "these names are exported, but must not be"
    exit 1
fi
