#!/bin/sh
# Compiles the C blocks of Markdown files, links and runs those that are programs, and compares what they print with what
# is said. usage: blocks.sh WORK FILE...; the environment has CC, CFLAGS, LIBS (all libraries), CORE_LIBS (no event loop)
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: blocks.sh WORK FILE...}
shift
rm -rf "$work"
mkdir -p "$work"
export YOKE_DEVICES=cpu YOKE_CACHE_DIR=off YOKE_WORKERS=2
warnings="-std=gnu11 -Wall -Wextra -Werror"

complain() { # NAME WHERE WHAT
    { echo "$2: $3"; cat "$work/$1.log" 2>/dev/null; } >>"$work/$1.bad"
}

program() { # NAME WHERE KIND
    libs=$CORE_LIBS
    if grep -q 'yoke/loop\.h' "$work/$1.c"; then
        libs=$LIBS
        [ -n "$LIBS" ] || return 0
    fi
    # shellcheck disable=SC2086 # flags are words
    if ! $CC $warnings $CFLAGS "$work/$1.c" -o "$work/$1" $libs >"$work/$1.log" 2>&1; then
        complain "$1" "$2" "this program does not compile"
    elif [ "$3" = program ]; then
        (cd "$work" && timeout 20 "./$1" >"$1.printed" 2>"$1.log") || complain "$1" "$2" "this program ends with status $?"
        [ ! -e "$work/$1.expected" ] || diff "$work/$1.expected" "$work/$1.printed" >"$work/$1.log" 2>&1 ||
            complain "$1" "$2" "this program prints something else than is said (<), namely (>)"
    fi
}

fragment() { # NAME WHERE CONTEXT
    mkdir -p "$work/in$1"
    ln -s "../$1.c" "$work/in$1/block.c"
    [ -e "$here/context/$3.c" ] || { complain "$1" "$2" "there is no context $3"; return; }
    # shellcheck disable=SC2086
    $CC $warnings -Wno-unused -fopenmp $CFLAGS -I "$work/in$1" -fsyntax-only "$here/context/$3.c" >"$work/$1.log" 2>&1 ||
        complain "$1" "$2" "this block does not compile in tests/docs/context/$3.c"
}

check() { # NAME WHERE KIND ARGUMENT
    case $3 in
    program | not_run) program "$1" "$2" "$3" ;;
    fragment) fragment "$1" "$2" "$4" ;;
    bad_comment) complain "$1" "$2" "the comment before this block is not one that tests/docs knows" ;;
    esac
}

awk -v folder="$work" -f "$here/extract.awk" "$@" >"$work/list" || exit 2
while read -r name where kind argument; do
    check "$name" "$where" "$kind" "$argument" &
    [ $((name % 2)) = 1 ] || wait
done <"$work/list"
wait
echo "$(wc -l <"$work/list") blocks, $(grep -c ' left_out ' "$work/list") of them not compiled"
bad=$(find "$work" -name '*.bad')
[ -z "$bad" ] && exit 0
# shellcheck disable=SC2086 # names hold no blanks
cat $bad
exit 1
