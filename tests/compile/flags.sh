#!/bin/sh
# program.c compiles without a word, and is right, with whatever flags a user may have.
# Usage: flags.sh INCLUDE_FOLDER LIBRARY LINK_FLAGS...
set -u
include=$1
library=$2
shift 2
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bad=0
warnings="-Wall -Wextra -Wconversion -Wshadow -Werror"
try() {
    # shellcheck disable=SC2086 # words are flags
    if ! $1 $2 $warnings -I"$include" $3 -o "$folder/program" "$library" $4 >"$folder/log" 2>&1; then
        echo "$1 $2: does not compile"
        head -n 5 "$folder/log"
        bad=1
        return
    fi
    [ -s "$folder/log" ] && { echo "$1 $2: is not silent"; head -n 5 "$folder/log"; bad=1; }
    "$folder/program" >"$folder/log" 2>&1 || { echo "$1 $2: is wrong"; head -n 5 "$folder/log"; bad=1; }
}
link="$* -lpthread -lm"
source=$here/program.c
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    for flags in -O0 -O1 -O2 -O3 -Og "-O2 -march=native" "-O3 -march=native -ffast-math" "-O2 -ffast-math" \
        "-O2 -std=c11" "-O2 -std=gnu11" "-O2 -std=c17 -pedantic" "-O2 -g" "-O0 -g" \
        "-O1 -g -fsanitize=undefined,address -fno-sanitize-recover=all"; do
        try $compiler "$flags" "$source" "$link"
    done
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    for flags in "-std=c++17 -O0" "-std=c++17 -O2" "-std=c++17 -O3 -march=native" "-std=c++20 -O2 -g"; do
        try $compiler "$flags -x c++" "$source -x none" "$link"
    done
done

# The baseline variant runs on every x86-64, whatever machine the user compiles for.
check_baseline() {
    # shellcheck disable=SC2086 # words are flags
    $1 -O3 -march=native -I"$include" -c "$source" -o "$folder/program.o" || { bad=1; return; }
    objdump -d --no-show-raw-insn "$folder/program.o" >"$folder/listing"
    for isa in baseline avx2; do
        awk -v isa="_$isa" 'index($0, ">:") { on = index($0, isa ">:") || index($0, isa ".") } on' "$folder/listing" >"$folder/$isa"
        [ -s "$folder/$isa" ] || { echo "$1: no $isa variant found"; bad=1; }
    done
    grep -q -E '%[yz]mm' "$folder/baseline" && { echo "$1 -march=native: wide registers in a baseline variant"; bad=1; }
    grep -q '%zmm' "$folder/avx2" && { echo "$1 -march=native: zmm registers in an AVX2 variant"; bad=1; }
}
if [ "$(uname -m)" = x86_64 ] && command -v objdump >/dev/null; then
    for compiler in gcc clang; do
        command -v $compiler >/dev/null && check_baseline $compiler
    done
fi
[ "$bad" -eq 0 ] && echo "right and silent with every set of flags"
exit $bad
